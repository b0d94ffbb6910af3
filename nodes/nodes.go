// Package nodes says what a node is: a machine that is started, receives messages and is woken by timers, and acts on
// the world only through its Env. It holds the contract between a system (the code under test) and the runtimes that
// host one; it knows neither faults nor checkers, and does no input or output of its own.
package nodes

import (
	"math/rand/v2"
	"strconv"
	"strings"
	"time"
)

// An ID names a node ("a1"), a client ("c3") or one request of a client ("c3:17", see [Request]).
type ID string

// Clients stands for every client where a [Link] names an end: {"a1", Clients} is the way from a1 to all its clients.
const Clients ID = "clients"

// Request names request n of a client. A message from that ID is answered by sending to it, so that a late reply
// answers nothing else. On the wire it is src and msg_id.
func Request(client ID, n uint64) ID { return client + ":" + ID(strconv.FormatUint(n, 10)) }

// Request is the inverse of the function of that name; ok is false for a node or a bare client.
func (id ID) Request() (client ID, n uint64, ok bool) {
	name, number, found := strings.Cut(string(id), ":")
	if !found {
		return id, 0, false
	}
	n, err := strconv.ParseUint(number, 10, 64)
	return ID(name), n, err == nil
}

// A Message is what a node receives. A body is a plain value; nobody changes it, or anything it points to, once sent.
type Message struct {
	From, To ID
	Body     any
}

// A Node is one member of a system. A host calls one method at a time, so a node needs no locks, and starts no
// goroutines. A crash drops the Node; the next boot makes a new one with System.New.
type Node interface {
	Start(Env)            // each boot; what was durable before a crash is there to be read
	Receive(Env, Message) // a client's request is answered by sending to m.From
	Wake(Env, string)     // a timer set with Env.After
}

// Env is everything that a node can do to the world. It is valid only during the call it was passed to.
//
// The order of calls is the order of effects: nothing sent or emitted after a Sync leaves before what was appended
// before that Sync is durable. The call itself returns at once and the node goes on working.
type Env interface {
	ID() ID
	Topology() Topology
	Now() time.Time   // this node's clock, which a nemesis may skew
	Rand() *rand.Rand // this node's own seeded generator
	Send(to ID, body any)

	// After wakes the node once, d from now, with that name. A pending name is replaced; a negative d cancels it.
	// Timers die in a crash, fire late after a pause, and follow the clock's drift but not its jumps.
	After(d time.Duration, name string)

	Disk() Disk
	Boot() Boot
	Emit(event any)       // evidence for checkers, behind the same barrier as Send
	Reached(probe string) // "this interesting state happened": fault coverage, counted in the report
	Logf(format string, args ...any)
}

// Boot says why a node starts. Only New may bootstrap a cluster.
type Boot int

const (
	New      Boot = iota // first boot, empty disk
	Restart              // the same member again, with its disk
	Replaced             // a new member under an old name: the disk is gone, and with it every promise the old one made
)

func (b Boot) String() string { return [...]string{"new", "restart", "replaced"}[b] }

// A Disk holds named logs. One Sync covers all of them.
type Disk interface {
	Log(name string) Log // the same name gives the same log; an unknown one is empty

	// Sync is a barrier: see Env. A disk that fails it stops the node.
	Sync()
}

// A Log is a list of records, numbered from 1 and never renumbered, of which a prefix may have been replaced by a
// snapshot. Append and Snapshot write at once, so a killed node keeps them; power loss keeps only what was synced and
// may tear the rest, and a torn tail is cut when the log is read.
type Log interface {
	// Append adds a record and returns its number. The caller may not change rec afterwards.
	Append(rec []byte) uint64
	// Snapshot replaces records up to and including number upTo by data; the swap is atomic at the next Sync.
	Snapshot(upTo uint64, data []byte)
	// Read returns the last snapshot (nil if none), the number of the first record after it, and those records. err is
	// not nil if something that had been synced is damaged; then only what lies before the damage is returned.
	Read() (snapshot []byte, first uint64, records [][]byte, err error)
}

