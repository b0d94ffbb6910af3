package checker_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"faultlab/checker"
	"faultlab/checker/history"
)

// judge judges a text by a model.
func judge(t *testing.T, model, text string, q checker.Question) (checker.Judgement, error) {
	t.Helper()
	m, ok := checker.ModelNamed(model)
	if !ok {
		t.Fatalf("there is no model %s", model)
	}
	return m.Judge(history.ReadAny(strings.NewReader(text)), q)
}

func TestEachModelHasAHistoryThatPassesAndOneThatFails(t *testing.T) {
	for _, m := range checker.Models {
		for suffix, want := range map[string]history.Verdict{"pass": history.Pass, "fail": history.Fail} {
			text, err := os.ReadFile(filepath.Join("testdata", "models", m.Name+"-"+suffix+".jsonl"))
			if err != nil {
				t.Error(err)
				continue
			}
			j, err := judge(t, m.Name, string(text), checker.Question{})
			if err != nil || j.Verdict != want || want == history.Fail && len(j.Ops) == 0 {
				t.Errorf("%s-%s: %s, %v, by operations %v: %s", m.Name, suffix, j.Verdict, err, j.Ops, j.Reason)
			}
			// As events of EDN, and as lines of ours, the same.
			h, err := history.Collect(history.ReadAny(strings.NewReader(string(text))))
			if err != nil {
				t.Fatal(err)
			}
			for _, d := range []history.Dialect{history.EDN, history.JepsenLine} {
				var b strings.Builder
				if err := history.WriteJepsen(&b, h.Ops, d, inJepsen); err != nil {
					t.Fatal(err)
				}
				again, err := judge(t, m.Name, b.String(), checker.Question{})
				if err != nil || again.Verdict != want {
					t.Errorf("%s-%s as %s: %s, %v: %s", m.Name, suffix, d, again.Verdict, err, again.Reason)
				}
			}
		}
	}
}

func inJepsen(op *history.Op) (f string, in, out history.Value, ok bool) {
	asked := op.In.(history.Jepsen)
	answered, _ := op.Out.(history.Jepsen)
	return asked.F, asked.Value, answered.Value, true
}

