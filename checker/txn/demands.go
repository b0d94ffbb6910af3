package txn

import (
	"fmt"
	"slices"
	"strings"
)

// A demand is that one version of a key comes before another, or that each of some versions does.
type demand struct {
	first, then int32 // writes of one key; then may be initial, which nothing comes before
	reader      int32 // the transaction that saw then, although first came to it as follows
	via, by     int32 // the transactions through which it came, in turn; -1 if there are fewer

	row       *row // if not nil, first is each of its writes from number low to below high
	low, high int32
}

// wants is the demand of one version before another.
func wants(first, then, reader int32) demand {
	return demand{first: first, then: then, reader: reader, via: -1, by: -1}
}

// each calls do for each single demand, until it returns false.
func (d demand) each(do func(d demand) bool) bool {
	if d.row == nil {
		return do(d)
	}
	for i := d.low; i < d.high; i++ {
		if !do(d.one(i)) {
			return false
		}
	}
	return true
}

// one is the demand for number i of the row alone.
func (d demand) one(i int32) demand {
	if d.row == nil {
		return d
	}
	d.first = d.row.writes[i]
	if d.row.via != nil {
		d.via = d.row.via[i]
	}
	d.row = nil
	return d
}

// A row is versions of one key in the order in which one session wrote them, or came to know of them. Demands that speak
// of much of it at once go through a binary tree over it, so that they cost no more than its depth.
type row struct {
	writes []int32
	at     []int32         // the number in its session of the transaction that wrote or knew each
	via    []int32         // that transaction, if it did not write it; nil if the session wrote them all
	of     map[int32]int32 // by transaction: the number of its write here

	top []int32 // a tree of the numbers of the writes with the highest rank; nil: not made yet
}

// upTo returns how many of the writes are known by transaction number n of the session, that one included.
func (r *row) upTo(n int32) int32 {
	end, _ := slices.BinarySearch(r.at, n+1)
	return int32(end)
}

// all adds to demands that each of the first writes of a row, but those of some transactions, meets demand d.
func (r *row) all(demands []demand, end int32, d demand, but ...int32) []demand {
	var cuts []int32
	for _, t := range but {
		if i, ok := r.of[t]; ok && i < end {
			cuts = append(cuts, i)
		}
	}
	slices.Sort(cuts)
	d.row, d.low = r, 0
	for _, i := range append(slices.Compact(cuts), end) {
		if d.high = i; d.low < d.high {
			demands = append(demands, d)
		}
		d.low = i + 1
	}
	return demands
}

// latest returns the number of a write with the highest rank from low to below high.
func (r *row) latest(rank func(w int32) int32, low, high int32) int32 {
	n := int32(len(r.writes))
	later := func(i, j int32) int32 {
		if i < 0 || j >= 0 && rank(r.writes[j]) > rank(r.writes[i]) {
			return j
		}
		return i
	}
	if r.top == nil {
		r.top = make([]int32, 2*n)
		for i := range n {
			r.top[n+i] = i
		}
		for i := n - 1; i > 0; i-- {
			r.top[i] = later(r.top[2*i], r.top[2*i+1])
		}
	}
	best := int32(-1)
	r.cover(low, high, func(node int32) { best = later(best, r.top[node]) })
	return best
}

// cover calls do for the nodes of the tree that together stand for the writes from low to below high. Node n+i is write
// i of n, and the parent of node i is i/2.
func (r *row) cover(low, high int32, do func(node int32)) {
	n := int32(len(r.writes))
	for low, high = low+n, high+n; low < high; low, high = low/2, high/2 {
		if low%2 == 1 {
			do(low)
			low++
		}
		if high%2 == 1 {
			high--
			do(high)
		}
	}
}

// A contradiction is demands that cannot all be met. Those of a cycle are its ww hops, between transactions; a single
// demand can contradict what is known.
type contradiction struct {
	core []demand
	hops []hop
}

