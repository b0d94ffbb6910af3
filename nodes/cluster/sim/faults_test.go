package sim_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"faultlab/nodes"
)

func link(from, to nodes.ID) nodes.Link { return nodes.Link{From: from, To: to} }

// asked counts what a1 and a2 hear and what c1 gets when a1 is asked n times in a row, and told to tell a2 n times.
func (w *world) asked(n int) string {
	w.said()
	for range n {
		w.call("c1", "a1", "q")
		w.call("c1", "a1", "tell a2")
	}
	w.run(w.Now() + 5*time.Second)
	said := w.said()
	return fmt.Sprintf("a1 hears %d, c1 %d, a2 %d", strings.Count(said, "a1 hears q"), strings.Count(said, "c1 {q}"), strings.Count(said, "a2 hears hello"))
}

func TestALinkIsHarmedInOneDirectionUntilItIsHealed(t *testing.T) {
	for _, tc := range []struct {
		name string
		q    nodes.Quality
		link nodes.Link
		want string
	}{
		{"a request is cut off", nodes.Quality{Cut: true}, link("clients", "a1"), "a1 hears 0, c1 0, a2 0"},
		{"a reply is lost", nodes.Quality{Cut: true}, link("a1", "clients"), "a1 hears 10, c1 0, a2 10"},
		{"a node is cut from another", nodes.Quality{Cut: true}, link("a1", "a2"), "a1 hears 10, c1 10, a2 0"},
		{"but not the other from it", nodes.Quality{Cut: true}, link("a2", "a1"), "a1 hears 10, c1 10, a2 10"},
		{"all is lost", nodes.Quality{LossPerMille: 1000}, link("a1", "a2"), "a1 hears 10, c1 10, a2 0"},
		{"all comes twice", nodes.Quality{DuplicatePerMille: 1000}, link("a1", "a2"), "a1 hears 10, c1 10, a2 20"},
		{"a request comes twice and is answered once", nodes.Quality{DuplicatePerMille: 1000}, link("clients", "a1"), "a1 hears 20, c1 10, a2 20"},
		{"a reply comes twice", nodes.Quality{DuplicatePerMille: 1000}, link("a1", "clients"), "a1 hears 10, c1 10, a2 10"},
		{"one client is cut off", nodes.Quality{Cut: true}, link("c1", "a1"), "a1 hears 0, c1 0, a2 0"},
		{"one client gets no reply", nodes.Quality{Cut: true}, link("a1", "c1"), "a1 hears 10, c1 0, a2 10"},
		{"another client is cut off", nodes.Quality{Cut: true}, link("c2", "a1"), "a1 hears 10, c1 10, a2 10"},
		{"a reply comes after the deadline", nodes.Quality{Delay: time.Second}, link("a1", "clients"), "a1 hears 10, c1 0, a2 10"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			w := start(t, echo, nodes.Spec{})
			heal := w.degrade(tc.q, tc.link)
			if got := w.asked(10); got != tc.want {
				t.Errorf("%s, want %s", got, tc.want)
			}
			heal()
			heal()
			if got := w.asked(10); got != "a1 hears 10, c1 10, a2 10" {
				t.Errorf("after it is healed %s", got)
			}
		})
	}
}

func TestChancesAreOfAThousand(t *testing.T) {
	for _, tc := range []struct {
		q        nodes.Quality
		min, max int
	}{
		{nodes.Quality{LossPerMille: 300}, 650, 750},
		{nodes.Quality{DuplicatePerMille: 300}, 1250, 1350},
		{nodes.Quality{LossPerMille: 1}, 990, 1000},
	} {
		w := start(t, echo, nodes.Spec{})
		w.degrade(tc.q, link("a1", "a2"))
		var a1, c1, a2 int
		fmt.Sscanf(w.asked(1000), "a1 hears %d, c1 %d, a2 %d", &a1, &c1, &a2)
		if a2 < tc.min || a2 > tc.max {
			t.Errorf("%+v: of 1000 messages %d arrive", tc.q, a2)
		}
	}
}

func TestHarmsToOneLinkAddUpAndHealApart(t *testing.T) {
	w := start(t, echo, nodes.Spec{})
	cut := w.degrade(nodes.Quality{Cut: true}, link("a1", "a2"), link("clients", "a1"))
	also := w.degrade(nodes.Quality{Cut: true}, link("a1", "a2"))
	twice := w.degrade(nodes.Quality{DuplicatePerMille: 1000}, link("a1", "a2"))
	thrice := w.degrade(nodes.Quality{DuplicatePerMille: 1000}, link("a1", "a2"))
	for _, step := range []struct {
		heal func()
		want string
	}{
		{func() {}, "a1 hears 0, c1 0, a2 0"},
		{cut, "a1 hears 5, c1 5, a2 0"},
		{cut, "a1 hears 5, c1 5, a2 0"},
		{also, "a1 hears 5, c1 5, a2 15"},
		{twice, "a1 hears 5, c1 5, a2 10"},
		{thrice, "a1 hears 5, c1 5, a2 5"},
	} {
		step.heal()
		if got := w.asked(5); got != step.want {
			t.Errorf("%s, want %s", got, step.want)
		}
	}
}

