package queue

import (
	"math"
	"slices"

	"faultlab/nodes"
	"faultlab/nodes/pack"
)

// Splits and merges.
//
// A shard ends with a seal, an entry of its group's log that names its children. A child that its group is to hold itself
// begins in the same entry. For one that another group is to hold, the leader hands over what the child must know (adopt:
// its parents, what they remember of producers, which groups read them), again and again until that group has it in its
// log; between the two nobody takes the child's keys. Nothing of the parent can change any more, so it does not matter
// which leader hands over, how often, or how late.
//
// A split seals one shard with two children: the left one stays, the right one goes to the group with least to do. A merge
// has two parents and one child, which the left one's group will hold. First the left one is engaged: it promises not to
// split, until the other group says that the right one has been sealed for another child, and so never will be for this
// one. Then the right one is sealed, and what it hands over seals the left one and begins the child, in one entry. So the
// left one's keys are always taken, and the right one's are not for the time of one handover.

// A birth is a child, with all its parents.
type birth struct {
	Child   Location
	Parents []Location
}

func (b *birth) pack(p *pack.Pack) {
	b.Child.pack(p)
	pack.List(p, &b.Parents, (*Location).pack)
}

// A handover is a birth that another group has not confirmed yet.
type handover struct {
	birth
	From Shard // the parent, sealed here
}

func (h *handover) pack(p *pack.Pack) {
	h.birth.pack(p)
	h.From.pack(p)
}

// An engaged shard waits to be merged with the one to its right.
type engaged struct {
	Right Location
	Child Shard
}

func (e *engaged) pack(p *pack.Pack) {
	e.Right.pack(p)
	e.Child.pack(p)
}

// A seal ends a shard.
type seal struct {
	Mark   uint64
	Shard  Shard
	Births []birth
}

func (*seal) kind() kind       { return sealKind }
func (c *seal) marks() *uint64 { return &c.Mark }

func (c *seal) pack(p *pack.Pack) {
	p.Number(&c.Mark)
	c.Shard.pack(p)
	pack.List(p, &c.Births, (*birth).pack)
}

func (c *seal) apply(env nodes.Env, m *machine) {
	s := m.shards[c.Shard]
	if s == nil || s.Sealed || s.Engaged != nil || m.regimes[s.home].Region != m.Region {
		m.lead.reply(env, c.Mark, NotYet{"the shard is sealed, or to be merged"})
		return
	}
	m.end(env, s, c.Births)
	for _, b := range c.Births {
		if b.Child.Number == m.Number {
			m.adopt(env, m.adoption(b, s))
			continue
		}
		m.handovers = append(m.handovers, &handover{b, s.Shard})
	}
	m.lead.reply(env, c.Mark, NotYet{"it was sealed, and its children begin"})
	m.lead.handOver(env)
}

// end seals a shard.
func (m *machine) end(env nodes.Env, s *shard, births []birth) {
	s.Sealed, s.Engaged, s.Births, s.Children, s.touched = true, nil, births, nil, m.index
	var children []Shard
	for _, b := range births {
		s.Children = append(s.Children, b.Child)
		children = append(children, b.Child.Shard)
	}
	m.sort()
	if s.Own || m.regimes[s.home].Region == m.Region {
		env.Emit(Sealed{m.Name, s.Shard, s.end(), children})
	}
	m.prefix(env, s, s.end())
	m.lead.stir(s.Shard)
}

// An adopt begins a shard, with what one of its parents hands over.
type adopt struct {
	Mark uint64
	birth
	Generation uint64 // of the keyspace
	From       Shard
	Producers  []*producer
	Cursors    []*cursor // groups and generations
}

func (*adopt) kind() kind       { return adoptKind }
func (c *adopt) marks() *uint64 { return &c.Mark }

