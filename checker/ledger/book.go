package ledger

import (
	"cmp"
	"fmt"
	"math/bits"
	"slices"
	"strconv"
	"strings"
)

// RateUnit is what a rate is counted in: a rate of RateUnit changes nothing.
const RateUnit = 1_000_000

// A Log is the entries of one shard from First on, in order. Below First it was compacted, and Opening is what the
// accounts held there.
type Log struct {
	Shard   string
	First   uint64
	Entries []*Entry
	Opening map[string]int64
}

// End is the size of the log.
func (l *Log) End() uint64 { return l.First + uint64(len(l.Entries)) }

// At returns an entry; nil if it is not there.
func (l *Log) At(index uint64) *Entry {
	if index < l.First || index >= l.End() {
		return nil
	}
	return l.Entries[index-l.First]
}

// A Rule is what entries may break.
type Rule string

// The rules.
const (
	Format     Rule = "format"     // an entry is what it says it is, and where
	Double     Rule = "double"     // legs come to zero
	Atomic     Rule = "atomic"     // all legs or none, one final state
	Once       Rule = "once"       // a key is accepted once
	Overdraft  Rule = "overdraft"  // nobody pays what he has not
	Exchange   Rule = "exchange"   // quotes and what comes of them
	Window     Rule = "window"     // each payment in one window of each region; closed is closed
	Compliance Rule = "compliance" // allowed before it is posted
	Finished   Rule = "finished"   // nothing is left open in the end
	Reconciled Rule = "reconciled" // breaks and what corrects them
)

// A Breach is an entry that breaks a rule.
type Breach struct {
	Rule  Rule
	Shard string
	Index uint64
	What  string
}

func (b Breach) String() string { return fmt.Sprintf("entry %d of %s: %s", b.Index, b.Shard, b.What) }

// A Version is what an account held from an entry on.
type Version struct {
	Index           uint64 // of the entry that made it so
	Posted, Pending int64
}

// A Part is what one shard has of a payment.
type Part struct {
	Prepared, Posted, Released *Entry
}

// A Payment is all that logs say of one.
type Payment struct {
	ID       string
	Accepted *Entry
	Quoted   *Entry
	Decided  *Entry
	Screened []*Entry
	Parts    map[string]*Part // by shard

	Out, In, Residue int64
	Rate             int64
	Quote            string
	Original         *Payment // that it pays back
	Reversals        int      // that were posted
}

// State is how it ended, "accepted" if it has not.
func (p *Payment) State() string {
	if p.Decided == nil {
		return "accepted"
	}
	return p.Decided.State
}

// A Break is a mistaken booking.
type Break struct{ Planted, Corrected *Entry }

// A Book is what logs of all shards add up to.
type Book struct {
	Logs     map[string]*Log
	Shards   []string // sorted
	Payments map[string]*Payment
	Order    []*Payment // by shard, then as they were accepted
	Accounts map[string][]Version
	Quotes   map[string]*Payment // that used them
	Settled  map[Place]*Entry
	Breaks   map[string]*Break // by shard and item
	Breaches []Breach

	closed map[string]uint64  // by shard: the last window that it has closed
	parted map[Place][]*Entry // closed entries of a region's window
}

type net map[string]*Net // by currency

// Words of a name.
func shardOf(account string) string { s, _, _ := strings.Cut(account, "/"); return s }

// Currency is the last part of an account.
func Currency(account string) string { return account[strings.LastIndexByte(account, '/')+1:] }

func holderOf(account string) string {
	_, rest, _ := strings.Cut(account, "/")
	return rest[:max(0, strings.LastIndexByte(rest, '/'))]
}

// Own says whether an account is the ledger's own, which has no limit.
func Own(account string) bool { return strings.HasPrefix(holderOf(account), "@") }

// Region is where a shard is at home: its name without the number.
func Region(shard string) string { return strings.TrimRight(shard, "0123456789") }

// homeOf is the home shard of a payment.
func homeOf(payment string) string { return payment[:max(0, strings.LastIndexByte(payment, '-'))] }

// Convert is what an amount is worth at a rate, rounded down, and the rest in millionths.
func Convert(amount, rate int64) (in, residue int64, ok bool) {
	if amount < 0 || rate < 0 {
		return 0, 0, false
	}
	hi, lo := bits.Mul64(uint64(amount), uint64(rate))
	if hi >= RateUnit {
		return 0, 0, false
	}
	q, r := bits.Div64(hi, lo, RateUnit)
	return int64(q), int64(r), q < 1<<62
}

