package history_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"faultlab/checker/history"
)

var sample = []history.Op{
	{Index: 0, Client: "c3", Node: "b1", Region: "B", In: map[string]any{"type": "read", "key": "x"}, Out: json.Number("3"),
		Call: 1200345000, Return: 1203345000, Outcome: history.OK, Phase: history.WarmUp},
	{Index: 1, Client: "c4\n\"ü\\\x01", Node: "", Region: "", In: "write", Call: 1200345000, Return: 1200345001,
		Outcome: history.Unknown, Phase: history.Safety},
	{Index: 2, Client: "c3", In: []any{json.Number("12345678901234567890"), nil, true}, Call: 1300000000, Return: 1400000000,
		Outcome: history.Failed},
}

func TestAHistoryReadsBackAsItWasWritten(t *testing.T) {
	var file bytes.Buffer
	if err := history.WriteOps(&file, sample, history.JSON{}); err != nil {
		t.Fatal(err)
	}
	want := `{"format":1,"index":0,"client":"c3","node":"b1","region":"B","in":{"key":"x","type":"read"},"out":3,` +
		`"call":1200345000,"return":1203345000,"outcome":"ok","phase":"warm-up"}` + "\n"
	if got, _, _ := strings.Cut(file.String(), "\n"); got+"\n" != want {
		t.Errorf("the first line is\n%s\nnot\n%s", got, want)
	}
	got, err := history.ReadOps(&file, history.JSON{})
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(got, sample) {
		t.Errorf("read\n%v\nof\n%v", got, sample)
	}
}

func TestEventsReadBackAsTheyWereWritten(t *testing.T) {
	events := []history.Event{{At: 5, Node: "a1", Event: "digest"}, {At: 7, Node: "b2", Event: json.Number("9")}}
	var file bytes.Buffer
	if err := history.WriteEvents(&file, events, history.JSON{}); err != nil {
		t.Fatal(err)
	}
	if want := "{\"format\":1,\"at\":5,\"node\":\"a1\",\"event\":\"digest\"}\n{\"at\":7,\"node\":\"b2\",\"event\":9}\n"; file.String() != want {
		t.Errorf("wrote %s", file.String())
	}
	got, err := history.ReadEvents(&file, history.JSON{})
	if err != nil || !reflect.DeepEqual(got, events) {
		t.Errorf("read %v, %v", got, err)
	}
}

func TestAnErrorNamesLineColumnAndWhatWasExpected(t *testing.T) {
	const good = `{"index":0,"client":"c1","in":1,"call":1,"return":2,"outcome":"ok"}` + "\n"
	for _, c := range []struct{ text, want string }{
		{`{"index":0,"client":"c1","in":[1,2`, "line 1, column 35: want a comma or ]"},
		{good + good[:40], "line 2, column 10: want 1, the place of this operation in the history"},
		{good + `{"index":1,"client":"c1","in":1,"call":1,"retu`, "line 2, column 47: want the end of the string that began at column 42"},
		{good + `{"index":1,"client":"c1","in":1,"call":1,"return":2`, "line 2, column 52: want a comma or }"},
		{`[]`, "line 1, column 1: want an object"},
		{`{"index":0.5}`, "line 1, column 10: want a whole number"},
		{`{"format":2,"index":0}`, "line 1, column 11: want format 1, the only one that this version reads"},
		{strings.Replace(good, `"ok"`, `"fail"`, 1), `line 1, column 63: want "ok", "failed" or "unknown"`},
		{strings.Replace(good, `"return":2,`, ``, 1), `line 1, column 1: want "return" among the members`},
		{strings.Replace(good, `"return":2`, `"return":0`, 1), `line 1, column 40: want a call no later than the return`},
		{strings.Replace(good, `"in":1`, `"in":tru`, 1), `line 1, column 31: want true`},
		{good + "\n" + strings.NewReplacer(`"index":0`, `"index":1`, `"call":1`, `"call":0`).Replace(good),
			`line 3, column 40: want a call no earlier than that of the line before, since operations stand in the order of call`},
		{strings.TrimSpace(good) + "x\n", "line 1, column 68: want the end of the line"},
		{`{"index":0,"in":` + strings.Repeat("[", 2000), "line 1, column 1017: want a value that is nested less deeply"},
	} {
		_, err := history.ReadOps(strings.NewReader(c.text), history.JSON{})
		var syntax *history.SyntaxError
		if !errors.As(err, &syntax) || err.Error() != c.want {
			t.Errorf("%.80s:\n got %v\nwant %s", c.text, err, c.want)
		}
	}
}

// refusing is a codec that knows no body.
type refusing struct{ history.JSON }

func (refusing) Decode([]byte) (any, error) { return nil, errors.New("no body is called x") }

func TestABodyThatTheSystemDoesNotKnowIsNamedWithItsPlace(t *testing.T) {
	_, err := history.ReadOps(strings.NewReader(`{"index":0,"client":"c","in": {},"call":1,"return":2,"outcome":"ok"}`), refusing{})
	if want := "line 1, column 31: want a request that this system knows: no body is called x"; err == nil || err.Error() != want {
		t.Errorf("got %v", err)
	}
}

