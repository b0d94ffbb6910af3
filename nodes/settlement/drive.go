package settlement

import (
	"fmt"
	"slices"

	"faultlab/nodes"
)

const (
	answerTicks  = 12 // a payment that is not at its end by then is answered as accepted
	resendTicks  = 8  // who was asked and is silent is asked again
	resolveTicks = 20 // a part that was prepared so long ago is asked after
	lateTicks    = 4  // by mistake: so long after it was told, a decision is put in the log
	openTicks    = 8  // by mistake: a compliance service that is silent for so long is taken to allow
)

// A drive is how far a payment has come, as one leader of its home knows.
type drive struct {
	p       *payment
	asked   []string // regions whose verdict is on its way into the log
	done    []string // shards that voted yes; once it is decided, those that have resolved it
	decided bool     // a decision is on its way into the log
	ticks   int
	quiet   int
	late    *command // by mistake: a decision that was told and is yet to be put in the log
}

// pay begins a payment, or joins who waits for it.
func (l *leader) pay(env nodes.Env, a asker, c *command) {
	name := keyName(c.Client, c.Key)
	a.body = c.Body
	waiting := l.asked[name]
	if !slices.ContainsFunc(waiting, func(o *asker) bool { return o.from == a.from && o.request == a.request }) {
		l.asked[name] = append(waiting, &a)
	}
	p := l.keys[name]
	if l.bug == idemInMemory {
		p = l.remembers[name]
	}
	switch {
	case p != nil:
		env.Reached("settlement: a known key was answered")
		l.settleAsked(env, name, p)
	case len(waiting) > 0 && l.bug != idemCheckThenAct: // its command is in the log, and this leader's log loses none while it leads
	default:
		if l.bug == ackInOneCloud {
			l.answer(env, a, Answer{Paid: &Paid{Payment: fmt.Sprint(l.Name, "-", l.tree.size), State: Accepted, Index: l.tree.size}})
		}
		l.propose(env, c)
	}
}

// settleAsked answers those who wait for a payment and can be told something final.
func (l *leader) settleAsked(env nodes.Env, name string, p *payment) {
	rest := slices.DeleteFunc(l.asked[name], func(a *asker) bool {
		switch {
		case a.body != p.Body && l.bug != idemIgnoresBody:
			env.Reached("settlement: a key was used for another body")
			l.answer(env, *a, Answer{Conflict: &Conflict{"the key was used for another payment"}})
			return true
		case p.State == Accepted, p.State == Posted && p.Live && !p.everywhere:
			return false
		}
		return l.acknowledge(env, *a, p)
	})
	if len(rest) == 0 {
		delete(l.asked, name)
	} else {
		l.asked[name] = rest
	}
}

// acknowledge tells where a payment stands, once what was last said of it is on disks in two clouds.
func (l *leader) acknowledge(env nodes.Env, a asker, p *payment) bool {
	if p.State == refused {
		l.answer(env, a, p.answer())
		return true
	}
	holders := l.group.Holders(p.at)
	clouds := l.layout.Clouds(holders)
	if len(clouds) < 2 && len(l.layout.Clouds(l.Voters)) >= 2 {
		env.Reached("settlement: an acknowledgement waited for a second cloud")
		return false
	}
	env.Emit(Durable{l.Name, p.ID, holders, clouds})
	answer := p.answer()
	if p.State == Posted && p.Live && !p.everywhere {
		answer.Paid.State, answer.Paid.Index = Accepted, p.Accepted
	}
	l.answer(env, a, answer)
	return true
}

// What follows is called by the machine as it applies; on a follower l is nil.

func (l *leader) known(env nodes.Env, name string, p *payment) {
	if l != nil {
		l.settleAsked(env, name, p)
	}
}

func (l *leader) accepted(env nodes.Env, name string, p *payment) {
	if l == nil {
		return
	}
	l.remembers[name] = p
	l.settleAsked(env, name, p)
	if l.bug == asksEveryShard {
		for _, s := range l.layout.Shards {
			if s.Name != l.Name {
				env.Send(l.n.leaderOf(s.Name), Forward{Shard: s.Name, Status: &Status{p.Client, p.Key}})
				env.Emit(Crossed{p.ID, l.Name, s.Name, "forward"})
			}
		}
	}
	l.follow(env, p)
}

// follow takes a payment on.
func (l *leader) follow(env nodes.Env, p *payment) {
	d := &drive{p: p}
	l.drives = append(l.drives, d)
	l.pursue(env, d)
}

