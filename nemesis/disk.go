package nemesis

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"faultlab/nodes"
)

// Harm to what is stored is done to a node that died, and found when it boots: one that runs would not notice. A disk
// that is full, or fails its syncs, stops the node when that next syncs.
var disk = Kind{
	Name:  "disk",
	Code:  "D1-D6",
	About: "a node's disk loses or changes what had been synced, or is full, slow or fails to sync",
	Works: func(cluster any) bool { return has[Disks](cluster) && has[Processes](cluster) },
	Check: func(f Fault) error {
		switch {
		case f.Damage == nil:
			return errors.New(`damages nothing: give it a "damage" with a "form"`)
		case !f.Damage.Form.Stored() && f.Damage.Form != nodes.Full && f.Damage.Form != nodes.FailedFsync && f.Damage.Form != nodes.SlowFsync:
			return fmt.Errorf("there is no damage %q: use bit-flip, torn, truncate, misdirect, rollback, full, failed-fsync or slow", f.Damage.Form)
		case f.Damage.Form == nodes.SlowFsync && f.Damage.Delay <= 0:
			return errors.New(`slows nothing: give its "damage" a "delay_ns"`)
		case f.Damage.Delay < 0:
			return errors.New("a delay may not be negative")
		}
		return needNodes(f)
	},
	Takes: func(f Fault) Loss {
		switch {
		case f.Damage != nil && f.Damage.Form.Stored():
			return Promises
		case f.Damage != nil && f.Damage.Form == nodes.SlowFsync:
			return Nothing
		}
		return Presence
	},
	Options: []Option{{"delay", takesDuration, func(f *Fault, text string) bool {
		d, err := time.ParseDuration(text)
		if f.Damage != nil && f.Damage.Form == nodes.SlowFsync {
			f.Damage = &nodes.Damage{Form: nodes.SlowFsync, Delay: d}
		}
		return err == nil && d > 0
	}}},
	Inject: func(ctx context.Context, t Target, f Fault) (func(context.Context) error, Strike, error) {
		if f.Damage.Form.Stored() {
			return fell(ctx, t, f, func(ids []nodes.ID) error { return spoil(ctx, t, *f.Damage, ids) })
		}
		return ail(ctx, t, f)
	},
}.with(
	form{"bit-flip", damaged(nodes.BitFlip)},
	form{"torn", damaged(nodes.Torn)},
	form{"truncate", damaged(nodes.Truncate)},
	form{"misdirect", damaged(nodes.Misdirect)},
	form{"rollback", damaged(nodes.Rollback)},
	form{"full", damaged(nodes.Full)},
	form{"failed-fsync", damaged(nodes.FailedFsync)},
	form{"slow", damaged(nodes.SlowFsync)},
)

// damaged is a damage to the disk of one member that keeps something, or of a minority.
func damaged(how nodes.DamageForm) func(*rand.Rand, Ground) Fault {
	return func(r *rand.Rand, g Ground) Fault {
		f := keeper(r, g)
		if few := minority(r, g); len(few.Nodes) > 0 && r.IntN(4) == 0 {
			f = few
		}
		f.Damage = &nodes.Damage{Form: how, Seed: r.Uint64() >> 16}
		if how == nodes.SlowFsync {
			f.Damage = &nodes.Damage{Form: how, Delay: uniform(r, 2*time.Millisecond, 100*time.Millisecond)}
		}
		return f
	}
}

// spoil kills members and harms what their disks hold, each in a way of its own.
func spoil(ctx context.Context, t Target, d nodes.Damage, ids []nodes.ID) error {
	if err := t.kill(ctx, ids); err != nil {
		return err
	}
	for i, id := range ids {
		d.Seed += uint64(i)
		if _, err := t.Cluster.(Disks).Damage(ctx, id, d); err != nil {
			return err
		}
	}
	return nil
}

// ail makes the disks of whom f is aimed at fail until heal, which also boots those that stopped for it.
func ail(ctx context.Context, t Target, f Fault) (func(context.Context) error, Strike, error) {
	t = t.holding()
	ids, why := t.aim(f)
	if why != "" {
		return nothing, Strike{Why: why}, nil
	}
	stops := f.Damage.Form != nodes.SlowFsync
	var mends []func(context.Context) error
	var errs []error
	for _, id := range ids {
		mend, err := t.Cluster.(Disks).Damage(ctx, id, *f.Damage)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		mends = append(mends, mend)
	}
	heal := func(ctx context.Context) error {
		var errs []error
		for _, mend := range mends {
			errs = append(errs, mend(ctx))
		}
		for _, id := range ids {
			if stops && t.held.down[id] == 0 {
				errs = append(errs, t.Cluster.(Processes).Boot(ctx, id))
				t.refreeze(ctx, id)
			}
		}
		return errors.Join(errs...)
	}
	w := Strike{Nodes: ids, Took: len(ids) > 0}
	if stops {
		w.Down = ids
	}
	return heal, w, errors.Join(errs...)
}
