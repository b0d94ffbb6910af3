package maelstrom

import (
	"fmt"
	"math/rand/v2"
	"strconv"

	"faultlab/checker"
	"faultlab/checker/history"
	"faultlab/labs"
	"faultlab/nodes"
)

// EchoLab is the workload echo: a node sends back what it is sent.
func EchoLab() labs.Lab {
	return plan{
		name:  "echo",
		about: "a node sends back what it is sent (Maelstrom's echo)",
		messages: []labs.Exchange{
			{About: "send back what echo holds", Ask: `{"type":"echo","echo":"please echo 35"}`, Answer: `{"type":"echo_ok","echo":"please echo 35"}`},
		},
		fits: func(_, out any) string { return is[EchoOK](out) },
		work: func(t nodes.Topology, _ *rand.Rand) *driver {
			d := newDriver(t)
			d.draw = func(c *labs.Client, _ bool) any {
				return Echo{JSON(strconv.Quote(fmt.Sprintf("please echo %d", c.Rand.IntN(128))))}
			}
			d.last = d.everyNode(Echo{`"the last"`})
			return d
		},
		promises: func(nodes.Topology) []labs.Guarantee {
			return []labs.Guarantee{{
				ID: "E1", Name: "echoes",
				Statement: "Each echo_ok holds what the echo that it answers held.",
				Checker: checker.Oracle{AtLeast: 10, Answers: func(h *history.History) ([]checker.Answer, error) {
					var all []checker.Answer
					for i := range h.Ops {
						if op := &h.Ops[i]; op.Outcome == history.OK {
							all = append(all, checker.Answer{
								About: fmt.Sprintf("what %s echoed to client %s (operation %d)", op.Node, op.Client, op.Index), Op: op.Index,
								Got: op.Out.(EchoOK).Echo.short(), Want: op.In.(Echo).Echo.short(),
							})
						}
					}
					return all, nil
				}},
				Under: under,
			}}
		},
	}.lab()
}