// vague says that it pays back a payment that is compacted.
func (p *Payment) vague() bool { return p.Accepted.Reverses != "" && p.Original == nil }

// Regions are those of both accounts of a payment, From's first.
func (p *Payment) Regions() []string {
	from, to := Region(shardOf(p.Accepted.From)), Region(shardOf(p.Accepted.To))
	if from == to {
		return []string{from}
	}
	return []string{from, to}
}

// Shards are those that have a part in a payment.
func (p *Payment) Shards() []string {
	from, to := shardOf(p.Accepted.From), shardOf(p.Accepted.To)
	if from == to {
		return []string{from}
	}
	return []string{from, to}
}

// Exchanges says whether two currencies are concerned.
func (p *Payment) Exchanges() bool { return Currency(p.Accepted.From) != Currency(p.Accepted.To) }

// Legs are what a payment should post in a shard, by account.
func (p *Payment) Legs(shard string) map[string]int64 {
	legs := map[string]int64{}
	if p.Original != nil {
		for account, amount := range p.Original.Legs(shard) {
			legs[account] = -amount
		}
		return legs
	}
	from, to := shardOf(p.Accepted.From), shardOf(p.Accepted.To)
	out, in := Currency(p.Accepted.From), Currency(p.Accepted.To)
	if shard == from {
		legs[p.Accepted.From] -= p.Out
		switch {
		case out != in:
			legs[shard+"/@fx/"+out] += p.Out
		case from != to:
			legs[shard+"/@due."+to+"/"+out] += p.Out
		}
	}
	if shard == to {
		switch {
		case out != in:
			legs[shard+"/@fx/"+in] -= p.In
		case from != to:
			legs[shard+"/@due."+from+"/"+in] -= p.In
		}
		legs[p.Accepted.To] += p.In
		if p.Residue != 0 {
			legs[shard+"/@fx/"+in+"~"] -= p.Residue
			legs[shard+"/@round/"+in+"~"] += p.Residue
		}
	}
	return legs
}

// NewBook adds up logs. What it finds broken on the way is in Breaches.
func NewBook(logs []*Log) *Book {
	b := &Book{
		Logs: map[string]*Log{}, Payments: map[string]*Payment{}, Accounts: map[string][]Version{}, Quotes: map[string]*Payment{},
		Settled: map[Place]*Entry{}, Breaks: map[string]*Break{}, closed: map[string]uint64{}, parted: map[Place][]*Entry{},
	}
	for _, l := range logs {
		b.Logs[l.Shard] = l
		b.Shards = append(b.Shards, l.Shard)
	}
	slices.Sort(b.Shards)
	for _, s := range b.Shards { // payments first, since shards speak of each other's
		b.gather(b.Logs[s])
	}
	for _, p := range b.Order {
		b.terms(p)
	}
	for _, s := range b.Shards {
		b.fold(b.Logs[s])
	}
	for _, p := range b.Order {
		b.whole(p)
	}
	b.windows()
	slices.SortStableFunc(b.Breaches, func(a, c Breach) int {
		return cmp.Or(strings.Compare(a.Shard, c.Shard), cmp.Compare(a.Index, c.Index))
	})
	return b
}

func (b *Book) breach(rule Rule, e *Entry, format string, args ...any) {
	b.Breaches = append(b.Breaches, Breach{rule, e.Shard, e.Index, fmt.Sprintf(format, args...)})
}

// Against returns the first breach of some rules.
func (b *Book) Against(rules ...Rule) *Breach {
	for i := range b.Breaches {
		if slices.Contains(rules, b.Breaches[i].Rule) {
			return &b.Breaches[i]
		}
	}
	return nil
}

