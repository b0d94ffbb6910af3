package checker

import (
	"fmt"
	"slices"

	"faultlab/checker/history"
)

// SettledCounter judges a counter that its replicas come to agree on: a read once things have settled is the sum of all
// that was acknowledged and of some of what may have happened; and no read before is more than all that had been asked to
// be added by its end, or less than what had been asked to be taken away.
type SettledCounter struct {
	View    func(op *history.Op) (c CounterOp, ok bool)
	Settled func(op *history.Op) bool // it is a read that comes when all has spread
	AtLeast int                       // settled reads that a pass needs; 0: 1
}

// sumsMost is how many sums are told apart. Beyond that all between the least and the most are taken for possible.
const sumsMost = 1 << 16

// Check judges every read that is OK.
func (c SettledCounter) Check(h *history.History) history.Result {
	var asked sums // of changes that did not fail, by call
	var sure int64 // of those that are OK
	var unsure []int64
	changes := 0
	for i := range h.Ops {
		op := &h.Ops[i]
		x, ok := c.View(op)
		if !ok || x.Read || op.Outcome == history.Failed {
			continue
		}
		asked.add(op.Call, x.Add)
		if op.Outcome == history.OK {
			sure = add(sure, x.Add)
			changes++
		} else if x.Add != 0 {
			unsure = append(unsure, x.Add)
		}
	}
	asked.sum()
	possible := possibleSums(sure, unsure)
	settled := 0
	for i := range h.Ops {
		op := &h.Ops[i]
		x, ok := c.View(op)
		if !ok || !x.Read || op.Outcome != history.OK {
			continue
		}
		by := asked.before(op.Return + 1)
		if x.Value > by.up || x.Value < by.down {
			return history.Refuted([]int{op.Index}, "%s read %d from %s, but by all that had been asked until then it is from %d to %d", name(op), x.Value, op.Node, by.down, by.up)
		}
		if !c.Settled(op) {
			continue
		}
		settled++
		if !possible.has(x.Value) {
			return history.Refuted([]int{op.Index}, "%s read %d from %s when all had settled; acknowledged changes come to %d%s", name(op), x.Value, op.Node, sure, possible.beside(len(unsure)))
		}
	}
	r := history.Passed("all of %s, when all had settled, are what %s and some of %d unknown ones come to: %d", plural(settled, "read"), plural(changes, "acknowledged change"), len(unsure), sure)
	if least := or(c.AtLeast, 1); settled < least {
		r = history.Doubted("only %s when all had settled; %d are needed", plural(settled, "read"), least)
	}
	r.Evidence = map[string]any{"settled_reads": settled, "changes": changes, "unknown": len(unsure), "sum": sure}
	return r
}

// A range of sums, or each of them.
type sumSet struct {
	least, most int64
	each        map[int64]bool // nil: all between
}

// possibleSums is what a sum can be with any of some changes.
func possibleSums(sure int64, unsure []int64) sumSet {
	s := sumSet{sure, sure, map[int64]bool{sure: true}}
	for _, by := range unsure {
		s.least, s.most = add(s.least, min(by, 0)), add(s.most, max(by, 0))
		if s.each == nil {
			continue
		}
		more := make([]int64, 0, len(s.each))
		for v := range s.each {
			more = append(more, add(v, by))
		}
		for _, v := range more {
			s.each[v] = true
		}
		if len(s.each) > sumsMost {
			s.each = nil
		}
	}
	return s
}

func (s sumSet) has(v int64) bool {
	if s.each == nil {
		return v >= s.least && v <= s.most
	}
	return s.each[v]
}

// beside says what unknown changes make of a sum.
func (s sumSet) beside(unknown int) string {
	if unknown == 0 {
		return ""
	}
	const few = 5
	if len(s.each) > 0 && len(s.each) <= few {
		var list []int64
		for v := range s.each {
			list = append(list, v)
		}
		slices.Sort(list)
		return fmt.Sprintf(", with any of %d unknown ones to one of %v", unknown, list)
	}
	return fmt.Sprintf(", with any of %d unknown ones to no such sum from %d to %d", unknown, s.least, s.most)
}
