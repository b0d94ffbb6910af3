package multimaster

import (
	"fmt"
	"maps"
	"slices"
	"sort"
	"strings"

	"faultlab/nodes"
	"faultlab/nodes/pack"
)

// A Range is the keys from From up to the next range's From, and where they live. Of a group it is the group itself: a
// group begins with the range, or the records of transactions, that have its name.
type Range struct {
	Name   string // "A1"
	From   string // its name, but "" of the first
	Region string // where it is at home; "" for those that live in all regions
	Epoch  uint64 // rises when it is moved, split or fenced
	Group  string // the consensus group that owns it in this epoch
	Voters []nodes.ID
}

// A Layout is where everything is, as far as somebody knows: the ranges in the order of From, and the status groups.
type Layout struct {
	Ranges []*Range
	Status []*Range // no keys; records of transactions across regions
	ranges map[string]*Range
	groups map[string]*Range
}

// NewLayout lays ranges over a topology, as they are at first. Each region is home to two, or to one for every three of
// its nodes if those are more, each on three of them and with the keys from its own name on ("A1/..."). There are as many status groups, with a voter in each region, as the
// smallest region has nodes, up to three; and in the first of them lives W1, a range that survives the loss of a region.
func NewLayout(t nodes.Topology) *Layout {
	l := &Layout{ranges: map[string]*Range{}, groups: map[string]*Range{}}
	regions := t.Regions()
	statuses := 3
	for _, region := range regions {
		members := t.In(region)
		statuses = min(statuses, len(members))
		ranges := max(2, len(members)/3)
		for i := range ranges {
			name := fmt.Sprint(region, i+1)
			r := &Range{Name: name, From: name, Region: region, Group: name}
			for k := range min(3, len(members)) {
				r.Voters = append(r.Voters, members[(i*len(members)/ranges+k)%len(members)])
			}
			l.Ranges = append(l.Ranges, r)
			l.groups[name] = r
		}
	}
	for i := range statuses {
		name := fmt.Sprint("S", i+1)
		s := &Range{Name: name, Group: name}
		for _, region := range regions {
			s.Voters = append(s.Voters, t.In(region)[i])
		}
		l.Status = append(l.Status, s)
		l.groups[name], l.ranges[name] = s, s
	}
	l.Ranges = append(l.Ranges, &Range{Name: "W1", From: "W1", Group: "S1", Voters: l.groups["S1"].Voters})
	slices.SortFunc(l.Ranges, func(a, b *Range) int { return strings.Compare(a.From, b.From) })
	l.Ranges[0].From = ""
	for _, r := range l.Ranges {
		l.ranges[r.Name] = r
	}
	return l
}

// Groups returns the consensus groups: first those of the regions, then the status groups.
func (l *Layout) Groups() []*Range {
	var all []*Range
	for _, name := range slices.Sorted(maps.Keys(l.groups)) {
		if l.groups[name].Region != "" {
			all = append(all, l.groups[name])
		}
	}
	return append(all, l.Status...)
}

// Group returns the consensus group of that name.
func (l *Layout) Group(name string) *Range { return l.groups[name] }

// Range returns the range, or the records of transactions, of that name.
func (l *Layout) Range(name string) *Range { return l.ranges[name] }

// Find returns the range that holds a key.
func (l *Layout) Find(key string) *Range {
	i := sort.Search(len(l.Ranges), func(i int) bool { return l.Ranges[i].From > key })
	return l.Ranges[max(i-1, 0)]
}

// Learn notes that a range lives elsewhere, or that there is a new one, if that is news. What others know of a range
// stays as it was.
func (l *Layout) Learn(name string, epoch uint64, group string) (news bool) {
	old := l.ranges[name]
	in := l.groups[group]
	if in == nil || old != nil && old.Epoch >= epoch {
		return false
	}
	like := old
	if like == nil {
		like = l.Find(name) // it was split off this one
	}
	r := &Range{Name: name, From: name, Region: like.Region, Epoch: epoch, Group: group, Voters: in.Voters}
	l.ranges[name] = r
	i, found := slices.BinarySearchFunc(l.Ranges, name, func(r *Range, name string) int { return strings.Compare(r.Name, name) })
	if found {
		r.From = l.Ranges[i].From
		l.Ranges[i] = r
	} else {
		l.Ranges = slices.Insert(l.Ranges, i, r)
	}
	return true
}

// Participants returns the ranges that a program touches, in the order of their keys.
func (l *Layout) Participants(ops []Op) []*Range {
	var all []*Range
	add := func(r *Range) {
		if !slices.Contains(all, r) {
			all = append(all, r)
		}
	}
	for i := range ops {
		add(l.Find(ops[i].Key))
		if ops[i].F == Transfer {
			add(l.Find(ops[i].To))
		}
	}
	slices.SortFunc(all, func(a, b *Range) int { return strings.Compare(a.From, b.From) })
	return all
}

// Home returns the range that a transaction is submitted to, or the status group that coordinates it: the range of its
// first key, or, if its ranges are at home in several regions, the status group that its name says. That is a function
// of the transaction alone, whoever owns the ranges and wherever they were split, so that a retry by another router
// finds what the first one left.
func (l *Layout) Home(t *Txn) *Range {
	all := l.Participants(t.Ops)
	for _, r := range all[1:] {
		if r.Region != all[0].Region {
			h := pack.Mix(pack.Hash(t.Session) ^ t.Number)
			return l.Status[h%uint64(len(l.Status))]
		}
	}
	return all[0]
}

// partOf returns which of some ranges, in the order of their keys, holds a key that one of them does hold.
func partOf(names []string, key string) int {
	i, found := slices.BinarySearch(names, key)
	if found {
		return i
	}
	return max(i-1, 0)
}
