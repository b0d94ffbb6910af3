package settlement

import (
	"cmp"
	"crypto/ed25519"
	"maps"
	"slices"
	"strings"
	"time"

	"faultlab/nodes"
	"faultlab/nodes/raftlog"
)

const (
	tick      = 50 * time.Millisecond  // of routers and leaders with work in hand
	heartbeat = 100 * time.Millisecond // of a shard's leader
	election  = 700 * time.Millisecond // replicas stand in several regions, and take turns of 0.4 of it to campaign
)

// A node is a ledger node, a router, the FX engine or a compliance service, as its name says.
type node struct {
	bug         string
	layout      *Layout
	env         nodes.Env // of the call that is under way, for what the consensus log calls without one
	logs        *raftlog.Logs
	seeker      *raftlog.Seeker
	replicas    []*replica
	shards      map[string]*replica
	requests    []*request // in the order they came
	next        uint64
	reconcilers []*reconciler
	fx          ed25519.PublicKey // the engine's
	engine      *engine
	office      *office
	awake       bool // the tick is set
	scrubs      uint64
}

func newNode(bug string) *node {
	return &node{bug: bug, logs: raftlog.New(), seeker: raftlog.NewSeeker(), shards: map[string]*replica{}}
}

// Start begins the node's part.
func (n *node) Start(env nodes.Env) {
	n.env = env
	n.layout = NewLayout(env.Topology())
	if n.layout.FX != "" {
		n.fx = keyOf(n.layout.FX).Public().(ed25519.PublicKey)
	}
	n.next = env.Rand().Uint64() >> 16 // so that no answer to a former life matches
	me, _ := env.Topology().Member(env.ID())
	switch {
	case n.layout.FX == env.ID():
		n.engine = newEngine(env)
	case n.layout.Compliance[me.Region] == env.ID():
		n.office = &office{region: me.Region, layout: n.layout, be: "up"}
	case slices.Contains(n.layout.Ledger, env.ID()):
		for _, s := range n.layout.Shards {
			n.join(env, s)
		}
		env.After(ScrubEvery, "scrub")
	}
	n.logs.Start(env)
	n.rest(env)
}

func (n *node) join(env nodes.Env, s *Shard) {
	r := &replica{machine: newMachine(n.bug, n.layout, s), n: n}
	r.group = n.logs.Add(raftlog.Config{
		Name: s.Name, Voters: s.Voters, Tick: heartbeat, Election: election, LazyCommit: true,
	}, r)
	n.replicas = append(n.replicas, r)
	n.shards[s.Name] = r
	r.lookAtConsensus(env)
}

// Receive handles a message.
func (n *node) Receive(env nodes.Env, m nodes.Message) {
	n.env = env
	if !n.logs.Receive(env, m) {
		n.handle(env, m)
	}
	n.rest(env)
}

