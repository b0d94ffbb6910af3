package multimaster

import (
	"slices"
	"time"

	"faultlab/nodes"
	"faultlab/nodes/pack"
	"faultlab/nodes/raftlog"
)

// A group is this node's membership of one consensus group, and what that group replicates: the ranges that live in it,
// each a machine, and what is left of those that lived in it once.
type group struct {
	*Range
	n       *node
	log     *raftlog.Group
	ranges  map[string]*machine
	order   []string // their names, sorted
	index   uint64   // the last entry that was applied
	leading bool
	lease   time.Time // by mistake: until then a read needs no majority
}

const leaseFor = 450 * time.Millisecond // less than any other member waits before it campaigns

// newGroup makes a group as it is at first, with the ranges that begin in it.
func newGroup(n *node, r *Range) *group {
	g := &group{Range: r, n: n, ranges: map[string]*machine{}}
	n.groups = append(n.groups, g)
	n.byName[r.Name] = g
	g.found()
	return g
}

// found sets up the ranges that the group begins with.
func (g *group) found() {
	g.ranges, g.order = map[string]*machine{}, nil
	l := g.n.layout
	for i, r := range g.n.first {
		if r.Group != g.Name {
			continue
		}
		m := newMachine(g.n.bug, l, r.Name)
		if i+1 < len(g.n.first) {
			m.to = g.n.first[i+1].From
		}
		g.put(m)
	}
	if g.Region == "" {
		g.put(newMachine(g.n.bug, l, g.Name))
	}
}

// Apply does one entry of the log.
func (g *group) Apply(env nodes.Env, index uint64, data []byte) {
	g.index = index
	c := decodeCommand(data)
	if c.Range == "" {
		c.Range = g.Name
	}
	g.do(env, c)
	if index%16 == 0 {
		env.Emit(Digest{Group: g.Name, Index: index, Sum: g.sum()})
	}
}

func (g *group) do(env nodes.Env, c *command) {
	m := g.ranges[c.Range]
	switch {
	case c.Kind == adopt:
		g.adopt(env, c)
	case m != nil:
		m.apply(env, c)
	}
}

// sum adds up the whole state, in no order.
func (g *group) sum() uint64 {
	var sum uint64
	for _, m := range g.ranges {
		sum += pack.Mix(m.sum() ^ pack.Mix(pack.Hash(m.name)^m.epoch<<2^uint64(m.stage)))
	}
	return sum
}

// put adds a range, or takes it in in place of what was left of it.
func (g *group) put(m *machine) {
	m.group = g
	m.feed.since = g.index
	if g.ranges[m.name] == nil {
		i, _ := slices.BinarySearch(g.order, m.name)
		g.order = slices.Insert(g.order, i, m.name)
	}
	g.ranges[m.name] = m
	g.n.settle(m.name)
	g.n.learn([]Place{m.place()})
}

// busy says whether a tick may be needed.
func (g *group) busy() bool {
	for _, m := range g.ranges {
		if m.lead != nil && m.lead.busy() {
			return true
		}
	}
	return g.moving()
}

// Leading is called when this member becomes the leader of the group, with all that was committed before applied; and
// when it ceases to be.
func (g *group) Leading(env nodes.Env, leading bool, _ uint64) {
	g.leading = leading
	for _, name := range g.order {
		m := g.ranges[name]
		m.resign(env)
		m.takeOver(env)
	}
}

// An asker is a router and its number for a request.
type asker struct {
	from    nodes.ID
	request uint64
}

// A leader is what only the leader of a range knows: who waits for an answer, and how far the transactions that the
// range coordinates have come. It is lost with the leadership, and the next one makes its own from the machine.
type leader struct {
	*machine
	asked  map[ID][]asker
	reads  []read
	drives []*drive // records of this group, in the order they were begun
	forget []ID     // records whose participants have all been told

	orders    map[asker]uint64 // administrators who wait until the range is in that epoch
	draining  int              // ticks for which no locks are given out, so that the range can be split
	splitAt   string           // where
	spreading int              // ticks for which the range is to be moved to the group spreadTo, as it was split off a hot one
	spreadTo  string
	heat      heat
	raising   uint64 // the mark that was proposed last
}

// A read is a read-only transaction that has its read point and waits for locks.
type read struct {
	asker
	ops []Op
}

// submit sees a transaction through the log, or reads without one.
func (m *machine) submit(env nodes.Env, a asker, t Txn) {
	l := m.lead
	local := m.holdsAll(t.Ops)
	if l != nil {
		l.warm(env, t.Ops)
	}
	switch {
	case local && readOnly(t.Ops) && m.bug == readLocal:
		m.serve(env, read{a, t.Ops})
	case local && readOnly(t.Ops) && m.bug == serveAfterMove && m.stage != owned && m.group.leading:
		m.serve(env, read{a, t.Ops})
	case local && readOnly(t.Ops) && m.bug == leaseOnWallClock && m.leased(env, t.Ops):
		m.serve(env, read{a, t.Ops})
	case l == nil:
		m.refuse(env, a)
	case local && readOnly(t.Ops):
		asked := env.Now()
		m.group.log.Read(env, func(env nodes.Env, ok bool) {
			switch l := m.lead; {
			case !ok || l == nil || !m.holdsAll(t.Ops):
				m.refuse(env, a)
			case m.blocked(t.Ops):
				if slices.ContainsFunc(l.reads, func(r read) bool { return r.asker == a }) {
					return // it was asked again
				}
				l.reads = append(l.reads, read{a, t.Ops})
				env.Reached("multi-master: a read waited for a lock")
			default:
				m.group.lease = asked.Add(leaseFor)
				m.serve(env, read{a, t.Ops})
			}
		})
	case !local && l.draining > 0, !m.isHome(t.Ops):
		m.refuse(env, a)
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
			c.Kind, c.Priority, c.Parts = begin, env.Now().UnixNano(), m.parties(t.Ops)
		}
		m.propose(env, &c)
	}
}

