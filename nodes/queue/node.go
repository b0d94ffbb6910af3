package queue

import (
	"time"

	"faultlab/nodes"
	"faultlab/nodes/raftlog"
)

// A node is a gateway for clients and a member of some groups.
type node struct {
	bug    string
	region string
	layout *Layout
	logs   *raftlog.Logs
	groups []*group          // that this node is a member of
	byName map[string]*group // the same
	seeker *raftlog.Seeker
	atlas  map[string]*atlas // by keyspace
	router router
	known  Regimes // who serves what, as this node has learnt it
	moves  []*move
	ticks  uint64
	awake  bool // the tick is set
}

func newNode(bug string) *node {
	return &node{bug: bug, logs: raftlog.New(), byName: map[string]*group{}, seeker: raftlog.NewSeeker(), atlas: map[string]*atlas{}}
}

// Start joins the node's groups.
func (n *node) Start(env nodes.Env) {
	n.layout = NewLayout(env.Topology())
	me, _ := env.Topology().Member(env.ID())
	n.region = me.Region
	n.router.next = env.Rand().Uint64() >> 16 // so that no answer to a former life matches
	n.ticks = n.router.next
	for _, region := range n.layout.Regions {
		n.atlas[region] = newAtlas(region)
	}
	n.recall(env)
	for i := range n.layout.Groups {
		n.join(env, &n.layout.Groups[i])
	}
	n.logs.Start(env)
	n.rest(env)
}

func (n *node) join(env nodes.Env, at *Group) {
	if !at.has(env.ID()) {
		return
	}
	g := &group{Group: at, n: n, m: newMachine(n.bug, n.layout, at)}
	g.m.group = g
	election := 500 * time.Millisecond
	if at.Region == "" {
		election = time.Second
	}
	g.log = n.logs.Add(raftlog.Config{
		Name: at.Name, Voters: at.Voters, Tick: heartbeat, Election: election, LazyCommit: true,
		Unsynced: n.bug == ackBeforeSync,
	}, g.m)
	n.groups = append(n.groups, g)
	n.byName[at.Name] = g
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
	case Ask:
		n.asked(env, m.From, b)
	case Answer:
		n.answered(env, m.From, b)
	case Regimes:
		n.learn(env, b)
	case Promote:
		n.promote(env, m.From, b)
	case Report:
		n.report(env, m.From, b.Home)
	case Resend:
		n.resend(env, m.From, b.Home)
	case Reconcile:
		n.reconcile(env, m.From, b.Home)
	case Pull:
		n.pulled(env, m.From, b)
	case Pulled:
		if g := n.byName[b.Group]; g != nil && g.m.lead != nil {
			n.seeker.Heard(name(b.From, g.Number), m.From)
			g.m.lead.onPulled(env, b)
		}
	case NotLeader:
		if b.Leader != "" && n.layout.Group(b.Group) != nil {
			n.seeker.Heard(b.Group, b.Leader)
		}
	case Reload:
		n.reload(env, m.From, b)
	case Describe:
		n.describe(env, m.From, b)
	default:
		n.accept(env, m.From, b)
	}
}

// asked hands a request to this node as the leader of a group, or says that it is not.
func (n *node) asked(env nodes.Env, from nodes.ID, b Ask) {
	a := asker{from, b.Request, b.Try}
	switch g := n.byName[b.Group]; {
	case g == nil:
		n.tell(env, b.Group, a, NotLeader{})
	case g.m.lead == nil:
		n.tell(env, b.Group, a, NotLeader{Leader: g.log.Leader()})
	default:
		g.m.lead.take(env, a, b.body())
	}
}

// tell answers who asked the leader of a group.
func (n *node) tell(env nodes.Env, group string, a asker, body any) {
	answer := answerOf(group, a.request, a.try, body)
	if ok, is := body.(SendOK); is && n.byName[group] != nil {
		answer.Generation = n.byName[group].m.regimes[ok.Shard.Home()].Generation
	}
	if a.from == env.ID() {
		n.answered(env, a.from, answer)
		return
	}
	env.Send(a.from, answer)
}

// Wake handles a timer.
func (n *node) Wake(env nodes.Env, timer string) {
	if !n.logs.Wake(env, timer) {
		n.awake = false
		n.ticks++
		n.routerTick(env)
		n.moveTick(env)
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
	busy := len(n.router.requests)+len(n.moves) > 0
	for _, g := range n.groups {
		busy = busy || g.m.lead != nil && g.m.lead.busy()
	}
	if busy {
		n.awake = true
		env.After(tick, "tick")
	}
}

// serving returns the region that serves a keyspace, as far as this node knows.
func (n *node) serving(home string) string { return n.known.keyspace(home).Region }

// pulled hands a pull to this node as the leader of a group, or says who leads it.
func (n *node) pulled(env nodes.Env, from nodes.ID, p Pull) {
	switch g := n.byName[p.Group]; {
	case g == nil:
	case g.m.lead == nil:
		env.Send(from, NotLeader{Group: p.Group, Leader: g.log.Leader()})
	default:
		n.seeker.Heard(p.By, from)
		g.m.lead.onPull(env, from, p)
	}
}

// leaderOf returns the member of a group that most probably leads it.
func (n *node) leaderOf(name string) nodes.ID {
	return n.seeker.Leader(name, n.logs.Group(name), n.layout.Group(name).Voters)
}

// rotate makes leaderOf name another member, after silence.
func (n *node) rotate(name string) {
	n.seeker.Rotate(name, n.logs.Group(name), n.layout.Group(name).Voters)
}
