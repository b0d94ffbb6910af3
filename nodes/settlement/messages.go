package settlement

import (
	"encoding/hex"
	"fmt"

	"faultlab/nodes"
)

// What clients ask, and what they hear. Any ledger node and any router takes it; but what is asked of "the node that
// gets it" only a ledger node can answer, and a router says NotYet.

// Pay asks that Amount minor units of the currency of From be paid to To, in the currency of To. Client names who pays,
// as SHARD/NAME ("EU1/c3"): that shard is the client's home and keeps the payment. Key is the client's own for this
// payment: the same key and the same body are the same payment for [Retention], on any node. It is answered with Paid,
// Conflict or Refused.
type Pay struct {
	Client string `json:"client"`
	Key    string `json:"key"`
	From   string `json:"from"` // an account: SHARD/HOLDER/CURRENCY ("EU1/anna/EUR")
	To     string `json:"to"`
	Amount int64  `json:"amount"`           // from 1 to MaxAmount
	Quote  *Quote `json:"quote,omitempty"`  // where the currencies differ: one that the client asked for; nil, and the ledger asks for one
	Within int64  `json:"within,omitempty"` // milliseconds of ledger time after which it expires if it is not decided, up to MaxExpiry; 0: DefaultExpiry
	Memo   string `json:"memo,omitempty"`
}

// Reverse asks that a posted payment of the same client be paid back, leg by leg, by a new payment. A payment is
// reversed once at most; one whose reversal came to nothing may be reversed again. The answers are those of Pay.
type Reverse struct {
	Client  string `json:"client"`
	Key     string `json:"key"`
	Payment string `json:"payment"`
}

// Status asks what became of a payment: Paid, or Refused if the client's home shard knows no such key. It is strict.
type Status struct {
	Client string `json:"client"`
	Key    string `json:"key"`
}

// Paid says where a payment stands. State is final unless it is Accepted: then the payment will come to an end by
// itself, and Status tells. Pay and Reverse are answered with Posted once all legs are, so that whoever then asks for a
// balance sees it; Status is, once that is decided.
type Paid struct {
	Payment string `json:"payment"` // "EU1-17": home shard, and the index there of the entry that accepted it
	State   State  `json:"state"`
	Why     string `json:"why,omitempty"`
	Index   uint64 `json:"index"` // in the home shard, of the entry that decided it, or that accepted it if none has
}

// State is where a payment stands. All but Accepted are final.
type State string

const (
	Accepted State = "accepted" // durable, and not yet decided
	Posted   State = "posted"   // all legs are, or will be, posted: nothing can change that
	Voided   State = "voided"   // no leg is: a denial, or no funds
	Expired  State = "expired"  // no leg is: it was not decided in time
	Parked   State = "parked"   // no leg is: compliance wants a person to look at it
)

// Conflict says that the key was used for another body. The payment surely does not happen.
type Conflict struct {
	Why string `json:"why"`
}

// Refused says that what was asked surely did not happen and will not: it makes no sense, or the quote is no good.
type Refused struct {
	Why string `json:"why"`
}

// GetQuote asks for a quote for one payment of the client, answered with Quote, or NoQuote.
type GetQuote struct {
	Client string `json:"client"`
	From   string `json:"from"` // currency
	To     string `json:"to"`
}

// A Quote is a rate for one payment of one client. An amount a of From is a*Rate/RateUnit of To, in minor units,
// rounded down; what is rounded off, a*Rate mod RateUnit, is booked to the rounding account.
type Quote struct {
	ID     string `json:"id"`
	Client string `json:"client"`
	From   string `json:"from"`
	To     string `json:"to"`
	Rate   int64  `json:"rate"`
	Issued int64  `json:"issued"` // ledger time of the client's home shard, in nanoseconds
	Until  int64  `json:"until"`  // good in entries stamped up to then
	Sig    []byte `json:"sig"`    // ed25519, by the FX engine, of QuoteBytes
}

// NoQuote says that there is no quote to be had now.
type NoQuote struct {
	Why string `json:"why"`
}

// GetBalance asks for the balance of an account, answered with Balance. It is strict: linearizable.
type GetBalance struct {
	Account string `json:"account"`
}

// Balance is what an account holds. What may be spent is Posted less Pending.
type Balance struct {
	Account string `json:"account"`
	Posted  int64  `json:"posted"`
	Pending int64  `json:"pending"` // reserved by payments that are prepared and not decided
	Size    uint64 `json:"size"`    // of the shard's log
}

