package settlement

import (
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/mod/sumdb/tlog"

	"faultlab/nodes"
	"faultlab/nodes/cluster/sim"
	"faultlab/nodes/raftlog"
)

// A world is a cluster with clients, and what its nodes said.
type world struct {
	t       *testing.T
	c       *sim.Cluster
	top     nodes.Topology
	layout  *Layout
	leaders map[string]nodes.ID
	reached map[string]int
	sealed  map[string]Sealed // by shard and block
	digests map[string]uint64 // by shard and index
	told    map[string]int    // notices, by node and payment
	allowed map[string]bool   // by payment and region
	crossed map[string]bool   // payments about which shards spoke to each other
	closed  []WindowClosed    // heard
	damaged []Damaged
	chance  *rand.Rand
	paid    map[string]*paying
	bases   map[string]uint64 // sizes up to which shards were compacted, as far as logs has seen
	opened  map[string]int64  // balances that lay below
}

func (w *world) Event(_ time.Duration, node nodes.ID, event any) {
	switch e := event.(type) {
	case raftlog.Leads:
		w.leaders[e.Group] = node
	case Sealed:
		name := fmt.Sprint(e.Shard, " ", e.Block)
		if other, known := w.sealed[name]; known && other != e {
			w.t.Errorf("%s has block %s as %+v, another as %+v", node, name, e, other)
		}
		w.sealed[name] = e
	case Damaged:
		w.damaged = append(w.damaged, e)
	case Digest:
		name := fmt.Sprint(e.Shard, " ", e.Index)
		if other, known := w.digests[name]; known && other != e.Sum {
			w.t.Errorf("%s comes to %x at %s, another to %x", node, e.Sum, name, other)
		}
		w.digests[name] = e.Sum
	case Notified:
		w.told[fmt.Sprint(node, " ", e.Payment)]++
	case Screened:
		w.allowed[e.Payment+" "+e.Region] = e.Verdict == Allow
	case Crossed:
		w.crossed[e.Payment] = true
	}
}
func (w *world) Reached(_ nodes.ID, probe string)          { w.reached[probe]++ }
func (w *world) Log(_ time.Duration, _ nodes.ID, _ string) {}

// clouds is the topology of six ledger nodes in three clouds and three regions, and the services beside them.
func clouds() nodes.Topology {
	return nodes.Topology{
		Members: []nodes.Member{
			{ID: "l1", Region: "EU", Zone: "aws"}, {ID: "l2", Region: "US", Zone: "aws"},
			{ID: "l3", Region: "US", Zone: "azure"}, {ID: "l4", Region: "AP", Zone: "azure"},
			{ID: "l5", Region: "AP", Zone: "gcp"}, {ID: "l6", Region: "EU", Zone: "gcp"},
			{ID: "router-eu", Region: "EU", Zone: "edge-eu"}, {ID: "router-us", Region: "US", Zone: "edge-us"},
			{ID: "router-ap", Region: "AP", Zone: "edge-ap"}, {ID: "fx", Region: "EU", Zone: "edge-eu"},
			{ID: "compliance-eu", Region: "EU", Zone: "edge-eu"}, {ID: "compliance-us", Region: "US", Zone: "edge-us"},
			{ID: "compliance-ap", Region: "AP", Zone: "edge-ap"},
		},
	}
}

