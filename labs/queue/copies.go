package queue

import (
	"cmp"
	"fmt"
	"reflect"
	"slices"
	"sort"
	"strconv"
	"time"

	"faultlab/checker"
	"faultlab/checker/history"
	q "faultlab/nodes/queue"
)

// This file judges copies in other regions (Q11, Q12), and what becomes of records when one of them takes over (Q13, Q14)
// or when they are delivered more than once (Q15).

const (
	lagBound = 2 * time.Second // L, beyond a round trip, while nothing is wrong
	healthy  = 5 * time.Second // Wm: so long must nothing have been wrong
	roundMax = 120 * time.Millisecond
)

func prefixView(e *history.Event) (checker.Digest, bool) {
	p, ok := e.Event.(q.Prefix)
	if !ok {
		return checker.Digest{}, false
	}
	return checker.Digest{Group: p.Shard.String(), Index: p.Seq, Sum: strconv.FormatUint(p.Sum, 16)}, true
}

// repaired judges that comparing copies finds nothing to repair, and that copies hold what somebody sent. It counts the
// acknowledged records that clients have read from the copies of all other regions.
func (j *judge) repaired(h *history.History) history.Result {
	f := j.facts(h)
	compared, read := 0, 0
	readers := map[id][]string{} // the regions whose copies showed a record
	for i := range h.Ops {
		switch out := h.Ops[i].Out.(type) {
		case q.Reconciled:
			compared += out.Compared
			if len(out.Repaired) > 0 {
				c := out.Repaired[0]
				return history.Refuted([]int{i}, "operation %d found that the copy of %s differed, at place %d, from the shard", i, c.Shard, c.Seq)
			}
		case q.Records:
			if !out.Copy {
				continue
			}
			for _, r := range out.Records {
				read++
				at := id{r.Producer, r.Number}
				if f.names[at] == nil {
					return history.Refuted([]int{i}, "operation %d was shown %s by a copy of %s, which nobody sent", i, name(r.Producer, r.Number), out.Shard)
				}
				if region := h.Ops[i].Region; !slices.Contains(readers[at], region) {
					readers[at] = append(readers[at], region)
				}
			}
		}
	}
	acknowledged, everywhere := 0, 0
	for at, n := range f.names {
		if n.acked && !n.tail {
			acknowledged++
			if len(readers[at]) >= len(j.regions)-1 {
				everywhere++
			}
		}
	}
	r := enough(read, 50, "records were read from copies", history.Passed(
		"%d records were read from copies, %d of %d that were acknowledged from those of all other regions; comparing %d shards found nothing to repair", read, everywhere, acknowledged, compared))
	r.Evidence["acknowledged"], r.Evidence["read from all copies"] = acknowledged, everywhere
	return r
}

// An ack is that a place was acknowledged; with all before it, since places are given in order.
type ack struct {
	at  time.Duration
	seq uint64
}

// acks are those of each shard, canonical ones, in the order of time, each with the furthest place so far.
func (f *facts) acks() map[q.Shard][]ack {
	list := map[q.Shard][]ack{}
	for i := range f.h.Ops {
		op := &f.h.Ops[i]
		if out, ok := op.Out.(q.SendOK); ok {
			last := out.Seq + uint64(len(op.In.(q.Send).Values)) - 1
			if f.canonical(out.Shard, last) {
				list[out.Shard] = append(list[out.Shard], ack{op.Return, last})
			}
		}
	}
	for _, l := range list {
		slices.SortFunc(l, func(a, b ack) int { return cmp.Compare(a.at, b.at) })
		for i := 1; i < len(l); i++ {
			l[i].seq = max(l[i].seq, l[i-1].seq)
		}
	}
	return list
}

// before returns the furthest place that was acknowledged before a time.
func before(l []ack, at time.Duration) uint64 {
	n := sort.Search(len(l), func(i int) bool { return l[i].at >= at })
	if n == 0 {
		return 0
	}
	return l[n-1].seq
}

