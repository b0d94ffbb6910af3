package linear

import (
	"bytes"
	"slices"
	"strings"
	"testing"

	"faultlab/checker/history"
)

// one is a history and what is said of it.
type one struct {
	name string
	ops  []Op
	want string // in the reason; "" for a pass
	few  []int
}

func say[S comparable](t *testing.T, m Model[S], all []one) {
	t.Helper()
	for _, c := range all {
		t.Run(m.Name+": "+c.name, func(t *testing.T) {
			r := Check(m, c.ops, Budget{})
			if (r.Verdict == history.Fail) != (c.want != "") || !strings.Contains(r.Reason, c.want) || !slices.Equal(r.Ops, c.few) {
				t.Errorf("%s by %s: %s %v", r.Verdict, r.Engine, r.Reason, r.Ops)
			}
			var page bytes.Buffer
			if r.Verdict == history.Fail && (r.Picture(&page) != nil || page.Len() == 0) {
				t.Error("no picture")
			}
		})
	}
}

func TestEachModelHasALeastFailureAndANearMiss(t *testing.T) {
	write, read, cas := func(v string) Write { return Write{"x", v} }, Read{"x"}, func(a, b string) CAS { return CAS{"x", a, b} }
	say(t, Register("0"), []one{
		{"a stale read", []Op{at(0, "1", 0, 10, write("3"), nil), at(1, "2", 1090, 1100, write("5"), nil), at(2, "4", 1190, 1200, read, "3")},
			"read x=3 (client 4, 1.20 s) cannot happen: x was 5 from 1.10 s, when client 2's write returned, and nobody wrote 3 after it", []int{0, 1, 2}},
		{"a read that overlaps the write", []Op{at(0, "1", 0, 10, write("3"), nil), at(1, "2", 1090, 1190, write("5"), nil), at(2, "4", 1190, 1200, read, "3")}, "", nil},
		{"a value of nobody", []Op{at(0, "1", 0, 10, read, "7")}, "nobody wrote 7", []int{0}},
		{"the initial value again", []Op{at(0, "1", 0, 10, write("3"), nil), at(1, "1", 11, 12, read, "0")}, "nobody ever wrote 0", []int{0, 1}},
		{"an unknown write that lands late", []Op{at(0, "1", 0, -1, write("3"), nil), at(1, "2", 10, 20, read, "0"), at(2, "2", 30, 40, read, "3")}, "", nil},
		{"an unknown write that lands and is gone", []Op{at(0, "1", 0, -1, write("3"), nil), at(1, "2", 10, 20, read, "3"), at(2, "2", 30, 40, read, "0")}, "nobody ever wrote 0", []int{0, 1, 2}},
		{"a failed write never lands", []Op{{Index: 0, In: write("3"), Outcome: history.Failed}, at(1, "2", 10, 20, read, "3")}, "nobody wrote 3", []int{1}},
		{"nothing but failures", []Op{{Index: 0, In: write("3"), Outcome: history.Failed}}, "", nil},
	})
	say(t, CASRegister("0"), []one{
		{"one value set twice", []Op{at(0, "1", 0, 10, cas("0", "1"), true), at(1, "2", 0, 10, cas("0", "2"), true)}, "cannot happen: x is", []int{0, 1}},
		{"one value set once", []Op{at(0, "1", 0, 10, cas("0", "1"), true), at(1, "2", 0, 10, cas("0", "2"), false)}, "", nil},
	})
	say(t, KeyValue("null"), []one{
		{"deleted and read", []Op{at(0, "1", 0, 10, write("1"), nil), at(1, "1", 11, 12, Delete{"x"}, nil), at(2, "2", 13, 14, read, "1")}, "x is null after delete x", []int{0, 1, 2}},
		{"keys apart", []Op{at(0, "1", 0, 10, write("1"), nil), at(1, "1", 11, 12, Delete{"y"}, nil), at(2, "2", 13, 14, read, "1")}, "", nil},
	})
	set := RegisterSteps{{"x", true, "1"}, {"y", true, "1"}}
	get := RegisterSteps{{Key: "x"}, {Key: "y"}}
	say(t, MultiRegister(map[string]string{"x": "0", "y": "0"}, "0"), []one{
		{"half a write", []Op{at(0, "1", 0, 10, set, []RegisterRead{{}, {}}), at(1, "2", 0, 10, get, []RegisterRead{{true, "1"}, {true, "0"}})}, "read x=1, read y=0", []int{0, 1}},
		{"all of it", []Op{at(0, "1", 0, 10, set, []RegisterRead{{}, {}}), at(1, "2", 0, 10, get, []RegisterRead{{true, "1"}, {true, "1"}})}, "", nil},
	})
	put, take := func(v string) Enqueue { return Enqueue{"", v} }, Dequeue{}
	say(t, FIFOQueue(), []one{
		{"out of order", []Op{at(0, "1", 0, 10, put("a"), nil), at(1, "1", 11, 12, put("b"), nil), at(2, "2", 13, 14, take, "b"), at(3, "2", 15, 16, take, "a")},
			"dequeue b (client 2, 14.000 ms) cannot happen: a was enqueued (client 1, 10.000 ms) before b began to be, and nobody asked for what was to be a before 15.000 ms", []int{0, 1, 2, 3}},
		{"overlapping", []Op{at(0, "1", 0, 10, put("a"), nil), at(1, "1", 10, 12, put("b"), nil), at(2, "2", 13, 14, take, "b"), at(3, "2", 15, 16, take, "a")}, "", nil},
		{"twice", []Op{at(0, "1", 0, 10, put("a"), nil), at(1, "2", 13, 14, take, "a"), at(2, "2", 15, 16, take, "a")}, "dequeued twice", []int{0, 1, 2}},
		{"lost", []Op{at(0, "1", 0, 10, put("a"), nil), at(1, "1", 11, 12, put("b"), nil), at(2, "2", 13, 14, take, "b")}, "nobody ever dequeued a", []int{0, 1, 2}},
		{"lost to an unknown dequeue", []Op{at(0, "1", 0, 10, put("a"), nil), at(1, "3", 5, -1, take, nil), at(2, "1", 11, 12, put("b"), nil), at(3, "2", 13, 14, take, "b")}, "", nil},
		{"lost, and an unknown dequeue too late", []Op{at(0, "1", 0, 10, put("a"), nil), at(1, "1", 11, 12, put("b"), nil), at(2, "2", 13, 14, take, "b"), at(3, "3", 15, -1, take, nil)}, "nobody ever dequeued a", []int{0, 1, 2, 3}},
		{"empty and not", []Op{at(0, "1", 0, 10, put("a"), nil), at(1, "2", 11, 12, take, Empty{}), at(2, "2", 13, 14, take, "a")}, "at every moment", []int{0, 1, 2}},
		{"empty in between", []Op{at(0, "1", 0, 10, put("a"), nil), at(1, "2", 10, 12, take, Empty{}), at(2, "2", 13, 14, take, "a")}, "", nil},
	})
	say(t, UnorderedQueue(), []one{
		{"any order", []Op{at(0, "1", 0, 10, put("a"), nil), at(1, "1", 11, 12, put("b"), nil), at(2, "2", 13, 14, take, "b"), at(3, "2", 15, 16, take, "a")}, "", nil},
		{"twice", []Op{at(0, "1", 0, 10, put("a"), nil), at(1, "2", 13, 14, take, "a"), at(2, "2", 15, 16, take, "a")}, "dequeued twice", []int{0, 1, 2}},
	})
	say(t, Stack(), []one{
		{"first in first out", []Op{at(0, "1", 0, 10, Push{"", "a"}, nil), at(1, "1", 11, 12, Push{"", "b"}, nil), at(2, "2", 13, 14, Pop{}, "a"), at(3, "2", 15, 16, Pop{}, "b")}, "b is on top", []int{0, 1, 2, 3}},
		{"last in first out", []Op{at(0, "1", 0, 10, Push{"", "a"}, nil), at(1, "1", 11, 12, Push{"", "b"}, nil), at(2, "2", 13, 14, Pop{}, "b"), at(3, "2", 15, 16, Pop{}, "a")}, "", nil},
	})
	say(t, Set(), []one{
		{"lost", []Op{at(0, "1", 0, 10, Add{"", "a"}, nil), at(1, "2", 11, 12, Members{}, []string{})}, "has to come after it", []int{0, 1}},
		{"an addition under way", []Op{at(0, "1", 0, 10, Add{"", "a"}, nil), at(1, "2", 10, 12, Members{}, []string{})}, "", nil},
		{"two reads that disagree", []Op{at(0, "1", 0, 90, Add{"", "a"}, nil), at(1, "2", 0, 90, Add{"", "b"}, nil), at(2, "3", 0, 90, Members{}, []string{"a"}), at(3, "4", 0, 90, Members{}, []string{"b"})}, "two reads disagree", []int{0, 1, 2, 3}},
		{"there, then not", []Op{at(0, "1", 0, 90, Add{"", "a"}, nil), at(1, "2", 0, 10, Contains{"", "a"}, true), at(2, "2", 11, 12, Contains{"", "a"}, false)}, "contains a (refused)", []int{0, 1, 2}},
		{"removed", []Op{at(0, "1", 0, 90, Add{"", "a"}, nil), at(1, "2", 0, 10, Contains{"", "a"}, true), at(2, "3", 0, -1, Remove{"", "a"}, nil), at(3, "2", 11, 12, Contains{"", "a"}, false)}, "", nil},
	})
	say(t, Mutex(), []one{
		{"held by two", []Op{at(0, "1", 0, 10, Acquire{}, true), at(1, "2", 0, 10, Acquire{}, true)}, "it is held after acquire", []int{0, 1}},
		{"handed over by an unknown release", []Op{at(0, "1", 0, 10, Acquire{}, true), at(1, "1", 11, -1, Release{}, nil), at(2, "2", 12, 13, Acquire{}, true)}, "", nil},
		{"released by another", []Op{at(0, "1", 0, 10, Acquire{"", "p"}, true), at(1, "2", 11, 12, Release{"", "q"}, true)}, "release q", []int{1}},
	})
	say(t, FencedLease(), []one{
		{"a token used after a greater one", []Op{at(0, "1", 0, 10, Take{}, int64(1)), at(1, "2", 11, 12, Take{}, int64(2)), at(2, "2", 13, 14, Use{"", 2}, true), at(3, "1", 15, 16, Use{"", 1}, true)}, "token 2 has been used", []int{0, 1, 2, 3}},
		{"a token refused after a greater one", []Op{at(0, "1", 0, 10, Take{}, int64(1)), at(1, "2", 11, 12, Take{}, int64(2)), at(2, "2", 13, 14, Use{"", 2}, true), at(3, "1", 15, 16, Use{"", 1}, false)}, "", nil},
		{"one token twice", []Op{at(0, "1", 0, 10, Take{}, int64(1)), at(1, "2", 0, 10, Take{}, int64(1))}, "token 1 has been given", []int{0, 1}},
	})
	say(t, BoundedCounter(0, 10), []one{
		{"below its bound", []Op{at(0, "1", 0, 10, Increment{"", 5}, int64(5)), at(1, "1", 11, 12, Increment{"", -7}, true)}, "it is 5", []int{0, 1}},
		{"at its bound", []Op{at(0, "1", 0, 10, Increment{"", 5}, int64(5)), at(1, "1", 11, 12, Increment{"", -5}, true)}, "", nil},
		{"refused without need", []Op{at(0, "1", 0, 10, Increment{"", 5}, false)}, "add 5 (refused)", []int{0}},
	})
	say(t, AppendLog(), []one{
		{"lost", []Op{at(0, "1", 0, 10, Append{"", "a"}, nil), at(1, "2", 11, 12, Entries{}, []string{})}, "has to come after it", []int{0, 1}},
		{"under way", []Op{at(0, "1", 0, 10, Append{"", "a"}, nil), at(1, "2", 10, 12, Entries{}, []string{})}, "", nil},
		{"two orders", []Op{at(0, "1", 0, 90, Append{"", "a"}, nil), at(1, "2", 0, 90, Append{"", "b"}, nil), at(2, "3", 0, 90, Entries{}, []string{"b"}), at(3, "4", 0, 90, Entries{}, []string{"a", "b"})}, "disagree about order", []int{0, 1, 2, 3}},
	})
}

