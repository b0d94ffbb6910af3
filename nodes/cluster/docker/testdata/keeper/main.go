// Command keeper is a store for lab run multi-master --image, with nothing of lab's in it: an example. One node keeps all
// data, the others pass on to it what they are asked. That keeps every promise about data, and none about availability.
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"maps"
	"net"
	"os"
	"slices"
	"sync"
	"time"
)

// A message is one line.
type message struct {
	Src  string `json:"src"`
	Dest string `json:"dest"`
	Body body   `json:"body"`
}

// A body is all that this node is told.
type body struct {
	Type  string `json:"type"`
	MsgID int    `json:"msg_id"`

	NodeID    string            `json:"node_id"` // of init
	NodeIDs   []string          `json:"node_ids"`
	Addresses map[string]string `json:"addresses"` // host:port of each node

	Session string `json:"session"` // of txn
	Number  int    `json:"number"`
	Ops     []op   `json:"ops"`
}

type op struct {
	F     string `json:"f"`
	Key   string `json:"key"`
	To    string `json:"to"`
	Value int64  `json:"value"`
	Old   int64  `json:"old"`
}

type result struct {
	List []int64 `json:"list,omitempty"`
	Int  int64   `json:"int,omitempty"`
}

type reply map[string]any

func main() {
	n := &node{data: map[string]result{}, sessions: map[string]session{}}
	file := os.Getenv("LAB_DATA") + "/transactions"
	if old, err := os.Open(file); err == nil { // what was answered before a crash
		for lines := json.NewDecoder(old); ; {
			var t body
			if lines.Decode(&t) != nil {
				break
			}
			n.apply(t)
		}
	}
	var err error
	if n.disk, err = os.OpenFile(file, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o666); err != nil {
		panic(err)
	}
	l, err := net.Listen("tcp", os.Getenv("LAB_LISTEN"))
	if err != nil {
		panic(err)
	}
	for {
		conn, err := l.Accept()
		if err != nil {
			panic(err)
		}
		go n.serve(conn)
	}
}

type node struct {
	mu       sync.Mutex
	init     body
	data     map[string]result
	sessions map[string]session
	disk     *os.File
}

// A session is a client's: its last transaction, and what was answered. A client that heard nothing asks again under the
// same number, perhaps another node.
type session struct {
	number int
	reply  reply
}

// serve answers the lines of a connection: the lab's, with the requests of all clients, or another node's, with one.
func (n *node) serve(conn net.Conn) {
	var write sync.Mutex
	for lines := bufio.NewScanner(conn); lines.Scan(); {
		line := slices.Clone(lines.Bytes())
		go func() {
			if text := n.answer(line); len(text) > 0 {
				write.Lock()
				defer write.Unlock()
				conn.Write(append(text, '\n'))
			}
		}()
	}
}

// answer returns the line that answers a line; nothing if nobody does.
func (n *node) answer(line []byte) []byte {
	var m message
	if json.Unmarshal(line, &m) != nil {
		return nil
	}
	r := reply{"type": "error", "code": 10, "text": "this node knows init and txn"}
	switch m.Body.Type {
	case "init":
		n.mu.Lock()
		n.init = m.Body
		n.mu.Unlock()
		fmt.Println("I am", m.Body.NodeID)
		r = reply{"type": "init_ok"}
	case "txn":
		n.mu.Lock()
		self, keeper := n.init.NodeID, n.init.NodeIDs[0]
		n.mu.Unlock()
		if self != keeper && len(os.Args) == 1 { // with any argument each node keeps its own, which is wrong
			return passOn(n.init.Addresses[keeper], line)
		}
		r = n.keep(m.Body)
	}
	r = maps.Clone(r)
	r["in_reply_to"] = m.Body.MsgID
	text, err := json.Marshal(map[string]any{"src": m.Dest, "dest": m.Src, "body": r})
	if err != nil {
		panic(err)
	}
	return text
}

// passOn asks another node, and returns its answer as it is.
func passOn(address string, line []byte) []byte {
	conn, err := net.DialTimeout("tcp", address, time.Second)
	if err != nil {
		return nil
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(time.Second))
	conn.Write(append(line, '\n'))
	lines := bufio.NewScanner(conn)
	lines.Scan()
	return lines.Bytes()
}

// keep does a transaction and has it on disk before it answers.
func (n *node) keep(t body) reply {
	n.mu.Lock()
	defer n.mu.Unlock()
	if t.Number > n.sessions[t.Session].number {
		text, err := json.Marshal(t)
		if err == nil {
			_, err = n.disk.Write(append(text, '\n'))
		}
		if err == nil {
			err = n.disk.Sync()
		}
		if err != nil {
			panic(err)
		}
	}
	return n.apply(t)
}

// apply does a transaction, once, and returns its answer.
func (n *node) apply(t body) reply {
	last := n.sessions[t.Session]
	switch {
	case t.Number < last.number:
		return reply{"type": "txn_aborted", "reason": "the session has moved on"}
	case t.Number > last.number:
		last = session{t.Number, n.try(t.Ops)}
		n.sessions[t.Session] = last
	}
	return last.reply
}

// try does all of a transaction's steps or none.
func (n *node) try(ops []op) reply {
	new := map[string]result{}
	at := func(key string) result {
		if r, ok := new[key]; ok {
			return r
		}
		return n.data[key]
	}
	results := make([]result, len(ops))
	for i, o := range ops {
		r := at(o.Key)
		switch o.F {
		case "r":
			results[i] = r
			continue
		case "append":
			r.List = append(slices.Clip(r.List), o.Value)
		case "w":
			r.Int = o.Value
		case "cas":
			if r.Int != o.Old {
				return reply{"type": "txn_aborted", "reason": "cas: " + o.Key + " holds another value"}
			}
			r.Int = o.Value
		case "transfer":
			if r.Int < o.Value {
				return reply{"type": "txn_aborted", "reason": "transfer: " + o.Key + " holds too little"}
			}
			r.Int -= o.Value
			to := at(o.To)
			to.Int += o.Value
			new[o.To] = to
		}
		new[o.Key] = r
	}
	maps.Copy(n.data, new)
	return reply{"type": "txn_ok", "results": results}
}
