package maelstrom

import (
	"math/rand/v2"

	"faultlab/labs"
)

// PNCounter is the workload pn-counter: a number that grows and shrinks, which all nodes come to know.
func PNCounter() labs.Lab {
	return counter("pn-counter", "a counter that grows and shrinks, which all nodes come to know (Maelstrom's pn-counter)", "P",
		"add a whole number, which may be below 0, to the counter", "-2", func(r *rand.Rand) int64 { return r.Int64N(10) - 5 })
}
