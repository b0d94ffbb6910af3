package txn

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"faultlab/checker/history"
)

var seeds = flag.Uint64("seeds", 700, "how many small random histories of each kind to hold against trying everything")

// An oracle decides models by trying everything: all orders of transactions, with every choice of which unknown ones
// took effect. It shares no code with the checker.
type oracle struct {
	txns   []Txn
	before func(a, b *Txn) bool // base: what must be in order
}

func inSession(a, b *Txn) bool {
	return a.Client == b.Client && a.Outcome == history.OK && a.Return <= b.Call && a.Index < b.Index
}
func inTime(a, b *Txn) bool {
	return a.Outcome == history.OK && a.Return < b.Call || inSession(a, b)
}
func never(a, b *Txn) bool { return false }

// choices calls try with each set of transactions that may have taken effect, until it returns true.
func (o oracle) choices(try func(in []*Txn) bool) bool {
	var unknown []int
	for i := range o.txns {
		if o.txns[i].Outcome == history.Unknown {
			unknown = append(unknown, i)
		}
	}
	for set := range 1 << len(unknown) {
		var in []*Txn
		for i := range o.txns {
			u := slices.Index(unknown, i)
			if o.txns[i].Outcome == history.OK || u >= 0 && set>>u&1 == 1 {
				in = append(in, &o.txns[i])
			}
		}
		if try(in) {
			return true
		}
	}
	return false
}

type state map[string][]int64

// agrees runs a transaction on a snapshot: true if its reads are what it sees. It returns what it wrote.
func agrees(t *Txn, snapshot state) (writes map[string][]int64, ok bool) {
	own := map[string][]int64{}
	for _, op := range t.Ops {
		now, mine := own[op.Key]
		if !mine {
			now = snapshot[op.Key]
		}
		switch {
		case op.Kind == Append:
			own[op.Key] = append(slices.Clone(now), op.Value)
		case op.Kind == Write:
			own[op.Key] = []int64{op.Value}
		case op.Unread || t.Outcome == history.Unknown:
		case op.List != nil || !op.Nil && op.Value == 0:
			if !slices.Equal(now, op.List) {
				return nil, false
			}
		case op.Nil:
			if len(now) > 0 {
				return nil, false
			}
		default:
			if len(now) != 1 || now[0] != op.Value {
				return nil, false
			}
		}
	}
	return own, true
}

func apply(s state, writes map[string][]int64) state {
	next := state{}
	for k, v := range s {
		next[k] = v
	}
	for k, v := range writes {
		next[k] = v
	}
	return next
}

// serializable tries all orders.
func (o oracle) serializable() bool {
	return o.choices(func(in []*Txn) bool {
		var place func(s state, left []*Txn) bool
		place = func(s state, left []*Txn) bool {
			if len(left) == 0 {
				return true
			}
			for i, t := range left {
				if slices.ContainsFunc(left, func(u *Txn) bool { return u != t && o.before(u, t) }) {
					continue
				}
				if writes, ok := agrees(t, s); ok && place(apply(s, writes), slices.Delete(slices.Clone(left), i, i+1)) {
					return true
				}
			}
			return false
		}
		return place(state{}, in)
	})
}

// snapshot tries all orders of starts and commits in which nobody overwrites what was committed since its start.
func (o oracle) snapshot() bool {
	return o.choices(func(in []*Txn) bool {
		type running struct {
			t       *Txn
			writes  map[string][]int64
			touched map[string]bool // keys that others have committed since
		}
		var place func(s state, left []*Txn, open []running) bool
		place = func(s state, left []*Txn, open []running) bool {
			if len(left) == 0 && len(open) == 0 {
				return true
			}
			for i, t := range left { // start
				waits := func(u *Txn) bool { return u != t && o.before(u, t) }
				if slices.ContainsFunc(left, waits) || slices.ContainsFunc(open, func(r running) bool { return waits(r.t) }) {
					continue
				}
				if writes, ok := agrees(t, s); ok &&
					place(s, slices.Delete(slices.Clone(left), i, i+1), append(slices.Clone(open), running{t, writes, map[string]bool{}})) {
					return true
				}
			}
			for i, r := range open { // commit
				conflict := false
				for k := range r.writes {
					conflict = conflict || r.touched[k]
				}
				if conflict {
					continue
				}
				var rest []running
				for j, q := range open {
					if j != i {
						touched := map[string]bool{}
						for k := range q.touched {
							touched[k] = true
						}
						for k := range r.writes {
							touched[k] = true
						}
						rest = append(rest, running{q.t, q.writes, touched})
					}
				}
				if place(apply(s, r.writes), left, rest) {
					return true
				}
			}
			return false
		}
		return place(state{}, in, nil)
	})
}

