package merkle

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"golang.org/x/mod/sumdb/tlog"
)

// A log is a tree of another's making, tlog's, to hold this package against.
type log struct {
	hashes []tlog.Hash
	size   int64
}

func (l *log) ReadHashes(indexes []int64) ([]tlog.Hash, error) {
	found := make([]tlog.Hash, len(indexes))
	for i, at := range indexes {
		found[i] = l.hashes[at]
	}
	return found, nil
}

func (l *log) add(t testing.TB, leaf tlog.Hash) {
	more, err := tlog.StoredHashesForRecordHash(l.size, leaf, l)
	if err != nil {
		t.Fatal(err)
	}
	l.hashes = append(l.hashes, more...)
	l.size++
}

func entry(i int64) []byte { return fmt.Appendf(nil, "entry %d of the log", i) }

func grown(t testing.TB, size int64) *log {
	l := &log{}
	for i := range size {
		l.add(t, tlog.RecordHash(entry(i)))
	}
	return l
}

func (l *log) root(t testing.TB, size int64) Hash {
	if size == 0 {
		return Empty() // tlog has none
	}
	h, err := tlog.TreeHash(size, l)
	if err != nil {
		t.Fatal(err)
	}
	return Hash(h)
}

func plain(list []tlog.Hash) (all []Hash) {
	for _, h := range list {
		all = append(all, Hash(h))
	}
	return all
}

func (l *log) inclusion(t testing.TB, size, index int64) []Hash {
	p, err := tlog.ProveRecord(size, index, l)
	if err != nil {
		t.Fatal(err)
	}
	return plain(p)
}

func (l *log) consistency(t testing.TB, size2, size1 int64) []Hash {
	p, err := tlog.ProveTree(size2, size1, l)
	if err != nil {
		t.Fatal(err)
	}
	return plain(p)
}

