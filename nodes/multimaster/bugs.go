package multimaster

import "faultlab/nodes"

// The known mistakes. Each is one branch in the code, where the real mistake was made.
const (
	readLocal        = "read-local-no-quorum"
	readPastLocks    = "read-past-locks"
	iteratesMap      = "apply-iterates-map"
	blindRetry       = "blind-retry-on-conflict"
	retryAsNew       = "retry-unknown-as-new"
	dedupInMemory    = "dedup-in-memory"
	decideBeforeLog  = "decide-before-log"
	voteNotPersisted = "vote-not-persisted"
	noGlobalOrder    = "no-global-order-across-groups"
	stuckElection    = "stuck-election"
	rejoinsAsVoter   = "reformat-rejoins-as-voter"
	trustsDamage     = "skip-block-checksum"
)

var bugs = []nodes.Bug{
	{
		Name:    readLocal,
		About:   "a router reads from the replica beside it without asking a quorum (VoltDB 6.3)",
		Refutes: []string{"O1", "O2"}, Seeds: 1,
	}, {
		Name:    readPastLocks,
		About:   "a read does not wait for the locks of a prepared transaction, so it may miss one that was acknowledged",
		Refutes: []string{"O1", "O2"}, Seeds: 1,
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
		Refutes: []string{"O3", "O5", "O7"}, Seeds: 2,
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
		Refutes: []string{"A1", "O9", "R1"}, Seeds: 4,
	}, {
		Name:    rejoinsAsVoter,
		About:   "a member that lost its disk formats a new one and goes on under its old name, though it has forgotten its votes and what it acknowledged (TigerBeetle's format in place of recover)",
		Refutes: []string{"O1", "O2", "O3", "O4", "O5", "O6", "O9", "R1"}, Nemesis: "wipe,kill", Seeds: 5,
	}, {
		Name:    trustsDamage,
		About:   "a member takes what it can still read of a damaged log for all of it, and goes on as if it had promised nothing more",
		Refutes: []string{"O1", "O2", "O3", "O4", "O5", "O6", "O9", "R1"}, Nemesis: "disk:truncate,disk:bit-flip,kill", Seeds: 5,
	},
}
