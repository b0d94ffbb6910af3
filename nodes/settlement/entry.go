package settlement

import (
	"crypto/sha256"

	"faultlab/nodes"
	"faultlab/nodes/pack"
)

// Everything that is hashed or signed has one encoding, canonical since each value has one: fields in the order of this
// file; a number is an unsigned varint (encoding/binary), a signed one a zigzag varint, a truth value one octet 0 or 1,
// a string or list its length as a number and what it holds, a Hash its 32 octets. Absent is zero, never left out.

// An Entry is one leaf of a shard's log. Which fields matter depends on Kind; the others are zero.
type Entry struct {
	Shard   string `json:"shard"`
	Index   uint64 `json:"index"` // from 0, without gaps
	Time    int64  `json:"time"`  // ledger time in nanoseconds: the larger of the entry before and the leader's clock
	Kind    Kind   `json:"kind"`
	Payment string `json:"payment,omitempty"`
	Body    Hash   `json:"body"` // BodyHash of what the client asked, in every entry of its payment

	Client   string  `json:"client,omitempty"`
	Key      string  `json:"key,omitempty"`
	From     string  `json:"from,omitempty"`
	To       string  `json:"to,omitempty"`
	Amount   int64   `json:"amount,omitempty"`
	Memo     string  `json:"memo,omitempty"`
	Expires  int64   `json:"expires,omitempty"`  // ledger time
	Reverses string  `json:"reverses,omitempty"` // the payment that this one pays back
	Quote    Quote   `json:"quote"`
	Region   string  `json:"region,omitempty"`
	Verdict  Verdict `json:"verdict,omitempty"`
	State    State   `json:"state,omitempty"`
	Why      string  `json:"why,omitempty"`
	Windows  []Place `json:"windows,omitempty"`
	Legs     []Leg   `json:"legs,omitempty"`
	Nets     []Net   `json:"nets,omitempty"`
	Item     string  `json:"item,omitempty"`
	Size     uint64  `json:"size,omitempty"`
}

// Kind is what an entry says.
type Kind string

const (
	// In the client's home shard.
	KindAccepted Kind = "accepted" // Client, Key, From, To, Amount, Memo, Expires, Reverses; Quote if the client brought one
	KindScreened Kind = "screened" // Region, Verdict: once for each region concerned, before it is decided
	KindQuoted   Kind = "quoted"   // Quote: the one that the ledger asked for
	KindDecided  Kind = "decided"  // State, Why: the one final state of the payment
	// In each shard that has one of its accounts.
	KindPrepared Kind = "prepared" // Legs: what would be posted; a leg below zero is reserved if the account is a client's
	KindPosted   Kind = "posted"   // Legs, Windows; Quote.ID and Quote.Rate if the currencies differ
	KindReleased Kind = "released" // what was prepared comes to nothing
	// Of windows.
	KindClosed  Kind = "closed"  // Region, Size (the window's number), Nets: this shard posts into it no more
	KindSettled Kind = "settled" // Region, Size (the window's number), Nets over all shards of the region, Legs; in the region's first shard
	// Of reconciliation and upkeep.
	KindPlanted   Kind = "planted"   // Item, Legs: a break, as somebody made it by hand
	KindCorrected Kind = "corrected" // Item, Legs: a compensating entry
	KindCompacted Kind = "compacted" // Size: entries below are replaced by hashes and balances
)

// A Leg is a change of an account's posted balance. In every entry that posts, legs sum to zero for each currency.
type Leg struct {
	Account string `json:"account"`
	Amount  int64  `json:"amount"`
}

// A Place is the window of a region in which a payment is posted.
type Place struct {
	Region string `json:"region"`
	Window uint64 `json:"window"`
}

// A Block is a run of BlockSize entries in a chain.
type Block struct {
	Shard  string `json:"shard"`
	Number uint64 `json:"number"` // from 0
	Size   uint64 `json:"size"`   // entries up to its end
	Root   Hash   `json:"root"`   // of the tree of that size
	Prev   Hash   `json:"prev"`   // hash of the block before; zero of the first
	Time   int64  `json:"time"`   // ledger time of its last entry
}

func (e *Entry) pack(p *pack.Pack) {
	p.Text(&e.Shard)
	p.Number(&e.Index)
	p.Signed(&e.Time)
	pack.Name(p, &e.Kind)
	p.Text(&e.Payment)
	e.Body.pack(p)
	p.Text(&e.Client)
	p.Text(&e.Key)
	p.Text(&e.From)
	p.Text(&e.To)
	p.Signed(&e.Amount)
	p.Text(&e.Memo)
	p.Signed(&e.Expires)
	p.Text(&e.Reverses)
	e.Quote.pack(p)
	p.Text(&e.Region)
	pack.Name(p, &e.Verdict)
	pack.Name(p, &e.State)
	p.Text(&e.Why)
	pack.List(p, &e.Windows, (*Place).pack)
	pack.List(p, &e.Legs, (*Leg).pack)
	pack.List(p, &e.Nets, (*Net).pack)
	p.Text(&e.Item)
	p.Number(&e.Size)
}

