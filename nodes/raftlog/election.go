package raftlog

import (
	"slices"
	"time"

	"go.etcd.io/raft/v3/raftpb"

	"faultlab/nodes"
)

// A group has one timer, with the meaning of its role: a leader's next tick, the next look at whether a follower heard
// of a leader, or the end of a candidate's random wait. Hearing of a leader re-arms nothing, since that is what happens
// most; it is noticed at the next look. Nothing here compares times of a clock.

// looks is how often a follower looks in one election time. A leader's death is noticed after Election at the earliest
// and one look later at the latest.
const looks = 4

// watch decides when to campaign.
type watch struct {
	heard   bool // of a leader, or of a candidate worth a vote, since the last look
	quiet   int  // looks in a row at which nothing had been heard
	waiting bool // for the random part of the timeout to pass
}

// hear notes signs of life of a leader.
func (g *Group) hear(m *raftpb.Message) {
	if m.Term >= g.hard.Term && beforeSync(m.Type) {
		g.heard = true
	}
}

// follow begins to wait for a leader.
func (g *Group) follow(env nodes.Env) {
	g.watch = watch{}
	env.After(g.cfg.Election/looks, g.timer)
}

func (g *Group) wake(env nodes.Env) {
	g.refused = false
	switch {
	case g.leader:
		g.rn.Tick()
		g.promoteReturned()
		env.After(g.cfg.Tick, g.timer)
	case g.waiting && g.heard:
		g.follow(env)
	case g.waiting:
		g.campaign(env)
	default:
		g.look(env)
	}
}

func (g *Group) look(env nodes.Env) {
	if g.heard {
		g.heard, g.quiet = false, 0
	} else {
		g.quiet++
	}
	if g.quiet < looks {
		env.After(g.cfg.Election/looks, g.timer)
		return
	}
	// From here on this member helps others to be elected (until now it was bound to the leader by CheckQuorum's
	// lease), and after a random time tries itself.
	_ = g.rn.ForgetLeader()
	g.waiting = true
	if g.cfg.NoJitter {
		g.campaign(env)
		return
	}
	env.After(g.jitter(env), g.timer)
}

func (g *Group) campaign(env nodes.Env) {
	_ = g.rn.Campaign() // has no effect on a learner
	wait := g.cfg.Election
	if !g.cfg.NoJitter {
		wait += g.jitter(env)
	}
	env.After(wait, g.timer)
}

// jitter is how long this member lets others go first: a turn, by its place among the voters, which a new term shifts;
// and a random part of one. Turns are longer than an election takes, so that two members rarely split the vote even
// where a round trip is a good part of Election; without them a group across regions took several tries now and then.
func (g *Group) jitter(env nodes.Env) time.Duration {
	turn := g.cfg.Election * 2 / 5
	voters := g.Voters()
	place := max(0, slices.Index(voters, env.ID())) + int(g.hard.Term)
	return turn*time.Duration(place%max(1, len(voters))) + time.Duration(env.Rand().Int64N(int64(turn)/2))
}
