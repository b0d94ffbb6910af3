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
	// rise boots those of them that this fault has down and no other one holds.
	rise := func(ctx context.Context, ids []nodes.ID) error {
		mine := only(ids, func(id nodes.ID) bool { return down[id] })
		for _, id := range mine {
			t.held.down[id]--
		}
		err := t.boot(ctx, only(mine, func(id nodes.ID) bool { return t.held.down[id] == 0 }))
		for _, id := range mine {
			if err != nil { // to be tried again
				t.held.down[id]++
			} else {
				delete(down, id)
			}
		}
		return err
	}
	fall := func(ids []nodes.ID) {
		if stopped {
			return
		}
		for _, id := range ids {
			down[id] = true
			t.held.down[id]++
		}
		errs = append(errs, t.kill(ctx, ids))
		for _, id := range ids {
			errs = append(errs, change(ctx, id))
		}
		t.After(restartPause, func() {
			if !stopped {
				errs = append(errs, rise(ctx, ids))
			}
		})
	}
	if gap <= 0 {
		fall(ids)
	} else {
		for i := range ids {
			if one := ids[i : i+1]; i == 0 {
				fall(one)
			} else {
				t.After(time.Duration(i)*gap, func() { fall(one) })
			}
		}
	}
	heal := func(ctx context.Context) error {
		stopped = true
		return errors.Join(append(errs[:len(errs):len(errs)], rise(ctx, ids))...)
	}
	return heal, Strike{Nodes: ids, Down: ids, Took: len(ids) > 0}, errors.Join(errs...)
}
