package txn

import (
	"flag"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"faultlab/checker/history"
)

var seeds = flag.Uint64("seeds", 500, "how many small random histories of each kind to hold against trying everything")

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

// A look is a transaction's first read of a key, but for what it had written itself.
type look struct {
	t    int
	key  string
	from int // who wrote the version that it saw; -1: nobody
}

// looks runs transactions in the order p and returns what each saw of the others' versions. ok is false if a read is of
// no version, or of one that its transaction could not see. A list that holds an append is what the append made.
func looks(in []*Txn, p []int) (all []look, ok bool) {
	now := state{}
	before := make([]state, len(in))
	made := map[string]map[int][]int64{} // by key and transaction
	for _, t := range p {
		before[t] = now
		now = apply(now, nil)
		for _, op := range in[t].Ops {
			switch op.Kind {
			case Append:
				now[op.Key] = append(slices.Clone(now[op.Key]), op.Value)
			case Write:
				now[op.Key] = []int64{op.Value}
			default:
				continue
			}
			if made[op.Key] == nil {
				made[op.Key] = map[int][]int64{}
			}
			made[op.Key][t] = now[op.Key]
		}
	}
	for t, x := range in {
		own, seen := map[string][]int64{}, map[string][]int64{}
		for _, op := range x.Ops {
			switch {
			case op.Kind == Append:
				own[op.Key] = append(own[op.Key], op.Value)
				continue
			case op.Kind == Write:
				own[op.Key] = []int64{op.Value}
				continue
			case op.Unread || x.Outcome == history.Unknown:
				continue
			}
			list := op.List
			register := op.List == nil && !op.Nil && op.Value != 0
			if register {
				list = []int64{op.Value}
			}
			mine := own[op.Key]
			if len(mine) > 0 && (register || op.Nil) {
				if !slices.Equal(list, mine) {
					return nil, false
				}
				continue
			}
			head := len(list) - len(mine)
			if head < 0 || !slices.Equal(list[head:], mine) || len(mine) > 0 && !slices.Equal(list[:head], before[t][op.Key]) {
				return nil, false
			}
			list = list[:head]
			if first, again := seen[op.Key]; again {
				if !slices.Equal(first, list) {
					return nil, false
				}
				continue
			}
			seen[op.Key] = list
			from := -1
			for u, version := range made[op.Key] {
				if u != t && len(list) > 0 && slices.Equal(version, list) {
					from = u
				}
			}
			if from < 0 && len(list) > 0 {
				return nil, false
			}
			all = append(all, look{t, op.Key, from})
		}
	}
	return all, true
}

// arbitrated tries all orders in which the transactions can have come one after the other, as far as their versions go,
// and returns the models for which one of them will do (Cerone, Bernardi and Gotsman 2015).
func (o oracle) arbitrated() map[string]bool {
	holds := map[string]bool{}
	o.choices(func(in []*Txn) bool {
		permutations(len(in), func(p []int) bool {
			if all, ok := looks(in, p); ok {
				arbitrate(in, p, all, holds)
			}
			return false
		})
		return false
	})
	return holds
}

