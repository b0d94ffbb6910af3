package settlement

import (
	"fmt"
	"slices"
	"time"

	"faultlab/checker"
	"faultlab/checker/history"
	"faultlab/checker/ledger"
	"faultlab/labs"
	"faultlab/nemesis"
	"faultlab/nodes"
	s "faultlab/nodes/settlement"
)

const (
	electedWithin   = 3 * time.Second // T_elect: after a fault the shards it touched have leaders again
	cloudLessWithin = 4 * time.Second // the same where all of a cloud is gone at once
	closedWithin    = 3 * time.Second // T_close: no payment of a region is refused for longer while a window of it closes
	restoreWithin   = 10 * time.Second
)

// everything is the faults that no promise of safety excludes.
var everything = []string{"partition", "partition:region", "partition:zone", "kill", "power-loss", "pause", "slow", "reorder", "loss", "lost-reply", "clock",
	"duplicate", "corrupt", "clog", "restart-all", "wipe", "wipe:zone", "disk", "disk:bit-flip",
	"ops", "ops:close-window", "ops:compact", "ops:fx-down", "ops:fx-slow", "ops:compliance-down", "ops:compliance-slow", "upgrade", "client-crash", "duplicate-submit"}

func guarantees(t nodes.Topology) []labs.Guarantee {
	j := &judge{topology: t, layout: s.NewLayout(t)}
	check := func(f func(f *facts) history.Result) checker.Checker {
		return checker.Func(func(h *history.History) history.Result { return f(j.facts(h)) })
	}
	return append([]labs.Guarantee{
		{
			ID: "L1", Name: "double-entry",
			Statement: "In each entry the legs come to zero in each currency, and so do all accounts of a shard together.",
			Under:     everything,
			Checker:   check(j.doubleEntry),
		}, {
			ID: "L2", Name: "all-legs-or-none",
			Statement: "All legs of a payment are posted or none, over all shards; a payment has one final state, which never changes, and none is posted after it expired.",
			Under:     everything,
			Checker:   check(j.atomic),
		}, {
			ID: "L3", Name: "idempotent-write",
			Statement: "Whatever is asked under one key of a client is one payment with one name and one answer, on any node; another body under the same key is a conflict.",
			Under:     everything,
			Checker:   check(j.idempotent),
		}, {
			ID: "L4", Name: "append-only",
			Statement: "What stands at an index of a shard's log never changes, and a size has one root and one chain, whichever node tells it.",
			Under:     everything,
			Checker:   check(j.appendOnly),
		}, {
			ID: "L5", Name: "verifiable-receipt",
			Statement: "The leaf of each acknowledged payment, recomputed from the client's own request and the entry's bytes, is in the tree under a signed head; heads are consistent, and the roots are those of the entries that are served.",
			Under:     everything,
			Checker:   check(j.verifiable),
		}, {
			ID: "L6", Name: "tamper-evidence",
			Statement: "A byte that changed on a replica's disk is never served, and is reported within T_scrub (30 s) of the boot that follows; the replica repairs it from others, or halts.",
			Under:     everything, Inside: true, Exercised: harmsDisks,
			Checker: check(j.tamperEvident),
		}, {
			ID: "L7", Name: "multi-cloud-durability",
			Statement: "What is acknowledged is durable in two clouds at least, and is in the log in the end, whichever cloud was wiped.",
			Under:     everything, Inside: true,
			Checker: check(j.durable),
		}, {
			ID: "L8", Name: "no-overdraft",
			Statement: "What a client's account holds, less what is reserved, is never below zero: in no read and after no entry.",
			Under:     everything,
			Checker:   check(j.noOverdraft),
		}, {
			ID: "L9", Name: "strict-ledger-honest-index",
			Statement: "Balances are strict serializable: each is that of a prefix of the log that holds all that was acknowledged before it was asked for; a statement is the fold of the log up to the size it names, and that never goes back in a session.",
			Under:     everything,
			Checker:   checker.All{check(j.strictBalances), check(j.linearizable), check(j.honestStatements)},
		}, {
			ID: "L10", Name: "fx-conservation",
			Statement: "Each payment between currencies uses a quote of the engine, good at that ledger time, once; rate and amounts in the entries agree exactly, and what rounding leaves is on its account.",
			Under:     everything,
			Checker:   check(j.exchanged),
		}, {
			ID: "L11", Name: "window-integrity",
			Statement: "Each posted payment is in one window of each region concerned; nothing posts into a closed one; a window is settled once, for the sum of what was posted in it.",
			Under:     everything,
			Checker:   check(j.windowed),
		}, {
			ID: "L12", Name: "compliance-gate",
			Statement: "What is posted was allowed before by the service of each region concerned; what one denied is never posted.",
			Under:     everything, Inside: true,
			Checker: check(j.gated),
		}, {
			ID: "L13", Name: "accepted-finishes",
			Statement: "Each accepted payment comes to an end by the end of the calm, 15 s after the last fault; nothing stays reserved, and its end is told once by whoever leads.",
			Under:     everything, Inside: true,
			Checker: check(j.finished),
		}, {
			ID: "L14", Name: "reconciliation",
			Statement: "Reconciliation reports every planted break and no other, corrects each by one compensating entry, and finds nothing when it is run again.",
			Under:     everything,
			Checker:   check(j.reconciled),
		}, {
			ID: "L15", Name: "compaction",
			Statement: "After a log was compacted proofs still verify, what it left of the older entries is their sum, and all replicas have the same state at the same place.",
			Under:     everything, Inside: true, Exercised: compacts,
			Checker: checker.All{check(j.compacted), checker.Digests{View: digest}},
		}, {
			ID: "L16", Name: "shard-independence",
			Statement: "A payment whose accounts and client share a shard sends no message to any other.",
			Under:     everything, Inside: true,
			Checker: check(j.independent),
		},
	}, j.available()...)
}

