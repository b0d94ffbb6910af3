package queue

import (
	"fmt"
	"maps"
	"slices"
	"time"

	"faultlab/checker"
	"faultlab/checker/history"
	"faultlab/labs"
	"faultlab/nemesis"
	"faultlab/nodes"
	q "faultlab/nodes/queue"
)

const (
	electedWithin = 3 * time.Second // T_elect: after a fault the groups it touched have leaders again
	splitWithin   = 2 * time.Second // T_split: no key is refused for longer while its shard is split or merged
	takenWithin   = 3 * time.Second // T_rto: from a promotion that is decided to sends that are taken
	restoreWithin = 10 * time.Second
	cutAtLeast    = 3 * time.Second       // so much of a run must have a region cut off and nothing else wrong
	slackLocal    = 20 * time.Millisecond // what a send at home may take longer when links between regions are harmed
)

// everything is the faults that no promise of safety excludes.
var everything = []string{"partition", "partition:region", "kill", "power-loss", "pause", "slow", "reorder", "loss", "lost-reply", "clock",
	"duplicate", "corrupt", "clog", "restart-all", "wipe", "disk", "ops", "ops:promote", "upgrade", "client-crash", "duplicate-submit"}

func guarantees(t nodes.Topology) []labs.Guarantee {
	j := &judge{regions: t.Regions(), members: len(t.Members)}
	check := func(f func(h *history.History) history.Result) checker.Checker { return checker.Func(f) }
	return []labs.Guarantee{
		{
			ID: "Q1", Name: "durable-ack",
			Statement: "Every record that was acknowledged on the canonical lineage has been polled by the end, at its place.",
			Under:     everything,
			Checker:   j.without("", checker.LostWrite, checker.Unseen),
		}, {
			ID: "Q2", Name: "position-agreement",
			Statement: "A place (range, epoch, sequence number) is that of one record, for all senders, readers and regions, for ever.",
			Under:     everything,
			Checker:   check(j.agreement),
		}, {
			ID: "Q3", Name: "dense-monotone-seq",
			Statement: "The places of a shard are 1, 2, 3 and so on: whoever reads on from one is shown the next, with none left out and none before it.",
			Under:     everything,
			Checker:   checker.All{check(j.dense), j.without("", checker.PollBackIn, checker.PollSkipIn)},
		}, {
			ID: "Q4", Name: "real-time-fifo-per-key",
			Statement: "If a send was acknowledged before another to the same key was called, it stands before it on the canonical lineage.",
			Under:     everything,
			Checker:   check(j.fifo),
		}, {
			ID: "Q5", Name: "producer-order-and-dedup",
			Statement: "One producer's records stand in the order of their numbers, in each shard and along the lineage of each key, each at one place, however often it was asked for within the last 64 numbers of its producer, and those of one send together.",
			Under:     everything,
			Checker:   checker.All{check(j.producerOrder), j.without("", checker.DuplicateValue, checker.InconsistentOffsets)},
		}, {
			ID: "Q6", Name: "no-phantom",
			Statement: "Only what was sent is polled, after it was sent, and nothing that was refused.",
			Under:     everything,
			Checker: checker.NonVacuous{
				Checker: j.without("", checker.AbortedRead, checker.PhantomRead, checker.FutureRead),
				Needs: []checker.Need{checker.Ops("sends that were refused", func(op *history.Op) bool {
					_, send := op.In.(q.Send)
					return send && op.Outcome == history.Failed
				}, 1)},
			},
		}, {
			ID: "Q7", Name: "at-least-once",
			Statement: "When a group's commit of a place is acknowledged, all records up to there had been delivered to the group before; no cursor shows more than was committed; in the end all that was acknowledged has been delivered to each group.",
			Under:     everything,
			Checker: checker.All{
				j.without(plainGroup, checker.CommitAhead, checker.LostWrite, checker.Unseen),
				j.without(sinkGroup, checker.CommitAhead, checker.LostWrite, checker.Unseen),
				check(j.cursors),
			},
		}, {
			ID: "Q8", Name: "cursor-fencing",
			Statement: "Between promotions a group's cursor in a shard never goes back, and once a member has read or committed under a generation no other one does under an older one, nor under the same.",
			Under:     everything,
			Checker:   checker.All{check(j.fencing), checker.Monotonic{View: j.forward, AtLeast: 50}},
		}, {
			ID: "Q9", Name: "split-safety",
			Statement: "A shard that is split or merged ends at one place: nothing is acknowledged or shown beyond, no child is served before, and no child is delivered to a group before the group has committed all of the parents.",
			Under:     everything,
			Checker:   checker.All{check(j.opened), check(j.sealed)},
		}, {
			ID: "Q10", Name: "no-remote-dependency",
			Statement: "While links between regions are cut or slow, 95 % of the sends inside a region take no more than 20 ms longer than in calm, and so do those of other clients when clients have crashed or hang.",
			Under:     everything, Exercised: harmsFarLinks,
			Checker: checker.All{
				j.latency("sends inside a region with links between regions harmed", onlyFarLinks),
				j.latency("sends inside a region while other clients are gone", onlyClients),
			},
		}, {
			ID: "Q11", Name: "mirror-is-a-prefix",
			Statement: "At every moment each region's copy of a shard is a prefix of it: the same sum at the same place, and nothing to repair.",
			Under:     everything,
			Checker:   checker.All{checker.Digests{View: prefixView}, check(j.repaired)},
		}, {
			ID: "Q12", Name: "bounded-lag",
			Statement: "After 5 s in which nothing was wrong a copy holds all that was acknowledged more than 2 s and a round trip ago; and always what its label says it does (clocks that were harmed apart).",
			Under:     everything,
			Checker:   check(j.lag),
		}, {
			ID: "Q13", Name: "fenced-promotion",
			Statement: "All nodes say the same of a promotion; one that has learnt of it acknowledges nothing more under an older generation; all that was acknowledged beyond the declared places is in a report.",
			Under:     everything, Exercised: promotes,
			Checker: check(j.fenced),
		}, {
			ID: "Q14", Name: "reconciliation-conserves",
			Statement: "In the end all that was acknowledged is in the log or in a report, and in both only where the report says so; asking for a report again changes nothing; all regions have the same sums.",
			Under:     everything,
			Checker:   checker.All{check(j.conserved), checker.Convergence{View: lastly, AtLeast: 3 * q.GroupsPerRegion}},
		}, {
			ID: "Q15", Name: "effective-once",
			Statement: "At the idempotent sink each acknowledged record takes effect exactly once, though deliveries are repeated.",
			Under:     everything,
			Checker:   check(j.once),
		}, {
			ID: "A1", Name: "available-one-node-down",
			Statement: "While no more than one node is down, frozen or cut off, 99 % of all requests of producers and consumers are answered from T_elect (3 s) on, with no gap over 2 s.",
			Under:     everything, Exercised: labs.DownsOne,
			Checker: checker.Availability{
				Class:  "requests with one node down at most",
				When:   func(f checker.Faults) bool { return labs.OneDown(j.members, f.All()) },
				Of:     func(op *history.Op, _ checker.Faults) bool { return daily(op) },
				Served: answered, Settle: electedWithin, AtLeast: 200,
			},
		}, {
			ID: "A2", Name: "available-outside-cut",
			Statement: "While one region is cut off, 99 % of what clients of the other regions ask of the keyspaces that their own regions serve succeeds, with no gap over 2 s.",
			Under:     everything, Exercised: labs.CutsRegion,
			Checker: j.available("requests at home, outside the cut region", 50, func(f *facts, op *history.Op, cut string) bool {
				return op.Region != cut && f.atHome(op)
			}),
		}, {
			ID: "A3", Name: "available-inside-cut",
			Statement: "While one region is cut off, 99 % of what its own clients ask of the keyspace that it serves succeeds, with no gap over 2 s.",
			Under:     everything, Exercised: labs.CutsRegion,
			Checker: j.available("requests at home, inside the cut region", 20, func(f *facts, op *history.Op, cut string) bool {
				return op.Region == cut && f.atHome(op)
			}),
		}, {
			ID: "A4", Name: "refused-across-cut",
			Statement: "While one region is cut off, no send across the cut is acknowledged.",
			Under:     everything, Exercised: labs.CutsRegion,
			Checker: check(func(h *history.History) history.Result {
				f := j.facts(h)
				return checker.Availability{
					Class: "sends across the cut", When: oneRegionCut,
					Of: func(op *history.Op, faults checker.Faults) bool {
						cut, _ := labs.OneRegionCut(faults)
						in, ok := op.In.(q.Send)
						if !ok {
							return false
						}
						region, since := f.served(in.Home, op.Call)
						return op.Call-since > electedWithin && (region == cut) != (op.Region == cut)
					},
					Refuse: true, AtLeast: 5, Least: cutAtLeast,
				}.Check(h)
			}),
		}, {
			ID: "A5", Name: "stale-reads-in-cut",
			Statement: "While one region is cut off, 99 % of the reads of copies succeed everywhere, with no gap over 2 s.",
			Under:     everything, Exercised: labs.CutsRegion,
			Checker: j.available("reads of copies", 5, func(_ *facts, op *history.Op, _ string) bool {
				in, ok := op.In.(q.Read)
				return ok && in.Shard.Home() != op.Region
			}),
		}, {
			ID: "A6", Name: "available-while-splitting",
			Statement: "While shards are split or merged, unasked or by an administrator, 95 % of the sends at home succeed, and none of their keys is without a success for longer than T_split (2 s).",
			Under:     everything, Exercised: splits,
			Checker: check(j.whileSplitting),
		}, {
			ID: "R1", Name: "recovers",
			Statement: "Within 10 s of the last heal every keyspace takes sends from clients of every region, and each quarter of it from those of its own; from then on 99 % of all requests of producers and consumers are answered; in the end both groups have committed all that there is.",
			Under:     everything,
			Checker: checker.Recovery{
				Class: "requests", Of: daily,
				Pairs: sendPairs, Expect: allPairs(t),
				Served: answered, Unfinished: j.undrained, Within: restoreWithin,
			},
		}, {
			ID: "R2", Name: "takes-over",
			Statement: "From a promotion on, if nothing but cuts between regions is wrong, sends by clients of the region that takes over, and of each other that reaches it, are acknowledged within T_rto (3 s).",
			Under:     everything, Exercised: promotes,
			Checker: check(j.takesOver),
		},
	}
}

