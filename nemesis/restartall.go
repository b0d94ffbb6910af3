package nemesis

import (
	"context"
	"errors"
	"time"

	"faultlab/nodes"
)

// restartPause is how long a node is down when all are restarted.
const restartPause = 50 * time.Millisecond

// A restart of all is not a kill of all: everything that lived in memory alone is gone everywhere, and yet nobody is away
// for long enough to be missed.
var restartAll = Kind{
	Name:  "restart-all",
	Code:  "P1",
	About: "every node is killed and booted again, all at once or one right after another",
	Works: has[Processes],
	Check: needNodes,
	Takes: func(Fault) Loss { return Presence },
	Inject: func(ctx context.Context, t Target, f Fault) (func(context.Context) error, Strike, error) {
		gap := time.Duration(0)
		if f.Form == "in-turn" && len(f.Nodes) > 1 {
			gap = min(restartPause, f.For/time.Duration(len(f.Nodes)))
		}
		return restart(ctx, t, f, gap, func(context.Context, nodes.ID) error { return nil })
	},
}.with(form{"at-once", everyone}, form{"in-turn", everyone})

// restart kills and boots whom f is aimed at, each a gap after the one before; before each boots, change is done to it.
// Heal boots those that are still down.
func restart(ctx context.Context, t Target, f Fault, gap time.Duration, change func(context.Context, nodes.ID) error) (func(context.Context) error, Strike, error) {
	t = t.holding()
	ids, why := t.aim(f)
	if why != "" {
		return nothing, Strike{Why: why}, nil
	}
	var errs []error
	stopped, down := false, map[nodes.ID]bool{}
	boot := func(ctx context.Context, id nodes.ID) error {
		if !down[id] {
			return nil
		}
		if err := t.Cluster.(Processes).Boot(ctx, id); t.held.down[id] == 1 && err != nil {
			return err
		}
		delete(down, id)
		if t.held.down[id]--; t.held.down[id] == 0 {
			t.refreeze(ctx, id)
		}
		return nil
	}
	fall := func(id nodes.ID) {
		if stopped {
			return
		}
		down[id] = true
		t.held.down[id]++
		errs = append(errs, t.Cluster.(Processes).Kill(ctx, id), change(ctx, id))
		t.After(restartPause, func() {
			if !stopped {
				errs = append(errs, boot(ctx, id))
			}
		})
	}
	for i, id := range ids {
		if wait := time.Duration(i) * gap; wait > 0 {
			t.After(wait, func() { fall(id) })
		} else {
			fall(id)
		}
	}
	heal := func(ctx context.Context) error {
		stopped = true
		all := errs[:len(errs):len(errs)]
		for _, id := range ids {
			all = append(all, boot(ctx, id))
		}
		return errors.Join(all...)
	}
	return heal, Strike{Nodes: ids, Down: ids, Took: len(ids) > 0}, errors.Join(errs...)
}
