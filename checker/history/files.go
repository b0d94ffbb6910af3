package history

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"strconv"
	"time"
)

// Format is the version of the files written here. It stands in the first line of each, as the first member of its
// object, so that every line of history.jsonl is an operation and every line of events.jsonl an event:
//
//	{"format":1,"index":0,"client":"c3","node":"b1","region":"B","in":{...},"out":{...},"call":1200345000,"return":1203345000,"outcome":"ok","phase":"safety"}
//	{"format":1,"at":1200345000,"node":"b1","event":{...}}
//
// Times are in nanoseconds since the start of the cluster. A file without lines is an empty history. out is absent
// where there was no reply; node, region and phase are absent where they are empty; a reader passes over members that
// it does not know.
const Format = 1

// A Codec turns a system's requests, replies and events into JSON, and back.
type Codec interface {
	// Append appends body to dst, as one JSON value without line breaks.
	Append(dst []byte, body any) ([]byte, error)
	// Decode is its inverse. It keeps nothing of data.
	Decode(data []byte) (any, error)
}

// JSON is the Codec of systems that declare no vocabulary: it writes whatever package json can, and reads maps, lists,
// strings and numbers (json.Number, so that no digit is lost).
type JSON struct{}

// Append appends what json.Marshal makes of body.
func (JSON) Append(dst []byte, body any) ([]byte, error) {
	b, err := json.Marshal(body)
	return append(dst, b...), err
}

// Decode returns nil, bool, json.Number, string, []any or map[string]any.
func (JSON) Decode(data []byte) (any, error) {
	d := json.NewDecoder(bytes.NewReader(data))
	d.UseNumber()
	var v any
	err := d.Decode(&v)
	return v, err
}

// AppendOp appends the line of op, with its line break.
func AppendOp(dst []byte, op *Op, c Codec) ([]byte, error) {
	dst = openLine(dst, op.Index == 0)
	dst = append(dst, `"index":`...)
	dst = strconv.AppendInt(dst, int64(op.Index), 10)
	dst = append(dst, `,"client":`...)
	dst = appendString(dst, op.Client)
	if op.Node != "" {
		dst = append(dst, `,"node":`...)
		dst = appendString(dst, op.Node)
	}
	if op.Region != "" {
		dst = append(dst, `,"region":`...)
		dst = appendString(dst, op.Region)
	}
	var err error
	if op.In != nil {
		dst = append(dst, `,"in":`...)
		if dst, err = c.Append(dst, op.In); err != nil {
			return dst, fmt.Errorf("history: request of operation %d: %w", op.Index, err)
		}
	}
	if op.Out != nil {
		dst = append(dst, `,"out":`...)
		if dst, err = c.Append(dst, op.Out); err != nil {
			return dst, fmt.Errorf("history: reply of operation %d: %w", op.Index, err)
		}
	}
	dst = append(dst, `,"call":`...)
	dst = strconv.AppendInt(dst, int64(op.Call), 10)
	dst = append(dst, `,"return":`...)
	dst = strconv.AppendInt(dst, int64(op.Return), 10)
	dst = append(dst, `,"outcome":`...)
	dst = appendString(dst, string(op.Outcome))
	if op.Phase != "" {
		dst = append(dst, `,"phase":`...)
		dst = appendString(dst, string(op.Phase))
	}
	return append(dst, '}', '\n'), nil
}

// AppendEvent appends the line of e, with its line break. first says that it begins a file.
func AppendEvent(dst []byte, e *Event, first bool, c Codec) ([]byte, error) {
	dst = openLine(dst, first)
	dst = append(dst, `"at":`...)
	dst = strconv.AppendInt(dst, int64(e.At), 10)
	dst = append(dst, `,"node":`...)
	dst = appendString(dst, e.Node)
	dst = append(dst, `,"event":`...)
	dst, err := c.Append(dst, e.Event)
	if err != nil {
		return dst, fmt.Errorf("history: event of %s at %s: %w", e.Node, e.At, err)
	}
	return append(dst, '}', '\n'), nil
}