// GetStatement asks the node that gets it, whoever leads, for an account's entries up to AsOf (a tree size: the entries
// with a lower index), from From on. AsOf 0 is the newest that the node has published. It is answered with Statement,
// or Refused: compacted, not yet here, or being repaired.
type GetStatement struct {
	Account string `json:"account"`
	From    uint64 `json:"from,omitempty"`
	AsOf    uint64 `json:"as_of,omitempty"`
}

// A Statement is the fold of the log below Head.Size, as far as it concerns an account. Lines lie in [From, Head.Size),
// Opening is the balance below From.
type Statement struct {
	Account string `json:"account"`
	From    uint64 `json:"from"`
	Opening int64  `json:"opening"`
	Lines   []Line `json:"lines"`
	Closing int64  `json:"closing"`
	Head    Head   `json:"head"`
}

// A Line is one entry's effect on the posted balance of an account.
type Line struct {
	Index   uint64 `json:"index"`
	Payment string `json:"payment"`
	Amount  int64  `json:"amount"`
}

// GetReceipt asks the node that gets it for proof that a payment of the client is in the log of the client's home shard:
// of the entry that decided it, or of the one that accepted it if Accepted is set or none has decided it yet. Answered
// with Receipt or Refused.
type GetReceipt struct {
	Client   string `json:"client"`
	Key      string `json:"key"`
	Accepted bool   `json:"accepted,omitempty"`
}

// A Receipt is an entry with its inclusion proof under a signed tree head (RFC 6962, 2.1.1). The leaf is to be recomputed
// from Entry, whose Body must be BodyHash of what the client asked.
type Receipt struct {
	Entry Entry  `json:"entry"`
	Head  Head   `json:"head"`
	Proof []Hash `json:"proof"`
}

// GetHead asks a node for its signed head of a shard's tree: of Size, or its newest if that is 0. Answered with Head or
// Refused.
type GetHead struct {
	Shard string `json:"shard"`
	Size  uint64 `json:"size,omitempty"`
}

// A Head is a signed tree head: a node says that a shard's log of Size entries has this Merkle root, and this last block.
type Head struct {
	Shard string   `json:"shard"`
	Size  uint64   `json:"size"`
	Root  Hash     `json:"root"`
	Chain Hash     `json:"chain"` // of the last block that ends at or below Size; zero if none does
	Time  int64    `json:"time"`  // ledger time of that block
	Node  nodes.ID `json:"node"`
	Sig   []byte   `json:"sig"` // ed25519, by the node, of HeadBytes
}

// GetConsistency asks a node for the proof that its tree of size Old is a prefix of that of size New (RFC 6962, 2.1.2).
type GetConsistency struct {
	Shard string `json:"shard"`
	Old   uint64 `json:"old"`
	New   uint64 `json:"new"`
}

// Consistency answers GetConsistency, or Refused does.
type Consistency struct {
	Shard string `json:"shard"`
	Old   Head   `json:"old"`
	New   Head   `json:"new"`
	Proof []Hash `json:"proof"`
}

// GetEntries asks the node that gets it for up to 256 entries of a shard from First on. Answered with Entries or Refused.
type GetEntries struct {
	Shard string `json:"shard"`
	First uint64 `json:"first"`
	Count uint64 `json:"count"`
}

// Entries is canonical entries, and what a verifier needs to see that they are the log's: the node's newest head. Fewer
// than asked for, or none, where the log ends. Base is the size up to which the log was compacted: entries below are
// gone, Balances are what they left (once, with the entries that begin at Base).
type Entries struct {
	Shard    string         `json:"shard"`
	First    uint64         `json:"first"`
	Entries  [][]byte       `json:"entries"`
	Head     Head           `json:"head"`
	Base     uint64         `json:"base"`
	Balances []SavedBalance `json:"balances,omitempty"`
}

// A SavedBalance is the posted balance of an account after the entries below the base of a compacted log.
type SavedBalance struct {
	Account string `json:"account"`
	Posted  int64  `json:"posted"`
}

// CloseWindow asks that a region's settlement window be closed, netted and settled. It is answered with WindowClosed
// once nothing can post into the window any more and it has been settled; it may be asked again. Window 0 is the one
// that is open when the leader of the region's first shard hears of it.
type CloseWindow struct {
	Region string `json:"region"`
	Window uint64 `json:"window"`
}

// WindowClosed says what a closed window came to. Order is the index in the region's first shard of the entry that
// settled it.
type WindowClosed struct {
	Region string `json:"region"`
	Window uint64 `json:"window"`
	Nets   []Net  `json:"nets"`
	Order  uint64 `json:"order"`
}

