package labs

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"faultlab/checker/history"
	"faultlab/nemesis"
	"faultlab/nodes"
)

// A move is the request of an operation.
type move struct{ To string }

func movable() []Operation {
	return []Operation{{
		Kind: "ops", Name: "move",
		Aims: func(nodes.Topology) []nemesis.Aim { return []nemesis.Aim{{Group: "G", Nodes: []nodes.ID{"a2"}}} },
		Do:   func(a nemesis.Aim) any { return move{string(a.Nodes[0])} },
		Undo: func(nemesis.Aim) any { return move{"home"} },
		Ask:  func(nodes.Topology, nemesis.Aim) []nodes.ID { return []nodes.ID{"a1", "b1"} },
	}}
}

func moving(at, long time.Duration) nemesis.Fault {
	return nemesis.Fault{Kind: "ops", Form: "move", Group: "G", Nodes: []nodes.ID{"a2"}, At: at, For: long}
}

func TestAnOperationIsAskedForUntilItIsDoneAndThenUndone(t *testing.T) {
	var told []string
	work := &asks{to: []nodes.ID{"a1"}, operations: movable()}
	run := done(t, Options{Seed: 1, Time: 10 * time.Second, Plan: nemesis.Schedule{moving(2*time.Second, 4*time.Second)}}, work, history.OK,
		func(now time.Duration, to nodes.ID, body any) (any, time.Duration, bool) {
			if m, ok := body.(move); ok {
				told = append(told, fmt.Sprintf("%s %s", to, m.To))
				return "yes", time.Millisecond, now > 5*time.Second // silent until then: half a second each
			}
			return "yes", time.Millisecond, true
		})
	if want := []string{"a1 a2", "b1 a2", "a1 a2", "b1 a2", "a1 home"}; !slices.Equal(told, want) {
		t.Errorf("asked %q, not %q", told, want)
	}
	if w := run.History.Windows; len(w) != 1 || !w[0].Took || w[0].Why != "" {
		t.Errorf("%+v", w)
	}
}

func TestAnOperationOnAGroupAndNoNodeLastsAsLongAsItIsAskedTo(t *testing.T) {
	operations := movable()
	operations[0].Aims = func(nodes.Topology) []nemesis.Aim { return []nemesis.Aim{{Group: "G"}} }
	operations[0].Do = func(nemesis.Aim) any { return move{"away"} }
	fault := moving(2*time.Second, 4*time.Second)
	fault.Nodes = nil
	run := done(t, Options{Seed: 1, Time: 10 * time.Second, Plan: nemesis.Schedule{fault}}, &asks{to: []nodes.ID{"a1"}, operations: operations}, history.OK,
		func(time.Duration, nodes.ID, any) (any, time.Duration, bool) { return "yes", time.Millisecond, true })
	if w := run.History.Windows; len(w) != 1 || !w[0].Took || w[0].End-w[0].Start != 4*time.Second {
		t.Errorf("%+v", w)
	}
}

func TestAnOperationThatIsNeverDoneDidNotTakeEffect(t *testing.T) {
	run := done(t, Options{Seed: 1, Time: 10 * time.Second, Plan: nemesis.Schedule{moving(2*time.Second, 4*time.Second)}}, &asks{to: []nodes.ID{"a1"}, operations: movable()}, history.OK,
		func(_ time.Duration, _ nodes.ID, body any) (any, time.Duration, bool) {
			_, silent := body.(move)
			return "yes", time.Millisecond, !silent
		})
	if run.Verdict != history.Undetermined || !strings.Contains(run.Reason, "ops:move at 3.0 s was planned and never took effect (it was asked for and not yet done)") {
		t.Errorf("%v: %s", run.Verdict, run.Reason)
	}
}

func TestAnOperationThatThereIsNotIsRefused(t *testing.T) {
	for _, c := range []struct {
		f    nemesis.Fault
		want string
	}{
		{nemesis.Fault{Kind: "ops", Form: "split", For: 1}, "there is no operation \"split\": use one of [move]"},
		{nemesis.Fault{Kind: "ops", Form: "move", Group: "H", For: 1}, `move cannot be done to group "H"`},
		{nemesis.Fault{Kind: "membership", Form: "add", For: 1}, "this system cannot change the members of a group"},
	} {
		lab := Lab{
			Topology:   func(int) (nodes.Topology, error) { return nodes.Topology{Members: []nodes.Member{{ID: "a1"}}}, nil },
			Operations: movable(),
		}
		_, err := Do(context.Background(), lab, Options{Plan: nemesis.Schedule{c.f}, Start: func(nodes.Spec) (Cluster, error) { return &fake{}, nil }})
		if err == nil || !strings.Contains(err.Error(), c.want) || !errors.As(err, new(*Invalid)) && !errors.As(err, new(*Unsupported)) {
			t.Errorf("%v: %v", c.f, err)
		}
	}
}

