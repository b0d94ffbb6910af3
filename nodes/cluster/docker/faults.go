package docker

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"slices"
	"strings"
	"time"

	"faultlab/nodes"
	"faultlab/nodes/cluster/docker/holder"
	"faultlab/nodes/host"
)

func (c *Cluster) member(doing string, id nodes.ID) (*member, error) {
	if m := c.index[id]; m != nil {
		return m, nil
	}
	return nil, fmt.Errorf("docker: %s %s: no such node", doing, id)
}

// fall notes that a node is about to die. What it said before is still heard.
func (m *member) fall() {
	if m.up && m.c.Now()-m.booted > settled {
		m.boot = nodes.Restart
	}
	m.up, m.paused, m.line = false, false, nil
}

// settled is how long a new member under an old name must run until it has surely synced something of its own. If it
// dies before, its disk is taken again: then it is the same whether it had.
const settled = 2 * time.Second

// Kill ends the process of a node. What it wrote is there when it boots; what it had sent and was waiting for an fsync
// never leaves.
func (c *Cluster) Kill(ctx context.Context, id nodes.ID) error {
	return c.KillAll(ctx, []nodes.ID{id})
}

// KillAll is Kill of each of these nodes, side by side.
func (c *Cluster) KillAll(_ context.Context, ids []nodes.ID) error {
	var all []*member
	for _, id := range ids {
		m, err := c.member("kill", id)
		if err != nil {
			return err
		}
		if m.up {
			m.fall()
			all = append(all, m)
		}
	}
	if len(all) == 0 {
		return nil
	}
	return c.slowly("kill "+names(all), func(ctx context.Context) error {
		return together(all, func(m *member) error { return c.engine.kill(ctx, m.pair.node) })
	})
}

// Boot starts a node that is down, and returns when it has answered. It is a no-op if the node runs.
func (c *Cluster) Boot(ctx context.Context, id nodes.ID) error {
	return c.BootAll(ctx, []nodes.ID{id})
}

// BootAll is Boot of each of these nodes, side by side. One that does not boot keeps no other from it.
func (c *Cluster) BootAll(_ context.Context, ids []nodes.ID) error {
	var all []*member
	for _, id := range ids {
		m, err := c.member("boot", id)
		if err == nil {
			err = c.settle(m)
		}
		if err != nil {
			return err
		}
		if !m.up && !slices.Contains(all, m) {
			all = append(all, m)
		}
	}
	if len(all) == 0 {
		return nil
	}
	rises := map[*member]func(context.Context) error{}
	lines := map[*member]**line{}
	for _, m := range all {
		l := new(*line)
		lines[m], rises[m] = l, c.rise(m, l)
	}
	err := c.slowly("boot "+names(all), func(ctx context.Context) error {
		return together(all, func(m *member) error { return rises[m](ctx) })
	})
	for _, m := range all {
		l := *lines[m]
		if l == nil {
			continue
		}
		m.up, m.line, m.booted = true, l, c.Now()
		delete(c.dark, m.id)
		select {
		case <-l.dead: // it is gone already, and lost was told when nobody asked
			m.lost(l)
		default:
		}
	}
	return err
}

// settle waits until it is known whether a node runs: if its connection broke, it may have died.
func (c *Cluster) settle(m *member) error {
	broken := func() bool {
		if !m.up || m.paused || m.line == nil {
			return m.up && !m.paused
		}
		select {
		case <-m.line.dead:
			return true
		default:
			return false
		}
	}
	for tries := 0; broken(); tries++ {
		if tries*int(settleEvery) > int(bootPatience) {
			return fmt.Errorf("docker: boot %s: it is not known whether it runs", m.id)
		}
		if err := c.slowly("look whether "+string(m.id)+" runs", func(context.Context) error { time.Sleep(settleEvery); return nil }); err != nil {
			return err
		}
	}
	return nil
}

const settleEvery = 20 * time.Millisecond

// rise is what a boot of one node does outside of the loop, as things are now: in the end it has a line to the node.
func (c *Cluster) rise(m *member, line **line) func(context.Context) error {
	boot, ctl, busy, image := m.boot, m.wanted(), m.busy, m.image
	return func(ctx context.Context) (err error) {
		if busy != nil {
			select {
			case <-busy:
			case <-ctx.Done():
			}
		}
		if err := c.engine.kill(ctx, m.pair.node); err != nil { // one that broke may not be gone yet
			return err
		}
		if boot == nodes.Replaced {
			if _, err := m.holder.Do(ctx, holder.Request{Wipe: true}); err != nil {
				return err
			}
		}
		if image == m.started {
			err = c.engine.boot(ctx, m.pair.node)
		} else {
			err = c.renew(ctx, m, image)
		}
		if err != nil {
			return err
		}
		l, err := m.join(ctx, boot, ctl)
		if err == nil {
			*line = l
		}
		return err
	}
}

