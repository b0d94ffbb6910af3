package txn_test

import (
	"fmt"

	"faultlab/checker/history"
	"faultlab/checker/txn"
)

// Write skew: two transactions each read what the other appends to, and neither sees the other.
func ExampleCheck() {
	appends := func(key string) txn.Op { return txn.Op{Kind: txn.Append, Key: key, Value: 1} }
	reads := func(key string, list ...int64) txn.Op { return txn.Op{Kind: txn.Read, Key: key, List: list} }
	r := txn.Check([]txn.Txn{
		{Index: 0, Client: "ann", Ops: []txn.Op{reads("x"), appends("y")}, Call: 1, Return: 9, Outcome: history.OK},
		{Index: 1, Client: "bob", Ops: []txn.Op{reads("y"), appends("x")}, Call: 2, Return: 8, Outcome: history.OK},
		{Index: 2, Client: "cat", Ops: []txn.Op{reads("x", 1), reads("y", 1)}, Call: 10, Return: 11, Outcome: history.OK},
	}, txn.Options{Models: []string{"serializable"}})
	fmt.Println(r.Verdict, r.Ops)
	fmt.Println(r.Reason)
	fmt.Println("holds:", r.Holds)
	fmt.Println("broken:", r.Broken)
	// Output:
	// fail [0 1]
	// G2-item: T0 read x=[] without 1, which T1 appended; T1 read y=[] without 1, which T0 appended
	// holds: [strong-snapshot-isolation per-key-linearizable]
	// broken: [repeatable-read]
}
