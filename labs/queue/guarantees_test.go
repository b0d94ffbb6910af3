package queue

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"faultlab/checker/history"
	q "faultlab/nodes/queue"
)

// A story is a history written by hand: an operation a millisecond long every ten milliseconds, unless it says otherwise.
type story struct{ h history.History }

func (s *story) op(region string, in, out any) *history.Op {
	i := len(s.h.Ops)
	outcome := history.Unknown
	if out != nil {
		outcome = outcomeOf(in, out)
	}
	at := time.Duration(i+1) * 10 * time.Millisecond
	s.h.Ops = append(s.h.Ops, history.Op{
		Index: i, Client: fmt.Sprintf("c%d", i), Node: strings.ToLower(region) + "1", Region: region, In: in, Out: out,
		Call: at, Return: at + time.Millisecond, Outcome: outcome, Phase: history.Safety,
	})
	s.h.End = at + time.Second
	return &s.h.Ops[i]
}

func outcomeOf(in, out any) history.Outcome { return outcome(in, out) }

// event is between the operation before and the one after.
func (s *story) event(node string, e any) {
	at := time.Duration(len(s.h.Ops)+1)*10*time.Millisecond - time.Millisecond
	s.h.Events = append(s.h.Events, history.Event{At: at, Node: node, Event: e})
}

var (
	first  = q.Shard{Range: "A/0000-3fff", Epoch: 1}
	left   = q.Shard{Range: "A/0000-1fff", Epoch: 2}
	right  = q.Shard{Range: "A/2000-3fff", Epoch: 2}
	second = q.Shard{Range: "A/0000-3fff", Epoch: 1001}
)

func texts(number uint64, n int) []string {
	var list []string
	for i := range n {
		list = append(list, fmt.Sprint("v", number+uint64(i)))
	}
	return list
}

// send asks for n values from a number on, and is given the places from seq on; seq 0: it hears nothing.
func (s *story) send(shard q.Shard, seq, number uint64, n int) *history.Op {
	in := q.Send{Home: "A", Key: "k", Producer: "p", Number: number, Values: texts(number, n)}
	if seq == 0 {
		return s.op("A", in, nil)
	}
	return s.op("A", in, q.SendOK{Shard: shard, Seq: seq})
}

func listed(seq, number uint64, n int) []q.Record {
	var list []q.Record
	for i, text := range texts(number, n) {
		list = append(list, q.Record{Seq: seq + uint64(i), Producer: "p", Number: number + uint64(i), Key: "k", Value: text})
	}
	return list
}

// poll reads on in a shard and is shown n records.
func (s *story) poll(group string, shard q.Shard, after, number uint64, n int) *history.Op {
	return s.op("A", q.Poll{Home: "A", Group: group, Member: "m", Generation: 1, Shard: shard, After: after},
		q.Records{Shard: shard, Records: listed(after+1, number, n), End: after + uint64(n)})
}

func (s *story) commit(group string, shard q.Shard, seq uint64) *history.Op {
	return s.op("A", q.Commit{Home: "A", Group: group, Member: "m", Generation: 1, Shard: shard, Seq: seq}, q.Committed{Seq: seq})
}

// both polls and commits for both groups.
func (s *story) both(shard q.Shard, after, number uint64, n int) {
	for _, g := range []string{plainGroup, sinkGroup} {
		s.poll(g, shard, after, number, n)
		s.commit(g, shard, after+uint64(n))
	}
}

func (s *story) split(at uint64) {
	s.event("a1", q.Sealed{Group: "A1", Shard: first, Seq: at, Children: []q.Shard{left, right}})
	s.event("a1", q.Serves{Group: "A1", Shard: left})
}

// promoted is to region B, which had so many records of the first shard.
func (s *story) promoted(end uint64) {
	s.event("b1", q.Promoted{Home: "A", Generation: 1, Region: "B", Declared: []q.Cursor{{Shard: first, Seq: end}}})
}

