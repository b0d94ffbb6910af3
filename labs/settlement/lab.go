// Package settlement is the lab of the settlement ledger in nodes/settlement: its topology, what clients ask of it, and
// its promises L1 to L16 with their availability and recovery. README.md says them in words.
package settlement

import (
	_ "embed"
	"fmt"
	"strings"
	"time"

	"faultlab/checker/history"
	"faultlab/labs"
	"faultlab/nemesis"
	"faultlab/nodes"
	s "faultlab/nodes/settlement"
)

//go:embed README.md
var guide string

// Lab returns the lab.
func Lab() labs.Lab {
	return labs.Lab{
		Name:     "settlement",
		About:    "a ledger for payments within and between regions and currencies, immutable, on three clouds",
		Guide:    guide,
		System:   s.System(),
		Topology: topology,
		Ground:   ground,
		Workload: newWorkload,
		Outcome:  outcome,

		FailureIsFinal: true, // a payment has a key, under which it is done once; what was refused was refused for good

		Operations: operations,
		Resolve:    resolve,
		Guarantees: guarantees,
		Audits:     []labs.Audit{saved()},
		Faults:     everything,
		Defaults:   labs.Defaults{Clients: 18, Rate: 90, WarmUp: 6 * time.Second, Calm: 15 * time.Second},
	}
}

// stands is where the ledger's nodes stand: each region has two of different clouds, and each cloud two of different
// regions.
var stands = []nodes.Member{
	{ID: "l1", Region: "EU", Zone: "aws"}, {ID: "l2", Region: "US", Zone: "aws"},
	{ID: "l3", Region: "US", Zone: "azure"}, {ID: "l4", Region: "AP", Zone: "azure"},
	{ID: "l5", Region: "AP", Zone: "gcp"}, {ID: "l6", Region: "EU", Zone: "gcp"},
}

// topology is six ledger nodes, a router and a compliance service in each region, and the FX engine, which stand in no
// cloud of the ledger's, at the edge of their region.
func topology(n int) (nodes.Topology, error) {
	if whole := len(stands) + 7; n != 0 && n != whole {
		return nodes.Topology{}, fmt.Errorf("settlement cannot be built with %d nodes: it has %d, of which six keep the ledger", n, whole)
	}
	t := nodes.Topology{Members: append([]nodes.Member(nil), stands...), RoundTrips: []nodes.RoundTrip{
		{A: "EU", B: "US", Time: 80 * time.Millisecond},
		{A: "US", B: "AP", Time: 120 * time.Millisecond},
		{A: "EU", B: "AP", Time: 100 * time.Millisecond},
	}}
	for _, region := range []string{"EU", "US", "AP"} {
		low := strings.ToLower(region)
		for _, what := range []string{"router-", "compliance-"} {
			t.Members = append(t.Members, nodes.Member{ID: nodes.ID(what + low), Region: region, Zone: "edge-" + low})
		}
	}
	t.Members = append(t.Members, nodes.Member{ID: "fx", Region: "EU", Zone: "edge-eu"})
	return t, nil
}

// inCloud says that a zone is one of the clouds that the ledger stands in.
func inCloud(zone string) bool { return !strings.HasPrefix(zone, "edge-") }

// ground tells the nemesis that each shard is a group of all ledger nodes, and whom it may aim at.
func ground(t nodes.Topology) nemesis.Ground {
	l := s.NewLayout(t)
	return nemesis.Ground{Topology: t, Groups: [][]nodes.ID{l.Ledger}, Roles: leaders(l), Moments: moments()}
}

// outcome says what a reply means.
func outcome(_, out any) history.Outcome {
	switch out.(type) {
	case s.Paid, s.Quote, s.Balance, s.Statement, s.Receipt, s.Head, s.Consistency, s.Entries, s.WindowClosed, s.Reconciled, s.Scrubbed, s.Done:
		return history.OK
	case s.Conflict, s.Refused, s.NoQuote, s.NotYet:
		return history.Failed
	}
	return history.Unknown
}
