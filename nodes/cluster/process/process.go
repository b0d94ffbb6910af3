// Package process runs each node of a system as an operating-system process that speaks the message protocol: lines of
// JSON on its standard input and output. Time and processes are real, and the network is the lab's own: it carries every
// line, and harms it as the simulator would. A node is a program of anybody's ([Start]) or our own `lab node` ([StartOwn]),
// which can also suffer in its clock, its disk and its power. The package knows nothing of why a fault is wanted or
// whether the system is right.
//
// A program runs as whoever runs the lab, and is not confined. What it does, it cannot hang, bloat or crash the lab: all
// that is kept for it is bounded.
package process

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"faultlab/nodes"
	"faultlab/nodes/cluster/live"
	"faultlab/nodes/wire"
)

const (
	bootPatience  = 10 * time.Second // for a node to answer init
	callPatience  = 10 * time.Second // for an operating system to do one thing
	closePatience = 3 * time.Second
)

// Cannot is the error of a machine on which no node can be a process.
type Cannot struct{ Why string }

func (c *Cannot) Error() string { return c.Why }

// Check says whether nodes can be processes on this machine, with a *Cannot.
func Check() error {
	if !supported {
		return &Cannot{"nodes cannot be processes on this operating system, which has no process groups that could be killed and stopped as a whole"}
	}
	return nil
}

// Unrunnable is the error of a program that cannot be started.
type Unrunnable struct {
	Path string
	Err  error
}

func (u *Unrunnable) Error() string { return u.Path + ": " + u.Err.Error() }
func (u *Unrunnable) Unwrap() error { return u.Err }

// A Cluster is a running system whose nodes are programs of anybody's.
type Cluster struct {
	*live.Loop
	spec     nodes.Spec
	codec    *wire.Codec
	program  []string
	own      bool   // the program is lab node
	dir      string // holds a folder for each node
	claim    *os.File
	run      string // the mark of everything it started
	members  []*member
	index    map[nodes.ID]*member
	services map[nodes.ID]*service
	network  network
	carried  uint64 // messages from members to other members
	budget   budget // of bytes of lines that were read and are yet to be handled

	numbers map[nodes.ID]uint64 // requests of each client so far
	calls   map[nodes.ID]*call
	broken  []*nodes.Broken
	booting sync.WaitGroup
	closed  bool
	gone    chan struct{} // closed when it is
}

// Carried returns how many messages members have sent to other members.
func (c *Cluster) Carried() uint64 { return c.carried }

// A call is a request that waits for its first reply or its time.
type call struct {
	from  nodes.Member
	asked string // the type of the request
	done  func(any, bool)
}

// Start makes a cluster of the topology's members, each the program of the spec with a folder of its own to work in, and
// returns when all have answered init and are greeted, which is time zero. A node that does not is broken, as Run says.
// The error is an *Unrunnable if the program cannot be started, and a *Cannot on a machine that has not the means.
func Start(spec nodes.Spec) (*Cluster, error) {
	if len(spec.Program) == 0 {
		return nil, errors.New("process: there is no program to run")
	}
	return start(spec, spec.Program, false)
}

func start(spec nodes.Spec, program []string, own bool) (c *Cluster, err error) {
	if err := Check(); err != nil {
		return nil, err
	}
	if len(spec.Topology.Members) == 0 {
		return nil, errors.New("process: the topology has no members")
	}
	codec, err := wire.New(spec.System.Bodies...)
	if err != nil {
		return nil, fmt.Errorf("process: system %s: %w", spec.System.Name, err)
	}
	if err := Runnable(program[0]); err != nil {
		return nil, err
	}
	inherit()
	Clean()
	c = &Cluster{
		Loop: live.New(), spec: spec, codec: codec, program: program, own: own, run: newRun(),
		index: map[nodes.ID]*member{}, services: map[nodes.ID]*service{}, numbers: map[nodes.ID]uint64{}, calls: map[nodes.ID]*call{},
		gone: make(chan struct{}),
	}
	c.budget.init(readMost)
	c.network.init(c)
	if c.dir, c.claim, err = newFolder(); err != nil {
		return nil, fmt.Errorf("process: %w", err)
	}
	defer func() {
		if err != nil {
			c.Close()
			c = nil
		}
	}()
	for _, who := range spec.Topology.Members {
		_, service := spec.System.Services[string(who.ID)]
		if c.index[who.ID] != nil || service || !plain(who.ID) {
			return c, fmt.Errorf("process: a node needs a name of its own, not %q", who.ID)
		}
		m := &member{c: c, id: who.ID, at: who, dir: filepath.Join(c.dir, string(who.ID)), program: program}
		c.members = append(c.members, m)
		c.index[who.ID] = m
		if err := os.Mkdir(m.dir, 0o777); err != nil {
			return c, fmt.Errorf("process: %w", err)
		}
	}
	for name, make := range spec.System.Services {
		c.serve(nodes.ID(name), make())
	}
	for _, s := range c.services {
		s.node.Start(s)
	}
	return c, c.bringUp()
}

