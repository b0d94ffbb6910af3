package labstest

import (
	"bytes"
	"cmp"
	"context"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"faultlab/checker/history"
	"faultlab/labs"
	"faultlab/nemesis"
	"faultlab/nodes"
)

var medians = flag.Int("medians", 0, "let Bugs do so many seeds of each bug, and say in how many seeds it is caught")

// A Trial is a lab under test, and what starts its clusters.
type Trial struct {
	Lab   labs.Lab
	Start func(nodes.Spec) (labs.Cluster, error)
}

// Do does one run.
func (x Trial) Do(t testing.TB, o labs.Options) *labs.Run {
	t.Helper()
	o.Start = x.Start
	run, err := labs.Do(context.Background(), x.Lab, o)
	if err != nil {
		t.Fatal(err)
	}
	return run
}

// Bugs asserts that every known bug is caught, by a guarantee that it is said to break, within the seeds that are
// claimed.
func (x Trial) Bugs(t *testing.T) {
	for _, bug := range x.Lab.System.Bugs {
		t.Run(bug.Name, func(t *testing.T) {
			t.Parallel()
			if *medians > 0 {
				x.median(t, bug)
				return
			}
			for seed := range bug.Seeds {
				if says := x.caught(t, bug, seed+1); says != "" {
					t.Log(says)
					return
				}
			}
			t.Errorf("not caught in %d seeds by any of %v", bug.Seeds, bug.Refutes)
		})
	}
}

// caught does one run with a bug and says by what it was caught, if it was.
func (x Trial) caught(t *testing.T, bug nodes.Bug, seed int) string {
	o := labs.Options{Seed: uint64(seed), Bug: bug.Name}
	if bug.Nemesis != "" {
		o.Nemesis = strings.Split(bug.Nemesis, ",")
	}
	for _, j := range x.Do(t, o).Judged {
		if j.Verdict == history.Fail && slices.Contains(bug.Refutes, j.ID) {
			return fmt.Sprintf("seed %d, %s: %s", seed, j.ID, j.Reason)
		}
	}
	return ""
}

// median says in how many seeds a bug is caught by somebody who begins at any one: the median over all beginnings from
// which it was.
func (x Trial) median(t *testing.T, bug nodes.Bug) {
	var took []int
	first := 0
	for last, seed := 0, 1; seed <= *medians; seed++ {
		if x.caught(t, bug, seed) != "" {
			first = cmp.Or(first, seed)
			for begin := last + 1; begin <= seed; begin++ {
				took = append(took, seed-begin+1)
			}
			last = seed
		}
	}
	if slices.Sort(took); len(took) == 0 {
		t.Errorf("%s: caught in none of %d seeds", bug.Name, *medians)
		return
	}
	t.Logf("%s: median of seeds to catch it %d, first %d", bug.Name, took[len(took)/2], first)
}

// A Case is one run that holds, and how much of it.
type Case struct {
	Nemesis string
	Seed    uint64
	Time    time.Duration
}

// Holds asserts that without a bug nothing fails and nothing is left open, whatever the nemesis does: four seeds of
// everything, one of nothing, and one of each of the lab's faults. It is for the lab to say which promises every run
// must judge.
func (x Trial) Holds(t *testing.T, always func(id string, c Case) bool) {
	var cases []Case
	for seed := uint64(1); seed <= 4; seed++ {
		cases = append(cases, Case{"all", seed, time.Minute})
	}
	cases = append(cases, Case{"none", 1, time.Minute})
	for i, spec := range x.Lab.Faults {
		cases = append(cases, Case{spec, uint64(10 + i), 40 * time.Second})
	}
	for _, c := range cases {
		t.Run(fmt.Sprint(c.Nemesis, " ", c.Seed), func(t *testing.T) {
			t.Parallel()
			run := x.Do(t, labs.Options{Seed: c.Seed, Nemesis: []string{c.Nemesis}, Time: c.Time})
			if run.Verdict != history.Pass {
				t.Errorf("%v %s", run.Verdict, run.Reason)
			}
			for _, j := range run.Judged {
				if j.Verdict > history.Pass || j.Verdict == history.NotJudged && always(j.ID, c) {
					t.Errorf("%s %v: %s", j.ID, j.Verdict, j.Reason)
				}
			}
		})
	}
}

// Repeats asserts that the same seed gives the same bytes: on one processor as on many, and with every message passed
// through its wire format. A probe names what the run must have reached to mean anything.
func (x Trial) Repeats(t *testing.T, o labs.Options, probe string) {
	files := func(recode bool) map[string]string {
		t.Helper()
		o.Recode = recode
		run := x.Do(t, o)
		if run.Reached[probe] == 0 {
			t.Errorf("the run did not reach %q", probe)
		}
		dir, err := run.Save(filepath.Join(t.TempDir(), "run"), labs.Origin{}, x.Lab.System, nil)
		if err != nil {
			t.Fatal(err)
		}
		text := map[string]string{}
		for _, name := range labs.Repeated() {
			data, err := os.ReadFile(filepath.Join(dir, name))
			if err != nil {
				t.Fatal(err)
			}
			if len(data) < 1000 {
				t.Errorf("%s is too short to say anything: %d bytes", name, len(data))
			}
			text[name] = string(data)
		}
		return text
	}
	first := files(false)
	same := func(how string, other map[string]string) {
		t.Helper()
		for _, name := range labs.Repeated() {
			if first[name] != other[name] {
				t.Errorf("%s: %s differs", how, name)
			}
		}
	}
	same("with every message encoded and decoded", files(true))
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	same("on one processor", files(false))
}

// Guide asserts that the lab's guide says every promise in the same words as the lab, names every known bug, and shows
// every message that clients exchange.
func (x Trial) Guide(t *testing.T) {
	top, err := x.Lab.Topology(0)
	if err != nil {
		t.Fatal(err)
	}
	for _, g := range x.Lab.Guarantees(top) {
		if row := fmt.Sprintf("\n| %s | %s | %s |", g.ID, g.Name, g.Statement); !strings.Contains(x.Lab.Guide, row) {
			t.Errorf("README.md has no row that begins with %s", row)
		}
	}
	for _, b := range x.Lab.System.Bugs {
		if row := fmt.Sprintf("\n| %s | %s | %s |", b.Name, b.About, strings.Join(b.Refutes, ", ")); !strings.Contains(x.Lab.Guide, row) {
			t.Errorf("README.md has no row %s", row)
		}
	}
	for _, m := range x.Lab.Messages {
		if text := m.Markdown(); !strings.Contains(x.Lab.Guide, text) {
			t.Errorf("README.md does not have this:\n%s", text)
		}
	}
}

// Plan reads a directed plan that stands beside the lab.
func Plan(t testing.TB, name string) nemesis.Schedule {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("plans", name+".yaml"))
	if err != nil {
		t.Fatal(err)
	}
	s, err := nemesis.ReadPlan(bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	return s
}