func TestMessagesOvertakeOneAnotherOnlyWhenReordered(t *testing.T) {
	inOrder := func(q nodes.Quality) bool {
		w := start(t, funcs{
			start: func(env nodes.Env) { env.After(time.Millisecond, "0") },
			wake: func(env nodes.Env, name string) {
				if env.ID() == "a1" && len(name) < 30 {
					env.Send("b1", Say{name})
					env.After(5*time.Millisecond, name+"0")
				}
			},
			receive: echo.receive,
		}, nodes.Spec{})
		w.degrade(q, link("a1", "b1"))
		w.run(2 * time.Second)
		for i := 1; i < len(w.lines); i++ {
			if strings.HasPrefix(w.lines[i], "b") || len(w.lines[i-1]) > len(w.lines[i])+1 {
				return false
			}
		}
		return len(w.lines) == 29
	}
	if !inOrder(nodes.Quality{}) {
		t.Error("messages further apart than the jitter changed order")
	}
	if inOrder(nodes.Quality{ReorderPerMille: 300}) || inOrder(nodes.Quality{Jitter: 100 * time.Millisecond}) {
		t.Error("no message overtook another")
	}
}

func TestANodeIsNeverCutFromItself(t *testing.T) {
	w := start(t, echo, nodes.Spec{})
	w.degrade(nodes.Quality{Cut: true}, link("a1", "a1"), link("a1", "a2"))
	w.call("c1", "a1", "tell a1")
	w.run(time.Millisecond)
	w.want("300µs a1 hears tell a1 from c1:1; 300µs a1 hears hello from a1")
}

func TestADegradeThatNamesNoLinkIsAnErrorAndHarmsNothing(t *testing.T) {
	w := start(t, echo, nodes.Spec{})
	for _, tc := range []struct {
		q    nodes.Quality
		link nodes.Link
	}{
		{nodes.Quality{Cut: true}, link("c1", "clients")},
		{nodes.Quality{LossPerMille: 1001}, link("a1", "a2")},
		{nodes.Quality{Delay: -1}, link("a1", "a2")},
	} {
		if _, err := w.Degrade(t.Context(), []nodes.Link{link("clients", "a1"), tc.link}, tc.q); err == nil {
			t.Errorf("%+v of %v is taken", tc.q, tc.link)
		}
	}
	if got := w.asked(3); got != "a1 hears 3, c1 3, a2 3" {
		t.Error(got)
	}
}

func TestANodeThatIsDownHearsNothingAndBootsAgain(t *testing.T) {
	f := echo
	f.start = func(env nodes.Env) { env.Logf("boots %s", env.Boot()); env.After(100*time.Millisecond, "t") }
	f.wake = func(env nodes.Env, name string) { env.Logf("wakes") }
	w := start(t, f, nodes.Spec{Topology: topology("a1")})
	w.run(50 * time.Millisecond)
	w.must(w.Kill(t.Context(), "a1"))
	w.must(w.Kill(t.Context(), "a1"))
	w.call("c1", "a1", "q")
	w.must(w.Boot(t.Context(), "a1"))
	w.must(w.Kill(t.Context(), "a1"))
	w.run(2 * time.Second)
	w.must(w.Boot(t.Context(), "a1"))
	w.must(w.Boot(t.Context(), "a1"))
	w.must(w.Kill(t.Context(), "a1"))
	w.must(w.Boot(t.Context(), "a1"))
	w.run(3 * time.Second)
	w.must(w.Boot(t.Context(), "a1"))
	w.run(4 * time.Second)
	w.want("0s a1 boots new; 1.05s c1 silence after q; 2s a1 boots restart; 2.1s a1 wakes")
	for _, err := range []error{w.Kill(t.Context(), "x"), w.Boot(t.Context(), "x"), w.Pause(t.Context(), "x"), w.Resume(t.Context(), "x"),
		w.PowerLoss(t.Context(), []nodes.ID{"a1", "x"}), w.Skew(t.Context(), "x", 0, 0), w.Skew(t.Context(), "a1", 0, -1_000_000)} {
		if err == nil {
			t.Error("a node that does not exist, or a clock that stands, is no error")
		}
	}
	w.call("c1", "a1", "alive")
	w.run(5 * time.Second)
	if !strings.Contains(w.said(), "c1 {alive}") {
		t.Error("a refused power loss was done in part")
	}
}

func TestAMessageUnderWayArrivesThoughItsSenderDied(t *testing.T) {
	w := start(t, echo, nodes.Spec{})
	w.call("c1", "a1", "tell b1")
	w.run(time.Millisecond)
	w.must(w.Kill(t.Context(), "a1"))
	w.run(100 * time.Millisecond)
	w.want("300µs a1 hears tell b1 from c1:1; 41.2ms b1 hears hello from a1")
}

