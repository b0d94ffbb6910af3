package raftlog

import (
	"encoding/binary"
	"fmt"

	"go.etcd.io/raft/v3"
	"go.etcd.io/raft/v3/raftpb"

	"faultlab/nodes"
)

const (
	maxMessageBytes     = 256 << 10 // of entries in one append message
	maxInflight         = 256       // append messages to one follower that are not yet answered
	maxUncommittedBytes = 64 << 20  // beyond this a leader drops proposals
)

// A Group is this node's membership in one replicated log.
type Group struct {
	cfg     Config
	machine Machine
	logs    *Logs
	timer   string

	id      uint64 // this member's consensus id, see peers
	rn      *raft.RawNode
	storage *raft.MemoryStorage
	disk    disk
	conf    raftpb.ConfState // as of applied
	applied uint64

	hard    raftpb.HardState // the newest that raft has shown
	lead    uint64           // consensus id of the known leader
	leader  bool             // this member won the election of this term
	leading bool             // ... and has applied its own first entry
	dirty   bool             // in logs.dirty
	ready   bool             // rd is between write and publish
	rd      raft.Ready

	proposals []raftpb.Entry          // of this host call
	asking    []func(nodes.Env, bool) // reads of this host call
	reads     []read                  // asked, in order
	lastRead  uint64

	matched map[uint64]uint64 // by follower: an index up to which it has said in this term that it has all
	sent    map[uint64]uint64 // and the last that it was sent
	beaten  map[uint64]bool   // it has answered a heartbeat since: what comes next may be to find out what it lacks

	refused bool // an append since the timer last went off, see pretend

	watch  // when to campaign
	growth // when to take a snapshot
}

// A read is a batch of reads that share one ReadIndex.
type read struct {
	context uint64
	index   uint64 // 0 until a quorum has confirmed it
	done    []func(nodes.Env, bool)
}

// open makes the RawNode over what storage holds, up to date with its snapshot.
func (g *Group) open() {
	snap, _ := g.storage.Snapshot()
	g.applied = snap.Metadata.Index
	g.conf = snap.Metadata.ConfState
	g.hard, _, _ = g.storage.InitialState()
	rn, err := raft.NewRawNode(&raft.Config{
		ID:                        g.id,
		ElectionTick:              10,
		HeartbeatTick:             1,
		Storage:                   g.storage,
		Applied:                   g.applied,
		MaxSizePerMsg:             maxMessageBytes,
		MaxInflightMsgs:           maxInflight,
		MaxUncommittedEntriesSize: maxUncommittedBytes,
		CheckQuorum:               true,
		PreVote:                   true,
		ReadOnlyOption:            raft.ReadOnlySafe,
		Logger:                    quiet{},
		DisableProposalForwarding: true,
		StepDownOnRemoval:         true,
	})
	if err != nil {
		panic(fmt.Sprintf("raftlog: group %s: %v", g.cfg.Name, err))
	}
	g.rn = rn
}

// step takes a message from another member. Raft keeps the slice of entries and may append to it, but changes none of
// what it holds; without spare capacity that makes it safe to share the message with its sender and its duplicates.
func (g *Group) step(env nodes.Env, from nodes.ID, shared *raftpb.Message) {
	if shared.To != g.id {
		g.mistaken(env, from, shared)
		return
	}
	m := *shared
	m.Entries = m.Entries[:len(m.Entries):len(m.Entries)]
	if (g.cfg.Reformats || g.cfg.Unsynced) && !g.pretend(&m) {
		return
	}
	g.hear(&m)
	if g.leader && m.Type == raftpb.MsgAppResp && !m.Reject && m.Term == g.hard.Term {
		g.matched[m.From] = max(g.matched[m.From], m.Index)
	}
	if g.leader && m.Type == raftpb.MsgHeartbeatResp {
		g.beaten[m.From] = true
	}
	_ = g.rn.Step(m) // an error says that the message is of no use now, as any may be on a network
	g.logs.touch(g)
}