func TestAHistoryIsReadAsTheQuestionSays(t *testing.T) {
	sevens, err := history.Parse(`{"1":7,"2":7}`)
	if err != nil {
		t.Fatal(err)
	}
	zero, total := history.Integer(0), history.Integer(9)
	const (
		nullRead = `{:type :invoke, :process 0, :f :write, :value 1} {:type :ok, :process 0, :f :write, :value 1}
			{:type :invoke, :process 0, :f :read} {:type :ok, :process 0, :f :read, :value nil}`
		zeroRead  = `{:type :invoke, :process 0, :f :read} {:type :ok, :process 0, :f :read, :value 0}`
		oneRead   = `{:type :invoke, :process 0, :f :read} {:type :ok, :process 0, :f :read, :value 1}`
		failedCAS = `{:type :invoke, :process 0, :f :write, :value 1} {:type :ok, :process 0, :f :write, :value 1}
			{:type :invoke, :process 0, :f :cas, :value [1 2]} {:type :fail, :process 0, :f :cas, :value [1 2]}`
		nemesis   = `{:type :info, :process :nemesis, :f :start}`
		allFailed = `{:type :invoke, :process 0, :f :write, :value 1} {:type :fail, :process 0, :f :write, :value 1}`
		bank      = `{:type :ok, :process 0, :f :read, :value {:a 4, :b 4}} {:type :ok, :process 1, :f :read, :value {:a 3, :b 5}}`
		frozen    = `{:type :ok, :process 0, :f :read, :value {:a 4, :b 4}} {:type :invoke, :process 0, :f :transfer, :value {:from :a, :to :b, :amount 1}}
			{:type :ok, :process 0, :f :transfer} {:type :invoke, :process 0, :f :read} {:type :ok, :process 0, :f :read, :value {:a 4, :b 4}}`
		keys = `{:type :invoke, :process 0, :f :write, :value [1 5]} {:type :ok, :process 0, :f :write, :value #jepsen.independent/tuple [1 5]}
			{:type :invoke, :process 0, :f :read, :value [2 nil]} {:type :ok, :process 0, :f :read, :value [2 5]}`
		crashed = `{:type :info, :process 0, :f :txn, :value [[:append :x 2] [:r :y nil]]} {:type :ok, :process 1, :f :txn, :value [[:append :x 1] [:append :y 1]]}
			{:type :ok, :process 2, :f :txn, :value [[:r :x [1 2]] [:r :y [1]]]}`
		reads = `{:type :ok, :process 0, :f :txn, :value [[:r :x 2]]}`
		words = `{:type :ok, :process 0, :f :txn, :value [[:append :x :a] [:append :x 1]]} {:type :ok, :process 1, :f :txn, :value [[:r :x [:a 1]]]}
			{:type :ok, :process 2, :f :txn, :value [[:r :x [1 :a]]]}`
		nulls = `{:type :ok, :process 0, :f :txn, :value [[:w :x nil] [:w :y 1]]} {:type :ok, :process 1, :f :txn, :value [[:r :x nil] [:r :y 1]]}`
		array = `[{"type":"invoke","process":0,"f":"write","value":1}, {"type":"ok","process":0,"f":"write","value":1},
			{"type":"invoke","process":0,"f":"read","value":null}, {"type":"ok","process":0,"f":"read","value":2}]`
		ours = `{"format":1,"index":0,"client":"a","in":{"type":"write","key":"x","value":1},"out":{"type":"write_ok"},"call":1,"return":2,"outcome":"ok"}
			{"index":1,"client":"a","in":{"type":"read","key":"x"},"out":{"type":"read_ok","value":1},"call":3,"return":4,"outcome":"ok"}
			{"index":2,"client":"a","in":{"type":"cas","key":"x","from":1,"to":2},"out":{"type":"cas_ok"},"call":5,"return":6,"outcome":"ok"}
			{"index":3,"client":"b","in":{"type":"read","key":"x"},"out":1,"call":7,"return":8,"outcome":"ok"}`
		nilCAS   = `{:type :ok, :process 0, :f :write, :value "nil"} {:type :invoke, :process 1, :f :cas, :value [nil 3]} {:type :ok, :process 1, :f :cas, :value [nil 3]}`
		ids      = `{:type :ok, :process 0, :f :generate, :value 1} {:type :ok, :process 0, :f :generate, :value "1"}`
		numbered = `{"type":"ok","process":0,"f":"read","value":{"1":4,"2":4}}
			{"type":"invoke","process":0,"f":"transfer","value":{"from":"1","to":2,"amount":1}}
			{"type":"ok","process":0,"f":"transfer","value":{"from":"1","to":2,"amount":1}}
			{"type":"invoke","process":0,"f":"read"}
			{"type":"ok","process":0,"f":"read","value":{"1":4,"2":4}}`
		registers = `{"type":"ok","process":0,"f":"txn","value":[["r","1",7],["r",2,7]]}`
		nullCAS   = `{"index":0,"client":"a","in":{"f":"cas","old":null,"new":1},"call":1,"return":2,"outcome":"ok"}
			{"index":1,"client":"a","in":{"f":"read"},"out":{"value":1},"call":3,"return":4,"outcome":"ok"}`
		nullCASAgain = `
			{"index":2,"client":"a","in":{"f":"cas","old":null,"new":2},"call":5,"return":6,"outcome":"ok"}`
		balances = `{"index":0,"client":"a","in":{"f":"read"},"out":{"x":5,"y":3},"call":1,"return":2,"outcome":"ok"}
			{"index":1,"client":"b","in":{"f":"transfer","from":"x","to":"y","amount":1},"out":{"type":"transfer_ok"},"call":3,"return":4,"outcome":"ok"}
			{"index":2,"client":"a","in":{"f":"read","value":null},"out":{"x":4,"y":4},"call":5,"return":6,"outcome":"ok"}`
		lists = `{"format":1,"index":0,"client":"a","in":{"type":"txn","ops":[{"f":"append","key":"x","value":1},{"f":"w","key":"b","value":7}]},"out":{"results":[{},{}]},"call":1,"return":2,"outcome":"ok"}
			{"index":1,"client":"a","in":{"type":"txn","ops":[{"f":"r","key":"x"},{"f":"r","key":"b"}]},"out":{"results":[{},{"int":7}]},"call":3,"return":4,"outcome":"ok"}`
	)
	for _, c := range []struct {
		name, model, text string
		q                 checker.Question
		want              history.Verdict
		reason            string
	}{
		{"a null read says nothing", "register", nullRead, checker.Question{}, history.Pass, ""},
		{"unless it saw the initial value", "register", nullRead, checker.Question{NullRead: "initial"}, history.Fail, "was 1"},
		{"0 is the first value where it is read and not written", "register", zeroRead, checker.Question{}, history.Pass, ""},
		{"1 is not", "register", oneRead, checker.Question{}, history.Fail, ""},
		{"nor is 0 where another is given", "register", oneRead, checker.Question{Initial: &zero}, history.Fail, ""},
		{"a failed compare-and-set says nothing", "cas-register", failedCAS, checker.Question{}, history.Pass, ""},
		{"unless it was refused", "cas-register", failedCAS, checker.Question{Mismatch: true}, history.Fail, "refused"},
		{"the nemesis alone is nothing to judge", "register", nemesis, checker.Question{}, history.Undetermined, "nothing to judge"},
		{"nor is an empty file", "list-append", "", checker.Question{}, history.Undetermined, "nothing to judge"},
		{"where all failed nothing happened", "register", allFailed, checker.Question{}, history.Pass, "nothing happened"},
		{"failed transactions are nothing to judge", "list-append", `{:type :fail, :process 0, :value [[:append :x 1]]}`, checker.Question{}, history.Undetermined, "nothing to judge"},
		{"the total of a bank is what its reads have", "bank", bank, checker.Question{}, history.Pass, ""},
		{"unless it is given", "bank", bank, checker.Question{Initial: &total}, history.Fail, "total of 8"},
		{"a frozen snapshot says nothing", "bank", frozen, checker.Question{}, history.Undetermined, "frozen"},
		{"independent keys are objects of their own", "register", keys, checker.Question{}, history.Fail, "2=5"},
		{"a crashed reader saw nothing", "list-append", crashed, checker.Question{}, history.Pass, ""},
		{"reads alone are of registers if the model says so", "rw-register", reads, checker.Question{}, history.Pass, "assumed: x=2"},
		{"values may be of any kind", "list-append", words, checker.Question{}, history.Fail, "T2 read x=[1 a] and T1 read x=[a 1]"},
		{"the string 1 is not the number 1", "rw-register", `{:type :ok, :process 0, :f :txn, :value [[:w :x "1"]]} {:type :ok, :process 1, :f :txn, :value [[:r :x 1]]}`, checker.Question{}, history.Pass, "which T1 read and nobody wrote"},
		{"text is a value of a register", "rw-register", `{:type :ok, :process 0, :f :txn, :value [[:w :x :a]]} {:type :ok, :process 1, :f :txn, :value [[:r :x :a]]}`, checker.Question{}, history.Pass, ""},
		{"a read of null says nothing where null was written", "rw-register", nulls, checker.Question{}, history.Pass, "reads of null from x say nothing"},
		{"events in an array", "register", array, checker.Question{}, history.Fail, "2"},
		{"lines of ours", "register", ours, checker.Question{}, history.Fail, "x=1"},
		{"lists of a lab's transactions", "list-append", lists, checker.Question{}, history.Fail, "x"},
		{"a text that looks like nothing is something", "cas-register", nilCAS, checker.Question{}, history.Fail, `"nil"`},
		{"it is the same text", "cas-register", strings.Replace(nilCAS, "[nil 3]", `["nil" 3]`, 1), checker.Question{}, history.Pass, ""},
		{"a number and a text are two ids", "unique-ids", ids, checker.Question{}, history.Pass, ""},
		{"two texts are not", "unique-ids", strings.Replace(ids, "1}", `"1"}`, 1), checker.Question{}, history.Fail, "operation 0 (client 0) and operation 1 (client 0) were both given \"1\""},
		{"accounts of JSON are numbers as keys and texts elsewhere", "bank", numbered, checker.Question{}, history.Undetermined, "frozen"},
		{"so are registers", "multi-register", registers, checker.Question{Initial: &sevens}, history.Pass, ""},
		{"a null that is compared with counts", "cas-register", nullCAS, checker.Question{}, history.Pass, ""},
		{"and may be wrong", "cas-register", nullCAS + nullCASAgain, checker.Question{}, history.Fail, "compare-and-set nil to 2"},
		{"a reply is itself a map", "bank", balances, checker.Question{Initial: &total}, history.Fail, "total of 8"},
		{"of which nothing is missing", "bank", balances, checker.Question{}, history.Pass, "in all of 2 reads"},
	} {
		t.Run(c.name, func(t *testing.T) {
			j, err := judge(t, c.model, c.text, c.q)
			if err != nil {
				t.Fatal(err)
			}
			expect(t, j.Result, c.want, c.reason)
		})
	}
}

