package txn

import (
	"fmt"
	"slices"

	"faultlab/checker/history"
)

// registers is what reads tell of the versions of each register. A version is a write, what a key held before anybody
// wrote to it, or a value that nobody in the history wrote. Their order is known only in part: it is kept as groups,
// each the readers of one version and the transactions that surely wrote a later one.
type registers struct {
	*facts
	found   *findings
	edges   edges
	graph   graph
	orphans map[version]int32 // the versions that nobody wrote, numbered after the initial ones
	orphan  []version
	readers edges // by version number: who read it
	later   edges // by version number: who surely wrote a later version
	late    graph // the same, when all are known
	because map[[2]int32]string
}

type version struct {
	key   int32
	value int64
}

func checkRegisters(txns []Txn, opts Options) Report { return newRegisters(txns, opts).report() }

func newRegisters(txns []Txn, opts Options) *registers {
	return &registers{facts: &facts{compiled: compile(txns, opts.Word)}, found: newFindings(opts), orphans: map[version]int32{}, because: map[[2]int32]string{}}
}

func (r *registers) report() Report {
	f, c := r.found, r.compiled
	if len(c.again) > 0 {
		for t := range int32(len(r.txns)) {
			for o := c.start[t]; c.in[t] && o < c.start[t+1]; o++ {
				if r.knownValue(t, r.op(o, t)) {
					r.first(t, o)
				}
			}
		}
		return f.ambiguous(c, "written")
	}
	r.find()
	rep := f.sum(c)
	if len(r.readKey) == 0 && rep.Verdict == history.Pass {
		rep.Verdict, rep.Reason = history.Undetermined, "no committed transaction read anything: there is nothing to judge"
		rep.Holds = nil
	}
	return rep
}

// find finds all anomalies, unless one version was written twice.
func (r *registers) find() {
	f, c := r.found, r.compiled
	r.make()
	r.commit()
	r.readAll()
	r.gather()
	r.sessions(&r.edges)
	r.relate()
	r.late = r.later.graph(r.versions(), 0)
	early := r.readers.graph(r.versions(), 0)
	r.graph = r.edges.graph(r.edges.missed(len(r.txns), &early, &r.late), len(r.txns))
	searches := f.cycles(c, &r.graph, r.why)
	if len(r.readKey) > 0 {
		r.judge(searches)
	}
}

// make makes room for all that the operations can tell, since most of them will.
func (r *registers) make() {
	reads, writes := len(r.key)-len(r.writer), len(r.writer)
	for list, n := range map[*edges]int{&r.edges: reads, &r.readers: reads, &r.later: writes + reads/2} {
		list.from, list.arcs = make([]int32, 0, n), make([]arc, 0, n)
	}
	r.readKey, r.readFrom, r.writes = make([]int32, 0, reads), make([]int32, 0, reads), make([]int32, 0, writes)
}

// versions counts the version numbers: writes, then what each key held at first, then values that nobody wrote.
func (r *registers) versions() int { return len(r.writer) + len(r.keys.name) + len(r.orphan) }

// knownValue says that a register read tells something, if its transaction committed.
func (r *registers) knownValue(t int32, op *Op) bool {
	return op.Kind == Read && !op.Unread && (r.txns[t].Outcome == history.OK || !op.Nil)
}

// commit takes unknown transactions as committed whose writes committed ones read.
func (r *registers) commit() {
	queue := make([]int32, 0, len(r.txns))
	for t := range int32(len(r.txns)) {
		if r.in[t] {
			queue = append(queue, t)
		}
	}
	for head := 0; head < len(queue); head++ {
		t := queue[head]
		for f := r.start[t]; f < r.start[t+1]; f++ {
			op := r.op(f, t)
			if !r.knownValue(t, op) || op.Nil {
				continue
			}
			if w := r.vs.find(r.key[f], op.Value); w >= 0 && r.txns[r.writer[w]].Outcome == history.Unknown && !r.in[r.writer[w]] {
				r.in[r.writer[w]] = true
				queue = append(queue, r.writer[w])
			}
		}
	}
}

