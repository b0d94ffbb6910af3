package settlement

import (
	"fmt"
	"slices"

	"faultlab/nodes"
)

func keyName(client, key string) string { return client + "\n" + key }

// accept begins a payment, if its key is new.
func (m *machine) accept(env nodes.Env, c *command) {
	name := keyName(c.Client, c.Key)
	if p := m.keys[name]; p != nil && m.bug != idemCheckThenAct && m.bug != idemInMemory {
		env.Reached("settlement: a key came twice in the log")
		m.lead.known(env, name, p)
		return
	}
	p := &payment{
		Client: c.Client, Key: c.Key, Body: c.Body, Memo: c.Memo, Reverses: c.Payment, State: Accepted, at: m.at,
		Order: Order{Body: c.Body, From: c.From, To: c.To, Out: c.Amount, In: c.Amount, Expires: m.now + c.Within},
	}
	m.keys[name] = p
	e := Entry{Kind: KindAccepted, Body: c.Body, Client: c.Client, Key: c.Key, Reverses: c.Payment, Memo: c.Memo, Expires: p.Order.Expires}
	if why := m.terms(env, p, c, &e); why != "" {
		p.State, p.Why = refused, why
		m.later(m.now+int64(Retention), 'k', name)
		m.lead.known(env, name, p)
		return
	}
	p.ID = fmt.Sprint(m.Name, "-", m.tree.size)
	p.Order.Payment = p.ID
	e.Payment, e.From, e.To, e.Amount = p.ID, p.Order.From, p.Order.To, p.Order.Out
	p.Accepted = m.write(env, e)
	m.payments[p.ID] = p
	if original := m.payments[p.Reverses]; original != nil && m.bug != revertTwice {
		original.Reversal = p.ID
	}
	m.lead.accepted(env, name, p)
}

// terms settles what a payment is for, or says why it cannot be.
func (m *machine) terms(env nodes.Env, p *payment, c *command, e *Entry) (why string) {
	if p.Reverses != "" {
		original := m.payments[p.Reverses]
		switch {
		case original == nil || original.Client != p.Client:
			return "the client has no payment " + p.Reverses
		case original.State != Posted:
			return p.Reverses + " is not posted"
		case original.Reverses != "":
			return p.Reverses + " is a reversal itself"
		case original.Reversal != "":
			env.Reached("settlement: a second reversal was refused")
			return p.Reverses + " is reversed by " + original.Reversal
		}
		o := original.Order
		p.Order.From, p.Order.To, p.Order.Out, p.Order.In = o.To, o.From, o.In, o.Out
		p.Order.Refund, p.Order.Rate, p.Order.Residue, p.Order.Quote = true, o.Rate, o.Residue, o.Quote
		return ""
	}
	if c.Quote.ID == "" {
		return ""
	}
	if p.priced() {
		return "there is nothing to exchange"
	}
	e.Quote = c.Quote
	return m.take(env, p, &c.Quote)
}

// take uses a quote up for a payment, or says why not.
func (m *machine) take(env nodes.Env, p *payment, q *Quote) (why string) {
	switch {
	case q.Until < m.now:
		env.Reached("settlement: a quote had expired")
		return "the quote has expired"
	case m.used[q.ID]:
		env.Reached("settlement: a used quote was refused")
		return "the quote was used before"
	}
	in, residue, ok := convert(p.Order.Out, q.Rate)
	if !ok || in == 0 {
		return "nothing can be paid at that rate: it is too little or too much"
	}
	p.Order.In, p.Order.Residue, p.Order.Quote, p.Order.Rate = in, residue, q.ID, q.Rate
	if m.bug != quoteReused {
		m.used[q.ID] = true
		m.later(q.Until, 'q', q.ID)
	}
	return ""
}

// priced says whether a payment needs no quote, or has one.
func (p *payment) priced() bool {
	return p.Order.Rate > 0 || CurrencyOf(p.Order.From) == CurrencyOf(p.Order.To)
}

