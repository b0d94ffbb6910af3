package multimaster

import (
	"slices"

	"faultlab/nodes"
)

// What an administrator may ask of any member of a group. A request says what is to be, so that it can be asked again
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

// Done answers Lead and Members: it is so.
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

// lead hands the leadership over.
func (g *group) lead(env nodes.Env, to nodes.ID) (why string) {
	if to == env.ID() {
		return ""
	}
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
