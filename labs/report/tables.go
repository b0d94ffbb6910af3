package report

import (
	"slices"
	"strconv"
	"strings"

	"faultlab/labs"
	"faultlab/nodes"
)

// A probed is the probes of one part of a system: those named "raft: new leader" are of raft.
type probed struct {
	Of     string
	Probes []fact
}

func probes(reached map[string]int) []probed {
	var names []string
	for name := range reached {
		names = append(names, name)
	}
	slices.Sort(names)
	var out []probed
	for _, name := range names {
		of, what, found := strings.Cut(name, ": ")
		if !found {
			of, what = "", name
		}
		i := slices.IndexFunc(out, func(p probed) bool { return p.Of == of })
		if i < 0 {
			i = len(out)
			out = append(out, probed{Of: of})
		}
		out[i].Probes = append(out[i].Probes, fact{Name: what, Value: number(reached[name])})
	}
	return out
}

// parameters are what the run was given, and where it ran.
func parameters(r *labs.Run, o Options) []fact {
	opt := r.Options
	fs := []fact{{Name: "lab", Value: r.Lab}, {Name: "seed", Value: strconv.FormatUint(opt.Seed, 10)}}
	add := func(name, value string) {
		if value != "" && value != "0" {
			fs = append(fs, fact{Name: name, Value: value})
		}
	}
	add("on", opt.On)
	add("faults", list(opt.Nemesis))
	if opt.Plan != nil {
		add("plan", plural(len(opt.Plan), "fault")+", as given")
	}
	add("bug", opt.Bug)
	if opt.Time > 0 {
		add("safety phase", short(opt.Time))
	}
	if r.History.Healed > 0 {
		add("last heal", at(r.History.Healed))
	}
	add("end", at(r.History.End))
	if opt.Rate > 0 {
		add("rate", number(opt.Rate)+" requests/s")
	}
	add("clients", number(opt.Clients))
	add("nodes", number(len(r.Topology.Members)))
	add("events", number(len(r.History.Events)))
	if opt.Recode {
		add("messages", "encoded and decoded on the way")
	}
	add("build", o.Build)
	return fs
}

// members lists who stood where, and how far apart.
func members(t nodes.Topology) []fact {
	var fs []fact
	for _, region := range t.Regions() {
		var ids []string
		for _, id := range t.In(region) {
			ids = append(ids, string(id))
		}
		fs = append(fs, fact{Name: "region " + region, Value: strings.Join(ids, " ")})
	}
	for _, rt := range t.RoundTrips {
		fs = append(fs, fact{Name: rt.A + " ⇄ " + rt.B, Value: short(rt.Time), Note: "round trip"})
	}
	return fs
}

// Shares are shares of success, by what was broken and where the client was.
type shares struct {
	Regions []string
	Rows    []shareRow
}

type shareRow struct {
	Kind, Form string
	Cells      []share
}

// A share is one cell: its level is from 0 (as good as all succeeded) to 4 (less than half did), and -1 where nothing was asked.
type share struct {
	Percent, Count, P99 string
	Level               int
}

func newShares(cells []labs.Availability) shares {
	var out shares
	var faults []string
	for _, c := range cells {
		if !slices.Contains(out.Regions, c.Region) {
			out.Regions = append(out.Regions, c.Region)
		}
		if !slices.Contains(faults, c.Fault) && c.Fault != labs.Healed {
			faults = append(faults, c.Fault)
		}
	}
	slices.SortStableFunc(faults, func(a, b string) int { // a region may have had no calm at all
		switch {
		case a == b || a != labs.Calm && b != labs.Calm:
			return 0
		case a == labs.Calm:
			return -1
		}
		return 1
	})
	for _, fault := range append(faults, labs.Healed) {
		kind, form, _ := strings.Cut(fault, ":")
		row := shareRow{Kind: kind, Form: form, Cells: make([]share, len(out.Regions))}
		for i := range row.Cells {
			row.Cells[i] = newShare(labs.Availability{})
		}
		var all labs.Availability
		for _, c := range cells {
			if c.Fault == fault {
				row.Cells[slices.Index(out.Regions, c.Region)] = newShare(c)
				all.Asked, all.OK, all.Failed = all.Asked+c.Asked, all.OK+c.OK, all.Failed+c.Failed
			}
		}
		if all.Asked == 0 {
			continue
		}
		if len(out.Regions) > 1 {
			row.Cells = append(row.Cells, newShare(all))
		}
		out.Rows = append(out.Rows, row)
	}
	return out
}

func newShare(a labs.Availability) share {
	s := share{Percent: percent(a.Answered(), a.Asked), Level: -1}
	if a.Asked == 0 {
		return s
	}
	s.Count = number(a.Asked)
	if a.P99 > 0 {
		s.P99 = short(a.P99)
	}
	switch mille := a.Answered() * 1000 / a.Asked; {
	case mille >= 990:
		s.Level = 0
	case mille >= 950:
		s.Level = 1
	case mille >= 750:
		s.Level = 2
	case mille >= 500:
		s.Level = 3
	default:
		s.Level = 4
	}
	return s
}
