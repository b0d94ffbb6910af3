package checker

import (
	"slices"
	"time"

	"faultlab/checker/history"
)

// Latency judges that operations are as fast under some faults as is promised: PerMille of a thousand of those that
// succeed while the faults are in force take no longer than Bound, and, if Slack is given, no more than that longer
// than as many took in calm. Slowness that overlaps a stall of the lab proves nothing. Intervals are those of Availability; an operation counts if it lies wholly in one.
type Latency struct {
	Class string // for the reason: "sends inside a region"

	When func(f Faults) bool                 // whether the promise speaks of a moment with these faults
	Of   func(op *history.Op, f Faults) bool // which operations are of the class
	Took func(op *history.Op) time.Duration  // nil: from call to return

	PerMille int           // of a thousand; 0: 990
	Bound    time.Duration // 0: none
	Slack    time.Duration // beyond calm; 0: none is compared
	Grace    time.Duration // how long after a fault has healed it may still be felt; 0: 3 s
	AtLeast  int           // operations, in calm too if that is compared, that are needed; 0: 50
	Least    time.Duration // how much fitting time a run needs to say anything; 0: 5 s
}

// Check judges the safety phase.
func (c Latency) Check(h *history.History) history.Result {
	c.PerMille, c.AtLeast = or(c.PerMille, 990), or(c.AtLeast, 50)
	if c.Took == nil {
		c.Took = func(op *history.Op) time.Duration { return op.Return - op.Call }
	}
	all := func(*history.Op) bool { return true }
	return excused(h, all, func(h *history.History, _ []history.Stall) history.Result { return c.check(h) })
}

func (c Latency) check(h *history.History) history.Result {
	a := Availability{When: c.When, Of: c.Of, Grace: or(c.Grace, 3*time.Second), Served: func(op *history.Op) bool { return op.Outcome == history.OK }}
	least := or(c.Least, 5*time.Second)
	from, to := safety(h)
	planned := a.intervals(spans(h.Windows, from, to, 0, a.Grace, func(history.Window) bool { return true }))
	if a.time(planned) < least {
		return history.Skipped("for %s of this run its faults were those that this speaks of, and no others; it takes %s", seconds(a.time(planned)), seconds(least))
	}
	slow := c.gather(h, a)
	a.When = Faults.None
	calm := slices.DeleteFunc(c.gather(h, a), func(op *history.Op) bool {
		return slices.ContainsFunc(h.Stalls, func(s history.Stall) bool { return overlaps(s, op) })
	})
	class := or(c.Class, "operations")
	evidence := map[string]any{"operations": len(slow), "in_calm": len(calm)}
	result := func(r history.Result) history.Result {
		r.Evidence = evidence
		return r
	}
	if len(slow) < c.AtLeast {
		return result(history.Doubted("only %s of %s succeeded in the time that this speaks of; %d are needed", plural(len(slow), "operation"), class, c.AtLeast))
	}
	worst := c.at(slow)
	evidence["us"] = c.Took(worst).Microseconds()
	if c.Bound > 0 && c.Took(worst) > c.Bound {
		return result(history.Refuted([]int{worst.Index}, "%d in a thousand %s took up to %s (%s); %s is promised", c.PerMille, class, c.Took(worst), name(worst), c.Bound))
	}
	if c.Slack > 0 {
		if len(calm) < c.AtLeast {
			return result(history.Doubted("only %s of %s succeeded in calm; %d are needed to compare with", plural(len(calm), "operation"), class, c.AtLeast))
		}
		usual := c.Took(c.at(calm))
		evidence["calm_us"] = usual.Microseconds()
		if c.Took(worst) > usual+c.Slack {
			return result(history.Refuted([]int{worst.Index}, "%d in a thousand %s took up to %s (%s), where as many take %s in calm; no more than %s beyond that is promised",
				c.PerMille, class, c.Took(worst), name(worst), usual, c.Slack))
		}
	}
	return result(history.Passed("%d in a thousand of %s of %s took no longer than %s", c.PerMille, plural(len(slow), "operation"), class, c.Took(worst)))
}

// gather returns the operations that succeeded in the intervals of a, the fastest first.
func (c Latency) gather(h *history.History, a Availability) []*history.Op {
	from, to := safety(h)
	list := spans(h.Windows, from, to, 0, a.Grace, func(w history.Window) bool { return w.Took })
	intervals := a.intervals(list)
	a.Refuse = true // to count operations to their return, not to a deadline
	a.collect(h, list, intervals)
	var ops []*history.Op
	for _, in := range intervals {
		for _, op := range in.asked {
			if a.Served(op) {
				ops = append(ops, op)
			}
		}
	}
	sortBy(ops, c.Took)
	return ops
}

// at returns the operation at the share that is judged.
func (c Latency) at(ops []*history.Op) *history.Op {
	return ops[min(len(ops)-1, (len(ops)*c.PerMille+999)/1000-1)]
}
