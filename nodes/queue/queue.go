// Package queue is a cross-region, partitioned FIFO queue: every region takes sends for its own keyspace in shards that
// are replicated logs, copies them to the other regions behind the acknowledgement, splits hot shards in use, and lets
// another region take over. It knows no faults, no checkers, and no clock but its own.
//
// Files, in the order a send meets them: node.go and router.go (a gateway: any node), atlas.go (where shards are),
// group.go (the leader of a group), machine.go and shard.go (the replicated state), cursor.go (consumer groups), split.go
// and load.go (splits and merges). Between regions: mirror.go (copies), promote.go, lineage.go and directory.go (how one comes
// to serve another's keyspace), regime.go (what that does to a group), tail.go (what it leaves behind), reconcile.go. What
// consumers share: consumers.go and sink.go. The entries of a log are in command.go, each kind of them beside what it does.
package queue

import (
	"time"

	"faultlab/nodes"
	"faultlab/nodes/raftlog"
)

const (
	tick      = 50 * time.Millisecond // of gateways and leaders with work in hand
	heartbeat = 2 * tick              // of groups: there are many, and each costs

	maxLines   = 20_000    // a shard that has a sixteenth more drops down to this
	keptMs     = 30_000    // a record is kept so long at least, unless there are too many
	ageMs      = 5_000     // how often the clock of a group is moved on
	maxRecords = 1_000     // in one answer
	maxBytes   = 256 << 10 // of keys and values in one answer
	maxWaitMs  = 10_000    // of a long poll

	maxFlying   = 4  // entries with sends that a leader has on their way, before more sends share one
	claimTicks  = 10 // a poll waits so long for its claim, or for the end of a parent
	errandTicks = 4  // a leader asks another group again

	windowTicks = 40     // of counting sends
	hotSends    = 40 * 2 // in a window: above this a shard is hot
	coldSends   = 4 * 2  // below this it is cold
	hotWindows  = 2
	coldWindows = 5
	maxLive     = 8 // shards of a keyspace, beyond which none is split unasked
)

// System is the queue, with its known mistakes.
func System() nodes.System {
	return nodes.System{
		Name: "queue",
		New:  func(bug string) nodes.Node { return newNode(bug) },
		Bodies: append([]any{
			Send{}, SendOK{}, Refused{}, NotNow{}, Join{}, Leave{}, Assigned{}, Poll{}, Commit{}, Committed{}, Read{}, Records{}, Gone{},
			Describe{}, Described{}, Deliver{}, Delivered{}, Effects{}, Effected{},
			Lead{}, Split{}, Merge{}, Promote{}, SnapshotNow{}, Reload{}, Report{}, Reported{}, Resend{}, Reconcile{}, Reconciled{},
			Done{}, NotYet{},
			Ask{}, Answer{}, NotLeader{}, Pull{}, Pulled{}, Regimes{},
			Prefix{}, Serves{}, Sealed{}, Promoted{}, Learnt{},
		}, raftlog.Bodies()...),
		Bugs: bugs,
	}
}
