package txn

import (
	"container/heap"
	"maps"
	"slices"
)

// A witness is an order in which transactions could have run one after the other, each reading what it did read. It is
// sought greedily: of the writers that may run the one with the earliest end runs next; a write waits until all who
// read the version before it have run, and, with zones, for the versions of which some use had ended before some use of
// its own began (Gibbons and Korach, "Testing Shared Memories", SIAM J. Comput. 1997). Where it gets stuck, because
// readers of a version wait for a write that waits for them, it goes back to before that version and puts the write
// first. An order that it completes proves the history serializable; getting stuck for good proves nothing.
type witness struct {
	r     *registers
	g     *graph
	base  mask
	tl    *timeline
	zones *zones

	indegree  []int32
	pending   []int32 // by version: how many of its readers have not run
	current   []int32 // by key: its version
	installed []bool  // by write
	gone      []bool
	called    []bool
	at        []int32           // by key: how far in the order of zones all is over
	after     map[int32][]int32 // guesses: who must run before a transaction
	tried     map[[2]int32]bool // guesses made, also those that were dropped
	waiting   map[int32][]int32 // by version, or -1-t for transaction t: who waits for it
	ready     readyHeap
	free      []int32

	back  *graph // g backwards, made when first needed
	log   []ran
	prev  []int32 // the versions that writes replaced, in the order of log
	where []int32 // by transaction: its place in log
	e, c  int     // how far byEnd has gone, how far byCall is free
}

// ran is what it takes to undo a step: how far time had come before it.
type ran struct {
	node int32
	e, c int
}

// witness looks for one in an order that contains a graph and, as the mask says, real time.
func (r *registers) witness(g *graph, base mask, tl *timeline, zones *zones) bool {
	n, W := len(r.txns), len(r.writer)
	w := &witness{r: r, g: g, base: base, tl: tl, zones: zones, indegree: make([]int32, g.nodes()), pending: make([]int32, W+len(r.keys.name)),
		current: make([]int32, len(r.keys.name)), installed: make([]bool, W), gone: make([]bool, g.nodes()), called: make([]bool, n),
		at: make([]int32, len(r.keys.name)), after: map[int32][]int32{}, tried: map[[2]int32]bool{}, waiting: map[int32][]int32{}, ready: readyHeap{end: tl.end}, where: make([]int32, g.nodes())}
	for _, a := range g.arcs {
		if a.edge() != so || base.has(so) {
			w.indegree[a.node()]++
		}
	}
	for i, from := range r.readFrom {
		if from != silent {
			w.pending[w.version(r.readKey[i], from)]++
		}
	}
	for k := range w.current {
		w.current[k] = int32(W + k)
	}
	for h := int32(n); int(h) < g.nodes(); h++ {
		if w.indegree[h] == 0 {
			w.free = append(w.free, h)
		}
	}
	return w.complete()
}

func (w *witness) version(k, from int32) int32 {
	if from == initial {
		return int32(len(w.r.writer)) + k
	}
	return from
}

func (w *witness) complete() bool {
	n := len(w.r.txns)
	back := 20 * (n + 100) // how many steps may be undone
	for {
		w.advance()
		switch {
		case len(w.free) > 0:
			t := w.free[len(w.free)-1]
			w.free = w.free[:len(w.free)-1]
			switch {
			case w.gone[t]:
			case int(t) >= n:
				w.run(t)
			case w.r.writeFirst[t] == w.r.writeFirst[t+1] && len(w.after[t]) == 0:
				if !w.sees(t) {
					return false
				}
				w.run(t)
			default:
				heap.Push(&w.ready, t)
			}
		case w.ready.Len() > 0:
			t := heap.Pop(&w.ready).(int32)
			if w.gone[t] || w.indegree[t] > 0 || !w.called[t] {
				continue
			}
			if v, stuck := w.blocked(t); stuck {
				w.waiting[v] = append(w.waiting[v], t)
				continue
			}
			if !w.sees(t) {
				return false
			}
			w.run(t)
		case len(w.log) == len(w.tl.byCall)+w.g.nodes()-n:
			return true
		default:
			to := w.guess()
			if back -= len(w.log) - to; to < 0 || back < 0 {
				return false
			}
			if to < len(w.log) {
				w.undo(to)
			}
		}
	}
}