// holdsUp decides a model whose demands are all known: whether some order of each key's versions meets them, or, with
// base, some order of transactions that also contains base. It returns a contradiction, or nil.
func (x *facts) holdsUp(demands []demand, base *edges) *contradiction {
	late := func(d demand) bool {
		return d.then < 0 || x.rank != nil && x.rank(d.then) >= 0 && x.rank(d.then) < x.rank(d.first)
	}
	for _, d := range demands {
		i := d.low
		if d.row != nil && d.then >= 0 && x.rank != nil {
			i = d.row.latest(x.rank, d.low, d.high)
		}
		if one := d.one(i); late(one) {
			return &contradiction{core: []demand{one}}
		}
	}
	if x.rank != nil || len(demands) == 0 {
		return nil
	}
	node := func(w int32) int32 { return w }
	real := len(x.writer)
	var es edges
	if base != nil {
		node = func(w int32) int32 { return x.writer[w] }
		real = len(x.txns)
		es.from, es.arcs = slices.Clone(base.from), slices.Clone(base.arcs)
	}
	nodes := int32(real)
	trees := map[*row]int32{} // where the helper nodes of each begin, less one
	for _, d := range demands {
		if d.high-d.low <= 2 {
			d.each(func(d demand) bool { es.add(node(d.first), node(d.then), ww); return true })
			continue
		}
		r, n := d.row, int32(len(d.row.writes))
		tree, made := trees[r]
		if !made {
			tree = nodes - 1
		}
		at := func(i int32) int32 {
			if i >= n {
				return node(r.writes[i-n])
			}
			return tree + i
		}
		if !made {
			trees[r] = tree
			nodes += n - 1
			for i := 2*n - 1; i > 1; i-- {
				es.add(at(i), at(i/2), into(i >= n))
			}
		}
		r.cover(d.low, d.high, func(i int32) { es.add(at(i), node(d.then), into(i >= n)) })
	}
	g := es.graph(int(nodes), real)
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
		if len(hops) == 0 {
			continue
		}
		c := &contradiction{}
		for i, h := range hops {
			if h.edge == ww {
				c.core = append(c.core, meant(demands, node, h))
			}
			if base == nil {
				hops[i].from, hops[i].to = x.writer[h.from], x.writer[h.to]
			}
		}
		c.hops = hops
		return c
	}
	return nil // a cycle of base alone, which is no fault of the demands
}

// into is the type of an edge that leaves a write, or a helper that stands for many.
func into(write bool) edge {
	if write {
		return ww
	}
	return relay
}

// meant returns the first single demand that a hop stands for.
func meant(demands []demand, node func(w int32) int32, h hop) (found demand) {
	for _, d := range demands {
		if node(d.then) == h.to && !d.each(func(d demand) bool { found = d; return node(d.first) != h.from }) {
			return found
		}
	}
	panic("txn: a cycle has a demand that nobody made")
}

// demanding reports an anomaly if demands contradict. flow holds, for those demands that do not say how first came to
// reader, the reads and sessions through which it did.
func (f *findings) demanding(x *facts, name string, base *edges, demands []demand, flow func() graph) {
	c := x.holdsUp(demands, base)
	if c == nil {
		return
	}
	f.add(name, func() Anomaly {
		var txns []int32
		var words []string
		for _, d := range c.core {
			words = append(words, x.sayDemand(d))
			txns = append(txns, x.writer[d.first], d.reader)
			if d.then >= 0 {
				txns = append(txns, x.writer[d.then])
			}
			txns = append(txns, d.path()...)
		}
		words = slices.Compact(words)
		if len(c.core) > 1 {
			words = append(words, "these cannot all be")
		}
		a := x.anomaly(strings.Join(words, "; "), txns...)
		a.Cycle = x.circle(c, flow)
		return a
	})
}

// path returns the transactions through which the first version came.
func (d demand) path() []int32 {
	var path []int32
	for _, t := range [...]int32{d.via, d.by} {
		if t >= 0 {
			path = append(path, t)
		}
	}
	return path
}

