package queue

import (
	"maps"
	"slices"

	"faultlab/nodes"
	"faultlab/nodes/pack"
)

// A machine is the replicated state of one group: the shards that it holds, and how far consumer groups have read them.
// Its commands are its only way to change, and what one does depends on the log alone: same log, same state, same answers.
//
// Where keys live. A send says its key and keyspace, and is put in whichever shard of this group takes that key when the
// entry is applied: one that was proposed before a split and is applied behind it lands in the child, if that is here, and
// nowhere if it is not. So no shard takes anything behind its seal, and nobody need stop proposing before one.
//
// Clock. Ages are counted in the machine's own clock, which its leader moves on with an entry every few seconds ([age]):
// no clock of a node is trusted, and all members agree.
type machine struct {
	*Group
	bug       string
	clock     int64 // ms
	shards    map[Shard]*shard
	list      []*shard    // the same, parents before children
	lives     []*shard    // those that take sends
	handovers []*handover // children that another group has yet to adopt

	regimes     map[string]*regime     // by keyspace: who serves it
	tails       []Tail                 // what was acknowledged here and is on no lineage
	memberships map[string]*membership // of consumer groups that are coordinated here
	sinks       map[string]*sink       // by keyspace
	directory   *Regimes               // of the group D alone
	index       uint64                 // of the last entry

	layout *Layout
	group  *group
	lead   *leader // what only a leader knows and does; nil on a follower
}

func newMachine(bug string, l *Layout, g *Group) *machine {
	m := &machine{Group: g, bug: bug, layout: l}
	m.clear()
	return m
}

// clear makes the state what it is before any entry: each region serves its own keyspace, and every group has the first
// shard of its number of each, its own or a copy.
func (m *machine) clear() {
	m.clock, m.shards, m.list, m.lives, m.handovers, m.index = 0, map[Shard]*shard{}, nil, nil, nil, 0
	m.regimes, m.tails, m.memberships, m.sinks, m.directory = map[string]*regime{}, nil, map[string]*membership{}, map[string]*sink{}, nil
	if m.Region == "" {
		m.directory = newRegimes(m.layout.Regions)
		return
	}
	for _, home := range m.layout.Regions {
		m.regimes[home] = &regime{Keyspace: Keyspace{Home: home, Region: home}}
		m.sinks[home] = newSink()
		s := newShard(First(home)[m.Number-1])
		s.Own = home == m.Region
		m.add(s)
	}
}

func newShard(name Shard) *shard {
	at, _ := spanOf(name.Range)
	return &shard{
		Shard: name, span: at, First: 1, groups: map[string]*cursor{},
		base: map[string]*producer{}, producers: map[string]*producer{},
	}
}

// add takes a shard in.
func (m *machine) add(s *shard) {
	m.shards[s.Shard] = s
	at, _ := slices.BinarySearchFunc(m.list, s, func(a, b *shard) int { return a.compare(b.Shard) })
	m.list = slices.Insert(m.list, at, s)
	m.sort()
}

// sort finds again which shards take sends.
func (m *machine) sort() {
	m.lives = nil
	for _, s := range m.list {
		if !s.Sealed && m.regimes[s.home].Region == m.Region {
			m.lives = append(m.lives, s)
		}
	}
}

// live returns the shard that takes sends for a hash, nil if none here does.
func (m *machine) live(home string, hash uint16) *shard {
	for _, s := range m.lives {
		if s.holds(home, hash) {
			return s
		}
	}
	if m.bug == parentAcceptsAfterSeal {
		for _, s := range slices.Backward(m.list) {
			if s.holds(home, hash) {
				return s
			}
		}
	}
	return nil
}

// Apply does one entry of the log.
func (m *machine) Apply(env nodes.Env, index uint64, data []byte) {
	m.index = index
	decode(data).apply(env, m)
	m.lead.applied(env)
}

// A put is sends, one after another.
type put struct{ Sends []marked }

type marked struct {
	Mark uint64
	Send Send
}

func (*put) kind() kind { return putKind }

func (c *put) pack(p *pack.Pack) {
	pack.List(p, &c.Sends, (*marked).pack)
}

func (s *marked) pack(p *pack.Pack) {
	p.Number(&s.Mark)
	p.Text(&s.Send.Home)
	p.Text(&s.Send.Key)
	p.Text(&s.Send.Producer)
	p.Number(&s.Send.Number)
	pack.List(p, &s.Send.Values, func(v *string, p *pack.Pack) { p.Text(v) })
}

func (c *put) apply(env nodes.Env, m *machine) {
	for i := range c.Sends {
		s := &c.Sends[i]
		m.lead.reply(env, s.Mark, m.put(env, &s.Send))
	}
	m.lead.landed(env)
}