// lag judges Q12: the label of every copy is true, and no copy is further behind than the bound after a while in which
// nothing was wrong. Where clocks were harmed nothing is said of labels from then on.
func (j *judge) lag(h *history.History) history.Result {
	f := j.facts(h)
	acks := f.acks()
	clocks := h.End + 1
	for _, w := range h.Windows {
		if w.Kind == "clock" {
			clocks = min(clocks, w.Start)
		}
	}
	wrong := func(from, to time.Duration) bool {
		return slices.ContainsFunc(h.Windows, func(w history.Window) bool { return w.Start < to && from < w.End })
	}
	moved := func(home string, from, to time.Duration) bool {
		return slices.ContainsFunc(f.promotions[home], func(p promotion) bool { return p.at < to && from < p.at })
	}
	labels, bounded := 0, 0
	for i := range h.Ops {
		op := &h.Ops[i]
		out, ok := records(op)
		if !ok || !out.Copy {
			continue
		}
		if label := time.Duration(out.LagMs+1) * time.Millisecond; op.Return < clocks {
			labels++
			if must := before(acks[out.Shard], op.Call-label); must > out.End {
				return history.Refuted([]int{i}, "operation %d was told that the copy of %s in region %s, which ends at place %d, was no more than %d ms behind, but place %d had been acknowledged before that",
					i, out.Shard, op.Region, out.End, out.LagMs, must)
			}
		}
		if wrong(op.Call-healthy, op.Return) || moved(homeOf(out.Shard), op.Call-healthy, op.Return) {
			continue
		}
		bounded++
		if must := before(acks[out.Shard], op.Call-lagBound-roundMax); must > out.End {
			return history.Refuted([]int{i}, "operation %d was shown a copy of %s in region %s that ends at place %d, though place %d had been acknowledged more than %v before and nothing had been wrong for %v",
				i, out.Shard, op.Region, out.End, must, lagBound+roundMax, healthy)
		}
	}
	r := enough(bounded, 20, "copies were read when nothing had been wrong", history.Passed("%d copies that were read when nothing had been wrong were within the bound, and %d labels were true", bounded, labels))
	r.Evidence["labels"] = labels
	return r
}

// final returns the last two reports that a region gave in the end.
func (f *facts) final(home, region string) (last, other *report) {
	list := f.reports[home][region]
	for i := len(list) - 1; i >= 0; i-- {
		switch r := &list[i]; {
		case f.h.Ops[r.op].Phase != history.Final:
		case last == nil:
			last = r
		case other == nil:
			other = r
		}
	}
	return last, other
}

// reported are the records of a keyspace that some region lists as its tail, and whether it says that they were sent
// again; missing is a region that did not answer.
func (j *judge) reported(f *facts, home string) (tail map[id]bool, missing string) {
	tail = map[id]bool{}
	for _, region := range j.regions {
		last, _ := f.final(home, region)
		if last == nil {
			return nil, region
		}
		for _, t := range last.out.Tail {
			for k, r := range t.Records {
				name := id{r.Producer, r.Number}
				tail[name] = tail[name] || slices.Contains(t.Resent, k)
			}
		}
	}
	return tail, ""
}

// fenced judges Q13: all say the same of a promotion; nobody who has learnt of one acknowledges anything else under an
// older generation; what had been acknowledged beyond the declared places is in a report.
func (j *judge) fenced(h *history.History) history.Result {
	f := j.facts(h)
	learnt := map[string]map[string][]promotion{} // by node and keyspace: when it learnt
	promotions := 0
	for i := range h.Events {
		e := &h.Events[i]
		switch b := e.Event.(type) {
		case q.Promoted:
			for _, p := range f.promotions[b.Home] {
				if p.Generation == b.Generation && (p.Region != b.Region || !reflect.DeepEqual(p.Declared, b.Declared)) {
					return history.Refuted(nil, "%s says that promotion %d of keyspace %s was to %s and declared %s, others that it was to %s and declared %s",
						e.Node, b.Generation, b.Home, b.Region, declared(b.Declared), p.Region, declared(p.Declared))
				}
			}
		case q.Learnt:
			if learnt[e.Node] == nil {
				learnt[e.Node] = map[string][]promotion{}
			}
			learnt[e.Node][b.Home] = append(learnt[e.Node][b.Home], promotion{Promoted: q.Promoted{Generation: b.Generation}, at: e.At})
		}
	}
	for _, list := range f.promotions {
		promotions += len(list)
	}
	if promotions == 0 {
		return history.Skipped("no keyspace was promoted")
	}
	tails := map[string]map[id]bool{}
	beyond := 0
	for i := range h.Ops {
		op := &h.Ops[i]
		out, ok := op.Out.(q.SendOK)
		in, _ := op.In.(q.Send)
		if !ok || f.canonical(out.Shard, out.Seq+uint64(len(in.Values))-1) {
			continue
		}
		beyond += len(in.Values)
		home := homeOf(out.Shard)
		for _, l := range learnt[op.Node][home] {
			if l.Generation > generationOf(out.Shard) && l.at < op.Call {
				return history.Refuted([]int{i}, "operation %d was given place %d of %s by %s, which had learnt, at %v, that keyspace %s was promoted for the %d. time, without this place",
					i, out.Seq, out.Shard, op.Node, l.at, home, l.Generation)
			}
		}
		if tails[home] == nil {
			tail, missing := j.reported(f, home)
			if missing != "" {
				return history.Doubted("region %s gave no report on keyspace %s in the end", missing, home)
			}
			tails[home] = tail
		}
		for k := range in.Values {
			if _, listed := tails[home][id{in.Producer, in.Number + uint64(k)}]; !listed && !f.canonical(out.Shard, out.Seq+uint64(k)) {
				return history.Refuted([]int{i}, "operation %d was given place %d of %s, beyond what was declared, and no report lists it", i, out.Seq+uint64(k), out.Shard)
			}
		}
	}
	r := history.Passed("%d promotions, all with one declaration; all of %d records that were acknowledged beyond are in a report", promotions, beyond)
	r.Evidence = map[string]any{"promotions": promotions, "tail": beyond}
	return r
}