// readAll finds what each read saw, and reports what single reads show.
func (r *registers) readAll() {
	ended := make([]int64, len(r.keys.name)) // by key: when a write of it first had returned
	for k := range ended {
		ended[k] = endless
	}
	for w, t := range r.writer {
		if r.txns[t].Outcome == history.OK {
			k := r.vs.key[w]
			ended[k] = min(ended[k], int64(r.txns[t].Return))
		}
	}
	nilRead := make([]bool, len(r.keys.name))
	r.readFirst = make([]int32, len(r.txns)+1)
	type late struct{ t, f int32 }
	var orphaned []late
	for t := range int32(len(r.txns)) {
		r.readFirst[t] = int32(len(r.readKey))
		if !r.in[t] {
			continue
		}
		for f := r.start[t]; f < r.start[t+1]; f++ {
			op := r.op(f, t)
			if !r.knownValue(t, op) || !r.first(t, f) {
				continue
			}
			k, from := r.key[f], initial
			if op.Nil {
				nilRead[k] = true
			} else if from = r.vs.find(k, op.Value); from < 0 {
				orphaned = append(orphaned, late{t, f})
				r.orphanRead(t, k, op.Value)
				continue
			} else if r.txns[r.writer[from]].Outcome == history.Failed {
				w := from
				r.found.add("G1a", func() Anomaly {
					return r.anomaly(fmt.Sprintf("%s read %s; %s, which wrote that, had failed", r.name(t), r.valueAt(t, f), r.name(r.writer[w])), t, r.writer[w])
				})
				from = silent
			} else if r.writer[from] == t {
				r.found.add("future-read", func() Anomaly {
					return r.anomaly(fmt.Sprintf("%s read %s before it wrote that itself", r.name(t), r.valueAt(t, f)), t)
				})
				from = silent
			} else if r.middle[from] {
				w := from
				r.found.add("G1b", func() Anomaly {
					return r.anomaly(fmt.Sprintf("%s read %s, which %s wrote and then overwrote itself", r.name(t), r.valueAt(t, f), r.name(r.writer[w])), t, r.writer[w])
				})
			}
			r.readKey, r.readFrom = append(r.readKey, k), append(r.readFrom, from)
		}
	}
	r.readFirst[len(r.txns)] = int32(len(r.readKey))
	// One value that nobody wrote may have been there before the history began.
	values := make([]int, len(r.keys.name))
	for _, v := range r.orphan {
		values[v.key]++
	}
	for _, o := range orphaned {
		k := r.key[o.f]
		if values[k] > 1 || nilRead[k] || ended[k] < int64(r.txns[o.t].Call) {
			r.found.add("garbage-read", func() Anomaly {
				return r.anomaly(fmt.Sprintf("%s read %s; nobody wrote that", r.name(o.t), r.valueAt(o.t, o.f)), o.t)
			})
		} else if len(r.found.assumed) == 0 {
			r.found.assumed = append(r.found.assumed, fmt.Sprintf("%s, which %s read and nobody wrote, was there before the history began", r.valueAt(o.t, o.f), r.name(o.t)))
		}
	}
}

func (r *registers) orphanRead(t, k int32, value int64) {
	v := version{k, value}
	n, ok := r.orphans[v]
	if !ok {
		n = int32(len(r.orphan))
		r.orphans[v] = n
		r.orphan = append(r.orphan, v)
	}
	r.readKey, r.readFrom = append(r.readKey, k), append(r.readFrom, silent)
	r.readers.add(int32(len(r.writer)+len(r.keys.name))+n, t, rw)
}

// first says that a read is its transaction's first use of the key, and holds it against the one before if it is not.
func (r *registers) first(t, f int32) bool {
	op := r.op(f, t)
	for p := r.prev[f]; p >= 0; p = r.prev[p] {
		before := r.op(p, t)
		if before.Kind == Read && !r.knownValue(t, before) {
			continue
		}
		if before.Nil != op.Nil || !op.Nil && before.Value != op.Value {
			r.found.add("internal", func() Anomaly {
				return r.anomaly(fmt.Sprintf("%s read %s where it must see %s, from what it had read or written itself", r.name(t), r.valueAt(t, f), r.valueAt(t, p)), t)
			})
		}
		return false
	}
	return true
}

// valueAt writes an operation's value: x=3.
func (r *registers) valueAt(t, f int32) string {
	op := r.op(f, t)
	if op.Kind == Read && op.Nil {
		return r.keyOf(f) + "=nothing"
	}
	return r.keyOf(f) + "=" + r.say(op.Value)
}

// relate draws what follows whatever the model: who read from whom; that what was there at first came before all
// writes; that a transaction that read a version and wrote the key wrote a later one; and what the options say.
func (r *registers) relate() {
	W := int32(len(r.writer))
	written := make([]bool, len(r.writer))
	for _, w := range r.writes {
		written[w] = true
		r.later.add(W+r.vs.key[w], r.writer[w], rw)
	}
	updated := make([]int32, int(W)+len(r.keys.name)) // by version: the first transaction that read it and wrote the key, + 1
	for t := range int32(len(r.txns)) {
		if !r.in[t] {
			continue
		}
		r.reads(t, func(_, k, from int32) {
			n := from
			if from == initial {
				n = W + k
			}
			r.readers.add(n, t, rw)
			if from >= 0 {
				r.edges.add(r.writer[from], t, wr)
				if !written[from] {
					r.later.add(from, r.writer[from], rw)
				}
			}
			w := r.wrote(t, k)
			if w < 0 {
				return
			}
			if from >= 0 { // the wr edge orders them already, unless the model allows to read what comes later
				r.later.add(from, r.writer[w], rw)
			}
			if first := updated[n]; first > 0 {
				r.found.add("lost-update", func() Anomaly {
					return r.anomaly(fmt.Sprintf("%s and %s both read %s and then both wrote to it: one of them missed the other", r.name(first-1), r.name(t),
						r.versionName(n)), first-1, t)
				})
			} else {
				updated[n] = t + 1
			}
		})
	}
	r.assumeOrders()
}

