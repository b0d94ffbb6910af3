package settlement

import (
	"crypto/ed25519"
	"fmt"
	"testing"

	"golang.org/x/mod/sumdb/tlog"
)

const benchSize = 100_000

func entryOf(i int) *Entry {
	return &Entry{
		Shard: "EU1", Index: uint64(i), Time: int64(i) * 1000, Kind: KindPosted, Payment: fmt.Sprint("EU1-", i),
		Legs:    []Leg{{"EU1/anna/EUR", -int64(i)}, {"EU1/@due.US1/EUR", int64(i)}},
		Windows: []Place{{"EU", 1}},
	}
}

// BenchmarkAppend makes entries of one kind: canonical bytes, leaf hash, tree, a block for each 32 with its signature,
// and the index.
func BenchmarkAppend(b *testing.B) {
	entries := make([]*Entry, benchSize)
	for i := range entries {
		entries[i] = entryOf(i)
	}
	b.ReportAllocs()
	for done := 0; done < b.N; {
		d, l := newDesk(), &ledger{shard: "EU1"}
		for i := 0; i < benchSize && done < b.N; i, done = i+1, done+1 {
			l.append(d, entries[i])
		}
	}
	perSecond(b)
}

// BenchmarkProve makes an inclusion proof in a tree of 100,000.
func BenchmarkProve(b *testing.B) {
	l := filled(newDesk(), benchSize)
	b.ReportAllocs()
	b.ResetTimer()
	for i := range b.N {
		if _, err := tlog.ProveRecord(benchSize, int64(i*7919%benchSize), &l.tree); err != nil {
			b.Fatal(err)
		}
	}
	perSecond(b)
}

// BenchmarkVerify recomputes leaves from entries and verifies inclusion proofs.
func BenchmarkVerify(b *testing.B) {
	d := newDesk()
	l := filled(d, benchSize)
	root, _ := l.tree.root(benchSize)
	proofs := make([]tlog.RecordProof, 1000)
	entries := make([]*Entry, len(proofs))
	for i := range proofs {
		proofs[i], _ = tlog.ProveRecord(benchSize, int64(i*97), &l.tree)
		entries[i], _ = l.entry(d, uint64(i*97))
	}
	b.ReportAllocs()
	b.ResetTimer()
	for i := range b.N {
		k := i % len(proofs)
		if err := tlog.CheckRecord(proofs[k], benchSize, tlog.Hash(root), int64(k*97), tlog.RecordHash(entries[k].Canonical())); err != nil {
			b.Fatal(err)
		}
	}
	perSecond(b)
}

// BenchmarkConsistency makes a consistency proof.
func BenchmarkConsistency(b *testing.B) {
	l := filled(newDesk(), benchSize)
	b.ResetTimer()
	for i := range b.N {
		if _, err := tlog.ProveTree(benchSize, int64(1+i*7919%benchSize), &l.tree); err != nil {
			b.Fatal(err)
		}
	}
	perSecond(b)
}

// BenchmarkHead signs a tree head, and verifies it.
func BenchmarkHead(b *testing.B) {
	d := newDesk()
	l := filled(d, benchSize)
	key := keyOf("l1").Public().(ed25519.PublicKey)
	b.ResetTimer()
	for range b.N {
		h, err := l.head(d, benchSize)
		if err != nil || !ed25519.Verify(key, HeadBytes(&h), h.Sig) {
			b.Fatal(err)
		}
	}
	perSecond(b)
}

// BenchmarkScrub reads entries back from memory and compares them with the tree; a size is a whole round over so many.
func BenchmarkScrub(b *testing.B) {
	for _, size := range []int{100_000, 1_000_000} {
		b.Run(fmt.Sprint(size), func(b *testing.B) {
			d := newDesk()
			l := filled(d, size)
			b.ResetTimer()
			for range b.N {
				for range len(l.segments) + 1 {
					l.scrub(d)
				}
			}
			b.ReportMetric(float64(b.N)*float64(size)/b.Elapsed().Seconds(), "entries/s")
		})
	}
}

// BenchmarkBoot reads a whole ledger at a boot, and makes its tree and its index anew.
func BenchmarkBoot(b *testing.B) {
	const size = 1_000_000
	d := newDesk()
	before := filled(d, size)
	saved := before.tree.save()
	b.ResetTimer()
	for range b.N {
		l := &ledger{shard: "EU1", blocks: before.blocks}
		l.tree.load(saved)
		l.recover(d)
		if l.missing() > 0 {
			b.Fatal("something is missing")
		}
	}
	b.ReportMetric(float64(b.N)*size/b.Elapsed().Seconds(), "entries/s")
}

func perSecond(b *testing.B) { b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "entries/s") }
