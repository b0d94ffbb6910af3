package settlement

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"golang.org/x/mod/sumdb/tlog"

	"faultlab/nodes"
)

// A desk is an Env for a ledger by itself, on a disk whose bytes a test can change.
type desk struct {
	nodes.Env
	logs   map[string]*paper
	events []any
	sent   []nodes.Message
}

func newDesk() *desk { return &desk{logs: map[string]*paper{}} }

func (d *desk) ID() nodes.ID        { return "l1" }
func (d *desk) Disk() nodes.Disk    { return d }
func (d *desk) Sync()               {}
func (d *desk) Emit(e any)          { d.events = append(d.events, e) }
func (d *desk) Reached(string)      {}
func (d *desk) Logf(string, ...any) {}
func (d *desk) Send(to nodes.ID, body any) {
	d.sent = append(d.sent, nodes.Message{From: "l1", To: to, Body: body})
}
func (d *desk) Log(name string) nodes.Log {
	if d.logs[name] == nil {
		d.logs[name] = &paper{first: 1}
	}
	return d.logs[name]
}

// A paper is one log.
type paper struct {
	snapshot []byte
	first    uint64
	records  [][]byte
	err      error
}

func (p *paper) Append(rec []byte) uint64 {
	p.records = append(p.records, rec)
	return p.first + uint64(len(p.records)) - 1
}

func (p *paper) Snapshot(upTo uint64, data []byte) {
	p.records = slices.Clone(p.records[min(upTo+1-p.first, uint64(len(p.records))):])
	p.snapshot, p.first, p.err = data, upTo+1, nil
}

func (p *paper) Read() ([]byte, uint64, [][]byte, error) {
	return p.snapshot, p.first, slices.Clip(p.records), p.err
}

// filled is a ledger of n entries.
func filled(d *desk, n int) *ledger {
	l := &ledger{shard: "EU1"}
	for i := range n {
		e := &Entry{
			Shard: "EU1", Index: uint64(i), Time: int64(i) * 1000, Kind: KindPosted, Payment: fmt.Sprint("EU1-", i),
			Legs:    []Leg{{"EU1/anna/EUR", -int64(i)}, {"EU1/bert/EUR", int64(i)}},
			Windows: []Place{{"EU", 1}},
		}
		l.append(d, e)
	}
	return l
}

// Any byte of any entry, changed on disk while the node runs: the changed entry is never served, the next scrub tells,
// and a replica that has it all repairs it.
func TestAChangedByteIsNeverServedIsToldAndIsRepaired(t *testing.T) {
	const size = 3*SegmentSize + 77
	good := newDesk()
	whole := filled(good, size)
	chance := rand.New(rand.NewPCG(1, 1))
	n := &node{layout: &Layout{Ledger: []nodes.ID{"l1", "l2"}}}
	for range 300 {
		d := newDesk()
		l := filled(d, size)
		index := chance.Uint64N(size)
		number := index / SegmentSize
		log := d.logs[fmt.Sprint("EU1.", number)]
		rec := slices.Clone(log.records[index%SegmentSize])
		rec[chance.IntN(len(rec))] ^= byte(1 + chance.IntN(255))
		log.records[index%SegmentSize] = rec

		if chance.IntN(2) == 0 { // read first, or scrub first
			if data, err := l.entries(d, index, 1); err == nil {
				t.Fatalf("entry %d is served as %x", index, data)
			}
		}
		for range size/SegmentSize + 1 {
			l.scrub(d)
		}
		told := slices.ContainsFunc(d.events, func(e any) bool {
			x, is := e.(Damaged)
			return is && x.Segment == number && x.First == index && x.Count == 1 && x.How == "changed"
		})
		if !told {
			t.Fatalf("entry %d was changed, and nobody was told: %v", index, d.events)
		}
		l.mend(d, n)
		ask := d.sent[len(d.sent)-1].Body.(Fetch)
		good.sent = nil
		whole.fetch(good, ask, "l1")
		answer := good.sent[0].Body.(Fetched)
		lie := answer
		lie.Entries = slices.Clone(answer.Entries)
		lie.Entries[index%SegmentSize] = rec
		if l.fetched(d, lie, "l2", n); !l.segments[number].lost {
			t.Fatal("a replica believed what another sent, though it does not fit")
		}
		l.fetched(d, answer, "l2", n)
		data, err := l.entries(d, index, 1)
		want, _ := whole.entries(good, index, 1)
		if err != nil || !bytes.Equal(data[0], want[0]) {
			t.Fatalf("entry %d is not repaired: %v", index, err)
		}
	}
}

