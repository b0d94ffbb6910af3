package linear

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
)

// registerObject plays a register; values repeat unless unique.
func registerObject(unique bool, cas bool) func(r *rand.Rand) func(bool) (any, any) {
	return func(r *rand.Rand) func(bool) (any, any) {
		v := map[string]string{}
		next := 0
		return func(done bool) (any, any) {
			key := fmt.Sprint(r.IntN(2) * r.IntN(2))
			if _, ok := v[key]; !ok {
				v[key] = "0"
			}
			fresh := fmt.Sprint(r.IntN(3))
			if unique {
				next++
				fresh = fmt.Sprint(next)
			}
			switch k := r.IntN(4); {
			case k == 0 && cas:
				in := CAS{key, fmt.Sprint(r.IntN(3)), fresh}
				was := v[key] == in.Old
				if was && done {
					v[key] = fresh
				}
				return in, was
			case k == 1 && cas && r.IntN(3) == 0:
				if done {
					v[key] = "0"
				}
				return Delete{key}, nil
			case k <= 1:
				if done {
					v[key] = fresh
				}
				return Write{key, fresh}, nil
			}
			return Read{key}, v[key]
		}
	}
}

// queueObject plays a queue, a stack, or an unordered queue, by what it says of where to take from n values.
func queueObject(unique bool, put, take func(v string) any, where func(r *rand.Rand, n int) int) func(r *rand.Rand) func(bool) (any, any) {
	return func(r *rand.Rand) func(bool) (any, any) {
		var values []string
		next, puts := 0, 2+r.IntN(5)
		return func(done bool) (any, any) {
			if r.IntN(8) < puts {
				v := fmt.Sprint(r.IntN(3))
				if unique {
					next++
					v = fmt.Sprint(next)
				}
				if done {
					values = append(values, v)
				}
				return put(v), nil
			}
			if len(values) == 0 {
				return take(""), Empty{}
			}
			at := where(r, len(values))
			v := values[at]
			if done {
				values = slices.Delete(slices.Clone(values), at, at+1)
			}
			return take(""), v
		}
	}
}

func TestModelsAgreeWithPorcupine(t *testing.T) {
	enqueue, dequeue := func(v string) any { return Enqueue{"", v} }, func(string) any { return Dequeue{} }
	push, pop := func(v string) any { return Push{"", v} }, func(string) any { return Pop{} }
	front := func(*rand.Rand, int) int { return 0 }
	back := func(_ *rand.Rand, n int) int { return n - 1 }
	anywhere := func(r *rand.Rand, n int) int { return r.IntN(n) }

	t.Run("register of unique values", func(t *testing.T) { agree(t, subject[string]{Register("0"), registerObject(true, false)}) })
	t.Run("register", func(t *testing.T) { agree(t, subject[string]{Register("0"), registerObject(false, false)}) })
	t.Run("cas-register", func(t *testing.T) { agree(t, subject[string]{CASRegister("0"), registerObject(false, true)}) })
	t.Run("key-value", func(t *testing.T) { agree(t, subject[string]{KeyValue("0"), registerObject(true, true)}) })
	t.Run("fifo-queue of unique values", func(t *testing.T) {
		agree(t, subject[string]{FIFOQueue(), queueObject(true, enqueue, dequeue, front)})
	})
	t.Run("fifo-queue", func(t *testing.T) {
		agree(t, subject[string]{FIFOQueue(), queueObject(false, enqueue, dequeue, front)})
	})
	t.Run("unordered-queue", func(t *testing.T) {
		agree(t, subject[string]{UnorderedQueue(), queueObject(true, enqueue, dequeue, anywhere)})
	})
	t.Run("stack", func(t *testing.T) { agree(t, subject[string]{Stack(), queueObject(true, push, pop, back)}) })
	for _, kind := range []string{"members", "contains", "membership", "mixed"} {
		t.Run("set, "+kind, func(t *testing.T) { agree(t, subject[string]{Set(), setObject(kind)}) })
	}
	t.Run("append-log", func(t *testing.T) { agree(t, subject[string]{AppendLog(), logObject}) })
	t.Run("mutex", func(t *testing.T) { agree(t, subject[Holder]{Mutex(), mutexObject(false)}) })
	t.Run("mutex with owners", func(t *testing.T) { agree(t, subject[Holder]{Mutex(), mutexObject(true)}) })
	t.Run("fenced-lease", func(t *testing.T) { agree(t, subject[Lease]{FencedLease(), leaseObject}) })
	t.Run("bounded-counter", func(t *testing.T) { agree(t, subject[int64]{BoundedCounter(0, 5), counterObject}) })
	t.Run("multi-register", func(t *testing.T) {
		agree(t, subject[string]{MultiRegister(map[string]string{"x": "0"}, "0"), multiObject})
	})
}

