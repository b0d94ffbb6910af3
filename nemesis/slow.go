package nemesis

import (
	"errors"
	"math/rand/v2"
	"time"

	"faultlab/nodes"
)

var slow = Kind{
	Name:  "slow",
	Code:  "N1",
	About: "links are slower than they were, by tens to hundreds of milliseconds",
	Works: has[Links],
	Check: func(f Fault) error {
		if f.Quality == nil || f.Quality.Delay <= 0 && f.Quality.Jitter <= 0 {
			return errors.New(`slows nothing: give it a "quality" with a "delay_ns"`)
		}
		return needLinks(f)
	},
	Options: []Option{optionDelay, optionJitter, optionSpread},
	Inject:  degrade,
}.with(
	form{"one", harmed(one, around, delayed)},
	form{"region", harmed(region, around, delayed)},
	form{"link", func(r *rand.Rand, g Ground) Fault {
		f := oneLink(r, g)
		f.Quality = delayed(r)
		return f
	}},
	form{"all", harmed(everyone, inside, delayed)},
)

func delayed(r *rand.Rand) *nodes.Quality {
	d := uniform(r, 20*time.Millisecond, 400*time.Millisecond)
	return &nodes.Quality{Delay: d, Jitter: d / 2}
}

// harmed gives those of a fault's members the links and the quality that it harms.
func harmed(choose func(*rand.Rand, Ground) Fault, links func(Ground, []nodes.ID) []nodes.Link, quality func(*rand.Rand) *nodes.Quality) func(*rand.Rand, Ground) Fault {
	return func(r *rand.Rand, g Ground) Fault {
		f := choose(r, g)
		f.Links = links(g, f.Nodes)
		if len(f.Links) == 0 {
			return Fault{}
		}
		f.Quality = quality(r)
		return f
	}
}

// inside is all links among some members.
func inside(_ Ground, some []nodes.ID) []nodes.Link { return between(some, some) }
