package report

import (
	"fmt"
	"slices"
	"time"

	"faultlab/checker/history"
)

// This file goes over the operations once and counts. An operation belongs to the column of time in which it was called.

// A tally counts operations by what came of them.
type tally struct{ ok, failed, unknown int }

func (t *tally) add(o history.Outcome) {
	switch o {
	case history.OK:
		t.ok++
	case history.Failed:
		t.failed++
	default:
		t.unknown++
	}
}

func (t tally) n() int { return t.ok + t.failed + t.unknown }

// A series is a run in columns of time.
type series struct {
	end   time.Duration
	width time.Duration // of a column
	final time.Duration // when the final phase began; end if it did not

	columns  []tally
	latency  [][]time.Duration // of ok operations, by column, sorted
	gaveUp   []time.Duration   // the longest wait of an unknown operation, by column
	regions  []string
	byRegion [][]tally // region, column
	silence  []gap     // by region, under load

	total  tally
	load   []time.Duration // latencies of ok operations under load, sorted
	phases []phase
}

// A gap is the longest time without a success.
type gap struct{ from, to time.Duration }

// A phase is one with its time.
type phase struct {
	name       history.Phase
	start, end time.Duration
}

const maxColumns = 180

// columnWidth is the smallest round width that makes at most maxColumns of the run.
func columnWidth(end time.Duration) time.Duration {
	for unit := 10 * time.Millisecond; ; unit *= 10 {
		for _, n := range []time.Duration{1, 2, 5} {
			if end/(n*unit) < maxColumns {
				return n * unit
			}
		}
	}
}

func newSeries(h *history.History) *series {
	s := &series{end: h.End}
	for i := range h.Ops {
		s.end = max(s.end, h.Ops[i].Return, h.Ops[i].Call)
	}
	s.end = max(s.end, time.Millisecond)
	s.width = columnWidth(s.end)
	n := int(s.end/s.width) + 1

	region := map[string]int{}
	add := func(name string) int {
		i, ok := region[name]
		if !ok {
			i = len(s.regions)
			region[name] = i
			s.regions = append(s.regions, name)
			s.byRegion = append(s.byRegion, make([]tally, n))
		}
		return i
	}
	for _, m := range h.Members {
		add(m.Region)
	}
	for i := range h.Ops {
		add(h.Ops[i].Region)
	}
	s.columns, s.latency, s.gaveUp = make([]tally, n), make([][]time.Duration, n), make([]time.Duration, n)

	returns := make([][]time.Duration, len(s.regions))
	for i := range h.Ops {
		op := &h.Ops[i]
		c, r := int(op.Call/s.width), region[op.Region]
		s.total.add(op.Outcome)
		s.columns[c].add(op.Outcome)
		s.byRegion[r][c].add(op.Outcome)
		switch took := op.Return - op.Call; op.Outcome {
		case history.OK:
			s.latency[c] = append(s.latency[c], took)
			if op.Phase == history.Safety || op.Phase == history.Recovery {
				s.load = append(s.load, took)
				returns[r] = append(returns[r], op.Return)
			}
		case history.Unknown:
			s.gaveUp[c] = max(s.gaveUp[c], took)
		}
	}
	for _, l := range s.latency {
		slices.Sort(l)
	}
	slices.Sort(s.load)
	for _, rs := range returns {
		slices.Sort(rs)
		var g gap
		for i := 1; i < len(rs); i++ {
			if rs[i]-rs[i-1] > g.to-g.from {
				g = gap{rs[i-1], rs[i]}
			}
		}
		s.silence = append(s.silence, g)
	}
	s.phases = phases(h, s.end)
	s.final = s.end
	for _, p := range s.phases {
		if p.name == history.Final {
			s.final = p.start
		}
	}
	return s
}

// phases finds out when each phase began: the recovery phase at the last heal, the others at their first operation.
func phases(h *history.History, end time.Duration) []phase {
	var ps []phase
	begin := func(name history.Phase, t time.Duration) {
		if n := len(ps); n > 0 {
			ps[n-1].end = t
		}
		ps = append(ps, phase{name, t, end})
	}
	for i := range h.Ops {
		name, t := h.Ops[i].Phase, h.Ops[i].Call
		if len(ps) == 0 && name != history.WarmUp && t > 0 {
			begin(history.WarmUp, 0)
		}
		if len(ps) > 0 && ps[len(ps)-1].name == name {
			continue
		}
		if slices.ContainsFunc(ps, func(p phase) bool { return p.name == name }) {
			continue
		}
		if name == history.Recovery && h.Healed > 0 && h.Healed < t {
			t = h.Healed
		}
		if name == history.WarmUp {
			t = 0
		}
		begin(name, t)
	}
	return ps
}

// quantile returns the value that mille of a thousand do not exceed; -1 if there are none.
func quantile(sorted []time.Duration, mille int) time.Duration {
	if len(sorted) == 0 {
		return -1
	}
	return sorted[(len(sorted)*mille+999)/1000-1]
}

// facts are the run in a few figures.
func (s *series) facts() []fact {
	fs := []fact{
		{Name: "operations", Value: number(s.total.n()), Note: "all phases"},
		{Name: "ok", Value: percent(s.total.ok, s.total.n()), Note: number(s.total.ok)},
		{Name: "unknown", Value: number(s.total.unknown), Note: "perhaps done"},
		{Name: "failed", Value: number(s.total.failed), Note: "surely not done"},
	}
	if len(s.load) > 0 {
		fs = append(fs,
			fact{"median", short(quantile(s.load, 500)), "latency, ok"},
			fact{"p99", short(quantile(s.load, 990)), "latency, ok"})
	}
	return fs
}

// region says how one region fared.
func (s *series) region(r int) (share, worst string) {
	var t tally
	low, lowAt := tally{ok: 1}, 0
	for c, col := range s.byRegion[r] {
		t = tally{t.ok + col.ok, t.failed + col.failed, t.unknown + col.unknown}
		if col.n() > 0 && col.ok*low.n() < low.ok*col.n() {
			low, lowAt = col, c
		}
	}
	share = fmt.Sprintf("%s of %s", percent(t.ok, t.n()), number(t.n()))
	if g := s.silence[r]; g.to > g.from {
		worst = fmt.Sprintf("longest time without a success %s, from %s", short(g.to-g.from), at(g.from))
	}
	if low.ok < low.n() {
		worst = fmt.Sprintf("lowest %s at %s; ", percent(low.ok, low.n()), clock(time.Duration(lowAt)*s.width, s.width)) + worst
	}
	return share, worst
}
