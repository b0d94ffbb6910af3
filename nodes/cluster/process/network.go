package process

import (
	"context"
	"fmt"
	"math/bits"
	"math/rand/v2"
	"slices"
	"time"

	"faultlab/nodes"
)

// Latencies that the topology does not give, as on the simulator.
const (
	selfLatency   = 10 * time.Microsecond // of a message to oneself
	jitterPercent = 10                    // of the latency one way, at most
	jitterLeast   = 20 * time.Microsecond // added to that most
)

// What the network keeps at most. What comes beyond is lost, as where a buffer is full.
const (
	underWayMost = 64 << 20 // bytes of all lines
	heldMost     = 1 << 16  // lines on a link that holds them back
)

// A network carries lines. It keeps no order: one may overtake another by jitter. A fault acts on what is sent while it
// lasts; what was under way when it began arrives.
type network struct {
	c        *Cluster
	draw     *rand.PCG
	harms    map[nodes.Link][]*harm
	underWay int // bytes
}

type harm struct {
	nodes.Quality
	held []func() // what it holds back, if it does, in the order in which it was sent
}

func (n *network) init(c *Cluster) {
	n.c, n.draw, n.harms = c, nodes.Generator(c.spec.Seed, "network"), map[nodes.Link][]*harm{}
}

// carry brings a line of that size from one place to another over a link that goes by all of these names: it is lost, or
// arrives once or more.
func (n *network) carry(from, to nodes.Member, size int, arrive func(), names ...nodes.Link) {
	least := int64(n.c.spec.Topology.RoundTrip(from, to)) / 2
	if from.ID == to.ID {
		least = int64(selfLatency)
	}
	var harms []*harm
	if len(n.harms) > 0 {
		for _, l := range names {
			harms = append(harms, n.harms[l]...)
		}
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
	for range copies {
		if n.underWay+size > underWayMost {
			return
		}
		n.underWay += size
		done := func() {
			n.underWay -= size
			arrive()
		}
		late := least + below(n.draw, least*jitterPercent/100+int64(jitterLeast))
		if i := slices.IndexFunc(harms, func(h *harm) bool { return h.Hold }); i >= 0 {
			if h := harms[i]; len(h.held) < heldMost {
				h.held = append(h.held, func() { n.c.Post(n.c.Now()+time.Duration(least), done) })
			} else {
				n.underWay -= size
			}
			continue
		}
		for _, h := range harms {
			late += int64(h.Late(n.draw))
			if n.chance(h.ReorderPerMille) {
				late += below(n.draw, 10*least)
			}
		}
		n.c.Post(n.c.Now()+time.Duration(late), done)
	}
}

func (n *network) chance(perMille int) bool {
	return perMille > 0 && below(n.draw, 1000) < int64(perMille)
}

// below draws uniformly from [0, n), or returns 0 for n < 1. (The bias of the multiplication is below n in 2^64.)
func below(g *rand.PCG, n int64) int64 {
	if n < 1 {
		return 0
	}
	hi, _ := bits.Mul64(g.Uint64(), uint64(n))
	return int64(hi)
}

// Degrade harms links until heal is called, which may be called twice. Harms to one link add up. An end that is neither
// a member nor nodes.Clients is one client, whether or not it exists yet. It fails, and harms nothing, if a link has no
// member at either end or the quality is out of range.
func (c *Cluster) Degrade(_ context.Context, links []nodes.Link, q nodes.Quality) (heal func(context.Context) error, err error) {
	for _, perMille := range []int{q.LossPerMille, q.DuplicatePerMille, q.ReorderPerMille, q.CorruptPerMille} {
		if perMille < 0 || perMille > 1000 {
			return nil, fmt.Errorf("process: degrade: %d of a thousand", perMille)
		}
	}
	if !q.Spread.Known() {
		return nil, fmt.Errorf("process: degrade: there is no spread %q", q.Spread)
	}
	if q.Delay < 0 || q.Jitter < 0 {
		return nil, fmt.Errorf("process: degrade: a negative delay (%s, jitter %s)", q.Delay, q.Jitter)
	}
	for _, l := range links {
		if c.index[l.From] == nil && c.index[l.To] == nil {
			return nil, fmt.Errorf("process: degrade: no member is at either end of %s to %s", l.From, l.To)
		}
	}
	n, h := &c.network, &harm{Quality: q}
	for _, l := range links {
		n.harms[l] = append(n.harms[l], h)
	}
	return func(context.Context) error {
		for _, l := range links {
			if n.harms[l] = slices.DeleteFunc(n.harms[l], func(x *harm) bool { return x == h }); len(n.harms[l]) == 0 {
				delete(n.harms, l)
			}
		}
		for _, arrive := range h.held { // all at once, in the order in which it was sent
			arrive()
		}
		h.held = nil
		return nil
	}, nil
}
