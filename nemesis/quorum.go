package nemesis

import (
	"fmt"
	"slices"
	"time"

	"faultlab/nodes"
)

// fits says whether two faults may overlap: no group loses more to them together than it tolerates, and neither hits
// nodes that the other has taken out. Kill and power loss of everybody leave every group its data, so that any fault of
// links or clocks fits them.
func fits(g Ground, a, b Fault) bool {
	if g.Beyond {
		return true
	}
	if a.fells() && b.fells() {
		met := slices.ContainsFunc(a.Nodes, func(id nodes.ID) bool { return slices.Contains(b.Nodes, id) })
		if met || a.Role != "" || b.Role != "" { // who has a role may be the one who is hit
			return false
		}
	}
	if a.takes() != Promises && b.takes() != Promises && (a.passing() || b.passing()) {
		return true
	}
	return bearable(g, a, b)
}

// bearable says whether no group loses more to all these faults together than it tolerates.
func bearable(g Ground, faults ...Fault) bool {
	return !slices.ContainsFunc(g.groups(), func(group []nodes.ID) bool { return stranded(group, faults) > tolerated(len(group)) })
}

// within says that f alone takes no more promises from a group than that tolerates, or may do so.
func (g Ground) within(f Fault) bool { return g.Beyond || f.takes() != Promises || bearable(g, f) }

// replacedWithin is how long, in calm, a member whose promises are gone may take until another stands in for it: it
// boots, asks to be a member again, is sent a snapshot and gets its vote.
const replacedWithin = 10 * time.Second

// passing says that f takes everybody out at once, and nobody's promises: all come back with what they had.
func (f Fault) passing() bool {
	return f.takes() == Presence && (f.Form == "all" || f.Kind == restartAll.Name)
}

// Excess says where a schedule takes more from a consensus group than it may: those whose promises are gone and who have
// not been replaced, and those that are down or cut off meanwhile, are together more than the group tolerates. It is ""
// if that is nowhere so. Where no promises are lost, any number may be down.
func (s Schedule) Excess(g Ground) string {
	for i, f := range s {
		var met []Fault
		lost := false
		for j, e := range s {
			until := e.At + e.For
			if e.takes() == Promises {
				until += replacedWithin
			}
			// Of two that begin together each meets the other, and is looked at once.
			if e.passing() || e.At > f.At || e.At == f.At && j > i || until <= f.At {
				continue
			}
			lost = lost || e.takes() == Promises
			met = append(met, e)
		}
		if lost && !f.passing() && !bearable(g, met...) {
			return fmt.Sprintf("fault %d, %s: of a consensus group so many members are then down or cut off, or lost and not yet replaced, that what it promised may be gone", i+1, f)
		}
	}
	return ""
}

// Excess is told of a schedule, debts of one that is being drawn: faults that took promises which are not yet replaced.
type debts []debt

type debt struct {
	Fault
	until time.Duration
}

// allow says whether f may strike while the debts last, and the same for what else strikes with it.
func (d debts) allow(g Ground, faults ...Fault) bool {
	for _, f := range faults {
		var met []Fault
		for _, owed := range d {
			if owed.until > f.At {
				met = append(met, owed.Fault)
			}
		}
		if !g.Beyond && len(met) > 0 && !f.passing() && !bearable(g, append(met, f)...) {
			return false
		}
	}
	return true
}

// note adds what f owes, and puts off what is owed for as long as f may keep a lost member from being replaced.
func (d *debts) note(f Fault) {
	end := f.At + f.For
	for i := range *d {
		if owed := &(*d)[i]; owed.until > f.At {
			owed.until = max(owed.until, end+replacedWithin)
		}
	}
	if f.takes() == Promises {
		*d = append(*d, debt{f, end + replacedWithin})
	}
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

// takes is what f takes from groups.
func (f Fault) takes() Loss {
	if k, ok := Find(f.Kind); ok && k.Takes != nil {
		return k.Takes(f)
	}
	return Nothing
}

// fells says whether f takes nodes out.
func (f Fault) fells() bool { return f.takes() != Nothing }

// cuts says whether f cuts links between members.
func (f Fault) cuts() bool {
	return (f.Quality == nil || f.Quality.Cut || f.Quality.Hold) &&
		slices.ContainsFunc(f.Links, func(l nodes.Link) bool { return l.From != nodes.Clients && l.To != nodes.Clients })
}
