package queue

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"faultlab/checker"
	"faultlab/checker/history"
	q "faultlab/nodes/queue"
)

// This file says what the queue's own types mean to the checkers.
//
// Promises speak of the canonical lineage: what each promotion declared of the shards before it, and all of those that
// came after. Places beyond are tail, and no places. Only Q2 looks at those too, since no two regions may ever give one
// place to two records.

// A value is one record, as the checkers tell records apart: by the pointer, since there is one of each in a run.
type value struct {
	Producer string
	Number   uint64
	Text     string
}

func (v *value) String() string { return name(v.Producer, v.Number) }

// name is what a record is called at the sink.
func name(producer string, number uint64) string {
	return producer + "/" + strconv.FormatUint(number, 10)
}

// A place is where a record stands.
type place struct {
	shard q.Shard
	seq   uint64
}

func (p place) String() string { return fmt.Sprintf("place %d of %s", p.seq, p.shard) }

// homeOf returns the keyspace of a shard, which need not be one.
func homeOf(s q.Shard) string {
	home, _, _ := strings.Cut(s.Range, "/")
	return home
}

// generationOf returns how often the keyspace of a shard had been promoted when the shard began.
func generationOf(s q.Shard) uint64 { return s.Epoch / 1000 }

// regime returns it for a generation of consumers.
func regime(generation uint64) uint64 { return generation / 1_000_000 }

// A sent is all that is known of one name: of the operations that asked for it, one is spoken of in place of all.
type sent struct {
	op     int // position of the first that asked for it
	refuse bool
	acked  bool // some of those that asked was told of a place
	tail   bool // it stood, or stands, on a tail
	at     place
	placed bool // it stands on the canonical lineage, at
}

type id struct {
	producer string
	number   uint64
}

// facts are what a history says of the queue, found out once.
type facts struct {
	h      *history.History
	merged *history.History // each send and all that asked for it again, as one operation
	passed []bool           // by position in merged: another operation speaks for this one

	promotions map[string][]promotion // by keyspace, in the order of generations
	limits     map[q.Shard]uint64
	seals      map[q.Shard]seal
	names      map[id]*sent
	values     [][]*value // by operation: those that it sent or was shown
	shards     map[q.Shard]string
	reports    map[string]map[string][]report // by keyspace and region, in the order of time
}

// A promotion is what all who know of one say of it, and when the first said so.
type promotion struct {
	q.Promoted
	at   time.Duration
	ends map[q.Shard]uint64
}

// A seal is the end of a shard by a split or merge.
type seal struct {
	seq      uint64
	children []q.Shard
	at       time.Duration // when somebody first said so
}

type report struct {
	op  int
	out q.Reported
}

// A judge is what the promises of one run share.
type judge struct {
	regions []string
	members int

	mu    sync.Mutex
	found *facts
	logs  map[string]history.Result
}

// facts returns what h says, and finds it out if that is not done yet.
func (j *judge) facts(h *history.History) *facts {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.found == nil || j.found.h != h {
		j.found, j.logs = newFacts(h), map[string]history.Result{}
	}
	return j.found
}

func newFacts(h *history.History) *facts {
	f := &facts{
		h: h, promotions: map[string][]promotion{}, limits: map[q.Shard]uint64{}, seals: map[q.Shard]seal{},
		names: map[id]*sent{}, shards: map[q.Shard]string{}, reports: map[string]map[string][]report{},
	}
	f.events()
	f.places()
	f.merge()
	return f
}

// events reads what nodes say of promotions and seals. Of those who contradict each other the first is believed here;
// that they do is found by others.
func (f *facts) events() {
	for i := range f.h.Events {
		e := &f.h.Events[i]
		switch b := e.Event.(type) {
		case q.Promoted:
			list := f.promotions[b.Home]
			if slices.ContainsFunc(list, func(p promotion) bool { return p.Generation == b.Generation }) {
				continue
			}
			p := promotion{b, e.At, map[q.Shard]uint64{}}
			for _, c := range b.Declared {
				p.ends[c.Shard] = c.Seq
			}
			list = append(list, p)
			slices.SortStableFunc(list, func(a, b promotion) int { return cmp.Compare(a.Generation, b.Generation) })
			f.promotions[b.Home] = list
		case q.Sealed:
			_, known := f.seals[b.Shard]
			if !known && slices.ContainsFunc(b.Children, func(c q.Shard) bool { return generationOf(c) == generationOf(b.Shard) }) {
				f.seals[b.Shard] = seal{b.Seq, b.Children, e.At}
			}
		}
	}
}

// limit returns the last place of a shard that is on the canonical lineage, if a promotion set one.
func (f *facts) limit(s q.Shard) uint64 {
	end, known := f.limits[s]
	if !known {
		end = ^uint64(0)
		for _, p := range f.promotions[homeOf(s)] {
			if p.Generation > generationOf(s) {
				end = min(end, p.ends[s])
			}
		}
		f.limits[s] = end
	}
	return end
}

