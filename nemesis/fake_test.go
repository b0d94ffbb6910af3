package nemesis

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"faultlab/nodes"
)

// A fake is a cluster that can do everything and only writes down what is done to it, on an event loop of its own.
type fake struct {
	now    time.Duration
	queue  []fakeEvent
	lines  []string
	down   map[nodes.ID]bool
	frozen map[nodes.ID]bool
	skews  map[nodes.ID]string
	harms  int
	roles  map[string][]nodes.ID
	refuse string        // calls that begin so fail
	takes  time.Duration // how long it takes to harm links, and to mend them

	ailing  int      // disks that fail until they are healed
	done    []string // operations that were not undone
	crashed int      // clients that are harmed
}

type fakeEvent struct {
	at time.Duration
	f  func()
}

func newFake() *fake {
	return &fake{down: map[nodes.ID]bool{}, frozen: map[nodes.ID]bool{}, skews: map[nodes.ID]string{}, roles: map[string][]nodes.ID{}}
}

func (c *fake) target() Target {
	return Target{
		Cluster: c,
		Resolve: func(role string) []nodes.ID { return c.roles[role] },
		After: func(d time.Duration, f func()) {
			at := c.now + d
			i := slices.IndexFunc(c.queue, func(e fakeEvent) bool { return e.at > at })
			if i < 0 {
				i = len(c.queue)
			}
			c.queue = slices.Insert(c.queue, i, fakeEvent{at, f})
		},
		Now:     func() time.Duration { return c.now },
		Operate: c.operate,
		Clients: c,
	}
}

func (c *fake) operate(f Fault, undo bool, done func(string)) {
	what := fmt.Sprintf("%s %s %s", f.Form, join(f.Nodes), f.Group)
	if undo {
		c.done = slices.DeleteFunc(c.done, func(d string) bool { return d == what })
		c.does("undo %s", what)
	} else {
		c.done = append(c.done, what)
		c.does("%s", what)
	}
	done("")
}

func (c *fake) Crash(near []nodes.ID) ([]nodes.ID, func())     { return c.harm("crash", near) }
func (c *fake) Duplicate(near []nodes.ID) ([]nodes.ID, func()) { return c.harm("duplicate", near) }

func (c *fake) harm(what string, near []nodes.ID) ([]nodes.ID, func()) {
	c.crashed++
	c.does("%s clients near %s", what, join(near))
	healed := false
	return []nodes.ID{"c1"}, func() {
		if !healed {
			healed = true
			c.crashed--
		}
	}
}

func (c *fake) Damage(_ context.Context, id nodes.ID, d nodes.Damage) (func(context.Context) error, error) {
	if err := c.does("damage %s %s", id, d.Form); err != nil {
		return nil, err
	}
	if d.Form.Stored() {
		if !c.down[id] {
			return nil, errors.New("it runs")
		}
		return nothing, nil
	}
	c.ailing++
	if d.Form != nodes.SlowFsync {
		c.down[id] = true
	}
	healed := false
	return func(context.Context) error {
		if !healed {
			healed = true
			c.ailing--
		}
		return nil
	}, nil
}

func (c *fake) Wipe(_ context.Context, id nodes.ID) error {
	c.down[id] = true
	delete(c.frozen, id)
	return c.does("wipe %s", id)
}

func (c *fake) Use(_ context.Context, id nodes.ID, path string) error {
	return c.does("use %s %s", id, path)
}

func (c *fake) run(until time.Duration) {
	for len(c.queue) > 0 && c.queue[0].at <= until {
		e := c.queue[0]
		c.queue = c.queue[1:]
		c.now = e.at
		e.f()
	}
	c.now = until
}

func (c *fake) does(format string, args ...any) error {
	line := fmt.Sprintf(format, args...)
	if c.refuse != "" && strings.HasPrefix(line, c.refuse) {
		return errors.New(line + ": refused")
	}
	c.lines = append(c.lines, fmt.Sprintf("%v %s", c.now, line))
	return nil
}

// harmless says what harm is left, "" if none.
func (c *fake) harmless() string {
	if len(c.down)+len(c.frozen)+len(c.skews)+c.harms+c.ailing+len(c.done)+c.crashed == 0 {
		return ""
	}
	return fmt.Sprintf("down %v, frozen %v, skewed %v, %d harms to links, %d ailing disks, %v done, %d clients harmed", c.down, c.frozen, c.skews, c.harms, c.ailing, c.done, c.crashed)
}

func (c *fake) Degrade(_ context.Context, links []nodes.Link, q nodes.Quality) (func(context.Context) error, error) {
	verb := "harm"
	if q.Cut {
		verb = "cut"
	}
	var ends []string
	for _, l := range links {
		ends = append(ends, string(l.From)+">"+string(l.To))
	}
	err := c.does("%s %s", verb, strings.Join(ends, " "))
	if err != nil {
		return nil, err
	}
	c.harms++
	c.now += c.takes
	healed := false
	return func(context.Context) error {
		if !healed {
			healed = true
			c.harms--
			c.now += c.takes
			return c.does("mend")
		}
		return nil
	}, nil
}

func (c *fake) Kill(_ context.Context, id nodes.ID) error {
	c.down[id] = true
	delete(c.frozen, id)
	return c.does("kill %s", id)
}

func (c *fake) Boot(_ context.Context, id nodes.ID) error {
	if !c.down[id] {
		return nil
	}
	if err := c.does("boot %s", id); err != nil {
		return err
	}
	delete(c.down, id)
	return nil
}

func (c *fake) Pause(_ context.Context, id nodes.ID) error {
	c.frozen[id] = true
	return c.does("pause %s", id)
}

func (c *fake) Resume(_ context.Context, id nodes.ID) error {
	if !c.frozen[id] {
		return nil
	}
	delete(c.frozen, id)
	return c.does("resume %s", id)
}

func (c *fake) PowerLoss(_ context.Context, ids []nodes.ID) error {
	for _, id := range ids {
		c.down[id] = true
		delete(c.frozen, id)
	}
	return c.does("power-loss %s", join(ids))
}

func (c *fake) Skew(_ context.Context, id nodes.ID, offset time.Duration, driftPPM int) error {
	delete(c.skews, id)
	if offset != 0 || driftPPM != 0 {
		c.skews[id] = fmt.Sprint(offset, driftPPM)
	}
	return c.does("skew %s %v %d", id, offset, driftPPM)
}

// nine is three regions of three, with a group in each and one that spans them.
func nine() Ground {
	g := Ground{Roles: []string{"leader of A1", "leader of B1", "coordinator"}}
	for _, region := range []string{"A", "B", "C"} {
		var group []nodes.ID
		for i := 1; i <= 3; i++ {
			id := nodes.ID(fmt.Sprintf("%s%d", strings.ToLower(region), i))
			g.Topology.Members = append(g.Topology.Members, nodes.Member{ID: id, Region: region, Zone: fmt.Sprintf("%s-%d", region, i)})
			group = append(group, id)
		}
		g.Groups = append(g.Groups, group)
	}
	g.Groups = append(g.Groups, []nodes.ID{"a1", "b1", "c1"})
	for _, o := range []Operation{{Kind: "ops", Name: "split"}, {Kind: "membership", Name: "add"}, {Kind: "membership", Name: "remove"}, {Kind: "membership", Name: "replace"}} {
		for _, group := range g.Groups {
			o.Aims = append(o.Aims, Aim{Group: "G" + string(group[0]), Nodes: group[:1]})
		}
		g.Operations = append(g.Operations, o)
	}
	return g
}
