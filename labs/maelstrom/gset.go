package maelstrom

import (
	"math/rand/v2"

	"faultlab/checker"
	"faultlab/checker/history"
	"faultlab/labs"
	"faultlab/nodes"
)

// GSet is the workload g-set: a set that only grows, which all nodes come to know.
func GSet() labs.Lab {
	return plan{
		name:  "g-set",
		about: "a set that only grows, which all nodes come to know (Maelstrom's g-set)",
		messages: []labs.Exchange{
			{About: "add an element to the set; each is another whole number", Ask: `{"type":"add","element":3}`, Answer: `{"type":"add_ok"}`},
			{About: "all elements that this node knows", Ask: `{"type":"read"}`, Answer: `{"type":"read_ok","value":[1,3,9]}`},
		},
		fits: func(in, out any) string {
			if _, add := in.(Add); add {
				return is[AddOK](out)
			}
			if ok, is := out.(ReadOK); is {
				if _, list := ok.Value.list(); !list {
					return "its value is no list"
				}
			}
			return is[ReadOK](out)
		},
		work: func(t nodes.Topology, _ *rand.Rand) *driver {
			return newSetWork(t, func(e JSON) any { return Add{Element: e} }, gsetView)
		},
		promises: func(t nodes.Topology) []labs.Guarantee { return setPromises(t, "S", "element", gsetView) },
	}.lab()
}

func gsetView(op *history.Op) (s checker.SetOp[JSON], ok bool) {
	switch in := op.In.(type) {
	case Add:
		return checker.SetOp[JSON]{Element: in.Element}, true
	case Read:
		if reply, ok := op.Out.(ReadOK); ok {
			s.All, _ = reply.Value.list()
		}
		s.Read = true
		return s, true
	}
	return s, false
}
