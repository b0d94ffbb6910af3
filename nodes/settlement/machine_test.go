package settlement

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"testing"

	"golang.org/x/mod/sumdb/tlog"
)

// randomLog has a replica apply n commands as leaders propose them, and as they do not: late, twice, about what is over
// or was never begun. It returns them; before is called before each.
func randomLog(chance *rand.Rand, n int, r *replica, before func(i int)) (log []*command) {
	shards := []string{"EU1", "EU2", "US1", "AP1"}
	account := func(shard string) string {
		if chance.IntN(5) == 0 {
			return shard + "/@issue/" + currencies[shard]
		}
		return fmt.Sprintf("%s/%c/%s", shard, 'a'+rune(chance.IntN(3)), currencies[shard])
	}
	any := func() string { return shards[chance.IntN(4)] }
	now := int64(1e9)
	for i := range n {
		now += chance.Int64N(3e8) - 5e7
		if chance.IntN(200) == 0 {
			now += int64(Retention) / 3
		}
		id := fmt.Sprint("EU1-", chance.IntN(3*i+1))
		if known := r.unfinished(); len(known) > 0 && chance.IntN(3) > 0 {
			id = known[max(0, len(known)-1-chance.IntN(6))].ID
		}
		c := &command{Do: deed(1 + chance.IntN(13)), Now: now, Payment: id}
		switch c.Do {
		case accept:
			c.Client, c.Key, c.Body, c.Within = "EU1/c", fmt.Sprint("k", chance.IntN(n)), Hash{byte(chance.IntN(2))}, 1e9+chance.Int64N(2e10)
			if chance.IntN(4) > 0 {
				c.Payment = ""
				c.From, c.To, c.Amount = account("EU1"), account(any()), 1+chance.Int64N(500)
				if chance.IntN(2) == 0 {
					c.Quote = Quote{ID: fmt.Sprint("q", chance.IntN(n)), Rate: 1 + chance.Int64N(3e6), Until: now + chance.Int64N(1e10) - 1e9, Sig: []byte{1}}
				}
			}
		case screen:
			c.Region, c.Verdict = []string{"EU", "US", "AP"}[chance.IntN(3)], []Verdict{Allow, Allow, Allow, Deny, Review}[chance.IntN(5)]
		case quote:
			c.Quote = Quote{ID: fmt.Sprint("q", chance.IntN(n)), Rate: 1 + chance.Int64N(3e6), Until: now + 5e9, Sig: []byte{2}}
		case decide:
			c.State = []State{Posted, Voided, Expired}[chance.IntN(3)]
		case prepare:
			home := shards[1+chance.IntN(3)]
			c.Order = Order{Payment: fmt.Sprint(home, "-", i/3-chance.IntN(9)), From: account(home), To: account("EU1"), Out: 7, In: 1 + chance.Int64N(90), Expires: now + 1e9}
			if chance.IntN(2) == 0 {
				c.Order.From, c.Order.To = c.Order.To, c.Order.From
			}
		case resolve:
			c.Payment, c.Commit = fmt.Sprint(shards[1+chance.IntN(3)], "-", i/3-chance.IntN(9)), chance.IntN(2) == 0
		case closing, settle:
			c.Region, c.Window = "EU", 1+chance.Uint64N(uint64(1+i/12))
		case plant, correct:
			c.Item, c.From, c.Amount = fmt.Sprint("d", chance.IntN(20)), "EU1/@due.US1/EUR", 5
		case forget, match:
			c.IDs = []string{id}
		}
		log = append(log, c)
		before(i)
		r.Apply(r.n.env, uint64(i+1), c.encode())
	}
	return log
}

// ledgerOf is a replica of EU1 by itself.
func ledgerOf(d *desk) *replica {
	l := NewLayout(clouds())
	return &replica{machine: newMachine("", l, l.Shard("EU1")), n: &node{layout: l, env: d}}
}

// The same log gives the same state, entries and answers, wherever a replica has taken a snapshot and gone on from it:
// also on a disk of which it has all, some or nothing.
func TestAMachineIsAFunctionOfItsLog(t *testing.T) {
	for seed := range uint64(30) {
		chance := rand.New(rand.NewPCG(seed, 3))
		d := newDesk()
		r := ledgerOf(d)
		cut := 1 + chance.IntN(1499)
		var snapshot []byte
		var size uint64
		log := randomLog(chance, 1500, r, func(i int) {
			if i == cut {
				snapshot, size = r.Snapshot(), r.tree.size
			}
		})
		for i, c := range log {
			if data := c.encode(); !bytes.Equal(decodeCommand(data).encode(), data) {
				t.Fatalf("seed %d: command %d comes back as another", seed, i)
			}
		}
		if r.tree.size < 300 {
			t.Fatalf("seed %d: %d entries: nothing was tested", seed, r.tree.size)
		}
		for _, keep := range []bool{true, false} {
			other := newDesk()
			if keep { // the disk as the first life left it, at its end
				other = d
				d.events = nil
			}
			again := ledgerOf(other)
			again.Restore(1, snapshot)
			if again.tree.size != size || !bytes.Equal(again.Snapshot(), snapshot) {
				t.Fatalf("seed %d: a restored snapshot is another", seed)
			}
			for i, c := range log[cut:] {
				again.Apply(other, uint64(cut+i+1), c.encode())
			}
			if !bytes.Equal(again.Snapshot(), r.Snapshot()) || again.sum() != r.sum() {
				t.Fatalf("seed %d: another state after a restart at %d (disk kept: %v)", seed, cut, keep)
			}
			if keep && again.missing() > 0 {
				t.Errorf("seed %d: %d entries are missing on a disk that has them all: %v", seed, again.missing(), d.events)
			}
		}
	}
}

