package settlement

import (
	"faultlab/checker/history"
	"faultlab/checker/ledger"
	"faultlab/checker/merkle"
	"faultlab/labs"
	s "faultlab/nodes/settlement"
)

// saved is the audit of what replicas left on their disks.
func saved() labs.Audit {
	return labs.Audit{
		ID: "F1", Name: "saved-disks",
		Statement: "What the replicas left on their disks is whole: entries hash to the roots of signed, chained blocks, replicas agree, double entry holds, and the heads and receipts that clients hold are theirs.",
		Check:     audit,
	}
}

// audit judges the disks that a run left: each by itself, against each other, and against what clients were given.
func audit(run *labs.Run, disks []labs.Disk) history.Result {
	h := run.History
	var stored []*ledger.Stored
	for _, d := range disks {
		for _, l := range d.Logs {
			stored = append(stored, &ledger.Stored{Node: string(d.Node), Log: l.Name, File: "nodes/" + string(d.Node) + "/disk/" + l.File, Snapshot: l.Snapshot, Records: l.Records, Damage: l.Damage})
		}
	}
	a := ledger.Disks(stored)
	if len(a.Nodes) == 0 {
		return history.Doubted("no replica left anything of the ledger")
	}
	if len(a.Faults) > 0 {
		more := ""
		if n := len(a.Faults); n > 1 {
			more = " (and more)"
		}
		r := history.Refuted(nil, "%s%s", a.Faults[0], more)
		var all []string
		for _, f := range a.Faults[:min(20, len(a.Faults))] {
			all = append(all, f.String())
		}
		r.Evidence = map[string]any{"faults": all}
		return r
	}
	heads := 0
	for i := range h.Ops {
		var given []s.Head
		switch out := h.Ops[i].Out.(type) {
		case s.Head:
			given = append(given, out)
		case s.Receipt:
			given = append(given, out.Head)
			if e := a.Book.Logs[out.Entry.Shard].At(out.Entry.Index); e != nil && e.Leaf != leafOf(&out.Entry) {
				return history.Refuted([]int{i}, "entry %d of %s is not the one that operation %d has a receipt for", e.Index, e.Shard, i)
			}
		case s.Statement:
			given = append(given, out.Head)
		case s.Entries:
			given = append(given, out.Head)
		case s.Consistency:
			given = append(given, out.Old, out.New)
		}
		for _, head := range given {
			root, known := a.Root(head.Shard, head.Size)
			if head.Size > 0 && (!known || root != ledger.Hash(head.Root)) {
				return history.Refuted([]int{i}, "the disks do not hold the %d entries of %s whose root operation %d was given", head.Size, head.Shard, i)
			}
			heads++
		}
	}
	var total uint64
	for _, n := range a.Entries {
		total += n
	}
	return history.Passed("%d replicas with %d entries and %d blocks read: the %d entries of %d shards are whole, and %d heads that clients hold are theirs",
		len(a.Nodes), a.Read, a.Blocks, total, len(a.Entries), heads)
}

func leafOf(e *s.Entry) ledger.Hash { return merkle.Leaf(entryOf(e).Canonical()) }
