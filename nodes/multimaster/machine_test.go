package multimaster

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"faultlab/nodes"
	"faultlab/nodes/pack"
	"faultlab/nodes/raftlog"
)

// paper is an Env that keeps what is sent.
type paper struct {
	nodes.Env // nil: a machine uses nothing else
	rand      *rand.Rand
	answers   []string
	events    []string
}

func newPaper() *paper { return &paper{rand: rand.New(rand.NewPCG(9, 9))} }

func (p *paper) ID() nodes.ID     { return "a1" }
func (p *paper) Rand() *rand.Rand { return p.rand }
func (p *paper) Now() time.Time   { return time.Unix(0, 0) }
func (p *paper) Reached(string)   {}
func (p *paper) Emit(event any)   { p.events = append(p.events, fmt.Sprintf("%+v", event)) }

// Send keeps what answers a command. What a leader sends of its own accord, or again as a new leader, does not.
func (p *paper) Send(to nodes.ID, body any) {
	switch body.(type) {
	case Executed, Vote, Resolved:
		p.answers = append(p.answers, fmt.Sprintf("%s %+v", to, body))
	}
}

// newReplica is the machine of A1 at a leader without a log.
func newReplica(env nodes.Env) *machine {
	n := newNode("")
	n.layout = NewLayout(topology(3, 3))
	n.first = slices.Clone(n.layout.Ranges)
	g := newGroup(n, n.layout.Group("A1"))
	g.log = n.logs.Add(raftlog.Config{Name: "A1", Voters: g.Voters, Tick: tick, Election: time.Second}, g)
	g.Leading(env, true, 1)
	return g.ranges["A1"]
}

// A script draws commands as routers, coordinators and a network would put them in the log of A1: transactions of A1
// alone; transactions that A1 coordinates; parts of others' transactions, of which each attempt is resolved, and the last
// committed only after a yes; and anything that was there before once more.
type script struct {
	chance   *rand.Rand
	sessions []uint64 // numbers so far
	running  []*foreign
	past     []*command
}

// A foreign is a transaction whose coordinator is S1.
type foreign struct {
	ID       ID
	ops      []Op
	priority int64
	attempt  uint64 // prepared last
	resolved bool   // and resolved
}

func (s *script) ops(id ID) []Op {
	keys := []string{"A1/a", "A1/b", "A1/c", "A1/d"}
	var ops []Op
	for _, i := range s.chance.Perm(len(keys))[:1+s.chance.IntN(3)] {
		value := int64(pack.Hash(id.Session)%100)*1000 + int64(id.Number)
		ops = append(ops, Op{F: Append, Key: keys[i], Value: value}, Op{F: Read, Key: keys[i]})
	}
	if s.chance.IntN(4) == 0 {
		ops = append(ops, Op{F: CAS, Key: keys[s.chance.IntN(4)], Old: int64(s.chance.IntN(2)), Value: int64(s.chance.IntN(2))})
	}
	return ops
}

func (s *script) next(m *machine) *command {
	if len(s.past) > 0 && s.chance.IntN(4) == 0 {
		return s.past[len(s.past)-1-s.chance.IntN(min(len(s.past), 1+s.chance.IntN(100)))] // mostly of late
	}
	c := s.fresh(m)
	s.past = append(s.past, c)
	return c
}

func (s *script) fresh(m *machine) *command {
	if len(s.running) > 0 && s.chance.IntN(2) == 0 {
		i := s.chance.IntN(len(s.running))
		f := s.running[i]
		switch p := m.prepared[f.ID]; {
		case f.attempt > 0 && !f.resolved && s.chance.IntN(3) == 0: // the coordinator gives it up, or ends it
			commit := p != nil && p.Attempt == f.attempt && s.chance.IntN(2) == 0
			if f.resolved = true; commit || s.chance.IntN(8) == 0 {
				s.running = slices.Delete(s.running, i, i+1)
			}
			return &command{Kind: resolve, ID: f.ID, Attempt: f.attempt, Commit: commit, Coordinator: "S1"}
		case f.attempt > 1 && s.chance.IntN(6) == 0: // the end of an earlier attempt is late
			return &command{Kind: resolve, ID: f.ID, Attempt: f.attempt - 1, Coordinator: "S1"}
		case f.attempt == 0 || f.resolved || s.chance.IntN(6) == 0: // a new attempt; of the last one's end nothing was heard
			f.attempt++
			f.resolved = false
		}
		c := &command{Kind: prepare, ID: f.ID, Attempt: f.attempt, Ops: f.ops, Priority: f.priority, Coordinator: "S1"}
		if s.chance.IntN(6) == 0 { // it comes when its attempt is over
			s.past = append(s.past, c)
			f.resolved = true
			return &command{Kind: resolve, ID: f.ID, Attempt: f.attempt, Coordinator: "S1"}
		}
		return c
	}
	i := s.chance.IntN(len(s.sessions))
	s.sessions[i]++
	id := ID{fmt.Sprint("s", i), s.sessions[i]}
	switch s.chance.IntN(4) {
	case 0:
		return &command{Kind: begin, ID: id, Priority: s.chance.Int64N(50), Parts: []string{"A1", "A2"}, Ops: append(s.ops(id), Op{F: Append, Key: "A2/x"})}
	case 1:
		var ids []ID
		for _, r := range m.sortedRecords() {
			if r.State != pending && s.chance.IntN(2) == 0 {
				ids = append(ids, r.ID)
			}
		}
		return &command{Kind: forget, IDs: ids}
	case 2:
		if records := m.sortedRecords(); len(records) > 0 {
			r := records[s.chance.IntN(len(records))]
			c := &command{Kind: decide, ID: r.ID, Attempt: r.Attempt, Commit: s.chance.IntN(2) == 0, Again: s.chance.IntN(3) == 0, Parts: r.Parts}
			if !c.Commit {
				c.Reply.Abort = "for no reason"
			}
			return c
		}
	}
	if s.chance.IntN(2) == 0 {
		s.running = append(s.running, &foreign{ID: id, ops: s.ops(id), priority: s.chance.Int64N(50)})
	}
	return &command{Kind: execute, ID: ID{"x" + id.Session, id.Number}, Ops: s.ops(ID{"x" + id.Session, id.Number})}
}

