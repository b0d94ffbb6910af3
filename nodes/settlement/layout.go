package settlement

import (
	"fmt"
	"slices"
	"strings"

	"faultlab/nodes"
)

// A Layout is who is what, and where shards are at home. It is a function of the topology.
type Layout struct {
	Ledger     []nodes.ID // the ledger nodes, each with every shard
	Routers    []nodes.ID
	FX         nodes.ID            // "" if there is none
	Compliance map[string]nodes.ID // by region
	Regions    []string            // that ledger nodes stand in, in the order of the topology
	Shards     []*Shard            // by region, then number
	cloud      map[nodes.ID]string
	shards     map[string]*Shard
}

// A Shard is one part of the accounts.
type Shard struct {
	Name   string // "EU1"
	Region string
	Voters []nodes.ID // first those in its region
}

// NewLayout finds roles by name: "fx" is the FX engine, "router..." and "compliance..." are what they say, for the region
// that they stand in, and all others are ledger nodes. The first region has two shards, every other one.
func NewLayout(t nodes.Topology) *Layout {
	l := &Layout{Compliance: map[string]nodes.ID{}, cloud: map[nodes.ID]string{}, shards: map[string]*Shard{}}
	for _, m := range t.Members {
		switch name := string(m.ID); {
		case name == "fx":
			l.FX = m.ID
		case strings.HasPrefix(name, "router"):
			l.Routers = append(l.Routers, m.ID)
		case strings.HasPrefix(name, "compliance"):
			l.Compliance[m.Region] = m.ID
		default:
			l.Ledger = append(l.Ledger, m.ID)
			l.cloud[m.ID] = m.Zone
			if !slices.Contains(l.Regions, m.Region) {
				l.Regions = append(l.Regions, m.Region)
			}
		}
	}
	for i, region := range l.Regions {
		count := 1
		if i == 0 {
			count = 2
		}
		for k := range count {
			s := &Shard{Name: fmt.Sprint(region, k+1), Region: region}
			var away []nodes.ID
			for _, id := range l.Ledger {
				if m, _ := t.Member(id); m.Region == region {
					s.Voters = append(s.Voters, id)
				} else {
					away = append(away, id)
				}
			}
			if n := len(s.Voters); n > 1 { // the shards of a region begin with different leaders
				s.Voters = append(s.Voters[k%n:], s.Voters[:k%n]...)
			}
			s.Voters = append(s.Voters, away...)
			l.Shards = append(l.Shards, s)
			l.shards[s.Name] = s
		}
	}
	return l
}

// Shard returns the shard of that name, or nil.
func (l *Layout) Shard(name string) *Shard { return l.shards[name] }

// Of returns the shards of a region; the first one's leader is the scheduler of its windows.
func (l *Layout) Of(region string) []*Shard {
	var all []*Shard
	for _, s := range l.Shards {
		if s.Region == region {
			all = append(all, s)
		}
	}
	return all
}

// Clouds returns the clouds that some ledger nodes stand in, each once, sorted.
func (l *Layout) Clouds(ids []nodes.ID) []string {
	var clouds []string
	for _, id := range ids {
		clouds = append(clouds, l.cloud[id])
	}
	slices.Sort(clouds)
	return slices.Compact(clouds)
}

// ShardOf returns the first part of an account or a client: the shard that it is in.
func ShardOf(name string) string {
	shard, _, _ := strings.Cut(name, "/")
	return shard
}

// HomeOf returns the home shard of a payment.
func HomeOf(payment string) string {
	return payment[:max(0, strings.LastIndexByte(payment, '-'))]
}

// CurrencyOf returns the last part of an account.
func CurrencyOf(account string) string { return account[strings.LastIndexByte(account, '/')+1:] }

// HolderOf returns the middle part of an account.
func HolderOf(account string) string {
	_, rest, _ := strings.Cut(account, "/")
	return rest[:max(0, strings.LastIndexByte(rest, '/'))]
}