func newWorld(t *testing.T, bug string, seed uint64) *world {
	w := &world{
		t: t, top: clouds(), leaders: map[string]nodes.ID{}, reached: map[string]int{}, chance: rand.New(rand.NewPCG(seed, 7)),
		sealed: map[string]Sealed{}, digests: map[string]uint64{}, told: map[string]int{}, allowed: map[string]bool{}, crossed: map[string]bool{},
		paid: map[string]*paying{}, bases: map[string]uint64{"": 0}, opened: map[string]int64{},
	}
	w.layout = NewLayout(w.top)
	var err error
	w.c, err = sim.Start(nodes.Spec{System: System(), Bug: bug, Topology: w.top, Seed: seed, Observer: w, Recode: seed%3 == 2})
	must(t, err)
	w.run(4 * time.Second)
	return w
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func (w *world) run(d time.Duration) {
	w.t.Helper()
	must(w.t, w.c.Run(w.c.Now()+d))
}

// ask asks one node and waits for what it says.
func (w *world) ask(at nodes.ID, body any) (reply any) {
	w.t.Helper()
	m, _ := w.top.Member(at)
	w.c.Call(nodes.Member{ID: "admin", Region: m.Region, Zone: m.Zone}, at, body, 3*time.Second, func(r any, _ bool) { reply = r })
	for until := w.c.Now() + 3*time.Second; reply == nil && w.c.Now() < until; {
		w.run(20 * time.Millisecond)
	}
	return reply
}

// A paying is a payment as its client knows it.
type paying struct {
	pay   Pay
	back  *Reverse // in its place
	heard []Paid
	no    string // why not, if it was refused
}

var currencies = map[string]string{"EU1": "EUR", "EU2": "EUR", "US1": "USD", "AP1": "JPY"}

// client pays at random moments until end, sometimes the same thing twice at once, and asks again after silence.
func (w *world) client(name string, end time.Duration) {
	shards := []string{"EU1", "EU2", "US1", "AP1"}
	home := ShardOf(name)
	member := nodes.Member{ID: nodes.ID(strings.ReplaceAll(name, "/", "-")), Region: w.layout.Shard(home).Region, Zone: "edge-" + strings.ToLower(w.layout.Shard(home).Region)}
	holder := func(shard string) string {
		return fmt.Sprintf("%s/%c/%s", shard, 'a'+rune(w.chance.IntN(4)), currencies[shard])
	}
	number := 0
	var next func()
	next = func() {
		if w.c.Now() > end {
			return
		}
		number++
		p := &paying{pay: Pay{Client: name, Key: fmt.Sprint("k", number), Amount: 1 + w.chance.Int64N(400), Memo: "zażółć"}}
		switch w.chance.IntN(4) {
		case 0:
			p.pay.From, p.pay.To = home+"/@issue/"+currencies[home], holder(home)
		case 1:
			p.pay.From, p.pay.To = holder(home), holder(home)
		case 2:
			other := shards[w.chance.IntN(4)]
			p.pay.From, p.pay.To = holder(home), holder(other)
		case 3:
			other := shards[w.chance.IntN(4)]
			p.pay.From, p.pay.To = holder(home), other+"/a/"+currencies[home]
			p.pay.Within = 500 + w.chance.Int64N(2000)
		}
		if p.pay.Within == 0 && CurrencyOf(p.pay.From) != CurrencyOf(p.pay.To) { // with a quote of its own, and that once more
			ask := GetQuote{Client: name, From: CurrencyOf(p.pay.From), To: CurrencyOf(p.pay.To)}
			w.c.Call(member, w.top.Members[w.chance.IntN(9)].ID, ask, time.Second, func(body any, _ bool) {
				if q, ok := body.(Quote); ok {
					for range 2 {
						number++
						again := p.pay
						again.Key, again.Quote = fmt.Sprint("k", number), &q
						w.paid[name+" "+again.Key] = &paying{pay: again}
						w.c.Call(member, w.top.Members[w.chance.IntN(9)].ID, again, time.Second, func(any, bool) {})
					}
				}
			})
		}
		var body any = p.pay
		if last := w.paid[fmt.Sprint(name, " k", number-1)]; last != nil && len(last.heard) > 0 && last.back == nil && w.chance.IntN(5) == 0 {
			p.back = &Reverse{Client: name, Key: p.pay.Key, Payment: last.heard[0].Payment}
			body = *p.back
			w.paid[name+" "+p.pay.Key] = p
			number++ // and the same under another key, at the same time
			again := Reverse{Client: name, Key: fmt.Sprint("k", number), Payment: p.back.Payment}
			w.paid[name+" "+again.Key] = &paying{back: &again, pay: Pay{Client: name, Key: again.Key}}
			w.c.Call(member, w.top.Members[w.chance.IntN(6)].ID, again, time.Second, func(any, bool) {})
		}
		w.paid[name+" "+p.pay.Key] = p
		left := 6
		var ask func()
		ask = func() {
			at := w.top.Members[w.chance.IntN(9)].ID
			w.c.Call(member, at, body, 900*time.Millisecond, func(body any, _ bool) {
				switch b := body.(type) {
				case Paid:
					p.heard = append(p.heard, b)
				case Refused:
					p.no = b.Why
				case Conflict:
					w.t.Errorf("%s %s: %s", name, p.pay.Key, b.Why)
				default:
					if left--; left > 0 {
						w.c.After(0, ask)
						return
					}
				}
				w.c.After(time.Duration(w.chance.IntN(300))*time.Millisecond, next)
			})
		}
		ask()
		if w.chance.IntN(6) == 0 { // the same at the same time elsewhere
			w.c.Call(member, w.top.Members[w.chance.IntN(6)].ID, body, time.Second, func(body any, _ bool) {
				if b, ok := body.(Paid); ok {
					p.heard = append(p.heard, b)
				}
			})
		}
		if before := w.paid[name+" k1"]; w.chance.IntN(8) == 0 && len(before.heard) > 0 {
			other := before.pay
			other.Amount++
			w.c.Call(member, w.top.Members[w.chance.IntN(6)].ID, other, time.Second, func(body any, _ bool) {
				switch body.(type) {
				case Paid, Refused:
					w.t.Errorf("%s k1 with another amount was answered with %+v", name, body)
				}
			})
		}
	}
	next()
}

// TestAStormLeavesEveryPaymentWholeOnceAndOnEveryReplica lets clients pay while messages are lost, doubled and late,
// nodes die, lose power or their disks, and bytes flip on disks of those that are down. In the end the logs of all
// replicas must be the same and everything in them as the design says.
func TestAStormLeavesEveryPaymentWholeOnceAndOnEveryReplica(t *testing.T) {
	for _, seed := range []uint64{1, 2, 3} {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			w := newWorld(t, "", seed)
			defer w.c.Close()
			w.storm(20 * time.Second)
			w.judge()
		})
	}
}