// plain says whether a name can be that of a node, and of a folder.
func plain(id nodes.ID) bool {
	return id != "" && id != nodes.Clients && id != labName && id != greeter && id != "." && id != ".." && !strings.ContainsAny(string(id), ":/\\ ")
}

// bringUp boots all nodes side by side, and begins the time.
func (c *Cluster) bringUp() error {
	waiting, up := len(c.members), make(chan struct{})
	for _, m := range c.members {
		m.settled = func() {
			m.settled = nil
			if waiting--; waiting == 0 {
				close(up)
			}
		}
		m.start()
	}
	err := c.Slowly(2*bootPatience, func(ctx context.Context) error {
		select {
		case <-up:
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	})
	if err != nil {
		return fmt.Errorf("process: start the nodes: %w", err)
	}
	for _, m := range c.members {
		if unrunnable := (*Unrunnable)(nil); errors.As(m.failed, &unrunnable) {
			return m.failed
		}
	}
	c.Begin()
	for _, b := range c.broken {
		b.At = 0
	}
	c.After(watchEvery, c.watch)
	return nil
}

// Call sends a request. The node sees it come from a client whose requests are numbered from 1. done is called exactly
// once: with the first reply, or with ok false when wait has passed. What comes later is dropped. A node that does not
// exist, or is down, is one that never answers.
func (c *Cluster) Call(from nodes.Member, to nodes.ID, body any, wait time.Duration, done func(reply any, ok bool)) {
	if c.index[from.ID] != nil {
		from.ID = "client." + from.ID // neither a line nor a link says of a name whether it is a node's or a client's
	}
	name := from.ID
	c.numbers[name]++
	n := c.numbers[name]
	id := nodes.Request(name, n)
	asked, _ := c.codec.Name(body)
	c.calls[id] = &call{from, asked, done}
	c.Post(c.Now()+max(wait, 0), func() { c.answer(id, nil, false) })
	text, err := c.codec.Encode(body)
	if err != nil {
		panic(err) // the lab asks for what its system does not know
	}
	line, err := wire.Message{Src: name, Dest: to, ID: n, Body: text}.Append(nil)
	if err != nil {
		panic(err)
	}
	if len(line) > askMost && !c.own {
		panic(fmt.Sprintf("process: a request of %d bytes: many programs read no line over %d", len(line), askMost))
	}
	if m := c.index[to]; m != nil {
		c.network.carry(from, m.at, len(line), func() { m.take(line) }, nodes.Link{From: nodes.Clients, To: to}, nodes.Link{From: from.ID, To: to})
	}
}

// askMost is the longest line that a client sends.
const askMost = 64 << 10

// answer ends a call unless it has ended.
func (c *Cluster) answer(id nodes.ID, reply any, ok bool) {
	if k := c.calls[id]; k != nil {
		delete(c.calls, id)
		k.done(reply, ok)
	}
}

// Run handles all that happens up to and including that time. If a node broke it is down from then on, and Run returns
// a *nodes.Broken at once; Run may be called again to go on.
func (c *Cluster) Run(until time.Duration) error {
	if c.closed {
		return errors.New("process: run: the cluster is closed")
	}
	for {
		if len(c.broken) > 0 {
			b := c.broken[0]
			c.broken = c.broken[1:]
			return b
		}
		if !c.Step(until, true, nil) {
			return nil
		}
	}
}

// Close kills all nodes and whatever they started, keeps what they have in their folders (see SaveDisks), and removes
// those. Closing twice is the same as once.
func (c *Cluster) Close() error {
	if c == nil || c.closed {
		return nil
	}
	c.closed = true
	close(c.gone)
	for _, m := range c.members {
		m.fall()
	}
	c.budget.close()
	c.booting.Wait()
	var errs []error
	deadline := time.Now().Add(closePatience)
	for _, m := range c.members {
		if k := m.last; k != nil {
			k.kill() // one that was being started when it fell
			select {
			case <-k.dead:
			case <-time.After(time.Until(deadline)):
				errs = append(errs, fmt.Errorf("process: %s does not die", m.id))
			}
		}
		if m.busy != nil {
			<-m.busy
		}
	}
	sweep(c.run + "/")
	c.keepDisks()
	errs = append(errs, os.RemoveAll(c.dir))
	c.claim.Close()
	return errors.Join(errs...)
}
