package checker

import (
	"slices"
	"sort"
	"strings"
	"time"

	"faultlab/checker/history"
)

// Locks judges bounded blocking. The locks of a transaction in a group are held from the first report by any member
// that they were taken to the first report that they were released (a member that restarts reports again what it
// replays). The time of that in which the group could have had them released is at most Bound; and in a region that
// nothing can reach no cross-region lock is taken later than Margin after the cut.
//
// A group could have had them released at a moment if a majority of its members are up and reach each other, and every
// member that could lead it reaches every member that could lead each group that it needs, over links that carry all
// they are given; and none of that changed less than Grace ago. This is stricter than "a majority is in reach", since
// which of the possible leaders leads is not known.
type Locks struct {
	View   func(e *history.Event) (lock Lock, ok bool)
	Groups map[string]Group // by name

	Bound  time.Duration
	Grace  time.Duration // 0: 3 s
	Margin time.Duration // after a cut, for what was under way; 0: 1 s
	// Steady says that a window's cuts last all through it; nil: its form is not "flapping".
	Steady  func(w history.Window) bool
	AtLeast int // locks that a pass needs; 0: 20
}

// A Group holds locks, or decides on their release.
type Group struct {
	Members []string
	Needs   []string // groups that must be asked before a lock of this one can be released without its coordinator
}

// A Lock is a report that a transaction's locks in a group were taken, or released.
type Lock struct {
	Group, Txn string
	Keys       []string
	Cross      bool // the transaction spans regions
	Released   bool
}

// A holding is the locks of one transaction in one group.
type holding struct {
	Lock
	from, to time.Duration
	held     bool // never released
}

// Check judges all events.
func (c Locks) Check(h *history.History) history.Result {
	c.Grace, c.Margin = or(c.Grace, 3*time.Second), or(c.Margin, time.Second)
	if c.Steady == nil {
		c.Steady = func(w history.Window) bool { return w.Form != "flapping" }
	}
	holdings := c.holdings(h)
	if len(holdings) == 0 {
		return history.Skipped("no node reported a lock")
	}
	where := map[string]string{}
	for _, m := range h.Members {
		where[m.ID] = m.Region
	}
	free := map[string][]stretch{}
	cut := c.unreached(h)
	var longest time.Duration
	var doubt *history.Result // of a lock that was held too long, perhaps for a stall of the lab alone
	crossInCut := 0
	for _, l := range holdings {
		times, known := free[l.Group]
		if !known {
			times = c.free(h, l.Group)
			free[l.Group] = times
		}
		var age time.Duration
		for _, s := range since(times, l.from) {
			if s.from >= l.to {
				break
			}
			age += min(s.to, l.to) - max(s.from, l.from)
		}
		longest = max(longest, age)
		if age > c.Bound {
			end := "to the end of the run"
			if !l.held {
				end = "to " + seconds(l.to)
			}
			r := history.Refuted(nil, "%s held the locks of %s on %s from %s %s; for %s of that nothing was in the way of releasing them, and %s are allowed",
				l.Group, l.Txn, strings.Join(l.Keys, ", "), seconds(l.from), end, seconds(age), c.Bound)
			r.Evidence = map[string]any{"group": l.Group, "txn": l.Txn, "keys": l.Keys, "held_ms": (l.to - l.from).Milliseconds(), "unexcused_ms": age.Milliseconds()}
			met := slices.DeleteFunc(slices.Clone(h.Stalls), func(s history.Stall) bool { return s.End < l.from || l.to < s.Start })
			if len(met) == 0 {
				return r
			}
			if doubt == nil {
				d := history.Doubted("%s; but the lab itself stood still %s, which may be all there is to it", r.Reason, stood(met))
				d.Evidence, doubt = r.Evidence, &d
			}
			continue
		}
		g := c.Groups[l.Group]
		if !l.Cross || len(g.Members) == 0 {
			continue
		}
		region := where[g.Members[0]]
		if times := since(cut[region], l.from); len(times) > 0 && times[0].from <= l.from {
			s := times[0]
			crossInCut++
			if l.from > s.from+c.Margin && c.intact(h, g, s.from-c.Margin, l.from) {
				r := history.Refuted(nil, "%s took locks for %s, which spans regions, on %s at %s, though nothing could reach region %s since %s",
					l.Group, l.Txn, strings.Join(l.Keys, ", "), seconds(l.from), region, seconds(s.from))
				r.Evidence = map[string]any{"group": l.Group, "txn": l.Txn, "keys": l.Keys, "after_cut_ms": (l.from - s.from).Milliseconds()}
				return r
			}
		}
	}
	if doubt != nil {
		return *doubt
	}
	r := history.Passed("of %s none was held longer than %s with nothing in the way; %s are allowed", plural(len(holdings), "lock"), seconds(longest), c.Bound)
	if least := or(c.AtLeast, 20); len(holdings) < least {
		r = history.Doubted("only %s taken; %d are needed", plural(len(holdings), "lock"), least)
	}
	r.Evidence = map[string]any{"locks": len(holdings), "longest_unexcused_ms": longest.Milliseconds(), "taken_just_after_a_cut": crossInCut}
	return r
}

