// Package multimaster is a multi-region multi-master OLTP store.
//
// Keys are split in ranges. A range lives in a consensus group, of three nodes in its home region or of one node in each
// region, and every region is home to some, so every region takes writes. It can be moved to another group, split and
// fenced. A client hands a whole transaction to a router in its own region: a program of
// reads, writes, appends, compare-and-sets and transfers that names every key it touches, so the program is its own
// declared read and write set. The log of a group orders transactions first; each replica then executes them
// deterministically (Calvin: Thomson et al., SIGMOD 2012).
//
// A transaction in one range commits in that range's log alone. One that spans ranges is committed in two phases, and
// its outcome is a record in the log of a coordinating group, so nobody's crash loses it (Gray and Lamport, "Consensus
// on Transaction Commit", 2006): inside a region that group is one of its ranges; across regions it is a status group,
// which has one replica in each region. Any participant may force a record that is still pending to abort after
// [ResolveAfter], so that locks outlive a coordinator by no more than that.
//
// Files, in the order a transaction meets them: router.go, group.go (a group, and the leader of a range), machine.go (the
// replicated state of a range), program.go (the executor), coordinator.go (two-phase commit), ranges.go (how ranges change
// owners); feed.go and replica.go (asynchronous copies of everything, for analytics). What an administrator may ask is in admin.go.
package multimaster

import (
	"time"

	"faultlab/nodes"
	"faultlab/nodes/raftlog"
)

const (
	// ResolveAfter is how long a prepared transaction waits for its outcome before a participant forces it, and how long
	// a coordinator waits for the votes of one attempt before it gives up: T_res of guarantee O9. It is well below a
	// client's second, so that who waits for a lost transaction's lock still gets an answer, and well above the quarter
	// of a second that a transaction over the farthest regions takes.
	ResolveAfter = 600 * time.Millisecond

	tick = 50 * time.Millisecond // of routers and leaders with work in hand

	resendTicks  = 6 // a coordinator asks a silent participant again
	resolveTicks = int(ResolveAfter / tick)
	retryTicks   = 20 // no further attempt is begun for a transaction that has met conflicts for so long
)

// System is the store, with its known mistakes.
func System() nodes.System {
	return nodes.System{
		Name: "multi-master",
		New:  func(bug string) nodes.Node { return newNode(bug) },
		Bodies: append([]any{
			Txn{}, TxnOK{}, TxnAborted{}, Lead{}, Members{}, Done{}, NotYet{},
			MoveRange{}, Split{}, Fence{}, Fenced{}, Compact{},
			Execute{}, Executed{}, NotLeader{}, Moved{}, Prepare{}, Vote{}, Resolve{}, Resolved{}, Query{},
			Order{}, Ordered{}, Offer{}, Ready{}, Adopt{}, Adopted{},
			Pull{}, Pulled{}, Scan{}, Scanned{}, Aggregate{}, Aggregated{},
			Digest{}, Locked{}, Unlocked{}, Owns{}, Sealed{},
		}, raftlog.Bodies()...),
		Bugs: bugs,
	}
}
