package queue

import "faultlab/nodes/pack"

// Snapshot returns the whole state.
func (m *machine) Snapshot() []byte {
	size := 1024
	for _, s := range m.list {
		size += 256 + 64*len(s.Lines) + 1024*len(s.producers)
	}
	return pack.Write(size, m.pack)
}

// Restore replaces the state by a snapshot's.
func (m *machine) Restore(index uint64, data []byte) {
	m.clear()
	pack.Read(data, m.pack)
	m.index = index
	for _, s := range m.list {
		s.touched = index
	}
	m.sort()
	if m.bug == dedupNotInSnapshot {
		for _, s := range m.list {
			s.producers = map[string]*producer{}
		}
	}
}

// pack says what the state is, in an order that depends on the content alone.
func (m *machine) pack(p *pack.Pack) {
	p.Signed(&m.clock)
	pack.List(p, &m.list, pack.New((*shard).pack))
	pack.List(p, &m.handovers, pack.New((*handover).pack))
	m.packPromotions(p)
	if p.Reading() {
		m.shards = map[Shard]*shard{}
		for _, s := range m.list {
			m.shards[s.Shard] = s
		}
	}
}

func (s *shard) pack(p *pack.Pack) {
	s.Shard.pack(p)
	pack.List(p, &s.Parents, (*Location).pack)
	pack.List(p, &s.Births, (*birth).pack)
	p.Flag(&s.Sealed)
	p.Flag(&s.Own)
	p.Number(&s.Copied)
	p.Number(&s.First)
	p.Sum(&s.Before)
	pack.List(p, &s.Lines, (*line).pack)
	base, producers, cursors := sorted(s.base), sorted(s.producers), sorted(s.groups)
	pack.List(p, &base, pack.New((*producer).pack))
	pack.List(p, &producers, pack.New((*producer).pack))
	pack.List(p, &cursors, pack.New((*cursor).pack))
	pack.Optional(p, &s.Engaged, (*engaged).pack)
	if !p.Reading() {
		return
	}
	s.span, _ = spanOf(s.Range)
	for _, b := range s.Births {
		s.Children = append(s.Children, b.Child)
	}
	s.base, s.producers, s.groups = map[string]*producer{}, map[string]*producer{}, map[string]*cursor{}
	for _, v := range base {
		s.base[v.Name] = v
	}
	for _, v := range producers {
		s.producers[v.Name] = v
	}
	for _, v := range cursors {
		s.groups[v.Group] = v
	}
	sum := s.Before
	for i := range s.Lines {
		l := &s.Lines[i]
		l.Seq = s.First + uint64(i)
		sum = Sum(sum, &l.Record)
		l.Sum = sum
	}
}

func (l *line) pack(p *pack.Pack) {
	l.Record.pack(p)
	p.Signed(&l.At)
}

// packPromotions says the rest of it: who serves what, what was left behind, and what consumers share.
func (m *machine) packPromotions(p *pack.Pack) {
	pack.Optional(p, &m.directory, (*Regimes).pack)
	regimes, memberships, sinks := sorted(m.regimes), sorted(m.memberships), sorted(m.sinks)
	pack.List(p, &regimes, pack.New(func(r *regime, p *pack.Pack) {
		r.Keyspace.pack(p)
		p.Number(&r.known)
	}))
	pack.List(p, &memberships, pack.New((*membership).pack))
	pack.List(p, &sinks, pack.New((*sink).pack))
	pack.List(p, &m.tails, (*Tail).pack)
	if !p.Reading() {
		return
	}
	for i, r := range regimes {
		m.regimes[r.Home] = r
		m.sinks[r.Home] = sinks[i]
	}
	for _, c := range memberships {
		m.memberships[coordinated(c.Home, c.Group)] = c
	}
}

func (t *Tail) pack(p *pack.Pack) {
	t.Shard.pack(p)
	pack.List(p, &t.Records, func(r *Record, p *pack.Pack) {
		p.Number(&r.Seq)
		r.pack(p)
	})
}
