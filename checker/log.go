package checker

import (
	"fmt"
	"slices"
	"strings"

	"faultlab/checker/history"
)

// A LogOp is what one operation did to logs: it sent, polled and committed, or some of that. Before its polls, Moved
// says, its client was given other places to read at (a seek, a rebalance), so that they follow on nothing.
type LogOp[V comparable] struct {
	Sends   []Record[V] // an offset that is not known is negative
	Polls   []Record[V] // in the order in which they were delivered
	Moved   bool
	Group   string      // on whose behalf it polls and commits
	Commits []Record[V] // offsets up to which all was dealt with; values mean nothing
}

// A Record is a value at a place of a log.
type Record[V comparable] struct {
	Log    string
	Offset int64
	Value  V
}

// What Log looks for, in the order in which a failure names one of them; the names are those that Jepsen's Kafka
// workload gives them, where it has one.
const (
	InconsistentOffsets = "inconsistent-offsets"  // two values at one place
	AbortedRead         = "G1a"                   // a value polled whose send failed
	PhantomRead         = "phantom"               // a value polled that nobody sent
	LostWrite           = "lost-write"            // acknowledged, never polled, and something after it was: lost in the middle
	DuplicateValue      = "duplicate"             // one value at two places
	CommitAhead         = "commit-ahead"          // committed past a record that had not been delivered to the group
	PollBackIn          = "int-nonmonotonic-poll" // places went back inside one poll
	PollSkipIn          = "int-poll-skip"         // a poll skipped a record
	PollBack            = "nonmonotonic-poll"     // a client's poll went back behind its last one
	PollSkip            = "poll-skip"             // a client's poll skipped a record after its last one
	SendBackIn          = "int-nonmonotonic-send" // places went back inside one operation's sends
	SendBack            = "nonmonotonic-send"     // a client's send came before its last one
	RealTimeSend        = "realtime-send"         // a send came before one that was acknowledged before it was called
	Unseen              = "unseen"                // acknowledged, never polled, and nothing after it was: lost at the end, or the readers are slow
)

var logAnomalies = [...]string{InconsistentOffsets, AbortedRead, PhantomRead, LostWrite, DuplicateValue, CommitAhead, PollBackIn,
	PollSkipIn, PollBack, PollSkip, SendBackIn, SendBack, RealTimeSend, Unseen}

// Log judges partitioned logs as Kafka has them. Values are sent once each. What is unseen leaves the verdict open,
// since a reader may be slow; everything else that is found, and not allowed, is a failure.
type Log[V comparable] struct {
	View    func(op *history.Op) (l LogOp[V], ok bool)
	Allow   []string // anomalies that the system is allowed to show
	Dense   bool     // places have no holes, so that a poll that leaves one out skips even if nobody knows a record there
	AtLeast int      // acknowledged sends that were polled that a pass needs; 0: 1
}

// A logState is a Log at work.
type logState[V comparable] struct {
	Log[V]
	h      *history.History
	counts map[string]int
	first  map[string]history.Result
	logs   map[string]*oneLog[V]
	order  []*oneLog[V]
	values map[V]*sent
}

// oneLog is one partition.
type oneLog[V comparable] struct {
	name    string
	at      map[int64]place[V]
	offsets []int64 // known, sorted once all is read
	polled  int64   // the highest place polled, -1: none
}

type place[V comparable] struct {
	value V
	op    int // position of the operation that first said so
}

// sent is one value.
type sent struct {
	op     int // position of its send, the one that says most; -1: none
	log    string
	offset int64 // where it was first said to be; negative: not known
	at     int   // position of the operation that said so
	polled int   // position of its first poll; -1: never
}

