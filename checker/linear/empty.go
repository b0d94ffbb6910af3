package linear

import (
	"slices"
	"sort"
	"time"

	"faultlab/checker/history"
)

// A stretch is a time, without its ends, at every moment of which something surely was in a queue.
type stretch struct{ from, to time.Duration }

// stretches joins the times of the items, which are in the order of the ends of their enqueues. Orphans, which nobody
// is known to have dequeued, are left out if unknown dequeues may have taken them.
func stretches(items []item, byEnd []int32, orphans bool) []stretch {
	var all []stretch
	for _, x := range byEnd {
		it := &items[x]
		if it.ended >= it.asked || (it.take < 0 && !orphans) {
			continue
		}
		if n := len(all); n > 0 && it.ended < all[n-1].to {
			all[n-1].to = max(all[n-1].to, it.asked)
		} else {
			all = append(all, stretch{it.ended, it.asked})
		}
	}
	return all
}

// emptyWork is how many comparisons checkEmpty makes before it declines.
const emptyWork = 100_000_000

// checkEmpty judges the dequeues that found the queue empty: each needs a moment at which nothing surely was in it.
//
// Where unknown dequeues may have taken orphans, a moment t will do if every orphan enqueued before t can have been
// taken by an unknown dequeue called by t, beside those that are owed. By Hall's theorem that is so if, for every time
// u from t on, the orphans that have to be gone by u (those enqueued before t, and those owed by u) are no more than
// the unknown dequeues called by u. Of two such moments the later asks for more at every later time, so what each empty
// dequeue needs does not depend on the moments of the others. And between two ends of enqueues of orphans a later
// moment asks for less, so that few moments need a look.
func checkEmpty(ops []Op, q queued, debts []debt) (Finding, bool) {
	items, byEnd, takers, served := q.items, q.byEnd, q.takers, q.served
	all := stretches(items, byEnd, !served)
	var orphans []time.Duration // when their enqueues ended
	if served {
		for _, x := range byEnd {
			if items[x].take < 0 {
				orphans = append(orphans, items[x].ended)
			}
		}
	}
	work := 0
	calledBy := func(t time.Duration) int {
		return sort.Search(len(takers), func(i int) bool { return ops[takers[i]].Call > t })
	}
	possible := func(t time.Duration) bool {
		gone := sort.Search(len(orphans), func(i int) bool { return orphans[i] >= t })
		if gone > calledBy(t) {
			return false
		}
		work += len(debts) + 1
		for i, d := range debts {
			if items[d.a].ended >= t {
				gone++
			}
			due := items[d.b].gone
			if i+1 < len(debts) && items[debts[i+1].b].gone == due {
				continue
			}
			if gone > calledBy(max(due, t)) {
				return false
			}
		}
		return true
	}
	for _, e := range q.empties {
		o := &ops[e]
		from, over := o.Call, end(o)
		found := false
		for i := sort.Search(len(all), func(i int) bool { return all[i].to > o.Call }); !found && from <= over; i++ {
			to := over
			if i < len(all) {
				to = min(to, all[i].from)
			}
			if from <= to { // nothing known to have been dequeued was in it from here to there
				found = !served || possible(to)
				first := sort.Search(len(orphans), func(k int) bool { return orphans[k] >= from })
				for k := first; !found && k < len(orphans) && orphans[k] <= to; k++ {
					found = possible(orphans[k])
				}
			}
			if i == len(all) {
				break
			}
			from = all[i].to
		}
		if work > emptyWork {
			return Finding{}, false
		}
		if found {
			continue
		}
		f := bad(nil, "dequeue (%s) cannot have found the queue empty: at every moment of it there was something in it", who(o))
		if served {
			f.Reason += ", whatever the unknown dequeues took"
			f.until, f.cut = over, true
		} else {
			f.Ops = cover(ops, items, byEnd, e)
		}
		return f, true
	}
	return Finding{Verdict: history.Pass}, true
}

// cover is an empty dequeue and the operations of a chain of values, each enqueued before the one before was asked for.
func cover(ops []Op, items []item, byEnd []int32, empty int) []int {
	chain := []int{empty}
	covered := ops[empty].Call
	best := int32(-1)
	for i := 0; covered <= end(&ops[empty]); covered = items[best].asked {
		before := best
		for ; i < len(byEnd) && items[byEnd[i]].ended < covered; i++ {
			if best < 0 || items[byEnd[i]].asked > items[best].asked {
				best = byEnd[i]
			}
		}
		if best == before {
			break
		}
		chain = append(chain, items[best].put)
		if items[best].take >= 0 {
			chain = append(chain, items[best].take)
		}
	}
	slices.Sort(chain)
	return chain
}
