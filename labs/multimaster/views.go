package multimaster

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"faultlab/checker"
	"faultlab/checker/history"
	"faultlab/checker/linear"
	"faultlab/checker/txn"
	mm "faultlab/nodes/multimaster"
)

// Views say what the store's own types mean to the checkers.

// steps are the steps of a transaction; none if the operation is another.
func steps(op *history.Op) []mm.Op {
	t, _ := op.In.(mm.Txn)
	return t.Ops
}

func isTxn(op *history.Op) bool {
	_, ok := op.In.(mm.Txn)
	return ok
}

// keysOf are the keys that an operation needs: of a fence, one.
func keysOf(op *history.Op) (keys []string) {
	if f, ok := op.In.(mm.Fence); ok {
		return []string{f.Range}
	}
	for _, step := range steps(op) {
		keys = append(keys, step.Key)
		if step.F == mm.Transfer {
			keys = append(keys, step.To)
		}
	}
	return keys
}

// results returns what an operation's steps saw; nil if that is not known. A reply that lacks results is taken at its
// word: those steps saw nothing.
func results(op *history.Op) []mm.Result {
	t, is := op.In.(mm.Txn)
	if op.Outcome != history.OK || !is {
		return nil
	}
	if ok, _ := op.Out.(mm.TxnOK); len(ok.Results) == len(t.Ops) {
		return ok.Results
	}
	return make([]mm.Result, len(t.Ops))
}

// answered says that a client got what it asked for, or was told that a condition of its own did not hold.
func answered(op *history.Op) bool {
	a, aborted := op.Out.(mm.TxnAborted)
	return op.Outcome == history.OK || aborted && (strings.HasPrefix(a.Reason, "cas: ") || strings.HasPrefix(a.Reason, "transfer: "))
}

// listView takes the part of a transaction that is on lists.
func listView(op *history.Op) ([]txn.Op, bool) {
	seen := results(op)
	var ops []txn.Op
	for i, step := range steps(op) {
		switch {
		case kindOf(step.Key) != listKind:
		case step.F == mm.Append:
			ops = append(ops, txn.Op{Kind: txn.Append, Key: step.Key, Value: step.Value})
		case step.F == mm.Read && seen == nil:
			ops = append(ops, txn.Op{Kind: txn.Read, Key: step.Key, Unread: true})
		case step.F == mm.Read:
			ops = append(ops, txn.Op{Kind: txn.Read, Key: step.Key, List: seen[i].List})
		}
	}
	return ops, ops != nil
}

// cellView takes a transaction apart into what it did to each list, register and doctor. A refused compare-and-set saw
// that the value was another one.
func cellView(op *history.Op) []linear.Op {
	var parts []linear.CellIn
	var outs [][]linear.CellResult
	seen := results(op)
	if a, ok := op.Out.(mm.TxnAborted); ok && op.Outcome == history.Failed {
		for _, step := range steps(op) {
			if step.F == mm.CAS && strings.HasPrefix(a.Reason, "cas: "+step.Key+" ") {
				look := linear.CellStep{Do: linear.CompareInt, Old: step.Old, Value: step.Value}
				refused := linear.From(op, linear.CellIn{Key: step.Key, Steps: []linear.CellStep{look}}, []linear.CellResult{{Known: true}})
				refused.Outcome = history.OK
				return []linear.Op{refused}
			}
		}
	}
	for i, step := range steps(op) {
		kind := kindOf(step.Key)
		if kind == accountKind {
			continue
		}
		at := slices.IndexFunc(parts, func(in linear.CellIn) bool { return in.Key == step.Key })
		if at < 0 {
			at = len(parts)
			parts, outs = append(parts, linear.CellIn{Key: step.Key}), append(outs, nil)
		}
		var do linear.CellStep
		var saw linear.CellResult
		switch step.F {
		case mm.Read:
			do.Do = linear.ReadInt
			if kind == listKind {
				do.Do = linear.ReadList
			}
			if seen != nil {
				saw = linear.CellResult{Known: true, List: seen[i].List, Int: seen[i].Int}
			}
		case mm.Append:
			do = linear.CellStep{Do: linear.AppendList, Value: step.Value}
		case mm.Write:
			do = linear.CellStep{Do: linear.WriteInt, Value: step.Value}
		case mm.CAS:
			do = linear.CellStep{Do: linear.CompareInt, Old: step.Old, Value: step.Value, Guard: true}
		}
		parts[at].Steps, outs[at] = append(parts[at].Steps, do), append(outs[at], saw)
	}
	list := make([]linear.Op, len(parts))
	for i := range parts {
		list[i] = linear.From(op, parts[i], outs[i])
	}
	return list
}

// bankView returns the balances of a look at all accounts of a bank. Each bank's money is a currency of its own, named
// by its first account.
func bankView(banks [][]string) func(*history.Op) ([]checker.Balance, bool) {
	byFirst := map[string][]string{}
	for _, accounts := range banks {
		byFirst[accounts[0]] = accounts
	}
	return func(op *history.Op) ([]checker.Balance, bool) {
		ops, seen := steps(op), results(op)
		if seen == nil {
			return nil, false
		}
		accounts := byFirst[ops[0].Key]
		if len(accounts) != len(ops) {
			return nil, false
		}
		var balances []checker.Balance
		for i, step := range ops {
			if step.F != mm.Read || step.Key != accounts[i] {
				return nil, false
			}
			balances = append(balances, checker.Balance{Account: step.Key, Currency: accounts[0], Amount: seen[i].Int})
		}
		return balances, true
	}
}

// A ward is two doctors, of whom one at least is to be on call.
type ward struct {
	first, second string
	off           [2]bool
}

// wardView returns both doctors of a pair, read together.
func wardView(op *history.Op) (ward, bool) {
	ops, seen := steps(op), results(op)
	if seen == nil || len(ops) != 2 || ops[0].F != mm.Read || ops[1].F != mm.Read {
		return ward{}, false
	}
	a, b := ops[0].Key, ops[1].Key
	if kind := kindOf(a); kind != doctorKind && kind != farKind || kindOf(b) != kind {
		return ward{}, false
	}
	if number(a)%2 != 0 || number(b) != number(a)+1 {
		return ward{}, false // two doctors of different pairs, in the final reads
	}
	return ward{a, b, [2]bool{seen[0].Int == 1, seen[1].Int == 1}}, true
}

func (w ward) covered() error {
	if w.off[0] && w.off[1] {
		return fmt.Errorf("%s and %s are both off call", w.first, w.second)
	}
	return nil
}

// number returns the number at the end of a key.
func number(key string) int {
	_, rest, _ := strings.Cut(key, "/")
	n, _ := strconv.Atoi(rest[1:]) // keys are made by key
	return n
}