// regionsOf returns the regions that an order concerns.
func (l *Layout) regionsOf(o *Order) []string {
	from, to := l.Shard(ShardOf(o.From)).Region, l.Shard(ShardOf(o.To)).Region
	if from == to {
		return []string{from}
	}
	return []string{from, to}
}

// pending returns a payment that is waited for, or nil.
func (m *machine) pending(id string) *payment {
	if p := m.payments[id]; p != nil && p.State == Accepted && !p.Ready {
		p.at = m.at
		return p
	}
	return nil
}

// screen notes what a compliance service said.
func (m *machine) screen(env nodes.Env, c *command) {
	p := m.pending(c.Payment)
	if p == nil || slices.Contains(p.Allowed, c.Region) {
		return
	}
	m.write(env, Entry{Kind: KindScreened, Payment: p.ID, Body: p.Body, Region: c.Region, Verdict: c.Verdict})
	switch c.Verdict {
	case Allow:
		p.Allowed = append(p.Allowed, c.Region)
		m.advance(env, p)
	case Deny:
		m.end(env, p, Voided, "denied in "+c.Region)
	default:
		m.end(env, p, Parked, "to be looked at in "+c.Region)
	}
}

// quote notes a quote that the leader had asked for.
func (m *machine) quote(env nodes.Env, c *command) {
	p := m.pending(c.Payment)
	if p == nil || p.priced() || c.Quote.Until < m.now {
		return
	}
	if why := m.take(env, p, &c.Quote); why != "" {
		m.end(env, p, Voided, why)
		return
	}
	m.write(env, Entry{Kind: KindQuoted, Payment: p.ID, Body: p.Body, Quote: c.Quote})
	m.advance(env, p)
}

// advance prepares a payment once all that it needs is there, and posts it if no other shard has a part in it.
func (m *machine) advance(env nodes.Env, p *payment) {
	parts := partsOf(&p.Order)
	if !p.priced() || len(p.Allowed) < len(m.layout.regionsOf(&p.Order)) {
		return
	}
	p.Ready = true
	mine := slices.Contains(parts, m.Name)
	switch {
	case m.now > p.Order.Expires:
		m.end(env, p, Expired, "not decided in time")
	case mine && len(parts) == 1:
		if why := m.short(&p.Order, legsOf(&p.Order, m.Name)); why != "" && m.bug != unlockBeforeRead {
			m.end(env, p, Voided, why)
			return
		}
		m.post(env, &p.Order, false)
		m.end(env, p, Posted, "")
	case mine:
		if why := m.reserve(env, &p.Order); why != "" {
			m.end(env, p, Voided, why)
			return
		}
		fallthrough
	default:
		p.Live = true
		m.lead.prepare(env, p)
	}
}

// decide ends a payment, unless it has ended: the first decision in the log is the one that counts.
func (m *machine) decide(env nodes.Env, c *command) {
	p := m.payments[c.Payment]
	if p == nil || p.State != Accepted {
		return
	}
	p.at = m.at
	late := m.now > p.Order.Expires
	switch {
	case c.State == Posted && late:
		env.Reached("settlement: a payment expired as it was decided")
		m.end(env, p, Expired, "not decided in time")
	case c.State == Expired && !late:
	default:
		m.end(env, p, c.State, c.Why)
	}
}

// end gives a payment its final state.
func (m *machine) end(env nodes.Env, p *payment, state State, why string) {
	p.State, p.Why = state, why
	p.Decided = m.write(env, Entry{Kind: KindDecided, Payment: p.ID, Body: p.Body, State: state, Why: why})
	if state != Expired || m.bug != keepsReserve {
		m.finish(env, p.ID, state == Posted)
	}
	if original := m.payments[p.Reverses]; original != nil {
		switch {
		case state == Posted:
			original.Reversal = p.ID
		case original.Reversal == p.ID:
			original.Reversal = ""
		}
	}
	m.later(m.now+int64(Retention), 'k', keyName(p.Client, p.Key))
	m.lead.ended(env, p)
}
