package checker

import (
	"fmt"
	"math"

	"faultlab/checker/history"
	"faultlab/checker/linear"
	"faultlab/checker/txn"
)

// Models are all there are. The first ones ask for a linearizable object; each file models_*.go has how a kind of them
// reads operations.
var Models = []Model{
	object("register", "a register is linearizable", "read v, write v", register, registerModel(linear.Register)),
	object("cas-register", "a register with compare-and-set is linearizable", "read v, write v, cas [old new]", register, registerModel(linear.CASRegister)),
	object("multi-register", "registers that are read and written together are linearizable", "txn [[read key v] [write key v]]", multiRegister, checkMultiRegister),
	keyed(object("kv", "a store of keys is linearizable", "read [key v], write [key v], cas [key [old new]], delete key", keyValue, registerModel(linear.KeyValue))),
	object("fifo-queue", "a queue is linearizable, first in first out", "enqueue v, dequeue v (nothing: it was empty)", queue, plain(linear.FIFOQueue)),
	object("unordered-queue", "a queue that may give its values in any order is linearizable", "enqueue v, dequeue v (nothing: it was empty)", queue, plain(linear.UnorderedQueue)),
	object("stack", "a stack is linearizable", "push v, pop v (nothing: it was empty)", stack, plain(linear.Stack)),
	object("linearizable-set", "a set is linearizable", "add v, remove v, contains v (true or false), read [v ...]", set, plain(linear.Set)),
	object("mutex", "a lock is linearizable, whoever releases it", "acquire, release", mutex, plain(linear.Mutex)),
	object("owned-mutex", "a lock is linearizable, and only the process that holds it releases it", "acquire, release", ownedMutex, plain(linear.Mutex)),
	object("fenced-lease", "tokens of a lease only grow, and a lower one is refused once a higher one was used", "acquire token, use token", lease, plain(linear.FencedLease)),
	object("linearizable-counter", "a counter is linearizable", "add n, read n", counter, checkCounter),
	object("append-log", "a log is linearizable", "append v ([offset v] in the reply, if it is told), read [v ...]", appendLog, plain(linear.AppendLog)),

	transactions("list-append", "transactions that append to lists and read them, by consistency models", "txn [[append key v] [r key [v ...]]]", false),
	transactions("rw-register", "transactions that write registers and read them, by consistency models", "txn [[w key v] [r key v]]", true),

	whole("set", "what was added is in the last read, and nothing else", "add v, read [v ...]", nil, func(Question) reader { return setReader{} }),
	whole("set-full", "what was added stays in all later reads, once it was known", "add v, read [v ...]", nil, func(Question) reader { return setReader{full: true} }),
	whole("total-queue", "what was enqueued comes out, once", "enqueue v, dequeue v, drain [v ...]", nil, func(Question) reader { return totalReader{} }),
	whole("ordered-queue", "what was enqueued comes out, once and in order", "enqueue v, dequeue v, drain [v ...]", nil, func(Question) reader { return totalReader{ordered: true} }),
	whole("at-least-once-queue", "what was enqueued comes out, perhaps more than once", "enqueue v, dequeue v, drain [v ...]", nil, func(Question) reader { return totalReader{duplicates: true} }),
	whole("counter", "each read of a counter lies between the least and the most that it can be", "add n, read n", nil, func(q Question) reader { return &counterReader{initial: number(q.Initial)} }),
	whole("unique-ids", "no id is given twice", "generate id", nil, func(Question) reader { return idReader{} }),
	whole("bank", "money moves between accounts and is neither made nor lost, and no account is below 0", "transfer {from a to b amount n}, read {account n ...}", nil, func(q Question) reader { return &bankReader{total: q.Initial} }),
	fails(whole("log", "a partitioned log as Kafka has it: what is sent is polled, at one place, in order", "send/poll/txn [[send log v] [poll {log [[offset v] ...]}]] (replies to sends have [offset v]), assign, subscribe, commit {log offset}", logAnomalies[:], func(q Question) reader { return logReader{only: q.Txn.Anomalies} })),
	whole("monotonic", "numbers that are read never go back in real time", "read n", nil, func(Question) reader { return monotonicReader{} }),
}

