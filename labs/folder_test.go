package labs_test

import (
	"bytes"
	"context"
	"errors"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"testing"
	"time"

	"faultlab/checker"
	"faultlab/checker/history"
	"faultlab/labs"
	"faultlab/labs/testdata/register"
	"faultlab/nemesis"
	"faultlab/nodes"
	"faultlab/nodes/cluster/sim"
)

func start(s nodes.Spec) (labs.Cluster, error) { return sim.Start(s) }

func options(nemesis ...string) labs.Options {
	return labs.Options{Seed: 3, Time: 10 * time.Second, Nemesis: nemesis, On: "sim", Start: start}
}

func do(t *testing.T, o labs.Options) *labs.Run {
	t.Helper()
	run, err := labs.Do(context.Background(), register.Lab(), o)
	if err != nil {
		t.Fatal(err)
	}
	return run
}

func save(t *testing.T, run *labs.Run) string {
	t.Helper()
	dir, err := run.Save(filepath.Join(t.TempDir(), "run"), labs.Origin{Started: time.Unix(0, 0), Build: "b"}, register.Lab().System, nil)
	if err != nil {
		t.Fatal(err)
	}
	return dir
}

func read(t *testing.T, dir, name string) []byte {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(dir, name))
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func TestTheSameSeedGivesTheSameBytes(t *testing.T) {
	first := save(t, do(t, options("all")))
	second := save(t, do(t, options("all")))
	before := runtime.GOMAXPROCS(1)
	third := save(t, do(t, options("all")))
	runtime.GOMAXPROCS(before)
	other := options("all")
	other.Seed++
	fourth := save(t, do(t, other))
	for _, name := range labs.Repeated() {
		text := read(t, first, name)
		if !bytes.Equal(text, read(t, second, name)) {
			t.Errorf("%s differs between two runs of a seed", name)
		}
		if !bytes.Equal(text, read(t, third, name)) {
			t.Errorf("%s differs on one processor", name)
		}
		if bytes.Equal(text, read(t, fourth, name)) {
			t.Errorf("%s is the same for another seed", name)
		}
	}
}

func TestASavedRunIsJudgedAsItWas(t *testing.T) {
	o := options("power-loss:all")
	o.Bug, o.Time = "ack-before-sync", time.Minute
	run := do(t, o)
	if run.Verdict != history.Fail {
		t.Fatalf("the bug was not caught: %s", run.Verdict)
	}
	dir := save(t, run)
	loaded, _, origin, err := labs.Load(dir, []labs.Lab{register.Lab()})
	if err != nil {
		t.Fatal(err)
	}
	text, err := labs.JSON(loaded.Results())
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(text, read(t, dir, labs.ResultsFile)) {
		t.Errorf("other results from the files:\n%s", text)
	}
	if origin.Build != "b" || len(loaded.Logs["n1"]) == 0 || len(loaded.Logs["n1"]) != len(run.Logs["n1"]) {
		t.Errorf("build %q, %d lines of a log; want b and %d", origin.Build, len(loaded.Logs["n1"]), len(run.Logs["n1"]))
	}
	for _, file := range []string{"nodes/n1/log", "nodes/n1/disk"} {
		if _, err := os.Stat(filepath.Join(dir, file)); err != nil {
			t.Error(err)
		}
	}
}

func TestALoadedRunCanBeDoneAgain(t *testing.T) {
	run := do(t, options("kill:role", "partition"))
	loaded, _, _, err := labs.Load(save(t, run), []labs.Lab{register.Lab()})
	if err != nil {
		t.Fatal(err)
	}
	t.Run("by the same build with the same bytes", func(t *testing.T) {
		o := loaded.Again()
		o.Start = start
		a, b := save(t, run), save(t, do(t, o))
		for _, name := range labs.Repeated() {
			if !bytes.Equal(read(t, a, name), read(t, b, name)) {
				t.Errorf("%s differs", name)
			}
		}
	})
	t.Run("by another with the same faults and requests", func(t *testing.T) {
		o := loaded.Anew()
		o.Start = start
		for i, f := range o.Plan {
			if f.Role != "" && len(f.Nodes) == 0 {
				t.Errorf("fault %d still names but a role: %s", i, f)
			}
		}
		again := do(t, o)
		if again.Verdict != run.Verdict {
			t.Errorf("verdict %s, then %s", run.Verdict, again.Verdict)
		}
		count := func(run *labs.Run) map[history.Phase]int {
			n := map[history.Phase]int{}
			for _, op := range run.History.Ops {
				n[op.Phase]++
			}
			return n
		}
		if then, now := count(run), count(again); !maps.Equal(then, now) {
			t.Errorf("operations by phase were %v and are %v", then, now)
		}
		for i := range min(len(run.History.Ops), len(again.History.Ops), 50) {
			x, y := run.History.Ops[i], again.History.Ops[i]
			if x.In != y.In || x.Call != y.Call || x.Client != y.Client {
				t.Fatalf("operation %d was %+v and is %+v", i, x, y)
			}
		}
	})
}

