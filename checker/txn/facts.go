package txn

import (
	"math"
	"slices"
)

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

	// rank is a write's place in the known order of its key's versions, -1 if it has none; writes of one rank are in any
	// order. It is nil where no order is known and orders have to be found.
	rank func(w int32) int32
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
			if op.Kind != Read || !l.known(t, op) || l.again(t, f) {
				continue
			}
			k := l.key[f]
			from := initial
			n := l.places(k, len(op.List))
			if l.ownBefore(f) {
				n = l.before(t, f)
			}
			switch {
			case l.isStray(f, op):
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
	x.rank = func(w int32) int32 {
		switch {
		case l.astray[w]:
			return -1
		case l.place[w] >= 0:
			return l.place[w]
		}
		// No read holds it, so it came after all that reads hold; and if they hold an earlier one of its transaction's,
		// then all of the transaction came before those of which they hold nothing.
		for p := l.prev[l.wop[w]]; p >= 0; p = l.prev[p] {
			if v := l.write[p]; v >= 0 && l.place[v] >= 0 {
				return math.MaxInt32 - 1
			}
		}
		return math.MaxInt32
	}
	return x
}

// again says that a read returned what its transaction's read before it did. It is then no new sight of what others
// wrote (axiom INT of Cerone, Bernardi and Gotsman 2015).
func (l *lists) again(t, f int32) bool {
	for p := l.prev[f]; p >= 0 && l.write[p] < 0; p = l.prev[p] {
		if op := l.op(p, t); l.known(t, op) {
			return slices.Equal(op.List, l.op(f, t).List)
		}
	}
	return false
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
