package txn

import (
	"cmp"
	"slices"

	"faultlab/checker/history"
)

// A goal is a model of which it is not enough to look at the dependencies that are known: some order of each key's
// versions must keep a certain relation free of cycles (Cerone and Gotsman, "Analysing Snapshot Isolation", PODC 2016;
// Biswas and Enea 2019, who show that these are NP-complete).
type goal struct {
	model   string
	anomaly string
	shape   shape
	base    mask
	also    []string // models that are open if this one is
}

type shape int

const (
	anyWalk shape = iota // serializable: no cycle at all
	apart                // snapshot isolation: none in which no two rw edges are next to each other
	behind               // prefix consistency: none in which each rw edge follows a wr or process edge
	single               // parallel snapshot isolation: none with at most one rw edge
)

var goals = []goal{
	{"strict-serializable", "G2-item-realtime", anyWalk, maskOf(so, rt), nil},
	{"strong-session-serializable", "G2-item-process", anyWalk, maskOf(so), nil},
	{"serializable", "G2-item", anyWalk, 0, []string{"repeatable-read"}},
	{"strong-snapshot-isolation", "G-nonadjacent-item-realtime", apart, maskOf(so, rt), nil},
	{"strong-session-snapshot-isolation", "G-nonadjacent-item-process", apart, maskOf(so), nil},
	{"snapshot-isolation", "G-nonadjacent-item", apart, 0, nil},
	{"prefix", "prefix-violation", behind, maskOf(so), nil},
	{"parallel-snapshot-isolation", "G-single-item", single, 0, []string{"consistent-view"}},
}

// An answer is what a solver found out.
type answer int

const (
	unsure answer = iota
	possible
	impossible
)

// mostStates bounds the solver's matrix, and mostPairs what it has to decide.
const (
	mostStates = 4_000
	mostPairs  = 400_000
)

// A puzzle is a history whose known dependencies are a graph, and of which the order of some writes is open.
type puzzle struct {
	*compiled
	graph   *graph
	open    map[int32][]int32 // by key: its writes whose order is open
	readers map[int32][]int32 // by such a write: who read it
}

// A solver keeps the closure of the relation over the states of some transactions, and the pairs of writes whose order
// is open. Its states are as those of a level.
type solver struct {
	*puzzle
	goal   goal
	txns   []int32
	number map[int32]int32
	width  int // states of a transaction
	words  int
	reach  []uint64
	missed [][2]int32 // single: the rw edges
	pairs  [][2]int32 // writes of one key whose order is open
	steps  *int
}

// solve decides a goal for some transactions.
func (p *puzzle) solve(g goal, txns []int32, steps *int) answer {
	s := &solver{puzzle: p, goal: g, txns: txns, number: map[int32]int32{}, width: 1, steps: steps}
	if g.shape == apart || g.shape == behind {
		s.width = 2
	}
	states := s.width * len(txns)
	if states > mostStates {
		return unsure
	}
	for i, t := range txns {
		s.number[t] = int32(i)
	}
	s.words = (states + 63) / 64
	s.reach = make([]uint64, states*s.words)
	if !s.begin() {
		return impossible
	}
	return s.search()
}

// begin draws what is known and lists what is open. It returns false if that is a contradiction already.
func (s *solver) begin() bool {
	var es edges // between numbers of transactions
	var follow func(i, node int32, e edge)
	follow = func(i, node int32, e edge) {
		if int(node) < s.graph.real {
			if j, ok := s.number[node]; ok {
				es.add(i, j, e)
			}
			return
		}
		for _, a := range s.graph.out(node) {
			follow(i, a.node(), e)
		}
	}
	for i, t := range s.txns {
		for _, a := range s.graph.out(t) {
			if a.edge() != so || s.goal.base.has(so) {
				follow(int32(i), a.node(), a.edge())
			}
		}
		if s.goal.base.has(rt) && s.puzzle.txns[t].Outcome == history.OK {
			for j, u := range s.txns {
				if s.puzzle.txns[t].Return < s.puzzle.txns[u].Call {
					es.add(int32(i), int32(j), rt)
				}
			}
		}
	}
	if s.goal.base.has(so) {
		last := map[int32]int32{}
		ordered := slices.Clone(s.txns)
		slices.SortStableFunc(ordered, func(a, b int32) int { return cmp.Compare(s.puzzle.txns[a].Call, s.puzzle.txns[b].Call) })
		for _, t := range ordered {
			if p, ok := last[s.run[t]]; ok {
				es.add(s.number[p], s.number[t], so)
			}
			last[s.run[t]] = t
		}
	}
	if !s.close(&es) {
		return false
	}
	for k := range int32(len(s.keys.name)) {
		var ws []int32
		for _, w := range s.open[k] {
			if _, ok := s.number[s.writer[w]]; ok {
				ws = append(ws, w)
			}
		}
		for i := range ws {
			if len(s.pairs) > mostPairs {
				*s.steps = 0
				return true
			}
			for j := range i {
				s.pairs = append(s.pairs, [2]int32{ws[j], ws[i]})
			}
		}
	}
	return true
}