// A Net is what a region's accounts paid and received in one currency, in payments posted in a window.
type Net struct {
	Currency string `json:"currency"`
	Count    uint64 `json:"count"` // of payments
	Out      int64  `json:"out"`
	In       int64  `json:"in"`
}

// Reconcile asks a node to compare what shards hold against each other, and to correct each break by a compensating
// entry. Answered with Reconciled, or NotYet if a shard could not be asked; then it may be asked again.
type Reconcile struct{}

// Reconciled lists the breaks that were found and are corrected, by item in order. What is in flight is no break.
type Reconciled struct {
	Breaks []Break `json:"breaks"`
}

// A Break is an item that one shard has on its account with another, and the other has not.
type Break struct {
	Shard   string `json:"shard"`
	Account string `json:"account"`
	Item    string `json:"item"`
	Amount  int64  `json:"amount"`
	Matched bool   `json:"matched,omitempty"` // between shards: a former run has found it on both sides
}

// Plant makes a break, as a mistaken booking by hand does: Amount to the shard's account with another shard, against its
// suspense account, and nothing at the other side. The same item is planted once. Answered with Done.
type Plant struct {
	Shard    string `json:"shard"`
	With     string `json:"with"` // the other shard
	Currency string `json:"currency"`
	Item     string `json:"item"`
	Amount   int64  `json:"amount"`
}

// Scrub asks a node to read all its entries back from disk now and to compare them with its tree. Answered with Scrubbed.
type Scrub struct{}

// Scrubbed says what a node's scrub found. Damaged counts entries that are not what they were; Missing those still to be
// had from other nodes, of which none is served.
type Scrubbed struct {
	Node    nodes.ID `json:"node"`
	Entries uint64   `json:"entries"`
	Damaged uint64   `json:"damaged"`
	Missing uint64   `json:"missing"`
}

// Compact asks that all replicas of a shard replace full segments of entries that are older than what is retained by
// their leaf hashes and the balances that they left. Answered with Done, also if none is old enough.
type Compact struct {
	Shard string `json:"shard"`
}

// TakeSnapshot asks a node to take a snapshot of a shard's consensus group now, so that its log is cut. Answered with
// Done.
type TakeSnapshot struct {
	Shard string `json:"shard"`
}

// Lead asks that a shard be led by a node. Only its leader answers: Done if it is so, else NotYet.
type Lead struct {
	Shard string   `json:"shard"`
	Node  nodes.ID `json:"node"`
}

// Service tells an FX engine or a compliance service how to be: "up", "slow" (it answers SlowBy later) or "down": an
// engine that is down has a rate source that does not answer, and says NoQuote once its rates are stale; a compliance
// service that is down is silent. Answered with Done.
type Service struct {
	Be string `json:"be"`
}

// Done says that what an administrator asked is so.
type Done struct{}

// NotYet says that it is not so, but may be soon.
type NotYet struct {
	Why string `json:"why"`
}

// What nodes say to each other.

// Forward passes a request to the leader of a shard: exactly one of the pointers is set. Request is the asking node's
// own number for it.
type Forward struct {
	Shard   string        `json:"shard"`
	Request uint64        `json:"request"`
	Pay     *Pay          `json:"pay,omitempty"`
	Reverse *Reverse      `json:"reverse,omitempty"`
	Status  *Status       `json:"status,omitempty"`
	Balance *GetBalance   `json:"balance,omitempty"`
	Quote   *GetQuote     `json:"quote,omitempty"`
	Close   *CloseWindow  `json:"close,omitempty"`
	Plant   *Plant        `json:"plant,omitempty"`
	Compact *Compact      `json:"compact,omitempty"`
	Items   *AskItems     `json:"items,omitempty"`
	Match   *Matched      `json:"match,omitempty"`
	Correct *CorrectBreak `json:"correct,omitempty"`
}

// Answer answers Forward: exactly one of the pointers is set.
type Answer struct {
	Shard    string        `json:"shard"`
	Request  uint64        `json:"request"`
	Paid     *Paid         `json:"paid,omitempty"`
	Conflict *Conflict     `json:"conflict,omitempty"`
	Refused  *Refused      `json:"refused,omitempty"`
	Balance  *Balance      `json:"balance,omitempty"`
	Quote    *Quote        `json:"quote,omitempty"`
	NoQuote  *NoQuote      `json:"no_quote,omitempty"`
	Closed   *WindowClosed `json:"closed,omitempty"`
	Items    *Items        `json:"items,omitempty"`
	Done     *Done         `json:"done,omitempty"`
	NotYet   *NotYet       `json:"not_yet,omitempty"`
}