// arbitrated decides register models of the form: some total order of the transactions contains reads-from and
// sessions, and each read returns the last in it of the writes that were visible. visible is given reads-from and
// sessions as matrices over the transactions.
func (o oracle) arbitrated(sessions bool, visible func(wr, base, order [][]bool) [][]bool) bool {
	return o.choices(func(in []*Txn) bool {
		n := len(in)
		writer := map[string]int{}
		last := map[string]map[int]int64{}
		for i, t := range in {
			for _, op := range t.Ops {
				if op.Kind == Write {
					writer[fmt.Sprint(op.Key, op.Value)] = i + 1
					if last[op.Key] == nil {
						last[op.Key] = map[int]int64{}
					}
					last[op.Key][i] = op.Value
				}
			}
		}
		wr, base := matrix(n), matrix(n)
		type read struct{ t, from int } // from 0: nobody
		reads := map[string][]read{}
		for i, t := range in {
			own := map[string]Op{}
			for _, op := range t.Ops {
				if op.Kind == Write {
					own[op.Key] = op
					continue
				}
				if op.Unread || t.Outcome == history.Unknown {
					continue
				}
				if mine, ok := own[op.Key]; ok {
					if op.Nil != mine.Nil || op.Value != mine.Value {
						return false
					}
					continue
				}
				own[op.Key] = op
				from := 0
				if !op.Nil {
					from = writer[fmt.Sprint(op.Key, op.Value)]
					if from == 0 || from == i+1 || last[op.Key][from-1] != op.Value {
						return false
					}
					wr[from-1][i] = true
				}
				reads[op.Key] = append(reads[op.Key], read{i, from})
			}
		}
		for i, a := range in {
			for j, b := range in {
				base[i][j] = i != j && (wr[i][j] || sessions && inSession(a, b))
			}
		}
		order := matrix(n)
		return permutations(n, func(p []int) bool {
			for i := range p {
				for j := range p {
					order[p[i]][p[j]] = i < j
				}
			}
			for i := range n {
				for j := range n {
					if base[i][j] && !order[i][j] {
						return false
					}
				}
			}
			vis := visible(wr, base, order)
			for k, rs := range reads {
				for _, r := range rs {
					for w := range last[k] {
						if w != r.t && vis[w][r.t] && w != r.from-1 && (r.from == 0 || order[r.from-1][w]) {
							return false
						}
					}
				}
			}
			return true
		})
	})
}

func matrix(n int) [][]bool {
	m := make([][]bool, n)
	for i := range m {
		m[i] = make([]bool, n)
	}
	return m
}

func closure(a [][]bool) [][]bool {
	n := len(a)
	m := matrix(n)
	for i := range m {
		copy(m[i], a[i])
	}
	for k := range n {
		for i := range n {
			for j := range n {
				m[i][j] = m[i][j] || m[i][k] && m[k][j]
			}
		}
	}
	return m
}

func permutations(n int, try func(p []int) bool) bool {
	var walk func(p []int, used int) bool
	walk = func(p []int, used int) bool {
		if len(p) == n {
			return try(p)
		}
		for i := range n {
			if used>>i&1 == 0 && walk(append(p, i), used|1<<i) {
				return true
			}
		}
		return false
	}
	return walk(make([]int, 0, n), 0)
}

// dice makes small histories, good and bad, of registers or lists.
func dice(r *rand.Rand, kind Kind) []Txn {
	n, clients := 2+r.IntN(4), 1+r.IntN(3)
	keys := []string{"x", "y"}
	free := make([]time.Duration, clients)
	names := make([]string, clients)
	for i := range names {
		names[i] = fmt.Sprint("c", i)
	}
	next := map[string]int64{}
	txns := make([]Txn, n)
	for i := range txns {
		c := r.IntN(clients)
		t := &txns[i]
		t.Client, t.Outcome = names[c], history.OK
		t.Call = free[c] + time.Duration(r.IntN(4))
		t.Return = t.Call + time.Duration(r.IntN(6))
		free[c] = t.Return
		switch r.IntN(12) {
		case 0:
			t.Outcome = history.Unknown
			names[c] += "'"
		case 1:
			if r.IntN(3) == 0 {
				t.Outcome = history.Failed
			}
		}
		for range 1 + r.IntN(3) {
			k := keys[r.IntN(2)]
			if r.IntN(2) == 0 {
				next[k]++
				t.Ops = append(t.Ops, Op{Kind: kind, Key: k, Value: next[k]})
			} else {
				t.Ops = append(t.Ops, Op{Kind: Read, Key: k, Unread: t.Outcome == history.Unknown})
			}
		}
	}
	slices.SortStableFunc(txns, func(a, b Txn) int { return int(a.Call - b.Call) })
	orders := map[string][]int64{}
	for _, k := range keys {
		for _, v := range r.Perm(int(next[k])) {
			orders[k] = append(orders[k], int64(v+1))
		}
		if r.IntN(2) == 0 {
			slices.Sort(orders[k])
		}
	}
	for i := range txns {
		txns[i].Index = i
		for j := range txns[i].Ops {
			op := &txns[i].Ops[j]
			if op.Kind != Read || op.Unread {
				continue
			}
			if kind == Append {
				op.List = slices.Clone(orders[op.Key][:r.IntN(len(orders[op.Key])+1)])
				// What it appended itself before is mostly at the end.
				for _, p := range txns[i].Ops[:j] {
					if p.Key == op.Key && p.Kind == Append && r.IntN(8) > 0 {
						op.List = orders[op.Key][:slices.Index(orders[op.Key], p.Value)+1]
					}
				}
				continue
			}
			op.Value = int64(r.IntN(int(next[op.Key]) + 1))
			for _, p := range txns[i].Ops[:j] {
				if p.Key == op.Key && r.IntN(8) > 0 {
					op.Value = p.Value
				}
			}
			op.Nil = op.Value == 0
		}
	}
	return txns
}