// gather collects what a shard, as the home of payments, says of them.
func (b *Book) gather(l *Log) {
	keys := map[[2]string]*Entry{}
	time := int64(-1 << 62)
	for i, e := range l.Entries {
		if e.Shard != l.Shard || e.Index != l.First+uint64(i) {
			b.Breaches = append(b.Breaches, Breach{Format, l.Shard, l.First + uint64(i), fmt.Sprintf("it says of itself that it is entry %d of %s", e.Index, e.Shard)})
		}
		if e.Time < time {
			b.breach(Format, e, "its time is before that of the entry before")
		}
		time = e.Time
		p := b.Payments[e.Payment]
		switch e.Kind {
		case "accepted":
			if e.Payment != fmt.Sprint(l.Shard, "-", e.Index) {
				b.breach(Format, e, "it accepts %s, which is not its own name", e.Payment)
			}
			key := [2]string{e.Client, e.Key}
			if first := keys[key]; first != nil {
				b.breach(Once, e, "key %q of %s is accepted as %s, and was accepted as %s", e.Key, e.Client, e.Payment, first.Payment)
			}
			keys[key] = e
			p = &Payment{ID: e.Payment, Accepted: e, Parts: map[string]*Part{}}
			b.Payments[e.Payment] = p
			b.Order = append(b.Order, p)
		case "screened":
			switch {
			case p == nil:
				b.unknown(l, e)
			case p.Decided != nil:
				b.breach(Compliance, e, "%s is screened after it was decided", p.ID)
			default:
				p.Screened = append(p.Screened, e)
			}
		case "quoted":
			switch {
			case p == nil:
				b.unknown(l, e)
			case p.Quoted != nil || p.Accepted.Quote.ID != "":
				b.breach(Exchange, e, "%s has a quote already", p.ID)
			default:
				p.Quoted = e
			}
		case "decided":
			switch {
			case p == nil:
				b.unknown(l, e)
			case p.Decided != nil:
				b.breach(Atomic, e, "%s is %s, and was %s before (entry %d)", p.ID, e.State, p.Decided.State, p.Decided.Index)
			default:
				p.Decided = e
			}
		}
		if p != nil && homeOf(e.Payment) == l.Shard && e.Body != p.Accepted.Body {
			b.breach(Format, e, "its body is not that of %s", p.ID)
		}
	}
}

// unknown notes an entry of a payment that its home never accepted, as far as the home's log is there.
func (b *Book) unknown(l *Log, e *Entry) {
	index, _ := strconv.ParseUint(e.Payment[strings.LastIndexByte(e.Payment, '-')+1:], 10, 64)
	home := b.Logs[homeOf(e.Payment)]
	if home == nil || index < home.First || index >= home.End() {
		return // that part of the log is not there
	}
	b.breach(Atomic, e, "it is %s of %s, which was never accepted", e.Kind, e.Payment)
}

// terms works out what a payment is for.
func (b *Book) terms(p *Payment) {
	a := p.Accepted
	p.Out, p.In = a.Amount, a.Amount
	if a.Reverses != "" {
		o := b.Payments[a.Reverses]
		if o == nil {
			return
		}
		p.Original = o
		p.Out, p.In, p.Rate, p.Residue, p.Quote = o.In, o.Out, o.Rate, o.Residue, o.Quote
		switch {
		case a.From != o.Accepted.To || a.To != o.Accepted.From || a.Amount != o.In:
			b.breach(Atomic, a, "it pays back %s from %s to %s, %d, where that was %d from %s to %s", o.ID, a.From, a.To, a.Amount, o.In, o.Accepted.From, o.Accepted.To)
		case a.Client != o.Accepted.Client:
			b.breach(Atomic, a, "%s pays back a payment of %s", a.Client, o.Accepted.Client)
		}
		if p.State() == "posted" {
			if o.Reversals++; o.Reversals > 1 {
				b.breach(Atomic, p.Decided, "%s is paid back a second time", o.ID)
			}
			if o.State() != "posted" {
				b.breach(Atomic, p.Decided, "it pays back %s, which is %s", o.ID, o.State())
			}
		}
		return
	}
	q, by := a.Quote, a
	if p.Quoted != nil {
		q, by = p.Quoted.Quote, p.Quoted
	}
	if q.ID == "" {
		if p.Exchanges() && p.State() == "posted" {
			b.breach(Exchange, p.Decided, "%s is posted without a quote", p.ID)
		}
		return
	}
	if used := b.Quotes[q.ID]; used != nil {
		b.breach(Exchange, by, "quote %s is used by %s, and was used by %s", q.ID, p.ID, used.ID)
	}
	b.Quotes[q.ID] = p
	switch {
	case by.Time > q.Until:
		b.breach(Exchange, by, "quote %s was good until %d and is used at %d", q.ID, q.Until, by.Time)
	case q.From != Currency(a.From) || q.To != Currency(a.To):
		b.breach(Exchange, by, "quote %s is of %s for %s, and %s pays %s for %s", q.ID, q.To, q.From, p.ID, Currency(a.To), Currency(a.From))
	case q.Client != a.Client:
		b.breach(Exchange, by, "quote %s is %s's, and used by %s", q.ID, q.Client, a.Client)
	case !q.Signed(Key("fx")):
		b.breach(Exchange, by, "quote %s is not signed by the FX engine", q.ID)
	}
	in, residue, ok := Convert(a.Amount, q.Rate)
	if !ok {
		b.breach(Exchange, by, "%d at a rate of %d is beyond what can be paid", a.Amount, q.Rate)
	}
	p.In, p.Residue, p.Rate, p.Quote = in, residue, q.Rate, q.ID
}

