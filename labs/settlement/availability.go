package settlement

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"faultlab/checker"
	"faultlab/checker/history"
	"faultlab/labs"
	"faultlab/nemesis"
	"faultlab/nodes"
	s "faultlab/nodes/settlement"
)

// available are the promises of who is served while what is wrong, and of recovery.
func (j *judge) available() []labs.Guarantee {
	return []labs.Guarantee{
		{
			ID: "A1", Name: "available-one-node-down",
			Statement: "While no more than one node is down, frozen or cut off, be it of the ledger, a router, the FX engine or a compliance service, 99 % of all payments and balances asked for are answered from T_elect (3 s) on, with no gap over 2 s.",
			Under:     everything, Exercised: downsOne,
			Checker: checker.Availability{
				Class:  "payments and balances with one node down at most",
				When:   func(f checker.Faults) bool { return labs.OneDown(len(j.topology.Members), f.All()) },
				Of:     func(op *history.Op, _ checker.Faults) bool { return daily(op) },
				Served: answered, Settle: electedWithin, Deadline: patience, AtLeast: 50, Least: time.Second,
			},
		}, {
			ID: "A2", Name: "available-without-a-cloud",
			Statement: "While a cloud is cut off, dead or wiped, 95 % of the payments and balances that clients outside of it ask for are answered from 4 s on, with no gap over 2 s.",
			Under:     everything, Exercised: losesCloud,
			Checker: checker.Availability{
				Class: "payments and balances by clients outside the lost cloud",
				When:  func(f checker.Faults) bool { return j.lostCloud(f) != "" },
				Of: func(op *history.Op, f checker.Faults) bool {
					return daily(op) && j.zoneOf(op.Client) != j.lostCloud(f)
				},
				Served: answered, Settle: cloudLessWithin, Deadline: patience, PerMille: 950, AtLeast: 20, Least: 300 * time.Millisecond,
			},
		}, {
			ID: "A3", Name: "refused-inside-a-cut-cloud",
			Statement: "While a cloud is cut off, no new payment that a client inside of it asks for is accepted.",
			Under:     everything, Exercised: cutsCloud,
			Checker: checker.Func(func(h *history.History) history.Result {
				f := j.facts(h)
				return checker.Availability{
					Class: "new payments by clients inside the cut cloud",
					When:  func(f checker.Faults) bool { return j.cutCloud(f) != "" },
					Of: func(op *history.Op, faults checker.Faults) bool {
						n, _, ok := bodyOf(op.In)
						return ok && f.asked[n].ops[0] == op.Index && j.zoneOf(op.Client) == j.cutCloud(faults)
					},
					Refuse: true, AtLeast: 1, Least: 3 * time.Second,
				}.Check(h)
			}),
		}, {
			ID: "A4", Name: "statements-inside-a-cut-cloud",
			Statement: "While a cloud is cut off, 99 % of the heads and statements that clients inside of it ask its nodes for are answered, labelled with their size.",
			Under:     everything, Exercised: cutsCloud,
			Checker: checker.Availability{
				Class: "heads and statements inside the cut cloud",
				When:  func(f checker.Faults) bool { return j.cutCloud(f) != "" },
				Of: func(op *history.Op, f checker.Faults) bool {
					in, statement := op.In.(s.GetStatement)
					_, head := op.In.(s.GetHead)
					return (head || statement && in.AsOf == 0) && j.zoneOf(op.Client) == j.cutCloud(f)
				},
				Served: func(op *history.Op) bool { // a range that this replica has not reached is refused
					in, ok := op.In.(s.GetStatement)
					return op.Outcome == history.OK || ok && in.From > 0 && op.Outcome == history.Failed
				},
				Gap: 6 * time.Second, AtLeast: 1, Least: 3 * time.Second,
			},
		}, {
			ID: "A5", Name: "available-without-fx",
			Statement: "While the FX engine is down or slow, 99 % of the payments within one currency and shard come to their end as in calm, with no gap over 2 s.",
			Under:     everything, Exercised: asks("ops:fx-down", "ops:fx-slow"),
			Checker: checker.Availability{
				Class:  "payments within one currency and shard without the FX engine",
				When:   only("fx-down", "fx-slow"),
				Of:     func(op *history.Op, _ checker.Faults) bool { in, ok := j.simple(op); return ok && in.From != "" },
				Served: ended, Deadline: patience, AtLeast: 10, Least: time.Second,
			},
		}, {
			ID: "A6", Name: "available-without-compliance",
			Statement: "While the compliance service of a region is down or slow, 99 % of the payments within one currency and shard of another region come to their end as in calm, with no gap over 2 s.",
			Under:     everything, Exercised: asks("ops:compliance-down", "ops:compliance-slow"),
			Checker: checker.Availability{
				Class: "payments within one currency and shard of other regions",
				When:  only("compliance-down", "compliance-slow"),
				Of: func(op *history.Op, f checker.Faults) bool {
					in, ok := j.simple(op)
					return ok && !slices.ContainsFunc(f.All(), func(w history.Window) bool {
						if w.Form != "compliance-down" && w.Form != "compliance-slow" {
							return false
						}
						m, _ := j.topology.Member(nodes.ID(w.Nodes[0]))
						return m.Region == j.layout.Shard(s.ShardOf(in.From)).Region
					})
				},
				Served: ended, Deadline: patience, AtLeast: 10, Least: time.Second,
			},
		}, {
			ID: "A7", Name: "available-while-closing",
			Statement: "While nothing is wrong but that windows close, unasked or by an operator, 99 % of the payments asked for in each region are answered, with no gap over T_close (3 s).",
			Under:     everything, Exercised: leavesCalm,
			Checker: checker.Availability{
				Class:  "payments while windows close",
				When:   calm,
				Of:     func(op *history.Op, _ checker.Faults) bool { _, _, ok := bodyOf(op.In); return ok },
				Served: answered, Per: func(op *history.Op) string { return op.Region },
				Gap: closedWithin, Deadline: patience, AtLeast: 20, Least: time.Second,
			},
		}, {
			ID: "R1", Name: "recovers",
			Statement: "Within 10 s of the last heal every shard serves, and the clients of every region are served; from then on 99 % of the payments and balances asked for are answered.",
			Under:     everything,
			Checker: checker.Recovery{
				Class: "payments and balances", Of: daily, Pairs: pairs, Served: answered,
				Within: restoreWithin, Deadline: patience,
			},
		},
	}
}