// apply applies a command as at a leader that was asked for it.
func apply(env nodes.Env, m *machine, index uint64, c *command) {
	if c.Kind == execute || c.Kind == begin {
		m.lead.asked[c.ID] = []asker{{"c1", index}}
	}
	if c.Kind == prepare {
		c.Keys = uint64(len(keys(c.Ops, m.holds)))
	}
	m.group.Apply(env, index, c.encode())
}

func TestAMachineIsAFunctionOfItsLog(t *testing.T) {
	waited, locked, divided := 0, 0, 0
	for seed := range uint64(16) {
		straightEnv, restoredEnv := newPaper(), newPaper()
		straight, restored := newReplica(straightEnv), newReplica(restoredEnv)
		s := &script{chance: rand.New(rand.NewPCG(seed, 4)), sessions: make([]uint64, 5)}
		over := over{}
		for index := uint64(2); index < 500; index++ {
			c := s.next(straight)
			switch {
			case index%100 == 50:
				c = &command{Kind: fence, Epoch: straight.epoch + 1}
			case index > 400 && len(straight.children) == 0:
				c = clearing(straight)
			}
			if s.chance.IntN(10) == 0 { // another member takes over, from a snapshot
				asked := restored.lead.asked
				data := restored.group.Snapshot()
				restored = newReplica(restoredEnv)
				restored.group.Restore(index-1, data)
				restored = restored.group.ranges["A1"]
				restored.takeOver(restoredEnv)
				restored.lead.asked = asked
			}
			apply(straightEnv, straight, index, c)
			apply(restoredEnv, restored, index, c)
			if straight.group.sum() != restored.group.sum() {
				t.Fatalf("seed %d, entry %d (%+v): digests differ", seed, index, c)
			}
			if !bytes.Equal(straight.group.Snapshot(), restored.group.Snapshot()) {
				t.Fatalf("seed %d, entry %d (%+v): snapshots differ", seed, index, c)
			}
			if !slices.Equal(straightEnv.answers, restoredEnv.answers) {
				t.Fatalf("seed %d, entry %d (%+v): one answers\n%q, the other\n%q", seed, index, c, straightEnv.answers, restoredEnv.answers)
			}
			if !slices.Equal(straightEnv.events, restoredEnv.events) {
				t.Fatalf("seed %d, entry %d (%+v): events differ", seed, index, c)
			}
			straightEnv.answers, straightEnv.events = nil, nil
			restoredEnv.answers, restoredEnv.events = nil, nil
			consistent(t, straight)
			over.check(t, straight, c)
			if index == 499 && len(straight.children) > 0 {
				divided++
			}
			waited, locked = waited+len(straight.queue), locked+len(straight.prepared)
		}
		once(t, straight)
		drain(t, straightEnv, straight)
	}
	if waited < 500 || locked < 500 || divided == 0 {
		t.Errorf("%d waited, %d locked, %d split: nothing was tested", waited, locked, divided)
	}
}

// clearing ends what is in the way of a split, and then is one.
func clearing(m *machine) *command {
	if parts := m.parts(); len(parts) > 0 {
		return &command{Kind: resolve, ID: parts[0].ID, Attempt: parts[0].Attempt, Coordinator: "S1"}
	}
	for _, r := range m.sortedRecords() {
		if r.State == pending {
			return &command{Kind: decide, ID: r.ID, Attempt: r.Attempt, Reply: Reply{Abort: "for no reason"}}
		}
	}
	return &command{Kind: split, Epoch: m.epoch + 1, To: "A1/d"}
}