// pretend lets a member that lacks what it had acknowledged, and should not be one, get by: raft would see from a commit
// index that something is missing, and panic; and it would refuse the same append again and again without a pause.
func (g *Group) pretend(m *raftpb.Message) (heed bool) {
	last, _ := g.storage.LastIndex()
	switch {
	case m.Type == raftpb.MsgHeartbeat:
		m.Commit = min(m.Commit, last)
	case m.Type == raftpb.MsgApp && m.Index > last, m.Type == raftpb.MsgAppResp && m.Reject:
		if g.refused {
			return false
		}
		g.refused = true
	}
	return true
}

// write is the first half of a round: it takes the next Ready, writes what must be durable and sends what need not
// wait for that. It says whether a sync is due.
func (g *Group) write(env nodes.Env) (sync bool) {
	if len(g.proposals) > 0 {
		// One proposal message makes one append message to each follower, however many entries it has.
		_ = g.rn.Step(raftpb.Message{Type: raftpb.MsgProp, From: g.id, Entries: g.proposals})
		g.proposals = nil
	}
	if len(g.asking) > 0 {
		g.lastRead++
		g.reads = append(g.reads, read{context: g.lastRead, done: g.asking})
		g.asking = nil
		g.rn.ReadIndex(binary.BigEndian.AppendUint64(nil, g.lastRead))
	}
	if g.ready = g.rn.HasReady(); !g.ready {
		return false
	}
	g.rd = g.rn.Ready()
	rd := &g.rd
	for i := range rd.Messages {
		if m := &rd.Messages[i]; beforeSync(m.Type) {
			g.send(env, m)
		}
	}
	if !raft.IsEmptyHardState(rd.HardState) {
		if rd.HardState.Vote != g.hard.Vote && rd.HardState.Vote != g.id && rd.HardState.Vote != raft.None {
			g.heard = true // who votes for another gives it the time to win
		}
		g.hard = rd.HardState
	}
	if !raft.IsEmptySnap(rd.Snapshot) {
		g.install(env)
		sync = true
	}
	if n := len(rd.Entries); n > 0 {
		if last, _ := g.storage.LastIndex(); rd.Entries[0].Index <= last {
			env.Reached("raft: conflicting suffix overwritten")
		}
		if err := g.storage.Append(rd.Entries); err != nil {
			panic(fmt.Sprintf("raftlog: group %s: %v", g.cfg.Name, err))
		}
	}
	// A commit index alone is not worth a record: a leader will tell it again.
	if rd.MustSync {
		g.grow(g.disk.append(g, rd.Entries))
		sync = !g.cfg.Unsynced
	}
	return sync
}

// publish is the second half: all that may be seen only after what write wrote is durable.
func (g *Group) publish(env nodes.Env) {
	if !g.ready {
		return
	}
	g.ready = false
	rd := &g.rd
	for i := range rd.Messages {
		if m := &rd.Messages[i]; !beforeSync(m.Type) {
			g.send(env, m)
		}
	}
	if rd.SoftState != nil {
		g.roles(env, rd.SoftState)
	}
	if !raft.IsEmptySnap(rd.Snapshot) {
		g.applied = rd.Snapshot.Metadata.Index
		g.conf = rd.Snapshot.Metadata.ConfState
		g.machine.Restore(g.applied, rd.Snapshot.Data)
	}
	for i := range rd.CommittedEntries {
		g.apply(env, &rd.CommittedEntries[i])
	}
	for i := range rd.ReadStates {
		g.confirm(&rd.ReadStates[i])
	}
	g.answer(env)
	g.rn.Advance(*rd)
	g.rd = raft.Ready{}
	g.snapshotIfDue(env)
	if g.rn.HasReady() {
		g.logs.touch(g)
	}
}

func beforeSync(t raftpb.MessageType) bool {
	return t == raftpb.MsgApp || t == raftpb.MsgHeartbeat || t == raftpb.MsgSnap
}

