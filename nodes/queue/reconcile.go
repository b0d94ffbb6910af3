package queue

import (
	"slices"

	"faultlab/nodes"
	"faultlab/nodes/pack"
)

// Reconciling. A region's copies should be what the region that serves has, record by record; if they are not, a mistake
// or a disk made them differ. The leader of a mirroring group asks the serving one for its sums at some places. Two logs
// have the same sum at a place if they are the same up to there, so the first place at which they differ is found by
// halving, all shards at once. Then the copy is cut back to just before that place, by an entry of the mirror's log, and
// the rest is pulled anew.

// Compare asks a group to compare its copies of a keyspace with those who serve it, and to repair them.
type Compare struct {
	Home string `json:"home"`
}

// Agreed answers it, when the copies are the same or have been cut back to where they are.
type Agreed struct {
	Compared int      `json:"compared"`
	Repaired []Cursor `json:"repaired,omitempty"`
}

// SumsAt asks the group that serves some shards for its sums at some places.
type SumsAt struct {
	Home       string   `json:"home"`
	Generation uint64   `json:"generation"`
	Places     []Cursor `json:"places"`
}

// Sums answers it.
type Sums struct {
	Sums []SumAt `json:"sums"`
}

// A SumAt is the sum of a shard at a place, if the place is there; First is the first that retention has left there.
type SumAt struct {
	Shard Shard  `json:"shard"`
	Seq   uint64 `json:"seq"`
	Sum   uint64 `json:"sum,string"`
	There bool   `json:"there"`
	First uint64 `json:"first"`
}

// reconcile has the groups of this region compare, and tells what came of it.
func (n *node) reconcile(env nodes.Env, from nodes.ID, home string) {
	if n.known.keyspace(home) == nil {
		env.Send(from, NotYet{"there is no keyspace " + home})
		return
	}
	n.askAll(env, n.region, Compare{home}, func(env nodes.Env, answers []any) {
		var r Reconciled
		for _, answer := range answers {
			a, ok := answer.(Agreed)
			if !ok {
				env.Send(from, NotYet{"not all groups could compare"})
				return
			}
			r.Compared += a.Compared
			r.Repaired = append(r.Repaired, a.Repaired...)
		}
		slices.SortFunc(r.Repaired, func(a, b Cursor) int { return a.Shard.compare(b.Shard) })
		env.Send(from, r)
	})
}

// A comparison is one that a leader is about, for who asked.
type comparison struct {
	asker
	Keyspace // under which it began
	differ   []*differing
	compared int
	repaired []Cursor
}

// A differing is a copy and the places between which it begins to differ: it is the same at low, as far as retention lets
// that be known, and not at high, once that was found. ask is the place that is asked about.
type differing struct {
	shard          Shard
	low, high, ask uint64
	found          bool
}

// compare begins a comparison.
func (l *leader) compare(env nodes.Env, a asker, b Compare) {
	r := l.m.regimes[b.Home]
	c := &comparison{asker: a, Keyspace: r.Keyspace}
	for _, s := range l.m.list {
		if s.home == b.Home && r.Region != l.Region && len(s.Lines) > 0 {
			c.differ = append(c.differ, &differing{shard: s.Shard, low: s.First - 1, high: s.end(), ask: s.end()})
		}
	}
	c.compared = len(c.differ)
	l.narrow(env, c)
}

// narrow asks for the next sums, or repairs and answers when all is known.
func (l *leader) narrow(env nodes.Env, c *comparison) {
	q := SumsAt{Home: c.Home, Generation: c.Generation}
	for _, d := range c.differ {
		q.Places = append(q.Places, Cursor{Shard: d.shard, Seq: d.ask})
	}
	switch {
	case len(q.Places) > 0:
		l.n.ask(env, name(c.Region, l.Number), q, func(env nodes.Env, answer any) {
			if s, ok := answer.(Sums); ok && l.m.lead == l {
				l.compared(env, c, s)
			}
		})
	case len(c.repaired) > 0:
		l.propose(env, c.asker, &repair{Home: c.Home, Generation: c.Generation, Compared: c.compared, Firsts: c.repaired})
	default:
		l.answer(env, c.asker, Agreed{Compared: c.compared})
	}
}

// compared takes in some sums.
func (l *leader) compared(env nodes.Env, c *comparison, a Sums) {
	c.differ = slices.DeleteFunc(c.differ, func(d *differing) bool {
		i := slices.IndexFunc(a.Sums, func(s SumAt) bool { return s.Shard == d.shard && s.Seq == d.ask })
		s := l.m.shards[d.shard]
		if i < 0 || s == nil {
			return true
		}
		theirs := a.Sums[i]
		ours, here := s.sumAt(d.ask)
		d.low = max(d.low, theirs.First-1, s.First-1)
		switch {
		case !here || d.ask < d.low: // retention has taken it
		case theirs.There && theirs.Sum == ours:
			if !d.found {
				return true
			}
			d.low = d.ask
		default:
			d.high, d.found = d.ask, true
		}
		if d.low+1 >= d.high {
			if d.found {
				c.repaired = append(c.repaired, Cursor{Shard: d.shard, Seq: d.high})
			}
			return true
		}
		d.ask = d.low + (d.high-d.low)/2
		return false
	})
	l.narrow(env, c)
}

// sums tells what records add up to, if the group serves them.
func (m *machine) sums(q SumsAt) any {
	if !m.serves(q.Home, q.Generation) {
		return NotYet{"another region serves the keyspace"}
	}
	var a Sums
	for _, p := range q.Places {
		if s := m.shards[p.Shard]; s != nil {
			sum, there := s.sumAt(p.Seq)
			a.Sums = append(a.Sums, SumAt{p.Shard, p.Seq, sum, there, s.First})
		}
	}
	return a
}

// sumAt is the sum of all records up to a place, if the place is here.
func (s *shard) sumAt(seq uint64) (sum uint64, there bool) {
	switch {
	case seq+1 == s.First:
		return s.Before, true
	case seq < s.First || seq > s.end():
		return 0, false
	}
	return s.Lines[seq-s.First].Sum, true
}

// A repair cuts copies back to before the places where they begin to differ. What follows is pulled again.
type repair struct {
	Mark       uint64
	Home       string
	Generation uint64
	Compared   int
	Firsts     []Cursor
}

func (*repair) kind() kind       { return repairKind }
func (c *repair) marks() *uint64 { return &c.Mark }

func (c *repair) pack(p *pack.Pack) {
	p.Number(&c.Mark)
	p.Text(&c.Home)
	p.Number(&c.Generation)
	n := uint64(c.Compared)
	p.Number(&n)
	c.Compared = int(n)
	pack.List(p, &c.Firsts, func(c *Cursor, p *pack.Pack) {
		c.Shard.pack(p)
		p.Number(&c.Seq)
	})
}

func (c *repair) apply(env nodes.Env, m *machine) {
	r := m.regimes[c.Home]
	if r.Generation != c.Generation || r.Region == m.Region {
		m.lead.reply(env, c.Mark, NotYet{"promoted meanwhile"})
		return
	}
	for _, first := range c.Firsts {
		s := m.shards[first.Shard]
		if s == nil || s.end() < first.Seq {
			continue
		}
		env.Reached("queue: a copy was repaired")
		end := first.Seq - 1
		for end >= s.First && goesOn(&s.Lines[end-s.First], &s.Lines[end+1-s.First]) {
			end-- // a send is never half in a copy
		}
		s.cut(end)
		s.Sealed, s.Births, s.Children = false, nil, nil
	}
	r.known = 0
	m.lead.reply(env, c.Mark, Agreed{c.Compared, c.Firsts})
}
