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
func (m *machine) Restore(_ uint64, data []byte) {
	m.clear()
	pack.Read(data, m.pack)
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
	pack.List(p, &s.Children, (*Location).pack)
	p.Flag(&s.Sealed)
	p.Number(&s.First)
	p.Sum(&s.Before)
	pack.List(p, &s.Lines, (*line).pack)
	producers, cursors := sorted(s.producers), sorted(s.groups)
	pack.List(p, &producers, pack.New((*producer).pack))
	pack.List(p, &cursors, pack.New((*cursor).pack))
	pack.Optional(p, &s.Engaged, (*engaged).pack)
	if !p.Reading() {
		return
	}
	s.span, _ = spanOf(s.Range)
	s.producers, s.groups = map[string]*producer{}, map[string]*cursor{}
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
