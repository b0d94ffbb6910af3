package nemesis

import (
	"errors"
	"math/rand/v2"

	"faultlab/nodes"
)

var duplicate = Kind{
	Name:  "duplicate",
	Code:  "N1",
	About: "messages between members arrive twice",
	Works: messages,
	Check: func(f Fault) error {
		if f.Quality == nil || f.Quality.DuplicatePerMille == 0 {
			return errors.New(`duplicates nothing: give it a "quality" with a "duplicate_per_mille"`)
		}
		return needLinks(f)
	},
	Options: []Option{perMille("per-mille", func(q *nodes.Quality) *int { return &q.DuplicatePerMille })},
	Inject:  degrade,
}.with(
	form{"one", harmed(one, around, doubled)},
	form{"region", harmed(region, around, doubled)},
	form{"all", harmed(everyone, inside, doubled)},
)

func doubled(r *rand.Rand) *nodes.Quality {
	return &nodes.Quality{DuplicatePerMille: within(r, 100, 900)}
}
