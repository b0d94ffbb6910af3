package labs

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"faultlab/checker/history"
	"faultlab/nemesis"
)

// Judge judges a run by its schedule and history alone, so that a loaded run gets the verdicts it got when it was made.
// It sets Judged, Verdict and Reason.
func (run *Run) Judge(lab Lab) {
	run.Judged, run.Verdict = nil, history.NotJudged
	for _, g := range lab.Guarantees(run.Topology) {
		j := Judged{Guarantee: g}
		if why := g.Unexercised(run.Schedule); why != "" {
			j.Result = history.Skipped("%s", why)
		} else {
			j.Result = g.Checker.Check(run.History)
		}
		run.Verdict = max(run.Verdict, j.Verdict)
		run.Judged = append(run.Judged, j)
	}
	var reasons []string
	say := func(v history.Verdict, format string, args ...any) {
		run.Verdict = max(run.Verdict, v)
		reasons = append(reasons, fmt.Sprintf(format, args...))
	}
	if len(run.Broken) > 0 {
		b := run.Broken[0]
		text := fmt.Sprintf("node %s broke at %d.%03d s: %s", b.Node, b.At/time.Second, b.At%time.Second/time.Millisecond, b.What)
		if n := len(run.Broken); n > 1 {
			text += fmt.Sprintf("; nodes broke %d times in all", n)
		}
		say(history.Fail, "%s", text)
	}
	if run.Stopped {
		say(history.Undetermined, "it was interrupted, so neither recovery nor the final reads were seen")
	} else {
		for _, why := range untouched(run.Schedule, run.History.Windows) {
			say(history.Undetermined, "%s", why)
		}
	}
	if !slices.ContainsFunc(run.History.Ops, func(op history.Op) bool { return op.Outcome == history.OK }) {
		say(history.Undetermined, "not one of %d operations succeeded", len(run.History.Ops))
	}
	if run.Verdict == history.NotJudged {
		say(history.Undetermined, "this schedule exercises none of the lab's guarantees")
	}
	run.Reason = strings.Join(reasons, "; ")
}

// Unexercised says why a run with this schedule does not judge the guarantee; "" if it does.
func (g Guarantee) Unexercised(s nemesis.Schedule) (why string) {
	for _, f := range s {
		if !covers(g.Under, f) {
			return fmt.Sprintf("it is not promised under %s, which this schedule has", faultName(f.Kind, f.Form))
		}
	}
	if g.Exercised == nil {
		return ""
	}
	return g.Exercised(s)
}

// untouched says which kinds of fault were scheduled and never took effect. A fault among many of its kind may well
// find nobody in its role; a kind that never struck means that the run did not test what it was to test.
func untouched(s nemesis.Schedule, windows []history.Window) (why []string) {
	var kinds []string
	for _, f := range s {
		if !slices.Contains(kinds, f.Kind) {
			kinds = append(kinds, f.Kind)
		}
	}
	for _, kind := range kinds {
		took, because := false, "it was never done"
		for _, w := range windows {
			if w.Kind == kind {
				took = took || w.Took || shadowed(w, windows)
				if w.Why != "" {
					because = w.Why
				}
			}
		}
		if !took {
			why = append(why, fmt.Sprintf("%s was scheduled and never took effect (%s)", kind, because))
		}
	}
	return why
}

// shadowed says that a fault found everybody it was to hit down already, by another fault: the harm was there.
func shadowed(w history.Window, windows []history.Window) bool {
	for _, id := range w.Nodes {
		if !slices.ContainsFunc(windows, func(v history.Window) bool {
			return v.Took && v.Start <= w.Start && w.Start < v.End && slices.Contains(v.Down, id)
		}) {
			return false
		}
	}
	return len(w.Nodes) > 0
}
