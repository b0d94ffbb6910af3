package settlement

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"time"

	"faultlab/checker/history"
	"faultlab/labs"
	"faultlab/nodes"
	s "faultlab/nodes/settlement"
)

const (
	payWait  = 900 * time.Millisecond // a payment that takes longer is answered as accepted after two thirds of it
	patience = 2 * time.Second
	page     = 256 // entries
	recent   = 8   // payments that a payer may ask for again
	finalMax = 300 // of the last requests of one client
)

// A workload is what the clients ask for. Of the clients of a region the last but one also is its operator, who closes
// windows, plants breaks and reconciles; the last is an auditor, who reads the logs of all shards as they grow, from
// every replica in turn. All others pay, and look at what became of it.
type workload struct {
	topology nodes.Topology
	layout   *s.Layout

	payers    map[nodes.ID]*payer
	keys      int
	joint     map[string]*owner // by shard: a name that several clients pay under
	windows   map[string]uint64 // by region: the last that is known to be closed
	items     int
	read      *reading
	finishing map[nodes.ID]bool // clients that are not auditors and have last requests to make
	begun     bool              // the final phase
}

func newWorkload(t nodes.Topology, _ *rand.Rand) labs.Workload {
	l := s.NewLayout(t)
	return &workload{
		topology: t, layout: l, payers: map[nodes.ID]*payer{}, joint: map[string]*owner{}, windows: map[string]uint64{},
		read: newReading(l), finishing: map[nodes.ID]bool{},
	}
}

// rank is the place of a client among those of its region, from 0; they are dealt to the regions in turn.
func (w *workload) rank(c *labs.Client) int {
	n, _ := strconv.Atoi(string(c.ID[1:])) // clients are c1, c2 and so on
	return (n - 1) / len(w.layout.Regions)
}

// auditor says whether a client reads logs.
func (w *workload) auditor(c *labs.Client) bool { return w.rank(c)%6 == 5 }

// Next draws the next request of a client.
func (w *workload) Next(c *labs.Client, phase history.Phase) (labs.Request, bool) {
	p := w.payer(c)
	if phase == history.Final && !w.begun {
		w.begun = true
		for _, q := range w.payers {
			w.finishing[q.id] = !q.audits
		}
	}
	switch {
	case w.auditor(c):
		body, to := w.read.next(c, phase, w.busy())
		if body == nil {
			return labs.Request{}, false
		}
		return labs.Request{Body: body, To: to, Wait: 500 * time.Millisecond, Deadline: patience}, true
	case phase == history.Final:
		body, to := p.finish(w, c)
		if body == nil {
			w.finishing[c.ID] = false
			return labs.Request{}, false
		}
		return labs.Request{Body: body, To: to, Wait: payWait, Deadline: patience}, true
	}
	body := p.next(w, c)
	to := w.gates(c)
	if anyNode(body) { // these are answered by the node that gets them
		to = w.turned(to, c.Rand)
	}
	return labs.Request{Body: body, To: to, Wait: payWait, Deadline: patience}, true
}

// busy says whether somebody who is no auditor still asks for something.
func (w *workload) busy() bool {
	for _, b := range w.finishing {
		if b {
			return true
		}
	}
	return false
}

// gates are the members that a client asks, in turn. One that is at home in a cloud asks the nodes of that cloud, its own
// region's first; any other asks its region's router, and then ledger nodes.
func (w *workload) gates(c *labs.Client) (ids []nodes.ID) {
	near := func(of func(m nodes.Member) bool) {
		for _, id := range w.layout.Ledger {
			if m, _ := w.topology.Member(id); of(m) && !slices.Contains(ids, id) {
				ids = append(ids, id)
			}
		}
	}
	if inCloud(c.Zone) {
		near(func(m nodes.Member) bool { return m.Zone == c.Zone && m.Region == c.Region })
		near(func(m nodes.Member) bool { return m.Zone == c.Zone })
		return ids
	}
	for _, id := range w.layout.Routers {
		if m, _ := w.topology.Member(id); m.Region == c.Region {
			ids = append(ids, id)
		}
	}
	near(func(m nodes.Member) bool { return m.Region == c.Region })
	near(func(nodes.Member) bool { return true })
	return ids
}

// anyNode says of a request that whoever gets it answers from what it has itself.
func anyNode(body any) bool {
	switch body.(type) {
	case s.GetStatement, s.GetReceipt, s.GetHead, s.GetConsistency, s.GetEntries:
		return true
	}
	return false
}

