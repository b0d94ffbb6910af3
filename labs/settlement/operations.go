package settlement

import (
	"faultlab/labs"
	"faultlab/nemesis"
	"faultlab/nodes"
	s "faultlab/nodes/settlement"
)

// operations are what an administrator may ask of the ledger, and what befalls the services beside it.
var operations = []labs.Operation{
	{
		Kind: "ops", Name: "close-window", About: "the open settlement window of a region is closed, netted and settled",
		Aims: func(t nodes.Topology) (list []nemesis.Aim) {
			for _, region := range t.Regions() {
				list = append(list, nemesis.Aim{Group: region})
			}
			return list
		},
		Do:  func(a nemesis.Aim) any { return s.CloseWindow{Region: a.Group} },
		Ask: func(t nodes.Topology, _ nemesis.Aim) []nodes.ID { return s.NewLayout(t).Ledger },
	}, {
		Kind: "ops", Name: "transfer", About: "a shard is led by another of its members",
		Aims: replicas,
		Do:   func(a nemesis.Aim) any { return s.Lead{Shard: a.Group, Node: a.Nodes[0]} },
		Ask:  func(t nodes.Topology, _ nemesis.Aim) []nodes.ID { return s.NewLayout(t).Ledger },
	}, {
		Kind: "ops", Name: "snapshot", About: "a member snapshots its state of a shard, so that its consensus log is cut",
		Aims: replicas,
		Do:   func(a nemesis.Aim) any { return s.TakeSnapshot{Shard: a.Group} },
		Ask:  func(_ nodes.Topology, a nemesis.Aim) []nodes.ID { return a.Nodes },
	}, {
		Kind: "ops", Name: "compact", About: "a shard's older entries are replaced by their hashes and balances",
		Aims: func(t nodes.Topology) (list []nemesis.Aim) {
			for _, shard := range s.NewLayout(t).Shards {
				list = append(list, nemesis.Aim{Group: shard.Name})
			}
			return list
		},
		Do:  func(a nemesis.Aim) any { return s.Compact{Shard: a.Group} },
		Ask: func(t nodes.Topology, _ nemesis.Aim) []nodes.ID { return s.NewLayout(t).Ledger },
	}, {
		Kind: "ops", Name: "scrub", About: "a member reads all its entries back from disk",
		Aims: func(t nodes.Topology) []nemesis.Aim { return each(s.NewLayout(t).Ledger) },
		Do:   func(nemesis.Aim) any { return s.Scrub{} },
		Ask:  func(_ nodes.Topology, a nemesis.Aim) []nodes.ID { return a.Nodes },
	},
	ails("fx-down", "the source of exchange rates does not answer", "down", exchange),
	ails("fx-slow", "the FX engine answers late", "slow", exchange),
	ails("compliance-down", "the compliance service of a region does not answer", "down", services),
	ails("compliance-slow", "the compliance service of a region answers late", "slow", services),
}

// ails is a service that is not well for a while.
func ails(name, about, be string, aims func(nodes.Topology) []nemesis.Aim) labs.Operation {
	return labs.Operation{
		Kind: "ops", Name: name, About: about, Aims: aims,
		Do:   func(nemesis.Aim) any { return s.Service{Be: be} },
		Undo: func(nemesis.Aim) any { return s.Service{Be: "up"} },
		Ask:  func(_ nodes.Topology, a nemesis.Aim) []nodes.ID { return a.Nodes },
	}
}

func exchange(t nodes.Topology) []nemesis.Aim { return each([]nodes.ID{s.NewLayout(t).FX}) }

func services(t nodes.Topology) []nemesis.Aim {
	l := s.NewLayout(t)
	var ids []nodes.ID
	for _, region := range l.Regions {
		ids = append(ids, l.Compliance[region])
	}
	return each(ids)
}

func each(ids []nodes.ID) (list []nemesis.Aim) {
	for _, id := range ids {
		list = append(list, nemesis.Aim{Nodes: []nodes.ID{id}})
	}
	return list
}

// replicas are all members of all shards.
func replicas(t nodes.Topology) (list []nemesis.Aim) {
	for _, shard := range s.NewLayout(t).Shards {
		for _, v := range shard.Voters {
			list = append(list, nemesis.Aim{Group: shard.Name, Nodes: []nodes.ID{v}})
		}
	}
	return list
}
