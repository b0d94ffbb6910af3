package multimaster

import (
	"cmp"
	"slices"
	"strings"

	"faultlab/nodes"
	"faultlab/nodes/pack"
)

// A machine is the replicated state of one range: its keys, the transactions prepared on them, and the records of the
// transactions that it coordinates. A status group has a machine without keys. apply is its only way to change, and what it does depends on the log alone: same log, same state, same answers.
//
// Locks. Only a prepared transaction holds any. Whatever was ordered after it and touches its keys waits in the queue,
// holding nothing. Among prepared transactions the older (by Priority) waits for the younger, and a younger one that
// meets an older is refused and tried again under its old priority (wait-die: Rosenkrantz, Stearns and Lewis, TODS
// 1978). So whoever waits is older than whom it waits for, in every group, and no cycle of waiting can close.
//
// Sessions. A range keeps the last number of each session and the reply to it, and refuses older ones: a duplicate is
// answered from there, a straggler is ignored.
type machine struct {
	name     string
	bug      string
	layout   *Layout
	keyed    bool // it has keys: those from from up to to, "" for no end
	from, to string
	epoch    uint64
	stage    stage
	target   string  // the group that it went to, or is going to
	children []Place // what was split off it, as it was then
	mark     uint64  // what is done here alone gets the next one: see feed.go
	store    store
	sessions map[string]*session
	prepared map[ID]*part
	locks    map[string]*part
	queue    []waiter // in the order of the log
	records  map[ID]*record

	feed   feed // its last changes, for analytics replicas; not part of the state
	group  *group
	lead   *leader // what only a leader knows and does; nil on a follower
	quiet  int     // ticks since a sealed range was last handed over
	hopped bool    // that was because of a redirection
	movers []asker // administrators who wait for it to be moved; at the leader
	early  []byte  // by mistake: the state to be handed over, as it was when the range was offered
}

// A session is what a range remembers of one client.
type session struct {
	name     string
	number   uint64 // of the last transaction executed or begun here
	reply    *Reply // to it, once there is one
	prepared uint64 // number of the last transaction prepared or resolved here
	attempt  uint64 // and its attempt
}

// A part is this range's share of a prepared transaction.
type part struct {
	ID          ID
	Attempt     uint64
	Priority    int64
	Coordinator string
	Ops         []Op
	Mark        uint64 // of the range, when it was prepared
	keys        []string
	ticks       int // how long this leader has held it
}

// A waiter is an execute or a prepare that was ordered and waits for locks.
type waiter struct {
	command *command
	keys    []string
}

// A record is a transaction that this group coordinates.
type record struct {
	ID       ID
	Ops      []Op
	Parts    []string // the participants of this attempt, in the order of their keys
	Priority int64
	Attempt  uint64
	State    state
	Reply    Reply
	Mark     uint64 // of what it writes, once committed
}

type state uint8

const (
	pending state = iota
	committed
	aborted
)

// newMachine makes a range without content, or what a status group keeps, with no end to its keys.
func newMachine(bug string, layout *Layout, name string) *machine {
	m := &machine{name: name, bug: bug, layout: layout, keyed: true}
	switch r := layout.Range(name); {
	case r == nil:
		m.from = name
	case layout.Group(name) == r && r.Region == "":
		m.keyed = false
	default:
		m.from = r.From
	}
	m.clear()
	return m
}

func (m *machine) clear() {
	m.store = store{cells: map[string]*cell{}, holds: m.holds, epoch: m.epoch}
	m.sessions = map[string]*session{}
	m.prepared = map[ID]*part{}
	m.locks = map[string]*part{}
	m.queue = nil
	m.records = map[ID]*record{}
}

// apply does one entry of the log. To a range that was given up nothing is done any more; whoever asks is told where it
// went.
func (m *machine) apply(env nodes.Env, c *command) {
	if m.stage != owned {
		if c.Kind == release {
			m.handed(c)
		}
		return
	}
	switch c.Kind {
	case execute:
		m.execute(env, c)
	case begin:
		m.begin(env, c)
	case decide:
		m.decide(env, c)
	case forget:
		for _, id := range c.IDs {
			delete(m.records, id)
		}
	case prepare:
		m.prepare(env, c)
	case resolve:
		m.resolve(env, c)
	case fence:
		m.fence(env, c)
	case seal:
		m.seal(env, c)
	case split:
		m.split(env, c)
	case raise:
		m.raise(c.Mark)
	}
}

