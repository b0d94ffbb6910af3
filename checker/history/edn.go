package history

import (
	"bytes"
	"errors"
	"io"
	"math"
	"strconv"
	"unicode/utf8"
)

// An ednReader reads EDN (https://github.com/edn-format/edn) form by form, from a window on the file.
type ednReader struct {
	r      io.Reader
	buf    []byte
	i, n   int // the window's unread part is buf[i:n]
	base   int // offset of buf[0] in the file
	line   int
	start  int // offset of the line's first byte
	err    error
	values values
	token  []byte
	inside byte // the bracket that closes the list that holds all events, 0 if there is none
	begun  bool
	member string // of an event, whose value is being read; "" if there is none
}

func newEDN(r io.Reader) *ednReader { return &ednReader{r: r, buf: make([]byte, 1<<16), line: 1} }

// peek returns the next byte; ok is false at the end of the file or after an error of reading it.
func (d *ednReader) peek() (c byte, ok bool) {
	if d.i < d.n {
		return d.buf[d.i], true
	}
	return d.fill()
}

func (d *ednReader) fill() (byte, bool) {
	for d.err == nil {
		d.base += d.n
		d.i, d.n = 0, 0
		d.n, d.err = d.r.Read(d.buf)
		if d.n > 0 {
			return d.buf[0], true
		}
	}
	return 0, false
}

// take consumes the byte that peek returned.
func (d *ednReader) take() {
	if d.buf[d.i] == '\n' {
		d.line++
		d.start = d.base + d.i + 1
	}
	d.i++
}

// place is where the next byte stands.
func (d *ednReader) place() SyntaxError {
	return SyntaxError{Line: d.line, Column: d.base + d.i - d.start + 1}
}

func (d *ednReader) fail(at SyntaxError, want string) error {
	if d.err != nil && d.err != io.EOF {
		return d.err
	}
	at.Want = want
	return &at
}

func ednSpace(c byte) bool {
	return c == ' ' || c == ',' || c == '\n' || c == '\t' || c == '\r' || c == '\f'
}

// skip passes over white space, comments and discarded forms, and returns the first byte after them.
func (d *ednReader) skip(depth int) (byte, bool, error) {
	for {
		c, ok := d.peek()
		switch {
		case !ok:
			return 0, false, nil
		case ednSpace(c):
			d.take()
		case c == ';':
			for ok && c != '\n' {
				d.take()
				c, ok = d.peek()
			}
		case c == '#':
			d.take()
			if c, ok = d.peek(); !ok || c != '_' {
				return '#', true, nil
			}
			d.take()
			if _, err := d.form(depth); err != nil {
				return 0, false, err
			}
		default:
			return c, true, nil
		}
	}
}

const ednWant = "a value"

// form reads one value.
func (d *ednReader) form(depth int) (Value, error) {
	if depth == 0 {
		return Value{}, d.fail(d.place(), "a value that is nested less deeply")
	}
	c, ok, err := d.skip(depth - 1)
	if err != nil {
		return Value{}, err
	}
	at := d.place()
	if !ok {
		return Value{}, d.fail(at, ednWant)
	}
	switch c {
	case '(', '[', '{':
		d.take()
		return d.sequence(closing(c), c == '{', depth)
	case '#': // skip consumed it
		return d.dispatch(at, depth)
	case '"':
		d.take()
		return d.quoted(at)
	case '\\':
		return d.character(at)
	case ')', ']', '}':
		return Value{}, d.fail(at, ednWant)
	case '^': // metadata, and then what it is about
		d.take()
		if _, err := d.form(depth - 1); err != nil {
			return Value{}, err
		}
		return d.form(depth - 1)
	}
	return d.atom(at)
}

func closing(open byte) byte {
	switch open {
	case '(':
		return ')'
	case '[':
		return ']'
	}
	return '}'
}

func (d *ednReader) sequence(end byte, isMap bool, depth int) (Value, error) {
	from := len(d.values.stack)
	open := d.place()
	for {
		c, ok, err := d.skip(depth - 1)
		if err != nil {
			return Value{}, err
		}
		if ok && c == end {
			d.take()
			break
		}
		if !ok || c == ')' || c == ']' || c == '}' {
			return Value{}, d.fail(d.place(), string(end)+" for what was opened in line "+strconv.Itoa(open.Line))
		}
		var v Value
		if c == '#' {
			v, err = d.dispatch(d.place(), depth-1)
		} else {
			v, err = d.form(depth - 1)
		}
		if err != nil {
			return Value{}, err
		}
		d.values.stack = append(d.values.stack, v)
	}
	if isMap {
		if (len(d.values.stack)-from)%2 != 0 {
			return Value{}, d.fail(d.place(), "a value for every key")
		}
		return Value{Kind: Map, list: d.values.take(from)}, nil
	}
	return Value{Kind: List, list: d.values.take(from)}, nil
}

