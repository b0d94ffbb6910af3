package nemesis_test

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"faultlab/nemesis"
	"faultlab/nodes"
	"faultlab/nodes/cluster/sim"
)

// What a node under these faults is asked. What a client sees of each by itself is the matter of package labstest.
type (
	ask   struct{ Via nodes.ID } // answered with yes, by way of another member if one is named
	yes   struct{}
	note  struct{} // written and synced
	relay struct{ For nodes.ID }
	back  struct{ For nodes.ID }
)

type witness struct{}

func (witness) Start(nodes.Env) {}

func (witness) Receive(env nodes.Env, m nodes.Message) {
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
		env.Disk().Sync()
	}
}

func (witness) Wake(nodes.Env, string) {}

type deaf struct{}

func (deaf) Event(time.Duration, nodes.ID, any)  {}
func (deaf) Reached(nodes.ID, string)            {}
func (deaf) Log(time.Duration, nodes.ID, string) {}

type world struct {
	*sim.Cluster
	t *testing.T
}

func newWorld(t *testing.T) world {
	var members []nodes.Member
	for _, id := range []string{"a1", "a2", "a3", "b1", "b2"} {
		members = append(members, nodes.Member{ID: nodes.ID(id), Region: strings.ToUpper(id[:1]), Zone: id})
	}
	c, err := sim.Start(nodes.Spec{
		System: nodes.System{
			Name:   "witness",
			New:    func(string) nodes.Node { return witness{} },
			Bodies: []any{ask{}, yes{}, note{}, relay{}, back{}},
		},
		Topology: nodes.Topology{Members: members},
		Seed:     1,
		Observer: deaf{},
	})
	if err != nil {
		t.Fatal(err)
	}
	return world{c, t}
}

// sees is what a client sees: how many of ten requests each of some members answers, alone and by way of another.
func (w world) sees(ways ...string) string {
	var seen []string
	for _, way := range ways {
		to, via, _ := strings.Cut(way, ">")
		replies := 0
		for range 10 {
			w.Call(nodes.Member{ID: "c1", Region: "A", Zone: "a1"}, nodes.ID(to), ask{nodes.ID(via)}, time.Second, func(_ any, ok bool) {
				if ok {
					replies++
				}
			})
		}
		if err := w.Run(w.Now() + time.Second); err != nil {
			w.t.Fatal(err)
		}
		seen = append(seen, fmt.Sprintf("%s %d", way, replies))
	}
	return strings.Join(seen, ", ")
}

func TestAPauseOutlastsAKillInIt(t *testing.T) {
	w := newWorld(t)
	defer w.Close()
	fault := func(kind string, from, to time.Duration) nemesis.Fault {
		return nemesis.Fault{Kind: kind, At: from * time.Second, For: (to - from) * time.Second, Nodes: []nodes.ID{"a1"}}
	}
	s := nemesis.Schedule{fault("pause", 5, 15), fault("kill", 6, 7), fault("pause", 9, 17)}
	nemesis.Play(t.Context(), nemesis.Target{Cluster: w.Cluster, After: w.After, Now: w.Now}, s, 0, func(i int, win nemesis.Window) {
		if !win.Strike.Took || len(win.Strike.Down) != 1 {
			t.Errorf("fault %d: %+v", i, win)
		}
	})
	for _, c := range []struct {
		at   time.Duration
		want string
	}{{3, "a1 10"}, {8, "a1 0"}, {10, "a1 0"}, {15, "a1 0"}, {18, "a1 10"}} {
		w.Run(c.at * time.Second)
		if got := w.sees("a1"); got != c.want {
			t.Errorf("at %d s a client sees %s, not %s", c.at, got, c.want)
		}
	}
}

// A whole drawn schedule leaves a cluster that works as before.
func TestADrawnScheduleIsSurvived(t *testing.T) {
	for seed := range uint64(20) {
		w := newWorld(t)
		var g nemesis.Ground
		for _, id := range []string{"a1", "a2", "a3", "b1", "b2"} {
			g.Topology.Members = append(g.Topology.Members, nodes.Member{ID: nodes.ID(id), Region: strings.ToUpper(id[:1]), Zone: id})
		}
		var specs []string
		for _, k := range nemesis.Kinds {
			if k.Lacks == nil && k.Code[0] != 'W' { // a system that has no operations, and clients that cannot be harmed
				specs = append(specs, k.Name)
			}
		}
		s, skipped := nemesis.Draw(rand.New(rand.NewPCG(seed, 0)), g, specs, time.Minute, w.Cluster)
		if len(skipped) > 0 {
			t.Fatal(skipped)
		}
		for at := time.Duration(0); at < 65*time.Second; at += 250 * time.Millisecond { // so that disks have something to lose
			w.After(at, func() {
				for _, m := range g.Topology.Members {
					w.Call(nodes.Member{ID: "c2", Region: "A", Zone: "a1"}, m.ID, note{}, time.Second, func(any, bool) {})
				}
			})
		}
		windows := 0
		p := nemesis.Play(t.Context(), nemesis.Target{Cluster: w.Cluster, After: w.After, Now: w.Now}, s, 5*time.Second, func(i int, win nemesis.Window) {
			windows++
			if !win.Strike.Took || win.Start != 5*time.Second+s[i].At || win.End != win.Start+s[i].For {
				t.Errorf("%v: %+v", s[i], win)
			}
		})
		w.Run(65 * time.Second)
		if err := p.HealAll(t.Context()); err != nil || windows != len(s) {
			t.Fatalf("%d windows of %d faults: %v", windows, len(s), err)
		}
		w.Run(70 * time.Second)
		if got := w.sees("a1", "a1>a2", "a2>a3", "a3>b1", "b1>b2", "b2>a1"); got != "a1 10, a1>a2 10, a2>a3 10, a3>b1 10, b1>b2 10, b2>a1 10" {
			t.Errorf("seed %d: after %v a client sees %s", seed, s, got)
		}
		w.Close()
	}
}
