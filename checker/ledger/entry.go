// Package ledger reads the logs of a double-entry settlement ledger from their canonical bytes, adds up what they say,
// and tells what in them breaks a rule. It is written from the description of the format and shares no code with the
// nodes that write it, so it judges what they served, and what lies on their disks, as a stranger would.
package ledger

import (
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"

	"faultlab/checker/merkle"
)

// A Hash is a SHA-256.
type Hash = merkle.Hash

// An Entry is one leaf of a shard's log; which fields matter depends on Kind.
type Entry struct {
	Shard    string
	Index    uint64
	Time     int64
	Kind     string
	Payment  string
	Body     Hash
	Client   string
	Key      string
	From     string
	To       string
	Amount   int64
	Memo     string
	Expires  int64
	Reverses string
	Quote    Quote
	Region   string
	Verdict  string
	State    string
	Why      string
	Windows  []Place
	Legs     []Leg
	Nets     []Net
	Item     string
	Size     uint64

	Leaf Hash // of its bytes
}

// A Quote is a rate for one payment of one client, signed by the FX engine.
type Quote struct {
	ID, Client, From, To string
	Rate, Issued, Until  int64
	Sig                  string
}

// A Place is the window of a region in which a payment is posted.
type Place struct {
	Region string
	Window uint64
}

// A Leg is a change of an account.
type Leg struct {
	Account string
	Amount  int64
}

// A Net is what a region's accounts paid and received in one currency in a window.
type Net struct {
	Currency string
	Count    uint64
	Out, In  int64
}

// A Block is a run of entries in a chain.
type Block struct {
	Shard      string
	Number     uint64
	Size       uint64
	Root, Prev Hash
	Time       int64
}

// A reader takes fields off bytes. After the first that is none, all are zero.
type reader struct {
	data []byte
	bad  bool
}

func (r *reader) number() uint64 {
	v, n := binary.Uvarint(r.data)
	if n <= 0 || n > 1 && r.data[n-1] == 0 { // or it could be shorter
		r.bad, r.data = true, nil
		return 0
	}
	r.data = r.data[n:]
	return v
}

func (r *reader) signed() int64 {
	u := r.number()
	return int64(u>>1) ^ -int64(u&1)
}

func (r *reader) text() string {
	n := r.number()
	if n > uint64(len(r.data)) {
		r.bad, r.data = true, nil
		return ""
	}
	s := string(r.data[:n])
	r.data = r.data[n:]
	return s
}

func (r *reader) hash() (h Hash) {
	if len(r.data) < len(h) {
		r.bad, r.data = true, nil
		return h
	}
	r.data = r.data[copy(h[:], r.data):]
	return h
}

// count is the length of a list, of which each item takes an octet at least.
func (r *reader) count() int {
	n := r.number()
	if n > uint64(len(r.data)) {
		r.bad, r.data = true, nil
		return 0
	}
	return int(n)
}

func (r *reader) end(what string) error {
	switch {
	case r.bad:
		return fmt.Errorf("these bytes are no %s", what)
	case len(r.data) > 0:
		return fmt.Errorf("%d bytes follow the %s", len(r.data), what)
	}
	return nil
}

func (r *reader) quote() Quote {
	return Quote{
		ID: r.text(), Client: r.text(), From: r.text(), To: r.text(),
		Rate: r.signed(), Issued: r.signed(), Until: r.signed(), Sig: r.text(),
	}
}

// Decode reads an entry. No other bytes than its canonical ones are that entry.
func Decode(data []byte) (*Entry, error) {
	r := reader{data: data}
	e := &Entry{
		Shard: r.text(), Index: r.number(), Time: r.signed(), Kind: r.text(), Payment: r.text(), Body: r.hash(),
		Client: r.text(), Key: r.text(), From: r.text(), To: r.text(), Amount: r.signed(), Memo: r.text(), Expires: r.signed(), Reverses: r.text(),
		Quote: r.quote(), Region: r.text(), Verdict: r.text(), State: r.text(), Why: r.text(),
	}
	for range r.count() {
		e.Windows = append(e.Windows, Place{r.text(), r.number()})
	}
	for range r.count() {
		e.Legs = append(e.Legs, Leg{r.text(), r.signed()})
	}
	for range r.count() {
		e.Nets = append(e.Nets, Net{r.text(), r.number(), r.signed(), r.signed()})
	}
	e.Item, e.Size = r.text(), r.number()
	e.Leaf = merkle.Leaf(data)
	return e, r.end("entry")
}

