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

// A Result is what one Op saw: for Read the list and the integer, otherwise nothing; and under which epoch of its range
// it was done.
type Result struct {
	List  []int64 `json:"list,omitempty"  cbor:"1,keyasint,omitempty"`
	Int   int64   `json:"int,omitempty"   cbor:"2,keyasint,omitempty"`
	Epoch uint64  `json:"epoch,omitempty" cbor:"3,keyasint,omitempty"`
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

// Execute asks the leader of a range, or of a status group, to see a transaction through. Request is the asking router's
// own number for it.
type Execute struct {
	Range   string `json:"range"`
	Request uint64 `json:"request"`
	Txn     Txn    `json:"txn"`
}

// Executed answers Execute.
type Executed struct {
	Range   string `json:"range"`
	Request uint64 `json:"request"`
	Reply   Reply  `json:"reply"`
}

// A Reply is a transaction's outcome. It aborted if Abort says why.
type Reply struct {
	Results []Result `json:"results,omitempty" cbor:"1,keyasint,omitempty"`
	Abort   string   `json:"abort,omitempty"   cbor:"2,keyasint,omitempty"`
}

// NotLeader answers anything that only the leader of a range can do, or of a group.
type NotLeader struct {
	Range   string   `json:"range,omitempty"`
	Group   string   `json:"group,omitempty"`
	Leader  nodes.ID `json:"leader,omitempty"` // as far as is known
	Request uint64   `json:"request,omitempty"`
}

// Moved answers anything that is asked of the wrong range or the wrong group: this is where ranges are.
type Moved struct {
	Places  []Place `json:"places"`
	Request uint64  `json:"request,omitempty"`
}

// A Place is the group that owns a range in an epoch.
type Place struct {
	Range string `json:"range" cbor:"1,keyasint"`
	Epoch uint64 `json:"epoch" cbor:"2,keyasint"`
	Group string `json:"group" cbor:"3,keyasint"`
}

// Prepare asks a participant to lock its part of a transaction. Attempts count from 1: one that met a conflict is tried
// again under the same Priority.
type Prepare struct {
	Range       string `json:"range"`
	Coordinator string `json:"coordinator"` // a range or status group
	ID          ID     `json:"id"`
	Attempt     uint64 `json:"attempt"`
	Priority    int64  `json:"priority"` // when it began; the older transaction waits for the younger, never the other way round
	Keys        uint64 `json:"keys"`     // how many of the transaction's keys are the participant's: fewer, and it has been split
	Ops         []Op   `json:"ops"`
}

// A Vote answers Prepare. Results are of the Ops that lie in the participant, zero for the others.
type Vote struct {
	Range       string   `json:"range"` // the coordinator
	Participant string   `json:"participant"`
	ID          ID       `json:"id"`
	Attempt     uint64   `json:"attempt"`
	Yes         bool     `json:"yes"`
	Conflict    bool     `json:"conflict,omitempty"` // no, but another attempt may succeed
	Reason      string   `json:"reason,omitempty"`
	Results     []Result `json:"results,omitempty"`
	Mark        uint64   `json:"mark,omitempty"` // of the participant when it prepared: see feed.go
}

// Resolve tells a participant the outcome of an attempt.
type Resolve struct {
	Range       string `json:"range"`
	Coordinator string `json:"coordinator"`
	ID          ID     `json:"id"`
	Attempt     uint64 `json:"attempt"`
	Commit      bool   `json:"commit"`
	Mark        uint64 `json:"mark,omitempty"` // of what it writes
}

// Resolved answers Resolve, once its effect is in the participant's log.
type Resolved struct {
	Range       string `json:"range"` // the coordinator
	Participant string `json:"participant"`
	ID          ID     `json:"id"`
	Attempt     uint64 `json:"attempt"`
}

// Query is a participant that has waited too long: the coordinator aborts the attempt unless it is decided, and answers
// with Resolve.
type Query struct {
	Range       string `json:"range"` // the coordinator
	Participant string `json:"participant"`
	ID          ID     `json:"id"`
	Attempt     uint64 `json:"attempt"`
}

// Offer asks the leader of a group whether it could take a range over now.
type Offer struct {
	Group string `json:"group"`
	Range string `json:"range"`
	Epoch uint64 `json:"epoch"` // the range's, until it moves
}

// Ready answers Offer: the group has a leader, and that leader a majority.
type Ready struct {
	Group string `json:"group"`
	Range string `json:"range"`
	Epoch uint64 `json:"epoch"`
}

// Adopt hands a range over, which nobody owns until it has been adopted: the group owns it from Epoch on.
type Adopt struct {
	Group string `json:"group"`
	Range string `json:"range"`
	Epoch uint64 `json:"epoch"`
	State []byte `json:"state"`
}

// Adopted answers Adopt, once the range is in the new owner's log.
type Adopted struct {
	Range string `json:"range"`
	Epoch uint64 `json:"epoch"`
}

// Digest is evidence: what a replica's state adds up to after the entry at Index.
type Digest struct {
	Group string `json:"group"`
	Index uint64 `json:"index"`
	Sum   uint64 `json:"sum,string"`
}

// Locked is evidence: from here on the keys are locked by a prepared transaction, until Unlocked.
type Locked struct {
	Range       string   `json:"range"`
	Coordinator string   `json:"coordinator"`
	ID          ID       `json:"id"`
	Attempt     uint64   `json:"attempt"`
	Keys        []string `json:"keys"`
}

// Unlocked is evidence: the end of Locked.
type Unlocked struct {
	Range   string `json:"range"`
	ID      ID     `json:"id"`
	Attempt uint64 `json:"attempt"`
}

// Owns is evidence: a group owns the keys From up to To ("": all that follow) as a range, from this epoch on.
type Owns struct {
	Place
	From string `json:"from"`
	To   string `json:"to"`
}

// Sealed is evidence: nobody owns a range until another group does, under this epoch or a higher one.
type Sealed struct {
	Range string `json:"range"`
	Epoch uint64 `json:"epoch"`
	From  string `json:"from"`
	To    string `json:"to"`
}
