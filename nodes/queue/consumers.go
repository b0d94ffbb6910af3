package queue

import (
	"cmp"
	"maps"
	"slices"
	"strings"

	"faultlab/nodes"
	"faultlab/nodes/pack"
)

// The coordinator of a group of consumers is the leader of one group of the region that serves the keyspace. Who is a
// member, and what there is to read, is in its log; when each member was last heard of, and how far the shards are, only
// it knows.

const (
	sessionTicks  = 60 // a member that is silent for so long is one no more
	progressTicks = 6  // between two looks at how far the shards are
)

// A membership is a group of consumers as its coordinator's log has it. Members and shards are in order, and who reads
// what follows from the two lists alone. Number counts the changes of either.
type membership struct {
	Home    string
	Group   string
	Number  uint64
	Members []string
	Shards  []Shard
}

func (c *membership) pack(p *pack.Pack) {
	p.Text(&c.Home)
	p.Text(&c.Group)
	p.Number(&c.Number)
	pack.List(p, &c.Members, func(v *string, p *pack.Pack) { p.Text(v) })
	pack.List(p, &c.Shards, (*Shard).pack)
}

// generations is how many generations of a group of consumers one generation of a keyspace has room for. So after a
// promotion, when another coordinator begins to count, they are higher than all before.
const generations = 1_000_000

// generation is what fences members of former assignments.
func (c *membership) generation(regime uint64) uint64 { return regime*generations + c.Number }

// of returns the shards that a member is to read: every so manieth of the list.
func (c *membership) of(member string) []Shard {
	at, is := slices.BinarySearch(c.Members, member)
	if !is {
		return nil
	}
	var shards []Shard
	for i := at; i < len(c.Shards); i += len(c.Members) {
		shards = append(shards, c.Shards[i])
	}
	return shards
}

// A Standing is how far a group of consumers is with a shard.
type Standing struct {
	Shard   Shard      `json:"shard"`
	Parents []Location `json:"parents,omitempty"`
	Seq     uint64     `json:"seq"`            // the group's cursor
	Over    bool       `json:"over,omitempty"` // the group has dealt with all that will ever be in it
}

// readable returns the shards that a group of consumers may read now: those of which it has not read all, and whose
// parents it has. A parent of which nothing is known is one that it has not read.
func readable(all []Standing) []Cursor {
	over := map[Shard]bool{}
	for _, s := range all {
		over[s.Shard] = s.Over
	}
	var list []Cursor
	for _, s := range all {
		if !s.Over && !slices.ContainsFunc(s.Parents, func(p Location) bool { return !over[p.Shard] }) {
			list = append(list, Cursor{Shard: s.Shard, Seq: s.Seq})
		}
	}
	slices.SortFunc(list, func(a, b Cursor) int {
		return cmp.Or(strings.Compare(a.Shard.Range, b.Shard.Range), cmp.Compare(a.Shard.Epoch, b.Shard.Epoch))
	})
	return list
}

// Progress asks a group how far a group of consumers is with the shards that it holds.
type Progress struct {
	Home       string `json:"home"`
	Generation uint64 `json:"generation"`
	Consumers  string `json:"consumers"`
}

// Progressed answers it.
type Progressed struct {
	Standing []Standing `json:"standing,omitempty"`
}

// progress is what is known here of it.
func (m *machine) progress(q Progress) any {
	if !m.serves(q.Home, q.Generation) {
		return NotYet{"another region serves the keyspace"}
	}
	var a Progressed
	for _, s := range m.list {
		if s.home == q.Home {
			st := Standing{Shard: s.Shard, Parents: s.Parents, Over: s.finished(q.Consumers)}
			if c := s.groups[q.Consumers]; c != nil {
				st.Seq = c.Seq
			}
			a.Standing = append(a.Standing, st)
		}
	}
	return a
}

// A coordination is what a coordinator knows of a group of consumers besides its log.
type coordination struct {
	home, group string
	heard       map[string]uint64  // by member: in which of the node's ticks
	asked       []joining          // that wait for an assignment
	progress    map[int][]Standing // by number of the group that told
	quiet       int                // ticks since the last look
	looking     bool
}

// A joining is a member that waits for its assignment.
type joining struct {
	asker
	member string
	ticks  int
}

// coordinated is the name under which a group of consumers is kept.
func coordinated(home, group string) string { return home + "/" + group }

// coordination returns what is known of a group, and makes it if need be.
func (l *leader) coordination(home, group string) *coordination {
	key := coordinated(home, group)
	c := l.coordinations[key]
	if c == nil {
		c = &coordination{home: home, group: group, heard: map[string]uint64{}, progress: map[int][]Standing{}, quiet: progressTicks}
		if m := l.m.memberships[key]; m != nil { // those of a former leader have all their time again
			for _, member := range m.Members {
				c.heard[member] = l.n.ticks
			}
		}
		l.coordinations[key] = c
	}
	return c
}

// join hears of a member, and tells it what to read; perhaps once the log has taken it in.
func (l *leader) join(env nodes.Env, a asker, b Join) {
	if !l.m.serves(b.Home, l.m.regimes[b.Home].Generation) {
		l.answer(env, a, Elsewhere{})
		return
	}
	c := l.coordination(b.Home, b.Group)
	c.heard[b.Member] = l.n.ticks
	if m := l.m.memberships[coordinated(b.Home, b.Group)]; m != nil && slices.Contains(m.Members, b.Member) && len(c.progress) == GroupsPerRegion {
		l.answer(env, a, l.assigned(c, m, b.Member))
		return
	}
	c.asked = append(slices.DeleteFunc(c.asked, func(j joining) bool { return j.from == a.from && j.request == a.request }), joining{a, b.Member, claimTicks})
	l.lookAhead(env, c)
	l.spread(env, c)
}

