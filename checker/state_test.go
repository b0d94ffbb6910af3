package checker_test

import (
	"fmt"
	"testing"
	"time"

	"faultlab/checker"
	"faultlab/checker/history"
)

// reads is a history of operations that returned these values, one after another.
func reads[T any](values ...T) *history.History {
	h := &history.History{}
	for i, v := range values {
		at := time.Duration(2*i+1) * ms
		h.Ops = append(h.Ops, history.Op{Client: "c", In: v, Out: v, Call: at, Return: at + ms, Outcome: history.OK})
	}
	h.Ops = number(h.Ops)
	return h
}

func TestBank(t *testing.T) {
	type balances []checker.Balance
	move := "move"
	bank := checker.Bank{
		View:   func(op *history.Op) ([]checker.Balance, bool) { b, ok := op.Out.(balances); return b, ok },
		Totals: map[string]int64{"EUR": 10, "USD": 5}, Accounts: []string{"a", "b", "c"},
		Limit:   func(string) int64 { return 0 },
		Moves:   func(op *history.Op) bool { return op.Out == any(move) },
		AtLeast: 1,
	}
	state := func(a, b, c int64) balances {
		return balances{{"a", "EUR", a}, {"b", "EUR", b}, {"c", "USD", c}}
	}
	run(t, bank, []verdictCase{
		{"money moves within a currency", reads[any](state(10, 0, 5), move, state(3, 7, 5)), history.Pass, "in all of 2 reads", nil},
		{"money is made", reads[any](state(10, 0, 5), state(3, 8, 5)), history.Fail, "operation 1 (client c, 0.003 s) read a total of 11 EUR where there are 10 (a=3 b=8)", []int{1}},
		{"a currency is not made up for by another", reads[any](state(9, 0, 6)), history.Fail, "a total of 9 EUR", []int{0}},
		{"an account is below its limit", reads[any](state(11, -1, 5)), history.Fail, "-1 in b, below its limit of 0", []int{0}},
		{"an account is missing", reads[any](state(3, 7, 5)[:2]), history.Fail, "no account c", []int{0}},
		{"an account is there twice", reads[any](append(state(10, 0, 5), checker.Balance{"b", "EUR", 0})), history.Fail, "account b twice", []int{0}},
		{"an account was never opened", reads[any](append(state(10, 0, 5), checker.Balance{"d", "EUR", 0})), history.Fail, "account d, which nobody opened", []int{0}},
		{"a sum that wraps around is no total", reads[any](balances{{"a", "EUR", 1<<63 - 1}, {"b", "EUR", 1<<63 - 1}, {"c", "EUR", 12}}), history.Fail, "beyond 64 bits", []int{0}},
		{"a snapshot is frozen", reads[any](state(10, 0, 5), move, state(10, 0, 5)), history.Undetermined, "all of 2 reads are the same, though 1 transfer acknowledged", nil},
		{"nobody read", reads[any](move), history.Undetermined, "only 0 reads", nil},
	})
}

func TestInvariant(t *testing.T) {
	onCall := checker.Invariant[[2]bool]{
		View: func(op *history.Op) ([2]bool, bool) { d, ok := op.Out.([2]bool); return d, ok },
		Holds: func(d [2]bool) error {
			if !d[0] && !d[1] {
				return fmt.Errorf("nobody is on call")
			}
			return nil
		},
		AtLeast: 2,
	}
	run(t, onCall, []verdictCase{
		{"one of two is always on call", reads([2]bool{true, false}, [2]bool{false, true}), history.Pass, "in all of 2 reads", nil},
		{"both went off together", reads([2]bool{true, true}, [2]bool{false, false}), history.Fail, "operation 1 (client c, 0.003 s) read a state that must not be: nobody is on call", []int{1}},
		{"one read is too few", reads([2]bool{true, true}), history.Undetermined, "only 1 read together; 2 are needed", nil},
	})
}

func TestDigests(t *testing.T) {
	c := checker.Digests{AtLeast: 1, View: func(e *history.Event) (checker.Digest, bool) { d, ok := e.Event.(checker.Digest); return d, ok }}
	said := func(node string, index uint64, sum string) history.Event {
		return history.Event{At: time.Duration(index) * ms, Node: node, Event: checker.Digest{Group: "A1", Index: index, Sum: sum}}
	}
	h := func(e ...history.Event) *history.History { return &history.History{Events: e} }
	run(t, c, []verdictCase{
		{"replicas agree", h(said("a1", 1, "x"), said("a2", 1, "x"), said("a1", 2, "y")), history.Pass, "at each of 1 log index (3 reports)", nil},
		{"replicas differ, and the first place is named", h(said("a1", 9, "x"), said("a2", 9, "z"), said("a1", 7, "p"), said("a3", 7, "q")), history.Fail,
			"the state of A1 after log index 7 differs: a1 (0.007 s) has p, a3 (0.007 s) has q", nil},
		{"a node differs from itself before a restart", h(said("a1", 1, "x"), said("a1", 1, "y")), history.Fail, "a1 (0.001 s) has x, a1 (0.001 s) has y", nil},
		{"one index at different times is one state only", h(said("a1", 1, "x"), said("a1", 2, "y")), history.Undetermined, "only 0 log indices", nil},
		{"nobody said anything", h(), history.NotJudged, "no node said", nil},
	})
}