func openLine(dst []byte, first bool) []byte {
	if first {
		return append(dst, `{"format":1,`...)
	}
	return append(dst, '{')
}

// WriteOps writes history.jsonl.
func WriteOps(w io.Writer, ops []Op, c Codec) error {
	return write(w, len(ops), func(dst []byte, i int) ([]byte, error) { return AppendOp(dst, &ops[i], c) })
}

// WriteEvents writes events.jsonl.
func WriteEvents(w io.Writer, events []Event, c Codec) error {
	return write(w, len(events), func(dst []byte, i int) ([]byte, error) { return AppendEvent(dst, &events[i], i == 0, c) })
}

func write(w io.Writer, n int, line func(dst []byte, i int) ([]byte, error)) error {
	const full = 1 << 16
	var err error
	buf := make([]byte, 0, full+1<<12)
	for i := range n {
		if buf, err = line(buf, i); err != nil {
			return err
		}
		if len(buf) >= full || i == n-1 {
			if _, err = w.Write(buf); err != nil {
				return err
			}
			buf = buf[:0]
		}
	}
	return nil
}

// ReadOps reads what WriteOps wrote. An error in the text, a last line that was cut short included, is a *SyntaxError.
func ReadOps(r io.Reader, c Codec) ([]Op, error) {
	var ops []Op
	for op, err := range Ops(r, c) {
		if err != nil {
			return nil, err
		}
		ops = append(ops, op)
	}
	return ops, nil
}

// Ops reads history.jsonl as a stream, which keeps no operation once it was handed out. It ends after an error.
func Ops(r io.Reader, c Codec) iter.Seq2[Op, error] {
	p := &parser{lines: newLines(r), codec: c, names: map[string]string{}}
	return p.ops()
}

// ops reads operations; of the one that was handed out last, p.lines.n is the line.
func (p *parser) ops() iter.Seq2[Op, error] {
	return func(yield func(Op, error) bool) {
		var last time.Duration
		for i := 0; ; i++ {
			op, err := p.op(i, last)
			if err == io.EOF {
				return
			}
			if !yield(op, err) || err != nil {
				return
			}
			last = op.Call
		}
	}
}

// ReadEvents reads what WriteEvents wrote, with errors as ReadOps has them.
func ReadEvents(r io.Reader, c Codec) ([]Event, error) {
	p := parser{lines: newLines(r), codec: c, names: map[string]string{}}
	var events []Event
	for {
		e, err := p.event(len(events) == 0)
		if err == io.EOF {
			return events, nil
		}
		if err != nil {
			return nil, err
		}
		events = append(events, e)
	}
}

type parser struct {
	lines *lines
	codec Codec
	names map[string]string // one copy of each name
	last  [4]string         // those that came last, by length: most names come again at once
	s     scanner
}

// object reads the next line, an object, and hands each of its members to member, which must consume the value.
func (p *parser) object(member func(name []byte) bool) error {
	line, err := p.lines.next()
	if err != nil {
		return err
	}
	p.s = scanner{b: line, line: p.lines.n}
	if !p.s.object(member) || !p.s.end() {
		return p.s.err
	}
	return nil
}

// Bits of the members that a line must have.
const (
	hasIndex = 1 << iota
	hasClient
	hasCall
	hasReturn
	hasOutcome
	hasAt
	hasNode
	hasEvent
)

var memberNames = [...]string{"index", "client", "call", "return", "outcome", "at", "node", "event"}

