package linear

import (
	"math"
	"slices"
	"time"

	"faultlab/checker/history"
)

// The search is Wing and Gong's ("Testing and Verifying Concurrent Objects", 1993) with Lowe's memory of states
// already seen ("Testing for linearizability", 2017), arranged so that a state is small and its siblings few:
//
//   - Returned operations are taken in stages, one for each return. In stage i everything that returned earlier has
//     its place, and the next to return, the due operation, must get one. So a state of the search is the stage, the
//     state of the object, and which of the operations under way have their place: one bit each, in a lane that an
//     operation holds from its call to its return. It is stored whole and compared whole; nothing rests on a hash.
//   - An operation that never changes anything (it gives nothing, see Model.Binds) takes its place as soon as it is
//     possible, and is not reconsidered: any order in which it comes later is as good with it here. That is so of a read;
//     not of a write of the value that is there already, which may be wanted later.
//   - Of equal operations under way, only the first to return is tried, and of equal unknown ones the first called:
//     exchanging the two in an order breaks nothing.
//   - An unknown operation that nothing rests on (see Model.Binds) is left out: any order is as good without it.
//   - Where the due operation is not possible, and would not be if what is under way could be done many times over, the
//     search turns back at once.
//   - The due operation is tried first, then what makes it possible, then the others by their deadline, then the
//     unknown ones.

// found is what a search tells beside its finding.
type found[S comparable] struct {
	Finding
	stuck int          // unless it passed: place in ops of the operation that got no place in the orders that came furthest
	ways  []deadEnd[S] // unless it passed: some of the states in which it was refused
}

// deadEnd is a state of the object in which the due operation was refused.
type deadEnd[S comparable] struct {
	state S
	last  int // place in ops of the operation that last changed the object, or -1
}

const (
	refused  = -1 // in a transition: the operation is not possible here
	unasked  = -2
	branches = -3 // this and lower: one of several successors, in searcher.many
)

type searcher[S comparable] struct {
	m   *Model[S]
	ops []Op // in the order of Call

	returns []int32 // operations that returned, in that order
	called  []int32 // for each return, how many operations had been called by then
	rank    []int32 // an operation's place in returns; of an unknown one, math.MaxInt32
	lane    []int32
	words   int    // 64 lanes in a word
	skip    []bool // unknown operations that nothing rests on

	class  []int32 // operations of one class are equal
	sample []int32 // an operation of each class
	pure   []bool  // by class: never changes anything
	states []S
	number map[S]int32
	bulk   int       // how many states more those that are long strings count for
	rows   [][]int32 // transitions already known, by state and class
	room   int       // how many more of them may be kept
	many   [][]int32 // successors of branching transitions

	// Where the search stands.
	stage   int
	state   int32
	entered int32
	done    []uint64 // by lane
	pending []int32  // under way or placed, not yet left behind, by deadline; the first is due
	open    []int32  // unknown ones, by call
	trail   []int32  // what was done: an operation placed, or left (a stage passed)
	frames  []frame
	choices []choice
	tried   []int32 // by class: the node that it was last tried in
	node    int32
	scratch []int32

	seen  seenSet
	steps int

	far  int // the furthest stage
	ways []deadEnd[S]
}

type frame struct {
	state              int32
	trail, first, next int32 // length of trail, and bounds in choices
	chosen             int32 // the operation that is being tried
}

type choice struct{ op, state int32 }

const left = -1

// stateBytes is how long a state may be to count for one.
const stateBytes = 256

// search decides one object. ops holds no failed operation and is in the order of Call.
func (m *Model[S]) search(ops []Op, b Budget) found[S] {
	s := newSearcher(m, ops)
	verdict, reason := s.run(b)
	f := found[S]{Finding: Finding{Verdict: verdict, Reason: reason, Steps: s.steps}, stuck: -1}
	if verdict != history.Pass {
		f.stuck, f.ways = int(s.returns[s.far]), s.ways
		f.until = end(&ops[f.stuck])
		f.cut = verdict == history.Fail
	}
	return f
}

