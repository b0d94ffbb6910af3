// Package linear decides whether a concurrent history is linearizable: whether one order of its operations, which
// respects real time, is a run of a sequential object, the [Model] (Herlihy and Wing, "Linearizability", TOPLAS 1990).
//
// Every operation is an interval. One that ended strictly before another began comes first; operations that meet at an
// instant overlap. An operation of unknown outcome may take effect at any time after its call, or never; a failed one
// did not happen.
//
// Linearizability is local: a history is linearizable if it is for each object, so operations are partitioned by
// [Model.Key] and the parts judged by themselves. On each part the model's exact polynomial checks come first, then a
// search. The search counts its steps and remembers how much it has stored, never the time, so that a history gets the
// same verdict on any machine; where a [Budget] runs out the verdict is Undetermined and says so.
//
// The package records nothing, reads no files and knows no system: a caller maps its own operations to a model's.
package linear

import (
	"context"
	"errors"
	"fmt"
	"io"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"faultlab/checker/history"
)

// A Model is an object as it behaves when operations happen one at a time. S is its state: a plain value, compared
// with ==, never changed in place. A string holds most larger states well.
type Model[S comparable] struct {
	Name string // "cas-register"
	Init S      // the state of a fresh object

	// Step applies an operation. out is nil where the outcome is unknown: then anything it may have returned is
	// allowed. The error says, as a clause about the object ("it holds 5"), why out cannot be the answer to in.
	Step func(s S, in, out any) (S, error)

	// Branch takes the place of Step where an operation may leave the object in one of several states.
	Branch func(s S, in, out any) ([]S, error)

	// Key names the object that an operation acts on; nil if there is just one.
	Key func(in any) string

	// Say puts an operation in words: "read 3". Nil prints in and out as they are.
	Say func(in, out any) string

	// Show puts a state in words, for pictures. Nil prints it as it is.
	Show func(s S) string

	// Binds names what an operation may bring about, and what its answer rests on. Two things follow. An operation that
	// gives nothing never changes the object. And a history keeps an order when operations are taken out of it, as long
	// as for each one that needs a thing all that give the thing stay: so counterexamples are closed that way, and
	// nothing is called impossible because what made it possible was left out. [Everything] needs all that give
	// something. Nil binds nothing, and no more is assumed than that any operation may be left out of a counterexample.
	Binds func(in, out any) (gives, needs []string)

	// Overwrites says that an operation that gives something, once its answer is known, leaves the object in a state that
	// does not depend on the one before, as a write to a register does. Then an answer rests only on what may have come
	// last before it, and counterexamples are much smaller.
	Overwrites bool

	// Exact are checks that decide in polynomial time, tried in order before the search. Each may decline.
	Exact []Exact

	named    bool // Say and Step name the key
	distinct bool // no two operations are equal
}

// Everything, as a need, stands for all that any operation gives.
const Everything = "*"

// An Exact check decides some histories of one object without a search.
type Exact struct {
	Name string // "zones"
	// Check judges operations, none of them failed, in the order of Call. It declines with ok false.
	Check func(ops []Op, b Budget) (f Finding, ok bool)
}

// A Finding is what an exact check found.
type Finding struct {
	Verdict history.Verdict // Pass, Fail or Undetermined
	Reason  string          // why, unless it passed
	Ops     []int           // of a failure: places in ops of operations that are wrong by themselves
	Steps   int             // search steps used, if any

	until  time.Duration // of a failure found by a search: nothing called later plays a part
	cut    bool          // until is set
	closed bool          // Ops are a counterexample as they stand
}

// An Op is one operation. In and Out are values of the model's own vocabulary; a nil Out is an unknown answer.
type Op struct {
	Index   int    // names it in a report
	Client  string // who called it, for words alone
	In, Out any
	Call    time.Duration
	Return  time.Duration // ignored where the outcome is unknown
	Outcome history.Outcome
}

// From is a history's operation with the input and output that a model knows.
func From(o *history.Op, in, out any) Op {
	if o.Outcome != history.OK {
		out = nil
	}
	return Op{Index: o.Index, Client: o.Client, In: in, Out: out, Call: o.Call, Return: o.Return, Outcome: o.Outcome}
}

