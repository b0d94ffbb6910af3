package multimaster

import "encoding/binary"

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
}

type kind uint8

const (
	execute kind = iota + 1 // ID, Ops: a transaction of this range alone
	begin                   // ID, Ops, Priority, Parts: a record, pending
	decide                  // ID, Attempt, Commit, Reply: the record's outcome; or, with Again and Parts, the next attempt
	forget                  // IDs: records whose participants have all been told
	prepare                 // ID, Attempt, Ops, Priority, Coordinator, Keys: lock this range's part
	resolve                 // ID, Attempt, Commit, Coordinator: the outcome of a prepared part
	fence                   // Epoch: nothing is done under a lower epoch any more
	seal                    // Epoch, To: the group To is to own the range from that epoch on, and this one nothing does to it
	adopt                   // Epoch, State: this group owns the range
	release                 // Epoch: the new owner has all there is
	split                   // Epoch, To: the keys from To on are a range of their own
)

// In the log a command is its fields in the order of the struct: numbers as varints, a string or a list as its length
// and what it holds. It is written by hand because every replica decodes every entry: a general decoder made that an
// eighth of a whole run.

func (c *command) encode() []byte {
	w := make(writer, 0, 64+32*len(c.Ops))
	more := len(c.Parts) > 0 || c.Epoch > 0
	w = append(w, byte(c.Kind), flag(c.Commit)|flag(c.Again)<<1|flag(more)<<2)
	w.text(c.Range)
	w.id(c.ID)
	w.number(c.Attempt)
	w.signed(c.Priority)
	w.text(c.Coordinator)
	w.number(c.Keys)
	w.number(uint64(len(c.Ops)))
	for i := range c.Ops {
		op := &c.Ops[i]
		w.text(string(op.F))
		w.text(op.Key)
		w.text(op.To)
		w.signed(op.Value)
		w.signed(op.Old)
	}
	w.text(c.Reply.Abort)
	w.number(uint64(len(c.Reply.Results)))
	for _, r := range c.Reply.Results {
		w.signed(r.Int)
		w.number(r.Epoch)
		w.number(uint64(len(r.List)))
		for _, v := range r.List {
			w.signed(v)
		}
	}
	w.number(uint64(len(c.IDs)))
	for _, id := range c.IDs {
		w.id(id)
	}
	if more {
		w.number(uint64(len(c.Parts)))
		for _, p := range c.Parts {
			w.text(p)
		}
		w.number(c.Epoch)
		w.text(c.To)
		w.text(string(c.State))
	}
	return w
}

func decodeCommand(data []byte) *command {
	r := reader{rest: data, text: string(data)}
	c := &command{Kind: kind(r.octet())}
	flags := r.octet()
	c.Commit, c.Again = flags&1 > 0, flags&2 > 0
	c.Range = r.string()
	c.ID = r.id()
	c.Attempt = r.number()
	c.Priority = r.signed()
	c.Coordinator = r.string()
	c.Keys = r.number()
	c.Ops = list[Op](&r)
	for i := range c.Ops {
		c.Ops[i] = Op{F: F(r.string()), Key: r.string(), To: r.string(), Value: r.signed(), Old: r.signed()}
	}
	c.Reply.Abort = r.string()
	c.Reply.Results = list[Result](&r)
	for i := range c.Reply.Results {
		res := &c.Reply.Results[i]
		res.Int = r.signed()
		res.Epoch = r.number()
		res.List = list[int64](&r)
		for k := range res.List {
			res.List[k] = r.signed()
		}
	}
	c.IDs = list[ID](&r)
	for i := range c.IDs {
		c.IDs[i] = r.id()
	}
	if flags&4 > 0 {
		c.Parts = list[string](&r)
		for i := range c.Parts {
			c.Parts[i] = r.string()
		}
		c.Epoch = r.number()
		c.To = r.string()
		c.State = []byte(r.string())
	}
	return c
}

func flag(b bool) byte {
	if b {
		return 1
	}
	return 0
}

type writer []byte

func (w *writer) number(v uint64) { *w = binary.AppendUvarint(*w, v) }
func (w *writer) signed(v int64)  { *w = binary.AppendVarint(*w, v) }

func (w *writer) text(s string) {
	w.number(uint64(len(s)))
	*w = append(*w, s...)
}

func (w *writer) id(id ID) {
	w.text(id.Session)
	w.number(id.Number)
}

// A reader takes fields off a command. It panics where there are none: the log is checksummed below us, so nobody wrote
// that.
type reader struct {
	rest []byte
	text string // all of the command; strings are parts of it
}

func (r *reader) octet() byte {
	b := r.rest[0]
	r.rest = r.rest[1:]
	return b
}

func (r *reader) number() uint64 {
	v, n := binary.Uvarint(r.rest)
	r.rest = r.rest[n:]
	return v
}

func (r *reader) signed() int64 {
	v, n := binary.Varint(r.rest)
	r.rest = r.rest[n:]
	return v
}

func (r *reader) string() string {
	n := r.number()
	at := len(r.text) - len(r.rest)
	r.rest = r.rest[n:]
	return r.text[at : at+int(n)]
}

func (r *reader) id() ID { return ID{r.string(), r.number()} }

// list makes room for a list whose length comes next; nil for an empty one.
func list[T any](r *reader) []T {
	if n := r.number(); n > 0 {
		return make([]T, n)
	}
	return nil
}
