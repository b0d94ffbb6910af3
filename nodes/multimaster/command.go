package multimaster

import "faultlab/nodes/pack"

// A command is one entry of a group's log. Which fields matter is said with each kind.
type command struct {
	Kind        kind   `cbor:"1,keyasint"`
	ID          ID     `cbor:"2,keyasint"`
	Attempt     uint64 `cbor:"3,keyasint,omitempty"`
	Ops         []Op   `cbor:"4,keyasint,omitempty"`
	Priority    int64  `cbor:"5,keyasint,omitempty"`
	Coordinator string `cbor:"6,keyasint,omitempty"`
	Commit      bool   `cbor:"7,keyasint,omitempty"`
	Again       bool   `cbor:"8,keyasint,omitempty"`
	Reply       Reply  `cbor:"10,keyasint,omitempty"`
	IDs         []ID   `cbor:"11,keyasint,omitempty"`

	Range string   `cbor:"12,keyasint,omitempty"` // that it is for; all kinds
	Keys  uint64   `cbor:"13,keyasint,omitempty"`
	Parts []string `cbor:"14,keyasint,omitempty"`
	Epoch uint64   `cbor:"15,keyasint,omitempty"`
	To    string   `cbor:"16,keyasint,omitempty"`
	State []byte   `cbor:"17,keyasint,omitempty"`
	Mark  uint64   `cbor:"18,keyasint,omitempty"`
}

type kind uint8

const (
	execute kind = iota + 1 // ID, Ops: a transaction of this range alone
	begin                   // ID, Ops, Priority, Parts: a record, pending
	decide                  // ID, Attempt, Commit, Reply, Mark: the record's outcome; or, with Again and Parts, the next attempt
	forget                  // IDs: records whose participants have all been told
	prepare                 // ID, Attempt, Ops, Priority, Coordinator, Keys: lock this range's part
	resolve                 // ID, Attempt, Commit, Coordinator, Mark: the outcome of a prepared part
	fence                   // Epoch: nothing is done under a lower epoch any more
	seal                    // Epoch, To: the group To is to own the range from that epoch on, and this one nothing does to it
	adopt                   // Epoch, State: this group owns the range
	release                 // Epoch: the new owner has all there is
	split                   // Epoch, To: the keys from To on are a range of their own
	raise                   // Mark: what follows gets a higher one
)

// pack says what a command is in the log.
func (c *command) pack(p *pack.Pack) {
	more := len(c.Parts) > 0 || c.Epoch > 0 || c.Mark > 0
	p.Octet((*byte)(&c.Kind))
	p.Flag(&c.Commit)
	p.Flag(&c.Again)
	p.Flag(&more)
	p.Text(&c.Range)
	c.ID.pack(p)
	p.Number(&c.Attempt)
	p.Signed(&c.Priority)
	p.Text(&c.Coordinator)
	p.Number(&c.Keys)
	pack.List(p, &c.Ops, (*Op).pack)
	p.Text(&c.Reply.Abort)
	pack.List(p, &c.Reply.Results, (*Result).pack)
	pack.List(p, &c.IDs, (*ID).pack)
	if more {
		pack.List(p, &c.Parts, func(name *string, p *pack.Pack) { p.Text(name) })
		p.Number(&c.Epoch)
		p.Text(&c.To)
		state := string(c.State)
		p.Text(&state)
		c.State = []byte(state)
		p.Number(&c.Mark)
	}
}

func (id *ID) pack(p *pack.Pack) {
	p.Text(&id.Session)
	p.Number(&id.Number)
}

func (op *Op) pack(p *pack.Pack) {
	pack.Name(p, &op.F)
	p.Text(&op.Key)
	p.Text(&op.To)
	p.Signed(&op.Value)
	p.Signed(&op.Old)
}

func (r *Result) pack(p *pack.Pack) {
	p.Signed(&r.Int)
	p.Number(&r.Epoch)
	pack.List(p, &r.List, func(v *int64, p *pack.Pack) { p.Signed(v) })
}

func (c *command) encode() []byte { return pack.Write(64+32*len(c.Ops), c.pack) }

func decodeCommand(data []byte) *command {
	c := new(command)
	pack.Read(data, c.pack)
	return c
}
