package labs

import (
	"slices"
	"strings"
	"time"

	"faultlab/checker/history"
	"faultlab/nemesis"
	"faultlab/nodes"
)

// Again returns the options that do a run again with the build that made it: what it was asked for, and the faults that
// it had. Start is left to be set.
func (run *Run) Again() Options {
	o := run.Options
	o.Start, o.Tick, o.Plan, o.Requests = nil, nil, run.Schedule, nil
	if o.Plan == nil {
		o.Plan = nemesis.Schedule{}
	}
	return o
}

// Anew returns the options that do a run again with another build, which may draw differently: the faults hit whom they
// hit then, and clients ask what they asked then.
func (run *Run) Anew() Options {
	o := run.Again()
	o.Plan, o.Requests = run.Resolved(), run.History.Ops
	return o
}

// A script is a workload that asks what was asked in another run: under load in the order of then, each request of the
// member that it was last sent to, and where that is silent of the others that clients of its region asked; in the
// final phase each again until it succeeds. A history does not say how long a client waited before it tried again: that
// is as in the lab's workload of now, which may not try again at all.
type script struct {
	load, final map[nodes.ID][]history.Op // by client
	asked       map[string][]nodes.ID     // by region, in the order of their first request
	wait        time.Duration             // as in Request; 0: a second try could do harm
	deadline    time.Duration
}

func newScript(ops []history.Op, like Request) *script {
	s := &script{wait: like.Wait, load: map[nodes.ID][]history.Op{}, final: map[nodes.ID][]history.Op{}, asked: map[string][]nodes.ID{}, deadline: max(patience, like.Deadline)}
	for _, op := range ops {
		name, _, _ := strings.Cut(op.Client, ".")
		id := nodes.ID(name)
		if op.Phase == history.Final {
			s.final[id] = append(s.final[id], op)
		} else {
			s.load[id] = append(s.load[id], op)
		}
		if to := nodes.ID(op.Node); !slices.Contains(s.asked[op.Region], to) {
			s.asked[op.Region] = append(s.asked[op.Region], to)
		}
		s.deadline = max(s.deadline, op.Return-op.Call)
	}
	return s
}

// due returns when a client asked each of its requests under load.
func (s *script) due(id nodes.ID) []time.Duration {
	var times []time.Duration
	for _, op := range s.load[id] {
		times = append(times, op.Call)
	}
	return times
}

// Next returns what c asked next.
func (s *script) Next(c *Client, phase history.Phase) (Request, bool) {
	list := s.load
	if phase == history.Final {
		list = s.final
	}
	ops := list[c.ID]
	if len(ops) == 0 {
		return Request{}, false
	}
	if phase != history.Final {
		list[c.ID] = ops[1:]
	}
	to := []nodes.ID{nodes.ID(ops[0].Node)}
	for _, id := range s.asked[ops[0].Region] {
		if id != to[0] {
			to = append(to, id)
		}
	}
	return Request{Body: ops[0].In, To: to, Wait: s.wait, Deadline: s.deadline}, true
}

// Done takes a final read that succeeded off the list.
func (s *script) Done(c *Client, op *history.Op) {
	if op.Phase == history.Final && op.Outcome == history.OK && len(s.final[c.ID]) > 0 {
		s.final[c.ID] = s.final[c.ID][1:]
	}
}
