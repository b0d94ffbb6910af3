package checker_test

import (
	"errors"
	"testing"
	"time"

	"faultlab/checker"
	"faultlab/checker/history"
)

// does is an operation of a client, from one millisecond to another.
func does(client string, from, to int, outcome history.Outcome, what any) history.Op {
	return history.Op{Client: client, Call: time.Duration(from) * ms, Return: time.Duration(to) * ms, Outcome: outcome, In: what}
}

// did is one that is OK.
func did(client string, from, to int, what any) history.Op {
	return does(client, from, to, history.OK, what)
}

func ops(list ...history.Op) *history.History {
	h := &history.History{Ops: number(list)}
	for _, op := range list {
		h.End = max(h.End, op.Return)
	}
	return h
}

func as[T any](op *history.Op) (v T, ok bool) {
	v, ok = op.In.(T)
	return v, ok
}

func TestSet(t *testing.T) {
	type s = checker.SetOp[int]
	add := func(e int) s { return s{Element: e} }
	read := func(all ...int) s { return s{Read: true, All: all} }
	run(t, checker.Set[int]{View: as[s]}, []verdictCase{
		{"all that was acknowledged is read", ops(did("a", 1, 2, add(1)), does("a", 3, 4, history.Unknown, add(2)), did("b", 5, 6, read(1, 2))), history.Pass, "all of 1 acknowledged element", nil},
		{"an element is lost", ops(did("a", 1, 2, add(1)), did("a", 3, 4, add(2)), did("b", 5, 6, read(2))), history.Fail, "operation 0 (client a, 0.001 s) added 1", []int{0, 2}},
		{"an element that was added while the last read ran may be missing", ops(did("a", 1, 9, add(1)), did("b", 5, 6, read())), history.Pass, "", nil},
		{"nobody added it", ops(did("b", 5, 6, read(7))), history.Fail, "has 7, which nobody tried to add", []int{0}},
		{"its addition failed", ops(does("a", 1, 2, history.Failed, add(1)), did("b", 5, 6, read(1))), history.Fail, "failed to add", []int{0, 1}},
		{"it was never read", ops(did("a", 1, 2, add(1))), history.Undetermined, "never read", nil},
	})
}

func TestSetFull(t *testing.T) {
	type s = checker.SetOp[int]
	add := func(e int) s { return s{Element: e} }
	read := func(all ...int) s { return s{Read: true, All: all} }
	stale := ops(did("a", 1, 2, add(1)), did("b", 3, 4, read()), did("b", 5, 6, read(1)))
	run(t, checker.SetFull[int]{View: as[s]}, []verdictCase{
		{"what is read stays", ops(did("a", 1, 2, add(1)), did("b", 3, 4, read(1)), did("b", 5, 6, read(1))), history.Pass, "1 element stay", nil},
		{"an element is gone", ops(did("a", 1, 2, add(1)), did("b", 3, 4, read(1)), did("b", 5, 6, read())), history.Fail, "1 was read by operation 1 (client b, 0.003 s), and from operation 2", []int{0, 1, 2}},
		{"an acknowledged element never appears", ops(did("a", 1, 2, add(1)), did("b", 3, 4, read())), history.Fail, "1 was acknowledged", []int{0, 1}},
		{"an unknown element is seen and gone", ops(does("a", 1, 2, history.Unknown, add(1)), did("b", 3, 4, read(1)), did("b", 5, 6, read())), history.Fail, "", []int{0, 1, 2}},
		{"an unknown element never appears", ops(does("a", 1, 2, history.Unknown, add(1)), did("a.1", 1, 2, add(2)), did("b", 3, 4, read(2))), history.Pass, "", nil},
		{"a stale read is forgiven", stale, history.Pass, "", nil},
		{"an element stands twice", ops(did("a", 1, 2, add(1)), did("b", 3, 4, read(1, 1))), history.Fail, "read 1 twice", []int{1}},
		{"an element appears before it was added", ops(did("b", 1, 2, read(1)), did("a", 3, 4, add(1))), history.Fail, "before anyone tried", []int{0}},
		{"nothing was read after it was added", ops(did("b", 1, 2, read()), did("a", 3, 4, add(1))), history.Undetermined, "only 0 elements", nil},
	})
	expect(t, checker.SetFull[int]{View: as[s], Strict: true}.Check(stale), history.Fail, "1 was known from 0.002 s, and operation 1", 0, 1, 2)
}

