package queue

import (
	"slices"
	"time"

	"faultlab/nodes"
	"faultlab/nodes/pack"
)

// Mirrors. The leader of B2 pulls from the leader of A2 what that has of the keyspaces that A serves, and puts it in its
// own log. How far it is follows from what its log has made of it, so it goes on where it was after any crash on either
// side; and an entry that does not go on where the copy ends changes nothing of it. So a copy is a prefix of the origin,
// whatever was lost, late or twice on the way. What the origin shows is in its own log, committed.
//
// A send is never half in a copy, since a promotion may make the copy the truth.

const (
	pullTicks    = 8  // between two pulls that bring something
	pullPatience = 24 // after which one that is not answered is sent again
	holdTicks    = 16 // after which an origin says that it has nothing new
	pullLines    = 500
	pullNames    = 1000

	unknownLagMs = 1 << 40 // a new leader has not heard from the origin yet
)

// Pull asks the leader of a group for what is new in it since what By has.
type Pull struct {
	Group     string   `json:"group"`
	By        string   `json:"by"`
	Asked     uint64   `json:"asked"` // when, by the asking node's clock, in nanoseconds
	Keyspaces []Wanted `json:"keyspaces"`
}

// Wanted is what a group has of a keyspace that another region serves: how far the copies are, and up to which entry of
// the origin's log it knows all else.
type Wanted struct {
	Home       string   `json:"home"`
	Generation uint64   `json:"generation"`
	Shards     []Cursor `json:"shards,omitempty"`
	Known      uint64   `json:"known"`
	Names      uint64   `json:"names"` // of the origin's sink
}

// Pulled answers Pull. Its keyspaces are those that the answering region serves in the generation asked for.
type Pulled struct {
	Group     string    `json:"group"` // that asked
	From      string    `json:"from"`
	Asked     uint64    `json:"asked"`
	Keyspaces []Brought `json:"keyspaces,omitempty"`
}

// Brought is what is new in a keyspace.
type Brought struct {
	Home       string   `json:"home"`
	Generation uint64   `json:"generation"`
	Known      uint64   `json:"known"`
	Shards     []Update `json:"shards,omitempty"`
	After      uint64   `json:"after,omitempty"` // Names come after so many of the origin's sink
	Names      []string `json:"names,omitempty"`
}

// An Update is what is new of a shard: the records behind After, and all else as it was with them. End is the last place
// that the origin has.
type Update struct {
	Shard   Shard    `json:"shard"`
	After   uint64   `json:"after"`
	Records []Record `json:"records,omitempty"`
	End     uint64   `json:"end"`
	Sealed  bool     `json:"sealed,omitempty"`
	Births  []birth  `json:"births,omitempty"`
	First   uint64   `json:"first"`
	Cursors []cursor `json:"cursors,omitempty"`
}

// A pull is what a leader knows of its copying from one region. It is lost with the leadership: nothing rests on it but
// when to ask, and how old a copy is.
type pull struct {
	region string
	wait   int // ticks until it asks (again)
	out    bool
}

// A heldPull is one that the origin has not answered yet.
type heldPull struct {
	from nodes.ID
	Pull
	ticks int
}

// mirrors is what a leader knows of copying, to here and from here.
type mirrors struct {
	pulls  []*pull
	held   []*heldPull
	fresh  map[string]uint64           // by keyspace: when, by this node's clock, what is here was all there was
	copies map[string]map[Shard]uint64 // by group of another region: how far its copies are
}

func newMirrors(l *Layout, region string) mirrors {
	m := mirrors{fresh: map[string]uint64{}, copies: map[string]map[Shard]uint64{}}
	for _, r := range l.Regions {
		if region != "" && r != region {
			m.pulls = append(m.pulls, &pull{region: r})
		}
	}
	return m
}

// mirrorTick pulls, and answers whoever has waited for long.
func (l *leader) mirrorTick(env nodes.Env) {
	for _, p := range l.pulls {
		if p.wait--; p.wait > 0 {
			continue
		}
		to := name(p.region, l.Number)
		if p.out {
			l.n.rotate(to)
		}
		p.out, p.wait = true, pullPatience
		env.Send(l.n.leaderOf(to), Pull{to, l.Name, clock(env), l.m.wanted(p.region)})
	}
	for _, h := range slices.Clone(l.held) {
		h.ticks++
		l.bring(env, h)
	}
}

// wanted is what the group has of the keyspaces that a region serves.
func (m *machine) wanted(region string) []Wanted {
	var all []Wanted
	for _, r := range sorted(m.regimes) {
		w := Wanted{Home: r.Home, Generation: r.Generation, Known: r.known, Names: m.sinks[r.Home].read[region]}
		if r.Region == region {
			for _, s := range m.list {
				if s.home == r.Home && (!s.Sealed || len(s.Lines) > 0) {
					w.Shards = append(w.Shards, Cursor{Shard: s.Shard, Seq: s.end()})
				}
			}
		}
		all = append(all, w)
	}
	return all
}

