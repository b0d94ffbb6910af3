package nemesis

import (
	"errors"
	"math/rand/v2"
	"time"

	"faultlab/nodes"
)

// Only links between members are cut: a client stays with the members of its own region, whichever side they are on.
var partition = Kind{
	Name:  "partition",
	Code:  "N4",
	About: "members cannot reach each other; clients still reach the members near them",
	Works: has[Links],
	Check: func(f Fault) error {
		if f.Form == "flapping" && f.Every <= 0 {
			return errors.New(`has no rhythm: give it "every_ns", the time from one cut to the next`)
		}
		if f.Quality != nil && !f.Quality.Cut {
			return errors.New(`cuts nothing: leave out its "quality", or use slow, loss or reorder`)
		}
		return needLinks(f)
	},
	Options: []Option{optionEvery},
	Inject:  degrade,
}.with(
	form{"halves", halves},
	form{"one-node", cutOff(one)},
	form{"minority", cutOff(minority)},
	form{"majorities-ring", majoritiesRing},
	form{"bridge", bridge},
	form{"region", cutOff(region)},
	form{"one-way", oneWay},
	form{"link", oneLink},
	form{"flapping", flapping},
	form{"leader", cutOffLeader},
).named(form{"zone", cutOff(zone)})

// cutOff cuts the members that choose chooses, together, from all others, both ways.
func cutOff(choose func(*rand.Rand, Ground) Fault) func(*rand.Rand, Ground) Fault {
	return func(r *rand.Rand, g Ground) Fault {
		f := choose(r, g)
		f.Links = around(g, f.Nodes)
		if len(f.Links) == 0 {
			return Fault{}
		}
		return f
	}
}

// halves cuts the members in two, at random.
func halves(r *rand.Rand, g Ground) Fault {
	ids := g.Topology.IDs()
	if len(ids) < 2 {
		return Fault{}
	}
	side := sample(r, ids, len(ids)/2)
	return Fault{Nodes: side, Links: around(g, side), Aim: join(side) + " | " + join(others(g, side))}
}

// majoritiesRing lets each member see a majority, and no two of them the same: on a ring, all but the nearest are cut.
func majoritiesRing(r *rand.Rand, g Ground) Fault {
	ids := g.Topology.IDs()
	n := len(ids)
	ring := make([]nodes.ID, n)
	for at, i := range r.Perm(n) {
		ring[at] = ids[i]
	}
	reach := (n/2 + 1) / 2 // members seen on either side, so that with oneself they are a majority
	f := Fault{Nodes: ids, Aim: join(ring)}
	for i, a := range ring {
		for j, b := range ring {
			if apart := min((i-j+n)%n, (j-i+n)%n); apart > reach {
				f.Links = append(f.Links, nodes.Link{From: a, To: b})
			}
		}
	}
	if len(f.Links) == 0 {
		return Fault{}
	}
	return f
}

// bridge leaves one member that sees two halves that do not see each other.
func bridge(r *rand.Rand, g Ground) Fault {
	if len(g.Topology.Members) < 3 {
		return Fault{}
	}
	middle := one(r, g).Nodes
	rest := others(g, middle)
	side := sample(r, rest, len(rest)/2)
	far := others(g, append(side[:len(side):len(side)], middle...))
	return Fault{Nodes: middle, Links: both(side, far), Aim: join(side) + " | " + join(middle) + " | " + join(far)}
}

// oneWay makes one member, or one region, deaf or mute.
func oneWay(r *rand.Rand, g Ground) Fault {
	f := one(r, g)
	if wide := region(r, g); len(wide.Nodes) > 0 && r.IntN(2) == 0 {
		f = wide
	}
	rest := others(g, f.Nodes)
	if r.IntN(2) == 0 {
		f.Links, f.Aim = between(f.Nodes, rest), "from "+join(f.Nodes)
	} else {
		f.Links, f.Aim = between(rest, f.Nodes), "to "+join(f.Nodes)
	}
	if len(f.Links) == 0 {
		return Fault{}
	}
	return f
}

// oneLink cuts two members of one group from each other, and from nobody else.
func oneLink(r *rand.Rand, g Ground) Fault {
	a, b, ok := pair(r, g)
	if !ok {
		return Fault{}
	}
	return Fault{Nodes: []nodes.ID{a, b}, Links: both([]nodes.ID{a}, []nodes.ID{b})}
}

// flapping cuts one member, a minority or a region off, again and again.
func flapping(r *rand.Rand, g Ground) Fault {
	ways := []func(*rand.Rand, Ground) Fault{cutOff(one), cutOff(minority), cutOff(region)}
	for _, i := range r.Perm(len(ways)) {
		if f := ways[i](r, g); len(f.Links) > 0 {
			f.Every = uniform(r, 400*time.Millisecond, 3*time.Second)
			return f
		}
	}
	return Fault{}
}

// cutOffLeader cuts whoever leads one group from everybody. Which of the links those are is known when it strikes.
func cutOffLeader(r *rand.Rand, g Ground) Fault {
	f := leader(r, g)
	if f.Role != "" {
		f.Links = mesh(g)
	}
	return f
}