func (c *adopt) pack(p *pack.Pack) {
	p.Number(&c.Mark)
	c.birth.pack(p)
	p.Number(&c.Generation)
	c.From.pack(p)
	pack.List(p, &c.Producers, pack.New((*producer).pack))
	pack.List(p, &c.Cursors, pack.New((*cursor).pack))
}

// adoption is what a sealed shard hands over to a child. The result shares memory with the shard.
func (m *machine) adoption(b birth, from *shard) *adopt {
	return &adopt{
		birth: b, Generation: m.regimes[from.home].Generation, From: from.Shard,
		Producers: sorted(from.producers), Cursors: sorted(from.groups),
	}
}

func (c *adopt) apply(env nodes.Env, m *machine) {
	if m.adopt(env, c) {
		m.lead.reply(env, c.Mark, Done{})
	} else {
		m.lead.reply(env, c.Mark, NotYet{"the left shard is not engaged"})
	}
}

// adopt begins a shard, once: whatever comes of it later, it is not begun again.
func (m *machine) adopt(env nodes.Env, c *adopt) bool {
	if old := m.shards[c.Child.Shard]; old != nil {
		env.Reached("queue: a shard was handed over again")
		if m.bug != adoptAgain {
			return true
		}
		m.remove(old)
	}
	s := newShard(c.Child.Shard)
	r := m.regimes[s.home]
	if r.Generation != c.Generation {
		return false // from before a promotion, or behind one that has not come here
	}
	s.Own = r.Region == m.Region && s.generation() == r.Generation
	if m.bug != childBeforeParentEnd {
		s.Parents = c.Parents
	}
	m.inherit(s, c)
	for _, p := range c.Parents { // of a merge, the left one
		if p.Shard != c.From {
			left := m.shards[p.Shard]
			switch {
			case left == nil:
				return false
			case left.Sealed && slices.Contains(left.Children, c.Child): // it is a copy
			case left.Engaged != nil && left.Engaged.Child == s.Shard:
				m.end(env, left, []birth{c.birth})
				env.Reached("queue: two shards were merged")
			default:
				return false
			}
			m.inherit(s, m.adoption(c.birth, left))
		}
	}
	s.base = cloned(s.producers)
	s.touched = m.index
	r.known = 0 // nothing was told of what was not here
	m.lead.begin(env, s.home)
	m.add(s)
	if s.Own {
		m.lead.serves(env, s)
	}
	m.close(env, s)
	m.lead.stir(s.Shard)
	return true
}

// inherit gives a shard what a parent hands over.
func (m *machine) inherit(s *shard, c *adopt) {
	for _, p := range c.Producers {
		if m.bug != dedupResetOnEpochBump {
			s.inherit(p, m.clock)
		}
	}
	for _, from := range c.Cursors {
		at := s.cursor(from.Group)
		at.Generation = max(at.Generation, from.Generation)
	}
}

// A handed says that a child is in another group's log.
type handed struct {
	Child, From Shard
}

func (*handed) kind() kind { return handedKind }

func (c *handed) pack(p *pack.Pack) {
	c.Child.pack(p)
	c.From.pack(p)
}

func (c *handed) apply(_ nodes.Env, m *machine) {
	m.handovers = slices.DeleteFunc(m.handovers, func(h *handover) bool {
		return h.Child.Shard == c.Child && h.From == c.From
	})
}

// An engage promises a shard to a merge with the one to its right, if it is free to.
type engage struct {
	Shard Shard
	engaged
}

func (*engage) kind() kind { return engageKind }

func (c *engage) pack(p *pack.Pack) {
	c.Shard.pack(p)
	c.engaged.pack(p)
}

func (c *engage) apply(env nodes.Env, m *machine) {
	if s := m.shards[c.Shard]; s != nil && !s.Sealed && s.Engaged == nil && m.regimes[s.home].Region == m.Region {
		e := c.engaged
		s.Engaged = &e
		m.lead.woo(env, s)
	}
}

// A disengage takes the promise back: the right shard has been sealed for another child.
type disengage struct {
	Shard, Child Shard
}

