package txn

// A walker looks for shortest cycles in a part. Its steps are shared by all searches of one Check.
type walker struct {
	p     *part
	steps *int

	seen  []int32 // by state: the search that saw it last
	from  []int32 // by state: where that search came from
	by    []edge  // by state: along which edge
	depth []int32
	now   int32
	queue []int32
}

func newWalker(p *part, steps *int) *walker {
	n := 2 * p.nodes()
	return &walker{p: p, steps: steps, seen: make([]int32, n), from: make([]int32, n), by: make([]edge, n), depth: make([]int32, n)}
}

// A hop is one edge of a cycle, between nodes of a part.
type hop struct {
	from, to int32
	edge     edge
}

// from returns a shortest cycle that leaves node u along an edge of type first and returns to it along l, shorter
// than limit if limit is not 0; nil if there is none. within keeps the walk in one component.
func (w *walker) cycle(l *level, u int32, first edge, limit int32, of []int32, comp int32) []hop {
	w.now++
	w.queue = w.queue[:0]
	target := 2 * u
	var found int32 = -1
	var relays []int32
	visit := func(s, next int32, e edge, d int32) {
		if next < 0 || found >= 0 || of != nil && of[next] != comp {
			return
		}
		if next == target || l.behind && next == target|1 {
			w.from[next], w.by[next], w.depth[next] = s, e, d
			found = next
			return
		}
		if w.seen[next] == w.now {
			return
		}
		w.seen[next], w.from[next], w.by[next], w.depth[next] = w.now, s, e, d
		if int(next/2) >= w.p.real {
			relays = append(relays, next)
		} else {
			w.queue = append(w.queue, next)
		}
	}
	expand := func(s int32, only func(edge) bool) {
		d := w.depth[s]
		for _, a := range w.p.out(s / 2) {
			*w.steps--
			if only != nil && !only(a.edge()) {
				continue
			}
			visit(s, l.step(s, a), a.edge(), d+1)
		}
		for len(relays) > 0 && found < 0 {
			r := relays[len(relays)-1]
			relays = relays[:len(relays)-1]
			for _, a := range w.p.out(r / 2) {
				*w.steps--
				if a.edge() == relay {
					visit(r, l.step(r, a), relay, d+1)
				}
			}
		}
	}
	start := *l
	start.mask |= 1 << first
	w.depth[target] = 0
	rest := l
	l = &start
	expand(target, func(e edge) bool { return e == first })
	l = rest
	for head := 0; head < len(w.queue) && found < 0; head++ {
		s := w.queue[head]
		if limit > 0 && w.depth[s]+1 >= limit {
			break
		}
		expand(s, nil)
	}
	if found < 0 {
		return nil
	}
	// Backwards: an edge through helpers has the type of the edge into the first of them.
	var hops []hop
	end := u
	if found != target { // reached in its other state, which the way there may have left it in before
		w.from[target], w.by[target] = w.from[found], w.by[found]
		found = target
	}
	for s := found; ; {
		e, prev := w.by[s], w.from[s]
		for int(prev/2) >= w.p.real {
			e, prev = w.by[prev], w.from[prev]
		}
		hops = append(hops, hop{prev / 2, end, e})
		end = prev / 2
		s = prev
		if s == target {
			break
		}
	}
	for i, j := 0, len(hops)-1; i < j; i, j = i+1, j-1 {
		hops[i], hops[j] = hops[j], hops[i]
	}
	return hops
}

// shortest returns a shortest cycle in a component that begins with an edge of type first. Once the steps are used up
// it is content with the first that it finds; with patient it goes on until there is one.
func (w *walker) shortest(l *level, first edge, comp []int32, of []int32, patient bool) (best []hop, complete bool) {
	for _, s := range comp {
		if s&1 == 1 || int(s/2) >= w.p.real {
			continue
		}
		if *w.steps < 0 && (best != nil || !patient) {
			return best, false
		}
		leaves := false
		for _, a := range w.p.out(s / 2) {
			leaves = leaves || a.edge() == first
		}
		if !leaves {
			continue
		}
		comp := int32(0)
		if of != nil {
			comp = of[s]
		}
		if c := w.cycle(l, s/2, first, int32(len(best)), of, comp); c != nil {
			best = c
			if len(best) == 2 {
				break
			}
		}
	}
	return best, true
}

