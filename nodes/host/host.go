// Package host runs one node of a system in a real process: on the real clock, with a disk of files and a transport.
// One goroutine calls the node; what takes time (fsyncs, connections) happens beside it. It keeps the contract of
// package nodes as the simulator does, and takes from the lab, as messages, what is to be wrong with the node's clock,
// disk and frames. It decides on no harm by itself, and knows nothing of containers.
package host

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"time"

	"faultlab/nodes"
	"faultlab/nodes/wire"
)

// Limits beyond which a node is said to flood, those of the simulator, and of what the host keeps for others.
const (
	actsMax     = 1 << 18 // what a node asks of its Env in one call of it
	underWayMax = 1 << 20 // messages, timers and events waiting for their time
	askedMax    = 1 << 16 // requests without an answer; the oldest are forgotten
	untoldMax   = 1 << 16 // lines for a lab that is not there; the oldest are forgotten
	inboxSize   = 1 << 10
	batchMax    = 64 // what is handled before the disk is written and what was sent leaves
	closeTime   = time.Second
)

// A Config says what to run.
type Config struct {
	System nodes.System
	Dir    string    // data folder; made if it does not exist
	Out    io.Writer // what nobody else would see, one line each
}

// A DiskError is the error of a host whose disk failed: it cannot keep its word and stops.
type DiskError struct{ Err error }

func (e *DiskError) Error() string { return e.Err.Error() }
func (e *DiskError) Unwrap() error { return e.Err }

// A Host is a node in this process.
type Host struct {
	cfg   Config
	codec *wire.Codec
	lock  *os.File
	t     Transport
	began time.Time // with a monotonic clock
	in    chan arrival
	ended chan error // of the transport
	quit  chan struct{}

	group    Group
	topology nodes.Topology
	members  map[nodes.ID]bool
	node     nodes.Node // nil before Init
	boot     nodes.Boot
	rand     *rand.Rand
	clock    clock
	timers   timers
	disk     *disk
	faults   DiskFaults
	outbox   []held
	mine     []arrival // what the node sent to itself
	now      time.Time // of the call
	calling  bool
	acts     int
	err      error // why the host stops

	asked  map[nodes.ID]Line // requests that wait for an answer
	order  []nodes.ID        // of asking; some may have been answered
	lab    Line
	untold [][]byte // lines that the lab has not been told
}

// An arrival is something for the loop to handle.
type arrival struct {
	from   nodes.ID
	body   any          // for the node; nil if it is something else
	m      wire.Message // for the host itself
	err    error        // the body was not understood
	back   Line
	member nodes.ID
	state  nodes.MemberState
	line   string
}

// held is a message or an event that waits for an fsync, or for the end of the call.
type held struct {
	fsync uint64
	emit  bool
	to    nodes.ID
	local any // a message to the node itself
	body  []byte
}

// New takes the data folder. It fails if that cannot be written or belongs to another process, or if the system's bodies
// are not a set that package wire accepts.
func New(cfg Config) (*Host, error) {
	codec, err := wire.New(append(slices.Clip(cfg.System.Bodies), wire.Error{})...)
	if err != nil {
		return nil, fmt.Errorf("host: system %s: %w", cfg.System.Name, err)
	}
	if err := os.MkdirAll(cfg.Dir, 0o777); err != nil {
		return nil, fmt.Errorf("host: %w", err)
	}
	held, err := lock(cfg.Dir)
	if err != nil {
		return nil, err
	}
	return &Host{
		cfg: cfg, codec: codec, lock: held, began: time.Now(), in: make(chan arrival, inboxSize), ended: make(chan error, 1), quit: make(chan struct{}),
		timers: newTimers(), asked: map[nodes.ID]Line{},
	}, nil
}

