package multimaster

import (
	"maps"
	"slices"

	"faultlab/nodes"
)

// Ranges move, are split and are fenced by entries in the log of the group that owns them. So each of these takes effect
// at one place in the order of all that the range does, and only if a majority of its owner has it on disk; whoever led
// that group before, and does not know, can commit nothing against it.
//
// A range that moves is offered to the other group first, so that none is given up that nobody can take. Then it is
// sealed, under the next epoch: from there on its owner does nothing more to it, and hands over what it was at the seal,
// again and again, with sessions, prepared parts and records; until the other group has it in its log. In between nobody
// owns it. What is left behind says where it went.

// A stage is how a group stands to a range.
type stage uint8

const (
	owned  stage = iota
	sealed       // given up for the group target, which may not have it yet
	gone         // it has it: nothing is left but where it went
)

// home is the group that owns the range in its epoch, as far as this one knows.
func (m *machine) home() string {
	if m.stage == owned {
		return m.group.Name
	}
	return m.target
}

func (m *machine) n() *node { return m.group.n }

func (m *machine) place() Place { return Place{m.name, m.epoch, m.home()} }

// elsewhere says where the range is, and what was split off it.
func (m *machine) elsewhere() []Place {
	if m.stage == owned {
		return m.children
	}
	return append([]Place{m.place()}, m.children...)
}

// holds says whether a key is of this range.
func (m *machine) holds(key string) bool {
	return m.keyed && m.from <= key && (m.to == "" || key < m.to)
}

func (m *machine) holdsAll(ops []Op) bool {
	for i := range ops {
		if !m.holds(ops[i].Key) || ops[i].F == Transfer && !m.holds(ops[i].To) {
			return false
		}
	}
	return true
}

// isHome says whether this range, or status group, is where a transaction is to be submitted, if it is not another's by
// what its ranges are called: see Layout.Home.
func (m *machine) isHome(ops []Op) bool {
	if !m.keyed {
		return true
	}
	first := ops[0].Key
	for i := range ops {
		first = min(first, ops[i].Key)
		if ops[i].F == Transfer {
			first = min(first, ops[i].To)
		}
	}
	return m.holds(first)
}

// owns reports a new epoch.
func (m *machine) owns(env nodes.Env) {
	m.store.epoch = m.epoch
	m.group.n.settle(m.name)
	m.group.n.learn([]Place{m.place()})
	env.Emit(Owns{m.place(), m.from, m.to})
}

func (m *machine) fence(env nodes.Env, c *command) {
	if c.Epoch == m.epoch+1 {
		m.epoch = c.Epoch
		m.owns(env)
		env.Reached("multi-master: a range was fenced")
	}
	m.lead.fenced(env)
}

// fenced answers those who asked for an epoch that has come.
func (l *leader) fenced(env nodes.Env) {
	if l == nil {
		return
	}
	var done []asker
	for a, epoch := range l.orders {
		if epoch <= l.epoch {
			done = append(done, a)
		}
	}
	slices.SortFunc(done, func(a, b asker) int { return compareIDs(ID{string(a.from), a.request}, ID{string(b.from), b.request}) })
	for _, a := range done {
		delete(l.orders, a)
		l.ordered(env, a, true, "")
	}
}

// seal gives the range up.
func (m *machine) seal(env nodes.Env, c *command) {
	if c.Epoch != m.epoch+1 {
		return
	}
	m.epoch, m.stage, m.target = c.Epoch, sealed, c.To
	m.group.n.settle(m.name)
	m.group.n.learn([]Place{m.place()})
	env.Emit(Sealed{m.name, m.epoch, m.from, m.to})
	env.Reached("multi-master: a range was sealed to be moved")
	m.resign(env)
	m.handOver(env)
}

// handOver sends a sealed range to its next owner, if this member leads the old one.
func (m *machine) handOver(env nodes.Env) {
	if !m.group.leading {
		return
	}
	m.quiet = 0
	state := m.early
	if state == nil {
		state = m.state()
	}
	env.Send(m.group.n.groupLeader(m.target), Adopt{Group: m.target, Range: m.name, Epoch: m.epoch, State: state})
}

