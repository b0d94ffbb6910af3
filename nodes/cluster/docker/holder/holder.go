// Package holder is what runs in the container beside a node: it owns the network and shares the disk of that node, and
// harms both as it is told. It decides nothing; the lab sends it what is wanted, over TCP, as JSON lines.
package holder

import (
	"bufio"
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"sync"
	"time"
)

// Port is where a holder listens, inside its network: TCP for the lab, UDP for the probes of other holders.
const Port = 7010

// A Request is one line from the lab. Members that are absent ask for nothing.
type Request struct {
	ID     int     `json:"id"`
	Can    bool    `json:"can,omitempty"`
	Links  *[]Link `json:"links,omitempty"` // the whole wanted state of what comes in; empty heals
	Out    *[]Out  `json:"out,omitempty"`   // the whole wanted state of what goes out, where delay is netem's
	Tear   *uint64 `json:"tear,omitempty"`  // power loss of a stopped node's disk, with this seed
	Wipe   bool    `json:"wipe,omitempty"`
	Damage *Damage `json:"damage,omitempty"`
	Save   bool    `json:"save,omitempty"` // keep a copy of the files, which a rollback brings back
	Back   bool    `json:"rollback,omitempty"`
	Probe  *Probe  `json:"probe,omitempty"`
	Heard  *Expect `json:"heard,omitempty"`
}

// A Link is what is wanted of packets from one address.
type Link struct {
	From         netip.Addr    `json:"from"`
	Cut          bool          `json:"cut,omitempty"`
	LossPerMille int           `json:"loss_per_mille,omitempty"`
	Delay        time.Duration `json:"delay_ns,omitempty"`
	Jitter       time.Duration `json:"jitter_ns,omitempty"`
}

// An Out is what is wanted of packets to one address.
type Out struct {
	To     netip.Addr    `json:"to"`
	Delay  time.Duration `json:"delay_ns,omitempty"`
	Jitter time.Duration `json:"jitter_ns,omitempty"`
}

// A Damage is harm to a stopped node's files: its kind is a nodes.DamageForm.
type Damage struct {
	Kind string `json:"kind"`
	Seed uint64 `json:"seed"`
}

// A Probe sends a datagram with that number to other holders, again and again, for so long or until the next Probe.
type Probe struct {
	To     []netip.Addr  `json:"to"`
	Number uint64        `json:"number"`
	For    time.Duration `json:"for_ns"`
}

// An Expect waits until a datagram with that number has come from each of these holders.
type Expect struct {
	From   []netip.Addr  `json:"from"`
	Number uint64        `json:"number"`
	Wait   time.Duration `json:"wait_ns"`
}

// An Answer is one line to the lab.
type Answer struct {
	ID      int          `json:"id"`
	OK      bool         `json:"ok,omitempty"`
	Error   string       `json:"error,omitempty"`
	Can     *Abilities   `json:"can,omitempty"`
	Missing []netip.Addr `json:"missing,omitempty"` // from whom no datagram came
}

// Abilities is what this kernel can do to a link.
type Abilities struct {
	Cut   bool   `json:"cut"`
	Loss  bool   `json:"loss"`
	Delay string `json:"delay"`         // "netem", "nfqueue" or ""
	Why   string `json:"why,omitempty"` // why not
}

// A Disk is what can be done to the files of a node that is stopped. A nil function is something that cannot be done.
type Disk struct {
	Tear   func(dir string, seed uint64) error
	Wipe   func(dir string) error
	Damage func(dir, kind string, seed uint64) error
	Save   func(dir string) error // as it is, for a Damage of the kind "rollback"
}

// A kernel does to packets what is wanted. Its methods are not called side by side.
type kernel interface {
	can() Abilities
	in([]Link) error
	out([]Out) error
	close()
}

// Serve does what the lab asks for until ctx ends. dir is the node's data.
func Serve(ctx context.Context, listen, dir string, disk Disk) error {
	lab, err := net.Listen("tcp", listen)
	if err != nil {
		return fmt.Errorf("holder: %w", err)
	}
	defer lab.Close()
	probes, err := net.ListenPacket("udp4", listen)
	if err != nil {
		return fmt.Errorf("holder: %w", err)
	}
	defer probes.Close()
	h := &server{dir: dir, disk: disk, kernel: newKernel(), probes: probes, heard: map[seen]bool{}, news: make(chan struct{})}
	defer h.kernel.close()
	go h.listen()
	stop := context.AfterFunc(ctx, func() { lab.Close() })
	defer stop()
	for {
		conn, err := lab.Accept()
		if ctx.Err() != nil {
			return nil
		}
		if err != nil {
			return fmt.Errorf("holder: %w", err)
		}
		go h.serve(ctx, conn)
	}
}

