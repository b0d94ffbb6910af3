package checker

import (
	"cmp"
	"slices"
	"sort"
	"time"

	"faultlab/checker/history"
)

// Availability judges AVAIL(class, clients, fault): in every interval whose active faults, and those healed less than
// Grace ago, are ones that the promise allows for, operations of the class by those clients are served in at least
// PerMille of a thousand, and for no longer than Gap are all of them left unserved. With Refuse it judges the dual,
// REFUSE: none of them completes.
//
// An operation counts if the whole of it, to its deadline, lies in the interval. The share is judged for each interval
// with AtLeast operations, and over all the others together if they come to as many; one fraction over the whole run
// could not show how far a fault reaches.
//
// It is not judged if too little of the scheduled time could fit for so many operations, and undetermined if enough
// could but the faults never struck or too little was asked; and undetermined too if it fails by no more than what
// overlaps a stall of the lab.
type Availability struct {
	Class string // what is asked and by whom, for the reason: "single-range transactions by clients outside the cut"

	// When says whether the promise speaks of a moment with these faults. It decides too whether a calm moment counts,
	// and, for Refuse, whether one with a fault that was only just healed does.
	When func(f Faults) bool
	// Of says which operations are of the class, given the faults in their time (of all of them, if those change).
	Of func(op *history.Op, f Faults) bool
	// Served says that an operation got what it asked for, or an answer that the lab counts as such. nil: it is OK.
	Served func(op *history.Op) bool
	// Per sets apart operations whose gaps are looked for separately, by the range they use for instance. nil: none.
	Per func(op *history.Op) string

	PerMille int           // of a thousand; 0: 990
	Gap      time.Duration // 0: 2 s
	Grace    time.Duration // 0: 3 s
	Settle   time.Duration // how long after a fault began nothing is promised; 0: not at all
	Deadline time.Duration // 0: 1 s
	AtLeast  int           // 0: 50
	Least    time.Duration // how much fitting time, without a deadline at the end of each interval, a run needs to say anything; 0: 5 s
	Refuse   bool

	stalls []history.Stall // of the lab, which end a gap
}

// An interval is a longest stretch of spans that all fit.
type interval struct {
	from, to time.Duration
	first    int // index of its first span
	asked    []*history.Op
	served   int
}

// Check judges the safety phase.
func (a Availability) Check(h *history.History) history.Result {
	a.PerMille, a.AtLeast = or(a.PerMille, 990), or(a.AtLeast, 50)
	a.Gap, a.Grace, a.Deadline = or(a.Gap, 2*time.Second), or(a.Grace, 3*time.Second), or(a.Deadline, time.Second)
	if a.Served == nil {
		a.Served = func(op *history.Op) bool { return op.Outcome == history.OK }
	}
	a.Least = or(a.Least, 5*time.Second)
	blamed := func(op *history.Op) bool { return a.served(op) == a.Refuse }
	return excused(h, blamed, func(h *history.History, stalls []history.Stall) history.Result {
		a.stalls = stalls
		return a.check(h)
	})
}

func (a Availability) check(h *history.History) history.Result {
	from, to := safety(h)
	windows := h.Windows
	if a.Refuse {
		windows = surely(windows)
	}
	list := spans(windows, from, to, a.Settle, a.Grace, func(w history.Window) bool { return w.Took })
	intervals := a.intervals(list)
	a.collect(h, list, intervals)
	var r history.Result
	if a.Refuse {
		r = a.refused(intervals)
	} else {
		r = a.judge(list, intervals)
	}
	if r.Verdict == history.Fail || a.time(intervals) >= a.Least {
		return r
	}
	planned := a.intervals(spans(windows, from, to, a.Settle, a.Grace, func(history.Window) bool { return true }))
	if a.time(planned) < a.Least {
		return history.Skipped("for %s of this run its faults were those that this speaks of, and no others; it takes %s", seconds(a.time(planned)), seconds(a.Least))
	}
	return history.Doubted("the faults that this speaks of were scheduled, but in force for no more than %s; it takes %s", seconds(a.time(intervals)), seconds(a.Least))
}

