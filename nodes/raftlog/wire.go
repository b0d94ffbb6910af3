package raftlog

import (
	"encoding/json"
	"fmt"
	"strings"

	"go.etcd.io/raft/v3"
	"go.etcd.io/raft/v3/raftpb"

	"faultlab/nodes"
)

// Bodies returns a zero value of each message body and event, for [nodes.System].
func Bodies() []any { return []any{Raft{}, Rejoin{}, Leads{}} }

// A Raft is a message between members of a group. As JSON, the message is the base64 of its protocol buffer.
type Raft struct {
	Group   string
	Message *raftpb.Message // nobody changes it once sent
}

// String shows a message as raft's own tests do, with ids instead of names.
func (r Raft) String() string {
	if r.Message == nil {
		return r.Group
	}
	return r.Group + " " + strings.TrimSpace(raft.DescribeMessage(*r.Message, nil))
}

type raftJSON struct {
	Group   string `json:"group"`
	Message []byte `json:"message"`
}

// MarshalJSON implements json.Marshaler.
func (r Raft) MarshalJSON() ([]byte, error) {
	j := raftJSON{Group: r.Group}
	if r.Message != nil {
		var err error
		if j.Message, err = r.Message.Marshal(); err != nil {
			return nil, fmt.Errorf("raftlog: a message of group %s: %w", r.Group, err)
		}
	}
	return json.Marshal(j)
}

// UnmarshalJSON implements json.Unmarshaler.
func (r *Raft) UnmarshalJSON(data []byte) error {
	var j raftJSON
	if err := json.Unmarshal(data, &j); err != nil {
		return fmt.Errorf("raftlog: a message: %w", err)
	}
	m := new(raftpb.Message)
	if err := m.Unmarshal(j.Message); err != nil {
		return fmt.Errorf("raftlog: a message of group %s: %w", j.Group, err)
	}
	*r = Raft{Group: j.Group, Message: m}
	return nil
}

// A Rejoin tells a leader that a member has lost its disk, and to go by the consensus id Raft from now on.
type Rejoin struct {
	Group string `json:"group"`
	Raft  uint64 `json:"raft"`
}

// Leads is the event that a node emits when it wins an election.
type Leads struct {
	Group string   `json:"group"`
	Node  nodes.ID `json:"node"`
	Term  uint64   `json:"term"`
}
