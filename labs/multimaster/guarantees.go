package multimaster

import (
	"slices"
	"strconv"
	"time"

	"faultlab/checker"
	"faultlab/checker/history"
	"faultlab/checker/linear"
	"faultlab/labs"
	"faultlab/nemesis"
	"faultlab/nodes"
	mm "faultlab/nodes/multimaster"
)

const (
	electedWithin = 3 * time.Second // T_elect: after a fault the groups it touched have leaders again
	restoreWithin = 10 * time.Second
	cutAtLeast    = 3 * time.Second // so much of a run must have a region cut off and nothing else wrong
)

// everything is the faults that no promise of safety excludes.
var everything = []string{"partition", "kill", "power-loss", "pause", "slow", "reorder", "loss", "lost-reply", "clock",
	"duplicate", "corrupt", "clog", "restart-all", "wipe", "disk", "ops", "membership", "upgrade", "client-crash", "duplicate-submit"}

// judge is what the promises of one run share: the views of its history, taken once.
type judge struct {
	layout  *mm.Layout
	members int
	lists   *checker.Transactions
	banks   [][]string
	seen    *history.History // of which owners says who owned what
	owners  *owners
}

func guarantees(t nodes.Topology) []labs.Guarantee {
	j := &judge{
		layout:  mm.NewLayout(t),
		members: len(t.Members),
		lists:   &checker.Transactions{View: listView},
		banks:   newWorkload(t, nil).(*workload).banks,
	}
	return []labs.Guarantee{
		{
			ID: "O1", Name: "linearizable-partition",
			Statement: "Operations on one range are linearizable.",
			Under:     everything,
			Checker:   checker.Linearizable[linear.CellState]{Model: linear.Cell(), View: cellView, Lists: j.lists, Effects: touchesRegister},
		}, {
			ID: "O2", Name: "strict-serializable",
			Statement: "Committed transactions have a serial order that respects real time.",
			Under:     everything,
			Checker:   checker.Isolation{Of: j.lists},
		}, {
			ID: "O3", Name: "atomic-across-shards",
			Statement: "All writes of a transaction are visible, or none, to every reader.",
			Under:     everything,
			Checker:   checker.Atomic{Of: j.lists},
		}, {
			ID: "O4", Name: "deterministic-apply",
			Statement: "After the same log index every replica of a group has the same state, also after a restart.",
			Under:     everything,
			Inside:    true,
			Checker:   checker.Digests{View: digestView},
		}, {
			ID: "O5", Name: "durable-ack",
			Statement: "What a transaction wrote before it was acknowledged survives the crash and the power loss of any nodes, including all, and the loss of or damage to the disks of a minority of each group.",
			Under:     everything,
			Checker:   checker.Durable{Of: j.lists},
		}, {
			ID: "O6", Name: "outcomes-stick",
			Statement: "A failed transaction is never visible; one of unknown outcome has one outcome by the final reads, and never another.",
			Under:     everything,
			Checker:   checker.Outcomes{Of: j.lists},
		}, {
			ID: "O7", Name: "exactly-once-submit",
			Statement: "A transaction is applied once at most, however often it is submitted, to whomever.",
			Under:     everything,
			Checker:   checker.Duplicates{Of: j.lists},
		}, {
			ID: "O8", Name: "write-fence",
			Statement: "Once a fence of a range is granted, no transaction that begins later is acknowledged by it under a lower epoch, and an epoch of a range has one owner.",
			Under:     everything,
			Inside:    true,
			Checker:   checker.Func(j.fences),
		}, {
			ID: "O9", Name: "bounded-blocking",
			Statement: "Locks of participants that reach a majority of the status group last no longer than T_res (0.6 s), the second that telling it may take, and an election; in a region that is cut off only cross-region transactions prepared before the cut keep keys locked.",
			Under:     everything,
			Inside:    true,
			Checker:   j.locks(),
		}, {
			ID: "O10", Name: "application-invariants",
			Statement: "The total of each bank never changes, no balance is negative, and of each pair of doctors one at least is on call.",
			Under:     everything,
			Checker: checker.All{
				checker.Bank{View: bankView(j.banks), Totals: j.totals(), Partial: true, Limit: func(string) int64 { return 0 }, Moves: transfers},
				checker.Invariant[ward]{View: wardView, Holds: ward.covered},
			},
		}, {
			ID: "O11", Name: "analytics-replica",
			Statement: "Each query of an analytics replica sees a committed prefix, cut at one watermark over all ranges; a session never sees one go back; and while nothing is wrong it holds all that was acknowledged longer than 3 s before.",
			Under:     everything,
			Checker:   checker.Func(j.analytics),
		}, {
			ID: "O12", Name: "range-move",
			Statement: "A key has one owner at a time: once it was served under an epoch, nothing that begins later is served under a lower one, wherever ranges are moved and split.",
			Under:     everything, Exercised: movesRange,
			Inside:  true,
			Checker: checker.Func(j.moves),
		}, {
			ID: "A1", Name: "available-one-node-down",
			Statement: "While no more than one node is down, frozen or cut off, 99 % of all transactions are answered from T_elect (3 s) on (done, or refused because a condition of their own does not hold), with no gap over 2 s.",
			Under:     everything, Exercised: labs.DownsOne,
			Checker: checker.Availability{
				Class:  "transactions with one node down at most",
				When:   func(f checker.Faults) bool { return labs.OneDown(j.members, f.All()) },
				Of:     func(op *history.Op, _ checker.Faults) bool { return isTxn(op) },
				Served: answered, Settle: electedWithin, AtLeast: 200,
			},
		}, {
			ID: "A2", Name: "available-outside-cut",
			Statement: "While one region is cut off, 99 % of the single-range transactions that clients of the other regions make on ranges of their own succeed, with no gap over 2 s; but for keys that O9 lets stay locked.",
			Under:     everything, Exercised: labs.CutsRegion,
			Checker: j.available("single-range transactions at home, outside the cut region", 50, func(op *history.Op, cut string) bool { return op.Region != cut }),
		}, {
			ID: "A3", Name: "available-inside-cut",
			Statement: "While one region is cut off, 99 % of the single-range transactions that its own clients make on its own ranges succeed, with no gap over 2 s; but for keys that O9 lets stay locked.",
			Under:     everything, Exercised: labs.CutsRegion,
			Checker: j.available("single-range transactions at home, inside the cut region", 10, func(op *history.Op, cut string) bool { return op.Region == cut }),
		}, {
			ID: "A4", Name: "refused-across-cut",
			Statement: "While one region is cut off, no transaction across the cut succeeds, and no fence.",
			Under:     everything, Exercised: labs.CutsRegion,
			Checker: checker.Func(func(h *history.History) history.Result {
				return checker.Availability{
					Class:  "transactions and fences across the cut",
					When:   oneRegionCut,
					Of:     func(op *history.Op, f checker.Faults) bool { return j.acrossCut(h, op, f) },
					Refuse: true, AtLeast: 10, Least: cutAtLeast,
				}.Check(h)
			}),
		}, {
			ID: "A5", Name: "available-survive-region",
			Statement: "While one region is cut off, 99 % of the transactions that clients of the other regions make on a range that survives the loss of a region succeed from T_elect (3 s) on, with no gap over 2 s; but for keys that O9 lets stay locked.",
			Under:     everything, Exercised: labs.CutsRegion,
			Checker: checker.Func(func(h *history.History) history.Result {
				locked := j.crossLocks(h)
				return checker.Availability{
					Class: "transactions on a range in all regions, outside the cut region",
					When:  oneRegionCut,
					Of: func(op *history.Op, f checker.Faults) bool {
						g := j.host(h, op)
						return isTxn(op) && op.Region != cutRegion(f) && g != nil && g.Region == "" && !locked.before(cutAt(f), op)
					},
					Served: answered, Settle: electedWithin, AtLeast: 3, Least: 1500 * time.Millisecond,
				}.Check(h)
			}),
		}, {
			ID: "A6", Name: "available-analytics",
			Statement: "While one region is cut off, 99 % of the queries that clients of the other regions make of analytics replicas are answered, as of a watermark that stands still, with no gap over 2 s.",
			Under:     everything, Exercised: labs.CutsRegion,
			Checker: replicasAvailable(),
		}, {
			ID: "R1", Name: "recovers",
			Statement: "Within 10 s of the last heal every range serves the clients of every region, and from then on 99 % of all transactions are answered; no lock is left.",
			Under:     everything,
			Checker: checker.Recovery{
				Class:      "transactions",
				Pairs:      j.pairs,
				Expect:     j.allPairs(t),
				Served:     answered,
				Unfinished: leftLocked,
				Within:     restoreWithin,
			},
		},
	}
}

