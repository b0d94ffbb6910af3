package queue

import (
	"cmp"
	"slices"
	"strings"
)

// A membership is a group of consumers as its coordinator's log has it. Members and shards are in order, and who reads
// what follows from the two lists alone. Number counts the changes of either.
type membership struct {
	Home    string   `cbor:"1,keyasint"`
	Group   string   `cbor:"2,keyasint"`
	Number  uint64   `cbor:"3,keyasint"`
	Members []string `cbor:"4,keyasint"`
	Shards  []Shard  `cbor:"5,keyasint"`
}

// generations is how many generations of a group of consumers one generation of a keyspace has room for. So after a
// promotion, when another coordinator begins to count, they are higher than all before.
const generations = 1_000_000

// generation is what fences members of former assignments.
func (c *membership) generation(regime uint64) uint64 { return regime*generations + c.Number }

// of returns the shards that a member is to read: every so manieth of the list.
func (c *membership) of(member string) []Shard {
	at, is := slices.BinarySearch(c.Members, member)
	if !is {
		return nil
	}
	var shards []Shard
	for i := at; i < len(c.Shards); i += len(c.Members) {
		shards = append(shards, c.Shards[i])
	}
	return shards
}

// A Standing is how far a group of consumers is with a shard.
type Standing struct {
	Shard   Shard   `json:"shard"`
	Parents []Shard `json:"parents,omitempty"`
	Seq     uint64  `json:"seq"`            // the group's cursor
	Over    bool    `json:"over,omitempty"` // the shard is sealed, and the cursor at its end
}

// readable returns the shards that a group of consumers may read now: those of which it has not read all, and whose
// parents it has. A parent of which nothing is known is one that it has not read.
func readable(all []Standing) []Cursor {
	over := map[Shard]bool{}
	for _, s := range all {
		over[s.Shard] = s.Over
	}
	var list []Cursor
	for _, s := range all {
		if !s.Over && !slices.ContainsFunc(s.Parents, func(p Shard) bool { return !over[p] }) {
			list = append(list, Cursor{s.Shard, s.Seq})
		}
	}
	slices.SortFunc(list, func(a, b Cursor) int {
		return cmp.Or(strings.Compare(a.Shard.Range, b.Shard.Range), cmp.Compare(a.Shard.Epoch, b.Shard.Epoch))
	})
	return list
}