// adopt takes a range in.
func (g *group) adopt(env nodes.Env, c *command) {
	if old := g.ranges[c.Range]; old == nil || old.epoch < c.Epoch {
		m := newMachine(g.n.bug, g.n.layout, c.Range)
		m.load(c.State)
		m.epoch, m.stage, m.target = c.Epoch, owned, ""
		g.put(m)
		m.owns(env)
		m.takeOver(env)
		env.Reached("multi-master: a range was moved")
	}
	if from := g.n.givers[c.Range]; from != "" && g.leading {
		delete(g.n.givers, c.Range)
		env.Send(from, Adopted{Range: c.Range, Epoch: c.Epoch})
	}
}

// handed forgets what has been handed over.
func (m *machine) handed(c *command) {
	if m.stage == sealed && m.epoch == c.Epoch {
		m.stage = gone
		if m.bug != serveAfterMove {
			m.clear()
		}
	}
}

// split makes a range of its own of the keys from c.To on, if nothing is under way here.
func (m *machine) split(env nodes.Env, c *command) {
	busy := len(m.prepared)+len(m.queue) > 0
	for _, r := range m.records {
		busy = busy || r.State == pending
	}
	if busy || c.Epoch != m.epoch+1 || !m.holds(c.To) || c.To <= m.name {
		return
	}
	child := newMachine(m.bug, m.layout, c.To)
	child.to, child.epoch, child.mark = m.to, c.Epoch, m.mark
	for key, v := range m.store.cells {
		if key >= c.To {
			child.store.put(key, *v)
			m.store.put(key, cell{})
			delete(m.store.cells, key)
		}
	}
	for name, s := range m.sessions {
		copied := *s
		child.sessions[name] = &copied
	}
	m.to, m.epoch = c.To, c.Epoch
	m.group.put(child)
	m.children = append(slices.Clip(m.children), child.place())
	m.owns(env)
	child.owns(env)
	env.Reached("multi-master: a range was split")
	child.takeOver(env)
	if l := m.lead; l != nil {
		if l.spreadTo != "" && child.lead != nil {
			child.lead.spreadTo, child.lead.spreading = l.spreadTo, spreadTicks
		}
		l.draining, l.splitAt, l.spreadTo = 0, "", ""
	}
}

// What follows is the leaders' part.

const (
	drainTicks  = 20   // so long a leader gives out no locks, to have its range split
	spreadTicks = 100  // and so long it tries to move what was split off a hot range
	hotRate     = 1000 // requests a second that make a range hot
	hotFor      = 3    // seconds in a row, so that no burst splits anything; and anew after each split
)

// order does what an administrator asks of a range, or the next step towards it.
func (l *leader) order(env nodes.Env, a asker, o Order) {
	if !l.holds(o.Key) {
		l.refuse(env, a)
		return
	}
	switch o.Do {
	case "fence":
		if l.orders[a] > 0 {
			return // it is on its way
		}
		l.orders[a] = l.epoch + 1
		l.grant(env, &command{Kind: fence, Epoch: l.epoch + 1})
	case "move":
		switch {
		case o.To == l.group.Name:
			l.ordered(env, a, true, "")
		case l.n().layout.Group(o.To) == nil:
			l.ordered(env, a, false, "there is no group "+o.To)
		default:
			if !slices.Contains(l.movers, a) {
				l.movers = append(l.movers, a)
			}
			l.offer(env, o.To)
		}
	case "split":
		switch {
		case o.To == l.from:
			l.ordered(env, a, true, "")
		case o.To <= l.name:
			l.ordered(env, a, false, "nothing is split off below "+l.name)
		default:
			l.drain(o.To, "")
		}
	}
}

