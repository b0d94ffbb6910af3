package multimaster

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"faultlab/checker"
	"faultlab/checker/history"
	"faultlab/checker/txn"
	"faultlab/labs"
	"faultlab/nodes"
	mm "faultlab/nodes/multimaster"
)

const (
	staleAtMost = 3 * time.Second  // B: what was acknowledged longer ago is in every query, while nothing is wrong
	catchUp     = 10 * time.Second // T_catch: nothing has been wrong for so long before that counts
	pageSize    = 16
)

// analyse draws a query of an analytics replica: pages of the lists of two ranges, or what a bank holds in all. One that
// follows another goes to a replica of another region, with what the session has seen, and so do some of the others.
func (w *workload) analyse(c *labs.Client) labs.Request {
	d := w.debt(c.ID)
	var body any
	if c.Rand.IntN(3) == 0 {
		body = mm.Aggregate{Spans: spansOf(w.banks[c.Rand.IntN(len(w.banks))]), After: d.seen}
	} else {
		s := mm.Scan{Limit: pageSize, After: d.seen}
		for range 2 {
			name := w.layout.Ranges[c.Rand.IntN(len(w.layout.Ranges))].Name
			p := w.lists[name]
			// Half from a list in use on: the ones that change are those that tell most.
			from := key(name, listKind, 0)
			if c.Rand.IntN(2) == 0 {
				from = p.keys[c.Rand.IntN(len(p.keys))][0]
			}
			s.Spans = append(s.Spans, mm.Span{From: from, To: name + "/" + listKind + "z"})
		}
		body = s
	}
	regions := w.topology.Regions()
	first := slices.Index(regions, c.Region)
	if d.queried || c.Rand.IntN(8) == 0 {
		first += 1 + c.Rand.IntN(len(regions)-1)
	}
	d.queried = false
	var to []nodes.ID
	for i := range regions {
		members := w.topology.In(regions[(first+i)%len(regions)])
		to = append(to, members[len(members)-1])
	}
	return labs.Request{Body: body, To: to, Wait: 330 * time.Millisecond, Deadline: time.Second}
}

// spansOf are spans of one key each.
func spansOf(keys []string) (list []mm.Span) {
	for _, k := range keys {
		list = append(list, mm.Span{From: k, To: k + "\x00"})
	}
	return list
}

func isQuery(op *history.Op) bool {
	switch op.In.(type) {
	case mm.Scan, mm.Aggregate:
		return true
	}
	return false
}

// watermark is what a query was answered as of; 0 if it was not.
func watermark(out any) uint64 {
	switch b := out.(type) {
	case mm.Scanned:
		return b.Watermark
	case mm.Aggregated:
		return b.Watermark
	}
	return 0
}

// pages calls f for each page of a scan that was answered: what it says is all there is of the keys from and up to to.
func pages(op *history.Op, f func(from, to string, rows []mm.Row)) {
	s, is := op.In.(mm.Scan)
	a, ok := op.Out.(mm.Scanned)
	if !is || !ok || op.Outcome != history.OK || len(a.Pages) != len(s.Spans) {
		return
	}
	for i, rows := range a.Pages {
		to := s.Spans[i].To
		if len(rows) >= s.Limit {
			to = rows[len(rows)-1].Key + "\x00"
		}
		f(s.Spans[i].From, to, rows)
	}
}

// analytics judges O11.
func (j *judge) analytics(h *history.History) history.Result {
	keys := listKeys(h)
	lists := &checker.Transactions{View: func(op *history.Op) ([]txn.Op, bool) {
		if !isQuery(op) {
			ops, ok := listView(op)
			return ops, ok && slices.ContainsFunc(ops, func(o txn.Op) bool { return o.Kind == txn.Append })
		}
		var ops []txn.Op
		seenPage(op, keys, func(key string, list []int64) {
			ops = append(ops, txn.Op{Kind: txn.Read, Key: key, List: list})
		})
		return ops, ops != nil
	}}
	r := checker.All{
		checker.Isolation{Of: lists, Options: txn.Options{Models: []string{"serializable"}}},
		checker.Monotonic{AtLeast: 20, View: func(op *history.Op) (checker.Reading, bool) {
			client, _, _ := strings.Cut(op.Client, ".")
			return checker.Reading{Of: "the watermark seen by " + client, Number: int64(watermark(op.Out))}, isQuery(op)
		}},
		checker.Invariant[int64]{View: j.bankTotal, Holds: func(off int64) error {
			if off != 0 {
				return fmt.Errorf("a bank holds %+d of what was put in", off)
			}
			return nil
		}, AtLeast: 10},
		checker.Func(func(h *history.History) history.Result { return sameAtWatermark(h, keys) }),
		checker.Func(func(h *history.History) history.Result { return fresh(h, keys) }),
	}.Check(h)
	return r
}

