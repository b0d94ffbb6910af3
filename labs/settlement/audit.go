package settlement

import (
	"io/fs"

	"faultlab/checker/history"
	"faultlab/checker/ledger"
	"faultlab/checker/merkle"
	s "faultlab/nodes/settlement"
)

// audit judges the disks that a run left: each by itself, against each other, and against the heads and receipts that
// clients were given.
func audit(disks fs.FS, h *history.History) history.Result {
	a, err := ledger.Disks(disks)
	if err != nil || len(a.Nodes) == 0 {
		return history.Skipped("no disks were saved with this run")
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
