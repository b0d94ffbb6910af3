// Package raftlog keeps replicated logs: many consensus groups in one node, each of which feeds the same entries in the
// same order to a [Machine] on every member. It acts on the world only through [nodes.Env], so it runs wherever a node
// does, and it knows nothing of what the entries mean.
//
// It stands on the RawNode of go.etcd.io/raft/v3, with PreVote, CheckQuorum and ReadIndex, and adds what that library
// leaves to its user: elections driven by timers of the Env (the library draws its own timeouts from crypto/rand, so
// only leaders are ticked here), a disk format, snapshots and compaction, one disk sync for all groups of a node, reads,
// and members that come back without their disk.
//
// The library is v3.6.0 and not v3.7.0, which turned every field of every message into a pointer. Three RawNodes in one
// loop, 100-byte entries, AMD EPYC, Go 1.26.8, `go test -bench .`:
//
//	                          v3.6.0                 v3.7.0
//	one proposal at a time    6.5 µs, 17 allocs      11.0 µs, 125 allocs
//	64 proposals at a time    5.2 µs,  2 allocs       6.2 µs,  66 allocs
//	an idle tick              1.7 µs,  4 allocs       2.4 µs,  36 allocs
//
// It will not forward proposals to the leader, retry them, or recognise one that was submitted twice: a caller knows
// what its entries mean and this package does not. It reads no clock: safety rests on what is durable alone, liveness
// on timers.
package raftlog

import (
	"errors"
	"slices"
	"strings"
	"time"

	"go.etcd.io/raft/v3"
	"go.etcd.io/raft/v3/raftpb"

	"faultlab/nodes"
)

// ErrNotLeader is returned by what only a leader can do.
var ErrNotLeader = errors.New("raftlog: not the leader")

// A Config describes one group. All members are given the same one.
type Config struct {
	Name string // unique within the cluster ("A1"), without "/"; also the name of its log on disk

	// Voters are the initial members. They count at the first boot only; later the log says who is a member. The first
	// one campaigns as soon as it starts for the first time, so that it usually leads a new group.
	Voters []nodes.ID

	Tick     time.Duration // a leader's heartbeat interval; one that no quorum answers for 10 to 20 of them steps down
	Election time.Duration // a follower that heard nothing campaigns after Election plus a random part of it

	// SnapshotEvery is the number of applied entries between snapshots, 1000 if it is 0. A snapshot also waits until the
	// log has grown by the size of the last one, so that a large state does not make each entry dearer (Ongaro's thesis,
	// section 5.1.3).
	SnapshotEvery int

	// LazyCommit lets followers hear what is committed with the next entries or the next heartbeat, and not at once: they
	// apply up to a tick later, and an entry costs half as many messages.
	LazyCommit bool

	// NoJitter is a mistake: candidates wait exactly Election and not a random time, so that they split the vote again
	// and again (YugabyteDB 1.1.9's masters).
	NoJitter bool
	// UnsyncedVote is a mistake: term and vote are never written, so that a member which restarts has forgotten them
	// and may vote twice in one term.
	UnsyncedVote bool
	// Unsynced is a mistake: what is written is not synced before anything is said that rests on it.
	Unsynced bool
	// Reformats is a mistake: a member that lost its disk begins anew under its old consensus id, and votes under it.
	Reformats bool
}

// A Machine is what a group replicates. All its calls come from within calls to [Logs] and [Group], on every member,
// with the same entries in the same order.
type Machine interface {
	// Apply executes a committed entry, in order and once in each boot (again after a restart, from the last snapshot
	// on). What it does to the state must depend on nothing but the state, index and data. It may keep data, and may
	// not change it: other members can hold the same bytes.
	Apply(env nodes.Env, index uint64, data []byte)
	// Snapshot returns the whole state as of the last Apply. Nobody changes the result.
	Snapshot() []byte
	// Restore replaces the state by a snapshot taken at index: at a restart, or because the leader sent it. It may not
	// change data.
	Restore(index uint64, data []byte)
	// Leading says that this member now leads in term and has applied all that was committed before, or, if leading is
	// false, that it no longer leads. Each true is followed by a false before the next true, except in a crash.
	Leading(env nodes.Env, leading bool, term uint64)
}

// Logs is the groups of one node. A node makes one with [New], adds its groups, and passes every Start, Receive and
// Wake on. It is made anew at each boot.
type Logs struct {
	groups []*Group
	named  map[string]*Group
	peers  peers

	dirty, spare []*Group // groups with something to do, in the order in which they were touched
	flushing     bool
}

// New returns Logs without groups.
func New() *Logs { return &Logs{named: map[string]*Group{}} }

// Add makes this node a (possible) member of a group. It must come before Start, and names may not repeat.
func (l *Logs) Add(cfg Config, m Machine) *Group {
	if cfg.SnapshotEvery <= 0 {
		cfg.SnapshotEvery = 1000
	}
	if l.named[cfg.Name] != nil || cfg.Tick <= 0 || cfg.Election <= 0 || len(cfg.Voters) == 0 {
		panic("raftlog: group " + cfg.Name + " is there already, or lacks a tick, an election time or voters")
	}
	g := &Group{cfg: cfg, machine: m, logs: l, timer: timerPrefix + cfg.Name}
	l.groups = append(l.groups, g)
	l.named[cfg.Name] = g
	return g
}

// Group returns the group of that name, or nil.
func (l *Logs) Group(name string) *Group { return l.named[name] }

