package multimaster

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"faultlab/checker/history"
	"faultlab/labs"
	"faultlab/nodes"
	mm "faultlab/nodes/multimaster"
)

// Keys are named range/kind and a number. Lists, registers and doctors retire after keyLife uses: the key is read once
// more by every client and then left, so that judging a long run costs no more a second than judging a short one.
const (
	listKind     = "l" // a list, appended to and read
	registerKind = "r" // a register: read, written, compared and set
	doctorKind   = "d" // 1 if the doctor is off call; two make a pair, in one range
	farKind      = "e" // the same, in two regions
	accountKind  = "a" // a balance; never retires

	surviving      = "W1" // the range that survives the loss of a region
	survivingGroup = "S1" // where it lives

	keyLife   = 64
	live      = 8   // lists of a range in use at once, the first of them hot
	contended = 1   // how many of them that transactions over several ranges use
	deposit   = 100 // in every account, at first
	readMost  = 8   // retired keys read by one transaction
)

func key(rng, kind string, n int) string { return fmt.Sprintf("%s/%s%d", rng, kind, n) }

// kindOf returns the kind of a key.
func kindOf(key string) string {
	_, rest, _ := strings.Cut(key, "/")
	return rest[:1]
}

// A pool is the keys of one kind, of one place, that are in use.
type pool struct {
	keys [][]string // each entry is used as one: a key, or the two keys of a pair of doctors
	uses []int
	made int
	make func(n int) []string
}

func newPool(size int, make func(n int) []string) *pool {
	p := &pool{make: make}
	for range size {
		p.grow()
	}
	return p
}

func (p *pool) grow() {
	p.made++
	p.keys = append(p.keys, p.make(p.made))
	p.uses = append(p.uses, 0)
}

// A workload is what the clients ask for.
type workload struct {
	layout    *mm.Layout
	topology  nodes.Topology
	lists     map[string]*pool // by range
	registers map[string]*pool
	doctors   []*pool // pairs: one in a range, the others across regions
	banks     [][]string
	funded    bool
	set       map[string]int64 // by range, what was last asked to be put in its register
	value     int64            // the last one appended or written: every value is unique in the run

	busy    map[string]int // requests under way, by key
	retired []string       // retired keys with a request under way
	owed    map[nodes.ID]*debt
	clients []nodes.ID
}

// A debt is what one client still has to read.
type debt struct {
	byPiece map[string][]string
	pieces  []string // its keys, in the order in which they came
	total   int
	turn    int
	final   bool     // the keys that are still in use have been added
	last    []string // what it read last, to be read again if that did not succeed
	router  nodes.ID // the last one that answered
	seen    uint64   // the highest watermark that a query was answered as of
	queried bool     // a query was answered just now
	banks   [][]string
}

func newWorkload(t nodes.Topology, r *rand.Rand) labs.Workload {
	w := &workload{
		layout: mm.NewLayout(t), topology: t, lists: map[string]*pool{}, registers: map[string]*pool{},
		set: map[string]int64{}, busy: map[string]int{}, owed: map[nodes.ID]*debt{},
	}
	ranges := w.layout.Ranges
	for _, rng := range ranges {
		w.lists[rng.Name] = newPool(live, func(n int) []string { return []string{key(rng.Name, listKind, n)} })
		w.registers[rng.Name] = newPool(1, func(n int) []string { return []string{key(rng.Name, registerKind, n)} })
	}
	regions := t.Regions()
	for i := range regions {
		here, next := w.homes(regions[i]), w.homes(regions[(i+1)%len(regions)])
		w.doctors = append(w.doctors,
			newPool(1, func(n int) []string { return []string{key(here[0], doctorKind, 2*n), key(here[0], doctorKind, 2*n+1)} }),
			newPool(1, func(n int) []string { return []string{key(here[1], farKind, 2*n), key(next[0], farKind, 2*n+1)} }))
		w.banks = append(w.banks, []string{key(here[0], accountKind, 1), key(here[1], accountKind, 1)})
	}
	for n := range 4 { // banks with a branch in every region
		var world []string
		for _, region := range regions {
			world = append(world, key(w.homes(region)[n%2], accountKind, 2+n/2))
		}
		w.banks = append(w.banks, world)
	}
	return w
}

