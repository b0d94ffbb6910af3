package checker

import (
	"cmp"
	"fmt"
	"slices"
	"sort"
	"time"

	"faultlab/checker/history"
	"faultlab/checker/txn"
)

// lists is what the reads of a list-append history say of each key. Positions are places in txns.
type lists struct {
	txns   []txn.Txn
	keys   []*list // in the order in which they were first named
	byName map[string]*list
	seen   []moment // for each transaction, when a committed read first showed something that it appended
}

// A moment is the end of a read.
type moment struct {
	at time.Duration
	by int // position of the reader; -1: never
}

// A list is one key.
type list struct {
	name    string
	number  int           // its place in lists.keys
	writes  []write       // in the order of call
	byValue map[int64]int // the first write of each value
	reads   []read        // of committed transactions, in the order of call
	longest []int64       // what the longest read returned
	place   map[int64]int // in longest

	shortest []int // for each read the shortest one of it and those after it, of those that are prefixes; len(reads): none is
	broken   []int // reads that are no prefix of longest
}

type write struct {
	value int64
	by    int
	first moment // when it was first seen by another than its own transaction
	twice bool   // the same value was appended to the key more than once
}

type read struct {
	by     int
	list   []int64
	prefix bool // of longest
}

func newLists(txns []txn.Txn) *lists {
	l := &lists{txns: txns, byName: map[string]*list{}, seen: make([]moment, len(txns))}
	for i := range txns {
		l.seen[i].by = -1
		t := &txns[i]
		for _, op := range t.Ops {
			k := l.key(op.Key)
			switch {
			case op.Kind == txn.Append:
				k.write(op.Value, i)
			case op.Kind == txn.Read && !op.Unread && t.Outcome == history.OK:
				k.reads = append(k.reads, read{by: i, list: op.List})
				if len(op.List) > len(k.longest) {
					k.longest = op.List
				}
			}
		}
	}
	for _, k := range l.keys {
		l.observe(k)
	}
	return l
}

func (l *lists) key(name string) *list {
	k, known := l.byName[name]
	if !known {
		k = &list{name: name, number: len(l.keys), byValue: map[int64]int{}}
		l.byName[name] = k
		l.keys = append(l.keys, k)
	}
	return k
}

func (k *list) write(value int64, by int) {
	if first, known := k.byValue[value]; known {
		k.writes[first].twice = true // by the same transaction or another
		return
	}
	k.byValue[value] = len(k.writes)
	k.writes = append(k.writes, write{value: value, by: by, first: moment{by: -1}})
}

// observe finds when each value of k was first seen.
func (l *lists) observe(k *list) {
	k.place = make(map[int64]int, len(k.longest))
	for i, v := range k.longest {
		if _, known := k.place[v]; !known {
			k.place[v] = i
		}
	}
	// Reads by the time of their end: a value's first moment is that of the first of them that has it, so of each prefix
	// only what no earlier one had is looked at.
	byEnd := make([]int, len(k.reads))
	for i := range k.reads {
		byEnd[i] = i
		r := &k.reads[i]
		r.prefix = slices.Equal(r.list, k.longest[:len(r.list)])
	}
	slices.SortStableFunc(byEnd, func(a, b int) int {
		return cmp.Compare(l.txns[k.reads[a].by].Return, l.txns[k.reads[b].by].Return)
	})
	done := 0
	for _, i := range byEnd {
		r := &k.reads[i]
		fresh := r.list
		if r.prefix {
			// The end of the transaction that appended it shows nothing, so the last ones may have to be looked at again.
			fresh = r.list[min(done, len(r.list)):]
		}
		sure := len(r.list)
		for j, v := range fresh {
			w, known := k.byValue[v]
			if known && k.writes[w].by == r.by {
				sure = min(sure, len(r.list)-len(fresh)+j)
			} else if known {
				l.note(&k.writes[w], r.by)
			}
		}
		if r.prefix {
			done = max(done, sure)
		}
	}
	k.shortest = make([]int, len(k.reads)+1)
	k.shortest[len(k.reads)] = len(k.reads)
	for i := len(k.reads) - 1; i >= 0; i-- {
		least := k.shortest[i+1]
		if !k.reads[i].prefix {
			k.broken = append(k.broken, i)
		} else if least == len(k.reads) || len(k.reads[i].list) <= len(k.reads[least].list) {
			least = i
		}
		k.shortest[i] = least
	}
}

func (l *lists) note(w *write, by int) {
	at := l.txns[by].Return
	if w.first.by < 0 || at < w.first.at {
		w.first = moment{at: at, by: by}
	}
	if s := &l.seen[w.by]; s.by < 0 || at < s.at {
		*s = moment{at: at, by: by}
	}
}

// has says whether a read of k shows value.
func (k *list) has(r read, value int64) bool {
	if r.prefix {
		at, known := k.place[value]
		return known && at < len(r.list)
	}
	return slices.Contains(r.list, value)
}

// missing returns a read of k, called after since, that does not show value.
func (k *list) missing(txns []txn.Txn, value int64, since time.Duration) (r read, found bool) {
	from := sort.Search(len(k.reads), func(i int) bool { return txns[k.reads[i].by].Call > since })
	if i := k.shortest[from]; i < len(k.reads) && !k.has(k.reads[i], value) {
		return k.reads[i], true
	}
	for _, i := range k.broken {
		if i >= from && !k.has(k.reads[i], value) {
			return k.reads[i], true
		}
	}
	return r, false
}

// last returns the read of k that was called last; ok is false if nobody read it.
func (k *list) last() (r read, ok bool) {
	if len(k.reads) == 0 {
		return r, false
	}
	return k.reads[len(k.reads)-1], true
}

// name is how a reason speaks of a transaction: "operation 12 (client c3, 1.200 s)".
func (l *lists) name(i int) string {
	t := &l.txns[i]
	return fmt.Sprintf("operation %d (client %s%s)", t.Index, t.Client, when(t.Call))
}

// ops are the indices, in the history, of the transactions at these positions, each once and in order.
func (l *lists) ops(positions ...int) []int {
	var list []int
	for _, i := range positions {
		list = append(list, l.txns[i].Index)
	}
	slices.Sort(list)
	return slices.Compact(list)
}

// show prints a list, its end if it is long.
func show(list []int64) string {
	const most = 12
	if len(list) <= most {
		return fmt.Sprint(list)
	}
	s := fmt.Sprint(list[len(list)-most:])
	return fmt.Sprintf("[... %s (%d values)", s[1:], len(list))
}
