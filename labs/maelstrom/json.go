package maelstrom

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"strconv"
	"strings"
)

// A JSON is any value, as the one text that all ways of writing it have in common: no spaces, the members of objects
// sorted, 3.0 as 3. So two are the same value if they are the same string. The empty one is a value that is not there.
type JSON string

// null is the value that is there and says nothing.
const null JSON = "null"

// number is the JSON of a whole number.
func number(n int64) JSON { return JSON(strconv.FormatInt(n, 10)) }

// MarshalJSON writes the value, null if it is not there.
func (v JSON) MarshalJSON() ([]byte, error) {
	if v == "" {
		return []byte(null), nil
	}
	return []byte(v), nil
}

// UnmarshalJSON takes any value.
func (v *JSON) UnmarshalJSON(text []byte) error {
	if plain(text) {
		*v = JSON(text)
		return nil
	}
	dec := json.NewDecoder(bytes.NewReader(text))
	dec.UseNumber()
	var any any
	if err := dec.Decode(&any); err != nil {
		return err
	}
	var b strings.Builder
	if err := write(&b, any); err != nil {
		return err
	}
	*v = JSON(b.String())
	return nil
}

// plain says that a text is the one already: whole numbers and lists of them without spaces, as most of what is read is.
func plain(text []byte) bool {
	for i, c := range text {
		switch {
		case c >= '1' && c <= '9' || c == '[' || c == ']' || c == ',':
		case c == '0' && i+1 < len(text) && text[i+1] >= '0' && text[i+1] <= '9' && (i == 0 || text[i-1] < '0' || text[i-1] > '9'):
			return false
		case c == '0':
		default:
			return false
		}
	}
	return true
}

// write writes what a decoder that uses json.Number made. Maps come out sorted by themselves.
func write(b *strings.Builder, v any) error {
	switch v := v.(type) {
	case json.Number:
		if f, err := v.Float64(); err == nil && f == math.Trunc(f) && math.Abs(f) < 1<<53 {
			b.WriteString(strconv.FormatInt(int64(f), 10))
			return nil
		}
		b.WriteString(v.String())
		return nil
	case []any:
		b.WriteByte('[')
		for i, e := range v {
			if i > 0 {
				b.WriteByte(',')
			}
			if err := write(b, e); err != nil {
				return err
			}
		}
		b.WriteByte(']')
		return nil
	case map[string]any:
		members := map[string]JSON{}
		for name, e := range v {
			var one strings.Builder
			if err := write(&one, e); err != nil {
				return err
			}
			members[name] = JSON(one.String())
		}
		return encode(b, members)
	}
	return encode(b, v)
}

func encode(b *strings.Builder, v any) error {
	var text bytes.Buffer
	enc := json.NewEncoder(&text)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return err
	}
	b.Write(bytes.TrimSuffix(text.Bytes(), []byte("\n")))
	return nil
}

// whole is the value as a whole number; ok is false if it is none.
func (v JSON) whole() (n int64, ok bool) {
	n, err := strconv.ParseInt(string(v), 10, 64)
	return n, err == nil
}

// list is the elements of a list; null and a value that is not there have none. ok is false if it is no list.
func (v JSON) list() (elements []JSON, ok bool) {
	if v == "" || v == null {
		return nil, true
	}
	if len(v) < 2 || v[0] != '[' {
		return nil, false
	}
	if v == "[]" {
		return nil, true
	}
	depth, text, start := 0, false, 1
	for i := 1; i < len(v)-1; i++ {
		switch c := v[i]; {
		case text && c == '\\':
			i++
		case c == '"':
			text = !text
		case text:
		case c == '[' || c == '{':
			depth++
		case c == ']' || c == '}':
			depth--
		case c == ',' && depth == 0:
			elements = append(elements, v[start:i])
			start = i + 1
		}
	}
	return append(elements, v[start:len(v)-1]), true
}

// short is the value as a sentence has room for it.
func (v JSON) short() string {
	const most = 60
	switch {
	case v == "":
		return "nothing"
	case len(v) > most:
		return fmt.Sprintf("%s... (%d bytes)", v[:most], len(v))
	}
	return string(v)
}
