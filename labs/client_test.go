package labs

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"faultlab/checker"
	"faultlab/checker/history"
	"faultlab/nodes"
)

// A fake is a cluster of one event loop whose members do what a function says.
type fake struct {
	now    time.Duration
	queue  []fakeEvent
	answer func(now time.Duration, to nodes.ID, body any) (reply any, after time.Duration, ok bool)
}

type fakeEvent struct {
	at time.Duration
	do func()
}

func (f *fake) Now() time.Duration { return f.now }

func (f *fake) After(d time.Duration, do func()) {
	e := fakeEvent{f.now + d, do}
	i, _ := slices.BinarySearchFunc(f.queue, e, func(a, b fakeEvent) int {
		if a.at <= b.at {
			return -1
		}
		return 1
	})
	f.queue = slices.Insert(f.queue, i, e)
}

func (f *fake) Call(_ nodes.Member, to nodes.ID, body any, wait time.Duration, done func(any, bool)) {
	reply, after, ok := f.answer(f.now, to, body)
	if !ok || after >= wait {
		f.After(wait, func() { done(nil, false) })
		return
	}
	f.After(after, func() { done(reply, true) })
}

func (f *fake) Run(until time.Duration) error {
	for len(f.queue) > 0 && f.queue[0].at <= until {
		e := f.queue[0]
		f.queue = f.queue[1:]
		f.now = e.at
		e.do()
	}
	f.now = until
	return nil
}

func (f *fake) Close() error { return nil }

// asks is a workload that asks the same of the same members each time, once in the final phase.
type asks struct {
	to     []nodes.ID
	wait   time.Duration
	within time.Duration
	final  map[nodes.ID]bool
	tokens []string // number and identity of each request

	operations []Operation
}

func (a *asks) Next(c *Client, phase history.Phase) (Request, bool) {
	if phase == history.Final && a.final[c.ID] {
		return Request{}, false
	}
	a.tokens = append(a.tokens, fmt.Sprintf("%s:%d", c.Identity, c.Number))
	return Request{Body: c.Number, To: a.to, Wait: a.wait, Deadline: a.within}, true
}

func (a *asks) Done(c *Client, op *history.Op) {
	a.final[c.ID] = op.Phase == history.Final && op.Outcome == history.OK
}

// done does a short run of such a workload against members that answer so.
func done(t *testing.T, o Options, work *asks, outcome history.Outcome, answer func(now time.Duration, to nodes.ID, body any) (any, time.Duration, bool)) *Run {
	t.Helper()
	work.final = map[nodes.ID]bool{}
	lab := Lab{
		Name: "fake",
		Topology: func(int) (nodes.Topology, error) {
			return nodes.Topology{Members: []nodes.Member{{ID: "a1", Region: "A", Zone: "A1"}, {ID: "a2", Region: "A", Zone: "A2"}, {ID: "b1", Region: "B", Zone: "B1"}}}, nil
		},
		Workload:   func(nodes.Topology, *rand.Rand) Workload { return work },
		Outcome:    func(any, any) history.Outcome { return outcome },
		Guarantees: func(nodes.Topology) []Guarantee { return nil },
		Defaults:   Defaults{WarmUp: time.Second, Calm: time.Second},
	}
	if o.Plan == nil {
		o.Nemesis = []string{"none"}
	}
	lab.Operations = work.operations
	o.Start = func(nodes.Spec) (Cluster, error) { return &fake{answer: answer}, nil }
	run, err := Do(context.Background(), lab, o)
	if err != nil {
		t.Fatal(err)
	}
	return run
}

func always(reply any, after time.Duration) func(time.Duration, nodes.ID, any) (any, time.Duration, bool) {
	return func(time.Duration, nodes.ID, any) (any, time.Duration, bool) { return reply, after, true }
}

