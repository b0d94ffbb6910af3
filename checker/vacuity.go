package checker

import (
	"fmt"
	"strings"

	"faultlab/checker/history"
)

// NonVacuous lets a pass of Checker stand only if enough happened for it to mean something; else it is undetermined,
// with what was missing. Other verdicts stand as they are.
type NonVacuous struct {
	Checker Checker
	Needs   []Need
}

// A Need is something that must have happened often enough.
type Need struct {
	What    string // "unknown transactions"
	Count   func(h *history.History) int
	AtLeast int
}

// Ops is the Need of so many operations.
func Ops(what string, of func(op *history.Op) bool, atLeast int) Need {
	return Need{What: what, AtLeast: atLeast, Count: func(h *history.History) int {
		n := 0
		for i := range h.Ops {
			if of(&h.Ops[i]) {
				n++
			}
		}
		return n
	}}
}

// Check asks the Checker, and then for what a pass needs.
func (c NonVacuous) Check(h *history.History) history.Result {
	r := c.Checker.Check(h)
	if r.Verdict != history.Pass {
		return r
	}
	var lacking []string
	for _, need := range c.Needs {
		if n := need.Count(h); n < need.AtLeast {
			lacking = append(lacking, need.lacking(n))
		}
	}
	if len(lacking) > 0 {
		r.Verdict = history.Undetermined
		r.Reason = "too little happened for a pass: " + strings.Join(lacking, ", ")
	}
	return r
}

func (n Need) lacking(got int) string {
	return fmt.Sprintf("%d %s where %d are needed", got, n.What, n.AtLeast)
}
