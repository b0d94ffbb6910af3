package nemesis

import (
	"bytes"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"faultlab/nodes"
)

func TestAFaultPrintsAsAPersonSaysIt(t *testing.T) {
	link := between(ids("a1"), ids("a2"))
	for want, f := range map[string]Fault{
		"3.2s partition region C for 8s":                           {Kind: "partition", Form: "region", Aim: "C", Nodes: ids("c1 c2 c3"), At: 3210 * time.Millisecond, For: 8 * second},
		"1m2s kill leader of A1 for 500ms":                         {Kind: "kill", Form: "leader", Role: "leader of A1", At: 62 * second, For: 500 * time.Millisecond},
		"0s kill leader of A1 (a2) for 1s":                         {Kind: "kill", Form: "leader", Role: "leader of A1", Nodes: ids("a2"), For: second},
		"0s pause minority a1 b2 for 4s":                           {Kind: "pause", Form: "minority", Nodes: ids("a1 b2"), For: 4 * second},
		"0s loss from a1 to a2 losing 50‰ for 1s":                  {Kind: "loss", Links: link, Quality: &nodes.Quality{LossPerMille: 50}, For: second},
		"0s slow one a1 by 100ms to 150ms for 1s":                  {Kind: "slow", Form: "one", Nodes: ids("a1"), Links: link, Quality: &nodes.Quality{Delay: 100 * time.Millisecond, Jitter: 50 * time.Millisecond}, For: second},
		"0s clock strobe a1 by -2s by +300 ppm every 200ms for 1s": {Kind: "clock", Form: "strobe", Nodes: ids("a1"), Offset: -2 * second, DriftPPM: 300, Every: 200 * time.Millisecond, For: second},
		"0s partition halves a1 b2 | a2 b1 for 1s":                 {Kind: "partition", Form: "halves", Nodes: ids("a1 b2"), Aim: "a1 b2 | a2 b1", For: second},
		"0s reorder 2 links duplicating 10‰ reordering 20‰ for 1s": {Kind: "reorder", Links: append(link, link...), Quality: &nodes.Quality{DuplicatePerMille: 10, ReorderPerMille: 20}, For: second},
		"2.6s partition flapping A every 1.2s for 3s":              {Kind: "partition", Form: "flapping", Aim: "A", Every: 1234 * time.Millisecond, At: 2600 * time.Millisecond, For: 3 * second},
		"0s power-loss all nodes for 2.5s":                         {Kind: "power-loss", Form: "all", Aim: "nodes", Nodes: ids("a1 a2"), For: 2500 * time.Millisecond},
		"0s lost-reply link from a1 to a2 for 1s":                  {Kind: "lost-reply", Form: "link", Links: link, Quality: &nodes.Quality{Cut: true}, For: second},
		"0s partition leader of B1 for 1s":                         {Kind: "partition", Form: "leader", Role: "leader of B1", Links: link, For: second},
		"0s clock jump a1 by +1m4s for 1s":                         {Kind: "clock", Form: "jump", Nodes: ids("a1"), Offset: 64 * second, For: second},
	} {
		if got := f.String(); got != want {
			t.Errorf("%q, not %q", got, want)
		}
	}
}

func TestAPlanIsReadAsItWasWritten(t *testing.T) {
	for seed := range uint64(20) {
		s := drawn(seed, names(), time.Minute)
		var file bytes.Buffer
		if err := WritePlan(&file, s); err != nil {
			t.Fatal(err)
		}
		back, err := ReadPlan(&file)
		if err != nil || !reflect.DeepEqual(s, back) {
			t.Fatalf("%v became %v (%v)", s, back, err)
		}
	}
	var empty bytes.Buffer
	WritePlan(&empty, nil)
	if s, err := ReadPlan(&empty); err != nil || s == nil || len(s) != 0 {
		t.Errorf("a plan of no faults became %v, %v", s, err)
	}
}

func TestAPlanInYAMLIsReadAsItWasWritten(t *testing.T) {
	for seed := range uint64(50) {
		s := drawn(seed, names(), time.Minute)
		var b bytes.Buffer
		if err := WriteYAML(&b, s); err != nil {
			t.Fatal(err)
		}
		back, err := ReadPlan(bytes.NewReader(b.Bytes()))
		if err != nil || !reflect.DeepEqual(s, back) {
			t.Fatalf("seed %d: %v\n%s\n%v\n%v", seed, err, &b, s, back)
		}
	}
	var b bytes.Buffer
	if err := WriteYAML(&b, Schedule{{Kind: "slow", Form: "link", At: 5 * second, For: 2500 * time.Millisecond, Nodes: ids("a1 b1"),
		Links: between(ids("a1"), ids("b1")), Quality: &nodes.Quality{Delay: 200 * time.Millisecond}}}); err != nil {
		t.Fatal(err)
	}
	const want = `format: 1
faults:
  - kind: slow
    form: link
    at: 5s
    for: 2.5s
    nodes: [a1, b1]
    links: [a1>b1]
    quality: {delay: 200ms}
`
	if b.String() != want {
		t.Errorf("written as\n%s", &b)
	}
}

