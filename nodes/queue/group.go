package queue

import (
	"maps"
	"slices"

	"faultlab/nodes"
	"faultlab/nodes/raftlog"
)

// A group is this node's membership of one consensus group.
type group struct {
	*Group
	n   *node
	log *raftlog.Group
	m   *machine
}

// An asker is a node, its number for a request, and which of its tries this is.
type asker struct {
	from    nodes.ID
	request uint64
	try     uint64
}

// A leader is what only the leader of a group knows: who waits for what. It is lost with the leadership, and the next one
// makes its own from the machine. It keeps names of shards and not the shards, so that the machine may be made anew.
//
// Its methods that the machine calls as entries are applied do nothing on a follower, where it is nil.
type leader struct {
	*group
	mark    uint64           // the last one given
	waiting map[uint64]asker // by mark: for an entry to be applied
	polls   []*poll          // for records, a claim or a parent, in the order they came
	stirred map[Shard]bool   // shards in which polls may find something, since the last look

	sends  []marked           // that wait to be proposed together
	flying int                // puts that are proposed and not yet applied
	ahead  map[Shard][]Record // what they will add, for two mistakes (foresee)

	errands map[string]int     // when questions to other groups may be asked again, by what they are about
	done    map[finishing]bool // what other groups have said that it is finished
	ticks   int
	sinceMs int64 // of ticks that no age entry has told yet
	load    load

	mirrors
	frozen        map[string]uint64 // by keyspace: until which of the node's ticks no sends are taken
	coordinations map[string]*coordination
}

// A finishing is a consumer group that has dealt with all of a shard.
type finishing struct {
	shard    Shard
	consumer string
}

// A poll waits for records.
type poll struct {
	asker
	Poll
	ticks    int // that it may yet wait for records
	patience int // and for a claim, or for the end of a parent
	asked    bool
}

// newLeader begins a leadership. Its marks begin where no other's are: its term is part of them.
func newLeader(g *group, term uint64) *leader {
	return &leader{
		group: g, mark: term << 32, waiting: map[uint64]asker{}, ahead: map[Shard][]Record{}, stirred: map[Shard]bool{},
		errands: map[string]int{}, done: map[finishing]bool{}, load: load{},
		mirrors: newMirrors(g.n.layout, g.Region), frozen: map[string]uint64{}, coordinations: map[string]*coordination{},
	}
}

// Leading is called when this member becomes the leader of the group, with all that was committed before applied; and
// when it ceases to be.
func (m *machine) Leading(env nodes.Env, leading bool, term uint64) {
	if m.lead != nil {
		l := m.lead
		m.lead = nil
		l.resign(env)
	}
	if leading {
		m.lead = newLeader(m.group, term)
		m.lead.enforce(env)
		for _, s := range m.lives {
			m.lead.serves(env, s)
		}
	}
}

// serves tells that sends to a shard are acknowledged from here on.
func (l *leader) serves(env nodes.Env, s *shard) {
	if l != nil {
		env.Emit(Serves{l.Name, s.Shard})
	}
}

// resign tells those who wait to look elsewhere. What was proposed may be done yet; what was not will not.
func (l *leader) resign(env nodes.Env) {
	held := map[uint64]bool{}
	for _, s := range l.sends {
		held[s.Mark] = true
	}
	for _, mark := range slices.Sorted(maps.Keys(l.waiting)) { // in the order they came
		l.answer(env, l.waiting[mark], NotLeader{Leader: l.log.Leader(), Perhaps: !held[mark]})
	}
	for _, p := range l.polls {
		l.answer(env, p.asker, NotLeader{Leader: l.log.Leader()})
	}
}

