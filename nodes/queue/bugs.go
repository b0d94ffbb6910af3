package queue

import "faultlab/nodes"

// The known mistakes. Each is one branch in the code, where the real mistake was made.
const (
	ackBeforeSync          = "ack-before-sync"
	ackBeforeQuorum        = "ack-before-quorum"
	dedupResetOnEpochBump  = "dedup-reset-on-epoch-bump"
	dedupNotInSnapshot     = "dedup-not-in-snapshot"
	dedupUnorderedCache    = "dedup-unordered-cache"
	retryAsNew             = "retry-unknown-as-new"
	refuseUnknown          = "refuse-unknown"
	readPastApplied        = "read-past-applied"
	childBeforeParentEnd   = "child-before-parent-end"
	parentAcceptsAfterSeal = "parent-accepts-after-seal"
	adoptAgain             = "adopt-again"
	zombieCommits          = "zombie-commits"
	cursorGoesBack         = "cursor-goes-back"

	promoteWithoutFence  = "promote-without-fence"
	healDiscardsMinority = "heal-discards-minority"
	keepsBeyondDeclared  = "keep-beyond-declared"
	reportForgets        = "report-forgets"
	resendsAsNew         = "resend-as-new"
	copyGoesOn           = "mirror-skips"
	copyUncommitted      = "mirror-uncommitted"
	geoDedup             = "geo-dedup-ignores-producer"
	dedupNotCopied       = "dedup-not-copied"
	sinkNotIdempotent    = "sink-not-idempotent"
)

var bugs = []nodes.Bug{
	{
		Name:    ackBeforeSync,
		About:   "a log is written and not synced, so a send is acknowledged before it is durable (the default of NATS JetStream 2.12.1)",
		Refutes: []string{"Q1", "Q2"}, Nemesis: "power-loss:all", Seeds: 2,
	}, {
		Name:    ackBeforeQuorum,
		About:   "a leader acknowledges a send when it has proposed it, and not when a majority has it (acks=1)",
		Refutes: []string{"Q1", "Q2"}, Seeds: 2,
	}, {
		Name:    dedupResetOnEpochBump,
		About:   "the child of a split or merge begins without what its parents remember of producers, so a retry is taken again (Redpanda #3039)",
		Refutes: []string{"Q5"}, Nemesis: "ops:split,lost-reply:all", Seeds: 5,
	}, {
		Name:    dedupNotInSnapshot,
		About:   "what a shard remembers of producers is no part of its snapshot, so after a restart a retry is taken again (Redpanda #5355, Pulsar #25861)",
		Refutes: []string{"Q5"}, Seeds: 5,
	}, {
		Name:    dedupUnorderedCache,
		About:   "when a shard forgets one of a producer's sends it is any of them and not the oldest, so a retry is refused though it was taken (Redpanda #5356)",
		Refutes: []string{"Q6", "Q15"}, Nemesis: "lost-reply:all", Seeds: 5,
	}, {
		Name:    retryAsNew,
		About:   "a gateway that hears nothing sends again under a new name (MongoDB SERVER-48307)",
		Refutes: []string{"Q1", "Q2", "Q5", "Q6"}, Seeds: 1,
	}, {
		Name:    refuseUnknown,
		About:   "a gateway that hears nothing says that the send was refused, though it may have been taken",
		Refutes: []string{"Q6"}, Seeds: 2,
	}, {
		Name:    readPastApplied,
		About:   "a poll shows what the leader has proposed and nobody has committed (Redpanda #10671)",
		Refutes: []string{"Q2", "Q6"}, Seeds: 5,
	}, {
		Name:    childBeforeParentEnd,
		About:   "a child of a split or merge does not know its parents, so a group may read it before it has committed all of them (the rule that Kinesis leaves to its consumers)",
		Refutes: []string{"Q9"}, Seeds: 2,
	}, {
		Name:    parentAcceptsAfterSeal,
		About:   "a sealed shard goes on taking sends for keys whose new shard is elsewhere (Dgraph #4496)",
		Refutes: []string{"Q1", "Q2", "Q9"}, Seeds: 1,
	}, {
		Name:    adoptAgain,
		About:   "a group to which a shard is handed over a second time begins it a second time, empty",
		Refutes: []string{"Q1", "Q2"}, Seeds: 5,
	}, {
		Name:    zombieCommits,
		About:   "a commit of an old generation is accepted, so a consumer that was taken for dead moves the cursor of its successor",
		Refutes: []string{"Q8"}, Seeds: 5,
	}, {
		Name:    cursorGoesBack,
		About:   "a commit that comes late takes the cursor back",
		Refutes: []string{"Q8"}, Seeds: 5,
	}, {
		Name:    promoteWithoutFence,
		About:   "a region that served a keyspace takes no notice of a promotion, and goes on acknowledging for ever (GitHub 2018)",
		Refutes: []string{"Q13", "Q14"}, Nemesis: "ops:promote", Seeds: 1,
	}, {
		Name:    healDiscardsMinority,
		About:   "a region that comes back drops what it had acknowledged and the new lineage lacks (RabbitMQ autoheal #123)",
		Refutes: []string{"Q13", "Q14"}, Nemesis: "partition:region,ops:promote", Seeds: 6,
	}, {
		Name:    keepsBeyondDeclared,
		About:   "a region that comes back keeps in its copy what is beyond the declared place",
		Refutes: []string{"Q11", "Q13", "Q14"}, Nemesis: "partition:region,ops:promote", Seeds: 6,
	}, {
		Name:    reportForgets,
		About:   "a report is told once, and forgotten with that",
		Refutes: []string{"Q13", "Q14"}, Nemesis: "partition:region,ops:promote", Seeds: 6,
	}, {
		Name:    resendsAsNew,
		About:   "what is sent again from a report is sent under a new name, so nobody can tell that it has been",
		Refutes: []string{"Q6"}, Nemesis: "partition:region,ops:promote", Seeds: 6,
	}, {
		Name:    copyGoesOn,
		About:   "a mirror takes in whatever it is brought, whether or not it goes on where the copy ends",
		Refutes: []string{"Q2", "Q11", "Q14"}, Nemesis: "duplicate", Seeds: 2,
	}, {
		Name:    copyUncommitted,
		About:   "a mirror is brought what the leader of the origin has proposed, though nobody may ever commit it",
		Refutes: []string{"Q2", "Q11", "Q14"}, Nemesis: "partition:halves", Seeds: 5,
	}, {
		Name:    geoDedup,
		About:   "a mirror takes a record for a duplicate when its number is not above the last one, whoever's that was (Pulsar #23697, #20128)",
		Refutes: []string{"Q2", "Q11", "Q14"}, Nemesis: "none", Seeds: 1,
	}, {
		Name:    dedupNotCopied,
		About:   "a mirror copies records and not what they say of their producers, so after a promotion a retry is taken again (Pulsar #25861)",
		Refutes: []string{"Q5"}, Nemesis: "lost-reply:all,ops:promote", Seeds: 2,
	}, {
		Name:    sinkNotIdempotent,
		About:   "the sink lets each delivery take effect, so a record that is delivered again counts twice",
		Refutes: []string{"Q15"}, Nemesis: "lost-reply:all", Seeds: 1,
	},
}