func (f *facts) canonical(s q.Shard, seq uint64) bool { return seq <= f.limit(s) }

// called returns a shard's name.
func (f *facts) called(s q.Shard) string {
	n, known := f.shards[s]
	if !known {
		n = s.String()
		f.shards[s] = n
	}
	return n
}

// records returns what an operation was shown, if it was shown records, and of which shard.
func records(op *history.Op) (out q.Records, ok bool) {
	if op.Outcome != history.OK {
		return out, false
	}
	out, ok = op.Out.(q.Records)
	return out, ok
}

// intern finds all values there are.
func (f *facts) intern() {
	known, others := map[id]*value{}, map[value]*value{}
	one := func(producer string, number uint64, text string) *value {
		v := known[id{producer, number}]
		switch {
		case v == nil:
			v = &value{producer, number, text}
			known[id{producer, number}] = v
		case v.Text != text: // that of a name is another one here
			w := value{producer, number, text}
			if others[w] == nil {
				others[w] = &w
			}
			v = others[w]
		}
		return v
	}
	f.values = make([][]*value, len(f.h.Ops))
	for i := range f.h.Ops {
		op := &f.h.Ops[i]
		if in, ok := op.In.(q.Send); ok {
			f.values[i] = make([]*value, len(in.Values))
			for k, text := range in.Values {
				f.values[i][k] = one(in.Producer, in.Number+uint64(k), text)
			}
		} else if out, ok := records(op); ok {
			f.values[i] = make([]*value, len(out.Records))
			for k := range out.Records {
				r := &out.Records[k]
				f.values[i][k] = one(r.Producer, r.Number, r.Value)
			}
		}
	}
}

// places finds out which names there are, and where each stands.
func (f *facts) places() {
	f.intern()
	stands := func(producer string, number uint64, s q.Shard, seq uint64) {
		n := f.names[id{producer, number}]
		switch {
		case n == nil: // nobody sent it, which Q6 says
		case !f.canonical(s, seq):
			n.tail = true
		case !n.placed:
			n.at, n.placed = place{s, seq}, true
		}
	}
	for i := range f.h.Ops {
		op := &f.h.Ops[i]
		in, ok := op.In.(q.Send)
		if !ok {
			continue
		}
		for k := range in.Values {
			at := id{in.Producer, in.Number + uint64(k)}
			n := f.names[at]
			if n == nil {
				n = &sent{op: i}
				f.names[at] = n
			}
			switch out := op.Out.(type) {
			case q.SendOK:
				n.acked = true
				stands(in.Producer, at.number, out.Shard, out.Seq+uint64(k))
			case q.Refused:
				n.refuse = true
			}
		}
	}
	for i := range f.h.Ops {
		op := &f.h.Ops[i]
		if out, ok := records(op); ok {
			for k := range out.Records {
				r := &out.Records[k]
				stands(r.Producer, r.Number, out.Shard, r.Seq)
			}
		}
		if out, ok := op.Out.(q.Reported); ok {
			home := op.In.(q.Report).Home
			if f.reports[home] == nil {
				f.reports[home] = map[string][]report{}
			}
			f.reports[home][op.Region] = append(f.reports[home][op.Region], report{i, out})
			for _, t := range out.Tail {
				for k := range t.Records {
					if n := f.names[id{t.Records[k].Producer, t.Records[k].Number}]; n != nil {
						n.tail = true
					}
				}
			}
		}
	}
}

// merge makes one operation of a send and of all that asked for the same numbers again: called with the first, ended
// with the first that was told of a place on the canonical lineage. If none was, and one was refused, it surely never
// was done; if it stood on a tail, or nobody heard anything, nobody can know.
func (f *facts) merge() {
	f.merged = &history.History{Members: f.h.Members, Ops: slices.Clone(f.h.Ops), Events: f.h.Events, Windows: f.h.Windows, Healed: f.h.Healed, End: f.h.End}
	f.passed = make([]bool, len(f.h.Ops))
	for i := range f.merged.Ops {
		op := &f.merged.Ops[i]
		in, ok := op.In.(q.Send)
		if !ok {
			continue
		}
		n := f.names[id{in.Producer, in.Number}]
		first := &f.merged.Ops[n.op]
		op.Client = in.Producer
		out, acked := op.Out.(q.SendOK)
		if acked && !f.canonical(out.Shard, out.Seq+uint64(len(in.Values))-1) { // all of it, or all but its first records
			acked = false
			op.Outcome = history.Unknown
		}
		if n.op != i {
			was, had := first.Out.(q.SendOK)
			had = had && first.Outcome == history.OK
			switch {
			case !acked:
				f.passed[i] = true
			case !had:
				first.Out, first.Return, first.Outcome = out, op.Return, history.OK
				f.passed[i] = true
			case was == out:
				first.Return = min(first.Return, op.Return)
				f.passed[i] = true
			}
			continue
		}
		if !acked && n.refuse && !n.tail {
			op.Outcome = history.Failed
		} else if !acked {
			op.Outcome = history.Unknown
		}
	}
}