func (g *Group) send(env nodes.Env, m *raftpb.Message) {
	if m.Type == raftpb.MsgApp && g.leader {
		if n := len(m.Entries); n > 0 {
			g.sent[m.To] = m.Entries[n-1].Index
		} else if g.cfg.LazyCommit && (m.Index <= g.matched[m.To] || m.Index == g.sent[m.To] && !g.beaten[m.To]) {
			return // it says what is committed and nothing else
		}
		delete(g.beaten, m.To)
	}
	env.Send(g.logs.peers.node(m.To), Raft{Group: g.cfg.Name, Message: m})
	if m.Type == raftpb.MsgSnap {
		env.Reached("raft: snapshot sent")
		// Nobody reports the fate of a snapshot here. Taken for arrived, the next probe finds out whether it did, and
		// one that was lost is sent again.
		g.rn.ReportSnapshot(m.To, raft.SnapshotFinish)
	}
}

// roles follows a change of leader.
func (g *Group) roles(env nodes.Env, s *raft.SoftState) {
	g.lead = s.Lead
	switch leader := s.RaftState == raft.StateLeader; {
	case leader && !g.leader:
		g.leader, g.matched, g.sent, g.beaten = true, map[uint64]uint64{}, map[uint64]uint64{}, map[uint64]bool{}
		env.Reached("raft: new leader")
		env.Emit(Leads{Group: g.cfg.Name, Node: env.ID(), Term: g.hard.Term})
		env.After(g.cfg.Tick, g.timer)
	case !leader && g.leader:
		g.leader = false
		env.Reached("raft: stepped down")
		g.follow(env)
		if g.leading {
			g.leading = false
			g.machine.Leading(env, false, g.hard.Term)
		}
		asking, reads := g.asking, g.reads
		g.asking, g.reads, g.proposals = nil, nil, nil
		for _, r := range append(reads, read{done: asking}) {
			for _, done := range r.done {
				done(env, false)
			}
		}
	}
}

func (g *Group) apply(env nodes.Env, e *raftpb.Entry) {
	g.applied = e.Index
	switch {
	case e.Type != raftpb.EntryNormal:
		g.reconfigure(env, e)
	case len(e.Data) > 0:
		g.machine.Apply(env, e.Index, e.Data)
	case g.leader && !g.leading && e.Term == g.hard.Term:
		g.leading = true
		g.machine.Leading(env, true, e.Term)
	}
}

// confirm notes the index at which a batch of reads may be answered.
func (g *Group) confirm(s *raft.ReadState) {
	for i := range g.reads {
		if g.reads[i].context == binary.BigEndian.Uint64(s.RequestCtx) {
			g.reads[i].index = s.Index
		}
	}
}

// answer calls the confirmed reads whose index is applied. Raft confirms them in the order in which they were asked.
func (g *Group) answer(env nodes.Env) {
	for len(g.reads) > 0 && g.reads[0].index > 0 && g.reads[0].index <= g.applied {
		r := g.reads[0]
		g.reads = g.reads[1:]
		for _, done := range r.done {
			done(env, true)
		}
	}
}

// quiet is raft's logger. What raft logs is seen better in messages and events; what makes it panic must not be lost.
type quiet struct{}

func (quiet) Debug(...any)                   {}
func (quiet) Debugf(string, ...any)          {}
func (quiet) Info(...any)                    {}
func (quiet) Infof(string, ...any)           {}
func (quiet) Warning(...any)                 {}
func (quiet) Warningf(string, ...any)        {}
func (quiet) Error(...any)                   {}
func (quiet) Errorf(string, ...any)          {}
func (quiet) Fatal(v ...any)                 { panic("raft: " + fmt.Sprint(v...)) }
func (quiet) Fatalf(format string, v ...any) { panic("raft: " + fmt.Sprintf(format, v...)) }
func (quiet) Panic(v ...any)                 { panic("raft: " + fmt.Sprint(v...)) }
func (quiet) Panicf(format string, v ...any) { panic("raft: " + fmt.Sprintf(format, v...)) }
