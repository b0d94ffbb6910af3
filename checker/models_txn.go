package checker

import (
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
	n, whole := v.Int()
	switch f := parts[0].Text(); {
	case f == "append" && !t.registers && whole:
		op.Kind, op.Value = txn.Append, n
	case (f == "w" || f == "write") && t.registers && whole:
		op.Kind, op.Value = txn.Write, n
	case f != "r" && f != "read":
		return false
	case v.Kind == history.Nil:
		op.Kind, op.Nil = txn.Read, true
		op.Unread = c.Outcome != history.OK || t.q.NullRead == "unobserved"
	case t.registers:
		op.Kind, op.Value = txn.Read, n
		return whole
	default:
		op.Kind, op.List = txn.Read, t.numbers.take(len(v.List()))
		for i, e := range v.List() {
			n, whole := e.Int()
			if !whole {
				return false
			}
			op.List[i] = n
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

func (t *txns) answer() Judgement {
	opts := t.q.Txn
	opts.Steps, opts.Registers = t.q.Steps, t.registers
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
	if len(r.Assumed) > 0 {
		a.Reason += "; assumed: " + strings.Join(r.Assumed, "; ")
	}
	return a
}
