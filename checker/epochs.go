package checker

import (
	"fmt"

	"faultlab/checker/history"
)

// An Epoch is under which epoch, of what and by whom, an operation was done: a write that an owner took, a fence that
// took effect.
type Epoch struct {
	Of     string // a range, a shard, a lease
	Number int64
	Owner  string // "" if it does not matter, as for a fence
}

// Epochs judges fencing: an epoch of a thing has one owner, and once an operation under an epoch has ended, a fence for
// one, nothing called later is done under a lower one.
type Epochs struct {
	View    func(op *history.Op) (e Epoch, ok bool)
	AtLeast int // epochs, of all things together, that a pass needs: with fewer nothing was ever fenced; 0: 2
}

// Check judges every operation that is OK.
func (c Epochs) Check(h *history.History) history.Result {
	type id struct {
		of     string
		number int64
	}
	owners := map[id]int{} // position of the first operation that an owner did
	epochs := map[id]bool{}
	done := 0
	w := newWatermarks(h)
	for i := range h.Ops {
		op := &h.Ops[i]
		if op.Outcome != history.OK {
			continue
		}
		e, ok := c.View(op)
		if !ok {
			continue
		}
		done++
		k := id{e.Of, e.Number}
		epochs[k] = true
		if e.Owner != "" {
			first, known := owners[k]
			if !known {
				owners[k] = i
			} else if before, _ := c.View(&h.Ops[first]); before.Owner != e.Owner {
				return history.Refuted(indices(h, first, i), "epoch %d of %s has two owners: %s by %s, and %s by %s",
					e.Number, e.Of, name(&h.Ops[first]), before.Owner, name(op), e.Owner)
			}
		}
		if high, known := w.before(e.Of, op.Call); known && e.Number < high.number {
			by := ""
			if e.Owner != "" {
				by = fmt.Sprintf(" by %s", e.Owner)
			}
			return history.Refuted(indices(h, high.op, i), "%s was done%s under epoch %d of %s, after %s had ended under epoch %d",
				name(op), by, e.Number, e.Of, name(&h.Ops[high.op]), high.number)
		}
		w.add(e.Of, mark{e.Number, i})
	}
	r := history.Passed("nothing was done under an epoch that had ended, in %s and %s", plural(done, "operation"), plural(len(epochs), "epoch"))
	if least := or(c.AtLeast, 2); len(epochs) < least {
		r = history.Doubted("there were only %s; %d are needed", plural(len(epochs), "epoch"), least)
	}
	r.Evidence = map[string]any{"operations": done, "epochs": len(epochs)}
	return r
}
