// Package sim runs a system in one goroutine, on a made-up clock. The same Spec and the same calls give the same
// events in the same order, whatever the machine: events are ordered by time and then by number, and the network, each
// node and each disk draw from generators of their own. It models latency, loss, crashes, power, disks and clocks; it
// knows nothing of why a fault is wanted or whether the system is right, and it is not safe for concurrent use.
package sim

import (
	"errors"
	"fmt"
	"math/bits"
	"math/rand/v2"
	"strconv"
	"strings"
	"time"

	"faultlab/nodes"
	"faultlab/nodes/wire"
)

// Limits beyond which a node is said to flood, so that its mistake ends in a sentence and not in a full memory.
const (
	underWayMax = 1 << 20 // messages, timers and calls waiting for their time
	instantMax  = 1 << 20 // events without time going on
	actsMax     = 1 << 18 // what a node asks of its Env in one call of it
)

// A Cluster is a running system.
type Cluster struct {
	spec    nodes.Spec
	codec   *wire.Codec // nil unless the spec says Recode
	scratch []byte

	now     int64 // nanoseconds since the start
	seq     uint64
	queue   queue
	handled uint64
	carried uint64 // messages between members
	instant int    // events handled since now last changed
	closed  bool

	members []*member
	index   map[nodes.ID]int32
	cur     *member // whose code is running
	network network
	clients map[nodes.ID]*client
	calls   map[nodes.ID]int32 // by request
	pending []call
	free    []int32 // of pending
}

// A client is what is remembered of one between its requests.
type client struct {
	member nodes.Member
	place  int32
	n      uint64
}

// A call is a request that waits for its first reply or its time.
type call struct {
	id     nodes.ID
	client *client
	done   func(any, bool)
	gen    uint32
}

// Start makes a cluster of the topology's members. They boot at time zero, in order, when Run is first called. It fails
// if the topology names a member twice or not at all, or the system's bodies are not a set that package wire accepts.
func Start(spec nodes.Spec) (*Cluster, error) {
	c := &Cluster{
		spec:    spec,
		index:   map[nodes.ID]int32{},
		clients: map[nodes.ID]*client{},
		calls:   map[nodes.ID]int32{},
	}
	if len(spec.Topology.Members) == 0 {
		return nil, errors.New("sim: the topology has no members")
	}
	if spec.System.New == nil {
		return nil, fmt.Errorf("sim: system %q has no New", spec.System.Name)
	}
	if spec.Recode {
		codec, err := wire.New(spec.System.Bodies...)
		if err != nil {
			return nil, fmt.Errorf("sim: system %s: %w", spec.System.Name, err)
		}
		c.codec = codec
	}
	c.network.init(spec.Topology, nodes.Generator(spec.Seed, "network"))
	for i, who := range spec.Topology.Members {
		if _, twice := c.index[who.ID]; twice || who.ID == "" || who.ID == nodes.Clients || strings.Contains(string(who.ID), ":") {
			return nil, fmt.Errorf("sim: member %d: a name of its own is needed, not %q", i+1, who.ID)
		}
		c.index[who.ID] = int32(i)
		m := &member{c: c, id: who.ID, index: int32(i), place: c.network.place(who)}
		m.rand = rand.New(nodes.Generator(spec.Seed, "node "+string(who.ID)))
		m.disk.init(m, nodes.Generator(spec.Seed, "disk "+string(who.ID)))
		c.members = append(c.members, m)
		c.push(0, event{kind: bootEvent, node: m.index})
	}
	return c, nil
}

// below draws uniformly from [0, n), or returns 0 for n < 1. (The bias of the multiplication is below n in 2^64.)
func below(g *rand.PCG, n int64) int64 {
	if n < 1 {
		return 0
	}
	hi, _ := bits.Mul64(g.Uint64(), uint64(n))
	return int64(hi)
}

// Now returns the time since the start of the cluster.
func (c *Cluster) Now() time.Duration { return time.Duration(c.now) }

// Events returns how many events have been handled: messages, timers, requests, replies, fsyncs, boots and calls of
// After.
func (c *Cluster) Events() uint64 { return c.handled }

// Carried returns how many messages members have sent to other members.
func (c *Cluster) Carried() uint64 { return c.carried }

// After calls f once, d from now (now, if d is negative), in the cluster's loop.
func (c *Cluster) After(d time.Duration, f func()) {
	c.push(c.now+int64(max(d, 0)), event{kind: callEvent, body: f})
}

// Call sends a request. The node sees it come from nodes.Request(from.ID, n), where n counts the client's requests
// from 1. done is called exactly once: with the first reply, or with ok false when wait has passed. What comes later is
// dropped. A node that does not exist is one that never answers. The client's name must have no colon.
func (c *Cluster) Call(from nodes.Member, to nodes.ID, body any, wait time.Duration, done func(reply any, ok bool)) {
	who := c.clients[from.ID]
	if who == nil {
		if strings.Contains(string(from.ID), ":") {
			panic(fmt.Sprintf("sim: client %q has a colon in its name", from.ID))
		}
		who = &client{member: from, place: c.network.place(from)}
		c.clients[from.ID] = who
	} else if who.member != from {
		who.member, who.place = from, c.network.place(from)
	}
	who.n++
	i := c.newCall()
	k := &c.pending[i]
	k.id, k.client, k.done = nodes.Request(from.ID, who.n), who, done
	c.calls[k.id] = i
	c.push(c.now+int64(max(wait, 0)), event{kind: timeoutEvent, index: i, gen: k.gen})
	if node, ok := c.index[to]; ok {
		c.request(who, k.id, node, c.recoded(body))
	}
}

