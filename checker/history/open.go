package history

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"io"
)

// A Dialect is a way to write a history down.
type Dialect string

const (
	Lines      Dialect = "jsonl"        // operations, as WriteOps writes them
	JepsenLine Dialect = "jepsen-jsonl" // events, as JepsenJSON reads them
	EDN        Dialect = "edn"          // events, as JepsenEDN reads them
	Empty      Dialect = "empty"        // nothing but white space and comments
)

// Open looks at how a file begins and tells which dialect it is in, and returns a reader of its text: unpacked, if it
// is a gzip file.
func Open(r io.Reader) (Dialect, io.Reader, error) {
	b := bufio.NewReaderSize(r, 1<<16)
	if magic, _ := b.Peek(2); bytes.Equal(magic, []byte{0x1f, 0x8b}) {
		z, err := gzip.NewReader(b)
		if err != nil {
			return "", nil, err
		}
		b = bufio.NewReaderSize(z, 1<<16)
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
	inner, isMap := bytes.CutPrefix(rest, []byte("{"))
	inner = bytes.TrimLeft(inner, " \t")
	if !isMap || !bytes.HasPrefix(inner, []byte(`"`)) && !bytes.HasPrefix(inner, []byte("}")) {
		return EDN
	}
	line, _, _ := bytes.Cut(inner, []byte("\n"))
	s := scanner{b: append([]byte("{"), line...)}
	found := Lines
	s.object(func(name []byte) bool {
		if string(name) == "type" {
			found = JepsenLine
		}
		_, ok := s.value()
		return ok
	})
	return found
}
