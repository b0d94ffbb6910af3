package nemesis

import (
	"bytes"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"faultlab/nodes"
)

func drawn(seed uint64, specs []string, over time.Duration) Schedule {
	s, skipped := Draw(rand.New(rand.NewPCG(seed, 1)), nine(), specs, over, newFake())
	if len(skipped) > 0 {
		panic(skipped)
	}
	return s
}

func TestTheSameSeedDrawsTheSameSchedule(t *testing.T) {
	for seed := range uint64(20) {
		var a, b, c bytes.Buffer
		for i, w := range []*bytes.Buffer{&a, &b, &c} {
			if err := WritePlan(w, drawn(seed+uint64(i/2), names(), time.Minute)); err != nil {
				t.Fatal(err)
			}
		}
		if !bytes.Equal(a.Bytes(), b.Bytes()) {
			t.Fatalf("seed %d drew two schedules:\n%s\n%s", seed, &a, &b)
		}
		if bytes.Equal(a.Bytes(), c.Bytes()) {
			t.Fatalf("seeds %d and %d drew the same", seed, seed+1)
		}
	}
}

func TestAScheduleFillsItsPhaseAndLeavesRoomToRecover(t *testing.T) {
	g, seen := nine(), map[string]bool{}
	for _, specs := range [][]string{{"partition"}, {"kill:all"}, {"partition", "kill"}, names()} {
		for seed := range uint64(200) {
			s := drawn(seed, specs, time.Minute)
			if err := s.Validate(g, time.Minute); err != nil {
				t.Fatalf("seed %d: %v", seed, err)
			}
			if len(s) < 4 || s[0].At != 2*time.Second {
				t.Fatalf("seed %d of %v: %d faults, the first at %v", seed, specs, len(s), s[0].At)
			}
			for _, spec := range specs {
				seen[spec] = true
				if len(specs) < 10 && !slices.ContainsFunc(s, func(f Fault) bool { return f.Is(spec) }) {
					t.Fatalf("seed %d never draws %s: %v", seed, spec, s)
				}
			}
			end, calm, longest := time.Duration(0), 0, time.Duration(0)
			for _, f := range s {
				if f.At-end > 1500*time.Millisecond {
					calm++
				}
				if f.Is("kill:all") && f.For > 3*time.Second {
					t.Fatalf("seed %d: nothing works for the whole of %v", seed, f)
				}
				end, longest = max(end, f.At+f.For), max(longest, f.For)
			}
			if calm < 2 || longest > 12*time.Second || end > 59*time.Second {
				t.Fatalf("seed %d of %v: %d calms, %v the longest, %v the end: %v", seed, specs, calm, longest, end, s)
			}
		}
	}
}

func TestTwoFaultsNeverTakeMoreFromAGroupThanItTolerates(t *testing.T) {
	g, overlaps := nine(), 0
	for seed := range uint64(300) {
		s := drawn(seed, names(), time.Minute)
		for i, a := range s {
			for _, b := range s[i+1:] {
				if b.At < a.At+a.For {
					overlaps++
					if !fits(g, a, b) || a.Kind == b.Kind {
						t.Fatalf("seed %d: %v meets %v", seed, a, b)
					}
				}
			}
		}
	}
	if overlaps < 300 {
		t.Errorf("only %d overlaps in 300 schedules", overlaps)
	}
}

func TestAPhaseOfAnyLengthIsFilledAndKept(t *testing.T) {
	for _, over := range []time.Duration{time.Millisecond, time.Second, 5 * time.Second, 10 * time.Second, time.Hour} {
		s := drawn(3, names(), over)
		if err := s.Validate(nine(), over); err != nil || len(s) == 0 {
			t.Errorf("over %v: %d faults, %v", over, len(s), err)
		}
	}
	if s := drawn(3, nil, time.Minute); s != nil {
		t.Errorf("no specs drew %v", s)
	}
	if s := drawn(3, names(), 0); s != nil {
		t.Errorf("no time drew %v", s)
	}
}