// advance lets go those whom real time no longer holds.
func (w *witness) advance() {
	for w.e < len(w.tl.byEnd) && w.gone[w.tl.byEnd[w.e]] {
		w.e++
	}
	for w.c < len(w.tl.byCall) && (!w.base.has(rt) || w.e == len(w.tl.byEnd) || w.tl.call[w.tl.byCall[w.c]] <= w.tl.end[w.tl.byEnd[w.e]]) {
		t := w.tl.byCall[w.c]
		w.called[t] = true
		if w.indegree[t] == 0 {
			w.free = append(w.free, t)
		}
		w.c++
	}
}

func (w *witness) wake(v int32) {
	for _, t := range w.waiting[v] {
		heap.Push(&w.ready, t)
	}
	delete(w.waiting, v)
}

func (w *witness) run(t int32) {
	w.where[t] = int32(len(w.log))
	w.log = append(w.log, ran{t, w.e, w.c})
	w.gone[t] = true
	if int(t) < len(w.r.txns) {
		w.r.reads(t, func(_, k, from int32) {
			v := w.version(k, from)
			if w.pending[v]--; w.pending[v] <= 1 { // the last may be a writer that waits for itself
				w.wake(v)
			}
		})
		for _, v := range w.r.writes[w.r.writeFirst[t]:w.r.writeFirst[t+1]] {
			k := w.r.vs.key[v]
			w.prev = append(w.prev, w.current[k])
			w.current[k], w.installed[v] = v, true
			if w.pending[v] <= 1 {
				w.wake(v)
			}
		}
		w.wake(-1 - t)
	}
	for _, a := range w.g.out(t) {
		if a.edge() != so || w.base.has(so) {
			v := a.node()
			if w.indegree[v]--; w.indegree[v] == 0 && (int(v) >= len(w.r.txns) || w.called[v]) {
				w.free = append(w.free, v)
			}
		}
	}
}

// undo takes back all steps from number to on.
func (w *witness) undo(to int) {
	n := int32(len(w.r.txns))
	e, c := w.log[to].e, w.log[to].c
	for i := len(w.log) - 1; i >= to; i-- {
		t := w.log[i].node
		w.gone[t] = false
		for _, a := range w.g.out(t) {
			if a.edge() != so || w.base.has(so) {
				w.indegree[a.node()]++
			}
		}
		if t >= n {
			continue
		}
		ws := w.r.writes[w.r.writeFirst[t]:w.r.writeFirst[t+1]]
		for j := len(ws) - 1; j >= 0; j-- {
			k := w.r.vs.key[ws[j]]
			w.current[k], w.installed[ws[j]] = w.prev[len(w.prev)-1], false
			w.prev = w.prev[:len(w.prev)-1]
			w.rewind(ws[j])
		}
		w.r.reads(t, func(_, k, from int32) {
			w.pending[w.version(k, from)]++
			if from >= 0 {
				w.rewind(from)
			}
		})
	}
	var again []int32
	for _, r := range w.log[to:] {
		again = append(again, r.node)
	}
	w.log = w.log[:to]
	for w.e = e; w.c > c; w.c-- {
		w.called[w.tl.byCall[w.c-1]] = false
	}
	for _, ts := range w.waiting {
		again = append(again, ts...)
	}
	again = append(again, w.ready.of...)
	slices.Sort(again)
	clear(w.waiting)
	w.ready.of, w.free = w.ready.of[:0], w.free[:0]
	for _, t := range slices.Compact(again) {
		if !w.gone[t] && w.indegree[t] == 0 && (t >= n || w.called[t]) {
			w.free = append(w.free, t)
		}
	}
}

