package multimaster

import (
	"slices"
	"time"

	"faultlab/nodes"
)

// What an administrator may ask: of a range, of any node; of a group, of its members. A request says what is to be, so that it can be asked again
// until it is: it is answered with Done, or with NotYet once something has been done towards it.

// Lead asks that a group be led by a member.
type Lead struct {
	Group string   `json:"group"`
	Node  nodes.ID `json:"node"`
}

// Members asks that some nodes vote in a group, and others be no members. Those in are taken in first, one after another.
type Members struct {
	Group string     `json:"group"`
	In    []nodes.ID `json:"in,omitempty"`
	Out   []nodes.ID `json:"out,omitempty"`
}

// MoveRange asks that the range that holds a key be owned by a group.
type MoveRange struct {
	Range string `json:"range"` // its name, or any key in it
	To    string `json:"to"`
}

// Split asks that a range begin at a key.
type Split struct {
	At string `json:"at"`
}

// Fence asks that a range be under a higher epoch than it is, so that nothing which begins after the answer is done under
// the epoch of now. It is answered with Fenced once a majority of the group that owns the range has that on disk; with
// NotYet if that takes too long, and then it may yet happen.
type Fence struct {
	Range string `json:"range"` // its name, or any key in it
}

// Fenced answers Fence.
type Fenced struct {
	Range string `json:"range"`
	Epoch uint64 `json:"epoch"`
}

// Compact asks a member of a group to take a snapshot now.
type Compact struct {
	Group string `json:"group"`
}

// Order is what a router asks of the leader of a range for an administrator.
type Order struct {
	Request uint64 `json:"request"` // the router's own number for it
	Range   string `json:"range"`
	Key     string `json:"key"` // that the administrator named: if it is not of the range, another one is meant
	Do      string `json:"do"`  // "fence", "move" or "split"
	To      string `json:"to,omitempty"`
}

// Ordered answers Order.
type Ordered struct {
	Request uint64 `json:"request"`
	Range   string `json:"range"`
	Epoch   uint64 `json:"epoch"`
	Done    bool   `json:"done"`
	Why     string `json:"why,omitempty"`
}

// Done answers all but Fence: it is so.
type Done struct{}

// NotYet answers them: it is not so, but may be soon.
type NotYet struct {
	Why string `json:"why"`
}

// administer does the next step towards what is asked, if this node leads the group.
func (n *node) administer(env nodes.Env, from nodes.ID, name string, step func(*group) (why string)) {
	g := n.byName[name]
	switch {
	case g == nil:
		env.Send(from, NotYet{"not a member of " + name})
		return
	case !g.log.Leading():
		env.Send(from, NotYet{"not the leader of " + name})
		return
	}
	if why := step(g); why != "" {
		env.Send(from, NotYet{why})
		return
	}
	env.Send(from, Done{})
}

// give passes an order to the leader of the range.
func (m *machine) give(env nodes.Env, a asker, o Order) {
	if m.lead == nil {
		m.refuse(env, a)
		return
	}
	m.lead.order(env, a, o)
}

// compact takes a snapshot of a group.
func (n *node) compact(env nodes.Env, from nodes.ID, c Compact) {
	g := n.byName[c.Group]
	if g == nil {
		env.Send(from, NotYet{"not a member of " + c.Group})
		return
	}
	g.log.SnapshotNow(env)
	env.Reached("multi-master: a snapshot was asked for")
	env.Send(from, Done{})
}

// lead hands the leadership over.
func (g *group) lead(env nodes.Env, to nodes.ID) (why string) {
	if to == env.ID() {
		return ""
	}
	g.lease = time.Time{}
	g.log.Transfer(env, to)
	env.Reached("multi-master: leadership handed over")
	return "handing over to " + string(to)
}

// members takes the next node in, or the next one out.
func (g *group) members(env nodes.Env, m Members) (why string) {
	voters, learners := g.log.Voters(), g.log.Learners()
	said := func(what string, id nodes.ID, err error) string {
		if err != nil {
			return err.Error()
		}
		env.Reached("multi-master: members changed by an administrator")
		return what + " " + string(id)
	}
	for _, id := range m.In {
		switch {
		case slices.Contains(voters, id):
		case !slices.Contains(learners, id):
			return said("adding", id, g.log.AddLearner(env, id))
		case !g.log.CaughtUp(id):
			return string(id) + " lags behind"
		default:
			return said("promoting", id, g.log.Promote(env, id))
		}
	}
	for _, id := range m.Out {
		if slices.Contains(voters, id) || slices.Contains(learners, id) {
			return said("removing", id, g.log.Remove(env, id))
		}
	}
	return ""
}
