package live

import (
	"context"
	"strings"
	"testing"
	"time"
)

func TestEventsAreHandledInOrderOfTimeAndRepliesAreNotLate(t *testing.T) {
	l := New()
	l.Begin()
	var got []string
	l.After(30*time.Millisecond, func() { got = append(got, "timer") })
	l.After(0, func() {
		time.Sleep(50 * time.Millisecond) // what keeps the loop busy
		l.Arrive(func() { got = append(got, "late") })
	})
	go func() {
		time.Sleep(10 * time.Millisecond)
		l.Arrive(func() {
			got = append(got, "reply")
			if l.Now() > 30*time.Millisecond {
				t.Errorf("a reply that came after 10 ms is handled as of %s", l.Now())
			}
		})
	}()
	for l.Step(100*time.Millisecond, true, nil) {
	}
	if text := strings.Join(got, " "); text != "reply timer late" {
		t.Error(text)
	}
	if l.Now() != 100*time.Millisecond || l.Elapsed() < 100*time.Millisecond {
		t.Errorf("it ends at %s, really %s", l.Now(), l.Elapsed())
	}
}

func TestTheTimesInWhichTheLabStoodStillAreKept(t *testing.T) {
	l := New()
	l.Begin()
	l.After(10*time.Millisecond, func() { time.Sleep(2 * stall) })
	for at := range 5 { // all of them fall due while it sleeps, and are late by the same stall
		l.After(time.Duration(20+at)*time.Millisecond, func() {})
	}
	for l.Step(3*stall, true, nil) {
	}
	if s := l.Stalls(); len(s) != 1 || s[0][0] != 20*time.Millisecond || s[0][1]-s[0][0] <= stall {
		t.Errorf("it stood still %v", s)
	}
	l.stalls = nil
	l.After(0, func() { // what somebody else takes its time for is none
		l.Slowly(time.Minute, func(context.Context) error {
			time.Sleep(2 * stall)
			return nil
		})
	})
	l.After(time.Millisecond, func() {})
	for l.Step(l.Elapsed()+3*stall, true, nil) {
	}
	if s := l.Stalls(); len(s) != 0 {
		t.Errorf("it stood still %v, and did what it was told", s)
	}
}
