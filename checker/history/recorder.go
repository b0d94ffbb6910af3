package history

import (
	"fmt"
	"sync"
	"time"
)

// A Recorder records the operations of somebody else's system, in a Go test for example. Its zero value is ready, and
// it is safe for concurrent use. A client has one operation at a time, and is given a new identity (c3.1) after an
// unknown outcome, since what it asked for may still happen.
//
//	var rec history.Recorder
//	call := rec.Call("c1", Write{"x", 1})
//	if err := db.Write("x", 1); err != nil {
//		call.Unknown() // an error seldom proves that nothing happened
//	} else {
//		call.OK(nil)
//	}
//	result := someChecker.Check(rec.History())
type Recorder struct {
	// Now is the time since some start. If it is nil, calls and returns are numbered: one nanosecond each, which says
	// no more than their order, and that exactly.
	Now func() time.Duration

	mu      sync.Mutex
	ticks   time.Duration
	ops     []Op
	running map[string]bool // clients with an operation under way
	retired map[string]int  // how many identities of a client are gone
}

// underWay stands in for the return of an operation that has none yet.
const underWay = -1

// A Call is an operation under way. One of its methods is called, once, when it has ended.
type Call struct {
	rec    *Recorder
	client string
	index  int
	done   bool
}

// Call records that a client invokes an operation, just before it does. It panics if that client has one under way.
func (r *Recorder) Call(client string, in any) *Call {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.running == nil {
		r.running, r.retired = map[string]bool{}, map[string]int{}
	}
	if r.running[client] {
		panic(fmt.Sprintf("history: client %s calls while an operation of its own is under way", client))
	}
	r.running[client] = true
	identity := client
	if n := r.retired[client]; n > 0 {
		identity = fmt.Sprintf("%s.%d", client, n)
	}
	r.ops = append(r.ops, Op{Index: len(r.ops), Client: identity, In: in, Call: r.now(), Return: underWay, Outcome: Unknown, Phase: Safety})
	return &Call{rec: r, client: client, index: len(r.ops) - 1}
}

// OK records that it happened, with its result, just after it did.
func (c *Call) OK(out any) { c.end(OK, out) }

// Failed records that it surely did not happen, and never will.
func (c *Call) Failed() { c.end(Failed, nil) }

// Unknown records that nobody knows whether it happened, or yet will: a timeout, a lost connection, most errors.
func (c *Call) Unknown() { c.end(Unknown, nil) }

func (c *Call) end(o Outcome, out any) {
	r := c.rec
	r.mu.Lock()
	defer r.mu.Unlock()
	if c.done {
		panic(fmt.Sprintf("history: an operation of client %s ends twice", c.client))
	}
	c.done = true
	op := &r.ops[c.index]
	op.Return, op.Outcome, op.Out = r.now(), o, out
	r.running[c.client] = false
	if o == Unknown {
		r.retired[c.client]++
	}
}

// History returns what was recorded so far. Operations still under way are unknown.
func (r *Recorder) History() *History {
	r.mu.Lock()
	defer r.mu.Unlock()
	h := &History{Ops: append([]Op(nil), r.ops...), End: r.now()}
	h.Healed = h.End
	for i := range h.Ops {
		if op := &h.Ops[i]; op.Return == underWay {
			op.Return = h.End
		}
	}
	return h
}

func (r *Recorder) now() time.Duration {
	if r.Now != nil {
		return r.Now()
	}
	r.ticks++
	return r.ticks
}
