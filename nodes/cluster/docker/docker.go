// Package docker runs a system in containers: for each node one that runs it, without any privilege, and one beside it
// that owns its network and its disk (see package holder). Time, network and disks are real; the lab's own part is one
// event loop on one goroutine. It knows nothing of why a fault is wanted or whether the system is right.
package docker

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"strings"
	"time"

	"faultlab/nodes"
	"faultlab/nodes/cluster/docker/holder"
	"faultlab/nodes/cluster/live"
	"faultlab/nodes/wire"
)

// Ports inside a node's network: of the node itself, and one more for its gossip.
const nodePort = 7000

const (
	bootPatience  = 15 * time.Second // for a node to answer init
	callPatience  = 15 * time.Second // for the engine to do one thing
	startPatience = 2 * time.Minute  // for the engine to start all of a cluster's containers
	closePatience = time.Minute
)

// Cannot is the error of something that this machine cannot do.
type Cannot struct {
	Why string // one sentence
	Fix string // the command, or what else would change that; "" if nothing would
}

func (c *Cannot) Error() string {
	if c.Fix == "" {
		return c.Why
	}
	return c.Why + "; " + c.Fix
}

// A Cluster is a running system.
type Cluster struct {
	*live.Loop
	spec    nodes.Spec
	codec   *wire.Codec
	engine  *engine
	run     string // the name of everything it started
	image   string // that nodes run at first
	theirs  *image // that nodes run, if it is somebody else's; then image is what holders run
	can     holder.Abilities
	members []*member
	index   map[nodes.ID]*member
	byAddr  map[netip.Addr]*member
	draw    *rand.Rand // for clients' links

	numbers map[nodes.ID]uint64 // requests of each client so far
	calls   map[nodes.ID]*call
	harms   []*harm
	clients map[nodes.Link][]nodes.Quality // of the harms, those to links with clients
	stuck   []stuck
	dark    map[nodes.ID]bool // without power, until it boots: nothing from it counts
	broken  []*nodes.Broken
	probes  uint64
	served  bool // all have booted once
	closed  bool
}

// A call is a request that waits for its first reply or its time.
type call struct {
	from, to nodes.ID
	done     func(any, bool)
}

// Start makes a cluster of the topology's members and returns when all have booted, which is time zero. It first removes
// what labs that are no more left behind. Whatever it started is gone if it fails. The error is a *Cannot if this
// machine cannot do it.
func Start(spec nodes.Spec) (*Cluster, error) { return start(spec, "") }

// start starts a cluster of nodes of our own or, if one is named, of an image. Then the error is a *nodes.Broken if a node
// does not boot as a node must.
func start(spec nodes.Spec, ref string) (*Cluster, error) {
	if len(spec.Topology.Members) == 0 {
		return nil, errors.New("docker: the topology has no members")
	}
	codec, err := wire.New(spec.System.Bodies...)
	if err != nil {
		return nil, fmt.Errorf("docker: system %s: %w", spec.System.Name, err)
	}
	ctx := context.Background()
	e, err := connect(ctx)
	if err != nil {
		return nil, err
	}
	if _, err := e.clean(ctx, false); err != nil {
		return nil, err
	}
	var theirs *image
	if ref != "" {
		if theirs, err = e.foreign(ctx, ref); err != nil {
			return nil, err
		}
	}
	image, err := e.image(ctx)
	if err != nil {
		return nil, err
	}
	c := &Cluster{
		Loop: live.New(), spec: spec, codec: codec, engine: e, run: newRun(), image: image, theirs: theirs,
		index: map[nodes.ID]*member{}, byAddr: map[netip.Addr]*member{},
		draw:    rand.New(rand.NewPCG(spec.Seed, 0xd0cce7)),
		numbers: map[nodes.ID]uint64{}, calls: map[nodes.ID]*call{}, dark: map[nodes.ID]bool{},
	}

	for _, who := range spec.Topology.Members {
		if c.index[who.ID] != nil || who.ID == "" || who.ID == nodes.Clients || strings.ContainsAny(string(who.ID), ":/ ") {
			return nil, fmt.Errorf("docker: a node needs a name of its own, not %q", who.ID)
		}
		m := &member{c: c, id: who.ID, image: image}
		c.members = append(c.members, m)
		c.index[who.ID] = m
	}
	if err := c.bringUp(ctx, image); err != nil {
		if bad := (*BadImage)(nil); errors.As(err, &bad) { // said once, and not by each node
			err = bad
		}
		if left := c.Close(); left != nil {
			err = fmt.Errorf("%w (and not all of it could be removed: %v)", err, left)
		}
		return nil, err
	}
	c.Begin()
	c.served = true
	if theirs != nil { // of whose files nothing is known
		return c, nil
	}
	for i, m := range c.members {
		c.After(saveEvery*time.Duration(i+1)/time.Duration(len(c.members)), m.save)
	}
	return c, nil
}

