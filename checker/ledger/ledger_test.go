package ledger

import (
	"crypto/ed25519"
	"crypto/sha256"
	"fmt"
	"slices"
	"strings"
	"testing"
)

// A book of two shards, EU1 and US1, and what a test writes in them.
type pen struct{ logs map[string]*Log }

func newPen() *pen {
	return &pen{map[string]*Log{"EU1": {Shard: "EU1"}, "US1": {Shard: "US1"}}}
}

func (p *pen) write(shard string, e Entry) *Entry {
	l := p.logs[shard]
	e.Shard, e.Index, e.Time = shard, l.End(), int64(l.End()+1)*10
	if e.Kind == "accepted" {
		e.Payment = fmt.Sprint(shard, "-", e.Index)
	}
	l.Entries = append(l.Entries, &e)
	return &e
}

func (p *pen) book() *Book { return NewBook([]*Log{p.logs["EU1"], p.logs["US1"]}) }

// A step of a payment, as a test may leave one out or change it.
type step struct {
	shard string
	Entry
}

// across pays 100 EUR from anna in EU1, who has 500, to bob in US1.
func across() []step {
	id := "EU1-4"
	s := []Leg{{"EU1/anna/EUR", -100}, {"EU1/@due.US1/EUR", 100}}
	t := []Leg{{"US1/@due.EU1/EUR", -100}, {"US1/bob/EUR", 100}}
	return []step{
		{"EU1", Entry{Kind: "accepted", Client: "EU1/c1", Key: "k0", From: "EU1/@issue/EUR", To: "EU1/anna/EUR", Amount: 500, Expires: 9000}},
		{"EU1", Entry{Kind: "screened", Payment: "EU1-0", Region: "EU", Verdict: "allow"}},
		{"EU1", Entry{Kind: "posted", Payment: "EU1-0", Legs: []Leg{{"EU1/@issue/EUR", -500}, {"EU1/anna/EUR", 500}}, Windows: []Place{{"EU", 1}}}},
		{"EU1", Entry{Kind: "decided", Payment: "EU1-0", State: "posted"}},
		{"EU1", Entry{Kind: "accepted", Client: "EU1/c1", Key: "k1", From: "EU1/anna/EUR", To: "US1/bob/EUR", Amount: 100, Expires: 9000}},
		{"EU1", Entry{Kind: "screened", Payment: id, Region: "EU", Verdict: "allow"}},
		{"EU1", Entry{Kind: "screened", Payment: id, Region: "US", Verdict: "allow"}},
		{"EU1", Entry{Kind: "prepared", Payment: id, Legs: s}},
		{"US1", Entry{Kind: "prepared", Payment: id, Legs: t}},
		{"EU1", Entry{Kind: "decided", Payment: id, State: "posted"}},
		{"EU1", Entry{Kind: "posted", Payment: id, Legs: s, Windows: []Place{{"EU", 1}}}},
		{"US1", Entry{Kind: "posted", Payment: id, Legs: t, Windows: []Place{{"US", 1}}}},
		{"EU1", Entry{Kind: "closed", Region: "EU", Size: 1, Nets: []Net{{"EUR", 2, 600, 500}}}},
		{"EU1", Entry{Kind: "settled", Region: "EU", Size: 1, Nets: []Net{{"EUR", 2, 600, 500}}, Legs: []Leg{{"EU1/@settle/EUR", 100}, {"EU1/@net/EUR", -100}}}},
		{"EU1", Entry{Kind: "planted", Item: "slip", Legs: []Leg{{"EU1/@due.US1/EUR", 7}, {"EU1/@suspense/EUR", -7}}}},
		{"EU1", Entry{Kind: "corrected", Item: "slip", Legs: []Leg{{"EU1/@due.US1/EUR", -7}, {"EU1/@suspense/EUR", 7}}}},
	}
}

func written(steps []step) *Book {
	p := newPen()
	renamed := map[string]string{}
	for _, s := range steps {
		e := s.Entry
		e.Legs = slices.Clone(e.Legs)
		if name, ok := renamed[e.Payment]; ok {
			e.Payment = name
		}
		if got := p.write(s.shard, e); e.Kind == "accepted" {
			renamed[map[string]string{"k0": "EU1-0", "k1": "EU1-4"}[e.Key]] = got.Payment
		}
	}
	return p.book()
}

func TestAPaymentThatIsDoneAsItShouldBeBreaksNothing(t *testing.T) {
	b := written(across())
	if len(b.Breaches) > 0 || len(b.Open()) > 0 {
		t.Fatal(b.Breaches, b.Open())
	}
	if v, ok := b.Balance("EU1/anna/EUR", b.Logs["EU1"].End()); !ok || v.Posted != 400 || v.Pending != 0 {
		t.Error(v, ok)
	}
	if v, _ := b.Balance("EU1/anna/EUR", 8); v.Posted != 500 || v.Pending != 100 {
		t.Errorf("after it was prepared: %+v", v)
	}
	opening, lines, closing, ok := b.Statement("EU1/anna/EUR", 3, b.Logs["EU1"].End())
	if !ok || opening != 500 || closing != 400 || len(lines) != 1 || lines[0].Amount != -100 {
		t.Error(opening, lines, closing, ok)
	}
}