// close computes the closure of the first edges, backwards along a topological order; false if they have a cycle.
func (s *solver) close(es *edges) bool {
	states := len(s.txns) * s.width
	var steps edges
	for i, u := range es.from {
		a := es.arcs[i]
		if s.goal.shape == single && a.edge() == rw {
			s.missed = append(s.missed, [2]int32{u, a.node()})
			continue
		}
		s.moves(u, a.node(), a.edge(), func(from, to int32) { steps.add(from, to, ww) })
	}
	g := steps.graph(states, states)
	order, ok := g.sorted()
	if !ok {
		return false
	}
	for i := len(order) - 1; i >= 0; i-- {
		row := s.row(order[i])
		for _, a := range g.out(order[i]) {
			row[a.node()/64] |= 1 << (a.node() % 64)
			for w, bits := range s.row(a.node()) {
				row[w] |= bits
			}
		}
		*s.steps -= s.words
	}
	return s.single()
}

// single says that no rw edge of a parallel snapshot isolation goal is closed to a cycle.
func (s *solver) single() bool {
	for _, m := range s.missed {
		if s.reaches(m[1], m[0]) {
			return false
		}
	}
	return true
}

// moves calls do for each step between states that an edge stands for.
func (s *solver) moves(u, v int32, e edge, do func(from, to int32)) {
	switch s.goal.shape {
	case apart:
		do(2*u, 2*v+map[bool]int32{true: 1}[e == rw])
		if e != rw {
			do(2*u+1, 2*v)
		}
	case behind:
		switch e {
		case rw:
			do(2*u+1, 2*v)
		case ww:
			do(2*u, 2*v)
			do(2*u+1, 2*v)
		default:
			do(2*u, 2*v+1)
			do(2*u+1, 2*v+1)
		}
	default:
		do(u, v)
	}
}

func (s *solver) row(state int32) []uint64 {
	return s.reach[int(state)*s.words : (int(state)+1)*s.words]
}

func (s *solver) reaches(a, b int32) bool { return s.row(a)[b/64]>>(b%64)&1 == 1 }

// implied calls do for each edge that follows from write a coming before write b.
func (s *solver) implied(a, b int32, do func(u, v int32, e edge)) {
	v := s.number[s.writer[b]]
	do(s.number[s.writer[a]], v, ww)
	for _, reader := range s.readers[a] {
		if u, ok := s.number[reader]; ok && u != v {
			do(u, v, rw)
		}
	}
}

// clashes says that write a cannot come before write b.
func (s *solver) clashes(a, b int32) bool {
	clash := false
	s.implied(a, b, func(u, v int32, e edge) {
		*s.steps--
		if s.goal.shape == single && e == rw {
			clash = clash || s.reaches(v, u)
			return
		}
		s.moves(u, v, e, func(from, to int32) { clash = clash || s.reaches(to, from) })
	})
	return clash
}

// decide puts write a before write b. It returns false if that makes a cycle.
func (s *solver) decide(a, b int32) bool {
	ok := true
	s.implied(a, b, func(u, v int32, e edge) {
		if s.goal.shape == single && e == rw {
			s.missed = append(s.missed, [2]int32{u, v})
			return
		}
		s.moves(u, v, e, func(from, to int32) {
			if s.reaches(from, to) {
				return
			}
			if s.reaches(to, from) {
				ok = false
				return
			}
			target := s.row(to)
			for p := range int32(len(s.txns) * s.width) {
				if p != from && !s.reaches(p, from) {
					continue
				}
				row := s.row(p)
				row[to/64] |= 1 << (to % 64)
				for w, bits := range target {
					row[w] |= bits
				}
				*s.steps -= s.words
			}
		})
	})
	return ok && s.single()
}

// settle decides all pairs that can only be one way round, to a fixed point. It returns false on a contradiction.
func (s *solver) settle() bool {
	for changed := true; changed && *s.steps > 0; {
		changed = false
		open := s.pairs[:0:0]
		for _, p := range s.pairs {
			*s.steps--
			forward, backward := !s.clashes(p[0], p[1]), !s.clashes(p[1], p[0])
			switch {
			case forward && backward:
				open = append(open, p)
				continue
			case !forward && !backward:
				return false
			case forward:
				forward = s.decide(p[0], p[1])
			default:
				forward = s.decide(p[1], p[0])
			}
			if !forward {
				return false
			}
			changed = true
		}
		s.pairs = open
	}
	return true
}

// search settles, and then tries both ways of an open pair, first the way in which the transactions returned.
func (s *solver) search() answer {
	if !s.settle() {
		return impossible
	}
	if *s.steps <= 0 {
		return unsure
	}
	if len(s.pairs) == 0 {
		return possible
	}
	p := s.pairs[0]
	a, b := &s.puzzle.txns[s.writer[p[0]]], &s.puzzle.txns[s.writer[p[1]]]
	if a.Return > b.Return {
		p[0], p[1] = p[1], p[0]
	}
	try := *s
	try.reach, try.missed, try.pairs = slices.Clone(s.reach), slices.Clone(s.missed), slices.Clone(s.pairs[1:])
	*s.steps -= len(s.reach)
	first := impossible
	if try.decide(p[0], p[1]) {
		first = try.search()
	}
	if first != impossible {
		return first
	}
	s.pairs = s.pairs[1:]
	if !s.decide(p[1], p[0]) {
		return impossible
	}
	return s.search()
}