func TestClientsSpreadOverRegionsAndKeepTheRate(t *testing.T) {
	run := done(t, Options{Seed: 1, Time: 20 * time.Second, Rate: 100, Clients: 4}, &asks{to: []nodes.ID{"a1"}}, history.OK, always("yes", time.Millisecond))
	regions := map[string]string{}
	load := 0
	for _, op := range run.History.Ops {
		regions[op.Client] = op.Region
		if op.Phase != history.Final {
			load++
		}
	}
	if got := fmt.Sprint(regions); got != "map[c1:A c2:B c3:A c4:B]" {
		t.Errorf("clients stand in %s", got)
	}
	if load < 2000 || load > 2400 {
		t.Errorf("%d operations in 22 s at 100 a second", load)
	}
	if got := run.History.Ops[len(run.History.Ops)-1]; got.Phase != history.Final {
		t.Errorf("the last operation is of the %s phase", got.Phase)
	}
}

func TestABusyClientBuildsUpNoBacklog(t *testing.T) {
	slow := func(now time.Duration, _ nodes.ID, _ any) (any, time.Duration, bool) {
		if now < 5*time.Second {
			return "yes", 900 * time.Millisecond, true
		}
		return "yes", time.Millisecond, true
	}
	run := done(t, Options{Seed: 1, Time: 20 * time.Second, Rate: 20, Clients: 1}, &asks{to: []nodes.ID{"a1"}}, history.OK, slow)
	var last *history.Op
	fast := 0
	for i := range run.History.Ops {
		op := &run.History.Ops[i]
		if last != nil && op.Call < last.Return {
			t.Fatalf("operation %d begins while another of its client is under way", i)
		}
		if op.Call > 6*time.Second && op.Call < 7*time.Second {
			fast++
		}
		last = op
	}
	if fast > 40 {
		t.Errorf("%d operations in one second after a slow time, at a rate of 20", fast)
	}
}

func TestSilenceEndsAtTheDeadlineAndRetiresTheIdentity(t *testing.T) {
	work := &asks{to: []nodes.ID{"a1", "a2"}, wait: 300 * time.Millisecond}
	var tried []nodes.ID
	run := done(t, Options{Seed: 1, Time: 2 * time.Second, Rate: 10, Clients: 1}, work, history.OK, func(now time.Duration, to nodes.ID, body any) (any, time.Duration, bool) {
		if body == uint64(1) {
			tried = append(tried, to)
			return nil, 0, false
		}
		return "yes", time.Millisecond, true
	})
	if got := fmt.Sprint(tried); got != "[a1 a2 a1 a2]" {
		t.Errorf("one operation was tried at %s", got)
	}
	first, second := run.History.Ops[0], run.History.Ops[1]
	if first.Outcome != history.Unknown || first.Return-first.Call != time.Second || first.Out != nil || first.Node != "a2" {
		t.Errorf("the operation that nobody answered is %+v", first)
	}
	if first.Client != "c1" || second.Client != "c1.1" {
		t.Errorf("the identities are %s, then %s", first.Client, second.Client)
	}
	if got := strings.Join(work.tokens[:3], " "); got != "c1:1 c1.1:2 c1.1:3" {
		t.Errorf("the numbers are %s", got)
	}
}

func TestAFailureOfALaterTryProvesNothing(t *testing.T) {
	for _, test := range []struct {
		name   string
		silent nodes.ID
		want   history.Outcome
	}{
		{"a first try that failed surely did not happen", "", history.Failed},
		{"a first try that nobody answered may yet happen", "a1", history.Unknown},
	} {
		t.Run(test.name, func(t *testing.T) {
			work := &asks{to: []nodes.ID{"a1", "a2"}, wait: 100 * time.Millisecond}
			run := done(t, Options{Seed: 1, Time: time.Second, Rate: 10, Clients: 1}, work, history.Failed, func(_ time.Duration, to nodes.ID, _ any) (any, time.Duration, bool) {
				return "no", time.Millisecond, to != test.silent
			})
			if got := run.History.Ops[0].Outcome; got != test.want {
				t.Errorf("the outcome is %s, want %s", got, test.want)
			}
		})
	}
}