// harmless are faults that keep nothing from anybody: beside them a cut stands alone.
var harmless = []string{"clock", "duplicate", "reorder", "duplicate-submit"}

// theCut returns the window that cuts one region off; ok is false if there is none, or more is wrong, or was a while ago.
func theCut(f checker.Faults) (cut history.Window, ok bool) {
	for _, w := range f.Active {
		switch {
		case slices.Contains(harmless, w.Kind):
		case ok || !labs.IsRegionCut(w):
			return history.Window{}, false
		default:
			cut, ok = w, true
		}
	}
	if slices.ContainsFunc(f.Recent, func(w history.Window) bool { return !slices.Contains(harmless, w.Kind) }) {
		return history.Window{}, false
	}
	return cut, ok
}

func oneRegionCut(f checker.Faults) bool {
	_, ok := theCut(f)
	return ok
}

// cutRegion returns the region that is cut off.
func cutRegion(f checker.Faults) string {
	w, _ := theCut(f)
	return labs.RegionOf(w.Nodes[0])
}

// cutAt returns since when it is.
func cutAt(f checker.Faults) time.Duration {
	w, _ := theCut(f)
	return w.Start
}

// movesRange says why no range changes its owner.
func movesRange(s nemesis.Schedule) string {
	if slices.ContainsFunc(s, func(f nemesis.Fault) bool { return f.Is("ops:move") || f.Is("ops:split") }) {
		return ""
	}
	return "no fault of this run moves or splits a range"
}

