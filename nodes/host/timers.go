package host

import (
	"container/heap"
	"time"
)

// timers are the named timers of a node, by the true time at which they are due and then by the order in which they
// were set. Times are of the monotonic clock, since the host began.
type timers struct {
	byName map[string]*timer
	queue  timerQueue
	seq    uint64
}

type timer struct {
	name  string
	due   time.Duration
	seq   uint64
	place int
}

func newTimers() timers { return timers{byName: map[string]*timer{}} }

// set makes a timer due at that time, whether or not it was pending.
func (t *timers) set(name string, due time.Duration) {
	t.seq++
	if x := t.byName[name]; x != nil {
		x.due, x.seq = due, t.seq
		heap.Fix(&t.queue, x.place)
		return
	}
	x := &timer{name: name, due: due, seq: t.seq}
	t.byName[name] = x
	heap.Push(&t.queue, x)
}

func (t *timers) cancel(name string) {
	if x := t.byName[name]; x != nil {
		delete(t.byName, name)
		heap.Remove(&t.queue, x.place)
	}
}

// next returns when the first timer is due.
func (t *timers) next() (due time.Duration, ok bool) {
	if len(t.queue) == 0 {
		return 0, false
	}
	return t.queue[0].due, true
}

// fire ends the first timer that is due now and was set no later than number seq, and returns its name.
func (t *timers) fire(now time.Duration, seq uint64) (name string, ok bool) {
	if len(t.queue) == 0 || t.queue[0].due > now || t.queue[0].seq > seq {
		return "", false
	}
	x := heap.Pop(&t.queue).(*timer)
	delete(t.byName, x.name)
	return x.name, true
}

// drift makes what the timers still have to wait count by another clock.
func (t *timers) drift(now time.Duration, from, to clock) {
	for _, x := range t.queue {
		x.due = now + time.Duration(to.wait(from.gone(int64(max(x.due-now, 0)))))
	}
	heap.Init(&t.queue)
}

type timerQueue []*timer

func (q timerQueue) Len() int { return len(q) }
func (q timerQueue) Less(i, j int) bool {
	return q[i].due < q[j].due || q[i].due == q[j].due && q[i].seq < q[j].seq
}
func (q timerQueue) Swap(i, j int) {
	q[i], q[j] = q[j], q[i]
	q[i].place, q[j].place = i, j
}

// Push implements heap.Interface.
func (q *timerQueue) Push(x any) {
	t := x.(*timer)
	t.place = len(*q)
	*q = append(*q, t)
}

// Pop implements heap.Interface.
func (q *timerQueue) Pop() any {
	last := len(*q) - 1
	t := (*q)[last]
	(*q)[last] = nil
	*q = (*q)[:last]
	return t
}
