package linear

// names numbers strings from 0 in the order in which they are first put in. Short ones, as most values are, are keys in
// themselves, which spares a look at the string.
type names struct {
	slots []slot // open addressing: a power of two, at most half full
	long  map[string]int32
	n     int32
}

type slot struct {
	key    uint64 // 0 is a free slot
	number int32
}

// newNames has room for n names.
func newNames(n int) *names {
	size := 16
	for size < 2*n {
		size *= 2
	}
	return &names{slots: make([]slot, size), long: map[string]int32{}}
}

// pack is a string of up to seven bytes as a number that no other such string has, and not 0.
func pack(s string) (key uint64, ok bool) {
	if len(s) > 7 {
		return 0, false
	}
	for i := range len(s) {
		key = key<<8 | uint64(s[i])
	}
	return key<<8 | uint64(len(s)+1), true
}

func (t *names) find(key uint64) *slot {
	mask := uint64(len(t.slots) - 1)
	for at := mix(key, 0x9e3779b97f4a7c15) & mask; ; at = (at + 1) & mask {
		if s := &t.slots[at]; s.key == key || s.key == 0 {
			return s
		}
	}
}

// put is the number of a name, and whether it is new. No more may be new than there is room for.
func (t *names) put(name string) (number int32, fresh bool) {
	if key, ok := pack(name); ok {
		s := t.find(key)
		if s.key == key {
			return s.number, false
		}
		*s = slot{key, t.n}
	} else if old, ok := t.long[name]; ok {
		return old, false
	} else {
		t.long[name] = t.n
	}
	t.n++
	return t.n - 1, true
}

// get is the number of a name that was put in.
func (t *names) get(name string) (int32, bool) {
	if key, ok := pack(name); ok {
		s := t.find(key)
		return s.number, s.key != 0
	}
	number, ok := t.long[name]
	return number, ok
}