// Another kind in the list leaves the faults that the seed draws of the others as they were, though not their times.
func TestAFurtherKindChangesNoFaultOfTheOthers(t *testing.T) {
	aims := func(s Schedule, kind string) (aims []string) {
		for _, f := range s {
			if f.Kind == kind {
				f.At, f.For = 0, 0
				aims = append(aims, f.String())
			}
		}
		return aims
	}
	for seed := range uint64(50) {
		few, more := drawn(seed, []string{"slow", "clock"}, time.Minute), drawn(seed, []string{"slow", "clock", "loss"}, time.Minute)
		for _, kind := range []string{"slow", "clock"} {
			a, b := aims(few, kind), aims(more, kind)
			n := min(len(a), len(b))
			if n == 0 || !slices.Equal(a[:n], b[:n]) {
				t.Fatalf("seed %d: %q became %q", seed, a, b)
			}
		}
	}
}

func TestWhatCannotBeDoneIsSkippedAndNamed(t *testing.T) {
	onlyLinks := struct{ Links }{newFake()}
	g := nine()
	g.Roles, g.Operations = nil, nil
	s, skipped := Draw(rand.New(rand.NewPCG(1, 1)), g, []string{"kill", "partition:link", "partition:leader", "clock:drift", "meteor", "partition:link", "ops", "membership:add", "disk"}, time.Minute, onlyLinks)
	want := []string{
		"kill: this runtime cannot do it",
		"partition:leader: this topology has no place for it",
		"clock:drift: this runtime cannot do it",
		`"meteor" is no fault`,
		"ops: this system has no operation of its own that could be asked for",
		"membership:add: this system cannot change the members of a group",
		"disk: this runtime cannot do it",
	}
	if len(skipped) != len(want) {
		t.Fatalf("skipped %q", skipped)
	}
	for i := range want {
		if !strings.HasPrefix(skipped[i], want[i]) {
			t.Errorf("skipped %q, not %q", skipped[i], want[i])
		}
	}
	if len(s) == 0 || slices.ContainsFunc(s, func(f Fault) bool { return !f.Is("partition:link") }) {
		t.Errorf("drew %v", s)
	}
}

func TestASwarmIsASubsetThatOneMoreSpecHardlyChanges(t *testing.T) {
	sizes, hard := map[int]bool{}, map[string]bool{}
	for seed := range uint64(200) {
		swarm := func(specs []string) []string { return Swarm(rand.New(rand.NewPCG(seed, 1)), specs) }
		few, all := swarm(names()[:8]), swarm(names()[:9])
		if len(few) == 0 {
			t.Fatal("a swarm of none")
		}
		sizes[len(all)] = true
		was := slices.DeleteFunc(all, func(spec string) bool { return strings.HasPrefix(spec, "clock") })
		if len(was) > 0 && !slices.Equal(was, few) {
			t.Fatalf("seed %d: %v became %v", seed, few, all)
		}
		for _, spec := range few {
			if _, _, err := Parse(spec); err != nil {
				t.Fatal(err)
			}
			hard[spec] = true
		}
	}
	if len(sizes) < 6 || len(Swarm(rand.New(rand.NewPCG(1, 1)), nil)) != 0 {
		t.Errorf("sizes seen: %v", sizes)
	}
	if len(hard) < 400 {
		t.Errorf("only %d ways to be hard", len(hard))
	}
}

// A fault that was asked for with options has them, and lasts as long as it was asked to.
func TestOptionsAreKept(t *testing.T) {
	for spec, holds := range map[string]func(f Fault) bool{
		"slow:delay=200ms":       func(f Fault) bool { return f.Quality.Delay == 200*time.Millisecond },
		"loss:per-mille=300":     func(f Fault) bool { return f.Quality.LossPerMille == 300 },
		"pause:for=4s":           func(f Fault) bool { return f.For == 4*time.Second },
		"kill:one:for=20s":       func(f Fault) bool { return f.For == 20*time.Second },
		"clock:jump:offset=-2s":  func(f Fault) bool { return f.Offset == -2*time.Second },
		"disk:slow:delay=30ms":   func(f Fault) bool { return f.Damage.Delay == 30*time.Millisecond },
		"upgrade:bin=/bin/other": func(f Fault) bool { return f.Bin == "/bin/other" },
	} {
		for seed := range uint64(20) {
			s := drawn(seed, []string{spec}, time.Minute)
			if len(s) == 0 || slices.ContainsFunc(s, func(f Fault) bool { return !holds(f) }) {
				t.Errorf("%s drew %v", spec, s)
			}
		}
	}
}

