package checker_test

import (
	"testing"
	"time"

	"faultlab/checker"
	"faultlab/checker/history"
)

// steady is one request of 5 ms every 10 ms, for so long; outcome says what becomes of one called at that time.
func steady(until time.Duration, outcome func(at time.Duration, region string) history.Outcome) []history.Op {
	var ops []history.Op
	for at := time.Duration(0); at < until; at += 10 * ms {
		region := [...]string{"A", "B"}[at/(10*ms)%2]
		op := history.Op{Client: "c" + region, Region: region, Call: at, Return: at + 5*ms, Outcome: outcome(at, region)}
		if op.Outcome == history.Unknown {
			op.Return = at + time.Second
		}
		ops = append(ops, op)
	}
	return number(ops)
}

func window(kind string, from, to time.Duration) history.Window {
	return history.Window{Kind: kind, Form: "region", Start: from, End: to, Took: true, Nodes: []string{"a1"}}
}

func fine(time.Duration, string) history.Outcome { return history.OK }

// cutOnly is the tolerated set of a promise under a cut of region A.
func cutOnly(f checker.Faults) bool {
	for _, w := range f.All() {
		if w.Kind != "partition" {
			return false
		}
	}
	return len(f.Active) > 0
}

func TestAvailability(t *testing.T) {
	inB := checker.Availability{
		Class: "requests in B", When: cutOnly, Least: 3 * time.Second,
		Of: func(op *history.Op, f checker.Faults) bool { return op.Region == "B" },
	}
	cut := window("partition", 10*time.Second, 20*time.Second)
	lost := window("partition", 10*time.Second, 20*time.Second)
	lost.Took = false
	kill := window("kill", 12*time.Second, 13*time.Second)
	const end = 30 * time.Second
	h := func(outcome func(time.Duration, string) history.Outcome, windows ...history.Window) *history.History {
		return &history.History{Ops: steady(end, outcome), Windows: windows, Healed: end, End: end}
	}
	// down says that requests of a region are unknown from one time to another.
	down := func(region string, from, to time.Duration) func(time.Duration, string) history.Outcome {
		return func(at time.Duration, r string) history.Outcome {
			if r == region && from <= at && at < to {
				return history.Unknown
			}
			return history.OK
		}
	}
	run(t, inB, []verdictCase{
		{"clients outside the cut are served", h(down("A", 10*time.Second, 20*time.Second), cut), history.Pass, "450 of 450 operations of requests in B were served in 1 interval", nil},
		{"clients outside the cut are not served", h(down("B", 11*time.Second, 19*time.Second), cut), history.Fail, "partition:region on a1 was active, only 50 of 450", nil},
		{"the fault of another promise excuses it", h(down("B", 12*time.Second, 16*time.Second), cut, kill), history.Pass, "", nil},
		{"outside of the fault nothing is judged", h(down("B", 21*time.Second, 29*time.Second), cut), history.Pass, "", nil},
		{"a run without the fault is not judged", h(fine, kill), history.NotJudged, "0.000 s of this run", nil},
		{"a fault that never struck leaves it open", h(fine, lost), history.Undetermined, "scheduled, but in force for no more than 0.000 s", nil},
		{"too little was asked", &history.History{Ops: steady(10500*ms, fine), Windows: []history.Window{cut}, Healed: end, End: end}, history.Undetermined, "only 25 operations", nil},
		{"an operation whose deadline lies after the interval does not count", h(down("B", 19010*ms, 20*time.Second), cut), history.Pass, "", nil},
	})

	t.Run("a gap may not be longer than is promised, however good the share", func(t *testing.T) {
		lenient := inB
		lenient.PerMille = 500
		expect(t, lenient.Check(h(down("B", 12*time.Second, 14100*ms), cut)), history.Fail, "from 12.010 s to 14.", 1201, 1203, 1205, 1207, 1209)
		expect(t, lenient.Check(h(down("B", 12*time.Second, 13900*ms), cut)), history.Pass, "the longest gap was 1.905 s")
	})
	t.Run("a gap of one kind of operation is not hidden by the others", func(t *testing.T) {
		all := inB
		all.PerMille, all.Of = 500, func(*history.Op, checker.Faults) bool { return true }
		expect(t, all.Check(h(down("B", 12*time.Second, 15*time.Second), cut)), history.Pass, "")
		all.Per = func(op *history.Op) string { return op.Region }
		expect(t, all.Check(h(down("B", 12*time.Second, 15*time.Second), cut)), history.Fail, "(B) was served")
	})
	t.Run("the time in which leaders are chosen is left out", func(t *testing.T) {
		slow := inB
		expect(t, slow.Check(h(down("B", 10*time.Second, 11*time.Second), cut)), history.Fail, "")
		slow.Settle = 2 * time.Second
		expect(t, slow.Check(h(down("B", 10*time.Second, 11*time.Second), cut)), history.Pass, "")
	})
	t.Run("too few operations say nothing", func(t *testing.T) {
		many := inB
		many.AtLeast = 1000
		expect(t, many.Check(h(fine, cut)), history.Undetermined, "only 450 operations of requests in B")
	})
	t.Run("short intervals are judged together", func(t *testing.T) {
		var flaps []history.Window
		for at := 5 * time.Second; at < 29*time.Second; at += 4 * time.Second {
			flaps = append(flaps, window("partition", at, at+1300*ms))
		}
		short := inB
		short.When = func(f checker.Faults) bool { return len(f.Active) > 0 }
		short.Least = time.Second
		expect(t, short.Check(h(down("B", 5*time.Second, 5200*ms), flaps...)), history.Fail, "in the short intervals together only 80 of 90")
		expect(t, short.Check(h(fine, flaps...)), history.Pass, "in 6 intervals")
	})
}

