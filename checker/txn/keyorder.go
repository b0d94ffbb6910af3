package txn

import (
	"fmt"
	"slices"
)

// assumeOrders draws what the options say of the order of versions: that each key follows real time, or each session,
// or what transactions read before they wrote, or a ranking of transactions. A key whose versions would come before themselves is reported and left out.
func (r *registers) assumeOrders() {
	o := &r.found.opts
	if !o.LinearizableKeys && !o.SequentialKeys && !o.WFRKeys && o.Order == nil {
		return
	}
	W := int32(len(r.writer))
	uses := r.uses()
	for k := range int32(len(r.keys.name)) {
		var es edges // between version numbers
		why := map[[2]int32]string{}
		follow := func(a, b use, how string) {
			if a.last != b.first && a.last >= 0 && b.first >= 0 {
				es.add(a.last, b.first, ww)
				at := [2]int32{a.last, b.first}
				if why[at] == "" {
					why[at] = fmt.Sprintf(how, r.name(a.txn), r.name(b.txn))
				}
			}
		}
		if o.LinearizableKeys {
			r.inTime(uses[k], follow)
		}
		if o.SequentialKeys {
			last := map[int32]use{}
			for _, u := range uses[k] {
				run := r.run[u.txn]
				if p, ok := last[run]; ok {
					follow(p, u, "as %s came before %s in their session")
				}
				last[run] = u
			}
		}
		if o.Order != nil {
			r.ranked(uses[k], follow)
		}
		for _, u := range uses[k] { // within one transaction
			if u.first != u.last && u.first >= 0 {
				es.add(u.first, u.last, ww)
				why[[2]int32{u.first, u.last}] = fmt.Sprintf("as %s used the one and then the other", r.name(u.txn))
			}
		}
		if !r.sound(&es, why, uses[k]) {
			continue
		}
		for i, a := range es.from {
			b := es.arcs[i].node()
			if b >= W {
				continue
			}
			if a < W {
				r.order(a, b, why[[2]int32{a, b}])
			} else {
				r.later.add(a, r.writer[b], rw)
				r.because[[2]int32{a, b}] = why[[2]int32{a, b}]
			}
		}
	}
}

// A use is what a transaction did to one key: the version that it met first and the one that it left, by number.
type use struct {
	txn, first, last int32
}

// uses returns each key's uses in the order of Call.
func (r *registers) uses() [][]use {
	uses := make([][]use, len(r.keys.name))
	for _, t := range r.byCall() {
		if !r.in[t] {
			continue
		}
		seen := r.seenBy(t)
		for i, n := range seen {
			k := r.readKey[r.readFirst[t]+int32(i)]
			uses[k] = append(uses[k], use{t, n, n})
		}
		for _, w := range r.writes[r.writeFirst[t]:r.writeFirst[t+1]] {
			k := r.vs.key[w]
			if n := len(uses[k]); n > 0 && uses[k][n-1].txn == t {
				uses[k][n-1].last = w
			} else {
				uses[k] = append(uses[k], use{t, w, w})
			}
		}
	}
	return uses
}

// inTime orders uses where one had returned before the other began, leaving out what follows from others.
func (r *registers) inTime(uses []use, follow func(a, b use, how string)) {
	ends := make([]int32, len(uses))
	for i := range ends {
		ends[i] = int32(i)
	}
	end := func(i int32) int64 {
		if r.txns[uses[i].txn].Outcome != "ok" {
			return endless
		}
		return int64(r.txns[uses[i].txn].Return)
	}
	slices.SortStableFunc(ends, func(a, b int32) int {
		switch {
		case end(a) < end(b):
			return -1
		case end(a) > end(b):
			return 1
		}
		return 0
	})
	var front []int32 // uses that have ended, but those that another came after
	before := make([][]int32, len(uses))
	e := 0
	for i, u := range uses {
		for ; e < len(ends) && end(ends[e]) < int64(r.txns[u.txn].Call); e++ {
			done := ends[e]
			front = slices.DeleteFunc(front, func(j int32) bool { return slices.Contains(before[done], j) })
			front = append(front, done)
		}
		before[i] = slices.Clone(front)
		for _, j := range front {
			follow(uses[j], u, "as %s had returned before %s began")
		}
	}
}

func (r *registers) ranked(uses []use, follow func(a, b use, how string)) {
	var writers []use
	for _, u := range uses {
		if _, ok := r.found.opts.Order[r.txns[u.txn].Index]; ok && u.last >= 0 && u.last < int32(len(r.writer)) && r.writer[u.last] == u.txn {
			writers = append(writers, use{u.txn, u.last, u.last})
		}
	}
	slices.SortStableFunc(writers, func(a, b use) int {
		return r.found.opts.Order[r.txns[a.txn].Index] - r.found.opts.Order[r.txns[b.txn].Index]
	})
	for i := 1; i < len(writers); i++ {
		follow(writers[i-1], writers[i], "as %s was ordered before %s")
	}
}

// sound says that the versions of a key do not come before themselves, and reports it if they do.
func (r *registers) sound(es *edges, why map[[2]int32]string, uses []use) bool {
	local, back := map[int32]int32{}, []int32{}
	number := func(v int32) int32 {
		n, ok := local[v]
		if !ok {
			n = int32(len(back))
			local[v] = n
			back = append(back, v)
		}
		return n
	}
	var small edges
	for i, a := range es.from {
		small.add(number(a), number(es.arcs[i].node()), ww)
	}
	W := int32(len(r.writer))
	for _, v := range slices.Clone(back) {
		if v >= W && v < W+int32(len(r.keys.name)) {
			for _, o := range back {
				if o != v {
					small.add(local[v], local[o], ww)
				}
			}
		}
	}
	if len(back) == 0 {
		return true
	}
	g := small.graph(len(back), len(back))
	if _, ok := g.sorted(); ok {
		return true
	}
	p := part{graph: g}
	l := level{p: &p, mask: maskOf(ww)}
	comps, of := l.components()
	steps := 1_000_000
	w := newWalker(&p, &steps)
	hops, _ := w.shortest(&l, ww, comps[0], of, true)
	r.found.add("cyclic-versions", func() Anomaly {
		text := ""
		var txns []int32
		for i, h := range hops {
			if i > 0 {
				text += "; "
			}
			a, b := back[h.from], back[h.to]
			text += fmt.Sprintf("%s comes before %s, %s", r.versionName(a), r.versionName(b), why[[2]int32{a, b}])
			for _, u := range uses {
				if u.first == a || u.last == a || u.first == b || u.last == b {
					txns = append(txns, u.txn)
				}
			}
		}
		return r.anomaly(text, txns...)
	})
	return false
}
