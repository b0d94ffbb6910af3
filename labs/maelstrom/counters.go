package maelstrom

import (
	"fmt"
	"math/rand/v2"

	"faultlab/checker"
	"faultlab/checker/history"
	"faultlab/labs"
	"faultlab/nodes"
)

// What g-counter and pn-counter have in common: a number that every node comes to know.

// counter makes the plan of a counter to which draw adds.
func counter(name, about, letter, change, example string, draw func(r *rand.Rand) int64) labs.Lab {
	return plan{
		name: name, about: about,
		messages: []labs.Exchange{
			{About: change, Ask: `{"type":"add","delta":` + example + `}`, Answer: `{"type":"add_ok"}`},
			{About: "the sum of all that this node knows", Ask: `{"type":"read"}`, Answer: `{"type":"read_ok","value":31}`},
		},
		fits: func(in, out any) string {
			if _, add := in.(Add); add {
				return is[AddOK](out)
			}
			if ok, is := out.(ReadOK); is {
				if _, whole := ok.Value.whole(); !whole {
					return "its value is no whole number"
				}
			}
			return is[ReadOK](out)
		},
		work: func(t nodes.Topology, _ *rand.Rand) *driver {
			w := &counterWork{driver: newDriver(t), last: map[nodes.ID]int64{}}
			w.draw = func(c *labs.Client, changing bool) any {
				if !changing || c.Rand.IntN(2) == 0 {
					return Read{}
				}
				return Add{Delta: number(draw(c.Rand))}
			}
			w.driver.last = w.everyNode(Read{})
			w.learn, w.calm = w.hear, w.spread
			return w.driver
		},
		promises: func(t nodes.Topology) []labs.Guarantee {
			all := []labs.Guarantee{
				{
					ID: letter + "1", Name: "counts",
					Statement: "In the end each node reads the sum of all that was acknowledged, and of some of what may have happened; no node ever reads what cannot be.",
					Checker: checker.SettledCounter{AtLeast: 2, View: counterView,
						Settled: func(op *history.Op) bool { return op.Phase == history.Final }},
					Under: under,
				}, {
					ID: letter + "2", Name: "agrees",
					Statement: "In the end all nodes read the same.",
					Checker: checker.Convergence{View: func(op *history.Op) []checker.Copy {
						if c, ok := counterView(op); ok && c.Read && op.Phase == history.Final {
							return []checker.Copy{{Of: "the counter", Who: op.Node, State: fmt.Sprint(c.Value)}}
						}
						return nil
					}},
					Under: under,
				},
			}
			return all[:min(len(all), len(t.Members))] // one node has nobody to agree with
		},
	}.lab()
}

// A counterWork is what the clients of a counter know.
type counterWork struct {
	*driver
	least, most int64 // and with what may have happened
	last        map[nodes.ID]int64
}

func (w *counterWork) hear(_ *labs.Client, op *history.Op, phase history.Phase) {
	c, ok := counterView(op)
	switch {
	case !ok || op.Outcome == history.Failed:
	case c.Read:
		if op.Outcome == history.OK && phase == history.Recovery {
			w.last[nodes.ID(op.Node)] = c.Value
		}
	case op.Outcome == history.OK:
		w.least, w.most = w.least+c.Add, w.most+c.Add
	default:
		w.least, w.most = w.least+min(c.Add, 0), w.most+max(c.Add, 0)
	}
}

// spread says that every node that was read since the last heal reads the same, which may be right.
func (w *counterWork) spread() bool {
	var first int64
	some := false
	for _, v := range w.last {
		if v < w.least || v > w.most || some && v != first {
			return false
		}
		first, some = v, true
	}
	return some
}

func counterView(op *history.Op) (c checker.CounterOp, ok bool) {
	switch in := op.In.(type) {
	case Add:
		c.Add, _ = in.Delta.whole()
		return c, true
	case Read:
		if reply, ok := op.Out.(ReadOK); ok {
			c.Value, _ = reply.Value.whole()
		}
		c.Read = true
		return c, true
	}
	return c, false
}
