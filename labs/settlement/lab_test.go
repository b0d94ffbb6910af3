package settlement_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"faultlab/checker/history"
	"faultlab/labs"
	"faultlab/labs/settlement"
	"faultlab/nemesis"
	"faultlab/nodes"
	"faultlab/nodes/cluster/sim"
)

func simulated(spec nodes.Spec) (labs.Cluster, error) { return sim.Start(spec) }

func do(t *testing.T, o labs.Options) *labs.Run {
	t.Helper()
	o.Start = simulated
	run, err := labs.Do(context.Background(), settlement.Lab(), o)
	if err != nil {
		t.Fatal(err)
	}
	return run
}

// Every known mistake is caught, by a guarantee that it is said to break, within the seeds that are claimed.
func TestEveryKnownBugIsCaught(t *testing.T) {
	for _, bug := range settlement.Lab().System.Bugs {
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

// always are the promises that every run of forty seconds judges.
var always = []string{"L1", "L2", "L3", "L4", "L5", "L7", "L8", "L9", "L10", "L11", "L12", "L13", "L14", "L16", "R1"}

// Without a bug nothing fails and nothing is left open, whatever the nemesis does.
func TestTheLedgerHolds(t *testing.T) {
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
	for i, spec := range settlement.Lab().Faults {
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
				if j.Verdict > history.Pass || slices.Contains(always, j.ID) && j.Verdict == history.NotJudged {
					t.Errorf("%s %v: %s", j.ID, j.Verdict, j.Reason)
				}
			}
		})
	}
}

