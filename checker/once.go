package checker

import (
	"faultlab/checker/history"
)

// Once judges effects: what was acknowledged took effect exactly once, what is unknown at most once, and what failed,
// or nobody asked for, never. Retries of one thing share its id.
type Once[E comparable] struct {
	// Asked returns the id of what an operation asked for.
	Asked func(op *history.Op) (id E, ok bool)
	// Effects returns the ids of all effects there were in the end, each as often as it took effect; ok is false if
	// that is not known.
	Effects func(h *history.History) (ids []E, ok bool)
	// Again counts what was delivered or submitted more than once; nil: nobody asks. Without any, a pass means nothing.
	Again   func(h *history.History) int
	AtLeast int // effects that a pass needs; 0: 1
}

// Check judges all of h.
func (c Once[E]) Check(h *history.History) history.Result {
	effects, ok := c.Effects(h)
	if !ok {
		return history.Doubted("it is not known what took effect in the end")
	}
	count := make(map[E]int, len(effects))
	for _, e := range effects {
		count[e]++
	}
	asked := map[E]int{} // position of the operation that says most
	for i := range h.Ops {
		if id, ok := c.Asked(&h.Ops[i]); ok {
			before, known := asked[id]
			if !known || rank(h.Ops[i].Outcome) > rank(h.Ops[before].Outcome) {
				asked[id] = i
			}
		}
	}
	for _, e := range effects {
		i, known := asked[e]
		if !known {
			return history.Refuted(nil, "%v took effect, which nobody asked for", e)
		}
		op := &h.Ops[i]
		if op.Outcome == history.Failed {
			return history.Refuted([]int{op.Index}, "%v took effect, though %s failed", e, name(op))
		}
		if n := count[e]; n > 1 {
			return history.Refuted([]int{op.Index}, "%v, asked for by %s, took effect %s", e, name(op), times(n))
		}
	}
	for i := range h.Ops {
		op := &h.Ops[i]
		if id, ok := c.Asked(op); ok && op.Outcome == history.OK && count[id] == 0 {
			return history.Refuted([]int{op.Index}, "%v, asked for by %s and acknowledged, never took effect", id, name(op))
		}
	}
	again := 0
	if c.Again != nil {
		again = c.Again(h)
	}
	r := history.Passed("all of %s happened once", plural(len(effects), "effect"))
	switch least := or(c.AtLeast, 1); {
	case len(effects) < least:
		r = history.Doubted("there were only %s; %d are needed", plural(len(effects), "effect"), least)
	case c.Again != nil && again == 0:
		r = history.Doubted("nothing was delivered a second time, so nothing was put to the test")
	}
	r.Evidence = map[string]any{"effects": len(effects), "again": again, "asked": len(asked)}
	return r
}
