package labs

import (
	"slices"
	"time"

	"faultlab/checker/history"
)

// Availability is what the clients of one region got while one sort of fault was active. It is for people to read; the
// promises about availability are guarantees, and judged as such.
type Availability struct {
	Region  string        `json:"region"`
	Fault   string        `json:"fault"` // "partition:region", or Calm or Healed
	Asked   int           `json:"asked"`
	OK      int           `json:"ok"`
	Failed  int           `json:"failed"`
	Unknown int           `json:"unknown"`
	P50     time.Duration `json:"p50_ns"` // of those that were ok, as P99
	P99     time.Duration `json:"p99_ns"`
}

// Answered counts those whose client was told what became of them: they were done, or surely refused.
func (a Availability) Answered() int { return a.OK + a.Failed }

// Times that are not under any fault, in place of its name.
const (
	Calm   = "no fault"   // in the safety phase
	Healed = "after heal" // the recovery phase
)

// Available sums up a history by region and fault. Regions come in the order of the members; faults begin with Calm,
// follow in the order of their first window, and end with Healed. An operation under several faults counts for each.
func Available(h *history.History) []Availability {
	faults := []string{Calm}
	for _, w := range h.Windows {
		if name := faultName(w.Kind, w.Form); w.Took && !slices.Contains(faults, name) {
			faults = append(faults, name)
		}
	}
	faults = append(faults, Healed)
	var regions []string
	for _, m := range h.Members {
		if !slices.Contains(regions, m.Region) {
			regions = append(regions, m.Region)
		}
	}
	cells := make([]Availability, len(regions)*len(faults))
	times := make([][]time.Duration, len(cells))

	type span struct {
		end   time.Duration
		fault int
	}
	var active []span // by a sweep, since windows and operations are both in the order of time
	waiting := h.Windows
	for i := range h.Ops {
		op := &h.Ops[i]
		region := slices.Index(regions, op.Region)
		if region < 0 || op.Phase != history.Safety && op.Phase != history.Recovery {
			continue
		}
		count := func(fault int) {
			at := region*len(faults) + fault
			cell := &cells[at]
			cell.Asked++
			switch op.Outcome {
			case history.OK:
				cell.OK++
				times[at] = append(times[at], op.Return-op.Call)
			case history.Failed:
				cell.Failed++
			default:
				cell.Unknown++
			}
		}
		if op.Phase == history.Recovery {
			count(len(faults) - 1)
			continue
		}
		for len(waiting) > 0 && waiting[0].Start <= op.Call {
			if w := waiting[0]; w.Took {
				active = append(active, span{w.End, slices.Index(faults, faultName(w.Kind, w.Form))})
			}
			waiting = waiting[1:]
		}
		active = slices.DeleteFunc(active, func(s span) bool { return s.end < op.Call })
		if len(active) == 0 {
			count(0)
		}
		for j, s := range active {
			if !slices.ContainsFunc(active[:j], func(t span) bool { return t.fault == s.fault }) {
				count(s.fault)
			}
		}
	}

	var out []Availability
	for i, cell := range cells {
		if cell.Asked == 0 {
			continue
		}
		cell.Region, cell.Fault = regions[i/len(faults)], faults[i%len(faults)]
		if t := times[i]; len(t) > 0 {
			slices.Sort(t)
			cell.P50, cell.P99 = t[(len(t)-1)/2], t[(len(t)-1)*99/100]
		}
		out = append(out, cell)
	}
	return out
}
