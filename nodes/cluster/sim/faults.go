package sim

import (
	"context"
	"fmt"
	"time"

	"faultlab/nodes"
)

func (c *Cluster) member(doing string, id nodes.ID) (*member, error) {
	if i, ok := c.index[id]; ok {
		return c.members[i], nil
	}
	return nil, fmt.Errorf("sim: %s %s: no such node", doing, id)
}

// Kill ends the process of a node. What it wrote is there when it boots; what it had sent and was waiting for an fsync
// never leaves.
func (c *Cluster) Kill(_ context.Context, id nodes.ID) error {
	m, err := c.member("kill", id)
	if err == nil {
		m.die()
	}
	return err
}

// Boot starts a node that is down, as an event of this instant. It is a no-op if the node runs.
func (c *Cluster) Boot(_ context.Context, id nodes.ID) error {
	m, err := c.member("boot", id)
	if err == nil && m.node == nil {
		c.push(c.now, event{kind: bootEvent, node: m.index, gen: m.life})
	}
	return err
}

// Pause freezes a node that runs: until Resume it handles nothing, and nothing leaves it. A crash ends the pause.
func (c *Cluster) Pause(_ context.Context, id nodes.ID) error {
	m, err := c.member("pause", id)
	if err == nil && m.node != nil {
		m.frozen, m.resuming = true, false
	}
	return err
}

// Resume lets a paused node go on, as an event of this instant: it handles all that waited, in order.
func (c *Cluster) Resume(_ context.Context, id nodes.ID) error {
	m, err := c.member("resume", id)
	if err == nil && m.frozen && !m.resuming {
		m.resuming = true
		c.push(c.now, event{kind: resumeEvent, node: m.index})
	}
	return err
}

// PowerLoss kills nodes at one instant, running or not, and takes from their disks what no completed fsync covers: a
// last part of each log, and a snapshot as a whole. It fails, and harms nothing, if one of them does not exist.
func (c *Cluster) PowerLoss(_ context.Context, ids []nodes.ID) error {
	for _, id := range ids {
		if _, err := c.member("power loss of", id); err != nil {
			return err
		}
	}
	for _, id := range ids {
		m := c.members[c.index[id]]
		m.die()
		m.disk.fail()
	}
	return nil
}

// Skew sets a node's clock: it reads offset ahead of true time and from now on runs driftPPM parts per million fast
// (more than -1,000,000, which would be a clock that stands). It outlasts crashes. Timers that wait follow the drift.
func (c *Cluster) Skew(_ context.Context, id nodes.ID, offset time.Duration, driftPPM int) error {
	m, err := c.member("skew", id)
	if err != nil {
		return err
	}
	if driftPPM <= -million || driftPPM > 1000*million {
		return fmt.Errorf("sim: skew %s: a drift of %d ppm is not one of a clock", id, driftPPM)
	}
	m.timers.drift(m, clock{offset: int64(offset), since: c.now, ppm: int64(driftPPM)})
	return nil
}
