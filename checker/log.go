package checker

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"faultlab/checker/history"
)

// A LogOp is what one operation did to logs: it sent, polled and committed, or some of that, as one transaction.
//
// What a failed operation polled counts too, and what one of unknown outcome did: a log delivers what is safe, whatever
// becomes of who asked. Sends of unknown outcome took effect if one of them was polled by an operation that is OK.
type LogOp[V comparable] struct {
	Sends []Record[V] // an offset that is not known is negative
	Polls []Record[V] // in the order in which they were delivered

	// Moved says that before its polls the client was given other places to read at, by an assignment or a seek: it
	// goes on where it was in the logs that it Keeps, and its polls of others follow on nothing.
	Moved bool
	Keeps []string
	// Rebalanced are logs whose readers changed while it ran, so that its polls of those follow on nothing.
	Rebalanced []string

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
	FutureRead          = "future-read"           // a value polled before its send was called
	PrecommittedRead    = "precommitted-read"     // a transaction polled what it sent itself, before it was committed
	LostWrite           = "lost-write"            // acknowledged, never polled, and something after it was: lost in the middle
	DuplicateValue      = "duplicate"             // one value at two places
	CommitAhead         = "commit-ahead"          // committed past a record that had not been delivered to the group
	PollBackIn          = "int-nonmonotonic-poll" // places went back inside one poll
	PollSkipIn          = "int-poll-skip"         // a poll skipped a record
	PollBack            = "nonmonotonic-poll"     // a client's poll went back behind its last one
	PollSkip            = "poll-skip"             // a client's poll skipped a record after its last one
	SendBackIn          = "int-nonmonotonic-send" // places went back inside one operation's sends
	SendSkipIn          = "int-send-skip"         // another's record stands between two sends of one operation, as it does where transactions interleave
	SendBack            = "nonmonotonic-send"     // a client's send came before its last one
	RealTimeSend        = "realtime-send"         // a send came before one that was acknowledged before it was called
	Unseen              = "unseen"                // acknowledged, never polled, and nothing after it was: lost at the end, or the readers are slow
)

var logAnomalies = [...]string{InconsistentOffsets, AbortedRead, PhantomRead, FutureRead, PrecommittedRead, LostWrite, DuplicateValue,
	CommitAhead, PollBackIn, PollSkipIn, PollBack, PollSkip, SendBackIn, SendBack, SendSkipIn, RealTimeSend, Unseen}

// Log judges partitioned logs as Kafka has them. Values are sent once each. What is unseen leaves the verdict open,
// since a reader may be slow; everything else that is found, and not allowed, is a failure.
type Log[V comparable] struct {
	View    func(op *history.Op) (l LogOp[V], ok bool)
	Allow   []string // anomalies that the system is allowed to show
	Forbid  []string // those that it is not, though others are: SendSkipIn is allowed where it does not stand here
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
	proofs map[int]int // of operations of unknown outcome that took effect: position of a poll that shows it
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
	called int // position of the first send that may have taken effect; -1: none
	log    string
	offset int64 // where it was first said to be; negative: not known
	at     int   // position of the operation that said so
	polled int   // position of its first poll; -1: never
}

// Check judges all of h.
func (c Log[V]) Check(h *history.History) history.Result {
	s := &logState[V]{Log: c, h: h, counts: map[string]int{}, first: map[string]history.Result{}, logs: map[string]*oneLog[V]{}, values: map[V]*sent{}, proofs: map[int]int{}}
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
		for _, r := range ops[i].Polls {
			s.poll(i, r)
		}
		s.precommitted(i, &ops[i])
	}
	for i := range h.Ops {
		s.prove(i, &ops[i])
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
		v = &sent{op: i, called: -1, log: r.Log, offset: -1, polled: -1}
		s.values[r.Value] = v
	} else if v.op < 0 || rank(op.Outcome) > rank(s.h.Ops[v.op].Outcome) {
		v.op, v.log = i, r.Log
	}
	if v.called < 0 && op.Outcome != history.Failed {
		v.called = i
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
	op, v := &s.h.Ops[i], s.values[r.Value]
	switch {
	case v == nil:
		s.note(PhantomRead, indices(s.h, i), "%s polled %v, which nobody sent", name(op), r.Value)
		v = &sent{op: -1, called: -1, offset: -1, polled: -1}
		s.values[r.Value] = v
	case v.op < 0:
	case v.called >= 0 && op.Return < s.h.Ops[v.called].Call:
		s.note(FutureRead, indices(s.h, v.called, i), "%s polled %v before anyone sent it: %s did, and was called after", name(op), r.Value, name(&s.h.Ops[v.called]))
	case v.called < 0 && op.Outcome == history.OK:
		s.note(AbortedRead, indices(s.h, v.op, i), "%s polled %v, though %s failed to send it", name(op), r.Value, name(&s.h.Ops[v.op]))
	}
	if op.Outcome == history.OK {
		if v.polled < 0 {
			v.polled = i
		}
		l := s.log(r.Log)
		l.polled = max(l.polled, r.Offset)
	}
	s.place(i, r)
}

// precommitted looks for a record that was polled by who sent it.
func (s *logState[V]) precommitted(i int, l *LogOp[V]) {
	for _, r := range l.Sends {
		if slices.ContainsFunc(l.Polls, func(p Record[V]) bool { return p.Log == r.Log && p.Value == r.Value }) {
			s.note(PrecommittedRead, indices(s.h, i), "%s sent %v and polled it itself, before it was committed", name(&s.h.Ops[i]), r.Value)
		}
	}
}

