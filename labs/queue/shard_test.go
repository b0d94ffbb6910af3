package queue_test

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"faultlab/nodes"
	"faultlab/nodes/host"
	"faultlab/nodes/queue"
	"faultlab/nodes/wire"
)

const payload = 256 // bytes

// BenchmarkShard is one shard on three real nodes, each with its own disk and fsync, beside a JetStream stream of three
// replicas that syncs always. Both run in this process, talk over loopback and keep their files in the same place; a
// producer has one send of that many values under way, and producers are spread over the three nodes.
func BenchmarkShard(b *testing.B) {
	for _, peer := range []struct {
		name  string
		start func(*testing.B) func(producer int) sender
	}{{"queue", startQueue}, {"jetstream", startJetStream}} {
		b.Run(peer.name, func(b *testing.B) {
			connect := peer.start(b)
			for _, batch := range []int{1, 16} {
				for _, producers := range []int{1, 4, 16} {
					b.Run(fmt.Sprintf("batch=%d/producers=%d", batch, producers), func(b *testing.B) {
						senders := make([]sender, producers)
						for i := range senders {
							senders[i] = connect(i)
						}
						measure(b, senders, batch)
					})
				}
			}
		})
	}
}

// A sender sends a batch and returns when it is acknowledged.
type sender func(values []string) error

// measure lets all senders send b.N batches between them.
func measure(b *testing.B, senders []sender, batch int) {
	values := make([]string, batch)
	for i := range values {
		values[i] = fmt.Sprintf("%0*d", payload, i)
	}
	var all sync.WaitGroup
	var left atomic.Int64
	left.Store(int64(b.N))
	took := make([][]time.Duration, len(senders))
	b.ResetTimer()
	for i, send := range senders {
		all.Go(func() {
			for left.Add(-1) >= 0 {
				began := time.Now()
				if err := send(values); err != nil {
					b.Error(err)
					return
				}
				took[i] = append(took[i], time.Since(began))
			}
		})
	}
	all.Wait()
	b.StopTimer()
	list := slices.Concat(took...)
	slices.Sort(list)
	b.ReportMetric(float64(batch*b.N)/b.Elapsed().Seconds(), "values/s")
	b.ReportMetric(float64(list[len(list)/2].Microseconds()), "p50-us")
	b.ReportMetric(float64(list[(len(list)*99)/100].Microseconds()), "p99-us")
}

// startQueue runs three nodes of one region.
func startQueue(b *testing.B) func(producer int) sender {
	ctx, stop := context.WithCancel(context.Background())
	var topology nodes.Topology
	addresses := map[nodes.ID]string{}
	ids := []nodes.ID{"a1", "a2", "a3"}
	var transports []host.Transport
	for i, id := range ids {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			b.Fatal(err)
		}
		addresses[id] = l.Addr().String()
		l.Close()
		t, err := host.ListenTCP(addresses[id])
		if err != nil {
			b.Fatal(err)
		}
		transports = append(transports, t)
		topology.Members = append(topology.Members, nodes.Member{ID: id, Region: "A", Zone: fmt.Sprint("A", i+1)})
	}
	var ended sync.WaitGroup
	for i, id := range ids {
		h, err := host.New(host.Config{System: queue.System(), Dir: b.TempDir(), Out: io.Discard})
		if err != nil {
			b.Fatal(err)
		}
		ended.Go(func() {
			if err := h.Run(ctx, transports[i]); err != nil {
				b.Errorf("%s: %s", id, err)
			}
		})
	}
	b.Cleanup(func() { stop(); ended.Wait() })
	for _, id := range ids {
		body, err := host.Protocol().Encode(host.Init{NodeID: id, NodeIDs: ids, Topology: &topology, Addresses: addresses, Seed: 1})
		if err != nil {
			b.Fatal(err)
		}
		c := dial(b, addresses[id])
		if m, err := c.call(host.Lab, id, body); err != nil || m.Type != "init_ok" {
			b.Fatalf("%s answers init with %s: %v", id, m.Body, err)
		}
	}
	codec := wire.Must(queue.System().Bodies...)
	connect := func(producer int) sender {
		to := ids[producer%len(ids)]
		c := dial(b, addresses[to])
		name := nodes.ID(fmt.Sprint("p", time.Now().UnixNano(), "-", producer))
		number := uint64(1)
		return func(values []string) error {
			for range 100 {
				body, err := codec.Encode(queue.Send{Home: "A", Key: "k", Producer: string(name), Number: number, Values: values})
				if err != nil {
					return err
				}
				m, err := c.call(name, to, body)
				if err != nil {
					return err
				}
				if m.Type == "send_ok" {
					number += uint64(len(values))
					return nil
				}
				time.Sleep(50 * time.Millisecond) // the group has no leader yet
			}
			return fmt.Errorf("%s was never done", name)
		}
	}
	if err := connect(0)([]string{"first"}); err != nil {
		b.Fatal(err)
	}
	return connect
}

