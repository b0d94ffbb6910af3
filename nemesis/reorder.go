package nemesis

import (
	"errors"
	"math/rand/v2"
	"time"

	"faultlab/nodes"
)

var reorder = Kind{
	Name:  "reorder",
	Code:  "N1",
	About: "messages between members overtake each other, and some arrive twice",
	Works: messages,
	Check: func(f Fault) error {
		if f.Quality == nil || f.Quality.ReorderPerMille+f.Quality.DuplicatePerMille == 0 {
			return errors.New(`reorders nothing: give it a "quality" with a "reorder_per_mille" or a "duplicate_per_mille"`)
		}
		return needLinks(f)
	},
	Options: []Option{perMille("per-mille", func(q *nodes.Quality) *int { return &q.ReorderPerMille }), perMille("duplicate", func(q *nodes.Quality) *int { return &q.DuplicatePerMille }), optionJitter},
	Inject:  degrade,
}.with(
	form{"one", harmed(one, around, shuffled)},
	form{"region", harmed(region, around, shuffled)},
	form{"all", harmed(everyone, inside, shuffled)},
)

func shuffled(r *rand.Rand) *nodes.Quality {
	return &nodes.Quality{
		ReorderPerMille:   within(r, 50, 500),
		DuplicatePerMille: within(r, 20, 300),
		Jitter:            uniform(r, time.Millisecond, 30*time.Millisecond),
	}
}