func newSearcher[S comparable](m *Model[S], ops []Op) *searcher[S] {
	n := len(ops)
	s := &searcher[S]{m: m, ops: ops, rank: make([]int32, n), lane: make([]int32, n), skip: idle(m, ops)}
	s.returns = make([]int32, 0, n)
	for i := range ops {
		s.rank[i] = math.MaxInt32
		if ops[i].Outcome != history.Unknown {
			s.returns = append(s.returns, int32(i))
		}
	}
	slices.SortFunc(s.returns, func(a, b int32) int {
		if d := end(&ops[a]) - end(&ops[b]); d != 0 {
			return sign(d)
		}
		return int(a - b)
	})
	s.called = make([]int32, len(s.returns))
	var free []int32
	lanes, c := int32(0), int32(0)
	for r, x := range s.returns {
		s.rank[x] = int32(r)
		for ; int(c) < n && ops[c].Call <= end(&ops[x]); c++ {
			switch k := len(free); {
			case s.skip != nil && s.skip[c]:
			case k > 0:
				s.lane[c], free = free[k-1], free[:k-1]
			default:
				s.lane[c] = lanes
				lanes++
			}
		}
		s.called[r] = c
		free = append(free, s.lane[x])
	}
	s.words = max(1, int(lanes+63)/64)
	s.done = make([]uint64, s.words)
	s.classify()
	s.number = map[S]int32{}
	if 2*len(s.sample) < n { // else hardly anything is asked twice
		s.room = 1 << 22
	}
	s.seen.width = 1 + s.words
	s.state = s.intern(m.Init)
	return s
}

// end is when a returned operation ended. A history that says it ended before it began is taken to mean an instant.
func end(o *Op) time.Duration { return max(o.Call, o.Return) }

func sign(d time.Duration) int {
	if d < 0 {
		return -1
	}
	return 1
}

// inOrder is the operations that may have happened, in the order of Call.
func inOrder(ops []Op) []Op {
	sorted, failed := true, 0
	for i := range ops {
		if ops[i].Outcome == history.Failed {
			failed++
		}
		sorted = sorted && (i == 0 || ops[i-1].Call <= ops[i].Call)
	}
	if sorted && failed == 0 {
		return ops
	}
	order := make([]int32, 0, len(ops)-failed)
	for i := range ops {
		if ops[i].Outcome != history.Failed {
			order = append(order, int32(i))
		}
	}
	if !sorted {
		slices.SortFunc(order, func(a, b int32) int {
			if d := ops[a].Call - ops[b].Call; d != 0 {
				return sign(d)
			}
			return int(a - b)
		})
	}
	kept := make([]Op, len(order))
	for i, x := range order {
		kept[i] = ops[x]
	}
	return kept
}

func (s *searcher[S]) intern(state S) int32 {
	n, ok := s.number[state]
	if !ok {
		n = int32(len(s.states))
		s.number[state] = n
		if text, ok := any(state).(string); ok {
			s.bulk += len(text) / stateBytes
		}
		s.states = append(s.states, state)
		s.rows = append(s.rows, nil)
	}
	return n
}

// after is the state that an operation of class c leads to from state, refused, or branches or lower.
func (s *searcher[S]) after(state, c int32) int32 {
	s.steps++
	row := s.rows[state]
	if row == nil {
		if s.room < len(s.sample) {
			return s.ask(state, c)
		}
		s.room -= len(s.sample)
		row = make([]int32, len(s.sample))
		for i := range row {
			row[i] = unasked
		}
		s.rows[state] = row
	}
	t := row[c]
	if t == unasked {
		t = s.ask(state, c)
		row[c] = t
	}
	return t
}

