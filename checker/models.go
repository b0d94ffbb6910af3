package checker

import (
	"context"
	"fmt"
	"iter"
	"slices"

	"faultlab/checker/history"
	"faultlab/checker/linear"
	"faultlab/checker/txn"
)

// A Model judges histories of somebody else's systems, whose operations are told in Jepsen's words: a function and a
// value. Models holds all of them.
type Model struct {
	Name  string // "cas-register"
	About string
	Words string // its functions with what their values are, for whoever writes a history: "read v, write v"

	// Transactions says that it takes consistency models and options on keys.
	Transactions bool
	// Anomalies are the names that may be looked for alone; nil: none.
	Anomalies []string

	keyed bool // it names objects itself, so that [key value] is no independent history
	whole bool // one piece takes the operations of all keys
	fails bool // what a failed operation told counts too
	open  func(q Question) piece
}

// A Question is how a history is to be read, and what is asked of it.
type Question struct {
	// Initial is what a register holds at first, a counter's first number, a bank's total, and the registers of a
	// multi-register as a map; nil: nothing for a register, or 0 where 0 is read and nobody wrote it; 0 for a counter; for
	// a bank the total that most reads have.
	Initial *history.Value
	// NullRead says what a read without a value says: "initial", that it saw the initial value, or "unobserved",
	// nothing. "": initial for transactions, unobserved for all else.
	NullRead string
	// Mismatch says that a failed compare-and-set, or use of a lease, is known to have been refused: it observed what
	// refuses it. Otherwise it says nothing.
	Mismatch bool
	Txn      txn.Options // for transactions
	Steps    int         // the budget, in steps of search; 0: that of the checker

	// Context, if there is one, ends the work: what is not decided by then is unknown, and the reason its cause.
	Context context.Context
	// Race lets engines run side by side where the first of them has not decided soon. See linear.Budget.
	Race bool
}

func (q Question) budget() linear.Budget {
	return linear.Budget{Steps: q.Steps, Context: q.Context, Race: q.Race}
}

// over is why the work has to end, as a judgement; nil if it has not.
func (q Question) over() *Judgement {
	if q.Context == nil || q.Context.Err() == nil {
		return nil
	}
	return &Judgement{Result: history.Doubted("%s", context.Cause(q.Context))}
}

// A Judgement is what a model says of a history. Ops are the indices of events in its file: of completions, or of the
// invocations of operations that are unknown.
type Judgement struct {
	history.Result
	Anomalies map[string][]Example // by name, with a few examples
	Holds     []string             // of transactions: the strongest consistency models that stand
	Broken    []string             // the weakest that do not
}

// An Example shows one anomaly.
type Example struct {
	Reason string `json:"reason"`
	Ops    []int  `json:"ops"`
	Cycle  []Edge `json:"cycle,omitempty"`
}

// An Edge is one dependency of a cycle of transactions: To comes after From.
type Edge struct {
	From int    `json:"from"`
	To   int    `json:"to"`
	Kind string `json:"kind"` // ww, wr, rw, process or realtime
	Key  string `json:"key,omitempty"`
	Why  string `json:"why"`
}

// ModelNamed finds a model by its name, or by another that is in use for it: kafka, key-value.
func ModelNamed(name string) (Model, bool) {
	switch name {
	case "kafka":
		name = "log"
	case "key-value":
		name = "kv"
	}
	i := slices.IndexFunc(Models, func(m Model) bool { return m.Name == name })
	if i < 0 {
		return Model{}, false
	}
	return Models[i], true
}

// A piece judges the operations of one object, or of the whole history.
type piece interface {
	add(c call) error
	answer() Judgement
}

// A call is one operation in Jepsen's words.
type call struct {
	*history.Op
	f        string
	key      string        // of the object that it is on; "" if there is just one
	asked    history.Value // the invocation's value, or if there is none the completion's
	answered history.Value // the completion's; nothing unless it is OK, or an info event told of something
	at       history.Jepsen
}

// more is a member of the completion, or if that has none of the invocation, that few models need.
func (c call) more(name string) history.Value {
	for _, body := range [...]any{c.Out, c.In} {
		if event, told := body.(history.Jepsen); told && event.More != nil {
			return event.More.Get(name)
		}
	}
	return history.Value{}
}

// wrong is the error of an operation that the model does not know.
func (c call) wrong(format string, args ...any) error {
	return &history.SyntaxError{Line: int(c.at.Line), Column: int(c.at.Col), Want: fmt.Sprintf(format, args...)}
}

