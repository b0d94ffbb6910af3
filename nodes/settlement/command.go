package settlement

import "faultlab/nodes/pack"

// A command is one entry of a shard's consensus log. Which fields matter is said with each kind.
type command struct {
	Do      deed
	Now     int64 // the clock of the leader that proposed it
	Payment string
	Body    Hash
	Client  string
	Key     string
	From    string
	To      string
	Amount  int64
	Within  int64
	Memo    string
	Quote   Quote
	Region  string
	Verdict Verdict
	State   State
	Why     string
	Commit  bool
	Order   Order
	Window  uint64
	Nets    []Net
	Item    string
	IDs     []string
}

type deed uint8

const (
	accept  deed = iota + 1 // Client, Key, Body, From, To, Amount, Within, Memo, Quote; or Payment, to be reversed
	screen                  // Payment, Region, Verdict
	quote                   // Payment, Quote
	decide                  // Payment, State, Why
	forget                  // IDs: payments that have been resolved everywhere
	prepare                 // Order
	resolve                 // Payment, Commit
	closing                 // Region, Window: this shard posts into it no more
	settle                  // Region, Window, Nets; Item by mistake
	plant                   // Item, From, Amount
	match                   // IDs: items that are on both sides
	correct                 // Item, From, Amount
	compact                 // nothing
)

func (c *command) pack(p *pack.Pack) {
	p.Octet((*byte)(&c.Do))
	p.Signed(&c.Now)
	p.Text(&c.Payment)
	switch c.Do {
	case accept:
		c.Body.pack(p)
		p.Text(&c.Client)
		p.Text(&c.Key)
		p.Text(&c.From)
		p.Text(&c.To)
		p.Signed(&c.Amount)
		p.Signed(&c.Within)
		p.Text(&c.Memo)
		c.Quote.pack(p)
	case screen:
		p.Text(&c.Region)
		pack.Name(p, &c.Verdict)
	case quote:
		c.Quote.pack(p)
	case decide:
		pack.Name(p, &c.State)
		p.Text(&c.Why)
	case prepare:
		c.Order.pack(p)
	case resolve:
		p.Flag(&c.Commit)
	case closing, settle:
		p.Text(&c.Region)
		p.Number(&c.Window)
		pack.List(p, &c.Nets, (*Net).pack)
		p.Text(&c.Item)
	case plant, correct:
		p.Text(&c.Item)
		p.Text(&c.From)
		p.Signed(&c.Amount)
	case forget, match:
		pack.List(p, &c.IDs, packText)
	}
}

func packText(s *string, p *pack.Pack) { p.Text(s) }

func (o *Order) pack(p *pack.Pack) {
	p.Text(&o.Payment)
	o.Body.pack(p)
	p.Text(&o.From)
	p.Text(&o.To)
	p.Signed(&o.Out)
	p.Signed(&o.In)
	p.Signed(&o.Residue)
	p.Text(&o.Quote)
	p.Signed(&o.Rate)
	p.Flag(&o.Refund)
	p.Signed(&o.Expires)
}

func (c *command) encode() []byte { return pack.Write(192, c.pack) }

func decodeCommand(data []byte) *command {
	c := new(command)
	pack.Read(data, c.pack)
	return c
}
