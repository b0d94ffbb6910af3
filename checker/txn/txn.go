// Package txn judges histories of transactions: which isolation anomalies they show, and so which consistency models,
// from read uncommitted to strict serializability, still hold. It reads two kinds of history, told apart by their
// operations: list-append (appends to lists and reads of whole lists) and rw-register (writes and reads of single
// values). It makes no history, knows no system, and has no notion of predicates: every read names its key.
//
// The method is that of Adya ("Weak Consistency", 1999) as Elle applies it (Kingsbury and Alvaro, "Elle: Inferring
// Isolation Anomalies from Experimental Observations", VLDB 2020): recover the order in which each key's versions came
// to be, draw the dependencies between transactions, and look for cycles. Anomalies carry Elle's names.
package txn

import (
	"time"

	"faultlab/checker/history"
)

// A Kind is what one operation of a transaction does.
type Kind uint8

const (
	Append Kind = iota // adds Value to the end of the list at Key
	Read               // reads the whole list at Key (List) or, in a register history, its value (Value)
	Write              // sets the register at Key to Value
)

// An Op is one operation inside a transaction. Values written to one key are expected to be unique.
type Op struct {
	Kind   Kind
	Key    string
	Value  int64   // what was appended or written; in a register history, what was read
	List   []int64 // what a list read returned; nil and empty mean the list that nobody has appended to
	Nil    bool    // a register read returned no value: nobody had written
	Unread bool    // a read whose result is not known; it says nothing
}

// A Txn is one transaction: its operations in program order. An unknown transaction counts as committed once a
// committed transaction read something that it wrote, and otherwise as one that never happened, which is the reading
// most lenient to the system. Reads of an unknown transaction that came back without a value say nothing.
type Txn struct {
	Index   int    // what reports call it: T and this number
	Client  string // its session; a session's transactions are ordered if they do not overlap
	Ops     []Op
	Call    time.Duration
	Return  time.Duration // an unknown transaction never ends
	Outcome history.Outcome
}

// Options say what to look for. The zero value asks for strict serializability.
type Options struct {
	// Models are those that must hold, by name (see [Models]). Empty, with no Anomalies either, means
	// strict-serializable. For registers, models that cost more to judge than all of these are left open.
	Models []string
	// Anomalies are names that must not occur, with all that imply them. With Models empty these alone decide.
	Anomalies []string

	Registers bool // judge as registers even if nothing was written

	LinearizableKeys bool // registers: a key's versions follow real time
	SequentialKeys   bool // registers: a key's versions follow each session
	WFRKeys          bool // registers: a transaction that reads a key and then writes it read the version just before

	// Order, if given, ranks transactions by Index: registers' versions were written in that order, as is known from
	// elsewhere. Transactions that are not in it are not ranked.
	Order map[int]int

	// Word writes a value in reasons, if values only stand for others; nil: in decimal.
	Word func(value int64) string

	// Examples is how many examples of one anomaly are explained; 0 means 8. All are counted.
	Examples int
	// Steps bounds the work spent on making examples shortest, and, for registers beyond causal consistency, on
	// trying version orders; 0 means 20 million. It never hides an anomaly of a list-append history.
	Steps int
}

// A Report is what Check found.
type Report struct {
	Verdict   history.Verdict      // Fail if something that was asked for is broken
	Reason    string               // one sentence
	Anomalies map[string][]Anomaly // all that was found, by Elle's name, asked for or not
	Counts    map[string]int       // how many of each were found, examples or not
	Holds     []string             // the strongest models that hold
	Broken    []string             // the weakest models that do not
	Not       []string             // every model that does not hold
	Open      []string             // models of which nothing could be concluded
	Ops       []int                // the transactions of the worst anomaly asked for, by Index
	Assumed   []string             // what the verdict rests on beyond the history, in words
}

// An Anomaly is one example.
type Anomaly struct {
	Name   string
	Reason string // what happened, in words
	Cycle  []Step // the dependencies in a circle, each beginning where the last ended; empty if it is no cycle
	Ops    []int  // the transactions that show it, by Index, with the reads that prove the order of versions
}

// A Step is one dependency of a cycle: To comes after From.
type Step struct {
	From, To int    // Txn.Index
	Edge     string // ww, wr, rw, process or realtime
	Key      string // "" for process and realtime
	Why      string // "T3 appended 5 to x after T1 read x=[1 2] without it"
}

// An Order is what is known of the order in which a key's versions came to be.
type Order struct {
	Key     string
	Values  []int64 // in order, without duplicates, as the longest read returned them
	Writers []int   // for each value the position in the history of the transaction that wrote it, -1 if none did
	Unread  []int   // positions of committed transactions whose appends no read returned: later than all of Values
}

// Check judges a history. The same history gives the same report, to the byte. Histories with a Write are judged as
// registers, all others as lists unless the options say otherwise.
func Check(txns []Txn, opts Options) Report {
	if opts.Registers {
		return checkRegisters(txns, opts)
	}
	for i := range txns {
		for j := range txns[i].Ops {
			if txns[i].Ops[j].Kind == Write {
				return checkRegisters(txns, opts)
			}
		}
	}
	return checkLists(txns, opts)
}
