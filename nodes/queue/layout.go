package queue

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"faultlab/nodes"
	"faultlab/nodes/pack"
)

// GroupsPerRegion is how many consensus groups each region has, and so how many shards a keyspace has at first.
const GroupsPerRegion = 4

// A Group is one consensus group. "B2" is number 2 of region B: it holds shards of keyspace B, and copies of what A2 and
// C2 hold. A shard that goes from one group to another in its region does so in all regions, so where a region serves a
// keyspace of another, each shard is in the group of the number that it had there.
type Group struct {
	Name   string
	Region string // "" for the directory
	Number int    // from 1; 0 for the directory
	Voters []nodes.ID
}

func (g *Group) has(id nodes.ID) bool { return slices.Contains(g.Voters, id) }

// Directory is the name of the group that has one voter in each region, and says which region serves which keyspace.
const Directory = "D"

// A Layout is where everything is at first.
type Layout struct {
	Regions []string
	Groups  []Group // by region, and the directory at the end
	byName  map[string]*Group
}

// NewLayout lays groups over a topology. Their voters are three nodes of a region, in turn the first one, so that at
// first leaders are spread.
func NewLayout(t nodes.Topology) *Layout {
	l := &Layout{Regions: t.Regions(), byName: map[string]*Group{}}
	directory := Group{Name: Directory}
	for _, region := range l.Regions {
		members := t.In(region)
		directory.Voters = append(directory.Voters, members[0])
		for i := range GroupsPerRegion {
			g := Group{Name: name(region, i+1), Region: region, Number: i + 1}
			for k := range min(3, len(members)) {
				g.Voters = append(g.Voters, members[(i+k)%len(members)])
			}
			l.Groups = append(l.Groups, g)
		}
	}
	l.Groups = append(l.Groups, directory)
	for i := range l.Groups {
		l.byName[l.Groups[i].Name] = &l.Groups[i]
	}
	return l
}

// Group returns the group of that name, or nil.
func (l *Layout) Group(name string) *Group { return l.byName[name] }

// Keyspace says whether there is a keyspace of that name: each region is home to one.
func (l *Layout) Keyspace(home string) bool { return l.byName[name(home, 1)] != nil }

// name returns the name of a group of a region.
func name(region string, number int) string { return region + strconv.Itoa(number) }

// numberOf returns the number of the group in which something with that name is kept, among those of a region.
func numberOf(name string) int { return int(pack.Mix(pack.Hash(name))%GroupsPerRegion) + 1 }

// firstSize is how many hashes a shard has at first.
const firstSize = 1 << 16 / GroupsPerRegion

// First returns the shards that a keyspace has at first, each in the group of its place in the list, from 1.
func First(home string) []Shard {
	var all []Shard
	for i := range GroupsPerRegion {
		all = append(all, Shard{span{home, uint16(i * firstSize), uint16((i+1)*firstSize - 1)}.String(), 1})
	}
	return all
}

// HashOf returns where a key stands in its keyspace.
func HashOf(key string) uint16 { return uint16(pack.Mix(pack.Hash(key)) >> 48) }

// A span is the hashes from one to another, both included, of a keyspace. Its String is the Range of a shard.
type span struct {
	home     string
	from, to uint16
}

func (s span) String() string { return fmt.Sprintf("%s/%04x-%04x", s.home, s.from, s.to) }

func (s span) size() int { return int(s.to) - int(s.from) + 1 }

// middle is the last hash of the left half.
func (s span) middle() uint16 { return s.from + (s.to-s.from)/2 }

func (s span) holds(home string, hash uint16) bool {
	return s.home == home && s.from <= hash && hash <= s.to
}

// spanOf reads a range.
func spanOf(text string) (s span, ok bool) {
	home, rest, found := strings.Cut(text, "/")
	from, to, dash := strings.Cut(rest, "-")
	if !found || !dash {
		return span{}, false
	}
	a, err := strconv.ParseUint(from, 16, 16)
	b, err2 := strconv.ParseUint(to, 16, 16)
	s = span{home, uint16(a), uint16(b)}
	return s, err == nil && err2 == nil && a <= b && s.String() == text
}

// Home returns the keyspace that a shard is part of, "" if its range is none.
func (s Shard) Home() string {
	at, _ := spanOf(s.Range)
	return at.home
}

// Span returns the first and the last hash of a shard's keys; ok is false if its range is none.
func (s Shard) Span() (from, to uint16, ok bool) {
	at, ok := spanOf(s.Range)
	return at.from, at.to, ok
}

// String returns the shard as people read it: A/0000-3fff@1.
func (s Shard) String() string { return s.Range + "@" + strconv.FormatUint(s.Epoch, 10) }

func (s *Shard) pack(p *pack.Pack) {
	p.Text(&s.Range)
	p.Number(&s.Epoch)
}

// compare orders the shards of a lineage, parents before children, since epochs rise along it.
func (s Shard) compare(o Shard) int {
	if s.Epoch != o.Epoch {
		if s.Epoch < o.Epoch {
			return -1
		}
		return 1
	}
	return strings.Compare(s.Range, o.Range)
}
