package raftlog

import (
	"fmt"
	"slices"

	"go.etcd.io/raft/v3"
	"go.etcd.io/raft/v3/raftpb"

	"faultlab/nodes"
)

// start brings the group up from its log, or begins one, which then must be synced.
func (g *Group) start(env nodes.Env) (sync bool) {
	g.disk = disk{log: env.Disk().Log(g.cfg.Name)}
	b, entries, machine, err := g.disk.recover()
	switch {
	case err == nil && b.index > 0:
		g.machine.Restore(b.index, machine)
	case err == nil:
	case err == errFresh && (env.Boot() != nodes.Replaced || g.cfg.Reformats):
		// A member that never made a promise may begin anew even at a Restart.
		b, machine = g.founding(env.ID())
		g.disk.create(b, machine)
	default:
		b, entries, machine = base{id: g.logs.peers.fresh(env.ID(), env.Rand().Uint32())}, nil, nil
		g.disk.create(b, nil)
		env.Reached("raft: rejoining without a disk")
	}
	g.id = b.id
	g.storage = newStorage(g, b, entries, machine)
	g.growth = growth{at: b.index, size: len(machine)}
	for i := range entries {
		if entries[i].Index > b.index {
			g.grow(entries[i].Size())
		}
	}
	g.open()
	g.follow(env)
	if err == errFresh && env.Boot() == nodes.New && g.cfg.Voters[0] == env.ID() {
		_ = g.rn.Campaign()
	}
	return err != nil
}

// founding is what a log begins with: on a voter, a snapshot of the machine before any entry, the same on each of them;
// on others nothing, until a leader sends a snapshot.
func (g *Group) founding(self nodes.ID) (b base, machine []byte) {
	b.id = g.logs.peers.first(self)
	if !slices.Contains(g.cfg.Voters, self) {
		return b, nil
	}
	b.hard = raftpb.HardState{Term: 1, Commit: 1}
	b.index, b.term, b.tail, b.tailTerm = 1, 1, 1, 1
	for _, v := range g.cfg.Voters {
		b.conf.Voters = append(b.conf.Voters, g.logs.peers.first(v))
	}
	return b, g.machine.Snapshot()
}

// durable is the hard state as it is written.
func (g *Group) durable() raftpb.HardState {
	if g.cfg.UnsyncedVote {
		return raftpb.HardState{Term: 1, Commit: g.hard.Commit}
	}
	return g.hard
}

// newStorage makes what raft reads: the entries after tail, and the last snapshot.
func newStorage(g *Group, b base, entries []raftpb.Entry, machine []byte) *raft.MemoryStorage {
	s := raft.NewMemoryStorage()
	check := func(err error) {
		if err != nil {
			panic(fmt.Sprintf("raftlog: group %s: recovering: %v", g.cfg.Name, err))
		}
	}
	if b.tail > 0 {
		check(s.ApplySnapshot(raftpb.Snapshot{Data: machine, Metadata: raftpb.SnapshotMetadata{Index: b.tail, Term: b.tailTerm, ConfState: b.conf}}))
	}
	check(s.Append(entries))
	if b.index > b.tail {
		_, err := s.CreateSnapshot(b.index, &b.conf, machine)
		check(err)
	}
	b.hard.Commit = max(b.hard.Commit, b.index) // or raft panics: it was not synced for its own sake
	check(s.SetHardState(b.hard))
	return s
}

// growth tells when a snapshot is due.
type growth struct {
	at      uint64 // index of the last snapshot
	size    int    // bytes of the last snapshot
	bytes   int    // written since
	changed bool   // members have changed since, or somebody has asked for one
}

func (w *growth) grow(bytes int) { w.bytes += bytes }

// snapshotIfDue takes a snapshot, and drops all entries but a tail for slow followers. Each change of members makes one
// due, since a new member ignores a snapshot in which it is not.
func (g *Group) snapshotIfDue(env nodes.Env) {
	every := uint64(g.cfg.SnapshotEvery)
	if g.changed || g.applied >= g.at+every && g.bytes >= g.size {
		g.snapshot(env, every)
	}
}

// SnapshotNow takes a snapshot though none is due, and syncs it: what is sent after it is sent once it is durable.
func (g *Group) SnapshotNow(env nodes.Env) {
	if g.applied > g.at {
		g.snapshot(env, uint64(g.cfg.SnapshotEvery))
		env.Disk().Sync()
	}
}

func (g *Group) snapshot(env nodes.Env, every uint64) {
	data := g.machine.Snapshot()
	snap, err := g.storage.CreateSnapshot(g.applied, &g.conf, data)
	if err != nil {
		panic(fmt.Sprintf("raftlog: group %s: snapshot at %d: %v", g.cfg.Name, g.applied, err))
	}
	first, _ := g.storage.FirstIndex()
	tail := first - 1
	if keep := every / 2; g.applied > tail+keep {
		tail = g.applied - keep
		if err := g.storage.Compact(tail); err != nil {
			panic(fmt.Sprintf("raftlog: group %s: compacting to %d: %v", g.cfg.Name, tail, err))
		}
	}
	tailTerm, _ := g.storage.Term(tail)
	g.disk.snapshot(base{
		id: g.id, hard: g.durable(), index: g.applied, term: snap.Metadata.Term,
		tail: tail, tailTerm: tailTerm, conf: g.conf,
	}, data)
	g.growth = growth{at: g.applied, size: len(data)}
	env.Reached("raft: snapshot taken")
}

// SnapshotSoon has this member take a snapshot once the entries at hand are applied, as if one were due. It is called from
// Machine.Apply.
func (g *Group) SnapshotSoon() { g.changed = true }

// install stores a snapshot that the leader sent in place of all entries.
func (g *Group) install(env nodes.Env) {
	snap := g.rd.Snapshot
	if err := g.storage.ApplySnapshot(snap); err != nil {
		panic(fmt.Sprintf("raftlog: group %s: installing a snapshot at %d: %v", g.cfg.Name, snap.Metadata.Index, err))
	}
	m := snap.Metadata
	g.disk.replace(base{
		id: g.id, hard: g.durable(), index: m.Index, term: m.Term, tail: m.Index, tailTerm: m.Term, conf: m.ConfState,
	}, snap.Data)
	g.growth = growth{at: m.Index, size: len(snap.Data)}
	env.Reached("raft: snapshot installed")
}