func TestTotalQueue(t *testing.T) {
	type q = checker.QueueOp[int]
	in := func(v int) q { return q{Enqueue: true, Value: v} }
	out := func(v ...int) q { return q{Dequeued: v} }
	swapped := ops(did("a", 1, 2, in(1)), did("a", 3, 4, in(2)), did("b", 5, 6, out(2)), did("b", 7, 8, out(1)))
	again := ops(did("a", 1, 2, in(1)), did("b", 5, 6, out(1)), did("b", 7, 8, out(1)))
	run(t, checker.TotalQueue[int]{View: as[q]}, []verdictCase{
		{"what goes in comes out", ops(did("a", 1, 2, in(1)), does("a", 3, 4, history.Unknown, in(2)), did("b", 5, 6, out(1, 2))), history.Pass, "2 values in all", nil},
		{"a value is lost", ops(did("a", 1, 2, in(1)), did("a", 3, 4, in(2)), did("b", 5, 6, out(2))), history.Fail, "enqueued 1 and was acknowledged, and it never came out", []int{0}},
		{"a dequeue that nobody heard of may have taken it", ops(did("a", 1, 2, in(1)), does("b", 5, 6, history.Unknown, out())), history.Undetermined, "1 dequeue of unknown outcome", nil},
		{"a value comes out of nowhere", ops(did("b", 5, 6, out(2))), history.Fail, "2, which nobody enqueued", []int{0}},
		{"a value comes out that failed to go in", ops(does("a", 1, 2, history.Failed, in(1)), did("b", 5, 6, out(1))), history.Fail, "failed to enqueue", []int{0, 1}},
		{"a value comes out before it went in", ops(did("b", 1, 2, out(1)), did("a", 3, 4, in(1))), history.Fail, "before anyone enqueued it", []int{0, 1}},
		{"a value comes out twice", again, history.Fail, "dequeued 1, and so did", []int{1, 2}},
		{"order is not asked for", swapped, history.Pass, "", nil},
		{"nothing came out", ops(), history.Undetermined, "only 0 values", nil},
	})
	expect(t, checker.TotalQueue[int]{View: as[q], Duplicates: true}.Check(again), history.Pass, "")
	ordered := checker.TotalQueue[int]{View: as[q], Ordered: true}
	expect(t, ordered.Check(swapped), history.Fail, "1 was acknowledged before 2 was enqueued", 0, 1, 2, 3)
	expect(t, ordered.Check(ops(did("a", 1, 3, in(1)), did("c", 2, 4, in(2)), did("b", 5, 6, out(2)), did("b", 7, 8, out(1)))), history.Pass, "")
	expect(t, ordered.Check(ops(did("a", 1, 2, in(1)), did("a", 3, 4, in(2)), did("b", 5, 8, out(2)), did("d", 6, 7, out(1)))), history.Pass, "")
}

func TestUnique(t *testing.T) {
	run(t, checker.Unique[string]{View: as[string]}, []verdictCase{
		{"all ids differ", ops(did("a", 1, 2, "x"), did("b", 1, 2, "y")), history.Pass, "all of 2 ids differ", nil},
		{"one id is given twice", ops(did("a", 1, 2, "x"), did("b", 1, 2, "y"), did("b", 3, 4, "x")), history.Fail, "operation 0 (client a, 0.001 s) and operation 2 (client b, 0.003 s) were both given x", []int{0, 2}},
		{"an id that nobody heard of counts for nothing", ops(did("a", 1, 2, "x"), does("b", 1, 2, history.Unknown, "x")), history.Pass, "", nil},
		{"no id was given", ops(), history.Undetermined, "only 0 ids", nil},
	})
}

