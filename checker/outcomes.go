package checker

import (
	"strings"

	"faultlab/checker/history"
)

// Outcomes judges that what is said of a transaction stays so: one that failed is never visible, and one whose outcome
// is not known either happened, whole and for good, or never did. A transaction happened once something that it
// appended was read; from then on no read may be without any of it.
//
// An unknown transaction that nobody read is resolved by reads of its keys called after its client had given up; where
// there is none, the verdict stays open. A run without failed and without unknown transactions is not judged. Values
// that two transactions appended say nothing here.
type Outcomes struct {
	Of *Transactions
}

// Check judges all of h.
func (c Outcomes) Check(h *history.History) history.Result {
	l := c.Of.index(h)
	failed, happened, did := 0, 0, map[int]bool{} // unknown transactions: those that happened
	unread := map[int]bool{}                      // and those that no read can speak of
	var openKeys []string
	for i := range l.txns {
		if l.txns[i].Outcome == history.Failed {
			failed++
		}
	}
	for _, k := range l.keys {
		open := false
		for _, w := range k.writes {
			t := &l.txns[w.by]
			switch {
			case w.twice || t.Outcome == history.OK:
			case t.Outcome == history.Failed:
				if w.first.by >= 0 {
					return history.Refuted(l.ops(w.by, w.first.by), "%s failed, and yet %s read the %d that it wanted to append to %s",
						l.name(w.by), l.name(w.first.by), w.value, k.name)
				}
			case l.seen[w.by].by >= 0:
				did[w.by] = true
				if r, gone := k.missing(l.txns, w.value, l.seen[w.by].at); gone {
					return c.flip(l, k, w, r)
				}
			default:
				if last, ok := k.last(); !ok || l.txns[last.by].Call <= t.Return {
					unread[w.by], open = true, true
				}
			}
		}
		if open {
			openKeys = append(openKeys, k.name)
		}
	}
	happened = len(did)
	not := 0
	for i := range l.txns {
		if l.txns[i].Outcome == history.Unknown && !did[i] && !unread[i] {
			not++
		}
	}
	var r history.Result
	switch {
	case len(unread) > 0:
		const few = 3
		r = history.Doubted("%s cannot be resolved, since nobody read these keys afterwards: %s",
			plural(len(unread), "unknown transaction"), strings.Join(openKeys[:min(few, len(openKeys))], ", "))
	case failed+happened+not == 0:
		r = history.Skipped("no transaction failed, and none was left unknown")
	default:
		r = history.Passed("of %s that failed none is visible; of %s %d happened, whole and for good, and %d did not",
			plural(failed, "transaction"), plural(happened+not, "unknown one"), happened, not)
	}
	r.Evidence = map[string]any{"failed": failed, "happened": happened, "did_not": not, "unresolved": len(unread)}
	return r
}

func (c Outcomes) flip(l *lists, k *list, w write, r read) history.Result {
	seen := l.seen[w.by].by
	if w.first.by >= 0 && w.first.at <= l.txns[r.by].Call {
		return history.Refuted(l.ops(w.by, w.first.by, r.by), "the outcome of %s flipped: %s read its %d in %s, and %s, called after, reads %s without it",
			l.name(w.by), l.name(w.first.by), w.value, k.name, l.name(r.by), show(r.list))
	}
	return history.Refuted(l.ops(w.by, seen, r.by), "%s happened in part: %s read something that it appended, and %s, called after, reads %s=%s without its %d",
		l.name(w.by), l.name(seen), l.name(r.by), k.name, show(r.list), w.value)
}
