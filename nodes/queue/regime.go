package queue

import (
	"slices"

	"faultlab/nodes"
	"faultlab/nodes/pack"
)

// Regimes. A promotion comes into force in each group by an entry of that group's log: what is before it in the log is of
// the old generation, what is after it of the new, and every member and every later leader agrees on which is which. It
// does not matter in which order groups come to it, how late, or that one passes over some: an entry says all there is to
// know, and changes nothing if a newer one was there.

// A regime is what a group's log knows of who serves a keyspace.
type regime struct {
	Keyspace
	known uint64 // of the log of who serves it: up to this entry all that is not records is here
}

// A learnt brings a promotion into force in a group.
type learnt struct{ Keyspace Keyspace }

func (*learnt) kind() kind { return learntKind }

func (c *learnt) pack(p *pack.Pack) { c.Keyspace.pack(p) }

func (k *Keyspace) pack(p *pack.Pack) {
	p.Text(&k.Home)
	p.Number(&k.Generation)
	p.Text(&k.Region)
	pack.List(p, &k.Lineage, (*Stretch).pack)
}

func (s *Stretch) pack(p *pack.Pack) {
	s.At.pack(p)
	pack.List(p, &s.Parents, (*Location).pack)
	p.Number(&s.End)
}

// learn takes in what the directory says. It is on this node's disk before it is acted on, so that what the node has said
// it knows it does not forget.
func (n *node) learn(env nodes.Env, r Regimes) {
	if r.Version <= n.known.Version {
		return
	}
	log := env.Disk().Log(regimesLog)
	data := pack.Write(1024, r.pack)
	log.Snapshot(log.Append(data), data)
	env.Disk().Sync()
	for _, k := range r.Keyspaces {
		if k.Generation > n.known.keyspace(k.Home).Generation {
			env.Emit(Promoted{Home: k.Home, Generation: k.Generation, Region: k.Region, Declared: k.cursors()})
			env.Emit(Learnt{k.Home, k.Generation})
		}
	}
	if n.bug == promoteWithoutFence {
		r.Keyspaces = slices.Clone(r.Keyspaces)
		for i := range r.Keyspaces {
			if old := n.known.keyspace(r.Keyspaces[i].Home); old.Region == n.region {
				r.Keyspaces[i] = *old
			}
		}
	}
	n.known = r
	for _, k := range r.Keyspaces {
		n.atlas[k.Home].declare(&k)
	}
	for _, g := range n.groups {
		if g.m.lead != nil {
			g.m.lead.enforce(env)
		}
	}
}

// recall finds what the node had learnt before it crashed. Where its disk has lost that, it is a new member under an old
// name, and has promised nothing.
func (n *node) recall(env nodes.Env) {
	n.known = *newRegimes(n.layout.Regions)
	if data, _, _, err := env.Disk().Log(regimesLog).Read(); err == nil && data != nil {
		pack.Read(data, n.known.pack)
	}
}

// regimesLog is where a node keeps what it has learnt, beside the logs of its groups.
const regimesLog = "regimes"

// enforce puts in the log what the directory says and the group does not know.
func (l *leader) enforce(env nodes.Env) {
	if l.m.directory != nil {
		return
	}
	for _, k := range l.n.known.Keyspaces {
		if k.Generation > l.m.regimes[k.Home].Generation {
			l.offer(env, &learnt{k})
		}
	}
}

// serves says whether this group's region serves a keyspace, under this generation.
func (m *machine) serves(home string, generation uint64) bool {
	r := m.regimes[home]
	return r != nil && r.Generation == generation && r.Region == m.Region
}

func (c *learnt) apply(env nodes.Env, m *machine) {
	k := c.Keyspace
	r := m.regimes[k.Home]
	if k.Generation <= r.Generation {
		return
	}
	env.Reached("queue: a promotion came into force")
	r.Keyspace, r.known = k, 0
	m.handovers = slices.DeleteFunc(m.handovers, func(h *handover) bool { return h.From.Home() == k.Home })
	for _, s := range slices.Clone(m.list) { // parents before children
		if s.home == k.Home {
			m.uphold(env, s)
		}
	}
	m.sort()
	m.dismiss(env, k.Home)
	if l := m.lead; l != nil {
		l.done = map[finishing]bool{}
		l.look(env, func(p *poll) bool { return p.Shard.Home() == k.Home })
		l.handOver(env)
	}
}

