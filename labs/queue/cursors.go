package queue

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"faultlab/checker"
	"faultlab/checker/history"
	q "faultlab/nodes/queue"
)

// This file judges what groups of consumers are told: cursors (Q7, Q8), and when a child is opened to them (Q9).

// A cursorFact is one commit that was asked for, or one cursor that was shown.
type cursorFact struct {
	at    time.Duration
	asked bool
	op    int
	group string
	q.Cursor
}

// cursorFacts are in the order of time; what is asked counts from when it is asked, what is shown when it is.
func (j *judge) cursorFacts(h *history.History) []cursorFact {
	var list []cursorFact
	for i := range h.Ops {
		op := &h.Ops[i]
		switch in := op.In.(type) {
		case q.Commit:
			if op.Outcome != history.Failed {
				list = append(list, cursorFact{op.Call, true, i, in.Home + " " + in.Group, q.Cursor{Shard: in.Shard, Seq: in.Seq}})
			}
			if out, ok := op.Out.(q.Committed); ok {
				list = append(list, cursorFact{op.Return, false, i, in.Home + " " + in.Group, q.Cursor{Shard: in.Shard, Seq: out.Seq}})
			}
		case q.Join:
			if out, ok := op.Out.(q.Assigned); ok {
				for _, c := range out.Shards {
					list = append(list, cursorFact{op.Return, false, i, in.Home + " " + in.Group, c})
				}
			}
		}
	}
	slices.SortStableFunc(list, func(a, b cursorFact) int { return cmp.Compare(a.at, b.at) })
	return list
}

// cursors judges that a cursor shows no more than a member of the group had asked to commit.
func (j *judge) cursors(h *history.History) history.Result {
	asked := map[progress]uint64{}
	shown := 0
	for _, c := range j.cursorFacts(h) {
		p := progress{c.group, c.Shard}
		switch {
		case c.asked:
			asked[p] = max(asked[p], c.Seq)
		case c.Seq > asked[p]:
			return history.Refuted([]int{c.op}, "operation %d shows the cursor of group %s at place %d of %s, and nobody had asked to commit more than %d", c.op, c.group, c.Seq, c.Shard, asked[p])
		case c.Seq > 0:
			shown++
		}
	}
	return enough(shown, 50, "cursors were shown", history.Passed("all of %d cursors that were shown were at places that had been committed", shown))
}

// fencing judges that no member reads or commits under a generation that the shard's group has seen the end of. A
// promotion begins anew, and what it fences off is Q13's.
func (j *judge) fencing(h *history.History) history.Result {
	r := checker.Epochs{View: func(op *history.Op) (checker.Epoch, bool) {
		of := func(home, group, member string, s q.Shard, generation uint64) (checker.Epoch, bool) {
			return checker.Epoch{
				Of:     fmt.Sprintf("group %s %s of %s (keyspace promoted %d times)", home, group, s, regime(generation)),
				Number: int64(generation), Owner: member,
			}, true
		}
		switch in := op.In.(type) {
		case q.Poll:
			return of(in.Home, in.Group, in.Member, in.Shard, in.Generation)
		case q.Commit:
			return of(in.Home, in.Group, in.Member, in.Shard, in.Generation)
		}
		return checker.Epoch{}, false
	}}.Check(h)
	refused := 0
	for i := range h.Ops {
		switch h.Ops[i].In.(type) {
		case q.Poll, q.Commit:
			if _, ok := h.Ops[i].Out.(q.Refused); ok {
				refused++
			}
		}
	}
	if r.Verdict == history.Pass && refused == 0 {
		r.Verdict, r.Reason = history.Undetermined, "no member was ever refused, so that nothing was put to the test"
	}
	if r.Evidence != nil {
		r.Evidence["refused"] = refused
	}
	return r
}

// forward judges that cursors never go back, but in a promotion.
func (j *judge) forward(op *history.Op) (checker.Reading, bool) {
	in, ok := op.In.(q.Commit)
	if !ok {
		return checker.Reading{}, false
	}
	return checker.Reading{
		Of:     fmt.Sprintf("the cursor of group %s %s in %s (keyspace promoted %d times)", in.Home, in.Group, in.Shard, regime(in.Generation)),
		Number: int64(op.Out.(q.Committed).Seq),
	}, true
}