// rewind makes sure that a version is looked at again in the order of zones.
func (w *witness) rewind(v int32) {
	if w.zones != nil {
		k := w.r.vs.key[v]
		w.at[k] = min(w.at[k], w.zones.place[v])
	}
}

// guess finds a writer that waits for readers of a version, to be put before that version, and returns the step to go
// back to, or -1. It begins with the transaction that holds up real time and follows what each waits for. If that leads
// round in a circle through an earlier guess, that guess is dropped; if nowhere, it takes the writer with the least to
// undo.
func (w *witness) guess() int {
	waits := map[int32]int32{} // by transaction: what it waits for
	for _, v := range slices.Sorted(maps.Keys(w.waiting)) {
		for _, t := range w.waiting[v] {
			waits[t] = v
		}
	}
	seen := map[int32]bool{}
	early, late := int32(-1), int32(-1)
	for t := w.earliest(); t >= 0 && !seen[t]; {
		seen[t] = true
		v, ok := waits[t]
		switch {
		case !ok:
			t = w.unmet(t)
		case v < 0:
			early, late = -1-v, t
			t = early
		case int(v) >= len(w.r.writer):
			t = -1
		case !w.installed[v]:
			t = w.r.writer[v]
		case w.put(t, w.r.writer[v]):
			return int(w.where[w.r.writer[v]])
		default:
			t = w.reader(v, seen)
		}
	}
	if late >= 0 {
		w.after[late] = slices.DeleteFunc(w.after[late], func(t int32) bool { return t == early })
		w.wake(-1 - early)
		return len(w.log)
	}
	best, first, then := -1, int32(-1), int32(-1)
	for t, v := range waits {
		if v < 0 || int(v) >= len(w.r.writer) || !w.installed[v] {
			continue
		}
		u := w.r.writer[v]
		if at := int(w.where[u]); !w.guessed(t, u) && (at > best || at == best && t < first) {
			best, first, then = at, t, u
		}
	}
	if best >= 0 {
		w.put(first, then)
	}
	return best
}

// earliest returns the transaction with the earliest end that has not run.
func (w *witness) earliest() int32 {
	if w.e < len(w.tl.byEnd) {
		return w.tl.byEnd[w.e]
	}
	for _, t := range w.tl.byCall {
		if !w.gone[t] {
			return t
		}
	}
	return -1
}

// unmet returns a transaction that must run before one and has not, or -1.
func (w *witness) unmet(t int32) int32 {
	if w.back == nil {
		var es edges
		for n := range int32(w.g.nodes()) {
			for _, a := range w.g.out(n) {
				if a.edge() != so || w.base.has(so) {
					es.add(a.node(), n, a.edge())
				}
			}
		}
		back := es.graph(w.g.nodes(), w.g.real)
		w.back = &back
	}
	for _, a := range w.back.out(t) {
		if !w.gone[a.node()] {
			return a.node()
		}
	}
	return -1
}

// reader returns one who read a version and has not run, and is not among those seen; or -1.
func (w *witness) reader(v int32, seen map[int32]bool) int32 {
	for _, a := range w.g.out(w.r.writer[v]) {
		if t := a.node(); a.edge() == wr && !w.gone[t] && !seen[t] && w.r.readsFrom(t, v) {
			return t
		}
	}
	return -1
}

// guessed says that putting t before u has been tried, or the other way round, or that real time forbids it.
func (w *witness) guessed(t, u int32) bool {
	return w.base.has(rt) && w.tl.end[u] < w.tl.call[t] || w.tried[[2]int32{t, u}] || slices.Contains(w.after[t], u)
}

// put notes that t is to run before u; false if it has been tried, or the other way round.
func (w *witness) put(t, u int32) bool {
	if w.guessed(t, u) {
		return false
	}
	w.tried[[2]int32{t, u}] = true
	w.after[u] = append(w.after[u], t)
	return true
}