func digest(e *history.Event) (checker.Digest, bool) {
	d, ok := e.Event.(s.Digest)
	return checker.Digest{Group: d.Shard, Index: d.Index, Sum: fmt.Sprintf("%016x", d.Sum)}, ok
}

// harmsDisks says why a schedule leaves disks alone, "" if it does not.
func harmsDisks(schedule nemesis.Schedule) string {
	if slices.ContainsFunc(schedule, func(f nemesis.Fault) bool { return f.Damage != nil && f.Damage.Form.Stored() || f.Kind == "wipe" }) {
		return ""
	}
	return "no fault of this run harms what is stored"
}

// compacts says why a schedule compacts no log, "" if it does.
func compacts(schedule nemesis.Schedule) string {
	if slices.ContainsFunc(schedule, func(f nemesis.Fault) bool { return f.Is("ops:compact") }) {
		return ""
	}
	return "nothing is compacted in this run"
}

// enough lets a pass stand if so many of something were seen.
func enough(n, atLeast int, what string, pass history.Result) history.Result {
	if n < atLeast {
		pass = history.Doubted("only %d %s; %d are needed", n, what, atLeast)
	}
	pass.Evidence = map[string]any{"seen": n}
	return pass
}

// posted counts the payments that were posted, those of some sort.
func (f *facts) posted(of func(p *ledger.Payment) bool) (n int) {
	for _, p := range f.book.Order {
		if p.State() == "posted" && of(p) {
			n++
		}
	}
	return n
}

func any1(*ledger.Payment) bool { return true }

// against is the first breach of some rules as a result, or what an entry is that is none.
func (f *facts) against(rules ...ledger.Rule) (history.Result, bool) {
	if f.garbled != nil {
		return *f.garbled, true
	}
	if b := f.book.Against(append(rules, ledger.Format)...); b != nil {
		return f.breach(b), true
	}
	return history.Result{}, false
}

// read says why the logs that were read do not let a promise about all that was done be judged; "" if they do.
func (f *facts) read() string {
	for _, shard := range f.book.Shards {
		l := f.book.Logs[shard]
		if len(l.Entries) == 0 {
			return "nothing of the log of " + shard + " was read"
		}
	}
	return ""
}

func (j *judge) doubleEntry(f *facts) history.Result {
	if r, bad := f.against(ledger.Double); bad {
		return r
	}
	for _, shard := range f.book.Shards {
		l := f.book.Logs[shard]
		sums := map[string]int64{}
		for account, amount := range l.Opening {
			sums[ledger.Currency(account)] += amount
		}
		for _, currency := range sortedKeys(sums) {
			if sums[currency] != 0 {
				return history.Refuted(nil, "what compaction left of %s comes to %d %s", shard, sums[currency], currency)
			}
		}
	}
	n := f.posted(any1)
	return enough(n, 50, "payments were posted", history.Passed("the legs of all entries come to zero, %d payments among them", n))
}