// A Watcher is a Node that is told of members coming, suspected and gone. They are hints for routing, never an input
// to a quorum.
type Watcher interface {
	Member(env Env, id ID, state MemberState)
}

// MemberState is what membership says of a member.
type MemberState int

const (
	Alive MemberState = iota
	Suspect
	Gone
)

// A System is the code of a design.
type System struct {
	Name   string                // "multi-master"
	New    func(bug string) Node // bug is "" or the name of one of Bugs; nil if the only nodes are programs of others
	Bodies []any                 // one zero value of each message body and event: wire format and vocabulary of histories
	Bugs   []Bug

	// Services are answered by the runtime beside the members: programs that need a store or a clock of their own ask them
	// by name. They are there before any member starts, no fault hits them, and they have no disk.
	Services map[string]func() Node
	// Greet is what each member that is a program of others is asked at every boot, before anything else; its reply is
	// awaited and means nothing more. nil, or a nil body: nothing.
	Greet func(t Topology, id ID) any
}

// Bug returns the known mistake of that name.
func (s System) Bug(name string) (Bug, bool) {
	for _, b := range s.Bugs {
		if b.Name == name {
			return b, true
		}
	}
	return Bug{}, false
}

// A Bug is a known mistake that can be switched on, and must then be caught.
type Bug struct {
	Name    string   // "ack-before-sync"
	About   string   // what goes wrong, in one sentence, with the real case it comes from
	Refutes []string // ids of the guarantees that it breaks; the lab catches it by one of these
	Nemesis string   // the --nemesis under which it is caught ("" for the default)
	Seeds   int      // within this many seeds from 1
}

// A Topology is the members of a cluster and the distances between regions.
type Topology struct {
	Members    []Member    `json:"members"`
	RoundTrips []RoundTrip `json:"round_trips,omitempty"`
}

// A Member is a node, or a client, and where it stands.
type Member struct {
	ID     ID     `json:"id"`
	Region string `json:"region"`
	Zone   string `json:"zone"` // availability zone or cloud; unique over all regions
}

// A RoundTrip is the time from region A to region B and back, without jitter.
type RoundTrip struct {
	A    string        `json:"a"`
	B    string        `json:"b"`
	Time time.Duration `json:"ns"`
}

// Member returns the member of that name.
func (t Topology) Member(id ID) (Member, bool) {
	for _, m := range t.Members {
		if m.ID == id {
			return m, true
		}
	}
	return Member{}, false
}

// Regions returns the regions in the order of their first member.
func (t Topology) Regions() []string {
	var regions []string
	seen := map[string]bool{}
	for _, m := range t.Members {
		if !seen[m.Region] {
			seen[m.Region] = true
			regions = append(regions, m.Region)
		}
	}
	return regions
}

// In returns the members of a region, in order.
func (t Topology) In(region string) []ID {
	var ids []ID
	for _, m := range t.Members {
		if m.Region == region {
			ids = append(ids, m.ID)
		}
	}
	return ids
}

// IDs returns all members, in order.
func (t Topology) IDs() []ID {
	ids := make([]ID, len(t.Members))
	for i, m := range t.Members {
		ids[i] = m.ID
	}
	return ids
}

// RoundTrip returns the time between two members and back: 0.6 ms in a zone, 1 ms in a region, and between regions
// what the topology says (80 ms where it says nothing).
func (t Topology) RoundTrip(a, b Member) time.Duration {
	switch {
	case a.Zone == b.Zone && a.Region == b.Region:
		return 600 * time.Microsecond
	case a.Region == b.Region:
		return time.Millisecond
	}
	for _, r := range t.RoundTrips {
		if r.A == a.Region && r.B == b.Region || r.A == b.Region && r.B == a.Region {
			return r.Time
		}
	}
	return 80 * time.Millisecond
}
