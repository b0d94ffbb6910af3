package txn

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"faultlab/checker/history"
)

// lab makes list-append histories of a perfect store: clients run one transaction after the other, each takes effect
// at one instant between its call and its return.
type lab struct {
	seed    uint64
	txns    int
	clients int
	keys    int // in use at one time
	perKey  int // appends to a key before it is retired
	maxOps  int
	unknown int // of a hundred transactions, how many have no known outcome
}

func (g lab) lists() []Txn { return g.make(Append) }

func (g lab) registers() []Txn { return g.make(Write) }

func (g lab) make(write Kind) []Txn {
	r := rand.New(rand.NewPCG(g.seed, 1))
	txns := make([]Txn, 0, g.txns)
	type client struct {
		name string
		free time.Duration
		n    int
	}
	clients := make([]client, g.clients)
	for i := range clients {
		clients[i] = client{name: fmt.Sprintf("c%d", i), free: time.Duration(r.IntN(1000))}
	}
	type key struct {
		name string
		list []int64
		next int64
	}
	keys := make([]key, g.keys)
	made := 0
	fresh := func(i int) {
		keys[i] = key{name: fmt.Sprintf("k%d", made)}
		made++
	}
	for i := range keys {
		fresh(i)
	}
	// Effects happen in the order of their instants, so transactions are made in that order.
	for i := range g.txns {
		c := &clients[i%g.clients]
		instant := time.Duration(i+1) * 1000
		t := Txn{Client: c.name, Outcome: history.OK}
		t.Call = max(c.free+1, instant-time.Duration(r.IntN(500*g.clients)))
		t.Return = instant + time.Duration(r.IntN(400*g.clients))
		c.free = t.Return
		lost := r.IntN(100) < g.unknown
		effect := !lost || r.IntN(2) == 0
		if lost {
			t.Outcome = history.Unknown
			c.n++
			c.name = fmt.Sprintf("c%d.%d", i%g.clients, c.n)
		}
		for range 1 + r.IntN(g.maxOps) {
			at := r.IntN(g.keys)
			k := &keys[at]
			if r.IntN(2) == 0 {
				k.next++
				t.Ops = append(t.Ops, Op{Kind: write, Key: k.name, Value: k.next})
				switch {
				case effect && write == Write:
					k.list = []int64{k.next}
				case effect:
					k.list = append(k.list, k.next)
				}
			} else {
				op := Op{Kind: Read, Key: k.name, Unread: lost}
				switch {
				case lost:
				case write == Append:
					op.List = slices.Clone(k.list)
				case len(k.list) == 0:
					op.Nil = true
				default:
					op.Value = k.list[0]
				}
				t.Ops = append(t.Ops, op)
			}
		}
		for _, op := range t.Ops {
			for at := range keys {
				if keys[at].name == op.Key && keys[at].next >= int64(g.perKey) {
					fresh(at)
				}
			}
		}
		txns = append(txns, t)
	}
	slices.SortStableFunc(txns, func(a, b Txn) int { return int(a.Call - b.Call) })
	for i := range txns {
		txns[i].Index = i
	}
	return txns
}
