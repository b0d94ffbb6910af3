package queue

import (
	"fmt"
	"testing"

	"faultlab/nodes/pack"
)

func TestANameTakesEffectOnce(t *testing.T) {
	s := newSink()
	if n := s.deliver([]string{"b", "a", "b"}, ""); n != 2 {
		t.Errorf("%d of two names were new", n)
	}
	if n := s.deliver([]string{"a", "c"}, ""); n != 1 {
		t.Errorf("%d of one name were new", n)
	}
	saved := pack.Write(64, s.pack)
	s = &sink{}
	pack.Read(saved, s.pack)
	var pages []string
	for after, more := "", true; more; {
		e := s.effects(after, 2)
		pages = append(pages, fmt.Sprint(e.Names, e.Counts))
		after, more = e.Names[len(e.Names)-1], e.More
	}
	if got := fmt.Sprint(pages); got != "[[a b] [1 1] [c] [1]]" {
		t.Errorf("the effects are %s", got)
	}
}

func TestSinksThatMeetHaveOneRowOfEachName(t *testing.T) {
	a, b := newSink(), newSink()
	a.deliver([]string{"x", "y"}, "")
	b.deliver([]string{"y", "z"}, "")
	b.merge("A", 0, a.names)
	b.merge("A", 0, a.names)       // once more, late
	b.merge("A", 3, []string{"w"}) // beyond a hole
	a.merge("B", 0, b.names)
	for _, s := range []*sink{a, b} {
		if e := s.effects("", 10); fmt.Sprint(e.Names, e.Counts) != "[x y z] [1 1 1]" {
			t.Errorf("the rows are %v", e)
		}
	}
	if b.read["A"] != 2 || a.read["B"] != 3 {
		t.Errorf("they have read %v and %v", a.read, b.read)
	}
}

func TestASinkThatCountsDeliveriesIsWrong(t *testing.T) {
	s := newSink()
	s.deliver([]string{"a"}, sinkNotIdempotent)
	s.deliver([]string{"a"}, sinkNotIdempotent)
	if e := s.effects("", 1); e.Counts[0] != 2 {
		t.Errorf("a name that was delivered twice took effect %d times", e.Counts[0])
	}
}
