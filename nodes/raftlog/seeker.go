package raftlog

import (
	"slices"

	"faultlab/nodes"
)

// A Seeker remembers who leads groups, of which this node need not be a member, and whom to ask next where it does not
// know. What it says are hints: whoever is asked and does not lead must say so.
type Seeker struct {
	hints map[string]nodes.ID // who was last heard to lead, or is to be tried next
	fresh map[string]bool     // the hint came from a member of the group and has not been tried
}

// NewSeeker returns a Seeker that knows nothing.
func NewSeeker() *Seeker { return &Seeker{hints: map[string]nodes.ID{}, fresh: map[string]bool{}} }

// Heard notes who leads a group.
func (s *Seeker) Heard(group string, leader nodes.ID) {
	s.hints[group] = leader
	s.fresh[group] = true
}

// Leader returns the one of voters that most probably leads a group. g is this node's membership in it, nil if it has none.
func (s *Seeker) Leader(name string, g *Group, voters []nodes.ID) nodes.ID {
	if g != nil && g.Leader() != "" {
		return g.Leader()
	}
	if id := s.hints[name]; id != "" {
		return id
	}
	return voters[0]
}

// Rotate makes Leader name another voter, after silence; not if it names one that was not yet asked.
func (s *Seeker) Rotate(name string, g *Group, voters []nodes.ID) {
	if s.fresh[name] {
		delete(s.fresh, name)
		return
	}
	s.hints[name] = voters[(slices.Index(voters, s.Leader(name, g, voters))+1)%len(voters)]
}