func TestMembersFromALaterVersionAndBlankLinesArePassedOver(t *testing.T) {
	ops, err := history.ReadOps(strings.NewReader("\n"+`{"index":0,"client":"c","new":{"a":[1,-2.5e3,"\u00e9"]},"call":1,"return":2,"outcome":"ok"}`), history.JSON{})
	if err != nil || len(ops) != 1 {
		t.Errorf("got %v, %v", ops, err)
	}
}

func TestLinesMayBeLongerThanAnyBuffer(t *testing.T) {
	ops := []history.Op{{Client: "c", In: strings.Repeat("long ", 100_000), Outcome: history.OK}}
	var file bytes.Buffer
	if err := history.WriteOps(&file, ops, history.JSON{}); err != nil {
		t.Fatal(err)
	}
	got, err := history.ReadOps(&file, history.JSON{})
	if err != nil || !reflect.DeepEqual(got, ops) {
		t.Errorf("%v: %d operations", err, len(got))
	}
}

func FuzzReadingNeverPanicsAndWhatItAcceptsReadsBack(f *testing.F) {
	var file bytes.Buffer
	if err := history.WriteOps(&file, sample, history.JSON{}); err != nil {
		f.Fatal(err)
	}
	f.Add(file.Bytes())
	f.Add([]byte(`{"index":0,"client":"\ud800","in":[1e9,{"a":null}],"call":-1,"return":2,"outcome":"ok"}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		ops, err := history.ReadOps(bytes.NewReader(data), history.JSON{})
		if err != nil {
			return
		}
		var again bytes.Buffer
		if err := history.WriteOps(&again, ops, history.JSON{}); err != nil {
			t.Fatal(err)
		}
		back, err := history.ReadOps(&again, history.JSON{})
		if err != nil || !reflect.DeepEqual(back, ops) {
			t.Fatalf("%v: wrote %v, read %v", err, ops, back)
		}
	})
}

func TestARecorderRetiresAnIdentityWhoseOperationIsUnknown(t *testing.T) {
	var rec history.Recorder
	rec.Call("c1", "w1").Unknown()
	rec.Call("c1", "w2").OK("done")
	pending := rec.Call("c1", "w3")
	h := rec.History()
	pending.Failed()
	want := []history.Op{
		{Index: 0, Client: "c1", In: "w1", Call: 1, Return: 2, Outcome: history.Unknown, Phase: history.Safety},
		{Index: 1, Client: "c1.1", In: "w2", Out: "done", Call: 3, Return: 4, Outcome: history.OK, Phase: history.Safety},
		{Index: 2, Client: "c1.1", In: "w3", Call: 5, Return: 6, Outcome: history.Unknown, Phase: history.Safety},
	}
	if !reflect.DeepEqual(h.Ops, want) {
		t.Errorf("recorded %v", h.Ops)
	}
	if got := rec.History().Ops[2]; got.Outcome != history.Failed || got.Return != 7 {
		t.Errorf("the operation that ended later is %v", got)
	}
}

func TestARecorderTakesCallsFromManyGoroutines(t *testing.T) {
	var rec history.Recorder
	var wg sync.WaitGroup
	for c := range 8 {
		wg.Go(func() {
			for i := range 100 {
				rec.Call(fmt.Sprint("c", c), i).OK(i)
			}
		})
	}
	wg.Wait()
	h := rec.History()
	seen := map[time.Duration]bool{}
	for i, op := range h.Ops {
		if op.Index != i || seen[op.Call] || seen[op.Return] {
			t.Fatalf("operation %d: %v", i, op)
		}
		seen[op.Call], seen[op.Return] = true, true
	}
	if len(h.Ops) != 800 {
		t.Errorf("%d operations", len(h.Ops))
	}
}

// still is a codec that costs nothing, so that what is measured is the envelope.
type still struct{}

func (still) Append(dst []byte, body any) ([]byte, error) {
	return append(dst, `{"type":"txn","ops":[["append",12,5]]}`...), nil
}
func (still) Decode([]byte) (any, error) { return true, nil }

func benchmarkOps() []history.Op {
	ops := make([]history.Op, 10_000)
	for i := range ops {
		ops[i] = sample[0]
		ops[i].Index = i
	}
	return ops
}

func BenchmarkWritingALine(b *testing.B) {
	ops := benchmarkOps()
	b.ReportAllocs()
	for b.Loop() {
		if err := history.WriteOps(io.Discard, ops, still{}); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*len(ops)), "ns/line")
}

func BenchmarkReadingALine(b *testing.B) { benchmarkReading(b, still{}) }

func BenchmarkReadingALineWithItsBodies(b *testing.B) { benchmarkReading(b, &history.Plain{}) }

func benchmarkReading(b *testing.B, c history.Codec) {
	var file bytes.Buffer
	if err := history.WriteOps(&file, benchmarkOps(), still{}); err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	n := 0
	for b.Loop() {
		for _, err := range history.Ops(bytes.NewReader(file.Bytes()), c) {
			if err != nil {
				b.Fatal(err)
			}
			n++
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(n), "ns/line")
}
