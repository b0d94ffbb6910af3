package txn

import (
	"slices"
	"sort"
)

// A part is a few nodes of a graph with all that orders them spelled out: data dependencies, sessions, and real time
// through helper nodes, one for each transaction that ended. Node numbers are its own.
type part struct {
	graph
	node []int32 // the number in the whole graph of each node but the helpers of real time
}

// cut takes the nodes, in ascending order, out of the graph.
func (g *graph) cut(nodes []int32, tl *timeline, run []int32) part {
	if g.local == nil {
		g.local = make([]int32, g.nodes())
	}
	p := part{node: nodes}
	real := 0
	for i, n := range nodes {
		g.local[n] = int32(i) + 1
		if int(n) < g.real {
			real++
		}
	}
	var es edges
	for i, n := range nodes {
		for _, a := range g.out(n) {
			if m := g.local[a.node()]; m > 0 {
				es.add(int32(i), m-1, a.edge())
			}
		}
	}
	for _, n := range nodes {
		g.local[n] = 0
	}
	byCall := make([]int32, real)
	for i := range byCall {
		byCall[i] = int32(i)
	}
	radix(byCall, func(i int32) int64 { return tl.call[nodes[i]] })
	last := map[int32]int32{}
	for _, i := range byCall {
		r := run[nodes[i]]
		if j, ok := last[r]; ok {
			es.add(j, i, so)
		}
		last[r] = i
	}
	var byEnd []int32
	for _, i := range byCall {
		if tl.end[nodes[i]] != endless {
			byEnd = append(byEnd, i)
		}
	}
	radix(byEnd, func(i int32) int64 { return tl.end[nodes[i]] })
	for e, i := range byEnd {
		es.add(i, int32(len(nodes)+e), rt)
		if e > 0 {
			es.add(int32(len(nodes)+e-1), int32(len(nodes)+e), relay)
		}
	}
	e := 0
	for _, i := range byCall {
		for e < len(byEnd) && tl.end[nodes[byEnd[e]]] < tl.call[nodes[i]] {
			e++
		}
		if e > 0 {
			es.add(int32(len(nodes)+e-1), i, relay)
		}
	}
	p.graph = es.graph(len(nodes)+len(byEnd), real)
	return p
}

// A mask is a set of edge types.
type mask uint8

func maskOf(es ...edge) mask {
	m := mask(1) << relay
	for _, e := range es {
		m |= 1 << e
	}
	return m
}

func (m mask) has(e edge) bool { return m>>e&1 == 1 }

// A level is a way to walk a part: along the edges of a mask; if apart, never along two rw edges in a row; if behind,
// along an rw edge only right after a wr or process edge. Its states are 2n for node n and 2n+1 for node n reached by
// an rw edge (apart) or by a wr or process edge (behind).
type level struct {
	p      *part
	mask   mask
	apart  bool
	behind bool
}

// step returns the state that an arc leads to from a state, or -1.
func (l *level) step(state int32, a arc) int32 {
	e := a.edge()
	if !l.mask.has(e) {
		return -1
	}
	next := 2 * a.node()
	if l.behind {
		switch {
		case e == relay:
			return next | state&1
		case e == rw && state&1 == 0:
			return -1
		case e == wr || e == so:
			return next | 1
		}
	}
	if l.apart {
		switch {
		case e == relay:
			return next | state&1
		case e == rw && state&1 == 1:
			return -1
		case e == rw:
			return next | 1
		}
	}
	return next
}

// components returns the strongly connected components with more than one state, each in ascending order, and for
// each state the number of its component or -1. It is Tarjan's algorithm without recursion.
func (l *level) components() (comps [][]int32, of []int32) {
	n := int32(2 * l.p.nodes())
	index, low := make([]int32, n), make([]int32, n)
	at := make([]int32, n) // the next arc to look at
	of = make([]int32, n)
	on := make([]bool, n)
	var stack, calls []int32
	for i := range of {
		of[i] = -1
	}
	clock := int32(0)
	enter := func(s int32) {
		clock++
		index[s], low[s] = clock, clock
		at[s] = l.p.first[s/2]
		on[s] = true
		stack = append(stack, s)
		calls = append(calls, s)
	}
	for root := int32(0); root < n; root += 2 {
		if index[root] != 0 {
			continue
		}
		enter(root)
		for len(calls) > 0 {
			s := calls[len(calls)-1]
			if at[s] < l.p.first[s/2+1] {
				a := l.p.arcs[at[s]]
				at[s]++
				next := l.step(s, a)
				switch {
				case next < 0:
				case index[next] == 0:
					enter(next)
				case on[next]:
					low[s] = min(low[s], index[next])
				}
				continue
			}
			calls = calls[:len(calls)-1]
			if len(calls) > 0 {
				up := calls[len(calls)-1]
				low[up] = min(low[up], low[s])
			}
			if low[s] != index[s] {
				continue
			}
			bottom := len(stack) - 1
			for stack[bottom] != s {
				bottom--
			}
			for _, m := range stack[bottom:] {
				on[m] = false
			}
			if bottom < len(stack)-1 {
				comp := slices.Clone(stack[bottom:])
				for _, m := range comp {
					of[m] = int32(len(comps))
				}
				slices.Sort(comp)
				comps = append(comps, comp)
			}
			stack = stack[:bottom]
		}
	}
	order := make([]int, len(comps))
	for i := range order {
		order[i] = i
	}
	sort.Slice(order, func(i, j int) bool { return comps[order[i]][0] < comps[order[j]][0] })
	sorted, rank := make([][]int32, len(comps)), make([]int32, len(comps))
	for i, c := range order {
		sorted[i], rank[c] = comps[c], int32(i)
	}
	for s, c := range of {
		if c >= 0 {
			of[s] = rank[c]
		}
	}
	return sorted, of
}

// members returns the transactions and data helpers of a component, as nodes of the whole graph, in ascending order.
func (p *part) members(comp []int32) []int32 {
	var nodes []int32
	for _, s := range comp {
		if n := int(s / 2); n < len(p.node) && (len(nodes) == 0 || nodes[len(nodes)-1] != p.node[n]) {
			nodes = append(nodes, p.node[n])
		}
	}
	return nodes
}