func (j *judge) atomic(f *facts) history.Result {
	if r, bad := f.against(ledger.Atomic); bad {
		return r
	}
	for i := range f.h.Ops {
		paid, ok := f.h.Ops[i].Out.(s.Paid)
		if !ok || paid.State == s.Accepted {
			continue
		}
		p := f.book.Payments[paid.Payment]
		if p != nil && p.Decided != nil && p.State() != string(paid.State) {
			return history.Refuted([]int{i}, "operation %d was told that %s is %s, and it is %s (entry %d)", i, paid.Payment, paid.State, p.State(), p.Decided.Index)
		}
	}
	if f.settledDown() {
		for _, b := range f.book.Open() {
			if b.Rule == ledger.Atomic {
				return f.breach(&b)
			}
		}
	}
	n := f.posted(func(p *ledger.Payment) bool { return len(p.Shards()) == 2 })
	return enough(n, 20, "payments between shards were posted", history.Passed("all of %d payments between shards were posted as a whole", n))
}

const endings = 3 // replicas that have nothing more, one after another

// settledDown says that the logs were read to an end, after all load had ended: several replicas in turn had nothing more,
// and nobody was ever told of a longer log.
func (f *facts) settledDown() bool {
	ends := map[string]int{}
	longest := map[string]uint64{}
	for i := range f.heads {
		longest[f.heads[i].Shard] = max(longest[f.heads[i].Shard], f.heads[i].Size)
	}
	for i := range f.h.Ops {
		op := &f.h.Ops[i]
		switch out := op.Out.(type) {
		case s.Entries:
			switch {
			case op.Phase != history.Final:
			case len(out.Entries) == 0 && out.First == f.book.Logs[out.Shard].End():
				ends[out.Shard]++
			default:
				ends[out.Shard] = 0
			}
		case s.Balance:
			shard := s.ShardOf(out.Account)
			longest[shard] = max(longest[shard], out.Size)
		}
	}
	for _, shard := range f.book.Shards {
		if ends[shard] < endings || longest[shard] > f.book.Logs[shard].End() {
			return false
		}
	}
	return true
}

func (j *judge) idempotent(f *facts) history.Result {
	if r, bad := f.against(ledger.Once); bad {
		return r
	}
	again, conflicts := 0, 0
	for _, n := range f.order {
		w := f.asked[n]
		first := -1
		for k, i := range w.ops {
			op := &f.h.Ops[i]
			switch out := op.Out.(type) {
			case s.Paid:
				p := f.book.Payments[out.Payment]
				switch {
				case p != nil && (p.Accepted.Client != n.client || p.Accepted.Key != n.key):
					return history.Refuted([]int{i}, "operation %d is answered with %s, which is %s's under key %s", i, out.Payment, p.Accepted.Client, p.Accepted.Key)
				case p != nil && p.Accepted.Body != w.bodies[k]:
					return history.Refuted([]int{w.ops[0], i}, "operation %d asked for something else under key %s of %s than what is %s, and is told that this is %s", i, n.key, n.client, out.Payment, out.State)
				}
				if first >= 0 {
					if before := f.h.Ops[first].Out.(s.Paid); before.Payment != out.Payment {
						return history.Refuted([]int{first, i}, "key %s of %s is %s to operation %d, and %s to operation %d", n.key, n.client, before.Payment, first, out.Payment, i)
					}
					again++
				} else {
					first = i
				}
			case s.Conflict:
				conflicts++
				if !slices.ContainsFunc(w.bodies, func(b ledger.Hash) bool { return b != w.bodies[k] }) {
					return history.Refuted([]int{i}, "operation %d is told that key %s of %s was used for something else, and it never was", i, n.key, n.client)
				}
			}
			if op.Outcome == history.Failed {
				if p := f.payment(n); p != nil && p.Accepted.Body == w.bodies[k] {
					return history.Refuted([]int{i}, "operation %d was refused, and was accepted as %s", i, p.ID)
				}
			}
		}
	}
	switch {
	case again < 10:
		return history.Doubted("only %d keys were asked for again; 10 are needed", again)
	case conflicts < 3:
		return history.Doubted("only %d keys were asked for with something else; 3 are needed", conflicts)
	}
	return history.Passed("%d times a key was asked for again and was the same payment; %d times it was refused for something else", again, conflicts)
}

