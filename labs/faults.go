package labs

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"time"

	"faultlab/checker/history"
	"faultlab/nemesis"
	"faultlab/nodes"
)

// Unsupported is the error of a run that its runtime, or this machine, cannot do.
type Unsupported struct{ Why string }

func (u *Unsupported) Error() string { return u.Why }

// Invalid is the error of options that no run could be made with.
type Invalid struct{ Err error }

func (i *Invalid) Error() string { return i.Err.Error() }
func (i *Invalid) Unwrap() error { return i.Err }

// schedule draws what is to be done to the cluster, or takes the plan for it. skipped says what of the lab's own list
// cannot be done here.
func schedule(lab Lab, o Options, g nemesis.Ground, cluster any) (s nemesis.Schedule, skipped []string, err error) {
	if o.Plan != nil {
		if err := o.Plan.Validate(g, o.Time); err != nil {
			return nil, nil, &Invalid{err}
		}
		for _, f := range o.Plan {
			if why := f.Refused(cluster, g); why != "" {
				return nil, nil, &Unsupported{f.Kind + ": " + why}
			}
		}
		if _, why := doable(o.Plan, cluster); len(why) > 0 {
			return nil, nil, &Unsupported{strings.Join(why, "; ")}
		}
		return o.Plan, nil, nil
	}
	specs, named := o.Nemesis, false
	var unasked []string
	switch strings.Join(specs, ",") {
	case "none":
		return nil, nil, nil
	case "all":
		specs, unasked = o.asked(lab.Faults)
	case "swarm":
		specs, unasked = o.asked(nemesis.Swarm(generator(o.Seed, "swarm"), lab.Faults))
	default:
		named = true
	}
	for _, spec := range specs {
		if _, _, err := nemesis.Parse(spec); err != nil {
			return nil, nil, &Invalid{err}
		}
	}
	s, skipped = nemesis.Draw(generator(o.Seed, "nemesis"), g, specs, o.Time, cluster)
	s, why := doable(s, cluster)
	skipped = append(append(unasked, skipped...), why...)
	if named && len(skipped) > 0 {
		return nil, nil, &Unsupported{strings.Join(skipped, "; ")}
	}
	return s, skipped, nil
}

// asked parts a lab's list of faults in those that are drawn unasked, and sentences on the others: whether the nodes of an
// image know an operation of the lab's own system is for whoever made the image to say.
func (o Options) asked(specs []string) (some, skipped []string) {
	for _, spec := range specs {
		if kind, _, _ := strings.Cut(spec, ":"); o.foreign() && (kind == "ops" || kind == "membership") {
			skipped = append(skipped, spec+": it is asked of nodes that somebody else made by its name alone, if they know it")
		} else {
			some = append(some, spec)
		}
	}
	return some, skipped
}

// doable returns the faults of s without those whose harm to links the machine that a cluster runs on cannot do, and
// why not. What is left is as it would be on another machine.
func doable(s nemesis.Schedule, cluster any) (left nemesis.Schedule, skipped []string) {
	c, ok := cluster.(interface {
		Refuses(links []nodes.Link, q nodes.Quality) string
	})
	if !ok {
		return s, nil
	}
	for _, f := range s {
		q := nodes.Quality{Cut: true}
		if f.Quality != nil {
			q = *f.Quality
		}
		if why := c.Refuses(f.Links, q); why == "" {
			left = append(left, f)
		} else if why = faultName(f.Kind, f.Form) + ": " + why; !slices.Contains(skipped, why) {
			skipped = append(skipped, why)
		}
	}
	return left, skipped
}

// ground is what the nemesis draws over. Nobody says who has a role in nodes that somebody else made.
func (lab Lab) ground(t nodes.Topology, o Options) nemesis.Ground {
	g := nemesis.Ground{Topology: t}
	if lab.Ground != nil {
		g = lab.Ground(t)
	}
	if g.Beyond = o.Beyond; o.foreign() {
		g.Roles = nil
	}
	for _, o := range lab.Operations {
		g.Operations = append(g.Operations, nemesis.Operation{Kind: o.Kind, Name: o.Name, Aims: o.Aims(t)})
	}
	return g
}

