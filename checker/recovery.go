package checker

import (
	"slices"
	"strings"
	"time"

	"faultlab/checker/history"
)

// Recovery judges RECOVER(class): within a stated time of the last heal every pair (of a shard and a client region, for
// example) has a success; from the last of these first successes on, PerMille of a thousand operations are served;
// and no accepted work is unfinished once that time is over. Of a lab that stood still the time counts from the end of
// that, before it is called a failure.
type Recovery struct {
	Class string // what is asked, for the reason: "transactions"

	// Of says which operations are of the class; nil: all of them.
	Of func(op *history.Op) bool
	// Pairs names what an operation's success shows to be back: "A1 from C". nil: "clients in C".
	Pairs func(op *history.Op) []string
	// Expect lists the pairs that must be seen; nil: those that were asked for after the heal.
	Expect []string
	// Served says that an operation got what it asked for, or an answer that the lab counts as such. nil: it is OK.
	Served func(op *history.Op) bool
	// Unfinished names accepted work that is unfinished at the end; nil: there is no such thing.
	Unfinished func(h *history.History) []string

	Within   time.Duration // 0: 10 s
	PerMille int           // of a thousand; 0: 990
	Deadline time.Duration // operations called less than this before the end are left out; 0: 1 s
	AtLeast  int           // operations after recovery that a pass needs; 0: 50
}

// Check judges what was called after the last heal.
func (c Recovery) Check(h *history.History) history.Result {
	c.Within, c.PerMille = or(c.Within, 10*time.Second), or(c.PerMille, 990)
	c.Deadline, c.AtLeast, c.Class = or(c.Deadline, time.Second), or(c.AtLeast, 50), or(c.Class, "operations")
	if c.Served == nil {
		c.Served = func(op *history.Op) bool { return op.Outcome == history.OK }
	}
	if c.Pairs == nil {
		c.Pairs = func(op *history.Op) []string { return []string{"clients in " + op.Region} }
	}
	missed := func(op *history.Op) bool { return !c.Served(op) }
	return excused(h, missed, func(h *history.History, stalls []history.Stall) history.Result {
		later := *h
		later.Healed = calm(h.Healed, c.Within, stalls)
		return c.check(&later)
	})
}

func (c Recovery) check(h *history.History) history.Result {
	ops := c.after(h)
	if len(ops) == 0 {
		return history.Doubted("nothing was asked after the last heal, at %s", seconds(h.Healed))
	}

	back := map[string]time.Duration{} // when a pair first had a success
	asked := map[string][]int{}        // operations, within the time, that had none
	pairs := slices.Clone(c.Expect)
	for _, op := range ops {
		for _, p := range c.Pairs(op) {
			if c.Expect == nil && !slices.Contains(pairs, p) {
				pairs = append(pairs, p)
			}
			at, known := back[p]
			if c.Served(op) && (!known || op.Return < at) {
				back[p] = op.Return
			} else if !c.Served(op) && op.Call <= h.Healed+c.Within {
				asked[p] = append(asked[p], op.Index)
			}
		}
	}
	bound := h.Healed + c.Within
	var whole time.Duration // when the last pair was back
	var silent []string     // pairs of which nothing can be said
	for _, p := range pairs {
		at, known := back[p]
		switch {
		case known && at <= bound:
			whole = max(whole, at)
		case len(asked[p]) > 0 && h.End >= bound:
			few := asked[p][:min(5, len(asked[p]))]
			when := "and none in the whole run"
			if known {
				when = "the first came after " + seconds(at-h.Healed)
			}
			return history.Refuted(few, "%s: none of %s asked was served within %s of the last heal (%s); %s",
				p, plural(len(asked[p]), "operation"), c.Within, seconds(h.Healed), when)
		default:
			silent = append(silent, p)
		}
	}
	if len(silent) > 0 {
		whole = bound
	}
	total, served := 0, 0
	var unserved []int
	for _, op := range ops {
		if op.Call < whole || op.Call+c.Deadline > h.End && !c.Served(op) {
			continue
		}
		total++
		if c.Served(op) {
			served++
		} else if len(unserved) < 5 {
			unserved = append(unserved, op.Index)
		}
	}
	r := c.judge(h, silent, total, served, unserved, whole)
	r.Evidence = map[string]any{"asked": total, "served": served, "pairs": len(pairs), "back_ms": max(0, whole-h.Healed).Milliseconds()}
	return r
}

// after returns the operations of the class that were called after the last heal, final reads included.
func (c Recovery) after(h *history.History) []*history.Op {
	var ops []*history.Op
	for i := range h.Ops {
		if op := &h.Ops[i]; op.Call >= h.Healed && (c.Of == nil || c.Of(op)) {
			ops = append(ops, op)
		}
	}
	return ops
}

func (c Recovery) judge(h *history.History, silent []string, total, served int, unserved []int, whole time.Duration) history.Result {
	if c.Unfinished != nil && h.End >= h.Healed+c.Within {
		if left := c.Unfinished(h); len(left) > 0 {
			return history.Refuted(nil, "accepted work is unfinished at the end, %s after the last heal: %s",
				seconds(h.End-h.Healed), strings.Join(left[:min(3, len(left))], ", "))
		}
	}
	switch {
	case total > 0 && served*1000 < c.PerMille*total && total >= c.AtLeast:
		return history.Refuted(unserved, "from %s, when all had answered again, only %d of %s of %s were served; %d in a thousand are promised",
			seconds(whole), served, plural(total, "operation"), c.Class, c.PerMille)
	case len(silent) > 0:
		return history.Doubted("too little was asked within %s of the last heal to know of %s", c.Within, strings.Join(silent[:min(3, len(silent))], ", "))
	case total < c.AtLeast:
		return history.Doubted("only %s of %s followed the recovery; %d are needed", plural(total, "operation"), c.Class, c.AtLeast)
	}
	return history.Passed("all had answered again %s after the last heal; from then on %d of %s of %s were served",
		seconds(max(0, whole-h.Healed)), served, plural(total, "operation"), c.Class)
}
