package labs

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"slices"
	"time"

	"faultlab/checker/history"
	"faultlab/nodes"
)

const (
	slice     = 100 * time.Millisecond // how far the loop runs before it looks whether it is to stop
	finalMax  = 30 * time.Second       // for the final reads: what is not read by then will not be
	patience  = time.Second            // the deadline of a Request that names none
	pause     = 100 * time.Millisecond // before a final read that did not succeed is followed by the next
	brokenMax = 100                    // a cluster that broke so often is not run on
	logsMax   = 4000                   // lines kept of each node, the last ones
)

// Do does one run: it draws the schedule, starts a cluster, warms it up, loads it while the nemesis strikes, heals
// everything, loads it in calm, reads everything back and judges what came of it. The same lab and options give the
// same run, to the byte, on a runtime that is deterministic.
//
// When ctx ends the load stops, faults are healed, and what was recorded is judged; that is no error, see Run.Stopped.
// A node that does not even boot ends the run before it began. An error means that there is no run: bad options, a
// schedule that the runtime cannot do (see nemesis), or a runtime that failed in a way that is not its nodes' fault.
func Do(ctx context.Context, lab Lab, o Options) (*Run, error) {
	o = o.filled(lab)
	topology, err := lab.Topology(o.Nodes)
	if err != nil {
		return nil, &Invalid{err}
	}
	o.Nodes = len(topology.Members)
	e := &engine{lab: lab, o: o, h: &history.History{}, logs: map[nodes.ID]*tail{}, wishes: map[string]int{}}
	e.run = &Run{Lab: lab.Name, Options: o, Topology: topology, History: e.h, Reached: map[string]int{}, Logs: map[nodes.ID][]string{}}
	for _, m := range topology.Members {
		e.h.Members = append(e.h.Members, history.Member{ID: string(m.ID), Region: m.Region, Zone: m.Zone})
	}
	began := time.Now()
	e.cluster, err = o.Start(nodes.Spec{System: lab.System, Bug: o.Bug, Topology: topology, Seed: o.Seed, Observer: e, Recode: o.Recode, Program: o.Program})
	if broken := (*nodes.Broken)(nil); errors.As(err, &broken) {
		e.run.Broken = append(e.run.Broken, broken)
		return e.judged()
	}
	if err != nil {
		return nil, err
	}
	defer e.close()
	if e.run.Schedule, e.run.Skipped, err = schedule(lab, o, lab.ground(topology, o), e.cluster); err != nil {
		return nil, err
	}
	e.work = lab.Workload(topology, generator(o.Seed, "workload"))
	e.employ()
	if o.Requests != nil {
		some := e.clients[0].Client
		some.Number, some.Rand = 1, generator(o.Seed, "script")
		like, _ := e.work.Next(&some, history.WarmUp)
		s := newScript(o.Requests, like)
		e.work = s
		for _, c := range e.clients {
			c.scripted, c.script = true, s.due(c.ID)
		}
	}
	if err := e.live(ctx, lab.phases(o, time.Since(began))); err != nil {
		return nil, err
	}
	if err := e.close(); err != nil {
		return nil, fmt.Errorf("close the cluster: %w", err)
	}
	return e.judged()
}

// judged judges what was recorded, of a cluster that is closed or never was whole.
func (e *engine) judged() (run *Run, err error) {
	for _, id := range e.run.Topology.IDs() {
		if t := e.logs[id]; t != nil {
			e.run.Logs[id] = t.lines()
		}
	}
	if e.o.foreign() {
		return e.run, e.run.judgeLoaded(e.lab)
	}
	e.run.Judge(e.lab)
	return e.run, nil
}

// filled returns the options with the lab's defaults, or the engine's own, where they say nothing.
func (o Options) filled(lab Lab) Options {
	fill := func(v *int, defaults ...int) {
		for _, d := range defaults {
			if *v <= 0 {
				*v = d
			}
		}
	}
	fill(&o.Rate, lab.Defaults.Rate, 200)
	fill(&o.Clients, lab.Defaults.Clients, 12)
	if o.Time <= 0 {
		o.Time = time.Minute
	}
	if len(o.Nemesis) == 0 {
		o.Nemesis = []string{"all"}
		if o.Plan != nil {
			o.Nemesis = []string{planned}
		}
	}
	return o
}

// generator returns the generator of one concern of a run. One more draw from it changes no other.
func generator(seed uint64, concern string) *rand.Rand {
	h := fnv.New64a()
	h.Write([]byte(concern))
	return rand.New(rand.NewPCG(seed, h.Sum64()))
}

// An engine is a run being made. Everything in it belongs to the cluster's event loop.
type engine struct {
	lab     Lab
	o       Options
	cluster Cluster
	work    Workload
	clients []*client
	run     *Run
	h       *history.History
	logs    map[nodes.ID]*tail
	phase   history.Phase
	loading bool
	closed  bool
	wishes  map[string]int // operations asked for so far, by name and group
}