func TestCounter(t *testing.T) {
	type c = checker.CounterOp
	add := func(n int64) c { return c{Add: n} }
	read := func(n int64) c { return c{Read: true, Value: n} }
	run(t, checker.Counter{View: as[c], Initial: 10}, []verdictCase{
		{"a read is the sum", ops(did("a", 1, 2, add(5)), did("a", 3, 4, add(-3)), did("b", 5, 6, read(12))), history.Pass, "all of 1 read", nil},
		{"a read lacks what was acknowledged", ops(did("a", 1, 2, add(5)), did("b", 5, 6, read(10))), history.Fail, "read 10, but by what was added then it was from 15 to 15", []int{1}},
		{"what runs beside a read may count or not", ops(did("a", 1, 9, add(5)), did("c", 1, 9, add(-2)), did("b", 5, 6, read(8)), did("b", 7, 8, read(15))), history.Pass, "", nil},
		{"but no more than that", ops(did("a", 1, 9, add(5)), did("c", 1, 9, add(-2)), did("b", 5, 6, read(7))), history.Fail, "from 8 to 15", []int{2}},
		{"an unknown change may come late", ops(does("a", 1, 2, history.Unknown, add(5)), did("b", 5, 6, read(10)), did("b", 7, 8, read(15))), history.Pass, "", nil},
		{"a failed change never comes", ops(does("a", 1, 2, history.Failed, add(5)), did("b", 5, 6, read(15))), history.Fail, "from 10 to 10", []int{1}},
		{"nobody read", ops(did("a", 1, 2, add(5))), history.Undetermined, "only 0 reads", nil},
	})
	bounded := checker.Counter{View: as[c], Bounds: &[2]int64{0, 10}}
	expect(t, bounded.Check(ops(did("a", 1, 2, add(-1)), did("b", 3, 4, read(-1)))), history.Fail, "it may hold from 0 to 10", 1)
}

func TestMonotonic(t *testing.T) {
	at := func(n int64) checker.Reading { return checker.Reading{Of: "cursor", Number: n} }
	run(t, checker.Monotonic{View: as[checker.Reading]}, []verdictCase{
		{"it rises", ops(did("a", 1, 2, at(1)), did("b", 3, 4, at(1)), did("b", 5, 6, at(2))), history.Pass, "none of 3 readings", nil},
		{"it goes back", ops(did("a", 1, 2, at(5)), did("b", 3, 4, at(6)), did("c", 5, 6, at(5))), history.Fail, "cursor went back: operation 1 (client b, 0.003 s) showed 6", []int{1, 2}},
		{"operations that overlap have no order", ops(did("a", 1, 5, at(5)), did("b", 3, 4, at(4))), history.Pass, "", nil},
		{"an operation that began early may show little", ops(did("a", 1, 9, at(1)), did("b", 3, 4, at(4)), did("c", 5, 8, at(4))), history.Pass, "", nil},
		{"things are apart", ops(did("a", 1, 2, at(5)), did("b", 3, 4, checker.Reading{Of: "other", Number: 1})), history.Pass, "", nil},
	})
	expect(t, checker.Monotonic{View: as[checker.Reading], Strict: true}.Check(ops(did("a", 1, 2, at(5)), did("b", 3, 4, at(5)))), history.Fail, "cursor stood still", 0, 1)
}

