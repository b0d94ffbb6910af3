// Package queue is the lab of the cross-region FIFO queue in nodes/queue: its topology, what clients ask of it, and its
// promises Q1 to Q15 with their availability and recovery. README.md says them in words.
package queue

import (
	_ "embed"
	"time"

	"faultlab/checker/history"
	"faultlab/labs"
	"faultlab/nemesis"
	"faultlab/nodes"
	q "faultlab/nodes/queue"
	"faultlab/nodes/raftlog"
)

//go:embed README.md
var guide string

// Lab returns the lab.
func Lab() labs.Lab {
	return labs.Lab{
		Name:     "queue",
		About:    "a cross-region, partitioned FIFO queue: a replicated log for each shard, copies in the other regions",
		Guide:    guide,
		System:   q.System(),
		Messages: messages(),
		Topology: topology,
		Ground:   ground,
		Workload: newWorkload,
		Outcome:  outcome,

		FailureIsFinal: true, // of what has an effect only what is refused by name is said to have failed

		Operations: operations,
		Resolve:    resolve,
		Guarantees: guarantees,
		Faults:     drawn,
		Defaults:   labs.Defaults{Clients: 18, Rate: 120, WarmUp: 5 * time.Second, Calm: 15 * time.Second},
	}
}

// drawn is what --nemesis all draws from. The cut of a region has two turns, for A2 to A5 speak of little else ("hard=100"
// is as hard as ever), and so have splits, of which A6 speaks.
var drawn = append([]string{"partition:region:hard=100", "ops:split"}, everything...)

func topology(n int) (nodes.Topology, error) { return labs.ThreeRegions("queue", n) }

// leaderRole names the leader of a group, as a role.
func leaderRole(group string) string { return "leader of " + group }

// ground tells the nemesis the consensus groups, and that it may aim at their leaders.
func ground(t nodes.Topology) nemesis.Ground {
	g := nemesis.Ground{Topology: t}
	for _, group := range q.NewLayout(t).Groups {
		g.Groups = append(g.Groups, group.Voters)
		g.Roles = append(g.Roles, leaderRole(group.Name))
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

// outcome says what a reply means. That one try came to nothing says nothing of the others where there may be an effect.
func outcome(in, out any) history.Outcome {
	switch out.(type) {
	case q.SendOK, q.Assigned, q.Records, q.Gone, q.Committed, q.Described, q.Delivered, q.Effected, q.Reported, q.Reconciled, q.Done:
		return history.OK
	case q.Refused:
		if _, commit := in.(q.Commit); commit {
			return history.Unknown // an earlier try may have come before the newer generation
		}
		return history.Failed
	case q.NotNow:
		switch in.(type) {
		case q.Send, q.Commit, q.Deliver, q.Resend:
			return history.Unknown
		}
		return history.Failed
	}
	return history.Unknown
}
