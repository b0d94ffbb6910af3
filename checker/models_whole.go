package checker

import (
	"cmp"
	"slices"

	"faultlab/checker/history"
)

// A reader makes operations in Jepsen's words those of a checker.
type reader interface {
	// read returns what a checker's View will find in Op.In: ok is false if the model does not know the operation, and
	// nil means that it is passed over.
	read(c call) (view any, ok bool)
	checker(h *history.History) Checker
}

// calls gathers a history for a checker that needs all of it.
type calls struct {
	name, words string
	reader      reader
	h           history.History
}

func whole(name, about, words string, anomalies []string, open func(Question) reader) Model {
	return Model{Name: name, About: about, Words: words, Anomalies: anomalies, open: func(q Question) piece {
		return &calls{name: name, words: words, reader: open(q)}
	}}
}

func (w *calls) add(c call) error {
	view, ok := w.reader.read(c)
	if !ok {
		return c.wrong("an operation of %s (%s), not %s %s", w.name, w.words, c.f, c.asked)
	}
	if view == nil {
		return nil
	}
	op := *c.Op
	op.In, op.Out = view, nil
	w.h.Ops = append(w.h.Ops, op)
	w.h.End = max(w.h.End, op.Return)
	return nil
}

func (w *calls) answer() Judgement {
	slices.SortStableFunc(w.h.Ops, func(a, b history.Op) int { return cmp.Compare(a.Call, b.Call) })
	w.h.Healed = w.h.End
	a := Judgement{Result: w.reader.checker(&w.h).Check(&w.h)}
	if found, ok := a.Evidence["examples"].(map[string]history.Result); ok {
		a.Anomalies = map[string][]Example{}
		for name, r := range found {
			a.Anomalies[name] = []Example{{Reason: r.Reason, Ops: r.Ops}}
		}
	}
	return a
}

// viewed is the View of what a reader made.
func viewed[T any](op *history.Op) (T, bool) {
	v, ok := op.In.(T)
	return v, ok
}

type setReader struct{ full bool }

func (setReader) read(c call) (any, bool) {
	switch c.f {
	case "add":
		return SetOp[string]{Element: shown(c.asked)}, true
	case "read":
		if c.answered.Kind == history.Nil {
			return nil, true
		}
		return SetOp[string]{Read: true, All: texts(c.answered)}, c.answered.Kind == history.List
	}
	return nil, false
}

func (r setReader) checker(*history.History) Checker {
	if r.full {
		return SetFull[string]{View: viewed[SetOp[string]]}
	}
	return Set[string]{View: viewed[SetOp[string]]}
}

type totalReader struct{ ordered, duplicates bool }

func (totalReader) read(c call) (any, bool) {
	switch c.f {
	case "enqueue":
		return QueueOp[string]{Enqueue: true, Value: shown(c.asked)}, true
	case "dequeue":
		if c.answered.Kind == history.Nil {
			return QueueOp[string]{}, true
		}
		return QueueOp[string]{Dequeued: []string{shown(c.answered)}}, true
	case "drain":
		return QueueOp[string]{Dequeued: texts(c.answered), Drain: true}, c.answered.Kind == history.List || c.answered.Kind == history.Nil
	}
	return nil, false
}

func (r totalReader) checker(*history.History) Checker {
	return TotalQueue[string]{View: viewed[QueueOp[string]], Ordered: r.ordered, Duplicates: r.duplicates}
}

type counterReader struct{ initial int64 }

func (*counterReader) read(c call) (any, bool) {
	switch c.f {
	case "add", "increment", "decrement":
		by, ok := c.asked.Int()
		if c.f == "decrement" {
			by = -by
		}
		return CounterOp{Add: by}, ok
	case "read":
		n, ok := c.answered.Int()
		if !ok {
			return nil, c.answered.Kind == history.Nil
		}
		return CounterOp{Read: true, Value: n}, true
	}
	return nil, false
}

func (r *counterReader) checker(*history.History) Checker {
	return Counter{View: viewed[CounterOp], Initial: r.initial}
}

type idReader struct{}

func (idReader) read(c call) (any, bool) {
	if c.answered.Kind == history.Nil {
		return nil, c.f == "generate"
	}
	return shown(c.answered), c.f == "generate"
}

func (idReader) checker(*history.History) Checker { return Unique[string]{View: viewed[string]} }

type monotonicReader struct{}

func (monotonicReader) read(c call) (any, bool) {
	n, ok := c.answered.Int()
	switch {
	case c.f != "read" || c.answered.Kind == history.Nil:
		return nil, true
	case !ok:
		return nil, false
	}
	return Reading{Of: "the number", Number: n}, true
}

func (monotonicReader) checker(*history.History) Checker {
	return Monotonic{View: viewed[Reading]}
}
