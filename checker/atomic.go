package checker

import (
	"slices"

	"faultlab/checker/history"
	"faultlab/checker/txn"
)

// Atomic judges that all appends of a transaction are visible, or none: a reader that shows one of them shows the
// others in whatever else it read (anything less is a fractured read), and once one was read the last read of every
// other key has its part.
//
// A pass needs readers that could have told: AtLeast times one read two parts of a transaction together.
type Atomic struct {
	Of      *Transactions
	AtLeast int // 0: 10
}

// Check judges all of h.
func (c Atomic) Check(h *history.History) history.Result {
	l := c.Of.index(h)
	parts := l.parts()
	told := 0
	for i := range l.txns {
		t := &l.txns[i]
		if t.Outcome != history.OK {
			continue
		}
		mine := map[*list]read{}
		var order []*list
		for _, op := range t.Ops {
			if k := l.byName[op.Key]; op.Kind == txn.Read && !op.Unread {
				if _, twice := mine[k]; !twice {
					order = append(order, k)
				}
				r := read{by: i, list: op.List}
				r.prefix = slices.Equal(r.list, k.longest[:len(r.list)])
				mine[k] = r
			}
		}
		for _, k := range order {
			for _, v := range mine[k].list {
				w, known := k.byValue[v]
				if !known {
					continue
				}
				by := k.writes[w].by
				if by == i || len(parts[by]) < 2 {
					continue
				}
				for _, p := range parts[by] {
					r, too := mine[p.key]
					if !too || p.key == k && p.value == v {
						continue
					}
					told++
					if !p.key.has(r, p.value) {
						return history.Refuted(l.ops(by, i), "%s appended %d to %s and %d to %s, and %s reads the first without the other (%s=%s)",
							l.name(by), v, k.name, p.value, p.key.name, l.name(i), p.key.name, show(r.list))
					}
				}
			}
		}
	}
	for by := range parts {
		seen := l.seen[by]
		if len(parts[by]) < 2 || seen.by < 0 || l.txns[by].Outcome == history.Failed {
			continue
		}
		for _, p := range parts[by] {
			if r, ok := p.key.last(); ok && l.txns[r.by].Call > seen.at && !p.key.has(r, p.value) {
				return history.Refuted(l.ops(by, seen.by, r.by), "%s appended to %s, and %s read a part of that; but the last read of %s, %s, has no %d",
					l.name(by), plural(len(parts[by]), "place"), l.name(seen.by), p.key.name, l.name(r.by), p.value)
			}
		}
	}
	r := history.Passed("%s two parts of a transaction were read together, and always both were there", times(told))
	if least := or(c.AtLeast, 10); told < least {
		r = history.Doubted("only %s were two parts of a transaction read together; %d are needed", times(told), least)
	}
	r.Evidence = map[string]any{"read_together": told}
	return r
}

func times(n int) string {
	if n == 1 {
		return "once"
	}
	return plural(n, "time")
}

// A part is one append of a transaction.
type part struct {
	key   *list
	value int64
}

// parts are the appends of each transaction, without those whose value was appended more than once.
func (l *lists) parts() [][]part {
	parts := make([][]part, len(l.txns))
	for _, k := range l.keys {
		for _, w := range k.writes {
			if !w.twice {
				parts[w.by] = append(parts[w.by], part{k, w.value})
			}
		}
	}
	return parts
}
