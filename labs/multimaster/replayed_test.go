package multimaster_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"faultlab/checker/history"
	"faultlab/labs"
	"faultlab/labs/multimaster"
	"faultlab/nodes/cluster/sim"
)

// kept does a short run and saves it.
func kept(t *testing.T, o labs.Options) (run *labs.Run, dir string) {
	o.Time = 10 * time.Second
	run = trial.Do(t, o)
	dir, err := run.Save(filepath.Join(t.TempDir(), "run"), labs.Origin{}, multimaster.Lab().System, nil)
	if err != nil {
		t.Fatal(err)
	}
	return run, dir
}

// audited is the audit's verdict on what is in a run's folder.
func audited(t *testing.T, run *labs.Run, dir string) history.Result {
	t.Helper()
	var disks []labs.Disk
	for _, id := range run.Topology.IDs() {
		logs, err := sim.ReadDisk(labs.DiskFolder(dir, id))
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			t.Fatal(err)
		}
		disks = append(disks, labs.Disk{Node: id, Logs: logs})
	}
	run.Judged, run.Verdict = nil, history.NotJudged
	run.Audit(multimaster.Lab(), disks)
	i := slices.IndexFunc(run.Judged, func(j labs.Judged) bool { return j.ID == "F1" })
	return run.Judged[i].Result
}

func TestWhatReplicasLeftOnTheirDisksIsExecutedAgainToTheSameStates(t *testing.T) {
	run, dir := kept(t, labs.Options{Seed: 3, Nemesis: []string{"kill", "ops:snapshot"}})
	if r := audited(t, run, dir); r.Verdict != history.Pass {
		t.Fatalf("%s: %s", r.Verdict, r.Reason)
	}
	logs, err := filepath.Glob(filepath.Join(dir, "nodes", "*", "disk", "*"))
	if err != nil || len(logs) < 18 {
		t.Fatal(logs, err)
	}
	for i, name := range logs {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		for part := range 5 { // of each file other bytes
			changed := slices.Clone(text)
			changed[len(text)*part/5+i%(len(text)/5)] ^= 1 << (i % 8)
			if err := os.WriteFile(name, changed, 0o666); err != nil {
				t.Fatal(err)
			}
			file, _ := filepath.Rel(dir, name)
			if r := audited(t, run, dir); r.Verdict != history.Fail || !strings.Contains(r.Reason, filepath.ToSlash(file)) || run.Verdict != history.Fail {
				t.Errorf("a bit of %s is not as it was, and the audit says %s: %s", file, r.Verdict, r.Reason)
			}
		}
		if err := os.WriteFile(name, text, 0o666); err != nil {
			t.Fatal(err)
		}
	}
	for _, id := range run.Topology.IDs() {
		if err := os.RemoveAll(labs.DiskFolder(dir, id)); err != nil {
			t.Fatal(err)
		}
	}
	if r := audited(t, run, dir); r.Verdict == history.Pass {
		t.Error("it passes with nothing on the disks")
	}
}

func TestExecutionThatDependsOnMoreThanTheLogDoesNotReplay(t *testing.T) {
	for seed := range uint64(5) { // transactions must wait for one lock, in what is left of the log
		run, dir := kept(t, labs.Options{Seed: seed + 1, Nemesis: []string{"none"}, Bug: "apply-iterates-map"})
		switch r := audited(t, run, dir); {
		case r.Verdict == history.Fail && strings.Contains(r.Reason, "executed again, the log of "):
			return
		case r.Verdict != history.Pass:
			t.Fatalf("%s: %s", r.Verdict, r.Reason)
		}
	}
	t.Error("it does in five seeds")
}
