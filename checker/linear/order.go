package linear

import (
	"fmt"
	"math"
	"slices"
	"time"

	"faultlab/checker/history"
)

// An order is operations in groups, of which each must come wholly before the next; within a group any order will do.
// Real time agrees with it unless an operation of a later group was over before one of an earlier group began.
type order struct{ places []place }

type place struct{ op, group int }

func (o *order) put(op, group int) { o.places = append(o.places, place{op, group}) }

// judge fails with an operation of an earlier group and one of a later group that real time has the other way round.
func (o *order) judge(ops []Op, why func(early, late int) string) Finding {
	slices.SortFunc(o.places, func(a, b place) int {
		if a.group != b.group {
			return b.group - a.group
		}
		return a.op - b.op
	})
	first, soonest := -1, time.Duration(math.MaxInt64) // of the groups after this one, what ended first
	for i := 0; i < len(o.places); {
		j := i
		for ; j < len(o.places) && o.places[j].group == o.places[i].group; j++ {
			if x := o.places[j].op; ops[x].Call > soonest {
				return bad([]int{x, first}, "%s", why(x, first))
			}
		}
		for ; i < j; i++ {
			if x := o.places[i].op; ops[x].Outcome != history.Unknown && end(&ops[x]) < soonest {
				first, soonest = x, end(&ops[x])
			}
		}
	}
	return Finding{Verdict: history.Pass}
}

// bad is a failure of those operations.
func bad(ops []int, format string, args ...any) Finding {
	return Finding{Verdict: history.Fail, Ops: ops, Reason: fmt.Sprintf(format, args...)}
}
