package settlement

import (
	"slices"

	"faultlab/checker/history"
	"faultlab/checker/ledger"
	"faultlab/labs"
	"faultlab/nodes"
	s "faultlab/nodes/settlement"
)

// A reading is how far the auditors have read the logs of all shards. What they read is the history's to keep; here is
// only what tells them where to go on, and whether something is still open.
type reading struct {
	layout  *s.Layout
	shards  []string
	size    map[string]uint64
	ends    map[string]int      // replicas that had nothing more, one after another
	longest map[string]uint64   // that anybody was told of
	heads   map[string][]s.Head // seen, by shard
	under   map[nodes.ID]string // the shard that an auditor reads on in
	open    map[string]bool     // payments without an end, and parts that are held
	turn    int
	calls   map[nodes.ID]int
}

func newReading(l *s.Layout) *reading {
	r := &reading{
		layout: l, size: map[string]uint64{}, ends: map[string]int{}, longest: map[string]uint64{}, heads: map[string][]s.Head{}, under: map[nodes.ID]string{},
		open: map[string]bool{}, calls: map[nodes.ID]int{},
	}
	for _, shard := range l.Shards {
		r.shards = append(r.shards, shard.Name)
	}
	return r
}

// from is all ledger nodes, beginning with another one each time.
func (r *reading) from() []nodes.ID {
	r.turn++
	at := r.turn % len(r.layout.Ledger)
	return slices.Concat(r.layout.Ledger[at:], r.layout.Ledger[:at])
}

// next reads on where nobody else does; now and then it reads again what was read, or asks how two heads belong together.
func (r *reading) next(c *labs.Client, phase history.Phase, busy bool) (any, []nodes.ID) {
	final := phase == history.Final
	if final {
		if r.calls[c.ID]++; r.calls[c.ID] > finalMax {
			return nil, nil
		}
	}
	if !final {
		shard := r.shards[c.Rand.IntN(len(r.shards))]
		switch n := c.Rand.IntN(100); {
		case n < 12 && r.size[shard] > 0:
			return s.GetEntries{Shard: shard, First: c.Rand.Uint64N(r.size[shard]), Count: 1 + c.Rand.Uint64N(24)}, r.from()
		case n < 24 && len(r.heads[shard]) > 1:
			a, b := r.heads[shard][c.Rand.IntN(len(r.heads[shard]))].Size, r.heads[shard][c.Rand.IntN(len(r.heads[shard]))].Size
			if a, b = min(a, b), max(a, b); a > 0 {
				return s.GetConsistency{Shard: shard, Old: a, New: b}, r.from()
			}
		}
	}
	for range r.shards {
		r.turn++
		shard := r.shards[r.turn%len(r.shards)]
		if final && r.ends[shard] >= endings && r.size[shard] >= r.longest[shard] && !busy && len(r.open) == 0 {
			continue
		}
		taken := false
		for id, at := range r.under {
			taken = taken || id != c.ID && at == shard
		}
		if taken {
			continue
		}
		r.under[c.ID] = shard
		return s.GetEntries{Shard: shard, First: r.size[shard], Count: page}, r.from()
	}
	return nil, nil
}

// done goes on behind what was read.
func (r *reading) done(op *history.Op) {
	id := nodes.ID(clientOf(op.Client))
	in, ok := op.In.(s.GetEntries)
	switch out := op.Out.(type) {
	case s.Head:
		r.longest[out.Shard] = max(r.longest[out.Shard], out.Size)
		r.heads[out.Shard] = append(r.heads[out.Shard], out)
	case s.Entries:
		list := r.heads[in.Shard]
		if n := len(list); out.Head.Size > 0 && (n == 0 || list[n-1].Size+100 < out.Head.Size) {
			r.heads[in.Shard] = append(list, out.Head)
		}
		if in.First != r.size[in.Shard] {
			break
		}
		if len(out.Entries) == 0 && out.Base > in.First { // what was not read in time is compacted
			r.size[in.Shard] = out.Base
			break
		}
		r.size[in.Shard] = max(r.size[in.Shard], out.First+uint64(len(out.Entries)))
		r.longest[in.Shard] = max(r.longest[in.Shard], out.Head.Size)
		if r.ends[in.Shard]++; len(out.Entries) > 0 || op.Phase != history.Final {
			r.ends[in.Shard] = 0
		}
		for _, data := range out.Entries {
			r.note(data)
		}
	}
	if ok && r.under[id] == in.Shard {
		delete(r.under, id)
	}
}

// note keeps what is open.
func (r *reading) note(data []byte) {
	e, err := ledger.Decode(data)
	if err != nil {
		return // for checkers to see
	}
	part := e.Payment + " in " + e.Shard
	switch e.Kind {
	case "accepted":
		r.open[e.Payment] = true
	case "decided":
		delete(r.open, e.Payment)
	case "prepared":
		r.open[part] = true
	case "posted", "released":
		delete(r.open, part)
	}
}

// clientOf is a client by any of its identities.
func clientOf(identity string) string {
	for i := range len(identity) {
		if identity[i] == '.' {
			return identity[:i]
		}
	}
	return identity
}
