package checker

import (
	"fmt"

	"faultlab/checker/history"
)

// A SetOp adds one element, or reads all of them.
type SetOp[E comparable] struct {
	Read    bool
	Element E   // what was added
	All     []E // what was read; nothing for a read without an answer
}

// Set judges a set by its last read alone: every acknowledged element is in it, and none that nobody tried to add, or
// whose addition failed.
type Set[E comparable] struct {
	View    func(op *history.Op) (s SetOp[E], ok bool)
	AtLeast int // acknowledged elements that a pass needs; 0: 1
}

// Check judges all of h.
func (c Set[E]) Check(h *history.History) history.Result {
	last := -1
	var all []E
	by := map[E]int{}    // who tried to add it; the attempt that was acknowledged, if one was
	tried := map[E]int{} // the first attempt that did not fail
	acked, unknown := 0, 0
	for i := range h.Ops {
		op := &h.Ops[i]
		s, ok := c.View(op)
		switch {
		case !ok:
		case s.Read:
			if op.Outcome == history.OK {
				last, all = i, s.All
			}
		default:
			before, known := by[s.Element]
			if !known || rank(op.Outcome) > rank(h.Ops[before].Outcome) {
				by[s.Element] = i
			}
			if _, before := tried[s.Element]; !before && op.Outcome != history.Failed {
				tried[s.Element] = i
			}
		}
	}
	for _, i := range by {
		switch h.Ops[i].Outcome {
		case history.OK:
			acked++
		case history.Unknown:
			unknown++
		}
	}
	if last < 0 {
		return history.Doubted("the set was never read")
	}
	read := &h.Ops[last]
	in := make(map[E]bool, len(all))
	recovered := 0
	for _, e := range all {
		i, known := by[e]
		switch {
		case !known:
			return history.Refuted([]int{read.Index}, "the last read, %s, has %v, which nobody tried to add", name(read), e)
		case h.Ops[i].Outcome == history.Failed:
			return history.Refuted([]int{h.Ops[i].Index, read.Index}, "the last read, %s, has %v, which %s failed to add", name(read), e, name(&h.Ops[i]))
		case read.Before(&h.Ops[tried[e]]):
			return history.Refuted([]int{read.Index, h.Ops[tried[e]].Index}, "the last read, %s, has %v, before anyone tried to add it", name(read), e)
		case h.Ops[i].Outcome == history.Unknown && !in[e]:
			recovered++
		}
		in[e] = true
	}
	lost := 0
	var first *history.Op
	for i := range h.Ops {
		op := &h.Ops[i]
		if s, ok := c.View(op); ok && !s.Read && op.Outcome == history.OK && op.Before(read) && !in[s.Element] {
			in[s.Element] = true // counted
			if lost++; first == nil {
				first = op
			}
		}
	}
	r := history.Passed("all of %s are in the last read", plural(acked, "acknowledged element"))
	switch {
	case lost > 0:
		s, _ := c.View(first)
		r = history.Refuted([]int{first.Index, read.Index}, "%s added %v and was acknowledged, and the last read, %s, does not have it%s",
			name(first), s.Element, name(read), others(lost-1, "element"))
	case acked < or(c.AtLeast, 1):
		r = history.Doubted("only %s; %d are needed", plural(acked, "acknowledged element"), or(c.AtLeast, 1))
	}
	r.Evidence = map[string]any{"acknowledged": acked, "lost": lost, "unknown": unknown, "recovered": recovered}
	return r
}

// rank orders outcomes by how much they say that it happened.
func rank(o history.Outcome) int {
	switch o {
	case history.OK:
		return 2
	case history.Unknown:
		return 1
	}
	return 0
}

// name is how a reason speaks of an operation.
func name(op *history.Op) string {
	return fmt.Sprintf("operation %d (client %s%s)", op.Index, op.Client, when(op.Call))
}

// others says how many more there are of a kind.
func others(n int, noun string) string {
	if n == 0 {
		return ""
	}
	return fmt.Sprintf(" (and %s)", plural(n, "other "+noun))
}