// daily says that an operation is what clients want of the ledger: it has one answer, wherever it is asked for.
func daily(op *history.Op) bool {
	switch op.In.(type) {
	case s.Pay, s.Reverse, s.Status, s.GetBalance:
		return true
	}
	return false
}

// answered says that a client was told what became of what it asked: it is taken, or refused for what it is.
func answered(op *history.Op) bool {
	switch op.Out.(type) {
	case s.Conflict, s.Refused:
		return true
	}
	return op.Outcome == history.OK
}

// ended says that a payment came to its end while its client waited.
func ended(op *history.Op) bool {
	paid, ok := op.Out.(s.Paid)
	return answered(op) && (!ok || paid.State != s.Accepted)
}

// simple says that an operation is a payment that one group does alone, in one currency.
func (j *judge) simple(op *history.Op) (s.Pay, bool) {
	in, ok := op.In.(s.Pay)
	shard := s.ShardOf(in.From)
	return in, ok && shard == s.ShardOf(in.To) && shard == s.ShardOf(in.Client) && s.CurrencyOf(in.From) == s.CurrencyOf(in.To) && in.Within == 0
}

// pairs name what an operation's success shows to be back.
func pairs(op *history.Op) []string {
	shard := ""
	switch in := op.In.(type) {
	case s.Pay:
		shard = s.ShardOf(in.Client)
	case s.Reverse:
		shard = s.ShardOf(in.Client)
	case s.Status:
		shard = s.ShardOf(in.Client)
	case s.GetBalance:
		shard = s.ShardOf(in.Account)
	}
	return []string{"shard " + shard, "clients in " + op.Region}
}

// zoneOf is where a client is at home, as the engine deals clients to regions and zones.
func (j *judge) zoneOf(identity string) string {
	n, err := strconv.Atoi(strings.TrimPrefix(clientOf(identity), "c"))
	if err != nil {
		return ""
	}
	regions := j.layout.Regions
	members := j.topology.In(regions[(n-1)%len(regions)])
	m, _ := j.topology.Member(members[(n-1)/len(regions)%len(members)])
	return m.Zone
}

