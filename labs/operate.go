package labs

import (
	"slices"
	"time"

	"faultlab/checker/history"
	"faultlab/nemesis"
	"faultlab/nodes"
)

const (
	askAgain  = 200 * time.Millisecond // after a reply that an operation is not yet done
	askWait   = 500 * time.Millisecond // for a reply
	undoUntil = 30 * time.Second       // nobody waits longer for what a fault changed to be as it was
)

// operate asks the system for an operation, as an administrator, until it is done or its time is over.
func (e *engine) operate(f nemesis.Fault, undo bool, done func(why string)) {
	at := slices.IndexFunc(e.lab.Operations, func(o Operation) bool { return o.Kind == f.Kind && o.Name == f.Form })
	if at < 0 {
		done("this system has no operation " + f.Form)
		return
	}
	o, aim := e.lab.Operations[at], nemesis.Aim{Group: f.Group, Nodes: f.Nodes}
	body, until := any(nil), e.cluster.Now()+f.For
	switch {
	case !undo:
		body = o.Do(aim)
	case o.Undo == nil:
		done("")
		return
	default:
		body, until = o.Undo(aim), e.cluster.Now()+undoUntil
	}
	key := f.Form + " " + f.Group
	e.wishes[key]++
	wish, to, turn := e.wishes[key], o.Ask(e.run.Topology, aim), 0
	var ask func()
	ask = func() {
		// A later wish for the same group takes the place of this one: what it undoes must not be done again.
		if e.wishes[key] != wish || e.cluster.Now() >= until || e.closed {
			done("it was asked for, and never done")
			return
		}
		member, _ := e.run.Topology.Member(to[turn%len(to)])
		turn++
		e.cluster.Call(nodes.Member{ID: "admin", Region: member.Region, Zone: member.Zone}, member.ID, body, askWait, func(reply any, ok bool) {
			if ok && e.lab.Outcome(body, reply) == history.OK {
				done("")
				return
			}
			e.cluster.After(askAgain, ask)
		})
	}
	ask()
}

// A crowd is the clients of a run, as the nemesis may harm them.
type crowd struct{ e *engine }

// near returns the clients that stand where these members do.
func (c crowd) near(members []nodes.ID) (list []*client, who []nodes.ID) {
	for _, x := range c.e.clients {
		if slices.ContainsFunc(members, func(id nodes.ID) bool {
			m, _ := c.e.run.Topology.Member(id)
			return m.Region == x.Region && m.Zone == x.Zone
		}) {
			list, who = append(list, x), append(who, x.ID)
		}
	}
	return list, who
}

// Crash ends what clients are doing. Whoever comes back for them is somebody else.
func (c crowd) Crash(near []nodes.ID) (who []nodes.ID, heal func()) {
	list, who := c.near(near)
	for _, x := range list {
		x.crash()
	}
	return who, c.undo(list, func(x *client) { x.crashed-- })
}

// Duplicate makes clients submit what they ask twice.
func (c crowd) Duplicate(near []nodes.ID) (who []nodes.ID, heal func()) {
	list, who := c.near(near)
	for _, x := range list {
		x.doubling++
	}
	return who, c.undo(list, func(x *client) { x.doubling-- })
}

func (c crowd) undo(list []*client, undo func(*client)) func() {
	healed := false
	return func() {
		if healed {
			return
		}
		healed = true
		for _, x := range list {
			undo(x)
		}
	}
}