func TestABudgetThatRunsOutIsNoVerdict(t *testing.T) {
	ops := casHistory(1, 300, 10, 0)
	for _, b := range []Budget{{Steps: 100}, {States: 10}} {
		if r := Check(CASRegister("0"), ops, b); r.Verdict != history.Undetermined || !strings.Contains(r.Reason, "gave up after") {
			t.Errorf("%+v: %s: %s", b, r.Verdict, r.Reason)
		}
	}
	if r := Check(CASRegister("0"), nil, Budget{}); r.Verdict != history.NotJudged {
		t.Errorf("no operations: %s", r.Verdict)
	}
	if r := (Report{}); r.Picture(nil) == nil {
		t.Error("a picture of nothing")
	}
}

// The report must not depend on which object happened to be judged first.
func TestTheFirstObjectThatFailsIsReported(t *testing.T) {
	var ops []Op
	for k := range 40 {
		key := string(rune('A' + k))
		ops = append(ops, at(2*k, "1", 10*k, 10*k+1, Write{key, "1"}, nil), at(2*k+1, "1", 10*k+2, 10*k+3, Read{key}, "0"))
	}
	first := Check(Register("0"), ops, Budget{})
	for range 20 {
		if r := Check(Register("0"), ops, Budget{}); r.Key != "A" || r.Reason != first.Reason || r.Steps != first.Steps {
			t.Fatalf("%s: %s", r.Key, r.Reason)
		}
	}
}

func TestACounterexampleInALongHistoryIsShort(t *testing.T) {
	for _, clients := range []int{10, 25} {
		ops := casHistory(3, 10_000, clients, 0)
		for i := 5_000; ; i++ {
			if _, ok := ops[i].In.(Read); ok {
				ops[i].Out = "9"
				break
			}
		}
		r := Check(CASRegister("0"), ops, Budget{})
		if r.Verdict != history.Fail || len(r.Ops) != 1 || !strings.Contains(r.Reason, "nobody wrote 9") {
			t.Errorf("%d clients: %s %v %s", clients, r.Verdict, r.Ops, r.Reason)
		}
	}
}
