package txn

import (
	"fmt"
	"slices"

	"faultlab/checker/history"
)

// middleRead explains a read whose last element its writer followed with another append: the reader saw a state in the
// middle of a transaction.
func (l *lists) middleRead(t, f, w int32) Anomaly {
	return l.anomaly(fmt.Sprintf("%s read %s, which is the state of %s in the middle of its work: it appended to %s again after %s",
		l.name(t), l.listAt(t, f), l.name(l.writer[w]), l.keyOf(f), l.value(w)), t, l.writer[w])
}

// lookBack holds a read against what its own transaction read and appended before: it must see just that.
func (l *lists) lookBack(t, f int32) {
	var own []int64
	var base *Op
	for p := l.prev[f]; p >= 0 && base == nil; p = l.prev[p] {
		switch op := l.op(p, t); {
		case op.Kind == Append:
			own = append(own, op.Value)
		case l.known(t, op):
			base = op
		}
	}
	slices.Reverse(own)
	list := l.op(f, t).List
	head := len(list) - len(own)
	switch {
	case head >= 0 && slices.Equal(list[head:], own) && (base == nil || slices.Equal(list[:head], base.List)):
	case base == nil:
		l.found.add("internal", func() Anomaly {
			return l.anomaly(fmt.Sprintf("%s read %s after its own append of %s, which must be at the end", l.name(t), l.listAt(t, f), l.list(own)), t)
		})
	default:
		l.found.add("internal", func() Anomaly {
			return l.anomaly(fmt.Sprintf("%s read %s where it must see %s=%s, from what it had read and appended itself", l.name(t), l.listAt(t, f), l.keyOf(f),
				l.list(append(slices.Clone(base.List), own...))), t)
		})
	}
}

// lookAhead holds an append against its transaction's earlier reads of the key: none of them can hold it.
func (l *lists) lookAhead(t, f int32) {
	v := l.op(f, t).Value
	for p := l.prev[f]; p >= 0; p = l.prev[p] {
		op := l.op(p, t)
		if op.Kind != Read || !l.known(t, op) {
			continue
		}
		if at := l.place[l.write[f]]; at < 0 && !l.astray[l.write[f]] || !slices.Contains(op.List, v) {
			continue
		}
		l.found.add("future-read", func() Anomaly {
			return l.anomaly(fmt.Sprintf("%s read %s before it appended %s itself", l.name(t), l.listAt(t, p), l.say(v)), t)
		})
		return
	}
}

// stray reports a read that is no prefix of the key's longest read. Only its last element orders anything. It returns
// false if the read proves an unknown transaction to have committed.
func (l *lists) stray(t, f int32) bool {
	k, settled := l.key[f], true
	list := l.op(f, t).List
	for i, v := range list {
		w := l.vs.find(k, v)
		switch {
		case slices.Contains(list[:i], v):
			l.duplicate(t, f, v)
		case w < 0:
			l.garbage(t, f, v)
		case l.txns[l.writer[w]].Outcome == history.Failed:
			l.aborted(t, f, w)
		case !l.in[l.writer[w]]:
			l.in[l.writer[w]], l.astray[w], settled = true, true, false
		case l.place[w] < 0 && !l.astray[w]:
			l.astray[w], settled = true, false
		}
		if i == len(list)-1 && w >= 0 && l.in[l.writer[w]] && l.writer[w] != t {
			l.edges.add(l.writer[w], t, wr)
		}
	}
	l.found.add("incompatible-order", func() Anomaly {
		return l.anomaly(fmt.Sprintf("%s read %s and %s read %s: neither list is how the other began", l.name(t), l.listAt(t, f),
			l.name(l.owner[k]), l.listAt(l.owner[k], l.longest[k])), t, l.owner[k])
	})
	return settled
}

func (l *lists) duplicate(t, f int32, v int64) {
	l.found.add("duplicate-elements", func() Anomaly {
		return l.anomaly(fmt.Sprintf("%s read %s, which holds %s more than once; it was appended once", l.name(t), l.listAt(t, f), l.say(v)), t)
	})
}