// turned is the ledger nodes among some, beginning with any of them.
func (w *workload) turned(ids []nodes.ID, r *rand.Rand) []nodes.ID {
	ids = slices.DeleteFunc(slices.Clone(ids), func(id nodes.ID) bool { return !slices.Contains(w.layout.Ledger, id) })
	at := r.IntN(len(ids))
	return slices.Concat(ids[at:], ids[:at])
}

// Done learns what became of a request.
func (w *workload) Done(c *labs.Client, op *history.Op) {
	if w.auditor(c) {
		w.read.done(op)
		return
	}
	if out, ok := op.Out.(s.WindowClosed); ok {
		w.windows[out.Region] = max(w.windows[out.Region], out.Window)
	}
	if out, ok := op.Out.(s.Balance); ok {
		w.read.longest[s.ShardOf(out.Account)] = max(w.read.longest[s.ShardOf(out.Account)], out.Size)
	}
	w.payer(c).done(w, op)
}

// An owner is a name that payments are made under.
type owner struct {
	name   string // "EU1/c3"
	recent []any  // Pay and Reverse that were asked for, the last ones
	posted []string
	again  []any // what another client is to ask for as well, at once
}

func (o *owner) remember(body any) {
	if o.recent = append(o.recent, body); len(o.recent) > recent {
		o.recent = o.recent[1:]
	}
}

// A payer is a client that pays.
type payer struct {
	id     nodes.ID
	home   string // shard
	audits bool
	own    *owner
	quote  *s.Quote // that it got and has not used
	spent  *s.Quote // that it has used
	sizes  map[string]uint64
	heads  map[string]s.Head // by shard, the newest seen
	last   []any             // what is left to be asked in the end
	asked  int
	silent bool // the last one was not answered
	owed   any  // the last one, which did not succeed
}

func (w *workload) payer(c *labs.Client) *payer {
	p := w.payers[c.ID]
	if p == nil {
		shards := w.layout.Of(c.Region)
		home := shards[w.rank(c)%len(shards)].Name
		p = &payer{id: c.ID, home: home, audits: w.auditor(c), own: &owner{name: home + "/" + string(c.ID)}, sizes: map[string]uint64{}, heads: map[string]s.Head{}}
		w.payers[c.ID] = p
	}
	return p
}

// shared is the name that the clients of a shard have together.
func (w *workload) shared(shard string) *owner {
	o := w.joint[shard]
	if o == nil {
		o = &owner{name: shard + "/joint"}
		w.joint[shard] = o
	}
	return o
}

// currencies of the regions.
var currencies = map[string]string{"EU": "EUR", "US": "USD", "AP": "JPY"}

func (w *workload) currency(shard string) string { return currencies[w.layout.Shard(shard).Region] }

// holders that every shard has. All money that there is comes from @issue.
var holders = []string{"hot", "anna", "bert", "cora", "dora", "emil", "poor"}

// next draws what a payer asks for under load.
func (p *payer) next(w *workload, c *labs.Client) any {
	r := c.Rand
	o := p.own
	if r.IntN(100) < 30 {
		o = w.shared(p.home)
	}
	if len(o.again) > 0 {
		body := o.again[0]
		o.again = o.again[1:]
		return body
	}
	if p.silent && r.IntN(2) == 0 { // whoever hears nothing looks at what he can see
		return p.look(w, r)
	}
	operator := w.rank(c)%6 == 4
	switch n := r.IntN(1000); {
	case n < 60 && len(o.recent) > 0: // once more
		return o.recent[r.IntN(len(o.recent))]
	case n < 85 && len(o.recent) > 0:
		return other(o.recent[r.IntN(len(o.recent))], r)
	case n < 130 && len(o.posted) > 0:
		return p.reverse(w, o, r)
	case n < 170 && len(o.recent) > 0:
		client, key := named(o.recent[r.IntN(len(o.recent))])
		return s.Status{Client: client, Key: key}
	case n < 280:
		return s.GetBalance{Account: w.account(r)}
	case n < 340:
		return p.statement(w, r)
	case n < 400 && len(o.recent) > 0:
		client, key := named(o.recent[r.IntN(len(o.recent))])
		return s.GetReceipt{Client: client, Key: key, Accepted: r.IntN(4) == 0}
	case n < 430:
		return s.GetHead{Shard: w.shard(r)}
	case n < 500 && p.quote == nil:
		from, to := w.pair(r)
		return s.GetQuote{Client: p.own.name, From: from, To: to}
	case n < 540 && operator:
		return s.CloseWindow{Region: c.Region, Window: w.windows[c.Region] + 1}
	case n < 555 && operator:
		return p.plant(w, r)
	case n < 565 && operator:
		return s.Reconcile{}
	}
	return p.pay(w, o, r)
}

