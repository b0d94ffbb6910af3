package holder

import (
	"container/heap"
	"context"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/florianl/go-nfqueue/v2"
	"golang.org/x/sys/unix"
)

// A late lets packets through some time after they came. Those from one address stay in order, as on a longer wire.
type late struct {
	queue  *nfqueue.Nfqueue
	cancel context.CancelFunc

	mu     sync.Mutex
	waits  []wait // by the packet's mark, less one
	held   packets
	wakeup chan struct{}
}

// A wait is how long packets of one mark wait.
type wait struct {
	delay, jitter time.Duration
	last          time.Time // when the last of them goes on
}

type packet struct {
	id uint32
	at time.Time
}

const packetsMax = 1 << 16

func newLate(number uint16) (*late, error) {
	queue, err := nfqueue.Open(&nfqueue.Config{
		NfQueue: number, MaxQueueLen: packetsMax, Copymode: nfqueue.NfQnlCopyMeta, AfFamily: unix.AF_INET,
		Flags: nfqueue.NfQaCfgFlagFailOpen | nfqueue.NfQaCfgFlagGSO, WriteTimeout: time.Second,
	})
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(context.Background())
	l := &late{queue: queue, cancel: cancel, wakeup: make(chan struct{}, 1)}
	err = queue.RegisterWithErrorFunc(ctx, l.take, func(error) int { // a burst that the socket had no room for: go on
		if ctx.Err() != nil {
			return 1
		}
		return 0
	})
	if err != nil {
		cancel()
		queue.Close()
		return nil, err
	}
	go l.run(ctx)
	return l, nil
}

func (l *late) close() {
	l.cancel()
	l.queue.Close()
}

func (l *late) set(waits []wait) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.waits = waits
}

// take holds a packet that came.
func (l *late) take(a nfqueue.Attribute) int {
	if a.PacketID == nil {
		return 0
	}
	l.mu.Lock()
	at := time.Now()
	if a.Mark != nil && *a.Mark >= 1 && int(*a.Mark) <= len(l.waits) {
		w := &l.waits[*a.Mark-1]
		at = at.Add(w.delay)
		if w.jitter > 0 {
			at = at.Add(rand.N(w.jitter))
		}
		if at.Before(w.last) {
			at = w.last
		}
		w.last = at
	}
	heap.Push(&l.held, packet{*a.PacketID, at})
	first := l.held[0].id == *a.PacketID
	l.mu.Unlock()
	if first {
		select {
		case l.wakeup <- struct{}{}:
		default:
		}
	}
	return 0
}

// run lets packets go on when their time has come.
func (l *late) run(ctx context.Context) {
	timer := time.NewTimer(time.Hour)
	for {
		l.mu.Lock()
		var due []uint32
		next := time.Hour
		for now := time.Now(); len(l.held) > 0; {
			if next = l.held[0].at.Sub(now); next > 0 {
				break
			}
			due = append(due, heap.Pop(&l.held).(packet).id)
			next = time.Hour
		}
		l.mu.Unlock()
		for _, id := range due {
			l.queue.SetVerdict(id, nfqueue.NfAccept)
		}
		timer.Reset(next)
		select {
		case <-ctx.Done():
			return
		case <-l.wakeup:
		case <-timer.C:
		}
	}
}

// packets is a heap of them by time, and of one time by number, which is the order in which they came.
type packets []packet

func (p packets) Len() int { return len(p) }
func (p packets) Less(i, j int) bool {
	return p[i].at.Before(p[j].at) || p[i].at.Equal(p[j].at) && p[i].id < p[j].id
}
func (p packets) Swap(i, j int) { p[i], p[j] = p[j], p[i] }
func (p *packets) Push(x any)   { *p = append(*p, x.(packet)) }
func (p *packets) Pop() any {
	last := (*p)[len(*p)-1]
	*p = (*p)[:len(*p)-1]
	return last
}