func (p *Payment) part(shard string) *Part {
	x := p.Parts[shard]
	if x == nil {
		x = &Part{}
		p.Parts[shard] = x
	}
	return x
}

// fold adds up a shard's log.
func (b *Book) fold(l *Log) {
	type held struct {
		account string
		amount  int64
	}
	now := map[string]*Version{}
	reserved := map[string][]held{} // by payment
	account := func(name string) *Version {
		v := now[name]
		if v == nil {
			v = &Version{Posted: l.Opening[name]}
			now[name] = v
		}
		return v
	}
	var touched []string
	change := func(name string, posted, pending int64) {
		v := account(name)
		v.Posted += posted
		v.Pending += pending
		if !slices.Contains(touched, name) {
			touched = append(touched, name)
		}
	}
	nets := map[uint64]net{}
	vague := map[uint64]bool{} // windows with a payment of which not all is there
	for _, e := range l.Entries {
		touched = touched[:0]
		p := b.Payments[e.Payment]
		if e.Payment != "" && p == nil {
			b.unknown(l, e)
		}
		b.balanced(e)
		release := func() {
			for _, r := range reserved[e.Payment] {
				change(r.account, 0, -r.amount)
			}
			delete(reserved, e.Payment)
		}
		switch e.Kind {
		case "prepared":
			for _, leg := range e.Legs {
				if leg.Amount < 0 && !Own(leg.Account) {
					change(leg.Account, 0, -leg.Amount)
					reserved[e.Payment] = append(reserved[e.Payment], held{leg.Account, -leg.Amount})
				}
			}
			if p != nil {
				x := p.part(l.Shard)
				if x.Prepared != nil || x.Posted != nil || x.Released != nil {
					b.breach(Atomic, e, "%s is prepared here a second time", p.ID)
				}
				x.Prepared = e
				b.legs(p, e)
			}
		case "released":
			release()
			if p != nil {
				x := p.part(l.Shard)
				if x.Prepared == nil || x.Posted != nil || x.Released != nil {
					b.breach(Atomic, e, "%s is released where it was not held", p.ID)
				}
				x.Released = e
			}
		case "posted":
			release()
			for _, leg := range e.Legs {
				change(leg.Account, leg.Amount, 0)
			}
			if p != nil {
				x := p.part(l.Shard)
				if x.Posted != nil || x.Released != nil {
					b.breach(Atomic, e, "%s is posted here after it was posted or released", p.ID)
				}
				x.Posted = e
				b.legs(p, e)
				b.placed(p, e, nets)
			}
			if len(e.Windows) > 0 && (p == nil || p.vague()) {
				vague[e.Windows[0].Window] = true
			}
		case "settled", "planted", "corrected":
			for _, leg := range e.Legs {
				change(leg.Account, leg.Amount, 0)
			}
			b.broken(e)
		case "closed":
			if e.Region != Region(l.Shard) || e.Size != b.closed[l.Shard]+1 && b.closed[l.Shard] > 0 {
				b.breach(Window, e, "it closes window %d of %s, after window %d", e.Size, e.Region, b.closed[l.Shard])
			}
			if !vague[e.Size] && (l.First == 0 || b.closed[l.Shard] > 0) { // else some of it is not there
				b.come(e, nets[e.Size])
			}
			b.closed[l.Shard] = max(b.closed[l.Shard], e.Size)
			at := Place{e.Region, e.Size}
			b.parted[at] = append(b.parted[at], e)
		}
		if e.Kind == "settled" {
			at := Place{e.Region, e.Size}
			if first := b.Settled[at]; first != nil {
				b.breach(Window, e, "window %d of %s is settled a second time, after entry %d", e.Size, e.Region, first.Index)
			}
			b.Settled[at] = e
		}
		for _, name := range touched {
			v := now[name]
			if v.Posted-v.Pending < 0 && !Own(name) {
				b.breach(Overdraft, e, "%s has %d, of which %d are reserved", name, v.Posted, v.Pending)
			}
			b.Accounts[name] = append(b.Accounts[name], Version{e.Index, v.Posted, v.Pending})
		}
	}
}

