package nemesis

import (
	"context"

	"faultlab/nodes"
)

var duplicateSubmit = Kind{
	Name:  "duplicate-submit",
	Code:  "W2",
	About: "clients submit each request to two members at once, and take the first reply",
	Works: anywhere,
	Check: needNodes,
	Inject: func(_ context.Context, t Target, f Fault) (func(context.Context) error, Strike, error) {
		return spook(t, f, func(c Clients) ([]nodes.ID, func()) { return c.Duplicate(f.Nodes) })
	},
}.with(form{"near-one", one}, form{"region", region}, form{"all", everyone})
