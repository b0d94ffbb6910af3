package queue

import (
	"fmt"
	"testing"

	"faultlab/nodes"
	"faultlab/nodes/nodestest"
	"faultlab/nodes/raftlog"
)

// The scripts are the queue's specification. What they show of a node is what it does about shards: each request that
// reaches the leader of a group, and what changes there. Raft and the search for leaders go unseen.
//
// Region A has groups A1 to A4, led by a1, a2, a3 and a1. A keyspace has 65536 hashes, and at first a shard for each
// quarter: A/0000-3fff in A1, and so on. TestWhereTheKeysOfTheScriptsLie says which key
// lies where.
func TestScripts(t *testing.T) {
	s := System()
	s.New = func(bug string) nodes.Node {
		n := newNode(bug)
		return &nodestest.Teller{Node: n, Prefix: "queue: ", Words: n.words, Follows: n.follows, Many: many, State: n.state, Seen: atFirst()}
	}
	s.Bodies = append(s.Bodies, Fill{})
	nodestest.Run(t, s, "testdata")
}

// Fill is many sends of one key, by producers of their own, so that the log of its shard is cut.
type Fill struct {
	Home string `json:"home"`
	Key  string `json:"key"`
	N    uint64 `json:"n"`
}

func many(body any) (list []any) {
	if f, ok := body.(Fill); ok {
		for i := range f.N {
			list = append(list, Send{f.Home, f.Key, "filler", i + 1, []string{"f"}})
		}
	}
	return list
}

// atFirst is the state that every cluster begins in, and no script tells.
func atFirst() map[string]string {
	seen := map[string]string{}
	for _, region := range []string{"A", "B", "C"} {
		for i, s := range First(region) {
			seen[fmt.Sprintf("%s%d has %s", region, i+1, s)] = "live"
		}
	}
	return seen
}

// words says what is asked of a leader.
func (n *node) words(body any) string {
	a, ok := body.(Ask)
	if !ok || n.byName[a.Group] == nil || n.byName[a.Group].m.lead == nil {
		return ""
	}
	if words := wordsOf(a.body()); words != "" {
		return fmt.Sprintf("at %s %s", a.Group, words)
	}
	return ""
}

// state is what there is at the groups that this node leads.
func (n *node) state() map[string]string {
	now := map[string]string{}
	for _, g := range n.groups {
		if g.m.lead == nil {
			continue
		}
		for _, s := range g.m.list {
			says := "live"
			switch {
			case s.Sealed:
				says = fmt.Sprintf("sealed at %d", s.end())
				for _, c := range s.Children {
					says += fmt.Sprintf(", then %s in %d", c.Shard, c.Number)
				}
			case s.Engaged != nil:
				says = fmt.Sprintf("to become %s with %s in %d", s.Engaged.Child, s.Engaged.Right.Shard, s.Engaged.Right.Number)
			case g.m.regimes[s.home].Region != g.Region && s.end() == 0 && s.Epoch == 1:
				continue
			case g.m.regimes[s.home].Region != g.Region:
				says = fmt.Sprintf("a copy to %d", s.end())
			}
			if r := g.m.regimes[s.home]; s.Sealed && r.Region != g.Region {
				says = "a copy " + says
			}
			now[g.Name+" has "+s.Shard.String()] = says
		}
		for i, t := range g.m.tails {
			now[fmt.Sprintf("%s keeps as tail %d", g.Name, i+1)] = fmt.Sprintf("%s from %d to %d", t.Shard, t.Records[0].Seq, t.Records[0].Seq+uint64(len(t.Records))-1)
		}
	}
	return now
}

// follows says whether a message makes a follower of a group apply what its leader has applied.
func (n *node) follows(body any) bool {
	r, ok := body.(raftlog.Raft)
	return ok && n.byName[r.Group] != nil && n.byName[r.Group].m.lead == nil
}

// wordsOf returns what is asked of a leader in words, "" if it is better not told.
func wordsOf(body any) string {
	switch b := body.(type) {
	case Send:
		return fmt.Sprintf("send %s/%d", b.Producer, b.Number)
	case Poll:
		return fmt.Sprintf("poll %s for %s", b.Shard, b.Group)
	case Commit:
		return fmt.Sprintf("commit %s up to %d for %s", b.Shard, b.Seq, b.Group)
	case Finish:
		return fmt.Sprintf("has %s finished %s?", b.Consumer, b.Shard)
	case Wed:
		return fmt.Sprintf("seal %s, which becomes %s with %s", b.Right, b.Child.Shard, b.Left.Shard)
	case Adopt:
		return fmt.Sprintf("adopt %s, since %s is sealed", b.Child, decode(b.Entry).(*adopt).From)
	}
	return ""
}

func TestWhereTheKeysOfTheScriptsLie(t *testing.T) {
	for key, want := range map[string]uint16{
		"cat": 0x0c14, "gnu": 0x1aba, "yak": 0x2175, "emu": 0x36bf, "hen": 0x4d1d, "koi": 0x6a35, "owl": 0xbf42, "ant": 0xe915,
	} {
		if got := HashOf(key); got != want {
			t.Errorf("%s lies at %04x, not %04x", key, got, want)
		}
	}
}
