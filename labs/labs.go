// Package labs says what a lab is, and runs one: a system, the topology it stands on, the workload that clients put on
// it, and the guarantees it gives. It puts nodes, nemesis and checkers together and imports no runtime: a cluster is
// whatever offers the few methods of Cluster.
package labs

import (
	"math/rand/v2"
	"time"

	"faultlab/checker"
	"faultlab/checker/history"
	"faultlab/nemesis"
	"faultlab/nodes"
)

// A Lab is data: everything there is to say of one design.
type Lab struct {
	Name  string // as on the command line: "multi-master"
	About string // one sentence
	Guide string // the lab's README: the design and its promises, in Markdown

	System   nodes.System
	Messages []Exchange                              // what a program of others must answer; none if the lab is not for such
	Topology func(nodes int) (nodes.Topology, error) // the default for 0; an error for a number it cannot be built with
	Ground   func(nodes.Topology) nemesis.Ground     // groups and roles, for the nemesis

	Workload func(nodes.Topology, *rand.Rand) Workload
	// Outcome says what a reply means. Silence is not a reply, and is Unknown.
	Outcome func(in, out any) history.Outcome
	// FailureIsFinal says that a request has a name of its own, under which the system does it once at most: then Failed
	// speaks for all tries of an operation, and not for the one that was answered alone.
	FailureIsFinal bool
	// Operations are the admin actions that the nemesis may have done, as faults of the kinds ops and membership.
	Operations []Operation
	// Traffic is the event that says how many messages members have sent each other in the whole run, which is the last
	// one of a run on a cluster that counts them; nil: no promise asks for it.
	Traffic func(messages uint64) any
	// Resolve says who has a role now, by the events emitted so far; nobody if it is not known.
	Resolve func(h *history.History, role string) []nodes.ID

	Guarantees func(nodes.Topology) []Guarantee
	// Demanded are the guarantees that depend on what the command line demands, which may be nothing; they follow the
	// others. nil: nothing can be demanded.
	Demanded func(nodes.Topology, Demands) []Guarantee
	// Models are the words that Demands.Consistency may be, the default first; none if it takes no such demand.
	Models []string

	// Audits judge what is left on disks.
	Audits []Audit

	Faults   []string // what --nemesis all draws from: kinds, or kinds with a form, "power-loss:all"
	Defaults Defaults
}

// Demands are what a person may ask of a system beyond what its lab promises anyway.
type Demands struct {
	Consistency  string  // one of the lab's Models; "" for the first
	Availability float64 // the share of operations that must succeed, up to 1 for all of them; 0: no demand
}

// Promises are all guarantees of the lab: its own, and those that the demands make.
func (lab Lab) Promises(t nodes.Topology, d Demands) []Guarantee {
	var all []Guarantee
	if lab.Guarantees != nil {
		all = lab.Guarantees(t)
	}
	if lab.Demanded != nil {
		all = append(all[:len(all):len(all)], lab.Demanded(t, d)...)
	}
	return all
}

// An Exchange is a request of clients and its reply, by an example of each as it stands in the body of a message, without
// msg_id and in_reply_to.
type Exchange struct {
	About  string // one sentence
	Ask    string // {"type":"read","key":1}
	Answer string // {"type":"read_ok","value":3}
}

// An Operation is an admin action of a system, asked for as a client asks. It is done when Outcome says so of a reply, and
// until then asked for again: so its requests say what is to be, and not what is to be changed.
type Operation struct {
	Kind  string // "ops" or "membership"
	Name  string // "transfer", as in --nemesis ops:transfer
	About string // one sentence
	Aims  func(nodes.Topology) []nemesis.Aim
	Do    func(nemesis.Aim) any                            // the request for it
	Undo  func(nemesis.Aim) any                            // nil: there is nothing to undo
	Ask   func(t nodes.Topology, a nemesis.Aim) []nodes.ID // members to ask, in turn
}

// Defaults are a lab's own values for what the command line leaves open.
type Defaults struct {
	Clients int           // over all regions
	Rate    int           // requests a second, over all clients
	WarmUp  time.Duration // before the safety phase: the cluster elects its leaders
	Calm    time.Duration // length of the recovery phase
}

// A Guarantee is a promise, as data. ID and Name never change once published.
type Guarantee struct {
	ID        string // "O5"
	Name      string // "durable-ack"
	Statement string // one precise sentence

	// Under lists the faults under which it is promised: kinds, or kinds with a form. With any other fault in the
	// schedule it is not judged.
	Under []string
	// Exercised says why this schedule could not exercise it ("" if it could); nil means that any schedule does.
	Exercised func(nemesis.Schedule) (why string)

	// Inside says that it is judged by what nodes say of themselves. Of nodes that somebody else made it is not judged,
	// since they say nothing.
	Inside bool

	Checker checker.Checker // decides; Undetermined if too little happened for a pass to mean anything
}

// A Workload is what clients ask for. One value serves one run; all calls come from the cluster's event loop, so it may
// keep state of its own (which keys are live, what was acknowledged).
type Workload interface {
	// Next returns c's next request in this phase; ok is false if it has none now: in the phases under load it is asked
	// again later, in the final phase it is done once it has none.
	Next(c *Client, phase history.Phase) (r Request, ok bool)
	// Done tells what became of it. op.Index is its place in the history.
	Done(c *Client, op *history.Op)
}

// A Settler is a Workload that knows when the calm after the last fault has lasted long enough. It is asked now and
// then; once it has settled, or a node broke, the recovery phase ends before its time.
type Settler interface {
	Settled() bool
}

// A Request is one operation to be done.
type Request struct {
	Body     any
	To       []nodes.ID    // members to try, one after another, within the deadline
	Wait     time.Duration // how long to wait for one of them before the next is tried with the same body; 0: the whole deadline
	Deadline time.Duration // when the client gives up and the outcome is unknown; 0: one second
}

// A Client is one client for the whole run, through all identities that it takes on.
type Client struct {
	nodes.Member            // ID is "c3", and never changes
	Identity     string     // "c3", after an unknown outcome "c3.1", ...
	Number       uint64     // how many operations it has invoked so far, through all identities; rises by one before each Next
	Rand         *rand.Rand // its own generator
}

// A Cluster is a running system: one event loop, on a clock that is made up or real. One on real time may also have
// Stalls() [][2]time.Duration, when the loop itself stood still: from and to, in the order of time. One that knows what
// its nodes had on their disks may have SaveDisks(dir string) error, which is called once it is closed.
type Cluster interface {
	Now() time.Duration // since the start
	After(d time.Duration, f func())
	// Call sends a client's request and calls done exactly once: with the first reply, or with ok false after wait.
	Call(from nodes.Member, to nodes.ID, body any, wait time.Duration, done func(reply any, ok bool))
	// Run handles all that happens up to and including that time. The error is a *nodes.Broken if a node under test did
	// what no node may; the cluster can be run on.
	Run(until time.Duration) error
	Close() error
}

// A Carrier is a Cluster that counts the messages that members have sent to other members.
type Carrier interface {
	Carried() uint64
}
