package checker

import (
	"slices"
	"time"

	"faultlab/checker/history"
)

// excused is what judge says of a history in which the lab itself may have stood still. A failure that is one only by
// what overlaps a stall is none that could be told from the lab's own doing, and so undetermined: the history is judged
// again without the operations that overlap a stall and that blamed holds for. judge is told the stalls that it is to
// make allowance for, none the first time.
func excused(h *history.History, blamed func(op *history.Op) bool, judge func(h *history.History, stalls []history.Stall) history.Result) history.Result {
	r := judge(h, nil)
	if r.Verdict != history.Fail || len(h.Stalls) == 0 {
		return r
	}
	without := *h
	without.Ops = nil
	met := map[history.Stall]bool{}
	for _, op := range h.Ops {
		keep := true
		for _, s := range h.Stalls {
			if blamed(&op) && overlaps(s, &op) {
				keep, met[s] = false, true
			}
		}
		if keep {
			without.Ops = append(without.Ops, op)
		}
	}
	again := judge(&without, h.Stalls)
	if again.Verdict == history.Fail {
		again.Reason += " (leaving out what overlaps a time in which the lab itself stood still)"
		return again
	}
	guilty := h.Stalls
	if len(met) > 0 {
		guilty = slices.DeleteFunc(slices.Clone(guilty), func(s history.Stall) bool { return !met[s] })
	}
	doubt := history.Doubted("%s; but the lab itself stood still %s, which may be all there is to it", r.Reason, stood(guilty))
	doubt.Evidence = r.Evidence
	return doubt
}

// overlaps says whether an operation was under way at some time of a stall.
func overlaps(s history.Stall, op *history.Op) bool { return s.Start <= op.Return && op.Call <= s.End }

// stood says when the lab stood still.
func stood(stalls []history.Stall) string {
	s := stalls[0]
	for _, other := range stalls {
		if other.End-other.Start > s.End-s.Start {
			s = other
		}
	}
	text := "from " + seconds(s.Start) + " to " + seconds(s.End)
	if n := len(stalls) - 1; n > 0 {
		text += " and " + plural(n, "shorter time")
	}
	return text
}

// calm is the first time from which on, for so long, the lab did not stand still.
func calm(from, long time.Duration, stalls []history.Stall) time.Duration {
	for _, s := range stalls {
		if s.Start < from+long && from < s.End {
			from = s.End
		}
	}
	return from
}