func (q *Quote) pack(p *pack.Pack) {
	p.Text(&q.ID)
	p.Text(&q.Client)
	p.Text(&q.From)
	p.Text(&q.To)
	p.Signed(&q.Rate)
	p.Signed(&q.Issued)
	p.Signed(&q.Until)
	sig := string(q.Sig)
	p.Text(&sig)
	if p.Reading() && sig != "" {
		q.Sig = []byte(sig)
	}
}

func (l *Leg) pack(p *pack.Pack) {
	p.Text(&l.Account)
	p.Signed(&l.Amount)
}

func (w *Place) pack(p *pack.Pack) {
	p.Text(&w.Region)
	p.Number(&w.Window)
}

func (n *Net) pack(p *pack.Pack) {
	p.Text(&n.Currency)
	p.Number(&n.Count)
	p.Signed(&n.Out)
	p.Signed(&n.In)
}

func (b *Block) pack(p *pack.Pack) {
	p.Text(&b.Shard)
	p.Number(&b.Number)
	p.Number(&b.Size)
	b.Root.pack(p)
	b.Prev.pack(p)
	p.Signed(&b.Time)
}

func (h *Hash) pack(p *pack.Pack) {
	for i := range h {
		p.Octet(&h[i])
	}
}

// Canonical returns the bytes of an entry, whose leaf hash is SHA-256 of a zero octet and them (RFC 6962, 2.1).
func (e *Entry) Canonical() []byte { return pack.Write(256, e.pack) }

// ParseEntry is the inverse of Canonical. It panics at bytes that are none.
func ParseEntry(data []byte) *Entry {
	e := new(Entry)
	pack.Read(data, e.pack)
	return e
}

// Canonical returns the bytes of a block.
func (b *Block) Canonical() []byte { return pack.Write(160, b.pack) }

// Hash returns the hash of a block: SHA-256 of an octet 2 and its bytes.
func (b *Block) Hash() Hash { return blockHash(b.Canonical()) }

// BodyHash is SHA-256 of what makes a payment the one that a client asked for: "pay", then Client, Key, From, To, Amount,
// Memo, Within and the quote's ID ("" if it brings none).
func (b *Pay) BodyHash() Hash {
	what, quote := "pay", ""
	if b.Quote != nil {
		quote = b.Quote.ID
	}
	return sha256.Sum256(pack.Write(128, func(p *pack.Pack) {
		p.Text(&what)
		p.Text(&b.Client)
		p.Text(&b.Key)
		p.Text(&b.From)
		p.Text(&b.To)
		p.Signed(&b.Amount)
		p.Text(&b.Memo)
		p.Signed(&b.Within)
		p.Text(&quote)
	}))
}

// BodyHash is SHA-256 of "reverse", Client, Key and Payment.
func (b *Reverse) BodyHash() Hash {
	what := "reverse"
	return sha256.Sum256(pack.Write(64, func(p *pack.Pack) {
		p.Text(&what)
		p.Text(&b.Client)
		p.Text(&b.Key)
		p.Text(&b.Payment)
	}))
}

// HeadBytes are what a node signs in a head: the string "settlement head", then all fields before Sig in order.
func HeadBytes(h *Head) []byte {
	what := "settlement head"
	return pack.Write(160, func(p *pack.Pack) {
		p.Text(&what)
		p.Text(&h.Shard)
		p.Number(&h.Size)
		h.Root.pack(p)
		h.Chain.pack(p)
		p.Signed(&h.Time)
		pack.Name(p, &h.Node)
	})
}

// QuoteBytes are what the FX engine signs: the string "settlement quote", then all fields before Sig in order.
func QuoteBytes(q *Quote) []byte {
	what, plain := "settlement quote", *q
	plain.Sig = nil
	return pack.Write(96, func(p *pack.Pack) {
		p.Text(&what)
		plain.pack(p) // ends with the length of no signature
	})
}

// BlockSigBytes are what a node signs of a block that it stores: the string "settlement block", then the block's bytes.
func BlockSigBytes(b *Block) []byte {
	what := "settlement block"
	return pack.Write(192, func(p *pack.Pack) {
		p.Text(&what)
		b.pack(p)
	})
}

// SeedOf is what a node's ed25519 key is made from, so that anybody can tell its public key: SHA-256 of "settlement key
// of " and its name. In earnest a key would be made by chance, kept by the node, and published.
func SeedOf(id nodes.ID) [32]byte { return sha256.Sum256([]byte("settlement key of " + string(id))) }

// blockHash is the hash of a block of these bytes.
func blockHash(canonical []byte) Hash { return sha256.Sum256(append([]byte{2}, canonical...)) }
