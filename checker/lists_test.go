package checker_test

import (
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"faultlab/checker"
	"faultlab/checker/history"
	"faultlab/checker/linear"
	"faultlab/checker/txn"
)

// lists makes a history of lines such as "c1 ok 1-2 append x 1, read y [3 4]": who, outcome, call and return in
// milliseconds, and what was done. A read without a list has no answer.
func lists(text string) *history.History {
	h := &history.History{}
	for _, line := range strings.Split(strings.TrimSpace(text), "\n") {
		f := strings.SplitN(strings.TrimSpace(line), " ", 4)
		call, ret, _ := strings.Cut(f[2], "-")
		op := history.Op{Client: f[0], Outcome: history.Outcome(f[1]), Call: millis(call), Return: millis(ret), In: f[3]}
		h.Ops = append(h.Ops, op)
		h.End = max(h.End, op.Return)
	}
	h.Ops = number(h.Ops)
	return h
}

func millis(s string) time.Duration {
	n, err := strconv.Atoi(s)
	if err != nil {
		panic(err)
	}
	return time.Duration(n) * ms
}

func integer(s string) int64 {
	n, err := strconv.ParseInt(strings.Trim(s, "[]"), 10, 64)
	if err != nil {
		panic(err)
	}
	return n
}

func listView(op *history.Op) (ops []txn.Op, ok bool) {
	for _, step := range strings.Split(op.In.(string), ", ") {
		f := strings.Fields(step)
		o := txn.Op{Kind: txn.Append, Key: f[1]}
		if f[0] == "append" {
			o.Value = integer(f[2])
		} else {
			o.Kind, o.Unread = txn.Read, len(f) == 2
			for _, v := range f[2:] {
				if v != "[]" {
					o.List = append(o.List, integer(v))
				}
			}
		}
		ops = append(ops, o)
	}
	return ops, true
}

func view() *checker.Transactions { return &checker.Transactions{View: listView} }

func TestDurable(t *testing.T) {
	const appends = `
		c1 ok 1-2 append x 1
		c1 ok 3-4 append x 2
		c1 ok 5-6 append x 3
		`
	cases := []verdictCase{
		{"all that was acknowledged is read", lists(appends + "c2 ok 7-8 read x [1 2 3]"), history.Pass, "all of 3 values", nil},
		{"a value is lost in the middle", lists(appends + "c2 ok 7-8 read x [1 3]"), history.Fail,
			"operation 1 (client c1, 0.003 s) appended 2 to x and was acknowledged, but operation 3 (client c2, 0.007 s), called after, does not read it: operation 2", []int{1, 2, 3}},
		{"a value is lost at the end", lists(appends + "c2 ok 7-8 read x [1 2]"), history.Fail, "at the end of the list", []int{2, 3}},
		{"a value that was read is gone", lists(appends + "c2 ok 7-8 read x [1 2 3]\nc2 ok 9-10 read x [1 2]"), history.Fail, "operation 3 (client c2, 0.007 s) had read it", []int{2, 3, 4}},
		{"one of two final readers lacks a value", lists(appends + "c2 ok 7-8 read x [1 2]\nc3 ok 9-10 read x [1 2 3]"), history.Fail, "operation 3 (client c2", nil},
		{"an early read may lack what came later", lists(appends + "c2 ok 4-5 read x [1 2]\nc2 ok 7-8 read x [1 2 3]"), history.Pass, "", nil},
		{"a key that nobody read afterwards leaves it open", lists(appends + "c2 ok 3-5 read x [1]"), history.Undetermined, "1 key had no complete read after the last acknowledged append: x", nil},
		{"a final read without an answer leaves it open", lists(appends + "c2 unknown 7-8 read x"), history.Undetermined, ": x", nil},
		{"an unknown append need not be there", lists(appends + "c2 unknown 6-7 append x 4\nc3 ok 8-9 read x [1 2 3]"), history.Pass, "", nil},
	}
	for _, c := range cases {
		run(t, checker.Durable{Of: view(), AtLeast: 1}, []verdictCase{c})
	}
	slow := checker.Durable{Of: view(), AtLeast: 1, SlowReaders: true}
	expect(t, slow.Check(cases[2].history), history.Undetermined, "or the readers are slow")
	expect(t, slow.Check(cases[1].history), history.Fail, "2 to x")
	expect(t, checker.Durable{Of: view()}.Check(cases[0].history), history.Undetermined, "only 3 appends acknowledged; 50 are needed")
}

