package ledger

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"faultlab/checker/merkle"
)

// How logs are laid out on a disk: a log for each segment of entries, one of blocks, and once older entries are compacted
// one of what they left.
const (
	segmentSize = 256
	blockSize   = 32
)

// A Fault is something that is wrong on a disk.
type Fault struct {
	Node  string
	Shard string
	Entry uint64
	File  string
	What  string
}

func (f Fault) String() string {
	return fmt.Sprintf("%s, entry %d of %s, in %s: %s", f.Node, f.Entry, f.Shard, f.File, f.What)
}

// An Audit is what the disks of a run hold.
type Audit struct {
	Nodes   []string
	Entries map[string]uint64 // by shard: how long the longest replica is
	Read    int               // entries, of all replicas
	Blocks  int
	Faults  []Fault // in the order of nodes, shards and entries; then those of the books
	Book    *Book   // of the longest replicas
	roots   map[string]map[uint64]Hash
}

// A Stored is a log that lies on a node's disk.
type Stored struct {
	Node     string
	Log      string // "EU1.3"
	File     string
	Snapshot []byte
	Records  [][]byte
	Damage   error // what in it is not as it was written; then the rest is what lies before
}

// A replica is what one node's disk holds of a shard.
type replica struct {
	node, shard string
	leaves      []Hash
	entries     []*Entry  // nil where there is but a hash
	files       []*Stored // by entry
	blocks      *Stored
	base        uint64
	opening     map[string]int64
	left        *Stored // where they are
}

// Disks audits the disks of nodes. Leaves are hashed from the entries' bytes, blocks must be signed, chained, and have the
// roots of those leaves, replicas must agree, and the entries must keep the rules.
func Disks(stored []*Stored) *Audit {
	a := &Audit{Entries: map[string]uint64{}, roots: map[string]map[uint64]Hash{}}
	byNode := map[string][]*Stored{}
	for _, f := range stored {
		byNode[f.Node] = append(byNode[f.Node], f)
	}
	shards := map[string][]*replica{}
	for _, node := range slices.Sorted(maps.Keys(byNode)) {
		names := shardsOf(byNode[node])
		for _, shard := range names {
			shards[shard] = append(shards[shard], a.replica(node, shard, byNode[node]))
		}
		if len(names) > 0 {
			a.Nodes = append(a.Nodes, node)
		}
	}
	var logs []*Log
	for _, shard := range slices.Sorted(maps.Keys(shards)) {
		logs = append(logs, a.shard(shard, shards[shard]))
	}
	a.Book = NewBook(logs)
	for _, b := range a.Book.Breaches {
		r := longest(shards[b.Shard])
		f := Fault{Node: r.node, Shard: b.Shard, Entry: b.Index, What: b.What}
		if b.Index < uint64(len(r.files)) {
			f.File = r.files[b.Index].File
		}
		a.Faults = append(a.Faults, f)
	}
	return a
}

// shardsOf are the shards that files are of.
func shardsOf(files []*Stored) []string {
	found := map[string]bool{}
	for _, f := range files {
		if shard, part, ok := strings.Cut(f.Log, "."); ok {
			if _, err := strconv.ParseUint(part, 10, 64); err == nil || part == "blocks" {
				found[shard] = true
			}
		}
	}
	return slices.Sorted(maps.Keys(found))
}

func (a *Audit) fault(r *replica, entry uint64, f *Stored, format string, args ...any) {
	path := ""
	if f != nil {
		path = f.File
	}
	a.Faults = append(a.Faults, Fault{r.node, r.shard, entry, path, fmt.Sprintf(format, args...)})
}