func TestAFaultThatFoundNobodyIsNotDoneAgain(t *testing.T) {
	run := &labs.Run{
		Schedule: nemesis.Schedule{{Kind: "kill", Role: "keeper"}, {Kind: "kill", Role: "keeper"}, {Kind: "pause", Nodes: []nodes.ID{"n2"}}},
		Struck:   [][]nodes.ID{nil, {"n1"}, {"n2"}},
	}
	if got := run.Resolved(); len(got) != 2 || got[0].Nodes[0] != "n1" || got[1].Kind != "pause" {
		t.Errorf("the faults are %v", got)
	}
}

func TestADamagedFolderIsRefused(t *testing.T) {
	whole := save(t, do(t, options("none")))
	for _, test := range []struct {
		name   string
		damage func(dir string) error
		want   string
	}{
		{"without run.json", func(dir string) error { return os.Remove(filepath.Join(dir, "run.json")) }, "is no run folder: it has no run.json"},
		{"with a run.json that is cut short", cut("run.json", 40), "run.json: line"},
		{"of another format", replace("run.json", `"format": 1`, `"format": 7`), "format 7; this version reads format 1"},
		{"of a lab that is not known", replace("run.json", `"lab": "register"`, `"lab": "ledger"`), `of lab "ledger"; this program has register`},
		{"with a history that is cut in a line", cut("history.jsonl", 1000), "history.jsonl: line 6, column"},
		{"with a history that is cut between lines", replace("history.jsonl", "\n{\"index\":100,", "\x00"), "history.jsonl: it has 100 lines"},
		{"with a request that the lab does not know", replace("history.jsonl", `{"type":"get"}`, `{"type":"got"}`), `unknown type`},
		{"of no nodes", replaceMatch("run.json", `(?s)"members": \[.*?\n    \]`, `"members": []`), "its topology has no members"},
		{"of a topology that is not the lab's", replace("run.json", `"zone": "B1"`, `"zone": "B7"`), "not the one that lab register has for 3 nodes"},
		{"with a client in no region", replace("history.jsonl", `"region":"A"`, `"region":"Z"`), `in region "Z"; there are A, B, C`},
		{"with a node that is none", replace("history.jsonl", `"node":"n1"`, `"node":"x1"`), `was sent to "x1"`},
		{"with a reply to another request", replaceMatch("history.jsonl", `"out":\{"type":"number"[^}]*\}`, `"out":{"type":"stored"}`), "the run does not fit lab register"},
		{"without events", func(dir string) error { return os.Remove(filepath.Join(dir, "events.jsonl")) }, "events.jsonl"},
	} {
		t.Run(test.name, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "run")
			if err := os.CopyFS(dir, os.DirFS(whole)); err != nil {
				t.Fatal(err)
			}
			if err := test.damage(dir); err != nil {
				t.Fatal(err)
			}
			_, _, _, err := labs.Load(dir, []labs.Lab{register.Lab()})
			if err == nil || !strings.Contains(err.Error(), test.want) || strings.Contains(err.Error(), "\n") {
				t.Errorf("the error is %v, want one line with %q", err, test.want)
			}
		})
	}
}

func cut(name string, size int64) func(string) error {
	return func(dir string) error { return os.Truncate(filepath.Join(dir, name), size) }
}

// replaceMatch replaces all that match.
func replaceMatch(name, pattern, new string) func(string) error {
	return func(dir string) error {
		path := filepath.Join(dir, name)
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		return os.WriteFile(path, regexp.MustCompile(pattern).ReplaceAll(text, []byte(new)), 0o666)
	}
}

// replace replaces the first old by new; a new of one zero byte ends the file there.
func replace(name, old, new string) func(string) error {
	return func(dir string) error {
		path := filepath.Join(dir, name)
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		changed := strings.Replace(string(text), old, new, 1)
		if head, _, ends := strings.Cut(changed, "\x00"); ends {
			changed = head + "\n"
		}
		return os.WriteFile(path, []byte(changed), 0o666)
	}
}