func (x *facts) sayDemand(d demand) string {
	key := x.keys.name[x.vs.key[d.first]]
	var way []string
	for _, t := range d.path() {
		way = append(way, x.name(t))
	}
	through := ""
	if len(way) > 0 {
		through = " (through " + strings.Join(way, ", ") + ")"
	}
	who, from := x.name(d.reader), x.name(x.writer[d.first])
	if d.then == initial {
		return fmt.Sprintf("%s saw %s as nobody had written it, after %s%s, which wrote %s to it", who, key, from, through, x.value(d.first))
	}
	if x.writer[d.then] == d.reader {
		return fmt.Sprintf("%s wrote %s to %s after %s%s had written %s", who, x.value(d.then), key, from, through, x.value(d.first))
	}
	return fmt.Sprintf("%s saw %s's %s in %s after %s%s, which wrote %s to it: %s must be the older", who, x.name(x.writer[d.then]), x.value(d.then), key, from, through,
		x.value(d.first), x.value(d.first))
}

// circle draws a contradiction as a cycle; nil if it is none.
func (x *facts) circle(c *contradiction, flow func() graph) []Step {
	var steps []Step
	step := func(u, v int32, e edge, key, why string) {
		steps = append(steps, Step{From: x.txns[u].Index, To: x.txns[v].Index, Edge: edgeNames[e], Key: key, Why: why})
	}
	dependency := func(u, v int32) {
		if k, w := x.readOf(u, v); w >= 0 {
			step(u, v, wr, x.keys.name[k], fmt.Sprintf("%s saw %s's %s in %s", x.name(v), x.name(u), x.value(w), x.keys.name[k]))
			return
		}
		step(u, v, so, "", x.timeWhy(u, v, so).why)
	}
	if len(c.hops) > 0 {
		core := c.core
		for _, h := range c.hops {
			if h.edge != ww {
				dependency(h.from, h.to)
				continue
			}
			step(h.from, h.to, ww, x.keys.name[x.vs.key[core[0].first]], x.sayDemand(core[0]))
			core = core[1:]
		}
		return steps
	}
	d := c.core[0]
	writer, key := x.writer[d.first], x.keys.name[x.vs.key[d.first]]
	way := slices.Compact(append(append([]int32{writer}, d.path()...), d.reader))
	if len(way) == 2 && x.run[writer] != x.run[d.reader] {
		if _, w := x.readOf(writer, d.reader); w < 0 {
			g := flow()
			way = x.way(&g, writer, d.reader)
		}
	}
	if len(way) < 2 {
		return nil
	}
	for i := 1; i < len(way); i++ {
		dependency(way[i-1], way[i])
	}
	switch {
	case d.then == initial:
		step(d.reader, writer, rw, key, fmt.Sprintf("%s saw %s as nobody had written it, without %s's %s", x.name(d.reader), key, x.name(writer), x.value(d.first)))
	case x.writer[d.then] == d.reader:
		step(d.reader, writer, ww, key, fmt.Sprintf("%s's %s came before %s's %s in the order of %s", x.name(d.reader), x.value(d.then), x.name(writer), x.value(d.first), key))
	default:
		step(d.reader, writer, rw, key, fmt.Sprintf("%s saw %s's %s in %s, which came before %s's %s", x.name(d.reader), x.name(x.writer[d.then]), x.value(d.then), key, x.name(writer), x.value(d.first)))
	}
	return steps
}

// readOf returns a key and a version of it that v read from u; -1 if there is none.
func (x *facts) readOf(u, v int32) (key, write int32) {
	for i := x.readFirst[v]; i < x.readFirst[v+1]; i++ {
		if w := x.readFrom[i]; w >= 0 && x.writer[w] == u {
			return x.readKey[i], w
		}
	}
	return -1, -1
}

// way returns a shortest way from one transaction to another; steps of one session in a row are one.
func (x *facts) way(g *graph, from, to int32) []int32 {
	came := map[int32]int32{from: from}
	for queue := []int32{from}; len(queue) > 0; queue = queue[1:] {
		for _, a := range g.out(queue[0]) {
			if _, seen := came[a.node()]; !seen {
				came[a.node()] = queue[0]
				queue = append(queue, a.node())
			}
		}
	}
	if _, ok := came[to]; !ok {
		return nil
	}
	way := []int32{to}
	for t := to; t != from; {
		u := came[t]
		_, w := x.readOf(u, t)
		for w < 0 && u != from { // a step of a session: as far back as it goes
			if _, w := x.readOf(came[u], u); w >= 0 {
				break
			}
			u = came[u]
		}
		way = append(way, u)
		t = u
	}
	slices.Reverse(way)
	return way
}
