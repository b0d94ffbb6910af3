package host

import (
	"encoding/json"

	"faultlab/nodes"
	"faultlab/nodes/wire"
)

// This file is the vocabulary between a host and the lab. Every word is the body of a wire.Message; those of the lab
// have src "lab", those of the host dest "lab". Init may come from anybody else too, once.

// Lab is the name of the lab in envelopes.
const Lab nodes.ID = "lab"

// Protocol returns the codec of the words of this file.
func Protocol() *wire.Codec { return protocol }

var protocol = wire.Must(Init{}, InitOK{}, Ctl{}, CtlOK{}, Event{}, Reached{}, Log{}, wire.Error{})

// Init tells a node who it is; nothing is sent before its answer, InitOK. Only NodeID and NodeIDs are of the protocol
// of Maelstrom.
type Init struct {
	NodeID    nodes.ID            `json:"node_id"`
	NodeIDs   []nodes.ID          `json:"node_ids"`
	Topology  *nodes.Topology     `json:"topology,omitempty"`  // if nil, all nodes stand in one place
	Addresses map[nodes.ID]string `json:"addresses,omitempty"` // host:port of each node
	Seed      uint64              `json:"seed,omitempty"`
	Bug       string              `json:"bug,omitempty"`
	Boot      string              `json:"boot,omitempty"` // "new", "restart" or "replaced"; if empty the data folder decides
}

// InitOK answers Init, before the node says anything else.
type InitOK struct{}

// Ctl is harm to a node's inside, done and undone. It may come before Init, so that a node boots with what it suffered
// from before it died. A member that is absent changes nothing.
type Ctl struct {
	Skew    *Skew       `json:"skew,omitempty"`
	Frames  []Harm      `json:"frames,omitzero"` // replaces the list before; one that is empty and not nil heals
	Disk    *DiskFaults `json:"disk,omitempty"`  // replaces those before; a zero one heals
	Members []Hint      `json:"members,omitempty"`
}

// CtlOK answers Ctl, once it has taken effect.
type CtlOK struct{}

// A Skew makes the node's clock wrong, as nemesis.Clocks says. Since is when it began to drift, in Unix nanoseconds of
// true time; 0 is now.
type Skew struct {
	Offset   int64 `json:"offset_ns"`
	DriftPPM int64 `json:"drift_ppm"`
	Since    int64 `json:"since_ns,omitempty"`
}

// A Harm is done to the frames that this node sends to another.
type Harm struct {
	To      nodes.ID `json:"to"`
	Quality Quality  `json:"quality"`
}

// A Quality is nodes.Quality, and what only a transport of our own can do: CorruptPerMille of the frames have a bit
// flipped, which the receiver finds.
type Quality struct {
	nodes.Quality
	CorruptPerMille int `json:"corrupt_per_mille,omitempty"`
}

// DiskFaults are what a disk suffers from while its node runs. The first three stop the node when it next meets them.
type DiskFaults struct {
	FailSync bool  `json:"fail_sync,omitempty"` // the next fsync fails
	Full     bool  `json:"full,omitempty"`      // the next write finds no room
	IOError  bool  `json:"io_error,omitempty"`  // the next read or write fails
	Slow     int64 `json:"slow_ns,omitempty"`   // each fsync takes so much longer
}

// A Hint is what membership says of a member, from a lab whose runtime has no gossip.
type Hint struct {
	ID    nodes.ID `json:"id"`
	State string   `json:"state"` // "alive", "suspect" or "gone"
}

// Event is evidence: what the node emitted. At is true time in Unix nanoseconds.
type Event struct {
	At    int64           `json:"at_ns"`
	Event json.RawMessage `json:"event"` // with a type, of the system's bodies
}

// Reached counts a probe.
type Reached struct {
	Probe string `json:"probe"`
}

// Log is a line that the node wrote.
type Log struct {
	At   int64  `json:"at_ns"`
	Line string `json:"line"`
}