// pursue asks whoever has to do something next.
func (l *leader) pursue(env nodes.Env, d *drive) {
	d.quiet = 0
	p := d.p
	switch {
	case p.State == Accepted && !p.Ready:
		for _, region := range l.layout.regionsOf(&p.Order) {
			if !slices.Contains(p.Allowed, region) && !slices.Contains(d.asked, region) {
				env.Send(l.layout.Compliance[region], Screen{
					Shard: l.Name, Payment: p.ID, Region: region, From: p.Order.From, To: p.Order.To, Amount: p.Order.Out, Memo: p.Memo,
				})
			}
		}
		if !p.priced() {
			l.askPrice(env, p.ID, p.Client, CurrencyOf(p.Order.From), CurrencyOf(p.Order.To))
		}
	case d.decided:
	default:
		for _, shard := range partsOf(&p.Order) {
			if shard == l.Name || slices.Contains(d.done, shard) {
				continue
			}
			if p.State == Accepted {
				l.cross(env, shard, p.ID, "prepare", Prepare{shard, p.Order})
			} else {
				l.cross(env, shard, p.ID, "resolve", Resolve{shard, p.ID, p.State == Posted})
			}
		}
	}
}

// cross sends a message about a payment to another shard.
func (l *leader) cross(env nodes.Env, shard, payment, what string, body any) {
	env.Emit(Crossed{payment, l.Name, shard, what})
	env.Send(l.n.leaderOf(shard), body)
}

func (l *leader) drive(payment string) *drive {
	for _, d := range l.drives {
		if d.p.ID == payment {
			return d
		}
	}
	return nil
}

// screened puts a verdict in the log.
func (l *leader) screened(env nodes.Env, s Screening) {
	d := l.drive(s.Payment)
	if d == nil || d.p.State != Accepted || d.p.Ready || slices.Contains(d.p.Allowed, s.Region) || slices.Contains(d.asked, s.Region) {
		return
	}
	d.asked = append(d.asked, s.Region)
	if o := &d.p.Order; l.bug == unlockBeforeRead && s.Verdict == Allow && len(partsOf(o)) == 1 {
		if why := l.short(o, legsOf(o, l.Name)); why != "" {
			l.propose(env, &command{Do: decide, Payment: s.Payment, State: Voided, Why: why})
			return
		}
	}
	l.propose(env, &command{Do: screen, Payment: s.Payment, Region: s.Region, Verdict: s.Verdict})
}

// prepare asks the participants to prepare a payment; one that has no part in another shard is not asked about.
func (l *leader) prepare(env nodes.Env, p *payment) {
	if l == nil {
		return
	}
	if d := l.drive(p.ID); d != nil {
		l.pursue(env, d)
	}
}

// askPrepare and askResolve put a coordinator's wish in the participant's log.
func (l *leader) askPrepare(env nodes.Env, o *Order) {
	if why := ""; l.bug == unlockBeforeRead {
		if why = l.short(o, legsOf(o, l.Name)); why != "" {
			l.vote(env, o, why)
			return
		}
	}
	l.propose(env, &command{Do: prepare, Payment: o.Payment, Order: *o})
}

func (l *leader) askResolve(env nodes.Env, r Resolve) {
	l.propose(env, &command{Do: resolve, Payment: r.Payment, Commit: r.Commit})
}

// vote and resolved answer the coordinator.
func (l *leader) vote(env nodes.Env, o *Order, why string) {
	if l != nil {
		home := HomeOf(o.Payment)
		l.cross(env, home, o.Payment, "vote", Vote{home, l.Name, o.Payment, why == "", why})
	}
}

func (l *leader) resolved(env nodes.Env, payment string) {
	if l != nil {
		home := HomeOf(payment)
		l.cross(env, home, payment, "resolved", Resolved{home, l.Name, payment})
	}
}

// onVote counts a vote; the last yes, or the first no, decides.
func (l *leader) onVote(env nodes.Env, v Vote) {
	d := l.drive(v.Payment)
	if d == nil || d.decided || d.p.State != Accepted || !d.p.Ready {
		return
	}
	if !v.Yes {
		l.decideNow(env, d, &command{State: Voided, Why: v.Why})
		return
	}
	if !slices.Contains(d.done, v.Participant) {
		d.done = append(d.done, v.Participant)
	}
	for _, shard := range partsOf(&d.p.Order) {
		if shard != l.Name && !slices.Contains(d.done, shard) {
			return
		}
	}
	l.decideNow(env, d, &command{State: Posted})
}

