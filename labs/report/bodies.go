package report

import (
	"bytes"
	"encoding/json"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"unicode"
)

// This file says requests and replies in words. It knows them by their JSON alone.

// words says a body in few words: its type, then its fields. A field that holds a word is the word alone, since the
// word mostly says what it is; one that holds a number keeps its name:
//
//	Txn{Number: 7, Steps: []Step{{Do: "append", Key: "k7", Value: 5}}}  is  txn number=7 [append k7 value=5]
//
// Of a long list it leaves out what is neither at its ends nor near a telling word. It is for reading, and two different
// bodies may read alike: full gives the whole.
func words(body any, tell telling) string {
	if body == nil {
		return ""
	}
	said := parse(full(body)).words(true, tell)
	if name := typeName(body); name != "" && said != name && !strings.HasPrefix(said, name+" ") {
		said = strings.TrimSpace(name + " " + said)
	}
	return said
}

// gist is words, for where there is room for a few letters only. Where a body has parts they are the gist of it, without
// the names of their fields: append k7 5. The client is not said again.
func gist(body any, client string, tell telling) string {
	if body == nil {
		return ""
	}
	v := parse(full(body))
	if slices.ContainsFunc(v.parts, func(p value) bool { return p.open != 0 && len(p.parts) > 0 }) {
		v.parts = slices.DeleteFunc(v.parts, func(p value) bool { return p.open == 0 && !p.word })
	}
	name, _, _ := strings.Cut(client, ".")
	v.parts = slices.DeleteFunc(v.parts, func(p value) bool { return p.word && (p.text == client || p.text == name) })
	if said := v.gist(tell); said != "" {
		return said
	}
	return typeName(body)
}

// full is a body as JSON, or "" if there is none.
func full(body any) string {
	if body == nil {
		return ""
	}
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(body); err != nil {
		return strconv.Quote(typeName(body)) // not to be shown, and that is no reason to show nothing at all
	}
	return strings.TrimSpace(b.String())
}

// typeName is the name of a body's own type, in lower case: "txn"; "" for one that has none.
func typeName(body any) string {
	t := reflect.TypeOf(body)
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	if t.PkgPath() == "" || t.PkgPath() == "encoding/json" {
		return ""
	}
	return strings.ToLower(t.Name())
}

// A value is one value of JSON, with its fields in the order in which they stand.
type value struct {
	field string
	text  string // of one without parts
	word  bool   // it was a string
	open  json.Delim
	parts []value
}

func parse(text string) value {
	dec := json.NewDecoder(strings.NewReader(text))
	dec.UseNumber()
	return next(dec, "")
}

func next(dec *json.Decoder, field string) value {
	v := value{field: field}
	token, err := dec.Token()
	if err != nil {
		return v
	}
	switch t := token.(type) {
	case string:
		v.text, v.word = t, true
		if t == "" {
			v.text = `""`
		}
	case json.Number:
		v.text = t.String()
	case bool:
		v.text = strconv.FormatBool(t)
	case nil:
		v.text = "nil"
	case json.Delim:
		v.open = t
		for dec.More() {
			name := ""
			if t == '{' {
				key, _ := dec.Token()
				name, _ = key.(string)
			}
			v.parts = append(v.parts, next(dec, name))
		}
		dec.Token()
	}
	return v
}

// words writes a value; top is true for one that needs no brackets.
func (v value) words(top bool, tell telling) string {
	if v.open == 0 || len(v.parts) == 0 {
		text := v.text
		switch {
		case v.open != 0:
			text = "[]"
		case v.word || v.field == "":
			return text
		case text == "true":
			return v.field
		case text == "false" || text == "nil":
			return ""
		}
		if v.field != "" {
			text = v.field + "=" + text
		}
		return text
	}
	by := " "
	if v.open == '[' {
		by = ", "
	}
	var said []string
	for _, p := range v.shortened(3, 1, tell) {
		if w := p.words(v.open == '[', tell); w != "" {
			said = append(said, w)
		}
	}
	if top {
		return strings.Join(said, by)
	}
	return "[" + strings.Join(said, by) + "]"
}