func TestAnOperationThatAModelDoesNotKnowIsNamedWithItsPlace(t *testing.T) {
	for _, c := range []struct{ model, text, want string }{
		{"register", "\n  {:type :invoke, :process 0, :f :dance, :value 1}", "line 2, column 3: want an operation of a register (read v, write v), not dance 1"},
		{"cas-register", `{"type":"invoke","process":0,"f":"cas","value":3}`, "line 1, column 1: want an operation of a cas-register"},
		{"cas-register", "\n" + `{"index":0,"client":"a","in":{"f":"cas","value":3},"call":1,"return":2,"outcome":"ok"}`, "line 2, column 1: want an operation of a cas-register"},
		{"list-append", `{"type":"invoke","process":0,"value":[["w","x",3]]}`, "not one with [w x 3]"},
		{"rw-register", `{"type":"ok","process":0,"value":[["r","x",[3]]]}`, "not one with [r x [3]]"},
		{"bank", `{"type":"ok","process":0,"f":"read","value":7}`, "an operation of bank"},
		{"log", `{"type":"ok","process":0,"f":"poll","value":[["poll",{"0":[[1]]}]]}`, "an operation of log"},
	} {
		_, err := judge(t, c.model, c.text, checker.Question{})
		var at *history.SyntaxError
		if !errors.As(err, &at) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s of %s:\n got %v\nwant %s", c.model, c.text, err, c.want)
		}
	}
}

func FuzzEveryModelJudgesWhateverItReads(f *testing.F) {
	for _, m := range checker.Models {
		text, err := os.ReadFile(filepath.Join("testdata", "models", m.Name+"-fail.jsonl"))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(string(text))
	}
	f.Fuzz(func(t *testing.T, text string) {
		for _, m := range checker.Models {
			for _, q := range []checker.Question{{Steps: 1000}, {Steps: 1000, NullRead: "initial", Mismatch: true}} {
				j, err := m.Judge(history.ReadAny(strings.NewReader(text)), q)
				if err == nil && (j.Verdict < history.Pass || j.Reason == "") {
					t.Fatalf("%s: %s %q", m.Name, j.Verdict, j.Reason)
				}
			}
		}
	})
}
