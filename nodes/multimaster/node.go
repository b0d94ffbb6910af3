package multimaster

import (
	"slices"
	"time"

	"faultlab/nodes"
	"faultlab/nodes/raftlog"
)

// A node is a router for the clients of its region and a member of some groups.
type node struct {
	bug     string
	layout  *Layout  // as far as this node knows
	first   []*Range // as it was at first
	logs    *raftlog.Logs
	groups  []*group            // that this node is a member of
	byName  map[string]*group   // the same
	where   map[string]*machine // by range, what those groups know of it; see settle
	hints   map[string]nodes.ID // who was last heard to lead a range or a group, or is to be tried next
	fresh   map[string]bool     // the hint came from a member of the group and has not been tried
	givers  map[string]nodes.ID // by range, who waits to hear that it has been taken over
	router  router
	replica *replica // nil if this node is none
	awake   bool     // the tick is set
}

func newNode(bug string) *node {
	return &node{
		bug: bug, logs: raftlog.New(), byName: map[string]*group{}, where: map[string]*machine{},
		hints: map[string]nodes.ID{}, fresh: map[string]bool{}, givers: map[string]nodes.ID{},
	}
}

// Start joins the node's groups.
func (n *node) Start(env nodes.Env) {
	n.layout = NewLayout(env.Topology())
	n.first = slices.Clone(n.layout.Ranges)
	n.router.next = env.Rand().Uint64() >> 16 // so that no answer to a former life matches
	for _, r := range n.layout.Groups() {
		election := 500 * time.Millisecond
		if r.Region == "" {
			election = time.Second
		}
		n.join(env, r, tick, election)
	}
	n.logs.Start(env)
	n.startReplica(env)
	n.rest(env)
}

func (n *node) join(env nodes.Env, r *Range, heartbeat, election time.Duration) {
	me, _ := env.Topology().Member(env.ID())
	if !slices.Contains(r.Voters, env.ID()) && me.Region != r.Region { // in the region of a range a node may be taken in
		return
	}
	g := newGroup(n, r)
	g.log = n.logs.Add(raftlog.Config{
		Name: r.Name, Voters: r.Voters, Tick: heartbeat, Election: election, NoJitter: n.bug == stuckElection,
		Reformats: n.bug == rejoinsAsVoter,
	}, g)
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
		if b.Group != "" {
			n.onNotLeading(env, m.From, b)
		} else {
			n.notLeader(env, b)
		}
	case Moved:
		n.moved(env, b)
	case Fence:
		n.routeOrder(env, m.From, b, Order{Key: b.Range, Do: "fence"})
	case MoveRange:
		n.routeOrder(env, m.From, b, Order{Key: b.Range, Do: "move", To: b.To})
	case Split:
		n.routeOrder(env, m.From, b, Order{Key: b.At, Do: "split", To: b.At})
	case Ordered:
		n.ordered(env, b)
	case Lead:
		n.administer(env, m.From, b.Group, func(g *group) string { return g.lead(env, b.Node) })
	case Members:
		n.administer(env, m.From, b.Group, func(g *group) string { return g.members(env, b) })
	case Compact:
		n.compact(env, m.From, b)
	case Execute:
		if h := n.member(env, m.From, b.Range, b.Request); h != nil {
			h.submit(env, asker{m.From, b.Request}, b.Txn)
		}
	case Order:
		if h := n.member(env, m.From, b.Range, b.Request); h != nil {
			h.give(env, asker{m.From, b.Request}, b)
		}
	case Prepare:
		n.heard(b.Coordinator, m.From)
		if l := n.leading(env, m.From, b.Range); l != nil {
			l.askPrepare(env, b)
		}
	case Resolve:
		n.heard(b.Coordinator, m.From)
		if l := n.leading(env, m.From, b.Range); l != nil {
			l.askResolve(env, b)
		}
	case Vote:
		if l := n.leading(env, m.From, b.Range); l != nil {
			l.onVote(env, b)
		}
	case Resolved:
		if l := n.leading(env, m.From, b.Range); l != nil {
			l.onResolved(b)
		}
	case Query:
		if l := n.leading(env, m.From, b.Range); l != nil {
			l.onQuery(env, m.From, b)
		}
	case Offer:
		n.onOffer(env, m.From, b)
	case Ready:
		n.onReady(env, b)
	case Adopt:
		n.onAdopt(env, m.From, b)
	case Pull:
		n.onPull(env, m.From, b)
	case Pulled:
		n.onPulled(env, b)
	case Scan, Aggregate:
		n.ask(env, query{m.From, b, queryPulls})
	case Adopted:
		n.onAdopted(env, b)
	}
}

// Wake handles a timer.
func (n *node) Wake(env nodes.Env, timer string) {
	switch {
	case n.logs.Wake(env, timer):
	case timer == pulling:
		n.pull(env)
	default:
		n.awake = false
		n.routerTick(env)
		for _, g := range n.groups {
			for _, name := range slices.Clone(g.order) {
				if l := g.ranges[name].lead; l != nil {
					l.tick(env)
				}
			}
			g.moveTick(env)
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
		busy = busy || g.busy()
	}
	if busy {
		n.awake = true
		env.After(tick, "tick")
	}
}

// heard notes who leads a range.
func (n *node) heard(name string, leader nodes.ID) {
	n.hints[name] = leader
	n.fresh[name] = true
}

// learn notes where ranges are, and says whether that was news.
func (n *node) learn(places []Place) (news bool) {
	for _, p := range places {
		if n.layout.Learn(p.Range, p.Epoch, p.Group) {
			delete(n.hints, p.Range)
			news = true
		}
	}
	return news
}

// member returns what a group of this node knows of a range, or tells the asker that there is none.
func (n *node) member(env nodes.Env, from nodes.ID, name string, request uint64) *machine {
	m := n.where[name]
	if m != nil {
		return m
	}
	if r := n.layout.Range(name); r != nil && r.Epoch > 0 {
		env.Send(from, Moved{Places: []Place{{name, r.Epoch, r.Group}}, Request: request})
	} else {
		env.Send(from, NotLeader{Range: name, Request: request})
	}
	return nil
}

// leading returns what this node knows as the leader of a range, or tells the asker who leads it instead.
func (n *node) leading(env nodes.Env, from nodes.ID, name string) *leader {
	m := n.member(env, from, name, 0)
	if m == nil {
		return nil
	}
	if m.lead == nil {
		m.refuse(env, asker{from: from})
	}
	return m.lead
}

// seat is a range as this node knows it; of one that it does not know, the one that it was split off.
func (n *node) seat(name string) *Range {
	if r := n.layout.Range(name); r != nil {
		return r
	}
	return n.layout.Find(name)
}

// leaderOf returns the node that most probably leads a range.
func (n *node) leaderOf(name string) nodes.ID {
	if m := n.where[name]; m != nil && m.stage == owned && m.group.log.Leader() != "" {
		return m.group.log.Leader()
	}
	if id := n.hints[name]; id != "" {
		return id
	}
	return n.seat(name).Voters[0]
}

// rotate makes leaderOf name another member, after silence.
func (n *node) rotate(name string) {
	if n.fresh[name] {
		delete(n.fresh, name)
		return
	}
	n.turn(name, n.seat(name).Voters, n.leaderOf(name))
}
