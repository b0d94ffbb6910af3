package raftlog_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"faultlab/nodes"
)

// faults puts load and random faults on a cluster of three for a while, heals it, and checks that all reads saw what
// was acknowledged before they began, that nothing acknowledged is lost, and that all members end up equal.
func faults(c *cluster, seed uint64, d time.Duration) {
	rng := rand.New(rand.NewPCG(seed, 1))
	all := []nodes.ID{"n1", "n2", "n3"}
	ctx := context.Background()
	var acked []string
	end := c.Now() + d
	for i := range int(d / (5 * time.Millisecond)) {
		c.After(time.Duration(i)*5*time.Millisecond, func() {
			to := all[rng.IntN(3)]
			value := fmt.Sprint("v", i)
			c.Call(client, to, Append{value}, time.Second, func(reply any, _ bool) {
				if reply == (OK{}) {
					acked = append(acked, value)
				}
			})
			if i%4 == 0 {
				before := slices.Clone(acked)
				c.Call(client, all[rng.IntN(3)], Show{}, time.Second, func(reply any, _ bool) {
					if got, ok := reply.(Values); ok {
						c.lacks("a read", got.Values, before)
					}
				})
			}
		})
	}
	var heals []func(context.Context) error
	for c.Now() < end {
		id := all[rng.IntN(3)]
		switch rng.IntN(9) {
		case 0:
			c.kill(id)
		case 1:
			c.powerLoss(id)
		case 2:
			if rng.IntN(3) == 0 {
				c.powerLoss(all...)
			}
		case 3:
			c.Pause(ctx, id)
		case 4, 5:
			links := []nodes.Link{}
			for _, o := range others(id) {
				links = append(links, nodes.Link{From: id, To: o})
				if rng.IntN(3) > 0 {
					links = append(links, nodes.Link{From: o, To: id})
				}
			}
			heal, _ := c.Degrade(ctx, links[rng.IntN(2):], nodes.Quality{Cut: true})
			heals = append(heals, heal)
		case 6:
			heal, _ := c.Degrade(ctx, []nodes.Link{{From: id, To: others(id)[0]}, {From: others(id)[1], To: id}},
				nodes.Quality{LossPerMille: 200, DuplicatePerMille: 300, ReorderPerMille: 300, Jitter: 20 * time.Millisecond})
			heals = append(heals, heal)
		case 7:
			c.Skew(ctx, id, time.Duration(rng.IntN(20)-10)*time.Second, rng.IntN(400_000)-200_000)
		case 8:
			if h := c.hosts[id]; h != nil {
				c.Call(client, id, Move{others(id)[rng.IntN(2)]}, time.Second, func(any, bool) {})
			}
		}
		c.run(time.Duration(rng.IntN(300)) * time.Millisecond)
		if rng.IntN(2) == 0 {
			c.Resume(ctx, id)
			c.boot(all...)
			for _, heal := range heals {
				heal(ctx)
			}
			heals = nil
		}
		c.run(time.Duration(rng.IntN(700)) * time.Millisecond)
	}
	for _, heal := range heals {
		heal(ctx)
	}
	for _, id := range all {
		c.Resume(ctx, id)
		c.Skew(ctx, id, 0, 0)
	}
	c.boot(all...)
	c.run(2 * time.Second)
	final, ok := c.ask(c.leader(), Show{}).(Values)
	if !ok {
		c.t.Errorf("seed %d: no final read", seed)
		return
	}
	c.lacks("the end", final.Values, acked)
	c.run(time.Second)
	for _, id := range all {
		if got := c.hosts[id].list.values; !slices.Equal(got, final.Values) {
			c.t.Errorf("seed %d: %s ends with %d values, and the leader had %d", seed, id, len(got), len(final.Values))
		}
	}
	if len(acked) == 0 {
		c.t.Errorf("seed %d: nothing was acknowledged", seed)
	}
}

func (c *cluster) lacks(where string, values, acked []string) {
	have := map[string]bool{}
	for _, v := range values {
		have[v] = true
	}
	for _, v := range acked {
		if !have[v] {
			c.t.Errorf("%v: %s lacks %s, which was acknowledged before", c.Now(), where, v)
		}
	}
}

func TestUnderRandomFaultsMembersAgreeAndLoseNothing(t *testing.T) {
	const seeds = uint64(60)
	probes := map[string]int{}
	for seed := range seeds {
		c := start(t, seed, 3, 3, nil, seed%10 == 0)
		faults(c, seed, 10*time.Second)
		for p, n := range c.probes {
			probes[p] += n
		}
		if t.Failed() {
			t.Fatalf("seed %d", seed)
		}
	}
	for _, p := range []string{"raft: new leader", "raft: stepped down", "raft: snapshot sent", "raft: snapshot installed", "raft: conflicting suffix overwritten"} {
		if probes[p] == 0 {
			t.Errorf("in %d seeds %q was never reached", seeds, p)
		}
	}
}