// daily says that an operation is the daily work of producers and consumers, and no administrator's.
func daily(op *history.Op) bool {
	switch op.In.(type) {
	case q.Send, q.Join, q.Leave, q.Poll, q.Commit, q.Deliver, q.Read, q.Describe:
		return true
	}
	return false
}

// answered says that a client got what it asked for, or a refusal that is its own doing.
func answered(op *history.Op) bool {
	_, refused := op.Out.(q.Refused)
	return op.Outcome == history.OK || refused
}

// oneRegionCut says that one region is cut off and nothing else is wrong, nor was a while ago.
func oneRegionCut(f checker.Faults) bool {
	_, ok := labs.OneRegionCut(f)
	return ok
}

// keyspace returns the keyspace that an operation of a producer or consumer is about, "" if it is none.
func keyspace(op *history.Op) string {
	switch in := op.In.(type) {
	case q.Send:
		return in.Home
	case q.Join:
		return in.Home
	case q.Leave:
		return in.Home
	case q.Poll:
		return in.Home
	case q.Commit:
		return in.Home
	case q.Deliver:
		return in.Home
	}
	return ""
}

// atHome says that an operation is about the keyspace of its client's region, and that this region serves it, and has
// for a while.
func (f *facts) atHome(op *history.Op) bool {
	home := keyspace(op)
	region, since := f.served(home, op.Call)
	next, _ := f.served(home, op.Return)
	return home == op.Region && region == home && next == home && (since == 0 || op.Call-since > electedWithin)
}