// put puts a send in the shard that takes its key, unless it is there already, and returns the answer to it.
func (m *machine) put(env nodes.Env, b *Send) any {
	s := m.live(b.Home, HashOf(b.Key))
	if s == nil {
		env.Reached("queue: a send found its shard sealed")
		return m.elsewhere(b.Home, HashOf(b.Key))
	}
	how, where := s.standing(b.Producer, b.Number, uint64(len(b.Values)))
	switch how {
	case taken:
		env.Reached("queue: a duplicate was answered with its place")
		if where.Shard != s.Shard {
			env.Reached("queue: a duplicate was answered with its place in a parent")
		}
		return SendOK{where.Shard, where.Seq}
	case passed:
		return Refused{"its producer has gone past this number"}
	case forgotten:
		return NotNow{"this number is too old to tell whether it was taken"}
	}
	seq := s.end() + 1
	for i, v := range b.Values {
		s.add(Record{Producer: b.Producer, Number: b.Number + uint64(i), Key: b.Key, Value: v}, m.clock)
		m.prefix(env, s, s.end())
	}
	s.remember(b.Producer, run{b.Number, uint64(len(b.Values)), s.Shard, seq}, m.clock)
	if p := s.producers[b.Producer]; m.bug == dedupUnorderedCache && len(p.Runs) == Window {
		at := int(pack.Mix(seq) % Window)
		p.Runs = slices.Delete(p.Runs, at, at+1)
	}
	if extra := len(s.Lines) - maxLines; extra >= maxLines/16 {
		s.drop(min(s.First+uint64(extra), m.copiedTo(s)+1))
	}
	m.lead.added(s, len(b.Values))
	return SendOK{s.Shard, seq}
}

// prefix tells what the records up to some places add up to: every 16th, and the last one of a sealed shard.
func (m *machine) prefix(env nodes.Env, s *shard, seq uint64) {
	if seq == s.end() && (seq%16 == 0 || s.Sealed) {
		env.Emit(Prefix{m.Region, s.Shard, seq, s.sum()})
	}
}

// elsewhere says what is known here of where a hash lives now.
func (m *machine) elsewhere(home string, hash uint16) Elsewhere {
	var e Elsewhere
	for _, s := range m.list {
		if !s.holds(home, hash) {
			continue
		}
		e.Known = append(e.Known, Location{s.Shard, m.Number})
		e.Known = append(e.Known, s.Children...)
	}
	return e
}

// An age says that so much time has passed, and how far other regions have copied the shards that are served here.
type age struct {
	Ms     int64
	Copied []Cursor
}

func (*age) kind() kind { return ageKind }

func (c *age) pack(p *pack.Pack) {
	p.Signed(&c.Ms)
	pack.List(p, &c.Copied, (*Cursor).pack)
}

func (c *Cursor) pack(p *pack.Pack) {
	c.Shard.pack(p)
	p.Number(&c.Seq)
}

func (c *age) apply(_ nodes.Env, m *machine) {
	m.clock += c.Ms
	for _, at := range c.Copied {
		if s := m.shards[at.Shard]; s != nil {
			s.Copied = max(s.Copied, at.Seq)
		}
	}
	for _, s := range m.list {
		s.forget(m.clock - rememberedMs)
		if m.regimes[s.home].Region == m.Region { // a copy is dropped when its origin is
			m.retain(s)
		}
	}
}

// copiedTo is up to where all other regions have a shard. What one of them lacks is not dropped: should it come to serve the
// keyspace as it is, the rest is tail, and this region has to account for it.
func (m *machine) copiedTo(s *shard) uint64 {
	if len(m.layout.Regions) == 1 {
		return s.end()
	}
	return min(s.Copied, s.end())
}

// retain drops what is old and what all consumer groups that are known have dealt with.
func (m *machine) retain(s *shard) {
	if len(s.groups) == 0 {
		return
	}
	first := m.copiedTo(s) + 1
	for _, c := range s.groups {
		first = min(first, c.Seq+1)
	}
	for i := range s.Lines {
		if l := &s.Lines[i]; l.Seq >= first || m.clock-l.At < keptMs {
			first = min(first, l.Seq)
			break
		}
	}
	if first > s.First {
		s.drop(first)
		s.touched = m.index
	}
}

// aging says whether there may be something to drop or to forget one day.
func (m *machine) aging() bool {
	return slices.ContainsFunc(m.list, func(s *shard) bool { return len(s.Lines)+len(s.producers) > 0 })
}

// A snapshot asks every member to take one.
type snapshot struct{}

func (*snapshot) kind() kind                    { return snapshotKind }
func (*snapshot) pack(*pack.Pack)               {}
func (*snapshot) apply(_ nodes.Env, m *machine) { m.group.log.SnapshotSoon() }

// sorted returns what a map holds in an order that depends on the content alone.
func sorted[V any](of map[string]V) []V {
	var all []V
	for _, name := range slices.Sorted(maps.Keys(of)) {
		all = append(all, of[name])
	}
	return all
}
