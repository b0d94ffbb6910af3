package nemesis

import (
	"context"
	"errors"
	"slices"
	"time"

	"faultlab/nodes"
)

// This file does harm for the kinds. Faults may overlap on a node, and healing one must not undo another: so what
// several faults hold is counted, and a node is booted, or goes on, when the last of them lets go.

// holds is what the faults of one Schedule hold between them.
type holds struct {
	down   map[nodes.ID]int
	paused map[nodes.ID]int
	skews  map[nodes.ID][]*skew
	errs   []error // of what was done between a strike and its healing, for HealAll to tell
}

// A skew is what one fault does to one clock; what several do to it adds up.
type skew struct {
	offset   time.Duration
	driftPPM int
}

func (t Target) holding() Target {
	if t.held == nil {
		t.held = &holds{down: map[nodes.ID]int{}, paused: map[nodes.ID]int{}, skews: map[nodes.ID][]*skew{}}
	}
	return t
}

// aim is who f hits: its Nodes, or those who have its Role now. Nobody, if it has a Role that nobody has.
func (t Target) aim(f Fault) (ids []nodes.ID, why string) {
	if len(f.Nodes) > 0 || f.Role == "" {
		return f.Nodes, ""
	}
	if t.Resolve != nil {
		ids = t.Resolve(f.Role)
	}
	if len(ids) == 0 {
		return nil, "nobody was " + f.Role + " when it struck"
	}
	return slices.Clone(ids), ""
}

// nothing is the heal of a fault that did nothing.
func nothing(context.Context) error { return nil }

// fell takes down whom f is aimed at, and holds them down until heal boots those that no other fault holds. Who is down
// already stays down for longer, so it took too. Who is still to be paused by another fault is frozen again.
func fell(ctx context.Context, t Target, f Fault, strike func(ids []nodes.ID) error) (func(context.Context) error, Strike, error) {
	t = t.holding()
	ids, why := t.aim(f)
	if why != "" {
		return nothing, Strike{Why: why}, nil
	}
	w := Strike{Nodes: ids, Down: ids, Took: len(ids) > 0}
	ran := false
	for _, id := range ids {
		ran = ran || t.held.down[id] == 0
		t.held.down[id]++
	}
	if !ran {
		w.Why = join(ids) + ": down already"
	}
	err := strike(ids)
	released := false
	heal := func(ctx context.Context) error {
		if !released {
			for _, id := range ids {
				t.held.down[id]--
			}
		}
		released = true
		return t.boot(ctx, only(ids, func(id nodes.ID) bool { return t.held.down[id] == 0 }))
	}
	return heal, w, err
}

// kill kills nodes, side by side where the runtime can.
func (t Target) kill(ctx context.Context, ids []nodes.ID) error {
	if c, ok := t.Cluster.(Together); ok {
		return c.KillAll(ctx, ids)
	}
	for _, id := range ids {
		if err := t.Cluster.(Processes).Kill(ctx, id); err != nil {
			return err
		}
	}
	return nil
}

// boot boots nodes, side by side where the runtime can, and freezes again who is still to be paused.
func (t Target) boot(ctx context.Context, ids []nodes.ID) error {
	c, able := t.Cluster.(Together)
	var errs []error
	if able && len(ids) > 0 {
		errs = append(errs, c.BootAll(ctx, ids))
	}
	for _, id := range ids {
		if !able {
			errs = append(errs, t.Cluster.(Processes).Boot(ctx, id))
		}
		t.refreeze(ctx, id)
	}
	return errors.Join(errs...)
}

// refreeze pauses a node that boots while a fault holds it paused, since a crash ends a pause: after the boot, which a
// runtime may do as an event of its own.
func (t Target) refreeze(ctx context.Context, id nodes.ID) {
	if t.held.paused[id] == 0 {
		return
	}
	t.After(0, func() {
		if t.held.paused[id] > 0 && t.held.down[id] == 0 {
			if err := t.Cluster.(Pauses).Pause(ctx, id); err != nil {
				t.held.errs = append(t.held.errs, err)
			}
		}
	})
}

