package docker

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"time"

	"faultlab/nodes"
	"faultlab/nodes/cluster/docker/holder"
	"faultlab/nodes/cluster/live"
	"faultlab/nodes/host"
	"faultlab/nodes/wire"
)

// A member is a node as the lab sees it. All but what its lines' goroutines do belongs to the loop.
type member struct {
	c         *Cluster
	id        nodes.ID
	pair      pair
	can       holder.Abilities
	holder    *holder.Client
	addresses map[nodes.ID]string

	up     bool // it runs, as far as it was asked to
	paused bool
	line   *line      // to the node; nil when it is down
	boot   nodes.Boot // of the next boot
	booted time.Duration
	image  string // of the next boot
	// started is what its container was made of.
	started string

	skew   host.Skew       // as it is to be, also after the next boot
	disk   host.DiskFaults // the same
	mended time.Duration   // when its disk was last healed, of what it may have died of just before
	frames []host.Harm
	told   sent
	tears  uint64        // how many power losses it has had, which are drawn one by one
	kept   []stored      // its disk, as it was when the cluster was closed
	unkept error         // why not all of it
	busy   chan struct{} // closed when its disk is no longer at work on; nil if it never was
}

// sent is what was last told of links: to the holder, as JSON, and to the node.
type sent struct {
	links  string
	unsure bool // whether the node heard of its frames
}

// wanted is all that the node is to suffer from now on.
func (m *member) wanted() host.Ctl {
	frames := m.frames
	if frames == nil {
		frames = []host.Harm{}
	}
	return host.Ctl{Skew: &m.skew, Frames: frames, Disk: &m.disk}
}

const (
	lineMax    = 16 << 20 // bytes of one line from a node
	lineQueue  = 1 << 13  // lines that wait to be sent to one node
	redial     = 5 * time.Millisecond
	quoteBytes = 200
)

// A line is one connection to a node.
type line struct {
	m    *member
	conn net.Conn
	out  chan []byte
	once sync.Once
	dead chan struct{} // closed when it is

	mu    sync.Mutex
	n     uint64 // messages of the lab itself
	waits map[uint64]chan wire.Message
}

func (l *line) close() {
	l.once.Do(func() {
		close(l.dead)
		l.conn.Close()
	})
}

// send puts a line on its way to the node. It is lost if the node is down, or takes nothing.
func (m *member) send(text []byte) {
	if m.line == nil {
		return
	}
	select {
	case m.line.out <- text:
	default:
	}
}

// join dials the node and says init until it is answered. The node suffers from ctl before it boots.
func (m *member) join(ctx context.Context, boot nodes.Boot, ctl host.Ctl) (*line, error) {
	var last error
	for ctx.Err() == nil {
		l, err := m.tryJoin(ctx, boot, ctl)
		if err == nil {
			return l, nil
		}
		last = err
		if broken := (*refusal)(nil); errors.As(err, &broken) {
			break
		}
		select {
		case <-ctx.Done():
		case <-time.After(redial):
		}
		// The proxy of a published port takes calls for a node that is dead: look whether it is.
		if exit, gone := m.c.engine.exited(ctx, m.pair.node); gone {
			return nil, fmt.Errorf("node %s ended at its boot: %s", m.id, exit.text)
		}
	}
	return nil, fmt.Errorf("node %s did not answer init: %w", m.id, last)
}

// A refusal is an answer to init that is none.
type refusal struct{ text string }

func (r *refusal) Error() string { return r.text }