func TestAFileThatIsNoPlanIsRefusedByNameAndPlace(t *testing.T) {
	for text, want := range map[string]string{
		"": ":1:1: it is empty: a plan begins with format: 1",
		"format: 1\nfaults:\n- kind: kill\n  when: 3s\n":            ":4:3: \"when\": a fault has no such member: use one of kind, form, at, for, nodes, role, wait, aim, group, links, quality, every, offset, drift_ppm, damage, bin",
		"format: 1\nfaults:\n- {kind: kill, at: soon}\n":            ":3:20: \"soon\": a duration is written as 200ms or 2.5s",
		"format: 1\nfaults:\n- {kind: kill, kind: pause}\n":         ":3:16: \"kind\": this member is there twice",
		"format: 1\nfaults:\n- {kind: slow, links: [a1-b1]}\n":      ":3:24: \"a1-b1\": a link is written as a1>b1",
		"format: 1\nfaults:\n- {kind: slow, quality: {delay: 1}}\n": ":3:33: \"1\": a duration is written as 200ms or 2.5s",
		"format: 1\nfaults: kill\n":                                 ":2:9: \"kill\": a list belongs here",
		"format: 1\nfaults: []\n---\nformat: 1\n":                   ":3:1: something follows the plan: a file holds one",
		"format: 2\n":                                        `: "format" is 2: this program reads 1`,
		strings.Repeat("word ", 1000):                        `:1:1: "` + strings.Repeat("word ", 12) + `...": a plan is a mapping`,
		"- kill\n":                                           ":1:1: a plan is a mapping",
		"format: 1\nfaults:\n  - kind: [\n":                  ":3:1: did not find expected node content",
		"{\"format\":1,\n\"faults\":[":                       ":2:10: it ends in the middle of a plan",
		"{\"format\":1,\n\"faults\":[}":                      ":2:11: invalid character '}' looking for beginning of value",
		"{\"format\":1,\n\n\"faults\":[{\"at_ns\":\"3s\"}]}": ":3:23: faults.at_ns is a string, where a time.Duration belongs",
		"{\"format\":1,\n\"faults\":[{\"when\":3}]}":         `:2:22: unknown field "when"`,
		`{"format":2,"faults":[]}`:                           `: "format" is 2: this program reads 1`,
		`{"faults":[]}`:                                      `: "format" is 0: this program reads 1`,
		"{\"format\":1,\"faults\":[]}\n{}":                   ":1:24: something follows the plan: a file holds one",
	} {
		name := filepath.Join(t.TempDir(), "plan.json")
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		f, err := os.Open(name)
		if err != nil {
			t.Fatal(err)
		}
		_, err = ReadPlan(f)
		f.Close()
		if err == nil || err.Error() != name+want {
			t.Errorf("%q: %v, not %s", text, err, want)
		}
	}
}

