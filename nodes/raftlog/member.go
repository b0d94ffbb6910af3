package raftlog

import (
	"fmt"
	"slices"

	"go.etcd.io/raft/v3"
	"go.etcd.io/raft/v3/raftpb"
	"go.etcd.io/raft/v3/tracker"

	"faultlab/nodes"
)

// Peers translates between nodes and consensus ids. An id is the node's place in the topology, from 1, in the low 16
// bits, and above it the member's incarnation: 0 for the first, a random number for one that came back without its disk.
// Such a member has forgotten its votes and what it acknowledged, so its old id must never speak again: messages for it
// are dropped, and a leader that sends them is asked to put the new id in its place, as a learner ([Rejoin]). The leader
// makes it a voter once it has caught up.
type peers struct {
	ids    []nodes.ID
	places map[nodes.ID]uint64
}

const placeBits = 16

func newPeers(t nodes.Topology) peers {
	p := peers{ids: t.IDs(), places: map[nodes.ID]uint64{}}
	for i, id := range p.ids {
		p.places[id] = uint64(i) + 1
	}
	return p
}

// node returns the node behind an id, "" for none.
func (p peers) node(id uint64) nodes.ID {
	if place := id & (1<<placeBits - 1); 0 < place && place <= uint64(len(p.ids)) {
		return p.ids[place-1]
	}
	return ""
}

// first returns the id of a node's first incarnation.
func (p peers) first(id nodes.ID) uint64 {
	place, ok := p.places[id]
	if !ok {
		panic(fmt.Sprintf("raftlog: %s is not in the topology", id))
	}
	return place
}

// fresh returns the id of a new incarnation, given a random number for it.
func (p peers) fresh(id nodes.ID, random uint32) uint64 {
	return (1+uint64(random))<<placeBits | p.first(id)
}

func returned(id uint64) bool { return id>>placeBits > 0 }

// member returns the id among ids that stands for a node, raft.None if there is none.
func (g *Group) member(ids []uint64, node nodes.ID) uint64 {
	for _, id := range ids {
		if g.logs.peers.node(id) == node {
			return id
		}
	}
	return raft.None
}

// Voters returns the voting members as of the last applied change, in the order of the topology.
func (g *Group) Voters() []nodes.ID { return g.names(g.conf.Voters) }

// Learners returns the members that receive the log but have no vote, in the order of the topology.
func (g *Group) Learners() []nodes.ID { return g.names(g.conf.Learners) }

func (g *Group) names(ids []uint64) []nodes.ID {
	names := make([]nodes.ID, len(ids))
	for i, id := range ids {
		names[i] = g.logs.peers.node(id)
	}
	slices.SortFunc(names, func(a, b nodes.ID) int { return int(g.logs.peers.places[a]) - int(g.logs.peers.places[b]) })
	return names
}

// AddLearner proposes that a node of the topology receive the log without a vote. The node must have the group in its
// Logs. Like any proposal a change may be lost (surely so while an earlier one is under way); Learners and Voters tell.
func (g *Group) AddLearner(env nodes.Env, node nodes.ID) error {
	if g.member(g.conf.Voters, node) != raft.None || g.member(g.conf.Learners, node) != raft.None {
		return fmt.Errorf("raftlog: group %s: %s is a member already", g.cfg.Name, node)
	}
	return g.change(raftpb.ConfChangeSingle{Type: raftpb.ConfChangeAddLearnerNode, NodeID: g.logs.peers.first(node)})
}

// Promote proposes that a learner become a voter. It is wise to wait until it has caught up.
func (g *Group) Promote(env nodes.Env, node nodes.ID) error {
	id := g.member(g.conf.Learners, node)
	if id == raft.None {
		return fmt.Errorf("raftlog: group %s: %s is not a learner", g.cfg.Name, node)
	}
	return g.change(raftpb.ConfChangeSingle{Type: raftpb.ConfChangeAddNode, NodeID: id})
}

