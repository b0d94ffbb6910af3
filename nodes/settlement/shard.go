package settlement

import (
	"cmp"
	"maps"
	"slices"

	"faultlab/nodes"
	"faultlab/nodes/raftlog"
)

// A replica is this node's copy of a shard.
type replica struct {
	*machine
	n     *node
	group *raftlog.Group
}

// Apply does one entry of the consensus log.
func (r *replica) Apply(env nodes.Env, index uint64, data []byte) {
	r.apply(env, index, decodeCommand(data))
	r.lead.windowDue(env)
	if index%64 == 0 {
		env.Emit(Digest{Shard: r.Name, Index: index, Sum: r.sum()})
	}
}

// Leading is called when this member becomes the leader of the shard, with all that was committed before applied; and
// when it ceases to be.
func (r *replica) Leading(env nodes.Env, leading bool, _ uint64) {
	if !leading {
		r.lead.resign(env)
		r.lead = nil
		return
	}
	l := &leader{
		machine: r.machine, n: r.n, group: r.group, asked: map[string][]*asker{}, quotes: map[string]*pricing{},
		remembers: map[string]*payment{}, planting: map[string][]asker{}, started: env.Rand().Uint64(),
	}
	r.lead = l
	for _, p := range r.unfinished() {
		env.Reached("settlement: a new leader took over a payment")
		l.follow(env, p)
	}
	for _, p := range r.parts {
		p.ticks = 0
	}
	l.resumeWindows(env)
}

// unfinished are the payments that have not ended everywhere, in the order in which they were accepted.
func (m *machine) unfinished() []*payment {
	all := slices.Collect(maps.Values(m.payments))
	all = slices.DeleteFunc(all, func(p *payment) bool { return p.State != Accepted && !p.Live })
	slices.SortFunc(all, func(a, b *payment) int { return cmp.Compare(a.Accepted, b.Accepted) })
	return all
}

// sortedParts are what is prepared here, in an order that depends on the content alone.
func (m *machine) sortedParts() []*part {
	all := make([]*part, 0, len(m.parts))
	for _, name := range slices.Sorted(maps.Keys(m.parts)) {
		all = append(all, m.parts[name])
	}
	return all
}

// An asker is a node, and its number for a request; and for a payment, what it asked.
type asker struct {
	from    nodes.ID
	request uint64
	body    Hash
	ticks   int
}

// A leader is what only the leader of a shard knows. It is lost with the leadership, and the next one makes its own
// from the machine.
type leader struct {
	*machine
	n         *node
	group     *raftlog.Group
	asked     map[string][]*asker // who waits for a payment, by client and key
	drives    []*drive            // in the order they were begun
	forget    []string            // payments that are resolved everywhere
	quotes    map[string]*pricing // asked of the FX engine for clients
	closers   []*closer
	compacts  []asker
	planting  map[string][]asker
	remembers map[string]*payment // by mistake: the only place where a key is known
	notices   []Notified          // by mistake: told again and again
	started   uint64
	counter   uint64
}

// propose puts a command in the log, if all goes well; if not, it will be asked for again.
func (l *leader) propose(env nodes.Env, c *command) {
	c.Now = env.Now().UnixNano()
	if err := l.group.Propose(env, c.encode()); err != nil {
		env.Logf("%s: not proposed: %v", l.Name, err)
	}
}

// answer answers what was forwarded.
func (l *leader) answer(env nodes.Env, a asker, b Answer) {
	b.Shard, b.Request = l.Name, a.request
	if a.from == env.ID() {
		l.n.answered(env, b)
		return
	}
	env.Send(a.from, b)
}