func TestEpochs(t *testing.T) {
	e := func(n int64, owner string) checker.Epoch { return checker.Epoch{Of: "r1", Number: n, Owner: owner} }
	run(t, checker.Epochs{View: as[checker.Epoch]}, []verdictCase{
		{"owners follow each other", ops(did("a", 1, 2, e(1, "n1")), did("a", 3, 4, e(2, "")), did("a", 5, 6, e(2, "n2"))), history.Pass, "in 3 operations and 2 epochs", nil},
		{"an old owner writes after the fence", ops(did("a", 1, 2, e(1, "n1")), did("f", 3, 4, e(2, "")), did("a", 5, 6, e(1, "n1"))), history.Fail,
			"operation 2 (client a, 0.005 s) was done by n1 under epoch 1 of r1, after operation 1 (client f, 0.003 s) had ended under epoch 2", []int{1, 2}},
		{"a write that was under way when the fence came may end under the old epoch", ops(did("f", 3, 6, e(2, "")), did("a", 5, 9, e(1, "n1"))), history.Pass, "", nil},
		{"an epoch has two owners", ops(did("a", 1, 2, e(1, "n1")), did("b", 1, 2, e(1, "n2"))), history.Fail, "epoch 1 of r1 has two owners", []int{0, 1}},
		{"nothing was ever fenced", ops(did("a", 1, 2, e(1, "n1"))), history.Undetermined, "only 1 epoch; 2 are needed", nil},
	})
}

func TestOnce(t *testing.T) {
	once := func(effects ...string) checker.Once[string] {
		return checker.Once[string]{Asked: as[string], Effects: func(*history.History) ([]string, bool) { return effects, effects != nil }}
	}
	h := ops(did("a", 1, 2, "pay1"), does("a", 3, 4, history.Unknown, "pay2"), does("a", 5, 6, history.Failed, "pay3"))
	expect(t, once("pay1").Check(h), history.Pass, "all of 1 effect")
	expect(t, once("pay1", "pay2").Check(h), history.Pass, "")
	expect(t, once("pay2").Check(h), history.Fail, "pay1, asked for by operation 0 (client a, 0.001 s) and acknowledged, never took effect", 0)
	expect(t, once("pay1", "pay2", "pay2").Check(h), history.Fail, "took effect 2 times", 1)
	expect(t, once("pay1", "pay3").Check(h), history.Fail, "failed", 2)
	expect(t, once("pay1", "pay9").Check(h), history.Fail, "which nobody asked for")
	expect(t, once().Check(h), history.Undetermined, "not known")
	calm := once("pay1")
	calm.Again = func(*history.History) int { return 0 }
	expect(t, calm.Check(h), history.Undetermined, "nothing was delivered a second time")
}

func TestConvergence(t *testing.T) {
	c := checker.Convergence{View: func(op *history.Op) []checker.Copy { return op.In.([]checker.Copy) }}
	state := func(who, state string) []checker.Copy { return []checker.Copy{{"x", who, state}} }
	run(t, c, []verdictCase{
		{"replicas end alike", ops(did("a", 1, 2, state("A", "1")), did("a", 3, 4, state("B", "2")), did("a", 5, 6, state("A", "2"))), history.Pass, "in 1 place", nil},
		{"replicas end apart", ops(did("a", 1, 2, state("A", "1")), did("a", 3, 4, state("B", "2"))), history.Fail, "x did not converge: A has 1 (operation 0", []int{0, 1}},
		{"one replica alone says nothing", ops(did("a", 1, 2, state("A", "1"))), history.Undetermined, "only 0 places", nil},
	})
}

func TestOracle(t *testing.T) {
	oracle := func(err error, a ...checker.Answer) checker.Oracle {
		return checker.Oracle{Answers: func(*history.History) ([]checker.Answer, error) { return a, err }}
	}
	same, other := checker.Answer{About: "digest at 1", Op: -1, Got: "x", Want: "x"}, checker.Answer{About: "fold of [0,2]", Op: 3, Got: "5", Want: "6"}
	expect(t, oracle(nil, same).Check(ops()), history.Pass, "all of 1 answer")
	expect(t, oracle(nil, same, other).Check(ops()), history.Fail, "fold of [0,2] is 5, and should be 6", 3)
	expect(t, oracle(errors.New("the log is gone")).Check(ops()), history.Undetermined, "the log is gone")
	expect(t, oracle(nil).Check(ops()), history.Undetermined, "only 0 answers")
}