// Run serves until ctx ends, and then finishes what is under way: it syncs, and what that lets out leaves. An error
// says why it ended sooner: a *Crash, a *DiskError, or what happened to the transport. It is called once.
func (h *Host) Run(ctx context.Context, t Transport) error {
	h.t = t
	defer h.lock.Close()
	t.Open(inbox{h}, func(err error) {
		select {
		case h.ended <- err:
		default:
		}
	})
	alarm := time.NewTimer(time.Hour)
	defer alarm.Stop()
	for h.err == nil {
		wait := time.Hour
		if len(h.mine) > 0 {
			wait = 0
		} else if due, ok := h.timers.next(); ok {
			wait = max(due-time.Since(h.began), 0)
		}
		alarm.Reset(wait)
		select {
		case <-ctx.Done():
			h.finish()
			return h.end()
		case err := <-h.ended:
			h.finish()
			if h.err == nil {
				h.err = err
			}
			return h.end()
		case a := <-h.in:
			h.handle(a)
		case err := <-h.synced():
			h.disk.complete(err)
		case <-alarm.C:
		}
		h.batch()
		h.wake()
		h.settle()
	}
	return h.end()
}

// synced is where an fsync says that it is done.
func (h *Host) synced() <-chan error {
	if h.disk == nil {
		return nil
	}
	return h.disk.results
}

// batch handles more of what has come meanwhile, so that it shares a write, and perhaps an fsync.
func (h *Host) batch() {
	mine := h.mine
	h.mine = nil
	for _, a := range mine {
		h.handle(a)
	}
	for range batchMax {
		select {
		case a := <-h.in:
			h.handle(a)
		default:
			return
		}
	}
}

// wake fires the timers that are due; those that are set meanwhile wait for the next turn.
func (h *Host) wake() {
	now, last := time.Since(h.began), h.timers.seq
	for h.err == nil {
		name, ok := h.timers.fire(now, last)
		if !ok {
			return
		}
		h.call(func() { h.node.Wake(env{h}, name) })
	}
}

// settle ends a turn: what was appended is written, and what waits for nothing more leaves.
func (h *Host) settle() {
	if h.disk == nil {
		return
	}
	h.disk.settle()
	if h.disk.err != nil && h.err == nil {
		h.err = &DiskError{h.disk.err}
	}
	if h.err != nil {
		return // the node died in this turn, or before it
	}
	n := 0
	for ; n < len(h.outbox) && h.outbox[n].fsync <= h.disk.done; n++ {
		h.release(h.outbox[n])
	}
	rest := copy(h.outbox, h.outbox[n:])
	clear(h.outbox[rest:])
	h.outbox = h.outbox[:rest]
}

// release lets one thing out.
func (h *Host) release(x held) {
	switch _, _, request := x.to.Request(); {
	case x.emit:
		h.tell(Event{unixNow(), x.body})
	case x.local != nil:
		h.mine = append(h.mine, arrival{from: h.group.Self, body: x.local})
	case request:
		back := h.asked[x.to]
		delete(h.asked, x.to)
		if back != nil {
			h.write(back, wire.To(h.group.Self, x.to, x.body))
		}
	case h.members[x.to]:
		h.t.Send(x.to, x.body)
	}
}

func (h *Host) write(back Line, m wire.Message) bool {
	line, err := m.Append(nil)
	if err != nil {
		panic(err) // our codec made the body
	}
	return back.Write(line)
}

// tell gives the lab a word, now or when it is there.
func (h *Host) tell(word any) {
	body, err := protocol.Encode(word)
	if err != nil {
		panic(err)
	}
	line, err := wire.Message{Src: h.group.Self, Dest: Lab, Body: body}.Append(nil)
	if err != nil {
		panic(err)
	}
	if h.lab != nil && len(h.untold) == 0 && h.lab.Write(line) {
		return
	}
	if len(h.untold) == untoldMax {
		h.untold = h.untold[1:]
	}
	h.untold = append(h.untold, line)
}

// unixNow is the time by a clock that nobody skews.
func unixNow() int64 { return time.Now().UnixNano() }

