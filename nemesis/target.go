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

// Processes can die and come back. What a killed node wrote, synced or not, is there when it boots.
type Processes interface {
	Kill(ctx context.Context, id nodes.ID) error
	Boot(ctx context.Context, id nodes.ID) error // no-op if it runs
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
