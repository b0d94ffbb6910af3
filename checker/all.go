package checker

import (
	"slices"
	"strings"

	"faultlab/checker/history"
)

// All judges by several checkers: the worst verdict wins, and its reasons are given. Evidence is that of all of them;
// figures of the same name are told apart by a number.
type All []Checker

// Check asks each in turn.
func (all All) Check(h *history.History) history.Result {
	results := make([]history.Result, len(all))
	worst := history.NotJudged
	for i, c := range all {
		results[i] = c.Check(h)
		worst = max(worst, results[i].Verdict)
	}
	r := history.Result{Verdict: worst, Evidence: map[string]any{}}
	var reasons []string
	for i, one := range results {
		if one.Verdict == worst {
			reasons = append(reasons, one.Reason)
			r.Ops = append(r.Ops, one.Ops...)
		}
		for name, v := range one.Evidence {
			if _, taken := r.Evidence[name]; taken {
				name += "_" + string(rune('1'+i))
			}
			r.Evidence[name] = v
		}
	}
	slices.Sort(r.Ops)
	r.Ops = slices.Compact(r.Ops)
	r.Reason = strings.Join(reasons, "; ")
	return r
}