func TestAFolderAppearsWholeOrNotAtAll(t *testing.T) {
	run := do(t, options("none"))
	store := t.TempDir()
	run.Logs["n1"] = []string{"x"}
	system := register.Lab().System
	system.Bodies = system.Bodies[:1] // so that the history cannot be written
	if _, err := run.Save(filepath.Join(store, "run"), labs.Origin{}, system, nil); err == nil {
		t.Fatal("a history of unknown bodies was written")
	}
	if left, _ := os.ReadDir(store); len(left) > 0 {
		t.Errorf("%s was left", left[0].Name())
	}
	for _, want := range []string{"run", "run-2", "run-3"} {
		dir, err := run.Save(filepath.Join(store, "run"), labs.Origin{}, register.Lab().System, nil)
		if err != nil || filepath.Base(dir) != want {
			t.Errorf("saved as %s (%v), want %s", dir, err, want)
		}
	}
}

func TestASetIsInTheOrderOfSeeds(t *testing.T) {
	o := options("kill")
	var seen []uint64
	set, err := labs.DoSet(context.Background(), register.Lab(), o, 7, func(run *labs.Run) (string, error) {
		return "folder", nil
	}, func(l labs.Line) { seen = append(seen, l.Seed) })
	if err != nil {
		t.Fatal(err)
	}
	for i := range 7 {
		if seen[i] != uint64(3+i) || set.Runs[i].Seed != uint64(3+i) || set.Runs[i].Folder != "folder" {
			t.Errorf("line %d is of seed %d, told as %d", i, set.Runs[i].Seed, seen[i])
		}
	}
	if set.Verdict != history.Pass || set.Guarantees[0].Pass != 7 {
		t.Errorf("verdict %s (%s), %+v", set.Verdict, set.Reason, set.Guarantees)
	}
}

func TestOptionsThatMakeNoSenseAreRefused(t *testing.T) {
	for _, test := range []struct {
		name   string
		change func(*labs.Options)
		as     any
	}{
		{"a topology that the lab does not have", func(o *labs.Options) { o.Nodes = 99 }, new(*labs.Invalid)},
		{"an unknown fault", func(o *labs.Options) { o.Nemesis = []string{"fire"} }, new(*labs.Invalid)},
		{"a fault that has no place", func(o *labs.Options) { o.Nodes, o.Nemesis = 1, []string{"partition:region"} }, new(*labs.Unsupported)},
	} {
		t.Run(test.name, func(t *testing.T) {
			o := options("none")
			test.change(&o)
			_, err := labs.Do(context.Background(), register.Lab(), o)
			if err == nil || !errors.As(err, test.as) {
				t.Errorf("the error is %T %v", err, err)
			}
		})
	}
}

func BenchmarkRun(b *testing.B) {
	o := options("none")
	o.Time, o.Rate, o.Clients = 60*time.Second, 2000, 60
	ops := 0
	for b.Loop() {
		run, err := labs.Do(context.Background(), register.Lab(), o)
		if err != nil {
			b.Fatal(err)
		}
		ops += len(run.History.Ops)
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(ops), "ns/operation")
}

// A sleepy cluster is one whose lab stood still all the time.
type sleepy struct{ labs.Cluster }

func (sleepy) Stalls() [][2]time.Duration { return [][2]time.Duration{{time.Second, time.Hour}} }

func TestStallsOfTheLabAreSavedAndJudgedByAgain(t *testing.T) {
	lab := register.Lab()
	promises := lab.Guarantees
	lab.Guarantees = func(topology nodes.Topology) []labs.Guarantee {
		return append(promises(topology), labs.Guarantee{ID: "X1", Name: "never-served", Checker: checker.Availability{
			When:   func(checker.Faults) bool { return true },
			Of:     func(*history.Op, checker.Faults) bool { return true },
			Served: func(*history.Op) bool { return false },
		}})
	}
	for name, c := range map[string]struct {
		start func(nodes.Spec) (labs.Cluster, error)
		want  history.Verdict
		told  string
	}{
		"a lab that ran":         {start, history.Fail, ""},
		"a lab that stood still": {func(s nodes.Spec) (labs.Cluster, error) { c, err := sim.Start(s); return sleepy{c}, err }, history.Undetermined, "stood still"},
	} {
		o := options("none")
		o.Start = c.start
		run, err := labs.Do(context.Background(), lab, o)
		if err != nil {
			t.Fatal(err)
		}
		loaded, _, _, err := labs.Load(save(t, run), []labs.Lab{lab})
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range []*labs.Run{run, loaded} {
			j := r.Judged[len(r.Judged)-1]
			if j.Verdict != c.want || !strings.Contains(j.Reason, c.told) || !strings.Contains(r.Stalled(), c.told) || c.told == "" && r.Stalled() != "" {
				t.Errorf("of %s: %s, %s; %s", name, j.Verdict, j.Reason, r.Stalled())
			}
		}
	}
}
