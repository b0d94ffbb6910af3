package maelstrom

import (
	"math/rand/v2"

	"faultlab/checker"
	"faultlab/checker/history"
	"faultlab/labs"
	"faultlab/nodes"
)

// UniqueIDs is the workload unique-ids: nodes make ids, and no two are the same.
func UniqueIDs() labs.Lab {
	return plan{
		name:  "unique-ids",
		about: "nodes make ids of any type, and no two are the same (Maelstrom's unique-ids)",
		messages: []labs.Exchange{
			{About: "make an id that was never given to anybody", Ask: `{"type":"generate"}`, Answer: `{"type":"generate_ok","id":"n1-17"}`},
		},
		fits: func(_, out any) string {
			if ok, is := out.(GenerateOK); is && (ok.ID == "" || ok.ID == null) {
				return "it has no id"
			}
			return is[GenerateOK](out)
		},
		work: func(t nodes.Topology, _ *rand.Rand) *driver {
			d := newDriver(t)
			d.draw = func(*labs.Client, bool) any { return Generate{} }
			d.last = d.everyNode(Generate{})
			return d
		},
		promises: func(nodes.Topology) []labs.Guarantee {
			return []labs.Guarantee{{
				ID: "U1", Name: "unique",
				Statement: "No id is given twice, by whichever nodes, also after they were killed.",
				Checker: checker.Unique[JSON]{AtLeast: 10, View: func(op *history.Op) (JSON, bool) {
					ok, is := op.Out.(GenerateOK)
					return ok.ID, is
				}},
				Under: under,
			}}
		},
	}.lab()
}