// gist writes a value without names and brackets.
func (v value) gist(tell telling) string {
	if v.open == 0 {
		if v.text == "true" {
			return v.field
		}
		if v.text == "false" || v.text == "nil" {
			return ""
		}
		return v.text
	}
	var said []string
	for _, p := range v.shortened(1, 0, tell) {
		if w := p.gist(tell); w != "" {
			said = append(said, w)
		}
	}
	switch {
	case v.open == '{':
		return strings.Join(said, " ")
	case v.plain():
		return "[" + strings.Join(said, " ") + "]"
	}
	return strings.Join(said, ", ")
}

// plain says of a list that nothing in it has parts.
func (v value) plain() bool {
	return v.open == '[' && !slices.ContainsFunc(v.parts, func(p value) bool { return p.open != 0 })
}

// shortened returns the parts of v, or of a long plain list only so many at its ends and next to each telling one.
func (v value) shortened(ends, near int, tell telling) []value {
	n := len(v.parts)
	if !v.plain() || n <= 2*ends+4 {
		return v.parts
	}
	var out []value
	for i, p := range v.parts {
		keep := i < ends || i >= n-ends
		for j := max(0, i-near); j <= min(n-1, i+near) && !keep; j++ {
			keep = tell[v.parts[j].text]
		}
		if keep {
			out = append(out, p)
		} else if len(out) > 0 && out[len(out)-1].text != "…" {
			out = append(out, value{text: "…", word: true})
		}
	}
	return out
}

// Telling words are those with a figure in them that the reason of a failure names: keys and values, it is to be hoped.
type telling map[string]bool

func newTelling(reason string) telling {
	tell := telling{}
	before := ""
	for _, w := range pieces(reason) {
		if isWord(w) {
			operation := strings.HasSuffix(before, "#") || strings.HasPrefix(strings.TrimSpace(before), "operation")
			if strings.ContainsAny(w, "0123456789") && !operation {
				tell[strings.TrimRight(w, ".")] = true
			}
		}
		if strings.TrimSpace(w) != "" {
			before = w
		}
	}
	return tell
}

// A piece is a bit of text; Tell says that it is a telling word.
type piece struct {
	Text string
	Tell bool
}

// mark cuts text into pieces, so that telling words can be shown as such.
func (tell telling) mark(text string) []piece {
	var out []piece
	for _, w := range pieces(text) {
		told := tell[w]
		if n := len(out); n > 0 && !told && !out[n-1].Tell {
			out[n-1].Text += w
		} else {
			out = append(out, piece{w, told})
		}
	}
	return out
}

// pieces cuts text into words and what stands between them.
func pieces(text string) []string {
	var out []string
	start, word := 0, false
	for i, r := range text {
		if in := inWord(r); i > 0 && in != word {
			out = append(out, text[start:i])
			start, word = i, in
		} else if i == 0 {
			word = in
		}
	}
	if start < len(text) {
		out = append(out, text[start:])
	}
	return out
}

func inWord(r rune) bool {
	return r == '.' || r == '/' || r == '_' || r == '-' || unicode.IsLetter(r) || unicode.IsDigit(r)
}

func isWord(piece string) bool {
	for _, r := range piece {
		return inWord(r)
	}
	return false
}

// tokens are the different words in a body: its values, not the names of its fields.
func tokens(body any) []string {
	if body == nil {
		return nil
	}
	var ws []string
	var walk func(value)
	walk = func(v value) {
		if v.word {
			ws = append(ws, v.text)
		}
		for _, p := range v.parts {
			walk(p)
		}
	}
	walk(parse(full(body)))
	slices.Sort(ws)
	return slices.Compact(ws)
}