func (*disengage) kind() kind { return disengageKind }

func (c *disengage) pack(p *pack.Pack) {
	c.Shard.pack(p)
	c.Child.pack(p)
}

func (c *disengage) apply(_ nodes.Env, m *machine) {
	if s := m.shards[c.Shard]; s != nil && s.Engaged != nil && s.Engaged.Child == c.Child {
		s.Engaged = nil
	}
}

// parted says whether a live shard is smaller than at first, and may be merged one day.
func (m *machine) parted() bool {
	return slices.ContainsFunc(m.lives, func(s *shard) bool { return s.Engaged != nil || s.size() < firstSize })
}

// What follows is the leader's part.

// split sees to it that no shard has both sides of the middle of a range.
func (l *leader) split(env nodes.Env, a asker, b Split) {
	at, _ := spanOf(b.Range)
	switch s := l.m.live(at.home, at.middle()); {
	case s == nil:
		l.answer(env, a, l.m.elsewhere(at.home, at.middle()))
	case at.size() == 1:
		l.answer(env, a, NotYet{"a range of one hash has no middle"})
	case s.to > at.middle() && s.Engaged != nil:
		l.answer(env, a, NotYet{"the shard is to be merged"})
	case s.to > at.middle():
		l.propose(env, a, l.halves(s, at.middle()))
		env.Reached("queue: a shard was split by an administrator")
	case slices.ContainsFunc(s.Parents, func(p Location) bool { return l.m.handing(p.Shard) }):
		l.answer(env, a, NotYet{"the right half is being handed over"})
	default:
		l.answer(env, a, Done{})
	}
}

func (m *machine) handing(from Shard) bool {
	return slices.ContainsFunc(m.handovers, func(h *handover) bool { return h.From == from })
}

// halves is the seal of a split behind a hash.
func (l *leader) halves(s *shard, middle uint16) *seal {
	parents := []Location{{s.Shard, l.Number}}
	part := func(from, to uint16, number int) birth {
		return birth{Location{Shard{span{s.home, from, to}.String(), s.Epoch + 1}, number}, parents}
	}
	return &seal{Shard: s.Shard, Births: []birth{part(s.from, middle, l.Number), part(middle+1, s.to, l.idle(s.home))}}
}

// idle returns the number of the group in this region that has the fewest live shards of a keyspace, as far as this node
// knows; of several the next one.
func (l *leader) idle(home string) int {
	best, fewest := l.Number, 1<<30
	for k := range GroupsPerRegion {
		number := (l.Number+k)%GroupsPerRegion + 1
		g := l.n.byName[name(l.Region, number)]
		if g == nil {
			continue
		}
		n := 0
		for _, s := range g.m.lives {
			if s.home == home {
				n++
			}
		}
		if n < fewest {
			best, fewest = number, n
		}
	}
	return best
}

// handOver asks other groups to adopt what was born here.
func (l *leader) handOver(env nodes.Env) {
	if l == nil {
		return
	}
	for _, h := range l.m.handovers {
		entry := encode(l.m.adoption(h.birth, l.m.shards[h.From]), 4096)
		l.errand(env, "adopt "+h.Child.Shard.String(), h.Child.Number, Adopt{h.Child.Shard, entry}, func(env nodes.Env, l *leader, answer any) {
			if answer == (Done{}) {
				l.offer(env, &handed{h.Child.Shard, h.From})
			}
		})
	}
}

// adopt puts in the log what another group hands over.
func (l *leader) adopt(env nodes.Env, a asker, b Adopt) {
	if l.m.shards[b.Child] != nil && l.m.bug != adoptAgain {
		l.answer(env, a, Done{})
		return
	}
	l.propose(env, a, decode(b.Entry).(*adopt))
	env.Reached("queue: a shard was handed over")
}