// The same seed gives the same entries, and the same evidence.
func TestTheSameSeedGivesTheSameLogs(t *testing.T) {
	var first *world
	for range 2 {
		w := newWorld(t, "", 4)
		defer w.c.Close()
		w.storm(6 * time.Second)
		if first == nil {
			first = w
			continue
		}
		if len(w.digests) == 0 || !maps.Equal(w.sealed, first.sealed) || !maps.Equal(w.digests, first.digests) || !maps.Equal(w.reached, first.reached) {
			t.Errorf("two runs differ: %v %v", w.reached, first.reached)
		}
	}
}

func (w *world) storm(long time.Duration) {
	ctx, t := context.Background(), w.t
	end := w.c.Now() + long
	for _, name := range []string{"EU1/c1", "EU1/c2", "EU2/c3", "US1/c4", "US1/c5", "AP1/c6"} {
		w.client(name, end)
	}
	var closing func()
	closing = func() {
		if w.c.Now() > end {
			return
		}
		region := w.layout.Regions[w.chance.IntN(3)]
		w.c.Call(nodes.Member{ID: "admin", Region: region, Zone: "edge"}, w.top.Members[w.chance.IntN(6)].ID, CloseWindow{Region: region}, 2*time.Second, func(body any, _ bool) {
			if b, ok := body.(WindowClosed); ok {
				w.closed = append(w.closed, b)
			}
			w.c.After(time.Duration(w.chance.IntN(2000))*time.Millisecond, closing)
		})
	}
	closing()
	for i := range 3 {
		shards := w.layout.Shards
		item := Plant{Shard: shards[i].Name, With: shards[i+1].Name, Currency: "EUR", Item: fmt.Sprint("drift", i), Amount: int64(10 + i)}
		w.c.Call(nodes.Member{ID: "admin", Region: "EU", Zone: "edge"}, w.top.Members[i].ID, item, time.Second, func(any, bool) {})
	}
	for w.c.Now() < end {
		var links []nodes.Link
		for _, a := range w.top.Members {
			for _, b := range w.top.Members {
				if a.ID != b.ID && w.chance.IntN(4) == 0 {
					links = append(links, nodes.Link{From: a.ID, To: b.ID})
				}
			}
		}
		q := nodes.Quality{
			LossPerMille: w.chance.IntN(300), DuplicatePerMille: w.chance.IntN(400), ReorderPerMille: w.chance.IntN(500),
			Delay: time.Duration(w.chance.IntN(60)) * time.Millisecond, Jitter: time.Duration(1+w.chance.IntN(300)) * time.Millisecond,
		}
		if w.chance.IntN(4) == 0 {
			q = nodes.Quality{Cut: true}
		}
		heal, err := w.c.Degrade(ctx, links, q)
		must(t, err)
		victim := w.top.Members[w.chance.IntN(len(w.top.Members))].ID
		switch w.chance.IntN(5) {
		case 0:
			must(t, w.c.PowerLoss(ctx, []nodes.ID{victim}))
		case 1:
			must(t, w.c.Pause(ctx, victim))
		case 2:
			must(t, w.c.Kill(ctx, victim))
			must(t, w.c.Wipe(ctx, victim))
		case 3:
			must(t, w.c.Kill(ctx, victim))
			if slices.Contains(w.layout.Ledger, victim) {
				_, err := w.c.Damage(ctx, victim, nodes.Damage{Form: nodes.BitFlip, Seed: w.chance.Uint64()})
				must(t, err)
			}
		}
		w.run(time.Duration(500+w.chance.IntN(2000)) * time.Millisecond)
		must(t, w.c.Resume(ctx, victim))
		must(t, w.c.Boot(ctx, victim))
		must(t, heal(ctx))
		w.run(time.Duration(500+w.chance.IntN(1500)) * time.Millisecond)
	}
	w.run(12 * time.Second)
	if r, ok := w.ask("l4", Reconcile{}).(Reconciled); !ok || len(r.Breaks) > 3 {
		t.Errorf("reconciliation says %+v, and three breaks were made", r)
	}
	if r, ok := w.ask("l5", Reconcile{}).(Reconciled); !ok || len(r.Breaks) > 0 {
		t.Errorf("a second reconciliation says %+v", r)
	}
	w.run(2 * time.Second) // what it had noted may have made a window due
}

