package checker

import (
	"time"

	"faultlab/checker/history"
)

// A QueueOp enqueues a value or dequeues some.
type QueueOp[V comparable] struct {
	Enqueue  bool
	Value    V    // what was enqueued
	Dequeued []V  // what was dequeued, in order; a drain has many
	Drain    bool // it took all there was: if its outcome is unknown, nobody knows how many that were
}

// TotalQueue judges a queue that is drained in the end: what was acknowledged comes out, nothing comes out that nobody
// put in, and, unless Duplicates is set, as often as it was acknowledged and no more often than it was put in. With Ordered, of two values
// of which one was acknowledged before the other was enqueued, the other does not come out wholly before it.
//
// Dequeues of unknown outcome may have taken values with them: then as many missing ones leave the verdict open, and
// for a drain any number. What such a dequeue is known to have had came out, but not in a known order.
type TotalQueue[V comparable] struct {
	View       func(op *history.Op) (q QueueOp[V], ok bool)
	Duplicates bool // are allowed, as at-least-once delivery does
	Ordered    bool
	AtLeast    int // values that came out that a pass needs; 0: 1
}

// A parcel is what is known of one value.
type parcel struct {
	in                 int // position of the first enqueue that did not fail, or of a failed one if all did
	tried, acked, came int // times; tried counts those that did not fail
	out, place         int // position of the dequeue that had it first, and its place in what that dequeued
	enqueued           time.Duration
}

// Check judges all of h.
func (c TotalQueue[V]) Check(h *history.History) history.Result {
	values := map[V]*parcel{}
	var order []V
	vanished, drained := 0, false
	for i := range h.Ops {
		op := &h.Ops[i]
		q, ok := c.View(op)
		if !ok || !q.Enqueue {
			continue
		}
		p := values[q.Value]
		if p == nil {
			p = &parcel{in: i, out: -1}
			values[q.Value] = p
			order = append(order, q.Value)
		}
		if op.Outcome != history.Failed {
			if p.tried == 0 {
				p.in = i
			}
			p.tried++
		}
		if op.Outcome == history.OK {
			if p.acked == 0 || op.Return < p.enqueued {
				p.enqueued = op.Return
			}
			p.acked++
		}
	}
	came := 0
	for i := range h.Ops {
		op := &h.Ops[i]
		q, ok := c.View(op)
		switch {
		case !ok || q.Enqueue:
			continue
		case op.Outcome == history.Unknown:
			if drained = drained || q.Drain; !q.Drain && len(q.Dequeued) == 0 {
				vanished++
			}
		case op.Outcome == history.Failed:
			continue
		}
		for place, v := range q.Dequeued {
			came++
			p := values[v]
			switch {
			case p == nil:
				return history.Refuted([]int{op.Index}, "%s dequeued %v, which nobody enqueued", name(op), v)
			case p.tried == 0:
				return history.Refuted(indices(h, p.in, i), "%s dequeued %v, which %s failed to enqueue", name(op), v, name(&h.Ops[p.in]))
			case op.Before(&h.Ops[p.in]):
				return history.Refuted(indices(h, p.in, i), "%s dequeued %v before anyone enqueued it", name(op), v)
			}
			if p.came++; p.came > p.tried && !c.Duplicates {
				return history.Refuted(indices(h, p.out, i), "%s dequeued %v, and so did %s; it was enqueued %s", name(op), v, name(&h.Ops[p.out]), times(p.tried))
			}
			if p.out < 0 {
				p.out, p.place = i, place
			}
		}
	}
	lost, first := 0, -1
	for _, v := range order {
		p := values[v]
		want := p.acked
		if c.Duplicates {
			want = min(1, want)
		}
		if want > p.came {
			if lost += want - p.came; first < 0 {
				first = p.in
			}
		}
	}
	r := history.Passed("all that was acknowledged came out, %s in all", plural(came, "value"))
	switch {
	case lost > vanished && !drained:
		q, _ := c.View(&h.Ops[first])
		r = history.Refuted([]int{h.Ops[first].Index}, "%s enqueued %v and was acknowledged, and it never came out%s", name(&h.Ops[first]), q.Value, others(lost-1, "value"))
	case c.Ordered && c.disorder(h, order, values, &r):
	case lost > 0:
		by := plural(vanished, "dequeue")
		if drained {
			by = "a drain"
		}
		r = history.Doubted("%s never came out, and %s of unknown outcome may have taken them", plural(lost, "value"), by)
	case came < or(c.AtLeast, 1):
		r = history.Doubted("only %s came out; %d are needed", plural(came, "value"), or(c.AtLeast, 1))
	}
	r.Evidence = map[string]any{"dequeued": came, "lost": lost, "unknown_dequeues": vanished}
	return r
}

// disorder looks for a value that was enqueued wholly before another and came out wholly after it. Values come in the
// order in which their enqueue was called.
func (c TotalQueue[V]) disorder(h *history.History, order []V, values map[V]*parcel, r *history.Result) bool {
	var acked []*parcel // that came out, by when they were acknowledged
	for _, v := range order {
		if p := values[v]; p.acked > 0 && p.out >= 0 && p.tried == 1 {
			acked = append(acked, p)
		}
	}
	sortBy(acked, func(p *parcel) time.Duration { return p.enqueued })
	next, late := 0, -1 // late came out last of those acknowledged before the enqueue at hand
	for _, v := range order {
		b := values[v]
		if b.out < 0 || b.tried != 1 {
			continue
		}
		for ; next < len(acked) && acked[next].enqueued < h.Ops[b.in].Call; next++ {
			if late < 0 || c.later(h, acked[next], acked[late]) {
				late = next
			}
		}
		if late >= 0 {
			a := acked[late]
			if h.Ops[b.out].Before(&h.Ops[a.out]) || b.out == a.out && b.place < a.place && h.Ops[a.out].Outcome == history.OK {
				qa, _ := c.View(&h.Ops[a.in])
				*r = history.Refuted(indices(h, a.in, b.in, b.out, a.out), "%v was acknowledged before %v was enqueued, and %s dequeued %v before %s dequeued %v",
					qa.Value, v, name(&h.Ops[b.out]), v, name(&h.Ops[a.out]), qa.Value)
				return true
			}
		}
	}
	return false
}

// later says that a came out after b, for all that is known: called later, or later in the same drain.
func (c TotalQueue[V]) later(h *history.History, a, b *parcel) bool {
	if a.out == b.out {
		return a.place > b.place
	}
	return h.Ops[a.out].Call > h.Ops[b.out].Call
}
