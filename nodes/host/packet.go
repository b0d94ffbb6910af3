package host

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"io"

	"faultlab/nodes"
)

// This file is the format of what nodes say to each other.
//
//	stream = greeting, a packet with a hello, packets with bodies
//	packet = length uint32 of data  checksum uint32 of the length  checksum uint32 of data  data
//
// The length has a checksum of its own: a packet whose data is damaged can be dropped, and the next one found; when a
// length is damaged nothing can be found any more, and the stream ends.

const (
	greeting   = "labpeer1"
	packetHead = 12
	packetMax  = 64 << 20
)

// A hello says who calls whom.
type hello struct {
	Src    nodes.ID `json:"src"`
	Dest   nodes.ID `json:"dest"`
	System string   `json:"system"`
}

func (h hello) append(dst []byte) []byte {
	text, err := json.Marshal(h)
	if err != nil {
		panic(err)
	}
	return appendPacket(append(dst, greeting...), text)
}

func appendPacket(dst, data []byte) []byte {
	dst = binary.LittleEndian.AppendUint32(dst, uint32(len(data)))
	dst = binary.LittleEndian.AppendUint32(dst, crc32.Checksum(dst[len(dst)-4:], castagnoli))
	dst = binary.LittleEndian.AppendUint32(dst, crc32.Checksum(data, castagnoli))
	return append(dst, data...)
}

// errCorrupt says that a packet was damaged, and that the next one can be read.
var errCorrupt = errors.New("a corrupt packet")

func readPacket(r io.Reader) ([]byte, error) {
	var head [packetHead]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return nil, err
	}
	n := binary.LittleEndian.Uint32(head[:])
	if crc32.Checksum(head[:4], castagnoli) != binary.LittleEndian.Uint32(head[4:]) || n > packetMax {
		return nil, fmt.Errorf("host: a corrupt length: the stream cannot be read on")
	}
	data := make([]byte, n)
	if _, err := io.ReadFull(r, data); err != nil {
		return nil, err
	}
	if crc32.Checksum(data, castagnoli) != binary.LittleEndian.Uint32(head[8:]) {
		return nil, errCorrupt
	}
	return data, nil
}