// available judges AVAIL while one region is cut off.
func (j *judge) available(class string, atLeast int, of func(f *facts, op *history.Op, cut string) bool) checker.Checker {
	return checker.Func(func(h *history.History) history.Result {
		f := j.facts(h)
		return checker.Availability{
			Class: class, When: oneRegionCut,
			Of: func(op *history.Op, faults checker.Faults) bool {
				cut, _ := labs.OneRegionCut(faults)
				return of(f, op, cut)
			},
			Served: answered, AtLeast: atLeast, Least: cutAtLeast,
		}.Check(h)
	})
}

// latency judges that sends inside a region are as fast as in calm.
func (j *judge) latency(class string, when func(w history.Window) bool) checker.Checker {
	return checker.Func(func(h *history.History) history.Result {
		f := j.facts(h)
		return checker.Latency{
			Class: class,
			When: func(f checker.Faults) bool {
				return len(f.Active) > 0 && !slices.ContainsFunc(f.All(), func(w history.Window) bool { return !when(w) })
			},
			Of: func(op *history.Op, _ checker.Faults) bool {
				_, ok := op.In.(q.Send)
				return ok && f.atHome(op)
			},
			PerMille: 950, Slack: slackLocal, Least: cutAtLeast,
		}.Check(h)
	})
}