// homes returns the names of a region's ranges.
func (w *workload) homes(region string) []string {
	var names []string
	for _, r := range w.layout.Ranges {
		if r.Region == region {
			names = append(names, r.Name)
		}
	}
	return names
}

// Next draws the next request of a client.
func (w *workload) Next(c *labs.Client, phase history.Phase) (labs.Request, bool) {
	d := w.debt(c.ID)
	if phase == history.Final {
		return w.final(c, d)
	}
	if !w.funded {
		if c.ID == "c1" {
			return w.fund(c), true
		}
	} else if d.queried && c.Rand.IntN(2) == 0 {
		return w.analyse(c), true
	} else if n := c.Rand.IntN(1000); n < 50 {
		return w.bank(c), true
	}
	if d.total >= 2*readMost && c.Rand.IntN(4) == 0 {
		if ops := w.settle(d); ops != nil {
			return w.request(c, ops), true
		}
	}
	home := w.homes(c.Region)
	here := home[c.Rand.IntN(len(home))]
	switch n := c.Rand.IntN(1000); {
	case n < 3:
		return w.fence(c), true
	case n < 30:
		return w.request(c, w.doctor(c)), true
	case n < 130:
		return w.request(c, w.register(c.Rand, here)), true
	case n < 170: // across the ranges of a region
		return w.request(c, w.list(c.Rand, home[0], home[1])), true
	case n < 195: // across regions
		other := w.layout.Ranges[c.Rand.IntN(len(w.layout.Ranges))].Name
		return w.request(c, w.list(c.Rand, here, other)), true
	case n < 275:
		return w.request(c, w.list(c.Rand, surviving)), true
	case n < 345: // in another region
		other := w.layout.Ranges[c.Rand.IntN(len(w.layout.Ranges))].Name
		return w.request(c, w.list(c.Rand, other)), true
	case n < 365:
		return w.analyse(c), true
	}
	return w.request(c, w.list(c.Rand, here)), true
}

// list draws one to three reads and appends on lists of these ranges, at least one on each. Half of those in one range
// are on its hot list. Those that span ranges, and so hold locks, leave that alone and meet each other on the next.
func (w *workload) list(r *rand.Rand, ranges ...string) []mm.Op {
	n := max(1+r.IntN(3), len(ranges))
	var ops []mm.Op
	for i := range n {
		p := w.lists[ranges[i%len(ranges)]]
		k := 1 + r.IntN(contended)
		if len(ranges) == 1 {
			k = r.IntN(2) * r.IntN(len(p.keys))
		}
		if r.IntN(2) == 0 {
			ops = append(ops, mm.Op{F: mm.Read, Key: p.keys[k][0]})
		} else {
			ops = append(ops, w.append(p, k))
		}
	}
	return ops
}

func (w *workload) append(p *pool, k int) mm.Op {
	w.value++
	op := mm.Op{F: mm.Append, Key: p.keys[k][0], Value: w.value}
	w.use(p, k)
	return op
}

// register draws one operation on a register; or a transaction that appends to a list if a register holds what it is
// thought to hold, and else surely does nothing.
func (w *workload) register(r *rand.Rand, rng string) []mm.Op {
	p := w.registers[rng]
	name := p.keys[0][0]
	w.use(p, 0)
	guess := w.set[rng]
	switch r.IntN(5) {
	case 0:
		w.value++
		w.set[rng] = w.value
		return []mm.Op{{F: mm.Write, Key: name, Value: w.value}}
	case 1, 2:
		w.value++
		ops := []mm.Op{{F: mm.CAS, Key: name, Old: guess, Value: w.value}}
		w.set[rng] = w.value
		if r.IntN(2) == 0 {
			ops = append(ops, w.append(w.lists[rng], r.IntN(live)))
			if w.value%2 == 0 { // a refusal must undo what came before it, and do nothing of what comes after
				slices.Reverse(ops)
			}
		}
		return ops
	}
	return []mm.Op{{F: mm.Read, Key: name}}
}

