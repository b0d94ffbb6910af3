package history_test

import (
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"iter"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"faultlab/checker/history"
)

// tell prints a history in short: "0 read nil -> ok 5 [1,4]".
func tell(t *testing.T, h *history.History, err error) string {
	t.Helper()
	if err != nil {
		return err.Error()
	}
	var b strings.Builder
	for _, op := range h.Ops {
		in := op.In.(history.Jepsen)
		out := ""
		if o, ok := op.Out.(history.Jepsen); ok {
			out = " " + o.Value.String()
		}
		fmt.Fprintf(&b, "%s %s %s -> %s%s [%d,%d]\n", op.Client, in.F, in.Value, op.Outcome, out, op.Call, op.Return)
	}
	return strings.TrimSpace(b.String())
}

func TestJepsenEventsBecomeOperations(t *testing.T) {
	const want = `0 write 1 -> ok 1 [10,14]
1 cas [1 2] -> unknown [1 2] [11,12]
2 read nil -> failed nil [13,20]
1 read nil -> unknown [21,21]`
	json := `
		{"type":"invoke","f":"write","value":1,"process":0,"time":10}
		{"type":"invoke","f":"cas","value":[1,2],"process":1,"time":10,"index":1}
		{"type":"info","f":"start","value":{"n1":["n2"]},"process":"nemesis","time":11}
		{"type":"info","f":"cas","value":[1,2],"process":1,"time":10,"error":"timeout"}
		{"type":"invoke","f":"read","process":2}
		{"type":"ok","f":"write","value":1,"process":0,"time":null}
		{"type":"fail","f":"read","value":null,"process":2,"time":20}
		{"type":"invoke","f":"read","process":1,"time":21}`
	edn := `
		; a comment
		[{:type :invoke, :f :write, :value 1, :process 0, :time 10}
		{:type :invoke :f :cas :value #{1 2} :process 1 :time 10N}
		{:type :info :f :start :process :nemesis :value {"n1" ["n2"]}}
		#jepsen.history.Op{:type :info, :f "cas", :value (1 2), :process 1, :time 10, #_ignored :error [:timeout "a \"b\"\u00e9 \\"]}
		{:type :invoke, :f :read, :value nil, :process 2, :x [1.5 -2 true false \a \newline ##NaN #inst "2020" foo/bar ^{:m 1} y]}
		{:type :ok, :f :write, :value 1, :process 0} #_ {:type :nonsense}
		{:type :fail, :f :read, :value nil, :process 2, :time 20}
		{:type :invoke, :f :read, :process 1, :time 21}]
		`
	h, err := history.Collect(history.JepsenJSON(strings.NewReader(json)))
	if got := tell(t, h, err); got != want {
		t.Errorf("from JSON:\n%s\nwant\n%s", got, want)
	}
	h, err = history.Collect(history.JepsenEDN(strings.NewReader(edn)))
	if got := tell(t, h, err); got != want {
		t.Errorf("from EDN:\n%s\nwant\n%s", got, want)
	}
	h, err = history.Collect(history.JepsenEDN(oneByOne{strings.NewReader(edn)}))
	if got := tell(t, h, err); got != want {
		t.Errorf("from EDN, a byte at a time:\n%s\nwant\n%s", got, want)
	}
}

func TestAnOperationWithoutAnInvocationBeganAfterTheOneBeforeItInItsProcess(t *testing.T) {
	const want = `0 write 1 -> ok 1 [0,1]
1 read 1 -> ok 1 [0,2]
0 write 3 -> ok 3 [0,5]
0 read 1 -> failed 1 [1,3]
0 write 2 -> unknown 2 [3,4]`
	h, err := history.Collect(history.JepsenJSON(strings.NewReader(`
		{"type":"ok","f":"write","value":1,"process":0}
		{"type":"ok","f":"read","value":1,"process":1}
		{"type":"fail","f":"read","value":1,"process":0}
		{"type":"info","f":"write","value":2,"process":0}
		{"type":"ok","f":"write","value":3,"process":0}`)))
	if got := tell(t, h, err); got != want {
		t.Errorf("%s\nwant\n%s", got, want)
	}
}