// call calls the node, and notes if it panics.
func (h *Host) call(f func()) {
	if h.err != nil {
		return
	}
	h.now, h.calling, h.acts = time.Now(), true, 0
	defer func() {
		h.calling = false
		if what := recover(); what != nil {
			h.err = crashed(what)
		}
	}()
	f()
}

// finish waits until the disk has what was written, and lets out what waited for that.
func (h *Host) finish() {
	for range 1 + len(h.in)/batchMax { // what has come so far, perhaps init among it
		h.batch()
	}
	if h.disk == nil || h.err != nil {
		return
	}
	h.disk.sync()
	h.settle()
	for h.err == nil && h.disk.running {
		h.disk.complete(<-h.disk.results)
		h.settle()
	}
}

// end closes everything, and says why.
func (h *Host) end() error {
	if h.err != nil {
		h.tell(Log{unixNow(), h.err.Error()})
	}
	ctx, cancel := context.WithTimeout(context.Background(), closeTime)
	defer cancel()
	close(h.quit)
	h.t.Close(ctx)
	if h.disk != nil {
		h.disk.close()
	}
	return h.err
}

// handle does what an arrival asks for.
func (h *Host) handle(a arrival) {
	switch {
	case h.err != nil:
	case a.line != "":
		h.logf("%s", a.line)
	case a.member != "":
		h.watch(a.member, a.state)
	case a.m.Src == Lab && a.back != nil:
		h.obey(a)
	case h.node == nil && a.m.Type == "init" && a.back != nil:
		h.beginFor(a)
	case h.node == nil:
		h.refuse(a, wire.Error{Code: wire.Unavailable, Text: "there was no init yet"})
	case a.err != nil:
		code := wire.Malformed
		if errors.Is(a.err, wire.ErrUnknown) {
			code = wire.NotSupported
		}
		h.refuse(a, wire.Error{Code: code, Text: a.err.Error()})
	case a.back != nil && !h.members[a.from]:
		h.ask(a.from, a.back)
		h.receive(a)
	default:
		h.receive(a)
	}
}

func (h *Host) receive(a arrival) {
	h.call(func() { h.node.Receive(env{h}, nodes.Message{From: a.from, To: h.group.Self, Body: a.body}) })
}

// refuse answers a request that the node does not see.
func (h *Host) refuse(a arrival, why wire.Error) {
	if _, _, request := a.from.Request(); request && a.back != nil {
		h.answer(a, why)
	} else if h.node != nil {
		h.logf("from %s: %s", a.from, why.Text)
	}
}

// ask notes where the answer to a request goes.
func (h *Host) ask(request nodes.ID, back Line) {
	if _, _, ok := request.Request(); !ok {
		return
	}
	for len(h.order) >= askedMax {
		delete(h.asked, h.order[0])
		h.order = h.order[1:]
	}
	h.order = append(h.order, request)
	h.asked[request] = back
}

// watch tells the node of a member, if it wants to know.
func (h *Host) watch(id nodes.ID, state nodes.MemberState) {
	if w, ok := h.node.(nodes.Watcher); ok && h.members[id] && id != h.group.Self {
		h.call(func() { w.Member(env{h}, id, state) })
	}
}

func (h *Host) logf(format string, args ...any) {
	line := fmt.Sprintf(format, args...)
	if h.lab == nil {
		fmt.Fprintln(h.cfg.Out, line)
		return
	}
	h.tell(Log{unixNow(), line})
}

// limit stops a node that acts without end, or fills the memory.
func (h *Host) limit() {
	if !h.calling {
		panic(fmt.Sprintf("host: the Env of %s was used outside of the call it was passed to", h.group.Self))
	}
	if h.acts++; h.acts > actsMax {
		panic("flooded: " + strconv.Itoa(actsMax) + " actions in one call")
	}
	if len(h.outbox)+len(h.timers.queue)+len(h.mine) > underWayMax {
		panic("flooded: " + strconv.Itoa(underWayMax) + " events under way")
	}
}
