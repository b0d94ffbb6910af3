package checker_test

import (
	"testing"
	"time"

	"faultlab/checker"
	"faultlab/checker/history"
)

// A lab that stands still cannot say whether what was late then was late for that. Each case fails without its stall.
func TestAMissThatOverlapsAStallOfTheLabIsUnknown(t *testing.T) {
	const end = 30 * time.Second
	cut := window("partition", 10*time.Second, 20*time.Second)
	from := func(from, to time.Duration) history.Stall { return history.Stall{Start: from, End: to} }
	serving := func(outcome func(time.Duration) history.Outcome) func(stalls ...history.Stall) *history.History {
		return func(stalls ...history.Stall) *history.History {
			return &history.History{Windows: []history.Window{cut}, Healed: end, End: end, Stalls: stalls,
				Ops: steady(end, func(at time.Duration, _ string) history.Outcome { return outcome(at) })}
		}
	}
	missed := func(from, to time.Duration) func(stalls ...history.Stall) *history.History {
		return serving(func(at time.Duration) history.Outcome {
			if from <= at && at < to {
				return history.Unknown
			}
			return history.OK
		})
	}
	all := checker.Availability{Class: "requests", When: cutOnly, Of: func(*history.Op, checker.Faults) bool { return true }}
	short := missed(12*time.Second, 12200*ms)
	run(t, all, []verdictCase{
		{"a share that is too small", short(), history.Fail, "were served", nil},
		{"a stall in which all of it was missed", short(from(12100*ms, 12500*ms)), history.Undetermined, "but the lab itself stood still from 12.100 s to 12.500 s, which may be all there is to it", nil},
		{"a stall before it excuses nothing", short(from(11*time.Second, 11500*ms)), history.Fail, "leaving out what overlaps", nil},
		{"a miss that goes on long after the stall", missed(12*time.Second, 15*time.Second)(from(12100*ms, 12500*ms)), history.Fail, "leaving out what overlaps", nil},
	})
	lenient := all
	lenient.PerMille = 500
	gap := missed(12*time.Second, 14100*ms)
	run(t, lenient, []verdictCase{
		{"a gap that is too long", gap(), history.Fail, "no gap may last longer", nil},
		{"a gap with a stall in it", gap(from(13*time.Second, 13300*ms)), history.Undetermined, "no gap may last longer than 2s; but the lab itself stood still from 13.000 s to 13.300 s", nil},
		{"a gap that is too long after the stall too", missed(12*time.Second, 16*time.Second)(from(12100*ms, 12500*ms)), history.Fail, "leaving out", nil},
	})
	refuse := all
	refuse.Refuse = true
	one := serving(func(at time.Duration) history.Outcome {
		if at == 15*time.Second || at < 10*time.Second {
			return history.OK
		}
		return history.Unknown
	})
	run(t, refuse, []verdictCase{
		{"one that is served where all must be refused", one(), history.Fail, "completed", []int{1500}},
		{"one that is served in a stall", one(from(14900*ms, 15100*ms)), history.Undetermined, "completed, though requests must be refused", nil},
	})
}

func TestARecoveryThatOverlapsAStallOfTheLabIsUnknown(t *testing.T) {
	const healed, end = 10 * time.Second, 40 * time.Second
	h := func(back time.Duration, stalls ...history.Stall) *history.History {
		return &history.History{Healed: healed, End: end, Stalls: stalls, Ops: steady(end, func(at time.Duration, region string) history.Outcome {
			if region == "B" && at < back {
				return history.Unknown
			}
			return history.OK
		})}
	}
	stall := history.Stall{Start: 12 * time.Second, End: 13 * time.Second}
	run(t, checker.Recovery{Class: "requests"}, []verdictCase{
		{"too late", h(21 * time.Second), history.Fail, "none of 500 operations asked was served within 10s", nil},
		{"too late, after a stall", h(21*time.Second, stall), history.Undetermined, "but the lab itself stood still from 12.000 s to 13.000 s, which may be all there is to it", nil},
		{"too late even from the end of the stall", h(24*time.Second, stall), history.Fail, "leaving out what overlaps", nil},
		{"a stall before the heal excuses nothing", h(21*time.Second, history.Stall{Start: 5 * time.Second, End: 6 * time.Second}), history.Fail, "", nil},
	})
}

func TestSlownessThatOverlapsAStallOfTheLabIsUnknown(t *testing.T) {
	h := func(stalls ...history.Stall) *history.History {
		list := steady(30*time.Second, fine)
		for i := range list {
			if list[i].Call >= 11*time.Second && list[i].Call < 12*time.Second {
				list[i].Return = list[i].Call + 9*ms
			}
		}
		return &history.History{Ops: list, Windows: []history.Window{window("partition", 10*time.Second, 20*time.Second)}, Healed: 30 * time.Second, End: 30 * time.Second, Stalls: stalls}
	}
	run(t, checker.Latency{Class: "sends", When: func(f checker.Faults) bool { return len(f.Active) > 0 }, Of: func(*history.Op, checker.Faults) bool { return true }, Bound: 6 * ms}, []verdictCase{
		{"slow", h(), history.Fail, "took up to 9ms", nil},
		{"slow in a stall", h(history.Stall{Start: 10900 * ms, End: 12 * time.Second}), history.Undetermined, "took up to 9ms", nil},
		{"slow when the stall was over", h(history.Stall{Start: 10900 * ms, End: 11200 * ms}), history.Fail, "took up to 9ms", nil},
	})
}
