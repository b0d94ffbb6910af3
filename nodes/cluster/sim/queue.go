package sim

import "faultlab/nodes"

type kind uint8

const (
	messageEvent kind = iota // a message reaches node
	timerEvent               // timer index of node is due
	replyEvent               // a reply reaches call index
	timeoutEvent             // call index has waited long enough
	callEvent                // body is a func() of whoever drives the cluster
	fsyncEvent               // the disk of node has finished
	bootEvent
	resumeEvent
)

// An event is what happens at a time. gen tells whether what it is about still exists.
type event struct {
	kind  kind
	node  int32
	index int32
	gen   uint32
	from  nodes.ID
	body  any
}

// An entry places an event in time. It has no pointers, so that moving it costs the garbage collector nothing.
type entry struct {
	at   int64
	seq  uint64
	slot int32
}

func (a entry) before(b entry) bool { return a.at < b.at || a.at == b.at && a.seq < b.seq }

// A queue is events by time and then number: a heap of four children a parent over a slab of events.
type queue struct {
	heap   []entry
	events []event
	spare  []int32 // slots of events that are free
}

func (q *queue) len() int   { return len(q.heap) }
func (q *queue) min() entry { return q.heap[0] }

func (q *queue) push(at int64, seq uint64, e event) {
	var slot int32
	if n := len(q.spare); n > 0 {
		slot = q.spare[n-1]
		q.spare = q.spare[:n-1]
		q.events[slot] = e
	} else {
		slot = int32(len(q.events))
		q.events = append(q.events, e)
	}
	q.repush(entry{at, seq, slot})
}

// repush puts an entry whose event is in the slab.
func (q *queue) repush(x entry) {
	q.heap = append(q.heap, x)
	h, i := q.heap, len(q.heap)-1
	for i > 0 {
		parent := (i - 1) / 4
		if !x.before(h[parent]) {
			break
		}
		h[i] = h[parent]
		i = parent
	}
	h[i] = x
}

// pop removes the minimum from the heap; its event stays in the slab until release.
func (q *queue) pop() {
	n := len(q.heap) - 1
	x := q.heap[n]
	q.heap = q.heap[:n]
	if n == 0 {
		return
	}
	h, i := q.heap, 0
	for {
		first := 4*i + 1
		if first >= n {
			break
		}
		least := first
		for child := first + 1; child < min(first+4, n); child++ {
			if h[child].before(h[least]) {
				least = child
			}
		}
		if !h[least].before(x) {
			break
		}
		h[i] = h[least]
		i = least
	}
	h[i] = x
}

// release frees the slot of an event that was popped.
func (q *queue) release(slot int32) {
	q.events[slot] = event{}
	q.spare = append(q.spare, slot)
}
