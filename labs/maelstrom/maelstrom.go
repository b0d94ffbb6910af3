// Package maelstrom is Maelstrom's ten workloads, each a lab of its own, for nodes that are programs of others and speak
// its protocol: what clients ask, what a reply means, and what is promised of the whole. services.go has the services that
// such nodes may use. No node is in this package but those of tests: start has programs to begin with.
package maelstrom

import (
	_ "embed"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"faultlab/checker"
	"faultlab/checker/history"
	"faultlab/labs"
	"faultlab/nemesis"
	"faultlab/nodes"
	"faultlab/nodes/wire"
)

//go:embed README.md
var guide string

// Labs returns all ten.
func Labs() []labs.Lab {
	return []labs.Lab{
		EchoLab(), UniqueIDs(), BroadcastLab(), GSet(), GCounter(), PNCounter(), Kafka(), LinKV(), TxnListAppend(), TxnRWRegister(),
	}
}

// gentle is what --nemesis all draws from: harm that leaves a program running, with all that it knows.
var gentle = []string{"partition", "slow", "reorder", "pause"}

// under is the faults under which everything here is promised. A node that is killed keeps its folder.
var under = []string{"partition", "slow", "reorder", "pause", "kill", "restart-all", "loss", "lost-reply", "duplicate", "clog", "clock", "client-crash"}

const (
	nodesMost     = 100
	recoverWithin = 9 * time.Second
	enough        = 60 // answers after the last heal that show that all is well again
	mayChange     = 3  // requests of each client after the last heal that may change something; what follows only reads
	missesMost    = 3  // final reads of a client that may fail, one after another
)

// A plan is what sets one workload apart.
type plan struct {
	name, about string
	messages    []labs.Exchange
	fits        func(in, out any) string // what is wrong with a reply that is no error; "" if nothing
	work        func(t nodes.Topology, r *rand.Rand) *driver
	promises    func(t nodes.Topology) []labs.Guarantee
	demanded    func(d labs.Demands) []labs.Guarantee // nil: none but availability
	models      []string
	greet       func(t nodes.Topology, id nodes.ID) any
}

// lab makes a lab of a plan.
func (p plan) lab() labs.Lab {
	return labs.Lab{
		Name: p.name, About: p.about, Guide: guide,
		System:   nodes.System{Name: p.name, Bodies: bodies(), Services: services(), Greet: p.greet},
		Messages: p.messages,
		Topology: topology,
		Ground: func(t nodes.Topology) nemesis.Ground {
			return nemesis.Ground{Topology: t, Groups: [][]nodes.ID{t.IDs()}}
		},
		Workload: func(t nodes.Topology, r *rand.Rand) labs.Workload { return p.work(t, r) },
		Outcome:  p.outcome,
		Traffic:  func(messages uint64) any { return Traffic{messages} },
		Guarantees: func(t nodes.Topology) []labs.Guarantee {
			return slices.Concat(p.promises(t), []labs.Guarantee{p.answers(), recovers(t)})
		},
		Demanded: func(_ nodes.Topology, d labs.Demands) []labs.Guarantee {
			var all []labs.Guarantee
			if p.demanded != nil {
				all = p.demanded(d)
			}
			return append(all, available(d.Availability)...)
		},
		Models:   p.models,
		Faults:   gentle,
		Defaults: labs.Defaults{Clients: 10, Rate: 100, WarmUp: time.Second, Calm: 10 * time.Second, Over: 5 * time.Second},
	}
}

// topology is nodes n1 to nN in one region, each in a zone of its own; five by default.
func topology(n int) (nodes.Topology, error) {
	if n == 0 {
		n = 5
	}
	if n < 0 || n > nodesMost {
		return nodes.Topology{}, fmt.Errorf("%d nodes: there can be 1 to %d", n, nodesMost)
	}
	var t nodes.Topology
	for i := range n {
		id := fmt.Sprint("n", i+1)
		t.Members = append(t.Members, nodes.Member{ID: nodes.ID(id), Region: "here", Zone: id})
	}
	return t, nil
}

