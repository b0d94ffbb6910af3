package history

import (
	"bufio"
	"bytes"
	"io"
)

// elements reads one JSON array element by element: objects, one after another, on any number of lines.
type elements struct {
	r            *bufio.Reader
	line, column int // of the byte read last
	from         SyntaxError
	last         SyntaxError // where the byte after the last one stands that is no white space
	text         []byte
	state        byte // what may come: 0 the array, 'e' an element or the end, ',' a comma or the end, '.' nothing
}

func newElements(r io.Reader) *elements {
	return &elements{r: bufio.NewReaderSize(r, 1<<16), line: 1}
}

func (e *elements) place() (line, column int) { return e.from.Line, e.from.Column }

func (e *elements) read() (byte, error) {
	c, err := e.r.ReadByte()
	if err == nil {
		e.column++
	}
	return c, err
}

// next returns the next element, valid until it is called again, and io.EOF after the last.
func (e *elements) next() ([]byte, error) {
	for {
		c, err := e.read()
		if err == io.EOF && e.state == 0 {
			return nil, &SyntaxError{e.line, e.column + 1, "an array of events"}
		}
		if err == io.EOF && e.state != '.' {
			return nil, &SyntaxError{e.last.Line, e.last.Column, "] after the last event"}
		}
		if err != nil {
			return nil, err
		}
		switch c {
		case '\n':
			e.line, e.column = e.line+1, 0
			continue
		case ' ', '\t', '\r':
			continue
		}
		e.last = SyntaxError{Line: e.line, Column: e.column + 1}
		switch {
		case c == '[' && e.state == 0:
			e.state = 'e'
		case c == ']' && (e.state == 'e' || e.state == ','):
			e.state = '.'
		case c == ',' && e.state == ',':
			e.state = 'e'
		case c == '{' && e.state == 'e':
			e.state = ','
			e.from = SyntaxError{Line: e.line, Column: e.column}
			text, err := e.object()
			e.last = SyntaxError{Line: e.line, Column: e.column + 1}
			return text, err
		default:
			want := map[byte]string{0: "an array of events", 'e': "an event, which is an object", ',': "a comma or ]", '.': "the end of the file"}[e.state]
			return nil, &SyntaxError{e.line, e.column, want}
		}
	}
}

// object takes the text of an object whose first byte was read, up to the bracket that matches; whoever parses it says
// what else is wrong.
func (e *elements) object() ([]byte, error) {
	e.text = append(e.text[:0], '{')
	depth, quoted, escaped := 1, false, false
	for depth > 0 {
		c, err := e.read()
		if err == io.EOF {
			return bytes.TrimRight(e.text, " \t\r\n"), nil
		}
		if err != nil {
			return nil, err
		}
		e.text = append(e.text, c)
		switch {
		case c == '\n':
			e.line, e.column = e.line+1, 0
		case escaped:
			escaped = false
		case quoted:
			quoted, escaped = c != '"', c == '\\'
		case c == '"':
			quoted = true
		case c == '{' || c == '[':
			depth++
		case c == '}' || c == ']':
			depth--
		}
	}
	return e.text, nil
}
