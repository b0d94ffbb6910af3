package txn

import (
	"math"

	"faultlab/checker/history"
)

// An edge type says why one transaction comes after another.
type edge uint8

const (
	ww    edge = iota // it wrote the next version
	wr                // it read what the other wrote
	rw                // it wrote what the other did not see
	so                // it followed in the session
	rt                // it began after the other had returned
	relay             // goes on through a helper node: the edge into the helper says why
)

var edgeNames = [...]string{"ww", "wr", "rw", "process", "realtime", "relay"}

// An arc is the target of an edge and its type.
type arc uint32

func to(node int32, e edge) arc { return arc(node)<<3 | arc(e) }
func (a arc) node() int32       { return int32(a >> 3) }
func (a arc) edge() edge        { return edge(a & 7) }

// edges is a list of edges, in the order in which they were found.
type edges struct {
	from []int32
	arcs []arc
}

func (e *edges) add(from, node int32, kind edge) {
	e.from = append(e.from, from)
	e.arcs = append(e.arcs, to(node, kind))
}

// A graph holds the arcs out of node n in arcs[first[n]:first[n+1]]. Nodes from real on are helpers that stand for no
// transaction: an edge into one goes on, through relay edges, to all that it leads to.
type graph struct {
	first []int32
	arcs  []arc
	real  int

	local []int32 // scratch of cut: by node its number in the part + 1, 0 between cuts
}

func (e *edges) graph(nodes, real int) graph {
	first := make([]int32, nodes+2)
	for _, n := range e.from {
		first[n+2]++
	}
	for i := 2; i < len(first); i++ {
		first[i] += first[i-1]
	}
	arcs := make([]arc, len(e.arcs))
	for i, n := range e.from {
		arcs[first[n+1]] = e.arcs[i]
		first[n+1]++
	}
	return graph{first: first[:nodes+1], arcs: arcs, real: real}
}

// missed draws, for each group, an rw edge from each of its readers to each of its writers but the reader itself, and
// returns the number of nodes there are then. Where both are many the edges go through helpers: one leads to the first
// i writers and one to all from i on, for each i, so that a reader can reach all writers but itself.
func (e *edges) missed(nodes int, readers, writers *graph) int {
	own := map[int32]int32{}
	var late []int32
	for k := range int32(readers.nodes()) {
		early := readers.out(k)
		if len(early) == 0 || len(writers.out(k)) == 0 {
			continue
		}
		late = late[:0]
		for _, a := range writers.out(k) {
			if u := a.node(); len(late) == 0 || late[len(late)-1] != u {
				late = append(late, u)
			}
		}
		if len(early)*len(late) <= 8*(len(early)+len(late)) {
			for _, a := range early {
				for _, u := range late {
					if u != a.node() {
						e.add(a.node(), u, rw)
					}
				}
			}
			continue
		}
		clear(own)
		up, down := int32(nodes), int32(nodes+len(late)) // up+i leads to writers 0 to i, down+i to writers i to the last
		nodes += 2 * len(late)
		for i, u := range late {
			i := int32(i)
			own[u] = i
			e.add(up+i, u, relay)
			e.add(down+i, u, relay)
			if i > 0 {
				e.add(up+i, up+i-1, relay)
				e.add(down+i-1, down+i, relay)
			}
		}
		for _, a := range early {
			i, both := own[a.node()]
			if !both {
				e.add(a.node(), down, rw)
				continue
			}
			if i > 0 {
				e.add(a.node(), up+i-1, rw)
			}
			if int(i) < len(late)-1 {
				e.add(a.node(), down+i+1, rw)
			}
		}
	}
	return nodes
}

func (g *graph) out(n int32) []arc { return g.arcs[g.first[n]:g.first[n+1]] }
func (g *graph) nodes() int        { return len(g.first) - 1 }

// endless is the end of a transaction whose outcome is unknown.
const endless = math.MaxInt64

// timeline is real time over the transactions of a graph: a comes before b if end[a] < call[b].
type timeline struct {
	call, end     []int64
	byCall, byEnd []int32 // all transactions in the graph; byEnd without those that never end
}

func (c *compiled) timeline() *timeline {
	tl := &timeline{call: make([]int64, len(c.txns)), end: make([]int64, len(c.txns))}
	for t := range c.txns {
		tl.call[t], tl.end[t] = int64(c.txns[t].Call), endless
		if c.txns[t].Outcome == history.OK {
			tl.end[t] = int64(c.txns[t].Return)
		}
	}
	byCall, byEnd := c.order()
	tl.byCall, tl.byEnd = c.taken(byCall), c.taken(byEnd)
	return tl
}

