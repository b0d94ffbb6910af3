package docker_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"faultlab/checker/history"
	"faultlab/cmd"
	"faultlab/labs"
	"faultlab/labs/labstest"
	"faultlab/labs/multimaster"
	"faultlab/labs/queue"
	"faultlab/nemesis"
	"faultlab/nodes"
	"faultlab/nodes/cluster/docker"
)

// These tests start real containers, so they run only if LAB_DOCKER is set, as make test-docker does. The image is
// built around this very program, which is a lab if its first argument is a command of one.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && !strings.HasPrefix(os.Args[1], "-") {
		quick := brief()
		quick.Name = "brief"
		os.Exit(cmd.Main(multimaster.Lab(), queue.Lab(), quick, labstest.Lab(), labs.Lab{Name: "neighbour", System: neighbours}))
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

// What a node is asked that says what it was told of the others.
type (
	ask   struct{ Via nodes.ID } // answered with yes, by way of another member if one is named
	yes   struct{}
	note  struct{} // noted on the disk, and answered with yes
	read  struct{} // answered with told
	told  struct{ Members string }
	relay struct{ For nodes.ID }
	back  struct{ For nodes.ID }
)

var neighbours = nodes.System{
	Name:   "neighbour",
	New:    func(string) nodes.Node { return &neighbour{members: map[nodes.ID]nodes.MemberState{}} },
	Bodies: []any{ask{}, yes{}, note{}, read{}, told{}, relay{}, back{}},
}

type neighbour struct {
	members map[nodes.ID]nodes.MemberState
}

func (*neighbour) Start(nodes.Env) {}

func (n *neighbour) Receive(env nodes.Env, m nodes.Message) {
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
		env.Send(m.From, yes{})
	case read:
		env.Send(m.From, told{n.told()})
	}
}

func (*neighbour) Wake(nodes.Env, string) {}

// Member makes it a nodes.Watcher.
func (n *neighbour) Member(_ nodes.Env, id nodes.ID, state nodes.MemberState) { n.members[id] = state }

// told is what membership last said of each of the others.
func (n *neighbour) told() string {
	var all []string
	for _, id := range slices.Sorted(maps.Keys(n.members)) {
		all = append(all, string(id)+" "+map[nodes.MemberState]string{nodes.Alive: "alive", nodes.Suspect: "suspect", nodes.Gone: "gone"}[n.members[id]])
	}
	return strings.Join(all, ", ")
}

type deaf struct{}

func (deaf) Event(time.Duration, nodes.ID, any)  {}
func (deaf) Reached(nodes.ID, string)            {}
func (deaf) Log(time.Duration, nodes.ID, string) {}

// A world is a cluster of three of them and one client.
type world struct {
	*docker.Cluster
	t *testing.T
}

var client = nodes.Member{ID: "c1", Region: "A", Zone: "A1"}