// onlyFarLinks says that a window harms links between regions, and nothing else.
func onlyFarLinks(w history.Window) bool {
	near := func(l history.Link) bool {
		return l.From == "clients" || l.To == "clients" || labs.RegionOf(l.From) == labs.RegionOf(l.To)
	}
	return (w.Kind == "partition" || w.Kind == "slow") && len(w.Down) == 0 && len(w.Cuts)+len(w.Hurts) > 0 &&
		!slices.ContainsFunc(w.Cuts, near) && !slices.ContainsFunc(w.Hurts, near)
}

// onlyClients says that a window takes some of the clients, and nothing else.
func onlyClients(w history.Window) bool { return w.Kind == "client-crash" && w.Form != "all" }

func harmsFarLinks(s nemesis.Schedule) string {
	if slices.ContainsFunc(s, func(f nemesis.Fault) bool {
		return f.Is("partition:region") || f.Is("slow:region") || f.Kind == "client-crash" && f.Form != "all" || (f.Kind == "partition" || f.Kind == "slow") && len(f.Links) > 0 && !slices.ContainsFunc(f.Links, func(l nodes.Link) bool {
			return l.From == nodes.Clients || l.To == nodes.Clients || labs.RegionOf(string(l.From)) == labs.RegionOf(string(l.To))
		})
	}) {
		return ""
	}
	return "no fault of this run harms links between regions alone, or clients"
}

func promotes(s nemesis.Schedule) string {
	if slices.ContainsFunc(s, func(f nemesis.Fault) bool { return f.Is("ops:promote") }) {
		return ""
	}
	return "nothing in this run promotes a region"
}

// splits says why a schedule leaves little time in which shards are split and nothing is wrong, "" if it may: it splits or
// merges some, or does nothing. Those that are split by load begin early, and are seldom alone.
func splits(s nemesis.Schedule) string {
	if len(s) == 0 || slices.ContainsFunc(s, func(f nemesis.Fault) bool { return f.Is("ops:split") || f.Is("ops:merge") }) {
		return ""
	}
	return "nothing in this run splits or merges shards but load, and that while other things are wrong"
}

// whileSplitting judges AVAIL in the time after each seal by a split or merge, whoever asked for it.
func (j *judge) whileSplitting(h *history.History) history.Result {
	f := j.facts(h)
	if len(f.seals) == 0 {
		return history.Skipped("no shard was split or merged")
	}
	const split = "split or merge"
	with := *h
	with.Windows = slices.DeleteFunc(slices.Clone(h.Windows), func(w history.Window) bool {
		return w.Kind == "ops" && (w.Form == "split" || w.Form == "merge")
	})
	for _, s := range slices.SortedFunc(maps.Keys(f.seals), compareShards) {
		at := f.seals[s].at
		with.Windows = append(with.Windows, history.Window{Kind: split, Start: at - splitWithin/10, End: at + splitWithin, Took: true})
	}
	return checker.Availability{
		Class: "sends at home while shards are split or merged",
		When: func(f checker.Faults) bool {
			return len(f.All()) > 0 && !slices.ContainsFunc(f.All(), func(w history.Window) bool { return w.Kind != split })
		},
		Of: func(op *history.Op, _ checker.Faults) bool {
			_, ok := op.In.(q.Send)
			return ok && f.atHome(op)
		},
		Served: answered, Per: func(op *history.Op) string { return "key " + op.In.(q.Send).Key },
		PerMille: 950, Gap: splitWithin, Least: 2 * time.Second,
	}.Check(&with)
}

// sendPairs names what a send's success shows to be served.
func sendPairs(op *history.Op) []string {
	in, ok := op.In.(q.Send)
	if !ok {
		return nil
	}
	list := []string{"keyspace " + in.Home + " to clients in " + op.Region}
	if in.Home == op.Region {
		list = append(list, quarter(in.Home, int(q.HashOf(in.Key))*q.GroupsPerRegion>>16))
	}
	return list
}

