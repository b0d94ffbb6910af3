package sim

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
)

// This file is the format of a log on a real disk. All numbers are little-endian, all checksums CRC-32C.
//
//	file   = header, at most one snapshot, records
//	header = "lablog1\n"  synced uint64  checksum uint32 of the 16 bytes before it
//	frame  = length uint32 of data  checksum uint32 of all that follows  kind byte ('s' or 'r')  number uint64  data
//
// A snapshot's number is that of the last record it replaces; records follow without a gap, from 1 where there is no
// snapshot. synced is the length of the file that a completed fsync is known to cover. A frame that is damaged or cut
// short before that mark was promised, and is damage; after it, it is a torn tail, and whoever reads the log cuts it.
//
// A writer appends frames, calls fsync, and then writes the header again in place: the mark may be too low after a
// crash, never too high. A snapshot is a new file, written beside the old one and renamed over it at the next fsync.

const (
	logMagic    = "lablog1\n"
	headerSize  = 20
	frameSize   = 17 // without data
	dataSizeMax = 1 << 30
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// ErrDamaged is the cause of an error about a log of which something that had been synced cannot be read.
var ErrDamaged = errors.New("damaged where it had been synced")

// A LogFile is what a file holds of a log.
type LogFile struct {
	Snapshot []byte // nil if there is none
	First    uint64 // number of the first record after the snapshot
	Records  [][]byte
	Synced   int   // so many of the records are known to be durable
	Torn     int64 // bytes after the last whole frame, which are to be cut
	Damaged  bool  // to be written: more had been synced, and is gone
}

// WriteLog writes a log in the format of this file. A log of which not even the snapshot is durable has a Synced below 0.
func WriteLog(w io.Writer, l LogFile) error {
	body, synced := []byte(nil), uint64(headerSize)
	if l.Snapshot != nil || l.First > 1 {
		body = appendFrame(body, 's', l.First-1, l.Snapshot)
	}
	for i, r := range l.Records {
		if i == l.Synced {
			synced += uint64(len(body))
		}
		body = appendFrame(body, 'r', l.First+uint64(i), r)
	}
	if l.Synced >= len(l.Records) {
		synced += uint64(len(body))
	}
	if l.Damaged {
		synced++
	}
	head := binary.LittleEndian.AppendUint64([]byte(logMagic), synced)
	head = binary.LittleEndian.AppendUint32(head, crc32.Checksum(head, castagnoli))
	if _, err := w.Write(append(head, body...)); err != nil {
		return fmt.Errorf("log file: write: %w", err)
	}
	return nil
}

func appendFrame(dst []byte, kind byte, number uint64, data []byte) []byte {
	dst = binary.LittleEndian.AppendUint32(dst, uint32(len(data)))
	sum := len(dst)
	dst = append(dst, 0, 0, 0, 0, kind)
	dst = binary.LittleEndian.AppendUint64(dst, number)
	dst = append(dst, data...)
	binary.LittleEndian.PutUint32(dst[sum:], crc32.Checksum(dst[sum+4:], castagnoli))
	return dst
}

// ReadLog reads the bytes of a file, which the result shares. An empty file is an empty log. If something before the
// mark is damaged it returns what lies before the damage, and an error whose cause is ErrDamaged.
func ReadLog(file []byte) (LogFile, error) {
	l := LogFile{First: 1}
	if len(file) == 0 {
		return l, nil
	}
	if len(file) < headerSize || string(file[:8]) != logMagic ||
		crc32.Checksum(file[:16], castagnoli) != binary.LittleEndian.Uint32(file[16:]) {
		return l, fmt.Errorf("log file: header: %w", ErrDamaged)
	}
	mark := binary.LittleEndian.Uint64(file[8:])
	at := headerSize
	for at < len(file) {
		kind, number, data, ok := readFrame(file[at:])
		switch {
		case ok && kind == 's' && at == headerSize:
			l.Snapshot, l.First = data, number+1
		case ok && kind == 'r' && number == l.First+uint64(len(l.Records)):
			l.Records = append(l.Records, data)
		default:
			ok = false
		}
		if !ok {
			break
		}
		at += frameSize + len(data)
		if kind == 'r' && uint64(at) <= mark {
			l.Synced = len(l.Records)
		}
	}
	l.Torn = int64(len(file) - at)
	if uint64(at) < mark {
		return l, fmt.Errorf("log file: at byte %d of %d synced: %w", at, mark, ErrDamaged)
	}
	return l, nil
}

func readFrame(b []byte) (kind byte, number uint64, data []byte, ok bool) {
	if len(b) < frameSize {
		return 0, 0, nil, false
	}
	n := binary.LittleEndian.Uint32(b)
	if n > dataSizeMax || len(b)-frameSize < int(n) {
		return 0, 0, nil, false
	}
	b = b[: frameSize+int(n) : frameSize+int(n)]
	if crc32.Checksum(b[8:], castagnoli) != binary.LittleEndian.Uint32(b[4:]) {
		return 0, 0, nil, false
	}
	return b[8], binary.LittleEndian.Uint64(b[9:]), b[frameSize:], true
}