func (m *member) tryJoin(ctx context.Context, boot nodes.Boot, ctl host.Ctl) (*line, error) {
	var d net.Dialer
	conn, err := d.DialContext(ctx, "tcp", m.pair.address)
	if err != nil {
		return nil, err
	}
	stop := context.AfterFunc(ctx, func() { conn.Close() })
	defer stop()
	topology := m.c.spec.Topology
	init := host.Init{
		NodeID: m.id, NodeIDs: topology.IDs(), Topology: &topology, Addresses: m.addresses,
		Seed: m.c.spec.Seed, Bug: m.c.spec.Bug, Boot: boot.String(),
	}
	var text []byte
	for i, word := range []any{ctl, init} {
		body, err := host.Protocol().Encode(word)
		if err != nil {
			panic(err)
		}
		if text, err = (wire.Message{Src: host.Lab, Dest: m.id, ID: uint64(i + 1), Body: body}).Append(text); err != nil {
			panic(err)
		}
	}
	if _, err := conn.Write(text); err != nil {
		conn.Close()
		return nil, err
	}
	in := bufio.NewReaderSize(conn, 1<<16)
	for {
		text, err := in.ReadSlice('\n')
		if err != nil {
			conn.Close()
			return nil, err
		}
		msg, err := wire.ReadMessage(text)
		if err != nil {
			conn.Close()
			return nil, &refusal{fmt.Sprintf("it answered %q", short(text))}
		}
		if msg.Type == "error" {
			conn.Close()
			return nil, &refusal{fmt.Sprintf("it answered %s", short(msg.Body))}
		}
		if msg.Type == "init_ok" && msg.InReplyTo == 2 {
			break
		}
		if msg.Type != "ctl_ok" {
			conn.Close()
			return nil, &refusal{fmt.Sprintf("it spoke before its init_ok: %s", short(text))}
		}
	}
	l := &line{m: m, conn: conn, out: make(chan []byte, lineQueue), dead: make(chan struct{}), n: 2, waits: map[uint64]chan wire.Message{}}
	go l.write()
	go l.read(in)
	return l, nil
}

func short(text []byte) []byte {
	text = bytes.TrimSpace(text)
	if len(text) > quoteBytes {
		return append(append([]byte(nil), text[:quoteBytes]...), "..."...)
	}
	return text
}

func (l *line) write() {
	w := bufio.NewWriterSize(l.conn, 1<<16)
	for {
		select {
		case <-l.dead:
			return
		case text := <-l.out:
			_, err := w.Write(text)
			if err == nil && len(l.out) == 0 {
				err = w.Flush()
			}
			if err != nil {
				return // the reader finds out
			}
		}
	}
}

func (l *line) read(in *bufio.Reader) {
	c, m := l.m.c, l.m
	var long []byte
	for {
		text, err := in.ReadSlice('\n')
		if errors.Is(err, bufio.ErrBufferFull) && len(long) < lineMax {
			long = append(long, text...)
			continue
		}
		if err != nil {
			l.close()
			c.Arrive(func() { m.lost(l) })
			return
		}
		if len(long) > 0 {
			text = append(long, text...)
			long = nil
		}
		f, err := l.hear(text)
		if err != nil {
			what := fmt.Sprintf("broke the protocol: %v: %q", err, short(text))
			f = func() { m.broke(what) }
		}
		if f != nil && !c.Arrive(f) {
			c.Post(c.Elapsed(), func() { m.broke(fmt.Sprintf("flooded: %d messages wait to be handled", live.InboxMax)) })
			l.close()
			return
		}
	}
}

// hear reads one line from the node, and returns what is to be done about it in the loop.
func (l *line) hear(text []byte) (func(), error) {
	c, m := l.m.c, l.m
	msg, err := wire.ReadMessage(text)
	if err != nil {
		return nil, err
	}
	if msg.Dest != host.Lab {
		if msg.InReplyTo == 0 {
			return nil, nil // to a client, but no reply
		}
		var reply any
		if msg.Type == "error" {
			reply, err = host.Protocol().Decode(msg.Body)
		} else {
			reply, err = c.codec.Decode(msg.Body)
		}
		if err != nil {
			return nil, err
		}
		id := nodes.Request(msg.Dest, msg.InReplyTo)
		return func() { c.replied(m, id, reply) }, nil
	}
	switch msg.Type {
	case "ctl_ok", "error", "init_ok":
		l.mu.Lock()
		wait := l.waits[msg.InReplyTo]
		delete(l.waits, msg.InReplyTo)
		l.mu.Unlock()
		if wait != nil {
			wait <- msg
		}
		return nil, nil
	}
	word, err := host.Protocol().Decode(msg.Body)
	if err != nil {
		return nil, err
	}
	switch w := word.(type) {
	case host.Event:
		event, err := c.codec.Decode(w.Event)
		if err != nil {
			return nil, err
		}
		return func() { c.spec.Observer.Event(c.Told(w.At), m.id, event) }, nil
	case host.Reached:
		return func() { c.spec.Observer.Reached(m.id, w.Probe) }, nil
	case host.Log:
		return func() { c.spec.Observer.Log(c.Told(w.At), m.id, w.Line) }, nil
	}
	return nil, fmt.Errorf("a node says no %q to the lab", msg.Type)
}

