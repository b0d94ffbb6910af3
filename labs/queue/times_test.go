package queue

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"faultlab/checker/history"
	"faultlab/labs"
	q "faultlab/nodes/queue"
)

const (
	healed = 30 * time.Second
	over   = 50 * time.Second
)

// A day is half a minute of load, twenty seconds of calm, and an end, in which all goes well: twenty times a second
// clients of each region send to each keyspace, to four keys in turn, and read the next region's copy.
type day struct{ history.History }

func newDay() *day {
	top, _ := topology(0)
	d := &day{}
	for _, m := range top.Members {
		d.Members = append(d.Members, history.Member{ID: string(m.ID), Region: m.Region, Zone: m.Zone})
	}
	d.Healed, d.End = healed, over+time.Second
	regions := top.Regions()
	sent := uint64(0)
	for at := time.Duration(0); at < over; at += 50 * time.Millisecond {
		phase := history.Safety
		if at >= healed {
			phase = history.Recovery
		}
		for i, region := range regions {
			next := regions[(i+1)%len(regions)]
			op := func(in, out any) {
				d.Ops = append(d.Ops, history.Op{
					Index: len(d.Ops), Client: "c" + region, Node: "x", Region: region, In: in, Out: out,
					Call: at, Return: at + 3*time.Millisecond, Outcome: outcome(in, out), Phase: phase,
				})
			}
			for _, home := range regions {
				sent++
				s := q.First(home)[sent/9%4]
				op(q.Send{Home: home, Key: keyIn(s), Producer: fmt.Sprint("p", sent), Number: 1, Values: []string{"v"}}, q.SendOK{Shard: s, Seq: sent})
			}
			s := q.First(next)[0]
			op(q.Read{Shard: s}, q.Records{Shard: s, Copy: true})
		}
	}
	for _, home := range regions {
		out := q.Described{Region: home, Served: home}
		for _, s := range q.First(home) {
			out.Shards = append(out.Shards, q.State{Shard: s, End: 7, Cursors: []q.Reading{{Group: plainGroup, Seq: 7}, {Group: sinkGroup, Seq: 7}}})
		}
		d.Ops = append(d.Ops, history.Op{
			Index: len(d.Ops), Client: "c" + home, Region: home, In: q.Describe{Home: home}, Out: out,
			Call: over, Return: over + time.Millisecond, Outcome: history.OK, Phase: history.Final,
		})
	}
	return d
}

// keyIn returns a key that lies in a shard.
func keyIn(s q.Shard) string {
	from, to, _ := s.Span()
	for i := 0; ; i++ {
		if key := fmt.Sprint("k", i); from <= q.HashOf(key) && q.HashOf(key) <= to {
			return key
		}
	}
}

// silence takes the replies away from operations that were called at such a time.
func (d *day) silence(from, to time.Duration, which func(op *history.Op) bool) {
	for i := range d.Ops {
		if op := &d.Ops[i]; from <= op.Call && op.Call < to && which(op) {
			op.Out, op.Outcome, op.Return = nil, history.Unknown, op.Call+time.Second
		}
	}
}

// slow lets sends at home that were called at such a time take longer.
func (d *day) slow(from, to, by time.Duration) {
	for i := range d.Ops {
		if op := &d.Ops[i]; from <= op.Call && op.Call < to && near(op) {
			op.Return += by
		}
	}
}

func near(op *history.Op) bool { in, ok := op.In.(q.Send); return ok && in.Home == op.Region }
func far(op *history.Op) bool  { in, ok := op.In.(q.Send); return ok && in.Home != op.Region }
func reads(op *history.Op) bool {
	_, ok := op.In.(q.Read)
	return ok
}

// in is those of one region.
func in(region string, which func(op *history.Op) bool) func(op *history.Op) bool {
	return func(op *history.Op) bool { return op.Region == region && which(op) }
}

// cut cuts region A off from 10 s on until 20 s; nothing that crosses the cut succeeds.
func (d *day) cut() {
	w := history.Window{Kind: "partition", Form: "region", Start: 10 * time.Second, End: 20 * time.Second, Nodes: []string{"a1", "a2", "a3"}, Took: true}
	for _, a := range d.Members {
		for _, b := range d.Members {
			if (a.Region == "A") != (b.Region == "A") {
				w.Cuts = append(w.Cuts, history.Link{From: a.ID, To: b.ID})
			}
		}
	}
	d.Windows = append(d.Windows, w)
	d.silence(w.Start-time.Second, w.End, func(op *history.Op) bool {
		in, ok := op.In.(q.Send)
		return ok && (in.Home == "A") != (op.Region == "A")
	})
}

func (d *day) killed(from, to time.Duration, ids ...string) {
	d.Windows = append(d.Windows, history.Window{Kind: "kill", Form: "one", Start: from, End: to, Nodes: ids, Down: ids, Took: true})
}

// promoted is keyspace A to region B, at 12 s.
func (d *day) promoted() {
	p := q.Promoted{Home: "A", Generation: 1, Region: "B"}
	for _, s := range q.First("A") {
		p.Declared = append(p.Declared, q.Cursor{Shard: s, Seq: 1 << 40})
	}
	d.Events = append(d.Events, history.Event{At: 12 * time.Second, Node: "b1", Event: p})
}

// sealed is a shard of keyspace A that is split at 10 s.
func (d *day) sealed() {
	d.Events = append(d.Events, history.Event{At: 10 * time.Second, Node: "a1", Event: q.Sealed{Shard: first, Seq: 1, Children: []q.Shard{left, right}}})
}

