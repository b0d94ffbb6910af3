package docker

import (
	"context"
	"fmt"
	"time"

	"faultlab/nodes"
	"faultlab/nodes/cluster/docker/holder"
	"faultlab/nodes/host"
)

// Damage harms the disk of a node: what is stored, if the node is down, by its holder; how it works, by the node itself,
// until heal.
func (c *Cluster) Damage(_ context.Context, id nodes.ID, d nodes.Damage) (heal func(context.Context) error, err error) {
	m, err := c.member("damage the disk of", id)
	if err != nil {
		return nil, err
	}
	nothing := func(context.Context) error { return nil }
	if d.Form.Stored() {
		if m.up {
			return nil, fmt.Errorf("docker: damage the disk of %s: it runs, and would not notice", id)
		}
		busy := m.busy
		return nothing, c.slowly("damage the disk of "+string(id), func(ctx context.Context) error {
			if busy != nil {
				<-busy
			}
			_, err := m.holder.Do(ctx, holder.Request{Damage: &holder.Damage{Kind: string(d.Form), Seed: d.Seed}})
			return err
		})
	}
	tell := func() error { return c.tell("harm the disk of "+string(id), m, host.Ctl{Disk: ptr(m.disk)}) }
	set := func(on bool) error {
		switch d.Form {
		case nodes.Full:
			m.disk.Full = on
		case nodes.FailedFsync:
			m.disk.FailSync = on
		case nodes.SlowFsync:
			if on {
				m.disk.Slow += int64(d.Delay)
			} else {
				m.disk.Slow -= int64(d.Delay)
			}
		default:
			return fmt.Errorf("docker: damage the disk of %s: no form %q", id, d.Form)
		}
		return tell()
	}
	healed := false
	return func(context.Context) error {
		if healed { // what is wanted is known; that it is told twice does no harm
			return tell()
		}
		healed = true
		m.mended = max(c.Now(), 1)
		return set(false)
	}, set(true)
}

// saveEvery is how often the files of a node are copied, for a rollback to bring back.
const saveEvery = 5 * time.Second

// save keeps a copy of a node's files, again and again.
func (m *member) save() {
	c := m.c
	c.After(saveEvery, m.save)
	if !m.up || m.paused {
		return
	}
	go func() {
		ctx, cancel := context.WithTimeout(context.Background(), callPatience)
		defer cancel()
		m.holder.Do(ctx, holder.Request{Save: true}) // a rollback without a copy says so
	}()
}

// Wipe takes a node's disk, and with it the node. It comes back as a new member under the old name.
func (c *Cluster) Wipe(_ context.Context, id nodes.ID) error {
	m, err := c.member("wipe", id)
	if err != nil {
		return err
	}
	m.fall()
	m.boot = nodes.Replaced
	busy := m.busy
	return c.slowly("wipe "+string(id), func(ctx context.Context) error {
		if err := c.engine.kill(ctx, m.pair.node); err != nil {
			return err
		}
		if busy != nil {
			<-busy
		}
		_, err := m.holder.Do(ctx, holder.Request{Wipe: true})
		return err
	})
}