// bringUp starts all containers side by side, and boots the nodes.
func (c *Cluster) bringUp(ctx context.Context, image string) error {
	if err := c.engine.network(ctx, c.run); err != nil {
		return err
	}
	starting, cancel := context.WithTimeout(ctx, startPatience)
	defer cancel()
	err := together(c.members, func(m *member) error {
		ctx := starting
		pair, err := c.pair(ctx, m.id)
		if err != nil && ctx.Err() != nil {
			return &Cannot{fmt.Sprintf("the Docker engine did not start %d containers within %s", 2*len(c.members), startPatience), "let it do less else, or give fewer --nodes"}
		}
		if err != nil {
			return fmt.Errorf("docker: start %s: %w", m.id, err)
		}
		m.pair, m.started = pair, image
		m.holder = holder.Dial(pair.control)
		ctx, cancel := context.WithTimeout(ctx, bootPatience)
		defer cancel()
		a, err := m.holder.Patiently(ctx, holder.Request{Can: true})
		if err != nil {
			return fmt.Errorf("docker: the holder of %s: %w", m.id, err)
		}
		m.can = *a.Can
		return nil
	})
	if err != nil {
		return err
	}
	c.can = c.members[0].can
	addresses := map[nodes.ID]string{}
	for _, m := range c.members {
		c.byAddr[m.pair.ip] = m
		addresses[m.id] = netip.AddrPortFrom(m.pair.ip, nodePort).String()
	}
	return together(c.members, func(m *member) error {
		m.addresses = addresses
		ctx, cancel := context.WithTimeout(ctx, bootPatience)
		defer cancel()
		var l *line
		var err error
		if c.theirs != nil {
			l, err = m.greet(ctx, nodes.New)
		} else {
			l, err = m.join(ctx, nodes.New, m.wanted())
		}
		if own := (*fault)(nil); errors.As(err, &own) {
			return &nodes.Broken{Node: m.id, What: own.what}
		}
		if err == nil {
			m.line, m.up, m.boot = l, true, nodes.Restart
		}
		return err
	})
}

// command is what runs in a node's container.
func (c *Cluster) command() []string { return []string{"node", c.spec.System.Name} }

// together does f to all, side by side, and returns the errors, or that one which says what this machine cannot do.
func together[T any](all []T, f func(T) error) error {
	errs := make([]error, len(all))
	done := make(chan struct{})
	for i, one := range all {
		go func() {
			defer func() { done <- struct{}{} }()
			errs[i] = f(one)
		}()
	}
	for range all {
		<-done
	}
	for _, err := range errs {
		if cannot := (*Cannot)(nil); errors.As(err, &cannot) {
			return cannot
		}
	}
	return errors.Join(errs...)
}

// Call sends a request. The node sees it come from nodes.Request(from.ID, n), where n counts the client's requests from
// 1. done is called exactly once: with the first reply, or with ok false when wait has passed. What comes later is
// dropped. A node that does not exist, or is down, is one that never answers.
func (c *Cluster) Call(from nodes.Member, to nodes.ID, body any, wait time.Duration, done func(reply any, ok bool)) {
	c.numbers[from.ID]++
	id := nodes.Request(from.ID, c.numbers[from.ID])
	c.calls[id] = &call{from: from.ID, to: to, done: done}
	c.Post(c.Now()+max(wait, 0), func() { c.answer(id, nil, false) })
	m := c.index[to]
	text, err := c.codec.Encode(body)
	if err != nil {
		panic(err) // the lab asks for what its system does not know
	}
	if m == nil {
		return
	}
	line, err := wire.Message{Src: from.ID, Dest: to, ID: c.numbers[from.ID], Body: text}.Append(nil)
	if err != nil {
		panic(err)
	}
	c.carry(nodes.Link{From: nodes.Clients, To: to}, nodes.Link{From: from.ID, To: to}, func() { m.send(line) })
}

// answer ends a call unless it has ended.
func (c *Cluster) answer(id nodes.ID, reply any, ok bool) {
	if k := c.calls[id]; k != nil {
		delete(c.calls, id)
		k.done(reply, ok)
	}
}

// replied is a node's reply that came at that time.
func (c *Cluster) replied(m *member, id nodes.ID, reply any) {
	k := c.calls[id]
	if k == nil || c.dark[m.id] {
		return
	}
	c.carry(nodes.Link{From: m.id, To: nodes.Clients}, nodes.Link{From: m.id, To: k.from}, func() { c.answer(id, reply, true) })
}

// Run handles all that happens up to and including that time. If a node broke it is down from then on, and Run returns
// a *nodes.Broken at once; Run may be called again to go on.
func (c *Cluster) Run(until time.Duration) error {
	if c.closed {
		return errors.New("docker: run: the cluster is closed")
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

// slowly is Slowly for what the engine, a holder or a node is to do.
func (c *Cluster) slowly(what string, f func(context.Context) error) error {
	if err := c.Slowly(callPatience, f); err != nil {
		return fmt.Errorf("docker: %s: %w", what, err)
	}
	return nil
}

// Close ends all nodes, keeps what they have on their disks (see SaveDisks), and removes all that the cluster started.
// Closing twice is the same as once.
func (c *Cluster) Close() error {
	if c == nil || c.closed {
		return nil
	}
	c.closed = true
	c.keepDisks()
	for _, m := range c.members {
		if m.line != nil {
			m.line.close()
		}
		if m.holder != nil {
			m.holder.Close()
		}
	}
	ctx, cancel := context.WithTimeout(context.Background(), closePatience)
	defer cancel()
	if c.theirs != nil {
		c.hush(ctx)
	}
	return c.engine.remove(ctx, c.run)
}
