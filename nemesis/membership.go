package nemesis

import "math/rand/v2"

// In the end the group has the members that it had.
var membership = Kind{
	Name:   "membership",
	Code:   "OP",
	About:  "a member is added to a consensus group, removed from it, or replaced by another, by the system's own change of members",
	Works:  anywhere,
	Lacks:  lacksOperation("membership", "this system cannot change the members of a group"),
	Check:  needForm,
	Takes:  func(Fault) Loss { return Presence },
	Inject: operate,
	Forms:  []string{"add", "remove", "replace"},
	Draw:   func(r *rand.Rand, g Ground, form string) Fault { return operation(r, g, "membership", form) },
}
