package maelstrom

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"faultlab/checker/history"
	"faultlab/labs"
	"faultlab/nodes"
	"faultlab/nodes/cluster/process"
)

// built makes a program of Go files from these folders, each alone in its module.
func built(t *testing.T, patterns ...string) string {
	t.Helper()
	dir := t.TempDir()
	for _, p := range patterns {
		names, err := filepath.Glob(p)
		if err != nil || len(names) == 0 {
			t.Fatalf("%s: nothing there (%v)", p, err)
		}
		for _, name := range names {
			text, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(filepath.Join(dir, filepath.Base(name)), text, 0o666); err != nil {
				t.Fatal(err)
			}
		}
	}
	cmd := exec.Command("go", "build", "-o", "program", ".")
	cmd.Dir, cmd.Env = dir, append(os.Environ(), "GOFLAGS=", "GOWORK=off", "GOPROXY=off")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return filepath.Join(dir, "program")
}

// A trial is one run of a lab on real processes.
type trial struct {
	lab, nemesis string
	program      []string
	over         time.Duration
	came         func(*labs.Run) bool // as it should
	done         chan struct{}
	run          *labs.Run
	err          error
}

const (
	abreast = 3 // trials side by side: each waits for real time more than it works
	tries   = 3 // of a trial on a machine that is too busy for it to say anything
)

// try begins trials, and returns at once.
func try(trials []*trial) {
	turn := make(chan struct{}, abreast)
	for _, x := range trials {
		x.done = make(chan struct{})
		go func() {
			defer close(x.done)
			turn <- struct{}{}
			defer func() { <-turn }()
			i := slices.IndexFunc(Labs(), func(l labs.Lab) bool { return l.Name == x.lab })
			for range tries {
				x.run, x.err = labs.Do(context.Background(), Labs()[i], labs.Options{
					Seed: 1, Time: x.over, Nemesis: strings.Split(x.nemesis, ","), On: "process", Real: true, Program: x.program,
					Start: func(s nodes.Spec) (labs.Cluster, error) { return process.Start(s) },
				})
				if x.err == nil && (x.came(x.run) || len(x.run.History.Stalls) == 0) {
					return
				}
			}
		}()
	}
}

// result waits for a trial.
func (x *trial) result(t *testing.T) *labs.Run {
	t.Helper()
	<-x.done
	if x.err != nil {
		t.Fatal(x.err)
	}
	for _, j := range x.run.Judged {
		t.Logf("%s %s: %s", j.ID, j.Verdict, j.Reason)
	}
	return x.run
}

// Under partition and kill together every promise of every workload holds for a program that does it right.
func TestSolutionsHold(t *testing.T) {
	if testing.Short() {
		t.Skip("it takes real time")
	}
	program := built(t, "start/go/go.mod", "start/go/node.go", "testdata/solutions/*.go")
	begin := built(t, "start/go/*")
	trials := []*trial{{lab: "echo", nemesis: "partition,kill", program: []string{begin}}}
	for _, l := range Labs() {
		trials = append(trials, &trial{lab: l.Name, nemesis: "partition,kill", program: []string{program, l.Name}})
	}
	trials = append(trials, &trial{lab: "broadcast", nemesis: "loss,duplicate,pause,slow,reorder", program: []string{program, "broadcast"}})
	trials = append(trials, &trial{lab: "lin-kv", nemesis: "loss,duplicate,pause,slow,reorder", program: []string{program, "lin-kv"}})
	if python := python(t); python != "" {
		trials = append(trials, &trial{lab: "echo", nemesis: "partition,kill", program: []string{python, absolute(t, "start/python/node.py")}})
		trials = append(trials, &trial{lab: "broadcast", nemesis: "partition,kill", program: []string{python, absolute(t, "testdata/solutions/broadcast.py")}})
	}
	for _, x := range trials {
		x.over, x.came = 14*time.Second, func(r *labs.Run) bool { return r.Verdict == history.Pass }
	}
	try(trials)
	for _, x := range trials {
		t.Run(x.lab+" "+filepath.Base(x.program[0])+" "+x.nemesis, func(t *testing.T) {
			if r := x.result(t); r.Verdict != history.Pass {
				t.Errorf("%s: %s", r.Verdict, r.Reason)
				for id, lines := range r.Logs {
					t.Logf("%s: %s", id, strings.Join(lines[max(0, len(lines)-5):], "\n"))
				}
			}
		})
	}
}

// python is the interpreter itself, and no script that looks for it at every start; "" if there is none.
func python(t *testing.T) string {
	t.Helper()
	out, err := exec.Command("python3", "-c", "import sys; print(sys.executable)").Output()
	if err != nil {
		t.Logf("there is no python3 here, so the nodes in Python are not tried: %v", err)
		return ""
	}
	return strings.TrimSpace(string(out))
}

func absolute(t *testing.T, path string) string {
	t.Helper()
	path, err := filepath.Abs(path)
	if err != nil {
		t.Fatal(err)
	}
	return path
}

func TestMistakesOfSolutionsAreFound(t *testing.T) {
	if testing.Short() {
		t.Skip("it takes real time")
	}
	program := built(t, "start/go/go.mod", "start/go/node.go", "testdata/solutions/*.go")
	var trials []*trial
	for _, m := range mistakes {
		trials = append(trials, &trial{lab: m.lab, nemesis: m.nemesis, program: []string{program, m.lab, m.name}, over: 11 * time.Second, came: func(r *labs.Run) bool {
			return slices.ContainsFunc(r.Judged, func(j labs.Judged) bool { return j.ID == m.caught && j.Verdict == history.Fail })
		}})
	}
	try(trials)
	for i, x := range trials {
		t.Run(x.lab+" "+mistakes[i].name, func(t *testing.T) {
			if r := x.result(t); !x.came(r) {
				t.Errorf("%s did not fail: %s", mistakes[i].caught, r.Reason)
			}
		})
	}
}
