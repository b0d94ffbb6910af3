package nodestest

import (
	"maps"
	"slices"
	"strings"

	"faultlab/nodes"
)

// A Teller is a node whose scripts are to be read as a specification: it tells of what it is asked and of what has
// changed at it, in words, and of nothing else. Evidence goes unseen, and so do the affairs of raft.
type Teller struct {
	nodes.Node
	Prefix  string                   // of its probes, left out
	Words   func(body any) string    // what a message asks for, "" if that is better not told
	Follows func(body any) bool      // a message makes it do again what another has done, so probes are not told
	Many    func(body any) []any     // the messages that one of a script stands for, nil if it is itself
	State   func() map[string]string // what it has, by name
	Forgets bool                     // what it has no more is told too

	Seen    map[string]string // what was told of its state, or need not be
	reached map[string]bool
}

// Start implements nodes.Node.
func (n *Teller) Start(env nodes.Env) {
	if n.reached == nil {
		n.reached = map[string]bool{}
	}
	n.Node.Start(discreet{env, n, false})
}

// Receive implements nodes.Node.
func (n *Teller) Receive(env nodes.Env, m nodes.Message) {
	if words := n.Words(m.Body); words != "" {
		env.Logf("< %s: %s", m.From, words)
	}
	env = discreet{env, n, n.Follows(m.Body)}
	if many := n.Many(m.Body); many != nil {
		for _, body := range many {
			n.Node.Receive(env, nodes.Message{From: "nobody", To: m.To, Body: body})
		}
	} else {
		n.Node.Receive(env, m)
	}
	n.tell(env)
}

// Wake implements nodes.Node.
func (n *Teller) Wake(env nodes.Env, timer string) {
	n.Node.Wake(discreet{env, n, false}, timer)
	n.tell(env)
}

// tell says what has changed.
func (n *Teller) tell(env nodes.Env) {
	now := n.State()
	if n.Forgets {
		for _, what := range slices.Sorted(maps.Keys(n.Seen)) {
			if now[what] == "" {
				env.Logf("%s: no more", what)
				delete(n.Seen, what)
			}
		}
	}
	for _, what := range slices.Sorted(maps.Keys(now)) {
		if now[what] != n.Seen[what] {
			env.Logf("%s: %s", what, now[what])
		}
	}
	if n.Seen == nil {
		n.Seen = map[string]string{}
	}
	maps.Copy(n.Seen, now)
}

// discreet is an Env that keeps evidence to itself, and tells of each thing that is reached once, at who decides.
type discreet struct {
	nodes.Env
	n      *Teller
	follow bool
}

func (discreet) Emit(any) {}

func (d discreet) Reached(probe string) {
	if !d.follow && !d.n.reached[probe] && !strings.HasPrefix(probe, "raft:") {
		d.n.reached[probe] = true
		d.Env.Reached(strings.TrimPrefix(probe, d.n.Prefix))
	}
}
