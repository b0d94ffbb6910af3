package sim_test

import (
	"errors"
	"fmt"
	"reflect"
	"runtime"
	"strings"
	"testing"
	"time"

	"faultlab/nodes"
	"faultlab/nodes/cluster/sim"
)

// Vocabulary of the tests' systems.
type (
	Say    struct{ Text string }
	SayOK  struct{ Text string }
	Noted  struct{ Text string }
	Shared struct{ Items []int }
)

// funcs is a node made of functions; what is nil does nothing.
type funcs struct {
	start   func(nodes.Env)
	receive func(nodes.Env, nodes.Message)
	wake    func(nodes.Env, string)
}

func (f funcs) Start(env nodes.Env) {
	if f.start != nil {
		f.start(env)
	}
}

func (f funcs) Receive(env nodes.Env, m nodes.Message) {
	if f.receive != nil {
		f.receive(env, m)
	}
}

func (f funcs) Wake(env nodes.Env, name string) {
	if f.wake != nil {
		f.wake(env, name)
	}
}

// A world is a cluster, what its nodes said, and the test.
type world struct {
	*sim.Cluster
	t     testing.TB
	lines []string
}

func (w *world) Event(at time.Duration, id nodes.ID, event any) { w.note(at, id, event) }
func (w *world) Reached(id nodes.ID, probe string) {
	w.lines = append(w.lines, string(id)+" reached "+probe)
}
func (w *world) Log(at time.Duration, id nodes.ID, line string) { w.note(at, id, line) }

func (w *world) note(at time.Duration, id nodes.ID, what any) {
	w.lines = append(w.lines, fmt.Sprintf("%s %s %v", at.Round(100*time.Microsecond), id, what))
}

// said returns the lines since it was last asked.
func (w *world) said() string {
	s := strings.Join(w.lines, "; ")
	w.lines = nil
	return s
}

func (w *world) want(said string) {
	w.t.Helper()
	if got := w.said(); got != said {
		w.t.Errorf("at %s nodes had said\n  %s\nand not\n  %s", w.Now(), got, said)
	}
}

