package queue

import "faultlab/nodes"

// lead hands the leadership over.
func (l *leader) lead(env nodes.Env, to nodes.ID) any {
	switch {
	case to == env.ID():
		return Done{}
	case !l.has(to):
		return NotYet{string(to) + " is not a member"}
	}
	l.log.Transfer(env, to)
	env.Reached("queue: leadership handed over")
	return NotYet{"handing over to " + string(to)}
}

// snapshotNow asks all members to take a snapshot.
func (l *leader) snapshotNow(env nodes.Env) any {
	if !l.offer(env, &snapshot{}) {
		return NotYet{"no entry can be proposed now"}
	}
	return Done{}
}

// reload makes this node's state of a group anew from what a snapshot would hold, as a restart does.
func (n *node) reload(env nodes.Env, from nodes.ID, b Reload) {
	g := n.byName[b.Group]
	if g == nil {
		env.Send(from, NotYet{"not a member of " + b.Group})
		return
	}
	g.m.Restore(g.log.Applied(), g.m.Snapshot())
	env.Reached("queue: a node reloaded its state")
	env.Send(from, Done{})
}
