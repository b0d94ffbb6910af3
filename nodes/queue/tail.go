package queue

import (
	"slices"

	"faultlab/nodes"
	"faultlab/nodes/pack"
)

// The tail of a keyspace is what a region acknowledged and a promotion left off the canonical lineage. The groups that
// acknowledged it keep it. Whether a record of it stands on the lineage after all, because its producer or Resend sent it
// again, is asked of who serves its key now, each time: a shard knows the names of all that came to its lineage since the
// first promotion. So neither Report nor Resend has anything to remember, and both can be asked again.

// A Name is what a record is known by, and the key by which it is found.
type Name struct {
	Producer string `json:"producer"`
	Number   uint64 `json:"number"`
	Key      string `json:"key"`
}

// TailOf asks a group for its tail of a keyspace.
type TailOf struct {
	Home string `json:"home"`
}

// TailHeld answers it.
type TailHeld struct {
	Generation uint64 `json:"generation"`
	Tail       []Tail `json:"tail,omitempty"`
}

// Stand asks a group which of these names stand on the lineages of the shards that it serves.
type Stand struct {
	Home       string `json:"home"`
	Generation uint64 `json:"generation"`
	Names      []Name `json:"names"`
}

// Stands answers it: which of them the group can judge, since it serves their keys, and which of those stand.
type Stands struct {
	Judged   []int `json:"judged,omitempty"`
	Standing []int `json:"standing,omitempty"`
}

// PutBack asks a group to take those of these records whose keys it serves, and whose names do not stand. It is answered
// with Done once that is in its log.
type PutBack struct {
	Home       string   `json:"home"`
	Generation uint64   `json:"generation"`
	Records    []Record `json:"records"`
}

const putBackRecords = 200 // in one entry

// report tells what this region acknowledged that is not on the lineage.
func (n *node) report(env nodes.Env, from nodes.ID, home string) {
	n.tail(env, from, home, func(env nodes.Env, generation uint64, tail []Tail) {
		env.Send(from, Reported{generation, tail})
	})
}

// resend sends what of it does not stand. Who asks again until it is Done has all of it there.
func (n *node) resend(env nodes.Env, from nodes.ID, home string) {
	n.tail(env, from, home, func(env nodes.Env, generation uint64, tail []Tail) {
		var missing []Record
		for _, t := range tail {
			for i, r := range t.Records {
				if !slices.Contains(t.Resent, i) {
					missing = append(missing, r)
				}
			}
		}
		k := n.known.keyspace(home)
		switch {
		case k.Generation != generation:
			env.Send(from, NotYet{"promoted meanwhile"})
			return
		case missing == nil:
			env.Send(from, Done{})
			return
		}
		env.Reached("queue: a tail was sent again")
		q := PutBack{home, generation, missing[:min(len(missing), putBackRecords)]}
		n.askAll(env, k.Region, q, func(env nodes.Env, _ []any) { env.Send(from, NotYet{"it is being sent again"}) })
	})
}

// tail gathers a tail from the groups of this region, and asks who serves what of it stands.
func (n *node) tail(env nodes.Env, from nodes.ID, home string, done func(env nodes.Env, generation uint64, tail []Tail)) {
	if n.known.keyspace(home) == nil {
		env.Send(from, NotYet{"there is no keyspace " + home})
		return
	}
	n.askAll(env, n.region, TailOf{home}, func(env nodes.Env, answers []any) {
		k := *n.known.keyspace(home)
		var tail []Tail
		for _, a := range answers {
			h, ok := a.(TailHeld)
			if !ok || h.Generation != k.Generation {
				env.Send(from, NotYet{"a group does not answer, or does not know of the last promotion"})
				return
			}
			tail = append(tail, h.Tail...)
		}
		slices.SortStableFunc(tail, func(a, b Tail) int { return a.Shard.compare(b.Shard) })
		var names []Name
		for _, t := range tail {
			for _, r := range t.Records {
				names = append(names, Name{r.Producer, r.Number, r.Key})
			}
		}
		if names == nil {
			done(env, k.Generation, nil)
			return
		}
		n.askAll(env, k.Region, Stand{home, k.Generation, names}, func(env nodes.Env, answers []any) {
			judged, standing := map[int]bool{}, map[int]bool{}
			for _, a := range answers {
				s, _ := a.(Stands)
				for _, i := range s.Judged {
					judged[i] = true
				}
				for _, i := range s.Standing {
					standing[i] = true
				}
			}
			if len(judged) < len(names) {
				env.Send(from, NotYet{"some of it has no shard to be in at the moment"})
				return
			}
			i := 0
			for t := range tail {
				for r := range tail[t].Records {
					if standing[i] {
						tail[t].Resent = append(tail[t].Resent, r)
					}
					i++
				}
			}
			done(env, k.Generation, tail)
		})
	})
}

