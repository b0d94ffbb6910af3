package history

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
)

// A Kind is what a Value is.
type Kind uint8

const (
	Nil Kind = iota
	Bool
	Int
	Float
	Text // a string; in EDN also a keyword or a symbol, without the colon
	List // an array; in EDN a list, a vector or a set
	Map
)

// A Value is a piece of data in a file of somebody else's: JSON or EDN, whose keywords and strings, and lists, vectors
// and sets, are alike. A tag in front of a value (#inst, #jepsen.independent/tuple) is dropped.
type Value struct {
	Kind Kind
	n    int64
	text string
	list []Value
}

// Int returns a whole number; ok is false for anything else.
func (v Value) Int() (n int64, ok bool) { return v.n, v.Kind == Int }

// Bool returns a truth value; ok is false for anything else.
func (v Value) Bool() (b, ok bool) { return v.n != 0, v.Kind == Bool }

// Float returns a number, whole or not; ok is false for anything else.
func (v Value) Float() (f float64, ok bool) {
	if v.Kind == Int {
		return float64(v.n), true
	}
	return math.Float64frombits(uint64(v.n)), v.Kind == Float
}

// Text returns a string, keyword or symbol, and "" for anything else.
func (v Value) Text() string { return v.text }

// List returns the elements of a list, and those of a map as key, value, key, value. Nobody may change it.
func (v Value) List() []Value { return v.list }

// Get returns the value at a key of a map, and Nil if there is none. Keys that are numbers are written as such.
func (v Value) Get(key string) Value {
	at, _ := v.lookup(key)
	return at
}

// lookup is Get; there says that the key stands in the map, which Nil may be the value of.
func (v Value) lookup(key string) (at Value, there bool) {
	if v.Kind == Map {
		for i := 0; i+1 < len(v.list); i += 2 {
			if k := v.list[i]; k.text == key && k.Kind == Text || k.Kind == Int && strconv.FormatInt(k.n, 10) == key {
				return v.list[i+1], true
			}
		}
	}
	return Value{}, false
}

// String prints the value as EDN, with text as keywords are written but for the colon, or in quotes where it would look
// like something else: "nil", "1", "a b". Equal values print alike, and others do not.
func (v Value) String() string {
	switch v.Kind {
	case Nil:
		return "nil"
	case Bool:
		return strconv.FormatBool(v.n != 0)
	case Int:
		return strconv.FormatInt(v.n, 10)
	case Float:
		f, _ := v.Float()
		return fmt.Sprint(f)
	case Text:
		if !plainText(v.text) {
			return strconv.Quote(v.text)
		}
		return v.text
	}
	parts := make([]string, len(v.list))
	for i, e := range v.list {
		parts[i] = e.String()
	}
	if v.Kind == Map {
		return "{" + strings.Join(parts, " ") + "}"
	}
	return "[" + strings.Join(parts, " ") + "]"
}

// plainText says that a text without quotes looks like no other value, nor like several.
func plainText(s string) bool {
	for i := range len(s) {
		switch c := s[i]; {
		case c <= ' ', c == '"', c == '[', c == ']', c == '{', c == '}':
			return false
		}
	}
	switch s {
	case "", "nil", "true", "false", "NaN", "+Inf", "-Inf":
		return false
	}
	if c := s[0]; c-'0' > 9 && c != '-' && c != '+' && c != '.' {
		return true
	}
	_, err := strconv.ParseFloat(s, 64)
	return err != nil && !errors.Is(err, strconv.ErrRange)
}

// Integer is the Value of a whole number.
func Integer(n int64) Value { return Value{Kind: Int, n: n} }

// Word is the Value of a text.
func Word(s string) Value { return Value{Kind: Text, text: s} }

// Vector is the Value of a list.
func Vector(list ...Value) Value { return Value{Kind: List, list: list} }