// host returns the group that owned all keys of a transaction when it was asked for, nil if that was not one group.
func (j *judge) host(h *history.History, op *history.Op) *mm.Range {
	var host *mm.Range
	for _, key := range keysOf(op) {
		g := j.homes(h).at(key, op.Call)
		if g == nil || host != nil && host != g {
			return nil
		}
		host = g
	}
	return host
}

// atHome says that a transaction is on one range, of its client's own region.
func (j *judge) atHome(h *history.History, op *history.Op) bool {
	if len(j.layout.Participants(steps(op))) != 1 {
		return false
	}
	g := j.host(h, op)
	return g != nil && g.Region == op.Region
}

func (j *judge) rangeOf(op *history.Op) string {
	return "range " + j.layout.Participants(steps(op))[0].Name
}

// acrossCut says that the cut lies between a client and the owner of a key that it needs. To whoever is inside, that is
// so of a range that lives in all regions.
func (j *judge) acrossCut(h *history.History, op *history.Op, f checker.Faults) bool {
	cut := cutRegion(f)
	return slices.ContainsFunc(keysOf(op), func(key string) bool {
		g := j.homes(h).at(key, op.Call)
		return g != nil && (g.Region == cut) != (op.Region == cut)
	})
}

// available judges AVAIL of single-range transactions at home while a region is cut off. Keys that a transaction across
// regions had locked before the cut are the blast radius that O9 allows, and O9 judges how long; they are left out here.
// Clients inside spend most of a cut waiting for transactions across it, so that they take longer to ask for enough.
func (j *judge) available(class string, atLeast int, of func(op *history.Op, cut string) bool) checker.Checker {
	return checker.Func(func(h *history.History) history.Result {
		locked := j.crossLocks(h)
		return checker.Availability{
			Class: class,
			When:  oneRegionCut,
			Of: func(op *history.Op, f checker.Faults) bool {
				return of(op, cutRegion(f)) && j.atHome(h, op) && !locked.before(cutAt(f), op)
			},
			Served: answered, Per: j.rangeOf, AtLeast: atLeast, Least: cutAtLeast,
		}.Check(h)
	})
}

// pairs names what a success shows to be served: a range, to the clients of a region.
func (j *judge) pairs(op *history.Op) []string {
	var list []string
	for _, r := range j.layout.Participants(steps(op)) {
		list = append(list, "range "+r.Name+" to clients in "+op.Region)
	}
	return list
}

func (j *judge) allPairs(t nodes.Topology) []string {
	var list []string
	for _, r := range j.layout.Ranges {
		for _, region := range t.Regions() {
			list = append(list, "range "+r.Name+" to clients in "+region)
		}
	}
	return list
}

func (j *judge) totals() map[string]int64 {
	totals := map[string]int64{}
	for _, accounts := range j.banks {
		totals[accounts[0]] = int64(len(accounts)) * deposit
	}
	return totals
}

func transfers(op *history.Op) bool {
	return op.Outcome == history.OK && isTxn(op) && steps(op)[0].F == mm.Transfer
}

// touchesRegister says that a transaction may have an effect that no list shows.
func touchesRegister(op *history.Op) bool {
	return slices.ContainsFunc(steps(op), func(o mm.Op) bool { return o.F != mm.Read && kindOf(o.Key) != listKind })
}

func digestView(e *history.Event) (checker.Digest, bool) {
	d, ok := e.Event.(mm.Digest)
	if !ok {
		return checker.Digest{}, false
	}
	return checker.Digest{Group: d.Group, Index: d.Index, Sum: strconv.FormatUint(d.Sum, 16)}, true
}
