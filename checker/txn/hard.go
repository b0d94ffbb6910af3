package txn

import (
	"fmt"
	"slices"
	"strings"

	"faultlab/checker/history"
)

// judge decides what the known dependencies leave open, from the strongest model to the weakest, and passes over what a
// model that holds implies.
func (r *registers) judge(searches []*search) {
	f := r.found
	tl := r.timeline()
	if !f.opts.wants("prefix", "update-atomic", "parallel-snapshot-isolation", "consistent-view", "repeatable-read", "per-key-sequential") {
		weak := f.opts.wants("monotonic-atomic-view", "monotonic-reads", "monotonic-writes", "read-your-writes", "writes-follow-reads")
		if weak && !f.breaks("strict-serializable") && r.witness(&r.graph, maskOf(so, rt), tl, r.zones(tl)) {
			return // the quickest way: all models hold
		}
		// What was not asked for is left open where it costs more than what was.
		f.open = append(f.open, "prefix", "parallel-snapshot-isolation", "consistent-view", "repeatable-read", "per-key-sequential")
		if weak {
			f.weak(r.facts)
		} else {
			f.open = append(f.open, "monotonic-atomic-view", "monotonic-reads", "monotonic-writes", "read-your-writes", "writes-follow-reads")
		}
		return
	}
	zones := r.zones(tl)
	proven := map[string]bool{}
	prove := func(model string) {
		for m := range below(model) {
			proven[m] = true
		}
	}
	for _, g := range goals[:3] {
		if !proven[g.model] && !f.decided(g) && r.serial(g, tl, zones) {
			prove(g.model)
		}
	}
	if !proven["causal"] {
		f.weak(r.facts)
	}
	f.prefix(searches)
	p := r.puzzle()
	for _, g := range goals {
		if proven[g.model] || f.decided(g) {
			continue
		}
		steps := f.opts.Steps
		switch p.solve(g, tl.byCall, &steps) {
		case possible:
			prove(g.model)
		case impossible:
			core := p.shrink(g, tl.byCall, f.opts.Steps)
			f.add(g.anomaly, func() Anomaly { return p.noOrder(g, core) })
		default:
			for _, m := range append([]string{g.model}, g.also...) {
				f.leave(m, g.anomaly, fmt.Sprintf("%s: registers are written without being read first, and the search for an order of their versions was given up after %d steps or %d transactions",
					m, f.opts.Steps, mostStates/2))
			}
		}
	}
	if !proven["update-atomic"] && !f.breaks("update-atomic") {
		f.leave("update-atomic", "update-atomic-violation", "update-atomic: parallel snapshot isolation, which would imply it, does not hold, and which of two writes of one register came first is not known well enough")
	}
	if !proven["strict-serializable"] {
		f.eachKey(r.compiled, nil, func(txns []Txn, one *findings) {
			k := newRegisters(txns, one.opts)
			k.found = one
			k.find()
		})
	}
}

// decided says that nothing need be searched for a goal: its model is broken, and how was not asked, or is known, or is
// hidden behind a cycle of known order.
func (f *findings) decided(g goal) bool {
	return f.breaks(g.model) && (!f.sought(g.anomaly) ||
		slices.ContainsFunc(f.names(), func(name string) bool { return strings.HasPrefix(name, "G0") || strings.HasPrefix(name, "G1c") }))
}

// shrink leaves out transactions, with those that read from them, as long as the goal stays impossible.
func (p *puzzle) shrink(g goal, core []int32, steps int) []int32 {
	for size := len(core) / 2; size > 0 && steps > 0; size /= 2 {
		for at := 0; at < len(core) && steps > 0; {
			fewer := p.without(core, core[at:min(at+size, len(core))])
			if len(fewer) < len(core) && p.solve(g, fewer, &steps) == impossible {
				core = fewer
			} else {
				at += size
			}
		}
	}
	return core
}

