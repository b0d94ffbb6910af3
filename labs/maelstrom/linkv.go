package maelstrom

import (
	"math/rand/v2"

	"faultlab/checker"
	"faultlab/checker/history"
	"faultlab/checker/linear"
	"faultlab/labs"
	"faultlab/nodes"
	"faultlab/nodes/wire"
)

// LinKV is the workload lin-kv: a linearizable store of keys and values.
func LinKV() labs.Lab {
	return plan{
		name:  "lin-kv",
		about: "a linearizable store of keys and values with compare-and-set (Maelstrom's lin-kv)",
		messages: []labs.Exchange{
			{About: "the value of a key; error 20 if there is no such key", Ask: `{"type":"read","key":1}`, Answer: `{"type":"read_ok","value":3}`},
			{About: "set the value of a key, which need not be there yet", Ask: `{"type":"write","key":1,"value":3}`, Answer: `{"type":"write_ok"}`},
			{About: "set the value of a key to to if it is from; else error 22, or 20 if there is no such key", Ask: `{"type":"cas","key":1,"from":3,"to":4}`, Answer: `{"type":"cas_ok"}`},
		},
		fits: func(in, out any) string {
			switch in.(type) {
			case Write:
				return is[WriteOK](out)
			case Cas:
				return is[CasOK](out)
			}
			return is[ReadOK](out)
		},
		work: newKVWork,
		promises: func(nodes.Topology) []labs.Guarantee {
			return []labs.Guarantee{{
				ID: "L1", Name: "linearizable",
				Statement: "Reads, writes and compare-and-sets of each key are linearizable; a compare-and-set that is refused with error 22 or 20 saw another value, or none.",
				Checker:   checker.Linearizable[string]{Model: linear.KeyValue(string(null)), View: kvView, AtLeast: 20},
				Under:     under,
			}}
		},
	}.lab()
}

const (
	kvLive = 5  // keys in use at one time
	kvLife = 60 // requests on a key before another takes its place
)

// A kvWork is what the clients know of the keys.
type kvWork struct {
	*driver
	keys  []int64 // in use
	uses  []int
	all   int64           // keys so far
	value map[int64]int64 // the last value given to a key
	held  map[int64]int64 // what each was last known to hold
	reads *queue[int64]
}

func newKVWork(t nodes.Topology, _ *rand.Rand) *driver {
	w := &kvWork{driver: newDriver(t), value: map[int64]int64{}, held: map[int64]int64{}}
	for range kvLive {
		w.keys, w.uses, w.all = append(w.keys, w.all+1), append(w.uses, 0), w.all+1
	}
	w.draw, w.learn = w.request, w.hear
	w.last = func(c *labs.Client, done int) (any, nodes.ID, bool) {
		if w.reads == nil {
			w.reads = newQueue(1, w.all)
		}
		k, ok := w.reads.next(c.ID, done)
		return Read{number(k)}, "", ok
	}
	return w.driver
}

func (w *kvWork) request(c *labs.Client, changing bool) any {
	i := c.Rand.IntN(len(w.keys))
	k := w.keys[i]
	if w.uses[i]++; w.uses[i] >= kvLife {
		w.all++
		w.keys[i], w.uses[i] = w.all, 0
	}
	n := c.Rand.IntN(10)
	switch {
	case !changing || n < 4:
		return Read{number(k)}
	case n < 7:
		w.value[k]++
		return Write{number(k), number(w.value[k])}
	}
	w.value[k]++
	return Cas{Key: number(k), From: number(w.held[k]), To: number(w.value[k])}
}

// hear remembers what a key holds, so that some compare-and-sets find what they ask for.
func (w *kvWork) hear(_ *labs.Client, op *history.Op, _ history.Phase) {
	if op.Outcome != history.OK {
		return
	}
	switch in := op.In.(type) {
	case Write:
		k, _ := in.Key.whole()
		w.held[k], _ = in.Value.whole()
	case Cas:
		k, _ := in.Key.whole()
		w.held[k], _ = in.To.whole()
	case Read:
		k, _ := in.Key.whole()
		if ok, is := op.Out.(ReadOK); is {
			w.held[k], _ = ok.Value.whole()
		}
	}
}

// kvView makes a request one of the model's. A key that is not there reads as null.
func kvView(op *history.Op) []linear.Op {
	switch in := op.In.(type) {
	case Read:
		value := null
		if ok, is := op.Out.(ReadOK); is && ok.Value != "" {
			value = ok.Value
		}
		return []linear.Op{linear.From(op, linear.Read{Key: string(in.Key)}, string(value))}
	case Write:
		return []linear.Op{linear.From(op, linear.Write{Key: string(in.Key), Value: string(in.Value)}, nil)}
	case Cas:
		cas := linear.CAS{Key: string(in.Key), Old: string(in.From), New: string(in.To)}
		if e, is := op.Out.(wire.Error); is && (e.Code == wire.Precondition || e.Code == wire.KeyNotFound) {
			refused := linear.From(op, cas, nil)
			refused.Outcome, refused.Out = history.OK, false // it did nothing, and saw that it had to do nothing
			return []linear.Op{refused}
		}
		return []linear.Op{linear.From(op, cas, true)}
	}
	return nil
}

// A queue hands out final reads: of each thing from first to last two, to different clients as it comes. One that failed
// is asked for again by the client that had it.
type queue[T ~int64] struct {
	first, last T
	turns       T // handed out so far
	has         map[nodes.ID]T
	done        map[nodes.ID]int
}

func newQueue[T ~int64](first, last T) *queue[T] {
	return &queue[T]{first: first, last: last, has: map[nodes.ID]T{}, done: map[nodes.ID]int{}}
}

// next returns what a client is to read next, after so many that succeeded; ok is false if there is nothing left.
func (q *queue[T]) next(c nodes.ID, done int) (thing T, ok bool) {
	if thing, busy := q.has[c]; busy && done == q.done[c] {
		return thing, true
	}
	n := q.last - q.first + 1
	if q.turns >= 2*n {
		return 0, false
	}
	thing = q.first + q.turns%n
	q.turns++
	q.has[c], q.done[c] = thing, done
	return thing, true
}
