package txn

import "fmt"

// perKey judges each list alone: its versions are in one order, so a key is linearizable if whoever began after another
// had returned saw, and left, nothing older than the other left; and sequential if that holds within each session.
// (Herlihy and Wing, "Linearizability", TOPLAS 1990; it is local, so keys can be judged one by one.)
func (f *findings) perKey(l *lists) {
	spans := l.spans()
	tl := l.timeline()
	newest := make([]mark, len(l.keys.name))
	leave := func(t int32, marks []mark) {
		for _, s := range spans.of(t) {
			if s.high > marks[s.key].high {
				marks[s.key] = mark{s.high, t}
			}
		}
	}
	e := 0
	for _, t := range tl.byCall {
		for ; e < len(tl.byEnd) && tl.end[tl.byEnd[e]] < tl.call[t]; e++ {
			leave(tl.byEnd[e], newest)
		}
		for _, s := range spans.of(t) {
			if m := newest[s.key]; s.low < m.high {
				f.add("per-key-linearizable-violation", func() Anomaly { return l.behind(s, t, m.txn, "had returned before it began") })
			}
		}
	}
	byRun := make([][]int32, 0)
	for _, t := range tl.byCall {
		for int(l.run[t]) >= len(byRun) {
			byRun = append(byRun, nil)
		}
		byRun[l.run[t]] = append(byRun[l.run[t]], t)
	}
	clear(newest)
	for _, run := range byRun {
		for _, t := range run {
			for _, s := range spans.of(t) {
				if m := newest[s.key]; s.low < m.high {
					f.add("per-key-sequential-violation", func() Anomaly { return l.behind(s, t, m.txn, "came before it in its session") })
				}
			}
			leave(t, newest)
		}
		for _, t := range run {
			for _, s := range spans.of(t) {
				newest[s.key] = mark{}
			}
		}
	}
}

// A mark is the newest version of a key that somebody has left behind: how many appends it holds.
type mark struct {
	high, txn int32
}

// A span says that a transaction used a key from the version with low appends to the one with high. An append that no
// read holds came after all others, nobody knows how much later.
type span struct {
	key, low, high int32
}

type spans struct {
	first []int32
	all   []span
}

func (s *spans) of(t int32) []span { return s.all[s.first[t]:s.first[t+1]] }

func (l *lists) spans() *spans {
	s := &spans{first: make([]int32, len(l.txns)+1)}
	for t := range int32(len(l.txns)) {
		begin := len(s.all)
		s.first[t] = int32(begin)
		if !l.in[t] {
			continue
		}
		for f := l.start[t]; f < l.start[t+1]; f++ {
			k := l.key[f]
			last := l.first[k+1] - l.first[k]
			low, high := int32(0), int32(0)
			if w := l.write[f]; w >= 0 {
				if l.astray[w] {
					continue
				}
				low, high = l.place[w], l.place[w]+1
				if l.place[w] < 0 {
					low, high = last+1, last+1
				}
			} else {
				op := l.op(f, t)
				if !l.known(t, op) || l.ownBefore(f) || l.longest[k] >= 0 && !isPrefix(op.List, l.op(l.longest[k], l.owner[k]).List) {
					continue
				}
				low = l.places(k, len(op.List))
				high = low
			}
			merged := false
			for i := begin; i < len(s.all); i++ {
				if s.all[i].key == k {
					s.all[i].low, s.all[i].high = min(s.all[i].low, low), max(s.all[i].high, high)
					merged = true
				}
			}
			if !merged {
				s.all = append(s.all, span{k, low, high})
			}
		}
	}
	s.first[len(l.txns)] = int32(len(s.all))
	return s
}

func (l *lists) behind(s span, t, earlier int32, how string) Anomaly {
	return l.anomaly(fmt.Sprintf("%s used %s as it was with %d elements, although %s, which %s, had left at least %d in it", l.name(t), l.keys.name[s.key],
		s.low, l.name(earlier), how, s.high), t, earlier, l.owner[s.key])
}
