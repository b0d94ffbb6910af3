// Package pack writes values as bytes and reads them back, for the logs and snapshots of systems. A value says what it is
// made of once, field by field, and that serves both ways: numbers are varints, a string or a list is its length and
// what it holds. It is written by hand, without reflection, because every replica reads every entry of its log: a general
// decoder made that an eighth of a whole run.
//
// It keeps no versions and checks nothing: who reads must know what was written, and that it is whole.
package pack

import "encoding/binary"

// A Pack is bytes being written, or being read. Its methods take a pointer to a field, which they write or fill.
type Pack struct {
	data    []byte // written so far, or still to be read
	text    string // all that is read; strings are parts of it
	reading bool
}

// Write returns what fill says of a value, as bytes. They are about size many.
func Write(size int, fill func(*Pack)) []byte {
	p := Pack{data: make([]byte, 0, size)}
	fill(&p)
	return p.data
}

// Read has fill take a value off the bytes that Write made. It panics if they are others: what is read lies on disks that
// check what they return, so only our own mistake can make it wrong.
func Read(data []byte, fill func(*Pack)) {
	p := Pack{data: data, text: string(data), reading: true}
	fill(&p)
	if len(p.data) > 0 {
		panic("pack: bytes are left over")
	}
}

// Reading says that fields are being filled.
func (p *Pack) Reading() bool { return p.reading }

// Octet is one byte.
func (p *Pack) Octet(v *byte) {
	if p.reading {
		*v = p.data[0]
		p.data = p.data[1:]
		return
	}
	p.data = append(p.data, *v)
}

// Flag is a truth value.
func (p *Pack) Flag(v *bool) {
	var b byte
	if *v {
		b = 1
	}
	p.Octet(&b)
	*v = b == 1
}

// Number is small more often than large.
func (p *Pack) Number(v *uint64) {
	if p.reading {
		n := 0
		*v, n = binary.Uvarint(p.data)
		p.data = p.data[n:]
		return
	}
	p.data = binary.AppendUvarint(p.data, *v)
}

// Signed is near zero more often than far.
func (p *Pack) Signed(v *int64) {
	if p.reading {
		n := 0
		*v, n = binary.Varint(p.data)
		p.data = p.data[n:]
		return
	}
	p.data = binary.AppendVarint(p.data, *v)
}

// Sum is a number of which every value is as likely.
func (p *Pack) Sum(v *uint64) {
	if p.reading {
		*v = binary.BigEndian.Uint64(p.data)
		p.data = p.data[8:]
		return
	}
	p.data = binary.BigEndian.AppendUint64(p.data, *v)
}

// Text is a string. What is read shares its memory with all that was read together with it.
func (p *Pack) Text(v *string) {
	n := uint64(len(*v))
	p.Number(&n)
	if p.reading {
		at := len(p.text) - len(p.data)
		p.data = p.data[n:]
		*v = p.text[at : at+int(n)]
		return
	}
	p.data = append(p.data, *v...)
}

// Count is the length of a list; of an empty one nothing is kept but that.
func Count[T any](p *Pack, list *[]T) {
	n := uint64(len(*list))
	p.Number(&n)
	if p.reading {
		*list = nil
		if n > 0 {
			*list = make([]T, n)
		}
	}
}

// List is a list, each of whose items is what each says.
func List[T any](p *Pack, list *[]T, each func(*T, *Pack)) {
	Count(p, list)
	for i := range *list {
		each(&(*list)[i], p)
	}
}

// New is what a list holds by pointer.
func New[T any](each func(*T, *Pack)) func(**T, *Pack) {
	return func(v **T, p *Pack) {
		if p.reading {
			*v = new(T)
		}
		each(*v, p)
	}
}

// Optional is a value that may be nil.
func Optional[T any](p *Pack, v **T, each func(*T, *Pack)) {
	there := *v != nil
	p.Flag(&there)
	if there {
		New(each)(v, p)
	} else {
		*v = nil
	}
}

// Name is a string of a type of its own.
func Name[S ~string](p *Pack, v *S) {
	s := string(*v)
	p.Text(&s)
	*v = S(s)
}

// Mix is the finalizer of SplitMix64 (Steele, Lea, Flood 2014): near numbers become far ones.
func Mix(x uint64) uint64 {
	x += 0x9e3779b97f4a7c15
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}

// Hash is FNV-1a.
func Hash(s string) uint64 {
	h := uint64(14695981039346656037)
	for i := range len(s) {
		h = (h ^ uint64(s[i])) * 1099511628211
	}
	return h
}
