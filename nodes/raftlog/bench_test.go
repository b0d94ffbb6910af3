package raftlog_test

import (
	"fmt"
	"math/rand/v2"
	"runtime"
	"testing"
	"time"

	"faultlab/nodes"
	"faultlab/nodes/raftlog"
)

// A loop is three nodes without latencies, disks or clocks, so that what is measured is raftlog.
type loop struct {
	topology nodes.Topology
	members  []*looped
	queue    []nodes.Message
}

// A looped is one node of a loop, and its Env.
type looped struct {
	*loop
	id     nodes.ID
	logs   *raftlog.Logs
	group  *raftlog.Group
	timers map[string]bool
	memory map[string]*memory
	rand   *rand.Rand
	syncs  int
}

type memory struct {
	snapshot []byte
	first    uint64
	records  [][]byte
}

// A counter is the cheapest machine.
type counter struct {
	n         uint64
	state     []byte
	snapshots int
}

func (c *counter) Apply(nodes.Env, uint64, []byte)        { c.n++ }
func (c *counter) Snapshot() []byte                       { c.snapshots++; return c.state }
func (c *counter) Restore(uint64, []byte)                 {}
func (c *counter) Leading(nodes.Env, bool, uint64)        {}
func (n *looped) ID() nodes.ID                            { return n.id }
func (n *looped) Topology() nodes.Topology                { return n.topology }
func (n *looped) Now() time.Time                          { return time.Time{} }
func (n *looped) Rand() *rand.Rand                        { return n.rand }
func (n *looped) After(_ time.Duration, name string)      { n.timers[name] = true }
func (n *looped) Disk() nodes.Disk                        { return n }
func (n *looped) Boot() nodes.Boot                        { return nodes.New }
func (n *looped) Emit(any)                                {}
func (n *looped) Reached(string)                          {}
func (n *looped) Logf(string, ...any)                     {}
func (n *looped) Sync()                                   { n.syncs++ }
func (m *memory) Read() ([]byte, uint64, [][]byte, error) { return m.snapshot, m.first, m.records, nil }

func (n *looped) Send(to nodes.ID, body any) {
	n.queue = append(n.queue, nodes.Message{From: n.id, To: to, Body: body})
}

func (n *looped) Log(name string) nodes.Log {
	if n.memory[name] == nil {
		n.memory[name] = &memory{first: 1}
	}
	return n.memory[name]
}

func (m *memory) Append(rec []byte) uint64 {
	m.records = append(m.records, rec)
	return m.first + uint64(len(m.records)) - 1
}

func (m *memory) Snapshot(upTo uint64, data []byte) {
	m.snapshot = data
	m.records = append([][]byte(nil), m.records[upTo+1-m.first:]...)
	m.first = upTo + 1
}

// newLoop starts a group "g", of which n1 is the leader, and as many more as there are names.
func newLoop(more ...string) (l *loop, machines []*counter) {
	l = &loop{}
	for _, id := range []nodes.ID{"n1", "n2", "n3"} {
		l.topology.Members = append(l.topology.Members, nodes.Member{ID: id})
	}
	for i, id := range l.topology.IDs() {
		machine := &counter{}
		n := &looped{loop: l, id: id, logs: raftlog.New(), timers: map[string]bool{}, memory: map[string]*memory{}, rand: rand.New(rand.NewPCG(1, uint64(i)))}
		n.group = n.logs.Add(raftlog.Config{Name: "g", Voters: l.topology.IDs(), Tick: tick, Election: election}, machine)
		for _, name := range more {
			n.logs.Add(raftlog.Config{Name: name, Voters: l.topology.IDs(), Tick: tick, Election: election}, &counter{})
		}
		l.members = append(l.members, n)
		machines = append(machines, machine)
	}
	for i := range l.members {
		n := l.members[len(l.members)-1-i]
		n.logs.Start(n)
	}
	l.settle()
	return l, machines
}

// settle delivers messages until there are none.
func (l *loop) settle() {
	for i := 0; i < len(l.queue); i++ {
		m := l.queue[i]
		n := l.members[m.To[1]-'1']
		n.logs.Receive(n, m)
	}
	clear(l.queue)
	l.queue = l.queue[:0]
}

func BenchmarkPropose(b *testing.B) {
	for _, batch := range []int{1, 64} {
		b.Run(fmt.Sprintf("%d at a time", batch), func(b *testing.B) {
			l, machines := newLoop()
			leader := l.members[0]
			data := make([]byte, 100)
			b.ReportAllocs()
			b.ResetTimer()
			for done := 0; done < b.N; done += batch {
				for range batch {
					if err := leader.group.Propose(leader, data); err != nil {
						b.Fatal(err)
					}
				}
				leader.logs.Flush(leader)
				l.settle()
			}
			b.StopTimer()
			if machines[2].n < uint64(b.N) {
				b.Fatalf("a follower applied %d of %d", machines[2].n, b.N)
			}
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "proposals/s")
		})
	}
}

func BenchmarkRead(b *testing.B) {
	l, _ := newLoop()
	leader := l.members[0]
	reads := 0
	b.ReportAllocs()
	for b.Loop() {
		leader.group.Read(leader, func(nodes.Env, bool) { reads++ })
		leader.logs.Flush(leader)
		l.settle()
	}
	if reads == 0 {
		b.Fatal("no read was confirmed")
	}
}

// A tick is two heartbeats and their answers.
func BenchmarkIdle(b *testing.B) {
	l, _ := newLoop()
	leader := l.members[0]
	b.ReportAllocs()
	for b.Loop() {
		leader.logs.Wake(leader, "raft/g")
		l.settle()
	}
}

// BenchmarkMemory shows what a node keeps after many entries: it may not grow with their number.
func BenchmarkMemory(b *testing.B) {
	for _, entries := range []int{10_000, 100_000} {
		b.Run(fmt.Sprintf("after %d entries", entries), func(b *testing.B) {
			var kept uint64
			for b.Loop() {
				var before, after runtime.MemStats
				runtime.GC()
				runtime.ReadMemStats(&before)
				l, _ := newLoop()
				leader := l.members[0]
				for range entries {
					leader.group.Propose(leader, make([]byte, 100))
					leader.logs.Flush(leader)
					l.settle()
				}
				runtime.GC()
				runtime.ReadMemStats(&after)
				kept = after.HeapAlloc - before.HeapAlloc
				runtime.KeepAlive(l)
			}
			b.ReportMetric(float64(kept)/1e3, "kB/kept")
		})
	}
}
