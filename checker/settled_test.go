package checker_test

import (
	"testing"

	"faultlab/checker"
	"faultlab/checker/history"
)

func TestASettledCounterIsTheSumOfWhatHappened(t *testing.T) {
	at := func(in checker.CounterOp, outcome history.Outcome, phase history.Phase) history.Op {
		return history.Op{Client: "c1", Node: "n1", In: in, Call: 10 * ms, Return: 20 * ms, Outcome: outcome, Phase: phase}
	}
	add := func(n int64, outcome history.Outcome) history.Op {
		return at(checker.CounterOp{Add: n}, outcome, history.Safety)
	}
	read := func(n int64, phase history.Phase) history.Op {
		op := at(checker.CounterOp{Read: true, Value: n}, history.OK, phase)
		op.Call, op.Return = 30*ms, 40*ms
		return op
	}
	of := func(ops ...history.Op) *history.History { return &history.History{Ops: number(ops)} }
	c := checker.SettledCounter{
		View:    func(op *history.Op) (checker.CounterOp, bool) { x, ok := op.In.(checker.CounterOp); return x, ok },
		Settled: func(op *history.Op) bool { return op.Phase == history.Final },
	}
	run(t, c, []verdictCase{
		{"all that was acknowledged", of(add(2, history.OK), add(3, history.OK), read(5, history.Final)), history.Pass, "come to: 5", nil},
		{"one is missing", of(add(2, history.OK), add(3, history.OK), read(2, history.Final)), history.Fail, "come to 5", []int{2}},
		{"which it may be before the end", of(add(2, history.OK), add(3, history.OK), read(2, history.Safety), read(5, history.Final)), history.Pass, "", nil},
		{"nobody reads more than was asked for", of(add(2, history.OK), read(3, history.Safety), read(2, history.Final)), history.Fail, "from 0 to 2", []int{1}},
		{"nor less", of(add(-2, history.OK), read(-3, history.Safety), read(-2, history.Final)), history.Fail, "from -2 to 0", []int{1}},
		{"an unknown change may have happened", of(add(2, history.OK), add(3, history.Unknown), read(5, history.Final)), history.Pass, "", nil},
		{"or not", of(add(2, history.OK), add(3, history.Unknown), read(2, history.Final)), history.Pass, "", nil},
		{"but not in part", of(add(2, history.OK), add(3, history.Unknown), read(4, history.Final)), history.Fail, "with any of 1 unknown ones to one of [2 5]", []int{2}},
		{"a failed one has not", of(add(2, history.OK), add(3, history.Failed), read(5, history.Final)), history.Fail, "from 0 to 2", []int{2}},
		{"nobody read in the end", of(add(2, history.OK), read(2, history.Safety)), history.Undetermined, "only 0 reads", nil},
	})
}