// blocked returns what a writer must wait for: a version, or -1-t for transaction t.
func (w *witness) blocked(t int32) (v int32, stuck bool) {
	for _, u := range w.after[t] {
		if !w.gone[u] {
			return -1 - u, true
		}
	}
	for _, x := range w.r.writes[w.r.writeFirst[t]:w.r.writeFirst[t+1]] {
		k := w.r.vs.key[x]
		left := w.pending[w.current[k]]
		w.r.reads(t, func(_, j, from int32) {
			if j == k && w.version(j, from) == w.current[k] {
				left--
			}
		})
		if left > 0 {
			return w.current[k], true
		}
		if w.zones == nil {
			continue
		}
		order := w.zones.of(k)
		for int(w.at[k]) < len(order) && w.installed[order[w.at[k]]] && w.pending[order[w.at[k]]] == 0 {
			w.at[k]++
		}
		for _, v := range order[w.at[k]:] {
			if w.zones.ended[v] >= w.zones.began[x] {
				break
			}
			over := w.installed[v] && (w.pending[v] == 0 || w.pending[v] == 1 && w.r.readsFrom(t, v))
			if v != x && !over {
				return v, true
			}
		}
	}
	return 0, false
}

// sees says that a transaction's reads are what the keys hold.
func (w *witness) sees(t int32) bool {
	ok := true
	w.r.reads(t, func(_, k, from int32) { ok = ok && w.current[k] == w.version(k, from) })
	return ok
}

// readsFrom says that a transaction read a version.
func (r *registers) readsFrom(t, v int32) bool {
	return slices.Contains(r.readFrom[r.readFirst[t]:r.readFirst[t+1]], v)
}

// zones say of each version when a use of it first ended and when one last began, and order each key's versions by the
// first.
type zones struct {
	ended, began []int64
	first        []int32 // by key: where its versions begin in order
	order        []int32
	place        []int32 // by version: its place among those of its key
}

func (z *zones) of(k int32) []int32 { return z.order[z.first[k]:z.first[k+1]] }

func (r *registers) zones(tl *timeline) *zones {
	z := &zones{ended: make([]int64, len(r.writer)), began: make([]int64, len(r.writer)), first: make([]int32, len(r.keys.name)+1), place: make([]int32, len(r.writer))}
	for w, t := range r.writer {
		z.ended[w], z.began[w] = tl.end[t], tl.call[t]
	}
	r.eachRead(func(t, _, from int32) {
		if from >= 0 {
			z.ended[from], z.began[from] = min(z.ended[from], tl.end[t]), max(z.began[from], tl.call[t])
		}
	})
	z.order = slices.Clone(r.writes)
	radix(z.order, func(w int32) int64 { return z.ended[w] })
	radix(z.order, func(w int32) int64 { return int64(r.vs.key[w]) })
	for _, w := range z.order {
		z.first[r.vs.key[w]+1]++
	}
	for k := 1; k < len(z.first); k++ {
		z.first[k] += z.first[k-1]
	}
	for i, w := range z.order {
		z.place[w] = int32(i) - z.first[r.vs.key[w]]
	}
	return z
}

// readyHeap holds writers, the one that returned first on top.
type readyHeap struct {
	end []int64
	of  []int32
}

func (h *readyHeap) Len() int { return len(h.of) }
func (h *readyHeap) Less(i, j int) bool {
	a, b := h.of[i], h.of[j]
	return h.end[a] < h.end[b] || h.end[a] == h.end[b] && a < b
}
func (h *readyHeap) Swap(i, j int) { h.of[i], h.of[j] = h.of[j], h.of[i] }
func (h *readyHeap) Push(x any)    { h.of = append(h.of, x.(int32)) }
func (h *readyHeap) Pop() any {
	x := h.of[len(h.of)-1]
	h.of = h.of[:len(h.of)-1]
	return x
}
