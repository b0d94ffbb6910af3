package txn

import (
	"slices"

	"faultlab/checker/history"
)

// lists is what reads tell of the versions of each list. A version is what an append made; its place is its number in
// the key's order, from 0. Elements that nobody appended, that a failed transaction appended, or that repeat an earlier
// one have no place: they are reported and passed over.
type lists struct {
	*compiled
	longest []int32           // by key: the longest committed read (the first of them), or -1
	owner   []int32           // by key: the transaction of that read
	first   []int32           // by key: where its versions begin in order
	order   []int32           // writes, by key and place
	odd     map[int32][]int32 // for keys with elements that have no place: by length of a read, how many places it holds
	place   []int32           // by write, -1 if no read tells
	astray  []bool            // by write: only a read that fits no order has seen it
	unread  []int32           // by key: where its unread writes begin in unreads
	unreads []int32           // writes of committed transactions that no read has seen
	graph   graph

	edges  edges
	finals edges // (key, transaction that read the key's last version)
	found  *findings
}

func checkLists(txns []Txn, opts Options) Report {
	l, r := newLists(txns, newFindings(opts))
	if r != nil {
		return *r
	}
	l.find()
	return l.found.sum(l.compiled)
}

// find finds all anomalies beyond those that the versions showed.
func (l *lists) find() {
	f := l.found
	searches := f.cycles(l.compiled, &l.graph, l.why)
	if f.inner {
		return // cycles decide serializability
	}
	var x *facts
	if f.breaks("prefix") || f.breaks("monotonic-atomic-view") || f.breaks("strong-session-snapshot-isolation") {
		x = l.facts(searches)
		f.weak(x)
	}
	f.disagreed(l)
	f.prefix(searches)
	if f.breaks("strict-serializable") && (!f.breaks("parallel-snapshot-isolation") || len(f.opts.Anomalies) > 0) {
		f.openLists(l)
	}
	if f.breaks("parallel-snapshot-isolation") && (!f.breaks("update-atomic") || f.sought("update-atomic-violation")) {
		if x == nil {
			x = l.facts(searches)
		}
		f.updates(x)
	}
	if f.breaks("strict-serializable") {
		f.eachKey(l.compiled, l.onCycles(searches), func(txns []Txn, one *findings) {
			if k, r := newLists(txns, one); r == nil {
				k.find()
			}
		})
	}
}

// onCycles returns the keys that transactions on cycles used: a cycle of one key alone is one of all keys.
func (l *lists) onCycles(searches []*search) []bool {
	keys := make([]bool, len(l.keys.name))
	for _, s := range searches {
		for _, t := range s.p.node {
			if int(t) >= len(l.txns) {
				continue
			}
			for f := l.start[t]; f < l.start[t+1]; f++ {
				keys[l.key[f]] = true
			}
		}
	}
	return keys
}

// newLists recovers the versions and the dependencies. A report is returned instead if they cannot be.
func newLists(txns []Txn, f *findings) (*lists, *Report) {
	c := compile(txns, f.opts.Word)
	l := &lists{compiled: c, found: f}
	if len(c.again) > 0 {
		for t := range int32(len(txns)) {
			for f := c.start[t]; c.in[t] && f < c.start[t+1]; f++ {
				if op := c.op(f, t); op.Kind == Read && c.known(t, op) && c.prev[f] >= 0 {
					l.lookBack(t, f)
				}
			}
		}
		r := l.found.ambiguous(c, "appended")
		return nil, &r
	}
	for {
		l.findOrders()
		l.edges = edges{from: make([]int32, 0, 3*len(c.writer)), arcs: make([]arc, 0, 3*len(c.writer))}
		l.finals = edges{}
		l.found.reset()
		if l.readAll() {
			break // no read proved one more unknown transaction to have committed
		}
	}
	l.writeOrders()
	l.sessions(&l.edges)
	l.graph = l.linkUnread()
	return l, nil
}