func arbitrate(in []*Txn, p []int, all []look, holds map[string]bool) {
	n := len(in)
	place, wrote := make([]int, n), make([]map[string]bool, n)
	for i, t := range p {
		place[t], wrote[t] = i, map[string]bool{}
		for _, op := range in[t].Ops {
			wrote[t][op.Key] = wrote[t][op.Key] || op.Kind != Read
		}
	}
	relation := func(is func(a, b int) bool) [][]bool {
		m := matrix(n)
		for i := range n {
			for j := range n {
				m[i][j] = i != j && is(i, j)
			}
		}
		return m
	}
	reads := matrix(n)
	for _, l := range all {
		if l.from >= 0 {
			reads[l.from][l.t] = true
		}
	}
	order := relation(func(a, b int) bool { return place[a] < place[b] })
	session := relation(func(a, b int) bool { return inSession(in[a], in[b]) })
	real := relation(func(a, b int) bool { return inTime(in[a], in[b]) })
	over := relation(func(a, b int) bool {
		for k, w := range wrote[a] {
			if w && wrote[b][k] && order[a][b] {
				return true
			}
		}
		return false
	})
	agrees := func(m [][]bool) bool {
		for i := range n {
			for j := range n {
				if m[i][j] && !order[i][j] {
					return false
				}
			}
		}
		return true
	}
	either := func(ms ...[][]bool) [][]bool {
		return relation(func(a, b int) bool { return slices.ContainsFunc(ms, func(m [][]bool) bool { return m[a][b] }) })
	}
	then := func(a, b [][]bool) [][]bool {
		return relation(func(i, j int) bool {
			for k := range n {
				if a[i][k] && b[k][j] {
					return true
				}
			}
			return false
		})
	}
	// older says that what a look saw is older than what u wrote of that key.
	older := func(l look, u int) bool { return wrote[u][l.key] && l.from != u && (l.from < 0 || order[l.from][u]) }
	// sees says that no look is older than what was visible to it.
	sees := func(visible [][]bool) bool {
		for _, l := range all {
			for u := range n {
				if visible[u][l.t] && older(l, u) {
					return false
				}
			}
		}
		return true
	}
	set := func(model string, is bool) { holds[model] = holds[model] || is }

	set("read-uncommitted", true)
	set("strong-session-read-uncommitted", agrees(session))
	set("strong-read-uncommitted", agrees(real))
	if agrees(reads) {
		set("read-committed", true)
		set("strong-session-read-committed", agrees(session))
		set("strong-read-committed", agrees(real))
		monotonic := true
		for i, l := range all {
			for _, later := range all[i+1:] {
				monotonic = monotonic && !(l.from >= 0 && later.t == l.t && older(later, l.from))
			}
		}
		set("monotonic-atomic-view", monotonic)
		set("read-atomic", sees(reads))
		set("update-atomic", sees(either(reads, over)))
		set("parallel-snapshot-isolation", sees(closure(either(reads, over))))
		if agrees(session) {
			base := either(reads, session)
			set("causal", sees(closure(base)))
			set("prefix", sees(either(base, then(order, base))))
		}
	}
}

// sessions decides the session guarantees, which say nothing across keys: each key's versions may be in an order of
// their own.
func (o oracle) sessions() map[string]bool {
	holds := map[string]bool{}
	o.choices(func(in []*Txn) bool {
		n := len(in)
		keys := []string{"x", "y"}
		alone := map[string][]*Txn{} // what the transactions did to each key
		reads := matrix(n)
		for _, key := range keys {
			for _, t := range in {
				one := *t
				one.Ops = slices.DeleteFunc(slices.Clone(t.Ops), func(op Op) bool { return op.Key != key })
				alone[key] = append(alone[key], &one)
			}
			possible := permutations(n, func(p []int) bool {
				all, ok := looks(alone[key], p)
				for _, l := range all {
					if ok && l.from >= 0 {
						reads[l.from][l.t] = true
					}
				}
				return ok
			})
			if !possible {
				return false
			}
		}
		kept := map[string]int{} // for how many keys
		for _, key := range keys {
			here := map[string]bool{}
			permutations(n, func(p []int) bool {
				if all, ok := looks(alone[key], p); ok {
					guarantee(in, p, key, all, reads, here)
				}
				return false
			})
			for model, is := range here {
				if is {
					kept[model]++
				}
			}
		}
		for model, n := range kept {
			holds[model] = holds[model] || n == len(keys)
		}
		return false
	})
	return holds
}

// guarantee notes which session guarantees one order of one key's versions keeps.
func guarantee(in []*Txn, p []int, key string, all []look, reads [][]bool, holds map[string]bool) {
	n := len(in)
	place, wrote := make([]int, n), make([]bool, n)
	for i, t := range p {
		place[t] = i
		wrote[t] = slices.ContainsFunc(in[t].Ops, func(op Op) bool { return op.Key == key && op.Kind != Read })
	}
	session := func(a, b int) bool { return a != b && inSession(in[a], in[b]) }
	// follows says that b came after a had read u: u was read by a, which is b or came before it in its session.
	follows := func(u, b int) bool {
		for a := range n {
			if reads[u][a] && (a == b || session(a, b)) {
				return true
			}
		}
		return false
	}
	own, monoReads, monoWrites, follow := true, true, true, true
	for _, l := range all {
		for u := range n {
			if u == l.t || !wrote[u] || l.from == u || l.from >= 0 && place[u] < place[l.from] {
				continue // it saw u's write, or a later one
			}
			own = own && !session(u, l.t)
			for a := range n {
				monoReads = monoReads && !(reads[u][a] && session(a, l.t))
				monoWrites = monoWrites && !(session(u, a) && reads[a][l.t])
				follow = follow && !(u != a && follows(u, a) && reads[a][l.t])
			}
		}
	}
	for a := range n {
		for b := range n {
			if a != b && wrote[a] && wrote[b] && place[b] < place[a] {
				monoWrites = monoWrites && !session(a, b)
				follow = follow && !follows(a, b)
			}
		}
	}
	for model, is := range map[string]bool{"read-your-writes": own, "monotonic-reads": monoReads, "monotonic-writes": monoWrites, "writes-follow-reads": follow,
		"pram": own && monoReads && monoWrites} {
		holds[model] = holds[model] || is
	}
}