func TestFinalReadsAreRepeatedAndBounded(t *testing.T) {
	work := &asks{to: []nodes.ID{"a1"}}
	run := done(t, Options{Seed: 1, Time: time.Second, Rate: 10, Clients: 2}, work, history.Failed, always("no", time.Millisecond))
	final := 0
	for _, op := range run.History.Ops {
		if op.Phase == history.Final {
			final++
		}
	}
	if want := 2 * int(finalMax/pause); final < want*9/10 || final > want*11/10 {
		t.Errorf("%d final reads in %s, want about %d", final, finalMax, want)
	}
	if run.History.End > 40*time.Second {
		t.Errorf("the run ended at %s", run.History.End)
	}
}

func TestNoClientReadsBeforeItsLastRequestIsDone(t *testing.T) {
	slow := func(now time.Duration, _ nodes.ID, _ any) (any, time.Duration, bool) {
		return "yes", 2900 * time.Millisecond, now > 5*time.Second
	}
	run := done(t, Options{Seed: 1, Time: 4 * time.Second, Rate: 50, Clients: 6}, &asks{to: []nodes.ID{"a1"}, within: 3 * time.Second}, history.OK, slow)
	last := map[string]history.Op{}
	final := 0
	for _, op := range run.History.Ops {
		client, _, _ := strings.Cut(op.Client, ".")
		if before, ok := last[client]; ok && op.Call < before.Return {
			t.Errorf("operation %d begins while another of its client is under way", op.Index)
		}
		last[client] = op
		if op.Phase == history.Final {
			final++
		}
	}
	if final != 6 {
		t.Errorf("%d final reads by 6 clients", final)
	}
}

// A replay on a slower build asks all that was asked, and waits for no dead node only.
func TestAScriptAsksEverythingAndOtherMembersToo(t *testing.T) {
	o := Options{Seed: 1, Time: 10 * time.Second, Rate: 40, Clients: 4}
	work := &asks{to: []nodes.ID{"a1", "a2"}, wait: 400 * time.Millisecond}
	run := done(t, o, work, history.OK, func(now time.Duration, to nodes.ID, _ any) (any, time.Duration, bool) {
		return "yes", time.Millisecond, to == "a1" || now < time.Second
	})
	for i := range run.History.Ops {
		if i%2 == 0 {
			run.History.Ops[i].Node = "a2"
		}
	}
	o.Requests = run.History.Ops
	again := done(t, o, work, history.OK, func(now time.Duration, to nodes.ID, _ any) (any, time.Duration, bool) {
		after := time.Millisecond
		if now > 3*time.Second && now < 4*time.Second {
			after = 300 * time.Millisecond // several requests fall due meanwhile
		}
		return "yes", after, to == "a1" || now > 5*time.Second || now < 4*time.Second
	})
	if len(again.History.Ops) != len(run.History.Ops) {
		t.Errorf("%d operations, then %d", len(run.History.Ops), len(again.History.Ops))
	}
	for _, op := range again.History.Ops {
		if op.Outcome != history.OK {
			t.Fatalf("nobody but the node of then was asked: %+v", op)
		}
	}
}

// falling is a cluster of which a node breaks every millisecond.
type falling struct{ fake }

func (f *falling) Run(until time.Duration) error {
	f.now = min(until, f.now+time.Millisecond)
	return &nodes.Broken{Node: "a1", At: f.now, What: "panic"}
}

