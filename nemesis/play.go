package nemesis

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// A Window is one fault of a schedule as it really was.
type Window struct {
	Fault      Fault
	Strike     Strike
	Start, End time.Duration // since the start of the cluster: when it began to strike, and when it had been healed

	Struck, Healing time.Duration // when it had struck, and when its healing began: the same moments where no time passes
}

// A Player does a schedule to a cluster. All calls to it and from it come on the cluster's event loop, one at a time.
type Player struct {
	t      Target
	active []*activeFault // in the order of the schedule, each until its window is reported
	done   func(i int, w Window)
	closed bool
}

type activeFault struct {
	i      int
	window Window
	struck bool
	heal   func(context.Context) error
}

// Play schedules all faults of s, their At counting from start, and the healing of each. done is called once for each
// fault, with its place in s: when it has been healed, or when it could not strike. What a runtime fails to do is told
// as the Strike's Why; a fault that could not be healed stays active until HealAll.
func Play(ctx context.Context, t Target, s Schedule, start time.Duration, done func(i int, w Window)) *Player {
	p := &Player{t: t.holding(), done: done}
	for i, f := range s {
		a := &activeFault{i: i, window: Window{Fault: f, Start: start + f.At, End: start + f.At}, heal: nothing}
		p.active = append(p.active, a)
		t.After(max(0, start+f.At-t.Now()), func() { p.strike(ctx, a, start) })
	}
	return p
}

// waitStep is how often a fault that waits for somebody to have its role looks whether there is one.
const waitStep = time.Millisecond

func (p *Player) strike(ctx context.Context, a *activeFault, start time.Duration) {
	if p.closed {
		return
	}
	f, w := a.window.Fault, &a.window
	if _, nobody := p.t.aim(f); nobody != "" && p.t.Now() < start+f.At+min(f.Wait, f.For) {
		p.t.After(waitStep, func() { p.strike(ctx, a, start) })
		return
	}
	a.struck = true
	w.Start = p.t.Now()
	k, ok := Find(f.Kind)
	switch {
	case !ok:
		w.Strike.Why = fmt.Sprintf("%q is no fault", f.Kind)
	case k.refuses(p.t.Cluster, f) != "":
		w.Strike.Why = k.refuses(p.t.Cluster, f)
	default:
		heal, strike, err := k.Inject(ctx, p.t, f)
		w.Strike, w.Struck = strike, p.t.Now()
		if heal != nil {
			a.heal = heal
		}
		if err != nil {
			w.Strike.Took, w.Strike.Why = false, err.Error()
		} else if len(strike.Nodes)+len(strike.Cuts)+len(strike.Hurts) > 0 || strike.late != nil { // if only to keep down who is down already
			p.t.After(max(0, start+f.At+f.For-p.t.Now()), func() { p.finish(ctx, a) })
			return
		}
	}
	p.finish(ctx, a)
}

// finish heals a and reports it; if it cannot be healed, it stays active.
func (p *Player) finish(ctx context.Context, a *activeFault) {
	if p.closed {
		return
	}
	if err := p.heal(ctx, a); err == nil {
		p.report(a)
	}
}

func (p *Player) heal(ctx context.Context, a *activeFault) error {
	if a.window.Healing == 0 { // it may take more than one attempt
		a.window.Healing = p.t.Now()
	}
	return a.heal(ctx)
}

func (p *Player) report(a *activeFault) {
	for i, b := range p.active {
		if a == b {
			p.active = append(p.active[:i:i], p.active[i+1:]...)
			a.window.End = max(a.window.Start, p.t.Now())
			if late := a.window.Strike.late; late != nil {
				late(&a.window.Strike)
			}
			p.done(a.i, a.window)
			return
		}
	}
}

// HealAll ends the schedule: it heals what is still active, reports it, and reports as never struck what had not come
// to strike. Nothing strikes after it. Calling it twice is the same as once. The error says what could not be healed, or
// went wrong between a strike and its healing.
func (p *Player) HealAll(ctx context.Context) error {
	p.closed = true
	errs := p.t.held.errs
	p.t.held.errs = nil
	for _, a := range p.active[:len(p.active):len(p.active)] {
		if !a.struck {
			a.window.Start = p.t.Now()
			a.window.Strike.Why = "the phase ended before it could strike"
		}
		if err := p.heal(ctx, a); err != nil {
			err = fmt.Errorf("healing %s: %w", a.window.Fault, err)
			a.window.Strike.Why = err.Error()
			errs = append(errs, err)
		}
		p.report(a)
	}
	return errors.Join(errs...)
}