// outcome says what a reply means. Errors mean what Maelstrom's protocol says of their codes; one that it does not know
// says nothing, and neither does a reply that does not fit.
func (p plan) outcome(in, out any) history.Outcome {
	if e, ok := out.(wire.Error); ok {
		switch {
		case absent(in, e):
			return history.OK
		case e.Code.Definite():
			return history.Failed
		}
		return history.Unknown
	}
	if p.fits(in, out) != "" {
		return history.Unknown
	}
	return history.OK
}

// absent says that a read was answered: there is no such key.
func absent(in any, e wire.Error) bool {
	_, read := in.(Read)
	return read && e.Code == wire.KeyNotFound
}

// is says what is wrong with a reply that should be an OK.
func is[OK any](out any) string {
	if _, ok := out.(OK); ok {
		return ""
	}
	var want OK
	return fmt.Sprintf("a reply of type %s is wanted, not %s", nameOf(want), nameOf(out))
}

// codec says the types of messages and writes them.
var codec = wire.Must(bodies()...)

func nameOf(body any) string {
	name, _ := codec.Name(body)
	return name
}

// text is a body as it stands in a message, as far as a sentence has room for it.
func text(body any) string {
	b, err := codec.Encode(body)
	if err != nil {
		return fmt.Sprintf("%+v", body)
	}
	return JSON(b).short()
}

// answers is the promise that every reply fits what was asked.
func (p plan) answers() labs.Guarantee {
	return labs.Guarantee{
		ID: "M1", Name: "answers-fit",
		Statement: "Every reply is of the type and form that belongs to its request, or an error.",
		Checker: checker.Func(func(h *history.History) history.Result {
			replies := 0
			for i := range h.Ops {
				op := &h.Ops[i]
				if op.Out == nil {
					continue
				}
				if _, refused := op.Out.(wire.Error); refused {
					continue
				}
				if why := p.fits(op.In, op.Out); why != "" {
					return history.Refuted([]int{op.Index}, "%s answered %s with %s: %s", op.Node, text(op.In), text(op.Out), why)
				}
				replies++
			}
			if replies == 0 {
				return history.Doubted("there was no reply but errors")
			}
			return history.Passed("all of %d replies fit what was asked", replies)
		}),
		Under: under,
	}
}

// served says that an operation was done, or refused because a condition of its own did not hold.
func served(op *history.Op) bool {
	e, refused := op.Out.(wire.Error)
	return op.Outcome == history.OK || refused && (e.Code == wire.KeyNotFound || e.Code == wire.Precondition)
}

// recovers is the promise that each node serves its clients again.
func recovers(t nodes.Topology) labs.Guarantee {
	return labs.Guarantee{
		ID: "R1", Name: "recovers",
		Statement: "Within 9 s of the last heal each node that is asked serves its clients, and from then on 9 operations of 10 are served.",
		Under:     under,
		Checker: checker.Recovery{
			Class:  "clients",
			Of:     func(op *history.Op) bool { return op.Phase != history.Final }, // which also asks nodes that no client had
			Pairs:  func(op *history.Op) []string { return []string{"node " + op.Node} },
			Served: served, Within: recoverWithin, PerMille: 900, AtLeast: 10,
		},
	}
}

// available is what --availability demands: of the whole run, and of the times without faults.
func available(share float64) []labs.Guarantee {
	if share <= 0 {
		return nil
	}
	return []labs.Guarantee{
		{
			ID: "D1", Name: "availability",
			Statement: fmt.Sprintf("Of all operations of the whole run %.4g %% are served.", share*100),
			Checker: checker.Func(func(h *history.History) history.Result {
				asked, done := 0, 0
				var first []int
				for i := range h.Ops {
					op := &h.Ops[i]
					asked++
					if served(op) {
						done++
					} else if len(first) < 5 {
						first = append(first, op.Index)
					}
				}
				if asked == 0 {
					return history.Doubted("nothing was asked")
				}
				if float64(done) < share*float64(asked) {
					op := &h.Ops[first[0]]
					how := "was not answered"
					if op.Out != nil {
						how = "was answered with " + text(op.Out)
					}
					return history.Refuted(first, "only %d of %d operations were served, %.2f %%; operation %d (client %s, %.3f s), the first that was not, %s by %s",
						done, asked, 100*float64(done)/float64(asked), op.Index, op.Client, op.Call.Seconds(), how, op.Node)
				}
				return history.Passed("%d of %d operations were served, %.2f %%", done, asked, 100*float64(done)/float64(asked))
			}),
			Under: under,
		}, {
			ID: "D2", Name: "availability-in-calm",
			Statement: fmt.Sprintf("While no fault is in force, nor was one in the last 3 s, %.4g %% of operations are served within a second, with no gap over 2 s.", share*100),
			Checker: checker.Availability{
				Class: "operations in calm", When: checker.Faults.None, Of: func(*history.Op, checker.Faults) bool { return true },
				Served: served, PerMille: max(1, int(share*1000)), Least: 2 * time.Second,
			},
			Under: under,
		},
	}
}