// oneByOne reads one byte at a time.
type oneByOne struct{ r io.Reader }

func (o oneByOne) Read(p []byte) (int, error) { return o.r.Read(p[:1]) }

func TestAnErrorInAJepsenHistoryIsNamedWithItsPlace(t *testing.T) {
	for _, c := range []struct{ text, want string }{
		{"{:type :invoke, :f :read,\n :value [1 2}", "line 2, column 13: want ] for what was opened in line 2"},
		{"[{:type :ok}\n", "line 2, column 1: want ] after the last event"},
		{"{:type :oops}", "line 1, column 1: want an event with invoke, ok, fail or info as the type"},
		{"{:type :ok, :value \"abc", "line 1, column 24: want the end of the string that began in line 1"},
		{"{:type :ok, :value 99999999999999999999}", "line 1, column 20: want a number below 2^63"},
		{"{:type :ok, :value 1x}", "line 1, column 20: want a number"},
		{"{:type :ok, :value 08}", "line 1, column 20: want a number"},
		{"{:type :ok, :value 0x8000000000000000}", "line 1, column 20: want a number below 2^63"},
		{"{:type :ok, :value 1/0}", "line 1, column 20: want a number"},
		{"{:type :ok, :value 99r1}", "line 1, column 20: want a number"},
		{"{:type}", "line 1, column 7: want a value"},
		{"5", "line 1, column 1: want an event, which is a map"},
		{"{:type :ok, :v " + strings.Repeat("[", 5000), "nested less deeply"},
	} {
		_, err := history.Collect(history.JepsenEDN(strings.NewReader(c.text)))
		var syntax *history.SyntaxError
		if !errors.As(err, &syntax) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%.60s:\n got %v\nwant %s", c.text, err, c.want)
		}
	}
	for text, want := range map[string]string{
		`{"type":"ok"}` + "\n" + `{"type":"ok","f":"read"` + "\r\n": "line 2, column 24: want a comma or }",
		"[{\"type\":\"ok\"},\n {\"type\":\"ok\"\n\n":                "line 2, column 14: want a comma or }",
		"[{\"type\":\"ok\"},\n {\"type\":\"ok\"} \n\n":              "line 2, column 15: want ] after the last event",
		"[{\"type\":\"ok\"},\n":                                     "line 1, column 16: want ] after the last event",
	} {
		if _, err := history.Collect(history.ReadAny(strings.NewReader(text))); err == nil || err.Error() != want {
			t.Errorf("%q:\n got %v\nwant %s", text, err, want)
		}
	}
	_, err := history.Collect(history.JepsenJSON(strings.NewReader(`{"type":"huh"}`)))
	if want := "line 1, column 9: want invoke, ok, fail or info as the type"; err == nil || err.Error() != want {
		t.Errorf("got %v", err)
	}
	_, err = history.Collect(history.JepsenJSON(strings.NewReader(`{"f":"read"}`)))
	if want := `line 1, column 1: want "type" among the members`; err == nil || err.Error() != want {
		t.Errorf("got %v", err)
	}
}

func TestNumbersOfEDNAreReadAsClojureDoes(t *testing.T) {
	for text, want := range map[string]string{
		"0x5f150435": "1595212853", "-0xFN": "-15", "017": "15", "0": "0", "2r101": "5", "36rZz": "1295", "1/2": "0.5", "-6/3": "-2", "1.5M": "1.5", "12N": "12",
	} {
		if v, err := history.Parse(text); err != nil || v.String() != want {
			t.Errorf("%s is %s, %v; want %s", text, v, err, want)
		}
	}
	// A number that is none is no error in a member that nobody reads.
	h, err := history.Collect(history.JepsenEDN(strings.NewReader(
		`{:type :ok, :f :read, :value 1, :process 0, :error #object[java.lang.Object 0x5f150435 "x"], :id [5f150435 99999999999999999999]}`)))
	if got, want := tell(t, h, err), "0 read 1 -> ok 1 [0,1]"; got != want {
		t.Errorf("%s\nwant\n%s", got, want)
	}
}