// consistent checks what holds after each entry: each lock is of a prepared part, and who waits has something to wait
// for, namely, if it may hold locks elsewhere, somebody younger.
func consistent(t *testing.T, m *machine) {
	t.Helper()
	held := 0
	for _, p := range m.prepared {
		held += len(p.keys)
		for _, key := range p.keys {
			if m.locks[key] != p {
				t.Fatalf("%v is prepared and does not hold %s", p.ID, key)
			}
		}
	}
	if held != len(m.locks) {
		t.Fatalf("%d keys are locked, and %d are held", len(m.locks), held)
	}
	for i, w := range m.queue {
		younger := false
		for _, key := range w.keys {
			p := m.locks[key]
			younger = younger || p != nil && (w.command.Kind == execute || older(w.command.Priority, w.command.ID, p.Priority, p.ID))
		}
		if !younger {
			t.Fatalf("%+v waits, and not for anybody younger", w.command)
		}
		for _, other := range m.queue[:i] {
			if other.command.ID == w.command.ID {
				t.Fatalf("%v waits twice", w.command.ID)
			}
		}
	}
}

// over are the attempts that were resolved, which must not come back.
type over map[string]bool

func (o over) check(t *testing.T, m *machine, c *command) {
	t.Helper()
	name := func(id ID, attempt uint64) string { return fmt.Sprint(id, attempt) }
	if c.Kind == resolve {
		o[name(c.ID, c.Attempt)] = true
	}
	for _, p := range m.prepared {
		if o[name(p.ID, p.Attempt)] {
			t.Fatalf("attempt %d of %v holds a lock after its end", p.Attempt, p.ID)
		}
	}
	for _, w := range m.queue {
		if w.command.Kind == prepare && o[name(w.command.ID, w.command.Attempt)] {
			t.Fatalf("attempt %d of %v waits after its end", w.command.Attempt, w.command.ID)
		}
	}
}

// once checks that no transaction was done twice.
func once(t *testing.T, m *machine) {
	t.Helper()
	for key, c := range m.store.cells {
		if list := slices.Sorted(slices.Values(c.list)); len(slices.Compact(list)) != len(c.list) {
			t.Fatalf("%s holds %v", key, c.list)
		}
	}
}

// drain resolves all that is prepared; then nothing may be locked or wait.
func drain(t *testing.T, env nodes.Env, m *machine) {
	t.Helper()
	for index := uint64(1001); len(m.prepared) > 0; index++ {
		p := m.parts()[0]
		apply(env, m, index, &command{Kind: resolve, ID: p.ID, Attempt: p.Attempt, Coordinator: p.Coordinator})
		consistent(t, m)
		if index > 2000 {
			t.Fatalf("%d are still prepared", len(m.prepared))
		}
	}
	if len(m.locks)+len(m.queue) > 0 {
		t.Fatalf("nothing is prepared, and %d keys are locked and %d transactions wait", len(m.locks), len(m.queue))
	}
}

// It is the order of the log that decides, and nothing else: a machine that is not at a leader does the same.
func TestAFollowerComesToTheSameState(t *testing.T) {
	env := newPaper()
	leader, follower := newReplica(env), newReplica(env)
	follower.lead = nil
	s := &script{chance: rand.New(rand.NewPCG(5, 5)), sessions: make([]uint64, 3)}
	for index := uint64(2); index < 2000; index++ {
		c := s.next(leader)
		apply(env, leader, index, c)
		follower.group.Apply(env, index, c.encode())
	}
	if !bytes.Equal(leader.group.Snapshot(), follower.group.Snapshot()) {
		t.Error("they differ")
	}
}

func TestAnOlderTransactionWaitsAndAYoungerOneIsRefused(t *testing.T) {
	key := []Op{{F: Append, Key: "A1/k", Value: 1}}
	holder := &command{Kind: prepare, ID: ID{"holder", 1}, Attempt: 1, Ops: key, Priority: 50, Coordinator: "S1"}
	for _, tc := range []struct {
		name    string
		command command
		waits   bool
	}{
		{"an older one waits", command{Kind: prepare, ID: ID{"s", 1}, Priority: 49}, true},
		{"a younger one is refused", command{Kind: prepare, ID: ID{"s", 1}, Priority: 51}, false},
		{"of two that began at once the names decide, and it waits", command{Kind: prepare, ID: ID{"a", 1}, Priority: 50}, true},
		{"of two that began at once the names decide, and it is refused", command{Kind: prepare, ID: ID{"s", 1}, Priority: 50}, false},
		{"what is done here alone waits", command{Kind: execute, ID: ID{"s", 1}}, true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			env := newPaper()
			m := newReplica(env)
			apply(env, m, 2, holder)
			env.answers = nil
			c := tc.command
			c.Attempt, c.Ops, c.Coordinator = 1, key, "S1"
			apply(env, m, 3, &c)
			if waits := len(m.queue) == 1; waits != tc.waits || waits == (len(env.answers) > 0) {
				t.Errorf("waits: %v; answers %v", waits, env.answers)
			}
			drain(t, env, m)
		})
	}
}
