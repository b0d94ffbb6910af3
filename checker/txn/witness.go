package txn

import (
	"container/heap"
	"slices"
)

// witness tries to run the transactions one after the other so that each reads what it did read, in an order that
// contains the known dependencies and, as the mask says, sessions and real time. It is greedy: of the writers that may
// run it takes the one that returned first, and a write waits until all who read the version before it have run; with
// zones it also waits for the versions of which some use had ended before some use of its own began (Gibbons and
// Korach, "Testing Shared Memories", SIAM J. Comput. 1997). True proves the history serializable; false proves nothing.
func (r *registers) witness(base mask, tl *timeline, zones *zones) bool {
	n := len(r.txns)
	g := &r.graph
	indegree := make([]int32, g.nodes())
	for _, a := range g.arcs {
		if a.edge() != so || base.has(so) {
			indegree[a.node()]++
		}
	}
	var next []int32 // by transaction: the one after it in its session
	if base.has(so) && !base.has(rt) {
		next = make([]int32, n)
		for t := range next {
			next[t] = -1
		}
		r.eachSession(func(u, v int32) {
			next[u] = v
			indegree[v]++
		})
	}
	W := int32(len(r.writer))
	version := func(k, from int32) int32 {
		if from == initial {
			return W + k
		}
		return from
	}
	pending := make([]int32, int(W)+len(r.keys.name)) // by version: how many of its readers have not run
	for i, from := range r.readFrom {
		if from != silent {
			pending[version(r.readKey[i], from)]++
		}
	}
	current := make([]int32, len(r.keys.name)) // by key: its version
	for k := range current {
		current[k] = W + int32(k)
	}
	waiting := map[int32][]int32{} // by version: writers that wait for its readers
	ready := &readyHeap{end: tl.end}
	installed := make([]bool, W)
	at := make([]int32, len(r.keys.name)) // by key: how far in the order of zones all is over
	wake := func(v int32) {
		for _, w := range waiting[v] {
			heap.Push(ready, w)
		}
		delete(waiting, v)
	}
	gone, called := make([]bool, g.nodes()), make([]bool, n)
	var free []int32
	release := func(v int32) {
		if indegree[v]--; indegree[v] > 0 {
			return
		}
		if int(v) >= n || called[v] {
			free = append(free, v)
		}
	}
	for h := int32(n); int(h) < g.nodes(); h++ {
		if indegree[h] == 0 {
			free = append(free, h)
		}
	}
	run := func(t int32) {
		gone[t] = true
		if int(t) < n {
			r.reads(t, func(_, k, from int32) {
				v := version(k, from)
				if pending[v]--; pending[v] <= 1 { // the last may be a writer that waits for itself
					wake(v)
				}
			})
			for _, w := range r.writes[r.writeFirst[t]:r.writeFirst[t+1]] {
				current[r.vs.key[w]] = w
				installed[w] = true
				if pending[w] <= 1 {
					wake(w)
				}
			}
			if next != nil && next[t] >= 0 {
				release(next[t])
			}
		}
		for _, a := range g.out(t) {
			if a.edge() != so || base.has(so) {
				release(a.node())
			}
		}
	}
	// blocked returns a version whose readers a writer must wait for, or -1.
	blocked := func(t int32) int32 {
		for _, w := range r.writes[r.writeFirst[t]:r.writeFirst[t+1]] {
			k := r.vs.key[w]
			left := pending[current[k]]
			r.reads(t, func(_, j, from int32) {
				if j == k && version(j, from) == current[k] {
					left--
				}
			})
			if left > 0 {
				return current[k]
			}
			if zones == nil {
				continue
			}
			order := zones.of(k)
			over := func(v int32) bool {
				return installed[v] && (pending[v] == 0 || pending[v] == 1 && r.readsFrom(t, v))
			}
			for int(at[k]) < len(order) && installed[order[at[k]]] && pending[order[at[k]]] == 0 {
				at[k]++
			}
			for _, v := range order[at[k]:] {
				if zones.ended[v] >= zones.began[w] {
					break
				}
				if v != w && !over(v) {
					return v
				}
			}
		}
		return -1
	}
	e, c, done := 0, 0, 0
	for {
		for e < len(tl.byEnd) && gone[tl.byEnd[e]] {
			e++
		}
		for c < len(tl.byCall) && (!base.has(rt) || e == len(tl.byEnd) || tl.call[tl.byCall[c]] <= tl.end[tl.byEnd[e]]) {
			t := tl.byCall[c]
			called[t] = true
			if indegree[t] == 0 {
				free = append(free, t)
			}
			c++
		}
		switch {
		case len(free) > 0:
			t := free[len(free)-1]
			free = free[:len(free)-1]
			if int(t) >= n || r.writeFirst[t] == r.writeFirst[t+1] {
				if int(t) < n && !r.sees(t, current, version) {
					return false
				}
				run(t)
				if int(t) < n {
					done++
				}
			} else {
				heap.Push(ready, t)
			}
		case ready.Len() > 0:
			t := heap.Pop(ready).(int32)
			if v := blocked(t); v >= 0 {
				waiting[v] = append(waiting[v], t)
				continue
			}
			if !r.sees(t, current, version) {
				return false
			}
			run(t)
			done++
		default:
			return done == len(tl.byCall)
		}
	}
}

// readsFrom says that a transaction read a version.
func (r *registers) readsFrom(t, v int32) bool {
	return slices.Contains(r.readFrom[r.readFirst[t]:r.readFirst[t+1]], v)
}

// zones say of each version when a use of it first ended and when one last began, and order each key's versions by the
// first.
type zones struct {
	ended, began []int64
	first        []int32
	order        []int32
}

func (z *zones) of(k int32) []int32 { return z.order[z.first[k]:z.first[k+1]] }

func (r *registers) zones(tl *timeline) *zones {
	z := &zones{ended: make([]int64, len(r.writer)), began: make([]int64, len(r.writer)), first: make([]int32, len(r.keys.name)+1)}
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
	return z
}

// sees says that a transaction's reads are what the keys hold.
func (r *registers) sees(t int32, current []int32, version func(k, from int32) int32) bool {
	ok := true
	r.reads(t, func(_, k, from int32) { ok = ok && current[k] == version(k, from) })
	return ok
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