// Whatever is in the log, what must hold does.
func TestNoLogMakesMoney(t *testing.T) {
	kinds := map[Kind]int{}
	for seed := range uint64(30) {
		d := newDesk()
		r := ledgerOf(d)
		randomLog(rand.New(rand.NewPCG(seed, 4)), 1500, r, func(i int) {
			sums, held := map[string]int64{}, map[string]int64{}
			for name, a := range r.accounts {
				sums[CurrencyOf(name)] += a.posted
				if !own(name) && (a.posted-a.pending < 0 || a.pending < 0) {
					t.Fatalf("seed %d: before command %d %s has %d of which %d are pending", seed, i, name, a.posted, a.pending)
				}
			}
			for currency, sum := range sums {
				if sum != 0 {
					t.Fatalf("seed %d: before command %d all accounts in %s come to %d", seed, i, currency, sum)
				}
			}
			for _, p := range r.parts {
				for _, leg := range legsOf(&p.Order, "EU1") {
					if leg.Amount < 0 && !own(leg.Account) {
						held[leg.Account] -= leg.Amount
					}
				}
			}
			for name, a := range r.accounts {
				if a.pending != held[name] {
					t.Fatalf("seed %d: before command %d %d are pending on %s, and parts hold %d", seed, i, a.pending, name, held[name])
				}
			}
		})
		decided := map[string]bool{}
		for index := r.base; index < r.tree.size; index++ {
			e, err := r.entry(d, index)
			if err != nil {
				t.Fatal(err)
			}
			if kinds[e.Kind]++; e.Kind == KindDecided {
				if decided[e.Payment] {
					t.Errorf("seed %d: %s is decided twice", seed, e.Payment)
				}
				decided[e.Payment] = true
			}
		}
	}
	if len(kinds) < 11 {
		t.Errorf("only %v: nothing was tested", kinds)
	}
}

// Legs come to zero in each shard and currency, and a reversal takes all of them back.
func TestLegsComeToZeroAndAReversalTakesThemBack(t *testing.T) {
	chance := rand.New(rand.NewPCG(1, 5))
	shards := []string{"EU1", "EU2", "US1", "AP1"}
	for range 2000 {
		from, to := shards[chance.IntN(4)], shards[chance.IntN(4)]
		o := Order{Payment: "EU1-1", From: from + "/a/" + currencies[shards[chance.IntN(4)]], To: to + "/b/" + currencies[shards[chance.IntN(4)]], Out: 1 + chance.Int64N(MaxAmount)}
		o.In = o.Out
		if CurrencyOf(o.From) != CurrencyOf(o.To) {
			var ok bool
			o.Rate = 1 + chance.Int64N(2*RateUnit)
			if o.In, o.Residue, ok = convert(o.Out, o.Rate); !ok {
				continue
			}
			if hi := o.Out/RateUnit*o.Rate + o.Out%RateUnit*o.Rate/RateUnit; hi != o.In || o.Out%RateUnit*o.Rate%RateUnit != o.Residue {
				t.Fatalf("%d at %d is %d and %d over, and not %d", o.Out, o.Rate, hi, o.Residue, o.In)
			}
		}
		back := o
		back.From, back.To, back.Out, back.In, back.Refund = o.To, o.From, o.In, o.Out, true
		left := map[string]int64{}
		for _, shard := range partsOf(&o) {
			sums := map[string]int64{}
			for _, l := range legsOf(&o, shard) {
				sums[CurrencyOf(l.Account)] += l.Amount
				left[l.Account] += l.Amount
			}
			for currency, sum := range sums {
				if sum != 0 {
					t.Fatalf("%+v: %s comes to %d in %s", o, currency, sum, shard)
				}
			}
			for _, l := range legsOf(&back, shard) {
				left[l.Account] += l.Amount
			}
		}
		for account, amount := range left {
			if amount != 0 {
				t.Fatalf("%+v: a reversal leaves %d on %s", o, amount, account)
			}
		}
	}
	if _, _, ok := convert(MaxAmount, 2*RateUnit); ok {
		t.Error("more is paid than may be")
	}
}

// A tree restored from what a snapshot holds of it goes on to the same roots, at every size.
func TestASavedTreeGoesOnToTheSameRoots(t *testing.T) {
	whole := tree{}
	var saved []savedTree
	for n := range 2*SegmentSize + 40 {
		saved = append(saved, whole.save())
		whole.grow(tlog.RecordHash([]byte{byte(n), byte(n >> 8)}))
	}
	for size, s := range saved {
		var again tree
		again.load(s)
		for n := uint64(size); n < whole.size; n++ {
			again.grow(whole.leaf(n))
		}
		got, err := again.root(whole.size)
		if want, _ := whole.root(whole.size); err != nil || got != want {
			t.Fatalf("saved at %d: another root: %v", size, err)
		}
	}
}
