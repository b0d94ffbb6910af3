package history

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"strconv"
	"unicode/utf8"
)

// A SyntaxError says where a file stops making sense, and what would have. Lines and columns count from 1, columns in
// bytes. Whoever knows the name of the file puts it in front.
type SyntaxError struct {
	Line, Column int
	Want         string // what was expected there: "a comma or }"
}

func (e *SyntaxError) Error() string {
	return fmt.Sprintf("line %d, column %d: want %s", e.Line, e.Column, e.Want)
}

// lines reads a file line by line, of any length.
type lines struct {
	r    *bufio.Reader
	n    int // number of the line that next returned
	long []byte
}

func newLines(r io.Reader) *lines { return &lines{r: bufio.NewReaderSize(r, 1<<16)} }

// next returns the next line that is not blank, without its end, valid until it is called again, and io.EOF after the last.
func (l *lines) next() ([]byte, error) {
	for {
		line, err := l.r.ReadSlice('\n')
		if err == bufio.ErrBufferFull {
			l.long = append(l.long[:0], line...)
			for err == bufio.ErrBufferFull {
				line, err = l.r.ReadSlice('\n')
				l.long = append(l.long, line...)
			}
			line = l.long
		}
		if err != nil && err != io.EOF {
			return nil, err
		}
		if len(line) == 0 {
			return nil, io.EOF
		}
		l.n++
		if !blank(line) {
			return bytes.TrimSuffix(bytes.TrimSuffix(line, []byte("\n")), []byte("\r")), nil
		}
	}
}

// place is where what next returned begins.
func (l *lines) place() (line, column int) { return l.n, 1 }

func blank(b []byte) bool {
	for _, c := range b {
		if c != ' ' && c != '\t' && c != '\r' && c != '\n' {
			return false
		}
	}
	return true
}

// depthMax bounds how deep values may nest, so that no file can exhaust the stack.
const depthMax = 1000

// A scanner takes one line of JSON apart without decoding what it does not need. Its methods return false at the first
// error, which is then in err.
type scanner struct {
	b      []byte
	i      int
	line   int // where b begins; what is scanned may be longer than a line
	column int // bytes before b in that line
	err    *SyntaxError
}

func (s *scanner) fail(want string) bool { return s.failAt(s.i, want) }

func (s *scanner) failAt(i int, want string) bool {
	if s.err == nil {
		line, column := s.line, s.column+i+1
		before := s.b[:min(i, len(s.b))]
		if n := bytes.Count(before, []byte("\n")); n > 0 {
			line, column = line+n, i-bytes.LastIndexByte(before, '\n')
		}
		s.err = &SyntaxError{Line: line, Column: column, Want: want}
	}
	return false
}

func (s *scanner) space() {
	for s.i < len(s.b) {
		switch s.b[s.i] {
		case ' ', '\t', '\r', '\n':
			s.i++
		default:
			return
		}
	}
}

// peek returns the next byte that is not white space, 0 at the end of the line.
func (s *scanner) peek() byte {
	if s.i < len(s.b) && s.b[s.i] > ' ' {
		return s.b[s.i]
	}
	s.space()
	if s.i < len(s.b) {
		return s.b[s.i]
	}
	return 0
}

func (s *scanner) expect(c byte, want string) bool {
	if s.peek() != c {
		return s.fail(want)
	}
	s.i++
	return true
}

// object calls member with each name of the object that begins here; member must consume the value.
func (s *scanner) object(member func(name []byte) bool) bool {
	if !s.expect('{', "an object") {
		return false
	}
	if s.peek() == '}' {
		s.i++
		return true
	}
	for {
		if s.peek() != '"' {
			return s.fail("the name of a member")
		}
		name, _, ok := s.rawString()
		if !ok || !s.expect(':', "a colon") || !member(name[1:len(name)-1]) {
			return false
		}
		switch s.peek() {
		case ',':
			s.i++
		case '}':
			s.i++
			return true
		default:
			return s.fail("a comma or }")
		}
	}
}

// array calls element with the place of each element of the array that begins here; element must consume it.
func (s *scanner) array(element func(i int) bool) bool {
	if !s.expect('[', "an array") {
		return false
	}
	if s.peek() == ']' {
		s.i++
		return true
	}
	for i := 0; ; i++ {
		if !element(i) {
			return false
		}
		switch s.peek() {
		case ',':
			s.i++
		case ']':
			s.i++
			return true
		default:
			return s.fail("a comma or ]")
		}
	}
}

// end says that nothing follows on the line.
func (s *scanner) end() bool {
	if s.peek() != 0 || s.i < len(s.b) {
		return s.fail("the end of the line")
	}
	return true
}

// value consumes a value of any kind and returns its text.
func (s *scanner) value() ([]byte, bool) {
	s.space()
	from := s.i
	ok := s.skip(depthMax)
	return s.b[from:s.i], ok
}

func (s *scanner) skip(depth int) bool {
	if depth == 0 {
		return s.fail("a value that is nested less deeply")
	}
	switch c := s.peek(); {
	case c == '{':
		return s.object(func([]byte) bool { return s.skip(depth - 1) })
	case c == '[':
		return s.array(func(int) bool { return s.skip(depth - 1) })
	case c == '"':
		_, _, ok := s.rawString()
		return ok
	case c == '-' || c >= '0' && c <= '9':
		return s.number()
	case c == 't':
		return s.word("true")
	case c == 'f':
		return s.word("false")
	case c == 'n':
		return s.word("null")
	}
	return s.fail("a value")
}

