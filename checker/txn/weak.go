package txn

import (
	"fmt"
	"slices"
	"strings"
)

// weak judges the models below snapshot isolation that cycles of dependencies do not: monotonic atomic view, read
// atomic, causal and prefix consistency and the session guarantees. Each is a set of demands "this version comes before
// that one" (Biswas and Enea, "On the Complexity of Checking Transactional Consistency", OOPSLA 2019), and holds if the
// demands contradict neither each other nor the order that is known.
func (f *findings) weak(x *facts) {
	f.demanding(x, "receding-read", x.wrBase(false), x.receding(false))
	if f.counts["receding-read"] == 0 {
		f.demanding(x, "fractured-read", x.wrBase(false), x.receding(true))
	}
	if !f.breaks("causal") {
		demands, ok := x.causal()
		if !ok {
			f.leave("causal", fmt.Sprintf("causal consistency: %d transactions in %d sessions are too many to follow", len(x.txns), x.runs()))
		}
		f.demanding(x, "causal-violation", x.wrBase(true), demands)
	}
	if f.breaks("causal") || slices.Contains(f.open, "causal") {
		own, reads, writes := x.ownWrites(), x.monotonicReads(), x.monotonicWrites()
		f.demanding(x, "read-your-writes-violation", nil, own)
		f.demanding(x, "monotonic-reads-violation", nil, reads)
		f.demanding(x, "monotonic-writes-violation", nil, writes)
		if !f.breaks("pram") { // each can stand without the others, by another order of versions
			f.demanding(x, "pram-violation", nil, slices.Concat(own, reads, writes))
		}
		f.demanding(x, "writes-follow-reads-violation", nil, x.writesFollowReads())
	}
}

// breaks says that what was found rules out a model.
func (f *findings) breaks(model string) bool {
	return len(f.counts) > 0 && slices.Contains(brokenBy(f.names()), model)
}

// leave notes that a model could not be judged.
func (f *findings) leave(model, why string) {
	f.open = append(f.open, model)
	if f.rested == "" {
		f.rested = why
	}
}

// demanding reports an anomaly if demands contradict.
func (f *findings) demanding(x *facts, name string, base *edges, demands []demand) {
	core := x.holdsUp(demands, base)
	if core == nil {
		return
	}
	f.add(name, func() Anomaly {
		var txns []int32
		var words []string
		for _, d := range core {
			words = append(words, x.sayDemand(d))
			txns = append(txns, x.writer[d.first], d.reader)
			if d.then >= 0 {
				txns = append(txns, x.writer[d.then])
			}
			txns = append(txns, d.path...)
		}
		words = slices.Compact(words)
		if len(core) > 1 {
			words = append(words, "these cannot all be")
		}
		return x.anomaly(strings.Join(words, "; "), txns...)
	})
}

func (x *facts) sayDemand(d demand) string {
	key := x.keys.name[x.vs.key[d.first]]
	var way []string
	for _, t := range d.path {
		way = append(way, x.name(t))
	}
	through := ""
	if len(way) > 0 {
		through = " (through " + strings.Join(way, ", ") + ")"
	}
	who, from := x.name(d.reader), x.name(x.writer[d.first])
	if d.then == initial {
		return fmt.Sprintf("%s saw %s as nobody had written it, after %s%s, which wrote %d to it", who, key, from, through, x.vs.value[d.first])
	}
	if x.writer[d.then] == d.reader {
		return fmt.Sprintf("%s wrote %d to %s after %s%s had written %d", who, x.vs.value[d.then], key, from, through, x.vs.value[d.first])
	}
	return fmt.Sprintf("%s saw %s's %d in %s after %s%s, which wrote %d to it: %d must be the older", who, x.name(x.writer[d.then]), x.vs.value[d.then], key, from, through,
		x.vs.value[d.first], x.vs.value[d.first])
}

// wrBase returns who read from whom, and with sessions also their order. For lists the order of versions, which cycles
// hold against it, is known, and nothing is returned.
func (x *facts) wrBase(sessions bool) *edges {
	if x.before != nil {
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
					demands = append(demands, demand{first: w, then: then, reader: t})
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
					demands = append(demands, demand{first: w, then: from, reader: t})
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
				demands = append(demands, demand{first: from, then: h.writes[at], reader: t})
			}
		}
	})
	return demands, true
}

// ownWrites demands that a transaction sees what its session wrote before.
func (x *facts) ownWrites() []demand {
	c := x.chains()
	var demands []demand
	x.eachRead(func(t, k, from int32) {
		for i := range c.byKey[k] {
			if h := &c.byKey[k][i]; h.run == x.run[t] {
				demands = append(demands, x.allBefore(h, c.place[t], from, t)...)
			}
		}
	})
	return demands
}

// allBefore demands that all writes of a run before number n come before what a reader saw.
func (x *facts) allBefore(h *chain, n, from, reader int32, path ...int32) []demand {
	var demands []demand
	end, _ := slices.BinarySearch(h.at, n)
	for _, w := range h.writes[:end] {
		if w != from && (from < 0 || x.writer[w] != x.writer[from]) {
			demands = append(demands, demand{first: w, then: from, reader: reader, path: path})
		}
	}
	return demands
}

