package txn

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"faultlab/checker/history"
)

func (c *compiled) name(t int32) string { return "T" + strconv.Itoa(c.txns[t].Index) }

// say writes a value as the history had it.
func (c *compiled) say(value int64) string {
	if c.word != nil {
		return c.word(value)
	}
	return strconv.FormatInt(value, 10)
}

// value writes what a write wrote.
func (c *compiled) value(w int32) string { return c.say(c.vs.value[w]) }

func (c *compiled) keyOf(f int32) string { return c.keys.name[c.key[f]] }

// listAt writes what a read returned: x=[1 2].
func (c *compiled) listAt(t, f int32) string {
	return c.keyOf(f) + "=" + c.list(c.op(f, t).List)
}

// list writes a list, a long one with its middle left out.
func (c *compiled) list(list []int64) string {
	var b strings.Builder
	b.WriteByte('[')
	for i, v := range list {
		if len(list) > 12 && i == 4 {
			b.WriteString(" …")
		}
		if len(list) > 12 && i >= 4 && i < len(list)-6 {
			continue
		}
		if i > 0 {
			b.WriteByte(' ')
		}
		b.WriteString(c.say(v))
	}
	b.WriteByte(']')
	return b.String()
}

// anomaly makes an example from a sentence and the transactions that show it.
func (c *compiled) anomaly(reason string, txns ...int32) Anomaly {
	return Anomaly{Reason: reason, Ops: c.indices(txns)}
}

func (c *compiled) indices(txns []int32) []int {
	ops := make([]int, len(txns))
	for i, t := range txns {
		ops[i] = c.txns[t].Index
	}
	slices.SortFunc(ops, cmp.Compare[int])
	return slices.Compact(ops)
}

// A reason is why one transaction comes after another: the key, the words, and a transaction beyond the two that shows
// it (-1 if none is needed).
type reason struct {
	key     string
	why     string
	witness int32
}

// timeWhy explains the edges that do not depend on data.
func (c *compiled) timeWhy(u, v int32, e edge) reason {
	if e == so {
		return reason{why: fmt.Sprintf("client %s ran %s before %s", c.txns[v].Client, c.name(u), c.name(v)), witness: -1}
	}
	return reason{why: fmt.Sprintf("%s had returned at %v, before %s began at %v", c.name(u), c.txns[u].Return, c.name(v), c.txns[v].Call), witness: -1}
}

// why explains an edge of a list-append history.
func (l *lists) why(u, v int32, e edge) reason {
	switch e {
	case ww:
		return l.whyWW(u, v)
	case wr:
		return l.whyWR(u, v)
	case rw:
		return l.whyRW(u, v)
	}
	return l.timeWhy(u, v, e)
}

func (l *lists) whyWW(u, v int32) reason {
	for f := l.start[v]; f < l.start[v+1]; f++ {
		w := l.write[f]
		if w < 0 || l.astray[w] {
			continue
		}
		k := l.key[f]
		vs := l.versions(k)
		at := int(l.place[w])
		unread := at < 0
		if unread {
			at = len(vs)
		}
		if at == 0 || l.writer[vs[at-1]] != u {
			continue
		}
		seen := fmt.Sprintf("%s read %s", l.name(l.owner[k]), l.listAt(l.owner[k], l.longest[k]))
		if unread {
			seen += fmt.Sprintf(", and no read holds %s", l.value(w))
		}
		return reason{l.keyOf(f), fmt.Sprintf("%s appended %s to %s after %s appended %s (%s)", l.name(v), l.value(w), l.keyOf(f), l.name(u), l.value(vs[at-1]), seen), l.owner[k]}
	}
	panic("txn: no reason for a ww edge")
}

func (l *lists) whyWR(u, v int32) reason {
	for f := l.start[v]; f < l.start[v+1]; f++ {
		op := l.op(f, v)
		if op.Kind != Read || !l.known(v, op) {
			continue
		}
		w := l.lastRead(v, f, op)
		if w < 0 || l.writer[w] != u {
			continue
		}
		doubt := ""
		if l.txns[u].Outcome == history.Unknown {
			doubt = ", so that it did commit, although its outcome was unknown"
		}
		return reason{l.keyOf(f), fmt.Sprintf("%s read %s, of which %s appended %s%s", l.name(v), l.listAt(v, f), l.name(u), l.value(w), doubt), -1}
	}
	panic("txn: no reason for a wr edge")
}

// lastRead returns the write that a read depends on, -1 if there is none: see read and stray.
func (l *lists) lastRead(t, f int32, op *Op) int32 {
	k := l.key[f]
	if l.longest[k] >= 0 && !isPrefix(op.List, l.op(l.longest[k], l.owner[k]).List) {
		return l.vs.find(k, op.List[len(op.List)-1])
	}
	n := l.places(k, len(op.List))
	if l.ownBefore(f) {
		n = l.before(t, f)
	}
	if n > 0 {
		return l.versions(k)[n-1]
	}
	return -1
}

func (l *lists) whyRW(u, v int32) reason {
	for f := l.start[u]; f < l.start[u+1]; f++ {
		op := l.op(f, u)
		if op.Kind != Read || !l.known(u, op) || l.ownBefore(f) {
			continue
		}
		k := l.key[f]
		if l.longest[k] >= 0 && !isPrefix(op.List, l.op(l.longest[k], l.owner[k]).List) {
			continue
		}
		n := l.places(k, len(op.List))
		for g := l.start[v]; g < l.start[v+1]; g++ {
			w := l.write[g]
			if w < 0 || l.key[g] != k || l.astray[w] || l.place[w] >= 0 && l.place[w] != n || l.place[w] < 0 && int(n) != len(l.versions(k)) {
				continue
			}
			witness, doubt := int32(-1), ""
			if l.place[w] >= 0 && l.txns[v].Outcome == history.Unknown {
				witness = l.owner[k]
				doubt = fmt.Sprintf(", and which did commit, although its outcome was unknown: %s read %s", l.name(l.owner[k]), l.listAt(l.owner[k], l.longest[k]))
			}
			return reason{l.keyOf(f), fmt.Sprintf("%s read %s without %s, which %s appended%s", l.name(u), l.listAt(u, f), l.value(w), l.name(v), doubt), witness}
		}
	}
	panic("txn: no reason for an rw edge")
}