// sum adds up the whole state, in no order.
func (m *machine) sum() uint64 {
	sum := m.store.sum + pack.Mix(m.mark)
	add := func(id ID, parts ...uint64) {
		h := pack.Mix(pack.Hash(id.Session) ^ pack.Mix(id.Number))
		for _, p := range parts {
			h = pack.Mix(h ^ p)
		}
		sum += h
	}
	for id, p := range m.prepared {
		add(id, p.Attempt, p.Mark)
	}
	for _, s := range m.sessions {
		parts := []uint64{1, s.prepared, s.attempt}
		if s.reply != nil {
			parts = append(parts, 1+pack.Hash(s.reply.Abort))
			for _, r := range s.reply.Results {
				parts = append(parts, uint64(r.Int), uint64(len(r.List)))
			}
		}
		add(ID{s.name, s.number}, parts...)
	}
	for id, r := range m.records {
		add(id, 2, r.Attempt, uint64(r.State), pack.Hash(r.Reply.Abort), r.Mark)
	}
	for i, w := range m.queue {
		add(w.command.ID, 3, uint64(i), w.command.Attempt)
	}
	return sum
}

func (m *machine) session(name string) *session {
	s := m.sessions[name]
	if s == nil {
		s = &session{name: name}
		m.sessions[name] = s
	}
	return s
}

// admit says whether a transaction is new to this range, and makes it the session's last. A duplicate is answered, if
// the answer is known; an older one is dropped.
func (m *machine) admit(env nodes.Env, id ID) bool {
	s := m.session(id.Session)
	switch {
	case id.Number < max(s.number, s.prepared):
		env.Reached("multi-master: a straggler was refused")
		m.lead.drop(id)
		return false
	case id.Number == s.number && m.bug != dedupInMemory:
		env.Reached("multi-master: a duplicate was answered from the session")
		if s.reply != nil {
			m.lead.reply(env, id, *s.reply)
		}
		return false
	}
	s.number, s.reply = id.Number, nil
	return true
}

// answer remembers and gives the reply to a transaction.
func (m *machine) answer(env nodes.Env, id ID, r Reply) {
	if s := m.session(id.Session); s.number == id.Number {
		s.reply = &r
	}
	m.lead.reply(env, id, r)
}

// execute does a transaction of this range alone, now or when its keys are free.
func (m *machine) execute(env nodes.Env, c *command) {
	if !m.holdsAll(c.Ops) { // it was split meanwhile
		m.lead.misdirected(env, c.ID)
		return
	}
	if !m.admit(env, c.ID) {
		return
	}
	w := waiter{c, keys(c.Ops, m.holds)}
	if !m.try(env, w) {
		m.queue = append(m.queue, w)
		env.Reached("multi-master: a transaction waited for a lock")
	}
}

// try does what w asks for if it need not wait.
func (m *machine) try(env nodes.Env, w waiter) bool {
	c := w.command
	wait := false
	for _, key := range w.keys {
		holder := m.locks[key]
		switch {
		case holder == nil:
		case c.Kind == execute:
			return false
		case m.bug == noGlobalOrder:
		case older(holder.Priority, holder.ID, c.Priority, c.ID):
			env.Reached("multi-master: a younger transaction met an older one's lock")
			m.lead.vote(env, c, Vote{Conflict: true, Reason: "met the lock of an older transaction"})
			return true
		default:
			wait = true
		}
	}
	switch {
	case wait:
		return false
	case c.Kind == execute:
		results, abort := m.write(c.Ops, m.mark+1)
		m.answer(env, c.ID, Reply{results, abort})
	default:
		m.lock(env, w)
	}
	return true
}

// prepare locks this range's part of a transaction, now or when its keys are free, and votes.
func (m *machine) prepare(env nodes.Env, c *command) {
	if p := m.prepared[c.ID]; p != nil {
		if p.Attempt == c.Attempt {
			m.voteYes(env, p)
			return
		}
		if p.Attempt < c.Attempt { // so the coordinator gave that attempt up
			m.release(env, p)
		}
	}
	s := m.session(c.ID.Session)
	held := keys(c.Ops, m.holds)
	switch {
	case c.ID.Number < max(s.number, s.prepared):
		m.lead.vote(env, c, Vote{Reason: "the session has moved on"})
		return
	case uint64(len(held)) != c.Keys:
		m.lead.divided(env, c)
		return
	case c.ID.Number == s.prepared && c.Attempt <= s.attempt:
		if !m.waits(c.ID) { // it was refused, or given up
			m.lead.vote(env, c, Vote{Conflict: true, Reason: "this attempt is over"})
		}
		return
	}
	s.prepared, s.attempt = c.ID.Number, c.Attempt
	m.unqueue(c.ID, c.Attempt)
	w := waiter{c, held}
	if !m.try(env, w) {
		m.queue = append(m.queue, w)
		env.Reached("multi-master: an older transaction waited for a younger one's lock")
	}
}

func (m *machine) lock(env nodes.Env, w waiter) {
	c := w.command
	if _, abort := m.store.run(c.Ops, true); abort != "" {
		m.lead.vote(env, c, Vote{Reason: abort})
		return
	}
	p := &part{ID: c.ID, Attempt: c.Attempt, Priority: c.Priority, Coordinator: c.Coordinator, Ops: c.Ops, Mark: m.mark, keys: w.keys}
	m.hold(p)
	env.Emit(Locked{m.name, p.Coordinator, p.ID, p.Attempt, p.keys})
	m.voteYes(env, p)
}

