package labstest

import (
	"context"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"faultlab/checker/history"
	"faultlab/labs"
	"faultlab/nemesis"
	"faultlab/nodes"
)

// misuses are the kinds that harm no part of a runtime, but what is asked of it: each with what its clients see in the
// window of one fault.
var misuses = map[string]func(t *testing.T, run *labs.Run, f nemesis.Fault, w history.Window){
	"ops":              operated,
	"membership":       operated,
	"client-crash":     crashed,
	"duplicate-submit": nil, // of all windows together
}

// Misuse does one run of a lab on a runtime, with every form of every kind of fault that is done to clients or by an
// administrator, and looks at what the clients saw.
func Misuse(t *testing.T, start func(nodes.Spec) (labs.Cluster, error)) {
	lab := Lab()
	ground := nemesis.Ground{Topology: topology()}
	for _, o := range lab.Operations {
		ground.Operations = append(ground.Operations, nemesis.Operation{Kind: o.Kind, Name: o.Name, Aims: o.Aims(topology())})
	}
	const every, long = 900 * time.Millisecond, 600 * time.Millisecond
	var plan nemesis.Schedule
	for _, k := range nemesis.Kinds {
		if _, ours := misuses[k.Name]; !ours {
			continue
		}
		forms := k.Forms
		if k.Open {
			forms = []string{"move"}
		}
		for i, form := range forms {
			f := k.Draw(rand.New(rand.NewPCG(uint64(i), 2)), ground, form)
			if f.Kind == "" {
				t.Fatalf("these five members have no place for %s:%s", k.Name, form)
			}
			f.At, f.For = time.Duration(len(plan))*every, long
			plan = append(plan, f)
		}
	}
	run, err := labs.Do(context.Background(), lab, labs.Options{Seed: 1, Time: time.Duration(len(plan)) * every, Plan: plan, Start: start})
	if err != nil {
		t.Fatal(err)
	}
	if len(run.History.Windows) != len(plan) {
		t.Fatalf("%d windows of %d faults", len(run.History.Windows), len(plan))
	}
	doubled := 0
	for i, w := range run.History.Windows {
		f := plan[i]
		if !w.Took || w.Kind != f.Kind || w.Form != f.Form {
			t.Errorf("%v came to %+v", f, w)
			continue
		}
		if see := misuses[f.Kind]; see != nil {
			t.Run(f.Kind+":"+f.Form, func(t *testing.T) { see(t, run, f, w) })
			continue
		}
		n := 0
		for _, op := range run.History.Ops {
			if op.In == (tick{}) && within(w, op) && hits(w, op) {
				n++
			}
		}
		if n == 0 {
			t.Errorf("nobody asked under %v", f)
		}
		doubled += n
	}
	asked, got := 0, map[string]int{}
	for _, op := range run.History.Ops {
		switch out := op.Out.(type) {
		case told:
			got[op.Node] = max(got[op.Node], out.Ticks)
			if op.Phase == history.Final && out.Seat != "home" && op.Node == "a1" {
				t.Errorf("in the end what was moved is at %q", out.Seat)
			}
		default:
			if op.In == (tick{}) {
				asked++
			}
		}
	}
	sum := 0
	for _, n := range got {
		sum += n
	}
	if sum != asked+doubled {
		t.Errorf("clients ticked %d times, %d of them while they submitted twice, and members counted %d", asked, doubled, sum)
	}
}

// within says whether an operation was called while a fault was in force.
func within(w history.Window, op history.Op) bool { return w.Start <= op.Call && op.Call < w.End }

// hits says whether an operation is of a client that a fault hit.
func hits(w history.Window, op history.Op) bool {
	name, _, _ := strings.Cut(op.Client, ".")
	return slices.Contains(w.Nodes, name)
}

// operated is of what an administrator asks for: while it lasts, it is so.
func operated(t *testing.T, run *labs.Run, f nemesis.Fault, w history.Window) {
	for _, op := range run.History.Ops {
		if out, ok := op.Out.(told); ok && op.Node == "a1" && within(w, op) && out.Seat == f.Kind+":"+f.Form {
			return
		}
	}
	t.Error("nobody saw it done")
}

// crashed is of clients that die: they ask nothing, the others go on, and in the end all do.
func crashed(t *testing.T, run *labs.Run, f nemesis.Fault, w history.Window) {
	dead, others, after := 0, 0, 0
	for _, op := range run.History.Ops {
		switch {
		case within(w, op) && op.Call > w.Start && hits(w, op):
			dead++
		case within(w, op):
			others++
		case op.Call >= w.End && hits(w, op):
			after++
		}
		if hits(w, op) && op.Call < w.Start && op.Return > w.Start {
			t.Errorf("operation %d goes on though its client is dead", op.Index)
		}
	}
	if dead > 0 || (others > 0) == (f.Form == "all") || after == 0 {
		t.Errorf("%d operations of dead clients, %d of others, and %d when they were back", dead, others, after)
	}
}

// Lab is one of witnesses, whose clients tick and read.
func Lab() labs.Lab {
	operation := func(kind, name string) labs.Operation {
		return labs.Operation{
			Kind: kind, Name: name, About: "one member is told a name",
			Aims: func(nodes.Topology) []nemesis.Aim { return []nemesis.Aim{{Group: "G", Nodes: []nodes.ID{"a1"}}} },
			Do:   func(nemesis.Aim) any { return seat{kind + ":" + name} },
			Undo: func(nemesis.Aim) any { return seat{"home"} },
			Ask:  func(_ nodes.Topology, a nemesis.Aim) []nodes.ID { return a.Nodes },
		}
	}
	return labs.Lab{
		Name: "witness", About: "members that tell what befell them", System: System(),
		Topology:   func(int) (nodes.Topology, error) { return topology(), nil },
		Workload:   func(nodes.Topology, *rand.Rand) labs.Workload { return &load{read: map[nodes.ID]int{}} },
		Outcome:    func(any, any) history.Outcome { return history.OK },
		Guarantees: func(nodes.Topology) []labs.Guarantee { return nil },
		Operations: []labs.Operation{
			operation("ops", "move"), operation("membership", "add"), operation("membership", "remove"), operation("membership", "replace"),
		},
		Defaults: labs.Defaults{Clients: 12, Rate: 200, WarmUp: time.Second, Calm: time.Second},
	}
}

// A load is what clients of witnesses ask: ticks and reads in turn, of all members in turn; in the end each reads all.
type load struct{ read map[nodes.ID]int }

func (l *load) Next(c *labs.Client, phase history.Phase) (labs.Request, bool) {
	ids := topology().IDs()
	at := int(c.Number/2) % len(ids)
	if phase == history.Final {
		if at = l.read[c.ID]; at == len(ids) {
			return labs.Request{}, false
		}
	}
	r := labs.Request{Body: tick{}, To: append(slices.Clone(ids[at:]), ids[:at]...)}
	if phase == history.Final || c.Number%2 == 0 {
		r.Body = read{}
	}
	return r, true
}

func (l *load) Done(c *labs.Client, op *history.Op) {
	if op.Phase == history.Final && op.Outcome == history.OK {
		l.read[c.ID]++
	}
}
