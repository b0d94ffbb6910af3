package linear

import (
	"slices"
	"sort"
	"time"

	"faultlab/checker/history"
)

// recent is what operations rest on in a model that overwrites: of those that give a thing, only what can have come
// last before. Given w, m and r, where w was over before m began and m before r did, and m replaces whatever there was,
// r cannot rest on w. If that leaves nobody who gives the thing, the one called last before stands for it, or else the
// first after: so that what is said of a value that was there once, or came later, is true.
type recent struct {
	ops      []Op
	needs    [][]int32
	known    []givers        // of each thing, those that returned
	open     [][]int32       // of each thing, the unknown ones, in the order of Call
	replaced []time.Duration // of each operation, when the latest was called of those that replaced the state before it
	rests    [][]int32       // of each operation, once asked
	feeds    map[int][]int   // the inverse, in the set that is being made smaller
	within   []int           // that set
}

// givers are operations in the order of Call.
type givers struct {
	ops   []int32
	until []time.Duration // when the last of this one and those before it ended
}

func newRecent(ops []Op, gives, by, needs [][]int32) *recent {
	r := &recent{ops: ops, needs: needs, known: make([]givers, len(by)), open: make([][]int32, len(by)), rests: make([][]int32, len(ops))}
	for t, all := range by {
		g, until := &r.known[t], always
		for _, x := range all {
			if ops[x].Outcome == history.Unknown {
				r.open[t] = append(r.open[t], x)
				continue
			}
			until = max(until, end(&ops[x]))
			g.ops, g.until = append(g.ops, x), append(g.until, until)
		}
	}

	var byEnd []int32
	for i := range ops {
		// Without an answer, one that rests on something may not have been done.
		if ops[i].Outcome != history.Unknown && len(gives[i]) > 0 && (ops[i].Out != nil || len(needs[i]) == 0) {
			byEnd = append(byEnd, int32(i))
		}
	}
	slices.SortFunc(byEnd, func(a, b int32) int {
		if d := end(&ops[a]) - end(&ops[b]); d != 0 {
			return sign(d)
		}
		return int(a - b)
	})
	r.replaced = make([]time.Duration, len(ops))
	latest, next := always, 0
	for i := range ops {
		for ; next < len(byEnd) && end(&ops[byEnd[next]]) < ops[i].Call; next++ {
			latest = max(latest, ops[byEnd[next]].Call)
		}
		r.replaced[i] = latest
	}
	return r
}

// on is the operations that x may rest on.
func (r *recent) on(x int) []int32 {
	if r.rests[x] != nil || len(r.needs[x]) == 0 {
		return r.rests[x]
	}
	over := never
	if r.ops[x].Outcome != history.Unknown {
		over = end(&r.ops[x])
	}
	all := []int32{}
	for _, t := range r.needs[x] {
		before := len(all)
		for _, g := range r.open[t] {
			if r.ops[g].Call <= over && int(g) != x {
				all = append(all, g)
			}
		}
		known := r.known[t]
		n := sort.Search(len(known.ops), func(i int) bool { return r.ops[known.ops[i]].Call > over })
		for i := n - 1; i >= 0 && known.until[i] >= r.replaced[x]; i-- {
			if g := known.ops[i]; int(g) != x && end(&r.ops[g]) >= r.replaced[x] {
				all = append(all, g)
			}
		}
		if len(all) == before && len(known.ops) > 0 {
			if g := known.ops[max(n-1, 0)]; int(g) != x {
				all = append(all, g)
			}
		}
	}
	r.rests[x] = all
	return all
}

func (r *recent) closure(set []int) []bool {
	in := make([]bool, len(r.ops))
	for _, x := range set {
		in[x] = true
	}
	for queue := slices.Clone(set); len(queue) > 0; {
		x := queue[len(queue)-1]
		queue = queue[:len(queue)-1]
		for _, g := range r.on(x) {
			if !in[g] {
				in[g] = true
				queue = append(queue, int(g))
			}
		}
	}
	return in
}

// without is the operations of a piece of a set, and those of the set that rest on them.
func (r *recent) without(set, piece []int) map[int]bool {
	if !subset(set, r.within) {
		r.within, r.feeds = slices.Clone(set), map[int][]int{}
		for _, x := range set {
			for _, g := range r.on(x) {
				r.feeds[int(g)] = append(r.feeds[int(g)], x)
			}
		}
	}
	out := map[int]bool{}
	for _, x := range piece {
		out[x] = true
	}
	for queue := slices.Clone(piece); len(queue) > 0; {
		x := queue[len(queue)-1]
		queue = queue[:len(queue)-1]
		for _, d := range r.feeds[x] {
			if !out[d] {
				out[d] = true
				queue = append(queue, d)
			}
		}
	}
	return out
}

// subset says whether all of a, in order, is in b.
func subset(a, b []int) bool {
	for _, x := range a {
		if _, ok := slices.BinarySearch(b, x); !ok {
			return false
		}
	}
	return len(a) > 0
}
