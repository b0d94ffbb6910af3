package checker

import (
	"faultlab/checker/history"
)

// A Copy is what one replica holds of one thing.
type Copy struct {
	Of    string // a key, a shard
	Who   string // a replica, a region
	State string // equal only if the copies are
}

// Convergence judges that replicas end up with the same: of each thing the last copy that each replica showed is equal
// to those of the others.
type Convergence struct {
	// View returns what an operation that is OK read, of one replica, once things should have settled: in the final
	// phase, for instance.
	View    func(op *history.Op) (copies []Copy)
	AtLeast int // things, of which two replicas showed a copy, that a pass needs; 0: 1
}

// Check judges all of h.
func (c Convergence) Check(h *history.History) history.Result {
	type last struct {
		Copy
		op int
	}
	things := map[string][]last{} // in the order in which replicas first spoke
	var order []string
	for i := range h.Ops {
		op := &h.Ops[i]
		if op.Outcome != history.OK {
			continue
		}
		for _, x := range c.View(op) {
			list, known := things[x.Of]
			if !known {
				order = append(order, x.Of)
			}
			at := 0
			for at < len(list) && list[at].Who != x.Who {
				at++
			}
			if at == len(list) {
				list = append(list, last{})
			}
			list[at] = last{x, i}
			things[x.Of] = list
		}
	}
	compared := 0
	for _, of := range order {
		list := things[of]
		for _, x := range list[1:] {
			if x.State != list[0].State {
				return history.Refuted(indices(h, list[0].op, x.op), "%s did not converge: %s has %s (%s), %s has %s (%s)",
					of, list[0].Who, list[0].State, name(&h.Ops[list[0].op]), x.Who, x.State, name(&h.Ops[x.op]))
			}
		}
		if len(list) > 1 {
			compared++
		}
	}
	r := history.Passed("all replicas ended with the same in %s", plural(compared, "place"))
	if least := or(c.AtLeast, 1); compared < least {
		r = history.Doubted("two replicas could be compared in only %s; %d are needed", plural(compared, "place"), least)
	}
	r.Evidence = map[string]any{"compared": compared}
	return r
}