func (r Report) holds(model string) bool { return !slices.Contains(r.Not, model) }

func show(txns []Txn) string {
	s := ""
	for _, t := range txns {
		s += fmt.Sprintf("\nT%d %s %d-%d %s:", t.Index, t.Client, t.Call, t.Return, t.Outcome)
		for _, op := range t.Ops {
			s += fmt.Sprintf(" %d %s %d %v nil=%v unread=%v;", op.Kind, op.Key, op.Value, op.List, op.Nil, op.Unread)
		}
	}
	return s
}

func TestVerdictsOnSmallListHistoriesAreThoseOfTryingEverything(t *testing.T) {
	counts := map[string][2]int{}
	for seed := range *seeds {
		txns := dice(rand.New(rand.NewPCG(seed, 7)), Append)
		rep := Check(txns, Options{})
		compare(t, counts, seed, txns, rep, map[string]func() bool{
			"strict-serializable":               oracle{txns, inTime}.serializable,
			"strong-session-serializable":       oracle{txns, inSession}.serializable,
			"serializable":                      oracle{txns, never}.serializable,
			"strong-snapshot-isolation":         oracle{txns, inTime}.snapshot,
			"strong-session-snapshot-isolation": oracle{txns, inSession}.snapshot,
			"snapshot-isolation":                oracle{txns, never}.snapshot,
		})
	}
	t.Log(counts)
}

func TestVerdictsOnSmallRegisterHistoriesAreThoseOfTryingEverything(t *testing.T) {
	counts := map[string][2]int{}
	for seed := range *seeds {
		txns := dice(rand.New(rand.NewPCG(seed, 8)), Write)
		if !slices.ContainsFunc(txns, func(t Txn) bool { return slices.ContainsFunc(t.Ops, func(o Op) bool { return o.Kind == Write }) }) {
			continue
		}
		rep := Check(txns, Options{})
		o := oracle{txns, never}
		compare(t, counts, seed, txns, rep, map[string]func() bool{
			"strict-serializable":               oracle{txns, inTime}.serializable,
			"strong-session-serializable":       oracle{txns, inSession}.serializable,
			"serializable":                      oracle{txns, never}.serializable,
			"strong-snapshot-isolation":         oracle{txns, inTime}.snapshot,
			"strong-session-snapshot-isolation": oracle{txns, inSession}.snapshot,
			"snapshot-isolation":                oracle{txns, never}.snapshot,
			"read-atomic": func() bool {
				return o.arbitrated(false, func(wr, _, _ [][]bool) [][]bool { return wr })
			},
			"causal": func() bool {
				return o.arbitrated(true, func(_, base, _ [][]bool) [][]bool { return closure(base) })
			},
			"prefix": func() bool {
				return o.arbitrated(true, func(_, base, order [][]bool) [][]bool {
					vis := matrix(len(base))
					for i := range base {
						for j := range base {
							vis[i][j] = base[i][j]
							for m := range base {
								vis[i][j] = vis[i][j] || order[i][m] && base[m][j]
							}
						}
					}
					return vis
				})
			},
		})
	}
	t.Log(counts)
}

func compare(t *testing.T, counts map[string][2]int, seed uint64, txns []Txn, rep Report, oracles map[string]func() bool) {
	t.Helper()
	if rep.Verdict == history.Undetermined {
		return
	}
	for model, decide := range oracles {
		want := decide()
		n := counts[model]
		if want {
			n[0]++
		} else {
			n[1]++
		}
		counts[model] = n
		if rep.holds(model) != want || slices.Contains(rep.Open, model) {
			t.Fatalf("seed %d: %s: %v, but %v: %v %v%s", seed, model, rep.holds(model), want, rep.Counts, rep.Reason, show(txns))
		}
	}
}
