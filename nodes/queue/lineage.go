package queue

import "slices"

// A Held is what a group has of a shard, as it tells who surveys a region before a promotion.
type Held struct {
	At      Location   `json:"at"`
	Parents []Location `json:"parents,omitempty"`
	End     uint64     `json:"end"`
	Sealed  bool       `json:"sealed,omitempty"` // End is its last place, and Births follow it
	Births  []birth    `json:"births,omitempty"`
}

// lineage returns the canonical lineage that a region can declare from what its groups hold: every shard whose parents
// it has wholly, as far as it has it. The child of a shard that it has wholly is on it, though nothing may have come of
// the child yet. Groups are asked at different moments, so one may hold a child of what another did not yet have all of;
// then ok is false, for as a rule it has since, and can be asked again.
func lineage(held []Held) (all []Stretch, ok bool) {
	sealed := map[Shard]bool{}
	named := map[Shard]bool{}
	for _, h := range held {
		all = append(all, Stretch{h.At, h.Parents, h.End})
		sealed[h.At.Shard] = h.Sealed
		named[h.At.Shard] = true
	}
	ok = true
	for _, h := range held {
		for _, b := range h.Births {
			if !named[b.Child.Shard] {
				named[b.Child.Shard] = true
				all = append(all, Stretch{b.Child, b.Parents, 0})
			}
		}
		ok = ok && !slices.ContainsFunc(h.Parents, func(p Location) bool { return !sealed[p.Shard] })
	}
	slices.SortFunc(all, func(a, b Stretch) int { return a.At.Shard.compare(b.At.Shard) })
	on := map[Shard]bool{}
	return slices.DeleteFunc(all, func(s Stretch) bool {
		on[s.At.Shard] = !slices.ContainsFunc(s.Parents, func(p Location) bool { return !on[p.Shard] || !sealed[p.Shard] })
		return !on[s.At.Shard]
	}), ok
}
