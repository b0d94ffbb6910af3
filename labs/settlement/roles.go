package settlement

import (
	"strings"
	"time"

	"faultlab/checker/history"
	"faultlab/nodes"
	"faultlab/nodes/raftlog"
	s "faultlab/nodes/settlement"
)

// steps are how far a payment between shards is, by what was last sent or said of it, as a role names them.
var steps = []string{"screened", "prepare", "vote", "resolve", "resolved"}

// leaderRole names the leader of a shard, as a role.
func leaderRole(shard string) string { return "leader of " + shard }

// leaders are the leader of each shard.
func leaders(l *s.Layout) (all []string) {
	for _, shard := range l.Shards {
		all = append(all, leaderRole(shard.Name))
	}
	return all
}

// moments are who coordinates a payment between shards, or has a part in it, as it is at a step.
func moments() (all []string) {
	for _, step := range steps {
		all = append(all, "coordinator at "+step)
		if step != "screened" {
			all = append(all, "participant at "+step)
		}
	}
	return all
}

const lately = 400 * time.Millisecond // a step that was reached longer ago is probably over

// resolve finds who has a role now.
func resolve(h *history.History, role string) []nodes.ID {
	if who, step, ok := strings.Cut(role, " at "); ok {
		return atStep(h, who, step)
	}
	for i := len(h.Events) - 1; i >= 0; i-- {
		if e, ok := h.Events[i].Event.(raftlog.Leads); ok && leaderRole(e.Group) == role {
			return []nodes.ID{nodes.ID(h.Events[i].Node)}
		}
	}
	return nil
}

// atStep finds the coordinator, or the participant, of the payment that has reached a step last and is not known to be
// further. The two are on different nodes.
func atStep(h *history.History, who, step string) []nodes.ID {
	further := map[string]bool{}
	for i := len(h.Events) - 1; i >= 0 && h.Events[len(h.Events)-1].At-h.Events[i].At < lately; i-- {
		payment, reached, coordinator, participant := "", "", "", ""
		switch e := h.Events[i].Event.(type) {
		case s.Crossed:
			payment, reached = e.Payment, e.What
			coordinator, participant = e.From, e.To
			if e.From != s.HomeOf(payment) {
				coordinator, participant = participant, coordinator
			}
		case s.Screened:
			payment, reached, coordinator = e.Payment, "screened", s.HomeOf(e.Payment)
		case s.Notified:
			payment, reached = e.Payment, "ended"
		}
		if payment == "" || further[payment] {
			continue
		}
		if further[payment] = true; reached != step {
			continue
		}
		c, p := resolve(h, leaderRole(coordinator)), resolve(h, leaderRole(participant))
		switch {
		case who == "coordinator" && len(c) > 0 && (step == "screened" || len(p) > 0 && c[0] != p[0]):
			return c
		case who == "participant" && len(p) > 0 && len(c) > 0 && c[0] != p[0]:
			return p
		}
	}
	return nil
}
