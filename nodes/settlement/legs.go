package settlement

import (
	"math/bits"
	"slices"
	"strings"

	"faultlab/nodes"
)

// own says whether an account is the ledger's own, which has no limit.
func own(account string) bool { return strings.HasPrefix(HolderOf(account), "@") }

// convert returns what an amount is worth at a rate, rounded down, and what is rounded off; ok is false if it is more
// than may be paid.
func convert(amount, rate int64) (in, residue int64, ok bool) {
	hi, lo := bits.Mul64(uint64(amount), uint64(rate))
	if hi >= RateUnit {
		return 0, 0, false
	}
	q, r := bits.Div64(hi, lo, RateUnit)
	return int64(q), int64(r), q <= MaxAmount
}

// partsOf returns the shards that have a part in an order.
func partsOf(o *Order) []string {
	from, to := ShardOf(o.From), ShardOf(o.To)
	if from == to {
		return []string{from}
	}
	return []string{from, to}
}

// legsOf returns what an order posts in a shard.
func legsOf(o *Order, shard string) []Leg {
	if o.Refund {
		first := *o
		first.Refund, first.From, first.To, first.Out, first.In = false, o.To, o.From, o.In, o.Out
		legs := legsOf(&first, shard)
		for i := range legs {
			legs[i].Amount = -legs[i].Amount
		}
		return legs
	}
	from, to := ShardOf(o.From), ShardOf(o.To)
	out, in := CurrencyOf(o.From), CurrencyOf(o.To)
	var legs []Leg
	book := func(account string, amount int64) { legs = append(legs, Leg{account, amount}) }
	if shard == from {
		book(o.From, -o.Out)
		switch {
		case out != in:
			book(shard+"/@fx/"+out, o.Out)
		case from != to:
			book(shard+"/@due."+to+"/"+out, o.Out)
		}
	}
	if shard == to {
		switch {
		case out != in:
			book(shard+"/@fx/"+in, -o.In)
		case from != to:
			book(shard+"/@due."+from+"/"+in, -o.In)
		}
		book(o.To, o.In)
		if o.Residue != 0 {
			book(shard+"/@fx/"+in+"~", -o.Residue)
			book(shard+"/@round/"+in+"~", o.Residue)
		}
	}
	return legs
}

// short says why an order cannot be posted here, "" if it can.
func (m *machine) short(o *Order, legs []Leg) string {
	for _, leg := range legs {
		if a := m.accounts[leg.Account]; leg.Amount < 0 && !own(leg.Account) && (a == nil || a.posted-a.pending < -leg.Amount) {
			return "not enough on " + leg.Account
		}
	}
	return ""
}

// reserve prepares this shard's part of an order, unless it says why not.
func (m *machine) reserve(env nodes.Env, o *Order) (why string) {
	legs := legsOf(o, m.Name)
	if why := m.short(o, legs); why != "" && m.bug != unlockBeforeRead {
		return why
	}
	m.parts[o.Payment] = &part{Order: *o}
	m.hold(legs, 1)
	m.write(env, Entry{Kind: KindPrepared, Payment: o.Payment, Body: o.Body, Legs: legs})
	if m.bug == fxLegSeparate && o.Rate > 0 {
		m.write(env, Entry{Kind: KindPosted, Payment: o.Payment, Body: o.Body, Legs: legs, Windows: m.places(o), Quote: Quote{ID: o.Quote, Rate: o.Rate}})
	}
	return ""
}

// hold adds to what is pending, or takes it away.
func (m *machine) hold(legs []Leg, sign int64) {
	for _, leg := range legs {
		if leg.Amount < 0 && !own(leg.Account) {
			m.account(leg.Account).pending -= sign * leg.Amount
		}
	}
}

// prepare is a coordinator's wish for this shard's part.
func (m *machine) prepare(env nodes.Env, o *Order) {
	switch {
	case m.parts[o.Payment] != nil:
		m.lead.vote(env, o, "")
	case m.ended[o.Payment]:
		m.lead.vote(env, o, "it is over")
	case m.now > o.Expires+int64(Retention/2): // so that a Prepare which comes when its end was forgotten is refused
		m.lead.vote(env, o, "it has expired")
	default:
		m.lead.vote(env, o, m.reserve(env, o))
	}
}

// resolve ends this shard's part of a payment that another shard coordinates.
func (m *machine) resolve(env nodes.Env, c *command) {
	if !m.ended[c.Payment] {
		m.finish(env, c.Payment, c.Commit)
		m.ended[c.Payment] = true
		m.later(m.now+int64(Retention), 'e', c.Payment)
	}
	m.lead.resolved(env, c.Payment)
}

// finish posts what was prepared, or gives it back.
func (m *machine) finish(env nodes.Env, payment string, commit bool) {
	p := m.parts[payment]
	if p == nil {
		return
	}
	delete(m.parts, payment)
	o := &p.Order
	m.hold(legsOf(o, m.Name), -1)
	switch {
	case m.bug == fxLegSeparate && o.Rate > 0:
	case commit:
		m.post(env, o, true)
	default:
		m.write(env, Entry{Kind: KindReleased, Payment: payment, Body: o.Body})
	}
}

// post posts this shard's legs of an order, in the windows that are open.
func (m *machine) post(env nodes.Env, o *Order, prepared bool) {
	e := Entry{Kind: KindPosted, Payment: o.Payment, Body: o.Body, Legs: legsOf(o, m.Name), Windows: m.places(o)}
	if o.Rate > 0 {
		e.Quote = Quote{ID: o.Quote, Rate: o.Rate}
	}
	if prepared && m.bug == windowSkipped {
		e.Windows = nil
	}
	for _, w := range e.Windows {
		m.count(w.Region, o)
	}
	m.write(env, e)
}

// places are the windows in which this shard counts an order: each region's once over all shards.
func (m *machine) places(o *Order) (all []Place) {
	from, to := m.layout.Shard(ShardOf(o.From)), m.layout.Shard(ShardOf(o.To))
	if from.Name == m.Name || to.Name == m.Name && to.Region != from.Region {
		all = append(all, Place{m.Region, m.window})
	}
	return all
}

// count adds an order to what the open window comes to for a region.
func (m *machine) count(region string, o *Order) {
	add := func(account string, out, in int64) {
		if m.layout.Shard(ShardOf(account)).Region != region {
			return
		}
		currency := CurrencyOf(account)
		i, found := slices.BinarySearchFunc(m.nets, currency, func(n Net, c string) int { return strings.Compare(n.Currency, c) })
		if !found {
			m.nets = slices.Insert(m.nets, i, Net{Currency: currency})
		}
		n := &m.nets[i]
		n.Out += out
		n.In += in
		if out > 0 || CurrencyOf(o.From) != CurrencyOf(o.To) || m.layout.Shard(ShardOf(o.From)).Region != region {
			n.Count++
		}
	}
	add(o.From, o.Out, 0)
	add(o.To, 0, o.In)
}