// time is how long an operation can be called in and count.
func (a Availability) time(intervals []interval) time.Duration {
	var sum time.Duration
	for _, in := range intervals {
		sum += max(0, in.to-in.from-a.Deadline)
	}
	return sum
}

// safety returns when load with faults began and when it ended.
func safety(h *history.History) (from, to time.Duration) {
	to = or(h.Healed, h.End)
	for i := range h.Ops {
		if op := &h.Ops[i]; op.Phase != history.WarmUp {
			return min(op.Call, to), to
		}
	}
	return to, to
}

func (a Availability) fits(s span) bool { return !s.settling && a.When(s.faults) }

func (a Availability) intervals(list []span) []interval {
	var found []interval
	open := false
	for i, s := range list {
		fits := a.fits(s)
		switch {
		case fits && open:
			found[len(found)-1].to = s.to
		case fits:
			found = append(found, interval{from: s.from, to: s.to, first: i})
		}
		open = fits
	}
	return found
}

// collect gives each interval the operations that count in it.
func (a Availability) collect(h *history.History, list []span, intervals []interval) {
	at := 0 // the span that the operation at hand was called in; operations come in the order of call
	for i := range h.Ops {
		op := &h.Ops[i]
		if op.Phase == history.WarmUp || op.Phase == history.Final {
			continue
		}
		until := max(op.Return, op.Call+a.Deadline)
		if a.Refuse {
			until = op.Return
		}
		n := sort.Search(len(intervals), func(n int) bool { return intervals[n].to > op.Call })
		if n == len(intervals) || op.Call < intervals[n].from || until > intervals[n].to {
			continue
		}
		in := &intervals[n]
		counts := true
		for ; list[at].to <= op.Call; at++ {
		}
		for s := at; counts && s < len(list) && list[s].from <= until && list[s].from < in.to; s++ {
			counts = a.Of(op, list[s].faults)
		}
		if counts {
			in.asked = append(in.asked, op)
			if a.served(op) {
				in.served++
			}
		}
	}
}

func (a Availability) served(op *history.Op) bool {
	return a.Served(op) && (a.Refuse || op.Return-op.Call <= a.Deadline)
}

func (a Availability) refused(intervals []interval) history.Result {
	asked := 0
	for _, in := range intervals {
		asked += len(in.asked)
		for _, op := range in.asked {
			if a.served(op) {
				r := history.Refuted([]int{op.Index}, "operation %d (client %s, %s) completed, though %s must be refused from %s to %s",
					op.Index, op.Client, seconds(op.Call), a.class(), seconds(in.from), seconds(in.to))
				r.Evidence = map[string]any{"asked": asked, "completed": 1}
				return r
			}
		}
	}
	if asked < a.AtLeast {
		return history.Doubted("only %s of %s fell in the time that this speaks of; %d are needed", plural(asked, "operation"), a.class(), a.AtLeast)
	}
	r := history.Passed("none of %s of %s completed in %s", plural(asked, "operation"), a.class(), plural(len(intervals), "interval"))
	r.Evidence = map[string]any{"asked": asked, "intervals": len(intervals)}
	return r
}