// find returns the first step of a kind in a shard, of the second payment if it is one's.
func find(steps []step, shard, kind string) int {
	return slices.IndexFunc(steps, func(s step) bool { return s.shard == shard && s.Kind == kind && s.Payment != "EU1-0" && s.Key != "k0" })
}

func TestWhatIsWrongBreaksItsRule(t *testing.T) {
	without := func(shard, kind string) func([]step) []step {
		return func(s []step) []step { i := find(s, shard, kind); return slices.Delete(s, i, i+1) }
	}
	twice := func(shard, kind string) func([]step) []step {
		return func(s []step) []step { i := find(s, shard, kind); return slices.Insert(s, i+1, s[i]) }
	}
	change := func(shard, kind string, to func(*Entry)) func([]step) []step {
		return func(s []step) []step {
			e := &s[find(s, shard, kind)].Entry
			e.Legs, e.Nets = slices.Clone(e.Legs), slices.Clone(e.Nets)
			to(e)
			return s
		}
	}
	for _, c := range []struct {
		name string
		rule Rule
		do   func([]step) []step
		says string
	}{
		{"a leg too many", Double, change("EU1", "posted", func(e *Entry) { e.Legs[0].Amount-- }), "come to -1"},
		{"other legs", Atomic, change("US1", "posted", func(e *Entry) { e.Legs[0].Amount, e.Legs[1].Amount = -90, 90 }), "should change"},
		{"posted, and voided", Atomic, change("EU1", "decided", func(e *Entry) { e.State = "voided" }), "and it is voided"},
		{"decided twice", Atomic, twice("EU1", "decided"), "was posted before"},
		{"posted twice", Atomic, twice("US1", "posted"), "after it was posted"},
		{"released after it was posted", Atomic, func(s []step) []step {
			i := find(s, "US1", "posted")
			return slices.Insert(s, i+1, step{"US1", Entry{Kind: "released", Payment: "EU1-4"}})
		}, "released"},
		{"expired", Atomic, change("EU1", "accepted", func(e *Entry) { e.Expires = 15 }), "had expired"},
		{"a key twice", Once, func(s []step) []step { return append(s, s[find(s, "EU1", "accepted")]) }, "is accepted as"},
		{"one service did not allow it", Compliance, without("EU1", "screened"), "has not allowed it"},
		{"one denied it", Compliance, change("EU1", "screened", func(e *Entry) { e.Verdict = "deny" }), "said deny"},
		{"in no window", Window, change("US1", "posted", func(e *Entry) { e.Windows = nil }), "in 0 windows"},
		{"in a closed window", Window, func(s []step) []step {
			i := find(s, "EU1", "closed")
			c := s[i]
			c.Nets = []Net{{"EUR", 1, 500, 500}}
			s = slices.Delete(s, i, i+1)
			return slices.Insert(s, find(s, "EU1", "posted"), c)
		}, "is closed"},
		{"a window that comes to something else", Window, change("EU1", "closed", func(e *Entry) { e.Nets[0].Out++ }), "were posted"},
		{"settled for something else", Window, change("EU1", "settled", func(e *Entry) { e.Nets[0].Out++ }), "were posted"},
		{"settled twice", Window, twice("EU1", "settled"), "a second time"},
		{"a correction of nothing", Reconciled, without("EU1", "planted"), "which was no break"},
		{"a correction of another amount", Reconciled, change("EU1", "corrected", func(e *Entry) { e.Legs[0].Amount, e.Legs[1].Amount = -6, 6 }), "changes"},
		{"corrected twice", Reconciled, twice("EU1", "corrected"), "a second time"},
	} {
		b := written(c.do(across()))
		if found := b.Against(c.rule); found == nil || !strings.Contains(found.What, c.says) {
			t.Errorf("%s: %v, of %v", c.name, found, b.Breaches)
		}
	}
	// anna spends what she has not.
	b := written(change("EU1", "prepared", func(e *Entry) { e.Legs[0].Amount, e.Legs[1].Amount = -900, 900 })(across()))
	if found := b.Against(Overdraft); found == nil || !strings.Contains(found.What, "900 are reserved") {
		t.Error(found)
	}
}

