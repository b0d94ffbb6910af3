package nemesis

import (
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"faultlab/nodes"
)

func TestASpecIsAKindOrAKindWithAForm(t *testing.T) {
	for _, c := range []struct{ spec, kind, form, err string }{
		{spec: "partition", kind: "partition"},
		{spec: "power-loss:minority", kind: "power-loss", form: "minority"},
		{spec: "meteor", err: `"meteor" is no fault: use one of ` + strings.Join(names(), ", ")},
		{spec: "pause:all", err: `pause has no form "all": use one of one, minority, leader, role`},
		{spec: "pause:", err: `pause has no form "": use one of one, minority, leader, role`},
		{spec: "slow:delay=200ms", kind: "slow"},
		{spec: "slow:region:delay=200ms:for=4s", kind: "slow", form: "region"},
		{spec: "ops:split", kind: "ops", form: "split"},
		{spec: "ops:", err: `ops has no form "": use one of the lab's operations`},
		{spec: "slow:delay=4", err: `slow:delay=4: delay takes a duration, as 200ms or 4s`},
		{spec: "slow:for=-4s", err: `slow:for=-4s: for takes a duration, as 200ms or 4s`},
		{spec: "loss:per-mille=1001", err: `loss:per-mille=1001: per-mille takes a share of a thousand, 1 to 1000`},
		{spec: "loss:colour=red", err: `loss has no option "colour": use one of per-mille, for, hard`},
		{spec: "kill:one:hard", err: `kill:hard: after its form a fault takes options, as for=4s: there are for, hard`},
		{spec: "clock:drift=0", err: `clock:drift=0: drift takes parts per million, as 5000 or -5000`},
		{spec: "upgrade:bin=", err: `upgrade:bin=: bin takes the path of a program`},
	} {
		k, form, err := Parse(c.spec)
		got := ""
		if err != nil {
			got = err.Error()
		}
		if k.Name != c.kind || form != c.form || got != c.err {
			t.Errorf("Parse(%q) = %q, %q, %q", c.spec, k.Name, form, got)
		}
	}
	f := Fault{Kind: "kill", Form: "all"}
	if !f.Is("kill") || !f.Is("kill:all") || f.Is("kill:one") || f.Is("pause") {
		t.Error("a fault is of its kind and its form, and of no other")
	}
}

// Every form of every kind: it is drawn, it is valid, it strikes, and healing leaves nothing behind, at whatever moment.
func TestEveryFormStrikesAndHealsWithoutTrace(t *testing.T) {
	g := nine()
	for _, k := range Kinds {
		forms := k.Forms
		if k.Open {
			forms = g.operations(k.Name)
		}
		for _, form := range forms {
			for seed := range uint64(30) {
				r := rand.New(rand.NewPCG(seed, 0))
				f := k.Draw(r, g, form)
				f.At, f.For = time.Second, 5*time.Second
				wild := g
				wild.Beyond = true // some of the forms are
				if err := (Schedule{f}).Validate(wild, time.Minute); err != nil || f.Form != form {
					t.Fatalf("%s:%s drawn as %v: %v", k.Name, form, f, err)
				}
				c := newFake()
				c.roles = map[string][]nodes.ID{"leader of A1": {"a2"}, "leader of B1": {"b3"}, "coordinator": {"c1"}}
				var got []Window
				p := Play(t.Context(), c.target(), Schedule{f}, 0, func(_ int, w Window) { got = append(got, w) })
				c.run(time.Second + uniform(r, 0, 4*time.Second))
				if len(c.lines) == 0 {
					t.Fatalf("%v did nothing", f)
				}
				if seed%2 == 0 {
					c.run(10 * time.Second)
				}
				if err := p.HealAll(t.Context()); err != nil || len(got) != 1 || !got[0].Strike.Took || got[0].Start != time.Second || seed%2 == 0 && got[0].End != 6*time.Second {
					t.Fatalf("%v was %+v, %v", f, got, err)
				}
				c.run(20 * time.Second)
				if left := c.harmless(); left != "" {
					t.Fatalf("%v left %s", f, left)
				}
			}
		}
	}
}

func TestAFormThatTheGroundHasNoPlaceForIsNotDrawn(t *testing.T) {
	lone := Ground{Beyond: true, Topology: nodes.Topology{Members: []nodes.Member{{ID: "n1", Region: "A", Zone: "A"}}}}
	for _, k := range Kinds {
		for _, form := range append([]string{""}, k.Forms...) {
			f := k.Draw(rand.New(rand.NewPCG(1, 1)), lone, form)
			if f.Kind == "" {
				continue
			}
			f.For = 1
			if err := (Schedule{f}).Validate(lone, time.Minute); err != nil {
				t.Errorf("%s:%s on a single node: %v", k.Name, form, err)
			}
		}
	}
	for _, spec := range []string{"partition", "kill:minority", "kill:leader", "pause:role", "slow:region", "lost-reply:link"} {
		k, form, _ := Parse(spec)
		if f := k.Draw(rand.New(rand.NewPCG(1, 1)), lone, form); f.Kind != "" {
			t.Errorf("%s on a single node: %v", spec, f)
		}
	}
}

