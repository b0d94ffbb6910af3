package queue

import (
	"maps"
	"slices"
	"sort"

	"faultlab/nodes"
	"faultlab/nodes/pack"
)

// A sink is the rows that the records of a keyspace have left: one for each name, however often it was delivered. It is
// kept by one group of the region that serves the keyspace and copied to the others. A region that lost the keyspace may
// have delivered what nobody copied, and its successor delivers that again; the two are one row when they meet, since a
// row is known by its name.
type sink struct {
	names  []string          // in the order in which they came here
	counts map[string]uint64 // how often each took effect
	read   map[string]uint64 // by region: how many of its names are here

	sorted []string // the names, in order; made anew when there are more
}

func newSink() *sink { return &sink{counts: map[string]uint64{}, read: map[string]uint64{}} }

// deliver lets names take effect that had none, and says how many those were.
func (s *sink) deliver(names []string, bug string) (fresh int) {
	for _, name := range names {
		if s.counts[name] > 0 {
			if bug == sinkNotIdempotent {
				s.counts[name]++
			}
			continue
		}
		s.add(name, 1)
		fresh++
	}
	return fresh
}

func (s *sink) add(name string, count uint64) {
	s.names = append(s.names, name)
	s.counts[name] = count
}

// merge takes in what another region has from the place after after on, unless something before is missing here.
func (s *sink) merge(region string, after uint64, names []string) {
	have := s.read[region]
	if after > have || after+uint64(len(names)) <= have {
		return
	}
	for _, name := range names[have-after:] {
		if s.counts[name] == 0 {
			s.add(name, 1)
		}
	}
	s.read[region] = after + uint64(len(names))
}

// effects returns up to max names after a name, in order, and how often each took effect.
func (s *sink) effects(after string, max int) Effected {
	if len(s.sorted) != len(s.names) {
		s.sorted = slices.Sorted(slices.Values(s.names))
	}
	from := sort.Search(len(s.sorted), func(i int) bool { return s.sorted[i] > after })
	to := min(len(s.sorted), from+max)
	e := Effected{Names: s.sorted[from:to:to], More: to < len(s.sorted)}
	for _, name := range e.Names {
		e.Counts = append(e.Counts, s.counts[name])
	}
	return e
}

func (s *sink) pack(p *pack.Pack) {
	if p.Reading() {
		*s = *newSink()
	}
	pack.List(p, &s.names, func(v *string, p *pack.Pack) { p.Text(v) })
	for _, name := range s.names {
		n := s.counts[name]
		p.Number(&n)
		s.counts[name] = n
	}
	regions := slices.Sorted(maps.Keys(s.read))
	pack.List(p, &regions, func(v *string, p *pack.Pack) { p.Text(v) })
	for _, region := range regions {
		n := s.read[region]
		p.Number(&n)
		s.read[region] = n
	}
}

// A deliver is names that are to take effect.
type deliver struct {
	Mark       uint64
	Home       string
	Generation uint64
	Names      []string
}

func (*deliver) kind() kind       { return deliverKind }
func (c *deliver) marks() *uint64 { return &c.Mark }

func (c *deliver) pack(p *pack.Pack) {
	p.Number(&c.Mark)
	p.Text(&c.Home)
	p.Number(&c.Generation)
	pack.List(p, &c.Names, func(v *string, p *pack.Pack) { p.Text(v) })
}

func (c *deliver) apply(env nodes.Env, m *machine) {
	if !m.serves(c.Home, c.Generation) {
		m.lead.reply(env, c.Mark, Elsewhere{})
		return
	}
	m.lead.reply(env, c.Mark, Delivered{m.sinks[c.Home].deliver(c.Names, m.bug)})
}

// effects shows what took effect, if the keyspace is served here.
func (m *machine) effects(b Effects) any {
	if m.regimes[b.Home].Region != m.Region {
		return Elsewhere{}
	}
	limit := b.Max
	if limit <= 0 || limit > maxRecords {
		limit = maxRecords
	}
	return m.sinks[b.Home].effects(b.After, limit)
}
