package host

import (
	"encoding/binary"
	"hash/crc32"
)

// This file is the format of a log on disk. All numbers are little-endian, all checksums CRC-32C.
//
//	file  = at most one snapshot, records
//	frame = length uint32 of data  checksum uint32 of the log's name and all that follows  kind byte ('s' or 'r')
//	        number uint64  data
//
// A snapshot's number is that of the last record it replaces; records follow without a gap, from 1 where there is no
// snapshot. So a frame of another log, or of this one in the wrong place, is none.

const (
	frameSize   = 17 // without data
	dataSizeMax = 1 << 30
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// salt is where the checksums of a log begin.
func salt(stem string) uint32 { return crc32.Checksum([]byte(stem), castagnoli) }

func appendFrame(dst []byte, salt uint32, kind byte, number uint64, data []byte) []byte {
	dst = binary.LittleEndian.AppendUint32(dst, uint32(len(data)))
	sum := len(dst)
	dst = append(dst, 0, 0, 0, 0, kind)
	dst = binary.LittleEndian.AppendUint64(dst, number)
	dst = append(dst, data...)
	binary.LittleEndian.PutUint32(dst[sum:], crc32.Update(salt, castagnoli, dst[sum+4:]))
	return dst
}

func readFrame(b []byte, salt uint32) (kind byte, number uint64, data []byte, ok bool) {
	if len(b) < frameSize {
		return 0, 0, nil, false
	}
	n := binary.LittleEndian.Uint32(b)
	if n > dataSizeMax || len(b)-frameSize < int(n) {
		return 0, 0, nil, false
	}
	b = b[: frameSize+int(n) : frameSize+int(n)]
	if crc32.Update(salt, castagnoli, b[8:]) != binary.LittleEndian.Uint32(b[4:]) {
		return 0, 0, nil, false
	}
	return b[8], binary.LittleEndian.Uint64(b[9:]), b[frameSize:], true
}

// contents are the whole frames at the beginning of a file. They share its bytes.
type contents struct {
	snapshot []byte // nil if there is none
	first    uint64 // number of the first record
	records  [][]byte
	frames   []int64 // where the frame of each record begins
	end      int64   // of the last whole frame
}

func scan(file []byte, salt uint32) contents {
	c := contents{first: 1}
	for c.end < int64(len(file)) {
		kind, number, data, ok := readFrame(file[c.end:], salt)
		switch {
		case ok && kind == 's' && c.end == 0:
			c.snapshot, c.first = data, number+1
		case ok && kind == 'r' && number == c.first+uint64(len(c.records)):
			c.records = append(c.records, data)
			c.frames = append(c.frames, c.end)
		default:
			return c
		}
		c.end += int64(frameSize + len(data))
	}
	return c
}