// stalled adds a time in which the lab stood still, of 300 ms from that second on.
func stalled(h *history.History, at time.Duration) *history.History {
	h.Stalls = []history.Stall{{Start: at * time.Second, End: at*time.Second + 300*ms}}
	return h
}

func TestLocks(t *testing.T) {
	members := []history.Member{{ID: "a1", Region: "A"}, {ID: "a2", Region: "A"}, {ID: "a3", Region: "A"},
		{ID: "b1", Region: "B"}, {ID: "c1", Region: "C"}}
	locks := checker.Locks{
		View:   func(e *history.Event) (checker.Lock, bool) { l, ok := e.Event.(checker.Lock); return l, ok },
		Groups: map[string]checker.Group{"A1": {Members: []string{"a1", "a2", "a3"}, Needs: []string{"S"}}, "S": {Members: []string{"a1", "b1", "c1"}}},
		Bound:  2 * time.Second, AtLeast: 1,
	}
	lock := func(at float64, node string, released bool) history.Event {
		return history.Event{At: time.Duration(at * float64(time.Second)), Node: node,
			Event: checker.Lock{Group: "A1", Txn: "t1", Keys: []string{"x"}, Cross: true, Released: released}}
	}
	var around []history.Link // all links into and out of A
	for _, a := range []string{"a1", "a2", "a3"} {
		for _, o := range []string{"b1", "c1"} {
			around = append(around, history.Link{From: a, To: o}, history.Link{From: o, To: a})
		}
	}
	cut := func(from, to time.Duration, links []history.Link) history.Window {
		return history.Window{Kind: "partition", Form: "region", Start: from * time.Second, End: to * time.Second, Cuts: links, Took: true}
	}
	kill := func(from, to time.Duration, node string) history.Window {
		return history.Window{Kind: "kill", Start: from * time.Second, End: to * time.Second, Down: []string{node}, Took: true}
	}
	h := func(windows []history.Window, events ...history.Event) *history.History {
		return &history.History{Members: members, Windows: windows, Events: events, End: 60 * time.Second}
	}
	region := []history.Window{cut(20, 40, around)}
	healing := []history.Window{cut(20, 40, around)} // over TCP it takes a while until traffic is back
	healing[0].Healing = 21500 * ms
	run(t, locks, []verdictCase{
		{"a lock is released in time", h(nil, lock(10, "a1", false), lock(10.1, "a2", false), lock(11, "a2", true)), history.Pass, "none was held longer than 1.000 s", nil},
		{"a lock is held too long", h(nil, lock(10, "a1", false), lock(12.5, "a2", true)), history.Fail,
			"A1 held the locks of t1 on x from 10.000 s to 12.500 s; for 2.500 s of that nothing was in the way of releasing them, and 2s are allowed", nil},
		{"so it is, but the lab stood still", stalled(h(nil, lock(10, "a1", false), lock(12.5, "a2", true)), 12), history.Undetermined, "but the lab itself stood still from 12.000 s to 12.300 s", nil},
		{"and it stood still before", stalled(h(nil, lock(10, "a1", false), lock(12.5, "a2", true)), 9), history.Fail, "2s are allowed", nil},
		{"a lock is never released", h(nil, lock(10, "a1", false)), history.Fail, "to the end of the run", nil},
		{"what a restarted member replays is no new lock", h(nil, lock(10, "a1", false), lock(11, "a1", true), lock(30, "a3", false)), history.Pass, "", nil},
		{"a lock may last as long as the region is cut off", h(region, lock(19, "a1", false), lock(44, "a1", true)), history.Pass, "longer than 2.000 s", nil},
		{"but not much longer", h(region, lock(19, "a1", false), lock(44.5, "a1", true)), history.Fail, "for 2.500 s of that", nil},
		{"one member down of three is no excuse once another leads", h([]history.Window{kill(20, 40, "a2")}, lock(19.5, "a1", false), lock(26, "a1", true)), history.Fail, "for 3.500 s of that", nil},
		{"one member down of three is an excuse until another leads", h([]history.Window{kill(20, 40, "a2")}, lock(19.5, "a1", false), lock(24, "a1", true)), history.Pass, "", nil},
		{"a leader that is out of reach of the status group is an excuse", h([]history.Window{cut(20, 40, []history.Link{{From: "a2", To: "b1"}})}, lock(19.5, "a1", false), lock(42, "a1", true)), history.Pass, "", nil},
		{"a fault elsewhere is none", h([]history.Window{cut(20, 40, []history.Link{{From: "b1", To: "d1"}})}, lock(19.5, "a1", false), lock(42, "a1", true)), history.Fail, "", nil},
		{"a lock is taken in a region that nothing can reach", h(region, lock(22, "a1", false), lock(22.1, "a1", true)), history.Fail, "nothing could reach region A since 20.000 s", nil},
		{"a lock is taken while the cut is being healed", h(healing, lock(22, "a1", false), lock(22.1, "a1", true)), history.Pass, "", nil},
		{"a lock is taken before it is", h(healing, lock(21.4, "a1", false), lock(21.5, "a1", true)), history.Fail, "nothing could reach region A since 20.000 s", nil},
		{"a lock is taken just after the cut", h(region, lock(20.5, "a1", false), lock(20.6, "a1", true)), history.Pass, "", nil},
		{"a group that was down before may say late what it took before", h(append([]history.Window{kill(19, 25, "a1")}, region...), lock(25.5, "a1", false), lock(25.6, "a1", true)), history.Pass, "", nil},
	})
	t.Run("a region that is reached by one link still takes locks", func(t *testing.T) {
		var all []history.Link
		for _, l := range around {
			if l.To != "a1" || l.From != "b1" {
				all = append(all, l)
			}
		}
		expect(t, locks.Check(h([]history.Window{cut(20, 40, all)}, lock(22, "a1", false), lock(22.1, "a1", true))), history.Pass, "")
	})
	expect(t, locks.Check(h(nil)), history.NotJudged, "no node reported a lock")
}

