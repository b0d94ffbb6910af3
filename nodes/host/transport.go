package host

import (
	"context"

	"faultlab/nodes"
	"faultlab/nodes/wire"
)

// A Transport carries what a host says and hears. NewTCP and NewStdio make one.
type Transport interface {
	// Open begins to hand over what arrives. It is called once, first. The error of fail ends the host: nothing can
	// arrive any more.
	Open(in Inbox, fail func(error))
	// Join says who this node is and where all are. Nothing is sent before. It may be called again, with other addresses.
	Join(group Group) error
	// Send gives a body to another member, or loses it. It never waits.
	Send(to nodes.ID, body []byte)
	// Harm replaces the harm done to what is sent to members.
	Harm([]Harm) error
	// Close ends it: what was given to Send or Write leaves, unless ctx ends first.
	Close(ctx context.Context)
}

// A Group is what a transport knows of the cluster.
type Group struct {
	Self      nodes.ID
	System    string
	Members   []nodes.ID
	Addresses map[nodes.ID]string
	Watched   bool // the node wants to be told of members
	Seed      uint64
	Latency   func(to nodes.ID) int64 // nanoseconds, one way, as the topology has it
}

// An Inbox takes what arrives, from any goroutine. A call waits while the node is behind.
type Inbox interface {
	// Message takes a line; whoever wrote it reads its answers from back.
	Message(m wire.Message, back Line)
	// Body takes a body from another member.
	Body(from nodes.ID, body []byte)
	// Member takes what membership says.
	Member(id nodes.ID, state nodes.MemberState)
	// Logf takes a line about the transport itself.
	Logf(format string, args ...any)
}

// A Line is the way back to whoever wrote a line. The same way is the same value.
type Line interface {
	// Write sends a line, which ends with its end, and never waits. It says false if nobody is there any more.
	Write(line []byte) bool
}
