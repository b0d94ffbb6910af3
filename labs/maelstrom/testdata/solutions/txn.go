package main

import (
	"fmt"
	"sync"
	"time"
)

// txn is txn-list-append and txn-rw-register, at the first node, which does one transaction after another. Mistake
// "step-by-step": another node asks for each step of a transaction by itself, so that others come in between.
func txn(n *Node, mistake string) {
	store := map[string]any{}
	primary(n, map[string]bool{"txn": true}, func(b Body) (Body, error) {
		var done []any
		for _, s := range b["txn"].([]any) {
			step := append([]any{}, s.([]any)...)
			k := key(step[1])
			switch step[0] {
			case "r":
				step[2] = store[k]
			case "w":
				store[k] = step[2]
			case "append":
				list, _ := store[k].([]any)
				store[k] = append(list[:len(list):len(list)], step[2])
			}
			done = append(done, step)
		}
		return Body{"type": "txn_ok", "txn": done}, nil
	})
	if mistake != "step-by-step" {
		return
	}
	var mu sync.Mutex
	calls := 0
	n.Handle("txn", func(m Message) (Body, error) {
		var done []any
		for _, s := range m.Body["txn"].([]any) {
			mu.Lock()
			calls++
			id := fmt.Sprint(n.ID, "/", time.Now().UnixNano(), "/", calls)
			mu.Unlock()
			reply, err := n.Call(n.All[0], Body{"type": "forward", "id": id, "body": Body{"type": "txn", "txn": []any{s}}}, 900*time.Millisecond)
			if err != nil {
				return nil, &Error{Timeout, err.Error()}
			}
			done = append(done, reply["txn"].([]any)...)
		}
		return Body{"type": "txn_ok", "txn": done}, nil
	})
}
