package settlement

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"time"

	"faultlab/checker"
	"faultlab/checker/history"
	"faultlab/checker/ledger"
	"faultlab/checker/merkle"
	"faultlab/nodes"
	s "faultlab/nodes/settlement"
)

// This file judges what a verifier needs no trust for: places, heads and proofs (L4, L5), what disks suffered (L6), and what
// compaction left (L15).

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }

func (t *told) ops() []int {
	if t.op < 0 {
		return nil
	}
	return []int{t.op}
}

func (t *told) String() string {
	if t.op < 0 {
		return fmt.Sprintf("%s at size %d of %s", t.Node, t.Size, t.Shard)
	}
	return fmt.Sprintf("%s at size %d of %s (operation %d)", t.Node, t.Size, t.Shard, t.op)
}

// appendOnly judges L4: one entry at a place, one root and one chain for a size.
func (j *judge) appendOnly(f *facts) history.Result {
	if f.clash != nil {
		return *f.clash
	}
	type place struct {
		shard string
		size  uint64
	}
	first := map[place]*told{}
	agreed := 0
	for i := range f.heads {
		t := &f.heads[i]
		at := place{t.Shard, t.Size}
		other := first[at]
		if other == nil {
			first[at] = t
			continue
		}
		what := ""
		switch {
		case t.Root != other.Root:
			what = fmt.Sprintf("root %x, and %x", t.Root[:6], other.Root[:6])
		case t.Chain != other.Chain:
			what = fmt.Sprintf("chain %x, and %x", t.Chain[:6], other.Chain[:6])
		}
		if what != "" {
			return history.Refuted(append(t.ops(), other.ops()...), "%s has %s has %s", t, what, other)
		}
		if t.Node != other.Node {
			agreed++
		}
	}
	for i := range f.heads {
		t := &f.heads[i]
		chain := f.chains[t.Shard]
		if n := t.Size / s.BlockSize; n > 0 && uint64(len(chain)) >= n && chain[n-1] != t.Chain {
			return history.Refuted(t.ops(), "%s has chain %x, and the entries come to %x", t, t.Chain[:6], chain[n-1][:6])
		}
	}
	return enough(agreed, 20, "sizes were told by two nodes", history.Passed("two nodes told the same of a size %d times", agreed))
}

// honestHeads judges that heads are signed by their nodes and are the roots of the entries that are served.
func (f *facts) honestHeads() (history.Result, int) {
	checked := 0
	for i := range f.heads {
		t := &f.heads[i]
		if t.op >= 0 && !t.Signed(ledger.Key(t.Node)) {
			return history.Refuted(t.ops(), "%s: the head is not signed by that node", t), 0
		}
		if root, known := f.roots[t.Shard][t.Size]; known {
			checked++
			if root != t.Root {
				return history.Refuted(t.ops(), "%s has root %x, and the entries that are served come to %x", t, t.Root[:6], root[:6]), 0
			}
		}
	}
	return history.Result{}, checked
}

// proofs judges all proofs that clients were given, of some shards.
func (f *facts) proofs(of func(shard string) bool) (r history.Result, receipts, consistencies int) {
	for i := range f.h.Ops {
		op := &f.h.Ops[i]
		switch out := op.Out.(type) {
		case s.Receipt:
			in := op.In.(s.GetReceipt)
			e := entryOf(&out.Entry)
			if !of(e.Shard) {
				continue
			}
			receipts++
			w := f.asked[name{in.Client, in.Key}]
			p := f.book.Payments[e.Payment]
			switch {
			case w == nil || !slices.Contains(w.bodies, e.Body):
				return history.Refuted([]int{i}, "operation %d is given a receipt for %s of %s with a body that nobody asked for", i, in.Key, in.Client), 0, 0
			case e.Kind != "accepted" && e.Kind != "decided":
				return history.Refuted([]int{i}, "operation %d is given a receipt that is an entry %s", i, e.Kind), 0, 0
			case p != nil && (p.Accepted.Client != in.Client || p.Accepted.Key != in.Key):
				return history.Refuted([]int{i}, "operation %d asked for %s of %s, and is given a receipt for %s", i, in.Key, in.Client, e.Payment), 0, 0
			case out.Head.Shard != e.Shard || !merkle.Included(merkle.Leaf(e.Canonical()), e.Index, out.Head.Size, plain(out.Proof), merkle.Hash(out.Head.Root)):
				return history.Refuted([]int{i}, "operation %d: %s is not in the tree of %d entries of %s that %s proves it to be in", i, e.Payment, out.Head.Size, e.Shard, out.Head.Node), 0, 0
			}
		case s.Consistency:
			if !of(out.Shard) {
				continue
			}
			consistencies++
			if !merkle.Consistent(out.Old.Size, merkle.Hash(out.Old.Root), out.New.Size, merkle.Hash(out.New.Root), plain(out.Proof)) {
				return history.Refuted([]int{i}, "operation %d: %s does not prove that the tree of %d entries of %s begins that of %d", i, op.Node, out.Old.Size, out.Shard, out.New.Size), 0, 0
			}
		}
	}
	return history.Result{}, receipts, consistencies
}