// At a boot: what cannot be read, what is changed and what is missing is found, and entries that follow are kept until
// the segment is whole again.
func TestABootFindsWhatIsWrongAndGoesOnWriting(t *testing.T) {
	const size = SegmentSize + 100
	for _, c := range []struct {
		how  string
		harm func(*paper)
	}{
		{"unreadable", func(p *paper) { p.records, p.err = p.records[:40], errors.New("damaged") }},
		{"missing", func(p *paper) { p.records = p.records[:60] }},
		{"changed", func(p *paper) { p.records[50] = append(slices.Clone(p.records[50]), 0) }},
	} {
		for number := range 2 {
			good, d := newDesk(), newDesk()
			whole, before := filled(good, size+5), filled(d, size)
			c.harm(d.logs[fmt.Sprint("EU1.", number)])
			l := &ledger{shard: "EU1", blocks: slices.Clone(before.blocks)}
			l.tree.load(before.tree.save())
			l.recover(d)
			if x, is := d.events[len(d.events)-1].(Damaged); !is || x.How != c.how || x.Segment != uint64(number) {
				t.Fatalf("%s in segment %d: %+v", c.how, number, d.events[len(d.events)-1])
			}
			for i := range 5 {
				e, _ := whole.entry(good, uint64(size+i))
				l.append(d, e)
			}
			good.sent = nil
			whole.fetch(good, Fetch{"EU1", uint64(number)}, "l1")
			l.fetched(d, good.sent[0].Body.(Fetched), "l2", &node{layout: &Layout{}})
			for i := range uint64(size + 5) {
				got, err := l.entries(d, i, 1)
				want, _ := whole.entries(good, i, 1)
				if err != nil || !bytes.Equal(got[0], want[0]) {
					t.Fatalf("%s in segment %d: entry %d: %v", c.how, number, i, err)
				}
			}
			root, _ := l.tree.root(size + 5)
			if want, _ := whole.tree.root(size + 5); root != want || l.chain(size+5) != whole.chain(size+5) {
				t.Fatalf("%s in segment %d: another root or chain", c.how, number)
			}
		}
	}
}

// Proofs of a compacted log are those of a whole one, also after a boot.
func TestACompactedLogProvesWhatAWholeOneDoes(t *testing.T) {
	const size = 3*SegmentSize + 10
	good, d := newDesk(), newDesk()
	whole, l := filled(good, size), filled(d, size)
	l.compact(d, 2*SegmentSize, nil)
	again := &ledger{shard: "EU1", blocks: slices.Clone(l.blocks), base: l.base}
	again.tree.load(l.tree.save())
	again.recover(d)
	for _, x := range []*ledger{l, again} {
		for _, index := range []int64{0, 5, 255, 256, 511, 512, 700, size - 1} {
			got, err := tlog.ProveRecord(size, index, &x.tree)
			want, _ := tlog.ProveRecord(size, index, &whole.tree)
			if err != nil || !slices.Equal(got, want) {
				t.Errorf("another proof of entry %d: %v", index, err)
			}
		}
		for _, old := range []int64{1, 100, 257, 512, 600} {
			got, err := tlog.ProveTree(size, old, &x.tree)
			want, _ := tlog.ProveTree(size, old, &whole.tree)
			if err != nil || !slices.Equal(got, want) {
				t.Errorf("another proof of consistency with size %d: %v", old, err)
			}
		}
		if _, err := x.entries(d, 511, 1); err == nil {
			t.Error("a compacted entry is served")
		}
		if _, err := x.entries(d, 512, 1); err != nil {
			t.Error(err)
		}
	}
	if len(d.events) > len(good.events) {
		t.Errorf("told of %+v", d.events[len(good.events):])
	}
}

// A replica that no other can help says that it halts, and goes on asking.
func TestAReplicaThatNobodyCanHelpHalts(t *testing.T) {
	d := newDesk()
	l := filled(d, 10)
	d.logs["EU1.0"].records = d.logs["EU1.0"].records[:5]
	l.scrub(d)
	n := &node{layout: &Layout{Ledger: []nodes.ID{"l1", "l2", "l3"}}}
	for range 20 {
		l.mend(d, n)
		l.fetched(d, Fetched{Shard: "EU1"}, "l2", n)
	}
	halts := 0
	for _, e := range d.events {
		if _, is := e.(Halted); is {
			halts++
		}
	}
	if _, err := l.entries(d, 2, 1); halts != 1 || err == nil || len(d.sent) < 20 {
		t.Errorf("told %d times that it halts, asked %d times, served: %v", halts, len(d.sent), err == nil)
	}
}

// A bit flips on a disk while its node is down: whatever the node then serves is what the others have, it tells what
// was wrong at once, and in the end it has everything again.
func TestANodeWithAFlippedBitServesNothingElse(t *testing.T) {
	ctx := context.Background()
	told := 0
	for seed := uint64(1); seed <= 12; seed++ {
		w := newWorld(t, "", seed)
		w.client("EU1/c1", w.c.Now()+6*time.Second)
		w.client("US1/c2", w.c.Now()+6*time.Second)
		w.run(8 * time.Second)
		want := w.logs()
		must(t, w.c.Kill(ctx, "l3"))
		_, err := w.c.Damage(ctx, "l3", nodes.Damage{Form: nodes.BitFlip, Seed: seed})
		must(t, err)
		must(t, w.c.Boot(ctx, "l3"))
		for range 30 {
			for _, s := range w.layout.Shards {
				got, ok := w.ask("l3", GetEntries{Shard: s.Name, Count: SegmentSize}).(Entries)
				for i := range got.Entries {
					if ok && !bytes.Equal(got.Entries[i], want[s.Name][i].Canonical()) {
						t.Errorf("seed %d: l3 serves another entry %d of %s", seed, i, s.Name)
					}
				}
			}
		}
		w.logs()
		if w.reached["settlement: a replica found unreadable entries"] > 0 {
			told++
		}
		if !slices.ContainsFunc(w.damaged, func(d Damaged) bool { return d.How == "unreadable" }) {
			t.Errorf("seed %d: nobody told: %v", seed, w.damaged)
		}
		must(t, w.c.Close())
	}
	if told == 0 {
		t.Error("no entry was ever hit: nothing was tested")
	}
}