// Canonical is the bytes of an entry, of which Decode is the inverse.
func (e *Entry) Canonical() []byte {
	q := &e.Quote
	fields := []any{
		e.Shard, e.Index, e.Time, e.Kind, e.Payment, e.Body, e.Client, e.Key, e.From, e.To, e.Amount, e.Memo, e.Expires, e.Reverses,
		q.ID, q.Client, q.From, q.To, q.Rate, q.Issued, q.Until, q.Sig, e.Region, e.Verdict, e.State, e.Why, uint64(len(e.Windows)),
	}
	for _, w := range e.Windows {
		fields = append(fields, w.Region, w.Window)
	}
	fields = append(fields, uint64(len(e.Legs)))
	for _, l := range e.Legs {
		fields = append(fields, l.Account, l.Amount)
	}
	fields = append(fields, uint64(len(e.Nets)))
	for _, n := range e.Nets {
		fields = append(fields, n.Currency, n.Count, n.Out, n.In)
	}
	return Write(append(fields, e.Item, e.Size)...)
}

// Canonical is the bytes of a block.
func (b *Block) Canonical() []byte { return Write(b.Shard, b.Number, b.Size, b.Root, b.Prev, b.Time) }

// DecodeBlock reads a block.
func DecodeBlock(data []byte) (*Block, error) {
	r := reader{data: data}
	b := &Block{Shard: r.text(), Number: r.number(), Size: r.number(), Root: r.hash(), Prev: r.hash(), Time: r.signed()}
	return b, r.end("block")
}

// BlockHash is the hash of a block of these bytes, which the next one names.
func BlockHash(canonical []byte) Hash { return sha256.Sum256(append([]byte{2}, canonical...)) }

// Write makes the canonical bytes of fields: string, uint64, int64 or Hash.
func Write(fields ...any) []byte {
	var b []byte
	for _, f := range fields {
		switch v := f.(type) {
		case string:
			b = append(binary.AppendUvarint(b, uint64(len(v))), v...)
		case uint64:
			b = binary.AppendUvarint(b, v)
		case int64:
			b = binary.AppendVarint(b, v)
		case Hash:
			b = append(b, v[:]...)
		default:
			panic(fmt.Sprintf("ledger: a field of type %T", f))
		}
	}
	return b
}

// Key is the public key of a node.
func Key(node string) ed25519.PublicKey {
	seed := sha256.Sum256([]byte("settlement key of " + node))
	return ed25519.NewKeyFromSeed(seed[:]).Public().(ed25519.PublicKey)
}

// Signed says whether the engine of that name signed the quote.
func (q *Quote) Signed(engine ed25519.PublicKey) bool {
	data := Write("settlement quote", q.ID, q.Client, q.From, q.To, q.Rate, q.Issued, q.Until, "")
	return len(q.Sig) == ed25519.SignatureSize && ed25519.Verify(engine, data, []byte(q.Sig))
}

// A Head is what a node says of a shard's tree.
type Head struct {
	Shard       string
	Size        uint64
	Root, Chain Hash
	Time        int64
	Node        string
	Sig         []byte
}

// Signed says whether its node signed the head.
func (h *Head) Signed(node ed25519.PublicKey) bool {
	data := Write("settlement head", h.Shard, h.Size, h.Root, h.Chain, h.Time, h.Node)
	return len(h.Sig) == ed25519.SignatureSize && ed25519.Verify(node, data, h.Sig)
}

// PayBody is the hash of what a client asked with a payment.
func PayBody(client, key, from, to string, amount int64, memo string, within int64, quote string) Hash {
	return sha256.Sum256(Write("pay", client, key, from, to, amount, memo, within, quote))
}

// ReverseBody is the hash of what a client asked with a reversal.
func ReverseBody(client, key, payment string) Hash {
	return sha256.Sum256(Write("reverse", client, key, payment))
}

// SignedBlock takes a block as it lies on a node's disk: its canonical bytes and the node's signature.
func SignedBlock(data []byte, node ed25519.PublicKey) (canonical []byte, err error) {
	if len(data) < ed25519.SignatureSize {
		return nil, errors.New("it is shorter than a signature")
	}
	canonical = data[: len(data)-ed25519.SignatureSize : len(data)-ed25519.SignatureSize]
	if !ed25519.Verify(node, append(Write("settlement block"), canonical...), data[len(canonical):]) {
		return nil, errors.New("its signature is not the node's")
	}
	return canonical, nil
}
