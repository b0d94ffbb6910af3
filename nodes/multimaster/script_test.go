package multimaster

import (
	"cmp"
	"fmt"
	"strings"
	"testing"

	"faultlab/nodes"
	"faultlab/nodes/nodestest"
	"faultlab/nodes/raftlog"
)

// The scripts are the store's specification. What they show of a node is what it does about transactions: each message
// that reaches who can act on it, and what changes at the leader of a group. Raft and the search for leaders go unseen.
//
// Ranges A1 and A2, led by a1 and a2, and so on by region; status groups S1 to S3, led by a1 to a3.
func TestScripts(t *testing.T) {
	s := System()
	s.New = func(bug string) nodes.Node {
		n := newNode(bug)
		return &nodestest.Teller{Node: n, Prefix: "multi-master: ", Words: n.words, Follows: n.follows, Many: many, State: n.state, Forgets: true}
	}
	s.Bodies = append(s.Bodies, Fill{})
	nodestest.Run(t, s, "testdata")
}

// Fill is many transactions that append to one key, so that the log of its range is cut.
type Fill struct {
	Key string `json:"key"`
	N   uint64 `json:"n"`
}

func many(body any) (list []any) {
	if f, ok := body.(Fill); ok {
		for i := range f.N {
			list = append(list, Txn{"filler", i + 1, []Op{{F: Append, Key: f.Key, Value: int64(i)}}})
		}
	}
	return list
}

// words says what a message asks of who can act on it.
func (n *node) words(body any) string {
	name, text := describe(body)
	if m := n.where[name]; m != nil && m.lead == nil {
		return ""
	}
	return text
}

// state is which locks and records there are at the groups that this node leads.
func (n *node) state() map[string]string {
	now := map[string]string{}
	for _, m := range n.where {
		if m.lead == nil {
			continue
		}
		for _, r := range m.records {
			state := [...]string{"pending", "committed", "aborted"}[r.State]
			now[m.name+" has "+text(r.ID)] = cmp.Or(map[bool]string{true: state}[r.Attempt == 1], fmt.Sprint(state, ", attempt ", r.Attempt))
		}
		for _, p := range m.prepared {
			now[m.name+" holds "+strings.Join(p.keys, " ")+" for "+text(p.ID)] = fmt.Sprint("attempt ", p.Attempt)
		}
		for _, w := range m.queue {
			now[m.name+" makes "+text(w.command.ID)+" wait"] = "for a lock"
		}
	}
	return now
}

// follows says whether a message makes a follower of a group apply what its leader has applied.
func (n *node) follows(body any) bool {
	r, ok := body.(raftlog.Raft)
	return ok && n.byName[r.Group] != nil && !n.byName[r.Group].leading
}

func text(id ID) string { return fmt.Sprint(id.Session, "/", id.Number) }

// describe returns a message in words, and the range whose leader it looks for.
func describe(body any) (name, words string) {
	switch b := body.(type) {
	case Execute:
		return b.Range, fmt.Sprintf("execute %s at %s", text(b.Txn.id()), b.Range)
	case Executed:
		return "", fmt.Sprintf("executed at %s: %s", b.Range, cmp.Or(b.Reply.Abort, "ok"))
	case Prepare:
		return b.Range, fmt.Sprintf("prepare %s attempt %d at %s", text(b.ID), b.Attempt, b.Range)
	case Vote:
		vote := map[bool]string{true: "yes", false: "no: " + b.Reason}[b.Yes]
		if b.Conflict {
			vote = "not now: " + b.Reason
		}
		return b.Range, fmt.Sprintf("%s votes on %s attempt %d: %s", b.Participant, text(b.ID), b.Attempt, vote)
	case Resolve:
		return b.Range, fmt.Sprintf("%s %s attempt %d at %s", map[bool]string{true: "commit", false: "abort"}[b.Commit], text(b.ID), b.Attempt, b.Range)
	case Resolved:
		return b.Range, fmt.Sprintf("%s has resolved %s attempt %d", b.Participant, text(b.ID), b.Attempt)
	case Query:
		return b.Range, fmt.Sprintf("%s asks what became of %s attempt %d", b.Participant, text(b.ID), b.Attempt)
	}
	return "", ""
}