func (c *Cluster) newCall() int32 {
	if n := len(c.free); n > 0 {
		i := c.free[n-1]
		c.free = c.free[:n-1]
		return i
	}
	c.pending = append(c.pending, call{})
	return int32(len(c.pending) - 1)
}

// finish ends a call unless it has ended.
func (c *Cluster) finish(i int32, gen uint32, reply any, ok bool) {
	k := &c.pending[i]
	if k.gen != gen {
		return
	}
	done := k.done
	delete(c.calls, k.id)
	*k = call{gen: gen + 1}
	c.free = append(c.free, i)
	c.handled++
	done(reply, ok)
}

// recoded returns the body as it would come out of the wire, if the spec asks for that.
func (c *Cluster) recoded(body any) any {
	if c.codec == nil {
		return body
	}
	text, err := c.codec.Append(c.scratch[:0], body)
	if err != nil {
		panic(err)
	}
	c.scratch = text
	back, err := c.codec.Decode(text)
	if err != nil {
		panic(err)
	}
	return back
}

func (c *Cluster) push(at int64, e event) {
	c.seq++
	c.queue.push(at, c.seq, e)
}

// Run handles every event up to and including that time; then Now is that time. If a node panics it is down from then
// on, and Run returns a *nodes.Broken at once, with Now the time of the panic; Run may be called again to go on.
func (c *Cluster) Run(until time.Duration) error {
	if c.closed {
		return errors.New("sim: run: the cluster is closed")
	}
	if broken := c.loop(int64(until)); broken != nil {
		return broken
	}
	c.now = max(c.now, int64(until))
	return nil
}

func (c *Cluster) loop(until int64) (broken *nodes.Broken) {
	defer func() {
		m := c.cur
		if m == nil {
			return // not a node's panic: it goes on as it is
		}
		what := recover()
		if what == nil {
			return // runtime.Goexit, by a test that gave up
		}
		c.cur = nil
		broken = &nodes.Broken{Node: m.id, At: c.Now(), What: nodes.Panicked(what)}
		m.die()
	}()
	for c.queue.len() > 0 {
		top := c.queue.min()
		if top.at > until {
			return nil
		}
		c.queue.pop()
		if top.at > c.now {
			c.now, c.instant = top.at, 0
		}
		if c.instant++; c.instant > instantMax {
			c.stuck(top)
		}
		c.dispatch(top)
	}
	return nil
}

// stuck ends a loop of events that time never leaves: a timer of no time that is set again and again.
func (c *Cluster) stuck(top entry) {
	c.instant = 0
	if e := &c.queue.events[top.slot]; e.kind == messageEvent || e.kind == timerEvent {
		c.cur = c.members[e.node]
	}
	c.queue.release(top.slot)
	panic("flooded: " + strconv.Itoa(instantMax) + " events in one instant")
}

func (c *Cluster) dispatch(top entry) {
	e := &c.queue.events[top.slot]
	switch e.kind {
	case messageEvent, timerEvent:
		m := c.members[e.node]
		if e.kind == timerEvent && m.timers.stale(m, top, e) {
			return
		}
		if m.frozen {
			m.backlog = append(m.backlog, top)
			return
		}
		if e.kind == messageEvent && c.spec.Handling > 0 {
			if life := m.life + 1; e.gen != life {
				next := *e
				c.queue.release(top.slot)
				if next.gen == 0 { // or it waited for a process that is no more
					m.free, next.gen = max(m.free, c.now)+int64(c.spec.Handling), life
					c.push(m.free, next)
				}
				return
			}
		}
		m.handle(top)
	case replyEvent, timeoutEvent:
		i, gen, body, ok := e.index, e.gen, e.body, e.kind == replyEvent
		c.queue.release(top.slot)
		c.finish(i, gen, body, ok)
	case callEvent:
		f := e.body.(func())
		c.queue.release(top.slot)
		c.handled++
		f()
	case fsyncEvent:
		m, gen := c.members[e.node], e.gen
		c.queue.release(top.slot)
		m.disk.complete(gen)
	case bootEvent:
		m, gen := c.members[e.node], e.gen
		c.queue.release(top.slot)
		m.start(gen)
	case resumeEvent:
		m := c.members[e.node]
		c.queue.release(top.slot)
		m.thaw()
	}
}

// Close ends the cluster; calls that wait are forgotten. Closing twice is the same as once.
func (c *Cluster) Close() error {
	c.closed = true
	c.queue = queue{}
	c.pending, c.free, c.calls = nil, nil, map[nodes.ID]int32{}
	return nil
}