func (s *scanner) word(w string) bool {
	if s.i+len(w) > len(s.b) || string(s.b[s.i:s.i+len(w)]) != w {
		return s.fail(w)
	}
	s.i += len(w)
	return true
}

func (s *scanner) digits() bool {
	from := s.i
	for s.i < len(s.b) && s.b[s.i]-'0' <= 9 {
		s.i++
	}
	return s.i > from || s.fail("a digit")
}

func (s *scanner) number() bool {
	if s.b[s.i] == '-' {
		s.i++
	}
	if s.i < len(s.b) && s.b[s.i] == '0' {
		s.i++
	} else if !s.digits() {
		return false
	}
	if s.i < len(s.b) && s.b[s.i] == '.' {
		s.i++
		if !s.digits() {
			return false
		}
	}
	if s.i < len(s.b) && s.b[s.i]|0x20 == 'e' {
		s.i++
		if s.i < len(s.b) && (s.b[s.i] == '+' || s.b[s.i] == '-') {
			s.i++
		}
		return s.digits()
	}
	return true
}

// rawString consumes a string and returns its text with the quotes; plain says that the text between them is the
// string's value.
func (s *scanner) rawString() (raw []byte, plain, ok bool) {
	if s.peek() != '"' {
		return nil, false, s.fail("a string")
	}
	from := s.i
	for i, c := range s.b[from+1:] {
		if c == '"' {
			s.i = from + i + 2
			return s.b[from:s.i], true, true
		}
		if c == '\\' || c < ' ' || c >= utf8.RuneSelf {
			s.i = from + 1 + i
			break
		}
	}
	for s.i = max(s.i, from+1); s.i < len(s.b); s.i++ {
		switch c := s.b[s.i]; {
		case c == '"':
			s.i++
			return s.b[from:s.i], false, true
		case c == '\\':
			if !s.escape() {
				return nil, false, false
			}
		case c < ' ':
			return nil, false, s.fail("the end of the string that began at column " + strconv.Itoa(from+1))
		}
	}
	return nil, false, s.fail("the end of the string that began at column " + strconv.Itoa(from+1))
}

// escape consumes an escape but for its last byte.
func (s *scanner) escape() bool {
	s.i++
	if s.i >= len(s.b) {
		return s.fail("an escape")
	}
	switch s.b[s.i] {
	case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
		return true
	case 'u':
		for range 4 {
			s.i++
			if s.i >= len(s.b) || !hex(s.b[s.i]) {
				return s.fail("a hexadecimal digit")
			}
		}
		return true
	}
	return s.fail("an escape")
}

func hex(c byte) bool { return c-'0' <= 9 || (c|0x20)-'a' <= 5 }

// text consumes a string and returns its bytes, valid as long as the line.
func (s *scanner) text() ([]byte, bool) {
	raw, plain, ok := s.rawString()
	switch {
	case !ok:
		return nil, false
	case plain:
		return raw[1 : len(raw)-1], true
	}
	return unquote(raw), true
}

func unquote(raw []byte) []byte {
	var t string
	if json.Unmarshal(raw, &t) != nil {
		return raw[1 : len(raw)-1] // not reached: the scanner accepts no string that package json does not
	}
	return []byte(t)
}

// integer consumes a whole number that fits in 64 bits.
func (s *scanner) integer() (int64, bool) {
	s.space()
	from := s.i
	i, neg := from, false
	if i < len(s.b) && s.b[i] == '-' {
		neg = true
		i++
	}
	digits := i
	var n int64
	for ; i < len(s.b) && s.b[i]-'0' <= 9; i++ {
		d := int64(s.b[i] - '0')
		if n > (math.MaxInt64-d)/10 {
			return 0, s.failAt(from, "a number below 2^63")
		}
		n = n*10 + d
	}
	if i == digits || i < len(s.b) && (s.b[i] == '.' || s.b[i]|0x20 == 'e') || i > digits+1 && s.b[digits] == '0' {
		return 0, s.failAt(from, "a whole number")
	}
	s.i = i
	if neg {
		n = -n
	}
	return n, true
}

const hexDigits = "0123456789abcdef"

// appendString appends s as a JSON string. Bytes that are not UTF-8 become the replacement character.
func appendString(dst []byte, s string) []byte {
	dst = append(dst, '"')
	from := 0
	for i := 0; i < len(s); {
		c := s[i]
		if c >= ' ' && c < utf8.RuneSelf && c != '"' && c != '\\' {
			i++
			continue
		}
		if c >= utf8.RuneSelf {
			r, n := utf8.DecodeRuneInString(s[i:])
			if r != utf8.RuneError || n > 1 {
				i += n
				continue
			}
			dst = append(dst, s[from:i]...)
			dst = append(dst, "\ufffd"...)
		} else {
			dst = append(dst, s[from:i]...)
			switch c {
			case '"', '\\':
				dst = append(dst, '\\', c)
			case '\n':
				dst = append(dst, '\\', 'n')
			case '\r':
				dst = append(dst, '\\', 'r')
			case '\t':
				dst = append(dst, '\\', 't')
			default:
				dst = append(dst, '\\', 'u', '0', '0', hexDigits[c>>4], hexDigits[c&15])
			}
		}
		i++
		from = i
	}
	dst = append(dst, s[from:]...)
	return append(dst, '"')
}
