package queue

import (
	"cmp"
	"slices"
	"strings"

	"faultlab/checker"
	"faultlab/checker/history"
	q "faultlab/nodes/queue"
)

// This file judges places: that one is for ever that of one record (Q2), that readers are shown one after another (Q3),
// and that they stand in the order of their producers (Q5).

// enough lets a pass stand if so many of something were seen.
func enough(n, atLeast int, what string, pass history.Result) history.Result {
	if n < atLeast {
		pass = history.Doubted("only %d %s; %d are needed", n, what, atLeast)
	}
	pass.Evidence = map[string]any{"seen": n}
	return pass
}

// agreement judges Q2, over all that anybody was ever shown of any shard, tails included: senders, readers of shards and
// of copies, and reports.
func (j *judge) agreement(h *history.History) history.Result {
	f := j.facts(h)
	type seen struct {
		value *value
		op    int
	}
	at := map[q.Shard]map[uint64]seen{}
	again := 0
	for i := range h.Ops {
		sent, acked := h.Ops[i].Out.(q.SendOK)
		shown, _ := h.Ops[i].Out.(q.Records)
		shard := shown.Shard
		if acked {
			shard = sent.Shard
		}
		m := at[shard]
		if m == nil {
			m = map[uint64]seen{}
			at[shard] = m
		}
		for k, v := range f.values[i] {
			var seq uint64
			switch {
			case acked:
				seq = sent.Seq + uint64(k)
			case k < len(shown.Records):
				seq = shown.Records[k].Seq
			default:
				continue // nobody was told where it stands
			}
			switch there, known := m[seq]; {
			case !known:
				m[seq] = seen{v, i}
			case there.value != v:
				return history.Refuted([]int{min(there.op, i), max(there.op, i)}, "%s is that of %v (operation %d) and of %v (operation %d)", place{shard, seq}, there.value, there.op, v, i)
			default:
				again++
			}
		}
	}
	for i := range h.Ops {
		out, _ := h.Ops[i].Out.(q.Reported)
		for _, t := range out.Tail {
			for _, r := range t.Records {
				there, known := at[t.Shard][r.Seq]
				if known && *there.value != (value{r.Producer, r.Number, r.Value}) {
					return history.Refuted([]int{min(there.op, i), max(there.op, i)}, "%s is that of %v (operation %d), and operation %d reports %s there", place{t.Shard, r.Seq}, there.value, there.op, i, name(r.Producer, r.Number))
				}
			}
		}
	}
	return enough(again, 50, "places were shown twice", history.Passed("all places that were shown more than once, %d times in all, had the same record", again))
}

// dense judges Q3: a reply goes on right after the place that was asked for, leaves none out, and is not empty if there
// is more.
func (j *judge) dense(h *history.History) history.Result {
	shown := 0
	for i := range h.Ops {
		op := &h.Ops[i]
		out, ok := records(op)
		if !ok {
			continue
		}
		var after uint64
		switch in := op.In.(type) {
		case q.Poll:
			after = in.After
		case q.Read:
			after = in.After
		}
		next := after + 1
		for _, r := range out.Records {
			if r.Seq != next {
				return history.Refuted([]int{i}, "operation %d read %s on from place %d, and was shown place %d where %d is next", i, out.Shard, after, r.Seq, next)
			}
			next++
		}
		shown += len(out.Records)
		if next-1 > max(out.End, after) {
			return history.Refuted([]int{i}, "operation %d was shown place %d of %s, which is said to end at %d", i, next-1, out.Shard, out.End)
		}
		if len(out.Records) == 0 && after < out.End {
			return history.Refuted([]int{i}, "operation %d read %s on from place %d, and was shown nothing, though it goes on to %d", i, out.Shard, after, out.End)
		}
	}
	return enough(shown, 50, "records were shown", history.Passed("all of %d records were shown one after another", shown))
}

// producerOrder judges the order of each producer's numbers: along each shard, and along the lineage of each key. A tail
// that was sent again stands where it was sent again.
func (j *judge) producerOrder(h *history.History) history.Result {
	f := j.facts(h)
	type stands struct {
		id
		of [2]string // the shard, and the key with its keyspace
		place
		op int
	}
	var list []stands
	asked, again := map[id]bool{}, 0
	for i := range h.Ops {
		in, ok := h.Ops[i].In.(q.Send)
		if !ok {
			continue
		}
		if name := (id{in.Producer, in.Number}); asked[name] {
			again++
		} else {
			asked[name] = true
		}
		if _, refused := h.Ops[i].Out.(q.Refused); refused {
			again++
		}
		key := "key " + in.Key + " of " + in.Home
		for k := range in.Values {
			name := id{in.Producer, in.Number + uint64(k)}
			if n := f.names[name]; n.op == i && n.placed && !n.tail {
				list = append(list, stands{name, [2]string{f.called(n.at.shard), key}, n.at, i})
			}
		}
	}
	for by := range 2 {
		slices.SortFunc(list, func(a, b stands) int {
			return cmp.Or(strings.Compare(a.producer, b.producer), strings.Compare(a.of[by], b.of[by]), cmp.Compare(order(a.shard, a.seq), order(b.shard, b.seq)), cmp.Compare(a.number, b.number))
		})
		for i := 1; i < len(list); i++ {
			a, b := list[i-1], list[i]
			if a.producer == b.producer && a.of[by] == b.of[by] && b.number <= a.number {
				return history.Refuted([]int{min(a.op, b.op), max(a.op, b.op)}, "%s has number %d of producer %s at %s, after number %d at %s",
					b.of[by], b.number, b.producer, b.place, a.number, a.place)
			}
		}
	}
	return enough(again, 3, "numbers were asked for again, or after their time", history.Passed("all of %d records stand in the order of their producers, though %d times a number was asked for again, or after its time", len(list), again))
}

// fifo judges Q4: along the lineage of a key, who is called after another was acknowledged comes after it.
func (j *judge) fifo(h *history.History) history.Result {
	f := j.facts(h)
	return checker.Monotonic{Strict: true, AtLeast: 50, View: func(op *history.Op) (checker.Reading, bool) {
		in, ok := op.In.(q.Send)
		if !ok || f.passed[op.Index] || f.names[id{in.Producer, in.Number}].tail {
			return checker.Reading{}, false
		}
		out := op.Out.(q.SendOK)
		return checker.Reading{Of: "key " + in.Key + " of " + in.Home, Number: order(out.Shard, out.Seq)}, true
	}}.Check(f.merged)
}