// take does what was asked of the leader. Every request is answered, now or once an entry is applied, unless this member
// ceases to be there.
func (l *leader) take(env nodes.Env, a asker, body any) {
	switch b := body.(type) {
	case Send:
		l.send(env, a, b)
	case Poll:
		l.poll(env, a, b)
	case Commit:
		l.propose(env, a, &commit{Shard: b.Shard, Group: b.Group, Generation: b.Generation, Seq: b.Seq})
	case Read:
		l.confirmed(env, a, func(env nodes.Env) any { return l.labelled(env, l.m.read(b)) })
	case Describe:
		l.confirmed(env, a, func(env nodes.Env) any { return l.m.describe(b.Home) })
	case Lead:
		l.answer(env, a, l.lead(env, b.Node))
	case SnapshotNow:
		l.answer(env, a, l.snapshotNow(env))
	case Split:
		l.split(env, a, b)
	case Merge:
		l.merge(env, a, b)
	case Locate:
		l.answer(env, a, l.locate(b))
	case Finish:
		l.answer(env, a, l.finish(env, b))
	case Wed:
		l.wed(env, a, b)
	case Adopt:
		l.adopt(env, a, b)
	case Takeover:
		l.propose(env, a, &takeover{Takeover: b})
	case Freeze:
		l.freeze(env, a, b)
	case Survey:
		l.confirmed(env, a, func(env nodes.Env) any { return l.m.survey(b.Home) })
	case TailOf:
		l.confirmed(env, a, func(env nodes.Env) any { return l.m.tailOf(b.Home) })
	case Stand:
		l.confirmed(env, a, func(env nodes.Env) any { return l.m.stand(b) })
	case PutBack:
		l.putBack(env, a, b)
	case Compare:
		l.compare(env, a, b)
	case SumsAt:
		l.confirmed(env, a, func(env nodes.Env) any { return l.m.sums(b) })
	case Progress:
		l.confirmed(env, a, func(env nodes.Env) any { return l.m.progress(b) })
	case Join:
		l.join(env, a, b)
	case Leave:
		l.leave(env, a, b)
	case Deliver:
		l.propose(env, a, &deliver{Home: b.Home, Generation: l.m.regimes[b.Home].Generation, Names: b.Names})
	case Effects:
		l.confirmed(env, a, func(env nodes.Env) any { return l.m.effects(b) })
	}
}

func (l *leader) answer(env nodes.Env, a asker, body any) { l.n.tell(env, l.Name, a, body) }

// confirmed answers with what the machine shows once all is applied that anybody had committed before.
func (l *leader) confirmed(env nodes.Env, a asker, answer func(nodes.Env) any) {
	l.log.Read(env, func(env nodes.Env, ok bool) {
		if !ok {
			l.answer(env, a, NotLeader{Leader: l.log.Leader()})
			return
		}
		l.answer(env, a, answer(env))
	})
}

// A promise is a command with a mark.
type promise interface {
	command
	marks() *uint64
}

func (c *commit) marks() *uint64 { return &c.Mark }

// propose puts a command in the log, and has a answered once it is applied.
func (l *leader) propose(env nodes.Env, a asker, c promise) {
	l.mark++
	*c.marks() = l.mark
	if l.offer(env, c) {
		l.waiting[l.mark] = a
	} else {
		l.answer(env, a, NotLeader{Leader: l.log.Leader()})
	}
}

// offer puts a command in the log, if all goes well; if not, whoever wanted it will want it again.
func (l *leader) offer(env nodes.Env, c command) bool {
	err := l.log.Propose(env, encode(c, 128))
	if err != nil {
		env.Logf("%s: not proposed: %v", l.Name, err)
	}
	return err == nil
}

// reply answers who waits under a mark.
func (l *leader) reply(env nodes.Env, mark uint64, body any) {
	if l == nil {
		return
	}
	if a, ok := l.waiting[mark]; ok {
		delete(l.waiting, mark)
		l.answer(env, a, body)
	}
}

// send proposes a send. While some are on their way others wait, to share one entry.
func (l *leader) send(env nodes.Env, a asker, b Send) {
	if l.frozen[b.Home] > l.n.ticks {
		l.answer(env, a, Elsewhere{}) // soon; the gateway tries again
		return
	}
	if l.m.live(b.Home, HashOf(b.Key)) == nil {
		l.answer(env, a, l.m.elsewhere(b.Home, HashOf(b.Key)))
		return
	}
	l.mark++
	l.waiting[l.mark] = a
	l.sends = append(l.sends, marked{l.mark, b})
	if l.m.bug == ackBeforeQuorum || l.m.bug == readPastApplied {
		l.foresee(env, b)
	}
	if l.flying < maxFlying {
		l.launch(env)
	}
}

