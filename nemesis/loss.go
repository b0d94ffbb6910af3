package nemesis

import (
	"errors"
	"math/rand/v2"

	"faultlab/nodes"
)

var loss = Kind{
	Name:  "loss",
	Code:  "N2",
	About: "requests are dropped, between members and on their way from clients",
	Works: has[Links],
	Check: func(f Fault) error {
		if f.Quality == nil || f.Quality.LossPerMille == 0 {
			return errors.New(`loses nothing: give it a "quality" with a "loss_per_mille"`)
		}
		return needLinks(f)
	},
	Options: []Option{perMille("per-mille", func(q *nodes.Quality) *int { return &q.LossPerMille })},
	Inject:  degrade,
}.with(
	form{"one", harmed(one, around, lossy(50, 500))},
	form{"region", harmed(region, around, lossy(50, 300))},
	form{"requests", harmed(everyone, asked, lossy(50, 300))},
	form{"all", harmed(everyone, askedInside, lossy(10, 100))},
)

// lossy loses so many in a thousand.
func lossy(lo, hi int) func(*rand.Rand) *nodes.Quality {
	return func(r *rand.Rand) *nodes.Quality { return &nodes.Quality{LossPerMille: within(r, lo, hi)} }
}

// asked is the ways from clients to some members.
func asked(_ Ground, some []nodes.ID) []nodes.Link { return between([]nodes.ID{nodes.Clients}, some) }

func askedInside(g Ground, some []nodes.ID) []nodes.Link {
	return append(inside(g, some), asked(g, some)...)
}
