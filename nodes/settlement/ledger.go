package settlement

import (
	"bytes"
	"crypto/ed25519"
	"fmt"
	"slices"

	"golang.org/x/mod/sumdb/tlog"

	"faultlab/nodes"
	"faultlab/nodes/pack"
)

// A ledger is a shard's entries on one replica: the tree over them, which is part of the replicated state, and the
// entries themselves on disk, which may be damaged or missing; see scrub.go. Nothing is served off the disk that does
// not hash to what the tree says.
type ledger struct {
	shard    string
	bug      string
	tree     tree
	blocks   []sealed // all, in order
	written  uint64   // blocks on disk
	segments []*segment
	base     uint64             // entries below are compacted
	opening  []SavedBalance     // that they left
	cursor   uint64             // the segment to be scrubbed next
	scanned  uint64             // entries read since the last round
	key      ed25519.PrivateKey // see sign
	ill      bool               // the consensus log is damaged, and that was told
}

// A sealed is what is known of a block, whose root the tree tells.
type sealed struct {
	hash Hash
	time int64
}

// A segment is SegmentSize entries in a log of their own.
type segment struct {
	number uint64
	count  uint64 // entries on disk that are good
	ahead  [][]byte
	lines  map[string][]Line // the index: effects on posted balances, by account
	lost   bool              // some that should be on disk are not, or are not what they were
	held   [][]byte          // entries written while it is lost
	bare   bool              // it holds leaf hashes in place of entries
	asked  int               // peers asked for it
	told   bool              // that nobody has it
}

// What a snapshot of a segment's log begins with.
const (
	snapEntries = 1 // a list of entries
	snapLeaves  = 2 // leaf hashes
)

func (l *ledger) log(env nodes.Env, segment uint64) nodes.Log {
	return env.Disk().Log(l.segmentLog(segment))
}

func (l *ledger) segmentLog(segment uint64) string { return fmt.Sprint(l.shard, ".", segment) }

func (l *ledger) segment(n uint64) *segment {
	for uint64(len(l.segments)) <= n {
		l.segments = append(l.segments, &segment{number: uint64(len(l.segments)), lines: map[string][]Line{}})
	}
	return l.segments[n]
}

// append adds an entry to the tree and to the disk, unless it is there from a former life.
func (l *ledger) append(env nodes.Env, e *Entry) {
	data := e.Canonical()
	index := l.tree.size
	leaf := tlog.RecordHash(data)
	if l.bug == flipLeaf && index%64 == 63 {
		leaf[7] ^= 1
	}
	l.tree.grow(leaf)
	s := l.segment(index / SegmentSize)
	l.store(env, s, data)
	l.index(s, e)
	if l.tree.size%BlockSize == 0 {
		l.seal(env, e.Time)
	}
}

func (l *ledger) store(env nodes.Env, s *segment, data []byte) {
	switch {
	case s.lost:
		s.held = append(s.held, data)
	case len(s.ahead) == 0:
		l.log(env, s.number).Append(data)
		s.count++
	case bytes.Equal(s.ahead[0], data):
		s.ahead = s.ahead[1:]
		s.count++
	default: // what is there was never written by this log
		s.ahead = nil
		l.lose(env, s, "changed", l.tree.size-1, 1)
		s.held = append(s.held, data)
	}
}

// index notes what an entry does to accounts.
func (l *ledger) index(s *segment, e *Entry) {
	if !posts(e.Kind) && (l.bug != indexBeforeCommit || e.Kind != KindPrepared) {
		return
	}
	for _, leg := range e.Legs {
		s.lines[leg.Account] = append(s.lines[leg.Account], Line{e.Index, e.Payment, leg.Amount})
	}
}

// posts says whether legs of an entry change posted balances.
func posts(k Kind) bool {
	switch k {
	case KindPosted, KindSettled, KindPlanted, KindCorrected:
		return true
	}
	return false
}

