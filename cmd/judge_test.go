package cmd

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"faultlab/checker"
	"faultlab/checker/history"
	"faultlab/checker/txn"
)

// public is where histories with known verdicts are; they are not part of the repository.
func public(t *testing.T, name string) string {
	t.Helper()
	path, err := filepath.Abs(filepath.Join("../../shared/histories", name))
	if err == nil {
		_, err = os.Stat(path)
	}
	if err != nil {
		t.Skipf("SKIPPED: the public histories are not here: %v", err)
	}
	return path
}

func readJSON(t *testing.T, path string, to any) {
	t.Helper()
	text, err := os.ReadFile(path)
	if err == nil {
		err = json.Unmarshal(text, to)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// check types lab check --format json, and returns what it printed of one file.
func check(t *testing.T, want int, args ...string) judged {
	t.Helper()
	status, out, errs := lab(t, append([]string{"check", "--format", "json"}, args...)...)
	var j judged
	if err := json.Unmarshal([]byte(out), &j); err != nil || status != want || errs != "" {
		t.Errorf("%s: status %d, want %d: %s%s", strings.Join(args, " "), status, want, out, errs)
	}
	return j
}

func TestPublicHistoriesGetTheirVerdicts(t *testing.T) {
	var all []struct {
		File, Model string
		Valid       *bool
		Initial     any
		NullRead    string `json:"null_read"`
		FailedCAS   string `json:"failed_cas"`
		Opts        string
	}
	readJSON(t, public(t, "verdicts.json"), &all)
	start := time.Now()
	for _, k := range all {
		if k.Valid == nil {
			continue // judged by the case of its name
		}
		args := []string{"--model", k.Model}
		if k.Initial != nil {
			initial, _ := json.Marshal(k.Initial)
			args = append(args, "--initial", string(initial))
		}
		if k.NullRead != "" {
			args = append(args, "--null-read", strings.TrimSuffix(k.NullRead, " value"))
		}
		if k.FailedCAS == "observed a mismatch" {
			args = append(args, "--failed-cas", "mismatch")
		}
		if model, ok := strings.CutPrefix(k.Opts, "--consistency-models "); ok {
			args = append(args, "--consistency", model)
		}
		want := Failed
		if *k.Valid {
			want = Held
		}
		check(t, want, append(args, public(t, k.File))...)
	}
	if took := time.Since(start); took > 20*time.Second {
		t.Errorf("%d files took %s", len(all), took)
	}
}

func TestPublicTransactionsGetTheirVerdicts(t *testing.T) {
	var file struct {
		Cases []struct {
			ID, Workload, File, Generator string
			History                       []json.RawMessage
			Checks                        []struct {
				Valid     any
				Models    []string `json:"consistency_models"`
				Anomalies []string
				Types     []string `json:"anomaly_types"`
				Not       []string
				Internal  []struct {
					Op int `json:"op_index"`
				} `json:"expect_internal"`
				Future []struct {
					Op int `json:"op_index"`
				} `json:"expect_future_read"`
				Options struct {
					Linearizable bool           `json:"linearizable_keys"`
					Sequential   bool           `json:"sequential_keys"`
					WFR          bool           `json:"wfr_keys"`
					Order        map[string]int `json:"transaction_order"`
				}
			}
		}
	}
	readJSON(t, public(t, "txn-conformance.json"), &file)
	// What Elle could not find out has names in it that are no anomalies; and one verdict is known to be wrong there.
	elleOnly := []string{"empty-transaction-graph", "cycle-search-timeout", "strong-snapshot-isolation-cycle-exists", "PL-SI-cycle-exists"}
	wrongUpstream := "rw-garbage-read"
	dir := t.TempDir()
	for _, c := range file.Cases {
		path := filepath.Join(dir, c.ID+".jsonl")
		text := bytes.Join(jsonLines(c.History), []byte("\n"))
		switch {
		case c.File != "":
			path = public(t, "txn/"+strings.TrimSuffix(filepath.Base(c.File), ".edn")+".jsonl")
		case c.Generator != "":
			text = ring(1000, 29)
		}
		if c.File == "" {
			if err := os.WriteFile(path, text, 0o666); err != nil {
				t.Fatal(err)
			}
		}
		for i, k := range c.Checks {
			t.Run(fmt.Sprintf("%s/%d", c.ID, i), func(t *testing.T) {
				var want int
				switch {
				case k.Valid == false || c.ID == wrongUpstream:
					want = Failed
				case k.Valid == "unknown":
					want = Unknown
				}
				if k.Options.Order != nil { // known from elsewhere, which no flag tells
					if j := judgeOrdered(t, c.Workload, path, k.Models, k.Options.Order); j.Verdict != history.Fail {
						t.Errorf("%s: %s", j.Verdict, j.Reason)
					}
					return
				}
				args := []string{"--model", c.Workload}
				if len(k.Models) > 0 {
					args = append(args, "--consistency", strings.Join(k.Models, ","))
				}
				if len(k.Anomalies) > 0 {
					args = append(args, "--anomalies", strings.Join(k.Anomalies, ","))
				}
				var keys []string
				for flag, on := range map[string]bool{"linearizable-keys": k.Options.Linearizable, "sequential-keys": k.Options.Sequential, "wfr-keys": k.Options.WFR} {
					if on {
						keys = append(keys, "--"+flag)
					}
				}
				args = append(args, keys...)
				if k.Valid == nil && c.ID != wrongUpstream { // only parts are expected, whatever the verdict
					status, out, _ := lab(t, append([]string{"check", "--format", "json", path}, args...)...)
					var j judged
					if err := json.Unmarshal([]byte(out), &j); err != nil || status > Unknown {
						t.Fatalf("status %d: %s", status, out)
					}
					for _, x := range k.Internal {
						if !names(j.Anomalies["internal"], x.Op) {
							t.Errorf("no internal anomaly in operation %d: %s", x.Op, out)
						}
					}
					for _, x := range k.Future {
						if !names(j.Anomalies["future-read"], x.Op) {
							t.Errorf("no future read in operation %d: %s", x.Op, out)
						}
					}
					return
				}
				j := check(t, want, append(args, path)...)
				for _, name := range k.Types {
					found := slices.Sorted(maps.Keys(j.Anomalies))
					if slices.Contains(elleOnly, name) || slices.Contains(found, name) {
						continue
					}
					// A more severe one may stand for it: then looking for it alone finds that.
					check(t, Failed, "--model", c.Workload, "--anomalies", name, path)
				}
				for _, m := range k.Not {
					check(t, Failed, append(keys, "--model", c.Workload, "--consistency", m, path)...)
				}
			})
		}
	}
}

func names(examples []checker.Example, op int) bool {
	return slices.ContainsFunc(examples, func(e checker.Example) bool { return slices.Contains(e.Ops, op) })
}

func jsonLines(raw []json.RawMessage) [][]byte {
	lines := make([][]byte, len(raw))
	for i, r := range raw {
		var b bytes.Buffer
		json.Compact(&b, r)
		lines[i] = b.Bytes()
	}
	return lines
}

func judgeOrdered(t *testing.T, model, path string, models []string, order map[string]int) checker.Judgement {
	m, _ := checker.ModelNamed(model)
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	q := checker.Question{Txn: txn.Options{Models: models, Order: map[int]int{}}}
	for index, rank := range order {
		n, _ := strconv.Atoi(index)
		q.Txn.Order[n] = rank
	}
	j, err := m.Judge(history.ReadAny(f), q)
	if err != nil {
		t.Fatal(err)
	}
	return j
}

// ring is n transactions whose appends to one list form a chain, the last of which missed what the first appended to
// another: one cycle of n with one anti-dependency, among chains that lead nowhere.
func ring(n, noise int) []byte {
	var b bytes.Buffer
	add := func(process int, steps ...string) {
		fmt.Fprintf(&b, `{"type":"ok","f":"txn","process":%d,"value":[%s]}`+"\n", process, strings.Join(steps, ","))
	}
	var all []string
	for i := range n {
		steps := []string{fmt.Sprintf(`["append","ring",%d]`, i)}
		switch i {
		case 0:
			steps = append(steps, `["append","anti",1]`)
		case n - 1:
			steps = append(steps, `["r","anti",[]]`)
		default:
			for j := range noise {
				steps = append(steps, fmt.Sprintf(`["append","noise%d",%d]`, j, i))
			}
		}
		all = append(all, strconv.Itoa(i))
		add(i, steps...)
	}
	steps := []string{`["r","ring",[` + strings.Join(all, ",") + `]]`}
	for j := range noise {
		steps = append(steps, fmt.Sprintf(`["r","noise%d",[%s]]`, j, strings.Join(all[1:n-1], ",")))
	}
	add(n, steps...)
	return b.Bytes()
}

// fixtures writes small history files into a new folder, and goes there.
func fixtures(t *testing.T) {
	t.Helper()
	good, err := filepath.Abs("../checker/testdata/models")
	if err != nil {
		t.Fatal(err)
	}
	t.Chdir(t.TempDir())
	for _, name := range []string{"register-pass", "register-fail", "list-append-fail"} {
		text, err := os.ReadFile(filepath.Join(good, name+".jsonl"))
		if err != nil {
			t.Fatal(err)
		}
		write(t, name+".jsonl", string(text))
	}
	var packed bytes.Buffer
	z := gzip.NewWriter(&packed)
	fmt.Fprint(z, "{:type :ok, :process 0, :f :read, :value 0}")
	z.Close()
	write(t, "good.edn.gz", packed.String())
	write(t, "cut.edn.gz", packed.String()[:20])
	write(t, "empty.jsonl", "")
	write(t, "nemesis.edn", "{:type :info, :process :nemesis, :f :start}")
	write(t, "bad.jsonl", `{"type":"invoke","process":0,"f":"read","value":null}`+"\n"+`{"type":"ok","process":0,"f":"read" "value":1}`+"\n")
	write(t, "bad.edn", "{:type :invoke, :process 0, :f :read}\n{:type :ok, :process 0, :f :read, :value [1}")
	write(t, "dance.edn", "{:type :invoke, :process 0, :f :dance}")
	write(t, "ours.jsonl", `{"format":1,"index":0,"client":"a","in":{},"call":5,"return":2,"outcome":"ok"}`)
	write(t, "text", "hello\n")
}

func write(t *testing.T, name, text string) {
	t.Helper()
	if err := os.WriteFile(name, []byte(text), 0o666); err != nil {
		t.Fatal(err)
	}
}

func TestJudgingFilesEndsWithTheStatusOfTheWorst(t *testing.T) {
	fixtures(t)
	for _, c := range []struct {
		args     string
		want     int
		out, err string
	}{
		{"register register-pass.jsonl", Held, "pass    register-pass.jsonl: ", ""},
		{"register good.edn.gz", Held, "pass", ""},
		{"register register-fail.jsonl", Failed, "fail    register-fail.jsonl: ", ""},
		{"register register-pass.jsonl register-fail.jsonl empty.jsonl", Failed, "3 files: 1 pass, 1 fail, 1 unknown", ""},
		{"register register-pass.jsonl empty.jsonl", Unknown, "unknown empty.jsonl: there is nothing to judge", ""},
		{"register nemesis.edn", Unknown, "nothing to judge", ""},
		{"list-append list-append-fail.jsonl", Failed, "G1c: ", ""},
		{"list-append --consistency read-uncommitted list-append-fail.jsonl", Held, "read-uncommitted holds", ""},
		{"list-append --anomalies G0 list-append-fail.jsonl", Held, "no G0", ""},

		{"register register-fail.jsonl bad.jsonl", Usage, "2 files: 0 pass, 1 fail, 0 unknown, 1 could not be read", "lab: bad.jsonl:2:37: want a comma or }"},
		{"register bad.edn", Usage, "", "lab: bad.edn:2:44: want ]"},
		{"register dance.edn", Usage, "", "lab: dance.edn:1:1: want an operation of a register (read v, write v), not dance"},
		{"register ours.jsonl", Usage, "", "lab: ours.jsonl:1:"},
		{"register text", Usage, "", "lab: text:1:1: want an event"},
		{"register cut.edn.gz", Usage, "", "lab: cannot read cut.edn.gz: "},
		{"register no.jsonl", Usage, "", "lab: cannot read no.jsonl: no such file"},
		{"register .", Usage, "", "lab: cannot read history.jsonl: no such file"},
		{"register", Usage, "", "which history?"},
		{"registr x", Usage, "", `unknown model "registr": did you mean register?`},
		{"register --null-read never x", Usage, "", `unknown --null-read "never"`},
		{"register --failed-cas x x", Usage, "", `unknown --failed-cas "x"`},
		{"register --initial [1 x", Usage, "", "--initial [1: a number"},
		{"register --budget -1 x", Usage, "", "--budget -1"},
		{"register --format junit x", Usage, "", "in text or json"},
		{"register --consistency serializable x", Usage, "", "for transactions"},
		{"register --anomalies G0 x", Usage, "", "register has none by name"},
		{"list-append --consistency serialisable x", Usage, "", `unknown consistency model "serialisable": did you mean serializable?`},
		{"list-append --anomalies G9 x", Usage, "", `unknown anomaly of list-append "G9": there are G-nonadjacent`},
	} {
		t.Run(c.args, func(t *testing.T) {
			status, out, err := lab(t, append([]string{"check", "--model"}, strings.Fields(c.args)...)...)
			if status != c.want || !strings.Contains(out, c.out) || !strings.Contains(err, c.err) || (c.err == "") != (err == "") {
				t.Errorf("status %d, want %d\n%s%s", status, c.want, out, err)
			}
		})
	}
	if status, _, err := lab(t, "check", "--initial", "0"); status != Usage || !strings.Contains(err, "--initial says how to judge a history") {
		t.Errorf("%d %s", status, err)
	}
}

func TestAnObjectOfAFileHasJustTheseMembers(t *testing.T) {
	fixtures(t)
	_, out, _ := lab(t, "check", "--model", "list-append", "--format", "json", "list-append-fail.jsonl", "empty.jsonl")
	lines := strings.Split(strings.TrimSpace(out), "\n")
	if len(lines) != 2 {
		t.Fatalf("%d lines:\n%s", len(lines), out)
	}
	for _, line := range lines {
		var members map[string]any
		if err := json.Unmarshal([]byte(line), &members); err != nil {
			t.Fatal(err)
		}
		want := []string{"anomalies", "broken", "file", "holds", "model", "ops", "reason", "verdict"}
		if got := slices.Sorted(maps.Keys(members)); !slices.Equal(got, want) {
			t.Errorf("%v", got)
		}
		for name, v := range members {
			if v == nil {
				t.Errorf("%s is null", name)
			}
		}
	}
	if _, again, _ := lab(t, "check", "--model", "list-append", "--format", "json", "list-append-fail.jsonl", "empty.jsonl"); again != out {
		t.Errorf("the second time:\n%s\nthe first:\n%s", again, out)
	}
}

func TestWhatIsFoundIsDrawnIntoAFolder(t *testing.T) {
	fixtures(t)
	write(t, "taken", "")
	files := func(dir string) (names []string) {
		entries, err := os.ReadDir(dir)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range entries {
			names = append(names, e.Name())
		}
		return names
	}
	if status, _, err := lab(t, "check", "--model", "list-append", "--pictures", "a/b", "list-append-fail.jsonl", "list-append-fail.jsonl"); status != Failed || err != "" {
		t.Errorf("%d %s", status, err)
	}
	want := []string{"list-append-fail.jsonl-2-G1c-1.dot", "list-append-fail.jsonl-2-G1c-1.svg", "list-append-fail.jsonl-G1c-1.dot", "list-append-fail.jsonl-G1c-1.svg"}
	if got := files("a/b"); !slices.Equal(got, want) {
		t.Errorf("%v, not %v", got, want)
	}
	for name, begins := range map[string]string{want[2]: "digraph", want[3]: "<svg"} {
		if text, err := os.ReadFile(filepath.Join("a/b", name)); err != nil || !strings.HasPrefix(string(text), begins) {
			t.Errorf("%s: %v %.40s", name, err, text)
		}
	}
	if status, _, err := lab(t, "check", "--model", "register", "--pictures", "c", "register-fail.jsonl", "register-pass.jsonl"); status != Failed || err != "" || !slices.Equal(files("c"), []string{"register-fail.jsonl.html"}) {
		t.Errorf("%d %s %v", status, err, files("c"))
	}
	if status, _, err := lab(t, "check", "--model", "register", "--pictures", "taken", "register-fail.jsonl"); status != Usage || !strings.Contains(err, "--pictures taken: cannot make the folder") {
		t.Errorf("%d %s", status, err)
	}
	if status, _, err := lab(t, "check", "--pictures", "d"); status != Usage || !strings.Contains(err, "--pictures says how to judge a history") {
		t.Errorf("%d %s", status, err)
	}
}

func TestAnExportedRunReadsBack(t *testing.T) {
	t.Chdir(t.TempDir())
	if status, out, err := lab(t, "run", "register", "--nemesis", "none", "--time", "2s"); status != Held {
		t.Fatalf("%s%s", out, err)
	}
	var events [2]int
	for i, format := range []string{"edn", "jsonl"} {
		status, out, err := lab(t, "export", "--format", format)
		if status != Held || err != "" {
			t.Fatalf("%d %s", status, err)
		}
		h, e := history.Collect(history.ReadAny(strings.NewReader(out)))
		if e != nil || len(h.Ops) < 100 {
			t.Errorf("%s: %d operations, %v", format, len(h.Ops), e)
		}
		events[i] = strings.Count(out, "\n")
		if f := h.Ops[0].In.(history.Jepsen).F; f != "put" && f != "get" {
			t.Errorf("%s: the first operation is %s", format, f)
		}
	}
	if events[0] != events[1] || events[0]%2 != 0 {
		t.Errorf("%v events", events)
	}
	if status, _, err := lab(t, "export", "--format", "xml"); status != Usage || !strings.Contains(err, `unknown format "xml"`) {
		t.Errorf("%d %s", status, err)
	}
}
