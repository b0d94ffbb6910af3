package nemesis

import (
	"slices"

	"faultlab/nodes"
)

// fits says whether two faults may overlap: no group loses more to them together than it tolerates, and neither hits
// nodes that the other has taken out. Kill and power loss of everybody leave every group its data, so that any fault of
// links or clocks fits them.
func fits(g Ground, a, b Fault) bool {
	if a.fells() && b.fells() {
		met := slices.ContainsFunc(a.Nodes, func(id nodes.ID) bool { return slices.Contains(b.Nodes, id) })
		if met || a.Role != "" || b.Role != "" { // who has a role may be the one who is hit
			return false
		}
	}
	if a.fells() && a.Form == "all" || b.fells() && b.Form == "all" {
		return true
	}
	for _, group := range g.groups() {
		if stranded(group, []Fault{a, b}) > tolerated(len(group)) {
			return false
		}
	}
	return true
}

// dark says whether f leaves no group a majority.
func dark(g Ground, f Fault) bool {
	for _, group := range g.groups() {
		if len(group)-stranded(group, []Fault{f}) > len(group)/2 {
			return false
		}
	}
	return true
}

// stranded counts the members of a group that are down, or cut off from a majority of it. Who has a role is not known
// before the fault strikes, and is counted as one more.
func stranded(group []nodes.ID, faults []Fault) int {
	down, cut, unknown := map[nodes.ID]bool{}, map[nodes.Link]bool{}, 0
	for _, f := range faults {
		switch {
		case f.Role != "" && (f.fells() || f.cuts()):
			unknown++
		case f.fells():
			for _, id := range f.Nodes {
				down[id] = true
			}
		case f.cuts():
			for _, l := range f.Links {
				cut[l] = true
			}
		}
	}
	n := unknown
	for _, a := range group {
		seen := len(only(group, func(b nodes.ID) bool {
			return !down[b] && !cut[nodes.Link{From: a, To: b}] && !cut[nodes.Link{From: b, To: a}]
		}))
		if down[a] || seen <= len(group)/2 {
			n++
		}
	}
	return min(n, len(group))
}

// fells says whether f takes nodes out, as all do that are aimed at nodes and not at links or clocks.
func (f Fault) fells() bool { return len(f.Links) == 0 && f.Offset == 0 && f.DriftPPM == 0 }

// cuts says whether f cuts links between members.
func (f Fault) cuts() bool {
	return (f.Quality == nil || f.Quality.Cut) &&
		slices.ContainsFunc(f.Links, func(l nodes.Link) bool { return l.From != nodes.Clients && l.To != nodes.Clients })
}