func setObject(kind string) func(r *rand.Rand) func(bool) (any, any) {
	return func(r *rand.Rand) func(bool) (any, any) {
		in := map[string]bool{}
		next := 0
		return func(done bool) (any, any) {
			v := fmt.Sprint(r.IntN(4))
			k := r.IntN(4)
			switch {
			case k == 0 && (kind == "mixed" || kind == "membership"):
				if done {
					delete(in, v)
				}
				return Remove{"", v}, nil
			case k <= 1:
				if kind == "members" || kind == "contains" {
					next++
					v = fmt.Sprint(next)
				}
				if done {
					in[v] = true
				}
				return Add{"", v}, nil
			case kind == "contains", kind == "membership", k == 2 && kind == "mixed":
				return Contains{"", v}, in[v]
			}
			all := []string{}
			for v := range in {
				all = append(all, v)
			}
			slices.Sort(all)
			return Members{}, all
		}
	}
}

func logObject(r *rand.Rand) func(bool) (any, any) {
	var log []string
	next, offsets := 0, r.IntN(3) == 0
	return func(done bool) (any, any) {
		if r.IntN(2) == 0 {
			return Entries{}, slices.Clone(log)
		}
		next++
		in := Append{"", fmt.Sprint(next)}
		var out any
		if offsets {
			out = int64(len(log))
		}
		if done {
			log = append(log, in.Value)
		}
		return in, out
	}
}

func mutexObject(owners bool) func(r *rand.Rand) func(bool) (any, any) {
	return func(r *rand.Rand) func(bool) (any, any) {
		held := false
		by := ""
		return func(done bool) (any, any) {
			o := ""
			if owners {
				o = fmt.Sprint("p", r.IntN(2))
			}
			if held && r.IntN(3) > 0 {
				o = by
			}
			if r.IntN(2) == 0 || (!held && r.IntN(3) > 0) {
				if held {
					return Acquire{"", o}, false
				}
				if done {
					held, by = true, o
				}
				return Acquire{"", o}, true
			}
			did := held && by == o
			if did && done {
				held = false
			}
			return Release{"", o}, did
		}
	}
}

func leaseObject(r *rand.Rand) func(bool) (any, any) {
	given, used := int64(0), int64(0)
	return func(done bool) (any, any) {
		if given == 0 || r.IntN(3) == 0 {
			if done {
				given++
			}
			return Take{}, given
		}
		in := Use{"", 1 + r.Int64N(given)}
		did := in.Token >= used
		if did && done {
			used = in.Token
		}
		return in, did
	}
}

func counterObject(r *rand.Rand) func(bool) (any, any) {
	n := int64(0)
	return func(done bool) (any, any) {
		if r.IntN(2) == 0 {
			return Value{}, n
		}
		in := Increment{"", r.Int64N(7) - 3}
		sum := n + in.By
		if sum < 0 || sum > 5 {
			return in, false
		}
		if done {
			n = sum
		}
		if r.IntN(2) == 0 {
			return in, true
		}
		return in, sum
	}
}

func multiObject(r *rand.Rand) func(bool) (any, any) {
	v := map[string]string{"x": "0", "y": "0"}
	return func(done bool) (any, any) {
		was := map[string]string{"x": v["x"], "y": v["y"]}
		var in RegisterSteps
		var out []RegisterRead
		for range 1 + r.IntN(3) {
			k := []string{"x", "y"}[r.IntN(2)]
			if r.IntN(2) == 0 {
				in, out = append(in, RegisterStep{Key: k}), append(out, RegisterRead{true, v[k]})
			} else {
				v[k] = fmt.Sprint(r.IntN(3))
				in, out = append(in, RegisterStep{k, true, v[k]}), append(out, RegisterRead{})
			}
		}
		if !done {
			v = was
		}
		return in, out
	}
}
