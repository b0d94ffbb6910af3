// Package settlement is a settlement ledger: payments within and between regions and currencies, on an append-only ledger
// whose replicas stand in several clouds.
//
// Members. Every ledger node is a replica of every shard. A router takes clients' requests in its region and passes them
// on, which every ledger node does too. One FX engine gives quotes; each region has a compliance service. What a member
// is, its name says: see Layout. A region is a jurisdiction: its shards with their accounts, its router, its compliance
// service, its windows. A cloud is a zone of the topology.
//
// Shards. An account is SHARD/HOLDER/CURRENCY and lives in its shard, one consensus group (raftlog) over all ledger
// nodes, which begins with a leader in the shard's region. An entry of the group's log is a command; the machine
// (machine.go), a function of the log alone, makes ledger entries of it. With six nodes, two in each of three clouds, a
// majority is four and spans two clouds; all the same a leader acknowledges nothing before it has counted two clouds.
//
// Accounts. An account is there without being opened, with nothing on it. A holder that begins with @ is the ledger's
// own and has no limit; of any other what is posted less what is pending never falls below zero.
//
//	@issue      money comes from here and goes back
//	@fx         liquidity, in each currency
//	@round      what rounding left, in the currency's own millionths: currency EUR~ is millionths of EUR's minor unit
//	@due.SHARD  what this shard owes to another (above zero) or is owed by it
//	@suspense   the other side of breaks and of their corrections
//	@net, @settle  the two sides of what a window came to, in the region's first shard
//
// Legs. A payment of a from account A in shard s to account B in shard t posts in s and in t; legs sum to zero for each
// currency in each entry by itself.
//
//	one currency, one shard     A -a, B +a
//	one currency, two shards    s: A -a, s/@due.t +a               t: t/@due.s -a, B +a
//	two currencies, one shard   A -a, s/@fx +a, s/@fx -b, B +b, and the residue
//	two currencies, two shards  s: A -a, s/@fx +a                  t: t/@fx -b, B +b, and the residue
//	the residue, r > 0          t/@fx/CUR~ -r, t/@round/CUR~ +r
//
// where b = a*rate/RateUnit rounded down, in favour of liquidity, and r = a*rate mod RateUnit. A reversal posts what
// its payment posted with every sign turned (so r is taken back).
//
// A payment's way. Its home H is the shard of the client. Each step is an entry of H or of a participant, so a new
// leader finds every payment where it stands, and drives it on until all is resolved; all messages may be repeated.
//
//	1 accepted   in H: (client, key) is new. Lost before: the client's retry begins anew. From here it comes to an end.
//	2 screened   in H, for each region of its accounts: the compliance service said allow. Deny voids, review parks.
//	  quoted     in H, if currencies differ and the client brought no quote: asked of the FX engine, good at this entry
//	3 prepared   in s and in t: funds are there and reserved. Lost before: H asks again, or expires it.
//	4 decided    in H: posted once both have voted; voided at a no; expired once ledger time has passed Expires
//	5 posted     in s and in t, in the window of the region that is open there and then; or released
//
// If H has both accounts (a domestic payment of one shard) steps 3 to 5 are one command of that group, and no other
// group is asked anything. If H has one of them, its own step 3 goes with the last verdict, its own step 5 with the
// decision.
//
// Idempotency. H keeps (client, key), with the hash of the body, for Retention of ledger time after the end. A
// participant remembers for as long that a payment has ended with it, and prepares none that expired half of that ago,
// so that a Prepare which comes very late reserves nothing; that is so while the ledger times of two shards differ by
// less than three minutes.
//
// Ledger time is stamped in entries: the larger of the previous entry's and the leader's clock. Quotes, expiry and
// windows know no other. The FX engine stamps quotes in the ledger time of the client's home, which comes with the
// request.
//
// Windows. A region's windows are numbered from 1, and each shard of the region posts into the one that is open in it.
// A payment counts for each of its regions once: for From's region in s, for To's in t if that is another region. To
// close window w the leader of the region's first shard, the scheduler, has each shard of the region close it, adds up
// what they say, settles w in one entry of its own, and only then says that it is closed. Payments prepared while a
// window closes roll over, since a window is assigned when legs are posted. Windows also close by themselves,
// WindowLength of ledger time after they opened.
//
// Immutability. Entries are the leaves of an RFC 6962 tree (golang.org/x/mod/sumdb/tlog), and of blocks of BlockSize in a
// hash chain; entry.go has their canonical bytes. Signed heads, receipts and consistency proofs come from any replica.
//
// Disk. Beside raftlog's log of its name ("EU1") a shard has one log for each segment of SegmentSize entries ("EU1.0",
// "EU1.1": record n is the canonical bytes of the segment's n-th entry), one of blocks in order ("EU1.blocks": a record
// is a block's canonical bytes and 64 bytes of this node's signature), and once it has been compacted "EU1.base", a
// snapshot: the base as a number, and a list of accounts with the signed balances that entries below it left. A segment
// that was had from another replica begins with a snapshot: an octet 1 and a list of its first entries, each a length
// and its bytes. Of one that was compacted nothing is left but a snapshot: an octet 2 and a list of its leaf hashes, 32
// octets each. A record of one octet marks that a log was written anew, and says nothing. Consensus snapshots hold the
// machine's state, the hash of each full segment's subtree and the leaf hashes of the last one, but no entries.
//
// Scrub. At a boot, and every ScrubEvery for one segment in turn, a replica reads entries back from disk and compares
// their hashes with its tree. What is not what it was is reported, never served, and fetched from other replicas: a
// segment is believed if it hashes to what the tree says. So does a replica that lost its disk get its entries back.
//
// Files, in the order a payment meets them: node.go and layout.go (members and roles), router.go (clients), shard.go (a
// replica and its leader), machine.go (the replicated state), payments.go (accept, screen, decide), legs.go (prepare
// and post), drive.go (the leader's side of a payment), windows.go, reconcile.go, tree.go and ledger.go (the tree and
// its entries on disk), scrub.go, query.go (proofs and statements), fx.go, compliance.go.
package settlement

