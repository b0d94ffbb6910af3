package host

import (
	"runtime/debug"
	"strings"

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

const wordsMax = 12 // lines

// LastWords picks from what a process of lab node wrote to its standard error before it ended: what it says of its crash,
// without the stack that follows, and else its last lines.
func LastWords(stderr string) (crash, last string) {
	lines := strings.Split(stderr, "\n")
	for _, line := range lines {
		for _, sort := range []string{"panic: ", "flooded: "} {
			if text, ok := strings.CutPrefix(line, "lab: "); ok && strings.HasPrefix(text, sort) {
				crash = text // of the last boot, if there were several
			}
		}
	}
	return crash, strings.Join(lines[max(0, len(lines)-wordsMax):], "\n")
}
