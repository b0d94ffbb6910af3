package queue_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"faultlab/labs/queue"
	"faultlab/nodes"
	"faultlab/nodes/cluster/sim"
	q "faultlab/nodes/queue"
	"faultlab/nodes/wire"
)

// BenchmarkShards shows what more shards are for: as many producers at each, one record a send, on the simulator.
// Records a second are of virtual time; messages and bytes (of their bodies, as JSON) are all that nodes send, heartbeats
// and copies to other regions included.
func BenchmarkShards(b *testing.B) {
	for _, shards := range []int{1, 2, 4, 8} {
		b.Run(fmt.Sprint(shards), func(b *testing.B) {
			for b.Loop() {
				throughput(b, shards, 16)
			}
		})
	}
}

const measured = 5 * time.Second

func throughput(b *testing.B, shards, producers int) {
	top, err := queue.Lab().Topology(0)
	if err != nil {
		b.Fatal(err)
	}
	m := &meter{}
	system := queue.Lab().System
	if m.codec, err = wire.New(system.Bodies...); err != nil {
		b.Fatal(err)
	}
	system.New = func(bug string) nodes.Node { return metered{queue.Lab().System.New(bug), m} }
	c, err := sim.Start(nodes.Spec{System: system, Topology: top, Seed: 1})
	if err != nil {
		b.Fatal(err)
	}
	defer c.Close()
	run := func(d time.Duration) {
		if err := c.Run(c.Now() + d); err != nil {
			b.Fatal(err)
		}
	}
	run(5 * time.Second)
	if shards > q.GroupsPerRegion {
		for _, s := range q.First("A") {
			done := false
			var ask func()
			ask = func() {
				c.Call(nodes.Member{ID: "admin", Region: "A", Zone: "A1"}, "a1", q.Split{Range: s.Range}, time.Second, func(reply any, ok bool) {
					if _, done = reply.(q.Done); !done {
						c.After(100*time.Millisecond, ask)
					}
				})
			}
			ask()
			for !done {
				run(100 * time.Millisecond)
			}
		}
	}
	records, until := 0, c.Now()+measured
	for shard := range shards {
		for p := range producers {
			from := nodes.Member{ID: nodes.ID(fmt.Sprint("p", shard, "-", p)), Region: "A", Zone: fmt.Sprint("A", p%3+1)}
			key := keyIn(shard, max(shards, q.GroupsPerRegion), p)
			to, number := nodes.ID(fmt.Sprint("a", p%3+1)), uint64(0)
			var send func()
			send = func() {
				if c.Now() >= until {
					return
				}
				number++
				body := q.Send{Home: "A", Key: key, Producer: string(from.ID), Number: number, Values: []string{strings.Repeat("x", 100)}}
				c.Call(from, to, body, time.Second, func(reply any, ok bool) {
					if _, acked := reply.(q.SendOK); acked {
						records++
					}
					send()
				})
			}
			send()
		}
	}
	m.messages, m.bytes = 0, 0
	run(measured)
	if records == 0 {
		b.Fatal("nothing was acknowledged")
	}
	b.ReportMetric(float64(records)/measured.Seconds(), "records/virtual-s")
	b.ReportMetric(float64(m.messages)/float64(records), "messages/record")
	b.ReportMetric(float64(m.bytes)/float64(records), "bytes/record")
}

// keyIn returns a key whose hash is in one of so many equal parts of the keyspace.
func keyIn(part, parts, n int) string {
	for i := n * 1000; ; i++ {
		if key := fmt.Sprint("k", i); int(q.HashOf(key))*parts>>16 == part {
			return key
		}
	}
}

// A meter counts what nodes send.
type meter struct {
	codec           *wire.Codec
	messages, bytes int
}

type metered struct {
	nodes.Node
	m *meter
}

func (n metered) Start(env nodes.Env)                    { n.Node.Start(counted{env, n.m}) }
func (n metered) Receive(env nodes.Env, m nodes.Message) { n.Node.Receive(counted{env, n.m}, m) }
func (n metered) Wake(env nodes.Env, name string)        { n.Node.Wake(counted{env, n.m}, name) }

type counted struct {
	nodes.Env
	m *meter
}

func (c counted) Send(to nodes.ID, body any) {
	c.m.messages++
	if text, err := c.m.codec.Append(nil, body); err == nil {
		c.m.bytes += len(text)
	}
	c.Env.Send(to, body)
}
