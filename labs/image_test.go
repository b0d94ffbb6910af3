package labs

import (
	"context"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"faultlab/checker"
	"faultlab/checker/history"
	"faultlab/nodes"
	"faultlab/nodes/wire"
)

// theirs is a lab whose nodes somebody else made, with promises that are judged so.
func theirs(t *testing.T, start func() (Cluster, error), promises ...Guarantee) *Run {
	t.Helper()
	run, err := Do(context.Background(), Lab{
		Name: "fake",
		Topology: func(int) (nodes.Topology, error) {
			return nodes.Topology{Members: []nodes.Member{{ID: "a1", Region: "A"}}}, nil
		},
		Workload: func(nodes.Topology, *rand.Rand) Workload {
			return &asks{to: []nodes.ID{"a1"}, final: map[nodes.ID]bool{}}
		},
		Outcome:    func(any, any) history.Outcome { return history.OK },
		Guarantees: func(nodes.Topology) []Guarantee { return promises },
	}, Options{Seed: 1, Time: 2 * time.Second, Nemesis: []string{"none"}, Image: "x", Start: func(nodes.Spec) (Cluster, error) { return start() }})
	if err != nil {
		t.Fatal(err)
	}
	return run
}

func answering(reply any) func() (Cluster, error) {
	return func() (Cluster, error) { return &fake{answer: always(reply, time.Millisecond)}, nil }
}

func TestANodeThatNeverBootsFailsItsRun(t *testing.T) {
	run := theirs(t, func() (Cluster, error) { return nil, &nodes.Broken{Node: "a1", What: "ended unasked with status 7"} })
	if run.Verdict != history.Fail || !strings.Contains(run.Reason, "node a1 broke at 0.000 s: ended unasked with status 7") || len(run.History.Ops) != 0 {
		t.Errorf("%s: %s", run.Verdict, run.Reason)
	}
}

func TestWhatNodesSayOfThemselvesIsNotJudgedOfAnImage(t *testing.T) {
	passes := checker.Func(func(*history.History) history.Result { return history.Passed("it held") })
	run := theirs(t, answering("yes"), Guarantee{ID: "X1", Checker: passes}, Guarantee{ID: "X2", Inside: true, Checker: passes})
	if run.Judged[0].Verdict != history.Pass || run.Judged[1].Verdict != history.NotJudged || run.Verdict != history.Pass {
		t.Errorf("%s, %s, in all %s: %s", run.Judged[0].Verdict, run.Judged[1].Verdict, run.Verdict, run.Reason)
	}
}

func TestAnAnswerThatNoCheckerCanReadFailsTheRunOfAnImage(t *testing.T) {
	run := theirs(t, answering("nonsense"), Guarantee{ID: "X1", Checker: checker.Func(func(h *history.History) history.Result {
		return history.Passed("%d", h.Ops[0].Out.(int))
	})})
	if run.Verdict != history.Fail || !strings.Contains(run.Reason, "what the nodes answered does not fit") {
		t.Errorf("%s: %s", run.Verdict, run.Reason)
	}
}

func TestARefusalIsSureIfItsCodeIs(t *testing.T) {
	for code, want := range map[wire.Code]history.Outcome{wire.Precondition: history.Failed, wire.Timeout: history.Unknown, wire.Crash: history.Unknown} {
		run := theirs(t, answering(wire.Error{Code: code}))
		if got := run.History.Ops[0].Outcome; got != want {
			t.Errorf("code %d is %s, not %s", code, got, want)
		}
	}
}
