package nemesis

import (
	"errors"
	"math/rand/v2"

	"faultlab/nodes"
)

var corrupt = Kind{
	Name:  "corrupt",
	Code:  "N2",
	About: "bits change on the way between members; the framing of messages detects it, and drops them",
	Works: messages,
	Check: func(f Fault) error {
		if f.Quality == nil || f.Quality.CorruptPerMille == 0 {
			return errors.New(`corrupts nothing: give it a "quality" with a "corrupt_per_mille"`)
		}
		return needLinks(f)
	},
	Options: []Option{perMille("per-mille", func(q *nodes.Quality) *int { return &q.CorruptPerMille })},
	Inject:  degrade,
}.with(
	form{"one", harmed(one, around, garbled(50, 400))},
	form{"region", harmed(region, around, garbled(50, 200))},
	form{"all", harmed(everyone, inside, garbled(10, 100))},
)

// garbled changes so many in a thousand.
func garbled(lo, hi int) func(*rand.Rand) *nodes.Quality {
	return func(r *rand.Rand) *nodes.Quality { return &nodes.Quality{CorruptPerMille: within(r, lo, hi)} }
}
