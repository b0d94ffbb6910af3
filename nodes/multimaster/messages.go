package multimaster

import "faultlab/nodes"

// A Txn is a transaction, submitted whole: its Ops are done in order, all or none. Session and Number name it: a session
// has one transaction outstanding, with numbers that rise from 1, and the same number again is the same transaction.
type Txn struct {
	Session string `json:"session"`
	Number  uint64 `json:"number"`
	Ops     []Op   `json:"ops"`
}

// An Op is one step of a program. A key holds a list and an integer, both empty at first.
type Op struct {
	F     F      `json:"f"               cbor:"1,keyasint"`
	Key   string `json:"key"             cbor:"2,keyasint"`
	To    string `json:"to,omitempty"    cbor:"3,keyasint,omitempty"`
	Value int64  `json:"value,omitempty" cbor:"4,keyasint,omitempty"`
	Old   int64  `json:"old,omitempty"   cbor:"5,keyasint,omitempty"`
}

// F is what an Op does.
type F string

const (
	Read     F = "r"        // the list and the integer at Key
	Append   F = "append"   // Value to the list at Key
	Write    F = "w"        // Value into the integer at Key
	CAS      F = "cas"      // Value into the integer at Key if it is Old, else the transaction aborts
	Transfer F = "transfer" // Value from the integer at Key to that at To, unless Key would fall below zero: then it aborts
)

// A Result is what one Op saw: for Read the list and the integer, otherwise nothing.
type Result struct {
	List []int64 `json:"list,omitempty" cbor:"1,keyasint,omitempty"`
	Int  int64   `json:"int,omitempty"  cbor:"2,keyasint,omitempty"`
}

// TxnOK says that a transaction committed; a result for each of its Ops.
type TxnOK struct {
	Results []Result `json:"results"`
}

// TxnAborted says that a transaction surely did not happen, and never will.
type TxnAborted struct {
	Reason string `json:"reason"`
}

// An ID names a transaction.
type ID struct {
	Session string `json:"session" cbor:"1,keyasint"`
	Number  uint64 `json:"number"  cbor:"2,keyasint"`
}

func (t Txn) id() ID { return ID{t.Session, t.Number} }

// Execute asks the leader of a group to see a transaction through. Request is the asking router's own number for it.
type Execute struct {
	Group   string `json:"group"`
	Request uint64 `json:"request"`
	Txn     Txn    `json:"txn"`
}

// Executed answers Execute.
type Executed struct {
	Group   string `json:"group"`
	Request uint64 `json:"request"`
	Reply   Reply  `json:"reply"`
}

// A Reply is a transaction's outcome. It aborted if Abort says why.
type Reply struct {
	Results []Result `json:"results,omitempty" cbor:"1,keyasint,omitempty"`
	Abort   string   `json:"abort,omitempty"   cbor:"2,keyasint,omitempty"`
}

// NotLeader answers anything that only the leader of a group can do.
type NotLeader struct {
	Group   string   `json:"group"`
	Leader  nodes.ID `json:"leader,omitempty"` // as far as is known
	Request uint64   `json:"request,omitempty"`
}

// Prepare asks a participant to lock its part of a transaction. Attempts count from 1: one that met a conflict is tried
// again under the same Priority.
type Prepare struct {
	Group       string `json:"group"`
	Coordinator string `json:"coordinator"`
	ID          ID     `json:"id"`
	Attempt     uint64 `json:"attempt"`
	Priority    int64  `json:"priority"` // when it began; the older transaction waits for the younger, never the other way round
	Ops         []Op   `json:"ops"`
}

// A Vote answers Prepare. Results are of the Ops that lie in the participant, zero for the others.
type Vote struct {
	Group       string   `json:"group"` // the coordinator's
	Participant string   `json:"participant"`
	ID          ID       `json:"id"`
	Attempt     uint64   `json:"attempt"`
	Yes         bool     `json:"yes"`
	Conflict    bool     `json:"conflict,omitempty"` // no, but another attempt may succeed
	Reason      string   `json:"reason,omitempty"`
	Results     []Result `json:"results,omitempty"`
}

// Resolve tells a participant the outcome of an attempt.
type Resolve struct {
	Group       string `json:"group"`
	Coordinator string `json:"coordinator"`
	ID          ID     `json:"id"`
	Attempt     uint64 `json:"attempt"`
	Commit      bool   `json:"commit"`
}

// Resolved answers Resolve, once its effect is in the participant's log.
type Resolved struct {
	Group       string `json:"group"` // the coordinator's
	Participant string `json:"participant"`
	ID          ID     `json:"id"`
	Attempt     uint64 `json:"attempt"`
}

// Query is a participant that has waited too long: the coordinator aborts the attempt unless it is decided, and answers
// with Resolve.
type Query struct {
	Group       string `json:"group"` // the coordinator's
	Participant string `json:"participant"`
	ID          ID     `json:"id"`
	Attempt     uint64 `json:"attempt"`
}

// Digest is evidence: what a replica's state adds up to after the entry at Index.
type Digest struct {
	Group string `json:"group"`
	Index uint64 `json:"index"`
	Sum   uint64 `json:"sum,string"`
}

// Locked is evidence: from here on the keys are locked by a prepared transaction, until Unlocked.
type Locked struct {
	Group       string   `json:"group"`
	Coordinator string   `json:"coordinator"`
	ID          ID       `json:"id"`
	Attempt     uint64   `json:"attempt"`
	Keys        []string `json:"keys"`
}

// Unlocked is evidence: the end of Locked.
type Unlocked struct {
	Group   string `json:"group"`
	ID      ID     `json:"id"`
	Attempt uint64 `json:"attempt"`
}
