package checker

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"faultlab/checker/history"
)

// Faults are the faults at one moment of a run.
type Faults struct {
	Active []history.Window // in force
	Recent []history.Window // healed less than the grace ago
}

// All returns those in force, then those healed a short while ago: what a tolerated set must hold.
func (f Faults) All() []history.Window { return slices.Concat(f.Active, f.Recent) }

// None says that nothing is in force and nothing was healed a short while ago.
func (f Faults) None() bool { return len(f.Active) == 0 && len(f.Recent) == 0 }

func (f Faults) String() string {
	if f.None() {
		return "no fault was active"
	}
	var names []string
	for _, w := range f.Active {
		names = append(names, fault(w))
	}
	for _, w := range f.Recent {
		names = append(names, fault(w)+" (just healed)")
	}
	if len(names) == 1 {
		return names[0] + " was active"
	}
	return strings.Join(names, " and ") + " were active"
}

// fault names a window: "partition:region on c1, c2, c3".
func fault(w history.Window) string {
	name := w.Kind
	if w.Form != "" {
		name += ":" + w.Form
	}
	if len(w.Nodes) > 0 {
		name += " on " + strings.Join(w.Nodes, ", ")
	}
	return name
}

// A span is a time in which the same faults are active; from is in it, to is not.
type span struct {
	from, to time.Duration
	faults   Faults
	settling bool // a fault began in it, or so short a while before that the system may still be choosing leaders
}

// spans cuts the time between from and to wherever a window begins, has settled, ends, or ended a grace ago. Windows
// for which took is false are left out.
func spans(windows []history.Window, from, to, settle, grace time.Duration, took func(history.Window) bool) []span {
	if from >= to {
		return nil
	}
	cuts := []time.Duration{from, to}
	for _, w := range windows {
		if took(w) {
			for _, at := range [...]time.Duration{w.Start, w.Start + settle, w.End, w.End + grace} {
				if from < at && at < to {
					cuts = append(cuts, at)
				}
			}
		}
	}
	slices.Sort(cuts)
	cuts = slices.Compact(cuts)
	list := make([]span, len(cuts)-1)
	for i := range list {
		s := span{from: cuts[i], to: cuts[i+1]}
		for _, w := range windows {
			switch {
			case !took(w) || s.from < w.Start || s.from >= w.End+grace:
			case s.from < w.End:
				s.faults.Active = append(s.faults.Active, w)
			default:
				s.faults.Recent = append(s.faults.Recent, w)
			}
			s.settling = s.settling || took(w) && w.Start <= s.from && s.from < w.Start+settle
		}
		list[i] = s
	}
	return list
}

// surely returns the windows without the times in which they were being made and undone.
func surely(windows []history.Window) []history.Window {
	list := make([]history.Window, len(windows))
	for i, w := range windows {
		list[i] = w.Surely()
	}
	return list
}

// or returns v, or what stands in for it where it was left zero.
func or[T comparable](v, otherwise T) T {
	var zero T
	if v == zero {
		return otherwise
	}
	return v
}

// seconds prints a time as a person reads it: 12.345 s.
func seconds(d time.Duration) string { return fmt.Sprintf("%.3f s", d.Seconds()) }

// when says when an operation was called, after its client. In a history without times, whose events are counted in
// nanoseconds, that would be 0.000 s for all of them, which is left out.
func when(call time.Duration) string {
	if call < 500*time.Microsecond {
		return ""
	}
	return ", " + seconds(call)
}

// plural prints a number with its noun.
func plural(n int, noun string) string {
	switch {
	case n == 1:
		return "1 " + noun
	case strings.HasSuffix(noun, "x"):
		return fmt.Sprintf("%d %sices", n, strings.TrimSuffix(noun, "ex"))
	case strings.HasSuffix(noun, "y") && !strings.HasSuffix(noun, "ey"):
		return fmt.Sprintf("%d %sies", n, strings.TrimSuffix(noun, "y"))
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

// sortBy sorts a list by a key, and leaves in order what has the same.
func sortBy[T any, K cmp.Ordered](list []T, key func(T) K) {
	slices.SortStableFunc(list, func(a, b T) int { return cmp.Compare(key(a), key(b)) })
}

// indices returns the indices of the operations at these positions, each once and in order.
func indices(h *history.History, positions ...int) []int {
	var list []int
	for _, i := range positions {
		list = append(list, h.Ops[i].Index)
	}
	slices.Sort(list)
	return slices.Compact(list)
}