// without returns transactions less some of them and less those that read from these.
func (p *puzzle) without(txns, less []int32) []int32 {
	gone := map[int32]bool{}
	for queue := slices.Clone(less); len(queue) > 0; {
		t := queue[len(queue)-1]
		queue = queue[:len(queue)-1]
		if gone[t] {
			continue
		}
		gone[t] = true
		for _, a := range p.graph.out(t) {
			if a.edge() == wr {
				queue = append(queue, a.node())
			}
		}
	}
	return slices.DeleteFunc(slices.Clone(txns), func(t int32) bool { return gone[t] })
}

// noOrder explains that some transactions fit no order.
func (p *puzzle) noOrder(g goal, core []int32) Anomaly {
	var did []string
	for _, t := range core {
		var ops []string
		for f := p.start[t]; f < p.start[t+1]; f++ {
			switch op := p.op(f, t); {
			case op.Kind == Write:
				ops = append(ops, fmt.Sprintf("wrote %s=%s", op.Key, p.say(op.Value)))
			case op.Kind == Append:
				ops = append(ops, fmt.Sprintf("appended %s to %s", p.say(op.Value), op.Key))
			case op.Unread || p.txns[t].Outcome != history.OK:
			case op.Nil:
				ops = append(ops, fmt.Sprintf("read %s=nothing", op.Key))
			case op.List != nil || op.Value == 0:
				ops = append(ops, fmt.Sprintf("read %s=%s", op.Key, p.list(op.List)))
			default:
				ops = append(ops, fmt.Sprintf("read %s=%s", op.Key, p.say(op.Value)))
			}
		}
		when := ""
		if g.base != 0 {
			when = fmt.Sprintf(" (client %s, %v to %v)", p.txns[t].Client, p.txns[t].Call, p.txns[t].Return)
		}
		did = append(did, fmt.Sprintf("%s %s%s", p.name(t), strings.Join(ops, ", "), when))
	}
	return p.anomaly(fmt.Sprintf("in whatever order the versions came to be, %s is broken: %s", g.model, strings.Join(did, "; ")), core...)
}

// rounds bounds how often serial goes from what is known to what follows from that.
const rounds = 8

// serial tries to prove a serializability goal with a witness, and to disprove it. As long as neither comes off it adds
// to the known dependencies what they imply: what led to a reader, through them and, as the goal says, through sessions
// and real time, came before the version that it read, and what that version led to came after the reader. If that
// makes a cycle it is reported.
func (r *registers) serial(g goal, tl *timeline, zones *zones) bool {
	var es edges
	for n := range int32(r.graph.nodes()) {
		for _, a := range r.graph.out(n) {
			es.add(n, a.node(), a.edge())
		}
	}
	order := *tl
	if !g.base.has(rt) {
		order.byEnd = nil
	}
	if g.base.has(so) {
		r.eachSession(func(u, v int32) { es.add(u, v, so) })
	}
	type pair struct {
		a, b int32
		e    edge
	}
	how := map[pair]demand{}
	for round := range rounds {
		known := es.graph(r.graph.nodes(), r.graph.real)
		if r.witness(&known, g.base, tl, zones) || !g.base.has(rt) && r.witness(&known, g.base, tl, nil) {
			return true
		}
		if !g.base.has(so) {
			return false // without sessions there is no way to follow what led to what
		}
		if left := core(&known, &order); len(left) > 0 {
			p := known.cut(left, tl, r.run)
			l := level{p: &p, mask: maskOf(ww, wr, rw) | g.base}
			comps, of := l.components()
			s := &search{f: r.found, c: r.compiled, walker: newWalker(&p, &r.found.steps), why: func(u, v int32, e edge) reason {
				if d, ok := how[pair{u, v, e}]; ok {
					return reason{r.keys.name[r.vs.key[d.first]], r.sayDemand(d), d.reader}
				}
				return r.why(u, v, e)
			}}
			for _, comp := range comps {
				for _, first := range []edge{ww, rw, wr} {
					if hops, _ := s.shortest(&l, first, comp, of, true); hops != nil {
						s.f.add(g.anomaly, func() Anomaly { return s.explain(hops) })
						break
					}
				}
			}
			return false
		}
		demands, _ := r.led(&known, g.base.has(rt), round > 0)
		before := len(es.from)
		for _, d := range demands {
			p := pair{r.writer[d.first], d.reader, ww}
			switch {
			case d.then >= 0 && r.writer[d.then] != d.reader && r.readsFrom(d.reader, d.first):
				p = pair{d.reader, r.writer[d.then], rw}
			case d.then >= 0:
				p.b = r.writer[d.then]
			}
			if _, ok := how[p]; !ok && p.a != p.b {
				how[p] = d
				es.add(p.a, p.b, p.e)
			}
		}
		if len(es.from) == before && round > 0 {
			return false
		}
	}
	return false
}