// freeze pauses whom f is aimed at, but for those that are down, until heal resumes those that no other fault holds.
func freeze(ctx context.Context, t Target, f Fault) (func(context.Context) error, Strike, error) {
	t = t.holding()
	ids, why := t.aim(f)
	if why != "" {
		return nothing, Strike{Why: why}, nil
	}
	up := only(ids, func(id nodes.ID) bool { return t.held.down[id] == 0 })
	w := Strike{Nodes: ids, Down: up, Took: len(up) > 0}
	var errs []error
	ran := false
	for _, id := range up {
		ran = ran || t.held.paused[id] == 0
		t.held.paused[id]++
		errs = append(errs, t.Cluster.(Pauses).Pause(ctx, id))
	}
	if !ran {
		w.Why = join(ids) + ": down or paused already"
	}
	released := false
	heal := func(ctx context.Context) error {
		var errs []error
		for _, id := range up {
			if !released {
				t.held.paused[id]--
			}
			if t.held.paused[id] == 0 {
				errs = append(errs, t.Cluster.(Pauses).Resume(ctx, id))
			}
		}
		released = true
		return errors.Join(errs...)
	}
	return heal, w, errors.Join(errs...)
}

// degrade harms the links of f, on and off if it has an Every. With a Role, of its links those between who has the role
// now and anybody else.
func degrade(ctx context.Context, t Target, f Fault) (func(context.Context) error, Strike, error) {
	links, quality := f.Links, nodes.Quality{Cut: true}
	if f.Quality != nil {
		quality = *f.Quality
	}
	ids, why := t.aim(f)
	if why != "" {
		return nothing, Strike{Why: why}, nil
	}
	if f.Role != "" {
		links = only(links, func(l nodes.Link) bool { return slices.Contains(ids, l.From) != slices.Contains(ids, l.To) })
	}
	w := Strike{Nodes: ids, Took: len(links) > 0}
	switch {
	case !w.Took:
		w.Why = "it has no links to harm"
		return nothing, w, nil
	case quality.Cut:
		w.Cuts = links
	default:
		w.Hurts = links
	}

	undo := nothing
	on := func(ctx context.Context) (err error) {
		var heal func(context.Context) error
		heal, err = t.Cluster.(Links).Degrade(ctx, links, quality)
		if err == nil {
			undo = heal
		}
		return err
	}
	off := func(ctx context.Context) error { return undo(ctx) }
	heal, err := toggle(ctx, t, f.Every, on, off)
	return heal, w, err
}

// toggle does on and off in turn, each for half of every, until heal, which does off. An every of zero is on once.
// What went wrong in between is an error of heal,
// however often it is called.
func toggle(ctx context.Context, t Target, every time.Duration, on, off func(context.Context) error) (func(context.Context) error, error) {
	var errs []error
	stopped := false
	var turn func(isOn bool)
	turn = func(isOn bool) {
		t.After(every/2, func() {
			switch {
			case stopped:
				return
			case isOn:
				errs = append(errs, off(ctx))
			default:
				errs = append(errs, on(ctx))
			}
			turn(!isOn)
		})
	}
	err := on(ctx)
	if every > 0 && err == nil {
		turn(true)
	}
	return func(ctx context.Context) error {
		stopped = true
		return errors.Join(append(errs[:len(errs):len(errs)], off(ctx))...)
	}, err
}

// skewed is f's harm to the clocks of whom it is aimed at.
func skewed(ctx context.Context, t Target, f Fault) (func(context.Context) error, Strike, error) {
	t = t.holding()
	ids, why := t.aim(f)
	if why != "" {
		return nothing, Strike{Why: why}, nil
	}
	mine := &skew{}
	for _, id := range ids {
		t.held.skews[id] = append(t.held.skews[id], mine)
	}
	set := func(s skew) func(context.Context) error {
		return func(ctx context.Context) error {
			*mine = s
			var errs []error
			for _, id := range ids {
				var sum skew
				for _, s := range t.held.skews[id] {
					sum.offset += s.offset
					sum.driftPPM += s.driftPPM
				}
				errs = append(errs, t.Cluster.(Clocks).Skew(ctx, id, sum.offset, sum.driftPPM))
			}
			return errors.Join(errs...)
		}
	}
	heal, err := toggle(ctx, t, f.Every, set(skew{f.Offset, f.DriftPPM}), set(skew{}))
	return heal, Strike{Nodes: ids, Took: len(ids) > 0}, err
}
