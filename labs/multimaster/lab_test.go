package multimaster_test

import (
	"context"
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
	"faultlab/labs/multimaster"
	"faultlab/nodes"
	"faultlab/nodes/cluster/sim"
)

func simulated(spec nodes.Spec) (labs.Cluster, error) { return sim.Start(spec) }

func do(t *testing.T, o labs.Options) *labs.Run {
	t.Helper()
	o.Start = simulated
	run, err := labs.Do(context.Background(), multimaster.Lab(), o)
	if err != nil {
		t.Fatal(err)
	}
	return run
}

// Every known mistake is caught, by a guarantee that it is said to break, within the seeds that are claimed.
func TestEveryKnownBugIsCaught(t *testing.T) {
	for _, bug := range multimaster.Lab().System.Bugs {
		t.Run(bug.Name, func(t *testing.T) {
			t.Parallel()
			for seed := range bug.Seeds {
				o := labs.Options{Seed: uint64(seed + 1), Bug: bug.Name}
				if bug.Nemesis != "" {
					o.Nemesis = strings.Split(bug.Nemesis, ",")
				}
				for _, j := range do(t, o).Judged {
					if j.Verdict == history.Fail && slices.Contains(bug.Refutes, j.ID) {
						t.Logf("seed %d, %s: %s", seed+1, j.ID, j.Reason)
						return
					}
				}
			}
			t.Errorf("not caught in %d seeds by any of %v", bug.Seeds, bug.Refutes)
		})
	}
}

// Without a bug nothing fails and nothing is left open, whatever the nemesis does.
func TestTheStoreHolds(t *testing.T) {
	type one struct {
		nemesis string
		seed    uint64
		time    time.Duration
	}
	var runs []one
	for seed := uint64(1); seed <= 4; seed++ {
		runs = append(runs, one{"all", seed, time.Minute})
	}
	runs = append(runs, one{"none", 1, time.Minute})
	for i, spec := range multimaster.Lab().Faults {
		runs = append(runs, one{spec, uint64(10 + i), 40 * time.Second})
	}
	for _, r := range runs {
		t.Run(fmt.Sprint(r.nemesis, " ", r.seed), func(t *testing.T) {
			t.Parallel()
			run := do(t, labs.Options{Seed: r.seed, Nemesis: []string{r.nemesis}, Time: r.time})
			if run.Verdict != history.Pass {
				t.Errorf("%v %s", run.Verdict, run.Reason)
			}
			for _, j := range run.Judged {
				safety := strings.HasPrefix(j.ID, "O") && (j.ID != "O12" || r.nemesis == "ops:move") // O12 speaks of moves
				if j.Verdict > history.Pass || safety && j.Verdict == history.NotJudged {
					t.Errorf("%s %v: %s", j.ID, j.Verdict, j.Reason)
				}
			}
		})
	}
}

// The same seed gives the same bytes: on one processor as on many, and with every message passed through its wire format.
func TestTheSameSeedGivesTheSameBytes(t *testing.T) {
	// Faults of links, processes, disks and clients, and changes of members, in turn.
	faults := []string{"partition", "power-loss", "wipe", "disk", "clog", "membership", "ops", "duplicate-submit", "client-crash", "duplicate"}
	files := func(recode bool) map[string]string {
		t.Helper()
		run := do(t, labs.Options{Seed: 7, Time: 40 * time.Second, Nemesis: faults, Recode: recode})
		if n := run.Reached["raft: rejoining without a disk"]; n == 0 {
			t.Error("no disk was lost")
		}
		dir, err := run.Save(filepath.Join(t.TempDir(), "run"), labs.Origin{}, multimaster.Lab().System, nil)
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