// logs fetches every shard's entries from every ledger node.
func (w *world) logs() map[string][]*Entry {
	all := map[string][]*Entry{}
	for _, s := range w.layout.Shards {
		for _, id := range w.layout.Ledger {
			var entries []*Entry
			for {
				first := max(uint64(len(entries)), w.bases[s.Name])
				reply := w.ask(id, GetEntries{Shard: s.Name, First: first, Count: SegmentSize})
				got, ok := reply.(Entries)
				if ok && got.Base > first {
					w.bases[s.Name] = got.Base
					entries = make([]*Entry, got.Base)
					continue
				}
				if !ok || len(got.Entries) == 0 && got.Head.Size != first {
					w.t.Fatalf("%s does not show entries of %s from %d on: %+v", id, s.Name, first, reply)
				}
				if first == got.Base {
					entries = make([]*Entry, got.Base)
					for _, b := range got.Balances {
						w.opened[b.Account] = b.Posted
					}
				}
				for _, data := range got.Entries {
					entries = append(entries, ParseEntry(data))
				}
				if uint64(len(entries)) == got.Head.Size {
					break
				}
			}
			switch first := all[s.Name]; {
			case first == nil:
				all[s.Name] = entries
			case len(first) != len(entries):
				w.t.Errorf("%s has %d entries of %s, another has %d", id, len(entries), s.Name, len(first))
			default:
				for i := w.bases[s.Name]; i < uint64(len(entries)); i++ {
					if string(entries[i].Canonical()) != string(first[i].Canonical()) {
						w.t.Fatalf("%s has another entry %d of %s", id, i, s.Name)
					}
				}
			}
		}
	}
	return all
}