// balanced judges that an entry's legs come to zero in each currency.
func (b *Book) balanced(e *Entry) {
	sums := map[string]int64{}
	for _, leg := range e.Legs {
		sums[Currency(leg.Account)] += leg.Amount
		if shardOf(leg.Account) != e.Shard {
			b.breach(Double, e, "it has a leg on %s", leg.Account)
		}
	}
	for _, leg := range e.Legs {
		if sum := sums[Currency(leg.Account)]; sum != 0 {
			b.breach(Double, e, "its legs in %s come to %d", Currency(leg.Account), sum)
			return
		}
	}
}

// legs judges that an entry has the legs that its payment should have here.
func (b *Book) legs(p *Payment, e *Entry) {
	if p.vague() {
		return
	}
	want := p.Legs(e.Shard)
	got := map[string]int64{}
	for _, leg := range e.Legs {
		got[leg.Account] += leg.Amount
	}
	wrong := ""
	for _, leg := range e.Legs {
		if got[leg.Account] != want[leg.Account] {
			wrong = leg.Account
		}
	}
	for _, account := range sorted(want) {
		if got[account] != want[account] {
			wrong = account
		}
	}
	rule := Atomic
	if p.Rate > 0 {
		rule = Exchange
	}
	switch {
	case wrong != "":
		b.breach(rule, e, "%s should change %s by %d here, and does by %d", p.ID, wrong, want[wrong], got[wrong])
	case e.Kind == "posted" && p.Rate > 0 && (e.Quote.Rate != p.Rate || e.Quote.ID != p.Quote):
		b.breach(Exchange, e, "it names quote %s at %d, and %s has quote %s at %d", e.Quote.ID, e.Quote.Rate, p.ID, p.Quote, p.Rate)
	}
	if e.Body != p.Accepted.Body {
		b.breach(Format, e, "its body is not that of %s", p.ID)
	}
}

func sorted(m map[string]int64) []string {
	var all []string
	for k := range m {
		all = append(all, k)
	}
	slices.Sort(all)
	return all
}

// placed judges in which windows a payment is posted here, and counts it there.
func (b *Book) placed(p *Payment, e *Entry, nets map[uint64]net) {
	here := Region(e.Shard)
	regions := p.Regions()
	from, to := shardOf(p.Accepted.From), shardOf(p.Accepted.To)
	counts := e.Shard == from || len(regions) == 2 && e.Shard == to
	switch {
	case !counts && len(e.Windows) > 0:
		b.breach(Window, e, "%s counts a second time, in window %d of %s", p.ID, e.Windows[0].Window, e.Windows[0].Region)
		return
	case !counts:
		return
	case len(e.Windows) != 1 || e.Windows[0].Region != here:
		b.breach(Window, e, "%s is posted in %d windows, and should be in one of %s", p.ID, len(e.Windows), here)
		return
	}
	w := e.Windows[0].Window
	if w <= b.closed[e.Shard] {
		b.breach(Window, e, "%s is posted in window %d of %s, and window %d is closed", p.ID, w, here, b.closed[e.Shard])
	}
	n := nets[w]
	if n == nil {
		n = net{}
		nets[w] = n
	}
	add := func(account string, out, in int64, counts bool) {
		if Region(shardOf(account)) != here {
			return
		}
		c := Currency(account)
		if n[c] == nil {
			n[c] = &Net{Currency: c}
		}
		n[c].Out += out
		n[c].In += in
		if counts {
			n[c].Count++
		}
	}
	both := !p.Exchanges() && Region(from) == here && Region(to) == here
	add(p.Accepted.From, p.Out, 0, true)
	add(p.Accepted.To, 0, p.In, !both)
}

