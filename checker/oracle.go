package checker

import "faultlab/checker/history"

// An Answer is what a system said, beside what an oracle says.
type Answer struct {
	About     string // "digest of A1 at 17", "fold of [0,99]"
	Op        int    // the operation's index; -1: an event, say
	Got, Want string
}

// Oracle judges a system by a second, simple computation of the same: a replay of its log, a fold of its entries.
type Oracle struct {
	// Answers returns all that can be compared. An error says why the oracle could not be asked.
	Answers func(h *history.History) ([]Answer, error)
	AtLeast int // answers that a pass needs; 0: 1
}

// Check judges all of h, and names the first answer that differs.
func (c Oracle) Check(h *history.History) history.Result {
	answers, err := c.Answers(h)
	if err != nil {
		return history.Doubted("there is nothing to compare with: %s", err)
	}
	for _, a := range answers {
		if a.Got != a.Want {
			var ops []int
			if a.Op >= 0 {
				ops = []int{a.Op}
			}
			r := history.Refuted(ops, "%s is %s, and should be %s", a.About, a.Got, a.Want)
			r.Evidence = map[string]any{"answers": len(answers)}
			return r
		}
	}
	r := history.Passed("all of %s are as they should be", plural(len(answers), "answer"))
	if least := or(c.AtLeast, 1); len(answers) < least {
		r = history.Doubted("only %s can be compared; %d are needed", plural(len(answers), "answer"), least)
	}
	r.Evidence = map[string]any{"answers": len(answers)}
	return r
}