// Judge judges operations in Jepsen's words, as a stream, in any order. An error is one of reading, or a
// *history.SyntaxError for an operation that the model does not know.
//
// Where every value is a pair of a key and a value, as jepsen.independent has it, each key is a history of its own.
func (m Model) Judge(ops iter.Seq2[history.Op, error], q Question) (Judgement, error) {
	const look = 1000 // operations that tell whether values are pairs
	s := splitter{m: m, q: q, pieces: map[string]piece{}}
	var first []history.Op
	for op, err := range ops {
		if s.seen%1024 == 1023 {
			if over := q.over(); over != nil {
				return *over, nil
			}
		}
		switch {
		case err != nil:
			return Judgement{}, err
		case len(first) < look && !s.begun:
			first = append(first, op)
			continue
		case !s.begun:
			if err := s.begin(first); err != nil {
				return Judgement{}, err
			}
			first = nil
		}
		if err := s.add(&op); err != nil {
			return Judgement{}, err
		}
	}
	if !s.begun {
		if err := s.begin(first); err != nil {
			return Judgement{}, err
		}
	}
	return s.answer(), nil
}

// A splitter hands operations to the pieces that they belong to.
type splitter struct {
	m      Model
	q      Question
	begun  bool
	paired bool // each value is a pair of a key and a value
	keys   []string
	pieces map[string]piece
	seen   int // operations
}

func (s *splitter) begin(ops []history.Op) error {
	s.begun = true
	s.paired = len(ops) > 0 && !s.m.keyed && !slices.ContainsFunc(ops, func(op history.Op) bool { return !s.pair(&op) })
	for i := range ops {
		if err := s.add(&ops[i]); err != nil {
			return err
		}
	}
	return nil
}

// pair says that an operation may be on one key of several.
func (s *splitter) pair(op *history.Op) bool {
	for i, body := range [...]any{op.In, op.Out} {
		j, ok := body.(history.Jepsen)
		if !ok || i > 0 && j.Value.Kind == history.Nil {
			continue
		}
		list := j.Value.List()
		if j.Value.Kind != history.List || len(list) != 2 || list[0].Kind == history.List || list[0].Kind == history.Map || list[0].Kind == history.Nil {
			return false
		}
		if (s.m.Transactions || j.F == "cas") && list[1].Kind != history.List {
			return false
		}
	}
	return true
}

func (s *splitter) add(op *history.Op) error {
	in, ok := op.In.(history.Jepsen)
	if !ok {
		return fmt.Errorf("checker: operation %d is not told in Jepsen's words: %T", op.Index, op.In)
	}
	out, answered := op.Out.(history.Jepsen)
	c := call{Op: op, f: in.F, asked: in.Value, at: in}
	op.Index = in.Event
	if answered {
		c.answered, op.Index = out.Value, out.Event
	}
	if op.Outcome == history.Failed && !s.m.fails {
		c.answered = history.Value{}
	}
	s.seen++
	if op.Outcome == history.OK {
		c.at = out
	}
	if s.paired {
		if !s.pair(op) {
			return c.wrong("a pair of a key and a value, as the operations before it have")
		}
		c.key, c.asked = c.asked.List()[0].String(), c.asked.List()[1]
		if answered && c.answered.Kind != history.Nil {
			c.answered = c.answered.List()[1]
		}
	}
	if c.asked.Kind == history.Nil && op.Outcome == history.OK {
		c.asked = c.answered
	}
	key := c.key
	if s.m.whole {
		key = ""
	}
	p := s.pieces[key]
	if p == nil {
		p = s.m.open(s.q)
		s.pieces[key] = p
		s.keys = append(s.keys, key)
	}
	return p.add(c)
}

// answer is the worst of the pieces, with the anomalies of all.
func (s *splitter) answer() Judgement {
	a := Judgement{Anomalies: map[string][]Example{}}
	if s.seen == 0 {
		a.Result = history.Doubted("there is nothing to judge: the history has no operations")
		return a
	}
	for i, key := range s.keys {
		if over := s.q.over(); over != nil && a.Verdict < history.Undetermined {
			return *over
		}
		one := s.pieces[key].answer()
		if one.Verdict == history.NotJudged {
			one.Verdict = history.Undetermined
		}
		for name, examples := range one.Anomalies {
			a.Anomalies[name] = append(a.Anomalies[name], examples...)
		}
		if i == 0 || one.Verdict > a.Verdict {
			a.Result, a.Holds, a.Broken = one.Result, one.Holds, one.Broken
			if s.paired && !s.m.whole && one.Verdict != history.Pass {
				a.Reason = "key " + key + ": " + a.Reason
			}
		}
	}
	if len(s.keys) > 1 && a.Verdict == history.Pass {
		a.Reason = fmt.Sprintf("each of %d keys by itself; %s: %s", len(s.keys), s.keys[0], a.Reason)
	}
	return a
}

// named is the name of a thing that stands in maps as a key too, where JSON makes a text of a number: 1 and "1" are one.
func named(v history.Value) string {
	if v.Kind == history.Text {
		return v.Text()
	}
	return shown(v)
}

// shown is a value as models hold it: equal values alike and others not, and without the bytes below ' ' that states
// are put together with.
func shown(v history.Value) string { return v.String() }