// The same seed gives the same bytes: on one processor as on many, and with every message passed through its wire format.
func TestTheSameSeedGivesTheSameBytes(t *testing.T) {
	faults := []string{"partition", "power-loss", "wipe:zone", "disk", "ops", "duplicate-submit", "client-crash"}
	files := func(recode bool) map[string]string {
		t.Helper()
		run := do(t, labs.Options{Seed: 7, Time: 40 * time.Second, Nemesis: faults, Recode: recode})
		dir, err := run.Save(filepath.Join(t.TempDir(), "run"), labs.Origin{}, settlement.Lab().System, nil)
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

// Whoever dies at whatever step of a payment between shards, all legs are posted or none, and nothing stays reserved. So
// it is with each plan that stands beside the lab.
func TestEveryPlanHolds(t *testing.T) {
	plans, err := filepath.Glob("plans/*.yaml")
	if err != nil || len(plans) < 10 {
		t.Fatal(plans, err)
	}
	for _, path := range plans {
		t.Run(strings.TrimSuffix(filepath.Base(path), ".yaml"), func(t *testing.T) {
			t.Parallel()
			data, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			plan, err := nemesis.ReadPlan(bytes.NewReader(data))
			if err != nil {
				t.Fatal(err)
			}
			for seed := uint64(1); seed <= 2; seed++ {
				run := do(t, labs.Options{Seed: seed, Plan: plan, Time: 35 * time.Second})
				if run.Verdict != history.Pass { // so every fault took effect
					t.Errorf("seed %d: %v %s", seed, run.Verdict, run.Reason)
				}
				for _, j := range run.Judged {
					if j.Verdict > history.Pass || slices.Contains([]string{"L2", "L11", "L13"}, j.ID) && j.Verdict == history.NotJudged {
						t.Errorf("seed %d: %s %v: %s", seed, j.ID, j.Verdict, j.Reason)
					}
				}
			}
		})
	}
}

// A cloud's disks are lost, both at once: nothing that was acknowledged is, and clients outside are served meanwhile.
func TestNothingIsLostWithACloud(t *testing.T) {
	judged := map[string]int{}
	for seed := uint64(1); seed <= 3; seed++ {
		run := do(t, labs.Options{Seed: seed, Nemesis: []string{"wipe:zone"}})
		for _, j := range run.Judged {
			if j.Verdict > history.Pass {
				t.Errorf("seed %d: %s %v: %s", seed, j.ID, j.Verdict, j.Reason)
			}
			if j.Verdict == history.Pass {
				judged[j.ID]++
			}
		}
	}
	for _, id := range []string{"L6", "L7", "A2"} {
		if judged[id] == 0 {
			t.Errorf("%s was never judged", id)
		}
	}
}

// The audit passes on what a run left, compacted logs among it, and fails wherever one byte of the ledger's files is
// changed, and says where; also if whoever changed it has made the checksum right again.
func TestTheAuditFindsEveryChangedByte(t *testing.T) {
	run := do(t, labs.Options{Seed: 5, Nemesis: []string{"wipe", "ops:compact"}})
	dir, err := run.Save(filepath.Join(t.TempDir(), "run"), labs.Origin{}, settlement.Lab().System, nil)
	if err != nil {
		t.Fatal(err)
	}
	var disks []labs.Disk
	for _, id := range run.Topology.IDs() {
		logs, err := sim.ReadDisk(labs.DiskFolder(dir, id))
		if err != nil {
			t.Fatal(err)
		}
		disks = append(disks, labs.Disk{Node: id, Logs: logs})
	}
	audited := func(disks []labs.Disk) history.Result {
		again := *run
		again.Judged = nil
		again.Audit(settlement.Lab(), disks)
		return again.Judged[0].Result
	}
	if r := audited(disks); r.Verdict != history.Pass {
		t.Fatal(r.Verdict, r.Reason)
	}
	kinds := map[string]int{}
	other := t.TempDir()
	for i, l := range disks[0].Logs { // those of the other nodes are alike
		shard, part, ours := strings.Cut(l.Name, ".")
		if !ours {
			continue
		}
		if part != "blocks" && part != "base" {
			part = "entries"
		}
		file, err := os.ReadFile(filepath.Join(labs.DiskFolder(dir, disks[0].Node), l.File))
		if err != nil {
			t.Fatal(err)
		}
		changed := func(at int, repaired bool) {
			data := slices.Clone(file)
			data[at] ^= 0x20
			if repaired {
				rechecked(data, at)
			}
			if err := os.WriteFile(filepath.Join(other, l.File), data, 0o666); err != nil {
				t.Fatal(err)
			}
			defer os.Remove(filepath.Join(other, l.File))
			logs, err := sim.ReadDisk(other)
			if err != nil || len(logs) != 1 {
				t.Fatal(err, logs)
			}
			var some []labs.Disk // the logs of that shard
			for _, d := range disks {
				d.Logs = slices.DeleteFunc(slices.Clone(d.Logs), func(l nodes.StoredLog) bool { return !strings.HasPrefix(l.Name, shard+".") })
				some = append(some, d)
			}
			at = slices.IndexFunc(some[0].Logs, func(other nodes.StoredLog) bool { return other.Name == l.Name })
			some[0].Logs[at] = logs[0]
			r := audited(some)
			if named := fmt.Sprintf("of %s, in nodes/%s/disk/%s: ", shard, disks[0].Node, l.File); r.Verdict != history.Fail || !strings.Contains(r.Reason, named) {
				t.Errorf("a byte of log %d, %s, was changed, and the audit says %v: %s", i, l.File, r.Verdict, r.Reason)
			}
			kinds[part]++
		}
		step := max(1, len(file)/3)
		for at := 3; at < len(file); at += step {
			changed(at, false)
			if at > 40 {
				changed(at, true)
			}
		}
	}
	if kinds["entries"] < 20 || kinds["blocks"] < 10 || kinds["base"] < 1 {
		t.Errorf("too little was changed: %v", kinds)
	}
}

// rechecked makes the checksum of the frame right that holds a byte of a log as the simulator saves it.
func rechecked(file []byte, changed int) {
	for at := 20; at < len(file); {
		n := int(binary.LittleEndian.Uint32(file[at:]))
		end := at + 17 + n
		if end > len(file) || n < 0 {
			return
		}
		if at <= changed && changed < end {
			if changed >= at+8 {
				binary.LittleEndian.PutUint32(file[at+4:], crc32.Checksum(file[at+8:end], crc32.MakeTable(crc32.Castagnoli)))
			}
			return
		}
		at = end
	}
}
