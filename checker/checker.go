// Package checker judges histories. It knows nothing of how one was made: no nodes, no faults but their windows, no
// clocks. One file holds one checker; what a lab's own types mean is told by the View that it is given.
package checker

import "faultlab/checker/history"

// A Checker turns a history into a result. It never changes the history, and the same history gives the same result,
// to the byte, on any machine: budgets are counted in steps, never in seconds.
type Checker interface {
	Check(h *history.History) history.Result
}

// Func makes a Checker of a function.
type Func func(h *history.History) history.Result

// Check calls f.
func (f Func) Check(h *history.History) history.Result { return f(h) }
