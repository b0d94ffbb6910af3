package labs

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"faultlab/checker"
	"faultlab/checker/history"
	"faultlab/nemesis"
	"faultlab/nodes"
)

// This file is what labs share whose designs stand on three regions: the topology, and what its faults are called when
// promises speak of them.

// ThreeRegions is the topology of regions A, B and C with the same number of nodes each, three by default, every node in
// a zone of its own: a1 to a3, b1 to b3, c1 to c3. lab is who asks, for the error.
func ThreeRegions(lab string, n int) (nodes.Topology, error) {
	if n == 0 {
		n = 9
	}
	if n < 9 || n%3 != 0 {
		return nodes.Topology{}, fmt.Errorf("%s cannot be built with %d nodes: it has three regions with as many nodes each, three or more: 9, 12 or 15, say", lab, n)
	}
	t := nodes.Topology{RoundTrips: []nodes.RoundTrip{
		{A: "A", B: "B", Time: 40 * time.Millisecond},
		{A: "B", B: "C", Time: 80 * time.Millisecond},
		{A: "A", B: "C", Time: 120 * time.Millisecond},
	}}
	for _, region := range []string{"A", "B", "C"} {
		for i := range n / 3 {
			t.Members = append(t.Members, nodes.Member{
				ID: nodes.ID(fmt.Sprint(strings.ToLower(region), i+1)), Region: region, Zone: fmt.Sprint(region, i+1),
			})
		}
	}
	return t, nil
}

// RegionOf returns the region of a member of ThreeRegions, by its name: a1 is in A.
func RegionOf(id string) string { return string(id[0] - 'a' + 'A') }

// OneDown says that nothing is wrong but, at the most, that one of so many members is down, frozen or cut off from all
// others. It goes by what was really cut: a plan written by hand may call anything by any name.
func OneDown(members int, windows []history.Window) bool {
	lame := map[string]bool{}
	cut := map[history.Link]bool{}
	for _, w := range windows {
		switch w.Kind {
		case "partition", "kill", "power-loss", "pause":
		default:
			return false
		}
		for _, id := range w.Down {
			lame[id] = true
		}
		for _, l := range w.Cuts {
			cut[l] = true
		}
	}
	for l := range cut {
		for _, id := range []string{l.From, l.To} {
			touching := 0
			for other := range cut {
				if other.From == id || other.To == id {
					touching++
				}
			}
			if touching == len(cut) && touching == 2*(members-1) {
				lame[id] = true
				return len(lame) == 1
			}
		}
		return false
	}
	return len(lame) <= 1
}

// OneRegionCut returns the region that is cut off from all others, both ways, if that is all that is wrong, and was a
// while ago.
func OneRegionCut(f checker.Faults) (region string, ok bool) {
	if len(f.Active) != 1 || len(f.Recent) != 0 || !IsRegionCut(f.Active[0]) {
		return "", false
	}
	return RegionOf(f.Active[0].Nodes[0]), true
}

// IsRegionCut says that a window cuts one region from all others, both ways. A plan written by hand may call something
// else by that name.
func IsRegionCut(w history.Window) bool {
	if w.Kind != "partition" || w.Form != "region" || len(w.Nodes) == 0 {
		return false
	}
	region := RegionOf(w.Nodes[0])
	links := 0
	for _, l := range w.Cuts {
		if (RegionOf(l.From) == region) != (RegionOf(l.To) == region) {
			links++
		}
	}
	return links == 2*2*len(w.Nodes)*len(w.Nodes) // there are two other regions of the same size
}

// CutsRegion says why a schedule leaves no time for promises about a region that is cut off, "" if it may.
func CutsRegion(s nemesis.Schedule) (why string) {
	if slices.ContainsFunc(s, func(f nemesis.Fault) bool { return f.Is("partition:region") }) {
		return ""
	}
	return "no fault of this run cuts off a region"
}

// DownsOne says why a schedule leaves no time for promises about one node that is down, "" if it may: it has faults, and
// none of them takes down a single node.
func DownsOne(s nemesis.Schedule) (why string) {
	if len(s) == 0 || slices.ContainsFunc(s, func(f nemesis.Fault) bool {
		return f.Kind == "kill" || f.Kind == "power-loss" || f.Kind == "pause" || f.Is("partition:one-node") || f.Is("partition:leader")
	}) {
		return ""
	}
	return "no fault of this run takes down one node"
}
