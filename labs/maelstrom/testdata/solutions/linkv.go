package main

import (
	"encoding/json"
	"sync"
)

// key is a key, or a value to compare, as one text.
func key(v any) string {
	text, _ := json.Marshal(v)
	return string(text)
}

// linKV is a store at the first node. Mistake "reads-its-cache": another node answers a read with what it heard last of
// that key.
func linKV(n *Node, mistake string) {
	store := map[string]any{}
	primary(n, map[string]bool{"read": false, "write": true, "cas": true}, func(b Body) (Body, error) {
		k := key(b["key"])
		v, there := store[k]
		switch b["type"] {
		case "write":
			store[k] = b["value"]
			return Body{"type": "write_ok"}, nil
		case "cas":
			switch {
			case !there:
				return nil, &Error{KeyNotFound, "there is no such key"}
			case key(v) != key(b["from"]):
				return nil, &Error{Precondition, "it is " + key(v)}
			}
			store[k] = b["to"]
			return Body{"type": "cas_ok"}, nil
		}
		if !there {
			return nil, &Error{KeyNotFound, "there is no such key"}
		}
		return Body{"type": "read_ok", "value": v}, nil
	})
	if mistake == "reads-its-cache" {
		var mu sync.Mutex
		cache := map[string]any{}
		right := n.handlers["read"]
		n.Handle("read", func(m Message) (Body, error) {
			mu.Lock()
			v, there := cache[key(m.Body["key"])]
			mu.Unlock()
			if there {
				return Body{"type": "read_ok", "value": v}, nil
			}
			reply, err := right(m)
			if err == nil {
				mu.Lock()
				cache[key(m.Body["key"])] = reply["value"]
				mu.Unlock()
			}
			return reply, err
		})
	}
}
