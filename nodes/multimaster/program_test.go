package multimaster

import (
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"
)

func newStore() *store {
	return &store{cells: map[string]*cell{}, holds: func(key string) bool { return strings.HasPrefix(key, "A1/") }}
}

// shown is what a store holds, without cells that are empty.
func shown(s *store) map[string]string {
	m := map[string]string{}
	for key, c := range s.cells {
		if len(c.list) > 0 || c.value != 0 {
			m[key] = fmt.Sprint(c.list, c.value)
		}
	}
	return m
}

// program draws up to five steps over a few keys, one of them of another range.
func program(chance *rand.Rand) []Op {
	keys := []string{"A1/a", "A1/b", "A1/c", "B1/d"}
	key := func() string { return keys[chance.IntN(len(keys))] }
	ops := make([]Op, 1+chance.IntN(5))
	for i := range ops {
		v := int64(chance.IntN(4))
		ops[i] = []Op{
			{F: Read, Key: key()}, {F: Append, Key: key(), Value: v}, {F: Write, Key: key(), Value: v},
			{F: CAS, Key: key(), Old: v, Value: int64(chance.IntN(4))}, {F: Transfer, Key: key(), To: key(), Value: v},
		}[chance.IntN(5)]
	}
	return ops
}

func TestAProgramRunDryOrAbortedChangesNothing(t *testing.T) {
	s, chance := newStore(), rand.New(rand.NewPCG(2, 2))
	aborts := 0
	for range 5000 {
		ops := program(chance)
		before, sum := shown(s), s.sum
		dry, dryAbort := s.run(ops, true)
		if !reflect.DeepEqual(shown(s), before) || s.sum != sum {
			t.Fatalf("run dry, %v made %v of %v", ops, shown(s), before)
		}
		results, abort := s.run(ops, false)
		if !reflect.DeepEqual(dry, results) || dryAbort != abort {
			t.Fatalf("run dry, %v gave %v %q, and then %v %q", ops, dry, dryAbort, results, abort)
		}
		if abort != "" {
			aborts++
			if !reflect.DeepEqual(shown(s), before) || s.sum != sum || results != nil {
				t.Fatalf("aborted (%s), %v made %v of %v", abort, ops, shown(s), before)
			}
		}
	}
	if aborts < 500 {
		t.Errorf("only %d programs aborted: nothing was tested", aborts)
	}
}

func TestAProgramSeesItsOwnSteps(t *testing.T) {
	s := newStore()
	results, abort := s.run([]Op{
		{F: Read, Key: "A1/a"},
		{F: Append, Key: "A1/a", Value: 7},
		{F: Read, Key: "A1/a"},
		{F: Write, Key: "A1/a", Value: 5},
		{F: CAS, Key: "A1/a", Old: 5, Value: 6},
		{F: Transfer, Key: "A1/a", To: "A1/b", Value: 2},
		{F: Transfer, Key: "A1/a", To: "A1/a", Value: 4},
		{F: Append, Key: "A1/a", Value: 8},
		{F: Read, Key: "A1/a"},
		{F: Read, Key: "A1/b"},
		{F: Read, Key: "B1/elsewhere"},
	}, false)
	want := map[int]Result{2: {List: []int64{7}}, 8: {List: []int64{7, 8}, Int: 4}, 9: {Int: 2}}
	for i, r := range results {
		if fmt.Sprint(r) != fmt.Sprint(want[i]) {
			t.Errorf("step %d saw %v, want %v", i, r, want[i])
		}
	}
	if abort != "" || len(results) != 11 {
		t.Errorf("%d results, abort %q", len(results), abort)
	}
}

func TestAConditionThatFailsSaysWhich(t *testing.T) {
	for _, tc := range []struct {
		op   Op
		want string
	}{
		{Op{F: CAS, Key: "A1/a", Old: 1}, "cas: A1/a holds another value"},
		{Op{F: Transfer, Key: "A1/a", To: "A1/b", Value: 1}, "transfer: A1/a holds too little"},
		{Op{F: Transfer, Key: "A1/a", To: "B1/b", Value: 1}, "transfer: A1/a holds too little"},
		{Op{F: "increment", Key: "A1/a"}, "unknown step increment"},
		{Op{F: CAS, Key: "B1/a", Old: 1}, ""}, // another range's to say
		{Op{F: Transfer, Key: "B1/a", To: "A1/b", Value: 1}, ""},
	} {
		if _, abort := newStore().run([]Op{{F: Append, Key: "A1/l", Value: 1}, tc.op}, false); abort != tc.want {
			t.Errorf("%v aborts with %q, want %q", tc.op, abort, tc.want)
		}
	}
}

func TestADigestDependsOnWhatIsHeldAndNotOnHowItCame(t *testing.T) {
	ops := []Op{
		{F: Append, Key: "A1/a", Value: 1}, {F: Append, Key: "A1/b", Value: 2}, {F: Write, Key: "A1/c", Value: 3},
		{F: Write, Key: "A1/a", Value: 4}, {F: Append, Key: "A1/d", Value: 1},
	}
	chance := rand.New(rand.NewPCG(3, 3))
	sums := map[uint64]bool{}
	for range 50 {
		s := newStore()
		for _, i := range chance.Perm(len(ops)) {
			s.run([]Op{{F: Write, Key: "A1/z", Value: int64(i)}, {F: Read, Key: "A1/y"}, ops[i]}, false)
		}
		s.run([]Op{{F: Write, Key: "A1/z"}}, false)
		sums[s.sum] = true
	}
	if len(sums) != 1 {
		t.Errorf("%d digests of one state", len(sums))
	}
	for _, other := range [][]Op{
		{ops[0]}, {ops[1]}, {{F: Append, Key: "A1/a", Value: 2}}, {{F: Write, Key: "A1/a", Value: 1}},
		{ops[0], {F: Append, Key: "A1/a", Value: 2}}, {{F: Append, Key: "A1/a", Value: 2}, ops[0]},
		{{F: Append, Key: "A1/a"}}, {ops[0], {F: Write, Key: "A1/a", Value: 2}},
	} {
		s := newStore()
		s.run(other, false)
		if sums[s.sum] || s.sum == 0 {
			t.Errorf("%v has the digest of another state", other)
		}
		sums[s.sum] = true
	}
}

func TestResultsShareNoMemoryWithLaterAppends(t *testing.T) {
	s := newStore()
	var seen [][]int64
	for i := range int64(40) {
		dry, _ := s.run([]Op{{F: Append, Key: "A1/a", Value: -1}, {F: Read, Key: "A1/a"}}, true)
		results, _ := s.run([]Op{{F: Append, Key: "A1/a", Value: i}, {F: Read, Key: "A1/a"}}, false)
		if got := dry[1].List; got[i] != -1 {
			t.Fatalf("what was run dry now reads %v", got)
		}
		seen = append(seen, results[1].List)
	}
	for n, list := range seen {
		if len(list) != n+1 || !slices.IsSorted(list) || list[n] != int64(n) {
			t.Errorf("result %d became %v", n, list)
		}
	}
}