// replica reads what one node has of a shard.
func (a *Audit) replica(node, shard string, files []*Stored) *replica {
	r := &replica{node: node, shard: shard, opening: map[string]int64{}}
	segments := map[uint64]*Stored{}
	last := int64(-1)
	for _, f := range files {
		name, part, _ := strings.Cut(f.Log, ".")
		if name != shard {
			continue
		}
		switch n, err := strconv.ParseUint(part, 10, 32); {
		case err == nil:
			segments[n] = f
			last = max(last, int64(n))
		case part == "blocks":
			r.blocks = f
			if f.Damage != nil {
				a.fault(r, uint64(len(f.Records))*blockSize, f, "%v", f.Damage)
			}
		case part == "base":
			a.base(r, f)
		case f.Damage != nil: // the consensus log
			a.fault(r, 0, f, "%v", f.Damage)
		}
	}
	for n := range uint64(last + 1) {
		f := segments[n]
		if f == nil {
			a.fault(r, n*segmentSize, nil, "there is no file of the %d entries from there on", segmentSize)
			return r
		}
		if !a.segment(r, n, f, n == uint64(last)) {
			return r
		}
	}
	return r
}

// base reads what older entries left.
func (a *Audit) base(r *replica, f *Stored) {
	if f.Damage != nil {
		a.fault(r, 0, f, "%v", f.Damage)
	}
	if len(f.Snapshot) < 2 {
		return
	}
	in := reader{data: f.Snapshot}
	r.base, r.left = in.number(), f
	sums := map[string]int64{}
	for range in.count() {
		account, posted := in.text(), in.signed()
		r.opening[account] = posted
		sums[Currency(account)] += posted
	}
	if err := in.end("balances"); err != nil {
		a.fault(r, r.base, f, "%v", err)
	}
	for _, currency := range sorted(sums) {
		if sums[currency] != 0 {
			a.fault(r, r.base, f, "the balances there come to %d %s", sums[currency], currency)
		}
	}
}

// segment reads the entries of one segment, or their hashes.
func (a *Audit) segment(r *replica, n uint64, f *Stored, last bool) bool {
	first := n * segmentSize
	add := func(data []byte) {
		index := uint64(len(r.leaves))
		e, err := Decode(data)
		switch {
		case err != nil:
			a.fault(r, index, f, "%v", err)
		case e.Index != index || e.Shard != r.shard:
			a.fault(r, index, f, "there stands entry %d of %s", e.Index, e.Shard)
		}
		r.leaves, r.entries, r.files = append(r.leaves, e.Leaf), append(r.entries, e), append(r.files, f)
		a.Read++
	}
	if s := f.Snapshot; len(s) > 1 {
		in := reader{data: s[1:]}
		for range in.count() {
			if s[0] == 2 {
				r.leaves, r.entries, r.files = append(r.leaves, in.hash()), append(r.entries, nil), append(r.files, f)
				continue
			}
			add([]byte(in.text()))
		}
		if err := in.end("segment"); err != nil {
			a.fault(r, first, f, "%v", err)
			return false
		}
	}
	for _, data := range f.Records {
		if len(data) > 1 { // else it says that the log was written anew
			add(data)
		}
	}
	have := uint64(len(r.leaves)) - first
	switch {
	case f.Damage != nil:
		a.fault(r, first+have, f, "%v", f.Damage)
		return false
	case have > segmentSize || have < segmentSize && !last:
		a.fault(r, first+have, f, "it has %d entries, and a segment has %d", have, segmentSize)
		return false
	}
	return true
}

func longest(list []*replica) *replica {
	return slices.MaxFunc(list, func(a, b *replica) int { return cmp.Compare(len(a.leaves), len(b.leaves)) })
}