// NotLeader answers what only the leader of a shard can do.
type NotLeader struct {
	Shard   string   `json:"shard"`
	Leader  nodes.ID `json:"leader,omitempty"` // as far as is known
	Request uint64   `json:"request,omitempty"`
}

// Prepare asks a participant to reserve its part of a payment.
type Prepare struct {
	Shard string `json:"shard"` // the participant
	Order Order  `json:"order"`
}

// An Order is what a participant needs to know of a payment. Payment's first part names the coordinator.
type Order struct {
	Payment string `json:"payment"`
	Body    Hash   `json:"body"`
	From    string `json:"from"`
	To      string `json:"to"`
	Out     int64  `json:"out"` // minor units that leave From
	In      int64  `json:"in"`  // and reach To
	Residue int64  `json:"residue,omitempty"`
	Quote   string `json:"quote,omitempty"`
	Rate    int64  `json:"rate,omitempty"`
	Refund  bool   `json:"refund,omitempty"` // it reverses one of that rate, so Residue is taken back
	Expires int64  `json:"expires"`          // no participant prepares it when its ledger time is beyond by half of Retention
}

// A Vote answers Prepare, once it is in the participant's log.
type Vote struct {
	Shard       string `json:"shard"` // the coordinator
	Participant string `json:"participant"`
	Payment     string `json:"payment"`
	Yes         bool   `json:"yes"`
	Why         string `json:"why,omitempty"`
}

// Resolve tells a participant the outcome.
type Resolve struct {
	Shard   string `json:"shard"` // the participant
	Payment string `json:"payment"`
	Commit  bool   `json:"commit"`
}

// Resolved answers Resolve, once its effect is in the participant's log.
type Resolved struct {
	Shard       string `json:"shard"` // the coordinator
	Participant string `json:"participant"`
	Payment     string `json:"payment"`
}

// Query is a participant that holds a reserve and has heard nothing: the coordinator answers with Resolve once it knows.
type Query struct {
	Shard       string `json:"shard"` // the coordinator
	Participant string `json:"participant"`
	Payment     string `json:"payment"`
}

// Screen asks a region's compliance service whether a payment may be made.
type Screen struct {
	Shard   string `json:"shard"` // that asks
	Payment string `json:"payment"`
	Region  string `json:"region"`
	From    string `json:"from"`
	To      string `json:"to"`
	Amount  int64  `json:"amount"`
	Memo    string `json:"memo,omitempty"`
}

// Screening answers Screen.
type Screening struct {
	Shard   string  `json:"shard"`
	Payment string  `json:"payment"`
	Region  string  `json:"region"`
	Verdict Verdict `json:"verdict"`
}

// Verdict is what a compliance service says.
type Verdict string

const (
	Allow  Verdict = "allow"
	Deny   Verdict = "deny"   // final
	Review Verdict = "review" // the payment is parked
)

// PriceQuote asks the FX engine for a quote. AsOf is the ledger time of the client's home shard.
type PriceQuote struct {
	Shard   string `json:"shard"`
	Request string `json:"request"`
	Client  string `json:"client"`
	From    string `json:"from"`
	To      string `json:"to"`
	AsOf    int64  `json:"as_of"`
}

// Priced answers PriceQuote: Quote is nil if there is none.
type Priced struct {
	Shard   string `json:"shard"`
	Request string `json:"request"`
	Quote   *Quote `json:"quote,omitempty"`
	Why     string `json:"why,omitempty"`
}

// CloseShard asks a shard of a region to close its part of a window.
type CloseShard struct {
	Shard  string `json:"shard"`
	From   string `json:"from"` // the region's first shard
	Region string `json:"region"`
	Window uint64 `json:"window"`
}

// ShardClosed answers CloseShard, once that is in the shard's log.
type ShardClosed struct {
	Shard  string `json:"shard"` // the region's first shard
	Part   string `json:"part"`  // the one that has closed
	Region string `json:"region"`
	Window uint64 `json:"window"`
	Nets   []Net  `json:"nets"`
}

// AskItems asks a shard for what is on its accounts with other shards. It is strict.
type AskItems struct{}

// Items answers AskItems. Live are the payments that the shard coordinates and has not yet seen to their end everywhere.
type Items struct {
	All  []Break  `json:"all"`
	Live []string `json:"live"`
}