// launch proposes all sends that wait.
func (l *leader) launch(env nodes.Env) {
	if len(l.sends) == 0 {
		return
	}
	sends := l.sends
	l.sends = nil
	size := 16
	for i := range sends {
		size += 48 + len(sends[i].Send.Key)
		for _, v := range sends[i].Send.Values {
			size += 4 + len(v)
		}
	}
	if err := l.log.Propose(env, encode(&put{sends}, size)); err != nil {
		for _, s := range sends {
			l.reply(env, s.Mark, NotLeader{Leader: l.log.Leader()})
		}
		return
	}
	l.flying++
}

// landed is called when a put is applied; if it was another leader's, that does no harm.
func (l *leader) landed(env nodes.Env) {
	if l == nil {
		return
	}
	l.flying = max(0, l.flying-1)
	l.launch(env)
}

// poll answers with records, or waits for some.
func (l *leader) poll(env nodes.Env, a asker, b Poll) {
	for _, p := range l.polls {
		if p.from == a.from && p.request == a.request {
			p.try = a.try
			return
		}
	}
	ticks := max(0, min(b.WaitMs, maxWaitMs)) / int(tick.Milliseconds())
	p := &poll{asker: a, Poll: b, ticks: ticks, patience: max(ticks, claimTicks)}
	if !l.try(env, p) {
		l.polls = append(l.polls, p)
	}
}

// try answers a poll, unless it has to wait. A poll shows what is applied, and so what is committed; it asks no quorum,
// so it may be a little behind, as any answer is by the time it arrives.
func (l *leader) try(env nodes.Env, p *poll) (answered bool) {
	s := l.m.shards[p.Shard]
	if s == nil {
		l.answer(env, p.asker, Elsewhere{})
		return true
	}
	c := s.groups[p.Group]
	k := l.m.regimes[s.home]
	switch {
	case k.Region != l.Region:
		l.answer(env, p.asker, Elsewhere{})
		return true
	case p.Generation < k.Generation*generations || c != nil && p.Generation < c.Generation:
		env.Reached("queue: a poll of an old generation was refused")
		l.answer(env, p.asker, Refused{"a newer generation of the group has been seen"})
		return true
	case c == nil || p.Generation > c.Generation:
		if !p.asked {
			p.asked = l.offer(env, &claim{Shard: p.Shard, Group: p.Group, Generation: p.Generation})
		}
		return false
	case !c.Open:
		l.open(env, s, p.Group)
		return false
	case p.After+1 < s.First:
		l.answer(env, p.asker, Gone{p.Shard, s.First})
		return true
	}
	if p.After >= s.end() && !s.Sealed && p.ticks > 0 && len(l.ahead[p.Shard]) == 0 {
		return false
	}
	r := s.records(p.After, p.Max)
	if ahead := l.ahead[p.Shard]; l.m.bug == readPastApplied && len(r.Records) == 0 && p.After == s.end() && len(ahead) > 0 {
		r.Records, r.End = slices.Clone(ahead), s.end()+uint64(len(ahead))
	}
	l.answer(env, p.asker, r)
	return true
}

// foresee is the part that two mistakes share: it takes it that what is proposed will be committed, in that order.
func (l *leader) foresee(env nodes.Env, b Send) {
	s := l.m.live(b.Home, HashOf(b.Key))
	if how, _ := s.standing(b.Producer, b.Number, uint64(len(b.Values))); how != fresh {
		return
	}
	seq := s.end() + uint64(len(l.ahead[s.Shard])) + 1
	for i, v := range b.Values {
		l.ahead[s.Shard] = append(l.ahead[s.Shard], Record{seq + uint64(i), b.Producer, b.Number + uint64(i), b.Key, v})
	}
	if l.m.bug == ackBeforeQuorum {
		l.reply(env, l.mark, SendOK{s.Shard, seq})
	}
	l.look(env, func(p *poll) bool { return p.Shard == s.Shard })
}

