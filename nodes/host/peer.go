package host

import (
	"context"
	"io"
	"net"
	"sync"
	"time"
)

const (
	queueMax      = 4096        // packets for one peer
	queueBytesMax = 16 << 20    // of them
	staleTime     = time.Second // a packet that could not leave for so long is lost
	dialTime      = 500 * time.Millisecond
	backOffLeast  = 100 * time.Millisecond
	backOffMost   = 500 * time.Millisecond
	unackedTime   = 2 * time.Second // a connection that gets no answer for so long is given up
	writeSize     = 64 << 10
)

// A peer is another member, to which this one sends. It has a connection of its own, in this direction only, and a
// bounded queue that drops the oldest: what a cut link holds back is lost, as the contract allows, and never stalls the
// node.
type peer struct {
	hello   []byte
	stop    context.Context
	done    chan struct{} // the goroutine has ended
	reached func(bool)    // told whether there is a connection

	mu      sync.Mutex
	address string
	queue   []packet
	bytes   int
	last    bool // no more will come
	poke    chan struct{}
}

type packet struct {
	data []byte
	at   time.Time
}

func newPeer(stop context.Context, h hello, address string, reached func(bool)) *peer {
	p := &peer{hello: h.append(nil), stop: stop, reached: reached, done: make(chan struct{}), address: address, poke: make(chan struct{}, 1)}
	go p.run()
	return p
}

func (p *peer) move(address string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.address = address
}

// send queues a packet.
func (p *peer) send(data []byte) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.queue = append(p.queue, packet{data, time.Now()})
	p.bytes += len(data)
	for len(p.queue) > queueMax || p.bytes > queueBytesMax && len(p.queue) > 1 {
		p.drop()
	}
	p.nudge()
}

func (p *peer) drop() {
	p.bytes -= len(p.queue[0].data)
	p.queue[0] = packet{}
	p.queue = p.queue[1:]
}

func (p *peer) nudge() {
	select {
	case p.poke <- struct{}{}:
	default:
	}
}

// end lets what is queued leave, and then ends.
func (p *peer) end() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.last = true
	p.nudge()
}

// take moves packets from the queue to dst, one write's worth.
func (p *peer) take(dst []byte) (out []byte, last bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for len(p.queue) > 0 && time.Since(p.queue[0].at) > staleTime {
		p.drop()
	}
	for len(p.queue) > 0 && (len(dst) == 0 || len(dst)+len(p.queue[0].data) <= writeSize) {
		dst = append(dst, p.queue[0].data...)
		p.drop()
	}
	if len(p.queue) > 0 {
		p.nudge()
	}
	return dst, p.last && len(p.queue) == 0
}

func (p *peer) run() {
	defer close(p.done)
	var conn net.Conn
	var gone chan struct{} // the other end has closed
	hangUp := func() {
		if conn != nil {
			conn.Close()
			conn = nil
		}
	}
	defer func() { hangUp() }()
	var buf []byte
	for {
		select {
		case <-p.stop.Done():
			return
		case <-gone:
			hangUp()
			gone = nil
			continue
		case <-p.poke:
		}
		if conn == nil {
			if conn = p.dial(); conn == nil {
				return
			}
			gone = make(chan struct{})
			go watchEnd(conn, gone)
		}
		var last bool
		if buf, last = p.take(buf[:0]); len(buf) > 0 {
			if _, err := conn.Write(buf); err != nil {
				hangUp()
				gone = nil
			}
		}
		if last {
			return
		}
		if cap(buf) > 4*writeSize {
			buf = nil
		}
	}
}

// watchEnd sees that the other end of a connection, which never says anything, has gone.
func watchEnd(conn net.Conn, gone chan struct{}) {
	io.Copy(io.Discard, conn)
	close(gone)
}

// dial tries until it succeeds, or nobody wants it any more.
func (p *peer) dial() net.Conn {
	for wait := backOffLeast; ; wait = min(2*wait, backOffMost) {
		p.mu.Lock()
		address, last := p.address, p.last
		p.mu.Unlock()
		d := net.Dialer{Timeout: dialTime, KeepAliveConfig: keepAlive}
		conn, err := d.DialContext(p.stop, "tcp", address)
		if err == nil {
			limitUnacked(conn)
			context.AfterFunc(p.stop, func() { conn.Close() })
			if _, err = conn.Write(p.hello); err == nil {
				p.reached(true)
				return conn
			}
			conn.Close()
		}
		p.reached(false)
		if last {
			return nil
		}
		select {
		case <-p.stop.Done():
			return nil
		case <-time.After(wait):
		}
	}
}

// A connection that says nothing is asked once a second whether it is still there.
var keepAlive = net.KeepAliveConfig{Enable: true, Idle: time.Second, Interval: time.Second, Count: 3}
