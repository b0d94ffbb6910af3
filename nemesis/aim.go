package nemesis

import (
	"errors"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"faultlab/nodes"
)

// This file chooses members and links for the kinds' forms. All choices keep the order of the topology, so that a fault
// prints the same however its members were chosen.

// one is any member.
func one(r *rand.Rand, g Ground) Fault {
	ids := g.Topology.IDs()
	if len(ids) == 0 {
		return Fault{}
	}
	return Fault{Nodes: []nodes.ID{ids[r.IntN(len(ids))]}}
}

// keeper is any member of a consensus group: one that keeps something.
func keeper(r *rand.Rand, g Ground) Fault {
	ids := only(g.Topology.IDs(), func(id nodes.ID) bool {
		return slices.ContainsFunc(g.groups(), func(group []nodes.ID) bool { return slices.Contains(group, id) })
	})
	if len(ids) == 0 {
		return Fault{}
	}
	return Fault{Nodes: []nodes.ID{ids[r.IntN(len(ids))]}}
}

// minority is as many members as can be chosen at random such that each group loses no more than it tolerates.
func minority(r *rand.Rand, g Ground) Fault {
	ids, chosen := g.Topology.IDs(), map[nodes.ID]bool{}
	room := func(id nodes.ID) bool {
		member := false
		for _, group := range g.groups() {
			if !slices.Contains(group, id) {
				continue
			}
			member = true
			gone := 1
			for _, other := range group {
				if chosen[other] {
					gone++
				}
			}
			if gone > tolerated(len(group)) {
				return false
			}
		}
		return member
	}
	for _, i := range r.Perm(len(ids)) {
		if room(ids[i]) {
			chosen[ids[i]] = true
		}
	}
	return Fault{Nodes: only(ids, func(id nodes.ID) bool { return chosen[id] })}
}

// everyone is all members.
func everyone(_ *rand.Rand, g Ground) Fault {
	return Fault{Nodes: g.Topology.IDs(), Aim: "nodes"}
}

// region is all members of one of several regions.
func region(r *rand.Rand, g Ground) Fault {
	regions := g.Topology.Regions()
	if len(regions) < 2 {
		return Fault{}
	}
	name := regions[r.IntN(len(regions))]
	return Fault{Nodes: g.Topology.In(name), Aim: name}
}

// zone is all members of consensus groups that stand in one of several zones: a cloud, where those are clouds.
func zone(r *rand.Rand, g Ground) Fault {
	in := map[string][]nodes.ID{}
	var zones []string
	for _, m := range g.Topology.Members {
		if slices.ContainsFunc(g.groups(), func(group []nodes.ID) bool { return slices.Contains(group, m.ID) }) {
			if in[m.Zone] == nil {
				zones = append(zones, m.Zone)
			}
			in[m.Zone] = append(in[m.Zone], m.ID)
		}
	}
	if len(zones) < 2 {
		return Fault{}
	}
	name := zones[r.IntN(len(zones))]
	return Fault{Nodes: in[name], Aim: name}
}

// leader is whoever leads one group when the fault strikes.
func leader(r *rand.Rand, g Ground) Fault {
	return roleOf(r, only(g.Roles, func(role string) bool { return strings.HasPrefix(role, "leader") }))
}

// role is whoever has one of the lab's roles when the fault strikes.
func role(r *rand.Rand, g Ground) Fault { return roleOf(r, g.Roles) }

func roleOf(r *rand.Rand, roles []string) Fault {
	if len(roles) == 0 {
		return Fault{}
	}
	return Fault{Role: roles[r.IntN(len(roles))]}
}

// pair is two members of one group, in the order drawn, since a link has a direction.
func pair(r *rand.Rand, g Ground) (a, b nodes.ID, ok bool) {
	groups := only(g.groups(), func(group []nodes.ID) bool { return len(group) > 1 })
	if len(groups) == 0 {
		return "", "", false
	}
	group := groups[r.IntN(len(groups))]
	two := r.Perm(len(group))
	return group[two[0]], group[two[1]], true
}

// between is the links from each of one set to each of the other; no member has a link to itself.
func between(from, to []nodes.ID) []nodes.Link {
	var links []nodes.Link
	for _, a := range from {
		for _, b := range to {
			if a != b {
				links = append(links, nodes.Link{From: a, To: b})
			}
		}
	}
	return links
}

// both is between, there and back.
func both(a, b []nodes.ID) []nodes.Link { return append(between(a, b), between(b, a)...) }

// mesh is all links between members.
func mesh(g Ground) []nodes.Link { return between(g.Topology.IDs(), g.Topology.IDs()) }

// around is the links between some members and all others, there and back.
func around(g Ground, some []nodes.ID) []nodes.Link { return both(some, others(g, some)) }

// others is the members that are not among some.
func others(g Ground, some []nodes.ID) []nodes.ID {
	return only(g.Topology.IDs(), func(id nodes.ID) bool { return !slices.Contains(some, id) })
}

// sample is k of the ids, in their order.
func sample(r *rand.Rand, ids []nodes.ID, k int) []nodes.ID {
	chosen := map[nodes.ID]bool{}
	for _, i := range r.Perm(len(ids))[:k] {
		chosen[ids[i]] = true
	}
	return only(ids, func(id nodes.ID) bool { return chosen[id] })
}

// only is the elements for which keep holds.
func only[T any](all []T, keep func(T) bool) []T {
	var kept []T
	for _, x := range all {
		if keep(x) {
			kept = append(kept, x)
		}
	}
	return kept
}

// uniform is a duration from lo to hi, in microseconds.
func uniform(r *rand.Rand, lo, hi time.Duration) time.Duration {
	return lo + time.Duration(r.Int64N(int64((hi-lo)/time.Microsecond)+1))*time.Microsecond
}

// within is a number from lo to hi.
func within(r *rand.Rand, lo, hi int) int { return lo + r.IntN(hi-lo+1) }

// join prints members.
func join(ids []nodes.ID) string {
	var b strings.Builder
	for i, id := range ids {
		if i > 0 {
			b.WriteByte(' ')
		}
		b.WriteString(string(id))
	}
	return b.String()
}

// needNodes is the Check of kinds that hit members.
func needNodes(f Fault) error {
	if len(f.Nodes) == 0 && f.Role == "" {
		return errors.New(`hits nobody: give it "nodes" or a "role"`)
	}
	return nil
}

// needLinks is the Check of kinds that harm links.
func needLinks(f Fault) error {
	if len(f.Links) == 0 {
		return errors.New(`harms no link: give it "links", as {"from":"a1","to":"a2"}`)
	}
	return nil
}