func TestAFaultThatCouldNotBeDoneIsRefusedInASentence(t *testing.T) {
	link := between(ids("a1"), ids("a2"))
	for _, c := range []struct {
		f    Fault
		want string
	}{
		{Fault{Kind: "meteor", For: second}, `"meteor" is no fault: use one of partition,`},
		{Fault{Kind: "kill", Form: "halves", For: second}, `kill has no form "halves": use one of one,`},
		{Fault{Kind: "kill", For: second}, `hits nobody: give it "nodes" or a "role"`},
		{Fault{Kind: "kill", For: second, Nodes: ids("a1 z9")}, `there is no node "z9": use one of [a1 a2`},
		{Fault{Kind: "kill", For: second, Nodes: ids("clients")}, `there is no node "clients"`},
		{Fault{Kind: "kill", For: second, Role: "king"}, `there is no role "king": use one of [leader of A1, leader of B1, coordinator]`},
		{Fault{Kind: "kill", Nodes: ids("a1")}, `for_ns must be more than 0`},
		{Fault{Kind: "kill", At: 55 * second, For: 10 * second, Nodes: ids("a1")}, `it lasts 10s from 55s on, which is beyond the 1m0s of the safety phase`},
		{Fault{Kind: "partition", For: second}, `harms no link: give it "links"`},
		{Fault{Kind: "partition", Form: "flapping", Links: link, For: second}, `has no rhythm`},
		{Fault{Kind: "partition", Links: link, For: second, Quality: &nodes.Quality{Delay: 1}}, `cuts nothing`},
		{Fault{Kind: "slow", Links: link, For: second}, `slows nothing`},
		{Fault{Kind: "loss", Links: link, For: second}, `loses nothing`},
		{Fault{Kind: "loss", Links: link, For: second, Quality: &nodes.Quality{LossPerMille: 1001}}, `1001 per mille is no share`},
		{Fault{Kind: "lost-reply", Links: link, For: second, Quality: &nodes.Quality{Delay: 1}}, `loses nothing`},
		{Fault{Kind: "reorder", Links: link, For: second, Quality: &nodes.Quality{Delay: -1}}, `a delay may not be negative`},
		{Fault{Kind: "reorder", Links: link, For: second}, `reorders nothing`},
		{Fault{Kind: "clock", Nodes: ids("a1"), For: second}, `leaves the clock as it is`},
		{Fault{Kind: "clock", Nodes: ids("a1"), For: second, DriftPPM: -1_000_000}, `stops the clock`},
		{Fault{Kind: "clock", Form: "strobe", Nodes: ids("a1"), For: second, Offset: 1}, `has no rhythm`},
		{Fault{Kind: "clock", Form: "strobe", Nodes: ids("a1"), For: second, Offset: 1, Every: 1}, `every_ns is 1ns: use 10ms or more`},
		{Fault{Kind: "partition", Form: "flapping", Links: link, For: second, Every: 9 * time.Millisecond}, `every_ns is 9ms: use 10ms or more`},
		{Fault{Kind: "clock", Nodes: ids("a1"), For: second, DriftPPM: 1_000_000_001}, `is too fast for a clock`},
	} {
		err := (Schedule{{Kind: "kill", For: second, Nodes: ids("a1")}, c.f}).Validate(nine(), time.Minute)
		if err == nil || !strings.HasPrefix(err.Error(), "fault 2, ") || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%v: %v", c.f, err)
		}
	}
	late := Schedule{{Kind: "kill", At: second, For: second, Nodes: ids("a1")}, {Kind: "kill", For: second, Nodes: ids("a1")}}
	if err := late.Validate(nine(), time.Minute); err == nil || !strings.Contains(err.Error(), "put them in the order of at_ns") {
		t.Error(err)
	}
	reply := Schedule{{Kind: "lost-reply", For: second, Links: between(ids("a1"), ids("clients"))}}
	if err := reply.Validate(nine(), time.Minute); err != nil {
		t.Error("a lost reply is cut by default:", err)
	}
}

func TestDriftsOfOneClockMayNotAddUpToMoreThanAClockCanDo(t *testing.T) {
	slow := func(at time.Duration, who string, ppm int) Fault {
		return Fault{Kind: "clock", Form: "drift", At: at, For: 5 * second, Nodes: ids(who), DriftPPM: ppm}
	}
	role := slow(second, "", -600_000)
	role.Role = "leader of A1"
	for _, c := range []struct {
		name string
		s    Schedule
		ok   bool
	}{
		{"two together are too much", Schedule{slow(0, "a1", -600_000), slow(5*second, "a1 a2", -400_000)}, false},
		{"a fast one that may end first is no help", Schedule{slow(0, "a1", -600_000), slow(0, "a1", 500_000), slow(0, "a1", -600_000)}, false},
		{"too fast is no clock either", Schedule{slow(0, "a1", 600_000_000), slow(second, "a1", 600_000_000)}, false},
		{"a role may be anybody", Schedule{slow(0, "a1", -600_000), role}, false},
		{"two together are not too much", Schedule{slow(0, "a1", -600_000), slow(second, "a1", -399_999)}, true},
		{"one follows the other", Schedule{slow(0, "a1", -600_000), slow(6*second, "a1", -600_000)}, true},
		{"they are of two clocks", Schedule{slow(0, "a1", -600_000), slow(0, "a2", -600_000)}, true},
	} {
		if err := c.s.Validate(nine(), time.Minute); (err == nil) != c.ok || !c.ok && !strings.Contains(err.Error(), "with the drifts that overlap it no clock is left") {
			t.Errorf("%s: %v", c.name, err)
		}
	}
}