func plain(list []s.Hash) (all []merkle.Hash) {
	for _, h := range list {
		all = append(all, merkle.Hash(h))
	}
	return all
}

// verifiable judges L5.
func (j *judge) verifiable(f *facts) history.Result {
	r, checked := f.honestHeads()
	if r.Verdict == history.Fail {
		return r
	}
	r, receipts, consistencies := f.proofs(func(string) bool { return true })
	if r.Verdict == history.Fail {
		return r
	}
	acked := 0
	for _, n := range f.order {
		w := f.asked[n]
		for k, i := range w.ops {
			paid, ok := f.h.Ops[i].Out.(s.Paid)
			if !ok {
				continue
			}
			acked++
			if e := f.entry(s.HomeOf(paid.Payment), paid.Index); e != nil {
				kind := "decided"
				if paid.State == s.Accepted {
					kind = "accepted"
				}
				if e.Payment != paid.Payment || e.Kind != kind || e.Body != w.bodies[k] {
					return history.Refuted([]int{i}, "operation %d was told that %s is %s by entry %d of its shard, and that is %s %s", i, paid.Payment, paid.State, paid.Index, e.Kind, e.Payment)
				}
			}
		}
	}
	switch {
	case receipts < 20:
		return history.Doubted("only %d receipts were given; 20 are needed", receipts)
	case consistencies < 10:
		return history.Doubted("only %d consistency proofs were given; 10 are needed", consistencies)
	case checked < 20:
		return history.Doubted("only %d heads could be compared with entries; 20 are needed", checked)
	}
	return history.Passed("%d heads are the roots of the entries, %d receipts and %d consistency proofs verify, and %d acknowledgements name their entries", checked, receipts, consistencies, acked)
}

// entry is an entry that somebody was shown, nil if nobody was.
func (f *facts) entry(shard string, index uint64) *ledger.Entry {
	at, known := f.entries[shard][index]
	if !known {
		return nil
	}
	e, err := ledger.Decode(at.data)
	if err != nil {
		return nil
	}
	return e
}

// tamperEvident judges L6.
func (j *judge) tamperEvident(f *facts) history.Result {
	if f.clash != nil {
		return *f.clash
	}
	if r, _ := f.honestHeads(); r.Verdict == history.Fail {
		return r
	}
	type segment struct {
		node, shard string
		number      uint64
	}
	open := map[segment]bool{} // damaged and not repaired
	damaged, repaired := 0, 0
	for i := range f.h.Events {
		e := &f.h.Events[i]
		switch x := e.Event.(type) {
		case s.Damaged:
			damaged++
			if x.Log == fmt.Sprint(x.Shard, ".", x.Segment) {
				open[segment{e.Node, x.Shard, x.Segment}] = true
			}
			if x.How != "missing" && !f.harmed(e, x) {
				return history.Refuted(nil, "%s found at %.3f s that entries from %d on of %s are %s: that is later than %v after its last boot from harm", e.Node, e.At.Seconds(), x.First, x.Shard, x.How, s.TScrub)
			}
		case s.Repaired:
			at := segment{e.Node, x.Shard, x.Segment}
			if !open[at] {
				return history.Refuted(nil, "%s repaired segment %d of %s at %.3f s, and never said that it was damaged", e.Node, x.Segment, x.Shard, e.At.Seconds())
			}
			delete(open, at)
			repaired++
		}
	}
	for _, w := range f.h.Windows {
		if why := j.untold(f, w); why != "" {
			return history.Refuted(nil, "%s", why)
		}
	}
	scrubbed := 0
	for i := range f.h.Ops {
		op := &f.h.Ops[i]
		if out, ok := op.Out.(s.Scrubbed); ok && op.Phase == history.Final {
			scrubbed++
			if out.Damaged > 0 {
				return history.Refuted([]int{i}, "operation %d has %s read its disk again, and %d segments are damaged that it did not know of", i, out.Node, out.Damaged)
			}
		}
	}
	if scrubbed < len(j.layout.Ledger) {
		return history.Doubted("only %d replicas read their disks again in the end", scrubbed)
	}
	if damaged == 0 {
		return history.Skipped("what was harmed held no entries, or was never read again")
	}
	return history.Passed("all that was served is what was written, though %d segments were found damaged; %d were repaired", damaged, repaired)
}

