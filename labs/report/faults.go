package report

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"faultlab/checker/history"
	"faultlab/nemesis"
	"faultlab/nodes"
)

// A fault is one row of the table of faults.
type fault struct {
	Number     int
	Name       string
	When, Long string
	Aim        string // whom it was for, and who that was
	Effects    []string
	Took       bool
	Why        string
}

func faultName(kind, form string) string {
	if form == "" {
		return kind
	}
	return kind + ":" + form
}

// faults lists what was really done, with what the schedule says of it, and then what the schedule says and nothing tells of.
func faults(schedule nemesis.Schedule, h *history.History) []fault {
	var rows []fault
	used := make([]bool, len(schedule))
	places := newPlaces(h.Members)
	for i, w := range h.Windows {
		f := fault{
			Number: i + 1, Name: faultName(w.Kind, w.Form), When: at(w.Start) + " – " + at(w.End), Long: short(w.End - w.Start),
			Aim: aim(places, w), Took: w.Took, Why: w.Why,
		}
		for j, planned := range schedule {
			if !used[j] && planned.Kind == w.Kind && planned.Form == w.Form && planned.Role == w.Role {
				used[j] = true
				if how := how(planned); how != "" {
					f.Effects = append(f.Effects, how)
				}
				break
			}
		}
		if len(w.Down) > 0 {
			f.Effects = append(f.Effects, "down: "+places.names(w.Down))
		}
		if len(w.Cuts) > 0 {
			f.Effects = append(f.Effects, "cut: "+places.links(w.Cuts))
		}
		if len(w.Hurts) > 0 {
			f.Effects = append(f.Effects, "slow or lossy: "+places.links(w.Hurts))
		}
		rows = append(rows, f)
	}
	for j, planned := range schedule {
		if used[j] {
			continue
		}
		var ids []string
		for _, id := range planned.Nodes {
			ids = append(ids, string(id))
		}
		rows = append(rows, fault{
			Name: faultName(planned.Kind, planned.Form), When: at(planned.At) + " into the safety phase", Long: short(planned.For),
			Aim: aim(places, history.Window{Nodes: ids, Role: planned.Role}), Why: "the run has no record of it",
		})
	}
	return rows
}

func aim(p places, w history.Window) string {
	switch names := p.names(w.Nodes); {
	case w.Role == "":
		return names
	case names == "":
		return w.Role + ", who was nobody"
	default:
		return w.Role + ", who was " + names
	}
}

// how says what else a fault was told.
func how(f nemesis.Fault) string {
	var ws []string
	if q := f.Quality; q != nil {
		for _, c := range []struct {
			mille int
			name  string
		}{{q.LossPerMille, "lost"}, {q.DuplicatePerMille, "duplicated"}, {q.ReorderPerMille, "reordered"}} {
			if c.mille > 0 {
				ws = append(ws, percent(c.mille, 1000)+" "+c.name)
			}
		}
		switch {
		case q.Delay > 0 && q.Spread != nodes.Constant:
			ws = append(ws, "about "+short(q.Delay)+" later ("+string(q.Spread)+")")
		case q.Delay > 0:
			ws = append(ws, short(q.Delay)+" later")
		}
		if q.Jitter > 0 {
			ws = append(ws, "up to "+short(q.Jitter)+" of jitter")
		}
	}
	if f.Every > 0 {
		ws = append(ws, "on and off every "+short(f.Every))
	}
	switch {
	case f.Offset > 0:
		ws = append(ws, "clock "+short(f.Offset)+" ahead")
	case f.Offset < 0:
		ws = append(ws, "clock "+short(-f.Offset)+" behind")
	}
	if f.DriftPPM != 0 {
		ws = append(ws, fmt.Sprintf("clock drifts by %d ppm", f.DriftPPM))
	}
	return list(ws)
}

// Places know which members make up a region, so that all of them can be said in one word.
type places struct {
	order map[string]int // member to its place in the topology
	home  map[string]string
	size  map[string]int
}

func newPlaces(members []history.Member) places {
	p := places{map[string]int{}, map[string]string{}, map[string]int{}}
	for i, m := range members {
		p.order[m.ID], p.home[m.ID] = i+1, m.Region
		p.size[m.Region]++
	}
	return p
}

// names lists members in the order of the topology, a whole region by its name, and others last: "region A, b1 clients".
func (p places) names(ids []string) string {
	ids = slices.Clone(ids)
	slices.SortFunc(ids, func(a, b string) int {
		i, j := p.order[a], p.order[b]
		if (i == 0) != (j == 0) {
			return j - i
		}
		return cmp.Or(i-j, strings.Compare(a, b))
	})
	ids = slices.Compact(ids)
	count := map[string]int{}
	for _, id := range ids {
		count[p.home[id]]++
	}
	if len(p.size) > 1 && len(ids) == len(p.order) && count[""] == 0 {
		return "all nodes"
	}
	var out, loose []string
	for _, id := range ids {
		region := p.home[id]
		switch {
		case region == "" || count[region] < p.size[region]:
			loose = append(loose, id)
		case len(out) == 0 || out[len(out)-1] != "region "+region:
			out = append(out, "region "+region)
		}
	}
	if len(loose) > 0 {
		out = append(out, strings.Join(loose, " "))
	}
	return list(out)
}

// links says which links, by those that they lead from: "region A ⇄ b1 b2", "c1 → a1".
func (p places) links(ls []history.Link) string {
	var froms []string
	to := map[string][]string{}
	for _, l := range ls {
		if _, ok := to[l.From]; !ok {
			froms = append(froms, l.From)
		}
		to[l.From] = append(to[l.From], l.To)
	}
	type group struct {
		from []string
		to   string
	}
	var groups []group // those that lead to the same
	for _, from := range froms {
		names := p.names(to[from])
		i := slices.IndexFunc(groups, func(g group) bool { return g.to == names })
		if i < 0 {
			i = len(groups)
			groups = append(groups, group{to: names})
		}
		groups[i].from = append(groups[i].from, from)
	}
	const most = 4
	var said []string
	gone := make([]bool, len(groups))
	for i, g := range groups {
		if gone[i] {
			continue
		}
		from, arrow := p.names(g.from), " → "
		for j := i + 1; j < len(groups); j++ {
			if !gone[j] && groups[j].to == from && p.names(groups[j].from) == g.to {
				gone[j], arrow = true, " ⇄ "
				if len(g.from) > len(groups[j].from) { // the few first: they were cut off from the many
					from, g.to = g.to, from
				}
			}
		}
		said = append(said, from+arrow+g.to)
	}
	if len(said) > most {
		said = append(said[:most-1], fmt.Sprintf("… %s in all", plural(len(ls), "link")))
	}
	return strings.Join(said, "; ")
}
