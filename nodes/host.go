package nodes

import "time"

// This file is the contract between a runtime and what drives it: what a runtime is given (Spec, Observer) and the
// words in which links are harmed (Link, Quality). labs.Cluster and the capabilities of package nemesis say what it
// can be asked to do.

// A Spec is what a runtime needs to run a system.
type Spec struct {
	System   System
	Bug      string
	Topology Topology
	Seed     uint64
	Observer Observer
	Recode   bool // pass every message through the wire format, which catches shared memory and undeclared bodies

	// Program is the path and the arguments of a program of others that is each node; empty: the system's own node.
	Program []string
}

// A StoredLog is what a saved file holds of a log of a node's Disk, read without the node. Damage says that something is
// not as it was written, and where; then the rest is what lies before it.
type StoredLog struct {
	Name     string // as the node called it
	File     string // below the node's disk folder
	Snapshot []byte // nil if there is none
	First    uint64 // number of the first record
	Records  [][]byte
	Damage   error
}

// An Observer is told what nodes say of themselves. Times are since the start of the cluster. Calls come one at a time,
// in the order of time.
type Observer interface {
	Event(at time.Duration, node ID, event any)
	Reached(node ID, probe string)
	Log(at time.Duration, node ID, line string)
}

// Broken is the error of a cluster whose node did what no node may: it crashed unasked, broke the protocol or flooded.
type Broken struct {
	Node ID
	At   time.Duration
	What string // "panic: index out of range [3] with length 3 (queue.go:41)"
}

func (b *Broken) Error() string {
	return "node " + string(b.Node) + " broke at " + b.At.String() + ": " + b.What
}

// A Link is the way from one member to another, one direction only. To (or From) may be [Clients].
type Link struct {
	From ID `json:"from"`
	To   ID `json:"to"`
}

// A Quality is harm done to a link, on top of its normal latency. Several at once add up: a link is cut if any of them
// cuts it, chances are taken one after another, delays are summed.
type Quality struct {
	Cut               bool          `json:"cut,omitempty"`
	LossPerMille      int           `json:"loss_per_mille,omitempty"`
	DuplicatePerMille int           `json:"duplicate_per_mille,omitempty"`
	ReorderPerMille   int           `json:"reorder_per_mille,omitempty"` // so many are held back by up to ten times the link's latency
	Delay             time.Duration `json:"delay_ns,omitempty"`          // one way
	Jitter            time.Duration `json:"jitter_ns,omitempty"`         // uniform in [0, Jitter), one way

	// CorruptPerMille are changed on their way, which their framing detects: so they are lost, and never delivered.
	CorruptPerMille int `json:"corrupt_per_mille,omitempty"`
	// Hold keeps all that is sent while the harm lasts, and lets it arrive at once when it is healed.
	Hold bool `json:"hold,omitempty"`
}

// A Damage is harm done to the disk of a node: once to what it holds, or for a time to how it works.
type Damage struct {
	Form  DamageForm    `json:"form"`
	Seed  uint64        `json:"seed,omitempty"`     // of a form that harms what is stored: chooses which log, and where
	Delay time.Duration `json:"delay_ns,omitempty"` // of SlowFsync: added to every fsync
}

// DamageForm is a way in which a disk fails.
type DamageForm string

// The forms that harm what is stored harm something that had been synced, so that the next read of that log is an error
// and shows only what lies before it. A node that runs would not notice: they are done to one that is down.
const (
	BitFlip   DamageForm = "bit-flip"  // a bit of a record or a snapshot has changed
	Torn      DamageForm = "torn"      // the last record is half written, though an fsync said that it is there
	Truncate  DamageForm = "truncate"  // a log ends earlier than it did
	Misdirect DamageForm = "misdirect" // a write went to the place of another, so that both are gone
	Rollback  DamageForm = "rollback"  // a log is what it was a while ago; the mark of what was synced is not
)

// The forms that last until they are healed.
const (
	Full        DamageForm = "full"         // nothing more can be written: the next Sync fails, and stops the node
	FailedFsync DamageForm = "failed-fsync" // the same, with the reason that the device gives
	SlowFsync   DamageForm = "slow"         // every fsync takes Delay longer
)

// Stored says that the form harms what a disk holds, and not how it works.
func (f DamageForm) Stored() bool {
	return f == BitFlip || f == Torn || f == Truncate || f == Misdirect || f == Rollback
}