func quarter(home string, n int) string {
	return fmt.Sprintf("quarter %d of keyspace %s at home", n+1, home)
}

func allPairs(t nodes.Topology) []string {
	var list []string
	for _, home := range t.Regions() {
		for _, region := range t.Regions() {
			list = append(list, "keyspace "+home+" to clients in "+region)
		}
		for n := range q.GroupsPerRegion {
			list = append(list, quarter(home, n))
		}
	}
	return list
}

// undrained names the shards that a group has not dealt with to their ends, as they were described in the end: only there
// is it known what became of a commit that nobody heard of. Which shards there are is for the region to say that serves
// the keyspace; how far groups are, for all, since a copy of a cursor is never ahead of it.
func (j *judge) undrained(h *history.History) (left []string) {
	last := map[string]q.Described{}
	done := map[progress]uint64{}
	for i := range h.Ops {
		op := &h.Ops[i]
		out, ok := op.Out.(q.Described)
		if !ok || op.Phase != history.Final {
			continue
		}
		if out.Region == out.Served {
			last[op.In.(q.Describe).Home] = out
		}
		for _, s := range out.Shards {
			for _, c := range s.Cursors {
				p := progress{c.Group, s.Shard}
				done[p] = max(done[p], c.Seq)
			}
		}
	}
	for _, home := range j.regions {
		for _, s := range last[home].Shards {
			for _, group := range []string{plainGroup, sinkGroup} {
				if at := done[progress{group, s.Shard}]; at < s.End {
					left = append(left, fmt.Sprintf("group %s has committed %d of %d records of %s", group, at, s.End, s.Shard))
				}
			}
		}
	}
	return left
}

// takesOver judges the time from each promotion to the first send that is taken.
func (j *judge) takesOver(h *history.History) history.Result {
	f := j.facts(h)
	judged, slowest := 0, time.Duration(0)
	for _, home := range j.regions {
		for _, p := range f.promotions[home] {
			cut := map[history.Link]bool{}
			wrong := slices.ContainsFunc(h.Windows, func(w history.Window) bool {
				if w.Start >= p.at+takenWithin || p.at-electedWithin >= w.End || !w.Took {
					return false
				}
				for _, l := range w.Cuts {
					cut[l] = true
				}
				return w.Kind != "ops" && !(w.Kind == "partition" && onlyFarLinks(w))
			})
			later := slices.ContainsFunc(f.promotions[home], func(o promotion) bool { return o.at > p.at && o.at < p.at+takenWithin })
			if wrong || later {
				continue
			}
			asked, taken := map[string][]int{}, map[string]time.Duration{} // by the clients' region
			for i := range h.Ops {
				op := &h.Ops[i]
				in, ok := op.In.(q.Send)
				if !ok || in.Home != home || op.Call < p.at || op.Return > p.at+takenWithin {
					continue
				}
				if op.Region != p.Region && slices.ContainsFunc(linksOf(h, op.Region, p.Region), func(l history.Link) bool { return cut[l] }) {
					continue
				}
				asked[op.Region] = append(asked[op.Region], i)
				if after := op.Return - p.at; op.Outcome == history.OK && (taken[op.Region] == 0 || after < taken[op.Region]) {
					taken[op.Region] = after
				}
			}
			for _, region := range j.regions {
				switch n := len(asked[region]); {
				case n < 3:
					continue
				case taken[region] == 0:
					return history.Refuted(asked[region][:min(5, n)], "keyspace %s was promoted to region %s at %v, and none of %d sends by clients of region %s was acknowledged within %v", home, p.Region, p.at, n, region, takenWithin)
				}
				judged++
				slowest = max(slowest, taken[region])
			}
		}
	}
	if judged == 0 {
		return history.Skipped("there was no promotion with nothing else wrong and enough asked")
	}
	r := history.Passed("%d times after a promotion the clients of a region that reached the new one had sends acknowledged, the first of them within %v", judged, slowest)
	r.Evidence = map[string]any{"regions": judged, "slowest_ms": slowest.Milliseconds()}
	return r
}

// linksOf are all links between two regions.
func linksOf(h *history.History, a, b string) (list []history.Link) {
	for _, m := range h.Members {
		for _, n := range h.Members {
			if m.Region == a && n.Region == b || m.Region == b && n.Region == a {
				list = append(list, history.Link{From: m.ID, To: n.ID})
			}
		}
	}
	return list
}