func newWorld(t *testing.T) world {
	needDocker(t)
	c, err := docker.Start(nodes.Spec{System: neighbours, Seed: 1, Observer: deaf{}, Topology: nodes.Topology{Members: []nodes.Member{
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

// What a client sees of every fault by itself. Two clusters have half of the kinds each, and wait side by side.
func TestWhatAClientSeesOfEachFaultOnContainers(t *testing.T) {
	needDocker(t)
	t.Parallel()
	for half, name := range []string{"one half", "the other half"} {
		var kinds []nemesis.Kind
		for i, k := range nemesis.Kinds {
			if i%2 == half {
				kinds = append(kinds, k)
			}
		}
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			labstest.Faults(t, start, kinds)
		})
	}
}

func TestWhatClientsSeeWhenTheyOrAdministratorsMisbehaveOnContainers(t *testing.T) {
	needDocker(t)
	t.Parallel()
	labstest.Misuse(t, start)
}

// The other build is this very program, but for what its nodes say of their edition.
func TestAnUpgradeRunsTheOtherProgram(t *testing.T) {
	needDocker(t)
	t.Parallel()
	other := filepath.Join(t.TempDir(), "lab")
	if out, err := exec.Command("go", "test", "-c", "-o", other, "-ldflags", "-X faultlab/labs/labstest.edition=second", ".").CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	labstest.Upgrade(t, start, other, "second")
}

// A link that was cut for longer than memberlist takes to give a member up for ever is found again by itself, and what
// waited on it in vain is given up, so that what is sent when it is healed passes.
func TestMembersThatWereCutOffForLongFindEachOtherAgain(t *testing.T) {
	needDocker(t)
	t.Parallel()
	w := newWorld(t)
	sees := func(of nodes.ID, want string) {
		t.Helper()
		got := ""
		for end := w.Now() + time.Minute; w.Now() < end; w.run(200 * time.Millisecond) {
			if got = w.state(of).Members; got == want {
				return
			}
		}
		t.Errorf("%s was told %q, and never %q", of, got, want)
	}
	sees("a1", "b1 alive, c1x alive")
	sees("b1", "a1 alive, c1x alive")
	heal := w.harm(nodes.Quality{Cut: true}, append(both("a1", "b1"), both("a1", "c1x")...)...)
	cut := w.Now()
	if r, _ := w.hears("a1", ask{"b1"}, 500*time.Millisecond); r != nil {
		t.Errorf("%v came over a cut", r)
	}
	sees("a1", "b1 gone, c1x gone")
	sees("b1", "a1 gone, c1x alive")
	for w.Now() < cut+25*time.Second { // the kernel has something to send again all the time
		w.hears("a1", ask{"b1"}, time.Second)
		w.hears("b1", ask{"a1"}, time.Second)
	}
	heal()
	if !w.answers("a1", ask{"b1"}) || !w.answers("b1", ask{"a1"}) {
		t.Error("nothing passes over the healed link")
	}
	sees("a1", "b1 alive, c1x alive")
	sees("b1", "a1 alive, c1x alive")
	sees("c1x", "a1 alive, b1 alive")
}

func TestWhatAClientSeesOfHarmsThatMeet(t *testing.T) {
	needDocker(t)
	labstest.Meet(t, start)
}

func TestALinkThatLosesMuchIsLateOften(t *testing.T) {
	w := newWorld(t)
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
	if !w.answers("a1", ask{"b1"}) {
		t.Error("it is healed, and does not answer")
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
	faults := []string{"none", "partition", "partition:one-way", "kill", "pause", "power-loss", "power-loss:all", "slow", "loss", "clock", "wipe"}
	if os.Getenv("LAB_DOCKER") == "brief" {
		faults = []string{"partition", "kill", "power-loss:all"}
	}
	for _, fault := range faults {
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

// A queue that is cut and killed keeps what it promised, and clients read more than a thousand acknowledged records from
// the copies of both other regions.
func TestTheQueueIsReadFromAllItsCopiesOnContainers(t *testing.T) {
	needDocker(t)
	run, err := labs.Do(context.Background(), queue.Lab(), labs.Options{Seed: 1, Time: 20 * time.Second, Nemesis: []string{"partition", "kill"}, Start: start, On: "docker"})
	if err != nil {
		t.Fatal(err)
	}
	for _, b := range run.Broken {
		t.Errorf("%s", b)
	}
	for _, g := range run.Judged {
		if g.Verdict == history.Fail {
			t.Errorf("%s: %s", g.ID, g.Reason)
		}
		if n, _ := g.Evidence["read from all copies"].(int); g.ID == "Q11" && n < 1000 {
			t.Errorf("%d acknowledged records were read from the copies of both other regions", n)
		}
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

// Of two runs of lab run, one on each runtime, run.json has the same schedule, and so has a run of another seed not.
func TestTheSameSeedDrawsTheSameScheduleAsOnTheSimulator(t *testing.T) {
	needDocker(t)
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	saved := func(on, seed string) string {
		t.Helper()
		store := filepath.Join(dir, on+seed)
		out, err := exec.Command(self, "run", "brief", "--on", on, "--seed", seed, "--store", store, "--time", "6s", "--rate", "50",
			"--nemesis", "partition,kill,pause,slow,disk,ops,client-crash").CombinedOutput()
		if exit := (*exec.ExitError)(nil); err != nil && (!errors.As(err, &exit) || exit.ExitCode() > 2) {
			t.Fatalf("%v: %s", err, out)
		}
		text, err := os.ReadFile(filepath.Join(store, "latest", "run.json"))
		if err != nil {
			t.Fatalf("%v: %s", err, out)
		}
		var run struct {
			Schedule  json.RawMessage
			Arguments struct{ On string }
		}
		if err := json.Unmarshal(text, &run); err != nil || run.Arguments.On != on {
			t.Fatalf("%v: it ran on %q", err, run.Arguments.On)
		}
		if on == "docker" {
			if _, err := os.Stat(filepath.Join(store, "latest", "nodes", "a1", "disk", "synced")); err != nil {
				t.Error(err)
			}
		}
		return string(run.Schedule)
	}
	made, real := saved("sim", "7"), saved("docker", "7")
	if !strings.Contains(made, `"kind"`) || made != real {
		t.Errorf("on docker\n%s\nand on the simulator\n%s", real, made)
	}
	if saved("sim", "8") == made {
		t.Error("another seed has the same schedule")
	}
}

// What a run leaves of its nodes' disks are the files that lab node itself would boot from.
func TestTheDisksOfNodesAreInTheRunFolder(t *testing.T) {
	w := newWorld(t)
	for range 3 {
		if !w.answers("a1", note{}) {
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
