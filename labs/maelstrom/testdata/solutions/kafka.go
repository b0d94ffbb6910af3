package main

import "sync"

// kafka is logs at the first node. Mistake "logs-of-its-own": each node appends to logs of its own.
func kafka(n *Node, mistake string) {
	logs := map[string][]any{}
	committed := Body{}
	do := func(b Body) (Body, error) {
		switch b["type"] {
		case "send":
			k := b["key"].(string)
			logs[k] = append(logs[k], b["msg"])
			return Body{"type": "send_ok", "offset": len(logs[k]) - 1}, nil
		case "poll":
			const most = 50
			found := Body{}
			for k, v := range b["offsets"].(Body) {
				var pairs []any
				for i := number(v); i < len(logs[k]) && len(pairs) < most; i++ {
					pairs = append(pairs, []any{i, logs[k][i]})
				}
				if pairs != nil {
					found[k] = pairs
				}
			}
			return Body{"type": "poll_ok", "msgs": found}, nil
		case "commit_offsets":
			for k, v := range b["offsets"].(Body) {
				if number(v) > number(committed[k]) || committed[k] == nil {
					committed[k] = v
				}
			}
			return Body{"type": "commit_offsets_ok"}, nil
		}
		found := Body{}
		for _, k := range b["keys"].([]any) {
			if v, there := committed[k.(string)]; there {
				found[k.(string)] = v
			}
		}
		return Body{"type": "list_committed_offsets_ok", "offsets": found}, nil
	}
	types := map[string]bool{"send": true, "poll": false, "commit_offsets": true, "list_committed_offsets": false}
	if mistake != "logs-of-its-own" {
		primary(n, types, do)
		return
	}
	var mu sync.Mutex
	for kind := range types {
		n.Handle(kind, func(m Message) (Body, error) {
			mu.Lock()
			defer mu.Unlock()
			return do(m.Body)
		})
	}
}
