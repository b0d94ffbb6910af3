package nemesis

import (
	"context"

	"faultlab/nodes"
)

var kill = Kind{
	Name:  "kill",
	Code:  "P1",
	About: "processes die and are started again; what they wrote, synced or not, is there when they boot",
	Works: has[Processes],
	Check: needNodes,
	Takes: func(Fault) Loss { return Presence },
	Inject: func(ctx context.Context, t Target, f Fault) (func(context.Context) error, Strike, error) {
		return fell(ctx, t, f, func(ids []nodes.ID) error { return t.kill(ctx, ids) })
	},
}.with(form{"one", one}, form{"minority", minority}, form{"all", everyone}, form{"region", region}, form{"leader", leader}, form{"role", role}).named(form{"zone", zone})
