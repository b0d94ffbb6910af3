package maelstrom

import "faultlab/labs"

// TxnListAppend is the workload txn-list-append: transactions that append to lists and read them.
func TxnListAppend() labs.Lab {
	return transactions("txn-list-append", "transactions that append to lists and read them; --consistency names the model (Maelstrom's txn-list-append)", "T",
		doAppend, `{"type":"txn","txn":[["r",1,null],["append",1,6],["append",2,9]]}`, `{"type":"txn_ok","txn":[["r",1,[8]],["append",1,6],["append",2,9]]}`)
}