func TestAClusterThatBreaksAgainAndAgainFailsItsRun(t *testing.T) {
	run, err := Do(context.Background(), Lab{
		Name: "fake",
		Topology: func(int) (nodes.Topology, error) {
			return nodes.Topology{Members: []nodes.Member{{ID: "a1", Region: "A"}}}, nil
		},
		Workload: func(nodes.Topology, *rand.Rand) Workload {
			return &asks{to: []nodes.ID{"a1"}, final: map[nodes.ID]bool{}}
		},
		Outcome:    func(any, any) history.Outcome { return history.OK },
		Guarantees: func(nodes.Topology) []Guarantee { return nil },
	}, Options{Seed: 1, Nemesis: []string{"none"}, Start: func(nodes.Spec) (Cluster, error) { return &falling{}, nil }})
	if err != nil {
		t.Fatal(err)
	}
	if run.Verdict != history.Fail || len(run.Broken) != brokenMax || !strings.Contains(run.Reason, "broke 100 times in all, and there the run was ended") {
		t.Errorf("%s: %s; it broke %d times", run.Verdict, run.Reason, len(run.Broken))
	}
}

func TestAnInterruptedRunIsJudgedAndNeverPasses(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	work := &asks{to: []nodes.ID{"a1"}, final: map[nodes.ID]bool{}}
	cluster := &fake{answer: always("yes", time.Millisecond)}
	cluster.After(3*time.Second, cancel)
	held := Guarantee{ID: "X1", Name: "held", Checker: checker.Func(func(*history.History) history.Result { return history.Passed("it held") })}
	run, err := Do(ctx, Lab{
		Name: "fake",
		Topology: func(int) (nodes.Topology, error) {
			return nodes.Topology{Members: []nodes.Member{{ID: "a1", Region: "A"}}}, nil
		},
		Workload:   func(nodes.Topology, *rand.Rand) Workload { return work },
		Outcome:    func(any, any) history.Outcome { return history.OK },
		Guarantees: func(nodes.Topology) []Guarantee { return []Guarantee{held} },
	}, Options{Seed: 1, Nemesis: []string{"none"}, Start: func(nodes.Spec) (Cluster, error) { return cluster, nil }})
	if err != nil {
		t.Fatal(err)
	}
	if !run.Stopped || run.Verdict != history.Undetermined || len(run.History.Ops) < 100 || run.History.End > 5*time.Second {
		t.Errorf("stopped %v, verdict %s (%s), %d operations, end %s", run.Stopped, run.Verdict, run.Reason, len(run.History.Ops), run.History.End)
	}
	if run.Judged[0].Verdict != history.Pass {
		t.Errorf("what was recorded was not judged: %+v", run.Judged[0].Result)
	}
}

// settling is a workload that has seen enough after so many answers in the recovery phase.
type settling struct {
	asks
	after, seen int
}

func (s *settling) Done(c *Client, op *history.Op) {
	s.asks.Done(c, op)
	if op.Phase == history.Recovery {
		s.seen++
	}
}

func (s *settling) Settled() bool { return s.seen >= s.after }

func TestTheCalmEndsWhenTheWorkloadHasSettled(t *testing.T) {
	end := func(after int) time.Duration {
		run, err := Do(context.Background(), Lab{
			Name: "fake",
			Topology: func(int) (nodes.Topology, error) {
				return nodes.Topology{Members: []nodes.Member{{ID: "a1", Region: "A"}}}, nil
			},
			Workload: func(nodes.Topology, *rand.Rand) Workload {
				return &settling{asks: asks{to: []nodes.ID{"a1"}, final: map[nodes.ID]bool{}}, after: after}
			},
			Outcome:    func(any, any) history.Outcome { return history.OK },
			Guarantees: func(nodes.Topology) []Guarantee { return nil },
			Defaults:   Defaults{WarmUp: time.Second, Calm: 20 * time.Second},
		}, Options{Seed: 1, Time: 10 * time.Second, Rate: 100, Nemesis: []string{"none"}, Start: func(nodes.Spec) (Cluster, error) {
			return &fake{answer: always("yes", time.Millisecond)}, nil
		}})
		if err != nil {
			t.Fatal(err)
		}
		return run.History.End
	}
	if early, never := end(50), end(1<<30); early > 14*time.Second || never < 31*time.Second {
		t.Errorf("a run of 11 s before the calm ended at %s once settled, and at %s if it never was", early, never)
	}
}
