package nemesis

import (
	"context"
	"time"

	"faultlab/nodes"
)

// What a runtime may be able to suffer, one small interface each. A Kind asks for the ones it needs; a runtime offers
// those it has. Each harm and its undoing may be called at any moment of a run, for nodes in any state; undoing twice
// is the same as once.

// Links can be harmed, one direction at a time.
type Links interface {
	// Degrade harms all these links until heal is called. Harms to one link add up (see nodes.Quality).
	Degrade(ctx context.Context, links []nodes.Link, q nodes.Quality) (heal func(context.Context) error, err error)
}

// Opaque is a cluster whose nodes speak to each other in streams that they alone can take apart: its Links can be cut,
// slowed and made to lose packets, but no single message can be harmed. Its nodes are somebody else's.
type Opaque interface {
	Links
	Opaque()
}

// Processes can die and come back. What a killed node wrote, synced or not, is there when it boots.
type Processes interface {
	Kill(ctx context.Context, id nodes.ID) error
	Boot(ctx context.Context, id nodes.ID) error // no-op if it runs
}

// Together is Processes for several nodes, of a runtime that does it to all side by side: where one after another would
// take it so long that the last is hit when the first is back.
type Together interface {
	KillAll(ctx context.Context, ids []nodes.ID) error
	BootAll(ctx context.Context, ids []nodes.ID) error
}

// Pauses can freeze a node: it handles nothing, its timers fire late, its messages wait.
type Pauses interface {
	Pause(ctx context.Context, id nodes.ID) error
	Resume(ctx context.Context, id nodes.ID) error // no-op if it is not paused
}

// Power can fail: at one instant all these nodes die, and every byte not covered by a completed sync is lost or torn.
// They come back with Processes.Boot.
type Power interface {
	PowerLoss(ctx context.Context, ids []nodes.ID) error
}

// Clocks can be wrong: Env.Now of the node reads offset ahead of true time, and runs driftPPM parts per million fast
// from now on. Zero and zero make it true again.
type Clocks interface {
	Skew(ctx context.Context, id nodes.ID, offset time.Duration, driftPPM int) error
}

// Disks can fail.
type Disks interface {
	// Damage harms the disk of a node. A form that harms what is stored (nodes.DamageForm.Stored) is done at once, to a
	// node that is down; its heal does nothing, since only the system can make good what is gone. It is an error if there
	// is nothing synced to harm. The other forms last until heal, and may begin while the node runs: one whose Sync fails
	// stops, loses what no completed sync covers, and comes back with Processes.Boot.
	Damage(ctx context.Context, id nodes.ID, d nodes.Damage) (heal func(context.Context) error, err error)
}

// Wipes can take a node's disk. The node dies with it, if it runs, and comes back with Processes.Boot as a new member
// under the old name: nodes.Replaced, at every boot until something it wrote since has been synced.
type Wipes interface {
	Wipe(ctx context.Context, id nodes.ID) error
}

// Builds can be exchanged: from its next boot on the node runs the program at that path, or the one that it ran at first
// if the path is empty. The error says if the path is no program that could run.
type Builds interface {
	Use(ctx context.Context, id nodes.ID, path string) error
}

// Clients of the workload can misbehave. Each is told by the members that it stands next to, in zone and region; who is
// the clients that were hit. Undoing twice is the same as once.
type Clients interface {
	// Crash ends what these clients are doing, its outcome unknown to them, and keeps them from asking anything more.
	Crash(near []nodes.ID) (who []nodes.ID, heal func())
	// Duplicate makes these clients submit each request to two members at once, and take the first reply.
	Duplicate(near []nodes.ID) (who []nodes.ID, heal func())
}
