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
}

type kind uint8

const (
	execute kind = iota + 1 // ID, Ops: a transaction of this range alone
	begin                   // ID, Ops, Priority: a record, pending
	decide                  // ID, Attempt, Commit, Reply: the record's outcome; or, with Again, the next attempt
	forget                  // IDs: records whose participants have all been told
	prepare                 // ID, Attempt, Ops, Priority, Coordinator: lock this range's part
	resolve                 // ID, Attempt, Commit, Coordinator: the outcome of a prepared part
)

// pack says what a command is in the log.
func (c *command) pack(p *pack.Pack) {
	p.Octet((*byte)(&c.Kind))
	p.Flag(&c.Commit)
	p.Flag(&c.Again)
	c.ID.pack(p)
	p.Number(&c.Attempt)
	p.Signed(&c.Priority)
	p.Text(&c.Coordinator)
	pack.List(p, &c.Ops, (*Op).pack)
	p.Text(&c.Reply.Abort)
	pack.List(p, &c.Reply.Results, (*Result).pack)
	pack.List(p, &c.IDs, (*ID).pack)
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
	pack.List(p, &r.List, func(v *int64, p *pack.Pack) { p.Signed(v) })
}

func (c *command) encode() []byte { return pack.Write(64+32*len(c.Ops), c.pack) }

func decodeCommand(data []byte) *command {
	c := new(command)
	pack.Read(data, c.pack)
	return c
}
