package host

import (
	"math/rand/v2"
	"time"

	"faultlab/nodes"
)

// env is the Env of a host's node.
type env struct{ h *Host }

func (e env) ID() nodes.ID             { return e.h.group.Self }
func (e env) Topology() nodes.Topology { return e.h.topology }
func (e env) Rand() *rand.Rand         { return e.h.rand }
func (e env) Boot() nodes.Boot         { return e.h.boot }
func (e env) Disk() nodes.Disk         { return e.h.disk }
func (e env) Now() time.Time           { return e.h.clock.read(e.h.now.UnixNano()) }

func (e env) Send(to nodes.ID, body any) {
	h := e.h
	h.limit()
	text, err := h.codec.Encode(body) // also what goes to itself: nobody may share memory with a node
	if err != nil {
		panic(err)
	}
	x := held{fsync: h.disk.barrier, to: to, body: text}
	if to == h.group.Self {
		if x.local, err = h.codec.Decode(text); err != nil {
			panic(err)
		}
	}
	h.outbox = append(h.outbox, x)
}

func (e env) Emit(event any) {
	h := e.h
	h.limit()
	text, err := h.codec.Encode(event)
	if err != nil {
		panic(err)
	}
	h.outbox = append(h.outbox, held{fsync: h.disk.barrier, emit: true, body: text})
}

func (e env) After(d time.Duration, name string) {
	h := e.h
	h.limit()
	if d < 0 {
		h.timers.cancel(name)
		return
	}
	h.timers.set(name, time.Since(h.began)+time.Duration(h.clock.wait(int64(d))))
}

func (e env) Reached(probe string) {
	e.h.limit()
	e.h.tell(Reached{probe})
}

func (e env) Logf(format string, args ...any) {
	e.h.limit()
	e.h.logf(format, args...)
}
