package nemesis

import (
	"errors"
	"math/rand/v2"

	"faultlab/nodes"
)

var clog = Kind{
	Name:  "clog",
	Code:  "N1",
	About: "links between members stall, then flood: what was sent meanwhile arrives all at once at the end",
	Works: has[Links],
	Check: func(f Fault) error {
		if f.Quality == nil || !f.Quality.Hold {
			return errors.New(`holds nothing back: give it a "quality" with "hold"`)
		}
		return needLinks(f)
	},
	Inject: degrade,
}.with(
	form{"one", harmed(one, around, stalled)},
	form{"region", harmed(region, around, stalled)},
	form{"link", func(r *rand.Rand, g Ground) Fault {
		f := oneLink(r, g)
		f.Quality = stalled(r)
		return f
	}},
	form{"one-way", func(r *rand.Rand, g Ground) Fault {
		f := one(r, g)
		f.Links = between(f.Nodes, others(g, f.Nodes))
		if len(f.Links) == 0 {
			return Fault{}
		}
		f.Quality, f.Aim = stalled(r), "from "+join(f.Nodes)
		return f
	}},
)

func stalled(*rand.Rand) *nodes.Quality { return &nodes.Quality{Hold: true} }