func TestWhatIsNotFinishedIsOpen(t *testing.T) {
	for _, c := range []struct {
		shard, kind string
		says        string
	}{{"US1", "posted", "not in US1"}, {"EU1", "posted", "not in EU1"}} {
		s := across()
		i := find(s, c.shard, c.kind)
		open := written(slices.Delete(s, i, i+1)).Open()
		if len(open) == 0 || !strings.Contains(open[0].What, c.says) {
			t.Errorf("without %s in %s: %v", c.kind, c.shard, open)
		}
	}
	if open := written(across()[:8]).Open(); len(open) == 0 || !strings.Contains(open[0].What, "has come to no end") {
		t.Error(open)
	}
}

// exchange pays 101 EUR for USD within EU1, at a rate of 1.5.
func exchange(q Quote, legs []Leg) *Book {
	p := newPen()
	p.logs["EU1"].Opening = map[string]int64{"EU1/anna/EUR": 500}
	seed := sha256.Sum256([]byte("settlement key of fx"))
	q.Sig = string(ed25519.Sign(ed25519.NewKeyFromSeed(seed[:]), Write("settlement quote", q.ID, q.Client, q.From, q.To, q.Rate, q.Issued, q.Until, "")))
	e := p.write("EU1", Entry{Kind: "accepted", Client: "EU1/c1", Key: "k", From: "EU1/anna/EUR", To: "EU1/bert/USD", Amount: 101, Quote: q, Expires: 9000})
	p.write("EU1", Entry{Kind: "screened", Payment: e.Payment, Region: "EU", Verdict: "allow"})
	p.write("EU1", Entry{Kind: "posted", Payment: e.Payment, Windows: []Place{{"EU", 1}}, Quote: Quote{ID: q.ID, Rate: q.Rate}, Legs: legs})
	p.write("EU1", Entry{Kind: "decided", Payment: e.Payment, State: "posted"})
	return p.book()
}

func TestAnExchangeComesToWhatItsQuoteSays(t *testing.T) {
	good := Quote{ID: "q", Client: "EU1/c1", From: "EUR", To: "USD", Rate: 1_500_000, Until: 100}
	legs := []Leg{
		{"EU1/anna/EUR", -101}, {"EU1/@fx/EUR", 101}, {"EU1/@fx/USD", -151}, {"EU1/bert/USD", 151},
		{"EU1/@fx/USD~", -500_000}, {"EU1/@round/USD~", 500_000},
	}
	if b := exchange(good, legs); len(b.Breaches) > 0 {
		t.Fatal(b.Breaches)
	}
	old, others := good, good
	old.Until, others.Client = 5, "EU1/c2"
	kept := slices.Clone(legs)
	kept[2].Amount, kept[3].Amount = -152, 152
	for name, b := range map[string]*Book{"an old quote": exchange(old, legs), "another's": exchange(others, legs), "rounded up": exchange(good, kept), "no residue": exchange(good, legs[:4])} {
		if b.Against(Exchange) == nil {
			t.Errorf("%s: %v", name, b.Breaches)
		}
	}
	if b := exchange(good, legs); b.Order[0].Residue != 500_000 || b.Order[0].In != 151 {
		t.Error(b.Order[0])
	}
}

func TestOnlyCanonicalBytesAreAnEntry(t *testing.T) {
	e := &Entry{
		Shard: "EU1", Index: 300, Time: -5, Kind: "posted", Payment: "EU1-7", Memo: "請求書", Amount: 1 << 50, Quote: Quote{ID: "q", Sig: "sig"},
		Windows: []Place{{"EU", 3}}, Legs: []Leg{{"EU1/a/EUR", -9}, {"EU1/b/EUR", 9}}, Nets: []Net{{"EUR", 1, 2, 3}}, Item: "i", Size: 9,
	}
	data := e.Canonical()
	back, err := Decode(data)
	if err != nil {
		t.Fatal(err)
	}
	if got := back.Canonical(); string(got) != string(data) || back.Legs[1] != e.Legs[1] || back.Memo != e.Memo {
		t.Errorf("%+v", back)
	}
	for i := range data {
		if _, err := Decode(data[:i]); err == nil {
			t.Errorf("its first %d bytes are an entry", i)
		}
	}
	if _, err := Decode(append(slices.Clone(data), 0)); err == nil {
		t.Error("with a byte more it is an entry")
	}
	long := append([]byte{0x83, 0x00}, data[1:]...) // the length of the shard, in two octets where one does
	if _, err := Decode(long); err == nil {
		t.Error("a number may be written longer than it is")
	}
}

func FuzzDecode(f *testing.F) {
	f.Add((&Entry{Shard: "EU1", Kind: "closed", Nets: []Net{{"EUR", 1, 2, 3}}}).Canonical())
	f.Fuzz(func(t *testing.T, data []byte) {
		if e, err := Decode(data); err == nil && string(e.Canonical()) != string(data) {
			t.Fatalf("%x is read as an entry that is written %x", data, e.Canonical())
		}
	})
}
