package checker

import (
	"time"

	"faultlab/checker/history"
)

// SetFull judges a set by all reads of it. An element is known from when its addition was acknowledged or a read
// showed it, whichever was first. It is lost if a read called after that, and after all reads that have it, is without
// it, and stale if one is and another has it again, or may have: an error where Strict is set, as for a linearizable set. An element that stands twice
// in a read is a duplicate. An element that no read could have shown was never read, and counts as nothing.
type SetFull[E comparable] struct {
	View    func(op *history.Op) (s SetOp[E], ok bool)
	Strict  bool
	AtLeast int // elements that are there to stay that a pass needs; 0: 1
}

// A member is what is known of one element.
type member struct {
	add                int // position of its addition: of the attempts the first that says most
	tried              int // position of its first attempt that did not fail; -1: none
	known              time.Duration
	isKnown            bool
	seen               time.Duration // when the last read that has it had returned
	present, absent    int           // positions of the last read that has it, and of the last that has not; -1: none
	duplicate, phantom int           // positions of a read that has it twice, and that has it though nobody could; -1: none
}

// Check judges all of h.
func (c SetFull[E]) Check(h *history.History) history.Result {
	members := map[E]*member{}
	var order []E
	get := func(e E) *member {
		m := members[e]
		if m == nil {
			m = &member{add: -1, tried: -1, present: -1, absent: -1, duplicate: -1, phantom: -1}
			members[e] = m
			order = append(order, e)
		}
		return m
	}
	learn := func(m *member, at time.Duration) {
		if !m.isKnown || at < m.known {
			m.known, m.isKnown = at, true
		}
	}
	type reading struct {
		op  int
		all []E
	}
	var reads []reading
	for i := range h.Ops {
		op := &h.Ops[i]
		s, ok := c.View(op)
		if !ok {
			continue
		}
		if s.Read {
			if op.Outcome == history.OK {
				reads = append(reads, reading{i, s.All})
			}
			continue
		}
		m := get(s.Element)
		if m.add < 0 || rank(op.Outcome) > rank(h.Ops[m.add].Outcome) {
			m.add = i
		}
		if m.tried < 0 && op.Outcome != history.Failed {
			m.tried = i
		}
		if op.Outcome == history.OK {
			learn(m, op.Return)
		}
	}
	for _, r := range reads {
		op := &h.Ops[r.op]
		for _, e := range r.all {
			m := get(e)
			if m.present == r.op {
				m.duplicate = r.op
			}
			m.present, m.seen = r.op, max(m.seen, op.Return) // the reads come in the order of call
			learn(m, op.Return)
			if m.tried < 0 || op.Before(&h.Ops[m.tried]) {
				m.phantom = r.op
			}
		}
	}
	// From the last read on, each element is struck from the list at the first read that lacks it, so that all the work
	// is no more than the reads are long.
	left := order
	for i := len(reads) - 1; i >= 0 && len(left) > 0; i-- {
		has := make(map[E]bool, len(reads[i].all))
		for _, e := range reads[i].all {
			has[e] = true
		}
		var still []E
		for _, e := range left {
			if has[e] {
				still = append(still, e)
			} else {
				members[e].absent = reads[i].op
			}
		}
		left = still
	}
	return c.judge(h, order, members)
}

func (c SetFull[E]) judge(h *history.History, order []E, members map[E]*member) history.Result {
	stable, lost, stale, never, duplicates := 0, 0, 0, 0, 0
	var worst history.Result // Fail if anything is wrong: the first of the worst kind
	wrong := 0               // how bad that is
	note := func(bad int, ops []int, format string, args ...any) {
		if bad > wrong {
			wrong, worst = bad, history.Refuted(ops, format, args...)
		}
	}
	for _, e := range order {
		m := members[e]
		if m.phantom >= 0 {
			read := &h.Ops[m.phantom]
			why := "before anyone tried to add it"
			ops := []int{read.Index}
			if m.add < 0 {
				why = "which nobody tried to add"
			} else if add := &h.Ops[m.add]; add.Outcome == history.Failed {
				why = "which " + name(add) + " failed to add"
				ops = []int{min(add.Index, read.Index), max(add.Index, read.Index)}
			}
			note(4, ops, "%s read %v, %s", name(read), e, why)
		}
		if m.duplicate >= 0 {
			duplicates++
			note(2, []int{h.Ops[m.duplicate].Index}, "%s read %v twice", name(&h.Ops[m.duplicate]), e)
		}
		missed := m.isKnown && m.absent >= 0 && h.Ops[m.absent].Call > m.known
		switch {
		case missed && (m.present < 0 || m.seen < h.Ops[m.absent].Call):
			lost++
			ops := []int{h.Ops[m.absent].Index}
			how := "was acknowledged"
			if m.present >= 0 {
				ops = append([]int{h.Ops[m.present].Index}, ops...)
				how = "was read by " + name(&h.Ops[m.present])
			}
			if m.add >= 0 {
				ops = append([]int{h.Ops[m.add].Index}, ops...)
			}
			note(3, ops, "%v %s, and from %s on no read has it", e, how, name(&h.Ops[m.absent]))
		case m.present > m.absent || missed:
			stable++
			if missed {
				stale++
				if c.Strict {
					note(1, []int{h.Ops[m.add].Index, h.Ops[m.absent].Index, h.Ops[m.present].Index}, "%v was known from %s, and %s, called after, does not have it, though %s has",
						e, seconds(m.known), name(&h.Ops[m.absent]), name(&h.Ops[m.present]))
				}
			}
		default:
			never++
		}
	}
	r := history.Passed("%s stay where they were added, and none is lost", plural(stable, "element"))
	switch {
	case wrong > 0:
		r = worst
	case stable < or(c.AtLeast, 1):
		r = history.Doubted("only %s could be seen to stay; %d are needed", plural(stable, "element"), or(c.AtLeast, 1))
	}
	r.Evidence = map[string]any{"stable": stable, "lost": lost, "stale": stale, "never_read": never, "duplicates": duplicates}
	return r
}