// What each form of a partition leaves of the cluster, by what the members see.
func TestPartitionsCutWhatTheirFormSays(t *testing.T) {
	g := nine()
	for form, holds := range map[string]func(f Fault, sees map[nodes.ID][]nodes.ID) bool{
		"halves": func(f Fault, sees map[nodes.ID][]nodes.ID) bool {
			return len(f.Nodes) == 4 && alike(sees, f.Nodes, f.Nodes) && alike(sees, others(g, f.Nodes), others(g, f.Nodes))
		},
		"one-node": func(f Fault, sees map[nodes.ID][]nodes.ID) bool {
			return len(f.Nodes) == 1 && alike(sees, f.Nodes, f.Nodes)
		},
		"minority": func(f Fault, _ map[nodes.ID][]nodes.ID) bool {
			for _, group := range g.Groups {
				if len(only(group, func(id nodes.ID) bool { return slices.Contains(f.Nodes, id) })) > 1 {
					return false
				}
			}
			return len(f.Nodes) == 3
		},
		"majorities-ring": func(f Fault, sees map[nodes.ID][]nodes.ID) bool {
			for i, a := range f.Nodes {
				for _, b := range f.Nodes[:i] {
					if slices.Equal(sees[a], sees[b]) {
						return false
					}
				}
				if len(sees[a]) != 5 {
					return false
				}
			}
			return true
		},
		"bridge": func(f Fault, sees map[nodes.ID][]nodes.ID) bool {
			return len(f.Nodes) == 1 && len(sees[f.Nodes[0]]) == 9 && len(f.Links) == 2*4*4
		},
		"region": func(f Fault, sees map[nodes.ID][]nodes.ID) bool {
			region := g.Topology.In(f.Aim)
			return slices.Equal(f.Nodes, region) && alike(sees, region, region) && alike(sees, others(g, region), others(g, region))
		},
		"one-way": func(f Fault, _ map[nodes.ID][]nodes.ID) bool {
			return !slices.ContainsFunc(f.Links, func(l nodes.Link) bool { return slices.Contains(f.Links, nodes.Link{From: l.To, To: l.From}) })
		},
		"link":     func(f Fault, _ map[nodes.ID][]nodes.ID) bool { return len(f.Links) == 2 && len(f.Nodes) == 2 },
		"flapping": func(f Fault, _ map[nodes.ID][]nodes.ID) bool { return f.Every >= 400*time.Millisecond },
		"leader":   func(f Fault, _ map[nodes.ID][]nodes.ID) bool { return len(f.Links) == 72 && f.Role != "coordinator" },
	} {
		for seed := range uint64(50) {
			f := partition.Draw(rand.New(rand.NewPCG(seed, 0)), g, form)
			sees := map[nodes.ID][]nodes.ID{}
			for _, a := range g.Topology.IDs() {
				sees[a] = only(g.Topology.IDs(), func(b nodes.ID) bool { return !slices.Contains(f.Links, nodes.Link{From: a, To: b}) })
			}
			clients := slices.ContainsFunc(f.Links, func(l nodes.Link) bool { return l.From == nodes.Clients || l.To == nodes.Clients })
			if len(f.Links) == 0 || clients || !holds(f, sees) {
				t.Fatalf("%s drew %v with links %v", form, f, f.Links)
			}
		}
	}
}

// alike says whether all these members see exactly those.
func alike(sees map[nodes.ID][]nodes.ID, these, those []nodes.ID) bool {
	return !slices.ContainsFunc(these, func(id nodes.ID) bool { return !slices.Equal(sees[id], those) })
}

func TestAMinorityIsWhatEveryGroupCanLose(t *testing.T) {
	six := Ground{Topology: nodes.Topology{Members: nine().Topology.Members[:6]}}
	for seed := range uint64(50) {
		r := rand.New(rand.NewPCG(seed, 0))
		if f := minority(r, six); len(f.Nodes) != 2 {
			t.Fatalf("of six in one group: %v", f.Nodes)
		}
		if f := minority(r, nine()); stranded(nine().Groups[0], []Fault{f}) > 1 || stranded(nine().Groups[3], []Fault{f}) > 1 {
			t.Fatalf("of nine in four groups: %v", f.Nodes)
		}
	}
}

// A bare Inject, without Play, does the same.
func TestAFaultIsInjectedAloneToo(t *testing.T) {
	c := newFake()
	heal, w, err := kill.Inject(t.Context(), c.target(), Fault{Kind: "kill", Nodes: []nodes.ID{"a1"}})
	if err != nil || !w.Took || !c.down["a1"] {
		t.Fatal(w, err)
	}
	for range 2 {
		if err := heal(t.Context()); err != nil || c.harmless() != "" {
			t.Errorf("healing twice is the same as once: %v, %s", err, c.harmless())
		}
	}
}

// Who is in no group stands outside of all zones that are hit: a gateway at the edge of a cloud.
func TestAZoneIsTheMembersOfGroupsThatStandInIt(t *testing.T) {
	g := Ground{Topology: nodes.Topology{Members: []nodes.Member{
		{ID: "l1", Region: "A", Zone: "x"}, {ID: "l2", Region: "B", Zone: "x"}, {ID: "l3", Region: "B", Zone: "y"}, {ID: "l4", Region: "C", Zone: "y"},
		{ID: "gate", Region: "A", Zone: "x"}, {ID: "other", Region: "C", Zone: "edge"},
	}}, Groups: [][]nodes.ID{{"l1", "l2", "l3", "l4"}}}
	for seed := range uint64(20) {
		f := partition.Draw(rand.New(rand.NewPCG(seed, 0)), g, "zone")
		if want := map[string][]nodes.ID{"x": {"l1", "l2"}, "y": {"l3", "l4"}}[f.Aim]; !slices.Equal(f.Nodes, want) || len(f.Links) != 2*2*4 {
			t.Fatalf("zone %q drew %v with links %v", f.Aim, f.Nodes, f.Links)
		}
		if f := partition.Draw(rand.New(rand.NewPCG(seed, 0)), g, ""); f.Form == "zone" {
			t.Fatal("it was drawn without being asked for")
		}
	}
}
