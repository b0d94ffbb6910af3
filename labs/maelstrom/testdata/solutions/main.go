// Correct nodes for all ten workloads, made of the starting point in ../../start/go, and for each a mistake that its lab
// finds. The tests build them together with node.go from there.
//
//	solutions WORKLOAD [MISTAKE]
package main

import (
	"log"
	"os"
)

var workloads = map[string]func(n *Node, mistake string){
	"echo":            echo,
	"unique-ids":      uniqueIDs,
	"broadcast":       func(n *Node, mistake string) { set(n, mistake, "broadcast", "message", "messages") },
	"g-set":           func(n *Node, mistake string) { set(n, mistake, "add", "element", "value") },
	"g-counter":       counter,
	"pn-counter":      counter,
	"kafka":           kafka,
	"lin-kv":          linKV,
	"txn-list-append": txn,
	"txn-rw-register": txn,
}

func main() {
	if len(os.Args) < 2 || workloads[os.Args[1]] == nil {
		log.Fatal("which workload?")
	}
	mistake := ""
	if len(os.Args) > 2 {
		mistake = os.Args[2]
	}
	n := NewNode()
	workloads[os.Args[1]](n, mistake)
	n.Run()
}
