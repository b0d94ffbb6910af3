package maelstrom

import (
	"math/rand/v2"

	"faultlab/labs"
)

// GCounter is the workload g-counter: a number that only grows, which all nodes come to know.
func GCounter() labs.Lab {
	return counter("g-counter", "a counter that only grows, which all nodes come to know (Maelstrom's g-counter)", "C",
		"add a whole number, 0 or more, to the counter", "5", func(r *rand.Rand) int64 { return r.Int64N(10) })
}
