package txn

import "slices"

// No write stands behind some reads.
const (
	initial int32 = -1 // the read returned what was there before anything was written
	silent  int32 = -2 // the read says nothing of versions
)

// facts are what both kinds of history come down to: for each committed transaction the versions that it read before
// writing them itself, in program order, and the last version that it wrote of each key.
type facts struct {
	*compiled
	readFirst  []int32 // by transaction: where its reads begin
	readKey    []int32
	readFrom   []int32 // a write, initial or silent
	writeFirst []int32 // by transaction: where its last writes begin
	writes     []int32

	// before says whether one version is known to come before another of the same key. It is nil where no order is
	// known and orders have to be found.
	before func(a, b int32) bool
}

// gather fills in the writes.
func (x *facts) gather() {
	x.writeFirst = make([]int32, len(x.txns)+1)
	for t := range int32(len(x.txns)) {
		x.writeFirst[t] = int32(len(x.writes))
		if !x.in[t] {
			continue
		}
		for f := x.start[t]; f < x.start[t+1]; f++ {
			if w := x.write[f]; w >= 0 && !x.middle[w] {
				x.writes = append(x.writes, w)
			}
		}
	}
	x.writeFirst[len(x.txns)] = int32(len(x.writes))
}

// wrote returns a transaction's last write of a key, or -1.
func (x *facts) wrote(t, k int32) int32 {
	for _, w := range x.writes[x.writeFirst[t]:x.writeFirst[t+1]] {
		if x.vs.key[w] == k {
			return w
		}
	}
	return -1
}

// reads calls do for each read of a transaction that tells what it read.
func (x *facts) reads(t int32, do func(i, k, from int32)) {
	for i := x.readFirst[t]; i < x.readFirst[t+1]; i++ {
		if x.readFrom[i] != silent {
			do(i, x.readKey[i], x.readFrom[i])
		}
	}
}

// facts returns what the lists say of the transactions on cycles: where versions have a known order, whatever breaks a
// model is a cycle of dependencies, sessions and real time.
func (l *lists) facts(searches []*search) *facts {
	cyclic := *l.compiled
	cyclic.in = make([]bool, len(l.txns))
	for _, s := range searches {
		for _, t := range s.p.node {
			if int(t) < len(l.txns) {
				cyclic.in[t] = true
			}
		}
	}
	x := &facts{compiled: &cyclic, readFirst: make([]int32, len(l.txns)+1)}
	for t := range int32(len(l.txns)) {
		x.readFirst[t] = int32(len(x.readKey))
		if !x.in[t] {
			continue
		}
		for f := l.start[t]; f < l.start[t+1]; f++ {
			op := l.op(f, t)
			if op.Kind != Read || !l.known(t, op) {
				continue
			}
			k := l.key[f]
			from := initial
			n := l.places(k, len(op.List))
			if l.ownBefore(f) {
				n = l.before(t, f)
			}
			switch {
			case l.longest[k] >= 0 && !isPrefix(op.List, l.op(l.longest[k], l.owner[k]).List):
				from = silent
			case n < 0:
				continue
			case n > 0:
				from = l.versions(k)[n-1]
			}
			x.readKey = append(x.readKey, k)
			x.readFrom = append(x.readFrom, from)
		}
	}
	x.readFirst[len(l.txns)] = int32(len(x.readKey))
	x.gather()
	x.before = func(a, b int32) bool {
		switch {
		case l.place[a] < 0 || l.astray[a]:
			return false
		case l.place[b] < 0:
			return !l.astray[b]
		}
		return l.place[a] < l.place[b]
	}
	return x
}

// flow returns the graph of who read from whom, with the order of sessions if so is asked for.
func (x *facts) flow(sessions bool) graph {
	var es edges
	for t := range int32(len(x.txns)) {
		if !x.in[t] {
			continue
		}
		x.reads(t, func(_, _, from int32) {
			if from >= 0 && x.writer[from] != t && x.in[x.writer[from]] {
				es.add(x.writer[from], t, wr)
			}
		})
	}
	if sessions {
		x.eachSession(func(u, v int32) { es.add(u, v, so) })
	}
	return es.graph(len(x.txns), len(x.txns))
}

// eachSession calls do for each transaction and the next of its run.
func (x *facts) eachSession(do func(u, v int32)) {
	var last []int32
	for _, t := range x.byCall() {
		r := x.run[t]
		if r < 0 || !x.in[t] {
			continue
		}
		for int(r) >= len(last) {
			last = append(last, -1)
		}
		if last[r] >= 0 {
			do(last[r], t)
		}
		last[r] = t
	}
}

// sorted returns the transactions so that no edge leads backwards; ok is false if there is a cycle.
func (g *graph) sorted() (order []int32, ok bool) {
	indegree := make([]int32, g.nodes())
	for _, a := range g.arcs {
		indegree[a.node()]++
	}
	order = make([]int32, 0, g.nodes())
	for n, d := range indegree {
		if d == 0 {
			order = append(order, int32(n))
		}
	}
	for head := 0; head < len(order); head++ {
		for _, a := range g.out(order[head]) {
			if indegree[a.node()]--; indegree[a.node()] == 0 {
				order = append(order, a.node())
			}
		}
	}
	return order, len(order) == g.nodes()
}

// A demand is that one version of a key comes before another.
type demand struct {
	first, then int32 // writes of one key; then may be initial, which nothing comes before
	reader      int32 // the transaction that saw then, although first came to it as follows
	path        []int32
}

// holdsUp decides a model whose demands are all known: whether some order of each key's versions meets them, or, with
// base, some order of transactions that also contains base. It returns the demands that contradict, or nil.
func (x *facts) holdsUp(demands []demand, base *edges) []demand {
	for _, d := range demands {
		if d.then < 0 || x.before != nil && x.before(d.then, d.first) {
			return []demand{d}
		}
	}
	if x.before != nil {
		return nil
	}
	node := func(w int32) int32 { return w }
	n := len(x.writer)
	var es edges
	if base != nil {
		node = func(w int32) int32 { return x.writer[w] }
		n = len(x.txns)
		es.from, es.arcs = slices.Clone(base.from), slices.Clone(base.arcs)
	}
	given := len(es.from)
	type pair struct{ a, b int32 }
	which := map[pair]int{}
	for i, d := range demands {
		p := pair{node(d.first), node(d.then)}
		if p.a == p.b {
			return []demand{d}
		}
		if _, ok := which[p]; !ok {
			which[p] = i
			es.add(p.a, p.b, ww)
		}
	}
	if len(es.from) == given {
		return nil
	}
	g := es.graph(n, n)
	if _, ok := g.sorted(); ok {
		return nil
	}
	p := part{graph: g}
	l := level{p: &p, mask: maskOf(ww, wr, so, rt)}
	comps, of := l.components()
	steps := 1_000_000
	w := newWalker(&p, &steps)
	for _, comp := range comps {
		hops, _ := w.shortest(&l, ww, comp, of, true)
		var core []demand
		for _, h := range hops {
			if i, ok := which[pair{h.from, h.to}]; ok && h.edge == ww {
				core = append(core, demands[i])
			}
		}
		if len(core) > 0 {
			return core
		}
	}
	return nil
}
