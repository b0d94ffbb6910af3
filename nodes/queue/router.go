package queue

import (
	"fmt"
	"slices"

	"faultlab/nodes"
)

const (
	nearTicks   = 4  // a gateway asks again after silence from a group in its own region
	farTicks    = 8  // and from another
	giveUpTicks = 18 // and then gives up, just before a client does
	hopsMax     = 4  // redirections between two ticks
)

// A router sees requests through, those of clients and those of this node's own groups: it finds the group and its leader,
// asks again after silence, and passes on the answer. It says that nothing was done only if no try of its own is
// unaccounted for; else it says nothing.
type router struct {
	next     uint64
	requests []*request // in the order they came
}

type request struct {
	number uint64
	body   any
	client nodes.ID             // who is answered,
	then   func(nodes.Env, any) // or what is called with the answer, or with nil if there is none
	route

	try    uint64 // the last one
	open   bool   // it is not answered
	unsure bool   // an earlier one was not, and may yet be done
	group  string // that was asked last
	ticks  int    // since it came
	wait   int    // ticks that the leader may take, of a long poll
	quiet  int    // ticks since the last try
	hops   int    // redirections since the last tick
	turn   int    // groups that did not know the shard
}

// A route says which group a request is for: that one; or in a region, or the one that serves the keyspace if that is "",
// the one with a number, or that has a shard, or takes a hash.
type route struct {
	name   string
	region string
	home   string
	fixed  int
	shard  Shard
	hash   uint16
}

// accept begins what a client or an administrator asked.
func (n *node) accept(env nodes.Env, from nodes.ID, body any) {
	r := &request{client: from, body: body}
	var bad any = Refused{"there is no such keyspace"}
	switch b := body.(type) {
	case Send:
		if b.Number == 0 || b.Number > 1<<62 || len(b.Values) == 0 {
			env.Send(from, Refused{"a send has a number, from 1 to 2^62, and values"})
			return
		}
		r.route = route{home: b.Home, hash: HashOf(b.Key)}
	case Poll:
		r.route = route{home: b.Shard.Home(), shard: b.Shard}
		r.wait = max(claimTicks, min(b.WaitMs, maxWaitMs)/int(tick.Milliseconds()))
	case Commit:
		r.route = route{home: b.Shard.Home(), shard: b.Shard}
	case Read:
		r.route = route{home: b.Shard.Home(), shard: b.Shard, region: n.region}
	case Join:
		r.route = route{home: b.Home, fixed: numberOf(b.Group)}
	case Leave:
		r.route = route{home: b.Home, fixed: numberOf(b.Group)}
	case Deliver:
		r.route = route{home: b.Home, fixed: numberOf(b.Home)}
	case Effects:
		r.route = route{home: b.Home, fixed: numberOf(b.Home)}
	case Split:
		at, _ := spanOf(b.Range)
		r.route, bad = route{home: at.home, hash: at.middle()}, NotYet{"there is no such keyspace"}
	case Merge:
		at, _ := spanOf(b.Left)
		r.route, bad = route{home: at.home, hash: at.to}, NotYet{"there is no such keyspace"}
	case Lead:
		r.route, bad = n.routeTo(b.Group), NotYet{"there is no such group"}
	case SnapshotNow:
		r.route, bad = n.routeTo(b.Group), NotYet{"there is no such group"}
	default:
		return
	}
	if r.name == "" && n.atlas[r.home] == nil {
		env.Send(from, bad)
		return
	}
	n.begin(env, r)
}

func (n *node) routeTo(group string) route {
	if n.layout.Group(group) == nil {
		return route{}
	}
	return route{name: group}
}

// ask asks the leader of a group. then is called with the answer, or with nil if there is none.
func (n *node) ask(env nodes.Env, group string, body any, then func(env nodes.Env, answer any)) {
	n.begin(env, &request{route: route{name: group}, body: body, then: then})
}