func (l *lists) garbage(t, f int32, v int64) {
	l.found.add("garbage-read", func() Anomaly {
		return l.anomaly(fmt.Sprintf("%s read %s, which holds %s; nobody appended that to %s", l.name(t), l.listAt(t, f), l.say(v), l.keyOf(f)), t)
	})
}

func (l *lists) aborted(t, f, w int32) {
	l.found.add("G1a", func() Anomaly {
		return l.anomaly(fmt.Sprintf("%s read %s, which holds %s; %s, which appended it, had failed", l.name(t), l.listAt(t, f), l.value(w), l.name(l.writer[w])), t, l.writer[w])
	})
}

// oddElements reports the elements of a key's longest read that have no place in its order, and failed appends that
// committed ones were built on.
func (l *lists) oddElements(k int32) {
	t, f := l.owner[k], l.longest[k]
	seen := map[int64]bool{}
	dirty := int32(-1) // the last failed append not yet followed by one that surely committed
	for _, v := range l.op(f, t).List {
		w := l.vs.find(k, v)
		switch {
		case seen[v]:
			l.duplicate(t, f, v)
		case w < 0:
			l.garbage(t, f, v)
		case l.txns[l.writer[w]].Outcome == history.Failed:
			l.aborted(t, f, w)
			dirty = w
		case dirty >= 0 && l.txns[l.writer[w]].Outcome == history.OK:
			d := dirty
			l.found.add("dirty-update", func() Anomaly {
				return l.anomaly(fmt.Sprintf("%s appended %s to %s on top of %s, which %s appended and which had failed (%s read %s)", l.name(l.writer[w]), l.say(v),
					l.keyOf(f), l.value(d), l.name(l.writer[d]), l.name(t), l.listAt(t, f)), l.writer[d], l.writer[w], t)
			})
			dirty = -1
		}
		seen[v] = true
	}
}

// ownOrders holds the order of versions against the order in which one transaction appended them: an append that was
// seen brings all that its transaction appended to that key before it.
func (l *lists) ownOrders() {
	for w := range int32(len(l.writer)) {
		f, t := l.wop[w], l.writer[w]
		if l.prev[f] < 0 || l.place[w] < 0 {
			continue
		}
		p := l.prev[f]
		for p >= 0 && l.write[p] < 0 {
			p = l.prev[p]
		}
		if p < 0 || l.astray[l.write[p]] || l.place[l.write[p]] >= 0 && l.place[l.write[p]] < l.place[w] {
			continue
		}
		k := l.key[f]
		l.found.add("atomicity", func() Anomaly {
			return l.anomaly(fmt.Sprintf("%s appended %s and then %s to %s, but %s read %s, without %s before %s", l.name(t), l.say(l.op(p, t).Value), l.value(w),
				l.keyOf(f), l.name(l.owner[k]), l.listAt(l.owner[k], l.longest[k]), l.say(l.op(p, t).Value), l.value(w)), t, l.owner[k])
		})
	}
}

// lostUpdates reports transactions that read one version of a key and each appended to it.
func (l *lists) lostUpdates() {
	claimed := make([]int32, len(l.order)+len(l.keys.name)) // by key and version: the first such transaction + 1
	for w, t := range l.writer {
		f := l.wop[w]
		if !l.in[t] || l.prev[f] < 0 || l.ownBefore(f) {
			continue
		}
		first := int32(-1)
		for p := l.prev[f]; p >= 0; p = l.prev[p] {
			if l.known(t, l.op(p, t)) {
				first = p
			}
		}
		if first < 0 {
			continue
		}
		k := l.key[f]
		list := l.op(first, t).List
		if l.longest[k] >= 0 && !isPrefix(list, l.op(l.longest[k], l.owner[k]).List) {
			continue
		}
		slot := &claimed[l.first[k]+k+l.places(k, len(list))]
		if *slot == 0 {
			*slot = t + 1
			continue
		}
		u := *slot - 1
		l.found.add("lost-update", func() Anomaly {
			return l.anomaly(fmt.Sprintf("%s and %s both read %s and then both appended to %s: one of them missed the other", l.name(u), l.name(t), l.listAt(t, first), l.keyOf(f)), u, t)
		})
	}
}