// values builds Values: lists are cut from slabs, since a history has millions of short ones, and texts kept once.
type values struct {
	stack []Value
	slab  []Value
	texts map[string]string
}

// take makes a list of all that was pushed since the stack was that high.
func (v *values) take(from int) []Value {
	n := len(v.stack) - from
	if n == 0 {
		return nil
	}
	if n > cap(v.slab)-len(v.slab) {
		v.slab = make([]Value, 0, max(n, 512))
	}
	at := len(v.slab)
	v.slab = append(v.slab, v.stack[from:]...)
	v.stack = v.stack[:from]
	return v.slab[at:len(v.slab):len(v.slab)]
}

func (v *values) text(b []byte) string {
	const many = 1 << 16 // texts that all differ are not worth keeping
	s, known := v.texts[string(b)]
	if !known {
		s = string(b)
		if v.texts == nil {
			v.texts = map[string]string{}
		}
		if len(v.texts) < many {
			v.texts[s] = s
		}
	}
	return s
}

// json consumes one JSON value.
func (v *values) json(s *scanner, depth int) (Value, bool) {
	if depth == 0 {
		return Value{}, s.fail("a value that is nested less deeply")
	}
	switch c := s.peek(); {
	case c == '[':
		from := len(v.stack)
		ok := s.array(func(int) bool {
			e, ok := v.json(s, depth-1)
			v.stack = append(v.stack, e)
			return ok
		})
		return Value{Kind: List, list: v.take(from)}, ok
	case c == '{':
		from := len(v.stack)
		ok := s.object(func(name []byte) bool {
			v.stack = append(v.stack, v.key(name))
			e, ok := v.json(s, depth-1)
			v.stack = append(v.stack, e)
			return ok
		})
		return Value{Kind: Map, list: v.take(from)}, ok
	case c == '"':
		b, ok := s.text()
		if !ok {
			return Value{}, false
		}
		return Value{Kind: Text, text: v.text(b)}, true
	case c == '-' || c-'0' <= 9:
		return s.numeral()
	case c == 't':
		return Value{Kind: Bool, n: 1}, s.word("true")
	case c == 'f':
		return Value{Kind: Bool}, s.word("false")
	case c == 'n':
		return Value{}, s.word("null")
	}
	return Value{}, s.fail("a value")
}

// key is the name of a member. JSON has no other keys than strings, so one that is a number is taken for a number.
func (v *values) key(name []byte) Value {
	if n, err := strconv.ParseInt(string(name), 10, 64); err == nil && strconv.FormatInt(n, 10) == string(name) {
		return Value{Kind: Int, n: n}
	}
	if bytes.IndexByte(name, '\\') >= 0 {
		name = unquote([]byte(`"` + string(name) + `"`))
	}
	return Value{Kind: Text, text: v.text(name)}
}

// numeral consumes a JSON number.
func (s *scanner) numeral() (Value, bool) {
	from := s.i
	if !s.number() {
		return Value{}, false
	}
	text := s.b[from:s.i]
	for _, c := range text {
		if c == '.' || c == 'e' || c == 'E' {
			f, err := strconv.ParseFloat(string(text), 64)
			return Value{Kind: Float, n: int64(math.Float64bits(f))}, err == nil || s.failAt(from, "a number below 1.8e308")
		}
	}
	s.i = from
	n, ok := s.integer()
	return Value{Kind: Int, n: n}, ok
}

// Parse reads one value, written as JSON or as EDN.
func Parse(text string) (Value, error) {
	var v values
	s := scanner{b: []byte(text), line: 1}
	if value, ok := v.json(&s, depthMax); ok && s.end() {
		return value, nil
	}
	d := newEDN(strings.NewReader(text))
	value, err := d.form(depthMax)
	if err != nil {
		return Value{}, err
	}
	if _, more, err := d.skip(depthMax); more || err != nil {
		return Value{}, d.fail(d.place(), "nothing after the value")
	}
	return value, nil
}