// dispatch reads what follows a #: a set, a symbolic number or a tag with its value.
func (d *ednReader) dispatch(at SyntaxError, depth int) (Value, error) {
	if depth <= 0 {
		return Value{}, d.fail(at, "a value that is nested less deeply")
	}
	c, ok := d.peek()
	switch {
	case ok && c == '{':
		d.take()
		return d.sequence('}', false, depth)
	case ok && c == '#':
		d.take()
		v, err := d.form(depth - 1)
		if err != nil {
			return v, err
		}
		f := map[string]float64{"NaN": math.NaN(), "Inf": math.Inf(1), "-Inf": math.Inf(-1)}
		x, known := f[v.text]
		if !known {
			return v, d.fail(at, "NaN, Inf or -Inf")
		}
		return Value{Kind: Float, n: int64(math.Float64bits(x))}, nil
	case !ok || ednSpace(c) || ednEnds(c):
		return Value{}, d.fail(d.place(), "a set or a tag after #")
	}
	d.symbol()
	return d.form(depth - 1)
}

// ednEnds says that c cannot be part of a symbol or a number.
func ednEnds(c byte) bool {
	switch c {
	case '(', ')', '[', ']', '{', '}', '"', ';', '\\':
		return true
	}
	return ednSpace(c)
}

// symbol consumes all bytes up to the next that cannot belong to one.
func (d *ednReader) symbol() []byte {
	d.token = d.token[:0]
	for {
		if d.i >= d.n {
			if _, ok := d.fill(); !ok {
				return d.token
			}
		}
		from := d.i
		for d.i < d.n && !ednEnds(d.buf[d.i]) {
			d.i++
		}
		d.token = append(d.token, d.buf[from:d.i]...)
		if d.i < d.n {
			return d.token
		}
	}
}

// atom reads nil, a truth value, a number, a keyword or a symbol.
func (d *ednReader) atom(at SyntaxError) (Value, error) {
	t := d.symbol()
	switch string(t) {
	case "nil":
		return Value{}, nil
	case "true":
		return Value{Kind: Bool, n: 1}, nil
	case "false":
		return Value{Kind: Bool}, nil
	}
	if t[0] == ':' {
		if len(t) == 1 {
			return Value{}, d.fail(at, "the name of a keyword")
		}
		return Value{Kind: Text, text: d.values.text(t[1:])}, nil
	}
	if t[0]-'0' <= 9 || len(t) > 1 && (t[0] == '-' || t[0] == '+') && t[1]-'0' <= 9 {
		return d.number(at, t)
	}
	return Value{Kind: Text, text: d.values.text(t)}, nil
}

func (d *ednReader) number(at SyntaxError, t []byte) (Value, error) {
	if t[0]-'1' <= 8 && len(t) <= 18 { // as nearly all are
		n, i := int64(0), 0
		for ; i < len(t) && t[i]-'0' <= 9; i++ {
			n = n*10 + int64(t[i]-'0')
		}
		if i == len(t) {
			return Value{Kind: Int, n: n}, nil
		}
	}
	v, want := ednNumber(t)
	if want != "" && wanted(d.member) {
		return Value{}, d.fail(at, want)
	}
	return v, nil
}

// ednNumber reads a number as Clojure does: also in hexadecimal, octal and any radix, and as a ratio. want says what was
// expected if it is none.
func ednNumber(t []byte) (v Value, want string) {
	i, neg := 0, t[0] == '-'
	if neg || t[0] == '+' {
		i++
	}
	var n int64
	for ; i < len(t) && t[i]-'0' <= 9; i++ {
		c := int64(t[i] - '0')
		if n > (math.MaxInt64-c)/10 {
			return Value{}, "a number below 2^63"
		}
		n = n*10 + c
	}
	if neg {
		n = -n
	}
	whole := i == len(t) || i == len(t)-1 && t[i] == 'N'
	switch digits := bytes.TrimLeft(t[:i], "+-"); {
	case whole && (len(digits) == 1 || digits[0] != '0'):
		return Value{Kind: Int, n: n}, ""
	case whole:
		return ednInteger(neg, digits[1:], 8)
	case string(digits) == "0" && t[i]|0x20 == 'x':
		return ednInteger(neg, bytes.TrimSuffix(t[i+1:], []byte("N")), 16)
	case t[i]|0x20 == 'r' && len(digits) <= 2:
		return ednInteger(neg, t[i+1:], int(max(n, -n)))
	case t[i] == '/':
		return ednRatio(n, t[i+1:])
	}
	if last := len(t) - 1; t[last] == 'M' {
		t = t[:last]
	}
	f, err := strconv.ParseFloat(string(t), 64)
	if err != nil {
		return Value{}, "a number"
	}
	return Value{Kind: Float, n: int64(math.Float64bits(f))}, ""
}

func ednInteger(neg bool, digits []byte, radix int) (v Value, want string) {
	n, err := strconv.ParseUint(string(digits), max(radix, 1), 64) // no number is of radix 0 or 1
	switch {
	case errors.Is(err, strconv.ErrRange) || err == nil && n > math.MaxInt64:
		return Value{}, "a number below 2^63"
	case err != nil:
		return Value{}, "a number"
	case neg:
		return Value{Kind: Int, n: -int64(n)}, ""
	}
	return Value{Kind: Int, n: int64(n)}, ""
}

