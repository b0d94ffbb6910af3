package multimaster

import (
	"slices"
	"time"

	"faultlab/checker"
	"faultlab/checker/history"
	mm "faultlab/nodes/multimaster"
)

// owners is who owned which keys, as the nodes reported it.
type owners struct {
	layout *mm.Layout
	list   []tenure
}

// A tenure begins with a range's epoch, and ends when a higher one of the same keys begins. Of a range that is sealed
// nobody is the owner.
type tenure struct {
	at        time.Duration // of the first report
	rng       string
	epoch     uint64
	group     string // "" if sealed
	from, to  string
	different string // another group that reported the same: two owners
}

func (t *tenure) holds(key string) bool { return t.from <= key && (t.to == "" || key < t.to) }

// homes returns the owners in a history.
func (j *judge) homes(h *history.History) *owners {
	if j.seen == h {
		return j.owners
	}
	o := &owners{layout: j.layout}
	type name struct {
		rng    string
		epoch  uint64
		sealed bool
	}
	known := map[name]int{}
	for i := range h.Events {
		t := tenure{at: h.Events[i].At}
		switch b := h.Events[i].Event.(type) {
		case mm.Owns:
			t.rng, t.epoch, t.group, t.from, t.to = b.Range, b.Epoch, b.Group, b.From, b.To
		case mm.Sealed:
			t.rng, t.epoch, t.from, t.to = b.Range, b.Epoch, b.From, b.To
		default:
			continue
		}
		k := name{t.rng, t.epoch, t.group == ""}
		if at, ok := known[k]; !ok {
			known[k] = len(o.list)
			o.list = append(o.list, t)
		} else if o.list[at].group != t.group {
			o.list[at].different = t.group
		}
	}
	j.seen, j.owners = h, o
	return o
}

// at returns the group that owned a key at a time, nil if none did.
func (o *owners) at(key string, at time.Duration) *mm.Range {
	last := o.under(key, func(t *tenure) bool { return t.at <= at })
	if last == nil {
		return o.layout.Group(o.layout.Find(key).Group)
	}
	return o.layout.Group(last.group)
}

// under returns of those tenures of a key that are wanted the one with the highest epoch, as its owner if there is one.
func (o *owners) under(key string, wanted func(*tenure) bool) (last *tenure) {
	for i := range o.list {
		if t := &o.list[i]; t.holds(key) && wanted(t) && (last == nil || t.epoch > last.epoch || t.epoch == last.epoch && t.group != "") {
			last = t
		}
	}
	return last
}

// ranges are the names of all ranges that there were.
func (o *owners) ranges() (list []string) {
	for _, r := range o.layout.Ranges {
		list = append(list, r.Name)
	}
	for _, t := range o.list {
		if !slices.Contains(list, t.rng) {
			list = append(list, t.rng)
		}
	}
	return list
}

// hosts are the groups that ever owned a range, the one first in which it began.
func (o *owners) hosts(name string) (list []string) {
	if r := o.layout.Range(name); r != nil {
		list = []string{r.Group}
	}
	for _, t := range o.list {
		if t.rng == name && t.group != "" && !slices.Contains(list, t.group) {
			list = append(list, t.group)
		}
	}
	return list
}

// A share is what one operation did under one epoch, to a range or a key.
type share struct {
	op *history.Op
	checker.Epoch
}

// epochs judges shares as Epochs does.
func epochs(h *history.History, shares []share) history.Result {
	parts := *h
	parts.Ops = make([]history.Op, len(shares))
	for i := range shares {
		parts.Ops[i] = *shares[i].op
		parts.Ops[i].In = shares[i].Epoch
	}
	return checker.Epochs{View: func(op *history.Op) (checker.Epoch, bool) { e, ok := op.In.(checker.Epoch); return e, ok }}.Check(&parts)
}

// served calls f for each key that an acknowledged transaction touched, with the epoch that it was told.
func served(h *history.History, f func(op *history.Op, key string, epoch uint64)) {
	for i := range h.Ops {
		op := &h.Ops[i]
		if seen := results(op); seen != nil {
			for k, step := range steps(op) {
				f(op, step.Key, seen[k].Epoch)
			}
		}
	}
}

// fences judges O8: by range, what was acknowledged and which fences were granted.
func (j *judge) fences(h *history.History) history.Result {
	o := j.homes(h)
	for _, t := range o.list {
		if t.different != "" {
			return history.Refuted(nil, "epoch %d of %s has two owners, groups %s and %s", t.epoch, t.rng, t.group, t.different)
		}
	}
	var shares []share
	granted := 0
	served(h, func(op *history.Op, key string, epoch uint64) {
		rng := j.layout.Find(key).Name
		if epoch > 0 {
			t := o.under(key, func(t *tenure) bool { return t.epoch == epoch })
			if t == nil {
				return
			}
			rng = t.rng
		}
		e := checker.Epoch{Of: rng, Number: int64(epoch)}
		if n := len(shares); n == 0 || shares[n-1].op != op || shares[n-1].Epoch != e {
			shares = append(shares, share{op, e})
		}
	})
	for i := range h.Ops {
		if f, ok := h.Ops[i].Out.(mm.Fenced); ok && h.Ops[i].Outcome == history.OK {
			granted++
			shares = append(shares, share{&h.Ops[i], checker.Epoch{Of: f.Range, Number: int64(f.Epoch)}})
		}
	}
	slices.SortStableFunc(shares, func(a, b share) int { return a.op.Index - b.op.Index })
	r := epochs(h, shares)
	if r.Verdict == history.Pass && granted < 3 {
		r = history.Doubted("only %d fences were granted; 3 are needed", granted)
	}
	return r
}

// moves judges O12: by key.
func (j *judge) moves(h *history.History) history.Result {
	handed := 0
	for _, t := range j.homes(h).list {
		if t.group != "" && (j.layout.Range(t.rng) == nil || j.layout.Range(t.rng).Group != t.group) {
			handed++
		}
	}
	if handed == 0 {
		return history.Doubted("no range was moved, and none split")
	}
	var shares []share
	served(h, func(op *history.Op, key string, epoch uint64) {
		shares = append(shares, share{op, checker.Epoch{Of: key, Number: int64(epoch)}})
	})
	return epochs(h, shares)
}
