package maelstrom

import "faultlab/labs"

// TxnRWRegister is the workload txn-rw-register: transactions that write single values and read them.
func TxnRWRegister() labs.Lab {
	return transactions("txn-rw-register", "transactions that write registers and read them; --consistency names the model (Maelstrom's txn-rw-register)", "W",
		doWrite, `{"type":"txn","txn":[["r",1,null],["w",1,6],["w",2,9]]}`, `{"type":"txn_ok","txn":[["r",1,8],["w",1,6],["w",2,9]]}`)
}
