package settlement

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"faultlab/nodes"
	"faultlab/nodes/nodestest"
)

// The scripts are the ledger's specification. What they show of a node is what it does about payments: each message
// that reaches who can act on it, and the entries that the leader of a shard writes. Raft and the search for leaders go
// unseen.
//
// Two regions with two ledger nodes each: shards EU1 and EU2, led by e1 and e2, and US1, led by u1.
func TestScripts(t *testing.T) {
	s := System()
	s.New = func(bug string) nodes.Node { return &told{node: newNode(bug), reached: map[string]bool{}} }
	nodestest.Run(t, s, "testdata")
}

// told is a node that tells what it does.
type told struct {
	*node
	reached map[string]bool
	sizes   map[string]uint64
	pending map[string]string
}

func (n *told) Start(env nodes.Env) {
	n.node.Start(discreet{env, n})
	n.sizes = n.written()
}

func (n *told) Receive(env nodes.Env, m nodes.Message) {
	if shard, text := describe(m.Body); text != "" && (n.shards[shard] == nil || n.shards[shard].lead != nil) {
		env.Logf("< %s: %s", m.From, text)
	}
	n.node.Receive(discreet{env, n}, m)
	n.tell(env)
}

func (n *told) Wake(env nodes.Env, timer string) {
	n.node.Wake(discreet{env, n}, timer)
	n.tell(env)
}

func (n *told) written() map[string]uint64 {
	sizes := map[string]uint64{}
	for _, r := range n.replicas {
		sizes[r.Name] = r.tree.size
	}
	return sizes
}

// tell shows the entries that were written in shards that this node leads, and what is pending there.
func (n *told) tell(env nodes.Env) {
	for _, r := range n.replicas {
		for i := n.sizes[r.Name]; r.lead != nil && i < r.tree.size; i++ {
			e, err := r.entry(env, i)
			if err != nil {
				env.Logf("%s %d: %v", r.Name, i, err)
				continue
			}
			env.Logf("%s %d %s", r.Name, i, line(e))
		}
	}
	n.sizes = n.written()
	pending := map[string]string{}
	for _, r := range n.replicas {
		for name, a := range r.accounts {
			if r.lead != nil && a.pending != 0 {
				pending[name] = fmt.Sprint(a.pending)
			}
		}
	}
	for _, name := range slices.Sorted(maps.Keys(n.pending)) {
		if pending[name] == "" && n.shards[ShardOf(name)].lead != nil {
			env.Logf("%s: nothing is pending", name)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(pending)) {
		if pending[name] != n.pending[name] {
			env.Logf("%s: %s pending", name, pending[name])
		}
	}
	n.pending = pending
}

// line is an entry in words.
func line(e *Entry) string {
	words := []string{string(e.Kind)}
	say := func(format string, args ...any) { words = append(words, fmt.Sprintf(format, args...)) }
	if e.Payment != "" {
		say("%s", e.Payment)
	}
	switch e.Kind {
	case KindAccepted:
		if e.Reverses != "" {
			say("reverses %s:", e.Reverses)
		}
		say("%s/%s: %s pays %d to %s", e.Client, e.Key, e.From, e.Amount, e.To)
	case KindScreened:
		say("in %s: %s", e.Region, e.Verdict)
	case KindQuoted:
		say("at %d", e.Quote.Rate)
	case KindDecided:
		say("%s", e.State)
		if e.Why != "" {
			say("(%s)", e.Why)
		}
	case KindClosed, KindSettled:
		say("%s window %d", e.Region, e.Size)
	case KindCompacted:
		say("below %d", e.Size)
	}
	if e.Item != "" {
		say("%s", e.Item)
	}
	for _, l := range e.Legs {
		say("%s %+d", l.Account, l.Amount)
	}
	for _, w := range e.Windows {
		say("in window %d of %s", w.Window, w.Region)
	}
	for _, n := range e.Nets {
		say("%s out %d in %d of %d", n.Currency, n.Out, n.In, n.Count)
	}
	return strings.Join(words, " ")
}

// discreet is an Env that keeps what is evidence of raft and digests to itself, and tells of what is reached once.
type discreet struct {
	nodes.Env
	n *told
}

func (d discreet) Emit(event any) {
	switch event.(type) {
	case Damaged, Repaired, Halted, Sealed:
		d.Env.Emit(event)
	}
}

func (d discreet) Reached(probe string) {
	if !d.n.reached[probe] && !strings.HasPrefix(probe, "raft:") {
		d.n.reached[probe] = true
		d.Env.Reached(strings.TrimPrefix(probe, "settlement: "))
	}
}

// describe returns a message in words, and the shard whose leader it looks for.
func describe(body any) (shard, words string) {
	switch b := body.(type) {
	case Prepare:
		return b.Shard, fmt.Sprintf("prepare %s at %s", b.Order.Payment, b.Shard)
	case Vote:
		return b.Shard, fmt.Sprintf("%s votes on %s: %s", b.Participant, b.Payment, cmp.Or(map[bool]string{true: "yes"}[b.Yes], "no: "+b.Why))
	case Resolve:
		return b.Shard, fmt.Sprintf("%s %s at %s", map[bool]string{true: "post", false: "release"}[b.Commit], b.Payment, b.Shard)
	case Resolved:
		return b.Shard, fmt.Sprintf("%s has resolved %s", b.Participant, b.Payment)
	case Query:
		return b.Shard, fmt.Sprintf("%s asks what became of %s", b.Participant, b.Payment)
	case Screen:
		return "", fmt.Sprintf("screen %s for %s", b.Payment, b.Region)
	case Screening:
		return b.Shard, fmt.Sprintf("%s says of %s: %s", b.Region, b.Payment, b.Verdict)
	case PriceQuote:
		return "", fmt.Sprintf("price %s to %s", b.From, b.To)
	case CloseShard:
		return b.Shard, fmt.Sprintf("close window %d of %s at %s", b.Window, b.Region, b.Shard)
	case ShardClosed:
		return b.Shard, fmt.Sprintf("%s has closed window %d of %s", b.Part, b.Window, b.Region)
	case Fetch:
		return b.Shard, fmt.Sprintf("fetch segment %d of %s", b.Segment, b.Shard)
	}
	return "", ""
}
