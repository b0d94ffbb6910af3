//go:build unix

package process_test

import (
	"context"
	"errors"
	"os"
	"strings"
	"testing"
	"time"

	"faultlab/checker/history"
	"faultlab/cmd"
	"faultlab/labs"
	"faultlab/labs/maelstrom"
	"faultlab/labs/multimaster"
	"faultlab/nodes"
	"faultlab/nodes/cluster/process"
)

// This very program is a lab if its first argument is a command of one, and a node of a certain character (see
// hostile_test.go) if that is "be".
func TestMain(m *testing.M) {
	if len(os.Args) > 2 && os.Args[1] == "be" {
		be(os.Args[2], os.Args[3:])
		return
	}
	if len(os.Args) > 1 && !strings.HasPrefix(os.Args[1], "-") {
		os.Exit(cmd.Main(multimaster.Lab(), labs.Lab{Name: "witness", System: witnesses}, maelstrom.EchoLab()))
	}
	os.Exit(m.Run())
}

// What a node under these faults is asked, and what it answers.
type (
	ask  struct{ Via nodes.ID } // answered with yes, by way of another member if one is named
	yes  struct{}
	note struct{ Sync bool } // noted on the disk, and answered with yes when it is there
	read struct{}            // answered with told
	told struct {
		Notes, Life int // Life is how many messages it has had since its last boot
		Clock       int64
		Boot        string
		Damaged     bool // what was read at boot was
	}
	relay struct{ For nodes.ID }
	back  struct{ For nodes.ID }
	die   struct{}
)

var witnesses = nodes.System{
	Name:   "witness",
	New:    func(string) nodes.Node { return &witness{} },
	Bodies: []any{ask{}, yes{}, note{}, read{}, told{}, relay{}, back{}, die{}},
}

type witness struct {
	notes, life int
	damaged     bool
}

func (n *witness) Start(env nodes.Env) {
	_, _, records, err := env.Disk().Log("notes").Read()
	n.notes, n.damaged = len(records), err != nil
}

func (n *witness) Receive(env nodes.Env, m nodes.Message) {
	n.life++
	switch b := m.Body.(type) {
	case ask:
		if b.Via == "" {
			env.Send(m.From, yes{})
		} else {
			env.Send(b.Via, relay{m.From})
		}
	case relay:
		env.Send(m.From, back(b))
	case back:
		env.Send(b.For, yes{})
	case note:
		env.Disk().Log("notes").Append(make([]byte, 500))
		if n.notes++; b.Sync {
			env.Disk().Sync()
		}
		env.Send(m.From, yes{})
	case read:
		env.Send(m.From, told{Notes: n.notes, Clock: env.Now().UnixNano(), Life: n.life, Boot: env.Boot().String(), Damaged: n.damaged})
	case die:
		panic("as it was told")
	}
}

func (*witness) Wake(nodes.Env, string) {}

type deaf struct{}

func (deaf) Event(time.Duration, nodes.ID, any)  {}
func (deaf) Reached(nodes.ID, string)            {}
func (deaf) Log(time.Duration, nodes.ID, string) {}

// A world is a cluster of three witnesses and one client, whose name is also that of a node.
type world struct {
	*process.Own
	t *testing.T
}

var (
	client = nodes.Member{ID: "c1", Region: "A", Zone: "A1"}
	three  = nodes.Topology{Members: []nodes.Member{
		{ID: "a1", Region: "A", Zone: "A1"}, {ID: "b1", Region: "B", Zone: "B1"}, {ID: "c1", Region: "C", Zone: "C1"},
	}}
)

func newWorld(t *testing.T) world {
	c, err := process.StartOwn(nodes.Spec{System: witnesses, Seed: 1, Observer: deaf{}, Topology: three})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	})
	return world{c, t}
}

// hears returns what a node answers in that time, and how long it took; nil if nothing.
func (w world) hears(to nodes.ID, body any, wait time.Duration) (reply any, took time.Duration) {
	w.t.Helper()
	began, done := w.Now(), false
	w.Call(client, to, body, wait, func(r any, _ bool) { reply, took, done = r, w.Now()-began, true })
	for !done {
		w.run(5 * time.Millisecond)
	}
	return reply, took
}