func (w *workload) shard(r *rand.Rand) string {
	return w.layout.Shards[r.IntN(len(w.layout.Shards))].Name
}

// account is one that people look at.
func (w *workload) account(r *rand.Rand) string {
	shard := w.shard(r)
	holder, currency := holders[r.IntN(len(holders))], w.currency(shard)
	if r.IntN(3) == 0 {
		holder = "hot"
	}
	if r.IntN(4) == 0 {
		_, currency = w.pair(r)
	}
	if r.IntN(10) == 0 {
		holder = []string{"@fx", "@round", "@issue"}[r.IntN(3)]
		if holder == "@round" {
			currency += "~"
		}
	}
	return shard + "/" + holder + "/" + currency
}

// pair is two currencies.
func (w *workload) pair(r *rand.Rand) (from, to string) {
	at := r.Perm(len(w.layout.Regions))
	return currencies[w.layout.Regions[at[0]]], currencies[w.layout.Regions[at[1]]]
}

// pay draws a payment. Much of it is between people of one shard; hot is in a quarter of it.
func (p *payer) pay(w *workload, o *owner, r *rand.Rand) any {
	shard := p.home
	if r.IntN(12) == 0 { // out of an account that is not at home
		shard = w.shard(r)
	}
	holder := func() string {
		switch n := r.IntN(100); {
		case n < 22:
			return "hot"
		case n < 24:
			return fmt.Sprint("sanctioned", r.IntN(3))
		case n < 25:
			return "review"
		}
		return holders[r.IntN(len(holders))]
	}
	currency := w.currency(shard)
	if r.IntN(5) == 0 {
		_, currency = w.pair(r)
	}
	body := s.Pay{From: shard + "/" + holder() + "/" + currency, Amount: 1 + r.Int64N(400), Memo: memo(r)}
	to, what := shard, currency
	switch n := r.IntN(100); {
	case n < 22: // money comes in
		body.From, body.Amount = shard+"/@issue/"+currency, 200+r.Int64N(4000)
		if r.IntN(12) == 0 {
			body.To, body.Amount = shard+"/vault/"+currency, s.MaxAmount
		}
	case n < 24:
		body.From, body.To, body.Amount = shard+"/vault/"+currency, shard+"/vault2/"+currency, s.MaxAmount
	case n < 50:
	case n < 66:
		to = w.shard(r)
	case n < 78:
		_, what = w.pair(r)
	default:
		to = w.shard(r)
		what = w.currency(to)
	}
	if body.To == "" {
		name := holder()
		if r.IntN(12) == 0 { // somebody who had no account
			name = fmt.Sprint("new", w.keys)
		}
		body.To = to + "/" + name + "/" + what
	}
	switch n := r.IntN(200); {
	case n < 8:
		body.Amount *= 100
	case n == 8:
		body.Amount = 0
	case n == 9:
		body.Amount = -body.Amount
	case n == 10:
		body.Amount = s.MaxAmount + 1
	case n == 11:
		body.From, body.Amount = p.home+"/@issue/"+currency, s.MaxAmount
	}
	switch r.IntN(40) {
	case 0:
		body.Within = 1 + r.Int64N(40)
	case 1, 2:
		body.Within = 200 + r.Int64N(2000)
	}
	if q := p.quote; q != nil && r.IntN(2) == 0 { // what it was got for
		o = p.own
		body.From, body.To = swapCurrency(body.From, q.From), swapCurrency(body.To, q.To)
		body.Quote, p.quote, p.spent = q, nil, q
	} else if q := p.spent; q != nil && r.IntN(25) == 0 { // and once more, or too late
		o = p.own
		body.From, body.To = swapCurrency(body.From, q.From), swapCurrency(body.To, q.To)
		body.Quote = q
	}
	w.keys++
	body.Client, body.Key = o.name, fmt.Sprint("k", w.keys)
	o.remember(body)
	if r.IntN(25) == 0 {
		o.again = append(o.again, body)
	}
	return body
}

func swapCurrency(account, currency string) string {
	return account[:strings.LastIndexByte(account, '/')+1] + currency
}

