package history

import (
	"cmp"
	"io"
	"iter"
	"math"
	"slices"
	"strconv"
	"time"
)

// Jepsen is what an operation of a history from Jepsen's tools asked for (Op.In) or answered (Op.Out): a function and
// its value, as they stand in the file. A failed operation has an answer too, and an unknown one if its info event has
// a value, which is as far as it got.
type Jepsen struct {
	F     string
	Value Value
	Event int   // the index of its event, as the file gives it; else the event's place in the file, from 0
	Line  int32 // where the event begins; 0 if it came from no file of events
	Col   int32

	// More is a map of the other members that a model here reads, which are those of Kafka's consumers: rebalance-log
	// and seek-to-beginning?. It is nil where there is none of them.
	More *Value
}

// JepsenJSON reads a history from Jepsen's tools with an event a line:
//
//	{"type":"invoke","f":"cas","value":[1,4],"process":3,"time":99286665244,"index":0}
//
// Events with the same process are paired: ok is OK, fail is Failed, info, or nothing at all, is Unknown. A process that
// has several operations under way, which Jepsen's never have, completes the last that the completion can be of. Lines
// of the nemesis are passed over. An operation without an invocation may have begun at any time since the operation
// before it in its process ended, which is then its Call; 0 if there was none, or nobody knows when it ended.
// Times are moved on by as little as makes each event later than the one on the line before, which is the order that
// counts; where there are none, lines are counted.
//
// Operations come in the order in which they ended, which is what a reader that keeps nothing can do; Index says in
// which order they were called. It ends after an error, which is a *SyntaxError if the text is wrong.
func JepsenJSON(r io.Reader) iter.Seq2[Op, error] {
	return func(yield func(Op, error) bool) {
		src := &jsonEvents{lines: newLines(r)}
		pair(src.next, yield)
	}
}

// JepsenArray reads the same from one JSON array of events.
func JepsenArray(r io.Reader) iter.Seq2[Op, error] {
	return func(yield func(Op, error) bool) {
		src := &jsonEvents{lines: newElements(r)}
		pair(src.next, yield)
	}
}

// JepsenEDN reads the same from EDN: one map an event, one after another or in a list or vector.
//
//	{:type :invoke, :f :cas, :value [1 4], :process 3, :time 99286665244}
func JepsenEDN(r io.Reader) iter.Seq2[Op, error] {
	return func(yield func(Op, error) bool) { pair(newEDN(r).event, yield) }
}

// Collect makes a history of operations in any order, and numbers them anew in the order of their calls.
func Collect(ops iter.Seq2[Op, error]) (*History, error) {
	h := &History{}
	for op, err := range ops {
		if err != nil {
			return nil, err
		}
		h.Ops = append(h.Ops, op)
		h.End = max(h.End, op.Return)
	}
	slices.SortFunc(h.Ops, func(a, b Op) int { return cmp.Or(cmp.Compare(a.Call, b.Call), cmp.Compare(a.Index, b.Index)) })
	for i := range h.Ops {
		h.Ops[i].Index = i
	}
	h.Healed = h.End
	return h, nil
}

// A jepsenEvent is one line of a Jepsen history.
type jepsenEvent struct {
	kind    string // invoke, ok, fail or info
	f       string
	value   Value
	process Value
	time    int64
	timed   bool
	index   int64
	indexed bool
	at      SyntaxError // its place
	more    *Value
}

// happened takes a time in nanoseconds; what is less than one is cut off.
func (e *jepsenEvent) happened(v Value) {
	e.time, e.timed = v.Int()
	if f, ok := v.Float(); ok && !e.timed && math.Abs(f) < 1<<63 {
		e.time, e.timed = int64(f), true
	}
}

// keep adds to Jepsen.More.
func (e *jepsenEvent) keep(name string, v Value) {
	if e.more == nil {
		e.more = &Value{Kind: Map}
	}
	e.more.list = append(e.more.list, Word(name), v)
}

// body is what the operation of the n-th event asked or answered.
func (e *jepsenEvent) body(n int) Jepsen {
	if e.indexed {
		n = int(e.index)
	}
	return Jepsen{F: e.f, Value: e.value, Event: n, Line: int32(min(e.at.Line, math.MaxInt32)), Col: int32(min(e.at.Column, math.MaxInt32)), More: e.more}
}