// seal ends a block.
func (l *ledger) seal(env nodes.Env, time int64) {
	b := l.block(uint64(len(l.blocks)), time)
	l.blocks = append(l.blocks, sealed{b.Hash(), time})
	env.Emit(Sealed{l.shard, b.Number, b.Size, b.Root, l.chain(l.tree.size)})
	l.writeBlocks(env)
}

// block makes a block anew.
func (l *ledger) block(number uint64, time int64) *Block {
	b := &Block{Shard: l.shard, Number: number, Size: (number + 1) * BlockSize, Time: time}
	b.Root, _ = l.tree.root(b.Size)
	if number > 0 {
		b.Prev = l.blocks[number-1].hash
	}
	return b
}

// writeBlocks puts blocks on disk as far as the tree knows their roots.
func (l *ledger) writeBlocks(env nodes.Env) {
	for ; l.written < uint64(len(l.blocks)); l.written++ {
		if _, err := l.tree.root((l.written + 1) * BlockSize); err != nil {
			return
		}
		b := l.block(l.written, l.blocks[l.written].time)
		l.blockLog(env).Append(append(b.Canonical(), l.sign(env, BlockSigBytes(b))...))
	}
}

func (l *ledger) blockLog(env nodes.Env) nodes.Log { return env.Disk().Log(l.shard + ".blocks") }

// chain returns the hash of the last block that ends at or below size.
func (l *ledger) chain(size uint64) Hash {
	if n := size / BlockSize; n > 0 {
		return l.blocks[n-1].hash
	}
	return Hash{}
}

// head signs the head of the tree as it was with size entries.
func (l *ledger) head(env nodes.Env, size uint64) (Head, error) {
	root, err := l.tree.root(size)
	if err != nil {
		return Head{}, err
	}
	h := Head{Shard: l.shard, Size: size, Root: root, Chain: l.chain(size), Node: env.ID()}
	if n := size / BlockSize; n > 0 {
		h.Time = l.blocks[n-1].time
	}
	h.Sig = l.sign(env, HeadBytes(&h))
	return h, nil
}

// sign signs with the node's key, which takes as long to make as a signature.
func (l *ledger) sign(env nodes.Env, what []byte) []byte {
	if l.key == nil {
		l.key = keyOf(env.ID())
	}
	return ed25519.Sign(l.key, what)
}

func keyOf(id nodes.ID) ed25519.PrivateKey {
	seed := SeedOf(id)
	return ed25519.NewKeyFromSeed(seed[:])
}

// read returns the entries of a segment that are on disk, or its leaf hashes if it was compacted; in which case entries
// is nil.
func (l *ledger) read(env nodes.Env, n uint64) (entries [][]byte, leaves []tlog.Hash, err error) {
	snapshot, _, records, err := l.log(env, n).Read()
	if mark := func(r []byte) bool { return len(r) <= 1 }; slices.ContainsFunc(records, mark) { // see replaceLog
		records = slices.DeleteFunc(slices.Clone(records), mark)
	}
	if len(snapshot) == 0 {
		return records, nil, err
	}
	pack.Read(snapshot[1:], func(p *pack.Pack) {
		if snapshot[0] == snapLeaves {
			pack.List(p, &leaves, func(h *tlog.Hash, p *pack.Pack) { (*Hash)(h).pack(p) })
			return
		}
		pack.List(p, &entries, packBytes)
	})
	return append(entries, records...), leaves, err
}

func packBytes(b *[]byte, p *pack.Pack) {
	text := string(*b)
	p.Text(&text)
	*b = []byte(text)
}

// rewrite replaces a segment on disk.
func (l *ledger) rewrite(env nodes.Env, n uint64, entries [][]byte, leaves []tlog.Hash) {
	data := pack.Write(64+256*len(entries)+32*len(leaves), func(p *pack.Pack) {
		kind := byte(snapEntries)
		if leaves != nil {
			kind = snapLeaves
		}
		p.Octet(&kind)
		if leaves != nil {
			pack.List(p, &leaves, func(h *tlog.Hash, p *pack.Pack) { (*Hash)(h).pack(p) })
		} else {
			pack.List(p, &entries, packBytes)
		}
	})
	replaceLog(l.log(env, n), data)
}