func TestValuesThatDifferPrintDifferently(t *testing.T) {
	for text, want := range map[string]string{
		`x`: `x`, `:a/b-c`: `a/b-c`, `"5f15-a"`: `5f15-a`, `"it's"`: `it's`, `"-"`: `-`, `"1.2.3"`: `1.2.3`, `"n1:80"`: `n1:80`,
		`nil`: `nil`, `"nil"`: `"nil"`, `true`: `true`, `:true`: `"true"`, `1`: `1`, `"1"`: `"1"`, `"-1.5e3"`: `"-1.5e3"`, `"NaN"`: `"NaN"`,
		`""`: `""`, `"a b"`: `"a b"`, `["a b"]`: `["a b"]`, `["a" "b"]`: `[a b]`, `"[1]"`: `"[1]"`, `[1]`: `[1]`, `"\"nil\""`: `"\"nil\""`, `"a\nb"`: `"a\nb"`,
	} {
		if v, err := history.Parse(text); err != nil || v.String() != want {
			t.Errorf("%s is %s, %v; want %s", text, v, err, want)
		}
	}
}

func TestAFractionOfATimeIsCutOff(t *testing.T) {
	for _, text := range []string{
		`{"type":"invoke","process":0,"f":"read","time":7.9} {"type":"ok","process":0,"f":"read","time":1.25e1}`,
		`{:type :invoke, :process 0, :f :read, :time 7.9} {:type :ok, :process 0, :f :read, :time 12.5}`,
	} {
		h, err := history.Collect(history.ReadAny(strings.NewReader(strings.ReplaceAll(text, "} {", "}\n{"))))
		if got, want := tell(t, h, err), "0 read nil -> ok nil [7,12]"; got != want {
			t.Errorf("%s\n got %s\nwant %s", text, got, want)
		}
	}
	if _, err := history.Collect(history.JepsenJSON(strings.NewReader(`{"type":"ok","time":"7"}`))); err == nil || err.Error() != "line 1, column 21: want a whole number" {
		t.Error(err)
	}
}

func TestAByteOrderMarkIsPassedOver(t *testing.T) {
	for _, text := range []string{
		`{"type":"ok","process":0,"f":"read"}`, `[{"type":"ok","process":0,"f":"read"}]`, `{:type :ok :process 0 :f :read}`,
	} {
		h, err := history.Collect(history.ReadAny(strings.NewReader("\ufeff" + text)))
		if got, want := tell(t, h, err), "0 read nil -> ok nil [0,1]"; got != want {
			t.Errorf("%s\n got %s\nwant %s", text, got, want)
		}
	}
}

func TestTheDialectOfAFileIsToldByItsBeginning(t *testing.T) {
	var packed bytes.Buffer
	z := gzip.NewWriter(&packed)
	fmt.Fprint(z, `{"type":"invoke"}`)
	z.Close()
	for text, want := range map[string]history.Dialect{
		`{"format":1,"index":0}`:                              history.Lines,
		`{"index":0,"type":"invoke","value":[["append",253,1`: history.JepsenLine,
		"[{:type :invoke":                                     history.EDN,
		"[\n {\n  \"type\": \"ok\"}]":                         history.JepsenList,
		`{"process":0 "type":"ok"}`:                           history.JepsenLine,
		"; x\n{:type :ok}":                                    history.EDN,
		"#op{:a 1}":                                           history.EDN,
		"":                                                    history.Empty,
		" \n ; nothing":                                       history.Empty,
		packed.String():                                       history.JepsenLine,
	} {
		got, r, err := history.Open(strings.NewReader(text))
		if err != nil || got != want {
			t.Errorf("%q is %s, %v; want %s", text, got, err, want)
		}
		if rest, _ := io.ReadAll(r); want != history.JepsenLine && string(rest) != text {
			t.Errorf("%q: reads as %q", text, rest)
		}
	}
}

