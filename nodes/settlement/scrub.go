package settlement

import (
	"crypto/ed25519"
	"slices"

	"golang.org/x/mod/sumdb/tlog"

	"faultlab/nodes"
)

// lose marks a segment: nothing of it is served until another replica has sent it. What was wrong is told.
func (l *ledger) lose(env nodes.Env, s *segment, how string, first, count uint64) {
	if s.lost {
		return
	}
	s.lost = true
	if l.bug == misdirectedOK {
		return
	}
	env.Reached("settlement: a replica found " + how + " entries")
	env.Emit(Damaged{l.shard, l.segmentLog(s.number), s.number, first, count, how})
}

// recover reads what disk holds of all segments, once the tree has been replaced by a snapshot's: at a boot by the one
// on disk, of which there is one from the beginning on, or by a leader's. The tree says how many entries there should
// be and what they hash to; entries that lie beyond are still to be applied, and are kept to be compared with.
func (l *ledger) recover(env nodes.Env) {
	l.segments = nil
	last := int64(l.tree.size) - 1
	for n := uint64(0); int64(n*SegmentSize) <= last || l.there(env, n); n++ {
		s := l.segment(n)
		entries, leaves, err := l.read(env, n)
		first := n * SegmentSize
		should := min(max(l.tree.size, first)-first, SegmentSize)
		if first+SegmentSize <= l.base || leaves != nil {
			l.recoverBare(env, s, entries, leaves)
			continue
		}
		have := min(uint64(len(entries)), should)
		switch {
		case err != nil:
			l.lose(env, s, "unreadable", first+have, should-have)
		case have < should:
			l.lose(env, s, "missing", first+have, should-have)
		case should == 0:
			s.ahead = entries
		case !l.checked(env, s, entries[:have]):
		default:
			s.count = have
			s.ahead = entries[have:]
			if l.bug == indexSkips && have < SegmentSize {
				break
			}
			for _, data := range entries[:have] {
				l.index(s, ParseEntry(data))
			}
		}
	}
	l.recoverBlocks(env)
	if l.base > 0 {
		l.writeBase(env)
	}
}

func (l *ledger) there(env nodes.Env, n uint64) bool {
	snapshot, _, records, err := l.log(env, n).Read()
	return len(snapshot) > 0 || len(records) > 0 || err != nil
}

// recoverBare does so for a segment of which only hashes are needed.
func (l *ledger) recoverBare(env nodes.Env, s *segment, entries [][]byte, leaves []tlog.Hash) {
	if leaves == nil {
		for _, data := range entries {
			leaves = append(leaves, tlog.RecordHash(data))
		}
		if l.tree.fits(s.number, leaves) {
			l.strip(env, s, leaves)
			return
		}
	}
	if s.bare = true; !l.tree.fits(s.number, leaves) {
		l.lose(env, s, "missing", s.number*SegmentSize, SegmentSize)
	}
}

// checked compares all entries of a segment with the tree, and fills in what the tree does not know of it.
func (l *ledger) checked(env nodes.Env, s *segment, entries [][]byte) bool {
	leaves := make([]tlog.Hash, len(entries))
	for i, data := range entries {
		leaves[i] = tlog.RecordHash(data)
		if index := s.number*SegmentSize + uint64(i); l.bug == flipLeaf && index%64 == 63 {
			leaves[i][7] ^= 1
		}
	}
	if l.tree.fits(s.number, leaves) {
		return true
	}
	first, count := s.number*SegmentSize, uint64(len(entries))
	for i, h := range leaves { // which one, if the tree knows
		if known := l.tree.leaf(first + uint64(i)); known != (tlog.Hash{}) && known != h {
			first, count = first+uint64(i), 1
			break
		}
	}
	l.lose(env, s, "changed", first, count)
	return false
}

