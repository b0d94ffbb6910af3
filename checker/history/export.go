package history

import (
	"bufio"
	"cmp"
	"io"
	"math"
	"slices"
	"strconv"
	"time"
)

// WriteJepsen writes operations as the events that Jepsen's tools read, in EDN or as JSON lines. say puts an operation
// in their words: its function, and the values of its invocation and of its completion; ok is false to leave it out.
// Each identity of a client is a process of its own, since a process whose operation is unknown (info) does nothing
// more. Of events at one instant invocations come first, so that their operations overlap, as they do here.
func WriteJepsen(w io.Writer, ops []Op, d Dialect, say func(op *Op) (f string, in, out Value, ok bool)) error {
	type event struct {
		at         time.Duration
		op         int
		completion bool
	}
	var events []event
	process := map[string]int{}
	for i := range ops {
		op := &ops[i]
		if _, _, _, ok := say(op); !ok {
			continue
		}
		if _, known := process[op.Client]; !known {
			process[op.Client] = len(process)
		}
		events = append(events, event{op.Call, i, false}, event{op.Return, i, true})
	}
	slices.SortStableFunc(events, func(a, b event) int {
		if c := cmp.Compare(a.at, b.at); c != 0 || a.completion == b.completion {
			return c
		}
		if a.completion {
			return 1
		}
		return -1
	})
	out := bufio.NewWriterSize(w, 1<<16)
	var line []byte
	for i, e := range events {
		op := &ops[e.op]
		f, value, answer, _ := say(op)
		kind := "invoke"
		if e.completion {
			kind = jepsenType(op.Outcome)
			if op.Outcome == OK {
				value = answer
			}
		}
		line = appendEvent(line[:0], d == EDN, kind, f, value, process[op.Client], int64(e.at), i)
		if _, err := out.Write(line); err != nil {
			return err
		}
	}
	return out.Flush()
}

func jepsenType(o Outcome) string {
	switch o {
	case OK:
		return "ok"
	case Failed:
		return "fail"
	}
	return "info"
}

func appendEvent(dst []byte, edn bool, kind, f string, value Value, process int, at int64, index int) []byte {
	member := func(name string) {
		switch {
		case edn && dst[len(dst)-1] != '{':
			dst = append(dst, ", :"...)
		case edn:
			dst = append(dst, ':')
		case dst[len(dst)-1] != '{':
			dst = append(dst, ',')
		}
		if edn {
			dst = append(append(dst, name...), ' ')
		} else {
			dst = append(appendString(dst, name), ':')
		}
	}
	dst = append(dst, '{')
	member("index")
	dst = strconv.AppendInt(dst, int64(index), 10)
	member("type")
	dst = Word(kind).append(dst, edn)
	member("f")
	dst = Word(f).append(dst, edn)
	member("value")
	dst = value.append(dst, edn)
	member("process")
	dst = strconv.AppendInt(dst, int64(process), 10)
	member("time")
	dst = strconv.AppendInt(dst, at, 10)
	return append(dst, '}', '\n')
}

// append appends v as JSON or as EDN, where a text that can be a keyword is one.
func (v Value) append(dst []byte, edn bool) []byte {
	switch v.Kind {
	case Nil:
		if edn {
			return append(dst, "nil"...)
		}
		return append(dst, "null"...)
	case Bool:
		return strconv.AppendBool(dst, v.n != 0)
	case Int:
		return strconv.AppendInt(dst, v.n, 10)
	case Float:
		f, _ := v.Float()
		if math.IsNaN(f) || math.IsInf(f, 0) {
			return Value{}.append(dst, edn) // JSON has no such thing
		}
		from := len(dst)
		dst = strconv.AppendFloat(dst, f, 'g', -1, 64)
		if !slices.ContainsFunc(dst[from:], func(c byte) bool { return c == '.' || c == 'e' }) {
			dst = append(dst, ".0"...)
		}
		return dst
	case Text:
		if edn && keyword(v.text) {
			return append(append(dst, ':'), v.text...)
		}
		return appendString(dst, v.text)
	}
	open, end := byte('['), byte(']')
	if v.Kind == Map {
		open, end = '{', '}'
	}
	dst = append(dst, open)
	for i, e := range v.list {
		switch {
		case i == 0:
		case v.Kind == Map && i%2 == 1 && !edn:
			dst = append(dst, ':')
		case edn:
			dst = append(dst, ' ')
		default:
			dst = append(dst, ',')
		}
		if v.Kind == Map && i%2 == 0 && !edn && e.Kind != Text {
			e = Word(e.String())
		}
		dst = e.append(dst, edn)
	}
	return append(dst, end)
}

func keyword(s string) bool {
	for i := range len(s) {
		c := s[i]
		letter := c|0x20 >= 'a' && c|0x20 <= 'z'
		if !letter && (i == 0 || c-'0' > 9 && c != '-' && c != '_') {
			return false
		}
	}
	return s != ""
}