// Check judges all of h.
func (c Log[V]) Check(h *history.History) history.Result {
	s := &logState[V]{Log: c, h: h, counts: map[string]int{}, first: map[string]history.Result{}, logs: map[string]*oneLog[V]{}, values: map[V]*sent{}}
	ops := make([]LogOp[V], len(h.Ops))
	for i := range h.Ops {
		if l, ok := c.View(&h.Ops[i]); ok {
			ops[i] = l
			for _, r := range l.Sends {
				s.send(i, r)
			}
		}
	}
	for i := range h.Ops {
		if h.Ops[i].Outcome == history.OK {
			for _, r := range ops[i].Polls {
				s.poll(i, r)
			}
		}
	}
	for _, l := range s.order {
		for offset := range l.at {
			l.offsets = append(l.offsets, offset)
		}
		slices.Sort(l.offsets)
	}
	s.sequences(ops)
	s.commits(ops)
	acked, seen := s.losses(ops)
	return s.result(acked, seen)
}

func (s *logState[V]) note(kind string, ops []int, format string, args ...any) {
	if s.counts[kind]++; s.counts[kind] == 1 {
		s.first[kind] = history.Refuted(ops, format, args...)
	}
}

func (s *logState[V]) log(name string) *oneLog[V] {
	l := s.logs[name]
	if l == nil {
		l = &oneLog[V]{name: name, at: map[int64]place[V]{}, polled: -1}
		s.logs[name] = l
		s.order = append(s.order, l)
	}
	return l
}

func (s *logState[V]) send(i int, r Record[V]) {
	op := &s.h.Ops[i]
	v := s.values[r.Value]
	if v == nil {
		v = &sent{op: i, log: r.Log, offset: -1, polled: -1}
		s.values[r.Value] = v
	} else if v.op < 0 || rank(op.Outcome) > rank(s.h.Ops[v.op].Outcome) {
		v.op, v.log = i, r.Log
	}
	if op.Outcome == history.OK && r.Offset >= 0 {
		s.place(i, r)
	}
}

// place notes that a record stands somewhere.
func (s *logState[V]) place(i int, r Record[V]) {
	l, v := s.log(r.Log), s.values[r.Value]
	if there, known := l.at[r.Offset]; known && there.value != r.Value {
		s.note(InconsistentOffsets, indices(s.h, there.op, i), "%s has %v at place %d of %s, and %s has %v there",
			name(&s.h.Ops[there.op]), there.value, r.Offset, r.Log, name(&s.h.Ops[i]), r.Value)
	} else if !known {
		l.at[r.Offset] = place[V]{r.Value, i}
	}
	switch {
	case v.offset < 0:
		v.log, v.offset, v.at = r.Log, r.Offset, i
	case v.offset != r.Offset || v.log != r.Log:
		s.note(DuplicateValue, indices(s.h, v.at, i), "%v is at two places: %d of %s (%s) and %d of %s (%s)",
			r.Value, v.offset, v.log, name(&s.h.Ops[v.at]), r.Offset, r.Log, name(&s.h.Ops[i]))
	}
}

func (s *logState[V]) poll(i int, r Record[V]) {
	v := s.values[r.Value]
	switch {
	case v == nil:
		s.note(PhantomRead, indices(s.h, i), "%s polled %v, which nobody sent", name(&s.h.Ops[i]), r.Value)
		v = &sent{op: -1, offset: -1, polled: -1}
		s.values[r.Value] = v
	case v.op >= 0 && s.h.Ops[v.op].Outcome == history.Failed:
		s.note(AbortedRead, indices(s.h, v.op, i), "%s polled %v, though %s failed to send it", name(&s.h.Ops[i]), r.Value, name(&s.h.Ops[v.op]))
	}
	if v.polled < 0 {
		v.polled = i
	}
	s.place(i, r)
	l := s.log(r.Log)
	l.polled = max(l.polled, r.Offset)
}

// hole finds a place between two that something is known to stand at, or, if the log is dense, any.
func (s *logState[V]) hole(l *oneLog[V], after, before int64) (offset int64, found bool) {
	if s.Dense && after+1 < before {
		return after + 1, true
	}
	i, _ := slices.BinarySearch(l.offsets, after+1)
	if i < len(l.offsets) && l.offsets[i] < before {
		return l.offsets[i], true
	}
	return 0, false
}