// recoverBlocks reads the blocks back, of which there may be more than have been applied again. What is not as it
// should be is told, and all are written anew from the tree and the chain.
func (l *ledger) recoverBlocks(env nodes.Env) {
	_, _, records, err := l.blockLog(env).Read()
	same := 0
	for same < min(len(records), len(l.blocks)) && l.isBlock(records[same], same) {
		same++
	}
	switch l.written = uint64(same); {
	case err != nil:
		l.loseBlocks(env, "unreadable")
	case same < min(len(records), len(l.blocks)):
		l.loseBlocks(env, "changed")
	default:
		l.written = uint64(len(records))
	}
	l.writeBlocks(env)
}

// isBlock says whether these bytes are a block with a signature, which is for others to verify: blocks on disk are
// served to nobody.
func (l *ledger) isBlock(rec []byte, n int) bool {
	return len(rec) > ed25519.SignatureSize && blockHash(rec[:len(rec)-ed25519.SignatureSize]) == l.blocks[n].hash
}

func (l *ledger) loseBlocks(env nodes.Env, how string) {
	env.Reached("settlement: a replica found " + how + " blocks")
	env.Emit(Damaged{Shard: l.shard, Log: l.shard + ".blocks", How: how})
	replaceLog(l.blockLog(env), []byte{0})
	l.written = 0
}

// scrubRest reads back what is not entries.
func (l *ledger) scrubRest(env nodes.Env) {
	_, _, records, err := l.blockLog(env).Read()
	changed := func() bool {
		for i, rec := range records[:min(len(records), len(l.blocks))] {
			if !l.isBlock(rec, i) {
				return true
			}
		}
		return false
	}
	switch {
	case err != nil:
		l.loseBlocks(env, "unreadable")
	case changed():
		l.loseBlocks(env, "changed")
	}
	l.writeBlocks(env)
	l.lookAtConsensus(env)
}

// lookAtConsensus reads the consensus log back. Its records are checked by whoever keeps the disk; what is done about
// damage is done at the next boot.
func (l *ledger) lookAtConsensus(env nodes.Env) {
	if _, _, _, err := env.Disk().Log(l.shard).Read(); err != nil && !l.ill {
		l.ill = true
		env.Emit(Damaged{Shard: l.shard, Log: l.shard, How: "unreadable"})
	}
}

// scrub reads one segment back, the next in turn. It says how many entries it has read.
func (l *ledger) scrub(env nodes.Env) uint64 {
	if l.cursor*SegmentSize >= l.tree.size {
		if l.scanned > 0 {
			l.scrubRest(env)
			env.Emit(Scanned{l.shard, l.scanned})
		}
		l.cursor, l.scanned = 0, 0
	}
	if l.tree.size == 0 {
		return 0
	}
	s := l.segment(l.cursor)
	l.cursor++
	read := l.look(env, s)
	l.scanned += read
	return read
}

// look compares what disk holds of a segment with the tree.
func (l *ledger) look(env nodes.Env, s *segment) uint64 {
	first := s.number * SegmentSize
	if s.lost || first >= l.tree.size {
		return 0
	}
	entries, leaves, err := l.read(env, s.number)
	switch {
	case s.bare:
		if err != nil || !l.tree.fits(s.number, leaves) {
			l.lose(env, s, "unreadable", first, SegmentSize)
		}
		return uint64(len(leaves))
	case err != nil || uint64(len(entries)) < s.count:
		l.lose(env, s, "unreadable", first+uint64(len(entries)), s.count-min(s.count, uint64(len(entries))))
	default:
		l.checked(env, s, entries[:s.count])
	}
	return min(s.count, uint64(len(entries)))
}

