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

// What a node under these faults is asked, and what it answers.
type (
	ask  struct{ Via nodes.ID } // answered with yes, by way of another member if one is named
	yes  struct{}
	note struct{ Sync bool } // noted on the disk, and answered with yes when it is there
	read struct{}            // answered with told
	told struct {
		Notes int
		Clock time.Duration
		Life  int // how many messages it has had since its last boot
		Boot  string
		Err   bool // what was read at boot was damaged
	}
	relay struct{ For nodes.ID }
	back  struct{ For nodes.ID }
)

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
		env.Send(m.From, told{Notes: n.notes, Clock: time.Duration(env.Now().UnixNano()), Life: n.life, Boot: env.Boot().String(), Err: n.damaged})
	}
}

func (*witness) Wake(nodes.Env, string) {}

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
			New:    func(string) nodes.Node { return &witness{} },
			Bodies: []any{ask{}, yes{}, note{}, read{}, told{}, relay{}, back{}},
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

// ask asks ten times at once and returns how many replies came within a second, and the last.
func (w world) ask(to nodes.ID, body any) (replies int, last any) {
	for range 10 {
		w.Call(nodes.Member{ID: "c1", Region: "A", Zone: "a1"}, to, body, time.Second, func(reply any, ok bool) {
			if ok {
				replies++
				last = reply
			}
		})
	}
	if err := w.Run(w.Now() + time.Second); err != nil {
		w.t.Fatal(err)
	}
	return replies, last
}

// sees is what a client sees: how many of ten requests each of some members answers, alone and by way of another.
func (w world) sees(ways ...string) string {
	var seen []string
	for _, way := range ways {
		to, via, _ := strings.Cut(way, ">")
		n, _ := w.ask(nodes.ID(to), ask{nodes.ID(via)})
		seen = append(seen, fmt.Sprintf("%s %d", way, n))
	}
	return strings.Join(seen, ", ")
}

func links(ends ...string) (links []nodes.Link) {
	for _, l := range ends {
		from, to, _ := strings.Cut(l, ">")
		links = append(links, nodes.Link{From: nodes.ID(from), To: nodes.ID(to)})
	}
	return links
}

func (w world) play(f nemesis.Fault) *nemesis.Player {
	f.For = time.Hour
	p := nemesis.Play(w.t.Context(), nemesis.Target{Cluster: w.Cluster, After: w.After, Now: w.Now}, nemesis.Schedule{f}, w.Now(), func(_ int, win nemesis.Window) {
		if !win.Strike.Took {
			w.t.Errorf("%v never took: %s", f, win.Strike.Why)
		}
	})
	if err := w.Run(w.Now() + time.Millisecond); err != nil {
		w.t.Fatal(err)
	}
	return p
}

