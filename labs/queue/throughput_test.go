package queue_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"faultlab/labs/labstest"
	"faultlab/labs/queue"
	"faultlab/nodes"
	"faultlab/nodes/cluster/sim"
	q "faultlab/nodes/queue"
)

// BenchmarkShards shows what more shards are for: as many producers at each, one record a send, on the simulator. Paced
// producers send 500 records a second to each shard, and show what one record costs; those that wait for nothing but
// their acknowledgement show what there is to be had, and how much sends share then: eight shards are two in each group,
// on the same three disks.
//
// Records a second are of virtual time; messages and bytes (of their bodies, as JSON) are all that nodes send but for the
// heartbeats of groups, which cost the same whatever there is to do; copies to other regions are included.
func BenchmarkShards(b *testing.B) {
	for _, pace := range []time.Duration{producers * time.Second / 500, 0} {
		how := "closed"
		if pace > 0 {
			how = "paced"
		}
		for _, shards := range []int{1, 2, 4, 8} {
			b.Run(fmt.Sprint(how, "/", shards), func(b *testing.B) {
				for b.Loop() {
					throughput(b, shards, pace)
				}
			})
		}
	}
}

const producers = 16 // at each shard

const measured = 5 * time.Second

func throughput(b *testing.B, shards int, pace time.Duration) {
	top, err := queue.Lab().Topology(0)
	if err != nil {
		b.Fatal(err)
	}
	system, m := labstest.Metered(queue.Lab().System)
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
					if pace == 0 {
						send()
					}
				})
				if pace > 0 {
					c.After(pace, send)
				}
			}
			c.After(pace*time.Duration(p)/producers, send)
		}
	}
	m.Messages, m.Bytes, m.Heartbeats = 0, 0, 0
	run(measured)
	if records == 0 {
		b.Fatal("nothing was acknowledged")
	}
	b.ReportMetric(float64(records)/measured.Seconds(), "records/virtual-s")
	b.ReportMetric(float64(m.Messages)/float64(records), "messages/record")
	b.ReportMetric(float64(m.Bytes)/float64(records), "bytes/record")
	b.ReportMetric(float64(m.Heartbeats)/measured.Seconds(), "heartbeats/virtual-s")
}

// keyIn returns a key whose hash is in one of so many equal parts of the keyspace.
func keyIn(part, parts, n int) string {
	for i := n * 1000; ; i++ {
		if key := fmt.Sprint("k", i); int(q.HashOf(key))*parts>>16 == part {
			return key
		}
	}
}