// write does a program for good; what it writes gets this mark, and is what replicas will be told.
func (m *machine) write(ops []Op, mark uint64) (results []Result, abort string) {
	m.store.mark = mark
	results, abort = m.store.run(ops, false)
	if abort == "" && !readOnly(ops) {
		for _, t := range m.store.touched {
			if c := t.cell; m.group != nil && c.mark == mark {
				m.feed.add(m.group.index, Change{t.key, mark, c.n, c.list, c.value})
			}
		}
	}
	return results, abort
}

func (m *machine) hold(p *part) {
	m.prepared[p.ID] = p
	for _, key := range p.keys {
		m.locks[key] = p
	}
}

func (m *machine) voteYes(env nodes.Env, p *part) {
	if m.lead == nil {
		return
	}
	results, _ := m.store.run(p.Ops, true)
	m.lead.vote(env, &command{ID: p.ID, Attempt: p.Attempt, Coordinator: p.Coordinator}, Vote{Yes: true, Results: results, Mark: p.Mark})
}

// resolve ends an attempt: its writes happen, or do not, and its locks go.
func (m *machine) resolve(env nodes.Env, c *command) {
	if s := m.session(c.ID.Session); c.ID.Number > s.prepared || c.ID.Number == s.prepared && c.Attempt > s.attempt {
		s.prepared, s.attempt = c.ID.Number, c.Attempt // so that its Prepare, should it still come, finds it over
	}
	m.unqueue(c.ID, c.Attempt)
	if p := m.prepared[c.ID]; p != nil && p.Attempt <= c.Attempt {
		if c.Commit && p.Attempt == c.Attempt {
			m.raise(max(c.Mark, 1) - 1)
			m.write(p.Ops, c.Mark) // as it was when it voted: nobody else touched these keys
		}
		m.release(env, p)
	}
	m.lead.resolved(env, c)
}

// release frees the keys of p and lets whoever waits for them go on, in the order of the log.
func (m *machine) release(env nodes.Env, p *part) {
	delete(m.prepared, p.ID)
	for _, key := range p.keys {
		if m.locks[key] == p {
			delete(m.locks, key)
		}
	}
	env.Emit(Unlocked{m.name, p.ID, p.Attempt})
	m.lead.unlocked(env) // before whoever waits in the queue locks the keys again
	queue := m.queue
	if m.bug == iteratesMap {
		queue = slices.Clone(queue)
		env.Rand().Shuffle(len(queue), func(i, j int) { queue[i], queue[j] = queue[j], queue[i] })
	}
	m.queue = nil
	for _, w := range queue {
		if !m.try(env, w) {
			m.queue = append(m.queue, w)
		}
	}
	m.lead.unlocked(env)
}

func (m *machine) waits(id ID) bool {
	return slices.ContainsFunc(m.queue, func(w waiter) bool { return w.command.ID == id && w.command.Kind == prepare })
}

func (m *machine) unqueue(id ID, attempt uint64) {
	m.queue = slices.DeleteFunc(m.queue, func(w waiter) bool {
		return w.command.ID == id && w.command.Kind == prepare && w.command.Attempt <= attempt
	})
}

// blocked says whether a read of these keys has to wait.
func (m *machine) blocked(ops []Op) bool {
	for i := range ops {
		if m.locks[ops[i].Key] != nil {
			return m.bug != readPastLocks
		}
	}
	return false
}

// begin makes the record of a transaction that this group coordinates.
func (m *machine) begin(env nodes.Env, c *command) {
	if !m.isHome(c.Ops) { // it was split meanwhile
		m.lead.misdirected(env, c.ID)
		return
	}
	if !m.admit(env, c.ID) || m.records[c.ID] != nil {
		return
	}
	r := &record{ID: c.ID, Ops: c.Ops, Parts: c.Parts, Priority: c.Priority, Attempt: 1}
	m.records[c.ID] = r
	m.lead.drive(env, r)
}

// decide ends a record, unless it was decided already; the first decision in the log is the one that counts.
func (m *machine) decide(env nodes.Env, c *command) {
	r := m.records[c.ID]
	if r == nil || r.State != pending || r.Attempt != c.Attempt {
		return
	}
	if c.Again {
		r.Attempt++
		r.Parts = c.Parts
		m.lead.again(env, r)
		return
	}
	r.State, r.Reply = aborted, c.Reply
	if c.Commit {
		r.State, r.Mark = committed, c.Mark
	}
	m.answer(env, c.ID, r.Reply)
	m.lead.decided(env, r)
}

// older orders transactions by when they began.
func older(a int64, aID ID, b int64, bID ID) bool {
	if a != b {
		return a < b
	}
	return compareIDs(aID, bID) < 0
}

func compareIDs(a, b ID) int {
	return cmp.Or(strings.Compare(a.Session, b.Session), cmp.Compare(a.Number, b.Number))
}