// lostCloud is the cloud all of whose ledger nodes are cut off together, or down, if that is all that is wrong and was a
// while ago; "" if not.
func (j *judge) lostCloud(f checker.Faults) string {
	if len(f.Active) != 1 || f.Active[0].Form != "zone" || slices.ContainsFunc(f.Recent, func(w history.Window) bool { return !slices.Contains(harmless, w.Kind) }) {
		return ""
	}
	return j.cloud(f.Active[0])
}

// cutCloud is the one that is cut off, but alive.
func (j *judge) cutCloud(f checker.Faults) string {
	if cloud := j.lostCloud(f); cloud != "" && f.Active[0].Kind == "partition" {
		return cloud
	}
	return ""
}

// cloud is the one whose ledger nodes, all of them, a window hit.
func (j *judge) cloud(w history.Window) string {
	if len(w.Nodes) == 0 {
		return ""
	}
	m, _ := j.topology.Member(nodes.ID(w.Nodes[0]))
	for _, id := range j.layout.Ledger {
		if other, _ := j.topology.Member(id); (other.Zone == m.Zone) != slices.Contains(w.Nodes, string(id)) {
			return ""
		}
	}
	switch others := len(j.topology.Members) - len(w.Nodes); w.Kind {
	case "partition":
		if len(w.Cuts) == 2*len(w.Nodes)*others {
			return m.Zone
		}
	case "kill", "wipe":
		return m.Zone
	}
	return ""
}

// only says that nothing is wrong but some of these operations of the lab, nor was lately.
func only(forms ...string) func(checker.Faults) bool {
	return func(f checker.Faults) bool {
		return len(f.Active) > 0 && !slices.ContainsFunc(f.Active, func(w history.Window) bool {
			return w.Kind != "ops" || !slices.Contains(forms, w.Form)
		}) && !slices.ContainsFunc(f.Recent, func(w history.Window) bool { return !slices.Contains(harmless, w.Kind) })
	}
}

// harmless are faults that leave nothing behind when they are healed.
var harmless = []string{"ops", "duplicate", "reorder", "client-crash", "duplicate-submit"}

// calm says that nothing is wrong but that a window is closed, nor was lately.
func calm(f checker.Faults) bool {
	return !slices.ContainsFunc(f.Active, func(w history.Window) bool { return w.Kind != "ops" || w.Form != "close-window" }) &&
		!slices.ContainsFunc(f.Recent, func(w history.Window) bool { return !slices.Contains(harmless, w.Kind) })
}

// leavesCalm says why a schedule leaves no time in which nothing is wrong, "" if it does.
func leavesCalm(schedule nemesis.Schedule) string {
	if len(schedule) == 0 || slices.ContainsFunc(schedule, func(f nemesis.Fault) bool { return slices.Contains(harmless, f.Kind) }) {
		return ""
	}
	return "all faults of this run leave something to recover from"
}

// downsOne says why a schedule never takes down a single node, "" if it may.
func downsOne(schedule nemesis.Schedule) string {
	single := slices.DeleteFunc(slices.Clone(schedule), func(f nemesis.Fault) bool { return f.Form == "zone" })
	if len(single) == 0 && len(schedule) > 0 {
		return "all faults of this run take a whole cloud"
	}
	return labs.DownsOne(single)
}

func losesCloud(schedule nemesis.Schedule) string {
	return needs(schedule, "no fault of this run takes a cloud", "partition:zone", "wipe:zone", "kill:zone")
}

func cutsCloud(schedule nemesis.Schedule) string {
	return needs(schedule, "no fault of this run cuts off a cloud", "partition:zone")
}

// asks says why a schedule does not ask for one of these operations, "" if it does.
func asks(specs ...string) func(nemesis.Schedule) string {
	return func(schedule nemesis.Schedule) string {
		return needs(schedule, "this run does not have "+strings.Join(specs, " nor "), specs...)
	}
}

func needs(schedule nemesis.Schedule, otherwise string, specs ...string) string {
	for _, f := range schedule {
		if slices.ContainsFunc(specs, f.Is) {
			return ""
		}
	}
	return otherwise
}