// A line is a client's connection, with one request under way.
type line struct {
	conn net.Conn
	in   *bufio.Reader
	last uint64
}

func dial(b *testing.B, address string) *line {
	conn, err := net.Dial("tcp", address)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { conn.Close() })
	return &line{conn: conn, in: bufio.NewReader(conn)}
}

// call asks, and returns the answer.
func (l *line) call(from, to nodes.ID, body json.RawMessage) (wire.Message, error) {
	l.last++
	out, err := wire.Message{Src: from, Dest: to, ID: l.last, Body: body}.Append(nil)
	if err != nil {
		return wire.Message{}, err
	}
	if _, err := l.conn.Write(out); err != nil {
		return wire.Message{}, err
	}
	for {
		text, err := l.in.ReadBytes('\n')
		if err != nil {
			return wire.Message{}, err
		}
		if m, err := wire.ReadMessage(text); err != nil || m.InReplyTo == l.last {
			return m, err
		}
	}
}

// startJetStream runs three servers and makes the stream.
func startJetStream(b *testing.B) func(producer int) sender {
	var routes, separator string
	var ports []int
	for range 3 {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			b.Fatal(err)
		}
		ports = append(ports, l.Addr().(*net.TCPAddr).Port)
		l.Close()
		routes += fmt.Sprintf("%snats://127.0.0.1:%d", separator, ports[len(ports)-1])
		separator = ","
	}
	var servers []*server.Server
	for i, port := range ports {
		s, err := server.NewServer(&server.Options{
			ServerName: fmt.Sprint("n", i+1), Host: "127.0.0.1", Port: -1, NoLog: true, NoSigs: true,
			JetStream: true, StoreDir: b.TempDir(), SyncAlways: true,
			Cluster: server.ClusterOpts{Name: "c", Host: "127.0.0.1", Port: port}, Routes: server.RoutesFromStr(routes),
		})
		if err != nil {
			b.Fatal(err)
		}
		s.Start()
		b.Cleanup(func() { s.Shutdown(); s.WaitForShutdown() })
		servers = append(servers, s)
	}
	for _, s := range servers {
		if !s.ReadyForConnections(20 * time.Second) {
			b.Fatal("a NATS server is not ready")
		}
	}
	attach := func(i int) jetstream.JetStream {
		c, err := nats.Connect(servers[i%len(servers)].ClientURL())
		if err != nil {
			b.Fatal(err)
		}
		b.Cleanup(c.Close)
		js, err := jetstream.New(c)
		if err != nil {
			b.Fatal(err)
		}
		return js
	}
	js := attach(0)
	for {
		_, err := js.CreateStream(b.Context(), jetstream.StreamConfig{Name: "Q", Subjects: []string{"q.*"}, Replicas: 3})
		if err == nil {
			break
		}
		if b.Context().Err() != nil {
			b.Fatal(err)
		}
		time.Sleep(100 * time.Millisecond) // there is no meta leader yet
	}
	return func(producer int) sender {
		js, subject := attach(producer), fmt.Sprint("q.", producer)
		return func(values []string) error {
			if len(values) == 1 {
				_, err := js.Publish(context.Background(), subject, []byte(values[0]))
				return err
			}
			var acks []jetstream.PubAckFuture
			for _, v := range values {
				f, err := js.PublishAsync(subject, []byte(v))
				if err != nil {
					return err
				}
				acks = append(acks, f)
			}
			for _, f := range acks {
				select {
				case <-f.Ok():
				case err := <-f.Err():
					return err
				}
			}
			return nil
		}
	}
}