// finally gives two reports from each region on each keyspace; that of A on its own lists a tail.
func (s *story) finally(tail ...q.Tail) {
	for range 2 {
		for _, home := range []string{"A", "B", "C"} {
			for _, region := range []string{"A", "B", "C"} {
				out := q.Reported{Generation: 1}
				if home == "A" && region == "A" {
					out.Tail = tail
				}
				s.op(region, q.Report{Home: home}, out).Phase = history.Final
			}
		}
	}
}

func TestEachPromiseIsKeptAndBroken(t *testing.T) {
	for _, c := range []struct {
		id   string
		name string
		want history.Verdict
		tell func(s *story)
	}{
		{"Q1", "all that was acknowledged is polled", history.Pass, func(s *story) {
			s.send(first, 1, 1, 60)
			s.poll(plainGroup, first, 0, 1, 60)
		}},
		{"Q1", "the last one is never polled", history.Undetermined, func(s *story) {
			s.send(first, 1, 1, 60)
			s.poll(plainGroup, first, 0, 1, 59)
		}},
		{"Q1", "one in the middle is never polled", history.Fail, func(s *story) {
			s.send(first, 1, 1, 60)
			s.poll(plainGroup, first, 0, 1, 58)
			s.poll(plainGroup, first, 59, 60, 1)
		}},
		{"Q1", "what lies beyond a declared place need not be polled", history.Pass, func(s *story) {
			s.send(first, 1, 1, 60)
			s.send(first, 61, 61, 2)
			s.promoted(61)
			s.poll(plainGroup, first, 0, 1, 61)
		}},
		{"Q2", "two readers see the same", history.Pass, func(s *story) {
			s.send(first, 1, 1, 60)
			s.poll(plainGroup, first, 0, 1, 60)
		}},
		{"Q2", "one place has two records", history.Fail, func(s *story) {
			s.send(first, 1, 1, 60)
			s.poll(plainGroup, first, 0, 2, 60)
		}},
		{"Q2", "a tail and the log have one place", history.Fail, func(s *story) {
			s.send(first, 1, 1, 1)
			s.promoted(0)
			s.send(first, 1, 2, 1)
		}},
		{"Q3", "a poll goes on where it is asked to", history.Pass, func(s *story) {
			s.send(first, 1, 1, 60)
			s.poll(plainGroup, first, 0, 1, 30)
			s.poll(plainGroup, first, 30, 31, 30)
		}},
		{"Q3", "a poll skips a place", history.Fail, func(s *story) {
			s.send(first, 1, 1, 60)
			s.poll(plainGroup, first, 0, 2, 59).Out = q.Records{Shard: first, Records: listed(2, 2, 59), End: 60}
		}},
		{"Q3", "a poll shows nothing where there is more", history.Fail, func(s *story) {
			s.send(first, 1, 1, 60)
			s.poll(plainGroup, first, 0, 1, 0).Out = q.Records{Shard: first, End: 60}
		}},
		{"Q4", "sends one after another", history.Pass, func(s *story) {
			for i := range uint64(60) {
				s.send(first, i+1, i+1, 1)
			}
			s.send(left, 1, 61, 1)
		}},
		{"Q4", "a later send stands before an earlier one", history.Fail, func(s *story) {
			s.send(first, 2, 1, 1)
			s.send(first, 1, 2, 1)
		}},
		{"Q4", "a later send stands in the parent, an earlier one in the child", history.Fail, func(s *story) {
			s.send(left, 1, 1, 1)
			s.send(first, 1, 2, 1)
		}},
		{"Q4", "what is asked again has the place that it has", history.Undetermined, func(s *story) {
			s.send(first, 0, 1, 1)
			s.send(first, 2, 2, 1)
			s.send(first, 1, 1, 1)
		}},
		{"Q5", "numbers are asked for again and stand once", history.Pass, func(s *story) {
			for i := range uint64(60) {
				s.send(first, 0, i+1, 1)
				s.send(first, i+1, i+1, 1)
			}
			s.poll(plainGroup, first, 0, 1, 60)
		}},
		{"Q5", "a number that was asked for again stands twice", history.Fail, func(s *story) {
			s.send(first, 0, 1, 1)
			s.send(first, 2, 1, 1)
			s.poll(plainGroup, first, 0, 1, 1)
		}},
		{"Q5", "a send of which nothing is heard stands together", history.Fail, func(s *story) {
			s.send(first, 0, 1, 2)
			s.op("A", q.Send{Home: "A", Key: "k", Producer: "o", Number: 1, Values: texts(1, 1)}, q.SendOK{Shard: first, Seq: 2})
			s.poll(plainGroup, first, 0, 1, 1)
		}},
		{"Q5", "a number stands after a later one", history.Fail, func(s *story) {
			s.send(first, 1, 2, 1)
			s.send(first, 2, 1, 1)
		}},
		{"Q5", "a number stands in the child, a later one in the parent", history.Fail, func(s *story) {
			s.send(first, 1, 2, 1)
			s.send(left, 1, 1, 1)
		}},
		{"Q6", "what was refused is not polled", history.Pass, func(s *story) {
			s.send(first, 2, 2, 60)
			s.op("A", q.Send{Home: "A", Key: "k", Producer: "p", Number: 1, Values: texts(1, 1)}, q.Refused{})
			s.poll(plainGroup, first, 1, 2, 60)
		}},
		{"Q6", "what was refused is polled", history.Fail, func(s *story) {
			s.op("A", q.Send{Home: "A", Key: "k", Producer: "p", Number: 1, Values: texts(1, 1)}, q.Refused{})
			s.poll(plainGroup, first, 0, 1, 1)
		}},
		{"Q6", "what nobody sent is polled", history.Fail, func(s *story) {
			s.poll(plainGroup, first, 0, 1, 1)
		}},
		{"Q7", "both groups are shown all, and commit it", history.Pass, func(s *story) {
			for i := range uint64(60) {
				s.send(first, i+1, i+1, 1)
				s.both(first, i, i+1, 1)
			}
		}},
		{"Q7", "a group commits what it was not shown", history.Fail, func(s *story) {
			s.send(first, 1, 1, 60)
			s.commit(plainGroup, first, 60)
			s.both(first, 0, 1, 60)
		}},
		{"Q7", "one of the groups is never shown a record", history.Fail, func(s *story) {
			s.send(first, 1, 1, 60)
			s.poll(plainGroup, first, 0, 1, 60)
			s.poll(sinkGroup, first, 0, 1, 58)
			s.poll(sinkGroup, first, 59, 60, 1)
		}},
		{"Q7", "a member is given a cursor that nobody committed", history.Fail, func(s *story) {
			s.send(first, 1, 1, 60)
			s.both(first, 0, 1, 60)
			s.op("A", q.Join{Home: "A", Group: plainGroup, Member: "n"}, q.Assigned{Generation: 2, Shards: []q.Cursor{{Shard: first, Seq: 61}}})
		}},
		{"Q8", "an older generation is refused", history.Pass, func(s *story) {
			s.send(first, 1, 1, 60)
			for i := range uint64(60) {
				s.commit(plainGroup, first, i+1)
			}
			s.op("A", q.Commit{Home: "A", Group: plainGroup, Member: "n", Generation: 2, Shard: first, Seq: 60}, q.Committed{Seq: 60})
			s.op("A", q.Commit{Home: "A", Group: plainGroup, Member: "m", Generation: 1, Shard: first, Seq: 60}, q.Refused{})
		}},
		{"Q8", "an older generation commits", history.Fail, func(s *story) {
			s.op("A", q.Commit{Home: "A", Group: plainGroup, Member: "n", Generation: 2, Shard: first, Seq: 1}, q.Committed{Seq: 1})
			s.commit(plainGroup, first, 2)
		}},
		{"Q8", "two members have a shard under one generation", history.Fail, func(s *story) {
			s.op("A", q.Commit{Home: "A", Group: plainGroup, Member: "n", Generation: 1, Shard: first, Seq: 1}, q.Committed{Seq: 1})
			s.commit(plainGroup, first, 2)
		}},
		{"Q8", "a cursor goes back", history.Fail, func(s *story) {
			s.commit(plainGroup, first, 2)
			s.commit(plainGroup, first, 1)
		}},
		{"Q9", "the child is read once the parent is committed", history.Pass, func(s *story) {
			s.send(first, 1, 1, 2)
			s.both(first, 0, 1, 2)
			s.split(2)
			s.send(left, 1, 3, 1)
			s.both(left, 0, 3, 1)
		}},
		{"Q9", "the child is read before", history.Fail, func(s *story) {
			s.send(first, 1, 1, 2)
			s.poll(plainGroup, first, 0, 1, 2)
			s.commit(plainGroup, first, 1)
			s.split(2)
			s.send(left, 1, 3, 1)
			s.poll(plainGroup, left, 0, 3, 1)
		}},
		{"Q9", "the parent takes a send after its seal", history.Fail, func(s *story) {
			s.split(0)
			s.send(first, 1, 1, 1)
			s.send(left, 1, 2, 1)
			s.poll(plainGroup, left, 0, 2, 1)
		}},
		{"Q9", "the child is served before the seal", history.Fail, func(s *story) {
			s.event("a1", q.Serves{Group: "A1", Shard: left})
			s.send(left, 1, 1, 1)
			s.split(0)
			s.poll(plainGroup, left, 0, 1, 1)
		}},
		{"Q11", "copies have the same sums", history.Pass, func(s *story) {
			s.send(first, 1, 1, 60)
			for i := range uint64(20) {
				s.event("a1", q.Prefix{Region: "A", Shard: first, Seq: i, Sum: i})
				s.event("b1", q.Prefix{Region: "B", Shard: first, Seq: i, Sum: i})
			}
			s.op("B", q.Read{Shard: first}, q.Records{Shard: first, Records: listed(1, 1, 60), End: 60, Copy: true})
		}},
		{"Q11", "a copy has another sum", history.Fail, func(s *story) {
			s.event("a1", q.Prefix{Region: "A", Shard: first, Seq: 1, Sum: 1})
			s.event("b1", q.Prefix{Region: "B", Shard: first, Seq: 1, Sum: 2})
		}},
		{"Q11", "a copy has what nobody sent", history.Fail, func(s *story) {
			s.op("B", q.Read{Shard: first}, q.Records{Shard: first, Records: listed(1, 1, 1), End: 1, Copy: true})
		}},
		{"Q11", "a copy had to be repaired", history.Fail, func(s *story) {
			s.op("B", q.Reconcile{Home: "A"}, q.Reconciled{Compared: 1, Repaired: []q.Cursor{{Shard: first, Seq: 1}}})
		}},
		{"Q12", "copies are a little behind", history.Pass, func(s *story) {
			s.send(first, 1, 1, 60)
			for range 20 {
				s.op("B", q.Read{Shard: first}, q.Records{Shard: first, End: 60, Copy: true, LagMs: 100})
			}
		}},
		{"Q12", "a label is too good", history.Fail, func(s *story) {
			s.send(first, 1, 1, 60)
			s.op("B", q.Read{Shard: first}, q.Records{Shard: first, End: 59, Copy: true, LagMs: 1})
		}},
		{"Q12", "a copy is too far behind, and says so", history.Fail, func(s *story) {
			s.send(first, 1, 1, 60)
			late := s.op("B", q.Read{Shard: first}, q.Records{Shard: first, End: 59, Copy: true, LagMs: 5000})
			late.Call += 3 * time.Second
			late.Return += 3 * time.Second
		}},
		{"Q13", "what was acknowledged beyond is in a report", history.Pass, func(s *story) {
			s.send(first, 1, 1, 2)
			s.promoted(1)
			s.finally(q.Tail{Shard: first, Records: listed(2, 2, 1)})
		}},
		{"Q13", "what was acknowledged beyond is in no report", history.Fail, func(s *story) {
			s.send(first, 1, 1, 2)
			s.promoted(1)
			s.finally()
		}},
		{"Q13", "a node acknowledges under an old generation", history.Fail, func(s *story) {
			s.promoted(1)
			s.event("a1", q.Learnt{Home: "A", Generation: 1})
			s.send(first, 2, 2, 1)
			s.finally(q.Tail{Shard: first, Records: listed(2, 2, 1)})
		}},
		{"Q13", "two nodes declare different places", history.Fail, func(s *story) {
			s.promoted(1)
			s.promoted(2)
		}},
		{"Q15", "all takes effect once, though it is delivered twice", history.Pass, func(s *story) {
			s.send(first, 1, 1, 60)
			s.poll(sinkGroup, first, 0, 1, 60)
			s.effects(1, 1)
		}},
		{"Q15", "something takes effect twice", history.Fail, func(s *story) {
			s.send(first, 1, 1, 60)
			s.poll(sinkGroup, first, 0, 1, 60)
			s.effects(1, 2)
		}},
		{"Q15", "something never takes effect", history.Fail, func(s *story) {
			s.send(first, 1, 1, 61)
			s.poll(sinkGroup, first, 0, 1, 61)
			s.effects(1, 1)
		}},
	} {
		t.Run(c.id+" "+c.name, func(t *testing.T) {
			s := &story{}
			c.tell(s)
			top, err := topology(0)
			if err != nil {
				t.Fatal(err)
			}
			for _, g := range guarantees(top) {
				if g.ID != c.id {
					continue
				}
				if r := g.Checker.Check(&s.h); r.Verdict != c.want {
					t.Errorf("%v: %s", r.Verdict, r.Reason)
				}
				return
			}
			t.Errorf("there is no promise %s", c.id)
		})
	}
}