// errand asks the leader of another group of this region, once at a time for each thing that it is about, and not again
// for a while. then is called if there is an answer and this member still leads.
func (l *leader) errand(env nodes.Env, about string, number int, body any, then func(env nodes.Env, l *leader, answer any)) {
	if l.ticks < l.errands[about] {
		return
	}
	l.errands[about] = math.MaxInt
	l.n.ask(env, name(l.Region, number), body, func(env nodes.Env, answer any) {
		l.errands[about] = l.ticks + errandTicks
		if answer != nil && l.m.lead == l {
			then(env, l, answer)
		}
	})
}

// merge sees to it that one shard has both sides of where two ranges meet.
func (l *leader) merge(env nodes.Env, a asker, b Merge) {
	left, ok := spanOf(b.Left)
	right, ok2 := spanOf(b.Right)
	if !ok || !ok2 || left.home != right.home || left.to == 1<<16-1 || left.to+1 != right.from {
		l.answer(env, a, NotYet{"they are not neighbours"})
		return
	}
	switch s := l.m.live(left.home, left.to); {
	case s == nil:
		l.answer(env, a, l.m.elsewhere(left.home, left.to))
	case s.to > left.to:
		l.answer(env, a, Done{})
	case s.Engaged != nil:
		l.answer(env, a, NotYet{"the left shard is to be merged"})
	default:
		l.court(env, s, false)
		l.answer(env, a, NotYet{"the right shard is looked for"})
	}
}

// court finds the shard to the right of one and engages the two; with cold only if that has little to do, and they are
// parts of what was one shard at first.
func (l *leader) court(env nodes.Env, s *shard, cold bool) {
	left := s.Shard
	l.n.locate(env, span{s.home, s.to + 1, s.to + 1}, func(env nodes.Env, b Located) {
		s := l.m.shards[left]
		at, _ := spanOf(b.At.Shard.Range)
		switch {
		case l.m.lead != l || s == nil || s.Sealed || s.Engaged != nil || at.from != s.to+1:
		case cold && (!b.Cold || int(s.from)/firstSize != int(at.to)/firstSize):
		default:
			child := Shard{span{s.home, s.from, at.to}.String(), max(s.Epoch, b.At.Shard.Epoch) + 1}
			l.offer(env, &engage{left, engaged{b.At, child}})
		}
	})
}

// locate says which live shard takes the first hash of a range.
func (l *leader) locate(b Locate) any {
	at, _ := spanOf(b.Range)
	s := l.m.live(at.home, at.from)
	if s == nil {
		return l.m.elsewhere(at.home, at.from)
	}
	return Located{Location{s.Shard, l.Number}, l.load.of(s.Shard).cold >= coldWindows}
}

// woo asks the group of the right shard to seal it.
func (l *leader) woo(env nodes.Env, s *shard) {
	if l == nil {
		return
	}
	e := *s.Engaged
	left := Location{s.Shard, l.Number}
	l.errand(env, "wed "+e.Child.String(), e.Right.Number, Wed{left, e.Right.Shard, Location{e.Child, l.Number}}, func(env nodes.Env, l *leader, answer any) {
		if _, never := answer.(Refused); never {
			l.offer(env, &disengage{left.Shard, e.Child})
		}
	})
}

// wed seals the right part of a merge.
func (l *leader) wed(env nodes.Env, a asker, b Wed) {
	s := l.m.shards[b.Right]
	switch {
	case s == nil:
		l.answer(env, a, NotYet{"there is no such shard here"})
	case s.Sealed && slices.Contains(s.Children, b.Child):
		l.answer(env, a, Done{})
	case s.Sealed:
		l.answer(env, a, Refused{"the shard has been sealed for another child"})
	case s.Engaged != nil:
		l.answer(env, a, NotYet{"the shard is to be merged with another"})
	default:
		l.propose(env, a, &seal{Shard: b.Right, Births: []birth{{b.Child, []Location{b.Left, {b.Right, l.Number}}}}})
	}
}