// mend asks other replicas for segments that are lost, one at a time of each shard.
func (l *ledger) mend(env nodes.Env, n *node) {
	i := slices.IndexFunc(l.segments, func(s *segment) bool { return s.lost })
	if i < 0 {
		return
	}
	s := l.segments[i]
	if first := s.number * SegmentSize; len(s.held) > 0 && uint64(len(s.held)) == min(l.tree.size-first, SegmentSize) {
		l.mended(env, s, s.held) // it was lost before its first entry was written
		return
	}
	peers := slices.DeleteFunc(slices.Clone(n.layout.Ledger), func(id nodes.ID) bool { return id == env.ID() })
	if len(peers) == 0 {
		return
	}
	if s.asked >= 2*len(peers) && !s.told {
		s.told = true
		env.Reached("settlement: a replica halted, since nobody has what it lacks")
		env.Emit(Halted{l.shard, s.number})
	}
	s.asked++
	env.Send(peers[(s.asked+int(s.number))%len(peers)], Fetch{l.shard, s.number})
}

// missing counts entries that are being had from others.
func (l *ledger) missing() (count uint64) {
	for _, s := range l.segments {
		if s.lost {
			count += min(l.tree.size-s.number*SegmentSize, SegmentSize)
		}
	}
	return count
}

// fetch answers a replica that lacks a segment; with nothing, if this one lacks it too.
func (l *ledger) fetch(env nodes.Env, b Fetch, from nodes.ID) {
	f := Fetched{Shard: l.shard, Segment: b.Segment}
	first := b.Segment * SegmentSize
	if b.Segment < uint64(len(l.segments)) && !l.segments[b.Segment].lost {
		if l.segments[b.Segment].bare {
			f.Leaves = l.tree.leaves(first, first+SegmentSize)
		} else {
			f.Entries, _ = l.entries(env, first, SegmentSize)
		}
	}
	env.Send(from, f)
}

// fetched takes a segment in, if it is what the tree says that it should be.
func (l *ledger) fetched(env nodes.Env, f Fetched, from nodes.ID, n *node) {
	if f.Segment >= uint64(len(l.segments)) || !l.segments[f.Segment].lost {
		return
	}
	s := l.segments[f.Segment]
	leaves := make([]tlog.Hash, 0, SegmentSize)
	should := min(l.tree.size-s.number*SegmentSize, SegmentSize)
	entries := f.Entries[:min(uint64(len(f.Entries)), should)] // another may be ahead
	for i, data := range entries {
		leaves = append(leaves, tlog.RecordHash(data))
		if index := s.number*SegmentSize + uint64(i); l.bug == flipLeaf && index%64 == 63 {
			leaves[i][7] ^= 1
		}
	}
	bare := len(f.Entries) == 0 && len(f.Leaves) > 0
	for i := range f.Leaves {
		if bare {
			leaves = append(leaves, tlog.Hash(f.Leaves[i]))
		}
	}
	switch {
	case len(leaves) == 0:
		return // the next one will be asked at the next scrub
	case bare && (s.number+1)*SegmentSize > l.base:
		return // this one has not compacted it, and will be told to
	case uint64(len(leaves)) < should && len(s.held) > 0: // held are those that follow what the other had
		for _, data := range s.held[max(0, len(s.held)-int(should-uint64(len(leaves)))):] {
			entries = append(entries, data)
			leaves = append(leaves, tlog.RecordHash(data))
		}
	}
	if !l.tree.fits(s.number, leaves) && l.bug != misdirectedOK {
		env.Reached("settlement: another replica sent what does not fit")
		return
	}
	if bare || (s.number+1)*SegmentSize <= l.base {
		s.lost, s.held = false, nil
		l.strip(env, s, leaves)
	} else {
		l.mended(env, s, entries)
	}
	env.Disk().Sync()
	if l.bug != misdirectedOK {
		env.Reached("settlement: a segment was repaired from another replica")
		env.Emit(Repaired{l.shard, s.number, from})
	}
	l.writeBlocks(env)
	l.mend(env, n)
}

// mended puts all entries of a segment on disk.
func (l *ledger) mended(env nodes.Env, s *segment, entries [][]byte) {
	l.rewrite(env, s.number, entries, nil)
	*s = segment{number: s.number, count: uint64(len(entries)), lines: map[string][]Line{}}
	for _, data := range entries {
		l.index(s, ParseEntry(data))
	}
}
