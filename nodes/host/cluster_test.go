package host_test

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	lab "faultlab/labs/multimaster"
	"faultlab/nodes"
	"faultlab/nodes/host"
	"faultlab/nodes/multimaster"
	"faultlab/nodes/wire"
)

// This file runs the real multi-master system, each node a process: this test, called again as a node.

const asNode = "FAULTLAB_TEST_NODE" // "address folder"

func TestMain(m *testing.M) {
	if args := strings.Fields(os.Getenv(asNode)); len(args) == 2 {
		if err := serve(args[0], args[1]); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

func serve(address, dir string) error {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	h, err := host.New(host.Config{System: multimaster.System(), Dir: dir, Out: os.Stderr})
	if err != nil {
		return err
	}
	t, err := host.ListenTCP(address)
	if err != nil {
		return err
	}
	return h.Run(ctx, t)
}

// cluster is processes, and a line to each.
type cluster struct {
	t         *testing.T
	codec     *wire.Codec
	topology  nodes.Topology
	addresses map[nodes.ID]string
	dir       string

	mu    sync.Mutex
	procs map[nodes.ID]*exec.Cmd
	lines map[nodes.ID]net.Conn
	waits map[nodes.ID]chan wire.Message // answers, by request
	logs  []string
	n     atomic.Uint64
}

func startCluster(t *testing.T) *cluster {
	topology, err := lab.Lab().Topology(9)
	if err != nil {
		t.Fatal(err)
	}
	c := &cluster{
		t: t, codec: wire.Must(multimaster.System().Bodies...), topology: topology, addresses: map[nodes.ID]string{}, dir: t.TempDir(),
		procs: map[nodes.ID]*exec.Cmd{}, lines: map[nodes.ID]net.Conn{}, waits: map[nodes.ID]chan wire.Message{},
	}
	var held []net.Listener
	for _, id := range topology.IDs() {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		held = append(held, l)
		c.addresses[id] = l.Addr().String()
	}
	for _, l := range held {
		l.Close()
	}
	t.Cleanup(func() {
		for _, p := range c.procs {
			p.Process.Kill()
			p.Wait()
		}
	})
	for _, id := range topology.IDs() {
		c.start(id)
	}
	for _, id := range topology.IDs() {
		c.init(id)
	}
	return c
}

func (c *cluster) start(id nodes.ID) {
	p := exec.Command(os.Args[0])
	p.Env = append(os.Environ(), asNode+"="+c.addresses[id]+" "+filepath.Join(c.dir, string(id)))
	p.Stderr = os.Stderr
	if err := p.Start(); err != nil {
		c.t.Fatal(err)
	}
	c.mu.Lock()
	c.procs[id] = p
	c.mu.Unlock()
}

func (c *cluster) init(id nodes.ID) {
	var conn net.Conn
	for began := time.Now(); ; time.Sleep(5 * time.Millisecond) {
		var err error
		if conn, err = net.Dial("tcp", c.addresses[id]); err == nil {
			break
		}
		if time.Since(began) > 20*time.Second {
			c.t.Fatal(err)
		}
	}
	c.mu.Lock()
	c.lines[id] = conn
	c.mu.Unlock()
	go c.read(conn)
	m, ok := c.ask(id, host.Lab, host.Protocol(), host.Init{
		NodeID: id, NodeIDs: c.topology.IDs(), Topology: &c.topology, Addresses: c.addresses, Seed: 7,
	}, 20*time.Second)
	if !ok || m.Type != "init_ok" {
		c.t.Fatalf("init of %s: %s %s", id, m.Type, m.Body)
	}
}

func (c *cluster) read(conn net.Conn) {
	s := bufio.NewScanner(conn)
	s.Buffer(nil, 1<<24)
	for s.Scan() {
		m, err := wire.ReadMessage(s.Bytes())
		if err != nil {
			panic(err)
		}
		c.mu.Lock()
		if wait := c.waits[nodes.Request(m.Dest, m.InReplyTo)]; wait != nil && m.InReplyTo != 0 {
			wait <- m
		}
		if m.Type == "log" {
			c.logs = append(c.logs, string(m.Body))
		}
		c.mu.Unlock()
	}
}

// ask sends one request and waits for its answer.
func (c *cluster) ask(id, from nodes.ID, codec *wire.Codec, body any, wait time.Duration) (wire.Message, bool) {
	text, err := codec.Encode(body)
	if err != nil {
		panic(err)
	}
	m := wire.Message{Src: from, Dest: id, ID: c.n.Add(1), Body: text}
	line, err := m.Append(nil)
	if err != nil {
		panic(err)
	}
	answer := make(chan wire.Message, 1)
	c.mu.Lock()
	c.waits[m.From()] = answer
	conn := c.lines[id]
	c.mu.Unlock()
	defer func() {
		c.mu.Lock()
		delete(c.waits, m.From())
		c.mu.Unlock()
	}()
	if _, err := conn.Write(line); err != nil {
		return wire.Message{}, false
	}
	select {
	case m := <-answer:
		return m, true
	case <-time.After(wait):
		return wire.Message{}, false
	}
}

// txn submits a transaction to a node; ok says that it committed.
func (c *cluster) txn(id nodes.ID, session string, number uint64, ops ...multimaster.Op) (multimaster.TxnOK, bool) {
	m, ok := c.ask(id, nodes.ID(session), c.codec, multimaster.Txn{Session: session, Number: number, Ops: ops}, time.Second)
	if !ok || m.Type != "txn_ok" {
		return multimaster.TxnOK{}, false
	}
	body, err := c.codec.Decode(m.Body)
	if err != nil {
		panic(err)
	}
	return body.(multimaster.TxnOK), true
}

// clients append to the lists of two regions in one transaction until stop, and return what was acknowledged.
func (c *cluster) clients(stop chan struct{}) map[string][]int64 {
	acked := map[string][]int64{}
	var mu sync.Mutex
	var all sync.WaitGroup
	for i, region := range c.topology.Regions() {
		near := c.topology.In(region)
		next := c.topology.Regions()[(i+1)%3]
		all.Go(func() {
			for n := uint64(1); ; n++ {
				select {
				case <-stop:
					return
				default:
				}
				keys := []string{region + "1/l1", next + "2/l1"}
				value := int64(i)*1_000_000 + int64(n)
				ops := []multimaster.Op{{F: multimaster.Append, Key: keys[0], Value: value}}
				if n%4 == 0 {
					ops = append(ops, multimaster.Op{F: multimaster.Append, Key: keys[1], Value: value})
				}
				if _, ok := c.txn(near[n%3], "s"+region, n, ops...); ok {
					mu.Lock()
					for _, op := range ops {
						acked[op.Key] = append(acked[op.Key], value)
					}
					mu.Unlock()
				}
			}
		})
	}
	all.Wait()
	return acked
}

func TestAClusterOfProcessesLosesNothingItAcknowledged(t *testing.T) {
	c := startCluster(t)
	for began := time.Now(); ; { // until there are leaders
		if _, ok := c.txn("a1", "first", 1, multimaster.Op{F: multimaster.Read, Key: "C2/l1"}); ok {
			break
		}
		if time.Since(began) > 20*time.Second {
			t.Fatal("no transaction commits")
		}
	}
	stop := make(chan struct{})
	result := make(chan map[string][]int64)
	go func() { result <- c.clients(stop) }()
	pause := func() { time.Sleep(300 * time.Millisecond) } // for load to meet what is done
	pause()
	for _, id := range []nodes.ID{"a1", "b2", "c3"} { // one of each region
		c.procs[id].Process.Kill()
		c.procs[id].Wait()
	}
	pause()
	for _, id := range []nodes.ID{"a1", "b2", "c3"} {
		c.start(id)
		c.init(id)
	}
	var frames []host.Harm
	for _, id := range c.topology.IDs() {
		frames = append(frames, host.Harm{To: id, Quality: host.Quality{CorruptPerMille: 100, Quality: nodes.Quality{DuplicatePerMille: 100, ReorderPerMille: 50}}})
	}
	if m, ok := c.ask("a2", host.Lab, host.Protocol(), host.Ctl{Frames: frames}, 10*time.Second); !ok || m.Type != "ctl_ok" {
		t.Fatal(m.Type, string(m.Body))
	}
	pause()
	if m, ok := c.ask("a2", host.Lab, host.Protocol(), host.Ctl{Frames: []host.Harm{}}, 10*time.Second); !ok || m.Type != "ctl_ok" {
		t.Fatal(m.Type, string(m.Body))
	}
	pause()
	close(stop)
	acked := <-result
	total := 0
	for key, values := range acked {
		total += len(values)
		var list []int64
		for n := uint64(2); ; n++ {
			if reply, ok := c.txn("b1", "last "+key, n, multimaster.Op{F: multimaster.Read, Key: key}); ok {
				list = reply.Results[0].List
				break
			}
			if n > 20 {
				t.Fatalf("%s cannot be read", key)
			}
		}
		there := map[int64]int{}
		for _, v := range list {
			there[v]++
		}
		for _, v := range values {
			if there[v] != 1 {
				t.Errorf("%d was acknowledged and is %d times in %s", v, there[v], key)
			}
		}
	}
	if total < 30 {
		t.Errorf("only %d appends were acknowledged", total)
	}
	c.mu.Lock()
	if logs := strings.Join(c.logs, "\n"); !strings.Contains(logs, "corrupt frames from a2") || strings.Contains(logs, "wire: ") {
		t.Errorf("corrupt frames were not dropped alone: %s", logs)
	}
	c.mu.Unlock()
	for _, id := range c.topology.IDs() {
		c.procs[id].Process.Signal(syscall.SIGTERM)
	}
	for _, id := range c.topology.IDs() {
		if err := c.procs[id].Wait(); err != nil {
			t.Errorf("%s ends with %v", id, err)
		}
	}
	t.Logf("%d appends acknowledged", total)
}

// The lab's own bodies must come through its protocol as they are.
func TestWordsComeBackAsTheyWere(t *testing.T) {
	for _, tc := range []struct {
		word any
		text string
	}{
		{host.Ctl{}, `{"type":"ctl"}`},
		{host.Ctl{Frames: []host.Harm{}}, `{"type":"ctl","frames":[]}`},
		{host.Ctl{Frames: []host.Harm{{To: "b1", Quality: host.Quality{Quality: nodes.Quality{DuplicatePerMille: 3}, CorruptPerMille: 5}}}},
			`{"type":"ctl","frames":[{"to":"b1","quality":{"duplicate_per_mille":3,"corrupt_per_mille":5}}]}`},
		{host.Ctl{Skew: &host.Skew{Offset: 5}, Disk: &host.DiskFaults{FailSync: true}},
			`{"type":"ctl","skew":{"offset_ns":5,"drift_ppm":0},"disk":{"fail_sync":true}}`},
		{host.Event{At: 3, Event: json.RawMessage(`{"type":"x"}`)}, `{"type":"event","at_ns":3,"event":{"type":"x"}}`},
		{host.InitOK{}, `{"type":"init_ok"}`},
	} {
		text, err := host.Protocol().Encode(tc.word)
		if err != nil || string(text) != tc.text {
			t.Errorf("%+v is %s, %v", tc.word, text, err)
		}
		back, err := host.Protocol().Decode(text)
		if err != nil {
			t.Errorf("%s: %v", text, err)
		}
		again, _ := host.Protocol().Encode(back)
		if string(again) != tc.text {
			t.Errorf("%s comes back as %s", text, again)
		}
	}
}
