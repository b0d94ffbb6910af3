package multimaster

import (
	"slices"

	"faultlab/nodes"
	"faultlab/nodes/raftlog"
)

// A group is this node's membership of one consensus group.
type group struct {
	*Range
	n   *node
	log *raftlog.Group
	m   *machine
}

// An asker is a router and its number for a request.
type asker struct {
	from    nodes.ID
	request uint64
}

// A leader is what only the leader of a group knows: who waits for an answer, and how far the transactions that the
// group coordinates have come. It is lost with the leadership, and the next one makes its own from the machine.
type leader struct {
	*group
	asked  map[ID][]asker
	reads  []read
	drives []*drive // records of this group, in the order they were begun
	forget []ID     // records whose participants have all been told
}

// A read is a read-only transaction that has its read point and waits for locks.
type read struct {
	asker
	ops []Op
}

// submit sees a transaction through the log, or reads without one.
func (g *group) submit(env nodes.Env, a asker, t Txn) {
	l := g.m.lead
	local := len(g.n.layout.Participants(t.Ops)) == 1
	switch {
	case local && readOnly(t.Ops) && g.m.bug == readLocal:
		g.serve(env, read{a, t.Ops})
	case l == nil:
		g.refuse(env, a)
	case local && readOnly(t.Ops):
		g.log.Read(env, func(env nodes.Env, ok bool) {
			switch l := g.m.lead; {
			case !ok || l == nil:
				g.refuse(env, a)
			case g.m.blocked(t.Ops):
				if slices.ContainsFunc(l.reads, func(r read) bool { return r.asker == a }) {
					return // it was asked again
				}
				l.reads = append(l.reads, read{a, t.Ops})
				env.Reached("multi-master: a read waited for a lock")
			default:
				g.serve(env, read{a, t.Ops})
			}
		})
	default:
		id := t.id()
		waiting := l.asked[id]
		if !slices.Contains(waiting, a) {
			l.asked[id] = append(waiting, a)
		}
		if waiting != nil {
			return // its entry is in the log, and this leader's log loses none while it leads
		}
		c := command{Kind: execute, ID: id, Ops: t.Ops}
		if !local {
			c.Kind, c.Priority = begin, env.Now().UnixNano()
		}
		g.propose(env, &c)
	}
}

// propose puts a command in the log, if all goes well; if not, whoever asked will ask again.
func (g *group) propose(env nodes.Env, c *command) {
	if err := g.log.Propose(env, c.encode()); err != nil {
		env.Logf("%s: not proposed: %v", g.Name, err)
	}
}

func (g *group) refuse(env nodes.Env, a asker) {
	env.Send(a.from, NotLeader{Group: g.Name, Leader: g.log.Leader(), Request: a.request})
}

// serve answers a read from the state as it is.
func (g *group) serve(env nodes.Env, r read) {
	results, _ := g.m.store.run(r.ops, true)
	g.tell(env, r.asker, Reply{Results: results})
}

func (g *group) tell(env nodes.Env, a asker, r Reply) {
	e := Executed{Group: g.Name, Request: a.request, Reply: r}
	if a.from == env.ID() {
		g.n.executed(env, e)
		return
	}
	env.Send(a.from, e)
}

// newLeader takes over what the log says is unfinished.
func newLeader(env nodes.Env, g *group) *leader {
	l := &leader{group: g, asked: map[ID][]asker{}}
	for _, p := range g.m.parts() {
		p.ticks = 0
	}
	for _, r := range g.m.sortedRecords() {
		env.Reached("multi-master: a new leader took over a transaction")
		l.drive(env, r)
	}
	return l
}

// resign tells those who wait to look elsewhere.
func (l *leader) resign(env nodes.Env) {
	var all []asker
	for _, r := range l.reads {
		all = append(all, r.asker)
	}
	for _, list := range l.asked {
		all = append(all, list...)
	}
	slices.SortFunc(all, func(a, b asker) int { return compareIDs(ID{string(a.from), a.request}, ID{string(b.from), b.request}) })
	for _, a := range all {
		l.refuse(env, a)
	}
}

// What follows is called by the machine as entries are applied; on a follower l is nil.

// reply answers those who wait for a transaction.
func (l *leader) reply(env nodes.Env, id ID, r Reply) {
	if l == nil {
		return
	}
	for _, a := range l.asked[id] {
		l.tell(env, a, r)
	}
	delete(l.asked, id)
}

// drop forgets who waits for a transaction that the log refused.
func (l *leader) drop(id ID) {
	if l != nil {
		delete(l.asked, id)
	}
}

// unlocked serves the reads that waited for locks which are now gone.
func (l *leader) unlocked(env nodes.Env) {
	if l == nil || len(l.reads) == 0 {
		return
	}
	reads := l.reads
	l.reads = nil
	for _, r := range reads {
		if l.m.blocked(r.ops) {
			l.reads = append(l.reads, r)
		} else {
			l.serve(env, r)
		}
	}
}

// busy says whether a tick may be needed.
func (l *leader) busy() bool { return len(l.drives)+len(l.m.prepared)+len(l.forget) > 0 }

// tick moves on what has been silent, and asks for the outcome of parts prepared too long ago.
func (l *leader) tick(env nodes.Env) {
	l.driveTick(env)
	for _, p := range l.m.parts() {
		p.ticks++
		if p.ticks >= resolveTicks && (p.ticks-resolveTicks)%resendTicks == 0 {
			if p.ticks > resolveTicks {
				l.n.rotate(p.Coordinator)
			}
			env.Reached("multi-master: a participant asked for an outcome")
			env.Send(l.n.leaderOf(p.Coordinator), Query{Group: p.Coordinator, Participant: l.Name, ID: p.ID, Attempt: p.Attempt})
		}
	}
	if len(l.forget) > 0 {
		l.propose(env, &command{Kind: forget, IDs: l.forget})
		l.forget = nil
	}
}
