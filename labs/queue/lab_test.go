package queue_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"faultlab/checker/history"
	"faultlab/labs"
	"faultlab/labs/labstest"
	"faultlab/labs/queue"
	"faultlab/nodes"
	"faultlab/nodes/cluster/sim"
)

var trial = labstest.Trial{Lab: queue.Lab(), Start: func(spec nodes.Spec) (labs.Cluster, error) { return sim.Start(spec) }}

func TestEveryKnownBugIsCaught(t *testing.T) { trial.Bugs(t) }

func TestTheGuideIsTrue(t *testing.T) { trial.Guide(t) }

func TestTheQueueHolds(t *testing.T) {
	always := []string{"Q1", "Q2", "Q3", "Q4", "Q5", "Q6", "Q7", "Q8", "Q11", "Q12", "Q14", "Q15", "R1"}
	trial.Holds(t, func(id string, _ labstest.Case) bool { return slices.Contains(always, id) })
}

func TestTheSameSeedGivesTheSameBytes(t *testing.T) {
	// Faults of links, processes, disks and clients, and changes of members, in turn.
	faults := []string{"partition", "power-loss", "wipe", "disk", "clog", "ops", "duplicate-submit", "client-crash", "duplicate"}
	trial.Repeats(t, labs.Options{Seed: 7, Time: 40 * time.Second, Nemesis: faults}, "raft: rejoining without a disk")
}

// A region that is cut off goes on serving its own clients, another one takes over what was copied, and what was not is
// in the report.
func TestATakeoverLeavesATail(t *testing.T) {
	for seed := uint64(1); seed <= 3; seed++ {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			run := trial.Do(t, labs.Options{Seed: seed, Plan: labstest.Plan(t, "takeover"), Time: 40 * time.Second})
			for _, j := range run.Judged {
				if j.Verdict > history.Pass || j.Verdict == history.NotJudged && slices.Contains([]string{"Q13", "Q14", "A2", "A3", "A4", "A5", "R2"}, j.ID) {
					t.Errorf("%s %v: %s", j.ID, j.Verdict, j.Reason)
				}
				if tail, _ := j.Evidence["tail"].(int); j.ID == "Q13" && tail == 0 {
					t.Error("nothing was acknowledged beyond what was declared")
				}
			}
		})
	}
}
