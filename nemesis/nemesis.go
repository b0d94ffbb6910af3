// Package nemesis decides what harm to do and does it. Chance is used once, when a Schedule is drawn; from then on a
// fault is plain data that prints, saves, replays and shrinks. It knows no system and no runtime: a runtime is whatever
// offers the capabilities (Links, Processes, ...) that a Kind asks for.
package nemesis

import (
	"context"
	"math/rand/v2"
	"time"

	"faultlab/nodes"
)

// A Fault is one harm, done at one time, to be undone at another.
type Fault struct {
	Kind string        `json:"kind"`           // a name of Kinds
	Form string        `json:"form,omitempty"` // its extent, one of the Kind's Forms
	At   time.Duration `json:"at_ns"`          // since the start of the safety phase
	For  time.Duration `json:"for_ns"`

	Nodes []nodes.ID    `json:"nodes,omitempty"`   // the members it is aimed at
	Role  string        `json:"role,omitempty"`    // or the role ("leader of A1") that chooses them when it strikes, if Nodes is empty
	Wait  time.Duration `json:"wait_ns,omitempty"` // so long it waits for somebody to have the role; a plan's, since none is drawn with it
	Aim   string        `json:"aim,omitempty"`     // its aim in words, for people ("C" of region C); nothing depends on it

	Links    []nodes.Link   `json:"links,omitempty"`     // the links it harms, where Kind says so
	Quality  *nodes.Quality `json:"quality,omitempty"`   // and how
	Every    time.Duration  `json:"every_ns,omitempty"`  // flapping and strobe: on for half of it, off for the other half
	Offset   time.Duration  `json:"offset_ns,omitempty"` // clock: how far ahead
	DriftPPM int            `json:"drift_ppm,omitempty"` // clock: how much too fast
	Damage   *nodes.Damage  `json:"damage,omitempty"`    // disk: what it suffers
	Group    string         `json:"group,omitempty"`     // ops and membership: the consensus group that it concerns
	Bin      string         `json:"bin,omitempty"`       // upgrade: the path of the other build; "" for the same again
}

// A Schedule is faults in the order of At.
type Schedule []Fault

// Ground is what a Kind draws its faults over.
type Ground struct {
	Topology nodes.Topology
	Groups   [][]nodes.ID // the consensus groups, by members
	Roles    []string     // roles that the lab can resolve: "leader of A1", "coordinator"

	Moments []string // roles that somebody has for a moment only: a plan may name them, none is drawn

	Operations []Operation // what the lab's system can be asked to do
	Beyond     bool        // faults may take more from a group than it tolerates
}

// An Operation is an admin action of a system, which the kinds ops and membership do.
type Operation struct {
	Kind string // the one of the two that does it
	Name string // the Form of a fault that does it
	Aims []Aim  // what it can be done to; a fault is drawn for one of them

	// Takes is how long the system may need for it: a fault that is drawn lasts as long, if there is room.
	Takes time.Duration
}

// An Aim is what an Operation is done to.
type Aim struct {
	Group string
	Nodes []nodes.ID
}

// A Target is a running cluster, asked for capabilities, and the world around it.
type Target struct {
	Cluster any                             // a runtime's cluster: Links, Processes, Pauses, Power, Clocks as it can
	Resolve func(role string) []nodes.ID    // who has that role now; empty if nobody
	After   func(d time.Duration, f func()) // runs f on the cluster's event loop, d from now
	Now     func() time.Duration            // since the start of the cluster; Play needs it, one Inject does not

	// Operate asks the system for the operation that f names, or for what undoes it, again and again until it is done or
	// there is no use in it. done is told once, "" or why it was not done.
	Operate func(f Fault, undo bool, done func(why string))
	Clients Clients // of the workload; nil if there are none that could be harmed

	held *holds // what faults that overlap hold between them; set by Play
}

// A Kind is a sort of fault: how one is drawn, what it needs, and how it is done.
type Kind struct {
	Name  string   // as on the command line
	Code  string   // as in guarantees: N4
	About string   // one sentence
	Forms []string // its extents; the first is not special
	Open  bool     // it takes any form: the lab's operations
	Works func(cluster any) bool
	// Lacks says in a sentence what a system on this ground lacks for it, "" if nothing; nil if it asks nothing of one.
	Lacks func(g Ground) string
	// Refuses says why this cluster cannot do this very fault, though it can do others of its kind; nil if it can do all.
	Refuses func(cluster any, f Fault) string
	// Takes says what such a fault takes from the groups of those it hits; nil if nothing, or but links.
	Takes func(f Fault) Loss
	// Options are what can be said of it on the command line, beside those of all kinds.
	Options []Option
	// Draw draws one fault of a form ("" for any), without At and For. Its Kind is "" if the ground has no place for it,
	// which does not depend on chance: there is no region to cut where there is but one.
	Draw func(r *rand.Rand, g Ground, form string) Fault
	// Check says what a fault that a person wrote lacks, as the end of a sentence; nil if nothing.
	Check func(f Fault) error
	// Inject does f and returns what undoes it, and what it really did: the window, as yet without its times.
	// Healing twice is the same as once.
	Inject func(ctx context.Context, t Target, f Fault) (heal func(context.Context) error, w Strike, err error)
}

// A Loss is what a fault takes from a consensus group, by the members that it hits.
type Loss int

const (
	Nothing  Loss = iota
	Presence      // they are out while it lasts, and come back with all they had promised
	Promises      // what they had synced is gone or not to be trusted: they are lost until they have been replaced
)

// A Strike is what a fault really did.
type Strike struct {
	Nodes []nodes.ID   // who was hit
	Down  []nodes.ID   // who is dead or frozen
	Cuts  []nodes.Link // what carries nothing
	Hurts []nodes.Link // what is slow or lossy
	Took  bool         // it had an effect, if only to keep down for longer who was down already
	Why   string       // why it did not, or what is to be known of it

	late func(*Strike) // completes it when the fault has been healed; may be nil
}
