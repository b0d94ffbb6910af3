package multimaster

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
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
		return &told{node: newNode(bug), seen: map[string]string{}, reached: map[string]bool{}}
	}
	s.Bodies = append(s.Bodies, Fill{})
	nodestest.Run(t, s, "testdata")
}

// Fill is many transactions that append to one key, so that the log of its range is cut.
type Fill struct {
	Key string `json:"key"`
	N   uint64 `json:"n"`
}

// told is a node that tells what it does.
type told struct {
	*node
	seen    map[string]string // what was told of a lock or a record at a leader, until it is over
	reached map[string]bool
}

func (n *told) Start(env nodes.Env) { n.node.Start(discreet{env, n, false}) }

func (n *told) Receive(env nodes.Env, m nodes.Message) {
	if name, text := describe(m.Body); text != "" && (n.where[name] == nil || n.where[name].lead != nil) {
		env.Logf("< %s: %s", m.From, text)
	}
	env = discreet{env, n, n.follows(m.Body)}
	if f, ok := m.Body.(Fill); ok {
		for i := range f.N {
			n.node.Receive(env, nodes.Message{From: "nobody", To: m.To, Body: Txn{"filler", i + 1, []Op{{F: Append, Key: f.Key, Value: int64(i)}}}})
		}
	} else {
		n.node.Receive(env, m)
	}
	n.tell(env)
}

func (n *told) Wake(env nodes.Env, timer string) {
	n.node.Wake(discreet{env, n, false}, timer)
	n.tell(env)
}

// tell says what has changed at the groups that this node leads.
func (n *told) tell(env nodes.Env) {
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
	for _, what := range slices.Sorted(maps.Keys(n.seen)) {
		if now[what] == "" {
			env.Logf("%s: no more", what)
		}
	}
	for _, what := range slices.Sorted(maps.Keys(now)) {
		if now[what] != n.seen[what] {
			env.Logf("%s: %s", what, now[what])
		}
	}
	n.seen = now
}

// follows says whether a message makes a follower of a group apply what its leader has applied.
func (n *told) follows(body any) bool {
	r, ok := body.(raftlog.Raft)
	return ok && n.byName[r.Group] != nil && !n.byName[r.Group].leading
}

// discreet is an Env that keeps evidence and raft's affairs to itself, and tells of what else is reached once, at a leader.
type discreet struct {
	nodes.Env
	n      *told
	follow bool
}

func (discreet) Emit(any) {}

func (d discreet) Reached(probe string) {
	if !d.follow && !d.n.reached[probe] && !strings.HasPrefix(probe, "raft:") {
		d.n.reached[probe] = true
		d.Env.Reached(strings.TrimPrefix(probe, "multi-master: "))
	}
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
