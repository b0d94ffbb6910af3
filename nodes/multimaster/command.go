package multimaster

import (
	"fmt"

	"github.com/fxamacker/cbor/v2"
)

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

func (c *command) encode() []byte {
	data, err := cbor.Marshal(c)
	if err != nil {
		panic(fmt.Sprintf("multimaster: encode: %v", err)) // a struct of plain fields
	}
	return data
}

func decodeCommand(data []byte) *command {
	c := &command{}
	if err := cbor.Unmarshal(data, c); err != nil {
		panic(fmt.Sprintf("multimaster: the log holds what nobody wrote: %v", err)) // the log is checksummed below us
	}
	return c
}
