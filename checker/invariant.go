package checker

import "faultlab/checker/history"

// An Invariant judges that a predicate over several registers holds whenever they are read together, at least one
// doctor on call for instance: under write skew each transaction keeps it and two of them together break it.
type Invariant[T any] struct {
	// View returns what an operation read, all at one moment; ok is false if it did not read all that the predicate
	// speaks of.
	View func(op *history.Op) (state T, ok bool)
	// Holds returns an error that says how a state breaks the predicate: "nobody is on call in ward 3".
	Holds   func(state T) error
	AtLeast int // reads that a pass needs; 0: 20
}

// Check judges every read that is OK.
func (c Invariant[T]) Check(h *history.History) history.Result {
	reads := 0
	for i := range h.Ops {
		op := &h.Ops[i]
		if op.Outcome != history.OK {
			continue
		}
		state, ok := c.View(op)
		if !ok {
			continue
		}
		if err := c.Holds(state); err != nil {
			return history.Refuted([]int{op.Index}, "%s read a state that must not be: %s", name(op), err)
		}
		reads++
	}
	r := history.Passed("the invariant holds in all of %s", plural(reads, "read"))
	if least := or(c.AtLeast, 20); reads < least {
		r = history.Doubted("only %s together; %d are needed", plural(reads, "read"), least)
	}
	r.Evidence = map[string]any{"reads": reads}
	return r
}