// A Budget bounds the work on one object. The zero Budget is a generous one. Steps and States are the same on every
// machine, Context and Race are not: with either, a history may get another verdict, or other operations, next time.
type Budget struct {
	Steps  int // operations tried; 0 is 20 million
	States int // search states kept in memory, at some 40 bytes each, and one more for each 256 bytes of a long one; 0 is 2 million

	// Context, if there is one, ends searches with Undetermined and its cause: a limit of time or memory.
	Context context.Context
	// Race lets Porcupine run beside a search that has not decided after a sixteenth of its budget. The first to know
	// decides.
	Race bool
}

// over is why the work has to end; "" if it has not.
func (b Budget) over() string {
	if b.Context == nil || b.Context.Err() == nil {
		return ""
	}
	return context.Cause(b.Context).Error()
}

func (b Budget) orDefault() Budget {
	if b.Steps <= 0 {
		b.Steps = 20_000_000
	}
	if b.States <= 0 {
		b.States = 2_000_000
	}
	return b
}

// A Report is the judgement of a history.
type Report struct {
	Verdict history.Verdict // Pass, Undetermined or Fail; NotJudged if there were no operations
	Reason  string          // a sentence
	Ops     []int           // of a failure: indices of a smallest set of operations that shows it, in the order of Call
	Key     string          // the object that it is about, unless it passed
	Engine  string          // what decided it: the name of an exact check, or "search"
	Steps   int             // operations tried by searches, over all objects; for a figure in a report

	draw func(w io.Writer) error
}

// Result is the report as a checker gives it.
func (r Report) Result() history.Result {
	return history.Result{Verdict: r.Verdict, Reason: r.Reason, Ops: r.Ops}
}

// Picture writes Porcupine's view of the failed object, a self-contained HTML page. It does the work of a new search
// and is there only for a failure.
func (r Report) Picture(w io.Writer) error {
	if r.draw == nil {
		return fmt.Errorf("linear: a picture of a history that did not fail")
	}
	return r.draw(w)
}

// Check judges operations by a model. The budget is for each object. Objects are judged on all processors, and the
// report is the same as if they had been judged one after the other: the worst verdict, of the object first called.
func Check[S comparable](m Model[S], ops []Op, b Budget) Report {
	b = b.orDefault()
	keys, parts := partition(m.Key, ops)
	switch {
	case len(ops) == 0:
		return Report{Verdict: history.NotJudged, Reason: "there were no operations to judge"}
	case len(parts) == 0:
		return Report{Verdict: history.Pass, Reason: fmt.Sprintf("all %d operations failed, so that nothing happened", len(ops))}
	}
	findings := make([]verdict, len(parts))
	var failed atomic.Int64 // nothing after the first failure matters
	failed.Store(int64(len(parts)))
	each(len(parts), func(i int) {
		if int64(i) > failed.Load() {
			return
		}
		findings[i] = judge(&m, parts[i], b)
		if findings[i].Verdict == history.Fail {
			for at := failed.Load(); int64(i) < at && !failed.CompareAndSwap(at, int64(i)); at = failed.Load() {
			}
		}
	})

	worst, steps, n := 0, 0, 0
	for i := range findings[:min(int(failed.Load())+1, len(parts))] {
		steps += findings[i].Steps
		n += len(parts[i])
		if findings[i].Verdict > findings[worst].Verdict {
			worst = i
		}
	}
	f := findings[worst]
	r := Report{Verdict: f.Verdict, Reason: f.Reason, Engine: f.engine, Steps: steps}
	if f.Verdict == history.Pass {
		r.Reason = fmt.Sprintf("%d operations on %d %s are linearizable as %s", n, len(parts), plural(len(parts), "object"), m.Name)
		return r
	}
	r.Key = keys[worst]
	part := parts[worst]
	if f.Verdict == history.Fail {
		b.Race = false // an explanation tries many small parts
		small, reason := m.explain(part, f.Finding, b)
		for _, o := range small {
			r.Ops = append(r.Ops, o.Index)
		}
		r.Reason = reason
		r.draw = func(w io.Writer) error { return picture(&m, part, small, w) }
	}
	if r.Key != "" && !(m.named && f.Verdict == history.Fail) {
		r.Reason = r.Key + ": " + r.Reason
	}
	return r
}

