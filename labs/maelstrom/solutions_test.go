package maelstrom

// mistakes are those of testdata/solutions, each with the faults under which its lab finds it.
var mistakes = []struct{ lab, name, about, nemesis, caught, reason string }{
	{"echo", "one-behind", "it sends back what it was sent before", "none", "E1", `what n4 echoed to client c9 (operation 2) is "please echo 14", and should be "please echo 15"`},
	{"unique-ids", "forgets-starts", "it counts from 1 again after a kill", "kill", "U1", `operation 4 (client c8, 0.117 s) and operation 291 (client c8.2, 5.004 s) were both given "n3-0-1"`},
	{"broadcast", "tells-once", "it tells each peer once, whether it hears or not", "partition:halves", "B2", "node n1: operation 288 (client c2, 2.992 s) added 131 and was acknowledged, and the last read, operation 2102 (client c6, 21.000 s), does not have it (and 131 other elements)"},
	{"broadcast", "keeps-twice", "what it hears again it keeps again", "partition", "B1", "operation 1154 (client c10, 11.800 s) read 1 twice"},
	{"g-set", "memory-only", "it keeps nothing in its folder", "restart-all", "S1", "1 was read by operation 291 (client c9, 3.137 s), and from operation 2061 (client c10, 21.000 s) on no read has it"},
	{"g-counter", "tells-once", "it tells each peer of a change once, whether it hears or not", "partition", "C1", "operation 2099 (client c3, 21.000 s) read 2192 from n3 when all had settled; acknowledged changes come to 2517"},
	{"pn-counter", "memory-only", "it keeps nothing in its folder", "restart-all", "P1", "operation 2068 (client c1, 21.100 s) read -223 from n1 when all had settled; acknowledged changes come to -285, with any of 3 unknown ones to no such sum from -291 to -284"},
	{"kafka", "logs-of-its-own", "each node has logs of its own", "none", "K1", "operation 6 (client c3, 0.121 s) has 2 at place 0 of k1, and operation 11 (client c5, 0.158 s) has 5 there (also found: lost-write, unseen)"},
	{"lin-kv", "reads-its-cache", "it answers a read with what it heard last of that key", "none", "L1", "read 4=1 (c7, 812.021 ms) cannot happen: 4 was 5 from 482.763 ms, when c7's write returned, and nobody wrote 1 after it"},
	{"txn-list-append", "step-by-step", "it does each step of a transaction by itself", "none", "T1", "internal: T1 read 2=[2 1] where it must see 2=[2], from what it had read and appended itself (14 of its kind); also G0, G1b, G1c, lost-update, ..."},
	{"txn-rw-register", "step-by-step", "it does each step of a transaction by itself", "none", "W1", "internal: T306 read 16=21 where it must see 16=20, from what it had read or written itself (16 of its kind); also G0, G1b, G1c, lost-update, ..."},
}
