package sim

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"faultlab/nodes"
)

// Latencies that the topology does not give.
const (
	selfLatency   = 10 * time.Microsecond // of a message to oneself
	jitterPercent = 10                    // of the latency one way, at most
	jitterLeast   = 20 * time.Microsecond // added to that most
)

// A network carries messages between places (a region and zone). It keeps no order: a message may overtake another by
// jitter. A fault acts on what is sent while it lasts; what was under way when it began arrives.
type network struct {
	topology nodes.Topology
	draw     *rand.PCG
	places   []nodes.Member
	ways     [][]way   // by place, from and to
	ends     int32     // nodes, and one more for all clients
	links    [][]*harm // by from*ends+to
	named    []named
}

// A way is the time between two places in one direction.
type way struct{ least, jitter int64 }

type harm struct {
	nodes.Quality
	held []entrusted // what it holds back, if it does, in the order in which it was sent
}

// entrusted is a message that waits for a link to be healed.
type entrusted struct {
	way way
	e   event
}

// heldMax is how many messages a clogged link keeps; later ones are lost, as where a buffer is full.
const heldMax = 1 << 17

// named is a harm to a link with one client, which is rare.
type named struct {
	link nodes.Link
	harm *harm
}

func (n *network) init(t nodes.Topology, draw *rand.PCG) {
	n.topology, n.draw = t, draw
	n.ends = int32(len(t.Members)) + 1
	n.links = make([][]*harm, n.ends*n.ends)
}

// place returns the number of the place where a member stands.
func (n *network) place(m nodes.Member) int32 {
	for i, p := range n.places {
		if p.Region == m.Region && p.Zone == m.Zone {
			return int32(i)
		}
	}
	n.places = append(n.places, m)
	n.ways = make([][]way, len(n.places))
	for i, a := range n.places {
		for _, b := range n.places {
			least := int64(n.topology.RoundTrip(a, b)) / 2
			n.ways[i] = append(n.ways[i], way{least, least*jitterPercent/100 + int64(jitterLeast)})
		}
	}
	return int32(len(n.places) - 1)
}

// request carries a client's request to a node.
func (c *Cluster) request(from *client, id nodes.ID, to int32, body any) {
	n := &c.network
	harms := n.links[(n.ends-1)*n.ends+to]
	if len(n.named) > 0 {
		harms = n.and(harms, nodes.Link{From: from.member.ID, To: c.members[to].id})
	}
	c.carry(n.ways[from.place][c.members[to].place], harms, event{kind: messageEvent, node: to, from: id, body: body})
}

// send carries what a node sends: to another node, or a reply to a request that waits. Anything else vanishes.
func (c *Cluster) send(from *member, to nodes.ID, body any) {
	n := &c.network
	if i, ok := c.index[to]; ok {
		e := event{kind: messageEvent, node: i, from: from.id, body: body}
		if i == from.index {
			c.push(c.now+int64(selfLatency), e)
			return
		}
		c.carried++
		c.carry(n.ways[from.place][c.members[i].place], n.links[from.index*n.ends+i], e)
		return
	}
	i, ok := c.calls[to]
	if !ok {
		return
	}
	k := &c.pending[i]
	harms := n.links[from.index*n.ends+n.ends-1]
	if len(n.named) > 0 {
		harms = n.and(harms, nodes.Link{From: from.id, To: k.client.member.ID})
	}
	c.carry(n.ways[from.place][k.client.place], harms, event{kind: replyEvent, index: i, gen: k.gen, body: body})
}

// carry sends a message down a link: it is lost, or arrives once or more.
func (c *Cluster) carry(w way, harms []*harm, e event) {
	n := &c.network
	if len(harms) == 0 {
		c.push(c.now+w.least+below(n.draw, w.jitter), e)
		return
	}
	copies := 1
	for _, h := range harms {
		if h.Cut || n.chance(h.LossPerMille) || n.chance(h.CorruptPerMille) {
			return
		}
		if n.chance(h.DuplicatePerMille) {
			copies++
		}
	}
	for i := range copies {
		if i > 0 {
			e.body = c.recoded(e.body)
		}
		if i := slices.IndexFunc(harms, func(h *harm) bool { return h.Hold }); i >= 0 {
			if h := harms[i]; len(h.held) < heldMax {
				h.held = append(h.held, entrusted{w, e})
			}
			continue
		}
		at := c.now + w.least + below(n.draw, w.jitter)
		for _, h := range harms {
			at += int64(h.Late(n.draw))
			if n.chance(h.ReorderPerMille) {
				at += below(n.draw, 10*w.least)
			}
		}
		c.push(at, e)
	}
}

func (n *network) chance(perMille int) bool {
	return perMille > 0 && below(n.draw, 1000) < int64(perMille)
}

// and returns the harms together with those that name this link's client.
func (n *network) and(harms []*harm, link nodes.Link) []*harm {
	all := slices.Clip(harms)
	for _, x := range n.named {
		if x.link == link {
			all = append(all, x.harm)
		}
	}
	return all
}

// Degrade harms links until heal is called, which may be called twice. Harms to one link add up. An end that is neither
// a member nor nodes.Clients is one client, whether or not it exists yet. It fails, and harms nothing, if a link has no
// member at either end or the quality is out of range.
func (c *Cluster) Degrade(_ context.Context, links []nodes.Link, q nodes.Quality) (heal func(context.Context) error, err error) {
	for _, perMille := range []int{q.LossPerMille, q.DuplicatePerMille, q.ReorderPerMille, q.CorruptPerMille} {
		if perMille < 0 || perMille > 1000 {
			return nil, fmt.Errorf("sim: degrade: %d of a thousand", perMille)
		}
	}
	if !q.Spread.Known() {
		return nil, fmt.Errorf("sim: degrade: there is no spread %q", q.Spread)
	}
	if q.Delay < 0 || q.Jitter < 0 {
		return nil, fmt.Errorf("sim: degrade: a negative delay (%s, jitter %s)", q.Delay, q.Jitter)
	}
	n := &c.network
	for _, l := range links {
		if n.end(c, l.From) >= n.ends-1 && n.end(c, l.To) >= n.ends-1 {
			return nil, fmt.Errorf("sim: degrade: no member is at either end of %s to %s", l.From, l.To)
		}
	}
	h := &harm{Quality: q}
	// What a healed link had held back arrives at once, in the order in which it was sent.
	flood := func() {
		for _, x := range h.held {
			c.push(c.now+x.way.least, x.e)
		}
		h.held = nil
	}
	for _, l := range links {
		from, to := n.end(c, l.From), n.end(c, l.To)
		if from == n.ends || to == n.ends {
			n.named = append(n.named, named{l, h})
			continue
		}
		n.links[from*n.ends+to] = append(n.links[from*n.ends+to], h)
	}
	return func(context.Context) error {
		for i := range n.links {
			n.links[i] = slices.DeleteFunc(n.links[i], func(x *harm) bool { return x == h })
		}
		n.named = slices.DeleteFunc(n.named, func(x named) bool { return x.harm == h })
		flood()
		return nil
	}, nil
}

// end returns the number of an end of a link: a node's, ends-1 for all clients, ends for one of them.
func (n *network) end(c *Cluster, id nodes.ID) int32 {
	if i, ok := c.index[id]; ok {
		return i
	}
	if id == nodes.Clients {
		return n.ends - 1
	}
	return n.ends
}
