package checker

import (
	"strings"
	"time"

	"faultlab/checker/history"
)

// Durable judges that what was acknowledged is still there: each value appended by a transaction that is OK stands in
// the last read of its key, and in every read of it called after the last acknowledged append to it had returned.
//
// A lost value is in the middle if something appended after it was acknowledged can be read: that is proof wherever the
// reader stands. One at the end is proof too if reads are not stale by design; see SlowReaders. A key that nobody read
// after its last acknowledged append leaves the verdict open.
type Durable struct {
	Of *Transactions
	// SlowReaders says that a read may miss what is newest. Then a value lost at the end leaves the verdict open.
	SlowReaders bool
	AtLeast     int // acknowledged appends that a pass needs; 0: 50
}

// A loss is an acknowledged value that a read called later does not show.
type loss struct {
	key    *list
	w      write
	missed int // position of that read
	later  int // position of a transaction that appended to the key after it was acknowledged and is read; -1: none is
}

// Check judges all of h.
func (c Durable) Check(h *history.History) history.Result {
	l := c.Of.index(h)
	acked, middle, end := 0, 0, 0
	var unread []string // keys
	var first *loss
	for _, k := range l.keys {
		var quiet time.Duration // when the last acknowledged append to k had returned
		for _, w := range k.writes {
			if t := &l.txns[w.by]; t.Outcome == history.OK {
				quiet = max(quiet, t.Return)
			}
		}
		finals := k.reads
		for i := len(k.reads); i > 0 && l.txns[k.reads[i-1].by].Call > quiet; i-- {
			finals = k.reads[i-1:]
		}
		if len(finals) > 0 && l.txns[finals[0].by].Call <= quiet {
			finals = finals[len(finals)-1:]
		}
		open := false
		for _, w := range k.writes {
			t := &l.txns[w.by]
			if t.Outcome != history.OK {
				continue
			}
			acked++
			missed, known := -1, false
			for _, r := range finals {
				has := k.has(r, w.value)
				after := l.txns[r.by].Call > t.Return
				known = known || has || after
				if after && !has {
					missed = r.by
				}
			}
			open = open || !known
			if missed < 0 {
				continue
			}
			lost := &loss{key: k, w: w, missed: missed, later: l.later(k, w)}
			if lost.later >= 0 || w.first.by >= 0 {
				middle++
			} else {
				end++
			}
			if first == nil || first.later < 0 && first.w.first.by < 0 && (lost.later >= 0 || w.first.by >= 0) {
				first = lost
			}
		}
		if open {
			unread = append(unread, k.name)
		}
	}
	r := c.judge(l, acked, middle, end, first, unread)
	r.Evidence = map[string]any{"acknowledged": acked, "lost_middle": middle, "lost_end": end, "keys_not_read_again": len(unread)}
	return r
}

func (c Durable) judge(l *lists, acked, middle, end int, first *loss, unread []string) history.Result {
	switch {
	case middle > 0 || end > 0 && !c.SlowReaders:
		return first.refute(l, middle+end)
	case end > 0:
		return history.Doubted("%s at the end of their lists, %d at key %s for one, were acknowledged and not read: lost, or the readers are slow",
			plural(end, "value"), first.w.value, first.key.name)
	case len(unread) > 0:
		const few = 3
		return history.Doubted("%s had no complete read after the last acknowledged append: %s",
			plural(len(unread), "key"), strings.Join(unread[:min(few, len(unread))], ", "))
	case acked < or(c.AtLeast, 50):
		return history.Doubted("only %s acknowledged; %d are needed", plural(acked, "append"), or(c.AtLeast, 50))
	}
	return history.Passed("all of %s acknowledged are in the last reads of their keys", plural(acked, "value"))
}

// later finds a value of k that is in its longest read and was appended after w was acknowledged.
func (l *lists) later(k *list, w write) int {
	for i := len(k.longest) - 1; i >= 0; i-- {
		if j, known := k.byValue[k.longest[i]]; known && l.txns[k.writes[j].by].Call > l.txns[w.by].Return {
			return k.writes[j].by
		}
	}
	return -1
}

func (lost *loss) refute(l *lists, n int) history.Result {
	k, w := lost.key, lost.w
	ops := []int{w.by, lost.missed}
	how := "it is at the end of the list that it is missing"
	switch {
	case w.first.by >= 0:
		ops = append(ops, w.first.by)
		how = l.name(w.first.by) + " had read it"
	case lost.later >= 0:
		ops = append(ops, lost.later)
		how = l.name(lost.later) + " appended after it, and that can be read"
	}
	others := ""
	if n > 1 {
		others = " (and " + plural(n-1, "other value") + ")"
	}
	return history.Refuted(l.ops(ops...), "%s appended %d to %s and was acknowledged, but %s, called after, does not read it%s: %s",
		l.name(w.by), w.value, k.name, l.name(lost.missed), others, how)
}
