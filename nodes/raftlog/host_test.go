package raftlog_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"go.etcd.io/raft/v3/raftpb"

	"faultlab/nodes"
	"faultlab/nodes/cluster/sim"
	"faultlab/nodes/raftlog"
)

// What clients ask of a node in these tests, and what it answers.
type (
	Append  struct{ Value string }
	Show    struct{}
	Values  struct{ Values []string }
	OK      struct{}
	Refused struct{ Why string }
	Move    struct{ To nodes.ID }
	Cut     struct{}
	Change  struct {
		Do string // "add learner", "promote" or "remove"
		ID nodes.ID
	}
)

var bodies = append([]any{Append{}, Show{}, Values{}, OK{}, Refused{}, Move{}, Cut{}, Change{}}, raftlog.Bodies()...)

// A list is a machine: all values, in the order of the log.
type list struct {
	values  []string
	leading bool
	waiting map[string]nodes.ID // the request that asked for a value
	applied func(index uint64, value string)
	talks   bool // says what it is told
}

func (l *list) Apply(env nodes.Env, index uint64, data []byte) {
	l.values = append(l.values, string(data))
	if l.talks {
		env.Logf("applies %s at %d", data, index)
	}
	if l.applied != nil {
		l.applied(index, string(data))
	}
	if to, ok := l.waiting[string(data)]; ok {
		delete(l.waiting, string(data))
		env.Send(to, OK{})
	}
}

func (l *list) Snapshot() []byte {
	data, err := json.Marshal(l.values)
	if err != nil {
		panic(err)
	}
	return data
}

func (l *list) Restore(index uint64, data []byte) {
	l.values = nil
	if err := json.Unmarshal(data, &l.values); err != nil {
		panic(err)
	}
}

func (l *list) Leading(env nodes.Env, leading bool, term uint64) {
	if l.leading == leading {
		panic("told twice")
	}
	l.leading = leading
	if l.talks {
		env.Logf("leading in term %d: %v", term, leading)
	}
}

// A host is a node with one group, "g", of a list.
type host struct {
	cfg   raftlog.Config
	list  list
	logs  *raftlog.Logs
	group *raftlog.Group
	*cluster
	unsynced bool
	acked    any
}

func (h *host) Start(env nodes.Env) {
	h.list.waiting = map[string]nodes.ID{}
	h.logs = raftlog.New()
	h.group = h.logs.Add(h.cfg, &h.list)
	if h.cluster != nil {
		h.begin(env.ID(), h)
	}
	h.logs.Start(h.env(env))
}

func (h *host) Receive(env nodes.Env, m nodes.Message) {
	env = h.env(env)
	if h.logs.Receive(env, m) {
		return
	}
	defer h.logs.Flush(env)
	done := func(err error) {
		if err != nil {
			env.Send(m.From, Refused{err.Error()})
		} else {
			env.Send(m.From, OK{})
		}
	}
	switch b := m.Body.(type) {
	case Append:
		if err := h.group.Propose(env, []byte(b.Value)); err != nil {
			done(err)
		} else {
			h.list.waiting[b.Value] = m.From
		}
	case Show:
		h.group.Read(env, func(env nodes.Env, ok bool) {
			if ok {
				env.Send(m.From, Values{slices.Clone(h.list.values)})
			} else {
				env.Send(m.From, Refused{"not the leader"})
			}
		})
	case Move:
		h.group.Transfer(env, b.To)
		done(nil)
	case Cut:
		h.group.SnapshotNow(env)
		done(nil)
	case Change:
		done(map[string]func(nodes.Env, nodes.ID) error{
			"add learner": h.group.AddLearner, "promote": h.group.Promote, "remove": h.group.Remove,
		}[b.Do](env, b.ID))
	}
}

func (h *host) Wake(env nodes.Env, timer string) { h.logs.Wake(h.env(env), timer) }

// env is the node's Env, with a new disk for each that it has lost, and an eye on the order of its calls.
func (h *host) env(env nodes.Env) nodes.Env {
	if h.cluster == nil {
		return env
	}
	if n := h.lost[env.ID()]; n > 0 {
		env = replaced{env, n}
	}
	h.acked = nil
	return &strict{Env: env, host: h}
}

// A strict is an Env on which nothing may be acknowledged, or told to clients, between a write and the next Sync, nor
// acknowledged before the write in the same call. Snapshots that only save space are not meant.
type strict struct {
	nodes.Env
	host *host
}

