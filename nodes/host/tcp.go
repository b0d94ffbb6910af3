package host

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/bits"
	"math/rand/v2"
	"net"
	"sync"
	"time"

	"faultlab/nodes"
)

// lingerTime is how long answers are still written to somebody who has ended what he says.
const lingerTime = 2 * time.Second

// tcp is a transport for nodes that reach each other: packets between them, and lines with everybody else, on one port.
type tcp struct {
	listener net.Listener
	in       Inbox
	stop     context.Context
	cancel   context.CancelFunc
	all      sync.WaitGroup // goroutines of connections that were accepted

	joined chan struct{} // closed by the first Join
	mu     sync.Mutex
	group  Group
	conns  map[net.Conn]*writer // accepted; nil for those of peers
	from   map[nodes.ID]net.Conn
	bad    map[nodes.ID]uint64 // corrupt packets

	// What only the host's loop uses.
	gossip *gossip // nil if the node does not want to know
	peers  map[nodes.ID]*peer
	harms  map[nodes.ID][]Quality
	rand   *rand.PCG
}

// ListenTCP returns a transport that listens on an address, host:port.
func ListenTCP(address string) (Transport, error) {
	listener, err := net.Listen("tcp", address)
	if err != nil {
		return nil, fmt.Errorf("host: %w", err)
	}
	stop, cancel := context.WithCancel(context.Background())
	return &tcp{
		listener: listener, stop: stop, cancel: cancel, joined: make(chan struct{}),
		conns: map[net.Conn]*writer{}, from: map[nodes.ID]net.Conn{}, bad: map[nodes.ID]uint64{},
		peers: map[nodes.ID]*peer{}, harms: map[nodes.ID][]Quality{},
	}, nil
}

func (t *tcp) Open(in Inbox, fail func(error)) {
	t.in = in
	t.all.Go(func() {
		for {
			conn, err := t.listener.Accept()
			if errors.Is(err, net.ErrClosed) {
				return
			}
			if err != nil { // too many open files, perhaps for a while only
				in.Logf("accept: %s", err)
				select {
				case <-t.stop.Done():
					return
				case <-time.After(backOffLeast):
				}
				continue
			}
			t.all.Go(func() { t.serve(conn) })
		}
	})
}

// serve reads one connection. Its first byte says what it is.
func (t *tcp) serve(conn net.Conn) {
	defer conn.Close()
	if c, ok := conn.(*net.TCPConn); ok {
		_ = c.SetKeepAliveConfig(keepAlive)
	}
	r := bufio.NewReaderSize(conn, writeSize)
	if !t.admit(conn) {
		return
	}
	defer t.forget(conn)
	first, err := r.Peek(1)
	if err != nil {
		return
	}
	if first[0] == greeting[0] {
		t.hearPeer(conn, r)
		return
	}
	w := newWriter(conn)
	t.mu.Lock()
	t.conns[conn] = w
	t.mu.Unlock()
	lab, err := readLines(r, t.in, w)
	if errors.Is(err, bufio.ErrTooLong) {
		t.in.Logf("a line of more than %d bytes from %s", lineMax, conn.RemoteAddr())
	}
	if err == nil && !lab { // perhaps somebody who will say no more, but still listens
		select {
		case <-w.ended:
		case <-t.stop.Done():
		case <-time.After(lingerTime):
		}
	}
	w.end()
	<-w.ended
}

func (t *tcp) admit(conn net.Conn) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.stop.Err() != nil {
		return false
	}
	t.conns[conn] = nil
	return true
}

func (t *tcp) forget(conn net.Conn) {
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.conns, conn)
}

// hearPeer reads what another member sends. Its newest connection counts.
func (t *tcp) hearPeer(conn net.Conn, r io.Reader) {
	start := make([]byte, len(greeting))
	if _, err := io.ReadFull(r, start); err != nil || string(start) != greeting {
		return
	}
	text, err := readPacket(r)
	if err != nil {
		return
	}
	var h hello
	if err := json.Unmarshal(text, &h); err != nil {
		return
	}
	select { // what comes before Init waits for it
	case <-t.joined:
	case <-t.stop.Done():
		return
	}
	if why := t.meet(h, conn); why != "" {
		t.in.Logf("a call from %s of %q: %s", conn.RemoteAddr(), h.Src, why)
		return
	}
	for {
		body, err := readPacket(r)
		switch {
		case errors.Is(err, errCorrupt):
			t.corrupt(h.Src)
		case err != nil:
			return
		default:
			t.in.Body(h.Src, body)
		}
	}
}

// meet says why a caller is not listened to.
func (t *tcp) meet(h hello, conn net.Conn) string {
	t.mu.Lock()
	defer t.mu.Unlock()
	switch _, known := t.group.Addresses[h.Src]; {
	case h.Dest != t.group.Self || h.System != t.group.System:
		return fmt.Sprintf("it takes this for %s of %s", h.Dest, h.System)
	case !known || h.Src == t.group.Self:
		return "it is none of the other members"
	}
	if old := t.from[h.Src]; old != nil {
		old.Close()
	}
	t.from[h.Src] = conn
	return ""
}

func (t *tcp) corrupt(from nodes.ID) {
	t.mu.Lock()
	t.bad[from]++
	n := t.bad[from]
	t.mu.Unlock()
	if bits.OnesCount64(n) == 1 {
		t.in.Logf("dropped %d corrupt frames from %s so far", n, from)
	}
}

func (t *tcp) Join(g Group) error {
	for _, id := range g.Members {
		if id != g.Self && g.Addresses[id] == "" {
			return fmt.Errorf("host: there is no address of %s", id)
		}
	}
	t.mu.Lock()
	t.group = g
	t.mu.Unlock()
	switch {
	case t.gossip != nil:
		t.gossip.move(g)
	case g.Watched:
		var err error
		if t.gossip, err = startGossip(t.stop, t.listener.Addr().(*net.TCPAddr), g, t.in); err != nil {
			return err
		}
	}
	for _, id := range g.Members {
		switch p := t.peers[id]; {
		case id == g.Self:
		case p != nil:
			p.move(g.Addresses[id])
		default:
			reached := func(bool) {}
			if t.gossip != nil {
				reached = func(ok bool) { t.gossip.reached(id, ok) }
			}
			t.peers[id] = newPeer(t.stop, hello{g.Self, id, g.System}, g.Addresses[id], reached)
		}
	}
	if t.rand == nil {
		t.rand = nodes.Generator(g.Seed, "frames "+string(g.Self))
		close(t.joined)
	}
	return nil
}

func (t *tcp) Send(to nodes.ID, body []byte) {
	p := t.peers[to]
	if p == nil {
		return
	}
	data := appendPacket(make([]byte, 0, packetHead+len(body)), body)
	harms := t.harms[to]
	if len(harms) == 0 {
		p.send(data)
		return
	}
	t.harmed(p, to, data, harms)
}

func (t *tcp) Close(ctx context.Context) {
	t.listener.Close()
	for _, p := range t.peers {
		p.end()
	}
	for _, p := range t.peers {
		select {
		case <-p.done:
		case <-ctx.Done():
		}
	}
	t.cancel()
	if t.gossip != nil {
		select {
		case <-t.gossip.done:
		case <-ctx.Done():
		}
	}
	t.mu.Lock()
	var lines []*writer
	for conn, w := range t.conns {
		if w == nil {
			conn.Close()
		} else {
			lines = append(lines, w)
		}
	}
	t.mu.Unlock()
	for _, w := range lines {
		w.close(ctx)
	}
	t.all.Wait()
}
