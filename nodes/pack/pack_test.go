package pack

import (
	"reflect"
	"testing"
)

type thing struct {
	Octet  byte
	Yes    bool
	Count  uint64
	Signed int64
	Sum    uint64
	Text   string
	List   []string
	Empty  []string
}

func (t *thing) pack(p *Pack) {
	p.Octet(&t.Octet)
	p.Flag(&t.Yes)
	p.Number(&t.Count)
	p.Signed(&t.Signed)
	p.Sum(&t.Sum)
	p.Text(&t.Text)
	List(p, &t.List, func(s *string, p *Pack) { p.Text(s) })
	List(p, &t.Empty, func(s *string, p *Pack) { Name(p, s) })
}

func TestWhatIsReadIsWhatWasWritten(t *testing.T) {
	in := thing{7, true, 1 << 40, -3, ^uint64(0), "ä", []string{"", "b"}, nil}
	out := thing{Empty: []string{"left from before"}}
	Read(Write(0, in.pack), out.pack)
	if !reflect.DeepEqual(in, out) {
		t.Errorf("wrote %+v, read %+v", in, out)
	}
}

func TestBytesLeftOverAreOurMistake(t *testing.T) {
	defer func() {
		if recover() == nil {
			t.Error("nobody noticed")
		}
	}()
	var v thing
	Read(append(Write(0, v.pack), 0), v.pack)
}