func (c Locks) holdings(h *history.History) []*holding {
	type id struct{ group, txn string }
	byID := map[id]*holding{}
	var list []*holding
	for i := range h.Events {
		e := &h.Events[i]
		l, ok := c.View(e)
		if !ok {
			continue
		}
		k := id{l.Group, l.Txn}
		held := byID[k]
		if held == nil {
			held = &holding{Lock: l, from: e.At, to: h.End, held: true}
			byID[k] = held
			if !l.Released { // released before anyone said that they were taken: they were held for no time
				list = append(list, held)
			}
		}
		if l.Released && held.held {
			held.to, held.held = e.At, false
		}
	}
	return list
}

// A stretch is a time from from up to to.
type stretch struct{ from, to time.Duration }

// since returns those stretches, which come in order, that end after at.
func since(times []stretch, at time.Duration) []stretch {
	return times[sort.Search(len(times), func(i int) bool { return times[i].to > at }):]
}

// free returns the times in which a group could have had locks released.
func (c Locks) free(h *history.History, group string) []stretch {
	g, known := c.Groups[group]
	if !known {
		return nil
	}
	concerned := map[string]bool{}
	groups := [][]string{g.Members}
	for _, need := range g.Needs {
		groups = append(groups, c.Groups[need].Members)
	}
	for _, members := range groups {
		for _, m := range members {
			concerned[m] = true
		}
	}
	var windows []history.Window
	for _, w := range h.Windows {
		if touches(w, concerned) {
			windows = append(windows, w)
		}
	}
	var times []stretch
	for _, s := range spans(windows, 0, h.End, 0, c.Grace, func(history.Window) bool { return true }) {
		// Nothing began, and nothing ended, less than the grace ago.
		from := s.from
		for _, w := range s.faults.Active {
			from = max(from, w.Start+c.Grace)
		}
		if len(s.faults.Recent) > 0 || from >= s.to || slices.ContainsFunc(s.faults.Active, c.unsteady) {
			continue
		}
		if canRelease(reach(s.faults.Active), groups) {
			times = append(times, stretch{from, s.to})
		}
	}
	return times
}

// unsteady says that who can talk to whom changes all through a window, so that it leaves no time to settle.
func (c Locks) unsteady(w history.Window) bool { return !c.Steady(w) }

func touches(w history.Window, members map[string]bool) bool {
	for _, id := range w.Down {
		if members[id] {
			return true
		}
	}
	for _, links := range [][]history.Link{w.Cuts, w.Hurts} {
		for _, l := range links {
			if members[l.From] && members[l.To] {
				return true
			}
		}
	}
	return len(w.Down)+len(w.Cuts)+len(w.Hurts) == 0 && slices.ContainsFunc(w.Nodes, func(id string) bool { return members[id] })
}

