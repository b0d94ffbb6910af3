package settlement

import (
	"slices"

	"faultlab/labs"
	"faultlab/nodes"
	s "faultlab/nodes/settlement"
)

// finish asks for what is asked in the end, each until it is answered: the state of what a payer paid last, with its
// receipt; of the first payer of a region the balances there; of the second, what each replica says of each shard, and
// of its disk. The region's operator reconciles, twice.
func (p *payer) finish(w *workload, c *labs.Client) (any, []nodes.ID) {
	if p.asked++; p.asked > finalMax {
		return nil, nil
	}
	if p.asked == 1 {
		p.list(w, c)
	}
	if p.owed == nil {
		if len(p.last) == 0 {
			return nil, nil
		}
		p.owed, p.last = p.last[0], p.last[1:]
	}
	if d, ok := p.owed.(at); ok {
		return d.body, []nodes.ID{d.node}
	}
	if anyNode(p.owed) {
		return p.owed, w.turned(w.layout.Ledger, c.Rand)
	}
	return p.owed, append(w.gates(c), w.layout.Ledger...) // in the end nobody is cut off
}

// at is a request for one node.
type at struct {
	node nodes.ID
	body any
}

func (p *payer) list(w *workload, c *labs.Client) {
	own := p.own.recent
	if w.rank(c) < 2 {
		own = append(slices.Clone(own), w.shared(p.home).recent...)
	}
	for _, body := range own {
		client, key := named(body)
		p.last = append(p.last, s.Status{Client: client, Key: key}, s.GetReceipt{Client: client, Key: key})
	}
	switch w.rank(c) % 6 {
	case 0:
		for _, shard := range w.layout.Of(c.Region) {
			for _, holder := range append(holders, "@issue", "@fx", "@suspense", "vault", "vault2") {
				for _, region := range w.layout.Regions {
					p.last = append(p.last, s.GetBalance{Account: shard.Name + "/" + holder + "/" + currencies[region]})
				}
			}
		}
	case 1:
		for _, id := range w.layout.Ledger {
			if m, _ := w.topology.Member(id); m.Region != c.Region {
				continue
			}
			p.last = append(p.last, at{id, s.Scrub{}})
			for _, shard := range w.layout.Shards {
				p.last = append(p.last, at{id, s.GetHead{Shard: shard.Name}})
				if size := p.sizes[shard.Name]; size > 1 {
					p.last = append(p.last, at{id, s.GetConsistency{Shard: shard.Name, Old: size - c.Rand.Uint64N(size), New: size}})
				}
			}
		}
	case 4:
		if c.Region == w.layout.Regions[0] {
			p.last = append(p.last, s.Reconcile{}, s.Reconcile{})
		}
	}
}
