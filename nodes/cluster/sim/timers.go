package sim

import "time"

const million = 1_000_000

// A clock is a node's own: true time plus an offset plus what it gained since it began to drift.
type clock struct {
	offset, since int64 // nanoseconds
	ppm           int64
}

// read returns what the clock shows at a true time, in nanoseconds since the epoch.
func (k clock) read(now int64) int64 { return now + k.offset + scale(now-k.since, k.ppm, million) }

// wait returns the true time in which the clock goes on by d.
func (k clock) wait(d int64) int64 { return scale(d, million, million+k.ppm) }

// scale returns d*num/den without overflow where num and den are below a few billion.
func scale(d, num, den int64) int64 { return d/den*num + d%den*num/den }

// timers are the named timers of a node. Each has at most one entry in the queue that counts: setting it later only
// notes the new time, which the entry finds when it comes up, so that a timer that is put off with every message costs
// nothing while it waits.
type timers struct {
	byName map[string]int32
	all    []timer
	spare  []int32 // of all
	idle   int     // in byName and not armed
	gen    uint32  // of the last entry; never goes back, not even in a crash
	last   int32   // set or fired last, and often the next
}

type timer struct {
	name  string
	armed bool
	due   int64
	seq   uint64
	entry int64  // when its entry in the queue comes up
	gen   uint32 // of that entry, 0 if there is none
}

func (t *timers) set(m *member, d time.Duration, name string) {
	i, known := t.find(name)
	if d < 0 {
		if known && t.all[i].armed {
			t.all[i].armed = false
			t.idle++
		}
		return
	}
	if !known {
		i = t.add(name)
	} else if !t.all[i].armed {
		t.idle--
	}
	t.all[i].armed = true
	t.arm(m, i, m.c.now+m.clock.wait(int64(d)))
}

// arm makes an armed timer due at that time.
func (t *timers) arm(m *member, i int32, due int64) {
	x := &t.all[i]
	x.due = due
	if x.gen != 0 && x.entry <= due {
		m.c.seq++
		x.seq = m.c.seq
		return
	}
	t.gen++
	x.gen, x.entry = t.gen, due
	m.c.push(due, event{kind: timerEvent, node: m.index, index: i, gen: t.gen})
	x.seq = m.c.seq
}

// stale says whether an entry that came up, now or before a pause, is not to wake the node; then it is dealt with.
func (t *timers) stale(m *member, top entry, e *event) bool {
	if int(e.index) >= len(t.all) || t.all[e.index].gen != e.gen {
		m.c.queue.release(top.slot)
		return true
	}
	x := &t.all[e.index]
	if !x.armed {
		x.gen = 0
		m.c.queue.release(top.slot)
		return true
	}
	if x.seq != top.seq { // it was set again
		x.entry = x.due
		m.c.queue.repush(entry{x.due, x.seq, top.slot})
		return true
	}
	return false
}

// fire returns the name of a timer that is due, which ends it.
func (t *timers) fire(i int32) string {
	x := &t.all[i]
	x.armed, x.gen = false, 0
	t.idle++
	t.last = i
	return x.name
}

func (t *timers) find(name string) (int32, bool) {
	if int(t.last) < len(t.all) && t.all[t.last].name == name {
		return t.last, true
	}
	i, ok := t.byName[name]
	if ok {
		t.last = i
	}
	return i, ok
}

func (t *timers) add(name string) int32 {
	if t.byName == nil {
		t.byName = map[string]int32{}
	}
	if t.idle > 32 && t.idle > len(t.byName)/2 {
		t.sweep()
	}
	var i int32
	if n := len(t.spare); n > 0 {
		i = t.spare[n-1]
		t.spare = t.spare[:n-1]
		t.all[i] = timer{name: name}
	} else {
		i = int32(len(t.all))
		t.all = append(t.all, timer{name: name})
	}
	t.byName[name] = i
	t.last = i
	return i
}

// sweep forgets the names of timers that do not run, which may have been used once.
func (t *timers) sweep() {
	for i := range t.all {
		if x := &t.all[i]; !x.armed && x.name != "" {
			delete(t.byName, x.name)
			*x = timer{}
			t.spare = append(t.spare, int32(i))
		}
	}
	t.idle = 0
}

// drift gives the node another clock; what its timers still have to wait is counted by that.
func (t *timers) drift(m *member, k clock) {
	old := m.clock
	m.clock = k
	for i := range t.all {
		if x := &t.all[i]; x.armed && old.ppm != k.ppm {
			local := scale(max(x.due-m.c.now, 0), million+old.ppm, million)
			t.arm(m, int32(i), m.c.now+k.wait(local))
		}
	}
}
