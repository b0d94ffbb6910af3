package linear

import "math/bits"

// A seenSet remembers search states whole. Each is stored as width words: stage and object state, then the lanes.
type seenSet struct {
	width int
	n     int
	data  []uint64 // n records of width words
	slots []int32  // open addressing: the number of a record plus one; a power of two, at most two thirds full
}

// add says whether the state is new, and remembers it.
func (s *seenSet) add(stage int, state int32, done []uint64) bool {
	if 3*(s.n+1) > 2*len(s.slots) {
		s.grow()
	}
	head := uint64(stage)<<32 | uint64(uint32(state))
	mask := uint64(len(s.slots) - 1)
	at := hash(head, done) & mask
next:
	for ; s.slots[at] != 0; at = (at + 1) & mask {
		record := s.data[int(s.slots[at]-1)*s.width:][:s.width]
		if record[0] != head {
			continue
		}
		for i, w := range done {
			if record[i+1] != w {
				continue next
			}
		}
		return false
	}
	s.data = append(append(s.data, head), done...)
	s.n++
	s.slots[at] = int32(s.n)
	return true
}

func (s *seenSet) grow() {
	s.slots = make([]int32, max(64, 2*len(s.slots)))
	mask := uint64(len(s.slots) - 1)
	for i := range s.n {
		record := s.data[i*s.width:][:s.width]
		at := hash(record[0], record[1:]) & mask
		for s.slots[at] != 0 {
			at = (at + 1) & mask
		}
		s.slots[at] = int32(i + 1)
	}
}

func hash(head uint64, words []uint64) uint64 {
	h := mix(head, 0x9e3779b97f4a7c15)
	for _, w := range words {
		h = mix(h^w, 0xd6e8feb86659fd93)
	}
	return h
}

func mix(a, b uint64) uint64 {
	hi, lo := bits.Mul64(a^0xa0761d6478bd642f, b)
	return hi ^ lo
}