func (a Availability) judge(list []span, intervals []interval) history.Result {
	asked, served := 0, 0
	var rest interval // the intervals that are too short to be judged alone
	var worst gap
	judged := 0
	for i := range intervals {
		in := &intervals[i]
		asked, served = asked+len(in.asked), served+in.served
		if g := a.gap(in); g.length() > worst.length() {
			worst = g
		}
		if len(in.asked) < a.AtLeast {
			rest.asked, rest.served = append(rest.asked, in.asked...), rest.served+in.served
			continue
		}
		judged++
		if in.served*1000 < a.PerMille*len(in.asked) {
			r := history.Refuted(a.unserved(in.asked), "from %s to %s, when %s, only %d of %s of %s were served; %d in a thousand are promised",
				seconds(in.from), seconds(in.to), list[in.first].faults, in.served, plural(len(in.asked), "operation"), a.class(), a.PerMille)
			r.Evidence = map[string]any{"asked": len(in.asked), "served": in.served, "from_ms": in.from.Milliseconds(), "to_ms": in.to.Milliseconds()}
			return r
		}
	}
	evidence := map[string]any{"asked": asked, "served": served, "intervals": len(intervals), "longest_gap_ms": worst.length().Milliseconds()}
	if worst.length() > a.Gap {
		r := history.Refuted(a.unserved(worst.ops), "from %s to %s none of %s of %s%s was served; no gap may last longer than %s",
			seconds(worst.from), seconds(worst.to), plural(len(worst.ops), "operation"), a.class(), worst.about(), a.Gap)
		r.Evidence = evidence
		return r
	}
	if len(rest.asked) >= a.AtLeast {
		judged++
		if rest.served*1000 < a.PerMille*len(rest.asked) {
			r := history.Refuted(a.unserved(rest.asked), "in the short intervals together only %d of %s of %s were served; %d in a thousand are promised",
				rest.served, plural(len(rest.asked), "operation"), a.class(), a.PerMille)
			r.Evidence = evidence
			return r
		}
	}
	r := history.Doubted("only %s of %s fell in the time that this speaks of; %d are needed", plural(asked, "operation"), a.class(), a.AtLeast)
	if judged > 0 {
		r = history.Passed("%d of %s of %s were served in %s; the longest gap was %s",
			served, plural(asked, "operation"), a.class(), plural(len(intervals), "interval"), seconds(worst.length()))
	}
	r.Evidence = evidence
	return r
}

func (a Availability) class() string { return or(a.Class, "this class") }

// unserved returns the first few operations that were not served.
func (a Availability) unserved(ops []*history.Op) []int {
	const few = 5
	var list []int
	for _, op := range ops {
		if !a.served(op) && len(list) < few {
			list = append(list, op.Index)
		}
	}
	return list
}

// A gap is a time in which operations were asked and none was served.
type gap struct {
	from, to time.Duration
	per      string
	ops      []*history.Op
}

func (g gap) length() time.Duration { return g.to - g.from }

func (g gap) about() string {
	if g.per == "" {
		return ""
	}
	return " (" + g.per + ")"
}

// gap returns the longest gap of an interval: from the call of the first operation after one was served, to the time
// at which the last one before the next success was given up. Silence of the clients is no gap.
func (a Availability) gap(in *interval) gap {
	if in.served == len(in.asked) {
		return gap{}
	}
	groups := map[string][]*history.Op{}
	var names []string
	for _, op := range in.asked {
		name := ""
		if a.Per != nil {
			name = a.Per(op)
		}
		if _, known := groups[name]; !known {
			names = append(names, name)
		}
		groups[name] = append(groups[name], op)
	}
	var worst gap
	for _, name := range names {
		ops := groups[name]
		var successes []time.Duration
		for _, op := range ops {
			if a.served(op) {
				successes = append(successes, op.Return)
			}
		}
		for _, s := range a.stalls {
			successes = append(successes, s.End)
		}
		slices.Sort(successes)
		// Operations that were not served, put between the successes that they overlap with neither of.
		next, g := 0, gap{per: name}
		for _, op := range ops {
			if a.served(op) {
				continue
			}
			for next < len(successes) && successes[next] <= op.Call {
				next++
				g = gap{per: name}
			}
			end := op.Return
			if next < len(successes) {
				end = min(end, successes[next])
			}
			if len(g.ops) == 0 {
				g.from = op.Call
			}
			g.to = max(g.to, end)
			g.ops = append(g.ops, op)
			if g.length() > worst.length() {
				worst = g
			}
		}
	}
	slices.SortStableFunc(worst.ops, func(x, y *history.Op) int { return cmp.Compare(x.Call, y.Call) })
	return worst
}