// onPull answers a pull if there is anything new, or keeps it until there is. A second one of the same group replaces the
// first.
func (l *leader) onPull(env nodes.Env, from nodes.ID, p Pull) {
	copies := map[Shard]uint64{}
	for _, w := range p.Keyspaces {
		for _, c := range w.Shards {
			if l.m.serves(w.Home, w.Generation) {
				copies[c.Shard] = c.Seq
			}
		}
	}
	l.copies[p.By] = copies
	h := &heldPull{from: from, Pull: p}
	l.held = append(slices.DeleteFunc(l.held, func(o *heldPull) bool { return o.By == p.By }), h)
	l.bring(env, h)
}

// copied is up to where all other regions have a shard, as far as this leader was told.
func (l *leader) copied(s *shard) uint64 {
	least := s.end()
	for _, p := range l.pulls {
		least = min(least, l.copies[name(p.region, l.Number)][s.Shard])
	}
	return least
}

// copiedAll is that of all shards that are served here and still have lines.
func (l *leader) copiedAll() []Cursor {
	var all []Cursor
	for _, s := range l.m.list {
		if len(s.Lines) > 0 && l.m.regimes[s.home].Region == l.Region {
			if at := l.copied(s); at > s.Copied {
				all = append(all, Cursor{Shard: s.Shard, Seq: at})
			}
		}
	}
	return all
}

// labelled says of a copy that it is one, and how old.
func (l *leader) labelled(env nodes.Env, answer any) any {
	r, ok := answer.(Records)
	if !ok || l.m.regimes[r.Shard.Home()].Region == l.Region {
		return answer
	}
	r.Copy = true
	if ms, ok := l.lagMs(env, r.Shard.Home()); ok && !r.Sealed {
		r.LagMs = ms
	} else if !r.Sealed {
		r.LagMs = unknownLagMs
	}
	return r
}

// bring answers a pull for which there is news, or that has waited for long, once it is sure that this member leads: one
// that was deposed would say that there is no more than it has.
func (l *leader) bring(env nodes.Env, h *heldPull) {
	if _, news := l.m.brought(&h.Pull); !news && h.ticks < holdTicks {
		return
	}
	l.held = slices.DeleteFunc(l.held, func(o *heldPull) bool { return o == h })
	l.log.Read(env, func(env nodes.Env, ok bool) {
		if ok {
			all, _ := l.m.brought(&h.Pull)
			env.Send(h.from, Pulled{h.By, l.Region, h.Asked, all})
		}
	})
}

// brought is what is new for who asks, and whether that is anything.
func (m *machine) brought(p *Pull) (all []Brought, news bool) {
	for _, w := range p.Keyspaces {
		b := Brought{Home: w.Home, Generation: w.Generation, Known: w.Known, After: w.Names}
		if names := m.sinks[w.Home].names; uint64(len(names)) > w.Names {
			b.Names = names[w.Names:min(w.Names+pullNames, uint64(len(names)))]
		}
		if m.serves(w.Home, w.Generation) {
			b.Known = m.index
			room := pullLines
			for _, s := range m.list {
				if s.home != w.Home {
					continue
				}
				u := Update{Shard: s.Shard, After: s.end(), End: s.end(), Sealed: s.Sealed, Births: s.Births, First: s.First}
				if i := slices.IndexFunc(w.Shards, func(c Cursor) bool { return c.Shard == s.Shard }); i >= 0 {
					u.After = w.Shards[i].Seq
					for _, l := range s.whole(u.After, room) {
						u.Records = append(u.Records, l.Record)
					}
					room -= len(u.Records)
				}
				if len(u.Records) == 0 && s.touched <= w.Known {
					continue
				}
				for _, c := range sorted(s.groups) {
					u.Cursors = append(u.Cursors, *c)
				}
				b.Shards = append(b.Shards, u)
			}
		} else if b.Names == nil {
			continue
		}
		news = news || len(b.Shards)+len(b.Names) > 0
		all = append(all, b)
	}
	return all, news
}

// whole is the lines behind a place, about as many as limit, so that no send is torn: what a producer sends at once has
// numbers and places without a gap. A place that is not here has nothing behind it.
func (s *shard) whole(seq uint64, limit int) []line {
	if seq+1 < s.First || limit <= 0 {
		return nil
	}
	lines := s.after(seq, len(s.Lines))
	n := min(len(lines), limit)
	for n < len(lines) && goesOn(&lines[n-1], &lines[n]) {
		n++
	}
	return lines[:n]
}

// goesOn says whether two neighbouring lines may be of one send.
func goesOn(a, b *line) bool {
	return a.Producer == b.Producer && a.Number+1 == b.Number && a.Key == b.Key
}

