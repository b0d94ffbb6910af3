package maelstrom

import (
	"fmt"
	"math/rand/v2"
	"slices"

	"faultlab/checker"
	"faultlab/checker/history"
	"faultlab/checker/txn"
	"faultlab/labs"
	"faultlab/nodes"
)

// What txn-list-append and txn-rw-register have in common: transactions of reads and writes, judged by a consistency
// model.

const (
	doRead   JSON = `"r"`
	doAppend JSON = `"append"`
	doWrite  JSON = `"w"`
)

const (
	txnLive  = 6  // keys in use at one time
	txnLife  = 24 // writes to a key before another takes its place
	stepsMax = 4
)

// transactions makes the lab of transactions that write by that step.
func transactions(name, about, letter string, write JSON, ask, answer string) labs.Lab {
	registers := write == doWrite
	view := func(op *history.Op) ([]txn.Op, bool) { return txnView(op, write) }
	return plan{
		name: name, about: about,
		messages: []labs.Exchange{{
			About: "do these steps in order, as one transaction; the reply has them all, with what was read. A key that nobody has written is null. Keys and values are whole numbers",
			Ask:   ask, Answer: answer,
		}},
		fits: func(in, out any) string {
			if ok, is := out.(TxnOK); is {
				return fitsTxn(in.(Txn).Txn, ok.Txn, registers)
			}
			return is[TxnOK](out)
		},
		work:     func(t nodes.Topology, _ *rand.Rand) *driver { return newTxnWork(t, write) },
		promises: func(nodes.Topology) []labs.Guarantee { return nil },
		demanded: func(d labs.Demands) []labs.Guarantee {
			model := d.Consistency
			if model == "" {
				model = txn.Models()[0]
			}
			o := txn.Options{Models: []string{model}, Registers: registers}
			if registers {
				o.LinearizableKeys, o.WFRKeys = orders(model)
			}
			return []labs.Guarantee{{
				ID: letter + "1", Name: "consistency",
				Statement: fmt.Sprintf("Committed transactions are %s.", adjective(model)),
				Checker:   checker.Isolation{Of: &checker.Transactions{View: view}, Options: o, AtLeast: 20},
				Under:     under,
			}}
		},
		models: txn.Models(),
	}.lab()
}

func adjective(model string) string { return "as " + model + " has it" }

// orders says what a model lets be taken for granted of the order in which a register was written: that it follows real
// time, and that who read a value and then wrote another wrote the next.
func orders(model string) (realTime, afterRead bool) {
	switch model {
	case "strict-serializable":
		return true, true
	case "strong-session-serializable", "strong-snapshot-isolation", "strong-session-snapshot-isolation", "serializable", "snapshot-isolation":
		return false, true
	}
	return false, false
}

// fitsTxn compares the steps of a reply with those that were asked for.
func fitsTxn(asked, done []Step, registers bool) string {
	if len(done) != len(asked) {
		return fmt.Sprintf("it has %d steps, and %d were asked for", len(done), len(asked))
	}
	for i, s := range done {
		want := asked[i]
		if s[0] != want[0] || s[1] != want[1] || s[0] != doRead && s[2] != want[2] {
			return fmt.Sprintf("its step %d is [%s,%s,%s], and [%s,%s,%s] was asked for", i+1, s[0].short(), s[1].short(), s[2].short(), want[0], want[1], want[2])
		}
		if s[0] != doRead {
			continue
		}
		values, list := s[2].list()
		if registers && s[2] != null && s[2] != "" {
			values, list = []JSON{s[2]}, true
		}
		if !list || slices.ContainsFunc(values, func(v JSON) bool { _, whole := v.whole(); return !whole }) {
			return fmt.Sprintf("what its step %d read is %s, which cannot be", i+1, s[2].short())
		}
	}
	return ""
}

// A txnWork is what the clients know of the keys.
type txnWork struct {
	*driver
	keys   []int64
	writes []int64 // so far, of the keys in use
	all    int64
	write  JSON
	reads  *queue[int64]
}

func newTxnWork(t nodes.Topology, write JSON) *driver {
	w := &txnWork{driver: newDriver(t), write: write}
	for range txnLive {
		w.all++
		w.keys, w.writes = append(w.keys, w.all), append(w.writes, 0)
	}
	w.draw = func(c *labs.Client, changing bool) any {
		n := 1 + c.Rand.IntN(stepsMax)
		steps := make([]Step, n)
		for i := range steps {
			k := c.Rand.IntN(len(w.keys))
			if !changing || c.Rand.IntN(2) == 0 {
				steps[i] = Step{doRead, number(w.keys[k]), null}
				continue
			}
			w.writes[k]++
			steps[i] = Step{w.write, number(w.keys[k]), number(w.writes[k])}
			if w.writes[k] == txnLife {
				w.all++
				w.keys[k], w.writes[k] = w.all, 0
			}
		}
		return Txn{steps}
	}
	w.last = func(c *labs.Client, done int) (any, nodes.ID, bool) {
		if w.reads == nil {
			w.reads = newQueue(1, (w.all+stepsMax-1)/stepsMax)
		}
		n, ok := w.reads.next(c.ID, done)
		var steps []Step
		for k := (n-1)*stepsMax + 1; k <= min(n*stepsMax, w.all); k++ {
			steps = append(steps, Step{doRead, number(k), null})
		}
		return Txn{steps}, "", ok
	}
	return w.driver
}

// txnView makes a transaction one of checker/txn's. Reads of one that is not OK say nothing.
func txnView(op *history.Op, write JSON) ([]txn.Op, bool) {
	in, is := op.In.(Txn)
	if !is {
		return nil, false
	}
	steps := in.Txn
	done := false
	if ok, is := op.Out.(TxnOK); is && op.Outcome == history.OK {
		steps, done = ok.Txn, true
	}
	ops := make([]txn.Op, len(steps))
	for i, s := range steps {
		o := &ops[i]
		o.Key = string(s[1])
		switch {
		case s[0] != doRead:
			o.Kind = txn.Append
			if write == doWrite {
				o.Kind = txn.Write
			}
			o.Value, _ = s[2].whole()
		case !done:
			o.Kind, o.Unread = txn.Read, true
		case write == doWrite:
			o.Kind = txn.Read
			n, whole := s[2].whole()
			o.Value, o.Nil = n, !whole
		default:
			o.Kind = txn.Read
			values, _ := s[2].list()
			for _, v := range values {
				n, _ := v.whole()
				o.List = append(o.List, n)
			}
		}
	}
	return ops, true
}