func (p *parser) op(index int, last time.Duration) (op Op, err error) {
	s, has, callAt := &p.s, 0, 0
	err = p.object(func(name []byte) bool {
		s.space()
		from := s.i
		switch string(name) {
		case "format":
			return p.format()
		case "index":
			has |= hasIndex
			n, ok := s.integer()
			if ok && n != int64(index) {
				return s.failAt(from, fmt.Sprintf("%d, the place of this operation in the history", index))
			}
			op.Index = index
			return ok
		case "client":
			has |= hasClient
			return p.name(&op.Client)
		case "node":
			return p.name(&op.Node)
		case "region":
			return p.name(&op.Region)
		case "in":
			return p.body(&op.In, "a request")
		case "out":
			return p.body(&op.Out, "a reply")
		case "call":
			has |= hasCall
			callAt = from
			return p.time(&op.Call)
		case "return":
			has |= hasReturn
			return p.time(&op.Return)
		case "outcome":
			has |= hasOutcome
			b, ok := s.text()
			if !ok {
				return false
			}
			for _, o := range [...]Outcome{OK, Failed, Unknown} {
				if string(b) == string(o) {
					op.Outcome = o
					return true
				}
			}
			return s.failAt(from, `"ok", "failed" or "unknown"`)
		case "phase":
			b, ok := s.text()
			if !ok {
				return false
			}
			for _, ph := range [...]Phase{Safety, Recovery, Final, WarmUp, ""} {
				if string(b) == string(ph) {
					op.Phase = ph
					return true
				}
			}
			return s.failAt(from, `"warm-up", "safety", "recovery" or "final"`)
		}
		_, ok := s.value()
		return ok
	})
	if err == nil {
		err = p.missing(has, hasIndex|hasClient|hasCall|hasReturn|hasOutcome)
	}
	if err == nil && op.Call < last {
		s.failAt(callAt, "a call no earlier than that of the line before, since operations stand in the order of call")
		err = s.err
	}
	if err == nil && op.Return < op.Call {
		s.failAt(callAt, "a call no later than the return")
		err = s.err
	}
	return op, err
}

func (p *parser) event(first bool) (e Event, err error) {
	s, has := &p.s, 0
	err = p.object(func(name []byte) bool {
		switch string(name) {
		case "format":
			return p.format()
		case "at":
			has |= hasAt
			return p.time(&e.At)
		case "node":
			has |= hasNode
			return p.name(&e.Node)
		case "event":
			has |= hasEvent
			return p.body(&e.Event, "an event")
		}
		_, ok := s.value()
		return ok
	})
	if err == nil {
		err = p.missing(has, hasAt|hasNode|hasEvent)
	}
	return e, err
}

// missing is the error of a line that lacks a member.
func (p *parser) missing(has, want int) error {
	for i, name := range memberNames {
		if bit := 1 << i; want&bit != 0 && has&bit == 0 {
			return &SyntaxError{Line: p.lines.n, Column: 1, Want: strconv.Quote(name) + " among the members"}
		}
	}
	return nil
}

func (p *parser) format() bool {
	p.s.space()
	from := p.s.i
	n, ok := p.s.integer()
	return ok && (n == Format || p.s.failAt(from, fmt.Sprintf("format %d, the only one that this version reads", Format)))
}

func (p *parser) name(to *string) bool {
	b, ok := p.s.text()
	if !ok {
		return false
	}
	if last := p.last[len(b)%len(p.last)]; last == string(b) {
		*to = last
		return true
	}
	name, known := p.names[string(b)]
	if !known {
		name = string(b)
		p.names[name] = name
	}
	*to, p.last[len(b)%len(p.last)] = name, name
	return true
}

func (p *parser) time(to *time.Duration) bool {
	n, ok := p.s.integer()
	*to = time.Duration(n)
	return ok
}

func (p *parser) body(to *any, what string) bool {
	p.s.space()
	from := p.s.i
	if plain, ok := p.codec.(*Plain); ok { // whose values need not be scanned twice
		v, ok := plain.values.json(&p.s, depthMax)
		if v.Kind != Nil {
			*to = v
		}
		return ok
	}
	raw, ok := p.s.value()
	if !ok {
		return false
	}
	if string(raw) == "null" {
		return true
	}
	body, err := p.codec.Decode(raw)
	if err != nil {
		return p.s.failAt(from+offset(err), fmt.Sprintf("%s that this system knows: %s", what, err))
	}
	*to = body
	return true
}

// offset is how far into a value the error says that it is, 0 if it does not say.
func offset(err error) int {
	var wrong *json.UnmarshalTypeError
	if errors.As(err, &wrong) && wrong.Offset > 0 {
		return int(wrong.Offset) - 1
	}
	return 0
}
