package txn

import (
	"cmp"
	"fmt"
	"slices"
)

// eachKey judges what was done to each key as a history of its own: a key is linearizable if that is strictly
// serializable, and sequential if it is strong session serializable. Both are local, so keys can be judged one by one
// (Herlihy and Wing, "Linearizability", TOPLAS 1990). Keys that only are given need be looked at; nil: all.
func (f *findings) eachKey(c *compiled, only []bool, check func(txns []Txn, one *findings)) {
	if f.inner || f.breaks("per-key-sequential") && !f.sought("per-key-linearizable-violation") && !f.sought("per-key-sequential-violation") {
		return
	}
	steps := max(100_000, f.opts.Steps/len(c.keys.name))
	for k, txns := range c.byKey(only) {
		if len(txns) == 0 {
			continue
		}
		one := newFindings(Options{Steps: steps, Examples: 1, Word: f.opts.Word})
		one.inner = true
		check(txns, one)
		for _, pair := range [...][2]string{{"strict-serializable", "per-key-linearizable"}, {"strong-session-serializable", "per-key-sequential"}} {
			model, m := pair[0], pair[1]
			switch {
			case one.breaks(model):
				f.add(m+"-violation", func() Anomaly { return one.ofOneKey(model, c.keys.name[k]) })
			case slices.ContainsFunc(one.open, func(o string) bool { return below(model)[o] }):
				f.leave(m, m+"-violation", fmt.Sprintf("%s: the search was given up for key %s", m, c.keys.name[k]))
			}
		}
	}
}

// byKey returns for each key the transactions that used it, with their operations on it alone. Failed ones count, since
// others may have read from them.
func (c *compiled) byKey(only []bool) [][]Txn {
	txns := make([][]Txn, len(c.keys.name))
	last := make([]int32, len(c.keys.name)) // the last transaction of each, + 1
	for t := range int32(len(c.txns)) {
		for f := c.start[t]; f < c.start[t+1]; f++ {
			k := c.key[f]
			if only != nil && !only[k] {
				continue
			}
			if last[k] != t+1 {
				last[k] = t + 1
				one := c.txns[t]
				one.Ops = nil
				txns[k] = append(txns[k], one)
			}
			one := &txns[k][len(txns[k])-1]
			one.Ops = append(one.Ops, *c.op(f, t))
		}
	}
	return txns
}

// ofOneKey takes the worst anomaly that breaks a model out of what was found for one key.
func (f *findings) ofOneKey(model, key string) Anomaly {
	names := slices.DeleteFunc(f.names(), func(name string) bool { return !slices.Contains(brokenBy([]string{name}), model) })
	worst := slices.MinFunc(names, func(a, b string) int { return cmp.Compare(severity(a), severity(b)) })
	a := f.anomalies[worst][0]
	a.Reason = fmt.Sprintf("of %s alone, %s: %s", key, worst, a.Reason)
	return a
}
