package queue

import (
	"slices"

	"faultlab/nodes"
	"faultlab/nodes/pack"
)

// Promotion is run by a node of the region that is to serve the keyspace, for whoever asks. It asks the groups that serve
// to freeze, and its own what they have; once they have all, or the others do not answer for long, it asks the directory.
// All of that may be lost or done twice: what counts is the first Takeover from this generation in the log of D. Nobody
// has to be told of a promotion that came to nothing, since a group stays frozen only while it is asked to.

const (
	freezeTicks  = 20 // a group stays frozen for so long after it was last asked
	roundTicks   = 3  // between two rounds of asking
	silentTicks  = 30 // a region that has not answered in so long is not waited for
	plannedTicks = 60 // and one that has, but is not copied wholly, for no longer than this
	moveTicks    = 120
)

// Freeze asks a group to take no more sends of a keyspace for a while, and then to say where its shards end.
type Freeze struct {
	Home       string `json:"home"`
	Generation uint64 `json:"generation"`
}

// Frozen answers Freeze. Nothing was acknowledged beyond these places, or will be while the group is frozen.
type Frozen struct {
	Generation uint64   `json:"generation"`
	Shards     []Cursor `json:"shards,omitempty"`
}

// Survey asks a group what it has of a keyspace.
type Survey struct {
	Home string `json:"home"`
}

// Surveyed answers Survey.
type Surveyed struct {
	Generation uint64 `json:"generation"`
	Held       []Held `json:"held,omitempty"`
}

// A move is a promotion that this node has in hand.
type move struct {
	home       string
	generation uint64 // from which
	ticks      int
	wait       int  // ticks to the next round
	asking     bool // a round is on its way
	answered   bool // the region that serves has answered once

	takeover *Takeover // what the directory is asked, once that is known
}

// promote does the next step towards a promotion.
func (n *node) promote(env nodes.Env, from nodes.ID, p Promote) {
	k := n.known.keyspace(p.Home)
	members := env.Topology().In(p.To)
	switch {
	case k == nil || len(members) == 0:
		env.Send(from, NotYet{"there is no keyspace " + p.Home + " or no region " + p.To})
	case k.Region == p.To:
		env.Send(from, Done{})
	case n.region != p.To:
		n.router.next++
		to := members[n.router.next%uint64(len(members))]
		env.Send(to, p)
		env.Send(from, NotYet{"asked " + string(to)})
	default:
		i := slices.IndexFunc(n.moves, func(m *move) bool { return m.home == p.Home })
		if i < 0 {
			env.Reached("queue: a promotion began")
			n.moves = append(n.moves, &move{home: p.Home, generation: k.Generation})
		}
		env.Send(from, NotYet{"it is on its way"})
	}
}

// moveTick moves promotions on, and forgets those that are over.
func (n *node) moveTick(env nodes.Env) {
	for _, m := range slices.Clone(n.moves) {
		m.ticks++
		m.wait--
		switch k := n.known.keyspace(m.home); {
		case k.Generation != m.generation || m.ticks > moveTicks:
			n.moves = slices.DeleteFunc(n.moves, func(o *move) bool { return o == m })
		case m.asking || m.wait > 0:
		case m.takeover != nil:
			n.takeover(env, m)
		case m.ticks > plannedTicks || m.ticks > silentTicks && !m.answered:
			n.survey(env, m, nil)
		default:
			n.freeze(env, m, k.Region)
		}
	}
}

// freeze asks the groups that serve to hold still and say where they are.
func (n *node) freeze(env nodes.Env, m *move, region string) {
	m.asking = true
	n.askAll(env, region, Freeze{m.home, m.generation}, func(env nodes.Env, answers []any) {
		m.asking, m.wait = false, roundTicks
		ends := []Cursor{}
		for _, a := range answers {
			f, ok := a.(Frozen)
			if !ok || f.Generation != m.generation {
				return
			}
			ends = append(ends, f.Shards...)
		}
		m.answered = true
		n.survey(env, m, ends)
	})
}

// survey asks the groups of this region what they have, and the directory for the promotion if that is all there is; or in
// any case, if ends is nil since nobody can tell what there is.
func (n *node) survey(env nodes.Env, m *move, ends []Cursor) {
	m.asking = true
	n.askAll(env, n.region, Survey{m.home}, func(env nodes.Env, answers []any) {
		m.asking, m.wait = false, roundTicks
		var held []Held
		for _, a := range answers {
			s, ok := a.(Surveyed)
			if !ok || s.Generation != m.generation {
				return
			}
			held = append(held, s.Held...)
		}
		all, ok := lineage(held)
		missing := slices.ContainsFunc(ends, func(c Cursor) bool {
			return !slices.ContainsFunc(all, func(s Stretch) bool { return s.At.Shard == c.Shard && s.End == c.Seq })
		})
		switch {
		case missing, !ok && m.ticks <= plannedTicks+silentTicks: // a copy that was cut back to be repaired may never be whole again
			return
		case ends == nil:
			env.Reached("queue: a promotion declares what was copied")
		default:
			env.Reached("queue: a promotion declares all there is")
		}
		m.takeover = &Takeover{m.home, m.generation, n.region, all}
		n.takeover(env, m)
	})
}

// takeover asks the directory. Its answer says only that it can be asked no more: what came of it is told to all.
func (n *node) takeover(env nodes.Env, m *move) {
	m.asking = true
	n.ask(env, Directory, *m.takeover, func(env nodes.Env, _ any) { m.asking, m.wait = false, roundTicks })
}

// A freeze is where a group's shards end, for who asks for it, once all is applied that was proposed before.
type freeze struct {
	Mark uint64
	Freeze
}

func (*freeze) kind() kind       { return freezeKind }
func (c *freeze) marks() *uint64 { return &c.Mark }

func (c *freeze) pack(p *pack.Pack) {
	p.Number(&c.Mark)
	p.Text(&c.Home)
	p.Number(&c.Generation)
}

func (c *freeze) apply(env nodes.Env, m *machine) {
	if !m.serves(c.Home, c.Generation) {
		m.lead.reply(env, c.Mark, Frozen{Generation: m.regimes[c.Home].Generation})
		return
	}
	a := Frozen{Generation: c.Generation}
	for _, s := range m.list {
		if s.home == c.Home {
			a.Shards = append(a.Shards, Cursor{Shard: s.Shard, Seq: s.end()})
		}
	}
	m.lead.reply(env, c.Mark, a)
}

// freeze makes the leader take no sends of a keyspace for a while, and tells where it is then.
func (l *leader) freeze(env nodes.Env, a asker, b Freeze) {
	if l.m.serves(b.Home, b.Generation) {
		l.frozen[b.Home] = l.n.ticks + freezeTicks
	}
	l.launch(env) // what waits goes before
	l.propose(env, a, &freeze{Freeze: b})
}

// survey says what is here of a keyspace.
func (m *machine) survey(home string) Surveyed {
	a := Surveyed{Generation: m.regimes[home].Generation}
	for _, s := range m.list {
		if s.home == home {
			a.Held = append(a.Held, Held{Location{s.Shard, m.Number}, s.Parents, s.end(), s.Sealed, s.Births})
		}
	}
	return a
}
