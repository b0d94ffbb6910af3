// Package multimaster is the lab of the multi-region multi-master OLTP store in nodes/multimaster: its topology, what
// clients ask of it, and its promises O1 to O12 with their availability and recovery. README.md says them in
// words.
package multimaster

import (
	_ "embed"
	"time"

	"faultlab/checker/history"
	"faultlab/labs"
	"faultlab/nemesis"
	"faultlab/nodes"
	mm "faultlab/nodes/multimaster"
	"faultlab/nodes/raftlog"
)

//go:embed README.md
var guide string

// Lab returns the lab.
func Lab() labs.Lab {
	return labs.Lab{
		Name:     "multi-master",
		About:    "a multi-region multi-master OLTP store: consensus per key range, two-phase commit between ranges",
		Guide:    guide,
		System:   mm.System(),
		Messages: messages(),
		Topology: topology,
		Ground:   ground,
		Workload: newWorkload,
		Outcome:  outcome,

		FailureIsFinal: true, // by (session, number)

		Operations: operations,
		Resolve:    resolve,
		Guarantees: guarantees,
		Audits:     []labs.Audit{replays()},
		// The cut of a region has two turns, for A2 to A5 speak of little else; "hard=100" is as hard as ever.
		Faults: []string{
			"partition", "partition:region", "partition:region:hard=100", "kill", "power-loss", "pause", "slow", "reorder", "loss", "lost-reply", "clock",
			"duplicate", "corrupt", "clog", "restart-all", "wipe", "disk", "ops", "ops:move", "membership", "upgrade", "client-crash", "duplicate-submit",
		},
		Defaults: labs.Defaults{Clients: 18, Rate: 200, WarmUp: 5 * time.Second, Calm: 15 * time.Second},
	}
}

func topology(n int) (nodes.Topology, error) { return labs.ThreeRegions("multi-master", n) }

// leaderRole names the leader of a group, as a role.
func leaderRole(group string) string { return "leader of " + group }

// ground tells the nemesis the consensus groups, and that it may aim at their leaders. The leader of a status group is
// the coordinator of the transactions across regions whose records it keeps.
func ground(t nodes.Topology) nemesis.Ground {
	g := nemesis.Ground{Topology: t}
	l := mm.NewLayout(t)
	for _, r := range l.Groups() {
		g.Groups = append(g.Groups, r.Voters)
		g.Roles = append(g.Roles, leaderRole(r.Name))
	}
	return g
}

// resolve finds the last member that was elected to lead a group.
func resolve(h *history.History, role string) []nodes.ID {
	for i := len(h.Events) - 1; i >= 0; i-- {
		if e, ok := h.Events[i].Event.(raftlog.Leads); ok && leaderRole(e.Group) == role {
			return []nodes.ID{nodes.ID(h.Events[i].Node)}
		}
	}
	return nil
}

// outcome says what a reply means: the store answers only what it knows.
func outcome(_, out any) history.Outcome {
	switch out.(type) {
	case mm.TxnOK, mm.Done, mm.Fenced, mm.Scanned, mm.Aggregated:
		return history.OK
	case mm.TxnAborted:
		return history.Failed
	}
	return history.Unknown
}