// locate finds the live shard that takes the first hash of a span.
func (n *node) locate(env nodes.Env, at span, then func(nodes.Env, Located)) {
	r := &request{route: route{home: at.home, hash: at.from}, body: Locate{at.String()}}
	r.then = func(env nodes.Env, answer any) {
		if l, ok := answer.(Located); ok {
			then(env, l)
		}
	}
	n.begin(env, r)
}

// askAll asks the leaders of all groups of a region. then is called with their answers by number, nil where there is none.
func (n *node) askAll(env nodes.Env, region string, body any, then func(env nodes.Env, answers []any)) {
	answers := make([]any, GroupsPerRegion)
	waiting := GroupsPerRegion
	for i := range GroupsPerRegion {
		n.ask(env, name(region, i+1), body, func(env nodes.Env, answer any) {
			answers[i] = answer
			if waiting--; waiting == 0 {
				then(env, answers)
			}
		})
	}
}

func (n *node) begin(env nodes.Env, r *request) {
	n.router.next++
	r.number = n.router.next
	n.router.requests = append(n.router.requests, r)
	n.send(env, r, "")
}

// target returns the name of the group to ask.
func (n *node) target(r *request) string {
	if r.name != "" {
		return r.name
	}
	region := r.region
	if region == "" {
		region = n.serving(r.home)
	}
	number := 0
	switch {
	case r.fixed > 0:
		return name(region, r.fixed)
	case r.shard == (Shard{}):
		number = n.atlas[r.home].find(r.hash)
	default:
		number = n.numberOf(r.home, r.shard)
	}
	return name(region, (number-1+r.turn)%GroupsPerRegion+1)
}

// numberOf returns the number of the group that has a shard, as far as this node knows; else a guess.
func (n *node) numberOf(home string, s Shard) int {
	if number := n.atlas[home].numbers[s]; number != 0 {
		return number
	}
	for _, g := range n.groups {
		if g.m.shards[s] != nil {
			return g.Number
		}
	}
	at, _ := spanOf(s.Range)
	return n.atlas[home].find(at.from)
}

// send asks a member of the group, or the one that most probably leads it.
func (n *node) send(env nodes.Env, r *request, to nodes.ID) {
	r.group = n.target(r)
	if to == "" {
		to = n.leaderOf(r.group)
	}
	r.unsure = r.unsure || r.open
	r.quiet, r.open = 0, true
	r.try++
	a := askOf(r.group, r.number, r.try, r.body)
	if to == env.ID() {
		n.asked(env, to, a)
		return
	}
	env.Send(to, a)
}

func (n *node) request(number uint64) *request {
	for _, r := range n.router.requests {
		if r.number == number {
			return r
		}
	}
	return nil
}

func (n *node) end(r *request) {
	n.router.requests = slices.DeleteFunc(n.router.requests, func(o *request) bool { return o == r })
}

// answered handles an answer.
func (n *node) answered(env nodes.Env, from nodes.ID, b Answer) {
	r := n.request(b.Request)
	if r == nil {
		return // answered, given up, or asked by a former life of this node
	}
	switch body := b.body().(type) {
	case SendOK:
		if b.Generation < n.known.keyspace(body.Shard.Home()).Generation {
			env.Reached("queue: an acknowledgement of before a promotion came too late")
			r.unsure, r.open = true, false
			return // it is sent again at the next tick, to who serves now
		}
		n.end(r)
		n.finish(env, r, body)
	case NotLeader:
		n.notLeader(env, r, b, body)
	case Elsewhere:
		n.elsewhere(env, r, b, body)
	default:
		n.end(r)
		n.finish(env, r, body)
	}
}

// notLeader follows a redirection at once, but not in circles.
func (n *node) notLeader(env nodes.Env, r *request, b Answer, body NotLeader) {
	if body.Leader != "" {
		n.seeker.Heard(b.Group, body.Leader)
	}
	r.unsure = r.unsure || body.Perhaps
	if b.Try != r.try {
		return
	}
	r.open = false
	g := n.byName[r.group]
	if body.Leader == "" {
		n.rotate(r.group)
	}
	if body.Leader == "" || body.Leader == env.ID() && (g == nil || g.m.lead == nil) || r.hops >= hopsMax {
		n.later(r)
		return
	}
	r.hops++
	n.send(env, r, body.Leader)
}

