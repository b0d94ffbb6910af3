package history

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"io"
	"iter"
)

// A Dialect is a way to write a history down.
type Dialect string

const (
	Lines      Dialect = "jsonl"        // operations, as WriteOps writes them
	JepsenLine Dialect = "jepsen-jsonl" // events, as JepsenJSON reads them
	JepsenList Dialect = "jepsen-json"  // events, as JepsenArray reads them
	EDN        Dialect = "edn"          // events, as JepsenEDN reads them
	Empty      Dialect = "empty"        // nothing but white space and comments
)

// Open looks at how a file begins and tells which dialect it is in, and returns a reader of its text: unpacked, if it
// is a gzip file, and without a byte order mark.
func Open(r io.Reader) (Dialect, io.Reader, error) {
	b := bufio.NewReaderSize(r, 1<<16)
	if magic, _ := b.Peek(2); bytes.Equal(magic, []byte{0x1f, 0x8b}) {
		z, err := gzip.NewReader(b)
		if err != nil {
			return "", nil, err
		}
		b = bufio.NewReaderSize(z, 1<<16)
	}
	if mark, _ := b.Peek(3); bytes.Equal(mark, []byte("\ufeff")) {
		b.Discard(3)
	}
	head, err := b.Peek(1 << 14)
	if err != nil && err != io.EOF {
		return "", nil, err
	}
	return dialect(head), b, nil
}

func dialect(head []byte) Dialect {
	rest := bytes.TrimLeft(head, " \t\r\n,")
	for bytes.HasPrefix(rest, []byte(";")) {
		_, rest, _ = bytes.Cut(rest, []byte("\n"))
		rest = bytes.TrimLeft(rest, " \t\r\n,")
	}
	if len(rest) == 0 {
		return Empty
	}
	if inner, isList := bytes.CutPrefix(rest, []byte("[")); isList {
		inner = bytes.TrimLeft(inner, " \t\r\n")
		if inner, isMap := bytes.CutPrefix(inner, []byte("{")); isMap && bytes.HasPrefix(bytes.TrimLeft(inner, " \t\r\n"), []byte(`"`)) {
			return JepsenList
		}
	}
	inner, isMap := bytes.CutPrefix(rest, []byte("{"))
	inner = bytes.TrimLeft(inner, " \t")
	if !isMap || !bytes.HasPrefix(inner, []byte(`"`)) && !bytes.HasPrefix(inner, []byte("}")) {
		return EDN
	}
	line, _, _ := bytes.Cut(inner, []byte("\n"))
	s := scanner{b: append([]byte("{"), line...)}
	found := Lines
	whole := s.object(func(name []byte) bool {
		if string(name) == "type" {
			found = JepsenLine
		}
		_, ok := s.value()
		return ok
	})
	if !whole && bytes.Contains(line, []byte(`"type"`)) && !bytes.Contains(line, []byte(`"client"`)) {
		return JepsenLine // with a mistake in its first line
	}
	return found
}

// ReadAny reads a file in any dialect as operations in Jepsen's words; ours are put in them by InJepsen. It is a stream
// but for those. It ends after an error, which is a *SyntaxError if the text is wrong.
func ReadAny(r io.Reader) iter.Seq2[Op, error] {
	return func(yield func(Op, error) bool) {
		d, text, err := Open(r)
		if err != nil {
			yield(Op{}, err)
			return
		}
		switch d {
		case JepsenLine:
			JepsenJSON(text)(yield)
		case JepsenList:
			JepsenArray(text)(yield)
		case EDN:
			JepsenEDN(text)(yield)
		case Lines:
			p := &parser{lines: newLines(text), codec: &Plain{}, names: map[string]string{}}
			var ops []Op
			var at []int
			for op, err := range p.ops() {
				if err != nil {
					yield(Op{}, err)
					return
				}
				ops, at = append(ops, op), append(at, p.lines.n)
			}
			for _, op := range inJepsen(ops, at) {
				if !yield(op, nil) {
					return
				}
			}
		}
	}
}