// pair makes operations of events. next returns io.EOF after the last.
func pair(next func() (jepsenEvent, error), yield func(Op, error) bool) {
	running := map[string]*Op{}         // the last that each process called
	waiting := map[string][]*Op{}       // those that it called before that one
	ended := map[string]time.Duration{} // when the last that each process completed returned, if that is known
	names := map[int64]string{}
	var now time.Duration
	calls := 0
	for n := 0; ; n++ {
		e, err := next()
		if err == io.EOF {
			break
		}
		if err != nil {
			yield(Op{}, err)
			return
		}
		name := e.process.text
		if number, whole := e.process.Int(); whole {
			if name = names[number]; name == "" {
				name = strconv.FormatInt(number, 10)
				names[number] = name
			}
		}
		if name == "nemesis" {
			continue
		}
		now++
		if e.timed {
			now = max(now, time.Duration(e.time))
		}
		op := running[name]
		if e.kind == "invoke" {
			if op != nil {
				waiting[name] = append(waiting[name], op)
			}
			running[name] = &Op{Index: calls, Client: name, In: e.body(n), Call: now, Outcome: Unknown, Phase: Safety}
			calls++
			continue
		}
		switch {
		case op == nil:
			op = &Op{Index: calls, Client: name, In: e.body(n), Call: ended[name], Outcome: Unknown, Phase: Safety}
			calls++
		case len(waiting[name]) == 0:
			delete(running, name)
		default:
			op = choose(running, waiting, name, &e)
		}
		op.Return = now
		if e.kind == "info" { // it may take effect at any later time
			delete(ended, name)
		} else {
			ended[name] = now
		}
		switch e.kind {
		case "ok":
			op.Outcome, op.Out = OK, e.body(n)
		case "fail":
			op.Outcome, op.Out = Failed, e.body(n)
		case "info":
			if e.value.Kind != Nil {
				op.Out = e.body(n)
			}
		}
		if !yield(*op, nil) {
			return
		}
	}
	open := make([]*Op, 0, len(running))
	for name, op := range running {
		open = append(append(open, op), waiting[name]...)
	}
	slices.SortFunc(open, func(a, b *Op) int { return cmp.Compare(a.Index, b.Index) })
	for _, op := range open {
		op.Return = now
		if !yield(*op, nil) {
			return
		}
	}
}

// choose takes out the operation that a completion is of, where a process has several under way.
func choose(running map[string]*Op, waiting map[string][]*Op, name string, e *jepsenEvent) *Op {
	all := append(waiting[name], running[name])
	at := len(all) - 1
	for i := at; i >= 0; i-- {
		if in := all[i].In.(Jepsen); in.F == e.f && in.Value.completes(e.value) {
			at = i
			break
		}
	}
	op := all[at]
	all = slices.Delete(all, at, at+1)
	running[name], waiting[name] = all[len(all)-1], all[:len(all)-1]
	return op
}

// completes says that out may be the value of a completion of what was asked with v: they differ only where v is nil.
func (v Value) completes(out Value) bool {
	switch {
	case v.Kind == Nil:
		return true
	case v.Kind != out.Kind || v.n != out.n || v.text != out.text || len(v.list) != len(out.list):
		return false
	}
	for i := range v.list {
		if !v.list[i].completes(out.list[i]) {
			return false
		}
	}
	return true
}

func jepsenKind(kind string) bool {
	return kind == "invoke" || kind == "ok" || kind == "fail" || kind == "info"
}

const wantKind = "invoke, ok, fail or info as the type"

type jsonEvents struct {
	lines interface {
		next() ([]byte, error)
		place() (line, column int)
	}
	values values
	s      scanner
}

func (j *jsonEvents) next() (e jepsenEvent, err error) {
	text, err := j.lines.next()
	if err != nil {
		return e, err
	}
	e.at.Line, e.at.Column = j.lines.place()
	j.s = scanner{b: text, line: e.at.Line, column: e.at.Column - 1}
	s := &j.s
	ok := s.object(func(name []byte) bool {
		var ok bool
		var b []byte
		s.space()
		from := s.i
		switch string(name) {
		case "type":
			if b, ok = s.text(); ok {
				e.kind = j.values.text(b)
				ok = jepsenKind(e.kind) || s.failAt(from, wantKind)
			}
		case "f":
			if s.peek() == 'n' {
				return s.word("null")
			}
			if b, ok = s.text(); ok {
				e.f = j.values.text(b)
			}
		case "value":
			e.value, ok = j.values.json(s, depthMax)
		case "process":
			e.process, ok = j.values.json(s, depthMax)
		case "time":
			if s.peek() == 'n' {
				return s.word("null")
			}
			if e.time, ok = s.integer(); ok {
				e.timed = true
				return true
			}
			if c := s.peek(); c == '-' || c-'0' <= 9 {
				var v Value
				s.err = nil
				v, ok = s.numeral()
				e.happened(v)
			}
		case "index":
			if c := s.peek(); c-'0' > 9 {
				_, ok = s.value()
				return ok
			}
			e.index, ok = s.integer()
			e.indexed = ok
		case "rebalance-log", "seek-to-beginning?":
			var v Value
			if v, ok = j.values.json(s, depthMax); ok {
				e.keep(string(name), v)
			}
		default:
			_, ok = s.value()
		}
		return ok
	})
	if !ok || !s.end() {
		return e, s.err
	}
	if e.kind == "" {
		return e, &SyntaxError{Line: e.at.Line, Column: e.at.Column, Want: `"type" among the members`}
	}
	return e, nil
}
