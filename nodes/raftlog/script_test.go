package raftlog_test

import (
	"testing"

	"faultlab/nodes"
	"faultlab/nodes/nodestest"
	"faultlab/nodes/raftlog"
)

// Nodes n1 to n3 found a group; there may be others. In a cluster with bug=lazy followers hear lazily what is committed.
func TestScripts(t *testing.T) {
	nodestest.Run(t, nodes.System{
		Name:   "list",
		Bodies: bodies,
		Bugs:   []nodes.Bug{{Name: "lazy"}}, // which is none
		New: func(bug string) nodes.Node {
			return &host{list: list{talks: true}, cfg: raftlog.Config{
				Name: "g", Voters: []nodes.ID{"n1", "n2", "n3"}, Tick: tick, Election: election, SnapshotEvery: 4, LazyCommit: bug == "lazy",
			}}
		},
	}, "testdata")
}
