package nemesis

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"faultlab/nodes"
)

const second = time.Second

func ids(names string) []nodes.ID {
	var ids []nodes.ID
	for _, name := range strings.Fields(names) {
		ids = append(ids, nodes.ID(name))
	}
	return ids
}

func TestASchedulePlaysAsItSays(t *testing.T) {
	for _, c := range []struct {
		name string
		s    Schedule
		want string // what is done to the cluster, and how each fault is reported
	}{
		{"a fault strikes at its time and is healed at its end", Schedule{{Kind: "kill", At: 2 * second, For: 3 * second, Nodes: ids("a1 a2")}}, `
12s kill a1
12s kill a2
15s boot a1
15s boot a2
15s fault 0: hit a1 a2 from 12s to 15s`},
		{"a node that a second fault holds down is not booted by the first", Schedule{
			{Kind: "kill", At: 1 * second, For: 3 * second, Nodes: ids("a1 a2")},
			{Kind: "power-loss", At: 2 * second, For: 4 * second, Nodes: ids("a1")}}, `
11s kill a1
11s kill a2
12s power-loss a1
14s boot a2
14s fault 0: hit a1 a2 from 11s to 14s
16s boot a1
16s fault 1: hit a1 from 12s to 16s: a1: down already`},
		{"a node stays paused until the last pause ends", Schedule{
			{Kind: "pause", At: 1 * second, For: 5 * second, Nodes: ids("a1")},
			{Kind: "pause", At: 2 * second, For: 1 * second, Nodes: ids("a1 b1")}}, `
11s pause a1
12s pause a1
12s pause b1
13s resume b1
13s fault 1: hit a1 b1 from 12s to 13s
16s resume a1
16s fault 0: hit a1 from 11s to 16s`},
		{"a node that a kill wakes from a pause is frozen again, until the last pause ends", Schedule{
			{Kind: "pause", At: 5 * second, For: 10 * second, Nodes: ids("a1")},
			{Kind: "kill", At: 6 * second, For: 1 * second, Nodes: ids("a1")},
			{Kind: "pause", At: 9 * second, For: 8 * second, Nodes: ids("a1")}}, `
15s pause a1
16s kill a1
17s boot a1
17s fault 1: hit a1 from 16s to 17s
17s pause a1
19s pause a1
25s fault 0: hit a1 from 15s to 25s
27s resume a1
27s fault 2: hit a1 from 19s to 27s: a1: down or paused already`},
		{"but not if the pause ends before the boot", Schedule{
			{Kind: "pause", At: 5 * second, For: 2 * second, Nodes: ids("a1")},
			{Kind: "power-loss", At: 6 * second, For: 3 * second, Nodes: ids("a1")}}, `
15s pause a1
16s power-loss a1
17s fault 0: hit a1 from 15s to 17s
19s boot a1
19s fault 1: hit a1 from 16s to 19s`},
		{"a dead node is not paused", Schedule{
			{Kind: "kill", At: 1 * second, For: 5 * second, Nodes: ids("a1")},
			{Kind: "pause", At: 2 * second, For: 1 * second, Nodes: ids("a1")}}, `
11s kill a1
13s fault 1: never took from 12s to 13s: a1: down or paused already
16s boot a1
16s fault 0: hit a1 from 11s to 16s`},
		{"skews of one clock add up", Schedule{
			{Kind: "clock", At: 1 * second, For: 5 * second, Nodes: ids("a1"), Offset: second},
			{Kind: "clock", At: 2 * second, For: 1 * second, Nodes: ids("a1"), Offset: second, DriftPPM: 5}}, `
11s skew a1 1s 0
12s skew a1 2s 5
13s skew a1 1s 0
13s fault 1: hit a1 from 12s to 13s
16s skew a1 0s 0
16s fault 0: hit a1 from 11s to 16s`},
		{"a role is whoever has it when the fault strikes", Schedule{{Kind: "kill", At: 1 * second, For: second, Role: "leader of A1"}}, `
11s kill a3
12s boot a3
12s fault 0: hit a3 from 11s to 12s`},
		{"nodes outrank the role they once had", Schedule{{Kind: "kill", At: 1 * second, For: second, Role: "leader of A1", Nodes: ids("a2")}}, `
11s kill a2
12s boot a2
12s fault 0: hit a2 from 11s to 12s`},
		{"a role that nobody has strikes nobody", Schedule{{Kind: "kill", At: 1 * second, For: second, Role: "leader of Z9"}}, `
11s fault 0: never took from 11s to 11s: nobody was leader of Z9 when it struck`},
		{"a partition of a leader cuts the leader's links", Schedule{{Kind: "partition", At: 1 * second, For: second, Role: "leader of A1", Links: between(ids("a1 a2 a3"), ids("a1 a2 a3"))}}, `
11s cut a1>a3 a2>a3 a3>a1 a3>a2
12s mend
12s fault 0: hit a3 from 11s to 12s`},
		{"flapping cuts and mends in turn", Schedule{{Kind: "partition", Form: "flapping", At: 0, For: 5 * second, Every: 2 * second, Nodes: ids("a1"), Links: between(ids("a1"), ids("a2"))}}, `
10s cut a1>a2
11s mend
12s cut a1>a2
13s mend
14s cut a1>a2
15s mend
15s fault 0: hit a1 from 10s to 15s`},
		{"a strobe leaps to and fro", Schedule{{Kind: "clock", Form: "strobe", At: 0, For: 3 * second, Every: 2 * second, Nodes: ids("a1"), Offset: -second}}, `
10s skew a1 -1s 0
11s skew a1 0s 0
12s skew a1 -1s 0
13s skew a1 0s 0
13s fault 0: hit a1 from 10s to 13s`},
		{"harm without a cut is told apart", Schedule{{Kind: "loss", At: 0, For: second, Links: between(ids("a1"), ids("a2")), Quality: &nodes.Quality{LossPerMille: 5}}}, `
10s harm a1>a2
11s mend
11s fault 0: hit  from 10s to 11s`},
		{"what the runtime refuses never took, and is undone as far as it went", Schedule{{Kind: "kill", At: 0, For: second, Nodes: ids("a1 forbidden a2")}}, `
10s kill a1
10s boot a1
10s boot forbidden
10s fault 0: never took from 10s to 10s: kill forbidden: refused`},
		{"what has not struck or is not healed when the phase ends is ended and told", Schedule{
			{Kind: "pause", At: 15 * second, For: 10 * second, Nodes: ids("a1")},
			{Kind: "kill", At: 25 * second, For: 2 * second, Nodes: ids("a2")}}, `
25s pause a1
30s resume a1
30s fault 0: hit a1 from 25s to 30s
30s fault 1: never took from 30s to 30s: the phase ended before it could strike`},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := newFake()
			f.refuse = "kill forbidden"
			f.roles["leader of A1"] = ids("a3")
			f.now = 5 * second
			p := Play(t.Context(), f.target(), c.s, 10*second, func(i int, w Window) {
				hit, why := "hit "+join(w.Strike.Nodes), ""
				if !w.Strike.Took {
					hit = "never took"
				}
				if w.Strike.Why != "" {
					why = ": " + w.Strike.Why
				}
				if !w.Strike.Took && why == "" {
					t.Errorf("fault %d never took and does not say why: %+v", i, w.Strike)
				}
				f.lines = append(f.lines, fmt.Sprintf("%v fault %d: %s from %v to %v%s", f.now, i, hit, w.Start, w.End, why))
			})
			f.run(30 * second)
			for range 2 {
				if err := p.HealAll(t.Context()); err != nil {
					t.Error(err)
				}
			}
			f.run(60 * second)
			if got := strings.Join(f.lines, "\n"); got != strings.TrimSpace(c.want) {
				t.Errorf("got\n%s\nwant%s", got, c.want)
			}
			if left := f.harmless(); left != "" {
				t.Error("left", left)
			}
		})
	}
}

