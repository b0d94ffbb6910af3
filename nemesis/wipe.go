package nemesis

import (
	"context"

	"faultlab/nodes"
)

var wipe = Kind{
	Name:  "wipe",
	Code:  "P4",
	About: "nodes lose their disk, and come back as new members under their old names",
	Works: func(cluster any) bool { return has[Wipes](cluster) && has[Processes](cluster) },
	Check: needNodes,
	Takes: func(Fault) Loss { return Promises },
	Inject: func(ctx context.Context, t Target, f Fault) (func(context.Context) error, Strike, error) {
		return fell(ctx, t, f, func(ids []nodes.ID) error {
			for _, id := range ids {
				if err := t.Cluster.(Wipes).Wipe(ctx, id); err != nil {
					return err
				}
			}
			return nil
		})
	},
}.with(form{"one", one}, form{"minority", minority}, form{"leader", leader}, form{"region", region}, form{"all", everyone}).named(form{"zone", zone})
