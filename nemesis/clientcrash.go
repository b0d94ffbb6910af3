package nemesis

import (
	"context"

	"faultlab/nodes"
)

var clientCrash = Kind{
	Name:  "client-crash",
	Code:  "W1",
	About: "clients die in the middle of a request and come back later, without knowing what became of it",
	Works: anywhere,
	Check: needNodes,
	Inject: func(_ context.Context, t Target, f Fault) (func(context.Context) error, Strike, error) {
		return spook(t, f, func(c Clients) ([]nodes.ID, func()) { return c.Crash(f.Nodes) })
	},
}.with(form{"near-one", one}, form{"region", region}, form{"all", everyone})

// spook does harm to the clients near whom f is aimed at.
func spook(t Target, f Fault, harm func(Clients) (who []nodes.ID, heal func())) (func(context.Context) error, Strike, error) {
	if t.Clients == nil {
		return nothing, Strike{Why: "no client can be harmed here"}, nil
	}
	who, undo := harm(t.Clients)
	if len(who) == 0 {
		return nothing, Strike{Why: "no client stands near " + join(f.Nodes)}, nil
	}
	return func(context.Context) error { undo(); return nil }, Strike{Nodes: who, Took: true}, nil
}
