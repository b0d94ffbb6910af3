package checker

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"

	"faultlab/checker/history"
	"faultlab/checker/txn"
)

// txns gathers what checker/txn judges, as a stream: nothing of the file is kept but the transactions.
type txns struct {
	name, words string
	registers   bool
	q           Question
	txns        []txn.Txn
	ops         slab[txn.Op]
	numbers     slab[int64]
	keys        map[int64]string
	values      words
	nulls       map[string]bool // keys to which null was written
}

// words stand for values that are no numbers: checker/txn knows numbers only.
type words struct {
	number map[word]int64
	text   []string
}

// A word is a value by kind and text, since the string 1 is not the number.
type word struct {
	kind history.Kind
	text string
}

// firstWord is the number of the first word. Numbers from there to lastWord are words themselves.
const (
	firstWord = math.MinInt64
	lastWord  = math.MinInt64 + 1<<32
)

// of returns the number of a value.
func (w *words) of(v history.Value) int64 {
	n, whole := v.Int()
	if whole && n >= lastWord {
		return n
	}
	at := word{v.Kind, v.String()}
	if i, known := w.number[at]; known {
		return i
	}
	if w.number == nil {
		w.number = map[word]int64{}
	}
	n = firstWord + int64(len(w.text))
	w.number[at] = n
	w.text = append(w.text, at.text)
	return n
}

// say writes the value that a number stands for.
func (w *words) say(n int64) string {
	if n < lastWord {
		return w.text[n-firstWord]
	}
	return strconv.FormatInt(n, 10)
}

// A slab cuts short lists from long ones.
type slab[T any] struct{ free []T }

func (s *slab[T]) take(n int) []T {
	if n > len(s.free) {
		s.free = make([]T, max(n, 1<<12))
	}
	list := s.free[:n:n]
	s.free = s.free[n:]
	return list
}

func (t *txns) add(c call) error {
	v := c.asked
	if c.answered.Kind != history.Nil {
		v = c.answered
	}
	if v.Kind != history.List && v.Kind != history.Nil {
		return c.wrong("a transaction of %s (%s), not %s %s", t.name, t.words, c.f, v)
	}
	steps := v.List()
	ops := t.ops.take(len(steps))
	for i, m := range steps {
		if !t.step(&ops[i], c, m) {
			return c.wrong("a transaction of %s (%s), not one with %s", t.name, t.words, m)
		}
	}
	t.txns = append(t.txns, txn.Txn{Index: c.Index, Client: c.Client, Ops: ops, Call: c.Call, Return: c.Return, Outcome: c.Outcome})
	return nil
}

// step makes an operation of a micro-operation; it returns false if it is none.
func (t *txns) step(op *txn.Op, c call, m history.Value) bool {
	parts := m.List()
	if m.Kind != history.List || len(parts) < 2 || len(parts) > 3 {
		return false
	}
	var v history.Value
	if len(parts) == 3 {
		v = parts[2]
	}
	op.Key = t.key(parts[1])
	switch f := parts[0].Text(); {
	case f == "append" && !t.registers && len(parts) == 3:
		op.Kind, op.Value = txn.Append, t.values.of(v)
	case (f == "w" || f == "write") && t.registers && len(parts) == 3:
		op.Kind, op.Value = txn.Write, t.values.of(v)
		if v.Kind == history.Nil && c.Outcome != history.Failed {
			if t.nulls == nil {
				t.nulls = map[string]bool{}
			}
			t.nulls[op.Key] = true
		}
	case f != "r" && f != "read":
		return false
	case v.Kind == history.Nil:
		op.Kind, op.Nil = txn.Read, true
		op.Unread = c.Outcome != history.OK || t.q.NullRead == "unobserved"
	case t.registers:
		op.Kind, op.Value = txn.Read, t.values.of(v)
		return v.Kind != history.List && v.Kind != history.Map // it would be a history of lists
	default:
		op.Kind, op.List = txn.Read, t.numbers.take(len(v.List()))
		for i, e := range v.List() {
			op.List[i] = t.values.of(e)
		}
		return v.Kind == history.List
	}
	return true
}

// key is the name of a key; one that is a number is made once.
func (t *txns) key(v history.Value) string {
	n, whole := v.Int()
	if !whole {
		return v.String()
	}
	if t.keys == nil {
		t.keys = map[int64]string{}
	}
	name, known := t.keys[n]
	if !known {
		name = v.String()
		t.keys[n] = name
	}
	return name
}

// doubtful makes reads of null say nothing where null was written too: nobody knows whether they saw that or what was
// there before. It returns in words what it did.
func (t *txns) doubtful() []string {
	if len(t.nulls) == 0 {
		return nil
	}
	found := map[string]bool{}
	for _, x := range t.txns {
		for i := range x.Ops {
			if op := &x.Ops[i]; op.Kind == txn.Read && op.Nil && !op.Unread && t.nulls[op.Key] {
				op.Unread, found[op.Key] = true, true
			}
		}
	}
	var said []string
	for _, key := range slices.Sorted(maps.Keys(found)) {
		said = append(said, fmt.Sprintf("reads of null from %s say nothing, since null was written to it", key))
	}
	return said
}

// DOT draws the cycle of an example of the anomaly of that name in the language of Graphviz; "" if it is none.
func (e Example) DOT(anomaly string) string { a := e.cycle(anomaly); return a.DOT() }

// SVG draws it as a picture that stands alone; "" if it is no cycle.
func (e Example) SVG(anomaly string) string { a := e.cycle(anomaly); return a.SVG() }

func (e Example) cycle(anomaly string) txn.Anomaly {
	a := txn.Anomaly{Name: anomaly}
	for _, s := range e.Cycle {
		a.Cycle = append(a.Cycle, txn.Step{From: s.From, To: s.To, Edge: s.Kind, Key: s.Key, Why: s.Why})
	}
	return a
}

func (t *txns) answer() Judgement {
	opts := t.q.Txn
	opts.Steps, opts.Registers = t.q.Steps, t.registers
	if len(t.values.text) > 0 {
		opts.Word = t.values.say
	}
	doubt := t.doubtful()
	r := txn.Check(t.txns, opts)
	a := Judgement{Result: history.Result{Verdict: r.Verdict, Reason: r.Reason, Ops: r.Ops}, Holds: r.Holds, Broken: r.Broken, Anomalies: map[string][]Example{}}
	for name, found := range r.Anomalies {
		for _, x := range found {
			e := Example{Reason: x.Reason, Ops: x.Ops}
			for _, s := range x.Cycle {
				e.Cycle = append(e.Cycle, Edge{s.From, s.To, s.Edge, s.Key, s.Why})
			}
			a.Anomalies[name] = append(a.Anomalies[name], e)
		}
	}
	r.Assumed = append(r.Assumed, doubt...)
	if len(r.Assumed) > 0 {
		a.Reason += "; assumed: " + strings.Join(r.Assumed, "; ")
	}
	return a
}
