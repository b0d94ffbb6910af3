package main

import (
	"fmt"
	"sync"
)

// echo sends back what it is sent. Mistake "one-behind": what was sent before.
func echo(n *Node, mistake string) {
	var mu sync.Mutex
	var last any
	n.Handle("echo", func(m Message) (Body, error) {
		mu.Lock()
		defer mu.Unlock()
		say := m.Body["echo"]
		if mistake == "one-behind" && last != nil {
			say = last
		}
		last = m.Body["echo"]
		return Body{"type": "echo_ok", "echo": say}, nil
	})
}

// uniqueIDs makes ids of the node's name, how often it has started, and a number. Mistake "forgets-starts": without how
// often it started, so that a node that was killed begins anew.
func uniqueIDs(n *Node, mistake string) {
	starts, before := OpenLog("starts")
	starts.Append(Body{})
	start := len(before)
	if mistake == "forgets-starts" {
		start = 0
	}
	var mu sync.Mutex
	next := 0
	n.Handle("generate", func(Message) (Body, error) {
		mu.Lock()
		defer mu.Unlock()
		next++
		return Body{"type": "generate_ok", "id": fmt.Sprint(n.ID, "-", start, "-", next)}, nil
	})
}
