// Package register is the smallest lab there is: one number that only grows, kept by the first member of the topology.
// The tests of packages labs and cmd run it, and one of them copies this file into a module of its own.
package register

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"faultlab/checker"
	"faultlab/checker/history"
	"faultlab/labs"
	"faultlab/nemesis"
	"faultlab/nodes"
)

// Put raises the number to N.
type Put struct {
	N uint64 `json:"n"`
}

// Stored answers a Put that is durable.
type Stored struct{}

// Get reads the number.
type Get struct{}

// Number answers a Get.
type Number struct {
	N uint64 `json:"n"`
}

// Raised is the event of a number that was raised.
type Raised struct {
	N uint64 `json:"n"`
}

type node struct {
	bug string
	n   uint64
}

func (r *node) Start(env nodes.Env) {
	_, _, records, err := env.Disk().Log("numbers").Read()
	if err != nil {
		env.Logf("read: %v", err)
	}
	for _, rec := range records {
		r.n = max(r.n, binary.BigEndian.Uint64(rec))
	}
	env.Logf("boot (%s), the number is %d", env.Boot(), r.n)
}

func (r *node) Receive(env nodes.Env, m nodes.Message) {
	switch b := m.Body.(type) {
	case Put:
		if r.bug == "panic-at-1000" && b.N >= 1000 {
			panic("the number is too large")
		}
		if b.N > r.n {
			r.n = b.N
			env.Disk().Log("numbers").Append(binary.BigEndian.AppendUint64(nil, b.N))
			env.Emit(Raised{b.N})
			env.Reached("raised")
		}
		if r.bug != "ack-before-sync" {
			env.Disk().Sync()
		}
		env.Send(m.From, Stored{})
	case Get:
		env.Send(m.From, Number{r.n})
	}
}

func (r *node) Wake(nodes.Env, string) {}

// Lab returns the lab.
func Lab() labs.Lab {
	return labs.Lab{
		Name:  "register",
		About: "One number that only grows, kept by one node.",
		Guide: "# register\n",
		System: nodes.System{
			Name:   "register",
			New:    func(bug string) nodes.Node { return &node{bug: bug} },
			Bodies: []any{Put{}, Stored{}, Get{}, Number{}, Raised{}},
			Bugs: []nodes.Bug{
				{Name: "ack-before-sync", About: "A number is acknowledged before it is durable.", Refutes: []string{"R1"}, Nemesis: "power-loss:all", Seeds: 3},
				{Name: "panic-at-1000", About: "A node panics at a large number.", Refutes: []string{"R1"}, Nemesis: "none", Seeds: 1},
			},
		},
		Topology: func(n int) (nodes.Topology, error) {
			if n == 0 {
				n = 3
			}
			if n > 9 {
				return nodes.Topology{}, fmt.Errorf("%d nodes: this lab has 1 to 9", n)
			}
			var t nodes.Topology
			for i := range n {
				region := string(rune('A' + i%3))
				t.Members = append(t.Members, nodes.Member{ID: nodes.ID(fmt.Sprintf("n%d", i+1)), Region: region, Zone: region + "1"})
			}
			return t, nil
		},
		Ground: func(t nodes.Topology) nemesis.Ground {
			return nemesis.Ground{Topology: t, Groups: [][]nodes.ID{t.IDs()}, Roles: []string{"keeper"}}
		},
		Workload:   func(t nodes.Topology, _ *rand.Rand) labs.Workload { return &workload{keeper: t.Members[0].ID} },
		Outcome:    func(_, _ any) history.Outcome { return history.OK },
		Resolve:    resolve,
		Guarantees: guarantees,
		Faults:     []string{"partition", "kill", "power-loss", "pause"},
		Defaults:   labs.Defaults{Clients: 6, Rate: 100, WarmUp: time.Second, Calm: 3 * time.Second},
	}
}

// resolve says who kept the number by the last event.
func resolve(h *history.History, _ string) []nodes.ID {
	if len(h.Events) == 0 {
		return nil
	}
	return []nodes.ID{nodes.ID(h.Events[len(h.Events)-1].Node)}
}

type workload struct {
	keeper nodes.ID
	n      uint64
	read   map[nodes.ID]bool
}

func (w *workload) Next(c *labs.Client, phase history.Phase) (labs.Request, bool) {
	r := labs.Request{Body: Get{}, To: []nodes.ID{w.keeper}, Wait: 400 * time.Millisecond}
	if phase == history.Final {
		return r, !w.read[c.ID]
	}
	if c.Rand.IntN(2) == 0 {
		w.n++
		r.Body = Put{w.n}
	}
	return r, true
}

func (w *workload) Done(c *labs.Client, op *history.Op) {
	if op.Phase == history.Final && op.Outcome == history.OK {
		if w.read == nil {
			w.read = map[nodes.ID]bool{}
		}
		w.read[c.ID] = true
	}
}

func guarantees(nodes.Topology) []labs.Guarantee {
	all := []string{"partition", "kill", "power-loss", "pause", "slow", "loss"}
	return []labs.Guarantee{
		{ID: "R1", Name: "keeps", Statement: "The number is never less than one that was acknowledged or read.", Under: all, Checker: checker.Func(keeps)},
		{ID: "R2", Name: "answers", Statement: "Without faults every operation succeeds.", Checker: checker.Func(answers)},
		{ID: "R3", Name: "outlives-power", Statement: "The number survives a loss of power.", Under: all, Checker: checker.Func(keeps),
			Exercised: func(s nemesis.Schedule) string {
				if slices.ContainsFunc(s, func(f nemesis.Fault) bool { return f.Kind == "power-loss" }) {
					return ""
				}
				return "the power stayed on"
			}},
	}
}

// keeps compares each read with the largest number known by the time of its call.
func keeps(h *history.History) history.Result {
	type known struct {
		at time.Duration
		n  uint64
		op int
	}
	var facts []known
	for i := range h.Ops {
		op := &h.Ops[i]
		if op.Outcome != history.OK {
			continue
		}
		switch in := op.In.(type) {
		case Put:
			facts = append(facts, known{op.Return, in.N, i})
		case Get:
			facts = append(facts, known{op.Return, op.Out.(Number).N, i})
		}
	}
	slices.SortStableFunc(facts, func(a, b known) int { return int(a.at - b.at) })
	var most known
	final := 0
	for i := range h.Ops {
		op := &h.Ops[i]
		for len(facts) > 0 && facts[0].at < op.Call {
			if facts[0].n > most.n {
				most = facts[0]
			}
			facts = facts[1:]
		}
		if n, ok := op.Out.(Number); ok && op.Outcome == history.OK {
			if n.N < most.n {
				return history.Refuted([]int{most.op, i}, "operation %d read %d, though %d was known", i, n.N, most.n)
			}
			if op.Phase == history.Final {
				final++
			}
		}
	}
	if final == 0 {
		return history.Doubted("there were no final reads")
	}
	return history.Passed("%d final reads show %d or more", final, most.n)
}

func answers(h *history.History) history.Result {
	for i := range h.Ops {
		if h.Ops[i].Outcome != history.OK {
			return history.Refuted([]int{i}, "operation %d did not succeed", i)
		}
	}
	return history.Passed("%d operations succeeded", len(h.Ops))
}