// taken returns those of the transactions that are taken as committed.
func (c *compiled) taken(all []int32) []int32 {
	taken := make([]int32, 0, len(all))
	for _, t := range all {
		if c.in[t] {
			taken = append(taken, t)
		}
	}
	return taken
}

// inOrder goes through a graph so that neither an edge nor real time leads backwards, for as long as it can. It calls
// called once for each transaction, in the order of Call, when all that ended before have been visited, and visit for
// each node when all that it depends on have been visited. It returns false if something is left: there is a cycle.
func inOrder(g *graph, tl *timeline, called, visit func(t int32)) bool {
	_, all := peel(g, tl, called, visit)
	return all
}

// peel takes away every node without a predecessor, again and again; what is not gone then lies on a cycle or after
// one. Real time costs no edges: a transaction is free to go when all that ended before its call have gone, and those
// are a prefix of byEnd.
func peel(g *graph, tl *timeline, call, visit func(t int32)) (gone []bool, all bool) {
	n := g.nodes()
	indegree := make([]int32, n)
	for _, a := range g.arcs {
		indegree[a.node()]++
	}
	gone = make([]bool, n)
	called := make([]bool, n) // real time lets it go
	queue := make([]int32, 0, n)
	for h := g.real; h < n; h++ {
		called[h] = true
		if indegree[h] == 0 {
			queue = append(queue, int32(h))
		}
	}
	e, c := 0, 0 // how far byEnd has gone, how far byCall is free
	head := 0
	for {
		for e < len(tl.byEnd) && gone[tl.byEnd[e]] {
			e++
		}
		for c < len(tl.byCall) && (e == len(tl.byEnd) || tl.call[tl.byCall[c]] <= tl.end[tl.byEnd[e]]) {
			t := tl.byCall[c]
			called[t] = true
			if call != nil {
				call(t)
			}
			if indegree[t] == 0 {
				queue = append(queue, t)
			}
			c++
		}
		if head == len(queue) {
			break
		}
		for ; head < len(queue); head++ {
			t := queue[head]
			gone[t] = true
			if visit != nil {
				visit(t)
			}
			for _, a := range g.out(t) {
				if indegree[a.node()]--; indegree[a.node()] == 0 && called[a.node()] {
					queue = append(queue, a.node())
				}
			}
		}
	}
	return gone, len(queue) == len(tl.byCall)+n-g.real
}

// core returns the nodes that may lie on a cycle of data dependencies and real time together: what is left once every
// node without a predecessor has been taken away, again and again, and then every node without a successor. Nothing
// is left of a history that is strictly serializable.
func core(g *graph, tl *timeline) []int32 {
	gone, all := peel(g, tl, nil, nil)
	if all {
		return nil
	}
	return trim(g, tl, gone)
}

// trim takes away the nodes without a successor among those left, again and again, and returns the rest in order.
func trim(g *graph, tl *timeline, gone []bool) []int32 {
	n := g.nodes()
	in := make([]bool, n)
	for _, t := range tl.byCall {
		in[t] = !gone[t]
	}
	for h := g.real; h < n; h++ {
		in[h] = !gone[h]
	}
	var back edges
	outdegree := make([]int32, n)
	for t := range int32(n) {
		if !in[t] {
			continue
		}
		for _, a := range g.out(t) {
			if in[a.node()] {
				back.add(a.node(), t, a.edge())
				outdegree[t]++
			}
		}
	}
	b := back.graph(n, g.real)
	ended := make([]bool, n) // real time lets it go: nothing left was called after it had ended
	var queue []int32
	free := func(t int32) {
		ended[t] = true
		if in[t] && outdegree[t] == 0 {
			queue = append(queue, t)
		}
	}
	for t := range int32(n) {
		if in[t] && (int(t) >= g.real || tl.end[t] == endless) {
			free(t)
		}
	}
	c, e := len(tl.byCall)-1, len(tl.byEnd)-1
	for head := 0; ; {
		for c >= 0 && !in[tl.byCall[c]] {
			c--
		}
		for e >= 0 && (c < 0 || tl.end[tl.byEnd[e]] >= tl.call[tl.byCall[c]]) {
			free(tl.byEnd[e])
			e--
		}
		if head == len(queue) {
			break
		}
		for ; head < len(queue); head++ {
			t := queue[head]
			in[t] = false
			for _, a := range b.out(t) {
				if outdegree[a.node()]--; outdegree[a.node()] == 0 && ended[a.node()] {
					queue = append(queue, a.node())
				}
			}
		}
	}
	var left []int32
	for t := range int32(n) {
		if in[t] {
			left = append(left, t)
		}
	}
	return left
}
