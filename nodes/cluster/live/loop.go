// Package live is what clusters on real time have in common: the lab's own event loop. It knows nothing of nodes, of what
// carries their messages, or of why a fault is wanted.
package live

import (
	"container/heap"
	"context"
	"sync"
	"time"
)

// A Loop is the lab's own part of a cluster: one goroutine that handles what happens, in order of time. What comes from
// outside is stamped when it comes, so that it is not late because the loop was.
type Loop struct {
	began time.Time // time zero
	now   time.Duration

	timers events // of After

	mu    sync.Mutex
	inbox events        // all else
	seq   uint64        // counts both
	news  chan struct{} // the inbox grew

	lastTold time.Duration // of what nodes say of themselves, so that it is told in order

	freed  time.Duration // until when it waited for something that it was told to do: what fell due meanwhile is not late
	stalls [][2]time.Duration
}

// Limits of a loop.
const (
	stall    = 200 * time.Millisecond // by how much the loop is late if it stood still
	forever  = time.Duration(1<<63 - 1)
	InboxMax = 1 << 20 // what may wait to be handled
)

// New returns a loop whose time has not begun.
func New() *Loop { return &Loop{began: time.Now(), news: make(chan struct{}, 1)} }

// Begin makes this time zero.
func (l *Loop) Begin() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.began = time.Now()
	l.now = 0
	for i := range l.inbox {
		l.inbox[i].at = 0
	}
}

// Elapsed is the true time since the start.
func (l *Loop) Elapsed() time.Duration { return time.Since(l.began) }

// Now returns the time, since the start of the cluster, of what is being handled.
func (l *Loop) Now() time.Duration { return l.now }

// After calls f once, d from now (now, if d is negative), in the cluster's loop.
func (l *Loop) After(d time.Duration, f func()) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.seq++
	heap.Push(&l.timers, event{l.now + max(d, 0), l.seq, f})
}

// Post puts something in the inbox for a time to come.
func (l *Loop) Post(at time.Duration, f func()) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.put(at, f)
}

// Arrive puts something in the inbox that came just now; false if it is full. It may be called from any goroutine.
func (l *Loop) Arrive(f func()) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.inbox) >= InboxMax {
		return false
	}
	l.put(l.Elapsed(), f)
	return true
}

func (l *Loop) put(at time.Duration, f func()) {
	l.seq++
	heap.Push(&l.inbox, event{at, l.seq, f})
	select {
	case l.news <- struct{}{}:
	default:
	}
}

// Step handles the next event up to and including that time, when its time has come. With timers false those of After
// wait. It returns false, with nothing done, when until has come or ended is closed.
func (l *Loop) Step(until time.Duration, timers bool, ended <-chan struct{}) bool {
	for {
		l.mu.Lock()
		from := &l.inbox
		if timers && len(l.timers) > 0 && (len(l.inbox) == 0 || l.timers[0].before(l.inbox[0])) {
			from = &l.timers
		}
		next, now := until, l.Elapsed()
		if len(*from) > 0 && (*from)[0].at <= until {
			next = (*from)[0].at
			if next <= now {
				e := heap.Pop(from).(event)
				l.mu.Unlock()
				l.now = max(l.now, e.at)
				l.late(e.at, now)
				e.do()
				return true
			}
		}
		l.mu.Unlock()
		if next <= now { // until has come, and nothing before it is left
			l.now = max(l.now, until)
			return false
		}
		timer := time.NewTimer(min(next-now, time.Hour))
		select {
		case <-timer.C:
		case <-l.news:
		case <-ended:
			timer.Stop()
			return false
		}
		timer.Stop()
	}
}

// Slowly does something that takes its time, while the loop handles what comes, but for what After was told: so that
// replies and the time of what follows are what they are.
func (l *Loop) Slowly(patience time.Duration, f func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	finished := make(chan struct{})
	var err error
	go func() {
		defer close(finished)
		err = f(ctx)
	}()
	for done := false; !done; {
		select {
		case <-finished:
			done = true
		default:
			l.Step(forever, false, finished)
		}
	}
	l.now = max(l.now, l.Elapsed())
	l.freed = l.now
	return err
}

// late notes that what was due at one time is handled at another.
func (l *Loop) late(due, now time.Duration) {
	due = max(due, l.freed)
	if now-due <= stall {
		return
	}
	if n := len(l.stalls); n > 0 && due <= l.stalls[n-1][1] {
		l.stalls[n-1][1] = max(l.stalls[n-1][1], now)
		return
	}
	l.stalls = append(l.stalls, [2]time.Duration{due, now})
}

// Stalls returns when the lab itself stood still, from and to: for so long it did not handle what was due. The time that
// the engine takes to do a fault is none, since the lab goes on to hear replies.
func (l *Loop) Stalls() [][2]time.Duration { return l.stalls }

// Told turns the time at which a node says that something happened into one that does not go back.
func (l *Loop) Told(unix int64) time.Duration {
	at := min(time.Duration(unix-l.began.UnixNano()), l.now)
	l.lastTold = max(l.lastTold, at)
	return l.lastTold
}

// An event is something to be done at a time.
type event struct {
	at  time.Duration
	seq uint64
	do  func()
}

// events is a heap of them, by time and then by number.
type events []event

func (e events) Len() int           { return len(e) }
func (e events) Less(i, j int) bool { return e[i].before(e[j]) }
func (e events) Swap(i, j int)      { e[i], e[j] = e[j], e[i] }
func (e *events) Push(x any)        { *e = append(*e, x.(event)) }
func (e *events) Pop() any {
	last := (*e)[len(*e)-1]
	(*e)[len(*e)-1] = event{}
	*e = (*e)[:len(*e)-1]
	return last
}

func (e event) before(f event) bool { return e.at < f.at || e.at == f.at && e.seq < f.seq }