// onPulled puts what was brought in the log, if it is anything.
func (l *leader) onPulled(env nodes.Env, b Pulled) {
	for _, p := range l.pulls {
		if p.region != b.From {
			continue
		}
		c := &copied{From: b.From, Asked: b.Asked}
		for _, k := range b.Keyspaces {
			if len(k.Shards)+len(k.Names) > 0 {
				c.Keyspaces = append(c.Keyspaces, k)
				continue
			}
			l.all(env, k.Home, b.Asked)
		}
		if c.Keyspaces == nil {
			p.out, p.wait = false, 1
			return
		}
		l.offer(env, c)
	}
}

// all notes that all is here that there was when a pull was sent.
func (l *leader) all(env nodes.Env, home string, asked uint64) {
	if l != nil && asked <= clock(env) {
		l.fresh[home] = max(l.fresh[home], asked)
	}
}

// lagMs is how long ago it was certain that there is no more than a copy has; ok is false if that never was, as far as
// this leader knows. It goes by the clock of the node, since ticks come late to one that is busy; where a clock goes back
// it may say too little.
func (l *leader) lagMs(env nodes.Env, home string) (ms int64, ok bool) {
	at, ok := l.fresh[home]
	now := clock(env)
	if !ok || now < at {
		return 0, false
	}
	return time.Duration(now-at).Milliseconds() + 1, true
}

// clock is a node's time in nanoseconds.
func clock(env nodes.Env) uint64 { return uint64(env.Now().UnixNano()) }

// A copied is what was pulled from another region.
type copied struct {
	From      string
	Asked     uint64 // the leader's own time: nothing to the machine
	Keyspaces []Brought
}

func (*copied) kind() kind { return copiedKind }

func (c *copied) pack(p *pack.Pack) {
	p.Text(&c.From)
	p.Number(&c.Asked)
	pack.List(p, &c.Keyspaces, (*Brought).pack)
}

func (b *Brought) pack(p *pack.Pack) {
	p.Text(&b.Home)
	p.Number(&b.Generation)
	p.Number(&b.Known)
	pack.List(p, &b.Shards, (*Update).pack)
	p.Number(&b.After)
	pack.List(p, &b.Names, func(v *string, p *pack.Pack) { p.Text(v) })
}

func (u *Update) pack(p *pack.Pack) {
	u.Shard.pack(p)
	p.Number(&u.After)
	pack.List(p, &u.Records, (*Record).pack)
	p.Number(&u.End)
	p.Flag(&u.Sealed)
	pack.List(p, &u.Births, (*birth).pack)
	p.Number(&u.First)
	pack.List(p, &u.Cursors, (*cursor).pack)
}

func (c *copied) apply(env nodes.Env, m *machine) {
	for i := range c.Keyspaces {
		b := &c.Keyspaces[i]
		m.sinks[b.Home].merge(c.From, b.After, b.Names)
		r := m.regimes[b.Home]
		if r.Generation != b.Generation || r.Region != c.From {
			continue
		}
		all := true
		r.known = max(r.known, b.Known)
		for k := range b.Shards {
			taken, whole := m.copy(env, &b.Shards[k])
			if !taken {
				r.known = 0 // so that what else was said of the shard is said again
			}
			all = all && whole
		}
		if all {
			m.lead.all(env, b.Home, c.Asked)
		}
	}
	m.lead.pulledFrom(c.From)
}

// pulledFrom notes that what was pulled is here.
func (l *leader) pulledFrom(region string) {
	if l == nil {
		return
	}
	for _, p := range l.pulls {
		if p.region == region && p.out {
			p.out, p.wait = false, pullTicks
		}
	}
}

// copy takes in what is new of a shard, unless it does not go on where the copy ends; and says whether all is here then
// that the origin had. What is not here at all will be asked for from its beginning once it is.
func (m *machine) copy(env nodes.Env, u *Update) (taken, whole bool) {
	s := m.shards[u.Shard]
	if s == nil {
		return true, false
	}
	if u.After != s.end() && m.bug != copyGoesOn {
		env.Reached("queue: what was pulled did not go on where the copy ends")
		return false, s.end() >= u.End
	}
	if !s.Sealed {
		for _, r := range u.Records {
			if m.bug == geoDedup && len(s.Lines) > 0 && r.Number <= s.Lines[len(s.Lines)-1].Number {
				continue
			}
			s.add(r, m.clock)
			if m.bug != dedupNotCopied {
				recognize(s.producers, s.Shard, &s.Lines[len(s.Lines)-1])
			}
			m.prefix(env, s, s.end())
		}
	}
	s.groups = map[string]*cursor{}
	for _, c := range u.Cursors {
		c.Seq = min(c.Seq, s.end())
		s.groups[c.Group] = &c
	}
	if s.end() == u.End && u.Sealed && !s.Sealed {
		m.end(env, s, u.Births)
		m.follow(env, s)
	}
	m.close(env, s)
	s.drop(u.First)
	m.lead.stir(s.Shard)
	return true, s.end() >= u.End
}