// ask sends the node a word of the lab, and waits for its answer unless wait is false.
func (l *line) ask(ctx context.Context, word any, wait bool) error {
	body, err := host.Protocol().Encode(word)
	if err != nil {
		panic(err)
	}
	answer := make(chan wire.Message, 1)
	l.mu.Lock()
	l.n++
	n := l.n
	l.waits[n] = answer
	l.mu.Unlock()
	text, err := wire.Message{Src: host.Lab, Dest: l.m.id, ID: n, Body: body}.Append(nil)
	if err != nil {
		panic(err)
	}
	select {
	case l.out <- text:
	case <-l.dead:
		return errGone
	case <-ctx.Done():
		return fmt.Errorf("node %s takes no messages", l.m.id)
	}
	if !wait {
		return nil
	}
	select {
	case msg := <-answer:
		if msg.Type == "error" {
			return fmt.Errorf("node %s answers %s", l.m.id, short(msg.Body))
		}
		return nil
	case <-l.dead:
		return errGone
	case <-ctx.Done():
		return fmt.Errorf("node %s does not answer", l.m.id)
	}
}

// errGone is the error of asking a node that died meanwhile.
var errGone = errors.New("the node died")

// apply tells the node what it is to suffer from. One that is down is told when it boots, and a paused one hears it when
// it goes on.
func (m *member) apply(ctx context.Context, l *line, paused bool, ctl host.Ctl) error {
	if l == nil {
		return nil
	}
	if err := l.ask(ctx, ctl, !paused); err != nil && !errors.Is(err, errGone) {
		return err
	}
	return nil
}

// broke notes that the node did what no node may, and ends it.
func (m *member) broke(what string) {
	m.c.broken = append(m.c.broken, &nodes.Broken{Node: m.id, At: m.c.Now(), What: what})
	if m.line != nil {
		m.line.close()
	}
	m.fall()
	go m.c.engine.kill(context.Background(), m.pair.node)
}

// lost is told that a connection ended. If the node was to run, it is looked at: it died, or only the connection did.
func (m *member) lost(l *line) {
	if m.line != l {
		return // it was killed
	}
	m.line = nil
	if m.c.closed {
		return
	}
	paused, ctl := m.paused, m.wanted()
	go func() {
		ctx, cancel := context.WithTimeout(context.Background(), bootPatience)
		defer cancel()
		if paused {
			return
		}
		exit, gone := m.c.engine.ended(ctx, m.pair.node)
		if gone {
			m.c.Arrive(func() { m.ended(exit) })
			return
		}
		again, err := m.join(ctx, nodes.Restart, ctl)
		m.c.Arrive(func() {
			switch {
			case err != nil && m.up && m.line == nil:
				m.broke(err.Error())
			case err == nil && m.up && m.line == nil:
				m.line = again
			case err == nil:
				again.close()
			}
		})
	}()
}

// stopped is the exit status of a node whose disk failed it.
const stopped = 3

// ended is told that the node's process is no more though nobody killed it.
func (m *member) ended(e exit) {
	if !m.up || m.line != nil {
		return // it was killed meanwhile, or is up again
	}
	if e.status == stopped && (m.disk.FailSync || m.disk.Full || m.disk.IOError || m.mended > 0 && m.c.Now()-m.mended < callPatience) {
		m.fall()
		m.tears++
		seed := tearSeed(m.c.spec.Seed, m.id, m.tears)
		m.c.spec.Observer.Log(m.c.Now(), m.id, "it stopped, since its disk failed it")
		h, busy := m.holder, make(chan struct{})
		m.busy = busy
		go func() {
			defer close(busy)
			ctx, cancel := context.WithTimeout(context.Background(), callPatience)
			defer cancel()
			if _, err := h.Do(ctx, holder.Request{Tear: &seed}); err != nil {
				m.c.Arrive(func() { m.c.spec.Observer.Log(m.c.Now(), m.id, fmt.Sprintf("its disk was not torn: %v", err)) })
			}
		}()
		return
	}
	m.broke(e.text)
}
