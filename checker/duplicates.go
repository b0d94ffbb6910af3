package checker

import "faultlab/checker/history"

// Duplicates judges that a transaction is applied at most once: a value that one transaction appends, and appends
// once, stands at most once in any list that is read. Values that were asked to be appended more often are passed over.
type Duplicates struct {
	Of      *Transactions
	AtLeast int // values read that a pass needs; 0: 50
}

// Check judges all of h.
func (c Duplicates) Check(h *history.History) history.Result {
	l := c.Of.index(h)
	values := 0
	for _, k := range l.keys {
		values += len(k.place)
		if len(k.place) == len(k.longest) && len(k.broken) == 0 {
			continue
		}
		for _, r := range k.reads {
			if r.prefix && len(k.place) == len(k.longest) {
				continue
			}
			at := make(map[int64]int, len(r.list))
			for i, v := range r.list {
				before, again := at[v]
				at[v] = i
				w, known := k.byValue[v]
				if !again || !known || k.writes[w].twice {
					continue
				}
				by := k.writes[w].by
				res := history.Refuted(l.ops(by, r.by), "%s appended %d to %s once, and %s reads it twice, as elements %d and %d",
					l.name(by), v, k.name, l.name(r.by), before+1, i+1)
				res.Evidence = map[string]any{"key": k.name, "value": v}
				return res
			}
		}
	}
	r := history.Passed("none of %s that were read stands twice in its list", plural(values, "value"))
	if values < or(c.AtLeast, 50) {
		r = history.Doubted("only %s read; %d are needed", plural(values, "value"), or(c.AtLeast, 50))
	}
	r.Evidence = map[string]any{"values": values}
	return r
}
