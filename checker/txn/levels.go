package txn

import (
	"slices"
	"strings"
)

// cycles finds and explains the cycles of a graph, class by class, from the worst to the mildest, within each strongly
// connected component of all dependencies and real time together. Whether a class occurs is decided exactly; only the
// search for the shortest example is cut short when the steps are used up. A cycle is not reported where one that
// implies it was found in the same component, nor are process and realtime forms that break no model beyond those
// that are broken without them. The searches are returned for prefix.
func (f *findings) cycles(c *compiled, g *graph, why func(u, v int32, e edge) reason) []*search {
	tl := c.timeline()
	left := core(g, tl)
	if len(left) == 0 {
		return nil
	}
	whole := g.cut(left, tl, c.run)
	all := level{p: &whole, mask: maskOf(ww, wr, rw, so, rt)}
	comps, _ := all.components()
	var searches []*search
	for _, comp := range comps {
		part := whole
		if members := whole.members(comp); len(members) < len(left) {
			part = g.cut(members, tl, c.run)
		}
		searches = append(searches, &search{f: f, c: c, why: why, walker: newWalker(&part, &f.steps)})
	}
	for _, form := range forms {
		allowed := f.useful(form.suffix)
		for _, s := range searches {
			s.run(form, allowed)
		}
	}
	for _, s := range searches {
		if f.sought(longFork) {
			s.fork()
		}
	}
	return searches
}

// prefix judges prefix consistency, unless it stands because more does, or is broken anyway and nobody asked how.
func (f *findings) prefix(searches []*search) {
	if f.breaks("strong-session-snapshot-isolation") && (!f.breaks("prefix") || f.sought("prefix-violation")) {
		for _, s := range searches {
			s.prefix()
		}
	}
}

// prefix looks for cycles in which each anti-dependency comes right after a read or a step of a session: a transaction
// saw something of what was there at some moment, and missed what had been there before it (Cerone, Bernardi and
// Gotsman 2015; with sessions).
func (s *search) prefix() {
	l := &level{p: s.p, mask: maskOf(ww, wr, rw, so), behind: true}
	comps, of := l.components()
	for _, comp := range comps {
		for _, first := range []edge{wr, so} {
			var sources []int32
			for _, state := range comp {
				if of[state&^1] == of[comp[0]] || state&1 == 1 {
					sources = append(sources, state&^1)
				}
			}
			if c, _ := s.shortest(l, first, sources, nil, true); c != nil {
				s.f.add("prefix-violation", func() Anomaly { return s.explain(c) })
				break
			}
		}
	}
}

// A form is a kind of order that cycles may use beside the dependencies of data.
type form struct {
	suffix string
	mask   mask
}

var forms = [...]form{{"", 0}, {"-process", maskOf(so)}, {"-realtime", maskOf(so, rt)}}

// The classes of cycles, the worst first, by what their edges are.
const (
	g0           = "G0"                 // ww
	g1c          = "G1c"                // ww and wr
	gSingle      = "G-single-item"      // and just one rw
	gNonadjacent = "G-nonadjacent-item" // or more, but never two in a row
	g2           = "G2-item"            // or however many
	longFork     = "long-fork"
	lostUpdate   = "lost-update"
)

// useful returns the cycle anomalies of a form that are worth a search: all of the plain form, and of the others those
// that were asked for by name or break a model that no cycle has broken yet.
func (f *findings) useful(suffix string) map[string]bool {
	broken := map[string]bool{}
	cycles := slices.DeleteFunc(f.names(), func(name string) bool {
		return name != lostUpdate && !strings.HasPrefix(name, "G0") && !strings.HasPrefix(name, "G1c") && !strings.HasPrefix(name, "G2") && !strings.HasPrefix(name, "G-")
	})
	for _, m := range brokenBy(cycles) {
		broken[m] = true
	}
	asked := f.opts.explicit()
	useful := map[string]bool{}
	for _, class := range []string{g0, g1c, gSingle, gNonadjacent, g2} {
		name := class + suffix
		useful[name] = suffix == "" || asked[name]
		for _, m := range brokenBy([]string{name}) {
			useful[name] = useful[name] || !broken[m]
		}
	}
	return useful
}

// A search goes through the classes within one component.
type search struct {
	*walker
	f     *findings
	c     *compiled
	why   func(u, v int32, e edge) reason
	found []sighting
}

// A sighting is a cycle that was found: its name and one of its nodes.
type sighting struct {
	name string
	node int32
}

// covered says that a cycle that implies this anomaly was found in the component of that number.
func (s *search) covered(name string, of []int32, comp int32) bool {
	for _, x := range s.found {
		if of[2*x.node] == comp && implies(x.name, name) {
			return true
		}
	}
	return false
}

func (s *search) run(form form, allowed map[string]bool) {
	order := maskOf(ww, wr) | form.mask
	s.plain(g0+form.suffix, allowed, &level{p: s.p, mask: maskOf(ww) | form.mask}, ww)
	s.plain(g1c+form.suffix, allowed, &level{p: s.p, mask: order}, wr)
	single, apart, any := gSingle+form.suffix, gNonadjacent+form.suffix, g2+form.suffix
	if !allowed[single] && !allowed[apart] && !allowed[any] {
		return
	}
	full := &level{p: s.p, mask: order | maskOf(rw)}
	comps, of := full.components()
	if len(comps) == 0 {
		return
	}
	if allowed[single] || allowed[apart] {
		s.singles(single, apart, &level{p: s.p, mask: order}, of)
	}
	if allowed[any] {
		for i, comp := range comps {
			if !s.covered(any, of, int32(i)) {
				s.take(any, full, rw, comp, of)
			}
		}
	}
}