// come judges what a shard says that a window came to.
func (b *Book) come(e *Entry, n net) {
	told := map[string]Net{}
	for _, x := range e.Nets {
		told[x.Currency] = x
	}
	var all []string
	for c := range n {
		all = append(all, c)
	}
	for c := range told {
		if n[c] == nil {
			all = append(all, c)
		}
	}
	slices.Sort(all)
	for _, c := range all {
		want := Net{Currency: c}
		if n[c] != nil {
			want = *n[c]
		}
		if told[c] != want && (told[c] != Net{} || want != (Net{Currency: c})) {
			b.breach(Window, e, "window %d comes to %+v, and %+v were posted", e.Size, told[c], want)
			return
		}
	}
}

// windows judges that windows are settled for what their shards say, once all have closed them.
func (b *Book) windows() {
	perRegion := map[string]int{}
	for _, s := range b.Shards {
		perRegion[Region(s)]++
	}
	var places []Place
	for at := range b.Settled {
		places = append(places, at)
	}
	slices.SortFunc(places, func(a, c Place) int {
		return cmp.Or(strings.Compare(a.Region, c.Region), cmp.Compare(a.Window, c.Window))
	})
	for _, at := range places {
		e := b.Settled[at]
		if e.Shard != at.Region+"1" || e.Region != at.Region {
			b.breach(Window, e, "window %d of %s is settled there", at.Window, at.Region)
		}
		sum := net{}
		for _, c := range b.parted[at] {
			for _, x := range c.Nets {
				if sum[x.Currency] == nil {
					sum[x.Currency] = &Net{Currency: x.Currency}
				}
				s := sum[x.Currency]
				s.Count, s.Out, s.In = s.Count+x.Count, s.Out+x.Out, s.In+x.In
			}
		}
		if len(b.parted[at]) < perRegion[at.Region] {
			if !b.partial(at.Region) {
				b.breach(Window, e, "window %d of %s is settled, and %d of its %d shards have closed it", at.Window, at.Region, len(b.parted[at]), perRegion[at.Region])
			}
			continue
		}
		b.come(e, sum)
	}
}

// partial says whether the log of some shard of a region does not begin at its beginning.
func (b *Book) partial(region string) bool {
	return slices.ContainsFunc(b.Shards, func(s string) bool { return Region(s) == region && b.Logs[s].First > 0 })
}

// broken notes a break and what corrects it.
func (b *Book) broken(e *Entry) {
	name := e.Shard + " " + e.Item
	x := b.Breaks[name]
	switch e.Kind {
	case "planted":
		if x != nil && x.Planted != nil {
			b.breach(Reconciled, e, "item %s is planted a second time", e.Item)
		}
		b.Breaks[name] = &Break{Planted: e}
	case "corrected":
		switch {
		case x == nil && b.Logs[e.Shard].First > 0:
		case x == nil:
			b.breach(Reconciled, e, "it corrects item %s, which was no break", e.Item)
		case x.Corrected != nil:
			b.breach(Reconciled, e, "it corrects item %s a second time, after entry %d", e.Item, x.Corrected.Index)
		default:
			x.Corrected = e
			sums := map[string]int64{}
			for _, leg := range slices.Concat(x.Planted.Legs, e.Legs) {
				sums[leg.Account] += leg.Amount
			}
			for _, account := range sorted(sums) {
				if sums[account] != 0 {
					b.breach(Reconciled, e, "with what it corrects (entry %d) it changes %s by %d", x.Planted.Index, account, sums[account])
				}
			}
		}
	}
}

