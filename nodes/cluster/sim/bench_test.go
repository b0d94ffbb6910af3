package sim_test

import (
	"fmt"
	"runtime"
	"testing"
	"time"

	"faultlab/nodes"
	"faultlab/nodes/cluster/sim"
)

type ball struct{ n int }

// A player sends every ball on to the next node, and puts off a timer each time.
type player struct {
	next  nodes.ID
	body  any
	balls int
}

func (p *player) Start(env nodes.Env) {
	ids := env.Topology().IDs()
	for i, id := range ids {
		if id == env.ID() {
			p.next = ids[(i+1)%len(ids)]
		}
	}
	p.body = ball{1}
	for range p.balls {
		env.Send(p.next, p.body)
	}
	env.After(time.Millisecond, "tick")
}

func (p *player) Receive(env nodes.Env, m nodes.Message) {
	env.Send(p.next, m.Body)
	env.After(10*time.Millisecond, "election")
}

func (p *player) Wake(env nodes.Env, name string) { env.After(time.Millisecond, "tick") }

func nine() nodes.Topology {
	var t nodes.Topology
	for _, region := range []string{"a", "b", "c"} {
		for i := 1; i <= 3; i++ {
			id := fmt.Sprintf("%s%d", region, i)
			t.Members = append(t.Members, nodes.Member{ID: nodes.ID(id), Region: region, Zone: id})
		}
	}
	return t
}

func BenchmarkKernel(b *testing.B) {
	for _, balls := range []int{10, 100} {
		b.Run(fmt.Sprintf("%d messages under way", 9*balls), func(b *testing.B) {
			c, err := sim.Start(nodes.Spec{Topology: nine(), System: nodes.System{New: func(string) nodes.Node { return &player{balls: balls} }}})
			if err != nil {
				b.Fatal(err)
			}
			c.Run(time.Second)
			runtime.GC()
			b.ReportAllocs()
			before := c.Events()
			b.ResetTimer()
			for c.Events()-before < uint64(b.N) {
				c.Run(c.Now() + time.Millisecond)
			}
			b.ReportMetric(float64(c.Events()-before)/b.Elapsed().Seconds()/1e6, "Mevents/s")
		})
	}
}