// plain reports a cycle of each component of a level that has one through an edge of that type.
func (s *search) plain(name string, allowed map[string]bool, l *level, first edge) {
	if !allowed[name] {
		return
	}
	comps, of := l.components()
	for i, comp := range comps {
		if !s.covered(name, of, int32(i)) {
			s.take(name, l, first, comp, of)
		}
	}
}

func (s *search) take(name string, l *level, first edge, comp, of []int32) {
	if c, _ := s.shortest(l, first, comp, of, true); c != nil {
		s.add(name, c)
	}
}

// singles reports cycles with rw edges that are never next to each other, in each component of walks of that sort: one
// with a single rw edge if there is any, else one with more. within is the component, in plain walks, of each state.
func (s *search) singles(single, apart string, order *level, within []int32) {
	l := &level{p: s.p, mask: order.mask | maskOf(rw), apart: true}
	comps, of := l.components()
	unsure := false
	for i, comp := range comps {
		if s.covered(single, of, int32(i)) {
			continue
		}
		var sources []int32
		for _, state := range comp {
			if state&1 == 1 {
				continue
			}
			for _, a := range s.p.out(state / 2) {
				if a.edge() == rw && of[2*a.node()+1] == int32(i) {
					sources = append(sources, state)
					break
				}
			}
		}
		if len(sources) == 0 {
			continue
		}
		c, complete := s.shortest(order, rw, sources, within, false)
		if c == nil && !complete && !unsure {
			unsure = true
			if u := lone(order, s.steps); u >= 0 {
				c = s.cycle(order, u, rw, 0, nil, 0)
			}
		}
		switch {
		case c != nil:
			s.add(single, c)
		case !s.covered(apart, of, int32(i)):
			s.take(apart, l, rw, sources, of)
		}
	}
}

// add reports a cycle.
func (s *search) add(name string, hops []hop) {
	s.found = append(s.found, sighting{name, hops[0].from})
	s.f.add(name, func() Anomaly { return s.explain(hops) })
	if isLongFork(hops) {
		s.f.add(longFork, func() Anomaly { return s.explain(hops) })
	}
}

// isLongFork says that two readers disagree which of two writes came first: each saw one and missed the other.
func isLongFork(hops []hop) bool {
	missed, seen := 0, 0
	for _, h := range hops {
		switch h.edge {
		case rw:
			missed++
		case wr:
			seen++
		}
	}
	return missed == 2 && seen == 2 && len(hops) == 4
}

// fork looks for a long fork among all cycles: those that were found are the shortest, or the worst.
func (s *search) fork() {
	p := s.p
	each := func(n int32, e edge, do func(to int32) bool) bool {
		var follow func(arcs []arc) bool
		follow = func(arcs []arc) bool {
			for _, a := range arcs {
				*s.steps--
				switch to := a.node(); {
				case a.edge() != e && a.edge() != relay:
				case int(to) < p.real:
					if !do(to) {
						return false
					}
				case !follow(p.out(to)):
					return false
				}
			}
			return true
		}
		for i, a := range p.out(n) {
			if a.edge() == e && !follow(p.out(n)[i:i+1]) {
				return false
			}
		}
		return true
	}
	var sources edges // who each transaction read from
	for n := range int32(p.real) {
		each(n, wr, func(to int32) bool { sources.add(to, n, wr); return true })
	}
	from := sources.graph(p.nodes(), p.real)
	for a := range int32(p.real) { // a missed w, which b saw; b missed v, which a saw
		if *s.steps < 0 {
			s.f.perhaps = append(s.f.perhaps, longFork)
			s.f.rested = "long-fork: the search was given up"
			return
		}
		if len(from.out(a)) == 0 {
			continue
		}
		more := each(a, rw, func(w int32) bool {
			return each(w, wr, func(b int32) bool {
				return b == a || each(b, rw, func(v int32) bool {
					if v == w || !slices.Contains(from.out(a), to(v, wr)) {
						return true
					}
					s.f.add(longFork, func() Anomaly {
						return s.explain([]hop{{a, w, rw}, {w, b, wr}, {b, v, rw}, {v, a, wr}})
					})
					return false
				})
			})
		})
		if !more {
			return
		}
	}
}

// explain turns a cycle into an example, beginning with its first transaction.
func (s *search) explain(hops []hop) Anomaly {
	least := 0
	for i := range hops {
		if s.p.node[hops[i].from] < s.p.node[hops[least].from] {
			least = i
		}
	}
	hops = append(slices.Clone(hops[least:]), hops[:least]...)
	var a Anomaly
	var txns []int32
	var whys []string
	for _, h := range hops {
		u, v := s.p.node[h.from], s.p.node[h.to]
		r := s.why(u, v, h.edge)
		a.Cycle = append(a.Cycle, Step{From: s.c.txns[u].Index, To: s.c.txns[v].Index, Edge: edgeNames[h.edge], Key: r.key, Why: r.why})
		txns = append(txns, u)
		if r.witness >= 0 {
			txns = append(txns, r.witness)
		}
		if len(whys) < 6 {
			whys = append(whys, r.why)
		}
	}
	if n := len(hops) - len(whys); n > 0 {
		whys = append(whys, "and so on around")
	}
	a.Reason = strings.Join(whys, "; ")
	a.Ops = s.c.indices(txns)
	return a
}
