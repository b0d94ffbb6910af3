package host

import (
	"fmt"
	"math/bits"
	"math/rand/v2"
	"slices"
	"time"

	"faultlab/nodes"
)

// Harm implements Transport.
func (t *tcp) Harm(list []Harm) error {
	harms := map[nodes.ID][]Quality{}
	for _, x := range list {
		q := x.Quality
		for _, perMille := range []int{q.LossPerMille, q.DuplicatePerMille, q.ReorderPerMille, q.CorruptPerMille} {
			if perMille < 0 || perMille > 1000 {
				return fmt.Errorf("host: frames to %s: %d of a thousand", x.To, perMille)
			}
		}
		if q.Delay < 0 || q.Jitter < 0 {
			return fmt.Errorf("host: frames to %s: a negative delay (%s, jitter %s)", x.To, q.Delay, q.Jitter)
		}
		harms[x.To] = append(harms[x.To], q)
	}
	t.harms = harms
	return nil
}

// harmed sends a packet down a link that is harmed, as the simulator does: it is lost, or leaves once or more.
func (t *tcp) harmed(p *peer, to nodes.ID, data []byte, harms []Quality) {
	copies := 1
	for _, q := range harms {
		if q.Cut || t.chance(q.LossPerMille) {
			return
		}
		if t.chance(q.DuplicatePerMille) {
			copies++
		}
	}
	for range copies {
		one, late := data, int64(0)
		for _, q := range harms {
			late += int64(q.Delay) + below(t.rand, int64(q.Jitter))
			if t.chance(q.ReorderPerMille) {
				late += below(t.rand, 10*t.group.Latency(to))
			}
			if t.chance(q.CorruptPerMille) {
				one = slices.Clone(one)
				bit := below(t.rand, 8*int64(len(one)-packetHead))
				one[packetHead+bit/8] ^= 1 << (bit % 8)
			}
		}
		if late > 0 {
			time.AfterFunc(time.Duration(late), func() { p.send(one) })
			continue
		}
		p.send(one)
	}
}

func (t *tcp) chance(perMille int) bool {
	return perMille > 0 && below(t.rand, 1000) < int64(perMille)
}

// below draws uniformly from [0, n), or returns 0 for n < 1. (The bias of the multiplication is below n in 2^64.)
func below(g *rand.PCG, n int64) int64 {
	if n < 1 {
		return 0
	}
	hi, _ := bits.Mul64(g.Uint64(), uint64(n))
	return int64(hi)
}
