package maelstrom

import (
	"math"
	"math/rand/v2"

	"faultlab/checker"
	"faultlab/checker/history"
	"faultlab/labs"
	"faultlab/nodes"
)

// BroadcastLab is the workload broadcast: what one node is told, all come to know.
func BroadcastLab() labs.Lab {
	return plan{
		name:  "broadcast",
		about: "what one node is told, all come to know (Maelstrom's broadcast)",
		messages: []labs.Exchange{
			{About: "whom to tell first, if the node likes; asked once at every boot, before any other request", Ask: `{"type":"topology","topology":{"n1":["n2","n3"],"n2":["n1"],"n3":["n1"]}}`, Answer: `{"type":"topology_ok"}`},
			{About: "tell a message to all nodes; each is another whole number", Ask: `{"type":"broadcast","message":8}`, Answer: `{"type":"broadcast_ok"}`},
			{About: "all messages that this node knows", Ask: `{"type":"read"}`, Answer: `{"type":"read_ok","messages":[1,8,72]}`},
		},
		fits: func(in, out any) string {
			switch in.(type) {
			case Broadcast:
				return is[BroadcastOK](out)
			case Topology:
				return is[TopologyOK](out)
			}
			if ok, is := out.(ReadOK); is {
				if _, list := ok.Messages.list(); !list {
					return "its messages are no list"
				}
			}
			return is[ReadOK](out)
		},
		work: func(t nodes.Topology, _ *rand.Rand) *driver {
			return newSetWork(t, func(e JSON) any { return Broadcast{e} }, broadcastView)
		},
		promises: func(t nodes.Topology) []labs.Guarantee { return setPromises(t, "B", "message", broadcastView) },
		greet:    func(t nodes.Topology, _ nodes.ID) any { return grid(t) },
	}.lab()
}

func broadcastView(op *history.Op) (s checker.SetOp[JSON], ok bool) {
	switch in := op.In.(type) {
	case Broadcast:
		return checker.SetOp[JSON]{Element: in.Message}, true
	case Read:
		if reply, ok := op.Out.(ReadOK); ok {
			s.All, _ = reply.Messages.list()
		}
		s.Read = true
		return s, true
	}
	return s, false
}

// grid is the nodes in rows of a square, each beside up to four others, as Maelstrom has it if nothing else is asked for.
func grid(t nodes.Topology) Topology {
	n := len(t.Members)
	side := int(math.Ceil(math.Sqrt(float64(n))))
	beside := map[string][]string{}
	for i, m := range t.Members {
		list := []string{}
		for _, j := range [...]struct {
			at   int
			near bool
		}{{i + side, true}, {i - side, true}, {i + 1, (i+1)%side != 0}, {i - 1, i%side != 0}} {
			if j.near && j.at >= 0 && j.at < n {
				list = append(list, string(t.Members[j.at].ID))
			}
		}
		beside[string(m.ID)] = list
	}
	return Topology{beside}
}
