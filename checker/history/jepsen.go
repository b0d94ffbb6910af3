package history

import (
	"cmp"
	"io"
	"iter"
	"slices"
	"strconv"
	"time"
)

// Jepsen is what an operation of a history from Jepsen's tools asked for (Op.In) or answered (Op.Out): a function and
// its value, as they stand in the file. A failed operation has an answer too, an unknown one has none.
type Jepsen struct {
	F     string
	Value Value
}

// JepsenJSON reads a history from Jepsen's tools with an event a line:
//
//	{"type":"invoke","f":"cas","value":[1,4],"process":3,"time":99286665244,"index":0}
//
// Events with the same process are paired: ok is OK, fail is Failed, info, or nothing at all, is Unknown. Lines of
// processes that are no numbers, the nemesis for one, are passed over. An operation without an invocation is taken to
// have happened at the instant of its completion. Times are moved on by as little as makes each event later than
// the one on the line before, which is the order that counts; where there are none, lines are counted.
//
// Operations come in the order in which they ended, which is what a reader that keeps nothing can do; Index says in
// which order they were called. It ends after an error, which is a *SyntaxError if the text is wrong.
func JepsenJSON(r io.Reader) iter.Seq2[Op, error] {
	return func(yield func(Op, error) bool) {
		src := &jsonEvents{lines: newLines(r)}
		pair(src.next, yield)
	}
}

// JepsenEDN reads the same from EDN: one map an event, one after another or in a list or vector.
//
//	{:type :invoke, :f :cas, :value [1 4], :process 3, :time 99286665244}
func JepsenEDN(r io.Reader) iter.Seq2[Op, error] {
	return func(yield func(Op, error) bool) { pair(newEDN(r).event, yield) }
}

// Collect makes a history of operations in any order.
func Collect(ops iter.Seq2[Op, error]) (*History, error) {
	h := &History{}
	for op, err := range ops {
		if err != nil {
			return nil, err
		}
		h.Ops = append(h.Ops, op)
		h.End = max(h.End, op.Return)
	}
	slices.SortFunc(h.Ops, func(a, b Op) int { return cmp.Compare(a.Index, b.Index) })
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
}

// pair makes operations of events. next returns io.EOF after the last.
func pair(next func() (jepsenEvent, error), yield func(Op, error) bool) {
	running := map[string]*Op{}
	names := map[int64]string{}
	var now time.Duration
	calls := 0
	for {
		e, err := next()
		if err == io.EOF {
			break
		}
		if err != nil {
			yield(Op{}, err)
			return
		}
		name := ""
		switch n, whole := e.process.Int(); {
		case whole:
			if name = names[n]; name == "" {
				name = strconv.FormatInt(n, 10)
				names[n] = name
			}
		case e.process.Kind != Nil:
			continue // the nemesis
		}
		now++
		if e.timed {
			now = max(now, time.Duration(e.time))
		}
		op := running[name]
		if e.kind == "invoke" || op == nil {
			if op != nil && !yield(*op, nil) {
				return
			}
			op = &Op{Index: calls, Client: name, In: Jepsen{e.f, e.value}, Call: now, Outcome: Unknown, Phase: Safety}
			calls++
			running[name] = op
		}
		op.Return = now
		if e.kind == "invoke" {
			continue
		}
		switch e.kind {
		case "ok":
			op.Outcome, op.Out = OK, Jepsen{e.f, e.value}
		case "fail":
			op.Outcome, op.Out = Failed, Jepsen{e.f, e.value}
		}
		delete(running, name)
		if !yield(*op, nil) {
			return
		}
	}
	open := make([]*Op, 0, len(running))
	for _, op := range running {
		op.Return = now
		open = append(open, op)
	}
	slices.SortFunc(open, func(a, b *Op) int { return cmp.Compare(a.Index, b.Index) })
	for _, op := range open {
		if !yield(*op, nil) {
			return
		}
	}
}

func jepsenKind(kind string) bool {
	return kind == "invoke" || kind == "ok" || kind == "fail" || kind == "info"
}

const wantKind = "invoke, ok, fail or info as the type"

type jsonEvents struct {
	lines  *lines
	values values
	s      scanner
}

func (j *jsonEvents) next() (e jepsenEvent, err error) {
	line, err := j.lines.next()
	if err != nil {
		return e, err
	}
	j.s = scanner{b: line, line: j.lines.n}
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
			e.time, ok = s.integer()
			e.timed = ok
		default:
			_, ok = s.value()
		}
		return ok
	})
	if !ok || !s.end() {
		return e, s.err
	}
	if e.kind == "" {
		return e, &SyntaxError{Line: j.lines.n, Column: 1, Want: `"type" among the members`}
	}
	return e, nil
}