func TestRootsAreThoseOfTheRFC(t *testing.T) {
	// The tree of the eight leaves that certificate-transparency's own tests use.
	leaves := []string{"", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f"}
	roots := []string{
		"e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
		"6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
		"fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
		"aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
		"d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
		"4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
		"76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
		"ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
		"5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
	}
	var b Builder
	for i, want := range roots {
		if root := b.Root(); hex.EncodeToString(root[:]) != want {
			t.Errorf("the root of %d leaves is %x, not %s", i, root, want)
		}
		if i < len(leaves) {
			data, _ := hex.DecodeString(leaves[i])
			b.Add(Leaf(data))
		}
	}
}

func TestLongLeavesAreHashedAsShortOnes(t *testing.T) {
	for _, n := range []int{0, 1, 510, 511, 512, 513, 5000} {
		data := bytes.Repeat([]byte{7}, n)
		if Leaf(data) != Hash(tlog.RecordHash(data)) || Leaf(data) != sha256.Sum256(append([]byte{0}, data...)) {
			t.Errorf("a leaf of %d bytes has another hash", n)
		}
	}
}

func TestProofsOfEverySmallTreeHold(t *testing.T) {
	const most = 70
	l := grown(t, most)
	var b Builder
	for size := int64(0); ; size++ {
		root := l.root(t, size)
		if b.Root() != root || b.Size() != uint64(size) {
			t.Fatalf("the builder's root of %d leaves is another", size)
		}
		for i := range size {
			if !Included(Leaf(entry(i)), uint64(i), uint64(size), l.inclusion(t, size, i), root) {
				t.Errorf("entry %d of %d is not included", i, size)
			}
		}
		if !Consistent(0, Empty(), uint64(size), root, nil) {
			t.Errorf("the empty tree is no beginning of that of %d leaves", size)
		}
		for old := int64(1); old <= size; old++ {
			if !Consistent(uint64(old), l.root(t, old), uint64(size), root, l.consistency(t, size, old)) {
				t.Errorf("%d leaves are no beginning of %d", old, size)
			}
		}
		if size == most {
			return
		}
		b.Add(Leaf(entry(size)))
	}
}

// altered is every proof that differs from this one by a bit, or by a hash more, less, or in another place.
func altered(proof []Hash) (all [][]Hash) {
	for i := range proof {
		for bit := range 8 * len(Hash{}) {
			p := slices.Clone(proof)
			p[i][bit/8] ^= 1 << (bit % 8)
			all = append(all, p)
		}
		all = append(all, slices.Delete(slices.Clone(proof), i, i+1), slices.Insert(slices.Clone(proof), i, proof[i]))
		if i > 0 && proof[i] != proof[i-1] {
			p := slices.Clone(proof)
			p[i], p[i-1] = p[i-1], p[i]
			all = append(all, p)
		}
	}
	return append(all, append(slices.Clone(proof), Hash{}))
}

func flipped(h Hash, bit int) Hash {
	h[bit/8] ^= 1 << (bit % 8)
	return h
}

func TestWhateverIsAlteredFails(t *testing.T) {
	l := grown(t, 40)
	for _, size := range []int64{1, 2, 3, 7, 8, 21, 40} {
		n, root := uint64(size), l.root(t, size)
		for i := range size {
			leaf, proof := Leaf(entry(i)), l.inclusion(t, size, i)
			for _, p := range altered(proof) {
				if Included(leaf, uint64(i), n, p, root) {
					t.Fatalf("an altered proof shows entry %d of %d", i, size)
				}
			}
			for bit := range 256 {
				if Included(flipped(leaf, bit), uint64(i), n, proof, root) || Included(leaf, uint64(i), n, proof, flipped(root, bit)) {
					t.Fatalf("another leaf or root passes for entry %d of %d", i, size)
				}
			}
			for other := range size + 2 {
				if other != i && Included(leaf, uint64(other), n, proof, root) {
					t.Fatalf("entry %d of %d passes for entry %d", i, size, other)
				}
			}
		}
		for old := int64(1); old < size; old++ {
			first, proof := l.root(t, old), l.consistency(t, size, old)
			for _, p := range altered(proof) {
				if Consistent(uint64(old), first, n, root, p) {
					t.Fatalf("an altered proof shows %d as the beginning of %d", old, size)
				}
			}
			for bit := range 256 {
				if Consistent(uint64(old), flipped(first, bit), n, root, proof) || Consistent(uint64(old), first, n, flipped(root, bit), proof) {
					t.Fatalf("another root passes for %d or %d leaves", old, size)
				}
			}
		}
		if Consistent(n, root, n, flipped(root, 0), nil) || Consistent(n, root, n, root, []Hash{{}}) || Consistent(n+1, root, n, root, nil) ||
			Consistent(0, Empty(), n, root, []Hash{{}}) || Consistent(0, root, n, root, nil) {
			t.Errorf("what is no beginning of %d leaves passes", size)
		}
	}
}

// A checker of consistency alone would miss what happened to the log Yeti 2022.
func TestOneFlippedLeafHashLeavesEveryConsistencyProofValid(t *testing.T) {
	const size, bad = 100_000, 65_562
	l := &log{}
	for i := range int64(size) {
		leaf := tlog.RecordHash(entry(i))
		if i == bad {
			leaf[5] ^= 0x10
		}
		l.add(t, leaf)
	}
	root := l.root(t, size)
	for old := int64(1); old <= size; old += 997 {
		if !Consistent(uint64(old), l.root(t, old), size, root, l.consistency(t, size, old)) {
			t.Fatalf("%d leaves are no beginning of %d", old, size)
		}
	}
	for i := int64(bad - 50); i <= bad+50; i++ {
		if got := Included(Leaf(entry(i)), uint64(i), size, l.inclusion(t, size, i), root); got != (i != bad) {
			t.Errorf("the client's own bytes of entry %d are included: %v", i, got)
		}
	}
}

func FuzzProofs(f *testing.F) {
	f.Add(uint16(5), uint16(3), uint16(300))
	f.Add(uint16(1000), uint16(0), uint16(0))
	l := grown(f, 1<<12)
	f.Fuzz(func(t *testing.T, a, b, c uint16) {
		size := int64(a)%l.size + 1
		index, old := int64(b)%size, int64(b)%size+1
		root := l.root(t, size)
		leaf, proof := Leaf(entry(index)), l.inclusion(t, size, index)
		if !Included(leaf, uint64(index), uint64(size), proof, root) {
			t.Fatalf("entry %d of %d is not included", index, size)
		}
		if n := len(proof) * 256; n > 0 {
			proof[int(c)%n/256] = flipped(proof[int(c)%n/256], int(c)%256)
			if Included(leaf, uint64(index), uint64(size), proof, root) {
				t.Fatalf("a flipped bit passes for entry %d of %d", index, size)
			}
		}
		proof = l.consistency(t, size, old)
		if !Consistent(uint64(old), l.root(t, old), uint64(size), root, proof) {
			t.Fatalf("%d leaves are no beginning of %d", old, size)
		}
		if n := len(proof) * 256; n > 0 {
			proof[int(c)%n/256] = flipped(proof[int(c)%n/256], int(c)%256)
			if Consistent(uint64(old), l.root(t, old), uint64(size), root, proof) {
				t.Fatalf("a flipped bit passes for %d of %d", old, size)
			}
		}
	})
}

const benchSize = 100_000

// BenchmarkHash takes entries of 256 bytes into a tree.
func BenchmarkHash(b *testing.B) {
	data := bytes.Repeat([]byte{3}, 256)
	var t Builder
	for b.Loop() {
		t.Add(Leaf(data))
	}
	report(b)
}

// BenchmarkProve makes inclusion proofs in a tree of 100,000 entries, with tlog, as the nodes of the ledger do.
func BenchmarkProve(b *testing.B) {
	l, r := grown(b, benchSize), rand.New(rand.NewPCG(1, 1))
	for b.Loop() {
		if _, err := tlog.ProveRecord(benchSize, r.Int64N(benchSize), l); err != nil {
			b.Fatal(err)
		}
	}
	report(b)
}

// BenchmarkVerify hashes an entry of 256 bytes and verifies its inclusion in a tree of 100,000.
func BenchmarkVerify(b *testing.B) {
	l := grown(b, benchSize)
	data := bytes.Repeat([]byte{3}, 256)
	l.add(b, tlog.RecordHash(data))
	root, proof := l.root(b, l.size), l.inclusion(b, l.size, benchSize)
	for b.Loop() {
		if !Included(Leaf(data), benchSize, benchSize+1, proof, root) {
			b.Fatal("it is not included")
		}
	}
	report(b)
}

func report(b *testing.B) { b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "entries/s") }
