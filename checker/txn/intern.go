package txn

// versions finds the write that made a version, by key and value: an open-addressing table over parallel arrays.
// Values of one key that are near each other lie in one cache line.
type versions struct {
	slots []int32 // write + 1, or 0
	mask  uint64
	key   []int32
	value []int64
}

func newVersions(writes int) versions {
	size := 16
	for size < 2*writes {
		size *= 2
	}
	return versions{slots: make([]int32, size), mask: uint64(size - 1), key: make([]int32, 0, writes), value: make([]int64, 0, writes)}
}

func (v *versions) slot(key int32, value int64) uint64 {
	h := (uint64(uint32(key))+1)*0x9e3779b97f4a7c15 ^ uint64(value>>4)*0xbf58476d1ce4e5b9
	h ^= h >> 29
	h *= 0x94d049bb133111eb
	h ^= h >> 32
	return (h<<4 | uint64(value)&15) & v.mask
}

// add records the next write. If that version has a write already, it is returned and nothing is recorded for the
// new one but its place in the arrays.
func (v *versions) add(key int32, value int64) (earlier int32, ok bool) {
	w := int32(len(v.key))
	v.key = append(v.key, key)
	v.value = append(v.value, value)
	for s := v.slot(key, value); ; s = (s + 1) & v.mask {
		switch e := v.slots[s]; {
		case e == 0:
			v.slots[s] = w + 1
			return w, true
		case v.key[e-1] == key && v.value[e-1] == value:
			return e - 1, false
		}
	}
}

// replace makes write w the one that its version is found by.
func (v *versions) replace(w int32) {
	for s := v.slot(v.key[w], v.value[w]); ; s = (s + 1) & v.mask {
		if e := v.slots[s]; v.key[e-1] == v.key[w] && v.value[e-1] == v.value[w] {
			v.slots[s] = w + 1
			return
		}
	}
}

// find returns the write of a version, or -1.
func (v *versions) find(key int32, value int64) int32 {
	for s := v.slot(key, value); ; s = (s + 1) & v.mask {
		switch e := v.slots[s]; {
		case e == 0:
			return -1
		case v.key[e-1] == key && v.value[e-1] == value:
			return e - 1
		}
	}
}

// names gives strings small numbers, in the order in which they are first seen.
type names struct {
	number map[string]int32
	name   []string
}

func newNames() names { return names{number: map[string]int32{}} }

func (n *names) of(s string) int32 {
	if i, ok := n.number[s]; ok {
		return i
	}
	i := int32(len(n.name))
	n.number[s] = i
	n.name = append(n.name, s)
	return i
}
