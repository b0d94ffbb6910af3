// Package history holds what happened in a run, as data: operations, the windows in which faults were active, and the
// events that nodes emitted; and the formats of the files they are kept in. It judges nothing and knows neither nodes
// nor faults by more than their names.
package history

import "time"

// An Outcome is what is known of an operation's effect.
type Outcome string

const (
	OK      Outcome = "ok"      // it happened, between Call and Return, with the result Out
	Failed  Outcome = "failed"  // it surely did not happen and never will; only said when provable
	Unknown Outcome = "unknown" // perhaps it happened, perhaps it will later, perhaps never
)

// A Phase is a part of a run.
type Phase string

const (
	WarmUp   Phase = "warm-up"
	Safety   Phase = "safety"   // load with faults
	Recovery Phase = "recovery" // load in calm
	Final    Phase = "final"    // final reads of everything by every client
)

// An Op is one operation of one client: a request and what came of it. Times are since the start of the cluster.
type Op struct {
	Index  int    // its place in History.Ops, in the order of Call
	Client string // identity that invoked it, retired after an unknown outcome: c3, then c3.1; it has one operation at a time
	Node   string // the member it was last sent to
	Region string // the client's home region

	In  any // the request, a value of the system's vocabulary
	Out any // the reply; nil if there was none

	Call    time.Duration
	Return  time.Duration // when the reply came, or when the client gave up waiting; an unknown operation has no end
	Outcome Outcome
	Phase   Phase
}

// Before says that a ended before b began, so that real time orders them. Operations that meet at one instant overlap.
func (a *Op) Before(b *Op) bool { return a.Outcome != Unknown && a.Return < b.Call }

// An Event is evidence that a node emitted.
type Event struct {
	At    time.Duration
	Node  string
	Event any
}

// A Link is the way from one member to another, one direction only.
type Link struct {
	From string `json:"from"`
	To   string `json:"to"`
}

// A Window is the time in which one fault was active, as it really was.
type Window struct {
	Kind  string        `json:"kind"`            // "partition"
	Form  string        `json:"form,omitempty"`  // its extent: "region", "minority"
	Start time.Duration `json:"start_ns"`        // since the start of the cluster
	End   time.Duration `json:"end_ns"`          // when it had been healed
	Nodes []string      `json:"nodes,omitempty"` // the members it was aimed at
	Down  []string      `json:"down,omitempty"`  // members that were dead or frozen in it
	Cuts  []Link        `json:"cuts,omitempty"`  // links that carried nothing in it, at least some of the time
	Hurts []Link        `json:"hurts,omitempty"` // links that were slow or lossy in it
	Role  string        `json:"role,omitempty"`  // the role that Nodes were chosen by
	Took  bool          `json:"took"`            // it had an effect; false: it was scheduled and never struck
	Why   string        `json:"why,omitempty"`   // why it did not

	// Real networks and processes take time to break and to mend, and in that time the fault may or may not be felt.
	Struck  time.Duration `json:"struck_ns,omitempty"`  // when all of it was in force; 0: at Start
	Healing time.Duration `json:"healing_ns,omitempty"` // when its healing began; 0: at End
}

// Surely returns the window without the time in which it was being made and undone: what must not happen during a fault
// must not happen then. What must go on in spite of it, must all through the window.
func (w Window) Surely() Window {
	if w.Struck > 0 {
		w.Start = w.Struck
	}
	if w.Healing > 0 {
		w.End = w.Healing
	}
	return w
}

// A Stall is a time in which the lab itself stood still: it handled nothing and asked nothing, so that what was late then
// may be late for that alone. The simulator has none.
type Stall struct {
	Start time.Duration `json:"start_ns"` // since the start of the cluster
	End   time.Duration `json:"end_ns"`
}

// A Member is a node and where it stands.
type Member struct {
	ID     string `json:"id"`
	Region string `json:"region"`
	Zone   string `json:"zone"`
}

// A History is all that is known of one run. Ops are in the order of Call, Events and Windows in the order of time.
type History struct {
	Members []Member
	Ops     []Op
	Events  []Event
	Windows []Window
	Stalls  []Stall       // in the order of time, none overlapping another
	Healed  time.Duration // when the last fault had been healed and the recovery phase began
	End     time.Duration // when the run ended
}