// elsewhere follows what a group knows of where the keys or the shard are.
func (n *node) elsewhere(env nodes.Env, r *request, b Answer, body Elsewhere) {
	for _, l := range body.Known {
		if a := n.atlas[l.Shard.Home()]; a != nil {
			a.learn(l)
		}
	}
	if b.Try != r.try {
		return
	}
	r.open = false
	if r.shard != (Shard{}) {
		if r.turn++; r.turn == GroupsPerRegion {
			n.end(r)
			n.finish(env, r, NotNow{"no group knows this shard"})
			return
		}
	}
	if n.target(r) == r.group || r.hops >= hopsMax {
		n.later(r)
		return
	}
	r.hops++
	n.send(env, r, "")
}

// later has a request sent again at the next tick.
func (n *node) later(r *request) { r.quiet = 1 << 20 }

// finish passes an answer on.
func (n *node) finish(env nodes.Env, r *request, body any) {
	if r.then != nil {
		r.then(env, body)
		return
	}
	switch body.(type) {
	case NotNow:
		if r.unsure && changes(r.body) {
			return
		}
	case Refused:
		// Of a send this is final whatever became of other tries: its name has been gone past. Of a commit it is not.
		if _, commit := r.body.(Commit); commit && r.unsure {
			return
		}
	}
	env.Send(r.client, body)
}

// changes says whether a request may leave something behind.
func changes(body any) bool {
	switch body.(type) {
	case Poll, Read, Effects, Join, Leave:
		return false
	}
	return true
}

// giveUp ends a request that nobody has answered. If no try of it can be done any more, that is an answer.
func (n *node) giveUp(env nodes.Env, r *request) {
	switch r.body.(type) {
	case Split, Merge, Lead, SnapshotNow:
		n.finish(env, r, NotYet{"no leader has answered"})
	default:
		r.unsure = r.unsure || r.open
		if r.then != nil {
			r.then(env, nil)
		} else if !r.unsure || !changes(r.body) {
			env.Send(r.client, NotNow{"no leader has taken it"})
		}
	}
}

func (n *node) routerTick(env nodes.Env) {
	for _, r := range slices.Clone(n.router.requests) {
		r.ticks++
		r.quiet++
		r.hops = 0
		patience := nearTicks
		if n.byName[r.group] == nil {
			patience = farTicks
		}
		switch {
		case r.ticks > giveUpTicks+r.wait:
			n.end(r)
			n.giveUp(env, r)
		case r.open && r.quiet >= patience+r.wait:
			n.rotate(r.group)
			env.Reached("queue: a gateway asked again after silence")
			b, isSend := r.body.(Send)
			switch {
			case isSend && n.bug == refuseUnknown:
				n.end(r)
				env.Send(r.client, Refused{"no leader has taken it"})
				continue
			case isSend && n.bug == retryAsNew:
				b.Producer = fmt.Sprintf("%s again %d", b.Producer, r.ticks)
				r.body = b
			}
			n.send(env, r, "")
		case !r.open:
			n.send(env, r, "")
		}
	}
}

// describe asks all groups of this region, and answers once each has.
func (n *node) describe(env nodes.Env, from nodes.ID, b Describe) {
	if n.atlas[b.Home] == nil {
		env.Send(from, Refused{"there is no such keyspace"})
		return
	}
	n.askAll(env, n.region, b, func(env nodes.Env, answers []any) {
		var d Described
		for i, answer := range answers {
			part, ok := answer.(Described)
			if !ok || i > 0 && part.Generation != d.Generation {
				env.Send(from, NotNow{"not all groups of the region answer alike"})
				return
			}
			part.Shards = append(d.Shards, part.Shards...)
			d = part
		}
		slices.SortFunc(d.Shards, func(a, b State) int { return a.Shard.compare(b.Shard) })
		env.Send(from, d)
	})
}