// live leads the cluster through its phases.
func (e *engine) live(ctx context.Context, p phases) error {
	end := p.calm
	e.h.Ops = make([]history.Op, 0, min(e.o.Rate*int(p.end/time.Second), 1<<17))
	e.phase, e.loading = history.WarmUp, true
	for _, c := range e.clients {
		c.start()
	}
	if err := e.until(ctx, p.warm, end); err != nil {
		return err
	}
	e.phase = history.Safety
	// What must be undone is undone even when the run is interrupted.
	steady := context.WithoutCancel(ctx)
	strikes := e.unleash(steady)
	if err := e.until(ctx, p.safety, end); err != nil {
		return err
	}
	var err error
	if e.h.Windows, err = strikes.heal(steady); err != nil {
		return err
	}
	e.h.Healed = e.cluster.Now()
	e.phase = history.Recovery
	if err := e.calm(ctx, e.h.Healed+p.calm-p.safety, end); err != nil {
		return err
	}
	e.loading = false
	last := e.cluster.Now() + patience
	for _, c := range e.clients {
		if c.busy {
			last = max(last, c.giveUp)
		}
	}
	if err := e.quiet(ctx, last-e.cluster.Now(), end); err != nil {
		return err
	}
	if ctx.Err() == nil && !e.wrecked() {
		e.phase = history.Final
		for _, c := range e.clients {
			if c.busy { // by a clock that is not exact, or a script that lags: it reads when that is done
				c.reading, c.owed = true, 0
				continue
			}
			c.read()
		}
		if err := e.quiet(ctx, min(finalMax, p.end-e.cluster.Now()), end); err != nil {
			return err
		}
	}
	e.run.Stopped = ctx.Err() != nil
	for _, c := range e.clients {
		c.abandon()
	}
	e.h.End = e.cluster.Now()
	if c, counts := e.cluster.(Carrier); counts && e.lab.Traffic != nil {
		e.h.Events = append(e.h.Events, history.Event{At: e.h.End, Event: e.lab.Traffic(c.Carried())})
	}
	if c, ok := e.cluster.(interface{ Stalls() [][2]time.Duration }); ok {
		for _, s := range c.Stalls() {
			e.h.Stalls = append(e.h.Stalls, history.Stall{Start: s[0], End: s[1]})
		}
	}
	return nil
}

// until runs the cluster to that time, or until ctx ends or the cluster is wrecked.
func (e *engine) until(ctx context.Context, to, end time.Duration) error {
	for now := e.cluster.Now(); now < to && ctx.Err() == nil && !e.wrecked(); now = e.cluster.Now() {
		if err := e.step(min(now+slice, to), end); err != nil {
			return err
		}
	}
	return nil
}

// calm runs the cluster to that time, or until a workload that can tell has seen enough.
func (e *engine) calm(ctx context.Context, to, end time.Duration) error {
	s, tells := e.work.(Settler)
	if !tells {
		return e.until(ctx, to, end)
	}
	for now := e.cluster.Now(); now < to && ctx.Err() == nil && len(e.run.Broken) == 0 && !s.Settled(); now = e.cluster.Now() {
		if err := e.step(min(now+slice, to), end); err != nil {
			return err
		}
	}
	return nil
}

// quiet runs the cluster until no client has anything under way or to do, for so long at most.
func (e *engine) quiet(ctx context.Context, atMost, end time.Duration) error {
	ended := ctx.Err() != nil // an interrupted run is given the time to hear its last replies
	to := e.cluster.Now() + atMost
	idle := func() bool {
		return !slices.ContainsFunc(e.clients, func(c *client) bool { return c.busy || c.reading })
	}
	for now := e.cluster.Now(); now < to && !idle() && (ended || ctx.Err() == nil) && !e.wrecked(); now = e.cluster.Now() {
		if err := e.step(min(now+slice, to), end); err != nil {
			return err
		}
	}
	return nil
}

// step runs the cluster to that time. Nodes that break are noted, and the others run on.
func (e *engine) step(to, end time.Duration) error {
	for {
		err := e.cluster.Run(to)
		if broken := (*nodes.Broken)(nil); errors.As(err, &broken) {
			e.run.Broken = append(e.run.Broken, broken)
			if e.wrecked() {
				return nil
			}
			if e.cluster.Now() < to {
				continue
			}
		} else if err != nil {
			return err
		}
		if e.o.Tick != nil {
			e.o.Tick(e.cluster.Now(), max(end, e.cluster.Now()), len(e.h.Ops))
		}
		return nil
	}
}

// wrecked says that the cluster broke so often that the run ends here, to be judged.
func (e *engine) wrecked() bool { return e.run.wrecked() }

func (e *engine) close() error {
	if e.closed {
		return nil
	}
	e.closed, e.run.Cluster = true, e.cluster
	return e.cluster.Close()
}

// Event, Reached and Log make the engine the observer of its cluster.
func (e *engine) Event(at time.Duration, node nodes.ID, event any) {
	e.h.Events = append(e.h.Events, history.Event{At: at, Node: string(node), Event: event})
}

// Reached counts a probe.
func (e *engine) Reached(_ nodes.ID, probe string) { e.run.Reached[probe]++ }

// Log keeps the last lines of each node.
func (e *engine) Log(at time.Duration, node nodes.ID, line string) {
	t := e.logs[node]
	if t == nil {
		t = &tail{}
		e.logs[node] = t
	}
	t.add(logLine{at, line})
}

// A tail is the last lines of a log.
type tail struct {
	kept []logLine
	n    int // how many there were
}

type logLine struct {
	at   time.Duration
	text string
}

func (t *tail) add(l logLine) {
	if len(t.kept) < logsMax {
		t.kept = append(t.kept, l)
	} else {
		t.kept[t.n%logsMax] = l
	}
	t.n++
}

// lines returns what was kept, each with its time in seconds.
func (t *tail) lines() []string {
	var out []string
	if t.n > logsMax {
		out = append(out, fmt.Sprintf("... %d earlier lines were not kept", t.n-logsMax))
	}
	for i := range t.kept {
		l := t.kept[(t.n+i)%len(t.kept)]
		out = append(out, fmt.Sprintf("%d.%06d %s", l.at/time.Second, l.at%time.Second/time.Microsecond, l.text))
	}
	return out
}