// sends returns what a send put in the log, with the places that are known.
func (f *facts) sends(op *history.Op) []checker.Record[*value] {
	in := op.In.(q.Send)
	list := make([]checker.Record[*value], len(in.Values))
	out, acked := op.Out.(q.SendOK)
	acked = acked && op.Outcome == history.OK
	// All of a send stands together, so that one of its records tells the places of all; but for a tail that was sent again.
	base, tail := place{}, false
	for k := range in.Values {
		n := f.names[id{in.Producer, in.Number + uint64(k)}]
		tail = tail || n.tail
		if n.placed && n.at.seq > uint64(k) {
			base = place{n.at.shard, n.at.seq - uint64(k)}
		}
	}
	for k := range in.Values {
		r := checker.Record[*value]{Offset: -1, Value: f.values[op.Index][k]}
		switch n := f.names[id{in.Producer, r.Value.Number}]; {
		case acked:
			r.Log, r.Offset = f.called(out.Shard), int64(out.Seq)+int64(k)
		case tail && n.placed:
			r.Log, r.Offset = f.called(n.at.shard), int64(n.at.seq)
		case !tail && base.seq > 0:
			r.Log, r.Offset = f.called(base.shard), int64(base.seq)+int64(k)
		}
		list[k] = r
	}
	return list
}

// logView is what clients did to the logs, on behalf of one group, or of both if that is "".
func (f *facts) logView(group string) func(op *history.Op) (checker.LogOp[*value], bool) {
	return func(op *history.Op) (l checker.LogOp[*value], ok bool) {
		switch in := op.In.(type) {
		case q.Send:
			if f.passed[op.Index] {
				return l, false
			}
			l.Sends = f.sends(op)
		case q.Poll:
			out, shown := records(op)
			if !shown || group != "" && in.Group != group {
				return l, false
			}
			l.Group = in.Group
			log := f.called(out.Shard)
			l.Rebalanced = []string{log} // a poll says itself from where on it reads: see dense
			for k := range out.Records {
				if r := &out.Records[k]; f.canonical(out.Shard, r.Seq) {
					l.Polls = append(l.Polls, checker.Record[*value]{Log: log, Offset: int64(r.Seq), Value: f.values[op.Index][k]})
				}
			}
		case q.Commit:
			if op.Outcome != history.OK || group != "" && in.Group != group {
				return l, false
			}
			l.Group = in.Group
			l.Commits = []checker.Record[*value]{{Log: f.called(in.Shard), Offset: int64(min(in.Seq, f.limit(in.Shard)))}}
		default:
			return l, false
		}
		return l, true
	}
}

// log judges the logs once for each group and "" and keeps what was found, of all kinds.
func (j *judge) log(h *history.History, group string) history.Result {
	f := j.facts(h)
	j.mu.Lock()
	defer j.mu.Unlock()
	r, known := j.logs[group]
	if !known {
		r = checker.Log[*value]{View: f.logView(group), Dense: true, AtLeast: 50}.Check(f.merged)
		j.logs[group] = r
	}
	return r
}

// without judges that none of these kinds was found in the logs.
func (j *judge) without(group string, kinds ...string) checker.Checker {
	return checker.Func(func(h *history.History) history.Result {
		r := j.log(h, group)
		examples, _ := r.Evidence["examples"].(map[string]history.Result)
		evidence := map[string]any{"acknowledged": r.Evidence["acknowledged"], "polled": r.Evidence["polled"]}
		for _, kind := range kinds {
			if one, found := examples[kind]; found {
				if kind == checker.Unseen {
					one = history.Doubted("%s: lost at the end, or the readers were slow", one.Reason)
				}
				evidence[kind] = r.Evidence[kind]
				one.Evidence = evidence
				return one
			}
		}
		polled, _ := r.Evidence["polled"].(int)
		ok := history.Passed("none of %d records that were acknowledged and polled shows anything of the kind", polled)
		if polled < 50 {
			ok = history.Doubted("only %d records were acknowledged and polled; 50 are needed", polled)
		}
		ok.Evidence = evidence
		return ok
	})
}

// order numbers places along any one key's lineage: epochs rise along it.
func order(s q.Shard, seq uint64) int64 { return int64(s.Epoch)<<40 | int64(seq) }

// served returns the region that serves a keyspace at a time, and since when.
func (f *facts) served(home string, at time.Duration) (region string, since time.Duration) {
	region = home
	for _, p := range f.promotions[home] {
		if p.at <= at {
			region, since = p.Region, p.at
		}
	}
	return region, since
}