// judge looks at what is left: everything that must be so is, on all replicas.
func (w *world) judge() {
	t := w.t
	t.Helper()
	logs := w.logs()
	type fate struct {
		accepted, decided, posted, prepared, released int
		state                                         State
		order                                         Order
		allowed                                       map[string]bool
		windows                                       []string
		name                                          string
		reverses                                      string
	}
	fates := map[string]*fate{}
	keys, drift := map[string]string{}, map[string]int64{}
	settlements, quotes := map[string]*Entry{}, map[string]bool{}
	balances := maps.Clone(w.opened)
	total := 0
	for _, s := range w.layout.Shards {
		var last int64
		window := uint64(1)
		for i, e := range logs[s.Name] {
			if total++; e == nil {
				continue
			}
			if e.Index != uint64(i) || e.Time < last || e.Shard != s.Name {
				t.Errorf("%s %d: index %d, time %d after %d", s.Name, i, e.Index, e.Time, last)
			}
			last = e.Time
			sums := map[string]int64{}
			for _, l := range e.Legs {
				sums[CurrencyOf(l.Account)] += l.Amount
				if posts(e.Kind) {
					balances[l.Account] += l.Amount
					if balances[l.Account] < 0 && !own(l.Account) {
						t.Errorf("%s %d: %s falls to %d", s.Name, i, l.Account, balances[l.Account])
					}
				}
			}
			for currency, sum := range sums {
				if sum != 0 {
					t.Errorf("%s %d: %s sums to %d", s.Name, i, currency, sum)
				}
			}
			if e.Kind == KindSettled {
				name := fmt.Sprint(e.Region, " ", e.Size)
				if _, twice := settlements[name]; twice {
					t.Errorf("window %s was settled twice", name)
				}
				settlements[name] = e
			}
			if q := e.Quote; e.Kind == KindQuoted || e.Kind == KindAccepted && q.ID != "" {
				if quotes[q.ID] || q.Until < e.Time {
					t.Errorf("%s %d uses the quote %s, which it may not", s.Name, i, q.ID)
				}
				quotes[q.ID] = true
			}
			if e.Kind == KindClosed {
				if e.Size != window && w.bases[s.Name] == 0 {
					t.Errorf("%s %d closes window %d and not %d", s.Name, i, e.Size, window)
				}
				window = e.Size + 1
			}
			switch e.Kind {
			case KindPlanted:
				drift[e.Item] += e.Legs[0].Amount
			case KindCorrected:
				drift[e.Item] += e.Legs[0].Amount
				if w.bases[s.Name] == 0 && drift[e.Item] != 0 {
					t.Errorf("%s %d corrects %s to %d", s.Name, i, e.Item, drift[e.Item])
				}
			}
			if e.Payment == "" {
				continue
			}
			f := fates[e.Payment]
			if f == nil {
				f = &fate{allowed: map[string]bool{}}
				fates[e.Payment] = f
			}
			switch e.Kind {
			case KindAccepted:
				f.accepted++
				f.name = e.Client + " " + e.Key
				if other := keys[f.name]; other != "" {
					t.Errorf("%s was accepted as %s and as %s", f.name, other, e.Payment)
				}
				keys[f.name] = e.Payment
				f.order = Order{From: e.From, To: e.To}
				f.reverses = e.Reverses
			case KindScreened:
				f.allowed[e.Region] = e.Verdict == Allow
			case KindDecided:
				f.decided++
				f.state = e.State
			case KindPrepared:
				f.prepared++
			case KindReleased:
				f.released++
			case KindPosted:
				f.posted++
				for _, p := range e.Windows {
					f.windows = append(f.windows, p.Region)
					if w.bases[s.Name] == 0 && p.Window != window || p.Region != s.Region {
						t.Errorf("%s %d is in window %d of %s, and %d is open", s.Name, i, p.Window, p.Region, window)
					}
				}
			}
		}
	}
	states := map[State]int{}
	reversed := map[string]string{}
	compacted := slices.Max(slices.Collect(maps.Values(w.bases))) > 0
	for id, f := range fates {
		states[f.state]++
		if compacted {
			continue // not all of it is there to be seen
		}
		parts := len(partsOf(&f.order))
		want := 0
		if f.reverses != "" && f.state == Posted {
			if other := reversed[f.reverses]; other != "" {
				t.Errorf("%s and %s both reverse %s", id, other, f.reverses)
			}
			reversed[f.reverses] = id
		}
		if home := HomeOf(id); parts == 1 && home == ShardOf(f.order.From) && w.crossed[id] {
			t.Errorf("shards spoke about %s, which is a matter of %s alone", id, home)
		}
		if f.state == Posted {
			want = parts
			slices.Sort(f.windows)
			regions := w.layout.regionsOf(&f.order)
			slices.Sort(regions)
			if !slices.Equal(f.windows, regions) {
				t.Errorf("%s is in windows of %v, and concerns %v", id, f.windows, regions)
			}
			for _, region := range regions {
				if !w.allowed[id+" "+region] {
					t.Errorf("%s is posted, and the service of %s did not allow it", id, region)
				}
			}
			for _, region := range w.layout.regionsOf(&f.order) {
				if !f.allowed[region] {
					t.Errorf("%s is posted without an allow of %s", id, region)
				}
			}
		}
		if f.accepted != 1 || f.decided != 1 || f.posted != want {
			t.Errorf("%s: accepted %d times, decided %d times (%s), posted in %d of %d shards", id, f.accepted, f.decided, f.state, f.posted, parts)
		}
		if home := HomeOf(id); parts > 1 || home != ShardOf(f.order.From) {
			if f.prepared != f.posted+f.released {
				t.Errorf("%s: %d prepared, %d posted, %d released", id, f.prepared, f.posted, f.released)
			}
		}
	}
	heard := 0
	for name, p := range w.paid {
		id := keys[name]
		for _, h := range p.heard {
			heard++
			f := fates[h.Payment]
			switch {
			case id == "" && w.bases[HomeOf(h.Payment)] > 0:
			case h.Payment != id:
				t.Errorf("%s is %s, and its client heard of %s", name, id, h.Payment)
			case h.State != Accepted && f.state != "" && h.State != f.state:
				t.Errorf("%s is %s, and its client heard %s", name, f.state, h.State)
			}
		}
		if p.no != "" && id != "" {
			t.Errorf("%s was refused (%s), and is %s", name, p.no, id)
		}
	}
	for account, want := range balances {
		b, ok := w.ask("l2", GetBalance{account}).(Balance)
		if !ok || b.Posted != want || b.Pending != 0 {
			t.Errorf("%s: %+v, and its entries come to %d", account, b, want)
		}
	}
	for item, left := range drift {
		if left != 0 && !compacted {
			t.Errorf("%s was made and not taken back", item)
		}
	}
	for _, c := range w.closed {
		e := settlements[fmt.Sprint(c.Region, " ", c.Window)]
		if e == nil && w.bases[c.Region+"1"] == 0 || e != nil && (e.Index != c.Order || !slices.Equal(e.Nets, c.Nets)) {
			t.Errorf("window %d of %s was called closed with %+v, and settled as %+v", c.Window, c.Region, c, e)
		}
	}
	for name, times := range w.told {
		if times > 4 {
			t.Errorf("%s: told %d times", name, times)
		}
	}
	w.statements(logs)
	w.prove()
	if n := w.reached["settlement: a replica found changed entries"]; n > 0 {
		t.Errorf("%d times entries were not what they should be, and nobody had changed any", n)
	}
	t.Logf("%d entries, %d payments of which clients heard %d times: %v; %v", total, len(w.paid), heard, states, w.reached)
	if !compacted && len(reversed) == 0 || len(quotes) == 0 || len(w.closed) == 0 {
		t.Errorf("%d reversals, %d quotes, %d windows: nothing was tested", len(reversed), len(quotes), len(w.closed))
	}
	if states[Posted] < 30 || states[Expired] == 0 {
		t.Errorf("%v: nothing was tested", states)
	}
}

