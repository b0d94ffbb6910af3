package queue

import (
	"fmt"
	"testing"
)

func TestEveryShardHasOneReader(t *testing.T) {
	for members := 1; members < 5; members++ {
		for shards := range 9 {
			c := membership{}
			for i := range members {
				c.Members = append(c.Members, fmt.Sprint("m", i))
			}
			for i := range shards {
				c.Shards = append(c.Shards, Shard{"A/0", uint64(i)})
			}
			readers := map[Shard]int{}
			for _, m := range c.Members {
				if n := len(c.of(m)); n < shards/members || n > shards/members+1 {
					t.Errorf("of %d shards, one of %d members has %d", shards, members, n)
				}
				for _, s := range c.of(m) {
					readers[s]++
				}
			}
			for _, s := range c.Shards {
				if readers[s] != 1 {
					t.Errorf("with %d members %d read %v", members, readers[s], s)
				}
			}
			if c.of("stranger") != nil {
				t.Error("a stranger reads")
			}
		}
	}
}

func TestAShardIsReadableOnceItsParentsAreReadAndUntilItIsItself(t *testing.T) {
	p, q, left, right, merged := Shard{"A/0", 1}, Shard{"A/1", 1}, Shard{"A/00", 2}, Shard{"A/01", 2}, Shard{"A/01-1", 3}
	all := []Standing{
		{Shard: p, Seq: 3}, {Shard: q, Seq: 9, Over: true},
		{Shard: left, Parents: []Location{{p, 1}}}, {Shard: right, Parents: []Location{{p, 1}}}, {Shard: merged, Parents: []Location{{right, 1}, {q, 2}}},
	}
	for _, c := range []struct {
		over []int
		want string
	}{
		{nil, "[{A/0@1 3}]"},
		{[]int{0}, "[{A/00@2 0} {A/01@2 0}]"},
		{[]int{0, 3}, "[{A/00@2 0} {A/01-1@3 0}]"},
	} {
		for _, i := range c.over {
			all[i].Over = true
		}
		if got := fmt.Sprint(readable(all)); got != c.want {
			t.Errorf("readable: %s, not %s", got, c.want)
		}
	}
	if got := readable(all[4:]); len(got) > 0 {
		t.Errorf("readable though nothing is known of its parents: %v", got)
	}
}
