package nemesis

import (
	"context"
	"time"

	"faultlab/nodes"
)

var upgrade = Kind{
	Name:  "upgrade",
	Code:  "OP",
	About: "nodes restart one after another, as another build if one is named (upgrade:bin=PATH)",
	Works: has[Processes],
	Check: needNodes,
	Refuses: func(cluster any, f Fault) string {
		if f.Bin != "" && !has[Builds](cluster) {
			return "this runtime has one build alone: leave bin out, and nodes restart as what they are"
		}
		return ""
	},
	Options: []Option{{"bin", "the path of a program", func(f *Fault, text string) bool { f.Bin = text; return text != "" }}},
	// It takes nobody away for long enough to count.
	Inject: func(ctx context.Context, t Target, f Fault) (func(context.Context) error, Strike, error) {
		gap := f.For / time.Duration(max(1, len(f.Nodes)))
		return restart(ctx, t, f, gap, func(ctx context.Context, id nodes.ID) error {
			if f.Bin == "" {
				return nil
			}
			return t.Cluster.(Builds).Use(ctx, id, f.Bin)
		})
	},
}.with(form{"rolling", everyone}, form{"region", region}, form{"one", one})
