package maelstrom

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"faultlab/checker/history"
	"faultlab/checker/linear"
	"faultlab/nodes"
	"faultlab/nodes/nodestest"
)

// The scripts name the service where others name a bug.
func TestServicesDoWhatTheScriptsShow(t *testing.T) {
	system := nodes.System{Name: "services", New: func(name string) nodes.Node { return services()[name]() }, Bodies: bodies()}
	for name := range services() {
		system.Bugs = append(system.Bugs, nodes.Bug{Name: name})
	}
	nodestest.Run(t, system, "testdata/services")
}

// A desk is an Env for a service that is asked by hand.
type desk struct {
	nodes.Env
	now   time.Time
	rand  *rand.Rand
	reply any
}

func (d *desk) Now() time.Time              { return d.now }
func (d *desk) Rand() *rand.Rand            { return d.rand }
func (d *desk) Send(_ nodes.ID, body any)   { d.reply = body }
func (d *desk) After(time.Duration, string) {}
func (d *desk) Reached(string)              {}

func (d *desk) ask(s nodes.Node, who nodes.ID, body any) any {
	d.now = d.now.Add(time.Millisecond)
	s.Receive(d, nodes.Message{From: nodes.Request(who, 1), To: "service", Body: body})
	return d.reply
}

func newDesk(seed uint64) *desk {
	return &desk{now: time.Unix(1000, 0), rand: rand.New(rand.NewPCG(seed, 0))}
}

// Reads of one key in a store of rising values: old ones are served, but never to one client an older one than before.
func TestSeqKVServesThePastAndNeverGoesBack(t *testing.T) {
	s, d := services()["seq-kv"](), newDesk(1)
	stale := 0
	last := map[nodes.ID]int64{}
	for i := range int64(2000) {
		writer := nodes.ID(fmt.Sprint("n", 1+i%3))
		if i%4 == 0 {
			d.ask(s, writer, Write{"1", number(i)})
			last[writer] = i
		}
		reader := nodes.ID(fmt.Sprint("n", 1+(i/2)%3))
		ok, is := d.ask(s, reader, Read{"1"}).(ReadOK)
		if !is {
			continue // from before the first write
		}
		n, _ := ok.Value.whole()
		if n < last[reader] {
			t.Fatalf("%s read %d after it had seen %d", reader, n, last[reader])
		}
		if n < i-i%4 {
			stale++
		}
		last[reader] = n
	}
	if stale < 100 {
		t.Errorf("only %d of 2000 reads were stale", stale)
	}
}

// Requests that come one after another, from several clients, are no run of one store; those of lin-kv are.
func TestOnlyLinKVIsLinearizable(t *testing.T) {
	for name, want := range map[string]history.Verdict{"lin-kv": history.Pass, "seq-kv": history.Fail, "lww-kv": history.Fail} {
		s, d := services()[name](), newDesk(2)
		var ops []linear.Op
		for i := range 400 {
			who := fmt.Sprint("n", 1+i%3)
			op := linear.Op{Index: i, Client: who, Call: time.Duration(2 * i), Return: time.Duration(2*i + 1), Outcome: history.OK}
			if d.rand.IntN(3) == 0 {
				op.In = linear.Write{Key: "1", Value: fmt.Sprint(i)}
				d.ask(s, nodes.ID(who), Write{"1", number(int64(i))})
			} else {
				op.In, op.Out = linear.Read{Key: "1"}, string(null)
				if ok, is := d.ask(s, nodes.ID(who), Read{"1"}).(ReadOK); is {
					op.Out = string(ok.Value)
				}
			}
			ops = append(ops, op)
			if i%10 == 0 {
				s.Wake(d, "gossip")
			}
		}
		if r := linear.Check(linear.KeyValue(string(null)), ops, linear.Budget{}); r.Verdict != want {
			t.Errorf("%s: %s (%s), want %s", name, r.Verdict, r.Reason, want)
		}
	}
}

func TestLWWKVForgetsWritesAndAgreesInTheEnd(t *testing.T) {
	s, d := services()["lww-kv"](), newDesk(3)
	for i := range int64(50) {
		d.ask(s, "n1", Write{"1", number(i)})
	}
	for range 200 {
		s.Wake(d, "gossip")
	}
	seen := map[JSON]bool{}
	for range 50 {
		seen[d.ask(s, "n1", Read{"1"}).(ReadOK).Value] = true
	}
	if len(seen) != 1 || seen["49"] {
		t.Errorf("in the end its stores have %v; want one value, and not the last one written, which a slow clock lost", seen)
	}
}

func TestJSONIsOneTextForEachValue(t *testing.T) {
	for given, want := range map[string]JSON{
		`3`: "3", `3.0`: "3", `30e-1`: "3", `-0`: "0", `[1, 2,  3]`: "[1,2,3]", `[]`: "[]", `[1,10,100]`: "[1,10,100]", `"a<b"`: `"a<b"`, `null`: "null",
		`{"b": 1.0, "a": [ {} ]}`: `{"a":[{}],"b":1}`, `18446744073709551615`: "18446744073709551615", `0.5`: "0.5", `"3"`: `"3"`, `true`: "true",
	} {
		var v JSON
		if err := v.UnmarshalJSON([]byte(given)); err != nil || v != want {
			t.Errorf("%s is %s (%v), want %s", given, v, err, want)
		}
	}
	for given, want := range map[JSON]int{`[1,"a,]\"",[2,3],{"x":[4,5]}]`: 4, "[]": 0, "null": 0, "": 0, "[7]": 1} {
		if all, ok := given.list(); !ok || len(all) != want {
			t.Errorf("%s has %d elements %q (%v), want %d", given, len(all), all, ok, want)
		}
	}
	if _, ok := JSON("7").list(); ok {
		t.Error("7 passes for a list")
	}
}
