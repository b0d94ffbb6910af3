package ledger

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io/fs"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// This file reads the logs on a node's disk, as the two hosts of nodes leave them; all numbers are little-endian, all
// checksums CRC-32C:
//
//	frame = length uint32 of data  checksum uint32  kind byte ('s' or 'r')  number uint64  data
//
// a process keeps NAME.GENERATION.log, frames alone, whose checksums begin with the name; the simulator keeps NAME, which
// begins with "lablog1\n", how much was synced as a uint64, and a checksum of those 16 bytes. A snapshot comes first, if
// there is one, and names the last record that it replaces; records follow without a gap.

const (
	magic  = "lablog1\n"
	header = 20
	framed = 17 // bytes of a frame before its data
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// A file is one log of one node.
type file struct {
	node, path string
	log        string // "EU1.3"
	snapshot   []byte
	records    [][]byte
	err        error // what is wrong with it
}

// readDisk reads all logs on a node's disk, in the order of their names. Of several generations of a log the last counts.
func readDisk(disks fs.FS, node, dir string) ([]*file, error) {
	entries, err := fs.ReadDir(disks, dir)
	if err != nil {
		return nil, err
	}
	newest := map[string]uint64{}
	found := map[string]*file{}
	for _, e := range entries {
		if e.IsDir() {
			continue
		}
		f := &file{node: node, path: dir + "/" + e.Name()}
		stem, process := strings.CutSuffix(e.Name(), ".log")
		gen := uint64(0)
		if process {
			at := strings.LastIndexByte(stem, '.')
			if at < 0 {
				continue
			}
			if gen, err = strconv.ParseUint(stem[at+1:], 10, 64); err != nil {
				continue
			}
			stem = stem[:at]
		}
		if f.log, err = url.PathUnescape(stem); err != nil {
			continue
		}
		data, err := fs.ReadFile(disks, f.path)
		if err != nil {
			return nil, err
		}
		switch {
		case process:
			f.scan(data, crc32.Checksum([]byte(stem), castagnoli))
		case e.Name() == "member" || e.Name() == "lock" || e.Name() == "synced":
			continue // what a process keeps beside its logs
		case len(data) < header || string(data[:8]) != magic || crc32.Checksum(data[:16], castagnoli) != binary.LittleEndian.Uint32(data[16:]):
			f.err = errors.New("its header is damaged")
		default:
			if f.scan(data[header:], 0); f.err == nil && binary.LittleEndian.Uint64(data[8:]) > uint64(len(data)) {
				f.err = errors.New("it is shorter than what was synced")
			}
		}
		if before, known := newest[f.log]; !known || gen >= before {
			newest[f.log], found[f.log] = gen, f
		}
	}
	var all []*file
	for _, f := range found {
		all = append(all, f)
	}
	slices.SortFunc(all, func(a, b *file) int { return strings.Compare(a.log, b.log) })
	return all, nil
}

// scan reads frames.
func (f *file) scan(data []byte, salt uint32) {
	next := uint64(1)
	for at := 0; at < len(data); {
		rest := data[at:]
		n := uint64(0)
		if len(rest) >= framed {
			n = uint64(binary.LittleEndian.Uint32(rest))
		}
		if len(rest) < framed || n > uint64(len(rest)-framed) || crc32.Update(salt, castagnoli, rest[8:framed+n]) != binary.LittleEndian.Uint32(rest[4:]) {
			f.err = fmt.Errorf("record %d, at byte %d, is damaged", next, at)
			return
		}
		kind, number := rest[8], binary.LittleEndian.Uint64(rest[9:])
		switch {
		case kind == 's' && at == 0:
			f.snapshot, next = rest[framed:framed+n], number+1
		case kind == 'r' && number == next:
			f.records = append(f.records, rest[framed:framed+n])
			next++
		default:
			f.err = fmt.Errorf("at byte %d stands record %d where %d belongs", at, number, next)
			return
		}
		at += framed + int(n)
	}
}
