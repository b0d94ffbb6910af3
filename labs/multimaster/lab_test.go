package multimaster_test

import (
	"strings"
	"testing"
	"time"

	"faultlab/labs"
	"faultlab/labs/labstest"
	"faultlab/labs/multimaster"
	"faultlab/nodes"
	"faultlab/nodes/cluster/sim"
)

var trial = labstest.Trial{Lab: multimaster.Lab(), Start: func(spec nodes.Spec) (labs.Cluster, error) { return sim.Start(spec) }}

func TestEveryKnownBugIsCaught(t *testing.T) { trial.Bugs(t) }

func TestTheGuideIsTrue(t *testing.T) { trial.Guide(t) }

func TestTheStoreHolds(t *testing.T) {
	trial.Holds(t, func(id string, c labstest.Case) bool {
		return strings.HasPrefix(id, "O") && (id != "O12" || c.Nemesis == "ops:move") // O12 speaks of moves
	})
}

func TestTheSameSeedGivesTheSameBytes(t *testing.T) {
	// Faults of links, processes, disks and clients, and changes of members, in turn.
	faults := []string{"partition", "power-loss", "wipe", "disk", "clog", "membership", "ops", "duplicate-submit", "client-crash", "duplicate"}
	trial.Repeats(t, labs.Options{Seed: 7, Time: 40 * time.Second, Nemesis: faults}, "raft: rejoining without a disk")
}
