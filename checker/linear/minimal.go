package linear

import (
	"slices"
	"sort"
	"time"

	"faultlab/checker/history"
)

// minimalSteps bounds the search steps spent on making a counterexample small, in proportion to the budget of the
// verdict itself. Where they run out the counterexample is valid but may not be smallest.
const minimalSteps = 4

// explain makes the smallest counterexample of a failed object, and says it in words. No operation of it can be left
// out, alone, without its becoming possible or losing an operation that another rests on.
func (m *Model[S]) explain(part []Op, f Finding, b Budget) ([]Op, string) {
	if len(f.Ops) > 0 && !f.closed {
		if some := m.related(part, f.Ops); len(some) < len(part) {
			w := newWorld(m, some, b)
			if set := w.all(); w.fails(set) {
				return w.tell(w.shrink(set), f)
			}
		}
	}
	w := newWorld(m, part, b)
	set := w.all()
	switch {
	case f.closed:
		set = f.Ops
	case f.cut:
		set = w.before(f)
	}
	return w.tell(w.shrink(set), f)
}

// refute looks for a small counterexample about the operation that a search had not got past when it gave up: one of
// those that overlap it, with the last few called before its end, and all that they rest on. What Binds
// says makes one as good as any: if a closed part of a history has no order, the whole has none.
func (m *Model[S]) refute(ops []Op, stuck int, b Budget) (Finding, bool) {
	if m.Binds == nil {
		return Finding{}, false
	}
	w := newWorld(m, ops, b)
	middle := []int{stuck} // and what overlaps it
	for i := range ops {
		if i != stuck && ops[i].Outcome == history.OK && ops[i].Call <= end(&ops[stuck]) && end(&ops[i]) >= ops[stuck].Call {
			middle = append(middle, i)
		}
	}
	middle = middle[:min(len(middle), refuted)]
	steps := 0
	for k := 1; k <= refuted && k < 2*len(ops); k *= 2 {
		for _, x := range middle {
			if steps > b.Steps {
				return Finding{}, false
			}
			n := sort.Search(len(ops), func(i int) bool { return ops[i].Call > end(&ops[x]) })
			set := []int{x}
			for i := max(0, n-k); i < n; i++ {
				if i != x {
					set = append(set, i)
				}
			}
			if set = w.closure(set); len(set) > len(ops)/2 {
				continue
			}
			f := m.search(w.pick(set), Budget{Steps: b.Steps / 16, States: b.States})
			steps += f.Steps + len(ops)/8
			if f.Verdict == history.Fail {
				return Finding{Verdict: history.Fail, Ops: set, Steps: steps, closed: true}, true
			}
		}
	}
	return Finding{}, false
}

// refuted is how many operations a counterexample is looked for in, or around.
const refuted = 256

// tell is the operations of a set, and why they have no order.
func (w *world[S]) tell(set []int, f Finding) ([]Op, string) {
	ops := w.pick(set)
	if v := judge(w.m, ops, w.budget); v.Verdict == history.Fail && v.Reason != "" {
		return ops, v.Reason
	}
	if s := w.m.search(ops, w.budget); s.Verdict == history.Fail {
		return ops, w.m.words(ops, s)
	}
	if f.Reason != "" {
		return ops, f.Reason
	}
	return ops, "these operations have no order that respects real time"
}

// related is the operations at those places and all that they may rest on, found without a world of all.
func (m *Model[S]) related(ops []Op, places []int) []Op {
	in := make([]bool, len(ops))
	for _, x := range places {
		in[x] = true
	}
	wanted := map[string]bool{}
	want := func(i int) bool {
		if m.Binds == nil {
			return false
		}
		_, needs := m.Binds(ops[i].In, ops[i].known())
		more := false
		for _, t := range needs {
			more = more || !wanted[t]
			wanted[t] = true
		}
		return more
	}
	more := false
	for _, x := range places {
		more = want(x) || more
	}
	for more {
		more = false
		for i := range ops {
			if in[i] {
				continue
			}
			gives, _ := m.Binds(ops[i].In, ops[i].known())
			in[i] = (len(gives) > 0 && wanted[Everything]) || slices.ContainsFunc(gives, func(g string) bool { return wanted[g] })
			if in[i] {
				more = want(i) || more
			}
		}
	}
	var some []Op
	for i, yes := range in {
		if yes {
			some = append(some, ops[i])
		}
	}
	return some
}

// A world is the operations of one object, and what each rests on.
type world[S comparable] struct {
	m      *Model[S]
	ops    []Op
	budget Budget // for one verdict
	left   int    // steps for all of them

	gives, needs   [][]int32 // the things of an operation, numbered
	givers, takers [][]int32 // the operations of a thing, in the order of Call

	recent *recent // of a model that overwrites
}