// uphold makes of a shard what the lineage says that it is. What goes beyond is no part of it: where it was acknowledged it
// is kept as tail, elsewhere dropped.
func (m *machine) uphold(env nodes.Env, s *shard) {
	r := m.regimes[s.home]
	d := r.stretch(s.Shard)
	end := uint64(0)
	if d != nil {
		end = d.End
	}
	if s.end() > end && s.Own && m.bug != healDiscardsMinority {
		env.Reached("queue: a tail was set aside")
		t := Tail{Shard: s.Shard}
		for _, l := range s.after(max(end, s.First-1), len(s.Lines)) {
			t.Records = append(t.Records, l.Record)
		}
		m.tails = append(m.tails, t)
	}
	if d == nil {
		m.remove(s)
		return
	}
	if s.end() > end && m.bug != keepsBeyondDeclared {
		s.cut(end)
	}
	s.Sealed, s.Births, s.Children, s.Engaged, s.Copied = false, nil, nil, nil, 0
	m.close(env, s)
}

// close seals a shard of which all is here that the last promotion has declared; its children are those on the lineage, or
// its successor.
func (m *machine) close(env nodes.Env, s *shard) {
	r := m.regimes[s.home]
	d := r.stretch(s.Shard)
	if d == nil || s.Sealed || s.end() < d.End {
		return
	}
	m.end(env, s, r.births(d))
	m.follow(env, s)
}

// births returns what follows a shard of the declared lineage.
func (k *Keyspace) births(d *Stretch) []birth {
	var all []birth
	for _, c := range k.Lineage {
		if slices.ContainsFunc(c.Parents, func(p Location) bool { return p.Shard == d.At.Shard }) {
			all = append(all, birth{c.At, c.Parents})
		}
	}
	if all == nil {
		return []birth{{Location{successor(d.At.Shard, k.Generation), d.At.Number}, []Location{d.At}}}
	}
	return all
}

// follow begins what follows a sealed shard: a child of this group once all its parents are sealed here, one of another by
// handing over. A child with a parent in another group is begun by what that hands over.
func (m *machine) follow(env nodes.Env, s *shard) {
	for _, b := range s.Births {
		switch {
		case b.Child.Number != m.Number:
			m.handovers = append(m.handovers, &handover{b, s.Shard})
		case m.ready(b):
			m.adopt(env, m.adoption(b, s))
		}
	}
}

// ready says whether all parents of a child are here, and sealed.
func (m *machine) ready(b birth) bool {
	return !slices.ContainsFunc(b.Parents, func(p Location) bool { s := m.shards[p.Shard]; return s == nil || !s.Sealed })
}

// remove forgets a shard that is not on the lineage.
func (m *machine) remove(s *shard) {
	delete(m.shards, s.Shard)
	m.list = slices.DeleteFunc(m.list, func(o *shard) bool { return o == s })
}

// cut takes a shard back to what it was at a place that is still here, or to just before what is.
func (s *shard) cut(end uint64) {
	s.Lines = slices.Clone(s.Lines[:max(end+1, s.First)-s.First])
	s.producers = cloned(s.base)
	for i := range s.Lines {
		recognize(s.producers, s.Shard, &s.Lines[i])
	}
	for _, c := range s.groups {
		c.Seq = min(c.Seq, s.end())
	}
}

// recognize adds a line to what is remembered of producers. Which lines were one send is not known of a copy; lines that may
// be one are remembered as one, which says as much of every send that is part of them.
func recognize(producers map[string]*producer, in Shard, l *line) {
	p := producers[l.Producer]
	if p == nil {
		p = &producer{Name: l.Producer}
		producers[l.Producer] = p
	}
	p.At = max(p.At, l.At)
	if n := len(p.Runs); n > 0 {
		r := &p.Runs[n-1]
		if r.Shard == in && r.Number+r.Count == l.Number && r.Seq+r.Count == l.Seq {
			r.Count++
			p.Last = max(p.Last, l.Number)
			if in.generation() > 0 {
				p.Since = p.Since.add(l.Number)
			}
			return
		}
	}
	p.take(run{l.Number, 1, in, l.Seq})
}

func cloned(producers map[string]*producer) map[string]*producer {
	all := make(map[string]*producer, len(producers))
	for name, p := range producers {
		all[name] = &producer{p.Name, p.Last, p.Floor, slices.Clone(p.Runs), slices.Clone(p.Since), p.At}
	}
	return all
}