// untold says that a replica's disk was damaged, and that it has not told of it in time after it booted; "" if it has, or
// need not yet.
func (j *judge) untold(f *facts, w history.Window) string {
	if w.Kind != "disk" || !w.Took || !nodes.DamageForm(w.Form).Stored() || w.End+s.TScrub > f.h.End {
		return ""
	}
	for _, node := range w.Down {
		told := slices.ContainsFunc(f.h.Events, func(e history.Event) bool {
			_, damaged := e.Event.(s.Damaged)
			return damaged && e.Node == node && w.Start <= e.At && e.At <= w.End+s.TScrub
		})
		again := slices.ContainsFunc(f.h.Windows, func(v history.Window) bool { // it was down again, or lost all of it
			return slices.Contains(v.Down, node) && (w.Start < v.Start && v.Start < w.End+s.TScrub || v.Start < w.Start && w.Start < v.End)
		})
		if !told && !again {
			return fmt.Sprintf("the disk of %s suffered %s at %.3f s, it was back at %.3f s, and it never told of any damage", node, w.Form, w.Start.Seconds(), w.End.Seconds())
		}
	}
	return ""
}

// harmed says whether a node had reason to find damage then.
func (f *facts) harmed(e *history.Event, _ s.Damaged) bool {
	for _, w := range f.h.Windows {
		if slices.Contains(w.Down, e.Node) && w.Start <= e.At && e.At <= w.End+s.TScrub {
			return true
		}
	}
	return false
}

// compacted judges L15.
func (j *judge) compacted(f *facts) history.Result {
	base := map[string]uint64{}
	left := 0
	for i := range f.h.Ops {
		out, ok := f.h.Ops[i].Out.(s.Entries)
		if !ok || out.Base == 0 {
			continue
		}
		base[out.Shard] = max(base[out.Shard], out.Base)
		l := f.book.Logs[out.Shard]
		if out.First != out.Base || len(out.Balances) == 0 || l.First > 0 || out.Base > l.End() {
			continue
		}
		left++
		told := map[string]int64{}
		for _, b := range out.Balances {
			told[b.Account] = b.Posted
		}
		var wrong []string
		for account, list := range f.book.Accounts {
			if len(list) == 0 || s.ShardOf(account) != out.Shard {
				continue
			}
			if v, ok := f.book.Balance(account, out.Base); ok && v.Posted != told[account] {
				wrong = append(wrong, fmt.Sprintf("%s is left with %d, and had %d", account, told[account], v.Posted))
			}
		}
		if len(wrong) > 0 {
			return history.Refuted([]int{i}, "below entry %d of %s, which is compacted, %s", out.Base, out.Shard, slices.Min(wrong))
		}
	}
	gone := map[string]bool{}
	for _, shard := range f.book.Shards {
		for _, e := range f.book.Logs[shard].Entries {
			if e.Kind == "compacted" {
				gone[shard] = true
				base[shard] = max(base[shard], e.Size)
			}
		}
	}
	if r, _, _ := f.proofs(func(shard string) bool { return gone[shard] }); r.Verdict == history.Fail {
		return r
	}
	for i := range f.heads {
		t := &f.heads[i]
		if root, known := f.roots[t.Shard][t.Size]; known && gone[t.Shard] && root != t.Root {
			return history.Refuted(t.ops(), "%s, a log that was compacted, has root %x, and its entries come to %x", t, t.Root[:6], root[:6])
		}
	}
	if len(gone) == 0 {
		return history.Skipped("no log was long enough to be compacted when that was asked")
	}
	return history.Passed("%d logs were compacted, and all proofs still verify; what they left is the sum of what they dropped (seen %d times)", len(gone), left)
}

// strictBalances judges the balances of L9.
func (j *judge) strictBalances(f *facts) history.Result {
	type ack struct {
		op   *history.Op
		size uint64
	}
	acks := map[string][]ack{} // what a shard's log held for sure once an operation had returned
	reads := 0
	for i := range f.h.Ops {
		op := &f.h.Ops[i]
		switch out := op.Out.(type) {
		case s.Paid:
			acks[s.HomeOf(out.Payment)] = append(acks[s.HomeOf(out.Payment)], ack{op, out.Index + 1})
		case s.Balance:
			acks[s.ShardOf(out.Account)] = append(acks[s.ShardOf(out.Account)], ack{op, out.Size})
		}
	}
	for _, shard := range f.book.Shards {
		list := acks[shard]
		ends := slices.Clone(list)
		slices.SortStableFunc(ends, func(a, b ack) int { return cmp.Compare(a.op.Return, b.op.Return) })
		var high ack
		at := 0
		for _, a := range list { // in the order of call
			out, read := a.op.Out.(s.Balance)
			if !read {
				continue
			}
			reads++
			for at < len(ends) && ends[at].op.Return < a.op.Call {
				if high.op == nil || ends[at].size > high.size {
					high = ends[at]
				}
				at++
			}
			if high.op != nil && a.size < high.size {
				return history.Refuted([]int{high.op.Index, a.op.Index}, "operation %d read %s as of size %d, after operation %d had shown that the log of %s has %d entries", a.op.Index, out.Account, a.size, high.op.Index, shard, high.size)
			}
			if v, known := f.book.Balance(out.Account, a.size); known && (v.Posted != out.Posted || v.Pending != out.Pending && f.book.Logs[shard].First == 0) {
				return history.Refuted([]int{a.op.Index}, "operation %d read %d on %s with %d reserved, and the first %d entries come to %d with %d", a.op.Index, out.Posted, out.Account, out.Pending, a.size, v.Posted, v.Pending)
			}
		}
	}
	return enough(reads, 50, "balances were read", history.Passed("all of %d balances are those of the log, and none is of before what was known", reads))
}