// whole judges a payment over all shards: what is posted was decided, allowed and in time.
func (b *Book) whole(p *Payment) {
	for _, s := range b.Shards {
		x := p.Parts[s]
		if x == nil {
			continue
		}
		for _, e := range []*Entry{x.Prepared, x.Posted, x.Released} {
			if e != nil && !slices.Contains(p.Shards(), s) {
				b.breach(Atomic, e, "%s has no part here", p.ID)
			}
		}
		switch {
		case x.Posted != nil && p.State() != "posted":
			b.breach(Atomic, x.Posted, "%s is posted here, and it is %s", p.ID, p.State())
		case x.Released != nil && (p.State() == "posted" || p.State() == "accepted"):
			b.breach(Atomic, x.Released, "%s is released here, and it is %s", p.ID, p.State())
		}
		if x.Posted != nil && s == p.Accepted.Shard && len(p.Shards()) == 1 && p.Decided != nil && x.Posted.Index > p.Decided.Index+1 {
			b.breach(Atomic, x.Posted, "%s is posted long after it was decided", p.ID)
		}
	}
	if p.State() != "posted" {
		return
	}
	if p.Decided.Time > p.Accepted.Expires {
		b.breach(Atomic, p.Decided, "%s is posted at %d, and it had expired at %d", p.ID, p.Decided.Time, p.Accepted.Expires)
	}
	for _, e := range p.Screened {
		if e.Verdict != "allow" {
			b.breach(Compliance, p.Decided, "%s is posted, and %s said %s (entry %d)", p.ID, e.Region, e.Verdict, e.Index)
		}
	}
	for _, region := range p.Regions() {
		allowed := false
		for _, e := range p.Screened {
			allowed = allowed || e.Region == region && e.Verdict == "allow"
		}
		if !allowed {
			b.breach(Compliance, p.Decided, "%s is posted, and %s has not allowed it", p.ID, region)
		}
	}
}

// Open returns what is not finished: payments without an end, parts that are held or not yet posted, money that is
// reserved. Of logs that are still being written that is no breach.
func (b *Book) Open() (open []Breach) {
	say := func(e *Entry, format string, args ...any) {
		open = append(open, Breach{Finished, e.Shard, e.Index, fmt.Sprintf(format, args...)})
	}
	for _, p := range b.Order {
		if p.Decided == nil {
			say(p.Accepted, "%s has come to no end", p.ID)
			continue
		}
		for _, s := range p.Shards() {
			if b.Logs[s] == nil {
				continue
			}
			x := p.part(s)
			switch {
			case p.State() == "posted" && x.Posted == nil:
				open = append(open, Breach{Atomic, p.Decided.Shard, p.Decided.Index, fmt.Sprintf("%s is posted, and not in %s", p.ID, s)})
			case x.Prepared != nil && x.Posted == nil && x.Released == nil:
				say(x.Prepared, "%s is %s, and %s still holds its part", p.ID, p.State(), s)
			}
		}
	}
	var names []string
	for name := range b.Accounts {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		list := b.Accounts[name]
		if last := list[len(list)-1]; last.Pending != 0 && len(open) == 0 {
			open = append(open, Breach{Finished, shardOf(name), last.Index, fmt.Sprintf("%s has %d reserved, for nothing", name, last.Pending)})
		}
	}
	return open
}

// Balance is what an account held after the first size entries of its shard. ok is false if that is before what is
// there.
func (b *Book) Balance(account string, size uint64) (v Version, ok bool) {
	l := b.Logs[shardOf(account)]
	if l == nil || size < l.First || size > l.End() {
		return Version{}, false
	}
	list := b.Accounts[account]
	i, _ := slices.BinarySearchFunc(list, size, func(v Version, size uint64) int { return cmp.Compare(v.Index, size) })
	if i == 0 {
		return Version{Posted: l.Opening[account]}, true
	}
	return list[i-1], true
}

// A Line is one entry's effect on the posted balance of an account.
type Line struct {
	Index   uint64
	Payment string
	Amount  int64
}

// Statement folds the log of an account's shard from one size to another.
func (b *Book) Statement(account string, from, to uint64) (opening int64, lines []Line, closing int64, ok bool) {
	l := b.Logs[shardOf(account)]
	if l == nil || from < l.First || to > l.End() || from > to {
		return 0, nil, 0, false
	}
	v, _ := b.Balance(account, from)
	opening, closing = v.Posted, v.Posted
	list := b.Accounts[account]
	i, _ := slices.BinarySearchFunc(list, from, func(v Version, size uint64) int { return cmp.Compare(v.Index, size) })
	for ; i < len(list) && list[i].Index < to; i++ {
		e := l.At(list[i].Index)
		if e.Kind == "prepared" || e.Kind == "released" {
			continue
		}
		for _, leg := range e.Legs {
			if leg.Account == account {
				lines = append(lines, Line{e.Index, e.Payment, leg.Amount})
				closing += leg.Amount
			}
		}
	}
	return opening, lines, closing, true
}
