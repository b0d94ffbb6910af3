package txn

import (
	"fmt"
	"slices"
)

// weak judges the models below snapshot isolation that cycles of dependencies do not: monotonic atomic view, read
// atomic, causal and prefix consistency and the session guarantees. Each is a set of demands "this version comes before
// that one" (Biswas and Enea, "On the Complexity of Checking Transactional Consistency", OOPSLA 2019), and holds if the
// demands contradict neither each other nor the order that is known.
func (f *findings) weak(x *facts) {
	reads, sessions := func() graph { return x.flow(false) }, func() graph { return x.flow(true) }
	f.demanding(x, "receding-read", x.wrBase(false), x.receding(false), reads)
	if f.counts["receding-read"] == 0 {
		f.demanding(x, "fractured-read", x.wrBase(false), x.receding(true), reads)
	}
	if !f.breaks("causal") || f.sought("causal-violation") {
		demands, ok := x.causal()
		if !ok {
			f.leave("causal", "causal-violation", fmt.Sprintf("causal consistency: %d transactions in %d sessions are too many to follow", len(x.txns), x.runs()))
		}
		f.demanding(x, "causal-violation", x.wrBase(true), demands, sessions)
	}
	if f.breaks("causal") || slices.Contains(f.open, "causal") {
		s := x.sessionRows()
		own, reads, writes := s.ownWrites(), s.monotonicReads(), s.monotonicWrites()
		f.demanding(x, "read-your-writes-violation", nil, own, sessions)
		f.demanding(x, "monotonic-reads-violation", nil, reads, sessions)
		f.demanding(x, "monotonic-writes-violation", nil, writes, sessions)
		if !f.has("pram-violation") { // each can stand without the others, by another order of versions
			f.demanding(x, "pram-violation", nil, slices.Concat(own, reads, writes), sessions)
		}
		f.demanding(x, "writes-follow-reads-violation", nil, s.writesFollowReads(), sessions)
	}
}

// has says that an anomaly, or one that implies it, was found.
func (f *findings) has(name string) bool {
	return slices.ContainsFunc(f.names(), func(found string) bool { return implies(found, name) })
}

// breaks says that what was found rules out a model.
func (f *findings) breaks(model string) bool {
	return len(f.counts) > 0 && slices.Contains(brokenBy(f.names()), model)
}

// sought says that an anomaly was asked for by name and not found so far. It is looked for then even where the models
// that forbid it are known to be broken.
func (f *findings) sought(name string) bool {
	return len(f.opts.Anomalies) > 0 && f.opts.explicit()[name] && !f.has(name)
}

// leave notes that a model could not be judged, since nobody knows whether an anomaly occurred.
func (f *findings) leave(model, anomaly, why string) {
	f.open = append(f.open, model)
	f.perhaps = append(f.perhaps, anomaly)
	if f.rested == "" {
		f.rested = why
	}
}

// wrBase returns who read from whom, and with sessions also their order. For lists the order of versions, which cycles
// hold against it, is known, and nothing is returned.
func (x *facts) wrBase(sessions bool) *edges {
	if x.rank != nil {
		return nil
	}
	var es edges
	for t := range int32(len(x.txns)) {
		if x.in[t] {
			x.reads(t, func(_, _, from int32) {
				if from >= 0 && x.writer[from] != t {
					es.add(x.writer[from], t, wr)
				}
			})
		}
	}
	if sessions {
		x.eachSession(func(u, v int32) { es.add(u, v, so) })
	}
	return &es
}

// receding demands that a transaction that has read from another sees all that the other wrote from then on; with
// any, in all its reads.
func (x *facts) receding(any bool) []demand {
	var demands []demand
	for t := range int32(len(x.txns)) {
		if !x.in[t] {
			continue
		}
		x.reads(t, func(i, _, from int32) {
			if from < 0 || x.writer[from] == t {
				return
			}
			x.reads(t, func(j, k, then int32) {
				if j == i || j < i && !any {
					return
				}
				if w := x.wrote(x.writer[from], k); w >= 0 && w != then && (then < 0 || x.writer[then] != x.writer[w]) {
					demands = append(demands, wants(w, then, t))
				}
			})
		})
	}
	return demands
}

// runs returns the number of session runs.
func (x *facts) runs() int {
	n := int32(0)
	for _, r := range x.run {
		n = max(n, r+1)
	}
	return int(n)
}

// chains are the writes of each key, by session run and in its order.
type chains struct {
	place []int32 // by transaction: its number in its run
	byKey [][]chain
}

type chain struct {
	run    int32
	at     []int32 // numbers in the run
	writes []int32
}

