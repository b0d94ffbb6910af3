package main

import (
	"fmt"
	"sync"
	"time"
)

// primary makes the first node do all requests of these types, one after another, and the others pass them on to it. What
// changes something is on disk before it is done, and is done again from there when the node starts. A request that comes
// twice is done once: its client and its number say which it is.
//
// do does a request to the state in memory and returns the reply, or why it is refused.
func primary(n *Node, types map[string]bool, do func(body Body) (Body, error)) {
	var mu sync.Mutex
	type answer struct {
		reply Body
		err   error
	}
	done := map[string]answer{}
	file, before := OpenLog("requests")
	for _, line := range before {
		reply, err := do(line["body"].(Body))
		done[line["id"].(string)] = answer{reply, err}
	}
	serve := func(id string, body Body) (Body, error) {
		mu.Lock()
		defer mu.Unlock()
		if a, again := done[id]; again {
			return clone(a.reply), a.err
		}
		changes := types[body["type"].(string)]
		if changes {
			file.Append(Body{"id": id, "body": body})
		}
		reply, err := do(body)
		if changes {
			done[id] = answer{reply, err}
		}
		return clone(reply), err
	}
	n.Handle("forward", func(m Message) (Body, error) {
		return serve(m.Body["id"].(string), m.Body["body"].(Body))
	})
	for kind := range types {
		n.Handle(kind, func(m Message) (Body, error) {
			id := fmt.Sprint(m.Src, "/", m.Body["msg_id"])
			if n.ID == n.All[0] {
				return serve(id, m.Body)
			}
			reply, err := n.Call(n.All[0], Body{"type": "forward", "id": id, "body": m.Body}, 900*time.Millisecond)
			if err != nil {
				return nil, err
			}
			delete(reply, "in_reply_to")
			return reply, nil
		})
	}
}

// clone is a copy that can be given an id of its own.
func clone(b Body) Body {
	if b == nil {
		return nil
	}
	c := Body{}
	for k, v := range b {
		c[k] = v
	}
	return c
}
