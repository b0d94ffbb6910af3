package multimaster

import (
	"fmt"
	"maps"
	"slices"

	"faultlab/nodes/pack"

	"github.com/fxamacker/cbor/v2"
)

// A snapshot is a group as a snapshot holds it, in an order that depends on the content alone.
type snapshot struct {
	Ranges []savedRange
}

// A savedRange is a machine.
type savedRange struct {
	Name, From, To string
	Epoch          uint64
	Stage          stage
	Target         string
	Children       []Place
	Mark           uint64

	Cells    []savedCell
	Sessions []savedSession
	Prepared []part
	Queue    []*command
	Records  []*record
}

type savedCell struct {
	_     struct{} `cbor:",toarray"`
	Key   string
	List  []int64
	Value int64
	Mark  uint64
	N     uint64
}

type savedSession struct {
	_                         struct{} `cbor:",toarray"`
	Name                      string
	Number, Prepared, Attempt uint64
	Reply                     *Reply
}

// Snapshot returns the whole state.
func (g *group) Snapshot() []byte {
	var s snapshot
	for _, name := range g.order {
		s.Ranges = append(s.Ranges, g.ranges[name].save())
	}
	return marshal(s)
}

// Restore replaces the state by a snapshot's.
func (g *group) Restore(index uint64, data []byte) {
	g.index = index
	var s snapshot
	unmarshal(data, &s)
	before := g.order
	g.ranges, g.order = map[string]*machine{}, nil
	for i := range s.Ranges {
		m := newMachine(g.n.bug, g.n.layout, s.Ranges[i].Name)
		m.fill(&s.Ranges[i])
		g.put(m)
	}
	for _, name := range before {
		g.n.settle(name)
	}
}

// state is a range as it is handed over, and load takes it.
func (m *machine) state() []byte { return marshal(m.save()) }

func (m *machine) load(data []byte) {
	var s savedRange
	unmarshal(data, &s)
	m.fill(&s)
}

func marshal(v any) []byte {
	data, err := cbor.Marshal(v)
	if err != nil {
		panic(fmt.Sprintf("multimaster: snapshot: %v", err)) // structs of plain fields
	}
	return data
}

func unmarshal(data []byte, v any) {
	if err := cbor.Unmarshal(data, v); err != nil {
		panic(fmt.Sprintf("multimaster: the log holds a snapshot that nobody wrote: %v", err)) // checksummed below us
	}
}

func (m *machine) save() savedRange {
	s := savedRange{
		Name: m.name, From: m.from, To: m.to, Epoch: m.epoch, Stage: m.stage, Target: m.target, Children: m.children, Mark: m.mark,
	}
	s.Cells = make([]savedCell, 0, len(m.store.cells))
	for _, key := range slices.Sorted(maps.Keys(m.store.cells)) {
		c := m.store.cells[key]
		s.Cells = append(s.Cells, savedCell{Key: key, List: c.list, Value: c.value, Mark: c.mark, N: c.n})
	}
	for _, name := range slices.Sorted(maps.Keys(m.sessions)) {
		v := m.sessions[name]
		s.Sessions = append(s.Sessions, savedSession{Name: name, Number: v.number, Prepared: v.prepared, Attempt: v.attempt, Reply: v.reply})
	}
	for _, p := range m.parts() {
		s.Prepared = append(s.Prepared, *p)
	}
	for _, w := range m.queue {
		s.Queue = append(s.Queue, w.command)
	}
	s.Records = m.sortedRecords()
	return s
}

func (m *machine) fill(s *savedRange) {
	m.from, m.to, m.epoch, m.stage, m.target, m.children = s.From, s.To, s.Epoch, s.Stage, s.Target, s.Children
	m.mark = s.Mark
	m.clear()
	for _, saved := range s.Cells {
		c := cell{value: saved.Value, mark: saved.Mark, n: saved.N}
		for _, v := range saved.List {
			c.chain = pack.Mix(c.chain ^ uint64(v))
		}
		c.list = saved.List
		m.store.put(saved.Key, c)
	}
	for _, v := range s.Sessions {
		m.sessions[v.Name] = &session{v.Name, v.Number, v.Reply, v.Prepared, v.Attempt}
	}
	for i := range s.Prepared {
		p := &s.Prepared[i]
		p.keys = keys(p.Ops, m.holds)
		m.hold(p)
	}
	for _, c := range s.Queue {
		m.queue = append(m.queue, waiter{c, keys(c.Ops, m.holds)})
	}
	for _, r := range s.Records {
		m.records[r.ID] = r
	}
}

// parts and sortedRecords return what a map holds in an order that depends on the content alone.
func (m *machine) parts() []*part {
	return slices.SortedFunc(maps.Values(m.prepared), func(a, b *part) int { return compareIDs(a.ID, b.ID) })
}

func (m *machine) sortedRecords() []*record {
	return slices.SortedFunc(maps.Values(m.records), func(a, b *record) int { return compareIDs(a.ID, b.ID) })
}
