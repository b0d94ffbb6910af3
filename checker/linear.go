package checker

import (
	"fmt"
	"slices"

	"faultlab/checker/history"
	"faultlab/checker/linear"
)

// Linearizable judges objects by a sequential model: see checker/linear.
type Linearizable[S comparable] struct {
	Model linear.Model[S]
	// View returns an operation as the model knows it, made by linear.From: one for each object that it acts on, none
	// if it acts on none.
	View func(op *history.Op) []linear.Op
	// Lists, where it is given, lets reads decide what is not known. An unknown operation that appended, by its view in
	// Lists, is left out if nothing that it appended was ever read, and else ends no later than the first read of it.
	Lists *Transactions
	// Effects says that an operation does more than its view in Lists shows, so that it cannot be left out although
	// nobody read what it appended. nil: none does.
	Effects func(op *history.Op) bool

	Budget  linear.Budget
	AtLeast int // operations that are OK that a pass needs; 0: 50
}

// Check judges all of h.
func (c Linearizable[S]) Check(h *history.History) history.Result {
	ends := map[int]moment{} // of unknown operations that appended, by index
	if c.Lists != nil {
		l := c.Lists.index(h)
		for _, k := range l.keys {
			for _, w := range k.writes {
				if t := &l.txns[w.by]; t.Outcome == history.Unknown && !w.twice {
					ends[t.Index] = l.seen[w.by]
				}
			}
		}
	}
	var ops []linear.Op
	known, dropped, resolved := 0, 0, 0
	for i := range h.Ops {
		op := &h.Ops[i]
		views := c.View(op)
		if len(views) == 0 {
			continue
		}
		end, appended := ends[op.Index]
		switch {
		case op.Outcome == history.OK:
			known++
		case appended && end.by >= 0:
			resolved++
			for j := range views {
				views[j].Outcome, views[j].Return = history.OK, end.at
			}
		case appended && (c.Effects == nil || !c.Effects(op)):
			dropped++
			continue
		}
		ops = append(ops, views...)
	}
	report := linear.Check(c.Model, ops, c.Budget)
	r := report.Result()
	if r.Verdict == history.Fail {
		r.Picture = report.Picture
	}
	for _, i := range r.Ops { // that an unknown operation happened rests on the read of it
		if end, appended := ends[i]; appended && end.by >= 0 {
			r.Ops = append(r.Ops, c.Lists.all(h)[end.by].Index)
		}
	}
	slices.Sort(r.Ops)
	r.Ops = slices.Compact(r.Ops)
	if least := or(c.AtLeast, 50); known < least && (r.Verdict == history.Pass || r.Verdict == history.NotJudged) {
		r.Verdict = history.Undetermined
		r.Reason = fmt.Sprintf("only %s succeeded; %d are needed", plural(known, "operation"), least)
	}
	r.Evidence = map[string]any{"succeeded": known, "resolved": resolved, "never_read": dropped}
	return r
}
