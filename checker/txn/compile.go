package txn

import (
	"slices"
	"sync"

	"faultlab/checker/history"
)

// compiled is a history in flat arrays: operation f of the whole history belongs to the transaction t with
// start[t] <= f < start[t+1].
type compiled struct {
	txns   []Txn
	word   func(value int64) string // writes values in reasons; nil: in decimal
	keys   names
	start  []int32
	key    []int32 // of each operation
	prev   []int32 // the same transaction's operation before it on the same key, or -1
	write  []int32 // the number of its write, or -1 if it is none
	in     []bool  // by transaction: it is taken as committed
	vs     versions
	writer []int32 // by write: its transaction
	wop    []int32 // by write: its operation
	middle []bool  // by write: its transaction wrote that key again later

	run []int32 // by transaction: what sessions numbers it

	again []int32 // writes of a version that another transaction, not known to have failed, wrote before

	// order returns all transactions by Call, and all that are OK by Return. Nobody may change them.
	order func() (byCall, byEnd []int32)
}

func compile(txns []Txn, word func(int64) string) *compiled {
	ops, writes := 0, 0
	for i := range txns {
		ops += len(txns[i].Ops)
		for j := range txns[i].Ops {
			if txns[i].Ops[j].Kind != Read {
				writes++
			}
		}
	}
	c := &compiled{
		txns: txns, word: word, keys: newNames(), start: make([]int32, len(txns)+1), key: make([]int32, ops), prev: make([]int32, ops),
		write: make([]int32, ops), in: make([]bool, len(txns)), vs: newVersions(writes), writer: make([]int32, writes),
		wop: make([]int32, writes), middle: make([]bool, writes),
		order: sync.OnceValues(func() ([]int32, []int32) { return byCall(txns), byEnd(txns) }),
	}
	go c.order()     // the other processor may as well sort in the meantime; sessions and ambiguous wait for it
	var last []int32 // by key: its last operation so far
	f := int32(0)
	for t := range txns {
		c.start[t] = f
		c.in[t] = txns[t].Outcome == history.OK
		for j := range txns[t].Ops {
			op := &txns[t].Ops[j]
			k := c.keys.of(op.Key)
			if int(k) == len(last) {
				last = append(last, -1)
			}
			c.key[f], c.prev[f], c.write[f] = k, -1, -1
			if last[k] >= c.start[t] {
				c.prev[f] = last[k]
			}
			last[k] = f
			if op.Kind != Read {
				c.add(k, int32(t), f, op.Value)
			}
			f++
		}
	}
	c.start[len(txns)] = f
	return c
}

// add records a write. Of two writes of one version the one that is not known to have failed counts.
func (c *compiled) add(k, t, f int32, value int64) {
	earlier, ok := c.vs.add(k, value)
	w := int32(len(c.vs.key) - 1)
	c.writer[w], c.wop[w], c.write[f] = t, f, w
	for p := c.prev[f]; p >= 0; p = c.prev[p] {
		if c.write[p] >= 0 {
			c.middle[c.write[p]] = true
			break
		}
	}
	switch {
	case ok || c.txns[t].Outcome == history.Failed:
	case c.txns[c.writer[earlier]].Outcome == history.Failed:
		c.vs.replace(w)
	default:
		c.again = append(c.again, w)
	}
}

func (c *compiled) op(f int32, t int32) *Op { return &c.txns[t].Ops[f-c.start[t]] }

// known says that a read's result is evidence, if its transaction committed.
func (c *compiled) known(t int32, op *Op) bool {
	if op.Unread {
		return false
	}
	return c.txns[t].Outcome == history.OK || len(op.List) > 0
}

// sessions numbers the runs of transactions that sessions order: the committed transactions of one client, in the
// order of Call, for as long as none begins before the one before it has returned. Real time orders a run as well, but
// for transactions that meet at one instant: those become edges.
func (c *compiled) sessions(es *edges) {
	ids := newNames()
	var last []int32
	c.run = make([]int32, len(c.txns))
	runs := int32(0)
	for _, t := range c.byCall() {
		s := ids.of(c.txns[t].Client)
		if int(s) == len(last) {
			last = append(last, -1)
		}
		if !c.in[t] {
			c.run[t] = -1
			continue
		}
		p := last[s]
		if p >= 0 && c.txns[p].Outcome == history.OK && c.txns[p].Return <= c.txns[t].Call {
			c.run[t] = c.run[p]
			if c.txns[p].Return == c.txns[t].Call {
				es.add(p, t, so)
			}
		} else {
			c.run[t] = runs
			runs++
		}
		last[s] = t
	}
}

// byCall returns the positions of all transactions in the order of Call. Nobody may change it.
func (c *compiled) byCall() []int32 {
	order, _ := c.order()
	return order
}

func byCall(txns []Txn) []int32 {
	order := make([]int32, len(txns))
	for i := range order {
		order[i] = int32(i)
	}
	if !slices.IsSortedFunc(txns, func(a, b Txn) int { return int(min(1, max(-1, a.Call-b.Call))) }) {
		radix(order, func(t int32) int64 { return int64(txns[t].Call) })
	}
	return order
}

func byEnd(txns []Txn) []int32 {
	order := make([]int32, 0, len(txns))
	for t := range txns {
		if txns[t].Outcome == history.OK {
			order = append(order, int32(t))
		}
	}
	radix(order, func(t int32) int64 { return int64(txns[t].Return) })
	return order
}

// radix sorts by a number, keeping the order of equals, in linear time.
func radix(a []int32, by func(int32) int64) {
	if len(a) == 0 {
		return
	}
	type pair struct {
		n uint64
		i int32
	}
	low, high := by(a[0]), by(a[0])
	for _, i := range a {
		low, high = min(low, by(i)), max(high, by(i))
	}
	p, q := make([]pair, len(a)), make([]pair, len(a))
	for j, i := range a {
		p[j] = pair{uint64(by(i)) - uint64(low), i}
	}
	const bits = 11
	for shift := 0; shift < 64 && (uint64(high)-uint64(low))>>shift > 0; shift += bits {
		var count [1 << bits]int32
		for _, x := range p {
			count[x.n>>shift&(1<<bits-1)]++
		}
		sum := int32(0)
		for d, n := range count {
			count[d], sum = sum, sum+n
		}
		for _, x := range p {
			d := x.n >> shift & (1<<bits - 1)
			q[count[d]] = x
			count[d]++
		}
		p, q = q, p
	}
	for j, x := range p {
		a[j] = x.i
	}
}