import (
	"time"

	"faultlab/nodes"
	"faultlab/nodes/raftlog"
)

// What the design promises with.
const (
	MaxAmount     = 1_000_000_000_000_000 // minor units in one payment
	RateUnit      = 1_000_000             // a rate is so many times what it says
	DefaultExpiry = 20 * time.Second      // in ledger time, if Pay.Within is 0
	MaxExpiry     = 2 * time.Minute       // the longest that a client may ask for
	Retention     = 10 * time.Minute      // of ledger time: so long after its end a payment's key is known
	QuoteFor      = 5 * time.Second       // of ledger time: so long a quote is good
	WindowLength  = 15 * time.Second      // of ledger time
	SegmentSize   = 256                   // entries in a segment: a power of two, so that a full one is a subtree
	BlockSize     = 32                    // entries in a block
	ScrubEvery    = 500 * time.Millisecond

	TScrub = 30 * time.Second // within that a scrub has been round, if all shards together have up to TScrub/ScrubEvery segments
	TBoot  = time.Second      // within that of a boot damage that is there is told, since a boot reads everything
)

// System is the ledger, with its known mistakes.
func System() nodes.System {
	return nodes.System{
		Name: "settlement",
		New:  func(bug string) nodes.Node { return newNode(bug) },
		Bodies: append([]any{
			Pay{}, Reverse{}, Status{}, Paid{}, Conflict{}, Refused{}, GetQuote{}, Quote{}, NoQuote{}, GetBalance{}, Balance{},
			GetStatement{}, Statement{}, GetReceipt{}, Receipt{}, GetHead{}, Head{}, GetConsistency{}, Consistency{},
			GetEntries{}, Entries{}, CloseWindow{}, WindowClosed{}, Reconcile{}, Reconciled{}, Plant{}, Scrub{}, Scrubbed{},
			Compact{}, TakeSnapshot{}, Lead{}, Service{}, Done{}, NotYet{},
			Forward{}, Answer{}, NotLeader{}, Prepare{}, Vote{}, Resolve{}, Resolved{}, Query{}, Screen{}, Screening{},
			PriceQuote{}, Priced{}, CloseShard{}, ShardClosed{}, Fetch{}, Fetched{},
			Sealed{}, Digest{}, Durable{}, Screened{}, Issued{}, Crossed{}, Notified{}, Damaged{}, Repaired{}, Halted{}, Scanned{},
		}, raftlog.Bodies()...),
		Bugs: bugs,
	}
}
