package maelstrom

import "faultlab/nodes/wire"

// The messages of all workloads and services, by the names that Maelstrom gives them. Where one name has several
// members, each workload uses those that stand in the examples of its exchanges, and no others.

// Echo asks for what it carries.
type Echo struct {
	Echo JSON `json:"echo"`
}

// EchoOK gives it back.
type EchoOK struct {
	Echo JSON `json:"echo,omitempty"`
}

// Generate asks for an id that nobody has been given.
type Generate struct{}

// GenerateOK is one.
type GenerateOK struct {
	ID JSON `json:"id,omitempty"`
}

// Topology proposes to each node whom to tell first. It is asked once at every boot, and may be ignored.
type Topology struct {
	Topology map[string][]string `json:"topology"`
}

// TopologyOK answers it.
type TopologyOK struct{}

// Broadcast asks for a message to be told to all nodes.
type Broadcast struct {
	Message JSON `json:"message"`
}

// BroadcastOK says that it will be.
type BroadcastOK struct{}

// Read asks for all there is, or for what is at Key where there are keys.
type Read struct {
	Key JSON `json:"key,omitempty"`
}

// ReadOK is the messages that a node knows, in broadcast, and else a value.
type ReadOK struct {
	Messages JSON `json:"messages,omitempty"`
	Value    JSON `json:"value,omitempty"`
}

// Add adds an element to a set, or a number to a counter.
type Add struct {
	Element JSON `json:"element,omitempty"`
	Delta   JSON `json:"delta,omitempty"`
}

// AddOK says that it will not be forgotten.
type AddOK struct{}

// Write sets the value of a key.
type Write struct {
	Key   JSON `json:"key"`
	Value JSON `json:"value"`
}

// WriteOK says that it is set.
type WriteOK struct{}

// Cas sets the value of a key to To if it is From. The last member is for services alone.
type Cas struct {
	Key    JSON `json:"key"`
	From   JSON `json:"from"`
	To     JSON `json:"to"`
	Create bool `json:"create_if_not_exists,omitempty"`
}

// CasOK says that it was, and is set.
type CasOK struct{}

// Send appends a message to a log.
type Send struct {
	Key string `json:"key"`
	Msg JSON   `json:"msg"`
}

// SendOK says at which offset.
type SendOK struct {
	Offset JSON `json:"offset,omitempty"`
}

// Poll asks for the messages of logs from offsets on.
type Poll struct {
	Offsets map[string]int64 `json:"offsets"`
}

// PollOK is pairs of an offset and a message, by log.
type PollOK struct {
	Msgs map[string][]Entry `json:"msgs"`
}

// An Entry is an offset and what stands there.
type Entry [2]JSON

// CommitOffsets says that all up to these offsets has been dealt with.
type CommitOffsets struct {
	Offsets map[string]int64 `json:"offsets"`
}

// CommitOffsetsOK says that this is known.
type CommitOffsetsOK struct{}

// ListCommittedOffsets asks what has been committed.
type ListCommittedOffsets struct {
	Keys []string `json:"keys"`
}

// ListCommittedOffsetsOK says it. A log of which nothing has been committed may be left out.
type ListCommittedOffsetsOK struct {
	Offsets map[string]JSON `json:"offsets"`
}

// Txn is a transaction: steps that are done in order, as one.
type Txn struct {
	Txn []Step `json:"txn"`
}

// TxnOK is the same with what was read.
type TxnOK struct {
	Txn []Step `json:"txn"`
}

// A Step is what to do ("r", "append" or "w"), a key, and a value; null for a read as it is asked.
type Step [3]JSON

// Ts asks the oracle for a number.
type Ts struct{}

// TsOK is one that is higher than all before.
type TsOK struct {
	Ts int64 `json:"ts"`
}

// Traffic is the event of how many messages nodes sent each other in the whole run.
type Traffic struct {
	Messages uint64 `json:"messages"`
}

// bodies are the messages of every lab here: services have theirs beside those of the workload.
func bodies() []any {
	return []any{
		Echo{}, EchoOK{}, Generate{}, GenerateOK{}, Topology{}, TopologyOK{}, Broadcast{}, BroadcastOK{}, Read{}, ReadOK{}, Add{}, AddOK{},
		Write{}, WriteOK{}, Cas{}, CasOK{}, Send{}, SendOK{}, Poll{}, PollOK{}, CommitOffsets{}, CommitOffsetsOK{},
		ListCommittedOffsets{}, ListCommittedOffsetsOK{}, Txn{}, TxnOK{}, Ts{}, TsOK{}, wire.Error{}, Traffic{},
	}
}