// verdict is a finding and the engine it came from.
type verdict struct {
	Finding
	engine string
}

// judge decides one object: by an exact check if one does not decline; else by a search, which after a sixteenth of its
// budget stops once to see whether what it cannot get past has a small counterexample.
func judge[S comparable](m *Model[S], ops []Op, b Budget) verdict {
	for _, e := range m.Exact {
		if f, ok := e.Check(ops, b); ok {
			return verdict{f, e.Name}
		}
	}
	first := b
	first.Steps /= 16
	f := m.search(ops, first)
	if f.Verdict == history.Undetermined && f.stuck >= 0 {
		steps := f.Steps
		if small, ok := m.refute(ops, f.stuck, first); ok {
			small.Steps += steps
			return verdict{small, "search"}
		}
		if b.Race && len(ops) <= raced {
			return m.race(ops, b, steps)
		}
		f = m.search(ops, b)
		f.Steps += steps
	}
	return verdict{f.Finding, "search"}
}

// raced is how many operations Porcupine is given at most in a race. It ends slowly where there are many.
const raced = 5000

// race lets a search and Porcupine run side by side, after so many steps of search.
func (m *Model[S]) race(ops []Op, b Budget, steps int) verdict {
	if b.Context == nil {
		b.Context = context.Background()
	}
	ctx, stop := context.WithCancelCause(b.Context)
	defer stop(nil)
	b.Context = ctx
	other := make(chan history.Verdict, 1)
	go func() {
		v := m.porcupine(ops, b)
		if v != history.Undetermined {
			stop(errOther)
		}
		other <- v
	}()
	f := m.search(ops, b)
	f.Steps += steps
	if f.Verdict == history.Undetermined {
		if v := <-other; v != history.Undetermined {
			return verdict{Finding{Verdict: v, Steps: f.Steps}, "porcupine"}
		}
	}
	return verdict{f.Finding, "search"}
}

var errOther = errors.New("the other engine was faster")

// partition splits the operations that may have happened by key, both in the order of Call; keys in the order of
// their first operation.
func partition(key func(in any) string, ops []Op) (keys []string, parts [][]Op) {
	ops = inOrder(ops)
	if key == nil {
		if len(ops) == 0 {
			return nil, nil
		}
		return []string{""}, [][]Op{ops}
	}
	place := map[string]int32{}
	part := make([]int32, len(ops)) // of each operation
	var sizes []int
	last, p := "", int32(-1)
	for i := range ops {
		if k := key(ops[i].In); p < 0 || k != last {
			var known bool
			if p, known = place[k]; !known {
				p = int32(len(keys))
				place[k] = p
				keys, sizes = append(keys, k), append(sizes, 0)
			}
			last = k
		}
		part[i] = p
		sizes[p]++
	}
	if len(keys) == 1 {
		return keys, [][]Op{ops}
	}
	all := make([]Op, len(ops))
	parts = make([][]Op, len(keys))
	for p, n := range sizes {
		parts[p], all = all[:0:n], all[n:]
	}
	for i := range ops {
		parts[part[i]] = append(parts[part[i]], ops[i])
	}
	return keys, parts
}

// each calls do(0) to do(n-1), on as many goroutines as there are processors. A panic is the caller's.
func each(n int, do func(i int)) {
	workers := min(runtime.GOMAXPROCS(0), n)
	if workers < 2 {
		for i := range n {
			do(i)
		}
		return
	}
	var (
		next   atomic.Int64
		group  sync.WaitGroup
		broken = make(chan any, workers)
	)
	for range workers {
		group.Go(func() {
			defer func() {
				if p := recover(); p != nil {
					broken <- p
				}
			}()
			for i := int(next.Add(1)) - 1; i < n; i = int(next.Add(1)) - 1 {
				do(i)
			}
		})
	}
	group.Wait()
	select {
	case p := <-broken:
		panic(p)
	default:
	}
}

func plural(n int, noun string) string {
	if n == 1 {
		return noun
	}
	return noun + "s"
}
