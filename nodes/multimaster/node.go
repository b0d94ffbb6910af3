package multimaster

import (
	"slices"
	"time"

	"faultlab/nodes"
	"faultlab/nodes/raftlog"
)

// A node is a router for the clients of its region and a member of some groups.
type node struct {
	bug    string
	layout *Layout
	logs   *raftlog.Logs
	groups []*group          // that this node is a member of
	byName map[string]*group // the same
	seeker *raftlog.Seeker
	router router
	awake  bool // the tick is set
}

func newNode(bug string) *node {
	return &node{bug: bug, logs: raftlog.New(), byName: map[string]*group{}, seeker: raftlog.NewSeeker()}
}

// Start joins the node's groups.
func (n *node) Start(env nodes.Env) {
	n.layout = NewLayout(env.Topology())
	n.router.next = env.Rand().Uint64() >> 16 // so that no answer to a former life matches
	for _, r := range n.layout.Ranges {
		n.join(env, n.layout.Group(r.Name), tick, 500*time.Millisecond)
	}
	for _, r := range n.layout.Status {
		n.join(env, n.layout.Group(r.Name), tick, time.Second)
	}
	n.logs.Start(env)
	n.rest(env)
}

func (n *node) join(env nodes.Env, r *Range, heartbeat, election time.Duration) {
	me, _ := env.Topology().Member(env.ID())
	if !slices.Contains(r.Voters, env.ID()) && me.Region != r.Region { // in the region of a range a node may be taken in
		return
	}
	g := &group{Range: r, n: n, m: newMachine(n.bug, n.layout, r)}
	g.m.group = g
	g.log = n.logs.Add(raftlog.Config{
		Name: r.Name, Voters: r.Voters, Tick: heartbeat, Election: election, NoJitter: n.bug == stuckElection,
		Reformats: n.bug == rejoinsAsVoter,
	}, g.m)
	n.groups = append(n.groups, g)
	n.byName[r.Name] = g
}

// Receive handles a message.
func (n *node) Receive(env nodes.Env, m nodes.Message) {
	if !n.logs.Receive(env, m) {
		n.handle(env, m)
	}
	n.rest(env)
}

func (n *node) handle(env nodes.Env, m nodes.Message) {
	switch b := m.Body.(type) {
	case Txn:
		n.route(env, m.From, b)
	case Executed:
		n.executed(env, b)
	case NotLeader:
		n.notLeader(env, b)
	case Lead:
		n.administer(env, m.From, b.Group, func(g *group) string { return g.lead(env, b.Node) })
	case Members:
		n.administer(env, m.From, b.Group, func(g *group) string { return g.members(env, b) })
	case Execute:
		if g := n.member(env, m.From, b.Group, b.Request); g != nil {
			g.submit(env, asker{m.From, b.Request}, b.Txn)
		}
	case Prepare:
		n.seeker.Heard(b.Coordinator, m.From)
		if l := n.leading(env, m.From, b.Group); l != nil {
			l.askPrepare(env, b)
		}
	case Resolve:
		n.seeker.Heard(b.Coordinator, m.From)
		if l := n.leading(env, m.From, b.Group); l != nil {
			l.askResolve(env, b)
		}
	case Vote:
		if l := n.leading(env, m.From, b.Group); l != nil {
			l.onVote(env, b)
		}
	case Resolved:
		if l := n.leading(env, m.From, b.Group); l != nil {
			l.onResolved(b)
		}
	case Query:
		if l := n.leading(env, m.From, b.Group); l != nil {
			l.onQuery(env, m.From, b)
		}
	}
}

// Wake handles a timer.
func (n *node) Wake(env nodes.Env, timer string) {
	if !n.logs.Wake(env, timer) {
		n.awake = false
		n.routerTick(env)
		for _, g := range n.groups {
			if g.m.lead != nil {
				g.m.lead.tick(env)
			}
		}
	}
	n.rest(env)
}

// rest hands what was proposed to the logs, and sets the tick if there is work that may need it.
func (n *node) rest(env nodes.Env) {
	n.logs.Flush(env)
	if n.awake {
		return
	}
	busy := len(n.router.requests) > 0
	for _, g := range n.groups {
		busy = busy || g.m.lead != nil && g.m.lead.busy()
	}
	if busy {
		n.awake = true
		env.After(tick, "tick")
	}
}

// member returns a group that this node is a member of, or tells the asker that it is not.
func (n *node) member(env nodes.Env, from nodes.ID, name string, request uint64) *group {
	g := n.byName[name]
	if g == nil {
		env.Send(from, NotLeader{Group: name, Request: request})
	}
	return g
}

// leading returns what this node knows as the leader of a group, or tells the asker who leads it instead.
func (n *node) leading(env nodes.Env, from nodes.ID, name string) *leader {
	g := n.member(env, from, name, 0)
	if g == nil {
		return nil
	}
	if g.m.lead == nil {
		g.refuse(env, asker{from: from})
	}
	return g.m.lead
}

// leaderOf returns the member of a group that most probably leads it.
func (n *node) leaderOf(name string) nodes.ID {
	return n.seeker.Leader(name, n.logs.Group(name), n.layout.Group(name).Voters)
}

// rotate makes leaderOf name another member, after silence.
func (n *node) rotate(name string) {
	n.seeker.Rotate(name, n.logs.Group(name), n.layout.Group(name).Voters)
}
