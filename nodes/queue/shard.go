package queue

import (
	"maps"
	"slices"

	"faultlab/nodes/pack"
)

// The window of deduplication: so many of a producer's last sends a shard remembers with their places, and for so long
// after the last of them. It is part of the replicated state and of snapshots, and children inherit it from their parents.
const (
	Window       = 64
	rememberedMs = 300_000
)

// A shard is one shard as a group holds it: its own, live or sealed, or a copy of another region's.
type shard struct {
	Shard
	span
	Parents  []Location // it continues these; of a merge there are two
	Children []Location // of a sealed shard, those that continue it
	Births   []birth    // the same, with all their parents
	Sealed   bool       // nothing more is added: End is final
	Own      bool       // it was served here, so what was acknowledged in it is this region's to account for

	First     uint64 // place of the first line; what was before has been dropped
	Before    uint64 // sum of all that was before
	Lines     []line
	base      map[string]*producer // as they were before First
	producers map[string]*producer
	groups    map[string]*cursor
	Copied    uint64 // up to here all other regions have it, as far as the log knows
	touched   uint64 // index of the last entry that changed anything but lines

	Engaged *engaged // it has promised to be the left part of a merge, and does not split until then
}

// A line is a record in its shard.
type line struct {
	Record
	Sum uint64 // of all records up to this one
	At  int64  // the machine's clock when it came
}

// A producer is what a shard remembers of one: all that lies above Last is new, all above Floor is remembered.
type producer struct {
	Name  string
	Last  uint64  // the highest number that was taken, here or in a parent
	Floor uint64  // numbers up to this one have been forgotten
	Runs  []run   // the last sends, by Number
	Since numbers // all that came since the first promotion
	At    int64   // the machine's clock when it last sent
}

// A run is a send that was taken: so many numbers from Number on have places from Seq on, in this shard or in a parent.
type run struct {
	Number, Count uint64
	Shard         Shard
	Seq           uint64
}

func (s *shard) end() uint64 { return s.First + uint64(len(s.Lines)) - 1 }

// sum returns the sum of all records up to the end.
func (s *shard) sum() uint64 {
	if len(s.Lines) == 0 {
		return s.Before
	}
	return s.Lines[len(s.Lines)-1].Sum
}

// Sum returns the sum of a shard's records up to r, given that of the records before it, which is 0 if there are none.
func Sum(before uint64, r *Record) uint64 {
	h := before
	for _, v := range [...]uint64{r.Seq, pack.Hash(r.Producer), r.Number, pack.Hash(r.Key), pack.Hash(r.Value)} {
		h = pack.Mix(h ^ v)
	}
	return h
}

// add puts a record at the end.
func (s *shard) add(r Record, at int64) {
	r.Seq = s.end() + 1
	s.Lines = append(s.Lines, line{r, Sum(s.sum(), &r), at})
}

// after returns the lines behind a place, at most limit of them. The place may not lie before what is kept.
func (s *shard) after(seq uint64, limit int) []line {
	if seq >= s.end() {
		return nil
	}
	lines := s.Lines[seq+1-s.First:]
	return lines[:min(limit, len(lines))]
}

// drop forgets the lines before a place.
func (s *shard) drop(first uint64) {
	n := int(min(first, s.end()+1) - s.First)
	if n <= 0 {
		return
	}
	for i := range s.Lines[:n] {
		recognize(s.base, s.Shard, &s.Lines[i])
	}
	s.Before = s.Lines[n-1].Sum
	if s.Lines = s.Lines[n:]; len(s.Lines) == 0 {
		s.Lines = nil // or the old ones would be kept in memory; else they are until the list grows next
	}
	s.First += uint64(n)
}

// What a shard says of a send's name.
type standing int

const (
	fresh     standing = iota // it was never taken, and may be
	taken                     // it has a place
	passed                    // it was not taken, and never will be: its producer has gone on
	forgotten                 // it is too old to tell
)

// standing says whether a send may be taken. Of one that was it returns where.
func (s *shard) standing(name string, number, count uint64) (standing, run) {
	p := s.producers[name]
	if p == nil || number > p.Last {
		return fresh, run{}
	}
	for i := len(p.Runs) - 1; i >= 0; i-- {
		if r := p.Runs[i]; r.Number <= number && number < r.Number+r.Count {
			if number+count > r.Number+r.Count {
				return passed, run{} // it was not these numbers that were sent together
			}
			return taken, run{number, count, r.Shard, r.Seq + number - r.Number}
		}
	}
	if number <= p.Floor {
		return forgotten, run{}
	}
	return passed, run{}
}

// remember notes that a send was taken, and when.
func (s *shard) remember(name string, r run, at int64) {
	p := s.producers[name]
	if p == nil {
		p = &producer{Name: name}
		s.producers[name] = p
	}
	p.take(r)
	p.At = at
}

// forget forgets producers that have sent nothing since: who is silent for so long and asks again is somebody else. Those
// who sent since a promotion are kept, since what a tail holds of theirs may be sent again at any time.
func (s *shard) forget(since int64) {
	old := func(_ string, p *producer) bool { return p.At < since && p.Since == nil }
	maps.DeleteFunc(s.base, old)
	maps.DeleteFunc(s.producers, old)
}

func (p *producer) take(r run) {
	at, found := slices.BinarySearchFunc(p.Runs, r.Number, func(r run, number uint64) int {
		switch {
		case r.Number < number:
			return -1
		case r.Number > number:
			return 1
		}
		return 0
	})
	if found {
		return // both parents of a merge had it from theirs
	}
	if r.Shard.generation() > 0 {
		for n := r.Number; n < r.Number+r.Count; n++ {
			p.Since = p.Since.add(n)
		}
	}
	p.Runs = slices.Insert(p.Runs, at, r)
	p.Last = max(p.Last, r.Number+r.Count-1)
	for len(p.Runs) > Window {
		p.Floor = max(p.Floor, p.Runs[0].Number+p.Runs[0].Count-1)
		p.Runs = p.Runs[1:]
	}
}

// inherit adds what a parent remembers of a producer, as if it had just sent: the parent's clock was another one.
func (s *shard) inherit(from *producer, at int64) {
	p := s.producers[from.Name]
	if p == nil {
		p = &producer{Name: from.Name}
		s.producers[from.Name] = p
	}
	for _, r := range from.Runs {
		p.take(r)
	}
	for _, i := range from.Since {
		for n := i.from; n <= i.to; n++ {
			p.Since = p.Since.add(n)
		}
	}
	p.Last, p.Floor, p.At = max(p.Last, from.Last), max(p.Floor, from.Floor), at
}

func (p *producer) pack(b *pack.Pack) {
	b.Text(&p.Name)
	b.Number(&p.Last)
	b.Number(&p.Floor)
	pack.List(b, &p.Runs, (*run).pack)
	pack.List(b, (*[]interval)(&p.Since), (*interval).pack)
	b.Signed(&p.At)
}

func (r *run) pack(p *pack.Pack) {
	p.Number(&r.Number)
	p.Number(&r.Count)
	r.Shard.pack(p)
	p.Number(&r.Seq)
}

func (r *Record) pack(p *pack.Pack) {
	p.Text(&r.Producer)
	p.Number(&r.Number)
	p.Text(&r.Key)
	p.Text(&r.Value)
}

func (l *Location) pack(p *pack.Pack) {
	l.Shard.pack(p)
	n := uint64(l.Number)
	p.Number(&n)
	l.Number = int(n)
}
