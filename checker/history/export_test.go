package history_test

import (
	"bytes"
	"strings"
	"testing"

	"faultlab/checker/history"
)

func TestWhatIsExportedForJepsenReadsBackTheSame(t *testing.T) {
	ops := []history.Op{
		{Index: 0, Client: "c1", Call: 10, Return: 20, Outcome: history.OK},
		{Index: 1, Client: "c2", Call: 20, Return: 30, Outcome: history.Unknown},
		{Index: 2, Client: "c2.1", Call: 31, Return: 40, Outcome: history.Failed},
	}
	say := func(op *history.Op) (string, history.Value, history.Value, bool) {
		in := history.Vector(history.Word("append"), history.Word("a key"), history.Integer(int64(op.Index)))
		return "txn", history.Vector(in), history.Vector(in, history.Value{}), op.Client != "c9"
	}
	const want = `{:index 0, :type :invoke, :f :txn, :value [[:append "a key" 0]], :process 0, :time 10}
{:index 1, :type :invoke, :f :txn, :value [[:append "a key" 1]], :process 1, :time 20}
{:index 2, :type :ok, :f :txn, :value [[:append "a key" 0] nil], :process 0, :time 20}
{:index 3, :type :info, :f :txn, :value [[:append "a key" 1]], :process 1, :time 30}
{:index 4, :type :invoke, :f :txn, :value [[:append "a key" 2]], :process 2, :time 31}
{:index 5, :type :fail, :f :txn, :value [[:append "a key" 2]], :process 2, :time 40}
`
	var edn, json bytes.Buffer
	if err := history.WriteJepsen(&edn, ops, history.EDN, say); err != nil {
		t.Fatal(err)
	}
	if err := history.WriteJepsen(&json, ops, history.JepsenLine, say); err != nil {
		t.Fatal(err)
	}
	if edn.String() != want {
		t.Errorf("wrote\n%s\nnot\n%s", edn.String(), want)
	}
	if first, _, _ := strings.Cut(json.String(), "\n"); first != `{"index":0,"type":"invoke","f":"txn","value":[["append","a key",0]],"process":0,"time":10}` {
		t.Errorf("wrote %s", first)
	}
	a, errA := history.Collect(history.JepsenEDN(&edn))
	b, errB := history.Collect(history.JepsenJSON(&json))
	if told := tell(t, a, errA); told != tell(t, b, errB) || strings.Count(told, "\n") != 2 || !strings.Contains(told, "-> ok [[append \"a key\" 0] nil] [10,21]") {
		t.Errorf("read back as\n%s\nand\n%s", told, tell(t, b, errB))
	}
}