func (m *machine) ordered(env nodes.Env, a asker, done bool, why string) {
	o := Ordered{Request: a.request, Range: m.name, Epoch: m.epoch, Done: done, Why: why}
	if a.from == env.ID() {
		m.n().ordered(env, o)
		return
	}
	env.Send(a.from, o)
}

func (l *leader) offer(env nodes.Env, to string) {
	if l.bug == serveBeforeMove {
		l.early = l.state()
	}
	env.Send(l.n().groupLeader(to), Offer{Group: to, Range: l.name, Epoch: l.epoch})
}

// grant puts in the log what ends an epoch.
func (l *leader) grant(env nodes.Env, c *command) {
	if l.bug == noWriteFence {
		c.Range = l.name
		l.group.do(env, c)
		return
	}
	l.propose(env, c)
}

// drain makes ready for a split; what is split off then moves to the group spread, if there is one.
func (l *leader) drain(at, spread string) {
	if l.draining == 0 {
		l.draining, l.splitAt, l.spreadTo = drainTicks, at, spread
	}
}

func (l *leader) splitTick(env nodes.Env) {
	if l.draining > 0 {
		l.draining--
		if len(l.prepared)+len(l.queue)+len(l.drives) == 0 {
			l.propose(env, &command{Kind: split, Epoch: l.epoch + 1, To: l.splitAt})
		}
	}
	if l.spreading > 0 {
		l.spreading--
		if l.spreading%resendTicks == 0 {
			l.offer(env, l.spreadTo)
		}
	}
}

// onReady moves a range, if nothing has become of it since it was offered.
func (n *node) onReady(env nodes.Env, r Ready) {
	if m := n.where[r.Range]; m != nil && m.lead != nil && m.epoch == r.Epoch && m.group.Name != r.Group {
		m.lead.grant(env, &command{Kind: seal, Epoch: m.epoch + 1, To: r.Group})
	}
}

func (n *node) onOffer(env nodes.Env, from nodes.ID, o Offer) {
	g := n.leadingGroup(env, from, o.Group)
	if g == nil {
		return
	}
	g.log.Read(env, func(env nodes.Env, ok bool) {
		if ok {
			env.Send(from, Ready(o))
		}
	})
}

func (n *node) onAdopt(env nodes.Env, from nodes.ID, a Adopt) {
	g := n.leadingGroup(env, from, a.Group)
	if g == nil {
		return
	}
	if m := g.ranges[a.Range]; m != nil && m.epoch >= a.Epoch {
		env.Send(from, Adopted{Range: a.Range, Epoch: a.Epoch})
		return
	}
	n.givers[a.Range] = from
	g.propose(env, &command{Kind: adopt, Range: a.Range, Epoch: a.Epoch, State: a.State})
}

func (n *node) onAdopted(env nodes.Env, a Adopted) {
	for _, g := range n.groups {
		if m := g.ranges[a.Range]; m != nil && g.leading && m.stage == sealed && m.epoch == a.Epoch {
			for _, by := range m.movers {
				m.ordered(env, by, true, "")
			}
			m.movers = nil
			c := &command{Kind: release, Epoch: a.Epoch}
			if m.bug == noWriteFence {
				m.handed(c)
			} else {
				m.propose(env, c)
			}
		}
	}
}

// leadingGroup returns a group that this node leads, or tells the asker who may.
func (n *node) leadingGroup(env nodes.Env, from nodes.ID, name string) *group {
	g := n.byName[name]
	if g != nil && g.leading {
		return g
	}
	answer := NotLeader{Group: name}
	if g != nil {
		answer.Leader = g.log.Leader()
	}
	env.Send(from, answer)
	return nil
}

// onNotLeading sends what waits for a group's leader to the right one.
func (n *node) onNotLeading(env nodes.Env, from nodes.ID, b NotLeader) {
	key := groupHint + b.Group
	switch {
	case b.Leader != "" && b.Leader != from:
		n.hints[key] = b.Leader
		for _, g := range n.groups {
			for _, name := range g.order {
				if m := g.ranges[name]; m.stage == sealed && m.target == b.Group && m.quiet < 2 && !m.hopped {
					m.hopped = true
					m.handOver(env)
				}
			}
		}
	default:
		n.turn(key, n.layout.Group(b.Group).Voters, n.groupLeader(b.Group))
	}
}