func (x *facts) eachRead(do func(t, k, from int32)) {
	for t := range int32(len(x.txns)) {
		if x.in[t] {
			x.reads(t, func(_, k, from int32) { do(t, k, from) })
		}
	}
}

// A sight is a version that a session knew of, because transaction u of it, number n of its run, had read from the
// transaction that wrote it.
type sight struct {
	write, u, n int32
}

// sights are what each session run knew of each key, in its order.
type sights map[[2]int32][]sight

// sights goes through the sessions. Where the order of versions is known only the newest of each moment is kept.
func (x *facts) sights(place []int32) sights {
	known := sights{}
	for _, t := range x.byCall() {
		r := x.run[t]
		if r < 0 || !x.in[t] {
			continue
		}
		x.reads(t, func(_, _, from int32) {
			if from < 0 {
				return
			}
			s := x.writer[from]
			for _, w := range x.writes[x.writeFirst[s]:x.writeFirst[s+1]] {
				at := [2]int32{r, x.vs.key[w]}
				list := known[at]
				if len(list) > 0 && (list[len(list)-1].write == w || x.before != nil && x.before(w, list[len(list)-1].write)) {
					continue
				}
				known[at] = append(list, sight{w, t, place[t]})
			}
		})
	}
	return known
}

// upTo calls do for what a run knew of a key by the time of its transaction number n, that one included; where the
// order of versions is known, for the newest alone.
func (x *facts) upTo(known sights, run, k, n int32, do func(s sight)) {
	list := known[[2]int32{run, k}]
	end, _ := slices.BinarySearchFunc(list, n+1, func(s sight, n int32) int { return int(s.n - n) })
	list = list[:end]
	if x.before != nil && end > 0 {
		list = list[end-1:]
	}
	for _, s := range list {
		do(s)
	}
}

// monotonicReads demands that a transaction sees what transactions of its session have read from.
func (x *facts) monotonicReads() []demand {
	var demands []demand
	place := x.chains().place
	known := x.sights(place)
	x.eachRead(func(t, k, from int32) {
		x.upTo(known, x.run[t], k, place[t]-1, func(s sight) {
			if s.write != from && x.writer[s.write] != t && (from < 0 || x.writer[from] != x.writer[s.write]) {
				demands = append(demands, demand{first: s.write, then: from, reader: t, path: []int32{s.u}})
			}
		})
	})
	return demands
}

// monotonicWrites demands that the writes of one session to a key are in its order, and that who reads from a session
// sees what it wrote before.
func (x *facts) monotonicWrites() []demand {
	c := x.chains()
	var demands []demand
	for _, chains := range c.byKey {
		for i := range chains {
			for j := 1; j < len(chains[i].writes); j++ {
				demands = append(demands, demand{first: chains[i].writes[j-1], then: chains[i].writes[j], reader: x.writer[chains[i].writes[j]]})
			}
		}
	}
	for t := range int32(len(x.txns)) {
		if !x.in[t] {
			continue
		}
		x.reads(t, func(_, _, seen int32) {
			if seen < 0 || x.writer[seen] == t || !x.in[x.writer[seen]] {
				return
			}
			s := x.writer[seen]
			x.reads(t, func(_, k, from int32) {
				for i := range c.byKey[k] {
					if h := &c.byKey[k][i]; h.run == x.run[s] {
						if w := h.last(c.place[s] - 1); w >= 0 && w != from && x.writer[w] != t && (from < 0 || x.writer[w] != x.writer[from]) {
							demands = append(demands, demand{first: w, then: from, reader: t, path: []int32{s}})
						}
					}
				}
			})
		})
	}
	return demands
}

// writesFollowReads demands that what a session wrote comes after what it had read, in the order of each key and for
// all who read from it.
func (x *facts) writesFollowReads() []demand {
	var demands []demand
	place := x.chains().place
	known := x.sights(place)
	for t := range int32(len(x.txns)) {
		if !x.in[t] {
			continue
		}
		for _, v := range x.writes[x.writeFirst[t]:x.writeFirst[t+1]] {
			x.upTo(known, x.run[t], x.vs.key[v], place[t], func(s sight) {
				if s.write != v {
					demands = append(demands, demand{first: s.write, then: v, reader: t, path: []int32{s.u}})
				}
			})
		}
		x.reads(t, func(_, _, seen int32) {
			if seen < 0 || x.writer[seen] == t || !x.in[x.writer[seen]] {
				return
			}
			by := x.writer[seen]
			x.reads(t, func(_, k, from int32) {
				x.upTo(known, x.run[by], k, place[by], func(s sight) {
					if s.write != from && x.writer[s.write] != t && x.writer[s.write] != by && (from < 0 || x.writer[from] != x.writer[s.write]) {
						demands = append(demands, demand{first: s.write, then: from, reader: t, path: []int32{s.u, by}})
					}
				})
			})
		})
	}
	return demands
}
