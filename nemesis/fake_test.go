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
	refuse string // calls that begin so fail
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
		Now: func() time.Duration { return c.now },
	}
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
	if len(c.down)+len(c.frozen)+len(c.skews)+c.harms == 0 {
		return ""
	}
	return fmt.Sprintf("down %v, frozen %v, skewed %v, %d harms to links", c.down, c.frozen, c.skews, c.harms)
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
	healed := false
	return func(context.Context) error {
		if !healed {
			healed = true
			c.harms--
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
	return g
}