func (w *world) run(until time.Duration) {
	w.t.Helper()
	if err := w.Run(until); err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) must(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

// call sends a request and notes what comes of it, as the client.
func (w *world) call(client, to nodes.ID, text string) {
	w.Call(nodes.Member{ID: client, Region: "a", Zone: "a1"}, to, Say{text}, time.Second, func(reply any, ok bool) {
		if !ok {
			reply = "silence after " + text
		}
		w.note(w.Now(), client, reply)
	})
}

func (w *world) degrade(q nodes.Quality, links ...nodes.Link) (heal func()) {
	w.t.Helper()
	undo, err := w.Degrade(w.t.Context(), links, q)
	w.must(err)
	return func() { w.must(undo(w.t.Context())) }
}

func topology(ids ...nodes.ID) (t nodes.Topology) {
	for _, id := range ids {
		t.Members = append(t.Members, nodes.Member{ID: id, Region: string(id[0]), Zone: string(id)})
	}
	return t
}

func start(t testing.TB, f funcs, spec nodes.Spec) *world {
	w := &world{t: t}
	spec.System = nodes.System{Name: "test", New: func(string) nodes.Node { return f }, Bodies: []any{Say{}, SayOK{}, Noted{}, Shared{}}}
	spec.Observer = w
	if spec.Topology.Members == nil {
		spec.Topology = topology("a1", "a2", "b1")
	}
	c, err := sim.Start(spec)
	if err != nil {
		t.Fatal(err)
	}
	w.Cluster = c
	return w
}

// echo answers what it is asked, and logs what it hears. "tell X" is passed on to X.
var echo = funcs{receive: func(env nodes.Env, m nodes.Message) {
	say, ok := m.Body.(Say)
	if !ok {
		return
	}
	env.Logf("hears %s from %s", say.Text, m.From)
	if to, tell := strings.CutPrefix(say.Text, "tell "); tell {
		env.Send(nodes.ID(to), Say{"hello"})
		return
	}
	env.Send(m.From, SayOK(say))
}}

func TestARequestIsAnsweredOnceAndSilenceIsSilence(t *testing.T) {
	w := start(t, echo, nodes.Spec{})
	w.call("c1", "a1", "one")
	w.call("c1", "nobody", "two")
	w.run(500 * time.Millisecond)
	w.call("c1", "b1", "three")
	w.run(3 * time.Second)
	w.want("300µs a1 hears one from c1:1; 600µs c1 {one}; " +
		"542.6ms b1 hears three from c1:3; 585ms c1 {three}; 1s c1 silence after two")
}

func TestALateReplyAnswersNothing(t *testing.T) {
	slow := funcs{
		receive: func(env nodes.Env, m nodes.Message) { env.After(2*time.Second, string(m.From)) },
		wake:    func(env nodes.Env, name string) { env.Send(nodes.ID(name), SayOK{name}); env.Logf("answers %s", name) },
	}
	w := start(t, slow, nodes.Spec{})
	w.call("c1", "a1", "one")
	w.run(1500 * time.Millisecond)
	w.call("c1", "a1", "two")
	w.run(10 * time.Second)
	w.want("1s c1 silence after one; 2.0003s a1 answers c1:1; 2.5s c1 silence after two; 3.5003s a1 answers c1:2")
}

func TestALateReplyUnderWayIsNotTakenForAnother(t *testing.T) {
	w := start(t, echo, nodes.Spec{})
	w.degrade(nodes.Quality{Delay: time.Second}, nodes.Link{From: "a1", To: nodes.Clients})
	w.call("c1", "a1", "one")
	w.run(time.Second)
	w.said()
	w.call("c1", "b1", "two")
	w.run(2 * time.Second)
	w.want("1.0426s b1 hears two from c1:2; 1.085s c1 {two}")
}

func TestLatencyIsThatOfTheTopology(t *testing.T) {
	var sent time.Duration
	var took map[nodes.ID]time.Duration
	w := start(t, echo, nodes.Spec{Topology: nodes.Topology{
		Members:    []nodes.Member{{ID: "a1", Region: "a", Zone: "x"}, {ID: "a2", Region: "a", Zone: "y"}, {ID: "b1", Region: "b", Zone: "z"}, {ID: "c1", Region: "c", Zone: "v"}},
		RoundTrips: []nodes.RoundTrip{{A: "b", B: "a", Time: 40 * time.Millisecond}},
	}})
	for range 50 {
		sent, took = w.Now(), map[nodes.ID]time.Duration{}
		for _, to := range []nodes.ID{"a1", "a2", "b1", "c1"} {
			w.Call(nodes.Member{ID: "client", Region: "a", Zone: "x"}, to, Say{}, time.Second, func(_ any, ok bool) { took[to] = w.Now() - sent })
		}
		w.run(w.Now() + time.Second)
		for to, least := range map[nodes.ID]time.Duration{"a1": 600 * time.Microsecond, "a2": time.Millisecond, "b1": 40 * time.Millisecond, "c1": 80 * time.Millisecond} {
			if most := least + least/10 + 40*time.Microsecond; took[to] < least || took[to] > most {
				t.Fatalf("%s took %s, not between %s and %s", to, took[to], least, most)
			}
		}
	}
}

func TestANodeThatTakesItsTimeHandlesOneMessageAfterAnother(t *testing.T) {
	const each = 10 * time.Millisecond
	w := start(t, echo, nodes.Spec{Handling: each})
	answered := func(n int) (took []time.Duration) {
		sent := w.Now()
		for range n {
			w.Call(nodes.Member{ID: "client", Region: "a", Zone: "a1"}, "a1", Say{}, time.Second, func(_ any, ok bool) {
				if ok {
					took = append(took, w.Now()-sent)
				}
			})
		}
		w.run(sent + 35*time.Millisecond)
		return took
	}
	for i, took := range answered(3) {
		if least := time.Duration(i+1) * each; took < least || took > least+2*time.Millisecond {
			t.Errorf("answer %d took %s, and the node is busy for %s with each", i+1, took, each)
		}
	}
	if got := len(answered(10)); got != 3 {
		t.Errorf("%d answers in the time of three", got)
	}
	w.must(w.Kill(t.Context(), "a1"))
	w.must(w.Boot(t.Context(), "a1"))
	if got := answered(1); len(got) != 1 || got[0] > each+2*time.Millisecond {
		t.Errorf("what waited for a process that died still keeps the next one busy: %v", got)
	}
}

func TestAfterRunsInOrderAndUpToAndIncludingTheEnd(t *testing.T) {
	w := start(t, funcs{}, nodes.Spec{})
	for i, d := range []time.Duration{2, 1, 3, 2, -5, 4} {
		w.After(d, func() { w.lines = append(w.lines, fmt.Sprint(i)) })
	}
	w.run(3)
	w.want("4; 1; 0; 3; 2")
	if w.Now() != 3 {
		t.Error("it is", w.Now())
	}
	w.run(2)
	if w.Now() != 3 {
		t.Error("time went back to", w.Now())
	}
}

func TestANodeThatPanicsIsBrokenAndDownAndTheOthersGoOn(t *testing.T) {
	var list []int
	w := start(t, funcs{receive: func(env nodes.Env, m nodes.Message) {
		switch m.Body.(Say).Text {
		case "index":
			list[3]++
		case "nil":
			*(*int)(nil) = 1
		case "own":
			panic(errors.New("of its own"))
		case "pointer":
			panic(struct{ *int }{new(int)})
		case "self":
			env.Send("a1", Say{"own"})
		default:
			echo.receive(env, m)
		}
	}}, nodes.Spec{})
	for _, tc := range []struct{ text, want string }{
		{"index", "panic: index out of range [3] with length 0 (sim_test.go:"},
		{"nil", "panic: invalid memory address or nil pointer dereference (sim_test.go:"},
		{"own", "panic: of its own (sim_test.go:"},
		{"pointer", "panic: struct { *int } (sim_test.go:"},
		{"self", "panic: of its own (sim_test.go:"},
	} {
		w.call("c1", "a1", tc.text)
		err := w.Run(w.Now() + time.Second)
		var broken *nodes.Broken
		if !errors.As(err, &broken) || broken.Node != "a1" || !strings.HasPrefix(broken.What, tc.want) || broken.At != w.Now() {
			t.Fatalf("%s: %#v", tc.text, err)
		}
		w.run(w.Now() + 2*time.Second)
		w.said()
		w.call("c2", "a1", "are you there")
		w.call("c2", "a2", "and you")
		w.run(w.Now() + 2*time.Second)
		if said := w.said(); !strings.Contains(said, "silence after are you there") || !strings.Contains(said, "{and you}") {
			t.Fatal(said)
		}
		w.must(w.Boot(t.Context(), "a1"))
		w.run(w.Now() + time.Second)
	}
}

func TestAPanicOfTheDriverIsNotANodes(t *testing.T) {
	w := start(t, echo, nodes.Spec{})
	w.After(1, func() { panic("of the driver") })
	defer func() {
		if r := recover(); r != "of the driver" {
			t.Error("recovered", r)
		}
	}()
	w.Run(time.Second)
	t.Error("it went on")
}

func TestANodeThatFloodsIsBroken(t *testing.T) {
	for name, f := range map[string]funcs{
		"events in one instant": {start: func(env nodes.Env) { env.After(0, "x") }, wake: func(env nodes.Env, _ string) { env.After(0, "x") }},
		"actions in one call": {start: func(env nodes.Env) {
			for {
				env.Send("nobody", Say{})
			}
		}},
		"events under way": {start: func(env nodes.Env) { env.Send("a1", Say{}) }, receive: func(env nodes.Env, m nodes.Message) {
			env.Send("a1", m.Body)
			env.Send("a1", m.Body)
		}},
	} {
		w := start(t, f, nodes.Spec{Topology: topology("a1")})
		var broken *nodes.Broken
		if err := w.Run(time.Second); !errors.As(err, &broken) || !strings.HasPrefix(broken.What, "flooded: ") || !strings.HasSuffix(broken.What, name) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestAnythingDoneWithoutEndInOneCallIsAFlood(t *testing.T) {
	for name, do := range map[string]func(env nodes.Env, i int){
		"append":      func(env nodes.Env, _ int) { env.Disk().Log("log").Append(nil) },
		"snapshot":    func(env nodes.Env, i int) { env.Disk().Log("log").Snapshot(uint64(i), nil) },
		"sync":        func(env nodes.Env, _ int) { env.Disk().Sync() },
		"another log": func(env nodes.Env, i int) { env.Disk().Log(fmt.Sprint(i)) },
		"emit":        func(env nodes.Env, _ int) { env.Emit(nil) },
		"timer":       func(env nodes.Env, _ int) { env.After(time.Hour, "x") },
		"log":         func(env nodes.Env, _ int) { env.Logf("x") },
		"reached":     func(env nodes.Env, _ int) { env.Reached("x") },
	} {
		calls := 0
		w := start(t, funcs{start: func(env nodes.Env) {
			for ; calls < 1<<19; calls++ {
				do(env, calls)
			}
		}}, nodes.Spec{Topology: topology("a1")})
		var broken *nodes.Broken
		if err := w.Run(time.Second); !errors.As(err, &broken) || broken.What != "flooded: 262144 actions in one call" {
			t.Errorf("%s: %v after %d", name, err, calls)
		}
	}
}

func TestAnEnvThatWasKeptIsAMistake(t *testing.T) {
	var kept nodes.Env
	w := start(t, funcs{start: func(env nodes.Env) {
		if kept != nil {
			kept.Send("b1", Say{})
		}
		kept = env
	}}, nodes.Spec{})
	var broken *nodes.Broken
	if err := w.Run(1); !errors.As(err, &broken) || !strings.Contains(broken.What, "the Env of a1 was used outside of the call") {
		t.Error(err)
	}
}

func TestASpecThatCannotRunIsAnError(t *testing.T) {
	system := nodes.System{Name: "s", New: func(string) nodes.Node { return funcs{} }}
	for _, tc := range []struct {
		spec nodes.Spec
		want string
	}{
		{nodes.Spec{System: system}, "sim: the topology has no members"},
		{nodes.Spec{System: nodes.System{Name: "s"}, Topology: topology("a1")}, `sim: system "s" has no New`},
		{nodes.Spec{System: system, Topology: topology("a1", "a1")}, `sim: member 2: a name of its own is needed, not "a1"`},
		{nodes.Spec{System: system, Topology: topology("clients")}, `sim: member 1: a name of its own is needed, not "clients"`},
		{nodes.Spec{System: nodes.System{Name: "s", New: system.New, Bodies: []any{7}}, Topology: topology("a1"), Recode: true}, "sim: system s: wire: int: a body must be a named struct, not a pointer to one"},
	} {
		if _, err := sim.Start(tc.spec); err == nil || err.Error() != tc.want {
			t.Errorf("%v, want %s", err, tc.want)
		}
	}
}

func TestRecodeGivesEachDeliveryACopyOfItsOwn(t *testing.T) {
	w := start(t, funcs{receive: func(env nodes.Env, m nodes.Message) {
		if body, ok := m.Body.(Shared); ok {
			body.Items[0]++
			env.Logf("has %v", body.Items)
			return
		}
		env.Send("a2", Shared{Items: []int{1}})
	}}, nodes.Spec{Recode: true})
	w.degrade(nodes.Quality{DuplicatePerMille: 1000}, link("a1", "a2"))
	w.call("c1", "a1", "go")
	w.run(100 * time.Millisecond)
	w.want("900µs a2 has [2]; 900µs a2 has [2]")
}

func TestRecodeSharesNoMemoryAndRefusesUndeclaredBodies(t *testing.T) {
	mine := Shared{Items: []int{1}}
	w := start(t, funcs{receive: func(env nodes.Env, m nodes.Message) {
		switch body := m.Body.(type) {
		case Say:
			if body.Text == "undeclared" {
				env.Emit(struct{ X int }{1})
			}
			env.Send("a2", mine)
			mine.Items[0] = 2
		case Shared:
			env.Logf("has %v", body.Items)
		}
	}}, nodes.Spec{Recode: true})
	w.call("c1", "a1", "go")
	w.run(100 * time.Millisecond)
	w.want("800µs a2 has [1]")
	w.call("c1", "a1", "undeclared")
	if err := w.Run(time.Second); err == nil || !strings.Contains(err.Error(), "panic: wire: struct { X int }: unknown type (sim_test.go:") {
		t.Error(err)
	}
}

// busy is a system that does a little of everything, by its own chance.
var busy = funcs{
	start: func(env nodes.Env) {
		_, first, records, _ := env.Disk().Log("log").Read()
		env.Logf("boots %s at %d with %d records", env.Boot(), first, len(records))
		env.After(time.Millisecond, "tick")
	},
	wake: func(env nodes.Env, name string) {
		if name != "tick" {
			env.Emit(Noted{name})
			return
		}
		ids, rnd, log := env.Topology().IDs(), env.Rand(), env.Disk().Log("log")
		switch n := log.Append([]byte{byte(rnd.IntN(256))}); {
		case n%50 == 0:
			log.Snapshot(n-10, []byte{byte(n)})
		case n%3 == 0:
			env.Disk().Sync()
			env.Emit(Noted{fmt.Sprint(n)})
		}
		env.Send(ids[rnd.IntN(len(ids))], Say{fmt.Sprint(rnd.IntN(1000))})
		env.After(time.Duration(rnd.IntN(5))*time.Millisecond+1, "tick")
		env.After(time.Duration(rnd.IntN(9)-2)*time.Millisecond, fmt.Sprint("t", rnd.IntN(4)))
	},
	receive: func(env nodes.Env, m nodes.Message) {
		env.Emit(Noted{fmt.Sprint(m.From, m.Body, env.Now().UnixNano())})
		if _, asks := m.Body.(Say); asks {
			env.Send(m.From, SayOK{"ok"})
		}
	},
}

// trace runs the busy system under all faults and returns everything that was seen.
func trace(t *testing.T, seed uint64, recode bool) string {
	w := start(t, busy, nodes.Spec{Seed: seed, Recode: recode})
	all := []nodes.Link{{From: "a1", To: "a2"}, {From: "a2", To: "b1"}, {From: nodes.Clients, To: "a1"}, {From: "b1", To: nodes.Clients}, {From: "c1", To: "a2"}}
	w.degrade(nodes.Quality{LossPerMille: 100, DuplicatePerMille: 200, ReorderPerMille: 300, Delay: time.Millisecond, Jitter: time.Millisecond}, all...)
	for i := range 300 {
		w.After(time.Duration(i)*10*time.Millisecond, func() {
			id := []nodes.ID{"a1", "a2", "b1"}[i%3]
			switch i % 20 {
			case 0:
				w.must(w.Kill(t.Context(), id))
			case 2, 6:
				w.must(w.Boot(t.Context(), id))
			case 4:
				w.must(w.PowerLoss(t.Context(), []nodes.ID{id, "a1"}))
			case 8:
				w.must(w.Pause(t.Context(), id))
			case 11:
				w.must(w.Resume(t.Context(), id))
			case 12:
				w.must(w.Skew(t.Context(), id, time.Second, 10_000))
			case 14:
				w.must(w.Boot(t.Context(), "a1"))
			}
			w.call(nodes.ID(fmt.Sprint("c", i%4)), id, fmt.Sprint("call ", i))
		})
	}
	w.run(5 * time.Second)
	return fmt.Sprint(w.said(), w.Events())
}

func TestTheSameSeedGivesTheSameRun(t *testing.T) {
	first := trace(t, 7, false)
	if len(first) < 50_000 {
		t.Fatalf("little happened: %s", first)
	}
	if trace(t, 7, false) != first {
		t.Error("a second run differs")
	}
	if trace(t, 7, true) != first {
		t.Error("a run through the wire format differs")
	}
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	if trace(t, 7, false) != first {
		t.Error("a run on one processor differs")
	}
	if trace(t, 8, false) == first {
		t.Error("another seed gives the same run")
	}
}

func TestOneGeneratorDrawsNothingFromAnother(t *testing.T) {
	numbers := func(seed uint64, ids []nodes.ID, draws int) map[nodes.ID][]int {
		got := map[nodes.ID][]int{}
		w := start(t, funcs{start: func(env nodes.Env) {
			for range draws {
				got[env.ID()] = append(got[env.ID()], env.Rand().IntN(1000))
			}
		}}, nodes.Spec{Seed: seed, Topology: topology(ids...)})
		w.run(1)
		w.must(w.Kill(t.Context(), "b1"))
		w.must(w.Boot(t.Context(), "b1"))
		w.run(2)
		return got
	}
	few, many := numbers(1, []nodes.ID{"b1"}, 4), numbers(1, []nodes.ID{"a1", "b1", "b2"}, 8)
	if !reflect.DeepEqual(few["b1"], many["b1"][:8]) {
		t.Errorf("b1 draws %v alone and %v among others", few["b1"], many["b1"])
	}
	if reflect.DeepEqual(many["a1"], many["b2"]) || reflect.DeepEqual(few["b1"][:4], few["b1"][4:]) {
		t.Error("numbers repeat", many)
	}
}

func TestALongRunRemembersNothing(t *testing.T) {
	var before, after runtime.MemStats
	w := start(t, funcs{
		start: func(env nodes.Env) { env.After(time.Millisecond, "0") },
		wake: func(env nodes.Env, name string) {
			n := len(name)
			if name[0] == 'x' {
				return
			}
			log := env.Disk().Log("log")
			at := log.Append(make([]byte, 100))
			if at%100 == 0 {
				log.Snapshot(at-10, nil)
			}
			env.Disk().Sync()
			env.Send("a2", Say{name})
			env.After(time.Millisecond, fmt.Sprint(env.Rand().Uint64()))
			env.After(time.Millisecond, "x"+fmt.Sprint(at))
			env.After(-1, "x"+fmt.Sprint(at-uint64(n)))
		},
		receive: echo.receive,
	}, nodes.Spec{})
	calls := func(until time.Duration) {
		for w.Now() < until {
			w.call("c1", "a1", "x")
			w.run(w.Now() + 5*time.Millisecond)
			w.lines = w.lines[:0]
		}
	}
	calls(5 * time.Second)
	runtime.GC()
	runtime.ReadMemStats(&before)
	calls(25 * time.Second)
	runtime.GC()
	runtime.ReadMemStats(&after)
	if grown := int64(after.HeapAlloc) - int64(before.HeapAlloc); grown > 200_000 {
		t.Errorf("five times the run holds %d bytes more", grown)
	}
	w.run(w.Now())
}