// Orders recovers the versions of the keys of a list-append history, in the order in which keys are first seen.
func Orders(txns []Txn) []Order {
	l, r := newLists(txns, newFindings(Options{}))
	if r != nil {
		return nil
	}
	orders := make([]Order, len(l.keys.name))
	for k := range orders {
		o := Order{Key: l.keys.name[k]}
		if f := l.longest[k]; f >= 0 {
			seen := map[int64]bool{}
			for _, v := range l.op(f, l.owner[k]).List {
				if seen[v] {
					continue
				}
				seen[v] = true
				o.Values = append(o.Values, v)
				writer := -1
				if w := l.vs.find(int32(k), v); w >= 0 {
					writer = int(l.writer[w])
				}
				o.Writers = append(o.Writers, writer)
			}
		}
		for _, w := range l.unreads[l.unread[k]:l.unread[k+1]] {
			o.Unread = append(o.Unread, int(l.writer[w]))
		}
		orders[k] = o
	}
	return orders
}

// findOrders takes the longest read of each key as the order of its versions.
func (l *lists) findOrders() {
	keys := len(l.keys.name)
	l.longest, l.owner = make([]int32, keys), make([]int32, keys)
	for k := range l.longest {
		l.longest[k] = -1
	}
	l.place, l.odd = make([]int32, len(l.writer)), map[int32][]int32{}
	length := make([]int32, keys)
	look := func(t int32) {
		for f := l.start[t]; f < l.start[t+1]; f++ {
			op := l.op(f, t)
			if k := l.key[f]; op.Kind == Read && l.known(t, op) && len(op.List) > int(length[k]) {
				l.longest[k], l.owner[k], length[k] = f, t, int32(len(op.List))
			}
		}
	}
	for t := range int32(len(l.txns)) {
		if l.in[t] {
			look(t)
		}
	}
	for grown := true; grown; { // an unknown transaction that was seen may itself have seen more
		grown = false
		total := 0
		for _, n := range length {
			total += int(n)
		}
		l.order, l.first = make([]int32, 0, total), make([]int32, keys+1)
		for w := range l.place {
			l.place[w] = -1
		}
		clear(l.odd)
		for k := range int32(keys) {
			l.first[k] = int32(len(l.order))
			if l.longest[k] < 0 {
				continue
			}
			list := l.op(l.longest[k], l.owner[k]).List
			for i, v := range list {
				w := l.vs.find(k, v)
				bad := w < 0 || l.place[w] >= 0 || l.txns[l.writer[w]].Outcome == history.Failed
				if bad && l.odd[k] == nil {
					l.odd[k] = make([]int32, len(list)+1)
					for j := range i + 1 {
						l.odd[k][j] = int32(j)
					}
				}
				if !bad {
					l.place[w] = int32(len(l.order)) - l.first[k]
					l.order = append(l.order, w)
					if t := l.writer[w]; !l.in[t] {
						l.in[t] = true
						look(t)
						grown = true
					}
				}
				if l.odd[k] != nil {
					l.odd[k][i+1] = int32(len(l.order)) - l.first[k]
				}
			}
		}
		l.first[keys] = int32(len(l.order))
		if !grown {
			break
		}
	}
	if len(l.astray) == 0 {
		l.astray = make([]bool, len(l.writer))
	}
	l.unread, l.unreads = make([]int32, keys+2), nil
	for w, p := range l.place {
		if p < 0 && l.in[l.writer[w]] && !l.astray[w] {
			l.unread[l.vs.key[w]+2]++
		}
	}
	for k := 2; k < len(l.unread); k++ {
		l.unread[k] += l.unread[k-1]
	}
	l.unreads = make([]int32, l.unread[keys+1])
	for w, p := range l.place {
		if p < 0 && l.in[l.writer[w]] && !l.astray[w] {
			k := l.vs.key[w]
			l.unreads[l.unread[k+1]] = int32(w)
			l.unread[k+1]++
		}
	}
	l.unread = l.unread[:keys+1]
}

// versions returns the writes of a key in order.
func (l *lists) versions(k int32) []int32 { return l.order[l.first[k]:l.first[k+1]] }

// places returns how many places a list of that many elements of the key's longest read holds.
func (l *lists) places(k int32, n int) int32 {
	if odd, ok := l.odd[k]; ok {
		return odd[n]
	}
	return int32(n)
}

