package multimaster

import (
	"slices"
	"strings"

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
		Kind: "ops", Name: "move", About: "a range, or what was split off it, is moved to another group, and later back",
		Aims: movable,
		Do:   moveTo,
		Undo: moveHome,
		Ask:  anyone,
	}, {
		Kind: "ops", Name: "split", About: "a range is split in two, at a key",
		Aims: atKeys(func(r *mm.Range) []string { return []string{r.Name + splitAt[0], r.Name + splitAt[1]} }),
		Do:   func(a nemesis.Aim) any { return mm.Split{At: a.Group} },
		Ask:  anyone,
	}, {
		Kind: "ops", Name: "fence", About: "a range gets a higher epoch, and nothing is done under a lower one any more",
		Aims: atKeys(func(r *mm.Range) []string { return []string{r.Name, r.Name + "/z"} }),
		Do:   func(a nemesis.Aim) any { return mm.Fence{Range: a.Group} },
		Ask:  anyone,
	}, {
		Kind: "ops", Name: "snapshot", About: "a member of a group takes a snapshot now, and cuts its log",
		Aims: aims(each),
		Do:   func(a nemesis.Aim) any { return mm.Compact{Group: a.Group} },
		Ask:  func(_ nodes.Topology, a nemesis.Aim) []nodes.ID { return a.Nodes },
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
func aims(choices func(nodes.Topology, *mm.Range) [][]nodes.ID) func(nodes.Topology) []nemesis.Aim {
	return func(t nodes.Topology) (list []nemesis.Aim) {
		l := mm.NewLayout(t)
		for _, r := range l.Groups() {
			for _, chosen := range choices(t, r) {
				list = append(list, nemesis.Aim{Group: r.Name, Nodes: chosen})
			}
		}
		return list
	}
}

func each(_ nodes.Topology, r *mm.Range) (list [][]nodes.ID) {
	for _, v := range r.Voters {
		list = append(list, []nodes.ID{v})
	}
	return list
}

func newcomers(t nodes.Topology, r *mm.Range) (list [][]nodes.ID) {
	for _, spare := range spares(t, r) {
		list = append(list, []nodes.ID{spare})
	}
	return list
}

// exchanges are a member and who takes its place.
func exchanges(t nodes.Topology, r *mm.Range) (list [][]nodes.ID) {
	for _, v := range r.Voters {
		for _, spare := range spares(t, r) {
			list = append(list, []nodes.ID{v, spare})
		}
	}
	return list
}

// movable are the ranges, each with the groups of its own sort that it can be moved to. What has been
// split off a range, if anything was, can be moved by itself.
func movable(t nodes.Topology) (list []nemesis.Aim) {
	l := mm.NewLayout(t)
	for _, r := range l.Ranges {
		for _, g := range l.Groups() {
			if (g.Region == "") == (r.Region == "") && g.Name != r.Group {
				list = append(list, nemesis.Aim{Group: r.Name + way + g.Name, Nodes: g.Voters}, nemesis.Aim{Group: r.Name + "/z" + way + g.Name, Nodes: g.Voters})
			}
		}
	}
	return list
}

// atKeys are aims at keys of each range, with the members that it concerns.
func atKeys(keys func(*mm.Range) []string) func(nodes.Topology) []nemesis.Aim {
	return func(t nodes.Topology) (list []nemesis.Aim) {
		for _, r := range mm.NewLayout(t).Ranges {
			for _, key := range keys(r) {
				list = append(list, nemesis.Aim{Group: key, Nodes: r.Voters})
			}
		}
		return list
	}
}

func anyone(t nodes.Topology, _ nemesis.Aim) []nodes.ID { return t.IDs() }

// splitAt are the places at which ranges are split, behind their names: in the middle of the lists, and after the last.
var splitAt = [2]string{"/" + listKind + "2", "/" + listKind + "z"}

const way = " to " // between a range, or a key in it, and the group that it moves to

// moveTo asks for a move; moveHome, that it be undone.
func moveTo(a nemesis.Aim) any {
	key, group, _ := strings.Cut(a.Group, way)
	return mm.MoveRange{Range: key, To: group}
}

func moveHome(a nemesis.Aim) any {
	key, _, _ := strings.Cut(a.Group, way)
	name, _, _ := strings.Cut(key, "/")
	if name == surviving {
		name = survivingGroup
	}
	return mm.MoveRange{Range: key, To: name}
}

// spares are the nodes of a range's region that are not its members at first.
func spares(t nodes.Topology, r *mm.Range) (list []nodes.ID) {
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
	return slices.Concat(r.Voters, spares(t, r))
}