func TestAPausedNodeHandlesAllThatWaitedInOrder(t *testing.T) {
	f := echo
	f.start = func(env nodes.Env) {
		if env.ID() == "a1" {
			env.After(1500*time.Millisecond, "late")
			env.After(time.Second, "moved")
			env.After(1700*time.Millisecond, "moved")
			env.After(5*time.Second, "on time")
		}
	}
	f.wake = func(env nodes.Env, name string) { env.Logf("wakes %s", name) }
	w := start(t, f, nodes.Spec{})
	w.run(500 * time.Millisecond)
	w.must(w.Pause(t.Context(), "a1"))
	w.run(time.Second)
	w.call("c1", "a1", "one")
	w.run(1600 * time.Millisecond)
	w.call("c2", "a1", "two")
	w.run(1800 * time.Millisecond)
	w.call("c3", "a1", "three")
	w.run(4 * time.Second)
	w.want("2s c1 silence after one; 2.6s c2 silence after two; 2.8s c3 silence after three")
	w.must(w.Resume(t.Context(), "a1"))
	w.must(w.Resume(t.Context(), "a1"))
	w.run(6 * time.Second)
	w.want("4s a1 hears one from c1:1; 4s a1 wakes late; 4s a1 hears two from c2:1; 4s a1 wakes moved; 4s a1 hears three from c3:1; 5s a1 wakes on time")
}

func TestAPauseInThePauseAndACrashInThePause(t *testing.T) {
	w := start(t, echo, nodes.Spec{})
	w.run(time.Millisecond)
	w.must(w.Pause(t.Context(), "a1"))
	w.must(w.Resume(t.Context(), "a1"))
	w.must(w.Pause(t.Context(), "a1"))
	w.call("c1", "a1", "lost in the crash")
	w.run(100 * time.Millisecond)
	w.want("")
	w.must(w.Kill(t.Context(), "a1"))
	w.must(w.Pause(t.Context(), "a1"))
	w.must(w.Boot(t.Context(), "a1"))
	w.run(101 * time.Millisecond)
	w.call("c1", "a1", "new life")
	w.run(102 * time.Millisecond)
	w.must(w.Resume(t.Context(), "a1"))
	w.run(103 * time.Millisecond)
	w.want("101.3ms a1 hears new life from c1:2; 101.6ms c1 {new life}")
}

func TestTimersAreReplacedCancelledAndDieInACrash(t *testing.T) {
	w := start(t, funcs{
		start: func(env nodes.Env) {
			if env.Boot() == nodes.Restart {
				return
			}
			env.After(10*time.Millisecond, "later")
			env.After(20*time.Millisecond, "later")
			env.After(20*time.Millisecond, "sooner")
			env.After(10*time.Millisecond, "sooner")
			env.After(10*time.Millisecond, "never")
			env.After(-1, "never")
			env.After(-1, "unknown")
			env.After(10*time.Millisecond, "again")
			env.After(-1, "again")
			env.After(30*time.Millisecond, "again")
			env.After(15*time.Millisecond, "second of two")
			env.After(15*time.Millisecond, "first of two")
			env.After(15*time.Millisecond, "second of two")
			env.After(50*time.Millisecond, "in another life")
		},
		wake: func(env nodes.Env, name string) {
			env.Logf("%s", name)
			if name == "sooner" {
				env.After(15*time.Millisecond, "sooner")
				env.After(-1, "sooner")
			}
		},
	}, nodes.Spec{Topology: topology("a1")})
	w.run(40 * time.Millisecond)
	w.must(w.Kill(t.Context(), "a1"))
	w.must(w.Boot(t.Context(), "a1"))
	w.run(time.Second)
	w.want("10ms a1 sooner; 15ms a1 first of two; 15ms a1 second of two; 20ms a1 later; 30ms a1 again")
}

func TestATimerFollowsTheDriftOfTheClockButNotItsJumps(t *testing.T) {
	w := start(t, funcs{
		start: func(env nodes.Env) { env.After(time.Second, "tick") },
		wake: func(env nodes.Env, name string) {
			env.Logf("reads %s", env.Now().Format("15:04:05.000"))
			env.After(time.Second, "tick")
		},
	}, nodes.Spec{Topology: topology("a1")})
	w.run(1500 * time.Millisecond)
	w.want("1s a1 reads 00:00:01.000")
	w.must(w.Skew(t.Context(), "a1", time.Hour, 0))
	w.run(2 * time.Second)
	w.want("2s a1 reads 01:00:02.000")
	w.run(2500 * time.Millisecond)
	w.must(w.Skew(t.Context(), "a1", 0, 250_000)) // half a second to wait is 0.4 s of a clock a quarter fast
	w.run(4 * time.Second)
	w.want("2.9s a1 reads 00:00:03.000; 3.7s a1 reads 00:00:04.000")
	w.must(w.Skew(t.Context(), "a1", -time.Minute, -500_000))
	w.run(7 * time.Second)
	w.want("5.25s a1 reads 23:59:04.625")
	w.must(w.Skew(t.Context(), "a1", 0, 0))
	w.must(w.Kill(t.Context(), "a1"))
	w.must(w.Boot(t.Context(), "a1"))
	w.run(8 * time.Second)
	w.want("8s a1 reads 00:00:08.000")
}