// ask puts an operation to the model.
func (s *searcher[S]) ask(state, c int32) int32 {
	o := &s.ops[s.sample[c]]
	if s.m.Branch == nil {
		next, err := s.m.Step(s.states[state], o.In, o.known())
		if err != nil {
			return refused
		}
		return s.intern(next)
	}
	all, err := s.m.Branch(s.states[state], o.In, o.known())
	if err != nil || len(all) == 0 {
		return refused
	}
	var next []int32
	for _, a := range all {
		if n := s.intern(a); !slices.Contains(next, n) {
			next = append(next, n)
		}
	}
	if len(next) == 1 {
		return next[0]
	}
	s.many = append(s.many, next)
	return branches - int32(len(s.many)-1)
}

func (s *searcher[S]) placed(op int32) bool {
	l := s.lane[op]
	return s.done[l>>6]&(1<<(l&63)) != 0
}

func (s *searcher[S]) flip(op int32) {
	l := s.lane[op]
	s.done[l>>6] ^= 1 << (l & 63)
}

// enter lets in what was called by the return that is due.
func (s *searcher[S]) enter() {
	for ; s.entered < s.called[s.stage]; s.entered++ {
		x := s.entered
		if s.rank[x] == math.MaxInt32 {
			if s.skip == nil || !s.skip[x] {
				s.open = append(s.open, x)
			}
			continue
		}
		s.pending = append(s.pending, x)
		at := len(s.pending) - 1
		for ; at > 0 && s.rank[s.pending[at-1]] > s.rank[x]; at-- {
			s.pending[at] = s.pending[at-1]
		}
		s.pending[at] = x
	}
}

// pass leaves the due operation, which has its place, behind.
func (s *searcher[S]) pass() {
	s.flip(s.pending[0])
	s.pending = s.pending[:copy(s.pending, s.pending[1:])]
	s.trail = append(s.trail, left)
	s.stage++
	if s.stage < len(s.returns) {
		s.enter()
	}
}

// unpass is the inverse of pass.
func (s *searcher[S]) unpass() {
	s.stage--
	for s.entered > s.called[s.stage] {
		s.entered--
		x := s.entered
		if s.rank[x] == math.MaxInt32 {
			if s.skip == nil || !s.skip[x] {
				s.open = s.open[:len(s.open)-1]
			}
			continue
		}
		at := slices.Index(s.pending, x)
		s.pending = append(s.pending[:at], s.pending[at+1:]...)
	}
	s.pending = append(s.pending, 0)
	copy(s.pending[1:], s.pending)
	s.pending[0] = s.returns[s.stage]
	s.flip(s.pending[0])
}

func (s *searcher[S]) undo(trail int32) {
	for int32(len(s.trail)) > trail {
		last := s.trail[len(s.trail)-1]
		s.trail = s.trail[:len(s.trail)-1]
		if last == left {
			s.unpass()
		} else {
			s.flip(last)
		}
	}
}

// settle places everything that changes nothing, and passes every stage that then can be passed. It says whether the
// search is over: all that returned has its place.
func (s *searcher[S]) settle() bool {
	fresh := int32(0) // operations called before this one have been asked in this state
	for {
		for _, x := range s.pending {
			if x >= fresh && s.pure[s.class[x]] && !s.placed(x) && s.after(s.state, s.class[x]) != refused {
				s.flip(x)
				s.trail = append(s.trail, x)
			}
		}
		fresh = s.entered
		if !s.placed(s.pending[0]) {
			return false
		}
		for s.placed(s.pending[0]) {
			s.pass()
			if s.stage == len(s.returns) {
				return true
			}
		}
	}
}

