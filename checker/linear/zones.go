package linear

import (
	"math"
	"slices"
	"time"

	"faultlab/checker/history"
)

// A zone is a write and the reads of its value.
type zone struct {
	write        int32         // -1 of the initial value, or of one nobody wrote
	first, last  int32         // the operation that ended first, and the one called last
	ended, begun time.Duration // when they did
}

const (
	always = time.Duration(math.MinInt64)
	never  = time.Duration(math.MaxInt64)
)

// zones judges a register whose written values are unique, in O(n log n) (Gibbons and Korach, "Testing Shared
// Memories", SIAM Journal on Computing 1997, section 4). In any order the operations of a zone stand together, the write first; zone a has to
// come before zone b if an operation of a was over before one of b began, that is if a.ended < b.begun. There is an
// order if no read was over before its write began and no two zones have to come before each other: then none do in a
// longer circle either, since of the zones in a circle the one that ended first has to come before every zone that is
// followed by another. Two zones have to come before each other if they are forward (ended before begun) and overlap,
// or if one is forward and encloses the other.
//
// The initial value was written before everything. An unknown write that was read has no end; one that was not is left
// out, since an order is as good without it. It declines what is not a read or a write, and values written twice.
func zones(initial string) func([]Op, Budget) (Finding, bool) {
	return func(ops []Op, _ Budget) (Finding, bool) { return checkZones(initial, ops) }
}

func checkZones(initial string, ops []Op) (Finding, bool) {
	writes := 0
	for i := range ops {
		switch ops[i].In.(type) {
		case Write:
			writes++
		case Read:
		default:
			return Finding{}, false
		}
	}
	number := newNames(writes + 1)
	all := make([]zone, 1, writes+1)
	number.put(initial)
	all[0] = zone{write: -1, first: -1, last: -1, ended: always, begun: always}
	for i := range ops {
		if in, ok := ops[i].In.(Write); ok {
			if _, fresh := number.put(in.Value); !fresh {
				return Finding{}, false
			}
			z := zone{write: int32(i), first: -1, last: int32(i), ended: never, begun: ops[i].Call}
			if ops[i].Outcome != history.Unknown {
				z.first, z.ended = int32(i), end(&ops[i])
			}
			all = append(all, z)
		}
	}
	for i := range ops {
		if _, ok := ops[i].In.(Read); !ok || ops[i].Outcome == history.Unknown {
			continue
		}
		v, ok := ops[i].Out.(string)
		if !ok {
			continue
		}
		n, ok := number.get(v)
		if !ok {
			return bad([]int{i}, "%s (%s) cannot happen: nobody wrote %s", saySimple(ops[i].In, v), who(&ops[i]), v), true
		}
		z := &all[n]
		ended := end(&ops[i])
		if n > 0 && ended < ops[z.write].Call {
			return bad([]int{i, int(z.write)}, "%s (%s) cannot happen: %s was not written before %s, by %s",
				saySimple(ops[i].In, v), who(&ops[i]), v, clock(ops[z.write].Call), client(&ops[z.write])), true
		}
		if ended < z.ended {
			z.first, z.ended = int32(i), ended
		}
		if ops[i].Call > z.begun {
			z.last, z.begun = int32(i), ops[i].Call
		}
	}

	// Forward zones by when they ended, apart from each other.
	forward := make([]*zone, 0, len(all))
	for n := range all {
		if z := &all[n]; z.ended < z.begun {
			forward = append(forward, z)
		}
	}
	slices.SortFunc(forward, func(a, b *zone) int {
		switch {
		case a.ended < b.ended:
			return -1
		case a.ended > b.ended:
			return 1
		}
		return int(a.write - b.write)
	})
	for i := 1; i < len(forward); i++ {
		if a, b := forward[i-1], forward[i]; b.ended < a.begun {
			return circle(initial, ops, a, b), true
		}
	}
	for n := range all {
		z := &all[n]
		if z.ended < z.begun {
			continue
		}
		// The last forward zone that ended before this one began is the only one that can enclose it.
		at, _ := slices.BinarySearchFunc(forward, z.begun, func(f *zone, t time.Duration) int {
			if f.ended < t {
				return -1
			}
			return 1
		})
		if at > 0 && z.ended < forward[at-1].begun {
			return circle(initial, ops, forward[at-1], z), true
		}
	}
	return Finding{Verdict: history.Pass}, true
}

// circle tells of two zones that have to come before each other.
func circle(initial string, ops []Op, a, b *zone) Finding {
	if stale(ops, b, a) {
		a, b = b, a
	}
	var at []int
	for _, x := range []int32{a.write, a.first, a.last, b.write, b.first, b.last} {
		if x >= 0 && !slices.Contains(at, int(x)) {
			at = append(at, int(x))
		}
	}
	value := func(z *zone) string {
		if z.write < 0 {
			return initial
		}
		return ops[z.write].In.(Write).Value
	}
	va, vb := value(a), value(b)
	if stale(ops, a, b) {
		r, f := &ops[a.last], &ops[b.first]
		how := "write returned"
		if b.first != b.write {
			how = "read of it returned"
		}
		after := "and nobody wrote " + va + " after it"
		if a.write < 0 {
			after = "and nobody ever wrote " + va
		}
		return bad(at, "%s (%s) cannot happen: %s was %s from %s, when %s's %s, %s",
			saySimple(r.In, va), who(r), thing(r.In.(Read).Key), vb, clock(b.ended), client(f), how, after)
	}
	say := func(x int32) string { return saySimple(ops[x].In, ops[x].Out) + " (" + who(&ops[x]) + ")" }
	return bad(at, "%s and %s each come before the other: %s was over before %s began, and %s before %s",
		va, vb, say(a.first), say(b.last), say(b.first), say(a.last))
}

// stale says that the value of a was replaced by that of b, and read after that.
func stale(ops []Op, a, b *zone) bool {
	if b.write < 0 || a.last < 0 || a.last == a.write {
		return false
	}
	return a.write < 0 || (ops[a.write].Outcome != history.Unknown && end(&ops[a.write]) < ops[b.write].Call)
}