func declared(list []q.Cursor) string {
	s := ""
	for _, c := range list {
		s += fmt.Sprintf(" %s:%d", c.Shard, c.Seq)
	}
	return s
}

// conserved judges Q14: what was acknowledged stands in the log or in a report, and in both only if the report says so;
// a report that is asked for again says the same.
func (j *judge) conserved(h *history.History) history.Result {
	f := j.facts(h)
	listed := 0
	for _, home := range j.regions {
		for _, region := range j.regions {
			last, other := f.final(home, region)
			if last != nil && other != nil && !reflect.DeepEqual(last.out, other.out) {
				return history.Refuted([]int{other.op, last.op}, "region %s gave two reports on keyspace %s in the end that differ", region, home)
			}
			if other == nil {
				return history.Doubted("region %s did not give two reports on keyspace %s in the end", region, home)
			}
		}
		tail, _ := j.reported(f, home)
		listed += len(tail)
		names := make([]id, 0, len(tail))
		for name := range tail {
			names = append(names, name)
		}
		slices.SortFunc(names, func(a, b id) int { return cmp.Or(cmp.Compare(a.producer, b.producer), cmp.Compare(a.number, b.number)) })
		for _, at := range names {
			n := f.names[at]
			switch {
			case n == nil:
				return history.Refuted(nil, "a report on keyspace %s lists %s, which nobody sent", home, name(at.producer, at.number))
			case n.placed && !tail[at]:
				return history.Refuted([]int{n.op}, "a report on keyspace %s lists %s as not in the log, but it is, at %s", home, name(at.producer, at.number), n.at)
			case !n.placed && tail[at]:
				return history.Refuted([]int{n.op}, "a report on keyspace %s lists %s as sent again, but nobody was shown it in the log", home, name(at.producer, at.number))
			}
		}
		for i := range h.Ops {
			out, ok := h.Ops[i].Out.(q.SendOK)
			in, _ := h.Ops[i].In.(q.Send)
			if !ok || in.Home != home {
				continue
			}
			for k := range in.Values {
				at := id{in.Producer, in.Number + uint64(k)}
				if _, in := tail[at]; !in && !f.names[at].placed {
					return history.Refuted([]int{i}, "operation %d was given place %d of %s, which is neither in the log nor in a report", i, out.Seq+uint64(k), out.Shard)
				}
			}
		}
	}
	r := history.Passed("all that was acknowledged stands in the log or in a report (%d do), and no report changed", listed)
	r.Evidence = map[string]any{"reported": listed}
	return r
}

// lastly returns what a region's own answer, in the end, says of each shard of a keyspace.
func lastly(op *history.Op) (copies []checker.Copy) {
	d, ok := op.Out.(q.Described)
	if !ok || op.Phase != history.Final {
		return nil
	}
	for _, s := range d.Shards {
		copies = append(copies, checker.Copy{
			Of: s.Shard.String(), Who: "region " + op.Region, State: fmt.Sprintf("%d records with sum %x", s.End, s.Sum),
		})
	}
	return copies
}

// once judges Q15 over single records, of which a send may hold several.
func (j *judge) once(h *history.History) history.Result {
	f := j.facts(h)
	each := &history.History{End: h.End}
	for i := range f.merged.Ops {
		op := &f.merged.Ops[i]
		if in, ok := op.In.(q.Send); ok && !f.passed[i] {
			for k := range in.Values {
				one := *op
				one.In = name(in.Producer, in.Number+uint64(k))
				if n := f.names[id{in.Producer, in.Number + uint64(k)}]; n.tail && !n.placed {
					one.Outcome = history.Unknown // it may have been delivered where it stood
				}
				each.Ops = append(each.Ops, one)
			}
		}
	}
	return checker.Once[string]{
		Asked:   func(op *history.Op) (string, bool) { return op.In.(string), true },
		Effects: func(*history.History) ([]string, bool) { return j.effects(h) },
		Again: func(*history.History) int {
			delivered, again := map[string]bool{}, 0
			for i := range h.Ops {
				if in, ok := h.Ops[i].In.(q.Deliver); ok {
					for _, n := range in.Names {
						if delivered[n] {
							again++
						}
						delivered[n] = true
					}
				}
			}
			return again
		},
		AtLeast: 50,
	}.Check(each)
}

// effects are the names that took effect, as they were listed in the end, each as often as it did; ok is false if a list
// is not complete.
func (j *judge) effects(h *history.History) (names []string, ok bool) {
	whole := map[string]bool{}
	for i := range h.Ops {
		op := &h.Ops[i]
		out, listed := op.Out.(q.Effected)
		if !listed || op.Phase != history.Final {
			continue
		}
		for k, n := range out.Names {
			for range out.Counts[k] {
				names = append(names, n)
			}
		}
		if !out.More {
			whole[op.In.(q.Effects).Home] = true
		}
	}
	return names, len(whole) == len(j.regions)
}
