package nemesis

import (
	"context"

	"faultlab/nodes"
)

var powerLoss = Kind{
	Name:  "power-loss",
	Code:  "P2",
	About: "nodes die at one instant, and every byte not covered by a completed sync is lost or torn",
	Works: func(cluster any) bool { return has[Power](cluster) && has[Processes](cluster) },
	Check: needNodes,
	Takes: func(Fault) Loss { return Presence },
	Inject: func(ctx context.Context, t Target, f Fault) (func(context.Context) error, Strike, error) {
		return fell(ctx, t, f, func(ids []nodes.ID) error { return t.Cluster.(Power).PowerLoss(ctx, ids) })
	},
}.with(form{"one", one}, form{"minority", minority}, form{"all", everyone}, form{"region", region}, form{"leader", leader}, form{"role", role})