func newWorld[S comparable](m *Model[S], ops []Op, b Budget) *world[S] {
	w := &world[S]{m: m, ops: ops, budget: b, left: minimalSteps * b.Steps}
	w.gives, w.needs = make([][]int32, len(ops)), make([][]int32, len(ops))
	if m.Binds == nil {
		return w
	}
	number := map[string]int32{}
	things := func(names []string) []int32 {
		var all []int32
		for _, name := range names {
			t, ok := number[name]
			if !ok {
				t = int32(len(number))
				number[name] = t
				w.givers, w.takers = append(w.givers, nil), append(w.takers, nil)
			}
			all = append(all, t)
		}
		return all
	}
	for i := range ops {
		gives, needs := m.Binds(ops[i].In, ops[i].known())
		if len(gives) > 0 {
			gives = append(slices.Clip(gives), Everything)
		}
		w.gives[i], w.needs[i] = things(gives), things(needs)
		for _, t := range w.gives[i] {
			w.givers[t] = append(w.givers[t], int32(i))
		}
		for _, t := range w.needs[i] {
			w.takers[t] = append(w.takers[t], int32(i))
		}
	}
	if m.Overwrites {
		w.recent = newRecent(ops, w.gives, w.givers, w.needs)
	}
	return w
}

// reach marks what can be reached from operations: by their things of one kind, to the operations of the other.
func (w *world[S]) reach(from []int, things, ops [][]int32) []bool {
	in, known := make([]bool, len(w.ops)), make([]bool, len(ops))
	queue := slices.Clone(from)
	for _, x := range from {
		in[x] = true
	}
	for len(queue) > 0 {
		x := queue[len(queue)-1]
		queue = queue[:len(queue)-1]
		for _, t := range things[x] {
			if known[t] {
				continue
			}
			known[t] = true
			for _, g := range ops[t] {
				if !in[g] {
					in[g] = true
					queue = append(queue, int(g))
				}
			}
		}
	}
	return in
}

// closure is the set and all that it rests on, in order.
func (w *world[S]) closure(set []int) []int {
	var in []bool
	if w.recent != nil {
		in = w.recent.closure(set)
	} else {
		in = w.reach(set, w.needs, w.givers)
	}
	var all []int
	for x, yes := range in {
		if yes {
			all = append(all, x)
		}
	}
	return all
}

// without is the set less a piece of it and all that rests on that.
func (w *world[S]) without(set, piece []int) []int {
	var out func(x int) bool
	if w.recent != nil {
		gone := w.recent.without(set, piece)
		out = func(x int) bool { return gone[x] }
	} else {
		gone := w.reach(piece, w.gives, w.takers)
		out = func(x int) bool { return gone[x] }
	}
	var rest []int
	for _, x := range set {
		if !out(x) {
			rest = append(rest, x)
		}
	}
	return rest
}

func (w *world[S]) all() []int {
	all := make([]int, len(w.ops))
	for i := range all {
		all[i] = i
	}
	return all
}

func (w *world[S]) pick(set []int) []Op {
	ops := make([]Op, len(set))
	for i, x := range set {
		ops[i] = w.ops[x]
	}
	return ops
}

// fails judges a set. Out of steps, nothing more is known to fail.
func (w *world[S]) fails(set []int) bool {
	if w.left <= 0 {
		return false
	}
	b := w.budget
	b.Steps = min(b.Steps, w.left)
	v := judge(w.m, w.pick(set), b)
	w.left -= v.Steps + len(set)
	return v.Verdict == history.Fail
}

// before drops what was called after the search had got stuck. What was under way then is first tried with its end
// and answer forgotten, so that it need not rest on anything later; whatever set is left of that also fails as it
// really was.
func (w *world[S]) before(f Finding) []int {
	n, _ := slices.BinarySearchFunc(w.ops, f.until, func(o Op, t time.Duration) int {
		if o.Call <= t {
			return -1
		}
		return 1
	})
	early := slices.Clone(w.ops[:n])
	for i := range early {
		if end(&early[i]) > f.until {
			early[i].Outcome, early[i].Out = history.Unknown, nil
		}
	}
	past := newWorld(w.m, early, w.budget)
	all := past.all()
	for k := 8; ; k *= 2 {
		set := all
		if k < len(all) {
			set = past.closure(all[len(all)-k:])
		}
		if past.fails(set) {
			set = w.closure(past.shrink(set))
			if w.fails(set) {
				return set
			}
			return w.all()
		}
		if k >= len(all) {
			return w.all()
		}
	}
}

// shrink removes operations, with those that rest on them, as long as the rest fails: large pieces first, then each
// by itself until none can go.
func (w *world[S]) shrink(set []int) []int {
	for piece := (len(set) + 1) / 2; piece > 1; piece = (min(piece, len(set)) + 1) / 2 {
		for at := 0; at < len(set); {
			smaller := w.without(set, set[at:min(at+piece, len(set))])
			if len(smaller) > 0 && w.fails(smaller) {
				set = smaller
			} else {
				at += piece
			}
		}
		if piece == 2 {
			break
		}
	}
	for again := true; again; {
		again = false
		for at := len(set) - 1; at >= 0; at-- {
			if at >= len(set) {
				continue
			}
			smaller := w.without(set, set[at:at+1])
			if len(smaller) > 0 && w.fails(smaller) {
				set, again = smaller, true
			}
		}
	}
	return set
}
