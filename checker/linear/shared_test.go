package linear

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"faultlab/checker/history"
)

// shared holds public histories with known verdicts, and is not part of the repository.
const shared = "../../../shared/histories"

// A known is a line of its verdicts.json.
type known struct {
	File, Model string
	Valid       any
	Initial     any
	NullRead    string `json:"null_read"`
	FailedCAS   string `json:"failed_cas"`
}

func verdicts(t testing.TB) []known {
	text, err := os.ReadFile(filepath.Join(shared, "verdicts.json"))
	if err != nil {
		t.Skipf("SKIPPED: there are no shared histories here: %v", err)
	}
	var all []known
	if err := json.Unmarshal(text, &all); err != nil {
		t.Fatal(err)
	}
	return all
}

func TestSharedHistoriesGetTheirVerdicts(t *testing.T) {
	judged := 0
	for _, k := range verdicts(t) {
		judge, ok := judges[k.Model]
		if !ok || filepath.Ext(k.File) != ".jsonl" {
			continue
		}
		judged++
		start := time.Now()
		r := judge(k, readShared(t, k))
		if took := time.Since(start); took > 200*time.Millisecond {
			t.Logf("%s took %v, %d steps by %s", k.File, took, r.Steps, r.Engine)
		}
		if want := map[any]history.Verdict{true: history.Pass, false: history.Fail}[k.Valid]; r.Verdict != want {
			t.Errorf("%s: %s, want %s: %s", k.File, r.Verdict, want, r.Reason)
		} else if testing.Verbose() && want == history.Fail {
			t.Logf("%s: %d operations: %s", k.File, len(r.Ops), r.Reason)
		}
	}
	if judged < 120 {
		t.Errorf("only %d histories", judged)
	}
}

var judges = map[string]func(known, []Op) Report{
	"register":     func(k known, ops []Op) Report { return Check(Register(initially(k)), ops, Budget{}) },
	"cas-register": func(k known, ops []Op) Report { return Check(CASRegister(initially(k)), ops, Budget{}) },
	"multi-register": func(k known, ops []Op) Report {
		return Check(MultiRegister(map[string]string{"x": "0", "y": "0"}, "null"), ops, Budget{})
	},
	"fifo-queue": func(k known, ops []Op) Report { return Check(FIFOQueue(), ops, Budget{}) },
	"mutex":      func(k known, ops []Op) Report { return Check(Mutex(), ops, Budget{}) },
}

func initially(k known) string {
	if strings.HasPrefix(k.File, "blowup/") {
		return "0"
	}
	return text(k.Initial)
}

func text(v any) string {
	b, _ := json.Marshal(v)
	return string(b)
}

// readShared pairs a file's events. A place in the file is its time.
func readShared(t testing.TB, k known) []Op {
	data, err := os.ReadFile(filepath.Join(shared, k.File))
	if err != nil {
		t.Fatal(err)
	}
	var ops []Op
	open := map[string]int{}
	lines := bufio.NewScanner(bytes.NewReader(data))
	lines.Buffer(nil, 1<<20)
	for n := 0; lines.Scan(); n++ {
		var e struct {
			Type, F string
			Process any
			Value   any
		}
		if err := json.Unmarshal(lines.Bytes(), &e); err != nil {
			t.Fatal(err)
		}
		p := fmt.Sprint(e.Process)
		if p == "nemesis" {
			continue
		}
		now := time.Duration(n)
		if e.Type == "invoke" {
			open[p] = len(ops)
			in, _ := translate(k, e.F, e.Value)
			ops = append(ops, Op{Index: len(ops), Client: p, In: in, Call: now, Outcome: history.Unknown})
			continue
		}
		o := &ops[open[p]]
		switch {
		case e.Type == "ok":
			o.Outcome, o.Return = history.OK, now
			o.In, o.Out = translate(k, e.F, e.Value)
		case e.Type == "fail" && e.F == "cas" && k.FailedCAS == "observed a mismatch":
			o.Outcome, o.Return, o.Out = history.OK, now, false
		case e.Type == "fail":
			o.Outcome = history.Failed
		}
	}
	return ops
}

func translate(k known, f string, v any) (in, out any) {
	list, _ := v.([]any)
	switch f {
	case "read":
		if v == nil && k.NullRead != "initial value" && !strings.HasPrefix(k.File, "blowup/") {
			return Read{}, nil
		}
		return Read{}, text(v)
	case "write":
		return Write{Value: text(v)}, nil
	case "cas":
		return CAS{Old: text(list[0]), New: text(list[1])}, true
	case "enqueue":
		return Enqueue{Value: text(v)}, nil
	case "dequeue":
		if v == nil {
			return Dequeue{}, Empty{}
		}
		return Dequeue{}, text(v)
	case "acquire":
		return Acquire{}, true
	case "release":
		return Release{}, true
	case "txn":
		var steps RegisterSteps
		var reads []RegisterRead
		for _, s := range list {
			s := s.([]any)
			step := RegisterStep{Key: s[1].(string), Set: s[0] == "write", Value: text(s[2])}
			steps, reads = append(steps, step), append(reads, RegisterRead{!step.Set && s[2] != nil, step.Value})
			if !step.Set {
				steps[len(steps)-1].Value = ""
			}
		}
		return steps, reads
	}
	panic("no operation " + f)
}