// tailOf is the group's part of a tail.
func (m *machine) tailOf(home string) TailHeld {
	a := TailHeld{Generation: m.regimes[home].Generation}
	for _, t := range m.tails {
		if t.Shard.Home() == home {
			a.Tail = append(a.Tail, t)
		}
	}
	if m.bug == reportForgets {
		m.tails = nil
	}
	return a
}

// stand says which names stand.
func (m *machine) stand(q Stand) (a Stands) {
	if !m.serves(q.Home, q.Generation) {
		return a
	}
	for i, name := range q.Names {
		if s := m.live(q.Home, HashOf(name.Key)); s != nil {
			a.Judged = append(a.Judged, i)
			if s.stands(name.Producer, name.Number) {
				a.Standing = append(a.Standing, i)
			}
		}
	}
	return a
}

// putBack puts records of a tail in the log, but not while the group holds still for a promotion.
func (l *leader) putBack(env nodes.Env, a asker, b PutBack) {
	if l.frozen[b.Home] > l.n.ticks {
		l.answer(env, a, NotYet{"the keyspace is about to be promoted"})
		return
	}
	l.propose(env, a, &putBack{PutBack: b})
}

// A putBack is records of a tail, to be put where their keys are served.
type putBack struct {
	Mark uint64
	PutBack
}

func (*putBack) kind() kind       { return putBackKind }
func (c *putBack) marks() *uint64 { return &c.Mark }

func (c *putBack) pack(p *pack.Pack) {
	p.Number(&c.Mark)
	p.Text(&c.Home)
	p.Number(&c.Generation)
	pack.List(p, &c.Records, (*Record).pack)
}

// apply appends those records whose keys the group serves and whose names do not stand. Their order is that of new sends,
// but no producer need be in order with itself: it may have gone on since.
func (c *putBack) apply(env nodes.Env, m *machine) {
	if m.serves(c.Home, c.Generation) {
		for _, r := range c.Records {
			if m.bug == resendsAsNew {
				r.Producer += " again"
			}
			s := m.live(c.Home, HashOf(r.Key))
			if s == nil || s.stands(r.Producer, r.Number) {
				continue
			}
			s.add(r, m.clock)
			s.remember(r.Producer, run{r.Number, 1, s.Shard, s.end()}, m.clock)
			m.prefix(env, s, s.end())
			m.lead.added(s, 1)
		}
	}
	m.lead.reply(env, c.Mark, Done{})
}

// stands says whether a name has its place in the lineage of a shard: among the last of its producer, or among all that
// came since the first promotion. Before that nothing was tail.
func (s *shard) stands(name string, number uint64) bool {
	p := s.producers[name]
	return p != nil && (p.Since.has(number) || slices.ContainsFunc(p.Runs, func(r run) bool {
		return r.Number <= number && number < r.Number+r.Count
	}))
}

// numbers are kept as intervals without a gap, in order.
type numbers []interval

type interval struct{ from, to uint64 }

func (a numbers) find(n uint64) (at int, has bool) {
	return slices.BinarySearchFunc(a, n, func(i interval, n uint64) int {
		switch {
		case i.to < n:
			return -1
		case i.from > n:
			return 1
		}
		return 0
	})
}

func (a numbers) has(n uint64) bool {
	_, has := a.find(n)
	return has
}

// add returns them with one more, in place where it can.
func (a numbers) add(n uint64) numbers {
	at, has := a.find(n)
	if has {
		return a
	}
	before := at > 0 && a[at-1].to+1 == n
	behind := at < len(a) && a[at].from == n+1
	switch {
	case before && behind:
		a[at-1].to = a[at].to
		return slices.Delete(a, at, at+1)
	case before:
		a[at-1].to = n
	case behind:
		a[at].from = n
	default:
		return slices.Insert(a, at, interval{n, n})
	}
	return a
}

func (i *interval) pack(p *pack.Pack) {
	p.Number(&i.from)
	p.Number(&i.to)
}