// statements compares what replicas say of accounts with the fold of the log.
func (w *world) statements(logs map[string][]*Entry) {
	w.t.Helper()
	for _, s := range w.layout.Shards {
		size := uint64(len(logs[s.Name]))
		for _, id := range w.layout.Ledger {
			base := w.bases[s.Name]
			if size == base {
				continue
			}
			asOf := base + 1 + w.chance.Uint64N(size-base)
			account := fmt.Sprintf("%s/%c/%s", s.Name, 'a'+rune(w.chance.IntN(4)), currencies[s.Name])
			got, ok := w.ask(id, GetStatement{Account: account, AsOf: asOf}).(Statement)
			want := Statement{Opening: w.opened[account]}
			want.Closing = want.Opening
			for _, e := range logs[s.Name][base:asOf] {
				for _, l := range e.Legs {
					if l.Account == account && posts(e.Kind) {
						want.Lines = append(want.Lines, Line{e.Index, e.Payment, l.Amount})
						want.Closing += l.Amount
					}
				}
			}
			if !ok || got.Opening != want.Opening || got.Closing != want.Closing || !slices.Equal(got.Lines, want.Lines) {
				w.t.Errorf("%s says of %s as of %d: %+v, and the log %+v", id, account, asOf, got, want)
			}
		}
	}
}