func keyed(m Model) Model {
	m.keyed = true
	return m
}

func fails(m Model) Model {
	m.fails = true
	return m
}

// plain is the check by a model that asks nothing of the question.
func plain[S comparable](model func() linear.Model[S]) func(q Question, o *objects) linear.Report {
	return func(q Question, o *objects) linear.Report {
		return linear.Check(model(), o.ops, q.budget())
	}
}

// registerModel is the check by a model of registers, each with the first value that its own operations tell of.
func registerModel(model func(initial string) linear.Model[string]) func(q Question, o *objects) linear.Report {
	return func(q Question, o *objects) linear.Report {
		key := model("").Key
		keys := map[string][]linear.Op{}
		for _, op := range o.ops {
			keys[key(op.In)] = append(keys[key(op.In)], op)
		}
		var firsts []string
		same := map[string][]linear.Op{} // operations by what their key holds at first
		of := map[string]string{}
		for i := range o.ops {
			op := o.ops[i]
			k := key(op.In)
			first, known := of[k]
			if !known {
				first = initial(keys[k], q)
				of[k] = first
			}
			if _, null := op.Out.(nothing); null {
				op.Out = nil
				if q.NullRead == "initial" {
					op.Out = first
				}
			}
			if same[first] == nil {
				firsts = append(firsts, first)
			}
			same[first] = append(same[first], op)
		}
		var worst linear.Report
		for _, first := range firsts {
			r := linear.Check(model(first), same[first], q.budget())
			if r.Verdict == history.Pass && len(firsts) > 1 {
				r.Reason = fmt.Sprintf("%s are linearizable as %s", plural(len(o.ops), "operation"), model(first).Name)
			}
			if r.Verdict > worst.Verdict {
				worst = r
			}
		}
		return worst
	}
}

func checkMultiRegister(q Question, o *objects) linear.Report {
	all, rest := map[string]string{}, initial(o.ops, q)
	if q.Initial != nil && q.Initial.Kind == history.Map {
		list := q.Initial.List()
		for i := 0; i+1 < len(list); i += 2 {
			all[shown(list[i])] = shown(list[i+1])
			if list[i].Kind == history.Int { // JSON has only texts as keys, and its registers may be texts too
				all[shown(history.Word(named(list[i])))] = shown(list[i+1])
			}
		}
		rest = shown(history.Value{})
	}
	for _, op := range o.ops {
		steps := op.In.(linear.RegisterSteps)
		reads, _ := op.Out.([]linear.RegisterRead)
		for i, r := range reads {
			if steps[i].Set || r.Known {
				continue
			}
			if reads[i].Known = q.NullRead == "initial"; reads[i].Known {
				if reads[i].Value = rest; all[steps[i].Key] != "" {
					reads[i].Value = all[steps[i].Key]
				}
			}
		}
	}
	return linear.Check(linear.MultiRegister(all, rest), o.ops, q.budget())
}

// checkCounter moves reads by the first number, since a counter of checker/linear begins at 0.
func checkCounter(q Question, o *objects) linear.Report {
	first := number(q.Initial)
	for i := range o.ops {
		if n, ok := o.ops[i].Out.(int64); ok {
			o.ops[i].Out = n - first
		}
	}
	return linear.Check(linear.BoundedCounter(math.MinInt64, math.MaxInt64), o.ops, q.budget())
}

func number(v *history.Value) int64 {
	if v == nil {
		return 0
	}
	n, _ := v.Int()
	return n
}

func transactions(name, about, words string, registers bool) Model {
	return Model{Name: name, About: about, Words: words, Transactions: true, Anomalies: txn.Anomalies(), open: func(q Question) piece {
		return &txns{name: name, words: words, registers: registers, q: q}
	}}
}