// leased says that by its clock this member was confirmed as leader so lately that nobody else can lead: a mistake, for
// clocks jump.
func (m *machine) leased(env nodes.Env, ops []Op) bool {
	return m.stage == owned && !m.blocked(ops) && env.Now().Before(m.group.lease)
}

// parties are the names of the ranges that a program touches, in the order of their keys.
func (m *machine) parties(ops []Op) []string {
	all := m.group.n.layout.Participants(ops)
	names := make([]string, len(all))
	for i, r := range all {
		names[i] = r.Name
	}
	return names
}

// propose puts a command in the log, if all goes well; if not, whoever asked will ask again.
func (m *machine) propose(env nodes.Env, c *command) {
	if c.Range = m.name; m.name == m.group.Name {
		c.Range = ""
	}
	m.group.propose(env, c)
}

func (g *group) propose(env nodes.Env, c *command) {
	if err := g.log.Propose(env, c.encode()); err != nil {
		env.Logf("%s: not proposed: %v", g.Name, err)
	}
}

// refuse says who leads the range, or where it is, or what was split off it.
func (m *machine) refuse(env nodes.Env, a asker) {
	if a.from == "" {
		return
	}
	switch places := m.elsewhere(); {
	case m.stage != owned || m.lead != nil && len(places) > 0:
		env.Send(a.from, Moved{Places: places, Request: a.request})
	default:
		env.Send(a.from, NotLeader{Range: m.name, Leader: m.group.log.Leader(), Request: a.request})
	}
}

// serve answers a read from the state as it is.
func (m *machine) serve(env nodes.Env, r read) {
	results, _ := m.store.run(r.ops, true)
	m.tell(env, r.asker, Reply{Results: results})
}

func (m *machine) tell(env nodes.Env, a asker, r Reply) {
	e := Executed{Range: m.name, Request: a.request, Reply: r}
	if a.from == env.ID() {
		m.group.n.executed(env, e)
		return
	}
	env.Send(a.from, e)
}

// takeOver makes a leader of the member that leads the group of a range, which takes over what the log says is unfinished.
func (m *machine) takeOver(env nodes.Env) {
	if !m.group.leading || m.stage != owned {
		return
	}
	l := &leader{machine: m, asked: map[ID][]asker{}, orders: map[asker]uint64{}}
	m.lead = l
	for _, p := range m.parts() {
		p.ticks = 0
	}
	for _, r := range m.sortedRecords() {
		env.Reached("multi-master: a new leader took over a transaction")
		l.drive(env, r)
	}
}

// resign ends a leadership, and tells those who wait to look elsewhere.
func (m *machine) resign(env nodes.Env) {
	l := m.lead
	if l == nil {
		return
	}
	m.lead = nil
	var all []asker
	for _, r := range l.reads {
		all = append(all, r.asker)
	}
	for _, list := range l.asked {
		all = append(all, list...)
	}
	for a := range l.orders {
		all = append(all, a)
	}
	slices.SortFunc(all, func(a, b asker) int { return compareIDs(ID{string(a.from), a.request}, ID{string(b.from), b.request}) })
	for _, a := range all {
		m.refuse(env, a)
	}
}

// What follows is called by the machine as entries are applied; on a follower l is nil.

// misdirected tells those who wait for a transaction that it has nothing to do with this range, or not with it alone.
func (l *leader) misdirected(env nodes.Env, id ID) {
	if l == nil {
		return
	}
	asked := l.asked[id]
	delete(l.asked, id)
	for _, a := range asked {
		l.refuse(env, a)
	}
}

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
		if l.blocked(r.ops) {
			l.reads = append(l.reads, r)
		} else {
			l.serve(env, r)
		}
	}
}

// busy says whether a tick may be needed.
func (l *leader) busy() bool {
	return len(l.drives)+len(l.prepared)+len(l.forget)+len(l.orders)+l.draining+l.spreading > 0
}

// tick moves on what has been silent, and asks for the outcome of parts prepared too long ago.
func (l *leader) tick(env nodes.Env) {
	l.driveTick(env)
	for _, p := range l.parts() {
		p.ticks++
		if p.ticks >= resolveTicks && (p.ticks-resolveTicks)%resendTicks == 0 {
			if p.ticks > resolveTicks {
				l.n().rotate(p.Coordinator)
			}
			env.Reached("multi-master: a participant asked for an outcome")
			env.Send(l.n().leaderOf(p.Coordinator), Query{Range: p.Coordinator, Participant: l.name, ID: p.ID, Attempt: p.Attempt})
		}
	}
	if len(l.forget) > 0 {
		l.propose(env, &command{Kind: forget, IDs: l.forget})
		l.forget = nil
	}
	l.splitTick(env)
}
