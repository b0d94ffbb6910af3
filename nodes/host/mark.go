package host

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
)

// This file is the format of the file "synced": for each log, which generation of it completed fsyncs are known to
// cover, and how much of that. It is written after an fsync and not synced itself: after a crash it may say too little,
// never too much.
//
//	file = slot, slot at markSlot    slot = number uint64  length uint32  checksum uint32 of all else  content
//
// Whoever writes takes the slots in turn, so that one is always whole; the higher number counts.

const (
	markName = "synced"
	markSlot = 1 << 20
	markHead = 16
)

// A mark is what is known to be durable of one log.
type mark struct {
	gen  uint64 // which generation; they count from 1
	size int64  // so much of its file
	bad  int64  // where something that had been synced was found damaged; -1 if nothing was
}

type marks map[string]mark // by the stem of the log's files

func (m marks) encode(number uint64) []byte {
	b := make([]byte, markHead, 256)
	for _, stem := range slices.Sorted(maps.Keys(m)) {
		x := m[stem]
		b = binary.AppendUvarint(b, uint64(len(stem)))
		b = append(b, stem...)
		b = binary.AppendUvarint(b, x.gen)
		b = binary.AppendUvarint(b, uint64(x.size))
		b = binary.AppendUvarint(b, uint64(x.bad+1))
	}
	binary.LittleEndian.PutUint64(b, number)
	binary.LittleEndian.PutUint32(b[8:], uint32(len(b)-markHead))
	binary.LittleEndian.PutUint32(b[12:], markSum(b))
	return b
}

func markSum(slot []byte) uint32 {
	return crc32.Update(crc32.Checksum(slot[:12], castagnoli), castagnoli, slot[markHead:])
}

// decodeMarks reads a slot.
func decodeMarks(slot []byte) (m marks, number uint64, ok bool) {
	if len(slot) < markHead {
		return nil, 0, false
	}
	n := binary.LittleEndian.Uint32(slot[8:])
	if int64(n) > int64(len(slot)-markHead) {
		return nil, 0, false
	}
	slot = slot[:markHead+int(n)]
	if markSum(slot) != binary.LittleEndian.Uint32(slot[12:]) {
		return nil, 0, false
	}
	m = marks{}
	rest := slot[markHead:]
	next := func() uint64 {
		v, n := binary.Uvarint(rest)
		if n <= 0 {
			rest = nil
			return 0
		}
		rest = rest[n:]
		return v
	}
	for len(rest) > 0 {
		n := next()
		if n > uint64(len(rest)) {
			return nil, 0, false
		}
		stem := string(rest[:n])
		rest = rest[n:]
		gen, size, bad := next(), next(), next()
		m[stem] = mark{gen, int64(size), int64(bad) - 1}
	}
	return m, binary.LittleEndian.Uint64(slot), true
}

var errMarks = errors.New("no part of the file is whole")

// readMarks returns what the marks of a folder say, and the number they have. A folder without them has none; errMarks
// says that they are lost.
func readMarks(dir string) (m marks, number uint64, err error) {
	file, err := os.ReadFile(filepath.Join(dir, markName))
	if errors.Is(err, fs.ErrNotExist) {
		return marks{}, 0, nil
	}
	if err != nil {
		return nil, 0, err
	}
	found := false
	for at := 0; at < min(len(file), 2*markSlot); at += markSlot {
		x, n, ok := decodeMarks(file[at:min(at+markSlot, len(file))])
		if ok && (!found || n > number) {
			m, number, found = x, n, true
		}
	}
	if !found {
		return nil, 0, errMarks
	}
	return m, number, nil
}

// A marker writes marks.
type marker struct {
	file   *os.File
	number uint64
}

// openMarker begins to write after the marks of that number. A new file comes into being whole.
func openMarker(dir string, m marks, number uint64) (*marker, error) {
	number += number % 2 // a new file has the first slot alone, which the next write is to leave as it is
	name := filepath.Join(dir, markName)
	if err := writeWhole(name, m.encode(number)); err != nil {
		return nil, err
	}
	file, err := os.OpenFile(name, os.O_RDWR, 0)
	if err != nil {
		return nil, err
	}
	return &marker{file, number}, nil
}

func (w *marker) write(m marks) error {
	w.number++
	slot := m.encode(w.number)
	if len(slot) > markSlot {
		return fmt.Errorf("the names of %d logs do not fit into %s", len(m), markName)
	}
	_, err := w.file.WriteAt(slot, int64(w.number%2)*markSlot)
	return err
}

// writeWhole makes a file of that content, or none: it is written under another name, synced and renamed.
func writeWhole(name string, content []byte) error {
	file, err := os.Create(name + tmpSuffix)
	if err != nil {
		return err
	}
	_, err = file.Write(content)
	if err == nil {
		err = file.Sync()
	}
	if e := file.Close(); err == nil {
		err = e
	}
	if err == nil {
		err = os.Rename(name+tmpSuffix, name)
	}
	return err
}
