package settlement

import "faultlab/nodes"

// The known mistakes. Each is one branch in the code, where the real mistake was made.
const (
	unlockBeforeRead   = "unlock-before-read"
	idemCheckThenAct   = "idem-check-then-act"
	idemInMemory       = "idem-in-memory"
	idemIgnoresBody    = "idem-ignores-body"
	revertTwice        = "revert-not-exclusive"
	batchRerun         = "batch-rerun-new-ids"
	keepsReserve       = "timeout-keeps-reserve"
	windowSkipped      = "window-skipped-on-reserved-path"
	windowCloseAsync   = "window-close-async"
	notifyForEver      = "notify-for-ever"
	flipLeaf           = "flip-leaf-before-integrate"
	indexBeforeCommit  = "index-before-commit"
	indexSkips         = "index-skips-on-restart"
	fxLegSeparate      = "fx-leg-separate-commit"
	quoteReused        = "quote-reused-after-retry"
	failOpen           = "compliance-fail-open"
	syncBreaksChain    = "state-sync-breaks-chain"
	misdirectedOK      = "misdirected-write-ok"
	decideBeforeLog    = "decide-before-log"
	ackInOneCloud      = "ack-in-one-cloud"
	balanceFromReplica = "balance-from-replica"
	compactDropsHash   = "compact-drops-hashes"
	reconcileRewrites  = "reconcile-rewrites"
	asksEveryShard     = "asks-every-shard"
)

var bugs = []nodes.Bug{
	{
		Name:    unlockBeforeRead,
		About:   "funds are checked by the leader as it proposes and not where the entry is ordered, so two payments pass on the same balance (Formance #1135)",
		Refutes: []string{"L8"}, Seeds: 2,
	}, {
		Name:    idemCheckThenAct,
		About:   "whether a key is new is checked by the leader as it proposes and not where the entry is ordered (Formance #1633)",
		Refutes: []string{"L3"}, Seeds: 2,
	}, {
		Name:    idemInMemory,
		About:   "only the leader that accepted a payment knows its key, so a retry at its successor is paid again (Midaz #1974)",
		Refutes: []string{"L3"}, Seeds: 2,
	}, {
		Name:    idemIgnoresBody,
		About:   "the same key with another body is answered as if it were the first (Formance #921)",
		Refutes: []string{"L3"}, Seeds: 2,
	}, {
		Name:    revertTwice,
		About:   "two reversals of one payment both pass, since the payment is marked only when one has been posted (Formance, 4a13ed468)",
		Refutes: []string{"L2"}, Seeds: 2,
	}, {
		Name:    batchRerun,
		About:   "a scheduler that takes over settles its windows again, under new order numbers (Santander, 25 December 2021)",
		Refutes: []string{"L11"}, Seeds: 2,
	}, {
		Name:    keepsReserve,
		About:   "an expired payment does not give back what it had reserved (Mojaloop #868)",
		Refutes: []string{"L13"}, Seeds: 2,
	}, {
		Name:    windowSkipped,
		About:   "what was prepared first is posted without a window (Mojaloop #2526)",
		Refutes: []string{"L11"}, Seeds: 2,
	}, {
		Name:    windowCloseAsync,
		About:   "a window is called closed, and settled, when it begins to close (Mojaloop #2105)",
		Refutes: []string{"L11"}, Seeds: 2,
	}, {
		Name:    notifyForEver,
		About:   "a leader tells of the end of a payment at every tick (Mojaloop #2810)",
		Refutes: []string{"L13"}, Seeds: 2,
	}, {
		Name:    flipLeaf,
		About:   "a bit of a leaf hash flips between its computation and the tree, on every replica alike (Yeti 2022)",
		Refutes: []string{"L5"}, Seeds: 2,
	}, {
		Name:    indexBeforeCommit,
		About:   "statements show what is prepared as if it were posted (Radix archive)",
		Refutes: []string{"L9"}, Seeds: 2,
	}, {
		Name:    indexSkips,
		About:   "after a restart the index goes on from where the log ends, and lacks what was written since its last save (Radix archive)",
		Refutes: []string{"L9"}, Seeds: 5,
	}, {
		Name:    fxLegSeparate,
		About:   "the legs of an exchange commit by themselves, each as it is prepared",
		Refutes: []string{"L2"}, Seeds: 2,
	}, {
		Name:    quoteReused,
		About:   "a quote is not marked as used, so that a client's next payment may use it again",
		Refutes: []string{"L10"}, Seeds: 2,
	}, {
		Name:    failOpen,
		About:   "a compliance service that does not answer in time is taken to allow",
		Refutes: []string{"L12"}, Seeds: 3,
	}, {
		Name:    syncBreaksChain,
		About:   "a replica that is brought up to date by a snapshot begins its chain of blocks anew (TigerBeetle #1598)",
		Refutes: []string{"L4"}, Seeds: 5,
	}, {
		Name:    misdirectedOK,
		About:   "what cannot be read back from disk is replaced in silence, by whatever the first other replica sends (TigerBeetle #2711)",
		Refutes: []string{"L6"}, Nemesis: "disk", Seeds: 6,
	}, {
		Name:    decideBeforeLog,
		About:   "the coordinator tells its decision and puts it in the log a little later, so its successor may decide anew",
		Refutes: []string{"L2"}, Seeds: 2,
	}, {
		Name:    ackInOneCloud,
		About:   "a payment is acknowledged once its own cloud has it",
		Refutes: []string{"L7"}, Seeds: 2,
	}, {
		Name:    balanceFromReplica,
		About:   "a ledger node answers for balances from the replica beside the client, which may be behind (VoltDB 6.3)",
		Refutes: []string{"L9"}, Seeds: 2,
	}, {
		Name:    compactDropsHash,
		About:   "compaction forgets leaf hashes with their entries, and puts zeros in their place where proofs need them",
		Refutes: []string{"L15"}, Nemesis: "ops:compact", Seeds: 3,
	}, {
		Name:    reconcileRewrites,
		About:   "reconciliation takes a break out of its list and books no compensating entry",
		Refutes: []string{"L14"}, Seeds: 2,
	}, {
		Name:    asksEveryShard,
		About:   "before it accepts a payment a shard asks the others whether they know the key",
		Refutes: []string{"L16"}, Seeds: 2,
	},
}