func TestLatency(t *testing.T) {
	cut := window("partition", 10*time.Second, 20*time.Second)
	l := checker.Latency{Class: "sends", When: func(f checker.Faults) bool { return len(f.Active) > 0 },
		Of: func(*history.Op, checker.Faults) bool { return true }, Bound: 6 * ms}
	h := func(took time.Duration, windows ...history.Window) *history.History {
		list := steady(30*time.Second, fine)
		for i := range list {
			if list[i].Call >= 11*time.Second && list[i].Call < 12*time.Second {
				list[i].Return = list[i].Call + took
			}
		}
		return &history.History{Ops: list, Windows: windows, Healed: 30 * time.Second, End: 30 * time.Second}
	}
	run(t, l, []verdictCase{
		{"operations are as fast as ever", h(5*ms, cut), history.Pass, "990 in a thousand of 1000 operations of sends took no longer than 5ms", nil},
		{"a tenth of the operations is slow", h(9*ms, cut), history.Fail, "990 in a thousand sends took up to 9ms", []int{1189}},
		{"slowness outside the fault is not judged", h(9*ms, window("partition", 20*time.Second, 29*time.Second)), history.Pass, "", nil},
		{"a run without the fault is not judged", h(5 * ms), history.NotJudged, "", nil},
	})
	l.Bound, l.Slack = 0, 2*ms
	expect(t, l.Check(h(9*ms, cut)), history.Fail, "where as many take 5ms in calm")
	expect(t, l.Check(h(6*ms, cut)), history.Pass, "")
}

