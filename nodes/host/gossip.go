package host

import (
	"context"
	"fmt"
	"io"
	"maps"
	"net"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/hashicorp/memberlist"

	"faultlab/nodes"
)

const (
	rejoinTime = 5 * time.Second
	leaveTime  = 200 * time.Millisecond
)

// gossip finds out which members are there, and tells the inbox. Memberlist says who is alive and who is gone; that one
// is suspected is known sooner from the connection to it.
//
// Two halves of a cluster that was cut for long never look for each other again by themselves, so whoever is not there
// is asked to join every few seconds.
type gossip struct {
	in   Inbox
	list *memberlist.Memberlist
	poke chan struct{}
	done chan struct{}

	mu    sync.Mutex
	group Group
	down  map[nodes.ID]bool // the connection to it failed
}

// startGossip listens on the port after the given one.
func startGossip(stop context.Context, at *net.TCPAddr, group Group, in Inbox) (*gossip, error) {
	g := &gossip{in: in, poke: make(chan struct{}, 1), done: make(chan struct{}), group: group, down: map[nodes.ID]bool{}}
	c := memberlist.DefaultLANConfig()
	c.Name, c.Label = string(group.Self), group.System
	c.BindAddr, c.BindPort = at.IP.String(), at.Port+1
	c.AdvertisePort = at.Port + 1
	if host, port, err := net.SplitHostPort(nextPort(group.Addresses[group.Self])); err == nil {
		if ips, err := net.DefaultResolver.LookupIP(stop, "ip", host); err == nil {
			c.AdvertiseAddr = ips[0].String()
			c.AdvertisePort, _ = strconv.Atoi(port)
		}
	}
	c.TCPTimeout, c.ProbeTimeout, c.ProbeInterval = dialTime, 200*time.Millisecond, 500*time.Millisecond
	c.DeadNodeReclaimTime = time.Second // a member that comes back may have another address
	c.Events, c.LogOutput = events{g}, io.Discard
	var err error
	if g.list, err = memberlist.Create(c); err != nil {
		return nil, fmt.Errorf("host: gossip on port %d: %w", at.Port+1, err)
	}
	go g.run(stop)
	return g, nil
}

// nextPort is where the gossip of a node of that address is.
func nextPort(address string) string {
	host, port, err := net.SplitHostPort(address)
	n, e := strconv.Atoi(port)
	if err != nil || e != nil {
		return ""
	}
	return net.JoinHostPort(host, strconv.Itoa(n+1))
}

func (g *gossip) move(group Group) {
	g.mu.Lock()
	g.group = group
	g.mu.Unlock()
	g.nudge()
}

// reached notes whether there is a connection to a member.
func (g *gossip) reached(id nodes.ID, ok bool) {
	g.mu.Lock()
	changed := g.down[id] == ok
	g.down[id] = !ok
	g.mu.Unlock()
	if changed {
		g.nudge()
	}
}

func (g *gossip) nudge() {
	select {
	case g.poke <- struct{}{}:
	default:
	}
}

func (g *gossip) run(stop context.Context) {
	defer close(g.done)
	go g.rejoin(stop)
	told := map[nodes.ID]nodes.MemberState{}
	for {
		g.tell(told)
		select {
		case <-stop.Done():
			_ = g.list.Leave(leaveTime)
			_ = g.list.Shutdown()
			return
		case <-g.poke:
		}
	}
}

func (g *gossip) rejoin(stop context.Context) {
	again := time.NewTicker(rejoinTime)
	defer again.Stop()
	for {
		g.join()
		select {
		case <-stop.Done():
			return
		case <-again.C:
		}
	}
}

// join calls those who are not there.
func (g *gossip) join() {
	there := map[nodes.ID]bool{}
	for _, m := range g.list.Members() {
		there[nodes.ID(m.Name)] = true
	}
	g.mu.Lock()
	var missing []string
	for _, id := range g.group.Members {
		if address := nextPort(g.group.Addresses[id]); !there[id] && id != g.group.Self && address != "" {
			missing = append(missing, address)
		}
	}
	g.mu.Unlock()
	_, _ = g.list.Join(missing) // who does not answer is called again
}

// tell says what has changed since it was last told. A member that was never there is not said to be gone.
func (g *gossip) tell(told map[nodes.ID]nodes.MemberState) {
	now := map[nodes.ID]nodes.MemberState{}
	for id := range told {
		now[id] = nodes.Gone
	}
	g.mu.Lock()
	for _, m := range g.list.Members() {
		id := nodes.ID(m.Name)
		if now[id] = nodes.Alive; g.down[id] {
			now[id] = nodes.Suspect
		}
	}
	self := g.group.Self
	g.mu.Unlock()
	for _, id := range slices.Sorted(maps.Keys(now)) {
		if before, known := told[id]; id != self && (!known || before != now[id]) {
			told[id] = now[id]
			g.in.Member(id, now[id])
		}
	}
}

// events hears from memberlist, which holds a lock meanwhile: it only says that it is worth a look.
type events struct{ g *gossip }

// NotifyJoin implements memberlist.EventDelegate.
func (e events) NotifyJoin(*memberlist.Node) { e.g.nudge() }

// NotifyLeave implements memberlist.EventDelegate.
func (e events) NotifyLeave(*memberlist.Node) { e.g.nudge() }

// NotifyUpdate implements memberlist.EventDelegate.
func (e events) NotifyUpdate(*memberlist.Node) { e.g.nudge() }