// A driver leads the clients of one workload through a run. Each asks one node alone, as Maelstrom's clients do, so that
// what it is told is what that node knows.
type driver struct {
	t nodes.Topology

	draw  func(c *labs.Client, changing bool) any                   // the next request under load; changing false: one that only reads
	last  func(c *labs.Client, done int) (any, nodes.ID, bool)      // the next final read, after so many that succeeded; "" for the client's own node
	learn func(c *labs.Client, op *history.Op, phase history.Phase) // what became of it; may be nil
	calm  func() bool                                               // all has spread that was to spread; nil: nothing has to

	clients  map[nodes.ID]*progress
	ok, back int // operations that succeeded; that were served since the last heal
}

// progress is where a client is.
type progress struct {
	recovering   int // requests since the last heal
	finals, miss int // final reads that succeeded; that failed since one did
	served       bool
}

func newDriver(t nodes.Topology) *driver {
	return &driver{t: t, clients: map[nodes.ID]*progress{}}
}

func (d *driver) of(c *labs.Client) *progress {
	p := d.clients[c.ID]
	if p == nil {
		p = &progress{}
		d.clients[c.ID] = p
	}
	return p
}

// home is the node that a client asks: it stands in its zone.
func (d *driver) home(c *labs.Client) nodes.ID { return nodes.ID(c.Zone) }

// Next draws the next request of a client.
func (d *driver) Next(c *labs.Client, phase history.Phase) (labs.Request, bool) {
	p, to := d.of(c), d.home(c)
	var body any
	switch phase {
	case history.Final:
		if p.miss >= missesMost || d.ok == 0 {
			return labs.Request{}, false
		}
		read, node, more := d.last(c, p.finals)
		if !more {
			return labs.Request{}, false
		}
		body = read
		if node != "" {
			to = node
		}
	case history.Recovery:
		body = d.draw(c, p.recovering < mayChange)
		p.recovering++
	default:
		body = d.draw(c, true)
	}
	return labs.Request{Body: body, To: []nodes.ID{to}}, true
}

// Done learns what became of a request.
func (d *driver) Done(c *labs.Client, op *history.Op) {
	p := d.of(c)
	if op.Outcome == history.OK {
		d.ok++
	}
	switch {
	case op.Phase == history.Final && op.Outcome == history.OK:
		p.finals++
		p.miss = 0
	case op.Phase == history.Final:
		p.miss++
	case op.Phase == history.Recovery && served(op):
		d.back++
		p.served = true
	}
	if d.learn != nil {
		d.learn(c, op, op.Phase)
	}
}

// Settled says that every client has been served since the last heal, and that what was to spread has; or that nothing
// ever succeeded, so that there is nothing to wait for.
func (d *driver) Settled() bool {
	if d.ok == 0 {
		return true
	}
	if d.back < enough {
		return false
	}
	for _, p := range d.clients {
		if !p.served {
			return false
		}
	}
	return d.calm == nil || d.calm()
}

// everyNode makes the final reads of a workload whose nodes know the same in the end: each client asks its own node, and
// then those that nobody else has asked. seen is told of each.
func (d *driver) everyNode(body any) func(c *labs.Client, done int) (any, nodes.ID, bool) {
	taken := map[nodes.ID]bool{}
	next := 0
	return func(c *labs.Client, done int) (any, nodes.ID, bool) {
		if done == 0 {
			taken[d.home(c)] = true
			return body, d.home(c), true
		}
		for ; next < len(d.t.Members); next++ {
			if id := d.t.Members[next].ID; !taken[id] {
				taken[id] = true
				return body, id, true
			}
		}
		return nil, "", false
	}
}