// Matched tells a shard that these items are on both sides. They are forgotten after Retention.
type Matched struct {
	Items []string `json:"items"`
}

// CorrectBreak asks a shard to take a break back by a compensating entry. A break is corrected once.
type CorrectBreak struct {
	Break Break `json:"break"`
}

// Fetch asks another replica for a segment of a shard's entries.
type Fetch struct {
	Shard   string `json:"shard"`
	Segment uint64 `json:"segment"`
}

// Fetched answers Fetch: canonical entries from the first of the segment on, or if it was compacted its leaf hashes;
// nothing if this replica lacks them too. Nothing of it is believed before it hashes to what the asker's tree says.
type Fetched struct {
	Shard   string   `json:"shard"`
	Segment uint64   `json:"segment"`
	Entries [][]byte `json:"entries,omitempty"`
	Leaves  []Hash   `json:"leaves,omitempty"`
}

// What nodes tell as evidence.

// Sealed is evidence: a replica has a block, and so this tree.
type Sealed struct {
	Shard string `json:"shard"`
	Block uint64 `json:"block"`
	Size  uint64 `json:"size"` // entries up to the end of the block
	Root  Hash   `json:"root"`
	Chain Hash   `json:"chain"`
}

// Digest is evidence: what a replica's state adds up to after the consensus log's entry at Index.
type Digest struct {
	Shard string `json:"shard"`
	Index uint64 `json:"index"`
	Sum   uint64 `json:"sum,string"`
}

// Durable is evidence: the leader acknowledges a payment, which is on the disks of these replicas, as far as it knows.
type Durable struct {
	Shard   string     `json:"shard"`
	Payment string     `json:"payment"`
	Nodes   []nodes.ID `json:"nodes"`
	Clouds  []string   `json:"clouds"`
}

// Screened is evidence, of a compliance service: it has decided. The same payment is decided the same whenever asked.
type Screened struct {
	Payment string  `json:"payment"`
	Region  string  `json:"region"`
	Verdict Verdict `json:"verdict"`
}

// Issued is evidence, of the FX engine: it has given a quote.
type Issued struct {
	Quote Quote `json:"quote"`
}

// Crossed is evidence: the leader of one shard has sent a message about a payment to another shard.
type Crossed struct {
	Payment string `json:"payment"`
	From    string `json:"from"`
	To      string `json:"to"`
	What    string `json:"what"` // the name of the message
}

// Notified is evidence: who waits for a payment is told that it has come to an end. A leader does it once.
type Notified struct {
	Payment string `json:"payment"`
	State   State  `json:"state"`
}

// Damaged is evidence: a replica found that what is on its disk is not what it wrote. Of entries it serves none of
// their segment until it is repaired. Blocks are written anew from the tree. A consensus log is told at once, and if it
// is to be read again, at a boot, the replica joins as a new member.
type Damaged struct {
	Shard   string `json:"shard"`
	Log     string `json:"log"` // "EU1.3" of entries, "EU1.blocks", "EU1"
	Segment uint64 `json:"segment"`
	First   uint64 `json:"first"` // of the entries that are damaged or gone
	Count   uint64 `json:"count"`
	How     string `json:"how"` // "unreadable", "changed"; or "missing", which entries also are after a wipe or a snapshot from the leader
}

// Repaired is evidence: a segment was had from another replica, and hashes to what it should.
type Repaired struct {
	Shard   string   `json:"shard"`
	Segment uint64   `json:"segment"`
	From    nodes.ID `json:"from"`
}

// Halted is evidence: a segment cannot be repaired, since no other replica has what this one lacks. It serves nothing
// of it, and goes on asking.
type Halted struct {
	Shard   string `json:"shard"`
	Segment uint64 `json:"segment"`
}

// Scanned is evidence: a scrub has read every entry of a shard on this replica since the last one.
type Scanned struct {
	Shard   string `json:"shard"`
	Entries uint64 `json:"entries"`
}

// A Hash is a SHA-256, in hexadecimal where it is text.
type Hash [32]byte

// MarshalText implements encoding.TextMarshaler.
func (h Hash) MarshalText() ([]byte, error) { return hex.AppendEncode(nil, h[:]), nil }

// UnmarshalText implements encoding.TextUnmarshaler.
func (h *Hash) UnmarshalText(text []byte) error {
	if len(text) != 2*len(h) {
		return fmt.Errorf("settlement: a hash of %d digits", len(text))
	}
	_, err := hex.Decode(h[:], text)
	return err
}

func (h Hash) String() string { return hex.EncodeToString(h[:]) }
