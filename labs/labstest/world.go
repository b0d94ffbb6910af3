package labstest

import (
	"context"
	"slices"
	"testing"
	"time"

	"faultlab/labs"
	"faultlab/nemesis"
	"faultlab/nodes"
)

const (
	silence  = 500 * time.Millisecond // after so long it is taken that no reply comes
	patience = 30 * time.Second       // for what must come in the end, on a machine that is busy
)

// A world is a cluster of witnesses, and one client.
type world struct {
	t       *testing.T
	c       labs.Cluster
	ground  nemesis.Ground
	batch   uint64
	renewed time.Duration // when a node last had a new disk
	losses  int           // nodes that lost power
	taken   int           // notes that they lost
}

var client = nodes.Member{ID: "x", Region: "A", Zone: "A1"}

func newWorld(t *testing.T, start func(nodes.Spec) (labs.Cluster, error)) *world {
	t.Helper()
	c, err := start(nodes.Spec{System: System(), Seed: 1, Observer: deaf{}, Topology: topology()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	})
	return &world{t: t, c: c, ground: nemesis.Ground{Topology: topology(), Roles: []string{"leader of G", "clerk"}}}
}

// told says whether nodes are told more than what any program understands, as that their disk is a new one.
func (w *world) told() bool {
	_, ours := w.c.(nemesis.Disks)
	return ours
}

func (w *world) resolve(role string) []nodes.ID {
	return map[string][]nodes.ID{"leader of G": {"a2"}, "clerk": {"b1"}}[role]
}

func (w *world) run(d time.Duration) {
	w.t.Helper()
	if err := w.c.Run(w.c.Now() + d); err != nil {
		w.t.Fatal(err)
	}
}

// until runs until something holds, and says whether it came to.
func (w *world) until(holds func() bool) bool {
	w.t.Helper()
	for end := w.c.Now() + patience; w.c.Now() < end; w.run(50 * time.Millisecond) {
		if holds() {
			return true
		}
	}
	return false
}

// hears returns what a node answers within that time, nil if nothing.
func (w *world) hears(to nodes.ID, body any, wait time.Duration) (reply any) {
	w.t.Helper()
	done := false
	w.c.Call(client, to, body, wait, func(r any, _ bool) { reply, done = r, true })
	for !done {
		w.run(5 * time.Millisecond)
	}
	return reply
}

// state is what a node tells of itself in the end.
func (w *world) state(of nodes.ID) (state told) {
	w.t.Helper()
	if !w.until(func() bool {
		reply, ok := w.hears(of, read{}, silence).(told)
		state = reply
		return ok
	}) {
		w.t.Fatalf("%s does not say how it is", of)
	}
	return state
}

// notes has a node note so many things, each when the one before it is there.
func (w *world) notes(at nodes.ID, n int, b note) {
	w.t.Helper()
	for range n {
		if w.hears(at, b, patience) != (yes{}) {
			w.t.Fatalf("%s noted nothing", at)
		}
	}
}

// A way is how a client asks: a member, and another that this one asks in turn; "" for none.
type way struct{ to, via nodes.ID }

// links are those that a question and its answer take.
func (y way) links() []nodes.Link {
	l := []nodes.Link{{From: nodes.Clients, To: y.to}, {From: y.to, To: nodes.Clients}}
	if y.via != "" {
		l = append(l, nodes.Link{From: y.to, To: y.via}, nodes.Link{From: y.via, To: y.to})
	}
	return l
}

// ways are all that there are.
func (w *world) ways() (all []way) {
	for _, to := range w.ground.Topology.IDs() {
		all = append(all, way{to, ""})
		for _, via := range w.ground.Topology.IDs() {
			if via != to {
				all = append(all, way{to, via})
			}
		}
	}
	return all
}

// ask asks once on each of these ways, all together, and returns how long each took that was answered.
func (w *world) ask(ways []way, wait time.Duration) map[way]time.Duration {
	w.t.Helper()
	took, open := map[way]time.Duration{}, len(ways)
	for _, y := range ways {
		began := w.c.Now()
		w.c.Call(client, y.to, ask{y.via}, wait, func(_ any, ok bool) {
			if open--; ok {
				took[y] = w.c.Now() - began
			}
		})
	}
	for open > 0 {
		w.run(5 * time.Millisecond)
	}
	return took
}

// passes says which ways are open: the others are silent, and on these an answer comes in the end.
func (w *world) passes(open func(way) bool) {
	w.t.Helper()
	got := w.ask(w.ways(), silence)
	var shut, missing []way
	for _, y := range w.ways() {
		_, answered := got[y]
		switch {
		case answered && !open(y):
			shut = append(shut, y)
		case !answered && open(y):
			missing = append(missing, y)
		}
	}
	if len(shut) > 0 {
		w.t.Errorf("answers came on %v", shut)
	}
	if !w.answered(missing) {
		w.t.Errorf("no answer ever came on some of %v", missing)
	}
}

// answered says whether on each of these ways an answer comes in the end.
func (w *world) answered(ways []way) bool {
	w.t.Helper()
	missing := slices.Clone(ways)
	return w.until(func() bool {
		got := w.ask(missing, silence)
		missing = slices.DeleteFunc(missing, func(y way) bool { _, ok := got[y]; return ok })
		return len(missing) == 0
	})
}

// strike does a fault, and returns who and what it hit and what heals it: twice, which is the same as once, and by
// traffic on every way.
func (w *world) strike(k nemesis.Kind, f nemesis.Fault) (nemesis.Strike, func()) {
	w.t.Helper()
	target := nemesis.Target{Cluster: w.c, After: w.c.After, Now: w.c.Now, Resolve: w.resolve}
	undo, s, err := k.Inject(context.Background(), target, f)
	heal := func() {
		w.t.Helper()
		for range 2 {
			if err := undo(context.Background()); err != nil {
				w.t.Fatalf("healing %v: %v", f, err)
			}
		}
		if !w.answered(w.ways()) {
			w.t.Fatalf("healed of %v, and not all is answered", f)
		}
	}
	if err != nil || !s.Took {
		heal()
		w.t.Fatalf("%v did not strike: %v, %s", f, err, s.Why)
	}
	return s, heal
}

// renew gives nodes a new disk.
func (w *world) renew(ids []nodes.ID) {
	w.t.Helper()
	for _, id := range ids {
		err := w.c.(nemesis.Wipes).Wipe(context.Background(), id)
		if err == nil {
			err = w.c.(nemesis.Processes).Boot(context.Background(), id)
		}
		if err != nil {
			w.t.Fatal(err)
		}
	}
	w.renewed = w.c.Now()
}

// age waits until the new disk of a node is its own: one that dies before may be given another.
func (w *world) age() {
	w.t.Helper()
	if d := w.renewed + 3*time.Second - w.c.Now(); w.renewed > 0 && d > 0 {
		w.run(d)
	}
}