// lone finds out exactly whether some rw edge is closed to a cycle by a walk along l, which has no rw edges, and
// returns the node that it leaves; -1 if none is. It takes 64 such edges at a time and pushes them through the
// components in topological order.
func lone(l *level, steps *int) int32 {
	p := l.p
	rank, nodes := l.topological()
	type back struct{ to, from int32 }
	var backs []back
	for _, u := range nodes {
		if int(u) >= p.real {
			continue
		}
		for _, a := range p.out(u) {
			if a.edge() != rw || rank[a.node()] > rank[u] {
				continue
			}
			if rank[a.node()] == rank[u] {
				return u
			}
			backs = append(backs, back{a.node(), u})
		}
	}
	// The targets ascend with their rank, so that one sweep covers a narrow range.
	at := make([]int32, p.nodes())
	for i, n := range nodes {
		at[n] = int32(i)
	}
	idx := make([]int32, len(backs))
	for i := range idx {
		idx[i] = int32(i)
	}
	radix(idx, func(i int32) int64 { return int64(rank[backs[i].to]) })
	firstOf := make([]int32, len(nodes)+1) // by rank: where its nodes begin
	for i := len(nodes) - 1; i >= 0; i-- {
		firstOf[rank[nodes[i]]] = int32(i)
	}
	reach := make([]uint64, len(nodes)+1) // by rank
	for len(idx) > 0 {
		batch := idx[:min(64, len(idx))]
		idx = idx[len(batch):]
		low, high := rank[backs[batch[0]].to], int32(0)
		for b, i := range batch {
			reach[rank[backs[i].to]] |= 1 << b
			high = max(high, rank[backs[i].from])
		}
		for i := int(firstOf[low]); i < len(nodes) && rank[nodes[i]] <= high; i++ {
			n := nodes[i]
			bits := reach[rank[n]]
			if bits == 0 {
				continue
			}
			for _, a := range p.out(n) {
				*steps--
				if l.mask.has(a.edge()) {
					reach[rank[a.node()]] |= bits
				}
			}
		}
		for b, i := range batch {
			if reach[rank[backs[i].from]]>>b&1 == 1 {
				return backs[i].from
			}
		}
		clear(reach[low : high+1])
		for i := int(firstOf[low]); i < len(nodes) && rank[nodes[i]] <= high; i++ {
			for _, a := range p.out(nodes[i]) {
				reach[rank[a.node()]] = 0
			}
		}
	}
	return -1
}

// topological numbers the components of a level so that edges never lead to a smaller number, and returns the nodes
// in that order.
func (l *level) topological() (rank []int32, nodes []int32) {
	comps, of := l.components()
	n := l.p.nodes()
	unit := make([]int32, n) // a component is stood for by its first node
	for i := range unit {
		unit[i] = int32(i)
		if c := of[2*i]; c >= 0 {
			unit[i] = comps[c][0] / 2
		}
	}
	indegree := make([]int32, n)
	each := func(u int32, do func(v int32)) {
		for _, a := range l.p.out(u) {
			if l.mask.has(a.edge()) && unit[a.node()] != unit[u] {
				do(unit[a.node()])
			}
		}
	}
	for u := range int32(n) {
		each(u, func(v int32) { indegree[v]++ })
	}
	rank = make([]int32, n)
	var queue []int32
	for u := range int32(n) {
		if unit[u] == u && indegree[u] == 0 {
			queue = append(queue, u)
		}
	}
	for head := 0; head < len(queue); head++ {
		u := queue[head]
		group := []int32{u}
		if c := of[2*u]; c >= 0 {
			group = group[:0]
			for _, s := range comps[c] {
				group = append(group, s/2)
			}
		}
		for _, m := range group {
			rank[m] = int32(head)
			nodes = append(nodes, m)
			each(m, func(v int32) {
				if indegree[v]--; indegree[v] == 0 {
					queue = append(queue, v)
				}
			})
		}
	}
	return rank, nodes
}
