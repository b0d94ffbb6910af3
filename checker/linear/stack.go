package linear

import (
	"slices"

	"faultlab/checker/history"
)

// stackWork is how many looks at a value checkStack takes before it declines.
const stackWork = 200_000_000

// checkStack judges a stack whose pushed values are unique by taking one value after another out of the history, of
// which each may be in it or not without making a difference (Lee and Mathur, "Efficient Decrease-and-Conquer
// Linearizability Monitoring", OOPSLA 2025):
//
//   - A value whose push and pop meet at an instant can be there for that instant alone.
//   - The others surely are in the stack from the end of the push to the call of the pop. Where those times have a gap
//     the stack may be empty, and what lies before it has nothing to do with what lies after.
//   - Of values without a gap one must lie below all others: one that may be pushed before any of them surely was, and
//     popped after all of them surely were.
//
// Each round is linear, and there are as many as the stack is high. It declines what gather declines, and unknown pops
// that may have taken values that nobody is known to have popped.
func checkStack(ops []Op, _ Budget) (Finding, bool) {
	as := slices.Clone(ops)
	for i := range as {
		switch in := as[i].In.(type) {
		case Push:
			as[i].In = Enqueue(in)
		case Pop:
			as[i].In = Dequeue(in)
		}
	}
	q, f, ok := gather(as)
	if ok && f.Verdict == history.Pass && q.served {
		ok = false
	}
	if ok && f.Verdict == history.Pass {
		f, ok = checkEmpty(as, q, nil)
	}
	if !ok || f.Verdict != history.Pass {
		f.Reason = "" // it speaks of a queue
		return f, ok
	}
	var sure []int32 // by when they were pushed for sure
	for _, x := range q.byEnd {
		if it := &q.items[x]; it.ended < it.asked {
			sure = append(sure, x)
		}
	}
	todo, work := [][]int32{sure}, 0
	for len(todo) > 0 {
		part := todo[len(todo)-1]
		todo = todo[:len(todo)-1]
		if work += len(part); work > stackWork {
			return Finding{}, false
		}
		for len(part) > 0 {
			n, over := 1, q.items[part[0]].asked
			for ; n < len(part) && q.items[part[n]].ended < over; n++ {
				over = max(over, q.items[part[n]].asked)
			}
			piece, began := part[:n:n], q.items[part[0]].ended
			part = part[n:]
			if n == 1 {
				continue
			}
			bottom := slices.IndexFunc(piece, func(x int32) bool { return q.items[x].called <= began && q.items[x].gone >= over })
			if bottom < 0 {
				var wrong []int
				for _, x := range piece {
					if wrong = append(wrong, q.items[x].put); q.items[x].take >= 0 {
						wrong = append(wrong, q.items[x].take)
					}
				}
				slices.Sort(wrong)
				return Finding{Verdict: history.Fail, Ops: wrong}, true
			}
			todo = append(todo, slices.Delete(piece, bottom, bottom+1))
		}
	}
	return Finding{Verdict: history.Pass}, true
}
