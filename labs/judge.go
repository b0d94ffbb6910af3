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
// It sets Judged, Verdict, Whole and Reason.
func (run *Run) Judge(lab Lab) {
	run.Judged, run.Verdict, run.Whole = nil, history.NotJudged, history.NotJudged
	excess := run.beyond(lab)
	for _, g := range lab.Promises(run.Topology, run.Options.Demands) {
		j := Judged{Guarantee: g}
		why := excess
		if why == "" {
			why = run.Options.unseen(g)
		}
		if why == "" {
			why = g.Unexercised(run.Schedule)
		}
		if why != "" {
			j.Result = history.Skipped("%s", why)
		} else {
			j.Result = g.Checker.Check(run.History)
		}
		run.Verdict = max(run.Verdict, j.Verdict)
		run.Judged = append(run.Judged, j)
	}
	var reasons []string
	say := func(v history.Verdict, format string, args ...any) {
		run.Verdict, run.Whole = max(run.Verdict, v), max(run.Whole, v)
		reasons = append(reasons, fmt.Sprintf(format, args...))
	}
	if len(run.Broken) > 0 {
		b := run.Broken[0]
		text := fmt.Sprintf("node %s broke at %d.%03d s: %s", b.Node, b.At/time.Second, b.At%time.Second/time.Millisecond, b.What)
		if n := len(run.Broken); n > 1 {
			text += fmt.Sprintf("; nodes broke %d times in all", n)
		}
		if run.wrecked() {
			text += ", and there the run was ended"
		}
		say(history.Fail, "%s", text)
	}
	switch {
	case run.wrecked(): // so it did not come to all faults
	case run.Stopped:
		say(history.Undetermined, "it was interrupted, so neither recovery nor the final reads were seen")
	default:
		for _, why := range untouched(run.Schedule, run.History.Windows, slices.Equal(run.Options.Nemesis, []string{planned})) {
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

// beyond says how the schedule takes more than the system was built to lose, "" if it does not. Then nothing is promised.
func (run *Run) beyond(lab Lab) string {
	if why := run.Schedule.Excess(lab.ground(run.Topology, Options{})); why != "" {
		return "nothing is promised beyond what a group tolerates: " + why
	}
	return ""
}

// unseen says why a guarantee cannot be judged of these nodes, "" if it can.
func (o Options) unseen(g Guarantee) string {
	if g.Inside && o.foreign() {
		return "it is judged by what nodes say of themselves, and those that somebody else made say nothing"
	}
	return ""
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

// wrecked says that nodes broke so often that the run was not gone on with. A program of others that broke once would do
// so again, and whoever wrote it need not wait.
func (run *Run) wrecked() bool {
	return len(run.Broken) >= brokenMax || len(run.Broken) > 0 && len(run.Options.Program) > 0
}

// planned is what Options.Nemesis says of a run whose faults are a plan's: each of them was wanted.
const planned = "plan"

// untouched says what was scheduled and never took effect, so that the run did not test what it was to test: each such
// fault of a plan; of faults that were drawn, each kind and form of which not one took effect. Of these a role that
// nobody had when a fault struck is no matter where another fault of that kind took effect.
func untouched(s nemesis.Schedule, windows []history.Window, plan bool) (why []string) {
	there := func(w history.Window) bool { return w.Took || shadowed(w, windows) }
	if plan {
		for _, w := range windows {
			if !there(w) {
				why = append(why, fmt.Sprintf("%s at %.1f s was planned and never took effect (%s)", faultName(w.Kind, w.Form), w.Start.Seconds(), w.Why))
			}
		}
	}
	var seen []string
	for _, f := range s {
		spec := faultName(f.Kind, f.Form)
		if slices.Contains(seen, spec) {
			continue
		}
		seen = append(seen, spec)
		took, kindTook, nobody, because := false, false, true, ""
		for _, w := range windows {
			switch {
			case w.Kind != f.Kind:
			case there(w):
				kindTook, took = true, took || w.Form == f.Form
			case w.Form == f.Form:
				nobody = nobody && w.Role != "" && len(w.Nodes) == 0
				because = w.Why
			}
		}
		switch {
		case took || kindTook && nobody && because != "" || plan && because != "":
		case because == "":
			why = append(why, fmt.Sprintf("%s was scheduled and never took effect (it was never done)", spec))
		default:
			why = append(why, fmt.Sprintf("%s was scheduled and never took effect (%s)", spec, because))
		}
	}
	return why
}

// shadowed says that a fault found everybody it was to hit down already, by another fault: the harm was there.
func shadowed(w history.Window, windows []history.Window) bool {
	for _, id := range w.Nodes {
		if !slices.ContainsFunc(windows, func(v history.Window) bool {
			return v.Start <= w.Start && w.Start < v.End && slices.Contains(v.Down, id) && (v.Took || v.Start < w.Start && shadowed(v, windows))
		}) {
			return false
		}
	}
	return len(w.Nodes) > 0
}
