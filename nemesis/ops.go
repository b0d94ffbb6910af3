package nemesis

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"time"
)

// What can be done is the lab's to say: its operations are the forms.
var ops = Kind{
	Name:   "ops",
	Code:   "OP",
	About:  "the system is asked for an operation of its own, as an administrator would: ops:NAME for one of them",
	Open:   true,
	Works:  anywhere,
	Lacks:  lacksOperation("ops", "this system has no operation of its own that could be asked for"),
	Check:  needForm,
	Inject: operate,
	Draw:   func(r *rand.Rand, g Ground, form string) Fault { return operation(r, g, "ops", form) },
}

// anywhere is the Works of kinds that ask nothing of a runtime.
func anywhere(any) bool { return true }

func lacksOperation(kind, sentence string) func(Ground) string {
	return func(g Ground) string {
		if slices.ContainsFunc(g.Operations, func(o Operation) bool { return o.Kind == kind && len(o.Aims) > 0 }) {
			return ""
		}
		return sentence
	}
}

func needForm(f Fault) error {
	if f.Form == "" {
		return errors.New(`does nothing: give it a "form", the name of an operation`)
	}
	return nil
}

// operation draws one of a kind's operations that has something to be done to.
func operation(r *rand.Rand, g Ground, kind, name string) Fault {
	able := only(g.Operations, func(o Operation) bool {
		return o.Kind == kind && (name == "" || name == o.Name) && len(o.Aims) > 0
	})
	if len(able) == 0 {
		return Fault{}
	}
	o := able[r.IntN(len(able))]
	aim := o.Aims[r.IntN(len(o.Aims))]
	return Fault{Kind: kind, Form: o.Name, Group: aim.Group, Nodes: aim.Nodes}
}

// operations are the names of a kind's operations.
func (g Ground) operations(kind string) []string {
	var names []string
	for _, o := range g.Operations {
		if o.Kind == kind {
			names = append(names, o.Name)
		}
	}
	return names
}

// takes is how long the operation of a fault may need; 0 if nobody says, or it does none.
func (g Ground) takes(f Fault) time.Duration {
	for _, o := range g.Operations {
		if o.Kind == f.Kind && o.Name == f.Form {
			return o.Takes
		}
	}
	return 0
}

// possible says what is wrong with a fault's operation, on this ground.
func (g Ground) possible(f Fault) error {
	names := g.operations(f.Kind)
	if !slices.Contains(names, f.Form) {
		return fmt.Errorf("there is no operation %q: use one of [%s]", f.Form, strings.Join(names, ", "))
	}
	for _, o := range g.Operations {
		if o.Kind == f.Kind && o.Name == f.Form && slices.ContainsFunc(o.Aims, func(a Aim) bool {
			return a.Group == f.Group && slices.Equal(a.Nodes, f.Nodes)
		}) {
			return nil
		}
	}
	return fmt.Errorf("%s cannot be done to group %q and [%s]", f.Form, f.Group, join(f.Nodes))
}

// operate has the system do what f says, and in the end undo it.
func operate(_ context.Context, t Target, f Fault) (func(context.Context) error, Strike, error) {
	if t.Operate == nil {
		return nothing, Strike{Why: "nobody can ask for it here"}, nil
	}
	took, because := false, "it was asked for and not yet done"
	t.Operate(f, false, func(why string) { took, because = why == "", why })
	w := Strike{Nodes: f.Nodes, late: func(s *Strike) { s.Took, s.Why = took, because }}
	if f.Kind == "membership" { // of the group that it concerns, some of those are no members meanwhile
		w.Down = f.Nodes
	}
	healed := false
	return func(context.Context) error {
		if !healed {
			healed = true
			t.Operate(f, true, func(string) {})
		}
		return nil
	}, w, nil
}