func TestAPassOnTooLittleIsUndetermined(t *testing.T) {
	pass := checker.Func(func(*history.History) history.Result { return history.Passed("fine") })
	fail := checker.Func(func(*history.History) history.Result { return history.Refuted([]int{1}, "broken") })
	needs := []checker.Need{checker.Ops("unknown operations", func(op *history.Op) bool { return op.Outcome == history.Unknown }, 1)}
	h := reads(1)
	expect(t, checker.NonVacuous{Checker: pass, Needs: needs}.Check(h), history.Undetermined, "too little happened for a pass: 0 unknown operations where 1 are needed")
	expect(t, checker.NonVacuous{Checker: fail, Needs: needs}.Check(h), history.Fail, "broken")
	h.Ops[0].Outcome = history.Unknown
	expect(t, checker.NonVacuous{Checker: pass, Needs: needs}.Check(h), history.Pass, "fine")
}

func TestIsolation(t *testing.T) {
	c := func() checker.Checker { return checker.Isolation{Of: view(), AtLeast: 1} }
	expect(t, c().Check(lists("a ok 1-2 append x 1\nb ok 3-4 read x [1]")), history.Pass, "")
	expect(t, c().Check(lists("a ok 1-2 append x 1\nb ok 3-4 read x []")), history.Fail, "", 0, 1)
	expect(t, checker.Isolation{Of: view()}.Check(lists("a ok 1-2 append x 1\nb ok 3-4 read x [1]")), history.Undetermined, "only 2 transactions committed")
}

func TestABankThatReadsPartOfItsCurrenciesIsHeldToThoseAlone(t *testing.T) {
	read := func(amount int64) *history.History {
		return &history.History{Ops: []history.Op{{Outcome: history.OK, Out: []checker.Balance{{Account: "a", Currency: "EUR", Amount: amount}}}}}
	}
	bank := checker.Bank{
		View:    func(op *history.Op) ([]checker.Balance, bool) { return op.Out.([]checker.Balance), true },
		Totals:  map[string]int64{"EUR": 5, "USD": 7},
		Partial: true, AtLeast: 1,
	}
	if r := bank.Check(read(5)); r.Verdict != history.Pass {
		t.Errorf("a read of all EUR: %v, %s", r.Verdict, r.Reason)
	}
	if r := bank.Check(read(4)); r.Verdict != history.Fail {
		t.Errorf("a read of too little EUR: %v, %s", r.Verdict, r.Reason)
	}
	bank.Partial = false
	if r := bank.Check(read(5)); r.Verdict != history.Fail {
		t.Errorf("a read that must hold USD and does not: %v, %s", r.Verdict, r.Reason)
	}
}