func TestOutcomes(t *testing.T) {
	run(t, checker.Outcomes{Of: view()}, []verdictCase{
		{"a failed transaction stays invisible", lists("a failed 1-2 append x 1\nb ok 3-4 read x []"), history.Pass, "of 1 transaction that failed none is visible", nil},
		{"a failed transaction is visible", lists("a failed 1-2 append x 1\nb ok 3-4 read x [1]"), history.Fail, "operation 0 (client a, 0.001 s) failed, and yet operation 1", []int{0, 1}},
		{"an unknown transaction happened late", lists("a unknown 1-2 append x 1\nb ok 3-4 read x []\nb ok 5-6 read x [1]"), history.Pass, "of 1 unknown one 1 happened", nil},
		{"an unknown transaction never happened", lists("a unknown 1-2 append x 1\nb ok 3-4 read x []"), history.Pass, "1 did not", nil},
		{"an unknown transaction was visible and is gone", lists("a unknown 1-2 append x 1\nb ok 3-4 read x [1]\nb ok 5-6 read x []"), history.Fail, "the outcome of operation 0 (client a, 0.001 s) flipped", []int{0, 1, 2}},
		{"readers at the same time may differ", lists("a unknown 1-2 append x 1\nb ok 3-6 read x [1]\nc ok 5-7 read x []"), history.Pass, "", nil},
		{"an unknown transaction happened in part", lists("a unknown 1-2 append x 1, append y 2\nb ok 3-4 read x [1]\nb ok 5-6 read y []"), history.Fail, "happened in part", []int{0, 1, 2}},
		{"nobody read afterwards", lists("a unknown 1-9 append x 1\nb ok 3-4 read x []"), history.Undetermined, "nobody read these keys afterwards: x", nil},
		{"nothing failed and nothing is unknown", lists("a ok 1-2 append x 1"), history.NotJudged, "no transaction failed", nil},
		{"a list that lost its order hides no flip", lists("a unknown 1-2 append x 1\nb ok 1-2 append x 2\nb ok 3-4 read x [1 2]\nb ok 5-6 read x [2]"), history.Fail, "flipped", []int{0, 2, 3}},
	})
}

func TestDuplicates(t *testing.T) {
	run(t, checker.Duplicates{Of: view(), AtLeast: 1}, []verdictCase{
		{"each value is read once", lists("a ok 1-2 append x 1\nb ok 3-4 read x [1]"), history.Pass, "none of 1 value", nil},
		{"a value is read twice", lists("a ok 1-2 append x 1\na ok 2-3 append x 2\nb ok 3-4 read x [1 2 1]\nb ok 5-6 read x [1 2 1]"), history.Fail,
			"operation 0 (client a, 0.001 s) appended 1 to x once, and operation 2 (client b, 0.003 s) reads it twice, as elements 1 and 3", []int{0, 2}},
		{"a value is twice in a shorter read that is no prefix", lists("a ok 1-2 append x 1\nb ok 3-4 read x [1 1]\nb ok 3-4 read x [1 2 3]"), history.Fail, "elements 1 and 2", []int{0, 1}},
		{"a value that was appended twice may be read twice", lists("a ok 1-2 append x 1, append x 1\nb ok 3-4 read x [1 1]"), history.Pass, "", nil},
		{"nothing was read", lists("a ok 1-2 append x 1"), history.Undetermined, "only 0 values read", nil},
	})
}

func TestAtomic(t *testing.T) {
	const both = "a ok 1-4 append x 1, append y 2\n"
	run(t, checker.Atomic{Of: view(), AtLeast: 1}, []verdictCase{
		{"both parts are read together", lists(both + "b ok 2-3 read x [1], read y [2]"), history.Pass, "2 times two parts", nil},
		{"neither part is read", lists(both + "b ok 2-3 read x [], read y []"), history.Undetermined, "only 0 times", nil},
		{"one part is read without the other", lists(both + "b ok 2-3 read x [1], read y []"), history.Fail,
			"operation 0 (client a, 0.001 s) appended 1 to x and 2 to y, and operation 1 (client b, 0.002 s) reads the first without the other (y=[])", []int{0, 1}},
		{"half of an unknown transaction is read", lists("a unknown 1-4 append x 1, append y 2\nb ok 2-3 read y [2], read x []"), history.Fail, "2 to y and 1 to x", []int{0, 1}},
		{"half of what went to one list is read", lists("a ok 1-4 append x 1, append x 2\nb ok 2-3 read x [1]"), history.Fail, "2 to x", []int{0, 1}},
		{"two reads at different times may differ", lists(both + "b ok 2-3 read x []\nb ok 5-6 read x [1], read y [2]"), history.Pass, "", nil},
		{"the last read of one key lacks its part", lists(both + "b ok 5-6 read x [1]\nb ok 7-8 read y []"), history.Fail, "the last read of y, operation 2 (client b, 0.007 s), has no 2", []int{0, 1, 2}},
		{"a transaction may read what it is about to add to", lists("a ok 1-4 read x [], append x 1, read x [1], append y 2\nb ok 5-6 read x [1], read y [2]"), history.Pass, "", nil},
	})
}

