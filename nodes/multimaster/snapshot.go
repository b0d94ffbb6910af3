package multimaster

import (
	"fmt"
	"maps"
	"slices"

	"faultlab/nodes"
	"faultlab/nodes/pack"

	"github.com/fxamacker/cbor/v2"
)

// A snapshot is a machine as a snapshot holds it, in an order that depends on the content alone.
type snapshot struct {
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
}

type savedSession struct {
	_                         struct{} `cbor:",toarray"`
	Name                      string
	Number, Prepared, Attempt uint64
	Reply                     *Reply
}

// Snapshot returns the whole state.
func (m *machine) Snapshot() []byte {
	var s snapshot
	s.Cells = make([]savedCell, 0, len(m.store.cells))
	for _, key := range slices.Sorted(maps.Keys(m.store.cells)) {
		c := m.store.cells[key]
		s.Cells = append(s.Cells, savedCell{Key: key, List: c.list, Value: c.value})
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
	data, err := cbor.Marshal(s)
	if err != nil {
		panic(fmt.Sprintf("multimaster: snapshot: %v", err)) // structs of plain fields
	}
	return data
}

// Restore replaces the state by a snapshot's.
func (m *machine) Restore(_ uint64, data []byte) {
	var s snapshot
	if err := cbor.Unmarshal(data, &s); err != nil {
		panic(fmt.Sprintf("multimaster: the log holds a snapshot that nobody wrote: %v", err)) // checksummed below us
	}
	m.clear()
	for _, saved := range s.Cells {
		c := cell{value: saved.Value}
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
		p.keys = keys(p.Ops, m.store.holds)
		m.hold(p)
	}
	for _, c := range s.Queue {
		m.queue = append(m.queue, waiter{c, keys(c.Ops, m.store.holds)})
	}
	for _, r := range s.Records {
		m.records[r.ID] = r
	}
}

// Leading is called when this member becomes the leader of the group, with all that was committed before applied; and
// when it ceases to be.
func (m *machine) Leading(env nodes.Env, leading bool, _ uint64) {
	if m.lead != nil {
		m.lead.resign(env)
		m.lead = nil
	}
	if leading {
		m.lead = newLeader(env, m.group)
	}
}

// parts and sortedRecords return what a map holds in an order that depends on the content alone.
func (m *machine) parts() []*part {
	return slices.SortedFunc(maps.Values(m.prepared), func(a, b *part) int { return compareIDs(a.ID, b.ID) })
}

func (m *machine) sortedRecords() []*record {
	return slices.SortedFunc(maps.Values(m.records), func(a, b *record) int { return compareIDs(a.ID, b.ID) })
}