// honestStatements judges the statements of L9.
func (j *judge) honestStatements(f *facts) history.Result {
	folded := 0
	for i := range f.h.Ops {
		out, ok := f.h.Ops[i].Out.(s.Statement)
		if !ok {
			continue
		}
		in := f.h.Ops[i].In.(s.GetStatement)
		if in.AsOf > 0 && out.Head.Size != in.AsOf {
			return history.Refuted([]int{i}, "operation %d asked for %s as of %d and was shown it as of %d", i, in.Account, in.AsOf, out.Head.Size)
		}
		opening, lines, closing, known := f.book.Statement(out.Account, out.From, out.Head.Size)
		if !known {
			continue
		}
		folded++
		same := opening == out.Opening && closing == out.Closing && slices.EqualFunc(lines, out.Lines, func(a ledger.Line, b s.Line) bool { return a == ledger.Line(b) })
		if !same {
			return history.Refuted([]int{i}, "operation %d was shown by %s a statement of %s from %d to %d that opens with %d, has %d lines and closes with %d; the log says %d, %d lines and %d",
				i, f.h.Ops[i].Node, out.Account, out.From, out.Head.Size, out.Opening, len(out.Lines), out.Closing, opening, len(lines), closing)
		}
	}
	back := checker.Monotonic{View: func(op *history.Op) (checker.Reading, bool) {
		out, ok := op.Out.(s.Statement)
		if !ok || op.In.(s.GetStatement).AsOf > 0 || f.fell(op.Node) {
			return checker.Reading{}, false
		}
		return checker.Reading{Of: "the statements of " + out.Head.Shard + " that " + op.Node + " shows to " + clientOf(op.Client), Number: int64(out.Head.Size)}, true
	}}.Check(f.h)
	if back.Verdict == history.Fail {
		return back
	}
	return enough(folded, 20, "statements were shown", history.Passed("all of %d statements are the fold of the log", folded))
}

// fell says that a node was down in the run: then it may begin again at what it knew to be committed.
func (f *facts) fell(node string) bool {
	return slices.ContainsFunc(f.h.Windows, func(w history.Window) bool { return slices.Contains(w.Down, node) })
}

// evidenceLag is how much later than its client's answer evidence may be noted, which on real time comes by another way.
const evidenceLag = time.Second

// durable judges L7.
func (j *judge) durable(f *facts) history.Result {
	held := map[string]int{} // the first event that says so, by payment
	for i := range f.h.Events {
		if e, ok := f.h.Events[i].Event.(s.Durable); ok {
			if n := j.cloudsOf(e.Nodes); n < 2 {
				return history.Refuted(nil, "%s acknowledges %s at %.3f s, when it is on the disks of %v alone, in one cloud", f.h.Events[i].Node, e.Payment, f.h.Events[i].At.Seconds(), e.Nodes)
			}
			if _, known := held[e.Payment]; !known {
				held[e.Payment] = i
			}
		}
	}
	acked := 0
	for i := range f.h.Ops {
		op := &f.h.Ops[i]
		paid, ok := op.Out.(s.Paid)
		if _, status := op.In.(s.Status); !ok || status {
			continue
		}
		acked++
		if h, known := held[paid.Payment]; !known || f.h.Events[h].At > op.Return+evidenceLag {
			return history.Refuted([]int{i}, "operation %d was told that %s is %s before it was known to be durable in two clouds", i, paid.Payment, paid.State)
		}
		l := f.book.Logs[s.HomeOf(paid.Payment)]
		if p := f.book.Payments[paid.Payment]; p == nil && l != nil && l.First <= paid.Index && f.settledDown() {
			return history.Refuted([]int{i}, "operation %d was told that %s is %s, and it is not in the log in the end", i, paid.Payment, paid.State)
		}
	}
	if !f.settledDown() {
		return history.Doubted("the logs were not read to their ends")
	}
	return enough(acked, 100, "payments were acknowledged", history.Passed("all of %d acknowledgements were durable in two clouds, and are in the log in the end", acked))
}
