package multimaster

import (
	"fmt"
	"testing"
	"time"

	"faultlab/nodes"
)

// query asks an analytics replica.
func (w *world) query(at nodes.ID, body any) *any {
	reply := new(any)
	w.c.Call(home, at, body, 2*time.Second, func(body any, _ bool) { *reply = body })
	return reply
}

// A transaction over all regions moves one unit between two accounts, again and again, while ranges are moved and split
// and a replica loses what it had in memory: no replica shows half of one, none shows less of a list than it did as of a lower
// watermark, and in the end each shows all.
func TestAReplicaShowsWholeTransactionsInOneOrder(t *testing.T) {
	w := newWorld(t, "")
	ctx := t.Context()
	const rounds = 60
	funded, _ := w.ask("a1", 2*time.Second, Op{F: Write, Key: "A1/a", Value: rounds}, Op{F: Write, Key: "C1/a"})
	w.run(2 * time.Second)
	if _, ok := (*funded).(TxnOK); !ok {
		t.Fatalf("funding: %v", *funded)
	}
	spans := []Span{{"A1/a", "A1/a\x00"}, {"C1/a", "C1/a\x00"}}
	replicas := []nodes.ID{"a3", "b3", "c3"}
	type sight struct {
		at    uint64
		moved int64
	}
	var sights []sight
	answers := 0
	for i := range rounds {
		w.ask("a1", time.Second, Op{F: Transfer, Key: "A1/a", To: "C1/a", Value: 1})
		switch i {
		case 10:
			w.query("b1", MoveRange{Range: "C1", To: "B2"})
		case 20:
			w.query("c1", Split{At: "A1/a"})
		case 30:
			must(t, w.c.Kill(ctx, "b3"))
			must(t, w.c.Boot(ctx, "b3"))
		}
		var replies []*any
		for _, at := range replicas {
			replies = append(replies, w.query(at, Scan{Spans: spans, Limit: 1}))
		}
		w.run(400 * time.Millisecond)
		for k, r := range replies {
			a, ok := (*r).(Scanned)
			if !ok || len(a.Pages[0]) == 0 {
				continue
			}
			answers++
			from, to := a.Pages[0][0].Int, int64(0)
			if len(a.Pages[1]) > 0 {
				to = a.Pages[1][0].Int
			}
			if from+to != rounds {
				t.Fatalf("%s shows %d and %d as of %d, of %d in all", replicas[k], from, to, a.Watermark, rounds)
			}
			for _, s := range sights {
				if s.at <= a.Watermark && s.moved > to || s.at >= a.Watermark && s.moved < to {
					t.Fatalf("%s shows %d moved as of %d, and %d were as of %d", replicas[k], to, a.Watermark, s.moved, s.at)
				}
			}
			sights = append(sights, sight{a.Watermark, to})
		}
	}
	if answers < 2*rounds {
		t.Errorf("only %d of %d queries were answered", answers, 3*rounds)
	}
	w.run(4 * time.Second)
	done := w.read("C1/a")[0].Int
	for _, at := range replicas {
		r := w.query(at, Aggregate{Spans: spans[1:]})
		w.run(time.Second)
		if a, ok := (*r).(Aggregated); !ok || a.Sum != done || a.Count != 1 {
			t.Errorf("%s ends with %+v, want %d in one key", at, *r, done)
		}
	}
}

// What a replica is told may be doubled, late and out of order; a version is never replaced by an older one.
func TestAnOlderVersionNeverReplacesANewerOne(t *testing.T) {
	r := &replica{has: map[string]*row{}, mark: 2}
	for _, c := range []Change{{Key: "k", Mark: 1, N: 1}, {Key: "k", Mark: 3, N: 3}, {Key: "k", Mark: 3, N: 2}, {Key: "k", Mark: 3, N: 4}, {Key: "k", Mark: 5, N: 5}} {
		r.put(c)
	}
	var got []string
	for _, v := range r.has["k"].versions {
		got = append(got, fmt.Sprint(v.Mark, "/", v.N))
	}
	if s := fmt.Sprint(got); s != "[1/1 3/4 5/5]" {
		t.Errorf("versions %s: want the last one of each mark from the watermark's on", s)
	}
}

func TestAFeedThatForgotSaysSo(t *testing.T) {
	f := &feed{}
	for i := range uint64(2*keptChanges + 1) {
		f.add(i+1, Change{N: i + 1})
	}
	if _, ok := f.after(keptChanges - 1); ok {
		t.Error("a feed answers for what it has forgotten")
	}
	list, ok := f.after(keptChanges)
	if !ok || len(list) != keptChanges+1 || list[0].N != keptChanges+1 {
		t.Errorf("after the last one forgotten: %v, %d changes", ok, len(list))
	}
}
