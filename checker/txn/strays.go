package txn

import (
	"fmt"
	"slices"
)

// disagreed judges the session guarantees where reads of a list fit no one order of its versions. What a session's own
// reads show is decided: each must begin with what the one before it returned, and hold what the session appended. The
// rest depends on an order that is not there, and is left open.
func (f *findings) disagreed(l *lists) {
	if f.counts["incompatible-order"] == 0 {
		return
	}
	type seen struct{ t, f int32 }
	last := map[[2]int32]seen{}    // by run and key: its last read by an earlier transaction
	own := map[[2]int32][]int32{}  // by run and key: appends of earlier transactions
	strays := make(map[int32]bool) // by operation
	for _, t := range l.byCall() {
		r := l.run[t]
		if r < 0 || !l.in[t] {
			continue
		}
		for o := l.start[t]; o < l.start[t+1]; o++ {
			op, at := l.op(o, t), [2]int32{r, l.key[o]}
			if op.Kind != Read || !l.known(t, op) {
				continue
			}
			strays[o] = l.isStray(o, op)
			p, read := last[at]
			if read && (strays[o] || strays[p.f]) && !isPrefix(l.op(p.f, p.t).List, op.List) {
				f.add("monotonic-reads-violation", func() Anomaly {
					return l.anomaly(fmt.Sprintf("%s read %s after %s, which came before it in its session, had read %s", l.name(t), l.listAt(t, o), l.name(p.t), l.listAt(p.t, p.f)), t, p.t)
				})
			}
			if !strays[o] {
				continue
			}
			for _, w := range own[at] {
				if v := l.vs.value[w]; !slices.Contains(op.List, v) {
					f.add("read-your-writes-violation", func() Anomaly {
						return l.anomaly(fmt.Sprintf("%s read %s without %s, which %s, which came before it in its session, had appended", l.name(t), l.listAt(t, o), l.say(v), l.name(l.writer[w])), t, l.writer[w])
					})
				}
			}
		}
		for o := l.start[t]; o < l.start[t+1]; o++ {
			at := [2]int32{r, l.key[o]}
			if op := l.op(o, t); op.Kind == Append {
				own[at] = append(own[at], l.write[o])
			} else if l.known(t, op) {
				last[at] = seen{t, o}
			}
		}
	}
	for _, m := range []string{"monotonic-reads", "monotonic-writes", "read-your-writes", "writes-follow-reads"} {
		if !f.breaks(m) {
			f.leave(m, m+"-violation", fmt.Sprintf("%s: reads of one list disagree on its order, so that nobody knows which version came first", m))
		}
	}
}

// isStray says that a read is not how the longest read of its key began.
func (l *lists) isStray(f int32, op *Op) bool {
	k := l.key[f]
	return l.longest[k] >= 0 && !isPrefix(op.List, l.op(l.longest[k], l.owner[k]).List)
}
