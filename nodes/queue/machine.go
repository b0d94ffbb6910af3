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

	group *group
	lead  *leader // what only a leader knows and does; nil on a follower
}

func newMachine(bug string, g *Group) *machine {
	m := &machine{Group: g, bug: bug}
	m.clear()
	return m
}

// clear makes the state what it is before any entry: the first shard of its number, at the home of a keyspace.
func (m *machine) clear() {
	m.clock, m.shards, m.list, m.lives, m.handovers = 0, map[Shard]*shard{}, nil, nil, nil
	if m.Region != "" {
		m.add(newShard(First(m.Region)[m.Number-1]))
	}
}

func newShard(name Shard) *shard {
	at, _ := spanOf(name.Range)
	return &shard{Shard: name, span: at, First: 1, producers: map[string]*producer{}, groups: map[string]*cursor{}}
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
		if !s.Sealed {
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
func (m *machine) Apply(env nodes.Env, _ uint64, data []byte) {
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
	s.remember(b.Producer, run{b.Number, uint64(len(b.Values)), s.Shard, seq})
	if extra := len(s.Lines) - maxLines; extra >= maxLines/16 {
		s.drop(s.First + uint64(extra))
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

// An age says that so much time has passed.
type age struct{ Ms int64 }

func (*age) kind() kind          { return ageKind }
func (c *age) pack(p *pack.Pack) { p.Signed(&c.Ms) }
func (c *age) apply(_ nodes.Env, m *machine) {
	m.clock += c.Ms
	for _, s := range m.list {
		m.retain(s)
	}
}

// retain drops what is old and what all consumer groups that are known have dealt with.
func (m *machine) retain(s *shard) {
	if len(s.groups) == 0 {
		return
	}
	first := s.end() + 1
	for _, c := range s.groups {
		first = min(first, c.Seq+1)
	}
	for i := range s.Lines {
		if l := &s.Lines[i]; l.Seq >= first || m.clock-l.At < keptMs {
			first = min(first, l.Seq)
			break
		}
	}
	s.drop(first)
}

// aging says whether retain may have something to drop one day.
func (m *machine) aging() bool {
	return slices.ContainsFunc(m.list, func(s *shard) bool { return len(s.Lines) > 0 })
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