// doctor draws one operation on a pair of doctors: one goes off call if the other is on call, or comes back, or both are
// looked at.
func (w *workload) doctor(c *labs.Client) []mm.Op {
	p := w.doctors[c.Rand.IntN(len(w.doctors))]
	pair := p.keys[0]
	w.use(p, 0)
	me, other := pair[0], pair[1]
	if c.Rand.IntN(2) == 0 {
		me, other = other, me
	}
	switch c.Rand.IntN(3) {
	case 0:
		return []mm.Op{{F: mm.CAS, Key: other, Old: 0, Value: 0}, {F: mm.Write, Key: me, Value: 1}}
	case 1:
		return []mm.Op{{F: mm.Write, Key: me, Value: 0}}
	}
	return []mm.Op{{F: mm.Read, Key: pair[0]}, {F: mm.Read, Key: pair[1]}}
}

// use counts a use of a key, and retires it after the last.
func (w *workload) use(p *pool, k int) {
	p.uses[k]++
	if p.uses[k] < keyLife {
		return
	}
	w.retired = append(w.retired, p.keys[k]...)
	p.keys, p.uses = slices.Delete(p.keys, k, k+1), slices.Delete(p.uses, k, k+1)
	p.grow()
}

// fund puts the deposit in every account. It is asked again until it succeeds; a session's older number is never done
// after a newer one, so no such write can land late.
func (w *workload) fund(c *labs.Client) labs.Request {
	var ops []mm.Op
	for _, accounts := range w.banks {
		for _, a := range accounts {
			ops = append(ops, mm.Op{F: mm.Write, Key: a, Value: deposit})
		}
	}
	return w.request(c, ops)
}

// bank draws a transfer inside a bank, or a look at all of its accounts.
func (w *workload) bank(c *labs.Client) labs.Request {
	accounts := w.banks[c.Rand.IntN(len(w.banks))]
	if c.Rand.IntN(2) == 0 { // banks of one region are used more
		accounts = w.banks[c.Rand.IntN(len(w.topology.Regions()))]
	}
	if c.Rand.IntN(4) == 0 {
		return w.request(c, look(accounts))
	}
	i := c.Rand.IntN(len(accounts))
	j := (i + 1 + c.Rand.IntN(len(accounts)-1)) % len(accounts)
	return w.request(c, []mm.Op{{F: mm.Transfer, Key: accounts[i], To: accounts[j], Value: 1 + c.Rand.Int64N(40)}})
}

// fence has a range fenced, by one router, which says so if there is no answer.
func (w *workload) fence(c *labs.Client) labs.Request {
	r := w.request(c, nil)
	r.Body = mm.Fence{Range: w.layout.Ranges[c.Rand.IntN(len(w.layout.Ranges))].Name}
	r.Wait = 0
	return r
}

func look(keys []string) []mm.Op {
	ops := make([]mm.Op, len(keys))
	for i, k := range keys {
		ops[i] = mm.Op{F: mm.Read, Key: k}
	}
	return ops
}

// request addresses a program to the routers of the client's region: the one that answered last, or now and then, and at
// first, the nearest; then the others.
func (w *workload) request(c *labs.Client, ops []mm.Op) labs.Request {
	members := w.topology.In(c.Region)
	d := w.debt(c.ID)
	last := d.router != "" && c.Rand.IntN(16) > 0
	first := slices.IndexFunc(members, func(id nodes.ID) bool {
		if last {
			return id == d.router
		}
		m, _ := w.topology.Member(id)
		return m.Zone == c.Zone
	})
	for i := range ops {
		w.busy[ops[i].Key]++
	}
	return labs.Request{
		Body: mm.Txn{Session: string(c.ID), Number: c.Number, Ops: ops},
		To:   slices.Concat(members[max(first, 0):], members[:max(first, 0)]),
		Wait: 450 * time.Millisecond, Deadline: time.Second,
	}
}

