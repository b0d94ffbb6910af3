//go:build unix

package process_test

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"faultlab/checker/history"
	"faultlab/cmd"
	"faultlab/labs"
	"faultlab/labs/labstest"
	"faultlab/labs/maelstrom"
	"faultlab/labs/multimaster"
	"faultlab/nemesis"
	"faultlab/nodes"
	"faultlab/nodes/cluster/process"
)

// This very program is a lab if its first argument is a command of one, and a node of a certain character (see
// hostile_test.go) if that is "be".
func TestMain(m *testing.M) {
	if len(os.Args) > 2 && os.Args[1] == "be" {
		be(os.Args[2], os.Args[3:])
		return
	}
	if len(os.Args) > 1 && !strings.HasPrefix(os.Args[1], "-") {
		os.Exit(cmd.Main(multimaster.Lab(), labstest.Lab(), maelstrom.EchoLab()))
	}
	flag.Parse()
	flag.Set("test.parallel", "12") // what is tested here waits for most of its time
	os.Exit(m.Run())
}

type deaf struct{}

func (deaf) Event(time.Duration, nodes.ID, any)  {}
func (deaf) Reached(nodes.ID, string)            {}
func (deaf) Log(time.Duration, nodes.ID, string) {}

func own(s nodes.Spec) (labs.Cluster, error) { return process.StartOwn(s) }

// theirs runs the system's own node as if it were somebody else's program.
func theirs(s nodes.Spec) (labs.Cluster, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	s.Program = []string{self, "node", s.System.Name, "--stdio", "--data", "."}
	return process.Start(s)
}

// faults tries all kinds, on several clusters side by side.
func faults(t *testing.T, clusters int, start func(nodes.Spec) (labs.Cluster, error), cannot ...string) {
	for part := range clusters {
		var kinds []nemesis.Kind
		for i, k := range nemesis.Kinds {
			if i%clusters == part {
				kinds = append(kinds, k)
			}
		}
		t.Run(fmt.Sprintf("part %d of %d", part+1, clusters), func(t *testing.T) {
			t.Parallel()
			labstest.Faults(t, start, kinds, cannot...)
		})
	}
}

func TestWhatAClientSeesOfEachFaultOnProcesses(t *testing.T) { faults(t, 6, own) }

func TestWhatAClientSeesOfEachFaultOnProgramsOfOthers(t *testing.T) {
	faults(t, 4, theirs, "power-loss", "clock", "disk")
}

func TestWhatClientsSeeWhenTheyOrAdministratorsMisbehaveOnProcesses(t *testing.T) {
	t.Parallel()
	labstest.Misuse(t, own)
}

func TestWhatAClientSeesOfHarmsThatMeetOnProcesses(t *testing.T) {
	t.Parallel()
	labstest.Meet(t, own)
}

// The other build is this very program, but for what its nodes say of their edition.
func TestAnUpgradeRunsTheOtherProgram(t *testing.T) {
	t.Parallel()
	other := filepath.Join(t.TempDir(), "lab")
	if out, err := exec.Command("go", "test", "-c", "-o", other, "-ldflags", "-X faultlab/labs/labstest.edition=second", ".").CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	labstest.Upgrade(t, own, other, "second")
}

// What a run leaves of its nodes' folders are the files that lab node itself would boot from.
func TestTheFoldersOfNodesAreInTheRunFolder(t *testing.T) {
	t.Parallel()
	c, err := process.StartOwn(nodes.Spec{System: multimaster.Lab().System, Seed: 1, Observer: deaf{}, Topology: three})
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Run(c.Now() + time.Second); err != nil {
		t.Error(err)
	}
	c.Kill(context.Background(), "n2") // what it wrote is there all the same
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	if err := c.SaveDisks(dir); err != nil {
		t.Fatal(err)
	}
	for _, id := range three.IDs() {
		for _, file := range []string{"member", "synced"} {
			if info, err := os.Stat(filepath.Join(dir, string(id), "disk", file)); err != nil || info.Size() == 0 {
				t.Errorf("%s of %s: %v", file, id, err)
			}
		}
	}
}

func TestTheMultiMasterStoreHoldsAsProcesses(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("it takes half a minute")
	}
	lab := multimaster.Lab()
	run, err := labs.Do(context.Background(), lab, labs.Options{
		Seed: 2, Time: 10 * time.Second, Rate: 60, Nemesis: []string{"kill", "partition", "pause"}, On: "process", Real: true,
		Start: func(s nodes.Spec) (labs.Cluster, error) { return process.StartOwn(s) },
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, j := range run.Judged {
		if strings.HasPrefix(j.ID, "O") && j.ID != "O9" && j.Verdict == history.Fail {
			t.Errorf("%s %s: %s", j.ID, j.Name, j.Reason)
		}
	}
	if len(run.Broken) > 0 {
		t.Error(run.Reason)
	}
	if run.Results().Operations.OK < 300 {
		t.Errorf("only %d operations succeeded", run.Results().Operations.OK)
	}
}
