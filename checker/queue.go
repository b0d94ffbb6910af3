package checker

import (
	"time"

	"faultlab/checker/history"
)

// A QueueOp enqueues a value or dequeues some.
type QueueOp[V comparable] struct {
	Enqueue  bool
	Value    V   // what was enqueued
	Dequeued []V // what was dequeued, in order; a drain has many
}

// TotalQueue judges a queue that is drained in the end: what was acknowledged comes out, nothing comes out that nobody
// put in, and, unless Duplicates is set, nothing comes out more often than it was put in. With Ordered, of two values
// of which one was acknowledged before the other was enqueued, the other does not come out wholly before it.
//
// Dequeues of unknown outcome may have taken values with them: then as many missing ones leave the verdict open.
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
	out                int // position of the dequeue that had it first
	enqueued           time.Duration
}

// Check judges all of h.
func (c TotalQueue[V]) Check(h *history.History) history.Result {
	values := map[V]*parcel{}
	var order []V
	vanished := 0
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
			vanished++
			continue
		case op.Outcome == history.Failed:
			continue
		}
		for _, v := range q.Dequeued {
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
				p.out = i
			}
		}
	}
	lost, first := 0, -1
	for _, v := range order {
		if p := values[v]; p.came < min(1, p.acked) {
			if lost++; first < 0 {
				first = p.in
			}
		}
	}
	r := history.Passed("all that was acknowledged came out, %s in all", plural(came, "value"))
	switch {
	case lost > vanished:
		q, _ := c.View(&h.Ops[first])
		r = history.Refuted([]int{h.Ops[first].Index}, "%s enqueued %v and was acknowledged, and it never came out%s", name(&h.Ops[first]), q.Value, others(lost-1, "value"))
	case c.Ordered && c.disorder(h, order, values, &r):
	case lost > 0:
		r = history.Doubted("%s never came out, and %s of unknown outcome may have taken them", plural(lost, "value"), plural(vanished, "dequeue"))
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
			if late < 0 || h.Ops[acked[next].out].Call > h.Ops[acked[late].out].Call {
				late = next
			}
		}
		if late >= 0 {
			if a := acked[late]; h.Ops[b.out].Before(&h.Ops[a.out]) {
				qa, _ := c.View(&h.Ops[a.in])
				*r = history.Refuted(indices(h, a.in, b.in, b.out, a.out), "%v was acknowledged before %v was enqueued, and %s dequeued %v before %s dequeued %v",
					qa.Value, v, name(&h.Ops[b.out]), v, name(&h.Ops[a.out]), qa.Value)
				return true
			}
		}
	}
	return false
}