func TestWhatCannotBeHealedIsTriedAgainAtTheEndAndTold(t *testing.T) {
	f := newFake()
	f.refuse = "boot"
	var got []Window
	p := Play(t.Context(), f.target(), Schedule{{Kind: "kill", For: second, Nodes: ids("a1")}, {Kind: "pause", For: second, Nodes: ids("b1")}}, 0, func(_ int, w Window) { got = append(got, w) })
	f.run(5 * second)
	if len(got) != 1 || got[0].Fault.Kind != "pause" {
		t.Fatalf("reported %+v", got)
	}
	if err := p.HealAll(t.Context()); err == nil || err.Error() != "healing 0s kill a1 for 1s: boot a1: refused" {
		t.Error(err)
	}
	if len(got) != 2 || got[1].End != 5*second || !got[1].Strike.Took {
		t.Errorf("reported %+v", got)
	}
}

func TestAWindowTellsWhenItsHarmWasDoneAndWhenItsHealingBegan(t *testing.T) {
	f := newFake()
	f.takes = 300 * time.Millisecond
	var w Window
	Play(t.Context(), f.target(), Schedule{{Kind: "partition", At: second, For: 2 * second, Nodes: ids("a1"), Links: []nodes.Link{{From: "a1", To: "b1"}}}}, 0, func(_ int, done Window) { w = done })
	f.run(9 * second)
	got := []time.Duration{w.Start, w.Struck, w.Healing, w.End}
	if want := []time.Duration{second, 1300 * time.Millisecond, 3 * second, 3300 * time.Millisecond}; !slices.Equal(got, want) || !w.Strike.Took {
		t.Errorf("the window is %v, and not %v: %+v", got, want, w)
	}
}