func (x *facts) chains() chains {
	c := chains{place: make([]int32, len(x.txns)), byKey: make([][]chain, len(x.keys.name))}
	next := make([]int32, x.runs())
	for _, t := range x.byCall() {
		r := x.run[t]
		if r < 0 || !x.in[t] {
			continue
		}
		c.place[t] = next[r]
		next[r]++
		for _, w := range x.writes[x.writeFirst[t]:x.writeFirst[t+1]] {
			k := x.vs.key[w]
			i := slices.IndexFunc(c.byKey[k], func(h chain) bool { return h.run == r })
			if i < 0 {
				i = len(c.byKey[k])
				c.byKey[k] = append(c.byKey[k], chain{run: r})
			}
			h := &c.byKey[k][i]
			h.at, h.writes = append(h.at, c.place[t]), append(h.writes, w)
		}
	}
	return c
}

// last returns the last write of a chain by a transaction numbered at most n, or -1.
func (h *chain) last(n int32) int32 {
	i, _ := slices.BinarySearch(h.at, n+1)
	if i == 0 {
		return -1
	}
	return h.writes[i-1]
}

// mostClocks bounds the memory of causal: transactions times sessions.
const mostClocks = 400_000_000

// causal demands that a transaction sees, of each key it reads, nothing older than what led to it through sessions and
// reads. ok is false if there are too many to follow.
func (x *facts) causal() (demands []demand, ok bool) {
	g := x.flow(true)
	return x.led(&g, false, false)
}

// led demands that a transaction sees, of each key it reads, nothing older than what led to it along a graph, which
// contains sessions, and with timed through real time. Clocks tell what led to it: for each session run, how far it had
// come. Of each run only the last write counts, as sessions order the others before it, and none that had also led to
// the version that was read, so the work is transactions times sessions (after "AWDIT: An Optimal Weak Database
// Isolation Tester", PLDI 2025). With missed it also returns, as demands with the reader's version first, the writes that
// the version read led to: they come after the reader.
func (x *facts) led(g *graph, timed, missed bool) (demands []demand, ok bool) {
	runs, nodes := x.runs(), 0
	number := make([]int32, g.nodes()) // of those that need a clock; 0 is one that stands still
	for t := range number {
		if t >= len(x.txns) || x.in[t] {
			nodes++
			number[t] = int32(nodes)
		}
	}
	if nodes*runs > mostClocks {
		return nil, false
	}
	c := x.chains()
	clock := make([]int32, (nodes+1)*runs)
	of := func(t int32) []int32 { return clock[int(number[t])*runs : (int(number[t])+1)*runs] }
	tl := x.timeline()
	now := make([]int32, runs) // what had ended by the call that was reached
	join := func(theirs []int32, t int32) {
		for r, n := range of(t) {
			if n > theirs[r] {
				theirs[r] = n
			}
		}
		if int(t) < g.real {
			theirs[x.run[t]] = max(theirs[x.run[t]], c.place[t]+1)
		}
	}
	ended := 0
	called := func(t int32) {
		if !timed {
			return
		}
		for ; ended < len(tl.byEnd) && tl.end[tl.byEnd[ended]] < tl.call[t]; ended++ {
			join(now, tl.byEnd[ended])
		}
		mine := of(t)
		for r, n := range now {
			mine[r] = max(mine[r], n)
		}
	}
	visit := func(t int32) {
		if int(t) < g.real {
			mine := of(t)
			x.reads(t, func(_, k, from int32) {
				for i := range c.byKey[k] {
					h := &c.byKey[k][i]
					if mine[h.run] == 0 {
						continue
					}
					w := h.last(mine[h.run] - 1)
					if w < 0 || w == from || from >= 0 && (x.writer[w] == x.writer[from] || of(x.writer[from])[h.run] > c.place[x.writer[w]]) {
						continue
					}
					demands = append(demands, wants(w, from, t))
				}
			})
		}
		for _, a := range g.out(t) {
			join(of(a.node()), t)
		}
	}
	order := *tl
	if !timed {
		order.byEnd = nil
	}
	if !inOrder(g, &order, called, visit) {
		return nil, true // a cycle of its own
	}
	if !missed {
		return demands, true
	}
	x.eachRead(func(t, k, from int32) {
		if from < 0 {
			return
		}
		u := x.writer[from]
		for i := range c.byKey[k] {
			h := &c.byKey[k][i]
			at, _ := slices.BinarySearchFunc(h.writes, c.place[u], func(w, place int32) int {
				if w == from || of(x.writer[w])[x.run[u]] <= place {
					return -1
				}
				return 1
			})
			if at < len(h.writes) && x.writer[h.writes[at]] == t {
				at++
			}
			if at == len(h.writes) {
				continue
			}
			if v := x.writer[h.writes[at]]; of(v)[x.run[t]] <= c.place[t] {
				demands = append(demands, wants(from, h.writes[at], t))
			}
		}
	})
	return demands, true
}

func (x *facts) eachRead(do func(t, k, from int32)) {
	for t := range int32(len(x.txns)) {
		if x.in[t] {
			x.reads(t, func(_, k, from int32) { do(t, k, from) })
		}
	}
}