// expand lists the choices in this node, the best last.
func (s *searcher[S]) expand() {
	s.node++
	due := s.pending[0]
	enabled := s.after(s.state, s.class[due]) != refused
	from := len(s.choices)
	if !enabled && !s.within(due) {
		s.frames = append(s.frames, frame{state: s.state, trail: int32(len(s.trail)), first: int32(from), next: int32(from)})
		return
	}
	helpers := 0 // how many of the choices make the due operation possible
	for _, group := range [2][]int32{s.pending, s.open} {
		for _, x := range group {
			c := s.class[x]
			if s.placed(x) || s.tried[c] == s.node {
				continue
			}
			s.tried[c] = s.node
			t := s.after(s.state, c)
			if t == refused || s.pure[c] || (t == s.state && s.rank[x] == math.MaxInt32) {
				continue
			}
			one := [1]int32{t}
			next := one[:]
			if t <= branches {
				next = s.many[branches-t]
			}
			for _, t := range next {
				s.choices = append(s.choices, choice{x, t})
				if !enabled && x != due && s.after(t, s.class[due]) != refused {
					h := from + helpers
					made := s.choices[len(s.choices)-1]
					copy(s.choices[h+1:], s.choices[h:])
					s.choices[h] = made
					helpers++
				}
			}
		}
	}
	slices.Reverse(s.choices[from:])
	s.frames = append(s.frames, frame{state: s.state, trail: int32(len(s.trail)), first: int32(from), next: int32(len(s.choices))})
}

// within says whether the due operation may be possible before anything else is called: whether a state in which it is
// can be reached by the operations at hand, as if each could be done many times. Where there are too many states to see,
// it may be.
func (s *searcher[S]) within(due int32) bool {
	reached := append(s.scratch[:0], s.state)
	defer func() { s.scratch = reached }()
	for i := 0; i < len(reached); i++ {
		for _, group := range [2][]int32{s.pending, s.open} {
			for _, x := range group {
				if s.pure[s.class[x]] || s.placed(x) {
					continue
				}
				t := s.after(reached[i], s.class[x])
				if t == refused {
					continue
				}
				if t <= branches || len(reached) == statesAhead {
					return true
				}
				if slices.Contains(reached, t) {
					continue
				}
				if s.after(t, s.class[due]) != refused {
					return true
				}
				reached = append(reached, t)
			}
		}
	}
	return false
}

const statesAhead = 16

// remark notes what is known of the furthest stage, for the explanation of a failure.
func (s *searcher[S]) remark() {
	if s.stage > s.far {
		s.far, s.ways = s.stage, s.ways[:0]
	}
	if s.stage < s.far || len(s.ways) == waysTold {
		return
	}
	way := deadEnd[S]{state: s.states[s.state], last: -1}
	if n := len(s.frames); n > 0 {
		way.last = int(s.frames[n-1].chosen)
	}
	for _, w := range s.ways {
		if w.state == way.state {
			return
		}
	}
	s.ways = append(s.ways, way)
}

const waysTold = 3

// run searches to the end or the budget.
func (s *searcher[S]) run(b Budget) (history.Verdict, string) {
	if len(s.returns) == 0 {
		return history.Pass, ""
	}
	s.enter()
	for turn := 0; ; turn++ {
		if turn%1024 == 1023 {
			if why := b.over(); why != "" {
				return history.Undetermined, why
			}
		}
		if s.settle() {
			return history.Pass, ""
		}
		if s.seen.add(s.stage, s.state, s.done) {
			s.remark()
			s.expand()
		}
		if s.steps > b.Steps {
			return history.Undetermined, spent("operations tried", b.Steps, s.stage, len(s.returns))
		}
		if s.seen.n+len(s.states)+s.bulk > b.States {
			return history.Undetermined, spent("search states", b.States, s.stage, len(s.returns))
		}
		for {
			if len(s.frames) == 0 {
				return history.Fail, ""
			}
			f := &s.frames[len(s.frames)-1]
			s.undo(f.trail)
			s.state = f.state
			if f.next > f.first {
				f.next--
				c := s.choices[f.next]
				s.choices = s.choices[:f.next]
				s.flip(c.op)
				s.trail = append(s.trail, c.op)
				s.state, f.chosen = c.state, c.op
				break
			}
			s.frames = s.frames[:len(s.frames)-1]
		}
	}
}