func TestAClientSeesTheFaultAndItsEnd(t *testing.T) {
	ways := []string{"a1", "b1", "a1>a2", "a2>a1", "a2>a3", "a2>b1"}
	const calm = "a1 10, b1 10, a1>a2 10, a2>a1 10, a2>a3 10, a2>b1 10"
	for _, c := range []struct {
		name string
		f    nemesis.Fault
		want string
	}{
		{"a region cut off serves those in it", nemesis.Fault{Kind: "partition", Links: links("a1>b1", "a2>b1", "a3>b1", "b1>a1", "b1>a2", "b1>a3")},
			"a1 10, b1 10, a1>a2 10, a2>a1 10, a2>a3 10, a2>b1 0"},
		{"a link cut one way stops what goes there and back", nemesis.Fault{Kind: "partition", Links: links("a1>a2")},
			"a1 10, b1 10, a1>a2 0, a2>a1 0, a2>a3 10, a2>b1 10"},
		{"a killed node is silent", nemesis.Fault{Kind: "kill", Nodes: []nodes.ID{"a1"}},
			"a1 0, b1 10, a1>a2 0, a2>a1 0, a2>a3 10, a2>b1 10"},
		{"so is one without power", nemesis.Fault{Kind: "power-loss", Nodes: []nodes.ID{"a1", "b1"}},
			"a1 0, b1 0, a1>a2 0, a2>a1 0, a2>a3 10, a2>b1 0"},
		{"and one that is paused", nemesis.Fault{Kind: "pause", Nodes: []nodes.ID{"b1"}},
			"a1 10, b1 0, a1>a2 10, a2>a1 10, a2>a3 10, a2>b1 0"},
		{"a slow link makes replies late", nemesis.Fault{Kind: "slow", Links: links("a2>a3"), Quality: &nodes.Quality{Delay: 2 * time.Second}},
			"a1 10, b1 10, a1>a2 10, a2>a1 10, a2>a3 0, a2>b1 10"},
		{"lost requests get no reply", nemesis.Fault{Kind: "loss", Links: links("clients>b1"), Quality: &nodes.Quality{LossPerMille: 1000}},
			"a1 10, b1 0, a1>a2 10, a2>a1 10, a2>a3 10, a2>b1 10"},
		{"nor do those whose reply is lost", nemesis.Fault{Kind: "lost-reply", Links: links("a1>clients")},
			"a1 0, b1 10, a1>a2 0, a2>a1 10, a2>a3 10, a2>b1 10"},
		{"reordering loses nothing", nemesis.Fault{Kind: "reorder", Links: links("a1>a2", "a2>a1"), Quality: &nodes.Quality{ReorderPerMille: 500, DuplicatePerMille: 500}}, calm},
		{"nor does duplicating", nemesis.Fault{Kind: "duplicate", Links: links("a1>a2", "a2>a1"), Quality: &nodes.Quality{DuplicatePerMille: 1000}}, calm},
		{"what was corrupted on its way never arrives", nemesis.Fault{Kind: "corrupt", Links: links("a2>a3"), Quality: &nodes.Quality{CorruptPerMille: 1000}},
			"a1 10, b1 10, a1>a2 10, a2>a1 10, a2>a3 0, a2>b1 10"},
		{"a clogged link carries nothing", nemesis.Fault{Kind: "clog", Links: links("a2>a3"), Quality: &nodes.Quality{Hold: true}},
			"a1 10, b1 10, a1>a2 10, a2>a1 10, a2>a3 0, a2>b1 10"},
		{"all restart at once, and are there again", nemesis.Fault{Kind: "restart-all", Form: "at-once", Nodes: []nodes.ID{"a1", "a2", "a3", "b1", "b2"}},
			"a1 0, b1 10, a1>a2 10, a2>a1 10, a2>a3 10, a2>b1 10"},
		{"an upgrade takes one after another", nemesis.Fault{Kind: "upgrade", Nodes: []nodes.ID{"b1", "a1"}}, calm},
		{"a node without its disk is silent", nemesis.Fault{Kind: "wipe", Nodes: []nodes.ID{"a1"}},
			"a1 0, b1 10, a1>a2 0, a2>a1 0, a2>a3 10, a2>b1 10"},
		{"a slow disk delays nobody who does not write", nemesis.Fault{Kind: "disk", Nodes: []nodes.ID{"a1"}, Damage: &nodes.Damage{Form: nodes.SlowFsync, Delay: 2 * time.Second}}, calm},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t)
			defer w.Close()
			if got := w.sees(ways...); got != calm {
				t.Errorf("before it: %s", got)
			}
			p := w.play(c.f)
			if got := w.sees(ways...); got != c.want {
				t.Errorf("under it: %s\nwant %s", got, c.want)
			}
			if err := p.HealAll(t.Context()); err != nil {
				t.Fatal(err)
			}
			w.Run(w.Now() + 3*time.Second)
			if got := w.sees(ways...); got != calm {
				t.Errorf("after it: %s", got)
			}
		})
	}
}

func TestAReplyIsLostAndTheWorkIsDone(t *testing.T) {
	w := newWorld(t)
	defer w.Close()
	p := w.play(nemesis.Fault{Kind: "lost-reply", Links: links("a1>clients")})
	n, _ := w.ask("a1", note{Sync: true})
	p.HealAll(t.Context())
	if _, last := w.ask("a1", read{}); n != 0 || last.(told).Notes != 10 {
		t.Errorf("%d replies, then %+v", n, last)
	}
}

func TestWhatAClogHeldBackArrivesAtItsEnd(t *testing.T) {
	w := newWorld(t)
	defer w.Close()
	p := w.play(nemesis.Fault{Kind: "clog", Links: links("a1>a2"), Quality: &nodes.Quality{Hold: true}})
	n, _ := w.ask("a1", ask{"a2"})
	_, before := w.ask("a2", read{})
	p.HealAll(t.Context())
	w.Run(w.Now() + time.Second)
	if _, after := w.ask("a2", read{}); n != 0 || before.(told).Life > 10 || after.(told).Life < 10+10+8 {
		t.Errorf("%d replies; a2 had %+v before the end and %+v after it", n, before, after)
	}
}

// What a node reads when it boots after each thing that can befall its disk: 20 notes, a second apart by tens.
func TestADiskTellsWhatItLost(t *testing.T) {
	damage := func(form nodes.DamageForm, seed uint64) nemesis.Fault {
		return nemesis.Fault{Kind: "disk", Damage: &nodes.Damage{Form: form, Seed: seed}}
	}
	for name, c := range map[string]struct {
		f    nemesis.Fault
		want func(told) bool
	}{
		"kill":      {nemesis.Fault{Kind: "kill"}, func(got told) bool { return got.Notes == 30 && !got.Err && got.Boot == "restart" }},
		"wipe":      {nemesis.Fault{Kind: "wipe"}, func(got told) bool { return got.Notes == 0 && !got.Err && got.Boot == "replaced" }},
		"bit-flip":  {damage(nodes.BitFlip, 3), func(got told) bool { return got.Notes < 30 && got.Err && got.Boot == "restart" }},
		"torn":      {damage(nodes.Torn, 3), func(got told) bool { return got.Notes == 29 && got.Err }},
		"truncate":  {damage(nodes.Truncate, 3), func(got told) bool { return got.Notes < 30 && got.Err }},
		"misdirect": {damage(nodes.Misdirect, 3), func(got told) bool { return got.Notes < 30 && got.Err }},
		"rollback":  {damage(nodes.Rollback, 3), func(got told) bool { return got.Notes < 30 && got.Notes%10 == 1 && got.Err }},
	} {
		w := newWorld(t)
		for range 3 {
			w.ask("a1", note{Sync: true})
			w.Run(w.Now() + time.Second)
		}
		c.f.Nodes = []nodes.ID{"a1"}
		p := w.play(c.f)
		if n, _ := w.ask("a1", read{}); n != 0 {
			t.Errorf("%s: a1 answers while its disk is being harmed", name)
		}
		p.HealAll(t.Context())
		if _, last := w.ask("a1", read{}); last == nil || !c.want(last.(told)) {
			t.Errorf("after %s: %+v", name, last)
		}
		w.Close()
	}
}