// Remove proposes that a node be no member any more. A leader that removes itself steps down.
func (g *Group) Remove(env nodes.Env, node nodes.ID) error {
	id := g.member(g.conf.Voters, node)
	if id == raft.None {
		id = g.member(g.conf.Learners, node)
	}
	switch {
	case id == raft.None:
		return fmt.Errorf("raftlog: group %s: %s is not a member", g.cfg.Name, node)
	case len(g.conf.Voters) == 1 && g.conf.Voters[0] == id:
		return fmt.Errorf("raftlog: group %s: %s is the last voter", g.cfg.Name, node)
	}
	return g.change(raftpb.ConfChangeSingle{Type: raftpb.ConfChangeRemoveNode, NodeID: id})
}

func (g *Group) change(changes ...raftpb.ConfChangeSingle) error {
	if !g.leader {
		return ErrNotLeader
	}
	g.logs.touch(g)
	if err := g.rn.ProposeConfChange(raftpb.ConfChangeV2{Changes: changes}); err != nil {
		return fmt.Errorf("raftlog: group %s: changing members: %w", g.cfg.Name, err)
	}
	return nil
}

// reconfigure applies a change of members.
func (g *Group) reconfigure(env nodes.Env, e *raftpb.Entry) {
	var change raftpb.ConfChangeV2
	if e.Type == raftpb.EntryConfChange {
		panic(fmt.Sprintf("raftlog: group %s: entry %d is a change of the old kind", g.cfg.Name, e.Index))
	}
	if err := change.Unmarshal(e.Data); err != nil {
		panic(fmt.Sprintf("raftlog: group %s: entry %d: %v", g.cfg.Name, e.Index, err))
	}
	g.changed = true
	g.conf = *g.rn.ApplyConfChange(change)
	env.Reached("raft: members changed")
}

// mistaken answers a leader that takes this member for a former self, see peers.
func (g *Group) mistaken(env nodes.Env, leader nodes.ID, m *raftpb.Message) {
	if returned(g.id) && beforeSync(m.Type) {
		env.Send(leader, Rejoin{Group: g.cfg.Name, Raft: g.id})
	}
}

// join gives a member a new id in place of its others. A node that is no member must be added before it can join. Joins
// that overtake each other settle when the leader next speaks to the wrong one.
func (g *Group) join(node nodes.ID, id uint64) {
	if !g.leader || g.logs.peers.node(id) != node || !returned(id) {
		return
	}
	var changes []raftpb.ConfChangeSingle
	for _, old := range slices.Concat(g.conf.Voters, g.conf.Learners) {
		if old == id {
			return
		}
		if g.logs.peers.node(old) == node {
			changes = append(changes, raftpb.ConfChangeSingle{Type: raftpb.ConfChangeRemoveNode, NodeID: old})
		}
	}
	if len(changes) > 0 {
		_ = g.change(append(changes, raftpb.ConfChangeSingle{Type: raftpb.ConfChangeAddLearnerNode, NodeID: id})...)
	}
}

// caughtUp is how many entries a learner may lack to become a voter.
const caughtUp = 64

// CaughtUp says whether a member has nearly all that is committed, as far as this one knows, which must lead.
func (g *Group) CaughtUp(node nodes.ID) (near bool) {
	if g.leader {
		g.rn.WithProgress(func(id uint64, _ raft.ProgressType, p tracker.Progress) {
			near = near || g.logs.peers.node(id) == node && g.near(p)
		})
	}
	return near
}

func (g *Group) near(p tracker.Progress) bool {
	return p.State == tracker.StateReplicate && p.Match+caughtUp >= g.hard.Commit
}

// promoteReturned gives members that came back without their disk their vote again.
func (g *Group) promoteReturned() {
	if len(g.conf.Learners) == 0 || len(g.conf.VotersOutgoing) > 0 {
		return
	}
	ready := raft.None
	g.rn.WithProgress(func(id uint64, typ raft.ProgressType, p tracker.Progress) {
		if typ == raft.ProgressTypeLearner && returned(id) && g.near(p) {
			ready = id
		}
	})
	if ready != raft.None {
		_ = g.change(raftpb.ConfChangeSingle{Type: raftpb.ConfChangeAddNode, NodeID: ready})
	}
}