func TestAClientThatCrashesKnowsNothingOfWhatItAsked(t *testing.T) {
	plan := nemesis.Schedule{{Kind: "client-crash", Form: "region", At: 2 * time.Second, For: 4 * time.Second, Nodes: []nodes.ID{"a1", "a2"}}}
	// A reply takes longer than a client has from one request to the next, so that there is always one under way.
	run := done(t, Options{Seed: 1, Time: 10 * time.Second, Rate: 40, Clients: 4, Plan: plan}, &asks{to: []nodes.ID{"a1"}}, history.OK, always("yes", 300*time.Millisecond))
	if w := run.History.Windows[0]; !w.Took || !slices.Equal(w.Nodes, []string{"c1", "c3"}) {
		t.Fatalf("%+v", w)
	}
	lost, asked := map[string]int{}, map[string]int{}
	for _, op := range run.History.Ops {
		if op.Outcome == history.Unknown {
			lost[op.Client]++
			if op.Return != 3*time.Second || op.Out != nil {
				t.Errorf("%+v", op)
			}
		}
		if op.Call > 3*time.Second && op.Call < 7*time.Second {
			asked[op.Region]++
		}
		if op.Region == "A" && op.Call > 3*time.Second && !strings.HasSuffix(op.Client, ".1") {
			t.Errorf("%s asks though it is dead", op.Client)
		}
	}
	if fmt.Sprint(lost) != "map[c1:1 c3:1]" || asked["A"] != 0 || asked["B"] == 0 {
		t.Errorf("unknown are %v; asked while region A was dead: %v", lost, asked)
	}
}

func TestADuplicateIsNoOperationOfItsOwnAndItsReplyCountsIfItIsTheFirst(t *testing.T) {
	plan := nemesis.Schedule{{Kind: "duplicate-submit", Form: "all", At: 2 * time.Second, For: 4 * time.Second, Nodes: []nodes.ID{"a1", "a2", "b1"}}}
	asked := map[nodes.ID]int{}
	run := done(t, Options{Seed: 1, Time: 10 * time.Second, Rate: 40, Clients: 4, Plan: plan}, &asks{to: []nodes.ID{"a1", "b1"}}, history.Failed,
		func(now time.Duration, to nodes.ID, _ any) (any, time.Duration, bool) {
			if now > 3*time.Second && now < 7*time.Second {
				asked[to]++
			}
			return to, map[nodes.ID]time.Duration{"a1": 20 * time.Millisecond, "b1": 5 * time.Millisecond}[to], true
		})
	doubled := 0
	for _, op := range run.History.Ops {
		in := op.Call > 3*time.Second && op.Call < 7*time.Second
		if in {
			doubled++
		}
		want, outcome := nodes.ID("a1"), history.Failed
		if in { // that one of two tries surely did nothing says nothing of the other
			want, outcome = "b1", history.Unknown
		}
		if op.Phase != history.Final && (op.Out != want || op.Node != string(want) || op.Outcome != outcome) {
			t.Fatalf("%+v", op)
		}
	}
	if doubled < 100 || asked["a1"] != doubled || asked["b1"] != doubled {
		t.Errorf("%d operations were doubled, and members were asked %v", doubled, asked)
	}
}

func TestBeyondWhatAGroupToleratesNothingIsJudged(t *testing.T) {
	lab := Lab{
		Topology: func(int) (nodes.Topology, error) { return nodes.Topology{}, nil },
		Ground: func(nodes.Topology) nemesis.Ground {
			return nemesis.Ground{Groups: [][]nodes.ID{{"a1", "a2", "a3"}}}
		},
		Guarantees: func(nodes.Topology) []Guarantee { return []Guarantee{guarantee(history.Fail, "wipe")} },
	}
	for ids, want := range map[string]history.Verdict{"a1": history.Fail, "a1 a2": history.NotJudged} {
		f := nemesis.Fault{Kind: "wipe", Form: "minority", For: time.Second}
		for _, id := range strings.Fields(ids) {
			f.Nodes = append(f.Nodes, nodes.ID(id))
		}
		run := &Run{Schedule: nemesis.Schedule{f}, History: &history.History{}}
		run.Judge(lab)
		if run.Judged[0].Verdict != want {
			t.Errorf("with %s wiped: %v, %s", ids, run.Judged[0].Verdict, run.Judged[0].Reason)
		}
	}
}
