// Package wire turns a closed set of Go structs into tagged JSON objects and back. The tag is the first member,
// "type", and is made from the name of the Go type:
//
//	type TxnOK struct { Reads []int64 `json:"reads"` }    {"type":"txn_ok","reads":[1,2]}
//
// The object is the body of the message protocol, which adds members of its own ("msg_id", "in_reply_to"); names it
// uses are refused as fields, and members that a type does not have are ignored. The package knows nothing of
// envelopes, of who sends, or of what a body means.
package wire

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"sync"
	"unicode"
)

var (
	// ErrUnknown is the cause of an error about a type that is not in the set.
	ErrUnknown = errors.New("unknown type")
	// ErrNotObject is the cause of an error about a body whose JSON is not an object, or has no "type".
	ErrNotObject = errors.New("not an object with a type")
)

// reserved are the members that the message protocol puts in a body.
var reserved = []string{"type", "msg_id", "in_reply_to"}

// A Codec knows one closed set of types. It may be used from several goroutines.
type Codec struct {
	byName map[string]reflect.Type
	byType map[reflect.Type]tag
	names  []string
	spare  sync.Pool // of *encoder
}

// A tag is the name of a type and how an object of it begins.
type tag struct{ name, open string }

type encoder struct {
	buf  bytes.Buffer
	json *json.Encoder
}

// New returns a codec for the types of these values, which must be structs (not pointers). Naming a type twice is
// harmless; two types of one name are an error, as is a field whose name the message protocol needs.
func New(bodies ...any) (*Codec, error) {
	c := &Codec{byName: map[string]reflect.Type{}, byType: map[reflect.Type]tag{}}
	for _, body := range bodies {
		t := reflect.TypeOf(body)
		if t == nil || t.Kind() != reflect.Struct || t.Name() == "" {
			return nil, fmt.Errorf("wire: %T: a body must be a named struct, not a pointer to one", body)
		}
		if _, known := c.byType[t]; known {
			continue
		}
		name := snake(t.Name())
		if other, taken := c.byName[name]; taken {
			return nil, fmt.Errorf("wire: %s: both %s and %s have this name", name, other, t)
		}
		if field := taken(t); field != "" {
			return nil, fmt.Errorf("wire: %s: field %q belongs to the message protocol", name, field)
		}
		c.byName[name] = t
		c.byType[t] = tag{name, `{"type":"` + name + `"`}
		c.names = append(c.names, name)
	}
	slices.Sort(c.names)
	c.spare.New = func() any {
		e := &encoder{}
		e.json = json.NewEncoder(&e.buf)
		e.json.SetEscapeHTML(false)
		return e
	}
	return c, nil
}

// Must is New for sets written in the source, where an error is a mistake in the program.
func Must(bodies ...any) *Codec {
	c, err := New(bodies...)
	if err != nil {
		panic(err)
	}
	return c
}

// Names returns the names of all types, sorted.
func (c *Codec) Names() []string { return slices.Clone(c.names) }

// Name returns the name of the body's type; ok is false if it is not in the set.
func (c *Codec) Name(body any) (name string, ok bool) {
	t, ok := c.byType[reflect.TypeOf(body)]
	return t.name, ok
}

// Zero returns the zero value of the type of that name; ok is false if there is none.
func (c *Codec) Zero(name string) (body any, ok bool) {
	t, ok := c.byName[name]
	if !ok {
		return nil, false
	}
	return reflect.Zero(t).Interface(), true
}

// Encode returns the body as one JSON object on one line. Equal bodies give equal bytes.
func (c *Codec) Encode(body any) ([]byte, error) { return c.Append(nil, body) }

// Append is Encode at the end of dst. On an error dst comes back as it was.
func (c *Codec) Append(dst []byte, body any) ([]byte, error) {
	tag, ok := c.byType[reflect.TypeOf(body)]
	if !ok {
		return dst, fmt.Errorf("wire: %T: %w", body, ErrUnknown)
	}
	e := c.spare.Get().(*encoder)
	defer c.spare.Put(e)
	e.buf.Reset()
	if err := e.json.Encode(body); err != nil {
		return dst, fmt.Errorf("wire: %s: %w", tag.name, err)
	}
	text := e.buf.Bytes()
	text = text[:len(text)-1] // the newline that an encoder ends with
	if text[0] != '{' {
		return dst, fmt.Errorf("wire: %s: %w", tag.name, ErrNotObject)
	}
	dst = append(dst, tag.open...)
	if text[1] != '}' {
		dst = append(dst, ',')
	}
	return append(dst, text[1:]...), nil
}

// Decode returns the value (a struct, not a pointer) that one JSON object stands for.
func (c *Codec) Decode(data []byte) (any, error) {
	name, err := typeOf(data)
	if err != nil {
		return nil, err
	}
	t, ok := c.byName[name]
	if !ok {
		return nil, fmt.Errorf("wire: %s: %w", quote(name), ErrUnknown)
	}
	v := reflect.New(t)
	if err := json.Unmarshal(data, v.Interface()); err != nil {
		return nil, fmt.Errorf("wire: %s: %w", name, err)
	}
	return v.Elem().Interface(), nil
}

// typeOf reads the tag without parsing the rest where it comes first, as Encode puts it.
func typeOf(data []byte) (string, error) {
	if rest, ok := bytes.CutPrefix(data, []byte(`{"type":"`)); ok {
		if end := bytes.IndexAny(rest, `"\`); end >= 0 && rest[end] == '"' {
			return string(rest[:end]), nil
		}
	}
	var head struct {
		Type *string `json:"type"`
	}
	if err := json.Unmarshal(data, &head); err != nil {
		return "", fmt.Errorf("wire: body: %w", err)
	}
	if head.Type == nil {
		return "", fmt.Errorf("wire: body: %w", ErrNotObject)
	}
	return *head.Type, nil
}

// quote shortens a name from outside, which may be anything, for an error.
func quote(name string) string {
	if len(name) > 40 {
		name = name[:40] + "..."
	}
	return fmt.Sprintf("%q", name)
}

// taken returns the first field of a struct, embedded ones included, whose JSON name is reserved. JSON matches names
// without regard to case, so a field Type is taken too.
func taken(t reflect.Type) string {
	for _, f := range reflect.VisibleFields(t) {
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		if name == "-" || !f.IsExported() || f.Anonymous && name == "" {
			continue
		}
		if name == "" {
			name = f.Name
		}
		if slices.ContainsFunc(reserved, func(r string) bool { return strings.EqualFold(r, name) }) {
			return name
		}
	}
	return ""
}

// snake turns TxnOK into txn_ok and HTTPReply into http_reply.
func snake(name string) string {
	var b strings.Builder
	letters := []rune(name)
	for i, r := range letters {
		if i > 0 && unicode.IsUpper(r) && (!unicode.IsUpper(letters[i-1]) || i+1 < len(letters) && unicode.IsLower(letters[i+1])) {
			b.WriteByte('_')
		}
		b.WriteRune(unicode.ToLower(r))
	}
	return b.String()
}
