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
	shared := make([][]sharing, len(l.keys)) // by key, of its longest read
	saw := make([]read, len(l.keys))         // by key, the last read of the transaction that it names
	for n, k := range l.keys {
		shared[n] = k.shared(k.longest, parts, nil)
		saw[n].by = -1
	}
	told := 0
	var mine []*list // what one transaction read
	var broken []sharing
	for i := range l.txns {
		t := &l.txns[i]
		if t.Outcome != history.OK {
			continue
		}
		mine = mine[:0]
		for _, op := range t.Ops {
			if op.Kind != txn.Read || op.Unread {
				continue
			}
			k := l.byName[op.Key]
			if saw[k.number].by != i {
				mine = append(mine, k)
			}
			saw[k.number] = read{by: i, list: op.List, prefix: slices.Equal(op.List, k.longest[:len(op.List)])}
		}
		for _, k := range mine {
			r, values := saw[k.number], shared[k.number]
			if !r.prefix {
				broken = k.shared(r.list, parts, broken[:0])
				values = broken
			}
			for _, s := range values {
				if s.place >= len(r.list) {
					break
				}
				if s.by == i {
					continue
				}
				v := r.list[s.place]
				for _, p := range parts[s.by] {
					other := saw[p.key.number]
					if other.by != i || p.key == k && p.value == v {
						continue
					}
					told++
					if !p.key.has(other, p.value) {
						return history.Refuted(l.ops(s.by, i), "%s appended %d to %s and %d to %s, and %s reads the first without the other (%s=%s)",
							l.name(s.by), v, k.name, p.value, p.key.name, l.name(i), p.key.name, show(other.list))
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

// A sharing is a value in a read of a key, at place, whose transaction, at position by, appended others too.
type sharing struct{ place, by int }

// shared appends to dst the sharings of a read of k.
func (k *list) shared(values []int64, parts [][]part, dst []sharing) []sharing {
	for place, v := range values {
		if w, known := k.byValue[v]; known && len(parts[k.writes[w].by]) >= 2 {
			dst = append(dst, sharing{place, k.writes[w].by})
		}
	}
	return dst
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
