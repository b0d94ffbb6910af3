package multimaster

import (
	"slices"

	"faultlab/labs"
	"faultlab/nemesis"
	"faultlab/nodes"
	mm "faultlab/nodes/multimaster"
)

// operations are what an administrator may ask of the store: to move a leadership, and to change who is a member of a
// group. With nine nodes every node of a region is a member of its ranges, so that none can be added, and a member can
// only be removed for a while.
var operations = []labs.Operation{
	{
		Kind: "ops", Name: "transfer", About: "a group is led by another of its members",
		Aims: aims(each),
		Do:   func(a nemesis.Aim) any { return mm.Lead{Group: a.Group, Node: a.Nodes[0]} },
		Ask:  members,
	}, {
		Kind: "membership", Name: "add", About: "a node of the region becomes a member of a range",
		Aims: aims(newcomers),
		Do:   func(a nemesis.Aim) any { return mm.Members{Group: a.Group, In: a.Nodes} },
		Undo: func(a nemesis.Aim) any { return mm.Members{Group: a.Group, Out: a.Nodes} },
		Ask:  members,
	}, {
		Kind: "membership", Name: "remove", About: "a member leaves a group, and later joins it again",
		Aims: aims(each),
		Do:   func(a nemesis.Aim) any { return mm.Members{Group: a.Group, Out: a.Nodes} },
		Undo: func(a nemesis.Aim) any { return mm.Members{Group: a.Group, In: a.Nodes} },
		Ask:  members,
	}, {
		Kind: "membership", Name: "replace", About: "a node of the region takes the place of a member of a range",
		Aims: aims(exchanges),
		Do:   func(a nemesis.Aim) any { return mm.Members{Group: a.Group, In: a.Nodes[1:], Out: a.Nodes[:1]} },
		Undo: func(a nemesis.Aim) any { return mm.Members{Group: a.Group, In: a.Nodes[:1], Out: a.Nodes[1:]} },
		Ask:  members,
	},
}

// aims are the groups, each with all choices of nodes for it.
func aims(choices func(nodes.Topology, mm.Range) [][]nodes.ID) func(nodes.Topology) []nemesis.Aim {
	return func(t nodes.Topology) (list []nemesis.Aim) {
		l := mm.NewLayout(t)
		for _, r := range slices.Concat(l.Ranges, l.Status) {
			for _, chosen := range choices(t, r) {
				list = append(list, nemesis.Aim{Group: r.Name, Nodes: chosen})
			}
		}
		return list
	}
}

func each(_ nodes.Topology, r mm.Range) (list [][]nodes.ID) {
	for _, v := range r.Voters {
		list = append(list, []nodes.ID{v})
	}
	return list
}

func newcomers(t nodes.Topology, r mm.Range) (list [][]nodes.ID) {
	for _, spare := range spares(t, r) {
		list = append(list, []nodes.ID{spare})
	}
	return list
}

// exchanges are a member and who takes its place.
func exchanges(t nodes.Topology, r mm.Range) (list [][]nodes.ID) {
	for _, v := range r.Voters {
		for _, spare := range spares(t, r) {
			list = append(list, []nodes.ID{v, spare})
		}
	}
	return list
}

// spares are the nodes of a range's region that are not its members at first.
func spares(t nodes.Topology, r mm.Range) (list []nodes.ID) {
	for _, id := range t.In(r.Region) {
		if !slices.Contains(r.Voters, id) {
			list = append(list, id)
		}
	}
	return list
}

// members are all who may be members of a group.
func members(t nodes.Topology, a nemesis.Aim) []nodes.ID {
	r := mm.NewLayout(t).Group(a.Group)
	return slices.Concat(r.Voters, spares(t, *r))
}