func TestPublicHistoriesReadTheSameFromEDNAndJSON(t *testing.T) {
	const dir = "../../../shared/histories"
	files, _ := filepath.Glob(dir + "/edn/*.edn")
	if len(files) == 0 {
		t.Skipf("SKIPPED: there are no public histories in %s", dir)
	}
	read := func(name string, dialect history.Dialect) *history.History {
		f, err := os.Open(name)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		got, r, err := history.Open(f)
		if err != nil || got != dialect {
			t.Fatalf("%s is %s, %v", name, got, err)
		}
		parse := history.JepsenJSON
		if dialect == history.EDN {
			parse = history.JepsenEDN
		}
		h, err := history.Collect(parse(r))
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		return h
	}
	for _, edn := range files {
		json := dir + "/knossos/" + strings.TrimSuffix(filepath.Base(edn), ".edn") + ".jsonl"
		a, b := read(edn, history.EDN), read(json, history.JepsenLine)
		if len(a.Ops) == 0 || strings.ReplaceAll(tell(t, a, nil), "\r", "") != tell(t, b, nil) {
			t.Errorf("%s: %d operations from EDN, %d from JSON, and they differ", filepath.Base(edn), len(a.Ops), len(b.Ops))
		}
	}
}

func FuzzJepsenEDN(f *testing.F) {
	f.Add([]byte(`[{:type :invoke, :f :cas, :value #{1 "x" \a ##NaN #t [nil]}, :process 0, :time 10} #_ 5 ^m {:type :ok}]`))
	f.Fuzz(func(t *testing.T, data []byte) { fuzz(t, history.JepsenEDN, data) })
}

func FuzzJepsenJSON(f *testing.F) {
	f.Add([]byte(`{"type":"invoke","f":"r","value":{"1":[2.5,null,true,"\u00e9"]},"process":1,"time":5}` + "\n" + `{"type":"ok","process":1}`))
	f.Fuzz(func(t *testing.T, data []byte) { fuzz(t, history.JepsenJSON, data) })
}

func FuzzJepsenArray(f *testing.F) {
	f.Add([]byte("[{\"type\":\"invoke\",\n\"value\":[1,\"]\\\"\"]},\n {\"type\":\"ok\"}]"))
	f.Fuzz(func(t *testing.T, data []byte) { fuzz(t, history.JepsenArray, data) })
}

func benchmarkJepsen(b *testing.B, parse parser, invoke, ok string) {
	var file bytes.Buffer
	const events = 200_000
	for i := 0; i < events/2; i++ {
		fmt.Fprintf(&file, invoke, i%300, i, i%300, i%10, 1000*i, 2*i)
		fmt.Fprintf(&file, ok, i%300, i, i%300, i, i+1, i%10, 1000*i+500, 2*i+1)
	}
	b.ReportAllocs()
	for b.Loop() {
		for _, err := range parse(bytes.NewReader(file.Bytes())) {
			if err != nil {
				b.Fatal(err)
			}
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*events), "ns/line")
}

func BenchmarkJepsenJSON(b *testing.B) {
	benchmarkJepsen(b, history.JepsenJSON,
		`{"type":"invoke","f":"txn","value":[["append",%d,%d],["r",%d,null]],"process":%d,"time":%d,"index":%d}`+"\n",
		`{"type":"ok","f":"txn","value":[["append",%d,%d],["r",%d,[%d,%d]]],"process":%d,"time":%d,"index":%d}`+"\n")
}

func BenchmarkJepsenEDN(b *testing.B) {
	benchmarkJepsen(b, history.JepsenEDN,
		`{:type :invoke, :f :txn, :value [[:append %d %d] [:r %d nil]], :process %d, :time %d, :index %d}`+"\n",
		`{:type :ok, :f :txn, :value [[:append %d %d] [:r %d [%d %d]]], :process %d, :time %d, :index %d}`+"\n")
}

type parser = func(io.Reader) iter.Seq2[history.Op, error]

func fuzz(t *testing.T, parse parser, data []byte) {
	for op, err := range parse(bytes.NewReader(data)) {
		var syntax *history.SyntaxError
		if err != nil && (!errors.As(err, &syntax) || syntax.Line < 1 || syntax.Column < 1) {
			t.Fatalf("%v (%v)", err, op)
		}
	}
}
