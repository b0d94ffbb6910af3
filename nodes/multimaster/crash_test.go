package multimaster

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"faultlab/nodes"
	"faultlab/nodes/cluster/sim"
	"faultlab/nodes/raftlog"
)

// A world is a cluster of nine nodes with one client, and what its nodes said.
type world struct {
	t       *testing.T
	c       *sim.Cluster
	leaders map[string]nodes.ID
	held    map[string]int // reports of locks taken that no report of release followed, by group and attempt
	reached map[string]int
	number  uint64
	top     nodes.Topology
}

func (w *world) Event(_ time.Duration, node nodes.ID, event any) {
	switch e := event.(type) {
	case raftlog.Leads:
		w.leaders[e.Group] = node
	case Locked:
		w.held[fmt.Sprint(e.Range, e.ID, e.Attempt, node)] = 1
	case Unlocked:
		delete(w.held, fmt.Sprint(e.Range, e.ID, e.Attempt, node))
	}
}
func (w *world) Reached(_ nodes.ID, probe string)          { w.reached[probe]++ }
func (w *world) Log(_ time.Duration, _ nodes.ID, _ string) {}

var home = nodes.Member{ID: "c1", Region: "A", Zone: "A1"}

func newWorld(t *testing.T, bug string) *world {
	t.Helper()
	var top nodes.Topology
	for _, region := range []string{"A", "B", "C"} {
		for i := range 3 {
			top.Members = append(top.Members, nodes.Member{
				ID: nodes.ID(fmt.Sprintf("%c%d", region[0]+'a'-'A', i+1)), Region: region, Zone: fmt.Sprint(region, i+1),
			})
		}
	}
	w := &world{t: t, top: top, leaders: map[string]nodes.ID{}, held: map[string]int{}, reached: map[string]int{}}
	c, err := sim.Start(nodes.Spec{System: System(), Bug: bug, Topology: top, Seed: 1, Observer: w})
	if err != nil {
		t.Fatal(err)
	}
	w.c = c
	w.run(5 * time.Second)
	return w
}

func (w *world) run(d time.Duration) {
	w.t.Helper()
	if err := w.c.Run(w.c.Now() + d); err != nil {
		w.t.Fatal(err)
	}
}

// ask submits a program at a member; the reply, nil after silence, is there when answered is.
func (w *world) ask(at nodes.ID, wait time.Duration, ops ...Op) (reply *any, answered *bool) {
	w.number++
	reply, answered = new(any), new(bool)
	w.c.Call(home, at, Txn{Session: "c1", Number: w.number, Ops: ops}, wait, func(body any, _ bool) { *reply, *answered = body, true })
	return reply, answered
}

// read asks at each member in turn until one answers.
func (w *world) read(keys ...string) []Result {
	w.t.Helper()
	var ops []Op
	for _, k := range keys {
		ops = append(ops, Op{F: Read, Key: k})
	}
	for _, at := range []nodes.ID{"a1", "a2", "a3"} {
		reply, _ := w.ask(at, 2*time.Second, ops...)
		w.run(2 * time.Second)
		if ok, is := (*reply).(TxnOK); is {
			return ok.Results
		}
	}
	w.t.Fatalf("nobody answers a read of %v; leaders %v, locked %v, reached %v", keys, w.leaders, w.held, w.reached)
	return nil
}

// A transaction over two regions whose coordinator or a participant dies, at any moment, is done everywhere or nowhere;
// what was acknowledged is done; and no lock outlives the crash by more than T_res and an election.
func TestWhoeverDiesAtWhateverMomentATransactionIsWhole(t *testing.T) {
	ops := []Op{{F: Append, Key: "A1/l1", Value: 1}, {F: Append, Key: "C2/l1", Value: 2}}
	ctx := context.Background()
	for _, victim := range []string{"coordinator", "A1", "C2", "router", "coordinator and C2"} {
		done, undone := 0, 0
		for at := time.Millisecond; at < 280*time.Millisecond; at += 14 * time.Millisecond {
			for _, power := range []bool{false, true} {
				w := newWorld(t, "")
				reply, _ := w.ask("a1", time.Second, ops...)
				w.run(at)
				group := NewLayout(w.top).Home(&Txn{Session: "c1", Number: w.number, Ops: ops}).Name
				ids := map[string][]nodes.ID{
					"coordinator": {w.leaders[group]}, "A1": {w.leaders["A1"]}, "C2": {w.leaders["C2"]}, "router": {"a1"},
					"coordinator and C2": {w.leaders[group], w.leaders["C2"]},
				}[victim]
				slices.Sort(ids)
				ids = slices.Compact(ids)
				if power {
					must(t, w.c.PowerLoss(ctx, ids))
				} else {
					for _, id := range ids {
						must(t, w.c.Kill(ctx, id))
					}
				}
				w.run(4 * time.Second)
				for _, id := range ids {
					must(t, w.c.Boot(ctx, id))
				}
				w.run(4 * time.Second)
				_, acked := (*reply).(TxnOK)
				got := w.read("A1/l1", "C2/l1")
				both := len(got[0].List) == 1 && len(got[1].List) == 1
				none := len(got[0].List) == 0 && len(got[1].List) == 0
				if !both && !none || acked && !both {
					t.Errorf("%s dead at %v (power loss: %v), acknowledged %v: A1 has %v, C2 has %v", victim, at, power, acked, got[0].List, got[1].List)
				}
				if both {
					done++
				} else {
					undone++
				}
				w.run(time.Second)
				if len(w.held) > 0 {
					t.Errorf("%s dead at %v: still locked: %v", victim, at, w.held)
				}
			}
		}
		if done == 0 {
			t.Errorf("%s: the transaction never came through (%d times undone): nothing was tested", victim, undone)
		}
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