func (s *strict) Disk() nodes.Disk { return strictDisk{s.Env.Disk(), s} }

func (s *strict) Send(to nodes.ID, body any) {
	free := false
	if r, ok := body.(raftlog.Raft); ok {
		switch r.Message.Type {
		case raftpb.MsgApp, raftpb.MsgHeartbeat, raftpb.MsgSnap, raftpb.MsgPreVote:
			free = true
		case raftpb.MsgAppResp, raftpb.MsgVoteResp:
			s.host.acked = body
		}
	}
	if s.host.unsynced && !free {
		s.host.blame("%v: %s sent %v before it synced what it had written", s.host.Now(), s.ID(), body)
	}
	s.Env.Send(to, body)
}

type strictDisk struct {
	nodes.Disk
	s *strict
}

func (d strictDisk) Sync() {
	d.s.host.unsynced = false
	d.Disk.Sync()
}

func (d strictDisk) Log(name string) nodes.Log { return strictLog{d.Disk.Log(name), d.s} }

type strictLog struct {
	nodes.Log
	s *strict
}

func (l strictLog) Append(rec []byte) uint64 {
	l.s.host.unsynced = true
	if h := l.s.host; h.acked != nil {
		h.blame("%v: %s sent %v before it wrote", h.Now(), l.s.ID(), h.acked)
	}
	return l.Log.Append(rec)
}

// Read of a damaged log returns a first part, until something new is made of the log.
func (l strictLog) Read() ([]byte, uint64, [][]byte, error) {
	snapshot, first, records, err := l.Log.Read()
	if h := l.s.host; h.damaged[l.s.ID()] {
		delete(h.damaged, l.s.ID())
		return snapshot, first, records[:len(records)/2], errors.New("damaged")
	}
	return snapshot, first, records, err
}

func (l strictLog) Snapshot(upTo uint64, data []byte) {
	_, first, records, _ := l.Log.Read()
	l.s.host.unsynced = l.s.host.unsynced || upTo == first+uint64(len(records))-1 // all was given up for it
	l.Log.Snapshot(upTo, data)
}

// A replaced is the Env of a node that has lost n disks.
type replaced struct {
	nodes.Env
	n int
}

func (r replaced) Disk() nodes.Disk { return newDisk{r.Env.Disk(), r.n} }

func (r replaced) Boot() nodes.Boot {
	if snapshot, _, records, _ := r.Disk().Log("g").Read(); snapshot == nil && len(records) == 0 {
		return nodes.Replaced
	}
	return nodes.Restart
}

type newDisk struct {
	nodes.Disk
	n int
}

func (d newDisk) Log(name string) nodes.Log { return d.Disk.Log(fmt.Sprint(name, d.n)) }

// A cluster is a simulated one, and what its nodes said.
type cluster struct {
	*sim.Cluster
	t       testing.TB
	hosts   map[nodes.ID]*host
	probes  map[string]int
	leads   []raftlog.Leads
	blame   func(format string, args ...any)
	lost    map[nodes.ID]int // disks that a node has lost
	damaged map[nodes.ID]bool
	story   []string // everything that happened, for comparing two runs
	entries map[uint64]string
}

var client = nodes.Member{ID: "c", Region: "a", Zone: "a1"}

const (
	tick     = 50 * time.Millisecond
	election = 500 * time.Millisecond
)