// forwarded does what another node passed on.
func (l *leader) forwarded(env nodes.Env, a asker, f Forward) {
	switch {
	case f.Pay != nil:
		b := f.Pay
		c := command{
			Do: accept, Client: b.Client, Key: b.Key, Body: b.BodyHash(), From: b.From, To: b.To, Amount: b.Amount,
			Memo: b.Memo, Within: b.within(),
		}
		if b.Quote != nil {
			c.Quote = *b.Quote
		}
		l.pay(env, a, &c)
	case f.Reverse != nil:
		b := f.Reverse
		l.pay(env, a, &command{Do: accept, Client: b.Client, Key: b.Key, Body: b.BodyHash(), Payment: b.Payment, Within: int64(DefaultExpiry)})
	case f.Status != nil:
		l.read(env, a, func() Answer { return l.status(f.Status) })
	case f.Balance != nil:
		l.read(env, a, func() Answer { return l.balance(f.Balance.Account) })
	case f.Quote != nil:
		l.price(env, a, f.Quote)
	case f.Close != nil:
		l.closeWindow(env, a, *f.Close)
	case f.Items != nil:
		l.read(env, a, func() Answer { return Answer{Items: l.allItems()} })
	case f.Match != nil:
		l.propose(env, &command{Do: match, IDs: f.Match.Items})
		l.answer(env, a, Answer{Done: &Done{}})
	case f.Plant != nil:
		b := f.Plant
		l.plantAsked(env, a, &command{Do: plant, Item: b.Item, From: l.Name + "/@due." + b.With + "/" + b.Currency, Amount: b.Amount})
	case f.Correct != nil:
		b := f.Correct.Break
		l.plantAsked(env, a, &command{Do: correct, Item: b.Item, From: b.Account, Amount: b.Amount})
	case f.Compact != nil:
		l.compacts = append(l.compacts, a)
		l.propose(env, &command{Do: compact})
	}
}

// read answers with what the machine shows once a majority has confirmed that this member leads.
func (l *leader) read(env nodes.Env, a asker, show func() Answer) {
	l.group.Read(env, func(env nodes.Env, ok bool) {
		if !ok {
			l.refuse(env, a)
			return
		}
		l.answer(env, a, show())
	})
}

func (m *machine) balance(name string) Answer {
	b := Balance{Account: name, Size: m.tree.size}
	if a := m.accounts[name]; a != nil {
		b.Posted, b.Pending = a.posted, a.pending
	}
	return Answer{Balance: &b}
}

func (m *machine) status(s *Status) Answer {
	p := m.keys[keyName(s.Client, s.Key)]
	if p == nil {
		return Answer{Refused: &Refused{"the client has used no such key"}}
	}
	return p.answer()
}

// answer says where a payment stands.
func (p *payment) answer() Answer {
	if p.State == refused {
		return Answer{Refused: &Refused{p.Why}}
	}
	paid := Paid{Payment: p.ID, State: p.State, Why: p.Why, Index: p.Decided}
	if p.State == Accepted {
		paid.Index = p.Accepted
	}
	return Answer{Paid: &paid}
}

// refuse says who leads.
func (l *leader) refuse(env nodes.Env, a asker) {
	env.Send(a.from, NotLeader{Shard: l.Name, Leader: l.group.Leader(), Request: a.request})
}

// resign ends a leadership, and tells those who wait to look elsewhere.
func (l *leader) resign(env nodes.Env) {
	if l == nil {
		return
	}
	var all []asker
	for _, name := range slices.Sorted(maps.Keys(l.asked)) {
		for _, a := range l.asked[name] {
			all = append(all, *a)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(l.quotes)) {
		all = append(all, l.quotes[name].asker)
	}
	for _, c := range l.closers {
		all = append(all, c.asked...)
	}
	for _, name := range slices.Sorted(maps.Keys(l.planting)) {
		all = append(all, l.planting[name]...)
	}
	for _, a := range append(all, l.compacts...) {
		l.refuse(env, a)
	}
}

// busy says whether a tick may be needed.
func (l *leader) busy() bool {
	return l != nil && len(l.drives)+len(l.parts)+len(l.forget)+len(l.asked)+len(l.quotes)+len(l.closers)+len(l.notices) > 0
}

// compacted answers those who asked for a compaction; nil on a follower.
func (l *leader) compacted(env nodes.Env) {
	if l == nil {
		return
	}
	for _, a := range l.compacts {
		l.answer(env, a, Answer{Done: &Done{}})
	}
	l.compacts = nil
}
