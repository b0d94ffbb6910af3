package wire

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strconv"

	"faultlab/nodes"
)

// This file is the envelope of the message protocol: one JSON object on a line of its own, compatible with Maelstrom's.
//
//	{"src":"c1","dest":"n1","body":{"type":"read","key":"x","msg_id":1}}
//	{"src":"n1","dest":"c1","body":{"type":"read_ok","value":3,"in_reply_to":1}}

// A Message is one line. Its body stays JSON, since whoever reads a line must know whom it is from before it knows
// which set of types the body belongs to.
type Message struct {
	Src, Dest nodes.ID
	ID        uint64 // msg_id; 0 if it has none
	InReplyTo uint64 // the msg_id that it answers; 0 if none
	Type      string // of the body
	Body      []byte // the whole body, as Encode makes it and Decode reads it
}

// ReadMessage reads a line, with or without its end. The result shares nothing with the line.
func ReadMessage(line []byte) (Message, error) {
	e, err := ReadEnvelope(line)
	if err != nil {
		return Message{}, err
	}
	return e.Message()
}

// Message is the message in the envelope.
func (e Envelope) Message() (Message, error) {
	var inner struct {
		Type      *string `json:"type"`
		ID        uint64  `json:"msg_id"`
		InReplyTo uint64  `json:"in_reply_to"`
	}
	if err := json.Unmarshal(e.Body, &inner); err != nil {
		return Message{}, fmt.Errorf("wire: message: body: %w", err)
	}
	if inner.Type == nil {
		return Message{}, fmt.Errorf("wire: message: body: %w", ErrNotObject)
	}
	return Message{e.Src, e.Dest, inner.ID, inner.InReplyTo, *inner.Type, e.Body}, nil
}

// An Envelope is what there is to know of a line for whoever only carries it: the body is anything that two programs
// have agreed on.
type Envelope struct {
	Src  nodes.ID        `json:"src"`
	Dest nodes.ID        `json:"dest"`
	Body json.RawMessage `json:"body"`
}

// ReadEnvelope reads a line as far as whoever carries it needs. The result shares nothing with the line.
func ReadEnvelope(line []byte) (e Envelope, err error) {
	if err := json.Unmarshal(line, &e); err != nil {
		return Envelope{}, fmt.Errorf("wire: message: %w", err)
	}
	if len(e.Body) == 0 {
		return Envelope{}, fmt.Errorf("wire: message: body: %w", ErrNotObject)
	}
	return e, nil
}

// Append puts the message on a line of its own at the end of dst. ID and InReplyTo become members of the body, which
// must be an object with a type, as Encode makes it, and must not have them yet. Type is not looked at.
func (m Message) Append(dst []byte) ([]byte, error) {
	body := bytes.TrimRight(m.Body, " \t\r\n")
	if len(body) < len(`{"type":""}`) || body[0] != '{' || body[len(body)-1] != '}' {
		return dst, fmt.Errorf("wire: message: body: %w", ErrNotObject)
	}
	if bytes.IndexByte(body, '\n') >= 0 {
		return dst, fmt.Errorf("wire: message: body: it is on more than one line")
	}
	dst = append(dst, `{"src":`...)
	dst = appendName(dst, m.Src)
	dst = append(dst, `,"dest":`...)
	dst = appendName(dst, m.Dest)
	dst = append(dst, `,"body":`...)
	dst = append(dst, body[:len(body)-1]...)
	if m.ID != 0 {
		dst = append(dst, `,"msg_id":`...)
		dst = strconv.AppendUint(dst, m.ID, 10)
	}
	if m.InReplyTo != 0 {
		dst = append(dst, `,"in_reply_to":`...)
		dst = strconv.AppendUint(dst, m.InReplyTo, 10)
	}
	return append(dst, "}}\n"...), nil
}

// appendName writes a name as JSON; most need no escape.
func appendName(dst []byte, id nodes.ID) []byte {
	for _, b := range []byte(id) {
		if b < ' ' || b >= 0x7f || b == '"' || b == '\\' {
			quoted, _ := json.Marshal(string(id))
			return append(dst, quoted...)
		}
	}
	dst = append(dst, '"')
	dst = append(dst, id...)
	return append(dst, '"')
}

// From is whom a node sees the message come from: one request of a client, if it has an ID.
func (m Message) From() nodes.ID {
	if m.ID == 0 {
		return m.Src
	}
	return nodes.Request(m.Src, m.ID)
}

// To makes a message from a node to whom it named in Send: a request is answered, anyone else is told.
func To(src, to nodes.ID, body []byte) Message {
	if client, n, ok := to.Request(); ok {
		return Message{Src: src, Dest: client, InReplyTo: n, Body: body}
	}
	return Message{Src: src, Dest: to, Body: body}
}

// An Error is the body of a reply that says why there is no other.
type Error struct {
	Code Code   `json:"code"`
	Text string `json:"text,omitempty"`
}

// Code is what an Error says, with the numbers of Maelstrom.
type Code int

const (
	Timeout      Code = 0
	NodeNotFound Code = 1
	NotSupported Code = 10
	Unavailable  Code = 11 // for now
	Malformed    Code = 12
	Crash        Code = 13
	Abort        Code = 14
	KeyNotFound  Code = 20
	KeyExists    Code = 21
	Precondition Code = 22
	Conflict     Code = 30
)

// Definite says whether a request that got this code surely was not done, and never will be. A code that is not in the
// list above says nothing.
func (c Code) Definite() bool {
	switch c {
	case NodeNotFound, NotSupported, Unavailable, Malformed, Abort, KeyNotFound, KeyExists, Precondition, Conflict:
		return true
	}
	return false
}
