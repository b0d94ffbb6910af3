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
// It declines what gather declines.
func checkFIFO(ops []Op, _ Budget) (Finding, bool) {
	q, f, ok := gather(ops)
	if !ok || f.Verdict != history.Pass {
		return f, ok
	}
	items, takers, served := q.items, q.takers, q.served
	value := func(it *item) string { return ops[it.put].In.(Enqueue).Value }

	// Order: a before b for sure, b gone before anybody asked for a. Items are in the order of their calls.
	latest, next := int32(-1), 0
	for b := range items {
		for ; next < len(q.byEnd) && items[q.byEnd[next]].ended < items[b].called; next++ {
			a := q.byEnd[next]
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
	return checkEmpty(ops, q, debts)
}

// checkBag judges a queue that gives its values in any order, where the enqueued values are unique: nothing comes out
// twice, or before it was enqueued, and whoever found it empty had a moment for that. For values by themselves those
// conditions are enough (Emmi and Enea, "Sound, Complete, and Tractable Linearizability Monitoring for Concurrent
// Collections", POPL 2018): let each value be in the queue from the end of its enqueue to the call of its dequeue, or
// for an instant that both share; then it is there at no moment at which it need not be. Unknown dequeues are served
// as for a queue that keeps an order, but that nothing has to make way for anything.
//
// It declines what checkFIFO declines.
func checkBag(ops []Op, _ Budget) (Finding, bool) {
	q, f, ok := gather(ops)
	if !ok || f.Verdict != history.Pass {
		return f, ok
	}
	return checkEmpty(ops, q, nil)
}

// A queued is the history of a queue whose enqueued values are unique.
type queued struct {
	items   []item  // in the order of their calls; without those that perhaps never were in it
	byEnd   []int32 // items, by when they were enqueued for sure
	orphans int     // how many of them nobody is known to have taken
	empties []int   // dequeues that found it empty
	takers  []int   // unknown dequeues
	served  bool    // unknown dequeues may have taken orphans
}

// gather reads the history of a queue. It fails where a value came out of nowhere, before it was enqueued, or twice.
// It declines values enqueued twice and dequeues that returned without a known answer.
func gather(ops []Op) (q queued, f Finding, ok bool) {
	puts := 0
	for i := range ops {
		if _, ok := ops[i].In.(Enqueue); ok {
			puts++
		}
	}
	number := newNames(puts)
	q.items = make([]item, 0, puts)
	for i := range ops {
		o := &ops[i]
		switch in := o.In.(type) {
		case Enqueue:
			if _, fresh := number.put(in.Value); !fresh {
				return q, Finding{}, false
			}
			it := item{put: i, take: -1, called: o.Call, ended: never, asked: never, gone: never}
			if o.Outcome != history.Unknown {
				it.ended = end(o)
			}
			q.items = append(q.items, it)
		case Dequeue:
			if o.Outcome == history.Unknown {
				q.takers = append(q.takers, i)
				continue
			}
			switch o.Out.(type) {
			case string:
			case Empty:
				q.empties = append(q.empties, i)
			default:
				return q, Finding{}, false
			}
		default:
			return q, Finding{}, false
		}
	}
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
			return q, bad([]int{i}, "dequeue %s (%s) cannot happen: nobody enqueued %s", v, who(&ops[i]), v), true
		}
		it := &q.items[n]
		if it.take >= 0 {
			return q, bad([]int{it.take, i, it.put}, "%s was dequeued twice (%s; %s), enqueued once", v, who(&ops[it.take]), who(&ops[i])), true
		}
		it.take, it.asked, it.gone = i, ops[i].Call, end(&ops[i])
		if it.gone < it.called {
			return q, bad([]int{i, it.put}, "dequeue %s (%s) cannot happen: %s was not enqueued before %s, by %s",
				v, who(&ops[i]), v, clock(it.called), client(&ops[it.put])), true
		}
	}
	// What stays in the queue for ever, if no unknown dequeue takes it.
	kept := q.items[:0]
	for _, it := range q.items {
		if it.take < 0 {
			if it.ended == never {
				continue
			}
			q.orphans++
		}
		kept = append(kept, it)
	}
	q.items = kept
	q.byEnd = make([]int32, len(kept))
	for i := range q.byEnd {
		q.byEnd[i] = int32(i)
	}
	slices.SortFunc(q.byEnd, func(a, b int32) int {
		if d := kept[a].ended - kept[b].ended; d != 0 {
			return sign(d)
		}
		return int(a - b)
	})
	q.served = q.orphans > 0 && len(q.takers) > 0
	return q, Finding{Verdict: history.Pass}, true
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