// Start reads each group's log, brings its machine up to the last snapshot and sets timers. What was committed since
// that snapshot is applied once a leader says how much it is.
func (l *Logs) Start(env nodes.Env) {
	l.peers = newPeers(env.Topology())
	sync := false
	for _, g := range l.groups {
		sync = g.start(env) || sync
		l.touch(g)
	}
	if sync {
		env.Disk().Sync()
	}
	l.Flush(env)
}

// Receive takes a message if it is raftlog's, and says whether it was.
func (l *Logs) Receive(env nodes.Env, m nodes.Message) bool {
	switch b := m.Body.(type) {
	case Raft:
		if g := l.named[b.Group]; g != nil && b.Message != nil {
			g.step(env, m.From, b.Message)
		}
	case Rejoin:
		if g := l.named[b.Group]; g != nil {
			g.join(m.From, b.Raft)
		}
	default:
		return false
	}
	l.Flush(env)
	return true
}

const timerPrefix = "raft/"

// Wake takes a timer if it is raftlog's, which all begin with "raft/", and says whether it was.
func (l *Logs) Wake(env nodes.Env, timer string) bool {
	name, ok := strings.CutPrefix(timer, timerPrefix)
	if !ok {
		return false
	}
	if g := l.named[name]; g != nil {
		g.wake(env)
		l.touch(g)
	}
	l.Flush(env)
	return true
}

// Flush does what has become due: it hands over what was proposed, and writes, sends and applies until no group has
// anything to do. The owner calls it at the end of each of its own Receive and Wake, so that all that happened in the
// call shares one write and one sync. Within Receive and Wake of Logs, and within a Machine's calls, it is not needed.
//
// Each round writes for all groups, then syncs once, then sends and applies. That the sync returns before anything is
// durable does not weaken Raft, although RawNode.Advance counts the own append (or vote) as stable at once: all that
// can come of counting it, be it a message with a new commit index, a vote used to lead, a reply of the machine or an
// event, is sent after the Sync, and so leaves this node only once the append is durable. If the node dies before
// that, nobody has seen anything that rests on it. What a leader replicates (and its heartbeats) need not wait for its
// own disk, and goes out before the sync of the same round (Ongaro's thesis, section 10.2.1); what rests on an earlier
// round is behind that round's sync anyhow.
func (l *Logs) Flush(env nodes.Env) {
	if l.flushing {
		return
	}
	l.flushing = true
	for len(l.dirty) > 0 {
		batch := l.dirty
		l.dirty = l.spare[:0]
		sync := false
		for _, g := range batch {
			g.dirty = false
			sync = g.write(env) || sync
		}
		if sync {
			env.Disk().Sync()
		}
		for _, g := range batch {
			g.publish(env)
		}
		l.spare = batch
	}
	l.flushing = false
}

func (l *Logs) touch(g *Group) {
	if !g.dirty {
		g.dirty = true
		l.dirty = append(l.dirty, g)
	}
}

// Propose offers an entry to the group, to be sent at the next Flush. The entry may still be lost, or come to be
// applied long after this member has ceased to lead: only Apply tells. data may not be empty, nor changed afterwards.
func (g *Group) Propose(env nodes.Env, data []byte) error {
	switch {
	case len(data) == 0:
		return errors.New("raftlog: an entry may not be empty")
	case !g.leader || g.transferring():
		return ErrNotLeader
	}
	g.proposals = append(g.proposals, raftpb.Entry{Data: data})
	g.logs.touch(g)
	return nil
}

// Read calls done once this member has applied all that any member had committed when Read was called, and a quorum
// has confirmed that it led then (ReadIndex, Ongaro's thesis, section 6.4): what the machine shows within done(true) is
// a linearizable read. It calls done with false, perhaps at once, if this member does not lead or ceases to before.
func (g *Group) Read(env nodes.Env, done func(env nodes.Env, ok bool)) {
	if !g.leader {
		done(env, false)
		return
	}
	g.asking = append(g.asking, done)
	g.logs.touch(g)
}

// Leader returns the member that leads as far as this one knows, "" if it knows none.
func (g *Group) Leader() nodes.ID { return g.logs.peers.node(g.lead) }

// Leading says whether this member leads and has applied all that was committed before its term.
func (g *Group) Leading() bool { return g.leading }

// Term returns the highest term that this member has seen.
func (g *Group) Term() uint64 { return g.hard.Term }

// Holders returns the voters that have the entry at index on disk as far as this one, the leader, knows: itself, and those
// that have said so in its term. That it has it itself is true behind the next Sync, as is all that it says.
func (g *Group) Holders(index uint64) []nodes.ID {
	if !g.leader {
		return nil
	}
	var ids []uint64
	if last, _ := g.storage.LastIndex(); last >= index {
		ids = append(ids, g.id)
	}
	for id, match := range g.matched {
		if match >= index && slices.Contains(g.conf.Voters, id) {
			ids = append(ids, id)
		}
	}
	return g.names(ids)
}

// Applied returns the index of the last entry that the machine's state contains.
func (g *Group) Applied() uint64 { return g.applied }

// Transfer asks a voter to take over; it is up to date before it does. It has no effect where this member does not
// lead, and is given up after ten ticks; until then Propose fails.
func (g *Group) Transfer(env nodes.Env, to nodes.ID) {
	if id := g.member(g.conf.Voters, to); g.leader && id != raft.None {
		g.rn.TransferLeader(id)
		g.logs.touch(g)
	}
}

func (g *Group) transferring() bool { return g.rn.BasicStatus().LeadTransferee != raft.None }
