package linear

import (
	"slices"
	"sort"
	"time"

	"faultlab/checker/history"
)

// An item is a value in a queue: from some moment in its enqueue to some moment in its dequeue.
type item struct {
	put, take     int           // operations; take is -1 if nobody took it
	called, ended time.Duration // the enqueue; never if unknown
	asked, gone   time.Duration // the dequeue; never if nobody took it
}

// checkFIFO judges a queue whose enqueued values are unique by the patterns that alone can be wrong with one
// (Henzinger, Sezgin and Vafeiadis, "Aspect-Oriented Linearizability Proofs", CONCUR 2013; Bouajjani, Emmi, Enea and
// Hamza, "On Reducing Linearizability to State Reachability", ICALP 2015): a value out of nowhere, a value dequeued
// twice, values dequeued in another order than that in which they were enqueued, and a queue said to be empty that at
// no moment can have been. Each is found by sorting, in O(n log n).
//
// An unknown enqueue has no end if its value was dequeued, and is left out if not. An unknown dequeue that happened
// took a value that no other did: those of them that had to make way for values dequeued later each need an unknown
// dequeue that was called in time, and serving the most urgent with the earliest finds out whether there are enough.
//
// It declines values enqueued twice and dequeues that returned without a known answer.
func checkFIFO(ops []Op, _ Budget) (Finding, bool) {
	puts := 0
	for i := range ops {
		if _, ok := ops[i].In.(Enqueue); ok {
			puts++
		}
	}
	number := newNames(puts)
	items := make([]item, 0, puts)
	var empties, takers []int
	for i := range ops {
		o := &ops[i]
		switch in := o.In.(type) {
		case Enqueue:
			if _, fresh := number.put(in.Value); !fresh {
				return Finding{}, false
			}
			it := item{put: i, take: -1, called: o.Call, ended: never, asked: never, gone: never}
			if o.Outcome != history.Unknown {
				it.ended = end(o)
			}
			items = append(items, it)
		case Dequeue:
			if o.Outcome == history.Unknown {
				takers = append(takers, i)
				continue
			}
			switch o.Out.(type) {
			case string:
			case Empty:
				empties = append(empties, i)
			default:
				return Finding{}, false
			}
		default:
			return Finding{}, false
		}
	}
	value := func(it *item) string { return ops[it.put].In.(Enqueue).Value }
	for i := range ops {
		v, ok := ops[i].Out.(string)
		if !ok || ops[i].Outcome == history.Unknown {
			continue
		}
		if _, ok := ops[i].In.(Dequeue); !ok {
			continue
		}
		n, ok := number.get(v)
		if !ok {
			return bad([]int{i}, "dequeue %s (%s) cannot happen: nobody enqueued %s", v, who(&ops[i]), v), true
		}
		it := &items[n]
		if it.take >= 0 {
			return bad([]int{it.take, i, it.put}, "%s was dequeued twice (%s; %s), enqueued once", v, who(&ops[it.take]), who(&ops[i])), true
		}
		it.take, it.asked, it.gone = i, ops[i].Call, end(&ops[i])
		if it.gone < it.called {
			return bad([]int{i, it.put}, "dequeue %s (%s) cannot happen: %s was not enqueued before %s, by %s",
				v, who(&ops[i]), v, clock(it.called), client(&ops[it.put])), true
		}
	}
	// What stays in the queue for ever, if no unknown dequeue takes it.
	kept := items[:0]
	orphans := 0
	for _, it := range items {
		if it.take < 0 {
			if it.ended == never {
				continue
			}
			orphans++
		}
		kept = append(kept, it)
	}
	items = kept

	// Order: a before b for sure, b gone before anybody asked for a.
	byCall := make([]int32, len(items)) // as they are, since ops are in the order of Call
	byEnd := make([]int32, len(items))
	for i := range items {
		byCall[i], byEnd[i] = int32(i), int32(i)
	}
	slices.SortFunc(byEnd, func(a, b int32) int {
		if d := items[a].ended - items[b].ended; d != 0 {
			return sign(d)
		}
		return int(a - b)
	})
	served := orphans > 0 && len(takers) > 0
	latest, next := int32(-1), 0
	for _, b := range byCall {
		for ; next < len(byEnd) && items[byEnd[next]].ended < items[b].called; next++ {
			a := byEnd[next]
			if (!served || items[a].take >= 0) && (latest < 0 || items[a].asked > items[latest].asked) {
				latest = a
			}
		}
		if latest >= 0 && items[b].gone < items[latest].asked {
			return disordered(ops, &items[latest], &items[b], value), true
		}
	}
	var debts []debt
	if served {
		debts = owed(items)
		if f, ok := serve(ops, items, debts, takers, value); !ok {
			return f, true
		}
	}
	if len(empties) == 0 {
		return Finding{Verdict: history.Pass}, true
	}
	return checkEmpty(ops, items, byEnd, empties, debts, takers, served)
}

// disordered tells that b, enqueued after a, was dequeued before it.
func disordered(ops []Op, a, b *item, value func(*item) string) Finding {
	at := []int{a.put, b.put, b.take}
	how := "nobody ever dequeued " + value(a)
	if a.take >= 0 {
		at = append(at, a.take)
		how = "nobody asked for what was to be " + value(a) + " before " + clock(a.asked) + " (" + client(&ops[a.take]) + ")"
	}
	return bad(at, "dequeue %s (%s) cannot happen: %s was enqueued (%s) before %s began to be, and %s",
		value(b), who(&ops[b.take]), value(a), who(&ops[a.put]), value(b), how)
}

// A debt is a value that nobody is known to have dequeued, and the value dequeued first for which it had to make way.
type debt struct{ a, b int32 }

// owed is the debts, by when they are due: the end of the dequeue of b.
func owed(items []item) []debt {
	// From the last called on: the earliest end of a dequeue of anything called later.
	soonest := make([]int32, len(items)+1)
	soonest[len(items)] = -1
	for i := len(items) - 1; i >= 0; i-- {
		soonest[i] = soonest[i+1]
		if s := soonest[i]; items[i].take >= 0 && (s < 0 || items[i].gone < items[s].gone) {
			soonest[i] = int32(i)
		}
	}
	var debts []debt
	for i := range items {
		if items[i].take >= 0 {
			continue
		}
		after := sort.Search(len(items), func(j int) bool { return items[j].called > items[i].ended })
		if b := soonest[after]; b >= 0 {
			debts = append(debts, debt{int32(i), b})
		}
	}
	slices.SortFunc(debts, func(x, y debt) int {
		if d := items[x.b].gone - items[y.b].gone; d != 0 {
			return sign(d)
		}
		return int(x.a - y.a)
	})
	return debts
}

// serve gives each debt an unknown dequeue that was called before it was due.
func serve(ops []Op, items []item, debts []debt, takers []int, value func(*item) string) (Finding, bool) {
	for k, d := range debts {
		if k < len(takers) && ops[takers[k]].Call <= items[d.b].gone {
			continue
		}
		f := disordered(ops, &items[d.a], &items[d.b], value)
		for _, d := range debts[:k] {
			f.Ops = append(f.Ops, items[d.a].put, items[d.b].put, items[d.b].take)
		}
		for i, x := range takers {
			if ops[x].Call <= items[d.b].gone {
				f.Ops = append(f.Ops, takers[i])
			}
		}
		slices.Sort(f.Ops)
		f.Ops = slices.Compact(f.Ops)
		if k > 0 {
			f.Reason += ", by a dequeue that did not return either"
		}
		return f, false
	}
	return Finding{}, true
}
