package multimaster

import (
	"fmt"
	"slices"
	"sort"
	"strings"

	"faultlab/nodes"
	"faultlab/nodes/pack"
)

// A Range is the keys from From up to the next range's From, and the consensus group that holds them.
type Range struct {
	Name   string // "A1", also the group's name
	From   string
	Region string
	Voters []nodes.ID
}

// A Layout is where everything is: the ranges in the order of From, and the status groups.
type Layout struct {
	Ranges []Range
	Status []Range // no keys, and no one region: one voter in each
	byName map[string]*Range
}

// NewLayout lays ranges over a topology: two in each region, on three of its nodes, with the keys from their own name
// on ("A1/..."), and as many status groups as the smallest region has nodes, up to three.
func NewLayout(t nodes.Topology) *Layout {
	l := &Layout{byName: map[string]*Range{}}
	regions := t.Regions()
	statuses := 3
	for _, region := range regions {
		members := t.In(region)
		statuses = min(statuses, len(members))
		for i := range 2 {
			r := Range{Name: fmt.Sprint(region, i+1), Region: region}
			r.From = r.Name
			for k := range min(3, len(members)) {
				r.Voters = append(r.Voters, members[(i+k)%len(members)])
			}
			l.Ranges = append(l.Ranges, r)
		}
	}
	slices.SortFunc(l.Ranges, func(a, b Range) int { return strings.Compare(a.From, b.From) })
	for i := range statuses {
		s := Range{Name: fmt.Sprint("S", i+1)}
		for _, region := range regions {
			s.Voters = append(s.Voters, t.In(region)[i])
		}
		l.Status = append(l.Status, s)
	}
	for _, list := range [][]Range{l.Ranges, l.Status} {
		for i := range list {
			l.byName[list[i].Name] = &list[i]
		}
	}
	return l
}

// Group returns the range or status group of that name.
func (l *Layout) Group(name string) *Range { return l.byName[name] }

// Find returns the range that holds a key.
func (l *Layout) Find(key string) *Range {
	i := sort.Search(len(l.Ranges), func(i int) bool { return l.Ranges[i].From > key })
	return &l.Ranges[max(i-1, 0)]
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

// Home returns the group that a transaction is submitted to: its range, or the group that coordinates it. That is a
// function of the transaction alone, so that a retry by another router finds what the first one left.
func (l *Layout) Home(t *Txn) *Range {
	all := l.Participants(t.Ops)
	for _, r := range all[1:] {
		if r.Region != all[0].Region {
			h := pack.Mix(pack.Hash(t.Session) ^ t.Number)
			return &l.Status[h%uint64(len(l.Status))]
		}
	}
	return all[0]
}