func TestADiskThatFailsItsSyncsStopsTheNode(t *testing.T) {
	for _, form := range []nodes.DamageForm{nodes.Full, nodes.FailedFsync} {
		w := newWorld(t)
		w.ask("a1", note{Sync: true})
		p := w.play(nemesis.Fault{Kind: "disk", Nodes: []nodes.ID{"a1"}, Damage: &nodes.Damage{Form: form}})
		reads, _ := w.ask("a1", read{})
		notes, _ := w.ask("a1", note{Sync: true})
		after, _ := w.ask("a1", read{})
		if reads != 10 || notes != 0 || after != 0 {
			t.Errorf("%s: %d reads, then %d notes acknowledged, then %d reads", form, reads, notes, after)
		}
		p.HealAll(t.Context())
		_, last := w.ask("a1", read{})
		if got, _ := last.(told); got.Notes < 10 || got.Err {
			t.Errorf("after %s: %+v", form, last)
		}
		w.Close()
	}
}

func TestASlowDiskMakesWhatIsSyncedLate(t *testing.T) {
	w := newWorld(t)
	defer w.Close()
	p := w.play(nemesis.Fault{Kind: "disk", Nodes: []nodes.ID{"a1"}, Damage: &nodes.Damage{Form: nodes.SlowFsync, Delay: 2 * time.Second}})
	slow, _ := w.ask("a1", note{Sync: true})
	p.HealAll(t.Context())
	w.Run(w.Now() + 5*time.Second)
	if fast, _ := w.ask("a1", note{Sync: true}); slow != 0 || fast != 10 {
		t.Errorf("%d notes within a second while it is slow, %d when it is healed", slow, fast)
	}
}

func TestAKillKeepsWhatPowerLossTakes(t *testing.T) {
	for kind, want := range map[string]func(notes int) bool{
		"kill":       func(notes int) bool { return notes == 20 },
		"power-loss": func(notes int) bool { return notes >= 10 && notes < 20 },
		"pause":      func(notes int) bool { return notes == 20 },
	} {
		w := newWorld(t)
		w.ask("a1", note{Sync: true})
		w.ask("a1", note{})
		p := w.play(nemesis.Fault{Kind: kind, Nodes: []nodes.ID{"a1"}})
		p.HealAll(t.Context())
		_, last := w.ask("a1", read{})
		got, _ := last.(told)
		if !want(got.Notes) || (got.Life > 20) != (kind == "pause") {
			t.Errorf("after %s of 10 synced notes and 10 others: %+v", kind, got)
		}
		w.Close()
	}
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

func TestAClockIsWrongUntilItIsHealed(t *testing.T) {
	for _, c := range []struct {
		f    nemesis.Fault
		want time.Duration // how far ahead after 100 s
	}{
		{nemesis.Fault{Form: "jump", Offset: -time.Minute}, -time.Minute},
		{nemesis.Fault{Form: "drift", DriftPPM: 10_000}, time.Second},
		{nemesis.Fault{Form: "strobe", Offset: time.Minute, Every: 4 * time.Second}, time.Minute}, // 100 s is 25 of them, and the next begins with a leap
	} {
		w := newWorld(t)
		ahead := func() time.Duration {
			_, a := w.ask("a1", read{})
			_, b := w.ask("a2", read{})
			return (a.(told).Clock - b.(told).Clock + time.Second).Round(500 * time.Millisecond)
		}
		c.f.Kind, c.f.Nodes = "clock", []nodes.ID{"a1"}
		p := w.play(c.f)
		w.Run(w.Now() + 100*time.Second)
		if got := ahead(); got != c.want {
			t.Errorf("%v: %v ahead, not %v", c.f, got, c.want)
		}
		p.HealAll(t.Context())
		if got := ahead(); got != 0 {
			t.Errorf("%v: %v ahead when healed", c.f, got)
		}
		w.Close()
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
					w.Call(nodes.Member{ID: "c2", Region: "A", Zone: "a1"}, m.ID, note{Sync: true}, time.Second, func(any, bool) {})
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
