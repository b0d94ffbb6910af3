package multimaster

import "faultlab/nodes"

// The known mistakes. Each is one branch in the code, where the real mistake was made.
const (
	readLocal          = "read-local-no-quorum"
	readPastLocks      = "read-past-locks"
	iteratesMap        = "apply-iterates-map"
	blindRetry         = "blind-retry-on-conflict"
	retryAsNew         = "retry-unknown-as-new"
	dedupInMemory      = "dedup-in-memory"
	decideBeforeLog    = "decide-before-log"
	voteNotPersisted   = "vote-not-persisted"
	noGlobalOrder      = "no-global-order-across-groups"
	stuckElection      = "stuck-election"
	rejoinsAsVoter     = "reformat-rejoins-as-voter"
	serveBeforeMove    = "serve-before-move-ts"
	serveAfterMove     = "serve-after-move"
	noWriteFence       = "no-write-fence"
	leaseOnWallClock   = "lease-on-wall-clock"
	visibleOnArrival   = "replica-visibility-by-arrival"
	closesOverPrepared = "replica-closes-over-prepared"
	forgetsSession     = "replica-forgets-session"
)

var bugs = []nodes.Bug{
	{
		Name:    readLocal,
		About:   "a router reads from the replica beside it without asking a quorum (VoltDB 6.3)",
		Refutes: []string{"O1", "O2"}, Seeds: 1,
	}, {
		Name:    readPastLocks,
		About:   "a read does not wait for the locks of a prepared transaction, so it may miss one that was acknowledged",
		Refutes: []string{"O1", "O2"}, Seeds: 2,
	}, {
		Name:    iteratesMap,
		About:   "transactions that wait for one lock go on in the order of a map, which differs from replica to replica (Weave on Tendermint)",
		Refutes: []string{"O4"}, Seeds: 1,
	}, {
		Name:    blindRetry,
		About:   "after a conflict the transaction is tried again on the strength of what it read the first time (TiDB #10075)",
		Refutes: []string{"O2"}, Seeds: 2,
	}, {
		Name:    retryAsNew,
		About:   "a router that hears nothing sends the transaction again under a new name (MongoDB SERVER-48307, TiDB #26359)",
		Refutes: []string{"O7"}, Seeds: 1,
	}, {
		Name:    dedupInMemory,
		About:   "only the leader that took a transaction knows that it did, so a retry at its successor is done again (Midaz #1974)",
		Refutes: []string{"O7"}, Seeds: 1,
	}, {
		Name:    decideBeforeLog,
		About:   "a coordinator tells its decision and puts it in the log a little later, so its successor may decide anew",
		Refutes: []string{"O3", "O5", "O7"}, Nemesis: "kill:all", Seeds: 2,
	}, {
		Name:    voteNotPersisted,
		About:   "a participant votes before its prepare is in the log, and its successor knows nothing of it (TigerBeetle #2996)",
		Refutes: []string{"O3", "O5"}, Seeds: 2,
	}, {
		Name:    noGlobalOrder,
		About:   "transactions that are prepared on the same keys in two groups do not wait for each other, so the groups may order them differently (SLOG, Detock)",
		Refutes: []string{"O2"}, Seeds: 1,
	}, {
		Name:    stuckElection,
		About:   "candidates wait for equally long, so they split the vote for ever (YugabyteDB 1.1.9)",
		Refutes: []string{"A1", "O9", "R1"}, Seeds: 2,
	}, {
		Name:    rejoinsAsVoter,
		About:   "a member that lost its disk formats a new one and goes on under its old name, though it has forgotten its votes and what it acknowledged (TigerBeetle's format in place of recover)",
		Refutes: []string{"A1", "O4", "O9", "R1"}, Nemesis: "wipe", Seeds: 2,
	}, {
		Name:    serveBeforeMove,
		About:   "the new owner of a range that moves starts from what it was when the move was offered, and not when it was sealed (Dgraph #4496)",
		Refutes: []string{"O2", "O5"}, Nemesis: "ops:move", Seeds: 2,
	}, {
		Name:    serveAfterMove,
		About:   "the old owner of a range that was moved goes on answering reads from what it has left (Dgraph #4538)",
		Refutes: []string{"O1", "O2", "O12"}, Nemesis: "ops:move", Seeds: 2,
	}, {
		Name:    noWriteFence,
		About:   "an owner is fenced in its leader's memory and not in its log, so that its next leader goes on under the old epoch (GitHub, October 2018)",
		Refutes: []string{"O8"}, Seeds: 2,
	}, {
		Name:    leaseOnWallClock,
		About:   "a leader that was confirmed of late answers reads without asking, until a time of its wall clock (YugabyteDB #975)",
		Refutes: []string{"O1", "O2"}, Nemesis: "clock:jump:offset=20s,partition:leader", Seeds: 7,
	}, {
		Name:    visibleOnArrival,
		About:   "an analytics replica shows what has arrived of each range, and not all of them as of one watermark (RDS PostgreSQL 17.4)",
		Refutes: []string{"O11"}, Seeds: 1,
	}, {
		Name:    closesOverPrepared,
		About:   "a range says that it is closed at a mark while a transaction is prepared in it that may yet get it, so a replica shows one part without the other",
		Refutes: []string{"O11"}, Seeds: 2,
	}, {
		Name:    forgetsSession,
		About:   "an analytics replica answers from a watermark below the one that the session has seen at another replica",
		Refutes: []string{"O11"}, Seeds: 2,
	},
}
