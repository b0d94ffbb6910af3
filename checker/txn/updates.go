package txn

import (
	"cmp"
	"fmt"
	"math"
	"slices"
)

// updates judges update atomicity where the order of versions is known: of two transactions that write one key the later
// sees all that the earlier wrote (axiom NOCONFLICT of Cerone, Bernardi and Gotsman 2015, with read atomicity). For each
// pair of keys (which may be one key) it takes the transactions that wrote both, by their place in the first, and what of the second the latest
// of them up to there wrote. The order of appends that no read holds is open, and so is the model if that could matter.
func (f *findings) updates(x *facts) {
	type pair struct{ k, j int32 }
	type both struct{ a, b int32 } // writes of k and j by one transaction; b the latest of those up to a
	wrote := map[pair][]both{}
	loose := map[int32]int{} // by key: writes that no order has
	for t := range int32(len(x.txns)) {
		ws := x.lastWrites(t)
		for _, a := range ws {
			if r := x.rank(a); r < 0 || r >= math.MaxInt32-1 {
				loose[x.vs.key[a]]++
			}
			for _, b := range ws {
				p := pair{x.vs.key[a], x.vs.key[b]}
				wrote[p] = append(wrote[p], both{a, b})
			}
		}
	}
	for _, list := range wrote {
		slices.SortFunc(list, func(v, w both) int { return cmp.Compare(x.rank(v.a), x.rank(w.a)) })
		for i := 1; i < len(list); i++ {
			if x.rank(list[i].b) < x.rank(list[i-1].b) {
				list[i].b = list[i-1].b
			}
		}
	}
	x.eachRead(func(t, j, from int32) {
		for _, mine := range x.lastWrites(t) {
			list := wrote[pair{x.vs.key[mine], j}]
			n, _ := slices.BinarySearchFunc(list, x.rank(mine), func(v both, rank int32) int { return cmp.Compare(x.rank(v.a), rank) })
			if n == 0 || x.rank(list[n-1].b) < 0 || from >= 0 && (x.rank(from) < 0 || x.rank(list[n-1].b) <= x.rank(from)) {
				continue
			}
			missed := list[n-1].b
			u := x.writer[missed]
			if u == t || u == x.author(from) {
				continue
			}
			f.add("update-atomic-violation", func() Anomaly {
				k := x.keys.name[x.vs.key[mine]]
				first := fmt.Sprintf("%s wrote %s to %s after %s wrote %s to it", x.name(t), x.value(mine), k, x.name(u), x.value(x.wrote(u, x.vs.key[mine])))
				then := fmt.Sprintf("%s saw %s without %s, which %s wrote", x.name(t), x.keys.name[j], x.value(missed), x.name(u))
				a := x.anomaly(first+"; "+then, u, t)
				a.Cycle = []Step{{x.txns[u].Index, x.txns[t].Index, edgeNames[ww], k, first}, {x.txns[t].Index, x.txns[u].Index, edgeNames[rw], x.keys.name[j], then}}
				return a
			})
		}
	})
	for _, n := range loose {
		if n > 1 && !f.breaks("update-atomic") {
			f.leave("update-atomic", "update-atomic-violation", "update-atomic: which of some appends came first, and so must be seen by the other, no read shows")
			return
		}
	}
}
