package queue

import (
	"fmt"
	"testing"

	"faultlab/nodes"
)

// groupOf returns the machine of group A1 of a topology with one region.
func groupOf() *machine {
	l := NewLayout(nodes.Topology{Members: []nodes.Member{{ID: "a1", Region: "A"}, {ID: "a2", Region: "A"}, {ID: "a3", Region: "A"}}})
	return newMachine("", l, l.Group("A1"))
}

func TestAProducerIsForgottenWhenItHasBeenSilentForTheWindow(t *testing.T) {
	m := groupOf()
	s := m.list[0]
	for i := range 1000 {
		s.remember(fmt.Sprint("p", i), run{1, 1, s.Shard, uint64(i + 1)}, m.clock)
	}
	(&age{Ms: rememberedMs}).apply(nil, m)
	s.remember("p7", run{2, 1, s.Shard, 1001}, m.clock)
	if how, _ := s.standing("p8", 1, 1); how != taken {
		t.Errorf("within the window a name that was taken is %v", how)
	}
	(&age{Ms: 1}).apply(nil, m)
	if len(s.producers) != 1 {
		t.Errorf("%d producers are remembered after the window, not the one that has sent since", len(s.producers))
	}
	if how, _ := s.standing("p7", 1, 1); how != taken {
		t.Errorf("a name of a producer that has sent since is %v", how)
	}
	if how, _ := s.standing("p8", 1, 1); how != fresh {
		t.Errorf("after the window a name is %v", how)
	}
}

// What a tail holds may be sent again at any time, and must not land twice then.
func TestAProducerThatSentSinceAPromotionIsNotForgotten(t *testing.T) {
	m := groupOf()
	s := m.list[0]
	s.remember("p", run{1, 1, successor(s.Shard, 1), 1}, m.clock)
	(&age{Ms: 2 * rememberedMs}).apply(nil, m)
	if !s.stands("p", 1) {
		t.Error("it is forgotten")
	}
}

func TestNoMoreOfAProducersSendsAreRememberedThanTheWindow(t *testing.T) {
	s := groupOf().list[0]
	for i := range uint64(3 * Window) {
		s.remember("p", run{i + 1, 1, s.Shard, i + 1}, 0)
	}
	if n := len(s.producers["p"].Runs); n != Window {
		t.Errorf("%d are remembered", n)
	}
	if how, _ := s.standing("p", 1, 1); how != forgotten {
		t.Errorf("the oldest is %v", how)
	}
}
