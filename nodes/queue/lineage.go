package queue

import (
	"cmp"
	"slices"
	"strings"
)

// A Held is what a group has of a shard, as it tells who surveys a region before a promotion.
type Held struct {
	Shard    Shard     `json:"shard"`
	Number   int       `json:"number"`
	Parents  []Cursor  `json:"parents,omitempty"` // with their last places: all of them are complete in this region
	End      uint64    `json:"end"`
	Complete bool      `json:"complete,omitempty"` // it is sealed, and End is its last place
	Children []Stretch `json:"children,omitempty"` // without ends
}

// compareShards orders shards so that parents come before children: along a lineage epochs only rise.
func compareShards(a, b Shard) int {
	return cmp.Or(cmp.Compare(a.Epoch, b.Epoch), strings.Compare(a.Range, b.Range))
}

// lineage returns the canonical lineage that a region can declare from what its groups hold: every shard whose parents
// it has wholly, as far as it has it. The child of a shard that it has wholly is on it, though nothing may have come of
// the child yet. Groups were asked at different moments, so one may hold a child of what another did not yet have all of:
// then it has since.
func lineage(held []Held) []Stretch {
	var all []Stretch
	complete := map[Shard]bool{}
	named := map[Shard]bool{}
	for _, h := range held {
		s := Stretch{Shard: h.Shard, Number: h.Number, End: h.End}
		for _, p := range h.Parents {
			s.Parents = append(s.Parents, p.Shard)
		}
		all = append(all, s)
		named[h.Shard] = true
	}
	for _, h := range held {
		if h.Complete {
			complete[h.Shard] = true
		}
		for _, p := range h.Parents {
			complete[p.Shard] = true
			if i := slices.IndexFunc(all, func(s Stretch) bool { return s.Shard == p.Shard }); i >= 0 {
				all[i].End = p.Seq
			}
		}
		for _, c := range h.Children {
			if !named[c.Shard] {
				named[c.Shard] = true
				all = append(all, Stretch{Shard: c.Shard, Number: c.Number, Parents: c.Parents})
			}
		}
	}
	slices.SortFunc(all, func(a, b Stretch) int { return compareShards(a.Shard, b.Shard) })
	on := map[Shard]bool{}
	return slices.DeleteFunc(all, func(s Stretch) bool {
		on[s.Shard] = !slices.ContainsFunc(s.Parents, func(p Shard) bool { return !on[p] || !complete[p] })
		return !on[s.Shard]
	})
}

// last says whether a shard on a declared lineage has no child there: a promotion gives it a successor.
func last(lineage []Stretch, s Shard) bool {
	return !slices.ContainsFunc(lineage, func(c Stretch) bool { return slices.Contains(c.Parents, s) })
}