func (w world) run(d time.Duration) {
	w.t.Helper()
	if err := w.Run(w.Now() + d); err != nil {
		w.t.Fatal(err)
	}
}

// answers says whether a node answers within many tries, as it should when nothing is wrong.
func (w world) answers(to nodes.ID, body any) bool {
	w.t.Helper()
	for range 30 {
		if reply, _ := w.hears(to, body, time.Second); reply == (yes{}) {
			return true
		}
	}
	return false
}

func (w world) state(of nodes.ID) told {
	w.t.Helper()
	for range 30 {
		if reply, _ := w.hears(of, read{}, time.Second); reply != nil {
			return reply.(told)
		}
	}
	w.t.Fatalf("%s does not say how it is", of)
	return told{}
}

func (w world) must(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

// harm degrades links, and returns what heals them, twice.
func (w world) harm(q nodes.Quality, links ...nodes.Link) (heal func()) {
	w.t.Helper()
	undo, err := w.Degrade(context.Background(), links, q)
	w.must(err)
	return func() {
		w.t.Helper()
		w.must(undo(context.Background()))
		w.must(undo(context.Background()))
	}
}

func both(a, b nodes.ID) []nodes.Link { return []nodes.Link{{From: a, To: b}, {From: b, To: a}} }

func TestWhatAClientSeesOfEachFault(t *testing.T) {
	w := newWorld(t)
	ctx := context.Background()
	const short = 700 * time.Millisecond
	// many asks that often at once, by way of b1, and returns how many replies came and how often b1 was asked.
	many := func(w world, n int) (replies, asked int) {
		before := w.state("b1").Life
		for range n {
			w.Call(client, "a1", ask{"b1"}, 2*time.Second, func(_ any, ok bool) {
				if ok {
					replies++
				}
			})
		}
		w.run(2 * time.Second)
		return replies, w.state("b1").Life - before - 1
	}
	for _, c := range []struct {
		name string
		do   func(t *testing.T, w world)
	}{
		{"nothing", func(t *testing.T, w world) {
			for _, id := range three.IDs() {
				if !w.answers(id, ask{"b1"}) {
					t.Errorf("%s does not answer", id)
				}
			}
		}},
		{"partition", func(t *testing.T, w world) {
			heal := w.harm(nodes.Quality{Cut: true}, both("a1", "b1")...)
			if r, _ := w.hears("a1", ask{"b1"}, short); r != nil {
				t.Errorf("%v came over a cut", r)
			}
			if !w.answers("a1", ask{"c1"}) || !w.answers("b1", ask{}) {
				t.Error("what is not cut does not answer")
			}
			again := w.harm(nodes.Quality{Cut: true}, nodes.Link{From: "a1", To: "b1"})
			heal()
			if r, _ := w.hears("a1", ask{"b1"}, short); r != nil {
				t.Errorf("%v came though another harm still cuts", r)
			}
			again()
		}},
		{"one-way", func(t *testing.T, w world) {
			heal := w.harm(nodes.Quality{Cut: true}, nodes.Link{From: "b1", To: "a1"})
			if replies, asked := many(w, 5); replies != 0 || asked != 5 {
				t.Errorf("%d replies came, and %d messages passed the way that is open", replies, asked)
			}
			heal()
		}},
		{"lost reply", func(t *testing.T, w world) {
			heal := w.harm(nodes.Quality{Cut: true}, nodes.Link{From: "a1", To: nodes.Clients})
			before := w.state("b1").Life
			if r, _ := w.hears("a1", ask{"b1"}, short); r != nil || w.state("b1").Life < before+2 {
				t.Errorf("%v came, or what was asked was not done", r)
			}
			heal()
		}},
		{"loss", func(t *testing.T, w world) {
			heal := w.harm(nodes.Quality{LossPerMille: 500}, nodes.Link{From: "a1", To: "b1"})
			if replies, asked := many(w, 40); replies == 0 || replies == 40 || asked != replies {
				t.Errorf("of 40 %d arrived and %d were answered", asked, replies)
			}
			heal()
		}},
		{"corruption", func(t *testing.T, w world) {
			heal := w.harm(nodes.Quality{CorruptPerMille: 1000}, nodes.Link{From: "a1", To: "b1"})
			if _, asked := many(w, 5); asked != 0 {
				t.Errorf("%d came through that were changed on their way", asked)
			}
			heal()
		}},
		{"duplicate", func(t *testing.T, w world) {
			heal := w.harm(nodes.Quality{DuplicatePerMille: 1000}, nodes.Link{From: "a1", To: "b1"})
			if replies, asked := many(w, 5); replies != 5 || asked != 10 {
				t.Errorf("%d replies came, and b1 was asked %d times", replies, asked)
			}
			heal()
		}},
		{"slow", func(t *testing.T, w world) {
			heal := w.harm(nodes.Quality{Delay: 300 * time.Millisecond}, nodes.Link{From: "a1", To: "b1"})
			if r, took := w.hears("a1", ask{"b1"}, 5*time.Second); r == nil || took < 300*time.Millisecond {
				t.Errorf("%v came after %s", r, took)
			}
			heal()
		}},
		{"clog", func(t *testing.T, w world) {
			heal := w.harm(nodes.Quality{Hold: true}, nodes.Link{From: "a1", To: "b1"})
			heard := 0
			for range 3 {
				w.Call(client, "a1", ask{"b1"}, 20*time.Second, func(_ any, ok bool) {
					if ok {
						heard++
					}
				})
			}
			if w.run(short); heard != 0 {
				t.Error("what is held came")
			}
			heal()
			for range 100 {
				if w.run(100 * time.Millisecond); heard == 3 {
					return
				}
			}
			t.Errorf("%d of 3 came when nothing was held any more", heard)
		}},
		{"kill", func(t *testing.T, w world) {
			before := w.state("a1")
			if !w.answers("a1", note{}) {
				t.Fatal("no note was taken")
			}
			w.must(w.Kill(ctx, "a1"))
			w.must(w.Kill(ctx, "a1"))
			if r, _ := w.hears("a1", ask{}, short); r != nil {
				t.Errorf("a dead node says %v", r)
			}
			w.must(w.Boot(ctx, "a1"))
			w.must(w.Boot(ctx, "a1"))
			if s := w.state("a1"); s.Notes <= before.Notes || s.Boot != "restart" {
				t.Errorf("after %+v and a note it is %+v", before, s)
			}
		}},
		{"pause", func(t *testing.T, w world) {
			w.must(w.Pause(ctx, "a1"))
			heard := false
			w.Call(client, "a1", ask{}, 30*time.Second, func(_ any, ok bool) { heard = ok })
			w.run(short)
			if heard {
				t.Error("a frozen node answered")
			}
			w.must(w.Resume(ctx, "a1"))
			w.must(w.Resume(ctx, "a1"))
			for range 100 {
				if w.run(100 * time.Millisecond); heard {
					return
				}
			}
			t.Error("what was asked of a frozen node was not answered when it went on")
		}},
		{"power loss", func(t *testing.T, w world) {
			if !w.answers("a1", note{Sync: true}) {
				t.Fatal("no note was taken")
			}
			kept := w.state("a1").Notes
			for range 20 {
				if !w.answers("a1", note{}) {
					t.Fatal("no note was taken")
				}
			}
			w.must(w.PowerLoss(ctx, []nodes.ID{"a1", "b1", "a1"}))
			w.must(w.Boot(ctx, "a1"))
			w.must(w.Boot(ctx, "b1"))
			if s := w.state("a1"); s.Notes < kept || s.Notes >= kept+20 || s.Damaged {
				t.Errorf("of %d notes that were synced and 20 that were not it has %+v", kept, s)
			}
		}},
		{"wipe", func(t *testing.T, w world) {
			w.must(w.Wipe(ctx, "a1"))
			w.must(w.Boot(ctx, "a1"))
			if s := w.state("a1"); s.Notes != 0 || s.Boot != "replaced" {
				t.Errorf("without its disk it is %+v", s)
			}
		}},
		{"disk", func(t *testing.T, w world) {
			if !w.answers("b1", note{}) || !w.answers("b1", note{Sync: true}) {
				t.Fatal("no note was taken")
			}
			if _, err := w.Damage(ctx, "b1", nodes.Damage{Form: nodes.Truncate}); err == nil {
				t.Error("the disk of a node that runs was harmed")
			}
			w.must(w.Kill(ctx, "b1"))
			_, err := w.Damage(ctx, "b1", nodes.Damage{Form: nodes.Truncate, Seed: 2})
			w.must(err)
			w.must(w.Boot(ctx, "b1"))
			if s := w.state("b1"); !s.Damaged {
				t.Errorf("with a log that ends too early it is %+v", s)
			}
			w.must(w.Wipe(ctx, "b1"))
			w.must(w.Boot(ctx, "b1"))
			heal, err := w.Damage(ctx, "b1", nodes.Damage{Form: nodes.Full})
			w.must(err)
			for range 100 { // it stops, which is no fault of its own
				if r, _ := w.hears("b1", note{Sync: true}, 200*time.Millisecond); r == nil {
					break
				}
			}
			w.run(short)
			w.must(heal(ctx))
			w.must(heal(ctx))
			w.must(w.Boot(ctx, "b1"))
			if !w.answers("b1", note{Sync: true}) {
				t.Error("with room on its disk it takes no notes")
			}
		}},
		{"clock", func(t *testing.T, w world) {
			w.must(w.Skew(ctx, "a1", time.Hour, 0))
			w.must(w.Kill(ctx, "a1"))
			w.must(w.Boot(ctx, "a1"))
			if ahead := time.Duration(w.state("a1").Clock - time.Now().UnixNano()); ahead < 59*time.Minute {
				t.Errorf("its clock is %s ahead", ahead)
			}
			w.must(w.Skew(ctx, "a1", 0, 0))
		}},
		{"another build", func(t *testing.T, w world) {
			if err := w.Use(ctx, "a1", "process_test.go"); err == nil {
				t.Error("a file that is no program was taken for one")
			}
			self, err := os.Executable()
			w.must(err)
			w.must(w.Use(ctx, "a1", self))
			w.must(w.Kill(ctx, "a1"))
			w.must(w.Boot(ctx, "a1"))
			w.must(w.Use(ctx, "a1", ""))
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := world{w.Own, t}
			c.do(t, w)
			for _, id := range three.IDs() {
				if !w.answers(id, ask{}) || !w.answers(id, ask{"c1"}) {
					t.Errorf("afterwards %s does not answer", id)
				}
			}
		})
	}
}

func TestANodeThatCrashesIsSaidToBeBroken(t *testing.T) {
	w := newWorld(t)
	w.Call(client, "b1", die{}, time.Second, func(any, bool) {})
	err := w.Run(w.Now() + 20*time.Second)
	broken := (*nodes.Broken)(nil)
	if !errors.As(err, &broken) || broken.Node != "b1" || !strings.HasPrefix(broken.What, "panic: as it was told (process_test.go:") {
		t.Fatalf("it is said: %v", err)
	}
	w.must(w.Boot(context.Background(), "b1"))
	if !w.answers("b1", ask{}) {
		t.Error("it does not boot again")
	}
}

func TestTheMultiMasterStoreHoldsAsProcesses(t *testing.T) {
	if testing.Short() {
		t.Skip("it takes half a minute")
	}
	lab := multimaster.Lab()
	run, err := labs.Do(context.Background(), lab, labs.Options{
		Seed: 2, Time: 10 * time.Second, Rate: 60, Nemesis: []string{"kill", "partition", "pause"}, On: "process", Real: true,
		Start: func(s nodes.Spec) (labs.Cluster, error) { return process.StartOwn(s) },
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, j := range run.Judged {
		if strings.HasPrefix(j.ID, "O") && j.ID != "O9" && j.Verdict == history.Fail {
			t.Errorf("%s %s: %s", j.ID, j.Name, j.Reason)
		}
	}
	if len(run.Broken) > 0 {
		t.Error(run.Reason)
	}
	if run.Results().Operations.OK < 300 {
		t.Errorf("only %d operations succeeded", run.Results().Operations.OK)
	}
}