// start runs a cluster of nodes n1 to n<size>, of which the first voters found the group.
func start(t testing.TB, seed uint64, size, voters int, tune func(*raftlog.Config), recode bool) *cluster {
	c := &cluster{t: t, blame: t.Errorf, lost: map[nodes.ID]int{}, damaged: map[nodes.ID]bool{}, hosts: map[nodes.ID]*host{}, probes: map[string]int{}, entries: map[uint64]string{}}
	var topology nodes.Topology
	for i := 1; i <= size; i++ {
		id := fmt.Sprintf("n%d", i)
		topology.Members = append(topology.Members, nodes.Member{ID: nodes.ID(id), Region: "a", Zone: id})
	}
	cfg := raftlog.Config{Name: "g", Voters: topology.IDs()[:voters], Tick: tick, Election: election, SnapshotEvery: 20}
	if tune != nil {
		tune(&cfg)
	}
	var err error
	c.Cluster, err = sim.Start(nodes.Spec{
		System: nodes.System{Name: "list", Bodies: bodies, New: func(string) nodes.Node {
			return &host{cfg: cfg, cluster: c}
		}},
		Topology: topology, Seed: seed, Observer: c, Recode: recode,
	})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// begin watches a host from its boot on: the machines of all boots must apply the same at each index.
func (c *cluster) begin(id nodes.ID, h *host) {
	c.hosts[id] = h
	h.list.applied = func(index uint64, value string) {
		if first, ok := c.entries[index]; ok && first != value {
			c.blame("%v: %s applied %q at %d, where another applied %q", c.Now(), id, value, index, first)
		}
		c.entries[index] = value
	}
}

func (c *cluster) Event(at time.Duration, id nodes.ID, event any) {
	c.story = append(c.story, fmt.Sprint(at, id, event))
	if l, ok := event.(raftlog.Leads); ok {
		for _, other := range c.leads {
			if other.Term == l.Term && other.Node != l.Node {
				c.blame("%v: %s and %s both lead in term %d", at, other.Node, l.Node, l.Term)
			}
		}
		c.leads = append(c.leads, l)
	}
}

func (c *cluster) Reached(id nodes.ID, probe string) {
	c.story = append(c.story, fmt.Sprint(c.Now(), id, probe))
	c.probes[probe]++
}

func (c *cluster) Log(time.Duration, nodes.ID, string) {}

// run lets time pass.
func (c *cluster) run(d time.Duration) {
	c.t.Helper()
	if err := c.Run(c.Now() + d); err != nil {
		c.t.Fatal(err)
	}
}

// ask waits for one answer, nil after two seconds.
func (c *cluster) ask(to nodes.ID, body any) any {
	c.t.Helper()
	var answer any
	var over bool
	c.Call(client, to, body, 2*time.Second, func(reply any, ok bool) { answer, over = reply, true })
	for !over {
		c.run(time.Millisecond)
	}
	return answer
}

// leader waits until one of the nodes (all, if none is given) leads.
func (c *cluster) leader(among ...nodes.ID) nodes.ID {
	c.t.Helper()
	for range 2000 {
		for _, id := range c.ids() {
			if h := c.hosts[id]; h.group.Leading() && (len(among) == 0 || slices.Contains(among, id)) {
				return id
			}
		}
		c.run(10 * time.Millisecond)
	}
	c.t.Fatal("nobody leads after 20 seconds")
	return ""
}

// ids returns the nodes that run.
func (c *cluster) ids() []nodes.ID {
	var ids []nodes.ID
	for i := range 9 {
		id := nodes.ID(fmt.Sprintf("n%d", i+1))
		if c.hosts[id] != nil {
			ids = append(ids, id)
		}
	}
	return ids
}

func (c *cluster) kill(id nodes.ID) {
	c.Kill(context.Background(), id)
	delete(c.hosts, id)
}

func (c *cluster) powerLoss(ids ...nodes.ID) {
	c.PowerLoss(context.Background(), ids)
	for _, id := range ids {
		delete(c.hosts, id)
	}
}

func (c *cluster) boot(ids ...nodes.ID) {
	for _, id := range ids {
		c.Boot(context.Background(), id)
	}
	c.run(0)
}

// cut separates nodes from the others, both ways, until heal is called.
func (c *cluster) cut(these, those []nodes.ID) (heal func()) {
	var links []nodes.Link
	for _, a := range these {
		for _, b := range those {
			links = append(links, nodes.Link{From: a, To: b}, nodes.Link{From: b, To: a})
		}
	}
	undo, err := c.Degrade(context.Background(), links, nodes.Quality{Cut: true})
	if err != nil {
		c.t.Fatal(err)
	}
	return func() { undo(context.Background()) }
}

// fill appends n values through a leader, each acknowledged.
func (c *cluster) fill(leader nodes.ID, name string, n int) {
	c.t.Helper()
	for i := range n {
		if answer := c.ask(leader, Append{fmt.Sprintf("%s%d", name, i)}); answer != (OK{}) {
			c.t.Fatalf("append %d to %s: %v", i, leader, answer)
		}
	}
}

// others returns all of three nodes but one.
func others(id nodes.ID) []nodes.ID {
	return slices.DeleteFunc([]nodes.ID{"n1", "n2", "n3"}, func(o nodes.ID) bool { return o == id })
}