func TestRefusal(t *testing.T) {
	cut := window("partition", 10*time.Second, 20*time.Second)
	refuse := checker.Availability{
		Class: "requests from B to A", Refuse: true,
		When: func(f checker.Faults) bool { return len(f.Active) > 0 },
		Of:   func(op *history.Op, f checker.Faults) bool { return op.Region == "B" },
	}
	made := cut // and undone, each in half a second
	made.Struck, made.Healing = 10500*ms, 19500*ms
	real := func(h *history.History) *history.History {
		h.Windows = []history.Window{made}
		return h
	}
	h := func(serves func(time.Duration) bool) *history.History {
		return &history.History{Windows: []history.Window{cut}, Healed: 30 * time.Second, End: 30 * time.Second,
			Ops: steady(30*time.Second, func(at time.Duration, region string) history.Outcome {
				if region == "A" || serves(at) {
					return history.OK
				}
				return history.Unknown
			})}
	}
	run(t, refuse, []verdictCase{
		{"nothing completes across a cut", h(func(at time.Duration) bool { return at < 9995*ms || at >= 20*time.Second }), history.Pass, "none of ", nil},
		{"one that completes across a cut refutes it", h(func(at time.Duration) bool { return at == 15010*ms || at < 10*time.Second }), history.Fail, "operation 1501 (client cB, 15.010 s) completed", []int{1501}},
		{"while a cut is made and undone anything may be", real(h(func(at time.Duration) bool { return at < 10495*ms || at >= 19500*ms })), history.Pass, "none of ", nil},
		{"and not between", real(h(func(at time.Duration) bool { return at < 10520*ms })), history.Fail, "from 10.500 s to 19.500 s", []int{1051}},
	})
}

func TestRecovery(t *testing.T) {
	const healed, end = 10 * time.Second, 40 * time.Second
	h := func(outcome func(time.Duration, string) history.Outcome) *history.History {
		return &history.History{Ops: steady(end, outcome), Healed: healed, End: end}
	}
	until := func(at time.Duration) func(time.Duration, string) history.Outcome {
		return func(t time.Duration, region string) history.Outcome {
			if region == "B" && t < at {
				return history.Unknown
			}
			return history.OK
		}
	}
	r := checker.Recovery{Class: "requests"}
	run(t, r, []verdictCase{
		{"everybody is served again in time", h(until(19 * time.Second)), history.Pass, "answered again 9.015 s after the last heal", nil},
		{"one region is served again too late", h(until(21 * time.Second)), history.Fail, "clients in B: none of 500 operations asked was served within 10s", nil},
		{"one region is never served again", h(until(end)), history.Fail, "none in the whole run", nil},
		{"it does not last", h(func(at time.Duration, region string) history.Outcome {
			if at > 20*time.Second && at < 21*time.Second {
				return history.Unknown
			}
			return history.OK
		}), history.Fail, "from 10.015 s, when all had answered again, only", nil},
		{"nothing was asked", &history.History{Healed: healed, End: end}, history.Undetermined, "nothing was asked", nil},
		{"the run ended too early to say", &history.History{Ops: steady(15*time.Second, until(end)), Healed: healed, End: 15 * time.Second}, history.Undetermined, "clients in B", nil},
	})
	r.Expect = []string{"clients in A", "clients in C"}
	expect(t, r.Check(h(fine)), history.Undetermined, "clients in C")
	r.Expect = nil
	r.Unfinished = func(*history.History) []string { return []string{"txn 7"} }
	expect(t, r.Check(h(fine)), history.Fail, "unfinished at the end, 30.000 s after the last heal: txn 7")
}
