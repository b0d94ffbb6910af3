package sim

import (
	"fmt"
	"math/rand/v2"
	"strconv"
	"time"

	"faultlab/nodes"
)

// Epoch is what a true clock reads when a cluster starts, in Unix seconds: the first second of 2026, UTC.
const Epoch = 1767225600

// A member is the place of a node in the cluster, through crashes. It is also the node's Env.
type member struct {
	c     *Cluster
	id    nodes.ID
	index int32
	place int32
	rand  *rand.Rand // goes on through crashes
	disk  disk
	clock clock
	free  int64 // when it will be done with all messages that have come, if handling them takes time

	node     nodes.Node // nil when down
	life     uint32     // crashes so far
	boot     nodes.Boot
	booted   bool
	wiped    bool // and nothing has been synced since
	frozen   bool // handles nothing; events go to backlog
	resuming bool // a resumeEvent is under way
	backlog  []entry
	timers   timers
	outbox   []held
	acts     int // in this call
}

// held is a message or an event that waits for an fsync.
type held struct {
	fsync uint64
	emit  bool
	to    nodes.ID
	body  any
}

// start boots the node, unless it runs or has crashed again since the boot was asked for.
func (m *member) start(life uint32) {
	if m.node != nil || m.life != life {
		return
	}
	m.boot = nodes.New
	if m.booted {
		m.boot = nodes.Restart
	}
	if m.wiped {
		m.boot = nodes.Replaced
	}
	m.booted = true
	m.c.handled++
	m.c.cur, m.acts = m, 0
	m.node = m.c.spec.System.New(m.c.spec.Bug)
	m.node.Start(m)
	m.c.cur = nil
}

// handle gives the node a message, or a timer that is not stale. A node that is down misses it.
func (m *member) handle(top entry) {
	c := m.c
	e := &c.queue.events[top.slot]
	if m.node == nil {
		c.queue.release(top.slot)
		return
	}
	if e.kind == timerEvent {
		name := m.timers.fire(e.index)
		c.queue.release(top.slot)
		c.handled++
		c.cur, m.acts = m, 0
		m.node.Wake(m, name)
		c.cur = nil
		return
	}
	from, body := e.from, e.body
	c.queue.release(top.slot)
	c.handled++
	c.cur, m.acts = m, 0
	m.node.Receive(m, nodes.Message{From: from, To: m.id, Body: body})
	c.cur = nil
}

// die ends the node; its disk is another matter.
func (m *member) die() {
	m.life++
	m.node = nil
	m.frozen, m.resuming = false, false
	for _, waiting := range m.backlog {
		m.c.queue.release(waiting.slot)
	}
	m.backlog = nil
	m.timers = timers{gen: m.timers.gen}
	m.outbox = nil
	m.free = 0
	m.disk.forget()
}

// thaw lets a paused node go on: what it had to say leaves, then all that waited is handled in order.
func (m *member) thaw() {
	if !m.resuming {
		return
	}
	m.frozen, m.resuming = false, false
	m.flush()
	for len(m.backlog) > 0 && !m.frozen {
		next := m.backlog[0]
		m.backlog = m.backlog[1:]
		e := &m.c.queue.events[next.slot]
		if e.kind == timerEvent && m.timers.stale(m, next, e) {
			continue
		}
		m.handle(next)
	}
}

// flush lets out what no longer waits for an fsync.
func (m *member) flush() {
	if m.frozen {
		return
	}
	n := 0
	for ; n < len(m.outbox) && m.outbox[n].fsync <= m.disk.done; n++ {
		h := m.outbox[n]
		if h.emit {
			m.tell(h.body)
		} else {
			m.c.send(m, h.to, h.body)
		}
	}
	rest := copy(m.outbox, m.outbox[n:])
	clear(m.outbox[rest:])
	m.outbox = m.outbox[:rest]
}

func (m *member) tell(event any) {
	if m.c.spec.Observer != nil {
		m.c.spec.Observer.Event(m.c.Now(), m.id, event)
	}
}

// acting says whether what the node asks for still happens: not when it was killed in the middle of its own call. An
// Env that was kept is a mistake of the node.
func (m *member) acting() bool {
	if m.c.cur != m {
		panic(fmt.Sprintf("sim: the Env of %s was used outside of the call it was passed to", m.id))
	}
	return m.node != nil
}

// limit stops a node that acts without end, or fills the memory.
func (m *member) limit() {
	if m.acts++; m.acts > actsMax {
		panic("flooded: " + strconv.Itoa(actsMax) + " actions in one call")
	}
	if m.c.queue.len() > underWayMax {
		panic("flooded: " + strconv.Itoa(underWayMax) + " events under way")
	}
}

func (m *member) ID() nodes.ID             { return m.id }
func (m *member) Topology() nodes.Topology { return m.c.spec.Topology }
func (m *member) Rand() *rand.Rand         { return m.rand }
func (m *member) Boot() nodes.Boot         { return m.boot }
func (m *member) Disk() nodes.Disk         { return &m.disk }

func (m *member) Now() time.Time {
	return time.Unix(Epoch, m.clock.read(m.c.now)).UTC()
}

func (m *member) Send(to nodes.ID, body any) {
	if !m.acting() {
		return
	}
	m.limit()
	body = m.c.recoded(body)
	if m.disk.barrier > m.disk.done {
		m.outbox = append(m.outbox, held{fsync: m.disk.barrier, to: to, body: body})
		return
	}
	m.c.send(m, to, body)
}

func (m *member) Emit(event any) {
	if !m.acting() {
		return
	}
	m.limit()
	event = m.c.recoded(event)
	if m.disk.barrier > m.disk.done {
		m.outbox = append(m.outbox, held{fsync: m.disk.barrier, emit: true, body: event})
		return
	}
	m.tell(event)
}

func (m *member) After(d time.Duration, name string) {
	if m.acting() {
		m.limit()
		m.timers.set(m, d, name)
	}
}

func (m *member) Reached(probe string) {
	if m.acting() && m.c.spec.Observer != nil {
		m.limit()
		m.c.spec.Observer.Reached(m.id, probe)
	}
}

func (m *member) Logf(format string, args ...any) {
	if m.acting() && m.c.spec.Observer != nil {
		m.limit()
		m.c.spec.Observer.Log(m.c.Now(), m.id, fmt.Sprintf(format, args...))
	}
}