func TestWhatGoesWrongBetweenAStrikeAndItsHealingIsTold(t *testing.T) {
	for refuse, s := range map[string]Schedule{
		"skew a1 0s 0": {{Kind: "clock", Form: "strobe", For: 3 * second, Every: second, Nodes: ids("a1"), Offset: second}},
		"pause a1":     {{Kind: "pause", For: 9 * second, Nodes: ids("a1")}, {Kind: "kill", At: second, For: second, Nodes: ids("a1")}},
	} {
		f := newFake()
		p := Play(t.Context(), f.target(), s, 0, func(int, Window) {})
		f.run(400 * time.Millisecond)
		f.refuse = refuse
		f.run(2800 * time.Millisecond)
		f.refuse = ""
		f.run(20 * second)
		if err := p.HealAll(t.Context()); err == nil || !strings.Contains(err.Error(), refuse+": refused") {
			t.Errorf("%s was refused, and that is told as %v", refuse, err)
		}
	}
}

func TestAKindThatTheRuntimeCannotDoIsReportedAndNotDone(t *testing.T) {
	f := newFake()
	target := f.target()
	target.Cluster = struct{ Links }{f}
	var got []Window
	Play(t.Context(), target, Schedule{{Kind: "kill", For: second, Nodes: ids("a1")}, {Kind: "meteor", For: second}}, 0, func(_ int, w Window) { got = append(got, w) })
	f.run(5 * second)
	if len(f.lines) != 0 || len(got) != 2 || got[0].Strike.Why != "this runtime cannot do it" || got[1].Strike.Why != `"meteor" is no fault` {
		t.Errorf("%q %+v", f.lines, got)
	}
}

func TestARestartDoesNotEndAKill(t *testing.T) {
	c := newFake()
	p := Play(t.Context(), c.target(), Schedule{
		{Kind: "kill", Form: "one", At: time.Second, For: 5 * time.Second, Nodes: []nodes.ID{"a1"}},
		{Kind: "restart-all", Form: "at-once", At: 2 * time.Second, For: time.Second, Nodes: []nodes.ID{"a1", "a2"}},
	}, 0, func(int, Window) {})
	c.run(4 * time.Second)
	if !c.down["a1"] || c.down["a2"] {
		t.Errorf("while the kill lasts a1 is down: %v, and a2: %v", c.down["a1"], c.down["a2"])
	}
	if err := p.HealAll(t.Context()); err != nil || c.down["a1"] {
		t.Errorf("in the end a1 is down: %v, %v", c.down["a1"], err)
	}
}

// A crew is a cluster that does to several nodes at once what takes its time.
type crew struct{ *fake }

func (c crew) KillAll(_ context.Context, ids []nodes.ID) error {
	for _, id := range ids {
		c.down[id] = true
	}
	return c.does("kill all %s", join(ids))
}

func (c crew) BootAll(_ context.Context, ids []nodes.ID) error {
	for _, id := range ids {
		delete(c.down, id)
	}
	return c.does("boot all %s", join(ids))
}

func TestWhatARuntimeDoesToAllAtOnceIsAskedForOnce(t *testing.T) {
	for _, f := range []Fault{{Kind: "restart-all", Form: "at-once"}, {Kind: "kill", Form: "all"}} {
		c := newFake()
		target := c.target()
		target.Cluster = crew{c}
		f.At, f.For, f.Nodes = time.Second, time.Second, []nodes.ID{"a1", "a2", "b1"}
		Play(t.Context(), target, Schedule{f}, 0, func(int, Window) {})
		c.run(3 * time.Second)
		if got := strings.Join(c.lines, "; "); strings.Count(got, "kill") != 1 || strings.Count(got, "boot") != 1 || !strings.Contains(got, "kill all a1 a2 b1") || !strings.Contains(got, "boot all a1 a2 b1") {
			t.Errorf("%v did %s", f, got)
		}
	}
}

// A fault that waits strikes as soon as somebody has its role, and if nobody comes to have it, when its time is over.
func TestAFaultMayWaitForItsRole(t *testing.T) {
	for _, held := range []time.Duration{0, 1500 * time.Millisecond, time.Minute} {
		c := newFake()
		target := c.target()
		target.Resolve = func(string) []nodes.ID {
			if c.now < held {
				return nil
			}
			return []nodes.ID{"a1"}
		}
		var got Window
		Play(t.Context(), target, Schedule{{Kind: "kill", Form: "role", Role: "clerk", At: time.Second, For: 3 * time.Second, Wait: time.Second}}, 0, func(_ int, w Window) { got = w })
		c.run(10 * time.Second)
		if took := held < 2*time.Second; got.Strike.Took != took || took && (got.Start != max(time.Second, held) || got.End != 4*time.Second) || !took && got.Start != 2*time.Second {
			t.Errorf("held from %s on: struck from %s to %s: %+v", held, got.Start, got.End, got.Strike)
		}
	}
}