func (n *node) handle(env nodes.Env, m nodes.Message) {
	switch b := m.Body.(type) {
	case Pay:
		n.admit(env, m.From, ShardOf(b.Client), n.flaw(&b), Forward{Pay: &b})
	case Reverse:
		why := ""
		if HomeOf(b.Payment) != ShardOf(b.Client) || b.Key == "" {
			why = "that is no payment of the client"
		}
		n.admit(env, m.From, ShardOf(b.Client), why, Forward{Reverse: &b})
	case Status:
		n.admit(env, m.From, ShardOf(b.Client), "", Forward{Status: &b})
	case GetBalance:
		if r := n.shards[ShardOf(b.Account)]; r != nil && n.bug == balanceFromReplica {
			env.Send(m.From, *r.balance(b.Account).Balance)
			return
		}
		n.admit(env, m.From, ShardOf(b.Account), "", Forward{Balance: &b})
	case GetQuote:
		n.admit(env, m.From, ShardOf(b.Client), "", Forward{Quote: &b})
	case CloseWindow:
		first := ""
		if shards := n.layout.Of(b.Region); len(shards) > 0 {
			first = shards[0].Name
		}
		n.admit(env, m.From, first, "", Forward{Close: &b})
	case Plant:
		why := ""
		if n.layout.Shard(b.With) == nil || b.With == b.Shard || b.Item == "" || b.Amount == 0 {
			why = "a break needs another shard, a name and an amount"
		}
		n.admit(env, m.From, b.Shard, why, Forward{Plant: &b})
	case Compact:
		n.admit(env, m.From, b.Shard, "", Forward{Compact: &b})
	case Reconcile:
		n.reconcile(env, m.From)
	case GetStatement:
		n.local(env, m.From, ShardOf(b.Account), func(r *replica) { r.statement(env, m.From, b) })
	case GetReceipt:
		n.local(env, m.From, ShardOf(b.Client), func(r *replica) { r.receipt(env, m.From, b) })
	case GetHead:
		n.local(env, m.From, b.Shard, func(r *replica) { r.heads(env, m.From, b) })
	case GetConsistency:
		n.local(env, m.From, b.Shard, func(r *replica) { r.consistency(env, m.From, b) })
	case GetEntries:
		n.local(env, m.From, b.Shard, func(r *replica) { r.list(env, m.From, b) })
	case Scrub:
		n.scrubNow(env, m.From)
	case TakeSnapshot:
		n.local(env, m.From, b.Shard, func(r *replica) {
			r.group.SnapshotNow(env)
			env.Reached("settlement: a snapshot was asked for")
			env.Send(m.From, Done{})
		})
	case Lead:
		n.local(env, m.From, b.Shard, func(r *replica) { r.hand(env, m.From, b.Node) })
	case Service:
		n.serve(env, m.From, b)
	case Fetch:
		if r := n.shards[b.Shard]; r != nil {
			r.fetch(env, b, m.From)
		}
	case Fetched:
		if r := n.shards[b.Shard]; r != nil {
			r.fetched(env, b, m.From, n)
		}
	case PriceQuote:
		if n.engine != nil {
			n.engine.price(env, m.From, b)
		}
	case Screen:
		if n.office != nil {
			n.office.screen(env, m.From, b)
		}
	case Answer:
		n.answered(env, b)
	case NotLeader:
		n.notLeader(env, b)
	default:
		n.lead(env, m)
	}
}

// lead handles what only the leader of a shard can do.
func (n *node) lead(env nodes.Env, m nodes.Message) {
	find := func(shard string, request uint64, do func(*leader)) {
		if l := n.leading(shard); l != nil {
			do(l)
			return
		}
		hint := NotLeader{Shard: shard, Request: request}
		if r := n.shards[shard]; r != nil {
			hint.Leader = r.group.Leader()
		}
		env.Send(m.From, hint)
	}
	switch b := m.Body.(type) {
	case Forward:
		find(b.Shard, b.Request, func(l *leader) { l.forwarded(env, asker{from: m.From, request: b.Request}, b) })
	case Prepare:
		find(b.Shard, 0, func(l *leader) { l.askPrepare(env, &b.Order) })
	case Resolve:
		find(b.Shard, 0, func(l *leader) { l.askResolve(env, b) })
	case Vote:
		find(b.Shard, 0, func(l *leader) { l.onVote(env, b) })
	case Resolved:
		find(b.Shard, 0, func(l *leader) { l.onResolved(env, b) })
	case Query:
		find(b.Shard, 0, func(l *leader) { l.onQuery(env, b) })
	case CloseShard:
		find(b.Shard, 0, func(l *leader) { l.askClose(env, b.Window) })
	case ShardClosed:
		find(b.Shard, 0, func(l *leader) { l.partClosed(env, b) })
	case Screening:
		find(b.Shard, 0, func(l *leader) { l.screened(env, b) })
	case Priced:
		find(b.Shard, 0, func(l *leader) { l.priced(env, b) })
	}
}

