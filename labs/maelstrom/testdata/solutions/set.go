package main

import (
	"sync"
	"time"
)

// set is broadcast and g-set. An element is on disk before it is acknowledged; each peer is told of it again and again
// until it says that it has it on its own.
//
// Mistakes: "tells-once": a peer is told once, whether it hears or not. "memory-only": nothing is on disk. "keeps-twice":
// what is heard again is kept again.
func set(n *Node, mistake, add, member, all string) {
	var mu sync.Mutex
	var elements []any
	known := map[any]bool{}
	owed := map[string]map[any]bool{} // what each peer has not said that it has
	file, before := OpenLog("elements")
	for _, line := range before {
		known[line["e"]] = true
		elements = append(elements, line["e"])
	}
	owe := func(peer string, e any) {
		if owed[peer] == nil {
			owed[peer] = map[any]bool{}
		}
		owed[peer][e] = true
	}
	learn := func(list []any) { // returns when they are safe
		mu.Lock()
		defer mu.Unlock()
		var fresh []Body
		for _, e := range list {
			if known[e] && mistake == "keeps-twice" {
				elements = append(elements, e)
			}
			if known[e] {
				continue
			}
			known[e] = true
			elements = append(elements, e)
			for _, peer := range n.Peers {
				owe(peer, e)
			}
			fresh = append(fresh, Body{"e": e})
		}
		if mistake != "memory-only" && fresh != nil {
			file.Append(fresh...)
		}
	}
	n.Ready = func() {
		mu.Lock()
		for _, peer := range n.Peers { // which of them know what was on disk, nobody knows any more
			for _, e := range elements {
				owe(peer, e)
			}
		}
		mu.Unlock()
		for range time.Tick(100 * time.Millisecond) {
			for _, peer := range n.Peers {
				mu.Lock()
				var list []any
				for e := range owed[peer] {
					list = append(list, e)
				}
				if mistake == "tells-once" {
					owed[peer] = nil
				}
				mu.Unlock()
				if len(list) == 0 {
					continue
				}
				go func() {
					if _, err := n.Call(peer, Body{"type": "gossip", "elements": list}, time.Second); err == nil {
						mu.Lock()
						for _, e := range list {
							delete(owed[peer], e)
						}
						mu.Unlock()
					}
				}()
			}
		}
	}
	n.Handle("topology", func(Message) (Body, error) { return Body{"type": "topology_ok"}, nil })
	n.Handle("gossip", func(m Message) (Body, error) {
		list, _ := m.Body["elements"].([]any)
		learn(list)
		return Body{"type": "gossip_ok"}, nil
	})
	n.Handle(add, func(m Message) (Body, error) {
		learn([]any{m.Body[member]})
		return Body{"type": add + "_ok"}, nil
	})
	n.Handle("read", func(Message) (Body, error) {
		mu.Lock()
		defer mu.Unlock()
		return Body{"type": "read_ok", all: append([]any{}, elements...)}, nil
	})
}