// shard compares the replicas of a shard, and returns the log of the longest.
func (a *Audit) shard(shard string, list []*replica) *Log {
	whole := longest(list)
	a.Entries[shard] = uint64(len(whole.leaves))
	for index := range whole.leaves { // what most have at a place is right there
		votes := map[Hash]int{}
		for _, r := range list {
			if index < len(r.leaves) {
				votes[r.leaves[index]]++
			}
		}
		if len(votes) == 1 {
			continue
		}
		for _, r := range list {
			if index < len(r.leaves) && 2*votes[r.leaves[index]] < len(list) {
				a.fault(r, uint64(index), r.files[index], "it is not what the other replicas have there")
			}
		}
	}
	for _, r := range list {
		a.chain(r)
		same, other := 0, 0
		for _, o := range list {
			if r.base > 0 && o.base == r.base {
				if maps.Equal(o.opening, r.opening) {
					same++
				} else {
					other++
				}
			}
		}
		if other > 0 && same <= other {
			a.fault(r, r.base, r.left, "the balances there are not those that other replicas have")
		}
	}
	roots := map[uint64]Hash{0: merkle.Empty()}
	var b merkle.Builder
	for i, leaf := range whole.leaves {
		b.Add(leaf)
		roots[uint64(i)+1] = b.Root()
	}
	a.roots[shard] = roots
	log := &Log{Shard: shard, Opening: whole.opening}
	for i, e := range whole.entries {
		if e == nil {
			log.First = uint64(i) + 1
		}
	}
	log.Entries = whole.entries[log.First:]
	for _, r := range list { // what is compacted on one replica may be there on another
		if early := slices.Index(r.entries, nil); early < 0 && len(r.entries) >= len(whole.entries) {
			log.First, log.Entries, log.Opening = 0, r.entries, map[string]int64{}
		}
	}
	if log.First != whole.base && log.First > 0 {
		a.fault(whole, log.First, whole.files[log.First-1], "hashes end there, and the log is compacted up to %d", whole.base)
	}
	return log
}

// chain judges a replica's blocks: signed by its node, chained, and with the roots of its entries.
func (a *Audit) chain(r *replica) {
	if r.blocks == nil {
		if len(r.leaves) >= blockSize {
			a.fault(r, 0, nil, "it has no blocks")
		}
		return
	}
	key := Key(r.node)
	var b merkle.Builder
	var prev Hash
	n := uint64(0)
	for _, data := range r.blocks.Records {
		if len(data) <= 1 {
			continue
		}
		first := n * blockSize
		canonical, err := SignedBlock(data, key)
		if err != nil {
			a.fault(r, first, r.blocks, "block %d: %v", n, err)
			return
		}
		block, err := DecodeBlock(canonical)
		switch {
		case err != nil:
			a.fault(r, first, r.blocks, "block %d: %v", n, err)
			return
		case block.Shard != r.shard || block.Number != n || block.Size != first+blockSize:
			a.fault(r, first, r.blocks, "block %d says that it is block %d of %s, up to %d", n, block.Number, block.Shard, block.Size)
			return
		case block.Prev != prev:
			a.fault(r, first, r.blocks, "block %d does not follow the one before", n)
			return
		}
		prev = BlockHash(canonical)
		n++
		if block.Size > uint64(len(r.leaves)) {
			a.fault(r, first, r.blocks, "block %d goes up to %d, and there are %d entries", block.Number, block.Size, len(r.leaves))
			return
		}
		for b.Size() < block.Size {
			b.Add(r.leaves[b.Size()])
		}
		last := r.entries[block.Size-1]
		switch {
		case b.Root() != block.Root:
			a.fault(r, first, r.files[first], "the %d entries up to %d do not have the root that block %d has in %s", blockSize, block.Size, block.Number, r.blocks.File)
			return
		case last != nil && last.Time != block.Time:
			a.fault(r, block.Size-1, r.files[block.Size-1], "block %d has another time than its last entry", block.Number)
			return
		}
		a.Blocks++
	}
	if r.blocks.Damage == nil && n != uint64(len(r.leaves))/blockSize {
		a.fault(r, n*blockSize, r.blocks, "there are %d blocks, and %d entries", n, len(r.leaves))
	}
}

// Root is the root of a shard's tree at a size; ok is false if the disks do not go so far.
func (a *Audit) Root(shard string, size uint64) (root Hash, ok bool) {
	root, ok = a.roots[shard][size]
	return root, ok
}