func (j *judge) noOverdraft(f *facts) history.Result {
	if r, bad := f.against(ledger.Overdraft); bad {
		return r
	}
	reads, refused := 0, 0
	for i := range f.h.Ops {
		if b, ok := f.h.Ops[i].Out.(s.Balance); ok && !ledger.Own(b.Account) {
			reads++
			if b.Posted-b.Pending < 0 || b.Pending < 0 {
				return history.Refuted([]int{i}, "operation %d read %d on %s, of which %d are reserved", i, b.Posted, b.Account, b.Pending)
			}
		}
	}
	for _, p := range f.book.Order {
		if p.State() == "voided" && len(p.Decided.Why) > 10 && p.Decided.Why[:10] == "not enough" {
			refused++
		}
	}
	if reads < 20 {
		return history.Doubted("only %d balances were read; 20 are needed", reads)
	}
	return enough(refused, 10, "payments were beyond what there was", history.Passed("no account was ever overdrawn, though %d payments tried", refused))
}

func (j *judge) exchanged(f *facts) history.Result {
	if r, bad := f.against(ledger.Exchange); bad {
		return r
	}
	issued := map[string]s.Quote{}
	for i := range f.h.Events {
		if e, ok := f.h.Events[i].Event.(s.Issued); ok {
			issued[e.Quote.ID] = e.Quote
		}
	}
	residues := 0
	for _, p := range f.book.Order {
		if p.Original == nil && p.Quote != "" {
			q, known := issued[p.Quote]
			if len(issued) > 0 && (!known || q.Rate != p.Rate) {
				return history.Refuted(nil, "%s uses quote %s at %d, which the engine gave at %d", p.ID, p.Quote, p.Rate, q.Rate)
			}
			if p.State() == "posted" && p.Residue > 0 {
				residues++
			}
		}
	}
	n := f.posted((*ledger.Payment).Exchanges)
	if residues < 5 {
		return history.Doubted("only %d payments left a residue; 5 are needed", residues)
	}
	return enough(n, 20, "payments between currencies were posted", history.Passed("all of %d payments between currencies come to what their quotes say", n))
}

func (j *judge) windowed(f *facts) history.Result {
	if r, bad := f.against(ledger.Window); bad {
		return r
	}
	for i := range f.h.Ops {
		out, ok := f.h.Ops[i].Out.(s.WindowClosed)
		if !ok {
			continue
		}
		e := f.book.Settled[ledger.Place{Region: out.Region, Window: out.Window}]
		switch {
		case e == nil && f.book.Logs[out.Region+"1"].First > 0:
		case e == nil:
			return history.Refuted([]int{i}, "operation %d was told that window %d of %s is closed, and it was never settled", i, out.Window, out.Region)
		case e.Index != out.Order:
			return history.Refuted([]int{i}, "operation %d was told that window %d of %s was settled by entry %d, and it was by entry %d", i, out.Window, out.Region, out.Order, e.Index)
		case !slices.Equal(netsOf(out.Nets), e.Nets):
			return history.Refuted([]int{i}, "operation %d was told that window %d of %s comes to %v, and it was settled for %v", i, out.Window, out.Region, out.Nets, e.Nets)
		}
	}
	return enough(len(f.book.Settled), 3, "windows were settled", history.Passed("%d windows were settled, each once and for what was posted in it", len(f.book.Settled)))
}

func (j *judge) gated(f *facts) history.Result {
	if r, bad := f.against(ledger.Compliance); bad {
		return r
	}
	type decision struct{ payment, region, verdict string }
	said := map[decision]bool{}
	for i := range f.h.Events {
		if e, ok := f.h.Events[i].Event.(s.Screened); ok {
			said[decision{e.Payment, e.Region, string(e.Verdict)}] = true
		}
	}
	denied := 0
	for _, p := range f.book.Order {
		for _, e := range p.Screened {
			if e.Verdict != "allow" {
				denied++
			}
			if !said[decision{p.ID, e.Region, e.Verdict}] {
				return f.breach(&ledger.Breach{Rule: ledger.Compliance, Shard: e.Shard, Index: e.Index, What: fmt.Sprintf("%s says %s to %s, and its service never said so", e.Region, e.Verdict, p.ID)})
			}
		}
	}
	n := f.posted(any1)
	if denied < 3 {
		return history.Doubted("only %d payments were denied or set aside; 3 are needed", denied)
	}
	return enough(n, 50, "payments were posted", history.Passed("all of %d payments were allowed before they were posted; %d others were denied or set aside", n, denied))
}

const toldMax = 3 // times that one node tells the same end, since it may lead more than once