// prove finds out whether an operation of unknown outcome took effect: all of it did if one of its sends was polled.
func (s *logState[V]) prove(i int, l *LogOp[V]) {
	if s.h.Ops[i].Outcome != history.Unknown {
		return
	}
	for _, r := range l.Sends {
		if v := s.values[r.Value]; v.op == i && v.polled >= 0 {
			s.proofs[i] = v.polled
			break
		}
	}
	if _, proved := s.proofs[i]; !proved {
		return
	}
	for _, r := range l.Sends {
		if r.Offset >= 0 {
			s.place(i, r)
		}
	}
}

// landed says that what an operation sent is known to have taken effect.
func (s *logState[V]) landed(i int) bool {
	_, proved := s.proofs[i]
	return proved || s.h.Ops[i].Outcome == history.OK
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
	here := map[string]step{}                                    // polls of one operation
	marks := newWatermarks(s.h)
	for i := range s.h.Ops {
		op := &s.h.Ops[i]
		mine := polls[op.Client]
		if mine == nil {
			mine = map[string]step{}
			polls[op.Client] = mine
		}
		if ops[i].Moved && op.Outcome != history.Failed {
			maps.DeleteFunc(mine, func(log string, _ step) bool { return !slices.Contains(ops[i].Keeps, log) })
		}
		for _, log := range ops[i].Rebalanced {
			delete(mine, log)
		}
		clear(here)
		for _, r := range ops[i].Polls {
			last, known := here[r.Log]
			back, skip := PollBackIn, PollSkipIn
			if !known {
				last, known = mine[r.Log]
				back, skip = PollBack, PollSkip
			}
			here[r.Log] = step{r.Offset, i}
			if !known || slices.Contains(ops[i].Rebalanced, r.Log) {
				continue
			}
			if r.Offset <= last.offset {
				s.note(back, indices(s.h, last.op, i), "%s polled place %d of %s, after place %d (%s)", name(op), r.Offset, r.Log, last.offset, name(&s.h.Ops[last.op]))
			} else if at, skipped := s.hole(s.log(r.Log), last.offset, r.Offset); skipped {
				s.note(skip, indices(s.h, last.op, i), "%s polled place %d of %s straight after place %d (%s), and skipped place %d", name(op), r.Offset, r.Log, last.offset, name(&s.h.Ops[last.op]), at)
			}
		}
		// Who fails goes back to where it was; of an unknown outcome nobody knows where its client goes on.
		for log, last := range here {
			switch op.Outcome {
			case history.OK:
				mine[log] = last
			case history.Unknown:
				delete(mine, log)
			}
		}
		if !s.landed(i) {
			continue
		}
		for _, r := range ops[i].Sends {
			offset := s.offset(i, r)
			if offset < 0 {
				continue
			}
			w := who{op.Client, r.Log}
			last, known := sends[w]
			if known && offset <= last.offset {
				kind := SendBack
				if last.op == i {
					kind = SendBackIn
				}
				s.note(kind, indices(s.h, last.op, i), "%s sent %v to place %d of %s, before what the same client sent earlier, to place %d (%s)",
					name(op), r.Value, offset, r.Log, last.offset, name(&s.h.Ops[last.op]))
			} else if high, known := marks.before(r.Log, op.Call); known && high.number >= offset {
				s.note(RealTimeSend, indices(s.h, high.op, i), "%s sent %v to place %d of %s, before place %d, which %s had been given before",
					name(op), r.Value, offset, r.Log, high.number, name(&s.h.Ops[high.op]))
			}
			if known && last.op == i {
				if at, skipped := s.hole(s.log(r.Log), last.offset, offset); skipped {
					s.note(SendSkipIn, indices(s.h, i), "%s sent to place %d of %s straight after place %d, and not to place %d", name(op), offset, r.Log, last.offset, at)
				}
			}
			sends[w] = step{offset, i}
		}
		if op.Outcome == history.OK {
			for _, r := range ops[i].Sends {
				if offset := s.offset(i, r); offset >= 0 {
					marks.add(r.Log, mark{offset, i})
				}
			}
		}
	}
}

// offset is where a record that was sent stands, negative if that is not known: as its sender was told, or whoever
// polled it.
func (s *logState[V]) offset(i int, r Record[V]) int64 {
	if v := s.values[r.Value]; r.Offset < 0 && v.op == i && v.log == r.Log {
		return v.offset
	}
	return r.Offset
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
		proof, proved := s.proofs[i]
		if op.Outcome != history.OK && !proved {
			continue
		}
		for _, r := range ops[i].Sends {
			v := s.values[r.Value]
			if v.op != i {
				continue
			}
			missed := v.polled < 0 && v.offset >= 0 && s.log(v.log).polled > v.offset
			if proved {
				if missed {
					s.note(LostWrite, indices(s.h, i, proof), "%s sent %v to place %d of %s, and took effect, since %s polled what it sent beside it; no operation that succeeded polled it, though place %d was polled",
						name(op), r.Value, v.offset, v.log, name(&s.h.Ops[proof]), s.log(v.log).polled)
				}
				continue
			}
			acked++
			later, known := after[who{op.Client, r.Log}]
			switch {
			case v.polled >= 0:
				seen++
			case missed:
				s.note(LostWrite, indices(s.h, i), "%s sent %v to place %d of %s and was acknowledged; no operation that succeeded polled it, though place %d was polled",
					name(op), r.Value, v.offset, v.log, s.log(v.log).polled)
			case known && op.Before(&s.h.Ops[later]):
				s.note(LostWrite, indices(s.h, i, later), "%s sent %v to %s and was acknowledged; no operation that succeeded polled it, though what %s sent later was polled",
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
			if !slices.Contains(s.Allow, kind) && (kind != SendSkipIn || slices.Contains(s.Forbid, kind)) {
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