// names are those of some members, for a message.
func names(all []*member) string {
	var ids []string
	for _, m := range all {
		ids = append(ids, string(m.id))
	}
	return strings.Join(ids, ", ")
}

// Pause freezes a node that runs: until Resume it handles nothing, and nothing leaves it. A crash ends the pause.
func (c *Cluster) Pause(_ context.Context, id nodes.ID) error {
	m, err := c.member("pause", id)
	if err != nil || !m.up || m.paused {
		return err
	}
	m.paused = true
	return c.slowly("pause "+string(id), func(ctx context.Context) error { return c.engine.pause(ctx, m.pair.node) })
}

// Resume lets a paused node go on, and returns when it has answered.
func (c *Cluster) Resume(_ context.Context, id nodes.ID) error {
	m, err := c.member("resume", id)
	if err != nil || !m.paused {
		return err
	}
	l := m.line
	err = c.slowly("resume "+string(id), func(ctx context.Context) error {
		if err := c.engine.unpause(ctx, m.pair.node); err != nil {
			return err
		}
		return m.apply(ctx, l, false, host.Ctl{})
	})
	if err != nil {
		return err
	}
	m.paused = false
	if m.line == nil && m.up { // its connection ended while it could not be looked at
		m.lost(nil)
	}
	return nil
}

// PowerLoss ends nodes at one instant, running or not, and takes from their disks what no completed fsync covers. First
// nothing from them counts any more, then they are killed, then their disks lose it. It fails, and harms nothing, if
// one of them does not exist.
func (c *Cluster) PowerLoss(_ context.Context, ids []nodes.ID) error {
	hit := map[nodes.ID]bool{}
	var all []*member
	for _, id := range ids {
		m, err := c.member("power loss of", id)
		if err != nil {
			return err
		}
		if !hit[id] {
			all = append(all, m)
		}
		hit[id] = true
	}
	cut := &harm{quality: nodes.Quality{Cut: true}}
	for _, m := range all {
		c.dark[m.id] = true
		for _, other := range c.members {
			if other != m {
				cut.links = append(cut.links, nodes.Link{From: m.id, To: other.id})
				if !hit[other.id] {
					cut.links = append(cut.links, nodes.Link{From: other.id, To: m.id})
				}
			}
		}
	}
	var errs []error
	if c.can.Cut {
		c.harms = append(c.harms, cut)
		errs = append(errs, c.harm("cut what loses power", nil))
	}
	seeds := map[*member]uint64{}
	for _, m := range all {
		m.fall()
		m.tears++
		seeds[m] = tearSeed(c.spec.Seed, m.id, m.tears)
	}
	errs = append(errs, c.slowly("power loss", func(ctx context.Context) error {
		return together(all, func(m *member) error {
			if err := c.engine.kill(ctx, m.pair.node); err != nil {
				return fmt.Errorf("kill %s: %w", m.id, err)
			}
			if m.busy != nil {
				<-m.busy
			}
			_, err := m.holder.Do(ctx, holder.Request{Tear: ptr(seeds[m])})
			return err
		})
	}))
	if c.can.Cut {
		errs = append(errs, c.mend(cut))
	}
	return errors.Join(errs...)
}

// tearSeed is what the loss of the nth power loss of a node is drawn from.
func tearSeed(seed uint64, id nodes.ID, n uint64) uint64 {
	h := fnv.New64a()
	fmt.Fprintf(h, "%d power loss %d of %s", seed, n, id)
	return h.Sum64()
}

// Skew sets a node's clock: it reads offset ahead of true time and from now on runs driftPPM parts per million fast. It
// outlasts crashes.
func (c *Cluster) Skew(_ context.Context, id nodes.ID, offset time.Duration, driftPPM int) error {
	m, err := c.member("skew", id)
	if err != nil {
		return err
	}
	m.skew = host.Skew{Offset: int64(offset), DriftPPM: int64(driftPPM), Since: time.Now().UnixNano()}
	return c.tell("set the clock of "+string(id), m, host.Ctl{Skew: ptr(m.skew)})
}

// tell tells one node what it suffers from.
func (c *Cluster) tell(what string, m *member, ctl host.Ctl) error {
	l, paused := m.line, m.paused
	if l == nil {
		return nil
	}
	return c.slowly(what, func(ctx context.Context) error { return m.apply(ctx, l, paused, ctl) })
}
