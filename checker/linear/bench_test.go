package linear

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/anishathalye/porcupine"

	"faultlab/checker/history"
)

// simulated plays an object to clients that call again as soon as they have their answer, n operations in all.
func simulated(n, clients int, unknown float64, r *rand.Rand, call func(client int) (in any, act func() any)) []Op {
	type turn struct {
		at   time.Duration
		what func(at time.Duration)
	}
	var turns []turn // a heap would do; a sorted calendar of a few clients is enough
	later := func(at time.Duration, what func(time.Duration)) {
		i, _ := slices.BinarySearchFunc(turns, at, func(t turn, at time.Duration) int {
			if t.at <= at {
				return -1
			}
			return 1
		})
		turns = slices.Insert(turns, i, turn{at, what})
	}
	ops := make([]Op, 0, n)
	var begin func(client, life int) func(time.Duration)
	begin = func(client, life int) func(time.Duration) {
		return func(now time.Duration) {
			if len(ops) == n {
				return
			}
			i := len(ops)
			in, act := call(client)
			name := fmt.Sprint(client)
			if life > 0 {
				name += fmt.Sprint(".", life)
			}
			ops = append(ops, Op{Index: i, Client: name, In: in, Call: now, Outcome: history.Unknown})
			lost := r.Float64() < unknown
			effect := now + time.Duration(1+r.IntN(1000))
			later(effect, func(now time.Duration) {
				out := act()
				later(now+time.Duration(1+r.IntN(1000)), func(now time.Duration) {
					if lost {
						begin(client, life+1)(now)
						return
					}
					ops[i].Out, ops[i].Return, ops[i].Outcome = out, now, history.OK
					later(now+time.Duration(1+r.IntN(100)), begin(client, life))
				})
			})
		}
	}
	for c := range clients {
		later(time.Duration(c), begin(c, 0))
	}
	for len(turns) > 0 {
		t := turns[0]
		turns = turns[1:]
		t.what(t.at)
	}
	return ops
}

func uniqueRegister(n, clients int, unknown float64) []Op {
	r := rand.New(rand.NewPCG(1, 2))
	value, next := "0", 0
	return simulated(n, clients, unknown, r, func(int) (any, func() any) {
		if r.IntN(2) == 0 {
			next++
			v := fmt.Sprint(next)
			return Write{"", v}, func() any { value = v; return nil }
		}
		return Read{}, func() any { return value }
	})
}

func uniqueQueue(n, clients int, unknown float64) []Op {
	r := rand.New(rand.NewPCG(1, 2))
	var values []string
	next := 0
	return simulated(n, clients, unknown, r, func(int) (any, func() any) {
		if r.IntN(2) == 0 {
			next++
			v := fmt.Sprint(next)
			return Enqueue{"", v}, func() any { values = append(values, v); return nil }
		}
		return Dequeue{}, func() any {
			if len(values) == 0 {
				return Empty{}
			}
			v := values[0]
			values = values[1:]
			return v
		}
	})
}

func casHistory(seed uint64, n, clients int, unknown float64) []Op {
	r := rand.New(rand.NewPCG(seed, 2))
	value := "0"
	return simulated(n, clients, unknown, r, func(int) (any, func() any) {
		v := fmt.Sprint(r.IntN(5))
		switch r.IntN(3) {
		case 0:
			return Write{"", v}, func() any { value = v; return nil }
		case 1:
			old := fmt.Sprint(r.IntN(5))
			return CAS{"", old, v}, func() any {
				if value == old {
					value = v
					return true
				}
				return false
			}
		}
		return Read{}, func() any { return value }
	})
}

func benchmark[S comparable](b *testing.B, m Model[S], ops []Op) {
	b.ReportAllocs()
	for b.Loop() {
		if r := Check(m, ops, Budget{}); r.Verdict != history.Pass {
			b.Fatal(r)
		}
	}
}

// against has porcupine do the same, for at most ten seconds.
func against[S comparable](b *testing.B, m Model[S], ops []Op) {
	pm := asPorcupine(&m, steps(1<<40))
	all := operations(inOrder(ops))
	b.ReportAllocs()
	for b.Loop() {
		if porcupine.CheckOperationsTimeout(pm, all, 10*time.Second) == porcupine.Unknown {
			b.Skip("porcupine gives up after 10 s")
		}
	}
}

func BenchmarkUniqueRegister1M(b *testing.B) {
	benchmark(b, Register("0"), uniqueRegister(1_000_000, 50, 0.0001))
}

func BenchmarkUniqueQueue1M(b *testing.B) { benchmark(b, FIFOQueue(), uniqueQueue(1_000_000, 50, 0)) }

func BenchmarkCASRegister100k(b *testing.B) {
	benchmark(b, CASRegister("0"), casHistory(1, 100_000, 10, 0))
}

func BenchmarkCASRegister25Clients(b *testing.B) {
	var all [][]Op
	for seed := range uint64(41) {
		all = append(all, casHistory(seed, 1000, 25, 0))
	}
	var took []time.Duration
	for b.Loop() {
		took = took[:0]
		for _, ops := range all {
			start := time.Now()
			if r := Check(CASRegister("0"), ops, Budget{}); r.Verdict != history.Pass {
				b.Fatal(r)
			}
			took = append(took, time.Since(start))
		}
		slices.Sort(took)
	}
	b.ReportMetric(float64(took[len(took)/2].Microseconds())/1000, "median-ms")
	b.ReportMetric(float64(took[len(took)-1].Microseconds())/1000, "worst-ms")
}

func BenchmarkBesidePorcupine(b *testing.B) {
	for _, n := range []int{100, 1000} {
		ops := uniqueRegister(n, 20, 0)
		b.Run(fmt.Sprintf("register of %d/here", n), func(b *testing.B) { benchmark(b, Register("0"), ops) })
		b.Run(fmt.Sprintf("register of %d/porcupine", n), func(b *testing.B) { against(b, Register("0"), ops) })
	}
	for _, n := range []int{100, 300} {
		ops := uniqueQueue(n, 5, 0)
		b.Run(fmt.Sprintf("queue of %d/here", n), func(b *testing.B) { benchmark(b, FIFOQueue(), ops) })
		b.Run(fmt.Sprintf("queue of %d/porcupine", n), func(b *testing.B) { against(b, FIFOQueue(), ops) })
	}
	for _, n := range []int{1000, 5000} {
		ops := casHistory(1, n, 10, 0)
		b.Run(fmt.Sprintf("cas-register of %d/here", n), func(b *testing.B) { benchmark(b, CASRegister("0"), ops) })
		b.Run(fmt.Sprintf("cas-register of %d/porcupine", n), func(b *testing.B) { against(b, CASRegister("0"), ops) })
	}
	ops := labCells(20)
	b.Run("cells/here", func(b *testing.B) { benchmark(b, Cell(), ops) })
	b.Run("cells/porcupine", func(b *testing.B) {
		m := Cell()
		_, parts := partition(m.Key, ops)
		for b.Loop() {
			for _, p := range parts {
				pm := asPorcupine(&m, steps(1<<40))
				if porcupine.CheckOperationsTimeout(pm, operations(p), 10*time.Second) == porcupine.Unknown {
					b.Skip("porcupine gives up after 10 s")
				}
			}
		}
	})
}