func ednRatio(n int64, digits []byte) (v Value, want string) {
	by, err := strconv.ParseUint(string(digits), 10, 63)
	switch {
	case err != nil || by == 0:
		return Value{}, "a number"
	case n%int64(by) == 0:
		return Value{Kind: Int, n: n / int64(by)}, ""
	}
	return Value{Kind: Float, n: int64(math.Float64bits(float64(n) / float64(by)))}, ""
}

func (d *ednReader) quoted(at SyntaxError) (Value, error) {
	d.token = d.token[:0]
	for {
		c, ok := d.peek()
		if !ok {
			return Value{}, d.fail(d.place(), "the end of the string that began in line "+strconv.Itoa(at.Line))
		}
		d.take()
		switch c {
		case '"':
			return Value{Kind: Text, text: d.values.text(d.token)}, nil
		case '\\':
			where := d.place()
			e, _ := d.peek()
			if e == 0 {
				return Value{}, d.fail(where, "an escape")
			}
			d.take()
			switch e {
			case 't':
				e = '\t'
			case 'r':
				e = '\r'
			case 'n':
				e = '\n'
			case 'b':
				e = '\b'
			case 'f':
				e = '\f'
			case '"', '\\':
			case 'u':
				r, err := d.unicode(where)
				if err != nil {
					return Value{}, err
				}
				d.token = utf8.AppendRune(d.token, r)
				continue
			default:
				return Value{}, d.fail(where, "an escape")
			}
			d.token = append(d.token, e)
		default:
			d.token = append(d.token, c)
		}
	}
}

func (d *ednReader) unicode(at SyntaxError) (rune, error) {
	var r rune
	for range 4 {
		c, ok := d.peek()
		if !ok || !hex(c) {
			return 0, d.fail(at, "four hexadecimal digits")
		}
		d.take()
		if c > '9' {
			c = c | 0x20 - 'a' + '9' + 1
		}
		r = r<<4 | rune(c-'0')
	}
	return r, nil
}

// character reads \a, \newline and the like.
func (d *ednReader) character(at SyntaxError) (Value, error) {
	d.take()
	c, ok := d.peek()
	if !ok {
		return Value{}, d.fail(at, "a character")
	}
	d.take()
	name := append([]byte{c}, d.symbol()...)
	switch string(name) {
	case "newline":
		name = []byte{'\n'}
	case "return":
		name = []byte{'\r'}
	case "space":
		name = []byte{' '}
	case "tab":
		name = []byte{'\t'}
	}
	return Value{Kind: Text, text: d.values.text(name)}, nil
}

// event reads the next event; io.EOF after the last.
func (d *ednReader) event() (e jepsenEvent, err error) {
	for {
		c, ok, err := d.skip(depthMax)
		at := d.place()
		switch {
		case err != nil:
			return e, err
		case !ok && d.err != io.EOF:
			return e, d.err
		case !ok && d.inside != 0:
			return e, d.fail(at, string(d.inside)+" after the last event")
		case !ok:
			return e, io.EOF
		case c == '#': // #jepsen.history.Op{...}
			d.symbol()
			continue
		case c == '{':
			d.begun = true
			d.take()
			e, err := d.members(at)
			e.at = at
			return e, err
		case !d.begun && (c == '(' || c == '['):
			d.begun, d.inside = true, closing(c)
			d.take()
			continue
		case d.inside != 0 && c == d.inside:
			d.inside = 0
			d.take()
			continue
		}
		return e, d.fail(at, "an event, which is a map")
	}
}

// wanted says that what is read is of use: it is in no member, or in one that is read. Elsewhere a number that is none is
// no error.
func wanted(member string) bool {
	switch member {
	case "", "type", "f", "value", "process", "time", "index", "rebalance-log", "seek-to-beginning?":
		return true
	}
	return false
}

// members reads the members of an event, up to its end.
func (d *ednReader) members(at SyntaxError) (e jepsenEvent, err error) {
	for {
		c, ok, err := d.skip(depthMax)
		switch {
		case err != nil:
			return e, err
		case !ok || c == ')' || c == ']':
			return e, d.fail(d.place(), "} for what was opened in line "+strconv.Itoa(at.Line))
		case c == '}':
			d.take()
			if !jepsenKind(e.kind) {
				return e, d.fail(at, "an event with "+wantKind)
			}
			return e, nil
		case c != ':':
			return e, d.fail(d.place(), "a keyword, the name of a member")
		}
		name, err := d.form(depthMax)
		if err != nil {
			return e, err
		}
		d.member = name.text
		m, err := d.form(depthMax)
		d.member = ""
		if err != nil {
			return e, err
		}
		switch name.text {
		case "type":
			e.kind = m.text
		case "f":
			e.f = m.text
		case "value":
			e.value = m
		case "process":
			e.process = m
		case "time":
			if e.time, e.timed = m.Int(); !e.timed {
				e.happened(m)
			}
		case "index":
			e.index, e.indexed = m.Int()
		case "rebalance-log", "seek-to-beginning?":
			e.keep(name.text, m)
		}
	}
}