// order notes that write b is a later version than write a; why, if not "", says what that rests on.
func (r *registers) order(a, b int32, why string) {
	if r.writer[a] != r.writer[b] {
		r.edges.add(r.writer[a], r.writer[b], ww)
	}
	r.later.add(a, r.writer[b], rw)
	if why != "" {
		r.because[[2]int32{a, b}] = why
	}
}

// versionName writes a version by its number: x=3.
func (r *registers) versionName(n int32) string {
	W, K := int32(len(r.writer)), int32(len(r.keys.name))
	switch {
	case n < W:
		return r.keys.name[r.vs.key[n]] + "=" + r.value(n)
	case n < W+K:
		return r.keys.name[n-W] + "=nothing"
	}
	v := r.orphan[n-W-K]
	return r.keys.name[v.key] + "=" + r.say(v.value)
}

// why explains an edge of a register history.
func (r *registers) why(u, v int32, e edge) reason {
	switch e {
	case wr:
		for i := r.readFirst[v]; i < r.readFirst[v+1]; i++ {
			if w := r.readFrom[i]; w >= 0 && r.writer[w] == u {
				doubt := ""
				if r.txns[u].Outcome == history.Unknown {
					doubt = ", so that it did commit, although its outcome was unknown"
				}
				return reason{r.keys.name[r.readKey[i]], fmt.Sprintf("%s read %s, which %s wrote%s", r.name(v), r.versionName(w), r.name(u), doubt), -1}
			}
		}
	case ww:
		for _, a := range r.writes[r.writeFirst[u]:r.writeFirst[u+1]] {
			if b := r.wrote(v, r.vs.key[a]); b >= 0 {
				if how := r.howLater(a, b, v); how != "" {
					return reason{r.keys.name[r.vs.key[a]], fmt.Sprintf("%s wrote %s after %s wrote %s%s", r.name(v), r.versionName(b), r.name(u), r.versionName(a), how), -1}
				}
			}
		}
	case rw:
		for i, n := range r.seenBy(u) {
			k := r.readKey[r.readFirst[u]+int32(i)]
			b := r.wrote(v, k)
			if b < 0 {
				continue
			}
			if how := r.howLater(n, b, v); how != "" {
				return reason{r.keys.name[k], fmt.Sprintf("%s read %s, and %s wrote %s%s", r.name(u), r.versionName(n), r.name(v), r.versionName(b), how), -1}
			}
		}
	default:
		return r.timeWhy(u, v, e)
	}
	return reason{why: fmt.Sprintf("%s came before %s in the order of versions", r.name(u), r.name(v)), witness: -1}
}

// seenBy returns the version numbers of a transaction's reads.
func (r *registers) seenBy(t int32) []int32 {
	W := int32(len(r.writer))
	var seen []int32
	for i := r.readFirst[t]; i < r.readFirst[t+1]; i++ {
		switch k, from := r.readKey[i], r.readFrom[i]; {
		case from >= 0:
			seen = append(seen, from)
		case from == initial:
			seen = append(seen, W+k)
		default:
			n := silent
			for f := r.start[t]; f < r.start[t+1]; f++ {
				if op := r.op(f, t); r.key[f] == k && op.Kind == Read && !op.Nil {
					if o, ok := r.orphans[version{k, op.Value}]; ok {
						n = W + int32(len(r.keys.name)) + o
					}
				}
			}
			seen = append(seen, n)
		}
	}
	return seen
}

// howLater says how it is known that v's write b is a later version than version a; "" if it is not.
func (r *registers) howLater(a, b, v int32) string {
	if a == silent || a == b {
		return ""
	}
	if W := int32(len(r.writer)); a >= W && a < W+int32(len(r.keys.name)) {
		return " over it"
	}
	if a < int32(len(r.writer)) && r.writer[a] == v {
		return " over it in the same transaction"
	}
	if why, ok := r.because[[2]int32{a, b}]; ok {
		return ", later " + why
	}
	if slices.Contains(r.seenBy(v), a) {
		return ", having read " + r.versionName(a)
	}
	return ""
}