// readAll draws the edges of all reads and reports what single reads show. It returns false if it has found unknown
// transactions to have committed, so that all must be done again.
func (l *lists) readAll() bool {
	settled := true
	for t := range int32(len(l.txns)) {
		if !l.in[t] {
			continue
		}
		for f := l.start[t]; f < l.start[t+1]; f++ {
			op := l.op(f, t)
			if op.Kind == Append {
				if l.prev[f] >= 0 {
					l.lookAhead(t, f)
				}
				continue
			}
			if !l.known(t, op) {
				continue
			}
			if l.prev[f] >= 0 {
				l.lookBack(t, f)
			}
			k := l.key[f]
			var longest []int64
			if l.longest[k] >= 0 {
				longest = l.op(l.longest[k], l.owner[k]).List
			}
			if !isPrefix(op.List, longest) {
				settled = l.stray(t, f) && settled
				continue
			}
			if !l.ownBefore(f) {
				l.read(t, f, k, l.places(k, len(op.List)))
			} else if n := l.before(t, f); n > 0 {
				l.readFrom(t, f, l.versions(k)[n-1])
			}
		}
	}
	return settled
}

func isPrefix(a, b []int64) bool {
	if len(a) > len(b) {
		return false
	}
	if len(a) > 0 && a[len(a)-1] != b[len(a)-1] {
		return false
	}
	return slices.Equal(a, b[:len(a)])
}

// ownBefore says that the transaction appended to that key before f; what it reads then follows from its own append.
func (l *lists) ownBefore(f int32) bool {
	for p := l.prev[f]; p >= 0; p = l.prev[p] {
		if l.write[p] >= 0 {
			return true
		}
	}
	return false
}

// read draws the edges of a read that returned the first n versions of a key.
func (l *lists) read(t, f, k, n int32) {
	vs := l.versions(k)
	if n > 0 {
		l.readFrom(t, f, vs[n-1])
	}
	switch {
	case int(n) < len(vs):
		if u := l.writer[vs[n]]; u != t {
			l.edges.add(t, u, rw)
		}
	case l.unread[k] < l.unread[k+1]:
		l.finals.add(k, t, rw)
	}
}

// readFrom draws the edge of a read whose last element, but for appends of its own, is that of a write.
func (l *lists) readFrom(t, f, w int32) {
	if l.writer[w] == t {
		return
	}
	l.edges.add(l.writer[w], t, wr)
	if l.middle[w] {
		l.found.add("G1b", func() Anomaly { return l.middleRead(t, f, w) })
	}
}

// writeOrders draws the edges between successive versions of each key and reports what the orders show.
func (l *lists) writeOrders() {
	for k := range int32(len(l.keys.name)) {
		vs := l.versions(k)
		for i := 1; i < len(vs); i++ {
			if a, b := l.writer[vs[i-1]], l.writer[vs[i]]; a != b {
				l.edges.add(a, b, ww)
			}
		}
		if len(vs) > 0 {
			last := l.writer[vs[len(vs)-1]]
			for _, w := range l.unreads[l.unread[k]:l.unread[k+1]] {
				if l.writer[w] != last {
					l.edges.add(last, l.writer[w], ww)
				}
			}
		}
		if l.odd[k] != nil {
			l.oddElements(k)
		}
	}
	l.ownOrders()
	l.lostUpdates()
}

// linkUnread draws the edges from the readers of each key's last version to the appends that nobody read, all of which
// come after it, and finishes the graph.
func (l *lists) linkUnread() graph {
	readers := l.finals.graph(len(l.keys.name), 0)
	var writers edges
	for k := range int32(len(l.keys.name)) {
		for _, w := range l.unreads[l.unread[k]:l.unread[k+1]] {
			writers.add(k, l.writer[w], rw)
		}
	}
	late := writers.graph(len(l.keys.name), 0)
	nodes := l.edges.missed(len(l.txns), &readers, &late)
	g := l.edges.graph(nodes, len(l.txns))
	l.edges = edges{}
	return g
}

// before returns how many versions a read that follows its transaction's own appends shows to have been there before
// them; -1 if an earlier read tells that, or if it does not end with what was appended.
func (l *lists) before(t, f int32) int32 {
	list := l.op(f, t).List
	n := len(list)
	for p := l.prev[f]; p >= 0; p = l.prev[p] {
		switch op := l.op(p, t); {
		case op.Kind == Append:
			if n--; n < 0 || list[n] != op.Value {
				return -1
			}
		case l.known(t, op):
			return -1
		}
	}
	return l.places(l.key[f], n)
}