func TestPromisesAboutTimeAreKeptAndBroken(t *testing.T) {
	const s = time.Second
	for _, c := range []struct {
		id   string
		name string
		want history.Verdict
		tell func(d *day)
	}{
		{"Q10", "a region is cut off, and sends at home are as fast as ever", history.Pass, func(d *day) { d.cut() }},
		{"Q10", "sends at home take 30 ms longer while it is", history.Fail, func(d *day) { d.cut(); d.slow(10*s, 20*s, 30*time.Millisecond) }},
		{"Q10", "nothing was wrong", history.NotJudged, func(d *day) {}},
		{"A1", "a node is down, and all are answered", history.Pass, func(d *day) { d.killed(10*s, 20*s, "a1") }},
		{"A1", "not until others have been elected", history.Pass, func(d *day) { d.killed(10*s, 20*s, "a1"); d.silence(10*s, 13*s, in("A", near)) }},
		{"A1", "and not after that either", history.Fail, func(d *day) { d.killed(10*s, 20*s, "a1"); d.silence(10*s, 16*s, in("A", near)) }},
		{"A1", "two nodes were down", history.Pass, func(d *day) { d.killed(10*s, 20*s, "a1", "a2"); d.silence(10*s, 22*s, in("A", near)) }},
		{"A2", "others are served at home while region A is cut off", history.Pass, func(d *day) { d.cut() }},
		{"A2", "those of B are not", history.Fail, func(d *day) { d.cut(); d.silence(14*s, 15*s, in("B", near)) }},
		{"A2", "those of A are not, which is for A3", history.Pass, func(d *day) { d.cut(); d.silence(14*s, 15*s, in("A", near)) }},
		{"A3", "those inside are served at home", history.Pass, func(d *day) { d.cut() }},
		{"A3", "they are not", history.Fail, func(d *day) { d.cut(); d.silence(14*s, 15*s, in("A", near)) }},
		{"A4", "no send across the cut is acknowledged", history.Pass, func(d *day) { d.cut() }},
		{"A4", "one is", history.Fail, func(d *day) {
			d.cut()
			at := slices.IndexFunc(d.Ops, func(op history.Op) bool { return op.Call > 15*s && in("A", far)(&op) })
			d.Ops[at].Out, d.Ops[at].Outcome, d.Ops[at].Return = q.SendOK{Shard: first, Seq: 1 << 20}, history.OK, d.Ops[at].Call+3*time.Millisecond
		}},
		{"A5", "copies are read everywhere", history.Pass, func(d *day) { d.cut() }},
		{"A5", "in region A they are not", history.Fail, func(d *day) { d.cut(); d.silence(14*s, 15*s, in("A", reads)) }},
		{"A6", "a shard is split, and its keys are served", history.Pass, func(d *day) { d.sealed() }},
		{"A6", "its keys are not", history.Fail, func(d *day) {
			d.sealed()
			d.silence(9*s, 15*s, func(op *history.Op) bool { in, ok := op.In.(q.Send); return ok && in.Key == keyIn(first) })
		}},
		{"A6", "nothing was split", history.NotJudged, func(d *day) {}},
		{"R1", "all are served again", history.Pass, func(d *day) { d.silence(25*s, 35*s, near) }},
		{"R1", "one quarter is not within ten seconds", history.Fail, func(d *day) {
			d.silence(25*s, 41*s, func(op *history.Op) bool { in, ok := op.In.(q.Send); return ok && near(op) && in.Key == keyIn(first) })
		}},
		{"R1", "clients of one region do not reach another keyspace", history.Fail, func(d *day) { d.silence(25*s, 45*s, in("C", far)) }},
		{"R1", "they fail now and then for good", history.Fail, func(d *day) { d.silence(45*s, 46*s, near) }},
		{"R1", "a group has not committed the last record", history.Fail, func(d *day) {
			d.Ops[len(d.Ops)-1].Out.(q.Described).Shards[3].Cursors[1].Seq = 6
		}},
		{"R2", "sends are taken by who takes over", history.Pass, func(d *day) { d.cut(); d.promoted(); d.restore("B", "A"); d.restore("C", "A") }},
		{"R2", "those of a region that reaches it are not", history.Fail, func(d *day) { d.cut(); d.promoted(); d.restore("B", "A") }},
		{"R2", "none is", history.Fail, func(d *day) { d.cut(); d.promoted() }},
		{"R2", "nobody took over", history.NotJudged, func(d *day) { d.cut() }},
	} {
		t.Run(c.id+" "+c.name, func(t *testing.T) {
			d := newDay()
			c.tell(d)
			top, _ := topology(0)
			all := guarantees(top)
			g := all[slices.IndexFunc(all, func(g labs.Guarantee) bool { return g.ID == c.id })]
			if r := g.Checker.Check(&d.History); r.Verdict != c.want {
				t.Errorf("%v: %s", r.Verdict, r.Reason)
			}
		})
	}
}

// restore has sends of a region to a keyspace acknowledged again, from 13 s on.
func (d *day) restore(region, home string) {
	for i := range d.Ops {
		op := &d.Ops[i]
		if in, ok := op.In.(q.Send); ok && op.Region == region && in.Home == home && op.Call > 13*time.Second {
			op.Out, op.Outcome, op.Return = q.SendOK{Shard: second, Seq: uint64(i)}, history.OK, op.Call+3*time.Millisecond
		}
	}
}