func TestLinearizable(t *testing.T) {
	cells := func(op *history.Op) []linear.Op {
		var list []linear.Op
		steps, _ := listView(op)
		for _, s := range steps {
			in := linear.CellIn{Key: s.Key, Steps: []linear.CellStep{{Do: linear.AppendList, Value: s.Value}}}
			out := []linear.CellResult{{}}
			if s.Kind == txn.Read {
				in.Steps[0] = linear.CellStep{Do: linear.ReadList}
				out = []linear.CellResult{{Known: true, List: s.List}}
			}
			list = append(list, linear.From(op, in, out))
		}
		return list
	}
	judge := func() checker.Checker {
		return checker.Linearizable[linear.CellState]{Model: linear.Cell(), View: cells, Lists: view(), AtLeast: 1}
	}
	for _, c := range []verdictCase{
		{"a read sees what was acknowledged", lists("a ok 1-2 append x 1\nb ok 3-4 read x [1]"), history.Pass, "", nil},
		{"a read is stale", lists("a ok 1-2 append x 1\nb ok 3-4 read x []"), history.Fail, "", []int{0, 1}},
		{"an unknown append that is never read did not happen", lists("a unknown 1-2 append x 1\nb ok 3-4 read x []"), history.Pass, "", nil},
		{"an unknown append that was read stays", lists("a unknown 1-2 append x 1\nb ok 3-4 read x [1]\nb ok 5-6 read x []"), history.Fail, "", []int{0, 1, 2}},
		{"nothing succeeded", lists("a unknown 1-2 append x 1"), history.Undetermined, "only 0 operations succeeded", nil},
	} {
		run(t, judge(), []verdictCase{c})
	}
}

func TestOneViewServesManyCheckersAndIsReadOnce(t *testing.T) {
	n := 0
	shared := &checker.Transactions{View: func(op *history.Op) ([]txn.Op, bool) { n++; return listView(op) }}
	h := lists("a ok 1-2 append x 1\nb ok 3-4 read x [1]")
	checker.Durable{Of: shared}.Check(h)
	checker.Outcomes{Of: shared}.Check(h)
	checker.Duplicates{Of: shared}.Check(h)
	checker.Atomic{Of: shared}.Check(h)
	if n != len(h.Ops) {
		t.Errorf("the view was asked %d times for %d operations", n, len(h.Ops))
	}
	expect(t, checker.Durable{Of: shared, AtLeast: 1}.Check(lists("a ok 1-2 append y 1")), history.Undetermined, ": y")
}

// run12000 is about as much as a run of a minute at 200 operations a second.
func run12000() *history.History {
	var b strings.Builder
	lists12000 := make([][]int64, 300)
	for i := range 12000 {
		k := i * 7 % len(lists12000)
		if i%3 == 0 && len(lists12000[k]) < 64 {
			lists12000[k] = append(lists12000[k], int64(i))
			fmt.Fprintf(&b, "c%d ok %d-%d append k%d %d\n", i%10, 5*i, 5*i+3, k, i)
		} else {
			fmt.Fprintf(&b, "c%d ok %d-%d read k%d %v, read k%d %v\n", i%10, 5*i, 5*i+3, k, lists12000[k], (k+1)%300, lists12000[(k+1)%300])
		}
	}
	return lists(b.String())
}

func BenchmarkListCheckersOver12000Operations(b *testing.B) {
	h := run12000()
	parsed := make([][]txn.Op, len(h.Ops))
	for i := range h.Ops {
		parsed[i], _ = listView(&h.Ops[i])
	}
	for b.Loop() {
		t := &checker.Transactions{View: func(op *history.Op) ([]txn.Op, bool) { return parsed[op.Index], true }}
		for _, c := range []checker.Checker{checker.Durable{Of: t}, checker.Outcomes{Of: t}, checker.Duplicates{Of: t}, checker.Atomic{Of: t}} {
			if r := c.Check(h); r.Verdict == history.Fail {
				b.Fatal(r.Reason)
			}
		}
	}
}
