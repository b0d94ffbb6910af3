package settlement

import (
	"crypto/ed25519"
	"fmt"
	"time"

	"faultlab/nodes"
)

const (
	rateEvery = 500 * time.Millisecond // the rate source is asked
	staleTick = 4                      // rates that were not renewed so many times are not quoted
	slowBy    = 1500 * time.Millisecond
)

// An engine gives quotes. What it knows is lost when it dies, and made anew: it keeps no promise but its signature.
type engine struct {
	rates   map[string]int64 // by "EUR/USD", times RateUnit
	age     int              // times that the source has not answered
	be      string
	issued  uint64
	life    uint64 // no two lives give quotes of one name
	waiting []Priced
	to      []nodes.ID
}

// pairs are the currencies with their rates at first: minor units of the second for one of the first.
var pairs = []struct {
	name string
	rate int64
}{
	{"EUR/USD", 1_084_300}, {"EUR/JPY", 1_687_100}, {"USD/JPY", 1_555_900},
}

func newEngine(env nodes.Env) *engine {
	e := &engine{rates: map[string]int64{}, be: "up", life: env.Rand().Uint64() >> 24}
	for _, p := range pairs {
		e.rates[p.name] = p.rate
	}
	env.After(rateEvery, "rates")
	return e
}

// renew asks the source for rates, which move a little each time.
func (e *engine) renew(env nodes.Env) {
	env.After(rateEvery, "rates")
	if e.be == "down" {
		e.age++
		return
	}
	e.age = 0
	for _, p := range pairs {
		e.rates[p.name] += env.Rand().Int64N(p.rate/500) - p.rate/1000
	}
}

// rate returns how many of the minor units of one currency are paid for one of another.
func (e *engine) rate(from, to string) int64 {
	if r := e.rates[from+"/"+to]; r > 0 {
		return r
	}
	if r := e.rates[to+"/"+from]; r > 0 {
		return RateUnit * RateUnit / r
	}
	return 0
}

// price answers a ledger node.
func (e *engine) price(env nodes.Env, from nodes.ID, b PriceQuote) {
	p := Priced{Shard: b.Shard, Request: b.Request}
	switch rate := e.rate(b.From, b.To); {
	case e.age >= staleTick:
		env.Reached("settlement: rates were stale")
		p.Why = "the rates are stale"
	case rate == 0:
		p.Why = "no rate for " + b.From + " to " + b.To
	default:
		e.issued++
		now := max(b.AsOf, env.Now().UnixNano())
		q := Quote{
			ID: fmt.Sprintf("q%x.%d", e.life, e.issued), Client: b.Client, From: b.From, To: b.To, Rate: rate,
			Issued: now, Until: now + int64(QuoteFor),
		}
		q.Sig = ed25519.Sign(keyOf(env.ID()), QuoteBytes(&q))
		env.Emit(Issued{q})
		p.Quote = &q
	}
	if e.be == "slow" {
		e.waiting, e.to = append(e.waiting, p), append(e.to, from)
		env.After(slowBy, fmt.Sprint("slow ", e.issued))
		return
	}
	env.Send(from, p)
}

// A pricing is a quote that a client waits for.
type pricing struct {
	asker
	client, from, to string
}

// price asks the engine for a quote for a client.
func (l *leader) price(env nodes.Env, a asker, b *GetQuote) {
	l.counter++
	name := fmt.Sprintf("client %x.%d", l.started, l.counter)
	l.quotes[name] = &pricing{a, b.Client, b.From, b.To}
	l.askPrice(env, name, b.Client, b.From, b.To)
}

func (l *leader) askPrice(env nodes.Env, name, client, from, to string) {
	if l.layout.FX != "" {
		env.Send(l.layout.FX, PriceQuote{l.Name, name, client, from, to, max(l.now, env.Now().UnixNano())})
	}
}

// priced hands a quote to the client that waits for it, or to the payment.
func (l *leader) priced(env nodes.Env, b Priced) {
	if w := l.quotes[b.Request]; w != nil {
		delete(l.quotes, b.Request)
		if b.Quote == nil {
			l.answer(env, w.asker, Answer{NoQuote: &NoQuote{b.Why}})
		} else {
			l.answer(env, w.asker, Answer{Quote: b.Quote})
		}
		return
	}
	if d := l.drive(b.Request); d != nil && b.Quote != nil && !d.p.priced() && d.p.State == Accepted {
		l.propose(env, &command{Do: quote, Payment: b.Request, Quote: *b.Quote})
	}
}

// pricesTick tells clients that the engine is silent.
func (l *leader) pricesTick(env nodes.Env) {
	for _, name := range sortedKeys(l.quotes) {
		w := l.quotes[name]
		if w.ticks++; w.ticks >= answerTicks {
			delete(l.quotes, name)
			l.answer(env, w.asker, Answer{NoQuote: &NoQuote{"the FX engine does not answer"}})
		}
	}
}
