package settlement

import (
	"fmt"

	"golang.org/x/mod/sumdb/tlog"
)

// A tree is the RFC 6962 tree over a shard's entries: the hashes of all complete subtrees, in the places that package
// tlog gives them. Of a segment that this replica does not have, only the hash of the whole is known; a proof that
// needs more fails.
type tree struct {
	size   uint64
	hashes []tlog.Hash // zero where it is not known
}

// segmentLevel is the level at which a full segment is one subtree.
const segmentLevel = 8 // 1<<segmentLevel == SegmentSize

// ReadHashes implements tlog.HashReader.
func (t *tree) ReadHashes(indexes []int64) ([]tlog.Hash, error) {
	found := make([]tlog.Hash, len(indexes))
	for i, at := range indexes {
		if at >= int64(len(t.hashes)) || t.hashes[at] == (tlog.Hash{}) {
			return nil, fmt.Errorf("settlement: hash %d is not known", at)
		}
		found[i] = t.hashes[at]
	}
	return found, nil
}

func (t *tree) at(level int, n uint64) *tlog.Hash {
	at := tlog.StoredHashIndex(level, int64(n))
	for int64(len(t.hashes)) <= at {
		t.hashes = append(t.hashes, tlog.Hash{})
	}
	return &t.hashes[at]
}

// grow adds a leaf.
func (t *tree) grow(leaf tlog.Hash) {
	t.put(0, t.size, leaf)
	t.size++
}

// put sets the hash of a subtree and of those that it completes.
func (t *tree) put(level int, n uint64, h tlog.Hash) {
	*t.at(level, n) = h
	for ; n&1 == 1; n >>= 1 {
		h = tlog.NodeHash(*t.at(level, n-1), h)
		level++
		*t.at(level, n>>1) = h
	}
}

// root returns the root of the tree as it was with size entries.
func (t *tree) root(size uint64) (Hash, error) {
	if size > t.size {
		return Hash{}, fmt.Errorf("settlement: the log has %d entries and not %d", t.size, size)
	}
	h, err := tlog.TreeHash(int64(size), t)
	return Hash(h), err
}

func (t *tree) leaf(n uint64) tlog.Hash { return *t.at(0, n) }

// leaves returns the leaf hashes from first up to end.
func (t *tree) leaves(first, end uint64) []Hash {
	all := make([]Hash, 0, end-first)
	for n := first; n < end; n++ {
		all = append(all, Hash(t.leaf(n)))
	}
	return all
}

// fits says whether these are the leaf hashes of a segment, or of as much of it as there is; and if so fills in what was
// not known of it.
func (t *tree) fits(segment uint64, leaves []tlog.Hash) bool {
	first := segment * SegmentSize
	if first+uint64(len(leaves)) != min(t.size, first+SegmentSize) {
		return false
	}
	if len(leaves) < SegmentSize {
		for i, h := range leaves {
			if t.leaf(first+uint64(i)) != h {
				return false
			}
		}
		return true
	}
	part := tree{hashes: make([]tlog.Hash, 0, 2*SegmentSize)}
	for _, h := range leaves {
		part.grow(h)
	}
	if *part.at(segmentLevel, 0) != *t.at(segmentLevel, segment) {
		return false
	}
	for level := range segmentLevel {
		for n := range uint64(SegmentSize >> level) {
			*t.at(level, first>>level+n) = *part.at(level, n)
		}
	}
	return true
}

// A savedTree is what a snapshot holds of a tree.
type savedTree struct {
	Full []Hash // of each full segment
	Tail []Hash // leaves of the last
}

func (t *tree) save() (s savedTree) {
	full := t.size / SegmentSize
	for n := range full {
		s.Full = append(s.Full, Hash(*t.at(segmentLevel, n)))
	}
	s.Tail = t.leaves(full*SegmentSize, t.size)
	return s
}

func (t *tree) load(s savedTree) {
	*t = tree{}
	for n, h := range s.Full {
		t.put(segmentLevel, uint64(n), tlog.Hash(h))
	}
	t.size = uint64(len(s.Full)) * SegmentSize
	for _, h := range s.Tail {
		t.grow(tlog.Hash(h))
	}
}
