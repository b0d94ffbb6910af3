package settlement

import "faultlab/nodes"

// A node is a ledger node, a router, the FX engine or a compliance service, as its name says.
type node struct {
	bug    string
	layout *Layout
}

func newNode(bug string) *node { return &node{bug: bug} }

// Start begins the node's part.
func (n *node) Start(env nodes.Env) { n.layout = NewLayout(env.Topology()) }

// Receive handles a message.
func (n *node) Receive(nodes.Env, nodes.Message) {}

// Wake handles a timer.
func (n *node) Wake(nodes.Env, string) {}
