package nemesis

import (
	"errors"
	"math/rand/v2"

	"faultlab/nodes"
)

var lostReply = Kind{
	Name:  "lost-reply",
	Code:  "N3",
	About: "what was asked is done, and the reply is lost on its way back",
	Works: has[Links],
	Check: func(f Fault) error {
		if f.Quality != nil && !f.Quality.Cut && f.Quality.LossPerMille == 0 {
			return errors.New(`loses nothing: give it a "quality" with "cut" or a "loss_per_mille"`)
		}
		return needLinks(f)
	},
	Options: []Option{{"per-mille", takesPerMille, func(f *Fault, text string) bool {
		n, ok := number(text, 1, 1000)
		*f.quality() = nodes.Quality{LossPerMille: n}
		return ok
	}}},
	Inject: degrade,
}.with(
	form{"one", harmed(one, replies, severed)},
	form{"region", harmed(region, replies, lossy(300, 900))},
	form{"all", harmed(everyone, replies, lossy(100, 500))},
	form{"link", func(r *rand.Rand, g Ground) Fault {
		a, b, ok := pair(r, g)
		if !ok {
			return Fault{}
		}
		return Fault{Nodes: []nodes.ID{a}, Links: []nodes.Link{{From: a, To: b}}, Quality: severed(r), Aim: "from " + string(a) + " to " + string(b)}
	}},
)

// replies is the ways from some members to clients.
func replies(_ Ground, some []nodes.ID) []nodes.Link { return between(some, []nodes.ID{nodes.Clients}) }

func severed(*rand.Rand) *nodes.Quality { return &nodes.Quality{Cut: true} }