// A network says who is up and who can talk to whom, both ways. Over a link that is slow or lossy members may or may not
// get through in time: they may lead, and may be in reach, but neither can be counted on.
type network struct {
	down map[string]bool
	cut  map[history.Link]bool
	hurt map[history.Link]bool
}

func reach(windows []history.Window) network {
	n := network{down: map[string]bool{}, cut: map[history.Link]bool{}, hurt: map[history.Link]bool{}}
	for _, w := range windows {
		for _, id := range w.Down {
			n.down[id] = true
		}
		for _, l := range w.Cuts {
			n.cut[l] = true
		}
		for _, l := range w.Hurts {
			n.hurt[l] = true
		}
	}
	return n
}

// may says that two members may get through to each other; talk, that they do.
func (n network) may(a, b string) bool {
	return a == b || !n.cut[history.Link{From: a, To: b}] && !n.cut[history.Link{From: b, To: a}]
}

func (n network) talk(a, b string) bool {
	return n.may(a, b) && !n.hurt[history.Link{From: a, To: b}] && !n.hurt[history.Link{From: b, To: a}]
}

// leaders are the members that may lead their group: they are up, and may get through to a majority, with themselves.
func (n network) leaders(members []string) []string {
	var able []string
	for _, m := range members {
		peers := 0
		for _, p := range members {
			if !n.down[p] && n.may(m, p) {
				peers++
			}
		}
		if !n.down[m] && 2*peers > len(members) {
			able = append(able, m)
		}
	}
	return able
}

// canRelease says whether the first of the groups has a majority that is connected, whoever leads it, and reaches the
// others, whoever leads those.
func canRelease(n network, groups [][]string) bool {
	mine := n.leaders(groups[0])
	for i, members := range groups {
		able := n.leaders(members)
		if 2*len(able) <= len(members) {
			return false
		}
		for _, a := range able {
			for _, b := range able {
				if !n.talk(a, b) {
					return false
				}
			}
			for _, m := range mine {
				if i > 0 && !n.talk(m, a) {
					return false
				}
			}
		}
	}
	return true
}

// unreached returns, by region, the times in which no link from outside it carried anything.
func (c Locks) unreached(h *history.History) map[string][]stretch {
	times := map[string][]stretch{}
	regions := map[string]int{}
	for _, m := range h.Members {
		regions[m.Region]++
	}
	var windows []history.Window
	for _, w := range h.Windows {
		if c.Steady(w) && w.Took && len(w.Cuts) > 0 {
			windows = append(windows, w.Surely())
		}
	}
	where := map[string]string{}
	for _, m := range h.Members {
		where[m.ID] = m.Region
	}
	for _, s := range spans(windows, 0, h.End, 0, 0, func(history.Window) bool { return true }) {
		inbound := map[string]int{}
		seen := map[history.Link]bool{}
		for _, w := range s.faults.Active {
			for _, l := range w.Cuts {
				from, to := where[l.From], where[l.To]
				if !seen[l] && from != "" && to != "" && from != to {
					seen[l] = true
					inbound[to]++
				}
			}
		}
		for region, n := range inbound {
			if outside := len(h.Members) - regions[region]; n < outside*regions[region] {
				continue
			}
			list := times[region]
			if last := len(list) - 1; last >= 0 && list[last].to == s.from {
				list[last].to = s.to
			} else {
				list = append(list, stretch{s.from, s.to})
			}
			times[region] = list
		}
	}
	return times
}

// intact says that from one time to another nothing happened to a group's members and the links between them, so that
// what it decided was applied, and reported, at once.
func (c Locks) intact(h *history.History, g Group, from, to time.Duration) bool {
	members := map[string]bool{}
	for _, m := range g.Members {
		members[m] = true
	}
	for _, w := range h.Windows {
		if w.Start <= to && w.End+c.Grace >= from && touches(w, members) {
			return false
		}
	}
	return true
}
