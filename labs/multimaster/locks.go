package multimaster

import (
	"fmt"
	"slices"
	"time"

	"faultlab/checker"
	"faultlab/checker/history"
	"faultlab/nodes"
	mm "faultlab/nodes/multimaster"
)

// prepareGrace is how long after a cut a prepare that was under way can still take locks.
const prepareGrace = time.Second

// attempt names one attempt of a transaction.
func attempt(id mm.ID, n uint64) string {
	return fmt.Sprintf("%s/%d attempt %d", id.Session, id.Number, n)
}

// locks judges O9. A range can release a lock without the coordinator's word if it reaches the group that keeps the
// record: a status group, or one in which a range of its own region lives.
func (j *judge) locks() checker.Checker {
	return checker.Func(func(h *history.History) history.Result {
		homes := j.homes(h)
		groups := map[string]checker.Group{}
		var statuses []string
		for _, s := range j.layout.Status {
			statuses = append(statuses, s.Name)
		}
		for _, g := range j.layout.Groups() {
			groups[groupName(g.Name)] = checker.Group{Members: names(g.Voters)}
		}
		settled := map[string]bool{} // ranges that never left their region
		for _, r := range homes.ranges() {
			hosts := homes.hosts(r)
			g := checker.Group{Members: names(j.layout.Group(hosts[0]).Voters)}
			region := j.layout.Find(r).Region
			settled[r] = region != ""
			for _, host := range hosts {
				settled[r] = settled[r] && j.layout.Group(host).Region == region
				g.Needs = append(g.Needs, groupName(host))
			}
			for _, s := range statuses {
				g.Needs = append(g.Needs, groupName(s))
			}
			for _, other := range homes.ranges() {
				if j.layout.Find(other).Region == region && other != r {
					for _, host := range homes.hosts(other) {
						g.Needs = append(g.Needs, groupName(host))
					}
				}
			}
			groups[r] = g
		}
		// While nodes are upgraded one after another, who leads changes all through.
		steady := func(w history.Window) bool { return w.Form != "flapping" && w.Kind != "upgrade" }
		return checker.Locks{Groups: groups, Bound: mm.ResolveAfter + time.Second, Grace: electedWithin, Steady: steady, View: func(e *history.Event) (checker.Lock, bool) {
			switch b := e.Event.(type) {
			case mm.Locked:
				return checker.Lock{
					Group: b.Range, Txn: attempt(b.ID, b.Attempt), Keys: b.Keys,
					Cross: slices.Contains(statuses, b.Coordinator) && settled[b.Range],
				}, true
			case mm.Unlocked:
				return checker.Lock{Group: b.Range, Txn: attempt(b.ID, b.Attempt), Released: true}, true
			}
			return checker.Lock{}, false
		}}.Check(h)
	})
}

// groupName tells a group from the range of its name.
func groupName(name string) string { return "group " + name }

func names(ids []nodes.ID) []string {
	list := make([]string, len(ids))
	for i, id := range ids {
		list[i] = string(id)
	}
	return list
}

// lockTimes are the times in which keys were locked by transactions across regions.
type lockTimes map[string][]lockTime

type lockTime struct{ from, to time.Duration }

// crossLocks collects them: from the first report by any member to the first of its release.
func (j *judge) crossLocks(h *history.History) lockTimes {
	type lock struct{ group, txn string }
	times := lockTimes{}
	keys := map[lock][]string{}
	released := map[lock]bool{}
	for _, e := range h.Events {
		switch b := e.Event.(type) {
		case mm.Locked:
			l := lock{b.Range, attempt(b.ID, b.Attempt)}
			if keys[l] != nil || !isStatus(j.layout, b.Coordinator) {
				continue
			}
			keys[l] = b.Keys
			for _, k := range b.Keys {
				times[k] = append(times[k], lockTime{e.At, h.End})
			}
		case mm.Unlocked:
			l := lock{b.Range, attempt(b.ID, b.Attempt)}
			if released[l] {
				continue
			}
			released[l] = true
			for _, k := range keys[l] {
				for i := range times[k] {
					if t := &times[k][i]; t.to == h.End && t.from <= e.At {
						t.to = e.At
					}
				}
			}
		}
	}
	return times
}

// isStatus says that a coordinator is a status group.
func isStatus(l *mm.Layout, name string) bool {
	return slices.ContainsFunc(l.Status, func(r *mm.Range) bool { return r.Name == name })
}

// before says that a key which op needs was locked at that time, and still so when op was called.
func (times lockTimes) before(at time.Duration, op *history.Op) bool {
	for _, step := range steps(op) {
		for _, t := range times[step.Key] {
			if t.from <= at+prepareGrace && t.to > max(at, op.Call) {
				return true
			}
		}
	}
	return false
}

// leftLocked names the locks that no member has reported as released, taken long enough before the end that they should
// have been.
func leftLocked(h *history.History) []string {
	type lock struct{ group, txn string }
	var order []lock
	held := map[lock]bool{}
	for _, e := range h.Events {
		switch b := e.Event.(type) {
		case mm.Locked:
			l := lock{b.Range, attempt(b.ID, b.Attempt)}
			if _, known := held[l]; !known && e.At < h.End-3*time.Second {
				held[l] = true
				order = append(order, l)
			}
		case mm.Unlocked:
			held[lock{b.Range, attempt(b.ID, b.Attempt)}] = false
		}
	}
	var left []string
	for _, l := range order {
		if held[l] {
			left = append(left, "the lock of "+l.txn+" in "+l.group)
		}
	}
	return left
}