type server struct {
	dir    string
	disk   Disk
	work   sync.Mutex // held while a request is being done
	kernel kernel

	probes  net.PacketConn
	probing context.CancelFunc // ends the probe under way; guarded by work

	mu    sync.Mutex
	heard map[seen]bool
	news  chan struct{} // closed, and replaced, when heard grows
}

// A seen is a probe that came.
type seen struct {
	from   netip.Addr
	number uint64
}

func (h *server) serve(ctx context.Context, conn net.Conn) {
	defer conn.Close()
	lines := bufio.NewScanner(conn)
	lines.Buffer(nil, 1<<20)
	out := json.NewEncoder(conn)
	for lines.Scan() {
		var r Request
		a := Answer{}
		if err := json.Unmarshal(lines.Bytes(), &r); err != nil {
			a.Error = fmt.Sprintf("not a request: %v", err)
		} else if a.ID = r.ID; r.Heard != nil { // waits, so it holds no lock
			a.Missing = h.wait(ctx, *r.Heard)
			a.OK = true
		} else if err := h.do(ctx, r, &a); err != nil {
			a.Error = err.Error()
		} else {
			a.OK = true
		}
		if out.Encode(a) != nil {
			return
		}
	}
}

var errDisk = errors.New("this holder cannot do that to a disk")

// do does all that one request asks for, up to the first that fails.
func (h *server) do(ctx context.Context, r Request, a *Answer) error {
	h.work.Lock()
	defer h.work.Unlock()
	if r.Can {
		can := h.kernel.can()
		a.Can = &can
	}
	if r.Links != nil {
		if err := h.kernel.in(*r.Links); err != nil {
			return fmt.Errorf("links: %w", err)
		}
	}
	if r.Out != nil {
		if err := h.kernel.out(*r.Out); err != nil {
			return fmt.Errorf("delay: %w", err)
		}
	}
	for _, d := range []struct {
		wanted, can bool
		do          func() error
	}{
		{r.Tear != nil, h.disk.Tear != nil, func() error { return h.disk.Tear(h.dir, *r.Tear) }},
		{r.Wipe, h.disk.Wipe != nil, func() error { return h.disk.Wipe(h.dir) }},
		{r.Save, h.disk.Save != nil, func() error { return h.disk.Save(h.dir) }},
		{r.Damage != nil, h.disk.Damage != nil, func() error { return h.disk.Damage(h.dir, r.Damage.Kind, r.Damage.Seed) }},
	} {
		if d.wanted && !d.can {
			return errDisk
		}
		if d.wanted {
			if err := d.do(); err != nil {
				return err
			}
		}
	}
	if r.Probe != nil {
		h.probe(ctx, *r.Probe)
	}
	return nil
}

const probeEvery = 10 * time.Millisecond

// probe begins to send datagrams, in place of those that it may be sending.
func (h *server) probe(ctx context.Context, p Probe) {
	if h.probing != nil {
		h.probing()
	}
	ctx, h.probing = context.WithTimeout(ctx, p.For)
	go func() {
		text := binary.BigEndian.AppendUint64(nil, p.Number)
		for every := time.NewTicker(probeEvery); ; {
			for _, to := range p.To {
				h.probes.WriteTo(text, net.UDPAddrFromAddrPort(netip.AddrPortFrom(to, Port)))
			}
			select {
			case <-ctx.Done():
				every.Stop()
				return
			case <-every.C:
			}
		}
	}()
}

// listen notes the datagrams that come.
func (h *server) listen() {
	buf := make([]byte, 64)
	for {
		n, from, err := h.probes.ReadFrom(buf)
		if errors.Is(err, net.ErrClosed) {
			return
		}
		who, ok := from.(*net.UDPAddr)
		if err != nil || n != 8 || !ok {
			continue
		}
		s := seen{who.AddrPort().Addr().Unmap(), binary.BigEndian.Uint64(buf)}
		h.mu.Lock()
		if !h.heard[s] {
			if len(h.heard) > 1000 {
				clear(h.heard) // of long ago, all but perhaps one that comes again
			}
			h.heard[s] = true
			close(h.news)
			h.news = make(chan struct{})
		}
		h.mu.Unlock()
	}
}

// wait returns those from whom nothing came in time.
func (h *server) wait(ctx context.Context, e Expect) []netip.Addr {
	ctx, cancel := context.WithTimeout(ctx, e.Wait)
	defer cancel()
	missing := slices.Clone(e.From)
	for {
		h.mu.Lock()
		missing = slices.DeleteFunc(missing, func(a netip.Addr) bool { return h.heard[seen{a, e.Number}] })
		news := h.news
		h.mu.Unlock()
		if len(missing) == 0 {
			return nil
		}
		select {
		case <-ctx.Done():
			return missing
		case <-news:
		}
	}
}