// named is the client and key of a payment.
func named(body any) (client, key string) {
	switch b := body.(type) {
	case s.Pay:
		return b.Client, b.Key
	case s.Reverse:
		return b.Client, b.Key
	}
	return "", ""
}

// other is a payment under the same key, of which something is different.
func other(body any, r *rand.Rand) any {
	switch b := body.(type) {
	case s.Pay:
		switch r.IntN(3) {
		case 0:
			b.Amount++
		case 1:
			b.Memo += "!"
		default:
			b.To = swapHolder(b.To, "emil2")
		}
		return b
	case s.Reverse:
		b.Payment += "0"
		return b
	}
	return body
}

func swapHolder(account, holder string) string {
	shard, currency := s.ShardOf(account), s.CurrencyOf(account)
	return shard + "/" + holder + "/" + currency
}

// reverse pays back one of an owner's payments; another client asks for the same under another key.
func (p *payer) reverse(w *workload, o *owner, r *rand.Rand) any {
	at := r.IntN(len(o.posted))
	id := o.posted[at]
	w.keys += 2
	first := s.Reverse{Client: o.name, Key: fmt.Sprint("k", w.keys-1), Payment: id}
	if r.IntN(2) == 0 {
		o.again = append(o.again, s.Reverse{Client: o.name, Key: fmt.Sprint("k", w.keys), Payment: id})
	}
	if r.IntN(3) > 0 {
		o.posted = slices.Delete(slices.Clone(o.posted), at, at+1)
	}
	o.remember(first)
	return first
}

// look asks for what any node can tell.
func (p *payer) look(w *workload, r *rand.Rand) any {
	if r.IntN(2) == 0 {
		return s.GetHead{Shard: w.shard(r)}
	}
	return s.GetStatement{Account: w.account(r)}
}

// statement asks for an account from some size on, as of another or of now.
func (p *payer) statement(w *workload, r *rand.Rand) any {
	q := s.GetStatement{Account: w.account(r)}
	size := p.sizes[s.ShardOf(q.Account)]
	if size > 0 && r.IntN(2) == 0 {
		q.AsOf = size - r.Uint64N(min(size, 200))
	}
	if now := max(q.AsOf, size); now > 0 {
		q.From = now - r.Uint64N(min(now, 300))
	}
	return q
}

func (p *payer) plant(w *workload, r *rand.Rand) any {
	shard := p.home
	with := w.shard(r)
	if with == shard {
		return s.Reconcile{}
	}
	w.items++
	return s.Plant{Shard: shard, With: with, Currency: w.currency(shard), Item: fmt.Sprint("slip", w.items), Amount: 1 + r.Int64N(50)}
}

// memo is what people write: mostly little, some of it awkward.
func memo(r *rand.Rand) string {
	switch n := r.IntN(60); {
	case n < 6:
		return []string{"žluťoučký kůň", "請求書 №7", "\u0000\u0001\n\t\"\\", "a\u2028b", "💶→💴", " "}[n]
	case n < 8:
		return strings.Repeat("é", 300)
	case n < 40:
		return ""
	}
	return fmt.Sprint("invoice ", r.IntN(1000))
}

// done learns what became of a request.
func (p *payer) done(w *workload, op *history.Op) {
	if _, passing := op.Out.(s.NotYet); op.Outcome != history.Unknown && !passing {
		p.owed = nil
	}
	if !anyNode(op.In) {
		p.silent = op.Outcome == history.Unknown
	}
	switch out := op.Out.(type) {
	case s.Quote:
		if p.quote == nil {
			p.quote = &out
		}
	case s.Paid:
		client, _ := named(op.In)
		for _, o := range []*owner{p.own, w.joint[p.home]} {
			if pay, ok := op.In.(s.Pay); ok && out.State == s.Posted && o != nil && o.name == client && pay.Quote == nil && !slices.Contains(o.posted, out.Payment) {
				if o.posted = append(o.posted, out.Payment); len(o.posted) > recent {
					o.posted = o.posted[1:]
				}
			}
		}
	case s.Balance:
		shard := s.ShardOf(out.Account)
		p.sizes[shard] = max(p.sizes[shard], out.Size)
	case s.Statement:
		p.saw(out.Head)
	case s.Receipt:
		p.saw(out.Head)
	case s.Head:
		p.saw(out)
	}
}

func (p *payer) saw(h s.Head) {
	p.sizes[h.Shard] = max(p.sizes[h.Shard], h.Size)
	if h.Size > p.heads[h.Shard].Size {
		p.heads[h.Shard] = h
	}
}
