package host

import (
	"fmt"

	"faultlab/nodes"
	"faultlab/nodes/wire"
)

// inbox hands the loop what arrives. What can be done beside the loop is done here: bodies are decoded by whoever read
// them.
type inbox struct{ h *Host }

func (in inbox) put(a arrival) {
	select {
	case in.h.in <- a:
	case <-in.h.quit:
	}
}

// Message implements Inbox.
func (in inbox) Message(m wire.Message, back Line) {
	a := arrival{from: m.From(), m: m, back: back}
	if m.Src != Lab {
		a.body, a.err = in.h.codec.Decode(m.Body)
		if m.Type != "init" {
			a.m.Body = nil
		}
	}
	in.put(a)
}

// Body implements Inbox.
func (in inbox) Body(from nodes.ID, body []byte) {
	a := arrival{from: from}
	a.body, a.err = in.h.codec.Decode(body)
	in.put(a)
}

// Member implements Inbox.
func (in inbox) Member(id nodes.ID, state nodes.MemberState) {
	in.put(arrival{member: id, state: state})
}

// Logf implements Inbox.
func (in inbox) Logf(format string, args ...any) { in.put(arrival{line: fmt.Sprintf(format, args...)}) }
