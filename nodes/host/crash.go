package host

import (
	"runtime/debug"

	"faultlab/nodes"
)

// A Crash is the error of a host whose node did what no node may: it panicked or flooded.
type Crash struct {
	What  string // "panic: index out of range [3] with length 3 (queue.go:41)"
	Stack []byte
}

func (c *Crash) Error() string { return c.What }

// crashed makes a Crash of what was recovered. It is called in the deferred function that recovered it.
func crashed(what any) *Crash { return &Crash{nodes.Panicked(what), debug.Stack()} }