// moveTick hands over again what was sealed and not yet taken.
func (g *group) moveTick(env nodes.Env) {
	if !g.leading {
		return
	}
	for _, name := range g.order {
		m := g.ranges[name]
		if m.stage != sealed {
			continue
		}
		m.hopped = false
		if m.quiet++; m.quiet >= resendTicks {
			n := g.n
			n.turn(groupHint+m.target, n.layout.Group(m.target).Voters, n.groupLeader(m.target))
			m.handOver(env)
		}
	}
}

func (g *group) moving() bool {
	if g.leading {
		for _, m := range g.ranges {
			if m.stage == sealed {
				return true
			}
		}
	}
	return false
}

// heat is how much a leader is asked for of late, by key.
type heat struct {
	since   int64 // in nanoseconds, by this node's clock
	total   int
	keys    map[string]int
	seconds int // in a row that were hot
}

// warm counts a request, and has the range split if it has been hot for long enough and there is a place that parts what
// is asked of it: no key by itself can be split.
func (l *leader) warm(env nodes.Env, ops []Op) {
	h := &l.heat
	now := env.Now().UnixNano()
	if age := now - h.since; h.keys == nil || age < 0 || age > 2e9 {
		*h = heat{since: now, keys: map[string]int{}}
	} else if age >= 1e9 {
		hot := 0
		if h.total >= hotRate {
			hot = h.seconds + 1
		}
		if hot >= hotFor && l.keyed {
			hot = 0
			if at := h.middle(l.name); at != "" {
				env.Reached("multi-master: a range became too hot")
				l.drain(at, l.n().neighbour(l.group.Name))
			}
		}
		*h = heat{since: now, keys: map[string]int{}, seconds: hot}
	}
	h.total++
	h.keys[ops[0].Key]++
}

// middle is the key that parts the load best, if neither part is left with more than three quarters of it.
func (h *heat) middle(name string) string {
	sum, best, at := 0, 0, ""
	for _, key := range slices.Sorted(maps.Keys(h.keys)) {
		if less := min(sum, h.total-sum); less > best && key > name {
			best, at = less, key
		}
		sum += h.keys[key]
	}
	if best*4 < h.total {
		return ""
	}
	return at
}

// neighbour is the next group of the same sort: of the same region, or the next status group.
func (n *node) neighbour(name string) string {
	all := n.layout.Groups()
	at := slices.IndexFunc(all, func(r *Range) bool { return r.Name == name })
	for i := range all {
		if r := all[(at+1+i)%len(all)]; r.Region == all[at].Region {
			return r.Name
		}
	}
	return name
}

// later says which of two machines for one range knows more of it.
func (m *machine) later(than *machine) bool {
	return than == nil || m.epoch > than.epoch || m.epoch == than.epoch && m.stage == owned
}

// settle chooses, of the groups that this node is a member of, the one that knows most of a range.
func (n *node) settle(name string) {
	var best *machine
	for _, g := range n.groups {
		if m := g.ranges[name]; m != nil && m.later(best) {
			best = m
		}
	}
	if n.where[name] = best; best == nil {
		delete(n.where, name)
	}
}

const groupHint = "group "

func (n *node) groupLeader(name string) nodes.ID {
	if g := n.byName[name]; g != nil && g.log.Leader() != "" {
		return g.log.Leader()
	}
	if id := n.hints[groupHint+name]; id != "" {
		return id
	}
	return n.layout.Group(name).Voters[0]
}

// turn makes the next of some members the one to ask.
func (n *node) turn(key string, among []nodes.ID, last nodes.ID) {
	n.hints[key] = among[(slices.Index(among, last)+1)%len(among)]
}