// Wake handles a timer.
func (n *node) Wake(env nodes.Env, timer string) {
	n.env = env
	switch {
	case n.logs.Wake(env, timer):
	case timer == "scrub":
		n.scrub(env)
	case timer == "rates":
		n.engine.renew(env)
	case strings.HasPrefix(timer, "slow "):
		n.release(env)
	default:
		n.awake = false
		n.routerTick(env)
		n.reconcileTick(env)
		for _, r := range n.replicas {
			if r.lead.busy() {
				r.lead.tick(env)
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
	busy := len(n.requests)+len(n.reconcilers) > 0
	for _, r := range n.replicas {
		busy = busy || r.lead.busy()
	}
	if busy {
		n.awake = true
		env.After(tick, "tick")
	}
}

// scrub reads back one segment, of the shards in turn, and asks for what is lost.
func (n *node) scrub(env nodes.Env) {
	env.After(ScrubEvery, "scrub")
	n.scrubs++
	n.replicas[n.scrubs%uint64(len(n.replicas))].scrub(env)
	for _, r := range n.replicas {
		r.mend(env, n)
	}
}

// local does what this replica does by itself.
func (n *node) local(env nodes.Env, client nodes.ID, shard string, do func(*replica)) {
	if r := n.shards[shard]; r != nil {
		do(r)
		return
	}
	if n.layout.Shard(shard) == nil || len(n.layout.Ledger) == 0 {
		env.Send(client, Refused{"there is no shard " + shard})
		return
	}
	env.Send(client, NotYet{"not a replica of " + shard})
}

// hand passes the lead of a shard on.
func (r *replica) hand(env nodes.Env, client, to nodes.ID) {
	switch {
	case !r.group.Leading():
		env.Send(client, NotYet{"not the leader of " + r.Name})
	case to == env.ID():
		env.Send(client, Done{})
	default:
		r.group.Transfer(env, to)
		env.Reached("settlement: leadership handed over")
		env.Send(client, NotYet{"handing over to " + string(to)})
	}
}

// serve changes how a service is.
func (n *node) serve(env nodes.Env, client nodes.ID, b Service) {
	switch {
	case b.Be != "up" && b.Be != "slow" && b.Be != "down":
		env.Send(client, NotYet{`a service is "up", "slow" or "down"`})
		return
	case n.engine != nil:
		n.engine.be = b.Be
	case n.office != nil:
		n.office.be = b.Be
	default:
		env.Send(client, NotYet{"not a service"})
		return
	}
	env.Reached("settlement: a service was told to be " + b.Be)
	env.Send(client, Done{})
}

// release sends the first answer of a slow service that is still held back.
func (n *node) release(env nodes.Env) {
	switch {
	case n.engine != nil && len(n.engine.to) > 0:
		env.Send(n.engine.to[0], n.engine.waiting[0])
		n.engine.to, n.engine.waiting = n.engine.to[1:], n.engine.waiting[1:]
	case n.office != nil && len(n.office.to) > 0:
		env.Send(n.office.to[0], n.office.waiting[0])
		n.office.to, n.office.waiting = n.office.to[1:], n.office.waiting[1:]
	}
}

// leading returns what this node knows as the leader of a shard, nil if it does not lead it.
func (n *node) leading(shard string) *leader {
	if r := n.shards[shard]; r != nil {
		return r.lead
	}
	return nil
}

// leaderOf returns the node that most probably leads a shard.
func (n *node) leaderOf(shard string) nodes.ID {
	return n.seeker.Leader(shard, n.logs.Group(shard), n.layout.Shard(shard).Voters)
}

// rotate makes leaderOf name another replica, after silence.
func (n *node) rotate(shard string) {
	n.seeker.Rotate(shard, n.logs.Group(shard), n.layout.Shard(shard).Voters)
}

func sortedKeys[K cmp.Ordered, V any](m map[K]V) []K { return slices.Sorted(maps.Keys(m)) }