func (l *leader) decideNow(env nodes.Env, d *drive, c *command) {
	d.decided, d.quiet = true, 0
	c.Do, c.Payment = decide, d.p.ID
	if l.bug == decideBeforeLog && c.State == Posted {
		for _, shard := range partsOf(&d.p.Order) {
			if shard != l.Name {
				l.cross(env, shard, d.p.ID, "resolve", Resolve{shard, d.p.ID, true})
			}
		}
		d.late = c
		return
	}
	l.propose(env, c)
}

// ended tells the participants, and who waits.
func (l *leader) ended(env nodes.Env, p *payment) {
	if l == nil {
		return
	}
	env.Emit(Notified{p.ID, p.State})
	if l.bug == notifyForEver {
		l.notices = append(l.notices, Notified{p.ID, p.State})
	}
	d := l.drive(p.ID)
	if d != nil {
		d.done, d.decided = nil, false
		if p.Live {
			l.pursue(env, d)
		} else {
			l.drop(d)
		}
	}
	l.settleAsked(env, keyName(p.Client, p.Key), p)
}

func (l *leader) drop(d *drive) {
	l.drives = slices.DeleteFunc(l.drives, func(o *drive) bool { return o == d })
}

// onResolved counts the participants that are done.
func (l *leader) onResolved(env nodes.Env, v Resolved) {
	d := l.drive(v.Payment)
	if d == nil || d.p.State == Accepted || slices.Contains(d.done, v.Participant) {
		return
	}
	d.done = append(d.done, v.Participant)
	for _, shard := range partsOf(&d.p.Order) {
		if shard != l.Name && !slices.Contains(d.done, shard) {
			return
		}
	}
	d.p.everywhere = true
	l.forget = append(l.forget, v.Payment)
	l.drop(d)
	l.settleAsked(env, keyName(d.p.Client, d.p.Key), d.p)
}

// onQuery answers a participant that has waited for long. One that asks after a payment that nobody knows holds a
// reserve of one that was forgotten, or this is no longer the leader.
func (l *leader) onQuery(env nodes.Env, q Query) {
	tell := func(commit bool) {
		l.cross(env, q.Participant, q.Payment, "resolve", Resolve{q.Participant, q.Payment, commit})
	}
	switch p := l.payments[q.Payment]; {
	case p == nil:
		l.group.Read(env, func(env nodes.Env, ok bool) {
			if ok && l.payments[q.Payment] == nil {
				tell(false)
			}
		})
	case p.State != Accepted:
		env.Reached("settlement: a participant was told an outcome that it asked for")
		tell(p.State == Posted)
	}
}

// tick moves on what has been silent.
func (l *leader) tick(env nodes.Env) {
	for _, d := range slices.Clone(l.drives) {
		l.driveTick(env, d)
	}
	for _, name := range sortedKeys(l.asked) {
		p := l.keys[name]
		if p == nil {
			continue
		}
		rest := slices.DeleteFunc(l.asked[name], func(a *asker) bool {
			a.ticks++
			return a.ticks >= answerTicks && p.ID != "" && l.acknowledge(env, *a, p)
		})
		if l.asked[name] = rest; len(rest) == 0 {
			delete(l.asked, name)
		}
	}
	for _, p := range l.sortedParts() {
		p.ticks++
		if home := HomeOf(p.Order.Payment); home != l.Name && p.ticks >= resolveTicks && p.ticks%resendTicks == 0 {
			env.Reached("settlement: a participant asked for an outcome")
			l.cross(env, home, p.Order.Payment, "query", Query{home, l.Name, p.Order.Payment})
		}
	}
	if len(l.forget) > 0 {
		l.propose(env, &command{Do: forget, IDs: l.forget})
		l.forget = nil
	}
	for _, notice := range l.notices {
		env.Emit(notice)
	}
	l.pricesTick(env)
	l.windowsTick(env)
}

func (l *leader) driveTick(env nodes.Env, d *drive) {
	d.ticks++
	d.quiet++
	p := d.p
	if d.late != nil && d.quiet >= lateTicks {
		l.propose(env, d.late)
		d.late = nil
	}
	if l.bug == failOpen && p.State == Accepted && !p.Ready && d.ticks >= openTicks {
		for _, region := range l.layout.regionsOf(&p.Order) {
			l.screened(env, Screening{Payment: p.ID, Region: region, Verdict: Allow})
		}
	}
	if d.quiet < resendTicks || d.late != nil {
		return
	}
	d.asked, d.decided = nil, false
	if p.State == Accepted && max(l.now, env.Now().UnixNano()) > p.Order.Expires {
		env.Reached("settlement: a payment expired")
		l.decideNow(env, d, &command{State: Expired, Why: "not decided in time"})
		return
	}
	env.Reached("settlement: a payment was driven on after silence")
	l.pursue(env, d)
}