// records shows a part of a shard.
func (s *shard) records(after uint64, limit int) Records {
	if limit <= 0 || limit > maxRecords {
		limit = maxRecords
	}
	r := Records{Shard: s.Shard, End: s.end(), Sealed: s.Sealed}
	bytes := 0
	for _, l := range s.after(after, limit) {
		if bytes += len(l.Key) + len(l.Value); bytes > maxBytes && len(r.Records) > 0 {
			break
		}
		r.Records = append(r.Records, l.Record)
	}
	return r
}

// read shows a part of a shard to nobody in particular.
func (m *machine) read(b Read) any {
	s := m.shards[b.Shard]
	switch {
	case s == nil:
		return Elsewhere{}
	case b.After+1 < s.First:
		return Gone{b.Shard, s.First}
	}
	return s.records(b.After, b.Max)
}

// describe says what is held here of a keyspace.
func (m *machine) describe(home string) Described {
	r := m.regimes[home]
	d := Described{Region: m.Region, Generation: r.Generation, Served: r.Region}
	for _, s := range m.list {
		if s.home != home {
			continue
		}
		st := State{Shard: s.Shard, Group: m.Name, End: s.end(), First: s.First, Sealed: s.Sealed, Sum: s.sum()}
		for _, p := range s.Parents {
			st.Parents = append(st.Parents, p.Shard)
		}
		for _, c := range sorted(s.groups) {
			st.Cursors = append(st.Cursors, Reading{c.Group, c.Seq})
		}
		d.Shards = append(d.Shards, st)
	}
	return d
}

// added notes that a shard has more records.
func (l *leader) added(s *shard, n int) {
	if l != nil {
		l.stirred[s.Shard] = true
		if ahead := l.ahead[s.Shard]; len(ahead) > 0 {
			l.ahead[s.Shard] = ahead[min(n, len(ahead)):]
		}
		l.load.of(s.Shard).sends += n
	}
}

// stir notes that polls of a shard may find something.
func (l *leader) stir(s Shard) {
	if l != nil {
		l.stirred[s] = true
	}
}

// applied is called behind each entry: it looks at the polls of shards in which something happened.
func (l *leader) applied(env nodes.Env) {
	if l == nil || len(l.stirred) == 0 {
		return
	}
	stirred := l.stirred
	l.stirred = map[Shard]bool{}
	l.look(env, func(p *poll) bool { return stirred[p.Shard] })
}

// look tries the polls that which selects, and drops those that were answered.
func (l *leader) look(env nodes.Env, which func(*poll) bool) {
	var still []*poll
	for _, p := range l.polls {
		if !which(p) || !l.try(env, p) {
			still = append(still, p)
		}
	}
	l.polls = still
}

// busy says whether a tick may be needed.
func (l *leader) busy() bool {
	return len(l.polls)+len(l.sends)+l.flying+len(l.m.handovers)+len(l.pulls)+len(l.coordinations) > 0 || l.m.directory != nil || l.m.aging() || l.m.parted()
}

// tick does what is due.
func (l *leader) tick(env nodes.Env) {
	l.ticks++
	if l.ticks%tellTicks == 0 {
		if l.m.directory != nil {
			l.publish(env)
		}
		l.enforce(env)
	}
	if l.m.directory != nil {
		return
	}
	l.mirrorTick(env)
	l.consumersTick(env)
	l.launch(env)
	l.look(env, func(p *poll) bool {
		p.ticks, p.patience = p.ticks-1, p.patience-1
		return true
	})
	l.polls = slices.DeleteFunc(l.polls, func(p *poll) bool {
		if p.patience <= 0 {
			l.answer(env, p.asker, NotNow{"the group may not read this shard yet"})
		}
		return p.patience <= 0
	})
	l.splitTick(env)
	if l.sinceMs += tick.Milliseconds(); l.sinceMs >= ageMs && l.m.aging() {
		if l.offer(env, &age{l.sinceMs, l.copiedAll()}) {
			l.sinceMs = 0
		}
	}
}