// prove checks a receipt from each node for some payments, and that all heads of a size agree.
func (w *world) prove() {
	w.t.Helper()
	roots := map[string]Hash{}
	seen := 0
	for i, name := range sortedKeys(w.paid) {
		p := w.paid[name]
		if len(p.heard) == 0 {
			continue
		}
		at := w.layout.Ledger[i%6]
		r, ok := w.ask(at, GetReceipt{Client: p.pay.Client, Key: p.pay.Key, Accepted: true}).(Receipt)
		if !ok && w.bases[ShardOf(p.pay.Client)] > 0 {
			continue
		}
		if !ok {
			w.t.Errorf("%s gives no receipt of %s", at, name)
			continue
		}
		if seen++; seen > 20 {
			break
		}
		var proof tlog.RecordProof
		for _, h := range r.Proof {
			proof = append(proof, tlog.Hash(h))
		}
		err := tlog.CheckRecord(proof, int64(r.Head.Size), tlog.Hash(r.Head.Root), int64(r.Entry.Index), tlog.RecordHash(r.Entry.Canonical()))
		if err != nil || p.back == nil && r.Entry.Body != p.pay.BodyHash() {
			w.t.Errorf("%s: the receipt of %s proves nothing: %v", at, name, err)
		}
		size := fmt.Sprint(r.Head.Shard, r.Head.Size)
		if root, known := roots[size]; known && root != r.Head.Root {
			w.t.Errorf("two roots of %s", size)
		}
		roots[size] = r.Head.Root
	}
}
