package sim

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"faultlab/nodes"
)

// This file is what disks suffer. A log that is damaged is cut where the damage begins; that it was, its mark tells (see
// logfile.go), so that reading it is an error until a snapshot has replaced all of it.

// noteEvery is how far apart the states are that a log can be rolled back to.
const noteEvery = time.Second

// Damage harms a node's disk, see nodes.Damage. Harm to what is stored is done to a node that is down, and to something
// that had been synced: what the dead process left in the page cache has reached the disk by then.
func (c *Cluster) Damage(_ context.Context, id nodes.ID, d nodes.Damage) (heal func(context.Context) error, err error) {
	m, err := c.member("damage the disk of", id)
	if err != nil {
		return nil, err
	}
	disk := &m.disk
	switch {
	case d.Form.Stored():
		if m.node != nil {
			return nil, fmt.Errorf("sim: damage the disk of %s: it is running, and would not notice", id)
		}
		disk.settle()
		return mended, disk.spoil(d)
	case d.Form == nodes.Full || d.Form == nodes.FailedFsync:
		disk.failing = append(disk.failing, d.Form)
	case d.Form == nodes.SlowFsync && d.Delay > 0:
		disk.slow += d.Delay
	default:
		return nil, fmt.Errorf("sim: damage the disk of %s: there is no damage %q with a delay of %s", id, d.Form, d.Delay)
	}
	healed := false
	return func(context.Context) error {
		switch i := slices.Index(disk.failing, d.Form); {
		case healed:
		case i >= 0:
			disk.failing = slices.Delete(disk.failing, i, i+1)
		default:
			disk.slow -= d.Delay
		}
		healed = true
		return nil
	}, nil
}

// mended is the heal of what cannot be undone.
func mended(context.Context) error { return nil }

// Wipe takes a node's disk, with which the node dies. It boots as nodes.Replaced until something has been synced.
func (c *Cluster) Wipe(_ context.Context, id nodes.ID) error {
	m, err := c.member("wipe", id)
	if err != nil {
		return err
	}
	m.die()
	d := &m.disk
	d.settle()
	d.logs, d.byName = nil, map[string]*log{}
	m.wiped = m.booted
	return nil
}

// stop ends a node whose disk failed an fsync. What no completed one covers may be lost.
func (m *member) stop(why nodes.DamageForm) {
	if m.node != nil && m.c.spec.Observer != nil {
		m.c.spec.Observer.Log(m.c.Now(), m.id, "stopped: an fsync failed, the disk is "+map[nodes.DamageForm]string{nodes.Full: "full", nodes.FailedFsync: "failing"}[why])
	}
	m.die()
	m.disk.fail()
}

// settle makes durable what a dead process wrote, and ends the fsync that runs.
func (d *disk) settle() {
	d.failures++
	d.done = d.begun
	d.dirty, d.flushed = d.dirty[:0], d.flushed[:0]
	for _, l := range d.logs {
		l.synced, l.next, l.dirty = l.written, version{}, false
	}
}

// note keeps what is synced, now and then, for a rollback.
func (l *log) note() {
	if now := l.d.m.c.now; now-l.notedAt >= int64(noteEvery) {
		l.notedAt = now
		l.earlier, l.kept = l.kept, l.synced
	}
}

// frames is how many things of a version can be damaged: its snapshot and its records.
func (v version) frames() int {
	n := len(v.records)
	if v.snapshot != nil {
		n++
	}
	return n
}

// cut is a version of which frames from n on are gone.
func (v version) cut(n int) version {
	if v.snapshot == nil {
		n++
	}
	if n == 0 {
		return version{first: 1, damaged: true}
	}
	return version{snapshot: v.snapshot, first: v.first, records: slices.Clip(v.records[:n-1]), damaged: true}
}

// spoil does a damage to what is stored.
func (d *disk) spoil(how nodes.Damage) error {
	draw := rand.New(nodes.Generator(how.Seed, "damage to "+string(d.m.id)))
	var able, grown []*log
	for _, l := range d.logs {
		if l.synced.frames() > 0 {
			able = append(able, l)
			if l.earlier.first > 0 && (l.earlier.first != l.synced.first || len(l.earlier.records) != len(l.synced.records)) {
				grown = append(grown, l)
			}
		}
	}
	if how.Form == nodes.Rollback && len(grown) > 0 {
		able = grown
	}
	if len(able) == 0 {
		return fmt.Errorf("sim: damage the disk of %s: nothing on it can be harmed by %s", d.m.id, how.Form)
	}
	l := able[draw.IntN(len(able))]
	n := l.synced.frames()
	switch how.Form {
	case nodes.BitFlip, nodes.Truncate:
		l.spoiled(l.synced.cut(draw.IntN(n)))
	case nodes.Torn:
		l.spoiled(l.synced.cut(n - 1))
	case nodes.Misdirect: // one write is not where it should be, and what it was written over is gone
		l.spoiled(l.synced.cut(draw.IntN(n)))
		if over := able[draw.IntN(len(able))]; over.synced.frames() > 0 {
			over.spoiled(over.synced.cut(draw.IntN(over.synced.frames())))
		}
	case nodes.Rollback:
		back := version{first: 1} // a while ago, if not lately, it was empty
		if len(grown) > 0 {
			back = l.earlier
		}
		back.damaged = true
		l.spoiled(back)
	}
	return nil
}

func (l *log) spoiled(v version) {
	l.written, l.synced = v, v
	l.earlier, l.kept = version{}, version{}
}
