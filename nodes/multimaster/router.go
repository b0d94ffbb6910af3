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

func (n *node) send(env nodes.Env, r *request, to nodes.ID) {
	r.quiet = 0
	if n.bug == readLocal && readOnly(r.txn.Ops) && n.byName[r.home.Name] != nil {
		to = env.ID()
	}
	if to == env.ID() {
		n.byName[r.home.Name].submit(env, asker{to, r.number}, r.txn)
		return
	}
	env.Send(to, Execute{Group: r.home.Name, Request: r.number, Txn: r.txn})
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

// notLeader follows a redirection at once, but not in circles.
func (n *node) notLeader(env nodes.Env, b NotLeader) {
	if b.Leader != "" {
		n.seeker.Heard(b.Group, b.Leader)
	}
	r := n.request(b.Request)
	if r == nil {
		if b.Leader != "" {
			for _, g := range n.groups {
				if g.m.lead != nil {
					g.m.lead.redirected(env, b.Group)
				}
			}
		}
		return
	}
	if b.Leader == "" || b.Leader == env.ID() && n.byName[b.Group].m.lead == nil || r.hops >= 2 {
		r.quiet = max(r.quiet, nearTicks-1) // ask again soon: at the next tick, if the group is near
		return
	}
	r.hops++
	n.send(env, r, b.Leader)
}

func (n *node) routerTick(env nodes.Env) {
	n.router.requests = slices.DeleteFunc(n.router.requests, func(r *request) bool {
		r.ticks++
		return r.ticks > giveUpTicks
	})
	for _, r := range slices.Clone(n.router.requests) {
		r.quiet++
		r.hops = 0
		patience := nearTicks
		if n.byName[r.home.Name] == nil || r.home.Region == "" {
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