// listKeys are the lists that anybody appended to, sorted.
func listKeys(h *history.History) []string {
	var keys []string
	for i := range h.Ops {
		for _, step := range steps(&h.Ops[i]) {
			if step.F == mm.Append {
				keys = append(keys, step.Key)
			}
		}
	}
	slices.Sort(keys)
	return slices.Compact(keys)
}

// seenPage calls f for each list that a scan saw, or found to be empty.
func seenPage(op *history.Op, keys []string, f func(key string, list []int64)) {
	pages(op, func(from, to string, rows []mm.Row) {
		at, _ := slices.BinarySearch(keys, from)
		for ; at < len(keys) && keys[at] < to; at++ {
			var list []int64
			if i, found := slices.BinarySearchFunc(rows, keys[at], func(r mm.Row, k string) int { return strings.Compare(r.Key, k) }); found {
				list = rows[i].List
			}
			f(keys[at], list)
		}
	})
}

// bankTotal returns how far what a query found in a bank is off what was put there; before that it may be nothing.
func (j *judge) bankTotal(op *history.Op) (off int64, ok bool) {
	q, is := op.In.(mm.Aggregate)
	a, answered := op.Out.(mm.Aggregated)
	if !is || !answered {
		return 0, false
	}
	if a.Count == 0 {
		return 0, false
	}
	return a.Sum - deposit*int64(len(q.Spans)), true
}

// sameAtWatermark says whether a list was the same in all queries as of one watermark.
func sameAtWatermark(h *history.History, keys []string) history.Result {
	type place struct {
		key  string
		mark uint64
	}
	type sight struct {
		list []int64
		op   int
	}
	seen := map[place]sight{}
	twice := 0
	for i := range h.Ops {
		op := &h.Ops[i]
		var r *history.Result
		seenPage(op, keys, func(key string, list []int64) {
			p := place{key, watermark(op.Out)}
			before, known := seen[p]
			switch {
			case !known:
				seen[p] = sight{list, op.Index}
			case !slices.Equal(before.list, list) && r == nil:
				f := history.Refuted([]int{before.op, op.Index}, "%s is %v in one query and %v in another, both as of watermark %d", key, before.list, list, p.mark)
				r = &f
			default:
				twice++
			}
		})
		if r != nil {
			return *r
		}
	}
	return history.Passed("%d lists were seen twice as of one watermark, and were the same", twice)
}

// fresh says whether queries asked while nothing was wrong show all that was acknowledged longer than B before.
func fresh(h *history.History, keys []string) history.Result {
	type ack struct {
		at    time.Duration
		value int64
		op    int
	}
	acks := map[string][]ack{}
	for i := range h.Ops {
		op := &h.Ops[i]
		if op.Outcome != history.OK {
			continue
		}
		for _, step := range steps(op) {
			if step.F == mm.Append {
				acks[step.Key] = append(acks[step.Key], ack{op.Return, step.Value, op.Index})
			}
		}
	}
	judged := 0
	for i := range h.Ops {
		op := &h.Ops[i]
		if watermark(op.Out) == 0 || slices.ContainsFunc(h.Windows, func(w history.Window) bool {
			return w.Took && w.Start < op.Return && w.End+catchUp > op.Call
		}) {
			continue
		}
		var r *history.Result
		seenPage(op, keys, func(key string, list []int64) {
			for _, a := range acks[key] {
				if r == nil && a.at+staleAtMost < op.Call && !slices.Contains(list, a.value) {
					f := history.Refuted([]int{a.op, op.Index}, "%s lacks %d, which was acknowledged %.3f s before the query was asked, with nothing wrong for %v", key, a.value, (op.Call - a.at).Seconds(), catchUp)
					r = &f
				}
			}
			judged++
		})
		if r != nil {
			return *r
		}
	}
	return history.Passed("%d lists were seen no staler than %v", judged, staleAtMost)
}

// replicasAvailable judges that queries are answered in a region that is not cut off, while another one is.
func replicasAvailable() checker.Checker {
	return checker.Availability{
		Class:  "queries of analytics replicas, outside the cut region",
		When:   oneRegionCut,
		Of:     func(op *history.Op, f checker.Faults) bool { return isQuery(op) && op.Region != cutRegion(f) },
		Settle: time.Second, AtLeast: 10, Least: cutAtLeast,
	}
}
