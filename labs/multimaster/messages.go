package multimaster

import (
	"faultlab/labs"
	"faultlab/nodes"
	mm "faultlab/nodes/multimaster"
	"faultlab/nodes/wire"
)

// messages are what a node must know to be one of this lab, whoever wrote it.
func messages() []labs.Exchange {
	s := mm.System()
	do := func(about string, ask, answer any) labs.Exchange { return labs.Exchanged(s, about, ask, answer) }
	txn := func(number uint64, ops ...mm.Op) mm.Txn { return mm.Txn{Session: "c1", Number: number, Ops: ops} }
	return []labs.Exchange{
		do(`do these steps in order, as one transaction, all or none. A key holds a list and an integer, both empty at first: "append" adds value to the list, "w" sets the integer, "r" reads both. There is a result for each step, an empty one for what does not read. Session and number name the transaction: the same again is answered with what it came to, and done once; numbers of a session rise`,
			txn(1, mm.Op{F: mm.Append, Key: "A1/k3", Value: 7}, mm.Op{F: mm.Write, Key: "B2/r1", Value: 5}, mm.Op{F: mm.Read, Key: "A1/k3"}),
			mm.TxnOK{Results: []mm.Result{{}, {}, {List: []int64{7}}}}),
		do(`"cas" sets the integer to value if it is old, which is 0 where it is left out, and "transfer" takes value from one integer and adds it to another, unless the first would fall below 0; else the transaction surely does not happen`,
			txn(2, mm.Op{F: mm.CAS, Key: "B2/r1", Value: 6, Old: 5}, mm.Op{F: mm.Transfer, Key: "A1/a", To: "C1/b", Value: 9}),
			mm.TxnAborted{Reason: "A1/a would fall below 0"}),
		do("put the range that holds a key under a higher epoch than it is, so that nothing which begins after the answer is done under the one of now; results may say under which each step was done",
			mm.Fence{Range: "A1"}, mm.Fenced{Range: "A1", Epoch: 3}),
		do("what a node cannot do now, and surely has not done, it refuses with an error, as in all labs",
			txn(3, mm.Op{F: mm.Read, Key: "A1/k3"}), wire.Error{Code: wire.Unavailable, Text: "no leader yet"}),
		do("--nemesis ops:transfer; what is not so yet, and may be soon, is answered with {\"type\":\"not_yet\",\"why\":\"...\"}, and asked again",
			mm.Lead{Group: "A1", Node: "a2"}, mm.Done{}),
		do("--nemesis ops:move", mm.MoveRange{Range: "A1", To: "A2"}, mm.Done{}),
		do("--nemesis ops:split", mm.Split{At: "A1/k5"}, mm.Done{}),
		do("--nemesis ops:snapshot", mm.Compact{Group: "A1"}, mm.Done{}),
		do("--nemesis membership", mm.Members{Group: "A1", In: []nodes.ID{"a4"}, Out: []nodes.ID{"a1"}}, mm.Done{}),
	}
}
