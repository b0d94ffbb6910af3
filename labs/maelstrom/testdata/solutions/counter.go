package main

import (
	"sync"
	"time"
)

// counter is g-counter and pn-counter. Each node has a sum and a number of changes for every node, and only ever changes
// its own; of two tellings of one node's sum that with more changes is the newer.
//
// Mistakes: "tells-once": a node tells its peers of each change once, whether they hear or not, and all add it up.
// "memory-only": a node's own sum is not on disk.
func counter(n *Node, mistake string) {
	type part struct{ sum, changes float64 }
	var mu sync.Mutex
	parts := map[string]part{}
	file, before := OpenLog("sum")
	if mistake == "tells-once" {
		heard := 0.0
		n.Handle("tell", func(m Message) (Body, error) {
			mu.Lock()
			defer mu.Unlock()
			heard += m.Body["delta"].(float64)
			return nil, nil
		})
		n.Handle("add", func(m Message) (Body, error) {
			mu.Lock()
			defer mu.Unlock()
			heard += m.Body["delta"].(float64)
			for _, peer := range n.Peers {
				n.Send(peer, Body{"type": "tell", "delta": m.Body["delta"]})
			}
			return Body{"type": "add_ok"}, nil
		})
		n.Handle("read", func(Message) (Body, error) {
			mu.Lock()
			defer mu.Unlock()
			return Body{"type": "read_ok", "value": heard}, nil
		})
		return
	}
	n.Ready = func() {
		for range time.Tick(100 * time.Millisecond) {
			mu.Lock()
			told := Body{}
			for id, p := range parts {
				told[id] = []any{p.sum, p.changes}
			}
			mu.Unlock()
			for _, peer := range n.Peers {
				n.Send(peer, Body{"type": "gossip", "parts": told})
			}
		}
	}
	own := func() part { // with mu held
		p, there := parts[n.ID]
		if !there && len(before) > 0 {
			last := before[len(before)-1]
			p = part{last["sum"].(float64), last["changes"].(float64)}
		}
		return p
	}
	n.Handle("gossip", func(m Message) (Body, error) {
		mu.Lock()
		defer mu.Unlock()
		for id, v := range m.Body["parts"].(Body) {
			pair := v.([]any)
			p := part{pair[0].(float64), pair[1].(float64)}
			if p.changes > parts[id].changes && id != n.ID {
				parts[id] = p
			}
		}
		return nil, nil
	})
	n.Handle("add", func(m Message) (Body, error) {
		mu.Lock()
		defer mu.Unlock()
		p := own()
		p = part{p.sum + m.Body["delta"].(float64), p.changes + 1}
		if mistake != "memory-only" {
			file.Append(Body{"sum": p.sum, "changes": p.changes})
		}
		parts[n.ID] = p
		return Body{"type": "add_ok"}, nil
	})
	n.Handle("read", func(Message) (Body, error) {
		mu.Lock()
		defer mu.Unlock()
		parts[n.ID] = own()
		sum := 0.0
		for _, p := range parts {
			sum += p.sum
		}
		return Body{"type": "read_ok", "value": sum}, nil
	})
}
