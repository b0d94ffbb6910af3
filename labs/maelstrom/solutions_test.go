package maelstrom

// mistakes are those of testdata/solutions, each with the faults under which its lab finds it.
var mistakes = []struct{ lab, name, about, nemesis, caught, reason string }{
	{"echo", "one-behind", "it sends back what it was sent before", "none", "E1", "what n1 echoed to client c6 (operation 49) is ..., and should be ..."},
	{"unique-ids", "forgets-starts", "it counts from 1 again after a kill", "kill", "U1", "operation 5 and operation 310 were both given \"n2-0-1\""},
	{"broadcast", "tells-once", "it tells each peer once and forgets that it did", "partition", "B2", "node n3: operation 410 added 97 and was acknowledged, and the last read does not have it"},
	{"broadcast", "keeps-twice", "what it hears again it keeps again", "partition", "B1", "operation 512 read 63 twice"},
	{"g-set", "memory-only", "it keeps nothing in its folder", "restart-all", "S1", "7 was acknowledged, and from operation 730 on no read has it"},
	{"g-counter", "tells-once", "it tells each peer of a change once", "partition", "C1", "operation 2411 read 4120 from n2 when all had settled; acknowledged changes come to 4396"},
	{"pn-counter", "memory-only", "it keeps nothing in its folder", "restart-all", "P1", "operation 2310 read -12 from n1 when all had settled; acknowledged changes come to -250"},
	{"kafka", "logs-of-its-own", "each node has logs of its own", "none", "K1", "operation 12 has 3 at place 0 of k1, and operation 15 has 4 there"},
	{"lin-kv", "reads-its-cache", "it answers a read with what it heard last of that key", "none", "L1", "read 2=20 cannot happen: 2 is 21 after write 2=21"},
	{"txn-list-append", "step-by-step", "it does each step of a transaction by itself", "none", "T1", "G-single-item: ..."},
	{"txn-rw-register", "step-by-step", "it does each step of a transaction by itself", "none", "W1", "G-single-item: ..."},
}
