package checker

import "faultlab/checker/history"

// Unique judges that no two operations were given the same id.
type Unique[E comparable] struct {
	View    func(op *history.Op) (id E, ok bool)
	AtLeast int // ids that a pass needs; 0: 1
}

// Check judges every operation that is OK.
func (c Unique[E]) Check(h *history.History) history.Result {
	first := map[E]int{}
	for i := range h.Ops {
		op := &h.Ops[i]
		if op.Outcome != history.OK {
			continue
		}
		id, ok := c.View(op)
		if !ok {
			continue
		}
		if before, twice := first[id]; twice {
			return history.Refuted(indices(h, before, i), "%s and %s were both given %v", name(&h.Ops[before]), name(op), id)
		}
		first[id] = i
	}
	r := history.Passed("all of %s differ", plural(len(first), "id"))
	if least := or(c.AtLeast, 1); len(first) < least {
		r = history.Doubted("only %s given; %d are needed", plural(len(first), "id"), least)
	}
	r.Evidence = map[string]any{"ids": len(first)}
	return r
}