// Whose promises were taken counts until it has been replaced: nothing that may come meanwhile takes more from a group.
func TestMembersThatLostTheirPromisesCountUntilTheyAreReplaced(t *testing.T) {
	g, lost, victims := nine(), 0, map[string]bool{}
	for seed := range uint64(300) {
		s := drawn(seed, []string{"wipe:one", "wipe:minority", "disk", "partition", "kill", "pause", "membership"}, 2*time.Minute)
		if why := s.Excess(g); why != "" {
			t.Fatalf("seed %d: %s in %v", seed, why, s)
		}
		for _, f := range s {
			if f.takes() == Promises {
				lost++
				victims[join(f.Nodes)] = true
			}
		}
	}
	if lost < 900 || len(victims) < 9 {
		t.Errorf("only %d losses in 300 schedules, of %d different members", lost, len(victims))
	}
	wipe := func(at, long time.Duration, ids ...nodes.ID) Fault {
		return Fault{Kind: "wipe", At: at * time.Second, For: long * time.Second, Nodes: ids}
	}
	down := func(kind string, at, long time.Duration, ids ...nodes.ID) Fault {
		f := wipe(at, long, ids...)
		f.Kind = kind
		return f
	}
	for _, c := range []struct {
		s  Schedule
		ok bool
	}{
		{Schedule{wipe(1, 2, "a1")}, true},
		{Schedule{wipe(1, 2, "a1", "a2")}, false},
		{Schedule{wipe(1, 2, "a2", "b2", "c2")}, true},
		{Schedule{wipe(1, 2, "a1"), wipe(5, 2, "a2")}, false},
		{Schedule{wipe(1, 2, "a1"), wipe(14, 2, "a2")}, true},
		{Schedule{wipe(1, 2, "a1"), wipe(5, 2, "a1")}, true},
		{Schedule{wipe(1, 2, "a1"), wipe(5, 2, "b1")}, false}, // of the group that spans regions
		{Schedule{wipe(1, 2, "a1"), wipe(5, 2, "b2")}, true},
		{Schedule{wipe(1, 2, "a1"), down("kill", 5, 2, "a2")}, false},
		{Schedule{down("kill", 1, 5, "a2"), wipe(5, 2, "a1")}, false},
		{Schedule{down("kill", 1, 5, "a2", "a3", "a1"), down("kill", 9, 5, "a2")}, true},
		{Schedule{down("kill", 1, 2, "a2"), wipe(5, 2, "a1")}, true},
	} {
		if got := c.s.Excess(g); (got == "") != c.ok {
			t.Errorf("%v: %q", c.s, got)
		}
	}
}

func TestAnOperationHasTheTimeThatItTakes(t *testing.T) {
	g := nine()
	shortest := func(takes time.Duration) time.Duration {
		g.Operations = []Operation{{Kind: "ops", Name: "promote", Aims: []Aim{{Group: "A"}}, Takes: takes}}
		least := time.Hour
		for seed := range uint64(50) {
			s, _ := Draw(rand.New(rand.NewPCG(seed, 1)), g, []string{"ops", "slow"}, time.Minute, newFake())
			for _, f := range s {
				if f.Kind == "ops" {
					least = min(least, f.For)
				}
			}
		}
		return least
	}
	if any, least := shortest(0), shortest(4*time.Second); any > 3*time.Second || least < 4*time.Second {
		t.Errorf("an operation that takes 4 s is given %v, and any other %v", least, any)
	}
}
