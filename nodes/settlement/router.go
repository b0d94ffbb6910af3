package settlement

import (
	"crypto/ed25519"
	"slices"
	"strings"

	"faultlab/nodes"
)

const (
	patience    = 6  // ticks after which a node asks another replica
	payPatience = 10 // the same of a payment, which takes so long across regions
	giveUpTicks = 40 // and then leaves the client to its own clock
)

// A request is a client's, or this node's own, on its way to the leader of a shard.
type request struct {
	number  uint64
	client  nodes.ID
	forward Forward
	then    func(nodes.Env, Answer) // in place of telling a client
	ticks   int                     // since it came
	quiet   int                     // since it was last sent
	hops    int                     // redirections since the last tick
}

// pass sees a request through: it finds the leader, asks again after silence, and passes on the answer.
func (n *node) pass(env nodes.Env, r *request) {
	n.next++
	r.number, r.forward.Request = n.next, n.next
	n.requests = append(n.requests, r)
	n.send(env, r, n.leaderOf(r.forward.Shard))
}

func (n *node) send(env nodes.Env, r *request, to nodes.ID) {
	r.quiet = 0
	if l := n.leading(r.forward.Shard); to == env.ID() && l != nil {
		l.forwarded(env, asker{from: to, request: r.number}, r.forward)
		return
	}
	env.Send(to, r.forward)
}

func (n *node) request(number uint64) *request {
	for _, r := range n.requests {
		if r.number == number {
			return r
		}
	}
	return nil // answered, given up, or asked by a former life of this node
}

// answered passes an answer on to who waits for it.
func (n *node) answered(env nodes.Env, a Answer) {
	r := n.request(a.Request)
	if r == nil {
		return
	}
	n.requests = slices.DeleteFunc(n.requests, func(o *request) bool { return o == r })
	switch {
	case r.then != nil:
		r.then(env, a)
	case r.client == "":
	case a.Paid != nil:
		env.Send(r.client, *a.Paid)
	case a.Conflict != nil:
		env.Send(r.client, *a.Conflict)
	case a.Refused != nil:
		env.Send(r.client, *a.Refused)
	case a.Balance != nil:
		env.Send(r.client, *a.Balance)
	case a.Quote != nil:
		env.Send(r.client, *a.Quote)
	case a.NoQuote != nil:
		env.Send(r.client, *a.NoQuote)
	case a.Closed != nil:
		env.Send(r.client, *a.Closed)
	case a.Done != nil:
		env.Send(r.client, *a.Done)
	case a.NotYet != nil:
		env.Send(r.client, *a.NotYet)
	}
}

// notLeader follows a redirection at once, but not in circles.
func (n *node) notLeader(env nodes.Env, b NotLeader) {
	if b.Leader != "" {
		n.seeker.Heard(b.Shard, b.Leader)
	}
	r := n.request(b.Request)
	if r == nil {
		return
	}
	if b.Leader == "" || b.Leader == env.ID() && n.leading(b.Shard) == nil || r.hops >= 2 {
		r.quiet = max(r.quiet, payPatience-1) // ask again at the next tick
		return
	}
	r.hops++
	n.send(env, r, b.Leader)
}

func (n *node) routerTick(env nodes.Env) {
	n.requests = slices.DeleteFunc(n.requests, func(r *request) bool {
		r.ticks++
		return r.ticks > giveUpTicks
	})
	for _, r := range slices.Clone(n.requests) {
		r.quiet++
		r.hops = 0
		if r.quiet < patience || r.quiet < payPatience && (r.forward.Pay != nil || r.forward.Reverse != nil) {
			continue
		}
		if n.layout.Shard(r.forward.Shard) != nil {
			n.rotate(r.forward.Shard)
		}
		env.Reached("settlement: a request was sent again after silence")
		n.send(env, r, n.leaderOf(r.forward.Shard))
	}
}

// admit passes a client's request to the shard that must do it, or says why it makes no sense.
func (n *node) admit(env nodes.Env, client nodes.ID, shard, why string, f Forward) {
	if why == "" && n.layout.Shard(shard) == nil {
		why = "there is no shard " + shard
	}
	if why != "" {
		env.Send(client, Refused{why})
		return
	}
	f.Shard = shard
	n.pass(env, &request{client: client, forward: f})
}

// flaw says what makes no sense of a payment, whatever the state of the ledger.
func (n *node) flaw(b *Pay) string {
	switch {
	case b.Key == "":
		return "a payment needs a key"
	case b.Amount < 1 || b.Amount > MaxAmount:
		return "an amount must be from 1 to the largest"
	case b.Within < 0 || b.Within > MaxExpiry.Milliseconds():
		return "no such time to live"
	case !n.account(b.From) || !n.account(b.To):
		return "an account is SHARD/HOLDER/CURRENCY"
	case b.From == b.To:
		return "an account pays itself"
	case b.Quote == nil:
		return ""
	case b.Quote.Client != b.Client || b.Quote.From != CurrencyOf(b.From) || b.Quote.To != CurrencyOf(b.To) || b.Quote.Rate < 1:
		return "the quote is for something else"
	case n.fx == nil || !ed25519.Verify(n.fx, QuoteBytes(b.Quote), b.Quote.Sig):
		return "the quote is not the engine's"
	}
	return ""
}

// account says whether that is an account of a shard, and one that a client may name: of the ledger's own, only @issue.
func (n *node) account(name string) bool {
	holder, currency := HolderOf(name), CurrencyOf(name)
	return n.layout.Shard(ShardOf(name)) != nil && strings.Count(name, "/") == 2 && holder != "" && len(currency) == 3 &&
		(!own(name) || holder == "@issue")
}

// within is the time to live of a payment, in nanoseconds.
func (b *Pay) within() int64 {
	if b.Within == 0 {
		return int64(DefaultExpiry)
	}
	return b.Within * 1_000_000
}