// ofKey returns what transactions did to one key.
func ofKey(txns []Txn, key string) []Txn {
	var one []Txn
	for _, t := range txns {
		ops := slices.DeleteFunc(slices.Clone(t.Ops), func(op Op) bool { return op.Key != key })
		if t.Ops = ops; len(ops) > 0 {
			one = append(one, t)
		}
	}
	return one
}

// eachKey says that what was done to each key is serializable.
func (o oracle) eachKey() bool {
	for _, key := range []string{"x", "y"} {
		if !(oracle{ofKey(o.txns, key), o.before}).serializable() {
			return false
		}
	}
	return true
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
				if n := len(op.List); n > 1 && r.IntN(20) == 0 {
					op.List[n-1], op.List[n-2] = op.List[n-2], op.List[n-1]
				}
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

// torn are the anomalies of single reads. With one of them no order of versions explains the history, so that the
// models below read atomicity are judged by what else it shows, and the oracle knows nothing of them.
var torn = []string{"internal", "future-read", "G1a", "G1b", "incompatible-order", "atomicity", "garbage-read", "duplicate-elements"}

func TestVerdictsOnSmallListHistoriesAreThoseOfTryingEverything(t *testing.T) {
	tryEverything(t, Append, 7)
}

func TestVerdictsOnSmallRegisterHistoriesAreThoseOfTryingEverything(t *testing.T) {
	tryEverything(t, Write, 8)
}

func tryEverything(t *testing.T, kind Kind, stream uint64) {
	counts := map[string][2]int{}
	for seed := range *seeds {
		txns := dice(rand.New(rand.NewPCG(seed, stream)), kind)
		if seed%4 == 3 {
			completions(txns)
		}
		if kind == Write && !slices.ContainsFunc(txns, func(t Txn) bool { return slices.ContainsFunc(t.Ops, func(o Op) bool { return o.Kind == Write }) }) {
			continue
		}
		rep := Check(txns, Options{})
		oracles := map[string]func() bool{
			"strict-serializable":               oracle{txns, inTime}.serializable,
			"strong-session-serializable":       oracle{txns, inSession}.serializable,
			"serializable":                      oracle{txns, never}.serializable,
			"strong-snapshot-isolation":         oracle{txns, inTime}.snapshot,
			"strong-session-snapshot-isolation": oracle{txns, inSession}.snapshot,
			"snapshot-isolation":                oracle{txns, never}.snapshot,
			"per-key-linearizable":              oracle{txns, inTime}.eachKey,
			"per-key-sequential":                oracle{txns, inSession}.eachKey,
		}
		holds := oracle{txns, never}.arbitrated()
		maps.Copy(holds, oracle{txns, never}.sessions())
		for _, m := range models {
			_, other := oracles[m.name]
			session := slices.Contains([]string{"pram", "read-your-writes", "monotonic-reads", "monotonic-writes", "writes-follow-reads"}, m.name)
			disagree := rep.Counts["incompatible-order"] > 0
			switch {
			case other || m.name == "consistent-view" || m.name == "repeatable-read" || m.name == "cursor-stability": // Adya's, by cycles alone
			case session && kind == Append && rep.Counts["G0"] > 0: // appends of two transactions among each other: no order of transactions explains them
			case session && disagree && !slices.Contains(rep.Open, m.name), below(m.name)["read-atomic"], !slices.ContainsFunc(torn, func(a string) bool { return rep.Counts[a] > 0 }):
				oracles[m.name] = func() bool { return holds[m.name] }
			}
		}
		compare(t, counts, seed, txns, rep, oracles)
	}
	t.Log(counts)
}

// completions makes a history one of completions alone: each transaction may have begun when the one before it in its
// session had ended.
func completions(txns []Txn) {
	ended := map[string]time.Duration{}
	order := make([]int, len(txns))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int { return int(txns[a].Return - txns[b].Return) })
	for _, i := range order {
		txns[i].Call = ended[txns[i].Client]
		ended[txns[i].Client] = txns[i].Return
	}
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
		if model == "update-atomic" && slices.Contains(rep.Open, model) {
			continue // which it is where the order of writes is
		}
		if rep.holds(model) != want || slices.Contains(rep.Open, model) {
			t.Fatalf("seed %d: %s: %v, but %v: %v %v%s", seed, model, rep.holds(model), want, rep.Counts, rep.Reason, show(txns))
		}
	}
}
