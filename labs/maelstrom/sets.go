package maelstrom

import (
	"fmt"
	"math"
	"slices"
	"time"

	"faultlab/checker"
	"faultlab/checker/history"
	"faultlab/labs"
	"faultlab/nodes"
)

// What broadcast and g-set have in common: a set that every node comes to know.

// A setWork is what the clients of such a workload know.
type setWork struct {
	*driver
	next  int64
	added []JSON                     // acknowledged
	last  map[nodes.ID]map[JSON]bool // what each node's last reply to a read held
	view  func(op *history.Op) (checker.SetOp[JSON], bool)
}

// newSetWork makes the workload of a set: half of all requests add an element.
func newSetWork(t nodes.Topology, add func(JSON) any, view func(op *history.Op) (checker.SetOp[JSON], bool)) *driver {
	w := &setWork{driver: newDriver(t), last: map[nodes.ID]map[JSON]bool{}, view: view}
	w.draw = func(c *labs.Client, changing bool) any {
		if !changing || c.Rand.IntN(2) == 0 {
			return Read{}
		}
		w.next++
		return add(number(w.next))
	}
	w.driver.last = w.everyNode(Read{})
	w.learn = w.hear
	w.calm = w.spread
	return w.driver
}

func (w *setWork) hear(_ *labs.Client, op *history.Op, phase history.Phase) {
	s, ok := w.view(op)
	switch {
	case !ok || op.Outcome != history.OK:
	case !s.Read:
		w.added = append(w.added, s.Element)
	case phase == history.Recovery:
		has := make(map[JSON]bool, len(s.All))
		for _, e := range s.All {
			has[e] = true
		}
		w.last[nodes.ID(op.Node)] = has
	}
}

// spread says that every node that was read since the last heal knows all that was acknowledged.
func (w *setWork) spread() bool {
	for _, has := range w.last {
		if slices.ContainsFunc(w.added, func(e JSON) bool { return !has[e] }) {
			return false
		}
	}
	return len(w.last) > 0
}

// setPromises are those of such a workload; the letter begins their ids.
func setPromises(t nodes.Topology, letter, noun string, view func(op *history.Op) (checker.SetOp[JSON], bool)) []labs.Guarantee {
	return []labs.Guarantee{
		{
			ID: letter + "1", Name: "kept",
			Statement: fmt.Sprintf("Each %s that was acknowledged, or read, is kept; none stands twice in a reply, and none that nobody sent.", noun),
			Checker:   checker.SetFull[JSON]{View: view, AtLeast: 10},
			Under:     under,
		}, {
			ID: letter + "2", Name: "everywhere",
			Statement: fmt.Sprintf("In the end, when nothing has been sent for a while, every node has every %s that was acknowledged.", noun),
			Checker: checker.Func(func(h *history.History) history.Result {
				var worst history.Result
				asked := 0
				for i, id := range t.IDs() {
					r := checker.Set[JSON]{AtLeast: 10, View: func(op *history.Op) (checker.SetOp[JSON], bool) {
						s, ok := view(op)
						if s.Read && (op.Phase != history.Final || op.Node != string(id)) {
							return s, false
						}
						return s, ok
					}}.Check(h)
					if r.Verdict != history.Pass {
						r.Reason = fmt.Sprintf("node %s: %s", id, r.Reason)
					}
					if i == 0 || r.Verdict > worst.Verdict {
						worst = r
					}
					asked++
				}
				if worst.Verdict == history.Pass {
					how, evidence := delivery(h, view)
					worst.Reason = fmt.Sprintf("each of %d nodes has all of %v acknowledged; %s", asked, worst.Evidence["acknowledged"], how)
					worst.Evidence["delivered_ms"] = evidence
					if n := len(h.Events); n > 0 && len(h.Ops) > 0 {
						if sent, counted := h.Events[n-1].Event.(Traffic); counted {
							per := float64(sent.Messages) / float64(len(h.Ops))
							worst.Reason += fmt.Sprintf("; nodes sent each other %.2f messages for each operation", per)
							worst.Evidence["messages_per_operation"] = math.Round(per*100) / 100
						}
					}
				}
				return worst
			}),
			Under: under,
		},
	}
}

// delivery says how long elements took from their acknowledgement until no read called later was without them.
func delivery(h *history.History, view func(op *history.Op) (checker.SetOp[JSON], bool)) (text string, evidence map[string]int64) {
	known := map[JSON]time.Duration{}
	var left []JSON
	type reading struct {
		call time.Duration
		all  []JSON
	}
	var reads []reading
	for i := range h.Ops {
		op := &h.Ops[i]
		s, ok := view(op)
		switch {
		case !ok || op.Outcome != history.OK:
		case s.Read:
			reads = append(reads, reading{op.Call, s.All})
		default:
			known[s.Element] = op.Return
			left = append(left, s.Element)
		}
	}
	took := make([]time.Duration, 0, len(left))
	for i := len(reads) - 1; i >= 0 && len(left) > 0; i-- {
		has := make(map[JSON]bool, len(reads[i].all))
		for _, e := range reads[i].all {
			has[e] = true
		}
		left = slices.DeleteFunc(left, func(e JSON) bool {
			if !has[e] { // the last read without it
				took = append(took, max(0, reads[i].call-known[e]))
			}
			return !has[e]
		})
	}
	for range left { // every read had them
		took = append(took, 0)
	}
	if len(took) == 0 {
		return "nothing was delivered", nil
	}
	slices.Sort(took)
	at := func(perMille int) time.Duration { return took[(len(took)-1)*perMille/1000] }
	evidence = map[string]int64{"median": at(500).Milliseconds(), "per_mille_990": at(990).Milliseconds(), "most": at(1000).Milliseconds()}
	return fmt.Sprintf("from the acknowledgement until no read was without it passed %.3f s at the median, %.3f s for 99 of 100, %.3f s at most",
		at(500).Seconds(), at(990).Seconds(), at(1000).Seconds()), evidence
}
