package sim

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"faultlab/nodes"
)

// fsyncTime is how long a disk takes to make durable what was written before it began.
const fsyncTime = 500 * time.Microsecond

// A disk is a node's logs and the fsyncs that cover them all. One runs at a time; whoever asks meanwhile shares the
// next. Each has a number, and a message sent after a Sync waits for the number that the Sync will be done with.
type disk struct {
	m       *member
	tear    *rand.PCG
	logs    []*log // in the order of first use
	byName  map[string]*log
	dirty   []*log // written since the last fsync began
	flushed []*log // covered by the one that runs

	begun, done uint64 // fsyncs; one runs if they differ
	wanted      bool   // another begins when this one ends
	barrier     uint64 // what is sent now waits for this fsync
	failures    uint32 // of power; an fsync from before one never ends

	failing []nodes.DamageForm // why an fsync fails, if it does; see damage.go
	slow    time.Duration      // added to every fsync
}

// A log is one log in three ages: as written, as the fsync that runs will leave it, and as power loss leaves it.
type log struct {
	d                     *disk
	name                  string
	dirty                 bool
	written, next, synced version
	earlier, kept         version // what was synced a while ago, noted at notedAt and once before: see damage.go
	notedAt               int64
}

// A version is what a log holds. Versions share records, which are only ever added after the end of the longest.
type version struct {
	snapshot []byte
	first    uint64
	records  [][]byte
	damaged  bool // what followed had been synced, and is gone
}

func (v version) end() uint64 { return v.first + uint64(len(v.records)) }

func (d *disk) init(m *member, tear *rand.PCG) { d.m, d.tear, d.byName = m, tear, map[string]*log{} }

func (d *disk) Log(name string) nodes.Log {
	l := d.byName[name]
	if l == nil {
		d.m.limit()
		l = &log{d: d, name: name, written: version{first: 1}, synced: version{first: 1}}
		d.byName[name] = l
		d.logs = append(d.logs, l)
	}
	return l
}

func (d *disk) Sync() {
	if !d.m.acting() {
		return
	}
	d.m.limit()
	switch {
	case len(d.dirty) == 0:
		d.barrier = d.begun
	case d.begun == d.done:
		d.begin()
		d.barrier = d.begun
	default:
		d.wanted = true
		d.barrier = d.begun + 1
	}
}

func (d *disk) begin() {
	d.begun++
	d.dirty, d.flushed = d.flushed[:0], d.dirty
	for _, l := range d.flushed {
		l.next, l.dirty = l.written, false
	}
	d.m.c.push(d.m.c.now+int64(fsyncTime+d.slow), event{kind: fsyncEvent, node: d.m.index, gen: d.failures})
}

// complete ends the fsync that runs, unless the power failed since it began.
func (d *disk) complete(failures uint32) {
	if failures != d.failures {
		return
	}
	d.m.c.handled++
	if len(d.failing) > 0 {
		d.m.stop(d.failing[0])
		return
	}
	d.done = d.begun
	d.m.wiped = false
	for _, l := range d.flushed {
		l.synced, l.next = l.next, version{}
		l.note()
	}
	if d.wanted {
		d.wanted = false
		d.begin()
	}
	d.m.flush()
}

// forget drops what a process that died had asked of the disk. An fsync that runs is the kernel's, and goes on.
func (d *disk) forget() { d.wanted, d.barrier = false, 0 }

// fail is power loss: of what no completed fsync covers, each log keeps some first part. Half the time that is nothing.
func (d *disk) fail() {
	d.failures++
	d.done = d.begun
	d.dirty, d.flushed = d.dirty[:0], d.flushed[:0]
	for _, l := range d.logs {
		kept := l.synced
		kept.records = slices.Clip(kept.records)
		if w := l.written; w.first <= kept.end() && kept.end() < w.end() {
			loose := w.records[kept.end()-w.first:]
			keep := 0
			if below(d.tear, 2) == 1 {
				keep = int(below(d.tear, int64(len(loose))+1))
			}
			kept.records = append(kept.records, loose[:keep]...)
		}
		l.written, l.next, l.synced, l.dirty = kept, version{}, kept, false
	}
}

func (l *log) Append(rec []byte) uint64 {
	if !l.d.m.acting() {
		return l.written.end()
	}
	l.d.m.limit()
	l.soil()
	l.written.records = append(l.written.records, rec)
	return l.written.end() - 1
}

func (l *log) Snapshot(upTo uint64, data []byte) {
	if !l.d.m.acting() {
		return
	}
	l.d.m.limit()
	w := &l.written
	if upTo+1 < w.first {
		panic(fmt.Sprintf("snapshot of %s up to %d, and there is one up to %d", l.name, upTo, w.first-1))
	}
	l.soil()
	end := w.end()
	gone := min(upTo+1-w.first, uint64(len(w.records)))
	rest := w.records[gone:]
	if gone >= uint64(len(rest)) {
		rest = slices.Clone(rest) // or the records gone would stay in memory
	}
	*w = version{snapshot: data, first: upTo + 1, records: rest, damaged: w.damaged && upTo+1 < end}
}

func (l *log) Read() (snapshot []byte, first uint64, records [][]byte, err error) {
	w := l.written
	if w.damaged {
		err = fmt.Errorf("log %s: from record %d on: %w", l.name, w.end(), ErrDamaged)
	}
	return w.snapshot, w.first, slices.Clip(w.records), err
}

func (l *log) soil() {
	if !l.dirty {
		l.dirty = true
		l.d.dirty = append(l.d.dirty, l)
	}
}
