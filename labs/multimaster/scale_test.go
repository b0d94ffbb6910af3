//go:build unix

package multimaster_test

import (
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"faultlab/cmd"
	"faultlab/labs"
	"faultlab/labs/labstest"
	"faultlab/labs/multimaster"
	"faultlab/nodes"
	"faultlab/nodes/cluster/process"
	"faultlab/nodes/cluster/sim"
	mm "faultlab/nodes/multimaster"
)

// TestMain lets the program of the tests be a node too, in a process of its own.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && !strings.HasPrefix(os.Args[1], "-") {
		os.Exit(cmd.Main(multimaster.Lab()))
	}
	os.Exit(m.Run())
}

// handling is what the model of BenchmarkScale says that a message costs the node that it comes to, of its processor.
// Beside it the simulator has fsyncs (0.5 ms, shared by all who wait for it) and links (1 ms there and back in a region,
// 0.6 ms in a zone).
const handling = 20 * time.Microsecond

// BenchmarkScale is how what region A can do grows with its ranges, and its nodes with them: three to a range. Each
// client writes a key of its own range, and so many of a hundred times with it one of another range of the region. All
// figures are of virtual time; messages and bytes are all that nodes send for a transaction.
func BenchmarkScale(b *testing.B) {
	var one float64 // transactions a second of one range
	for _, cross := range []int{0, 1, 10, 50} {
		for _, ranges := range []int{1, 2, 4, 8, 16} {
			if cross > 0 && ranges == 1 {
				continue
			}
			b.Run(fmt.Sprintf("cross=%d/ranges=%d", cross, ranges), func(b *testing.B) {
				for b.Loop() {
					system, meter := labstest.Metered(multimaster.Lab().System)
					c, err := sim.Start(nodes.Spec{System: system, Topology: scaled(b, ranges), Seed: 1, Handling: handling})
					if err != nil {
						b.Fatal(err)
					}
					// Not long enough for a range to be split for its load.
					l := load{ranges: ranges, cross: cross, clients: 64, warm: 500 * time.Millisecond, time: time.Second}
					rate := l.run(b, c, func() { meter.Messages, meter.Bytes = 0, 0 })
					b.ReportMetric(float64(meter.Messages)/rate, "messages/txn")
					b.ReportMetric(float64(meter.Bytes)/rate, "bytes/txn")
					if ranges == 1 {
						one = rate
					}
					if one > 0 {
						b.ReportMetric(rate/(one*float64(ranges)), "of-linear")
					}
				}
			})
		}
	}
}

// BenchmarkScaleOnProcesses is the same with a process for each node, on this machine's processors, network
// and disk. All that a run has, clients and router included, shares the machine.
func BenchmarkScaleOnProcesses(b *testing.B) {
	for _, cross := range []int{0, 10, 50} {
		for _, ranges := range []int{1, 2} {
			if cross > 0 && ranges == 1 {
				continue
			}
			for _, clients := range []int{1, 8, 64} {
				b.Run(fmt.Sprintf("cross=%d/ranges=%d/clients=%d", cross, ranges, clients), func(b *testing.B) {
					for b.Loop() {
						c, err := process.StartOwn(nodes.Spec{System: multimaster.Lab().System, Topology: scaled(b, ranges), Seed: 1, Observer: deaf{}})
						if err != nil {
							b.Fatal(err)
						}
						load{ranges: ranges, cross: cross, clients: clients, warm: 500 * time.Millisecond, time: 2 * time.Second}.run(b, c, func() {})
					}
				})
			}
		}
	}
}

// deaf listens to nobody.
type deaf struct{}

func (deaf) Event(time.Duration, nodes.ID, any)  {}
func (deaf) Reached(nodes.ID, string)            {}
func (deaf) Log(time.Duration, nodes.ID, string) {}

// scaled is the lab's topology with three nodes in region A for each of so many ranges.
func scaled(b *testing.B, ranges int) nodes.Topology {
	top, err := multimaster.Lab().Topology(0)
	if err != nil {
		b.Fatal(err)
	}
	for i := 3; i < 3*ranges; i++ {
		top.Members = append(top.Members, nodes.Member{ID: nodes.ID(fmt.Sprint("a", i+1)), Region: "A", Zone: fmt.Sprint("A", i%3+1)})
	}
	return top
}

// A load is clients that each have one transaction under way.
type load struct {
	ranges, clients int // clients of each range
	cross           int // of a hundred transactions, how many write in two ranges
	warm, time      time.Duration
}

// run puts the load on a cluster, from begins on measures it, and closes the cluster. It reports latencies, and returns
// the transactions committed a second.
func (l load) run(b *testing.B, c labs.Cluster, begins func()) float64 {
	defer c.Close()
	goOn := func(d time.Duration) {
		if err := c.Run(c.Now() + d); err != nil {
			b.Fatal(err)
		}
	}
	goOn(5 * time.Second)
	took := map[string][]time.Duration{}
	draw := rand.New(rand.NewPCG(1, 1))
	until := c.Now() + l.warm + l.time
	for i := range l.ranges * l.clients {
		own, zone, number := i%l.ranges, i/l.ranges%3, uint64(0)
		from := nodes.Member{ID: nodes.ID(fmt.Sprint("s", i)), Region: "A", Zone: fmt.Sprint("A", zone+1)}
		gateway := nodes.ID(fmt.Sprint("a", 3*own+zone+1)) // of the three that carry the range, the one in the client's zone
		key := func(r int) string { return fmt.Sprintf("A%d/s%d", r+1, i) }
		var next func()
		next = func() {
			if c.Now() >= until {
				return
			}
			number++
			kind, ops := "single", []mm.Op{{F: mm.Write, Key: key(own), Value: int64(number)}}
			if draw.IntN(100) < l.cross {
				other := (own + 1 + draw.IntN(l.ranges-1)) % l.ranges
				kind, ops = "cross", append(ops, mm.Op{F: mm.Write, Key: key(other), Value: int64(number)})
			}
			began := c.Now()
			c.Call(from, gateway, mm.Txn{Session: string(from.ID), Number: number, Ops: ops}, 2*time.Second, func(reply any, ok bool) {
				if _, done := reply.(mm.TxnOK); done && c.Now() > until-l.time {
					took[kind] = append(took[kind], c.Now()-began)
				}
				next()
			})
		}
		next()
	}
	goOn(l.warm)
	begins()
	goOn(l.time)
	done := 0
	for kind, all := range took {
		slices.Sort(all)
		done += len(all)
		b.ReportMetric(float64(all[len(all)/2].Microseconds())/1000, kind+"-p50-ms")
		b.ReportMetric(float64(all[len(all)*99/100].Microseconds())/1000, kind+"-p99-ms")
	}
	if done == 0 {
		b.Fatal("nothing was committed")
	}
	rate := float64(done) / l.time.Seconds()
	b.ReportMetric(rate, "txn/s")
	return rate
}
