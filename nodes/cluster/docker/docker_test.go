package docker_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"faultlab/checker/history"
	"faultlab/cmd"
	"faultlab/labs"
	"faultlab/labs/multimaster"
	"faultlab/nodes"
	"faultlab/nodes/cluster/docker"
	"faultlab/nodes/cluster/sim"
)

// These tests start real containers, so they run only if LAB_DOCKER is set, as make test-docker does. The image is
// built around this very program, which is a lab if its first argument is a command of one.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && !strings.HasPrefix(os.Args[1], "-") {
		os.Exit(cmd.Main(multimaster.Lab(), labs.Lab{Name: "witness", System: witnesses}))
	}
	if os.Getenv("LAB_DOCKER") != "" {
		if _, err := docker.Check(context.Background()); err != nil {
			fmt.Fprintf(os.Stderr, "\n*** SKIPPED, ALL TESTS WITH CONTAINERS: %v\n\n", err)
			os.Unsetenv("LAB_DOCKER")
		}
	}
	os.Exit(m.Run())
}

func needDocker(t *testing.T) {
	t.Helper()
	if os.Getenv("LAB_DOCKER") == "" {
		t.Skip("LAB_DOCKER is not set: make test-docker")
	}
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

// A world is a cluster of three witnesses and one client.
type world struct {
	*docker.Cluster
	t *testing.T
}

var client = nodes.Member{ID: "c1", Region: "A", Zone: "A1"}

func newWorld(t *testing.T) world {
	needDocker(t)
	c, err := docker.Start(nodes.Spec{System: witnesses, Seed: 1, Observer: deaf{}, Topology: nodes.Topology{Members: []nodes.Member{
		{ID: "a1", Region: "A", Zone: "A1"}, {ID: "b1", Region: "B", Zone: "B1"}, {ID: "c1x", Region: "C", Zone: "C1"},
	}}})
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

// answers says whether a node answers within a few tries, as it should when nothing is wrong.
func (w world) answers(to nodes.ID, body any) bool {
	w.t.Helper()
	for range 10 {
		if reply, _ := w.hears(to, body, 500*time.Millisecond); reply == (yes{}) {
			return true
		}
	}
	return false
}

func (w world) state(of nodes.ID) told {
	w.t.Helper()
	for range 10 {
		if reply, _ := w.hears(of, read{}, 500*time.Millisecond); reply != nil {
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
	for _, c := range []struct {
		name string
		do   func(t *testing.T, w world)
	}{
		{"partition", func(t *testing.T, w world) {
			heal := w.harm(nodes.Quality{Cut: true}, both("a1", "b1")...)
			if r, _ := w.hears("a1", ask{"b1"}, short); r != nil {
				t.Errorf("%v came over a cut", r)
			}
			if !w.answers("a1", ask{"c1x"}) || !w.answers("b1", ask{}) {
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
			before := w.state("b1").Life
			if r, _ := w.hears("a1", ask{"b1"}, short); r != nil {
				t.Errorf("%v came over a cut", r)
			}
			if after := w.state("b1").Life; after < before+2 {
				t.Errorf("b1 had %d messages, then %d: nothing passed the way that is open", before, after)
			}
			heal()
		}},
		{"kill", func(t *testing.T, w world) {
			before := w.state("a1")
			if !w.answers("a1", note{}) {
				t.Fatal("no note was taken")
			}
			w.must(w.Kill(ctx, "a1"))
			if r, _ := w.hears("a1", ask{}, short); r != nil {
				t.Errorf("a dead node says %v", r)
			}
			w.must(w.Boot(ctx, "a1"))
			w.must(w.Boot(ctx, "a1"))
			if s := w.state("a1"); s.Notes <= before.Notes || s.Boot != "restart" || s.Life > 3 {
				t.Errorf("after %+v and a note it is %+v", before, s)
			}
		}},
		{"pause", func(t *testing.T, w world) {
			w.must(w.Pause(ctx, "a1"))
			heard := false
			w.Call(client, "a1", ask{}, 10*time.Second, func(_ any, ok bool) { heard = ok })
			w.run(short)
			if heard {
				t.Error("a frozen node answered")
			}
			w.must(w.Resume(ctx, "a1"))
			w.must(w.Resume(ctx, "a1"))
			if w.run(short); !heard {
				t.Error("what was asked of a frozen node was not answered when it went on")
			}
		}},
		{"kill of a paused node", func(t *testing.T, w world) {
			w.must(w.Pause(ctx, "a1"))
			w.must(w.Kill(ctx, "a1"))
			w.must(w.Boot(ctx, "a1"))
		}},
		{"power loss", func(t *testing.T, w world) {
			lost := 0
			for range 4 {
				if !w.answers("a1", note{Sync: true}) {
					t.Fatal("no note was taken")
				}
				synced := w.state("a1").Notes
				for range 10 {
					w.answers("a1", note{})
				}
				written := w.state("a1").Notes
				w.must(w.PowerLoss(ctx, []nodes.ID{"a1", "b1"}))
				if r, _ := w.hears("b1", ask{}, short); r != nil {
					t.Errorf("a node without power says %v", r)
				}
				w.must(w.Boot(ctx, "a1"))
				w.must(w.Boot(ctx, "b1"))
				left := w.state("a1")
				if left.Notes < synced || left.Notes > written || left.Damaged {
					t.Errorf("of %d notes, %d of them synced, it has %+v", written, synced, left)
				}
				lost += written - left.Notes
			}
			if lost == 0 {
				t.Error("four power losses took nothing")
			}
		}},
		{"slow", func(t *testing.T, w world) {
			heal := w.harm(nodes.Quality{Delay: 200 * time.Millisecond, Jitter: 20 * time.Millisecond}, both("a1", "b1")...)
			for range 3 {
				if r, took := w.hears("a1", ask{"b1"}, 3*time.Second); r == nil || took < 400*time.Millisecond {
					t.Errorf("%v after %s over a link of 200 ms", r, took)
				}
			}
			heal()
			w.answers("a1", ask{"b1"})
			if r, took := w.hears("a1", ask{"b1"}, short); r == nil || took > 150*time.Millisecond {
				t.Errorf("%v after %s over a healed link", r, took)
			}
		}},
		{"loss", func(t *testing.T, w world) {
			heal := w.harm(nodes.Quality{LossPerMille: 800}, both("a1", "b1")...)
			late := 0
			for range 10 {
				if r, _ := w.hears("a1", ask{"b1"}, 100*time.Millisecond); r == nil {
					late++
				}
			}
			if late < 3 {
				t.Errorf("of ten requests over a link that loses four of five packets only %d were late", late)
			}
			heal()
			heal = w.harm(nodes.Quality{LossPerMille: 1000}, nodes.Link{From: nodes.Clients, To: "a1"})
			if r, _ := w.hears("a1", ask{}, short); r != nil {
				t.Errorf("%v to a request that was lost", r)
			}
			heal()
		}},
		{"lost reply", func(t *testing.T, w world) {
			before := w.state("a1").Notes
			heal := w.harm(nodes.Quality{Cut: true}, nodes.Link{From: "a1", To: nodes.Clients})
			if r, _ := w.hears("a1", note{}, short); r != nil {
				t.Errorf("%v came, though it was lost", r)
			}
			heal()
			if after := w.state("a1").Notes; after != before+1 {
				t.Errorf("%d notes, then %d: it was to be done, and not to be said", before, after)
			}
		}},
		{"clog", func(t *testing.T, w world) {
			heal := w.harm(nodes.Quality{Hold: true}, both("a1", "b1")...)
			heard := false
			w.Call(client, "a1", ask{"b1"}, 20*time.Second, func(_ any, ok bool) { heard = ok })
			if w.run(short); heard {
				t.Error("a clogged link let something pass")
			}
			heal()
			if w.run(4 * time.Second); !heard {
				t.Error("what a clogged link held did not come")
			}
			heal = w.harm(nodes.Quality{Hold: true}, nodes.Link{From: "a1", To: client.ID})
			heard = false
			w.Call(client, "a1", ask{}, 20*time.Second, func(_ any, ok bool) { heard = ok })
			if w.run(short); heard {
				t.Error("a clogged link let a reply pass")
			}
			heal()
			if w.run(short); !heard {
				t.Error("a reply that was held did not come")
			}
		}},
		{"duplicate", func(t *testing.T, w world) {
			heal := w.harm(nodes.Quality{DuplicatePerMille: 1000}, nodes.Link{From: "a1", To: "b1"})
			before := w.state("b1").Life
			if !w.answers("a1", ask{"b1"}) {
				t.Error("no answer")
			}
			if w.run(200 * time.Millisecond); w.state("b1").Life < before+3 {
				t.Error("b1 had no message twice")
			}
			heal()
		}},
		{"corrupt", func(t *testing.T, w world) {
			heal := w.harm(nodes.Quality{CorruptPerMille: 1000}, nodes.Link{From: "a1", To: "b1"})
			if r, _ := w.hears("a1", ask{"b1"}, short); r != nil {
				t.Errorf("%v came by way of a link that spoils everything", r)
			}
			heal()
		}},
		{"clock", func(t *testing.T, w world) {
			off := func() time.Duration { return time.Duration(w.state("b1").Clock - time.Now().UnixNano()) }
			w.must(w.Skew(ctx, "b1", time.Hour, 0))
			if d := off(); d < 59*time.Minute || d > 61*time.Minute {
				t.Errorf("the clock is %s ahead, not an hour", d)
			}
			w.must(w.Kill(ctx, "b1"))
			w.must(w.Boot(ctx, "b1"))
			if d := off(); d < 59*time.Minute {
				t.Errorf("after a boot the clock is %s ahead, not an hour", d)
			}
			w.must(w.Skew(ctx, "b1", 0, 0))
			if d := off(); d.Abs() > time.Second {
				t.Errorf("a healed clock is %s off", d)
			}
		}},
		{"disk", func(t *testing.T, w world) {
			if !w.answers("c1x", note{Sync: true}) {
				t.Fatal("no note was taken")
			}
			heal, err := w.Damage(ctx, "c1x", nodes.Damage{Form: nodes.FailedFsync})
			w.must(err)
			if r, _ := w.hears("c1x", note{Sync: true}, 3*time.Second); r != nil {
				t.Errorf("%v though the fsync failed", r)
			}
			w.run(2 * time.Second)
			w.must(heal(ctx))
			w.must(w.Boot(ctx, "c1x"))
			if s := w.state("c1x"); s.Notes < 1 || s.Damaged {
				t.Errorf("after a failed fsync it is %+v", s)
			}
			heal, err = w.Damage(ctx, "c1x", nodes.Damage{Form: nodes.SlowFsync, Delay: 300 * time.Millisecond})
			w.must(err)
			if r, took := w.hears("c1x", note{Sync: true}, 3*time.Second); r == nil || took < 300*time.Millisecond {
				t.Errorf("%v after %s on a disk whose fsyncs take 300 ms longer", r, took)
			}
			w.must(heal(ctx))
			w.must(w.Kill(ctx, "c1x"))
			_, err = w.Damage(ctx, "c1x", nodes.Damage{Form: nodes.BitFlip, Seed: 1})
			w.must(err)
			w.must(w.Boot(ctx, "c1x"))
			if s := w.state("c1x"); !s.Damaged {
				t.Errorf("with a bit flipped it is %+v", s)
			}
		}},
		{"wipe", func(t *testing.T, w world) {
			w.must(w.Wipe(ctx, "c1x"))
			w.must(w.Boot(ctx, "c1x"))
			if s := w.state("c1x"); s.Notes != 0 || s.Boot != "replaced" {
				t.Errorf("without its disk it is %+v", s)
			}
		}},
		{"a node that dies unasked", func(t *testing.T, w world) {
			w.Call(client, "b1", die{}, time.Second, func(any, bool) {})
			err := w.Run(w.Now() + 3*time.Second)
			broken := (*nodes.Broken)(nil)
			if !errors.As(err, &broken) || broken.Node != "b1" || !strings.Contains(broken.What, "as it was told") {
				t.Fatalf("it is said of it: %v", err)
			}
			w.must(w.Boot(ctx, "b1"))
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := world{w.Cluster, t}
			for _, to := range []nodes.ID{"a1", "b1"} {
				for _, via := range []nodes.ID{"", "b1", "c1x"} {
					if to != via && !w.answers(to, ask{via}) {
						t.Fatalf("%s does not answer by way of %q, and nothing is wrong", to, via)
					}
				}
			}
			c.do(t, w)
			if !w.answers("a1", ask{"b1"}) || !w.answers("b1", ask{"c1x"}) {
				t.Error("it is healed, and does not answer")
			}
		})
	}
}

// brief is the lab with short phases.
func brief() labs.Lab {
	l := multimaster.Lab()
	l.Defaults.WarmUp, l.Defaults.Calm = 2*time.Second, 3*time.Second
	return l
}

func start(s nodes.Spec) (labs.Cluster, error) {
	c, err := docker.Start(s)
	if err != nil {
		return nil, err
	}
	return c, nil
}

// A store that is cut, killed and slowed keeps what it promised, by all that its clients saw.
func TestTheGuaranteesHoldOnContainers(t *testing.T) {
	needDocker(t)
	for _, fault := range []string{"none", "partition", "partition:one-way", "kill", "pause", "power-loss", "power-loss:all", "slow", "loss", "clock", "wipe"} {
		t.Run(fault, func(t *testing.T) {
			run, err := labs.Do(context.Background(), brief(), labs.Options{Seed: 1, Time: 5 * time.Second, Nemesis: []string{fault}, Start: start, On: "docker"})
			if err != nil {
				t.Fatal(err)
			}
			ok := 0
			for _, op := range run.History.Ops {
				if op.Outcome == history.OK {
					ok++
				}
			}
			if ok < 500 {
				t.Errorf("only %d operations succeeded", ok)
			}
			for _, b := range run.Broken {
				t.Errorf("%s", b)
			}
			for _, g := range run.Judged {
				if g.Verdict == history.Fail {
					t.Errorf("%s: %s", g.ID, g.Reason)
				}
			}
			for _, w := range run.History.Windows {
				if !w.Took {
					t.Errorf("%s never struck: %s", w.Kind, w.Why)
				}
			}
		})
	}
}

// What a schedule meets on real time is not the same twice, so each mistake has three seeds to show itself in, as those
// of the README's table have theirs. Nearly always the first will do.
func TestMistakesAreCaughtOnContainersAsOnTheSimulator(t *testing.T) {
	needDocker(t)
	for name, faults := range map[string][]string{
		"retry-unknown-as-new": {"partition"},
		"read-local-no-quorum": {"partition"},
		"dedup-in-memory":      {"lost-reply", "kill"},
	} {
		t.Run(name, func(t *testing.T) {
			lab := brief()
			bug, known := lab.System.Bug(name)
			if !known {
				t.Fatal("there is no such mistake")
			}
			for seed := uint64(1); seed <= 3; seed++ {
				run, err := labs.Do(context.Background(), lab, labs.Options{Seed: seed, Time: 12 * time.Second, Nemesis: faults, Bug: name, Start: start, On: "docker"})
				if err != nil {
					t.Fatal(err)
				}
				for _, g := range run.Judged {
					if g.Verdict == history.Fail && slices.Contains(bug.Refutes, g.ID) {
						t.Logf("seed %d: %s", seed, g.ID)
						return
					}
				}
			}
			t.Errorf("none of %v failed", bug.Refutes)
		})
	}
}

func TestTheSameSeedDrawsTheSameScheduleAsOnTheSimulator(t *testing.T) {
	needDocker(t)
	o := labs.Options{Seed: 7, Time: 3 * time.Second, Nemesis: []string{"partition", "kill", "pause", "slow"}, Rate: 50}
	o.Start, o.On = start, "docker"
	real, err := labs.Do(context.Background(), brief(), o)
	if err != nil {
		t.Fatal(err)
	}
	o.Start, o.On = func(s nodes.Spec) (labs.Cluster, error) { return sim.Start(s) }, "sim"
	made, err := labs.Do(context.Background(), brief(), o)
	if err != nil {
		t.Fatal(err)
	}
	if len(real.Schedule) == 0 || !reflect.DeepEqual(real.Schedule, made.Schedule) {
		t.Errorf("on docker\n%v\nand on the simulator\n%v", real.Schedule, made.Schedule)
	}
}

// What a run leaves of its nodes' disks are the files that lab node itself would boot from.
func TestTheDisksOfNodesAreInTheRunFolder(t *testing.T) {
	w := newWorld(t)
	for range 3 {
		if !w.answers("a1", note{Sync: true}) {
			t.Fatal("no note was taken")
		}
	}
	w.must(w.Kill(context.Background(), "b1")) // what it wrote is there all the same
	w.must(w.Close())
	dir := t.TempDir()
	w.must(w.SaveDisks(dir))
	log, err := os.ReadFile(filepath.Join(dir, "a1", "disk", "notes.1.log"))
	if err != nil || len(log) < 3*500 {
		t.Errorf("of three notes of 500 bytes there are %d bytes: %v", len(log), err)
	}
	for _, id := range []string{"a1", "b1", "c1x"} {
		if _, err := os.Stat(filepath.Join(dir, id, "disk", "member")); err != nil {
			t.Error(err)
		}
	}
}

func TestALabThatWasKilledLeavesNothing(t *testing.T) {
	needDocker(t)
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := docker.Clean(context.Background()); err != nil {
		t.Fatal(err)
	}
	for _, how := range []string{"lab doctor --clean", "the next run"} {
		t.Run(how, func(t *testing.T) {
			lab := exec.Command(self, "run", "multi-master", "--on", "docker", "--nemesis", "partition", "--store", t.TempDir())
			if err := lab.Start(); err != nil {
				t.Fatal(err)
			}
			mine := fmt.Sprintf("name=-%d", lab.Process.Pid)
			containers := func() int {
				out, err := exec.Command("docker", "ps", "-aq", "--filter", "label=faultlab.run", "--filter", mine).Output()
				if err != nil {
					t.Skip("no docker command to look with: ", err)
				}
				return len(strings.Fields(string(out)))
			}
			for began := time.Now(); containers() < 18; time.Sleep(100 * time.Millisecond) {
				if time.Since(began) > time.Minute {
					lab.Process.Kill()
					t.Fatal("it does not start")
				}
			}
			lab.Process.Kill()
			lab.Wait()
			if how == "the next run" {
				newWorld(t).Close()
			} else if out, err := exec.Command(self, "doctor", "--clean").CombinedOutput(); err != nil || !strings.Contains(string(out), "removed container") {
				t.Errorf("%v: %s", err, out)
			}
			for _, list := range [][]string{{"ps", "-aq"}, {"network", "ls", "-q"}, {"volume", "ls", "-q"}} {
				out, err := exec.Command("docker", append(list, "--filter", "label=faultlab.run", "--filter", mine)...).Output()
				if err != nil || len(out) > 0 {
					t.Errorf("docker %v: %v %s", list, err, out)
				}
			}
		})
	}
}

// Once the image is built, nine nodes serve after 4 s and are gone after 2 on two idle cores. The bounds here leave room
// for a machine that is busy.
func TestAClusterComesServesAndGoes(t *testing.T) {
	needDocker(t)
	l := brief()
	topology, err := l.Topology(0)
	if err != nil {
		t.Fatal(err)
	}
	docker.Check(context.Background()) // builds the image
	began := time.Now()
	c, err := docker.Start(nodes.Spec{System: l.System, Seed: 1, Observer: deaf{}, Topology: topology})
	if err != nil {
		t.Fatal(err)
	}
	up := time.Since(began)
	work := l.Workload(topology, rand.New(rand.NewPCG(1, 1)))
	who := &labs.Client{Member: nodes.Member{ID: "c1", Region: "A", Zone: topology.Members[0].Zone}, Rand: rand.New(rand.NewPCG(1, 2))}
	var served time.Duration
	for served == 0 && time.Since(began) < time.Minute {
		who.Number++
		r, _ := work.Next(who, history.WarmUp)
		done := false
		c.Call(who.Member, r.To[0], r.Body, 200*time.Millisecond, func(reply any, ok bool) {
			done = true
			if ok && l.Outcome(r.Body, reply) == history.OK {
				served = time.Since(began)
			}
		})
		for !done {
			if err := c.Run(c.Now() + 5*time.Millisecond); err != nil {
				t.Fatal(err)
			}
		}
	}
	began = time.Now()
	if err := c.Close(); err != nil {
		t.Error(err)
	}
	down := time.Since(began)
	t.Logf("nine nodes are up after %s, serve after %s, and are gone after %s", up, served, down)
	if served == 0 {
		t.Error("it never served")
	}
}