// effects delivers 60 records twice, and lists what took effect: the first so often, the others once.
func (s *story) effects(others, first uint64) {
	var names []string
	var counts []uint64
	for i := range uint64(60) {
		names, counts = append(names, name("p", i+1)), append(counts, others)
	}
	counts[0] = first
	for range 2 {
		s.op("A", q.Deliver{Home: "A", Names: names}, q.Delivered{})
	}
	for _, home := range []string{"A", "B", "C"} {
		out := q.Effected{}
		if home == "A" {
			out = q.Effected{Names: names, Counts: counts}
		}
		s.op(home, q.Effects{Home: home}, out).Phase = history.Final
	}
}

func TestConservationIsKeptAndBroken(t *testing.T) {
	for _, c := range []struct {
		name string
		want history.Verdict
		tell func(s *story)
	}{
		{"what is not in the log is in a report", history.Pass, func(s *story) {
			s.send(first, 1, 1, 2)
			s.promoted(1)
			s.finally(q.Tail{Shard: first, Records: listed(2, 2, 1)})
		}},
		{"what is not in the log is in no report", history.Fail, func(s *story) {
			s.send(first, 1, 1, 2)
			s.promoted(1)
			s.finally()
		}},
		{"what is in the log is in a report", history.Fail, func(s *story) {
			s.send(first, 1, 1, 1)
			s.promoted(1)
			s.finally(q.Tail{Shard: first, Records: listed(1, 1, 1)})
		}},
		{"what was sent again is in both, and the report says so", history.Pass, func(s *story) {
			s.send(first, 1, 1, 2)
			s.promoted(1)
			s.poll(plainGroup, second, 0, 2, 1)
			s.finally(q.Tail{Shard: first, Records: listed(2, 2, 1), Resent: []int{0}})
		}},
		{"a report says that something was sent again, and it was not", history.Fail, func(s *story) {
			s.send(first, 1, 1, 2)
			s.promoted(1)
			s.finally(q.Tail{Shard: first, Records: listed(2, 2, 1), Resent: []int{0}})
		}},
		{"the second report differs", history.Fail, func(s *story) {
			s.send(first, 1, 1, 1)
			s.promoted(1)
			s.finally()
			s.op("A", q.Report{Home: "A"}, q.Reported{Generation: 2}).Phase = history.Final
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := &story{}
			c.tell(s)
			j := &judge{regions: []string{"A", "B", "C"}}
			if r := j.conserved(&s.h); r.Verdict != c.want {
				t.Errorf("%v: %s", r.Verdict, r.Reason)
			}
		})
	}
}
