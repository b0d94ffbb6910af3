package queue

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"faultlab/labs"
	"faultlab/nemesis"
	"faultlab/nodes"
	q "faultlab/nodes/queue"
)

// operations are what an administrator may ask of the queue. Splits and merges are wishes about where shards end: what
// was split by load meanwhile does not stand in their way, and one undoes the other.
var operations = []labs.Operation{
	{
		Kind: "ops", Name: "split", About: "the shard of a quarter of a keyspace is split, and later merged",
		Aims: quarters,
		Do:   func(a nemesis.Aim) any { return q.Split{Range: a.Group} },
		Undo: func(a nemesis.Aim) any { left, right := halves(a.Group); return q.Merge{Left: left, Right: right} },
		Ask:  anybody,
	}, {
		Kind: "ops", Name: "merge", About: "the shards of two quarters of a keyspace are merged, and later split",
		Aims: pairs,
		Do:   func(a nemesis.Aim) any { left, right := halves(a.Group); return q.Merge{Left: left, Right: right} },
		Undo: func(a nemesis.Aim) any { return q.Split{Range: a.Group} },
		Ask:  anybody,
	}, {
		Kind: "ops", Name: "promote", About: "another region takes over a keyspace, and later gives it back",
		Aims: takeovers,
		Do:   func(a nemesis.Aim) any { return q.Promote{Home: a.Group, To: labs.RegionOf(string(a.Nodes[0]))} },
		Undo: func(a nemesis.Aim) any { return q.Promote{Home: a.Group, To: a.Group} },
		Ask: func(t nodes.Topology, a nemesis.Aim) []nodes.ID {
			return append(t.In(labs.RegionOf(string(a.Nodes[0]))), t.In(a.Group)...)
		},
		Takes: 5 * time.Second, // it waits three seconds for what was not copied
	}, {
		Kind: "ops", Name: "transfer", About: "a group is led by another of its members",
		Aims: members,
		Do:   func(a nemesis.Aim) any { return q.Lead{Group: a.Group, Node: a.Nodes[0]} },
		Ask:  func(t nodes.Topology, a nemesis.Aim) []nodes.ID { return q.NewLayout(t).Group(a.Group).Voters },
	}, {
		Kind: "ops", Name: "reload", About: "a member makes its state of a group anew from what a snapshot would hold",
		Aims: members,
		Do:   func(a nemesis.Aim) any { return q.Reload{Group: a.Group} },
		Ask:  func(_ nodes.Topology, a nemesis.Aim) []nodes.ID { return a.Nodes },
	}, {
		Kind: "ops", Name: "snapshot", About: "all members of a group snapshot their state",
		Aims: members,
		Do:   func(a nemesis.Aim) any { return q.SnapshotNow{Group: a.Group} },
		Ask:  func(_ nodes.Topology, a nemesis.Aim) []nodes.ID { return a.Nodes },
	},
}

// quarters are the ranges that every keyspace begins with.
func quarters(t nodes.Topology) (list []nemesis.Aim) {
	for _, home := range t.Regions() {
		for _, s := range q.First(home) {
			list = append(list, nemesis.Aim{Group: s.Range})
		}
	}
	return list
}

// pairs are the two halves of every keyspace, of two quarters each.
func pairs(t nodes.Topology) (list []nemesis.Aim) {
	for _, home := range t.Regions() {
		list = append(list, nemesis.Aim{Group: home + "/0000-7fff"}, nemesis.Aim{Group: home + "/8000-ffff"})
	}
	return list
}

// halves returns the two halves of a range.
func halves(whole string) (left, right string) {
	from, to, _ := q.Shard{Range: whole}.Span()
	middle := uint16((int(from) + int(to)) / 2)
	home, _, _ := strings.Cut(whole, "/")
	return fmt.Sprintf("%s/%04x-%04x", home, from, middle), fmt.Sprintf("%s/%04x-%04x", home, middle+1, to)
}

// takeovers are all keyspaces, each with a member of each other region.
func takeovers(t nodes.Topology) (list []nemesis.Aim) {
	for _, home := range t.Regions() {
		for _, to := range t.Regions() {
			if to != home {
				list = append(list, nemesis.Aim{Group: home, Nodes: t.In(to)[:1]})
			}
		}
	}
	return list
}

// members are all members of all groups that hold shards.
func members(t nodes.Topology) (list []nemesis.Aim) {
	for _, g := range q.NewLayout(t).Groups {
		if g.Region == "" {
			continue
		}
		for _, v := range g.Voters {
			list = append(list, nemesis.Aim{Group: g.Name, Nodes: []nodes.ID{v}})
		}
	}
	return list
}

// anybody is all members, of the keyspace's region and of others in turn: whoever is asked passes it on.
func anybody(t nodes.Topology, a nemesis.Aim) (ids []nodes.ID) {
	home, _, _ := strings.Cut(a.Group, "/")
	near := t.In(home)
	far := t.IDs()
	far = slices.DeleteFunc(far, func(id nodes.ID) bool { return slices.Contains(near, id) })
	for i, id := range far {
		if i < len(near) {
			ids = append(ids, near[i])
		}
		ids = append(ids, id)
	}
	return ids
}