// sequences looks at what each client polls and sends, one after another, and at sends in real time.
func (s *logState[V]) sequences(ops []LogOp[V]) {
	type who struct{ client, log string }
	type step struct {
		offset int64
		op     int
	}
	polls, sends := map[string]map[string]step{}, map[who]step{} // polls by client, then by log
	marks := newWatermarks(s.h)
	for i := range s.h.Ops {
		op := &s.h.Ops[i]
		if op.Outcome != history.OK {
			continue
		}
		mine := polls[op.Client]
		if ops[i].Moved || mine == nil {
			mine = map[string]step{}
			polls[op.Client] = mine
		}
		for _, r := range ops[i].Polls {
			last, known := mine[r.Log]
			mine[r.Log] = step{r.Offset, i}
			if !known {
				continue
			}
			back, skip := PollBack, PollSkip
			if last.op == i {
				back, skip = PollBackIn, PollSkipIn
			}
			if r.Offset <= last.offset {
				s.note(back, indices(s.h, last.op, i), "%s polled place %d of %s, after place %d (%s)", name(op), r.Offset, r.Log, last.offset, name(&s.h.Ops[last.op]))
			} else if at, skipped := s.hole(s.log(r.Log), last.offset, r.Offset); skipped {
				s.note(skip, indices(s.h, last.op, i), "%s polled place %d of %s straight after place %d (%s), and skipped place %d", name(op), r.Offset, r.Log, last.offset, name(&s.h.Ops[last.op]), at)
			}
		}
		for _, r := range ops[i].Sends {
			if r.Offset < 0 {
				continue
			}
			w := who{op.Client, r.Log}
			if last, known := sends[w]; known && r.Offset <= last.offset {
				kind := SendBack
				if last.op == i {
					kind = SendBackIn
				}
				s.note(kind, indices(s.h, last.op, i), "%s sent %v to place %d of %s, before what the same client sent earlier, to place %d (%s)",
					name(op), r.Value, r.Offset, r.Log, last.offset, name(&s.h.Ops[last.op]))
			} else if high, known := marks.before(r.Log, op.Call); known && high.number >= r.Offset {
				s.note(RealTimeSend, indices(s.h, high.op, i), "%s sent %v to place %d of %s, before place %d, which %s had been given before",
					name(op), r.Value, r.Offset, r.Log, high.number, name(&s.h.Ops[high.op]))
			}
			sends[w] = step{r.Offset, i}
		}
		for _, r := range ops[i].Sends {
			if r.Offset >= 0 {
				marks.add(r.Log, mark{r.Offset, i})
			}
		}
	}
}

// commits looks for records before a committed place that had not been delivered to the group.
func (s *logState[V]) commits(ops []LogOp[V]) {
	type who struct{ group, log string }
	type cursor struct {
		delivered map[int64]bool
		next      int // all of the log's offsets before this one were delivered
	}
	cursors := map[who]*cursor{}
	byEnd := make([]int, 0, len(s.h.Ops)) // polls
	for i := range s.h.Ops {
		if s.h.Ops[i].Outcome == history.OK && len(ops[i].Polls) > 0 {
			byEnd = append(byEnd, i)
		}
	}
	sortBy(byEnd, func(i int) int64 { return int64(s.h.Ops[i].Return) })
	get := func(group, log string) *cursor {
		c := cursors[who{group, log}]
		if c == nil {
			c = &cursor{delivered: map[int64]bool{}}
			cursors[who{group, log}] = c
		}
		return c
	}
	ended := 0
	for i := range s.h.Ops {
		op := &s.h.Ops[i]
		if op.Outcome != history.OK || len(ops[i].Commits) == 0 {
			continue
		}
		for ; ended < len(byEnd) && s.h.Ops[byEnd[ended]].Return <= op.Call; ended++ {
			for _, r := range ops[byEnd[ended]].Polls {
				get(ops[byEnd[ended]].Group, r.Log).delivered[r.Offset] = true
			}
		}
		for _, r := range ops[i].Commits {
			c, l := get(ops[i].Group, r.Log), s.log(r.Log)
			for c.next < len(l.offsets) && c.delivered[l.offsets[c.next]] {
				c.next++
			}
			if c.next < len(l.offsets) && l.offsets[c.next] <= r.Offset {
				at := l.offsets[c.next]
				s.note(CommitAhead, indices(s.h, l.at[at].op, i), "%s committed place %d of %s for group %s, to which %v, at place %d, had not been delivered",
					name(op), r.Offset, r.Log, ops[i].Group, l.at[at].value, at)
			}
		}
	}
}

