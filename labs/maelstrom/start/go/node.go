package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"log"
	"os"
	"sync"
	"time"
)

// A Body is what a message says. It has a "type"; a request has a "msg_id", and a reply the same number as "in_reply_to".
type Body = map[string]any

// A Message is one line of standard input or output.
type Message struct {
	Src  string `json:"src"`
	Dest string `json:"dest"`
	Body Body   `json:"body"`
}

// An Error is a reply that says why there is no other. All codes but Timeout and Crash say that what was asked for did
// not happen and never will.
type Error struct {
	Code int
	Text string
}

func (e *Error) Error() string { return fmt.Sprintf("error %d: %s", e.Code, e.Text) }

const (
	Timeout      = 0  // perhaps it happened
	NotSupported = 10 // there is no such request
	Unavailable  = 11 // not now
	Malformed    = 12
	Crash        = 13 // perhaps it happened
	Abort        = 14
	KeyNotFound  = 20
	KeyExists    = 21
	Precondition = 22 // a compare-and-set saw another value
	TxnConflict  = 30
)

// A Node talks on standard input and output.
type Node struct {
	ID    string   // "n1", once init has come
	All   []string // every node, in the same order everywhere
	Peers []string // every node but this one
	Ready func()   // called once after init, beside the handlers; may be nil

	handlers map[string]func(Message) (Body, error)

	mu     sync.Mutex // of what follows
	out    *bufio.Writer
	lastID int
	calls  map[int]chan Body // by msg_id, those that wait for a reply
}

// NewNode returns a node that knows no request but init.
func NewNode() *Node {
	return &Node{handlers: map[string]func(Message) (Body, error){}, out: bufio.NewWriter(os.Stdout), calls: map[int]chan Body{}}
}

// Handle says what to do with messages of a type. The body that f returns is the reply; nil is none.
func (n *Node) Handle(kind string, f func(Message) (Body, error)) { n.handlers[kind] = f }

// Run reads messages until there are no more. Each is handled in a goroutine of its own.
func (n *Node) Run() {
	in := bufio.NewReader(os.Stdin)
	var busy sync.WaitGroup
	defer busy.Wait()
	for {
		line, err := in.ReadBytes('\n')
		if err != nil {
			return // whoever started this node is gone
		}
		var m Message
		if err := json.Unmarshal(line, &m); err != nil {
			log.Printf("not a message: %v: %.200q", err, line)
			continue
		}
		if reply, ok := m.Body["in_reply_to"]; ok {
			n.mu.Lock()
			waits := n.calls[number(reply)]
			delete(n.calls, number(reply))
			n.mu.Unlock()
			if waits != nil { // else its time was over
				waits <- m.Body
			}
			continue
		}
		if m.Body["type"] == "init" {
			n.init(m)
			continue
		}
		busy.Add(1)
		go func() { defer busy.Done(); n.handle(m) }()
	}
}

func (n *Node) init(m Message) {
	n.ID, _ = m.Body["node_id"].(string)
	ids, _ := m.Body["node_ids"].([]any)
	for _, id := range ids {
		n.All = append(n.All, id.(string))
		if id != n.ID {
			n.Peers = append(n.Peers, id.(string))
		}
	}
	n.Reply(m, Body{"type": "init_ok"})
	if n.Ready != nil {
		go n.Ready()
	}
}

func (n *Node) handle(m Message) {
	kind, _ := m.Body["type"].(string)
	f := n.handlers[kind]
	if f == nil {
		n.Reply(m, Body{"type": "error", "code": NotSupported, "text": "this node does not know " + kind})
		return
	}
	reply, err := f(m)
	if e := (*Error)(nil); errors.As(err, &e) {
		reply = Body{"type": "error", "code": e.Code, "text": e.Text}
	} else if err != nil {
		reply = Body{"type": "error", "code": Crash, "text": err.Error()}
	}
	if reply != nil {
		n.Reply(m, reply)
	}
}

// Reply answers a message, unless it asks for no answer.
func (n *Node) Reply(to Message, body Body) {
	if id, ok := to.Body["msg_id"]; ok {
		body["in_reply_to"] = id
		n.Send(to.Src, body)
	}
}

// Send tells somebody something. It may be lost, come late, or come twice.
func (n *Node) Send(dest string, body Body) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.write(dest, body)
}

func (n *Node) write(dest string, body Body) {
	line, err := json.Marshal(Message{Src: n.ID, Dest: dest, Body: body})
	if err != nil {
		log.Fatalf("a body that is no JSON: %v", err)
	}
	n.out.Write(append(line, '\n'))
	if err := n.out.Flush(); err != nil {
		os.Exit(0) // nobody listens any more
	}
}

// Call asks somebody and waits for the reply. The error is an *Error: theirs, or Timeout.
func (n *Node) Call(dest string, body Body, wait time.Duration) (Body, error) {
	answer := make(chan Body, 1)
	n.mu.Lock()
	n.lastID++
	id := n.lastID
	n.calls[id] = answer
	body["msg_id"] = id
	n.write(dest, body)
	n.mu.Unlock()
	select {
	case reply := <-answer:
		if reply["type"] == "error" {
			text, _ := reply["text"].(string)
			return nil, &Error{number(reply["code"]), text}
		}
		return reply, nil
	case <-time.After(wait):
		n.mu.Lock()
		delete(n.calls, id)
		n.mu.Unlock()
		return nil, &Error{Timeout, dest + " did not answer"}
	}
}

// number is a whole number of a body; JSON makes them all float64.
func number(v any) int {
	f, _ := v.(float64)
	return int(f)
}

// A Log is a file of lines in the folder that the node was started in, which is its own and outlives it.
type Log struct {
	mu   sync.Mutex
	file *os.File
}

// OpenLog opens a file, or makes one, and returns what was written to it. A last line that was cut short is dropped.
func OpenLog(name string) (*Log, []Body) {
	text, err := os.ReadFile(name)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		log.Fatal(err)
	}
	var all []Body
	whole := 0
	for rest := text; ; {
		line, after, ended := bytes.Cut(rest, []byte("\n"))
		var b Body
		if !ended || json.Unmarshal(line, &b) != nil {
			break
		}
		all, whole, rest = append(all, b), whole+len(line)+1, after
	}
	file, err := os.OpenFile(name, os.O_RDWR|os.O_CREATE, 0o666)
	if err == nil {
		err = file.Truncate(int64(whole))
	}
	if err == nil {
		_, err = file.Seek(int64(whole), 0)
	}
	if err != nil {
		log.Fatal(err)
	}
	return &Log{file: file}, all
}

// Append writes lines and returns when the disk has them.
func (l *Log) Append(lines ...Body) {
	var text []byte
	for _, b := range lines {
		line, err := json.Marshal(b)
		if err != nil {
			log.Fatalf("a line that is no JSON: %v", err)
		}
		text = append(append(text, line...), '\n')
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if _, err := l.file.Write(text); err != nil {
		log.Fatal(err)
	}
	if err := l.file.Sync(); err != nil {
		log.Fatal(err)
	}
}
