package host

import (
	"fmt"
	"math/rand/v2"
	"time"

	"faultlab/nodes"
	"faultlab/nodes/wire"
)

// obey does what the lab says.
func (h *Host) obey(a arrival) {
	h.hear(a.back)
	body, err := protocol.Decode(a.m.Body)
	if err != nil {
		h.answer(a, wire.Error{Code: wire.NotSupported, Text: err.Error()})
		return
	}
	switch b := body.(type) {
	case Init:
		h.init(a, b)
	case Ctl:
		h.settle() // what was sent before leaves as it would have before
		if err := h.harm(b); err != nil {
			h.answer(a, wire.Error{Code: wire.Malformed, Text: err.Error()})
			return
		}
		h.answer(a, CtlOK{})
	default:
		h.answer(a, wire.Error{Code: wire.NotSupported, Text: a.m.Type + " is not for a node"})
	}
}

// beginFor takes the init of anybody who runs nodes of the message protocol, and knows no other word of the lab's.
func (h *Host) beginFor(a arrival) {
	body, err := protocol.Decode(a.m.Body)
	if b, ok := body.(Init); ok {
		h.init(a, b)
		return
	}
	h.answer(a, wire.Error{Code: wire.Malformed, Text: fmt.Sprintf("no init could be read: %v", err)})
}

// hear makes a line the lab's, from now on. It is told what none before it was there to hear.
func (h *Host) hear(back Line) {
	h.lab = back
	for len(h.untold) > 0 && back.Write(h.untold[0]) {
		h.untold = h.untold[1:]
	}
}

func (h *Host) answer(a arrival, word any) {
	body, err := protocol.Encode(word)
	if err != nil {
		panic(err)
	}
	src := h.group.Self
	if src == "" {
		src = a.m.Dest
	}
	h.write(a.back, wire.Message{Src: src, Dest: a.m.Src, InReplyTo: a.m.ID, Body: body})
}

// init makes this host a node. Told again, it takes the addresses.
func (h *Host) init(a arrival, b Init) {
	if h.node != nil {
		if b.NodeID != h.group.Self {
			h.answer(a, wire.Error{Code: wire.Malformed, Text: fmt.Sprintf("this is %s, not %s", h.group.Self, b.NodeID)})
			return
		}
		h.group.Addresses = b.Addresses
		if err := h.t.Join(h.group); err != nil {
			h.answer(a, wire.Error{Code: wire.Malformed, Text: err.Error()})
			return
		}
		h.answer(a, InitOK{})
		return
	}
	boots, err := h.prepare(b)
	if err != nil {
		h.answer(a, wire.Error{Code: wire.Crash, Text: err.Error()})
		h.err = err
		return
	}
	h.rand = rand.New(nodes.Generator(b.Seed, fmt.Sprintf("node %s boot %d", b.NodeID, boots)))
	h.answer(a, InitOK{})
	h.call(func() {
		h.node = h.cfg.System.New(b.Bug)
		h.node.Start(env{h})
	})
}

func (h *Host) prepare(b Init) (boots uint64, err error) {
	h.topology = topologyOf(b)
	h.members = map[nodes.ID]bool{}
	for _, m := range h.topology.Members {
		h.members[m.ID] = true
	}
	if !h.members[b.NodeID] {
		return 0, fmt.Errorf("host: %q is none of the nodes", b.NodeID)
	}
	if _, known := h.cfg.System.Bug(b.Bug); b.Bug != "" && !known {
		return 0, fmt.Errorf("host: system %s has no bug %q", h.cfg.System.Name, b.Bug)
	}
	if h.boot, boots, err = enter(h.cfg.Dir, b.NodeID, b.Boot); err != nil {
		return 0, err
	}
	if h.disk, err = openDisk(h.cfg.Dir, h.faults); err != nil {
		return 0, &DiskError{err}
	}
	h.disk.limit = h.limit
	_, watched := h.cfg.System.New(b.Bug).(nodes.Watcher)
	self, _ := h.topology.Member(b.NodeID)
	h.group = Group{
		Self: b.NodeID, System: h.cfg.System.Name, Members: h.topology.IDs(), Addresses: b.Addresses, Watched: watched, Seed: b.Seed,
		Latency: func(to nodes.ID) int64 {
			m, _ := h.topology.Member(to)
			return int64(h.topology.RoundTrip(self, m)) / 2
		},
	}
	return boots, h.t.Join(h.group)
}

// topologyOf is the topology of an Init, which may come from somebody who knows of none.
func topologyOf(b Init) nodes.Topology {
	if b.Topology != nil {
		return *b.Topology
	}
	var t nodes.Topology
	for _, id := range b.NodeIDs {
		t.Members = append(t.Members, nodes.Member{ID: id})
	}
	return t
}

// harm changes what is wrong with this node. It fails before anything changes, or not at all.
func (h *Host) harm(c Ctl) error {
	if c.Skew != nil && (c.Skew.DriftPPM <= -million || c.Skew.DriftPPM > fastest) {
		return fmt.Errorf("host: a clock cannot drift by %d parts in a million", c.Skew.DriftPPM)
	}
	states := make([]nodes.MemberState, len(c.Members))
	for i, m := range c.Members {
		state, ok := map[string]nodes.MemberState{"alive": nodes.Alive, "suspect": nodes.Suspect, "gone": nodes.Gone}[m.State]
		if !ok {
			return fmt.Errorf("host: member %s: state %q: alive, suspect or gone is wanted", m.ID, m.State)
		}
		states[i] = state
	}
	if c.Frames != nil {
		if err := h.t.Harm(c.Frames); err != nil {
			return err
		}
	}
	if s := c.Skew; s != nil {
		k := clock{offset: s.Offset, since: s.Since, ppm: s.DriftPPM}
		if k.since == 0 {
			k.since = unixNow()
		}
		h.timers.drift(time.Since(h.began), h.clock, k)
		h.clock = k
	}
	if c.Disk != nil {
		h.faults = *c.Disk
		if h.disk != nil {
			h.disk.faults = *c.Disk
		}
	}
	for i, m := range c.Members {
		h.watch(m.ID, states[i])
	}
	return nil
}