func TestLog(t *testing.T) {
	type l = checker.LogOp[int]
	type rec = checker.Record[int]
	send := func(offset int64, v int) l { return l{Sends: []rec{{"p", offset, v}}} }
	// poll is a poll of values that stand at the places of the same number.
	poll := func(values ...int) l {
		var p l
		for _, v := range values {
			p.Polls = append(p.Polls, rec{"p", int64(v), v})
		}
		p.Group = "g"
		return p
	}
	at := func(offset int64, v int) l { return l{Polls: []rec{{"p", offset, v}}} }
	commit := func(offset int64) l { return l{Group: "g", Commits: []rec{{Log: "p", Offset: offset}}} }
	moved := func(p l) l { p.Moved = true; return p }
	sent := func(more ...history.Op) *history.History {
		return ops(append([]history.Op{did("a", 1, 2, send(1, 1)), did("a", 3, 4, send(2, 2)), did("a", 5, 6, send(3, 3))}, more...)...)
	}
	run(t, checker.Log[int]{View: as[l]}, []verdictCase{
		{"all that was sent is polled in order", sent(did("c", 7, 8, poll(1, 2)), did("c", 9, 10, poll(3))), history.Pass, "all of 3 values", nil},
		{"two values are at one place", sent(did("c", 7, 8, poll(1, 2, 3)), did("d", 7, 8, at(2, 1))), history.Fail, "has 2 at place 2 of p, and operation 4 (client d, 0.007 s) has 1 there (also found: duplicate)", []int{1, 4}},
		{"a value is at two places", sent(did("c", 7, 8, poll(1, 2, 3)), did("d", 7, 8, at(4, 1))), history.Fail, "1 is at two places: 1 of p (operation 0", []int{0, 4}},
		{"a value is lost in the middle", sent(did("c", 7, 8, moved(poll(1))), did("c", 9, 10, moved(poll(3)))), history.Fail, "sent 2 to place 2 of p and was acknowledged; no operation that succeeded polled it, though place 3 was polled", []int{1}},
		{"a value whose place is not known is lost in the middle", ops(did("a", 1, 2, send(-1, 1)), did("a", 3, 4, send(-1, 2)), did("c", 7, 8, poll(2))), history.Fail, "though what operation 1 (client a, 0.003 s) sent later was polled", []int{0, 1}},
		{"a value at the end may yet be polled", sent(did("c", 7, 8, poll(1, 2))), history.Undetermined, "lost at the end, or the readers were slow", nil},
		{"a failed send is polled", ops(does("a", 1, 2, history.Failed, send(-1, 1)), did("c", 7, 8, poll(1))), history.Fail, "polled 1, though operation 0", []int{0, 1}},
		{"a value is polled that nobody sent", ops(did("c", 7, 8, poll(1))), history.Fail, "1, which nobody sent", []int{0}},
		{"an unknown send is polled", ops(does("a", 1, 2, history.Unknown, send(-1, 1)), did("a.1", 3, 4, send(2, 2)), did("c", 7, 8, poll(1, 2))), history.Pass, "", nil},
		{"a poll goes back", sent(did("c", 7, 8, poll(1, 2, 3)), did("c", 9, 10, poll(2))), history.Fail, "polled place 2 of p, after place 3", []int{3, 4}},
		{"a poll may go back after a rebalance", sent(did("c", 7, 8, poll(1, 2, 3)), did("c", 9, 10, moved(poll(2)))), history.Pass, "", nil},
		{"a poll goes back in itself", sent(did("c", 7, 8, poll(1, 2, 3, 2))), history.Fail, "place 2 of p, after place 3", []int{3}},
		{"a poll skips a record", sent(did("c", 7, 8, poll(1)), did("c", 9, 10, poll(3)), did("d", 9, 10, poll(1, 2, 3))), history.Fail, "skipped place 2", []int{3, 4}},
		{"a poll skips a place where nothing is known to be", ops(did("a", 1, 2, send(1, 1)), did("a", 3, 4, send(3, 3)), did("c", 7, 8, poll(1, 3))), history.Pass, "", nil},
		{"a send comes before the client's last one", ops(did("a", 1, 2, send(2, 2)), did("a", 3, 4, send(1, 1)), did("c", 7, 8, poll(1, 2))), history.Fail, "before what the same client sent earlier", []int{0, 1}},
		{"a send comes before one that was acknowledged", ops(did("a", 1, 2, send(2, 2)), did("b", 3, 4, send(1, 1)), did("c", 7, 8, poll(1, 2))), history.Fail, "before place 2, which operation 0", []int{0, 1}},
		{"sends at the same time have no order", ops(did("a", 1, 4, send(2, 2)), did("b", 3, 5, send(1, 1)), did("c", 7, 8, poll(1, 2))), history.Pass, "", nil},
		{"a group commits what was delivered to it", sent(did("c", 7, 8, poll(1, 2, 3)), did("c", 9, 10, commit(3))), history.Pass, "", nil},
		{"a group commits past a record that was not delivered to it", sent(did("c", 7, 8, poll(1)), did("c", 9, 10, commit(2)), did("c", 11, 12, poll(2, 3))), history.Fail, "committed place 2 of p for group g, to which 2, at place 2, had not been delivered", []int{1, 4}},
		{"nothing was polled", ops(), history.Undetermined, "only 0 acknowledged values polled", nil},
	})
	gap := ops(did("a", 1, 2, send(1, 1)), did("a", 3, 4, send(3, 3)), did("c", 7, 8, poll(1, 3)))
	expect(t, checker.Log[int]{View: as[l], Dense: true}.Check(gap), history.Fail, "skipped place 2", 2)
	back := sent(did("c", 7, 8, poll(1, 2, 3)), did("c", 9, 10, poll(2)))
	expect(t, checker.Log[int]{View: as[l], Allow: []string{checker.PollBack}}.Check(back), history.Pass, "")
}
