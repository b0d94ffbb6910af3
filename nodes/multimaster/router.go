package multimaster

import (
	"fmt"
	"slices"

	"faultlab/nodes"
)

const (
	nearTicks   = 4  // a router asks again after silence from a group in its own region
	farTicks    = 8  // and from another
	giveUpTicks = 30 // and then leaves the client to its own clock
	orderTicks  = 17 // an administrator is told that there was no answer
)

// A router sees clients' transactions through: it finds the leader, asks again after silence, and passes on the answer.
// It says nothing of a transaction whose outcome it does not know.
type router struct {
	next     uint64
	requests []*request // in the order they came
}

type request struct {
	number uint64
	client nodes.ID
	txn    Txn
	order  *Order // in place of a transaction
	asked  any    // by whom wants the order
	home   *Range
	ticks  int // since it came
	quiet  int // since it was last sent
	hops   int // redirections since the last tick
}

func (n *node) route(env nodes.Env, client nodes.ID, t Txn) {
	if len(t.Ops) == 0 {
		env.Send(client, TxnOK{})
		return
	}
	n.router.next++
	r := &request{number: n.router.next, client: client, txn: t, home: n.layout.Home(&t)}
	n.router.requests = append(n.router.requests, r)
	n.send(env, r, n.leaderOf(r.home.Name))
}

// routeOrder sees what an administrator asks of a range through, in the same way.
func (n *node) routeOrder(env nodes.Env, client nodes.ID, asked any, o Order) {
	n.router.next++
	o.Request = n.router.next
	r := &request{number: o.Request, client: client, order: &o, asked: asked, home: n.layout.Find(o.Key)}
	n.router.requests = append(n.router.requests, r)
	n.send(env, r, n.leaderOf(r.home.Name))
}

func (n *node) send(env nodes.Env, r *request, to nodes.ID) {
	r.quiet = 0
	m := n.where[r.home.Name]
	local := n.bug == readLocal || n.bug == leaseOnWallClock && m != nil && m.leased(env, r.txn.Ops)
	if local && r.order == nil && readOnly(r.txn.Ops) && m != nil {
		to = env.ID()
	}
	switch {
	case r.order != nil:
		o := *r.order
		o.Range = r.home.Name
		env.Send(to, o)
	case to == env.ID() && m != nil:
		m.submit(env, asker{to, r.number}, r.txn)
	default:
		env.Send(to, Execute{Range: r.home.Name, Request: r.number, Txn: r.txn})
	}
}

func (n *node) request(number uint64) *request {
	for _, r := range n.router.requests {
		if r.number == number {
			return r
		}
	}
	return nil // answered, given up, or asked by a former life of this node
}

func (n *node) executed(env nodes.Env, e Executed) {
	r := n.request(e.Request)
	if r == nil {
		return
	}
	n.router.requests = slices.DeleteFunc(n.router.requests, func(o *request) bool { return o == r })
	if e.Reply.Abort != "" {
		env.Send(r.client, TxnAborted{e.Reply.Abort})
		return
	}
	results := e.Reply.Results
	if results == nil {
		results = make([]Result, len(r.txn.Ops))
	}
	env.Send(r.client, TxnOK{results})
}

// ordered tells an administrator what became of an order.
func (n *node) ordered(env nodes.Env, o Ordered) {
	r := n.request(o.Request)
	if r == nil {
		return
	}
	n.router.requests = slices.DeleteFunc(n.router.requests, func(other *request) bool { return other == r })
	_, fence := r.asked.(Fence)
	switch {
	case !o.Done:
		env.Send(r.client, NotYet{o.Why})
	case fence:
		env.Send(r.client, Fenced{Range: o.Range, Epoch: o.Epoch})
	default:
		env.Send(r.client, Done{})
	}
}

// notLeader follows a redirection at once, but not in circles.
func (n *node) notLeader(env nodes.Env, b NotLeader) {
	if b.Leader != "" {
		n.heard(b.Range, b.Leader)
	}
	r := n.request(b.Request)
	if r == nil {
		if b.Leader != "" {
			n.redirected(env, b.Range)
		}
		return
	}
	m := n.where[b.Range]
	if b.Leader == "" || b.Leader == env.ID() && (m == nil || m.lead == nil) || r.hops >= 2 {
		r.quiet = max(r.quiet, nearTicks-1) // ask again soon: at the next tick, if the group is near
		return
	}
	r.hops++
	n.send(env, r, b.Leader)
}

// moved follows ranges to where they are now.
func (n *node) moved(env nodes.Env, b Moved) {
	news := n.learn(b.Places)
	r := n.request(b.Request)
	if r == nil {
		if news {
			for _, p := range b.Places {
				n.redirected(env, p.Range)
			}
		}
		return
	}
	old := r.home
	if r.order != nil {
		r.home = n.layout.Find(r.order.Key)
	} else {
		r.home = n.layout.Home(&r.txn)
	}
	if old == r.home || r.hops >= 4 {
		n.rotate(r.home.Name)
		r.quiet = max(r.quiet, nearTicks-1)
		return
	}
	env.Reached("multi-master: a router followed a range")
	r.hops++
	n.send(env, r, n.leaderOf(r.home.Name))
}

func (n *node) redirected(env nodes.Env, name string) {
	for _, g := range n.groups {
		for _, own := range g.order {
			if l := g.ranges[own].lead; l != nil {
				l.redirected(env, name)
			}
		}
	}
}

func (n *node) routerTick(env nodes.Env) {
	n.router.requests = slices.DeleteFunc(n.router.requests, func(r *request) bool {
		r.ticks++
		if r.order != nil && r.ticks > orderTicks {
			env.Send(r.client, NotYet{"range " + r.home.Name + " did not answer in time: perhaps no majority of its group is in reach"})
			return true
		}
		return r.ticks > giveUpTicks
	})
	for _, r := range slices.Clone(n.router.requests) {
		r.quiet++
		r.hops = 0
		patience := nearTicks
		if n.where[r.home.Name] == nil || n.layout.Group(r.home.Group).Region == "" {
			patience = farTicks
		}
		if r.quiet < patience {
			continue
		}
		n.rotate(r.home.Name)
		if n.bug == retryAsNew {
			r.txn.Session = fmt.Sprintf("%s again %d", r.txn.Session, r.ticks)
		}
		env.Reached("multi-master: a router asked again after silence")
		n.send(env, r, n.leaderOf(r.home.Name))
	}
}
