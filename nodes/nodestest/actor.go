package nodestest

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"time"
	"unicode"

	"faultlab/nodes"
)

// An actor is a node on the stage, through crashes, and its Env.
type actor struct {
	s      *stage
	id     nodes.ID
	rand   *rand.Rand
	node   nodes.Node // nil when down
	booted bool
	why    nodes.Boot
	ahead  time.Duration
	alarms []alarm
	disk   disk
	waits  []func() // what leaves when the disk is done
}

// An alarm is a timer that waits.
type alarm struct {
	name string
	due  time.Duration
	set  int // which, of all that were set: those due at once fire in that order
}

func (a alarm) before(b alarm) bool { return a.due < b.due || a.due == b.due && a.set < b.set }

func (a *actor) start(why nodes.Boot) {
	switch {
	case why == nodes.Replaced:
		a.disk = disk{a: a, slow: a.disk.slow}
	case a.booted:
		why = nodes.Restart
	}
	a.why, a.booted = why, true
	a.node = a.s.system.New(a.s.bug)
	a.node.Start(a)
}

func (a *actor) crash() {
	a.node, a.alarms, a.waits = nil, nil, nil
	a.disk.asked = false
}

// next returns the timer that is due first.
func (a *actor) next() (first alarm, ok bool) {
	for i, x := range a.alarms {
		if i == 0 || x.before(first) {
			first = x
		}
	}
	return first, len(a.alarms) > 0
}

func (a *actor) wake(name string) {
	a.After(-1, name)
	a.node.Wake(a, name)
}

func (a *actor) showTimers() {
	waiting := slices.SortedFunc(slices.Values(a.alarms), func(x, y alarm) int {
		if x.before(y) {
			return -1
		}
		return 1
	})
	for _, x := range waiting {
		a.s.say("%s %s at %s", a.id, x.name, x.due)
	}
}

// leave does something when the disk has done what it was asked.
func (a *actor) leave(do func()) {
	if a.disk.asked {
		a.waits = append(a.waits, do)
		return
	}
	do()
}

func (a *actor) ID() nodes.ID             { return a.id }
func (a *actor) Topology() nodes.Topology { return a.s.topology }
func (a *actor) Now() time.Time           { return time.Unix(0, int64(a.s.now+a.ahead)).UTC() }
func (a *actor) Rand() *rand.Rand         { return a.rand }
func (a *actor) Disk() nodes.Disk         { return &a.disk }
func (a *actor) Boot() nodes.Boot         { return a.why }

func (a *actor) Send(to nodes.ID, body any) { a.leave(func() { a.s.send(a.id, to, body) }) }
func (a *actor) Emit(event any)             { a.leave(func() { a.s.say("%s emits %s", a.id, a.s.show(event)) }) }
func (a *actor) Reached(probe string)       { a.s.say("%s reached %s", a.id, probe) }

func (a *actor) Logf(format string, args ...any) {
	a.s.say("%s logs %s", a.id, fmt.Sprintf(format, args...))
}

func (a *actor) After(d time.Duration, name string) {
	a.alarms = slices.DeleteFunc(a.alarms, func(x alarm) bool { return x.name == name })
	if d >= 0 {
		a.s.sets++
		a.alarms = append(a.alarms, alarm{name, a.s.now + d, a.s.sets})
	}
}

// A disk is done with a Sync at once, or if it is slow when the script says so.
type disk struct {
	a     *actor
	logs  []*log
	slow  bool
	asked bool // a Sync waits for complete
}

// A log is one log as written, as the last Sync will leave it, and as power loss leaves it.
type log struct {
	name                   string
	written, asked, synced version
}

type version struct {
	snapshot []byte
	first    uint64
	records  [][]byte
}

func (d *disk) Log(name string) nodes.Log {
	for _, l := range d.logs {
		if l.name == name {
			return l
		}
	}
	empty := version{first: 1}
	l := &log{name, empty, empty, empty}
	d.logs = append(d.logs, l)
	return l
}

func (d *disk) Sync() {
	for _, l := range d.logs {
		l.asked = l.written
	}
	d.asked = true
	if !d.slow {
		d.complete()
	}
}

func (d *disk) complete() {
	if !d.asked {
		return
	}
	d.asked = false
	for _, l := range d.logs {
		l.synced = l.asked
	}
	waits := d.a.waits
	d.a.waits = nil
	for _, do := range waits {
		do()
	}
}

func (d *disk) fail() {
	for _, l := range d.logs {
		l.written = l.synced
	}
}

func (l *log) Append(rec []byte) uint64 {
	l.written.records = append(slices.Clip(l.written.records), rec)
	return l.written.first + uint64(len(l.written.records)) - 1
}

func (l *log) Snapshot(upTo uint64, data []byte) {
	w := l.written
	if upTo+1 < w.first {
		panic(fmt.Sprintf("snapshot of %s up to %d, and there is one up to %d", l.name, upTo, w.first-1))
	}
	gone := min(upTo+1-w.first, uint64(len(w.records)))
	l.written = version{data, upTo + 1, w.records[gone:]}
}

func (l *log) Read() (snapshot []byte, first uint64, records [][]byte, err error) {
	return l.written.snapshot, l.written.first, slices.Clip(l.written.records), nil
}

// show prints the logs by name. A snapshot that is not durable leaves nothing durable before it.
func (d *disk) show() {
	for _, l := range slices.SortedFunc(slices.Values(d.logs), func(x, y *log) int { return strings.Compare(x.name, y.name) }) {
		var b strings.Builder
		w, durable := l.written, l.synced.first+uint64(len(l.synced.records))
		if l.synced.first != w.first {
			b.WriteString(" |")
			durable = 0
		}
		if w.first > 1 || w.snapshot != nil {
			fmt.Fprintf(&b, " ..%d=%s", w.first-1, printable(w.snapshot))
		}
		for i, r := range w.records {
			number := w.first + uint64(i)
			if number == durable {
				b.WriteString(" |")
			}
			fmt.Fprintf(&b, " %d=%s", number, printable(r))
		}
		d.a.s.say("%s %s:%s", d.a.id, l.name, b.String())
	}
}

// printable shows bytes as text if they are, else in hexadecimal, and not more than a line of them.
func printable(b []byte) string {
	text := string(b)
	if strings.ContainsFunc(text, func(r rune) bool { return !unicode.IsGraphic(r) || r == unicode.ReplacementChar }) {
		text = fmt.Sprintf("%x", b)
	}
	if letters := []rune(text); len(letters) > 60 {
		text = string(letters[:60]) + fmt.Sprintf("...(%d bytes)", len(b))
	}
	return text
}