// Plan draws the schedule that Do would play, or takes the one of the options, and starts nothing that runs.
func Plan(lab Lab, o Options) (s nemesis.Schedule, skipped []string, err error) {
	o = o.filled(lab)
	topology, err := lab.Topology(o.Nodes)
	if err != nil {
		return nil, nil, &Invalid{err}
	}
	cluster, err := o.Start(nodes.Spec{System: lab.System, Bug: o.Bug, Topology: topology, Seed: o.Seed, Program: o.Program})
	if err != nil {
		return nil, nil, err
	}
	defer cluster.Close()
	return schedule(lab, o, lab.ground(topology, o), cluster)
}

// strikes are the schedule at work.
type strikes struct {
	player  *nemesis.Player
	windows []history.Window
}

// unleash begins the schedule, whose times count from now.
func (e *engine) unleash(ctx context.Context) *strikes {
	s := &strikes{}
	e.run.Struck = make([][]nodes.ID, len(e.run.Schedule))
	target := nemesis.Target{Cluster: e.cluster, After: e.cluster.After, Now: e.cluster.Now}
	if e.lab.Resolve != nil {
		target.Resolve = func(role string) []nodes.ID { return e.lab.Resolve(e.h, role) }
	}
	target.Operate, target.Clients = e.operate, crowd{e}
	s.player = nemesis.Play(ctx, target, e.run.Schedule, e.cluster.Now(), func(i int, w nemesis.Window) {
		e.run.Struck[i] = w.Strike.Nodes
		s.windows = append(s.windows, history.Window{
			Kind: w.Fault.Kind, Form: w.Fault.Form, Start: w.Start, End: w.End,
			Nodes: names(w.Strike.Nodes), Down: names(w.Strike.Down), Cuts: links(w.Strike.Cuts), Hurts: links(w.Strike.Hurts),
			Role: w.Fault.Role, Took: w.Strike.Took, Why: w.Strike.Why,
			Struck: unless(w.Start, w.Struck), Healing: unless(w.End, w.Healing),
		})
	})
	return s
}

// unless returns at, or 0 if it is the moment that it is by default.
func unless(byDefault, at time.Duration) time.Duration {
	if at == byDefault {
		return 0
	}
	return at
}

// heal undoes all that is still done, and returns the windows of all faults, in the order of time.
func (s *strikes) heal(ctx context.Context) ([]history.Window, error) {
	err := s.player.HealAll(ctx)
	slices.SortStableFunc(s.windows, func(a, b history.Window) int { return cmp.Compare(a.Start, b.Start) })
	return s.windows, err
}

// Resolved returns the schedule with each role replaced by those who had it in this run, and without the faults whose
// role nobody had. It is not nil.
func (run *Run) Resolved() nemesis.Schedule {
	s := nemesis.Schedule{}
	for i, f := range run.Schedule {
		if f.Role != "" && len(f.Nodes) == 0 {
			if i >= len(run.Struck) || len(run.Struck[i]) == 0 {
				continue
			}
			f.Nodes = run.Struck[i]
		}
		s = append(s, f)
	}
	return s
}

func names(ids []nodes.ID) []string {
	var out []string
	for _, id := range ids {
		out = append(out, string(id))
	}
	return out
}

func links(ls []nodes.Link) []history.Link {
	var out []history.Link
	for _, l := range ls {
		out = append(out, history.Link{From: string(l.From), To: string(l.To)})
	}
	return out
}

// covers says whether a list of kinds, some with a form, holds that of a fault.
func covers(list []string, f nemesis.Fault) bool { return slices.ContainsFunc(list, f.Is) }

func faultName(kind, form string) string {
	if form == "" {
		return kind
	}
	return kind + ":" + form
}
