package labstest

import (
	"go.etcd.io/raft/v3/raftpb"

	"faultlab/nodes"
	"faultlab/nodes/raftlog"
	"faultlab/nodes/wire"
)

// A Meter counts what the nodes of a system send. Heartbeats of groups cost the same whatever there is to do, and are
// counted apart.
type Meter struct {
	Messages, Bytes, Heartbeats int // Bytes are of bodies, as JSON

	codec *wire.Codec
}

// Metered returns a system with a meter. Its bodies must be a set that package wire accepts.
func Metered(s nodes.System) (nodes.System, *Meter) {
	codec, err := wire.New(s.Bodies...)
	if err != nil {
		panic(err)
	}
	m := &Meter{codec: codec}
	fresh := s.New
	s.New = func(bug string) nodes.Node { return metered{fresh(bug), m} }
	return s, m
}

type metered struct {
	nodes.Node
	m *Meter
}

func (n metered) Start(env nodes.Env)                    { n.Node.Start(counted{env, n.m}) }
func (n metered) Receive(env nodes.Env, m nodes.Message) { n.Node.Receive(counted{env, n.m}, m) }
func (n metered) Wake(env nodes.Env, name string)        { n.Node.Wake(counted{env, n.m}, name) }

type counted struct {
	nodes.Env
	m *Meter
}

func (c counted) Send(to nodes.ID, body any) {
	if r, ok := body.(raftlog.Raft); ok && (r.Message.Type == raftpb.MsgHeartbeat || r.Message.Type == raftpb.MsgHeartbeatResp) {
		c.m.Heartbeats++
	} else {
		c.m.Messages++
		if text, err := c.m.codec.Append(nil, body); err == nil {
			c.m.Bytes += len(text)
		}
	}
	c.Env.Send(to, body)
}
