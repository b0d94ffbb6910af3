package labstest

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"faultlab/labs"
	"faultlab/nemesis"
	"faultlab/nodes"
)

// A runtime that can be harmed in every way, as each one of our own nodes can be.
type harmed interface {
	labs.Cluster
	nemesis.Links
	nemesis.Processes
	nemesis.Pauses
	nemesis.Clocks
	nemesis.Disks
}

// Meet tries harms that meet, and harms that are refused, on one cluster: what no fault by itself shows.
func Meet(t *testing.T, start func(nodes.Spec) (labs.Cluster, error)) {
	w := newWorld(t, start)
	c, can := w.c.(harmed)
	if !can {
		t.Fatal("it cannot be harmed in every way")
	}
	ctx := context.Background()
	must := func(err error) {
		w.t.Helper()
		if err != nil {
			w.t.Fatal(err)
		}
	}
	harm := func(q nodes.Quality, l ...nodes.Link) (heal func()) {
		w.t.Helper()
		undo, err := c.Degrade(ctx, l, q)
		must(err)
		return func() {
			w.t.Helper()
			must(undo(ctx))
			must(undo(ctx))
		}
	}
	for _, meeting := range []struct {
		name string
		do   func()
	}{
		{"a link that is cut twice is cut until both are healed", func() {
			there, back := nodes.Link{From: "a1", To: "b1"}, nodes.Link{From: "b1", To: "a1"}
			heal, again := harm(nodes.Quality{Cut: true}, there, back), harm(nodes.Quality{Cut: true}, there)
			heal()
			if w.hears("a1", ask{"b1"}, silence) != nil {
				w.t.Error("an answer came over a link that is still cut")
			}
			again()
		}},
		{"what passes one way is done though nobody hears of it", func() {
			heal := harm(nodes.Quality{Cut: true}, nodes.Link{From: "b1", To: "a1"})
			before := w.state("b1").Life
			if w.hears("a1", ask{"b1"}, silence) != nil || w.state("b1").Life < before+2 {
				w.t.Error("an answer came over a cut, or the question did not pass the way that is open")
			}
			heal()
		}},
		{"what one client is not told waits for it alone", func() {
			heal := harm(nodes.Quality{Hold: true}, nodes.Link{From: "a1", To: client.ID})
			heard := false
			w.c.Call(client, "a1", ask{}, patience, func(_ any, ok bool) { heard = ok })
			if w.run(silence); heard {
				w.t.Error("a reply came that was held back")
			}
			if !w.answered([]way{{"b1", "a1"}}) {
				w.t.Error("another link of the same member is clogged too")
			}
			heal()
			if !w.until(func() bool { return heard }) {
				w.t.Error("a reply that was held back never came")
			}
		}},
		{"what is done to a node is not done to a client of that name", func() {
			heal := harm(nodes.Quality{Cut: true}, nodes.Link{From: "a1", To: "b1"}, nodes.Link{From: "b1", To: "a1"})
			namesake, heard := nodes.Member{ID: "b1", Region: "A", Zone: "A1"}, false
			if !w.until(func() bool {
				w.c.Call(namesake, "a1", ask{}, silence, func(_ any, ok bool) { heard = heard || ok })
				w.run(silence)
				return heard
			}) {
				w.t.Error("the client is never answered")
			}
			heal()
		}},
		{"a kill ends a pause, and two boots are one", func() {
			born := w.state("a1").Born
			must(c.Pause(ctx, "a1"))
			must(c.Kill(ctx, "a1"))
			must(c.Kill(ctx, "a1"))
			if w.hears("a1", ask{}, silence) != nil {
				w.t.Error("a dead node answers")
			}
			must(c.Boot(ctx, "a1"))
			must(c.Boot(ctx, "a1"))
			must(c.Resume(ctx, "a1"))
			if now := w.state("a1"); now.Born == born || now.Boot != "restart" {
				w.t.Errorf("born at %d, it now is %+v", born, now)
			}
		}},
		{"a wrong clock outlasts a kill", func() {
			before := w.look("b1")
			must(c.Skew(ctx, "b1", time.Hour, 0))
			must(c.Kill(ctx, "b1"))
			must(c.Boot(ctx, "b1"))
			if least, _ := gained(before, w.look("b1")); least < 59*time.Minute {
				w.t.Errorf("its clock is %s ahead", least)
			}
			must(c.Skew(ctx, "b1", 0, 0))
		}},
		{"what is stored is not harmed under a node that runs", func() {
			w.notes("b1", 1, note{Sync: true})
			if _, err := c.Damage(ctx, "b1", nodes.Damage{Form: nodes.Truncate}); err == nil {
				w.t.Error("it was")
			}
		}},
		{"a node whose disk failed boots, whether it is missed or not yet", func() {
			w.notes("b1", 1, note{Sync: true})
			heal, err := c.Damage(ctx, "b1", nodes.Damage{Form: nodes.FailedFsync})
			must(err)
			w.c.Call(client, "b1", note{Sync: true}, 10*time.Millisecond, func(any, bool) {})
			w.run(30 * time.Millisecond)
			must(heal(ctx))
			must(heal(ctx))
			must(c.Boot(ctx, "b1"))
			if now := w.state("b1"); now.Notes < 1 || now.Damaged {
				w.t.Errorf("after a failed fsync it is %+v", now)
			}
		}},
		{"who does not exist is not harmed", func() {
			_, links := c.Degrade(ctx, []nodes.Link{{From: "z1", To: "z2"}}, nodes.Quality{Cut: true})
			if links == nil || c.Kill(ctx, "z1") == nil || c.Pause(ctx, "z1") == nil {
				w.t.Error("it was")
			}
		}},
		{"a node that dies unasked is broken, and boots again", func() {
			w.c.Call(client, "b1", die{}, time.Second, func(any, bool) {})
			err := w.c.Run(w.c.Now() + patience)
			broken := (*nodes.Broken)(nil)
			if !errors.As(err, &broken) || broken.Node != "b1" || !strings.HasPrefix(broken.What, "panic: as it was told (witness.go:") {
				w.t.Fatalf("it is said of it: %v", err)
			}
			must(c.Boot(ctx, "b1"))
		}},
	} {
		t.Run(meeting.name, func(t *testing.T) {
			w.t = t
			if !w.answered(w.ways()) {
				t.Fatal("nothing is wrong, and not all is answered")
			}
			meeting.do()
			if !w.answered(w.ways()) {
				t.Error("all is healed, and not all is answered")
			}
		})
	}
	w.t = t
}
