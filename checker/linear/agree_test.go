package linear

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/anishathalye/porcupine"

	"faultlab/checker/history"
)

var (
	histories = flag.Int("histories", 2_500, "random histories for each model that is held against porcupine")
	longest   = flag.Int("longest", 9, "operations in one of them, at most")
)

// A subject is a model and an object that behaves as it says.
type subject[S comparable] struct {
	model Model[S]
	// fresh makes an object: given a source of chance it invents a call, does it, and tells both.
	fresh func(r *rand.Rand) func(done bool) (in, out any)
}

// record plays an object to random clients. About half of the histories are then made worse.
func record(r *rand.Rand, most int, call func(done bool) (in, out any)) []Op {
	n := 1 + r.IntN(most)
	unknown := r.IntN(2) * r.IntN(40)
	width := int64(1 + r.IntN(1+r.IntN(30)))
	var ops []Op
	for i := range n {
		at := int64(i) * 5
		o := Op{Index: i, Client: fmt.Sprint(r.IntN(3)), Outcome: history.OK,
			Call: time.Duration(max(0, at-r.Int64N(width))), Return: time.Duration(at + r.Int64N(width))}
		happened := true
		if r.IntN(100) < unknown {
			o.Outcome = history.Unknown
			happened = r.IntN(2) == 0
		}
		o.In, o.Out = call(happened)
		if o.Outcome == history.Unknown {
			o.Out = nil
		}
		ops = append(ops, o)
	}
	if r.IntN(20) == 0 {
		ops[r.IntN(n)].Outcome = history.Failed
	}
	for range r.IntN(2) * r.IntN(8) { // harm
		i, j := r.IntN(n), r.IntN(n)
		switch r.IntN(5) {
		default: // answer as another did
			if ops[i].Out != nil && ops[j].Out != nil && fmt.Sprintf("%T", ops[i].In) == fmt.Sprintf("%T", ops[j].In) {
				ops[i].Out = ops[j].Out
			}
		case 1: // return too early
			ops[i].Return = ops[i].Call
		case 2: // call too late
			d := time.Duration(r.IntN(30))
			ops[i].Call += d
			ops[i].Return += d
		}
	}
	return ops
}

// agree holds a model's engines against porcupine, and counterexamples against what is promised of them.
func agree[S comparable](t *testing.T, s subject[S]) {
	t.Helper()
	m := s.model
	verdicts := map[history.Verdict]int{}
	engines := map[string]int{}
	for seed := range uint64(*histories) {
		r := rand.New(rand.NewPCG(seed, 1))
		ops := record(r, *longest, s.fresh(r))
		want := true
		_, parts := partition(m.Key, ops)
		for _, part := range parts {
			pm := asPorcupine(&m, steps(1<<40))
			want = want && porcupine.CheckOperations(pm, operations(part))
			if seed%16 == 0 {
				raced := m.race(part, Budget{}.orDefault(), 0)
				if (raced.Verdict == history.Pass) != porcupine.CheckOperations(pm, operations(part)) {
					t.Fatalf("seed %d: the race says %s (%s), porcupine the opposite, of %s", seed, raced.Verdict, raced.engine, tell(&m, part))
				}
			}
			if searched := m.search(part, Budget{}.orDefault()).Verdict == history.Pass; searched != porcupine.CheckOperations(pm, operations(part)) {
				t.Fatalf("seed %d: the search says %t, porcupine the opposite, of %s", seed, searched, tell(&m, part))
			}
		}
		got := Check(m, ops, Budget{})
		verdicts[got.Verdict]++
		engines[got.Engine]++
		if (got.Verdict == history.Fail) == want && len(parts) > 0 {
			t.Fatalf("seed %d: %s (%s), porcupine %t, of %s", seed, got.Verdict, got.Engine, want, tell(&m, ops))
		}
		if poor := Check(m, ops, Budget{Steps: r.IntN(200)}); poor.Verdict != got.Verdict && poor.Verdict != history.Undetermined {
			t.Fatalf("seed %d: on a small budget %s, else %s, of %s", seed, poor.Verdict, got.Verdict, tell(&m, ops))
		}
		if got.Verdict == history.Fail {
			smallest(t, seed, m, ops, got)
		}
	}
	if *histories >= 1000 && (verdicts[history.Fail] < *histories/50 || verdicts[history.Pass] < *histories/50) {
		t.Errorf("the histories are too much alike: %v", verdicts)
	}
	t.Logf("%v by %v", verdicts, engines)
}

// smallest checks that a counterexample is one, is closed, and that nothing can be left out of it.
func smallest[S comparable](t *testing.T, seed uint64, m Model[S], ops []Op, r Report) {
	t.Helper()
	in := map[int]bool{}
	for _, i := range r.Ops {
		in[i] = true
	}
	var part, small []Op
	_, parts := partition(m.Key, ops)
	for _, p := range parts {
		for _, o := range p {
			if in[o.Index] {
				part = p
			}
		}
	}
	for _, o := range part {
		if in[o.Index] {
			small = append(small, o)
		}
	}
	possible := func(ops []Op) bool {
		pm := asPorcupine(&m, steps(1<<40))
		return porcupine.CheckOperations(pm, operations(ops))
	}
	if len(small) != len(r.Ops) || len(small) == 0 || possible(small) {
		t.Fatalf("seed %d: %v is no counterexample (%s) in %s", seed, r.Ops, r.Reason, tell(&m, ops))
	}
	if r.Reason == "" {
		t.Fatalf("seed %d: no reason", seed)
	}
	w := newWorld(&m, part, Budget{}.orDefault())
	var set []int
	for i, o := range part {
		if in[o.Index] {
			set = append(set, i)
		}
	}
	if len(w.closure(set)) != len(set) {
		t.Fatalf("seed %d: %v is not closed in %s", seed, r.Ops, tell(&m, ops))
	}
	for i := range small {
		rest := append(append([]Op{}, small[:i]...), small[i+1:]...)
		places := append(append([]int{}, set[:i]...), set[i+1:]...)
		if len(w.closure(places)) == len(places) && len(rest) > 0 && !possible(rest) {
			t.Fatalf("seed %d: operation %d can go from %v (%s) in %s", seed, small[i].Index, r.Ops, r.Reason, tell(&m, ops))
		}
	}
}

func tell[S comparable](m *Model[S], ops []Op) string {
	s := "\n"
	for _, o := range ops {
		s += fmt.Sprintf("%3d %-8s [%d, %d] %s\n", o.Index, o.Outcome, o.Call, o.Return, m.say(o.In, o.Out))
	}
	return s
}

func TestPorcupineDecidesWhereTheSearchRunsOut(t *testing.T) {
	m := Stack()
	m.Exact = nil
	for seed := range uint64(50) {
		r := rand.New(rand.NewPCG(seed, 2))
		ops := inOrder(record(r, *longest, queueObject(true, func(v string) any { return Push{"", v} }, func(string) any { return Pop{} },
			func(_ *rand.Rand, n int) int { return n - 1 })(r)))
		want := m.search(ops, Budget{}.orDefault()).Verdict
		poor := Budget{States: 1}.orDefault()
		if m.search(ops, poor).Verdict != history.Undetermined {
			continue
		}
		if got := m.race(ops, poor, 0); got.Verdict != want || got.engine != "porcupine" {
			t.Errorf("seed %d: %s by %s, not %s", seed, got.Verdict, got.engine, want)
		}
	}
}