// leave ends a membership.
func (l *leader) leave(env nodes.Env, a asker, b Leave) {
	if !l.m.serves(b.Home, l.m.regimes[b.Home].Generation) {
		l.answer(env, a, Elsewhere{})
		return
	}
	c := l.coordination(b.Home, b.Group)
	delete(c.heard, b.Member)
	l.spread(env, c)
	var m membership
	if is := l.m.memberships[coordinated(b.Home, b.Group)]; is != nil {
		m = *is
	}
	l.answer(env, a, Assigned{Generation: m.generation(l.m.regimes[b.Home].Generation)})
}

// assigned is what a member is to read, and from where.
func (l *leader) assigned(c *coordination, m *membership, member string) Assigned {
	a := Assigned{Generation: m.generation(l.m.regimes[c.home].Generation)}
	for _, s := range m.of(member) {
		at := Cursor{Shard: s}
		for number := range GroupsPerRegion {
			for _, st := range c.progress[number+1] {
				if st.Shard == s {
					at.Seq = st.Seq
				}
			}
		}
		a.Shards = append(a.Shards, at)
	}
	return a
}

// spread puts in the log who the members are now and what there is to read, if that is not what the log has.
func (l *leader) spread(env nodes.Env, c *coordination) {
	if len(c.progress) < GroupsPerRegion {
		return
	}
	var all []Standing
	for number := range GroupsPerRegion {
		all = append(all, c.progress[number+1]...)
	}
	e := &enlist{Generation: l.m.regimes[c.home].Generation}
	e.Home, e.Group, e.Members = c.home, c.group, slices.Sorted(maps.Keys(c.heard))
	for _, r := range readable(all) {
		e.Shards = append(e.Shards, r.Shard)
	}
	m := l.m.memberships[coordinated(c.home, c.group)]
	if m == nil && len(e.Members) == 0 || m != nil && slices.Equal(m.Members, e.Members) && slices.Equal(m.Shards, e.Shards) {
		return
	}
	l.offer(env, e)
}

// lookAhead asks the groups of the region how far the shards are.
func (l *leader) lookAhead(env nodes.Env, c *coordination) {
	if c.looking || len(c.heard) == 0 {
		return
	}
	c.looking, c.quiet = true, 0
	q := Progress{c.home, l.m.regimes[c.home].Generation, c.group}
	l.n.askAll(env, l.Region, q, func(env nodes.Env, answers []any) {
		c.looking = false
		if l.m.lead != l || !l.m.serves(q.Home, q.Generation) {
			return
		}
		for i, answer := range answers {
			if a, ok := answer.(Progressed); ok {
				c.progress[i+1] = a.Standing
			}
		}
		l.spread(env, c)
	})
}

// consumersTick lets go of members that are silent, and sees what there is to read.
func (l *leader) consumersTick(env nodes.Env) {
	if len(l.coordinations) == 0 {
		return
	}
	for _, c := range sorted(l.coordinations) {
		var still []joining
		for _, j := range c.asked {
			if j.ticks--; j.ticks > 0 {
				still = append(still, j)
			} else {
				l.answer(env, j.asker, NotNow{"not all groups say how far their shards are"})
			}
		}
		c.asked = still
		if c.quiet++; c.quiet >= progressTicks {
			l.part(env, c)
			l.lookAhead(env, c)
		}
		if l.m.memberships[coordinated(c.home, c.group)] == nil && len(c.heard)+len(c.asked) == 0 {
			delete(l.coordinations, coordinated(c.home, c.group))
		}
	}
}

// part lets go of members that are silent.
func (l *leader) part(env nodes.Env, c *coordination) {
	silent := 0
	for member, at := range c.heard {
		if l.n.ticks-at > sessionTicks {
			delete(c.heard, member)
			silent++
		}
	}
	if silent > 0 {
		env.Reached("queue: a consumer was given up")
		l.spread(env, c)
	}
}

// An enlist says who the members of a group of consumers are, and what there is to read.
type enlist struct {
	membership
	Generation uint64 // of the keyspace
}

func (*enlist) kind() kind { return enlistKind }

func (c *enlist) pack(p *pack.Pack) {
	c.membership.pack(p)
	p.Number(&c.Generation)
}

func (c *enlist) apply(env nodes.Env, m *machine) {
	if !m.serves(c.Home, c.Generation) {
		return
	}
	key := coordinated(c.Home, c.Group)
	now := c.membership
	if was := m.memberships[key]; was != nil {
		now.Number = was.Number
		if slices.Equal(was.Members, now.Members) && slices.Equal(was.Shards, now.Shards) {
			return // proposed twice
		}
	}
	now.Number++
	m.memberships[key] = &now
	m.lead.enlisted(env, &now)
}

// enlisted tells those who waited for it.
func (l *leader) enlisted(env nodes.Env, m *membership) {
	if l == nil {
		return
	}
	c := l.coordination(m.Home, m.Group)
	c.asked = slices.DeleteFunc(c.asked, func(j joining) bool {
		if slices.Contains(m.Members, j.member) {
			l.answer(env, j.asker, l.assigned(c, m, j.member))
			return true
		}
		return false
	})
}

// dismiss forgets all groups of consumers of a keyspace: whoever serves it now has a coordinator of its own.
func (m *machine) dismiss(env nodes.Env, home string) {
	for key, c := range m.memberships {
		if c.Home == home {
			delete(m.memberships, key)
		}
	}
	if l := m.lead; l != nil {
		for _, c := range sorted(l.coordinations) {
			if c.home == home {
				for _, j := range c.asked {
					l.answer(env, j.asker, NotNow{"the keyspace was promoted"})
				}
				delete(l.coordinations, coordinated(c.home, c.group))
			}
		}
	}
}