// Done learns what became of a request.
func (w *workload) Done(c *labs.Client, op *history.Op) {
	ops := steps(op)
	for i := range ops {
		if w.busy[ops[i].Key]--; w.busy[ops[i].Key] == 0 {
			delete(w.busy, ops[i].Key)
		}
	}
	if !w.funded && op.Outcome == history.OK && len(ops) > readMost && ops[0].F == mm.Write {
		w.funded = true
	}
	d := w.debt(c.ID)
	if isQuery(op) {
		d.seen = max(d.seen, watermark(op.Out))
		d.queried = op.Outcome == history.OK
		return
	}
	if op.Outcome != history.OK {
		d.owe(w.layout, d.last)
	}
	if op.Out != nil {
		d.router = nodes.ID(op.Node)
	}
	d.last = nil
	w.hand()
}

// hand gives every client the retired keys on which nothing is under way any more.
func (w *workload) hand() {
	w.retired = slices.DeleteFunc(w.retired, func(k string) bool {
		if w.busy[k] > 0 {
			return false
		}
		for _, id := range w.clients {
			w.owed[id].owe(w.layout, []string{k})
		}
		return true
	})
}

func (w *workload) debt(id nodes.ID) *debt {
	d := w.owed[id]
	if d == nil {
		d = &debt{byPiece: map[string][]string{}}
		w.owed[id] = d
		w.clients = append(w.clients, id)
	}
	return d
}

// owe adds keys: a bank's accounts, which are read as one, or any number of others.
func (d *debt) owe(l *mm.Layout, keys []string) {
	if len(keys) > 0 && kindOf(keys[0]) == accountKind {
		d.banks = append(d.banks, keys)
		return
	}
	for _, k := range keys {
		r := piece(l, k)
		if d.byPiece[r] == nil {
			d.pieces = append(d.pieces, r)
		}
		d.byPiece[r] = append(d.byPiece[r], k)
		d.total++
	}
}

// piece names the part of a range that a key lies in, however the range may be split. What is read of one piece is read
// in one range, without locks.
func piece(l *mm.Layout, key string) string {
	name := l.Find(key).Name
	for _, at := range splitAt {
		if key >= l.Find(key).Name+at {
			name = l.Find(key).Name + at
		}
	}
	return name
}

// settle reads some of what a client owes, of one piece of a range; nil if it owes nothing.
func (w *workload) settle(d *debt) []mm.Op {
	for range d.pieces {
		r := d.pieces[d.turn%len(d.pieces)]
		d.turn++
		if keys := d.byPiece[r]; len(keys) > 0 {
			n := min(readMost, len(keys))
			d.byPiece[r] = keys[n:]
			d.total -= n
			d.last = keys[:n]
			return look(keys[:n])
		}
	}
	return nil
}

// final draws the final reads: every key that is in use or owed, by every client; the banks, which span ranges and so
// take locks, by the first client of each region.
func (w *workload) final(c *labs.Client, d *debt) (labs.Request, bool) {
	if !d.final {
		d.final = true
		for _, r := range w.layout.Ranges {
			for _, p := range []*pool{w.lists[r.Name], w.registers[r.Name]} {
				d.owe(w.layout, slices.Concat(p.keys...))
			}
		}
		for _, p := range w.doctors {
			d.owe(w.layout, slices.Concat(p.keys...))
		}
		d.owe(w.layout, w.retired)
		if slices.Index(w.clients, c.ID) < len(w.topology.Regions()) {
			d.banks = append(d.banks, w.banks...)
		}
	}
	if ops := w.settle(d); ops != nil {
		return w.request(c, ops), true
	}
	if len(d.banks) > 0 {
		keys := d.banks[0]
		d.banks = d.banks[1:]
		d.last = keys
		return w.request(c, look(keys)), true
	}
	return labs.Request{}, false
}