// sealed judges that a shard ends where it was sealed: nobody is acknowledged or shown anything beyond, and nobody serves
// a child before.
func (j *judge) sealed(h *history.History) history.Result {
	f := j.facts(h)
	parents := map[q.Shard][]q.Shard{}
	for s, end := range f.seals {
		for _, c := range end.children {
			parents[c] = append(parents[c], s)
		}
	}
	for i := range h.Events {
		e := &h.Events[i]
		switch b := e.Event.(type) {
		case q.Sealed:
			end, known := f.seals[b.Shard]
			if !known || !slices.ContainsFunc(b.Children, func(c q.Shard) bool { return generationOf(c) == generationOf(b.Shard) }) {
				continue
			}
			if end.seq != b.Seq || !slices.Equal(end.children, b.Children) {
				return history.Refuted(nil, "%s was sealed at place %d, for %v, and says %s, at place %d, for %v", b.Shard, end.seq, end.children, e.Node, b.Seq, b.Children)
			}
		case q.Serves:
			of := parents[b.Shard]
			slices.SortFunc(of, compareShards)
			for _, p := range of {
				if end := f.seals[p]; e.At < end.at {
					return history.Refuted(nil, "%s serves %s from %v on, and its parent %s was sealed only at %v", e.Node, b.Shard, e.At, p, end.at)
				}
			}
		}
	}
	for i := range h.Ops {
		switch out := h.Ops[i].Out.(type) {
		case q.SendOK:
			last := out.Seq + uint64(len(h.Ops[i].In.(q.Send).Values)) - 1
			if end, known := f.seals[out.Shard]; known && last > end.seq {
				return history.Refuted([]int{i}, "operation %d was given place %d of %s, which was sealed at place %d", i, last, out.Shard, end.seq)
			}
		case q.Records:
			n := len(out.Records)
			if end, known := f.seals[out.Shard]; known && n > 0 && out.Records[n-1].Seq > end.seq {
				return history.Refuted([]int{i}, "operation %d was shown place %d of %s, which was sealed at place %d", i, out.Records[n-1].Seq, out.Shard, end.seq)
			}
		}
	}
	if len(f.seals) == 0 {
		return history.Skipped("no shard was split or merged")
	}
	return history.Passed("nothing was added to %d shards after their end, and their children were not there before", len(f.seals))
}

func compareShards(a, b q.Shard) int {
	return cmp.Or(cmp.Compare(a.Range, b.Range), cmp.Compare(a.Epoch, b.Epoch))
}

// opened judges that a group is shown the child of a split or merge only once it was told to have dealt with all of the
// parents. A run without either is not judged.
func (j *judge) opened(h *history.History) history.Result {
	f := j.facts(h)
	type parent struct {
		q.Cursor
	}
	parents := map[q.Shard][]parent{}
	for s, end := range f.seals {
		for _, c := range end.children {
			if generationOf(c) == generationOf(s) {
				parents[c] = append(parents[c], parent{q.Cursor{Shard: s, Seq: min(end.seq, f.limit(s))}})
			}
		}
	}
	for _, list := range parents {
		slices.SortFunc(list, func(a, b parent) int { return compareShards(a.Shard, b.Shard) })
	}
	if len(parents) == 0 {
		return history.Skipped("no shard was split or merged")
	}
	var polls []int
	for i := range h.Ops {
		in, ok := h.Ops[i].In.(q.Poll)
		if out, shown := records(&h.Ops[i]); ok && shown && len(out.Records) > 0 && parents[in.Shard] != nil {
			polls = append(polls, i)
		}
	}
	slices.SortStableFunc(polls, func(a, b int) int { return cmp.Compare(h.Ops[a].Return, h.Ops[b].Return) })
	asked := map[progress]uint64{}
	commits := j.cursorFacts(h)
	shown := 0
	for _, i := range polls {
		op := &h.Ops[i]
		in := op.In.(q.Poll)
		for ; len(commits) > 0 && commits[0].at <= op.Return; commits = commits[1:] {
			if c := commits[0]; c.asked {
				p := progress{c.group, c.Shard}
				asked[p] = max(asked[p], c.Seq)
			}
		}
		for _, p := range parents[in.Shard] {
			if done := asked[progress{in.Home + " " + in.Group, p.Shard}]; done < p.Seq {
				return history.Refuted([]int{i}, "operation %d shows group %s %s records of %s, of whose parent %s, which ends at place %d, it had committed %d",
					i, in.Home, in.Group, in.Shard, p.Shard, p.Seq, done)
			}
		}
		shown++
	}
	if shown == 0 {
		return history.Skipped("nothing was sent to the child of a split or merge")
	}
	r := history.Passed("in all of %d polls of children their parents had been dealt with", shown)
	r.Evidence = map[string]any{"children": len(parents), "polls": shown}
	return r
}
