package queue

import (
	"faultlab/nodes"
	"faultlab/nodes/pack"
)

// A cursor is how far a consumer group has dealt with a shard, and the newest generation of it that has been seen here:
// what an older one asks is refused. A group reads and commits only in a shard that is Open to it: one without parents,
// or one of whose parents it has dealt with to the end.
type cursor struct {
	Group      string
	Generation uint64
	Seq        uint64
	Open       bool
}

func (c *cursor) pack(p *pack.Pack) {
	p.Text(&c.Group)
	p.Number(&c.Generation)
	p.Number(&c.Seq)
	p.Flag(&c.Open)
}

// cursor returns the group's, and makes it if need be.
func (s *shard) cursor(group string) *cursor {
	c := s.groups[group]
	if c == nil {
		c = &cursor{Group: group, Open: len(s.Parents) == 0}
		s.groups[group] = c
	}
	return c
}

// isOpen says whether a group may read.
func (s *shard) isOpen(group string) bool {
	c := s.groups[group]
	return c == nil && len(s.Parents) == 0 || c != nil && c.Open
}

// finished says whether a group has dealt with all that a shard will ever hold.
func (s *shard) finished(group string) bool {
	c := s.groups[group]
	return s.Sealed && c != nil && c.Open && c.Seq == s.end()
}

// A claim says that a generation of a group reads a shard.
type claim struct {
	Shard      Shard
	Group      string
	Generation uint64
}

func (*claim) kind() kind { return claimKind }

func (c *claim) pack(p *pack.Pack) {
	c.Shard.pack(p)
	p.Text(&c.Group)
	p.Number(&c.Generation)
}

func (c *claim) apply(_ nodes.Env, m *machine) {
	if s := m.shards[c.Shard]; s != nil && m.regimes[s.home].Region == m.Region {
		at := s.cursor(c.Group)
		at.Generation = max(at.Generation, c.Generation)
		s.touched = m.index
		m.lead.stir(c.Shard)
	}
}

// An open says that a group has dealt with all parents of a shard.
type open struct {
	Shard Shard
	Group string
}

func (*open) kind() kind { return openKind }

func (c *open) pack(p *pack.Pack) {
	c.Shard.pack(p)
	p.Text(&c.Group)
}

func (c *open) apply(_ nodes.Env, m *machine) {
	if s := m.shards[c.Shard]; s != nil && m.regimes[s.home].Region == m.Region {
		s.cursor(c.Group).Open = true
		s.touched = m.index
		m.lead.stir(c.Shard)
	}
}

// A commit moves a cursor on.
type commit struct {
	Mark       uint64
	Shard      Shard
	Group      string
	Generation uint64
	Seq        uint64
}

func (*commit) kind() kind { return commitKind }

func (c *commit) pack(p *pack.Pack) {
	p.Number(&c.Mark)
	c.Shard.pack(p)
	p.Text(&c.Group)
	p.Number(&c.Generation)
	p.Number(&c.Seq)
}

func (c *commit) apply(env nodes.Env, m *machine) {
	m.lead.reply(env, c.Mark, m.commit(env, c))
}

func (m *machine) commit(env nodes.Env, c *commit) any {
	s := m.shards[c.Shard]
	if s == nil {
		return Elsewhere{}
	}
	at := s.cursor(c.Group)
	switch {
	case m.regimes[s.home].Region != m.Region:
		return Elsewhere{}
	case c.Generation < max(at.Generation, m.regimes[s.home].Generation*generations) && m.bug != zombieCommits:
		env.Reached("queue: a commit of an old generation was refused")
		return Refused{"a newer generation of the group has been seen"}
	case c.Seq > s.end():
		return Refused{"there is no such place yet"}
	case !at.Open:
		return NotNow{"the group has not dealt with all of the parent"}
	}
	at.Generation = max(at.Generation, c.Generation)
	if c.Seq > at.Seq || m.bug == cursorGoesBack {
		at.Seq = c.Seq
	}
	s.touched = m.index
	if s.finished(c.Group) {
		for _, child := range s.Children {
			m.lead.stir(child.Shard)
		}
	}
	return Committed{at.Seq}
}

// open lets a group read a shard whose parents it has dealt with. Of parents that other groups hold it asks there.
func (l *leader) open(env nodes.Env, s *shard, consumer string) {
	for _, p := range s.Parents {
		if of := l.m.shards[p.Shard]; of != nil {
			if l.finish(env, Finish{p.Shard, consumer}) != (Done{}) {
				return
			}
			continue
		}
		if l.done[finishing{p.Shard, consumer}] {
			continue
		}
		l.errand(env, "finish "+p.Shard.String()+" "+consumer, p.Number, Finish{p.Shard, consumer}, func(env nodes.Env, l *leader, answer any) {
			if answer == (Done{}) {
				l.done[finishing{p.Shard, consumer}] = true
				l.look(env, func(p *poll) bool { return p.Group == consumer })
			}
		})
		return
	}
	l.offer(env, &open{s.Shard, consumer})
}

// finish says whether a group has dealt with all of a shard. It sees to it that it can: one that is empty, or that no
// member of the group has asked for yet, may still have to be opened.
func (l *leader) finish(env nodes.Env, b Finish) any {
	s := l.m.shards[b.Shard]
	switch {
	case s == nil:
		return NotYet{"there is no such shard here"}
	case s.finished(b.Consumer):
		return Done{}
	case s.Sealed && !s.isOpen(b.Consumer):
		l.open(env, s, b.Consumer)
	case s.Sealed && s.end() == 0 && s.groups[b.Consumer] == nil:
		l.offer(env, &claim{Shard: b.Shard, Group: b.Consumer})
	}
	return NotYet{"the group has not dealt with all of the shard"}
}
