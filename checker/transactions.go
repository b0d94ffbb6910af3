package checker

import (
	"fmt"
	"sync"

	"faultlab/checker/history"
	"faultlab/checker/txn"
)

// Transactions are the list-append or register transactions of a history, taken from it once and shared, with what is
// found out about them, by all the checkers that are given the same pointer. It is safe for concurrent use.
type Transactions struct {
	// View says what a request did, in program order: what it appended (asked to append, if its outcome is not known)
	// and the reads it got answers for. ok is false for an operation that is no transaction.
	View func(op *history.Op) (ops []txn.Op, ok bool)

	mu      sync.Mutex
	of      *history.History
	txns    []txn.Txn
	lists   *lists
	reports map[string]txn.Report
}

// all returns the transactions of h in the order of call.
func (t *Transactions) all(h *history.History) []txn.Txn {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.read(h)
	return t.txns
}

func (t *Transactions) read(h *history.History) {
	if t.of == h {
		return
	}
	t.of, t.txns, t.lists, t.reports = h, nil, nil, map[string]txn.Report{}
	for i := range h.Ops {
		op := &h.Ops[i]
		if ops, ok := t.View(op); ok {
			t.txns = append(t.txns, txn.Txn{Index: op.Index, Client: op.Client, Ops: ops, Call: op.Call, Return: op.Return, Outcome: op.Outcome})
		}
	}
}

// index returns what the lists of h held.
func (t *Transactions) index(h *history.History) *lists {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.read(h)
	if t.lists == nil {
		t.lists = newLists(t.txns)
	}
	return t.lists
}

// report returns what checker/txn makes of h.
func (t *Transactions) report(h *history.History, opts txn.Options) txn.Report {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.read(h)
	key := fmt.Sprintf("%v", opts)
	r, known := t.reports[key]
	if !known {
		r = txn.Check(t.txns, opts)
		t.reports[key] = r
	}
	return r
}

// Isolation judges transactions by the consistency models of checker/txn.
type Isolation struct {
	Of      *Transactions
	Options txn.Options // the zero value asks for strict serializability
	AtLeast int         // committed transactions that a pass needs; 0: 50
}

// Check judges all of h.
func (c Isolation) Check(h *history.History) history.Result {
	report := c.Of.report(h, c.Options)
	committed := 0
	for _, t := range c.Of.all(h) {
		if t.Outcome == history.OK {
			committed++
		}
	}
	r := history.Result{Verdict: report.Verdict, Reason: report.Reason, Ops: report.Ops, Evidence: map[string]any{
		"committed": committed, "anomalies": report.Counts, "holds": report.Holds, "broken": report.Broken}}
	if r.Verdict == history.Fail {
		r.Picture = report.Picture
	}
	if least := or(c.AtLeast, 50); r.Verdict == history.Pass && committed < least {
		r.Verdict = history.Undetermined
		r.Reason = fmt.Sprintf("only %s committed; %d are needed", plural(committed, "transaction"), least)
	}
	return r
}