// puzzle returns what is open for registers: the order of all writes of each key.
func (r *registers) puzzle() *puzzle {
	p := &puzzle{compiled: r.compiled, graph: &r.graph, open: map[int32][]int32{}, readers: map[int32][]int32{}}
	for _, w := range r.writes {
		p.open[r.vs.key[w]] = append(p.open[r.vs.key[w]], w)
	}
	r.eachRead(func(t, _, from int32) {
		if from >= 0 {
			p.readers[from] = append(p.readers[from], t)
		}
	})
	return p
}

// openLists decides for lists what depends on the order of appends that no read has seen. Where transactions are
// serializable any order of them that agrees with the rest will do; below that, which one comes first can matter, as
// to snapshot isolation two writers of one key are never concurrent.
func (f *findings) openLists(l *lists) {
	p := &puzzle{compiled: l.compiled, graph: &l.graph, open: map[int32][]int32{}}
	var es edges
	for n := range int32(l.graph.nodes()) {
		for _, a := range l.graph.out(n) {
			es.add(n, a.node(), a.edge())
		}
	}
	for k := range int32(len(l.keys.name)) {
		for _, w := range l.unreads[l.unread[k]:l.unread[k+1]] {
			if ws := p.open[k]; len(ws) == 0 || l.writer[ws[len(ws)-1]] != l.writer[w] {
				p.open[k] = append(ws, w)
			}
		}
		ws := p.open[k]
		for i := 1; i < len(ws); i++ {
			es.add(l.writer[ws[i-1]], l.writer[ws[i]], ww)
			es.add(l.writer[ws[i]], l.writer[ws[i-1]], ww)
		}
	}
	tl := l.timeline()
	wide := es.graph(l.graph.nodes(), l.graph.real)
	left := core(&wide, tl)
	whole := wide.cut(left, tl, l.run)
	stands := map[mask]bool{} // by base: whether transactions are serializable
	for _, g := range goals {
		if g.shape == anyWalk {
			stands[g.base] = !f.breaks(g.model)
		}
		if stands[g.base] || f.decided(g) {
			continue
		}
		within := level{p: &whole, mask: maskOf(ww, wr, rw) | g.base}
		comps, _ := within.components()
		for _, comp := range comps {
			var members []int32
			for _, n := range whole.members(comp) {
				if int(n) < l.graph.real {
					members = append(members, n)
				}
			}
			steps := f.opts.Steps
			switch p.solve(g, members, &steps) {
			case impossible:
				core := p.shrink(g, members, f.opts.Steps)
				f.add(g.anomaly, func() Anomaly { return p.noOrder(g, core) })
			case unsure:
				for _, m := range append([]string{g.model}, g.also...) {
					f.leave(m, g.anomaly, fmt.Sprintf("%s: %d transactions depend on each other through appends that no read shows, too many to try their orders", m, len(members)))
				}
			}
		}
	}
}
