// Package merkle checks what an append-only log says of itself: Merkle trees, inclusion proofs and consistency proofs,
// written from RFC 6962 (2.1) and RFC 9162 (2.1.3, 2.1.4) and from no system's code. It makes no proofs but for tests, and
// signs nothing.
//
// A consistency proof speaks of hashes alone: if the hash of a leaf was wrong when the tree took it in, all heads agree
// with each other for ever. Only Included, with the leaf hashed from the bytes that the client itself has, tells.
package merkle

import (
	"crypto/sha256"
	"math/bits"
)

// A Hash is a SHA-256.
type Hash = [sha256.Size]byte

// Empty is the root of the tree without leaves.
func Empty() Hash { return sha256.Sum256(nil) }

// Leaf is the hash of a leaf: of an octet 0 and its bytes.
func Leaf(data []byte) Hash {
	if len(data) < 512 { // most entries; so no allocation
		var buf [512]byte
		return sha256.Sum256(append(buf[:1], data...))
	}
	return sha256.Sum256(append([]byte{0}, data...))
}

// Node is the hash of an inner node: of an octet 1 and the hashes of both subtrees.
func Node(left, right Hash) Hash {
	var buf [1 + 2*sha256.Size]byte
	buf[0] = 1
	copy(buf[1:], left[:])
	copy(buf[1+sha256.Size:], right[:])
	return sha256.Sum256(buf[:])
}

// A Builder takes in leaf hashes, one after another, and knows the root of all so far. It keeps one hash for each one bit
// of its size. The zero Builder is the empty tree.
type Builder struct {
	size uint64
	full []Hash // roots of the complete subtrees, from left to right, that the leaves make up
}

// Size is how many leaves it has taken in.
func (b *Builder) Size() uint64 { return b.size }

// Add takes in the hash of the next leaf.
func (b *Builder) Add(leaf Hash) {
	b.full = append(b.full, leaf)
	b.size++
	for range bits.TrailingZeros64(b.size) { // as many pairs of subtrees have become complete
		n := len(b.full)
		b.full = append(b.full[:n-2], Node(b.full[n-2], b.full[n-1]))
	}
}

// Root is the root of the tree.
func (b *Builder) Root() Hash {
	n := len(b.full)
	if n == 0 {
		return Empty()
	}
	root := b.full[n-1]
	for i := n - 2; i >= 0; i-- {
		root = Node(b.full[i], root)
	}
	return root
}

// Included says whether a proof shows that the tree of that size and root has this leaf hash at index (RFC 9162,
// 2.1.3.2).
func Included(leaf Hash, index, size uint64, proof []Hash, root Hash) bool {
	if index >= size {
		return false
	}
	at, last := index, size-1
	r := leaf
	for _, p := range proof {
		if last == 0 {
			return false // the proof goes on above the root
		}
		if at&1 == 1 || at == last {
			r = Node(p, r)
			for at&1 == 0 && at != 0 { // where the tree has no sibling, a node is its parent
				at >>= 1
				last >>= 1
			}
		} else {
			r = Node(r, p)
		}
		at >>= 1
		last >>= 1
	}
	return last == 0 && r == root
}

// Consistent says whether a proof shows that the tree of size1 leaves and root1 is the beginning of the one of size2 and
// root2 (RFC 9162, 2.1.4.2). The empty tree is the beginning of any, and needs no proof.
func Consistent(size1 uint64, root1 Hash, size2 uint64, root2 Hash, proof []Hash) bool {
	switch {
	case size1 > size2:
		return false
	case size1 == size2:
		return len(proof) == 0 && root1 == root2
	case size1 == 0:
		return len(proof) == 0 && root1 == Empty()
	}
	if size1&(size1-1) == 0 { // a complete subtree, whose root need not be told
		proof = append([]Hash{root1}, proof...)
	}
	if len(proof) == 0 {
		return false
	}
	at, last := size1-1, size2-1
	for at&1 == 1 {
		at >>= 1
		last >>= 1
	}
	old, now := proof[0], proof[0]
	for _, p := range proof[1:] {
		if last == 0 {
			return false
		}
		if at&1 == 1 || at == last {
			old, now = Node(p, old), Node(p, now)
			for at&1 == 0 && at != 0 {
				at >>= 1
				last >>= 1
			}
		} else {
			now = Node(now, p)
		}
		at >>= 1
		last >>= 1
	}
	return last == 0 && old == root1 && now == root2
}