// entries returns good entries from first on, of one segment, and an error if there are none because they are not here.
func (l *ledger) entries(env nodes.Env, first, count uint64) ([][]byte, error) {
	n := first / SegmentSize
	switch {
	case first < l.base:
		return nil, fmt.Errorf("entries below %d are compacted", l.base)
	case first >= l.tree.size:
		return nil, nil
	case l.segment(n).lost:
		return nil, fmt.Errorf("segment %d is being repaired", n)
	}
	all, _, err := l.read(env, n)
	from := first % SegmentSize
	end := min(from+count, l.tree.size-n*SegmentSize, SegmentSize)
	if err != nil || uint64(len(all)) < end {
		l.lose(env, l.segment(n), "unreadable", n*SegmentSize+uint64(len(all)), end-min(end, uint64(len(all))))
		return nil, fmt.Errorf("segment %d is being repaired", n)
	}
	for i := from; i < end; i++ {
		if index := n*SegmentSize + i; l.bad(index, all[i]) {
			l.lose(env, l.segment(n), "changed", index, 1)
			return nil, fmt.Errorf("segment %d is being repaired", n)
		}
	}
	return slices.Clone(all[from:end]), nil
}

// bad says whether these bytes are not those of an entry.
func (l *ledger) bad(index uint64, data []byte) bool {
	if l.bug == flipLeaf && index%64 == 63 {
		return false
	}
	return tlog.RecordHash(data) != l.tree.leaf(index)
}

// entry returns one entry.
func (l *ledger) entry(env nodes.Env, index uint64) (*Entry, error) {
	data, err := l.entries(env, index, 1)
	switch {
	case err != nil:
		return nil, err
	case len(data) == 0:
		return nil, fmt.Errorf("entry %d is not there yet", index)
	}
	return ParseEntry(data[0]), nil
}

// compact drops the entries of full segments below base, which left these balances.
func (l *ledger) compact(env nodes.Env, base uint64, opening []SavedBalance) {
	for n := l.base / SegmentSize; n < base/SegmentSize; n++ {
		if s := l.segment(n); !s.lost {
			leaves := make([]tlog.Hash, SegmentSize)
			for i := range leaves {
				leaves[i] = l.tree.leaf(n*SegmentSize + uint64(i))
			}
			l.strip(env, s, leaves)
		}
	}
	l.base, l.opening = base, opening
	l.writeBase(env)
}

// writeBase puts on disk what the log below its base came to, for whoever has only the files. The node reads it in its
// snapshots.
func (l *ledger) writeBase(env nodes.Env) {
	data := pack.Write(64+32*len(l.opening), func(p *pack.Pack) {
		p.Number(&l.base)
		pack.List(p, &l.opening, (*SavedBalance).pack)
	})
	log := env.Disk().Log(l.shard + ".base")
	if there, _, _, err := log.Read(); err != nil || !bytes.Equal(there, data) {
		replaceLog(log, data)
	}
}

// strip leaves a segment nothing but leaf hashes.
func (l *ledger) strip(env nodes.Env, s *segment, leaves []tlog.Hash) {
	if l.bug == compactDropsHash {
		for i := range leaves {
			leaves[i] = tlog.Hash{7}
			*l.tree.at(0, s.number*SegmentSize+uint64(i)) = leaves[i]
		}
		for level := 1; level < segmentLevel; level++ {
			for i := range uint64(SegmentSize >> level) {
				*l.tree.at(level, s.number*(SegmentSize>>level)+i) = tlog.Hash{7}
			}
		}
	}
	l.rewrite(env, s.number, nil, leaves)
	s.bare, s.count, s.lines, s.ahead = true, 0, nil, nil
}

// replaceLog gives up all records of a log, damaged ones too, for a snapshot. The record that it appends has a number
// that lies behind all else; it stays if power is lost before the snapshot is durable, and is no entry.
func replaceLog(log nodes.Log, data []byte) { log.Snapshot(log.Append([]byte{0}), data) }
