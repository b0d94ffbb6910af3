package settlement

import (
	"golang.org/x/mod/sumdb/tlog"

	"faultlab/nodes"
)

// What one replica answers by itself, from what it has applied: it may be behind, and says of which size it speaks.

// statement folds the log for one account. Size is never beyond what is applied, and so committed.
func (r *replica) statement(env nodes.Env, client nodes.ID, b GetStatement) {
	size := b.AsOf
	if size == 0 {
		size = r.tree.size
	}
	switch {
	case size > r.tree.size:
		env.Send(client, Refused{"this replica is not there yet"})
		return
	case b.From < r.base && b.From > 0 || size < r.base || b.From > size:
		env.Send(client, Refused{"the log is compacted there, or that is no range"})
		return
	}
	s := Statement{Account: b.Account, From: max(b.From, r.base)}
	for _, saved := range r.opening {
		if saved.Account == b.Account && r.base > 0 {
			s.Opening = saved.Posted
		}
	}
	s.Closing = s.Opening
	for n := r.base / SegmentSize; n*SegmentSize < size; n++ {
		part := r.segment(n)
		if part.lost {
			env.Send(client, Refused{"that part of the log is being repaired"})
			return
		}
		for _, line := range part.lines[b.Account] {
			switch {
			case line.Index >= size:
			case line.Index < s.From:
				s.Opening += line.Amount
				s.Closing += line.Amount
			default:
				s.Lines = append(s.Lines, line)
				s.Closing += line.Amount
			}
		}
	}
	head, err := r.head(env, size)
	if err != nil {
		env.Send(client, Refused{err.Error()})
		return
	}
	s.Head = head
	env.Send(client, s)
}

// receipt proves that a payment is in the log.
func (r *replica) receipt(env nodes.Env, client nodes.ID, b GetReceipt) {
	p := r.keys[keyName(b.Client, b.Key)]
	if p == nil || p.State == refused {
		env.Send(client, Refused{"this replica knows of no such payment"})
		return
	}
	index := p.Decided
	if b.Accepted || p.State == Accepted {
		index = p.Accepted
	}
	e, err := r.entry(env, index)
	if err != nil {
		env.Send(client, Refused{err.Error()})
		return
	}
	head, err := r.head(env, r.tree.size)
	if err != nil {
		env.Send(client, Refused{err.Error()})
		return
	}
	proof, err := tlog.ProveRecord(int64(head.Size), int64(index), &r.tree)
	if err != nil {
		env.Send(client, Refused{err.Error()})
		return
	}
	env.Send(client, Receipt{Entry: *e, Head: head, Proof: hashes(proof)})
}

func hashes[T ~[]tlog.Hash](proof T) []Hash {
	all := make([]Hash, len(proof))
	for i, h := range proof {
		all[i] = Hash(h)
	}
	return all
}

// heads answers GetHead.
func (r *replica) heads(env nodes.Env, client nodes.ID, b GetHead) {
	if b.Size == 0 {
		b.Size = r.tree.size
	}
	h, err := r.head(env, b.Size)
	if err != nil {
		env.Send(client, Refused{err.Error()})
		return
	}
	env.Send(client, h)
}

// consistency proves that an older tree is a prefix of a newer one.
func (r *replica) consistency(env nodes.Env, client nodes.ID, b GetConsistency) {
	if b.Old < 1 || b.Old > b.New || b.New > r.tree.size {
		env.Send(client, Refused{"this replica has no such two trees"})
		return
	}
	proof, err := tlog.ProveTree(int64(b.New), int64(b.Old), &r.tree)
	if err != nil {
		env.Send(client, Refused{err.Error()})
		return
	}
	before, err := r.head(env, b.Old)
	if err != nil {
		env.Send(client, Refused{err.Error()})
		return
	}
	after, err := r.head(env, b.New)
	if err != nil {
		env.Send(client, Refused{err.Error()})
		return
	}
	env.Send(client, Consistency{Shard: r.Name, Old: before, New: after, Proof: hashes(proof)})
}

// list answers GetEntries.
func (r *replica) list(env nodes.Env, client nodes.ID, b GetEntries) {
	head, err := r.head(env, r.tree.size)
	if err == nil {
		var entries [][]byte
		if entries, err = r.entries(env, b.First, min(b.Count, SegmentSize)); err == nil {
			e := Entries{Shard: r.Name, First: b.First, Entries: entries, Head: head, Base: r.base}
			if b.First == r.base {
				e.Balances = r.opening
			}
			env.Send(client, e)
			return
		}
	}
	if b.First < r.base {
		env.Send(client, Entries{Shard: r.Name, First: b.First, Head: head, Base: r.base})
		return
	}
	env.Send(client, Refused{err.Error()})
}

// scrubNow reads back all that this node has.
func (n *node) scrubNow(env nodes.Env, client nodes.ID) {
	s := Scrubbed{Node: env.ID()}
	for _, r := range n.replicas {
		for _, part := range r.segments {
			before := part.lost
			s.Entries += r.look(env, part)
			if part.lost && !before {
				s.Damaged++
			}
		}
		r.scrubRest(env)
		s.Missing += r.missing()
		r.mend(env, n)
	}
	env.Send(client, s)
}