func (j *judge) finished(f *facts) history.Result {
	type telling struct{ node, payment string }
	times := map[telling]int{}
	for i := range f.h.Events {
		e := &f.h.Events[i]
		if n, ok := e.Event.(s.Notified); ok {
			at := telling{e.Node, n.Payment}
			if times[at]++; times[at] > toldMax {
				return history.Refuted(nil, "%s has told %d times that %s is %s, the last time at %.3f s", e.Node, times[at], n.Payment, n.State, e.At.Seconds())
			}
			if p := f.book.Payments[n.Payment]; p != nil && p.Decided != nil && p.State() != string(n.State) {
				return history.Refuted(nil, "%s has told that %s is %s, and it is %s", e.Node, n.Payment, n.State, p.State())
			}
		}
	}
	if why := f.read(); why != "" {
		return history.Doubted("%s", why)
	}
	if open := f.book.Open(); len(open) > 0 {
		if f.settledDown() {
			return f.breach(&open[0])
		}
		return history.Doubted("the logs were not read to their ends, and so far %s", open[0])
	}
	if !f.settledDown() {
		return history.Doubted("the logs were not read to their ends")
	}
	states := map[string]int{}
	for _, p := range f.book.Order {
		states[p.State()]++
	}
	r := enough(len(f.book.Order), 100, "payments were accepted", history.Passed("all of %d accepted payments came to an end: %d posted, %d voided, %d expired, %d parked",
		len(f.book.Order), states["posted"], states["voided"], states["expired"], states["parked"]))
	return r
}

func (j *judge) reconciled(f *facts) history.Result {
	if r, bad := f.against(ledger.Reconciled); bad {
		return r
	}
	found, last, runs := 0, -1, 0
	for i := range f.h.Ops {
		op := &f.h.Ops[i]
		out, ok := op.Out.(s.Reconciled)
		if !ok {
			continue
		}
		for _, b := range out.Breaks {
			x := f.book.Breaks[b.Shard+" "+b.Item]
			if x == nil && f.book.Logs[b.Shard].First == 0 {
				return history.Refuted([]int{i}, "operation %d reports a break of %d on %s, item %s, which nobody planted", i, b.Amount, b.Account, b.Item)
			}
			if x != nil && x.Planted.Legs[0] != (ledger.Leg{Account: b.Account, Amount: b.Amount}) {
				return history.Refuted([]int{i}, "operation %d reports item %s as %d on %s, and it was planted as %d on %s", i, b.Item, b.Amount, b.Account, x.Planted.Legs[0].Amount, x.Planted.Legs[0].Account)
			}
			found++
		}
		if op.Phase == history.Final {
			if runs++; runs > 1 && len(out.Breaks) > 0 {
				return history.Refuted([]int{last, i}, "operation %d reconciles after operation %d did, and finds %d breaks more", i, last, len(out.Breaks))
			}
			last = i
		}
	}
	if runs == 0 {
		return history.Doubted("nobody reconciled in the end")
	}
	if f.settledDown() {
		for _, item := range sortedKeys(f.book.Breaks) {
			if x := f.book.Breaks[item]; x.Planted != nil && x.Corrected == nil {
				return f.breach(&ledger.Breach{Rule: ledger.Reconciled, Shard: x.Planted.Shard, Index: x.Planted.Index, What: "item " + x.Planted.Item + " was planted and never corrected"})
			}
		}
	}
	return enough(len(f.book.Breaks), 1, "breaks were planted", history.Passed("all of %d planted breaks were corrected, and no other was found", len(f.book.Breaks)))
}

func (j *judge) independent(f *facts) history.Result {
	alone := 0
	crossed := map[string]s.Crossed{}
	for i := range f.h.Events {
		if e, ok := f.h.Events[i].Event.(s.Crossed); ok && e.From != e.To {
			crossed[e.Payment] = e
		}
	}
	for _, p := range f.book.Order {
		if shards := p.Shards(); len(shards) > 1 || shards[0] != p.Accepted.Shard {
			continue
		}
		alone++
		if e, ok := crossed[p.ID]; ok {
			return f.breach(&ledger.Breach{Shard: p.Accepted.Shard, Index: p.Accepted.Index, What: fmt.Sprintf("%s is of %s alone, and a %s about it was sent from %s to %s", p.ID, p.Accepted.Shard, e.What, e.From, e.To)})
		}
	}
	if len(crossed) == 0 {
		return history.Doubted("nobody sent anything between shards")
	}
	return enough(alone, 50, "payments were of one shard", history.Passed("none of %d payments of one shard sent anything to another", alone))
}
