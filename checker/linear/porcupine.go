package linear

import (
	"fmt"
	"io"
	"math"
	"slices"

	"github.com/anishathalye/porcupine"

	"faultlab/checker/history"
)

// pictured is how many operations a picture shows at most; of a larger object it shows the counterexample alone.
const pictured = 600

// pictureSteps bounds the work on a picture. Beyond it the picture shows how far the search came.
const pictureSteps = 2_000_000

// porcupineInput is an operation's input as Porcupine carries it.
type porcupineInput struct {
	in   any
	open bool
}

// asPorcupine is the model for Porcupine, which must give every operation a place. An unknown one that never happens
// gets one too, and changes nothing there. Once pay refuses a step nothing is possible any more.
func asPorcupine[S comparable](m *Model[S], pay func() bool) porcupine.Model {
	describe := func(in, out any) string { return m.say(in.(porcupineInput).in, out) }
	show := func(s any) string { return m.show(s.(S)) }
	if m.Branch != nil {
		branching := porcupine.NondeterministicModel{
			Init: func() []any { return []any{m.Init} },
			Step: func(state, in, out any) []any {
				if !pay() {
					return nil
				}
				i := in.(porcupineInput)
				next, err := m.Branch(state.(S), i.in, out)
				var all []any
				if err == nil {
					for _, s := range next {
						all = append(all, s)
					}
				}
				if i.open {
					all = append(all, state)
				}
				return all
			},
			DescribeOperation: describe,
			DescribeState:     show,
		}
		return branching.ToModel()
	}
	return porcupine.Model{
		Init: func() any { return m.Init },
		Step: func(state, in, out any) (bool, any) {
			if !pay() {
				return false, state
			}
			i := in.(porcupineInput)
			next, err := m.Step(state.(S), i.in, out)
			if err != nil {
				return i.open, state
			}
			return true, next
		},
		DescribeOperation: describe,
		DescribeState:     show,
	}
}

// operations is the history as Porcupine reads it: places in the order of events, calls before returns at one
// instant, in place of times, and no end for what is unknown.
func operations(ops []Op) []porcupine.Operation {
	type event struct {
		op   int
		over bool
	}
	var events []event
	for i := range ops {
		events = append(events, event{i, false})
		if ops[i].Outcome != history.Unknown {
			events = append(events, event{i, true})
		}
	}
	at := func(e event) int64 {
		if e.over {
			return int64(end(&ops[e.op]))
		}
		return int64(ops[e.op].Call)
	}
	slices.SortStableFunc(events, func(a, b event) int {
		switch x, y := at(a), at(b); {
		case x < y:
			return -1
		case x > y:
			return 1
		case a.over == b.over:
			return 0
		case b.over:
			return -1
		}
		return 1
	})
	all := make([]porcupine.Operation, len(ops))
	clients := map[string]int{}
	for i := range ops {
		o := &ops[i]
		c, ok := clients[o.Client]
		if !ok {
			c = len(clients)
			clients[o.Client] = c
		}
		all[i] = porcupine.Operation{ClientId: c, Input: porcupineInput{o.In, o.Outcome == history.Unknown}, Output: o.known(), Return: math.MaxInt64}
	}
	for t, e := range events {
		if e.over {
			all[e.op].Return = int64(t)
		} else {
			all[e.op].Call = int64(t)
		}
	}
	return all
}

// steps pays for so many.
func steps(n int) func() bool {
	return func() bool {
		n--
		return n >= 0
	}
}

// racedBytes is what Porcupine may remember in a race. It keeps a bit for each operation with each state.
const racedBytes = 256 << 20

// porcupine decides one object within the steps and the context of a budget.
func (m *Model[S]) porcupine(ops []Op, b Budget) history.Verdict {
	n, most := 0, min(b.Steps, racedBytes/(len(ops)/8+100))
	model := asPorcupine(m, func() bool {
		n++
		if n%1024 == 0 && b.over() != "" {
			n = most + 1
		}
		return n <= most
	})
	switch ok := porcupine.CheckOperations(model, operations(ops)); {
	case ok:
		return history.Pass
	case n > most:
		return history.Undetermined
	}
	return history.Fail
}

// picture draws one object.
func picture[S comparable](m *Model[S], part, small []Op, w io.Writer) error {
	shown := part
	if len(part) > pictured {
		shown = small
	}
	model := asPorcupine(m, steps(pictureSteps))
	_, info := porcupine.CheckOperationsVerbose(model, operations(shown), 0)
	if err := porcupine.Visualize(model, info, w); err != nil {
		return fmt.Errorf("linear: picture: %w", err)
	}
	return nil
}