// losses counts acknowledged values, and those of them that were polled.
func (s *logState[V]) losses(ops []LogOp[V]) (acked, seen int) {
	type who struct{ client, log string }
	after := map[who]int{} // the last send of a client to a log that was polled
	for i := len(s.h.Ops) - 1; i >= 0; i-- {
		op := &s.h.Ops[i]
		for _, r := range ops[i].Sends {
			v := s.values[r.Value]
			w := who{op.Client, r.Log}
			if v.polled >= 0 {
				if _, known := after[w]; !known {
					after[w] = i
				}
			}
		}
	}
	for i := range s.h.Ops {
		op := &s.h.Ops[i]
		if op.Outcome != history.OK {
			continue
		}
		for _, r := range ops[i].Sends {
			v := s.values[r.Value]
			if v.op != i {
				continue
			}
			acked++
			later, known := after[who{op.Client, r.Log}]
			switch {
			case v.polled >= 0:
				seen++
			case v.offset >= 0 && s.log(v.log).polled > v.offset:
				s.note(LostWrite, indices(s.h, i), "%s sent %v to place %d of %s and was acknowledged; nobody ever polled it, though place %d was polled",
					name(op), r.Value, v.offset, v.log, s.log(v.log).polled)
			case known && op.Before(&s.h.Ops[later]):
				s.note(LostWrite, indices(s.h, i, later), "%s sent %v to %s and was acknowledged; nobody ever polled it, though what %s sent later was polled",
					name(op), r.Value, r.Log, name(&s.h.Ops[later]))
			default:
				s.note(Unseen, indices(s.h, i), "%s sent %v to %s and was acknowledged; nobody polled it, nor anything after it", name(op), r.Value, r.Log)
			}
		}
	}
	return acked, seen
}

func (s *logState[V]) result(acked, seen int) history.Result {
	evidence := map[string]any{"acknowledged": acked, "polled": seen}
	var bad []string
	for _, kind := range logAnomalies {
		if n := s.counts[kind]; n > 0 {
			evidence[kind] = n
			if !slices.Contains(s.Allow, kind) {
				bad = append(bad, kind)
			}
		}
	}
	r := history.Passed("all of %s that were acknowledged were polled, at their places and in order", plural(seen, "value"))
	switch {
	case len(bad) > 0:
		r = s.first[bad[0]]
		if bad[0] == Unseen {
			r = history.Doubted("%s: lost at the end, or the readers were slow%s", r.Reason, others(s.counts[Unseen]-1, "value"))
		} else if len(bad) > 1 {
			r.Reason = fmt.Sprintf("%s (also found: %s)", r.Reason, strings.Join(bad[1:], ", "))
		}
	case seen < or(s.AtLeast, 1):
		r = history.Doubted("only %s polled; %d are needed", plural(seen, "acknowledged value"), or(s.AtLeast, 1))
	}
	if len(s.first) > 0 {
		evidence["examples"] = s.first // of each kind that was found
	}
	r.Evidence = evidence
	return r
}
