// A node that echoes: begin here. node.go has all that a node needs to talk; this file is yours.
//
//	go build -o mynode . && lab run echo --bin ./mynode
//
// Standard output is for messages alone: print what you want to see with log.Printf, which goes to the node's log.
package main

func main() {
	n := NewNode()

	// A handler returns the reply, or an error: an *Error is sent as it is, any other as a crash, code 13.
	n.Handle("echo", func(m Message) (Body, error) {
		return Body{"type": "echo_ok", "echo": m.Body["echo"]}, nil
	})

	// What a killed node has to know afterwards is in a file; Log writes lines and waits until the disk has them:
	//
	//	log, lines := OpenLog("state")         // the lines that were there
	//	log.Append(Body{"element": 3})         // returns when it is safe to say so
	//
	// Other nodes and services are asked with Call, which waits for the reply, or told something with Send:
	//
	//	reply, err := n.Call("lin-kv", Body{"type": "read", "key": "x"}, time.Second)
	//	for _, peer := range n.Peers { n.Send(peer, Body{"type": "gossip", "elements": all}) }
	//
	// What begins once the node knows its name, such as gossip every now and then, goes in n.Ready:
	//
	//	n.Ready = func() { for range time.Tick(200 * time.Millisecond) { gossip() } }
	//
	// Handlers run side by side: guard what they share with a sync.Mutex.

	n.Run()
}
