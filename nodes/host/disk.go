package host

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"sync"
	"syscall"
	"time"

	"faultlab/nodes"
)

// ErrDamaged is the cause of an error about a log of which something that had been synced cannot be read.
var ErrDamaged = errors.New("damaged where it had been synced")

// A disk is a node's logs, as files of a folder, and the fsyncs that cover them all. One fsync runs at a time, on a
// goroutine; whoever asks meanwhile shares the next. Each has a number, and a message sent after a Sync waits for the
// number that the Sync will be done with.
//
// Within one call of the node, what it appends is gathered; settle writes it, before anything that the node sent can
// leave. So to everyone else a node that is killed died before the call or after it.
type disk struct {
	dir    string
	limit  func() // called before each act of the node
	logs   map[string]*log
	synced marks
	marker *marker
	dirty  []*log // written since the last fsync began
	faults DiskFaults
	err    error // of the first thing that failed; from then on nothing is done

	begun, done uint64 // fsyncs
	running     bool   // the last one that began is not done
	wanted      bool   // another is to begin
	barrier     uint64 // what is sent now waits for this fsync
	results     chan error
	next        marks // when the fsync that runs is done
}

// A log is the current generation of one log. Earlier ones stay until an fsync covers it.
type log struct {
	d    *disk
	stem string
	salt uint32

	gen    uint64
	file   *os.File
	size   int64  // of the file, with what is gathered
	buf    []byte // gathered
	first  uint64
	frames []int64 // where the frame of each record begins
	bad    int64   // where something that had been synced is damaged; -1 if nothing is

	old   []generation
	fresh bool // its file's name is not durable
	dirty bool
}

type generation struct {
	file *os.File
	name string
}

// openDisk reads what a folder holds, and cuts torn tails.
func openDisk(dir string, faults DiskFaults) (*disk, error) {
	d := &disk{
		dir: dir, limit: func() {}, logs: map[string]*log{}, faults: faults, results: make(chan error, 1),
	}
	if faults.IOError {
		return nil, fmt.Errorf("host: disk: read %s: %w", dir, syscall.EIO)
	}
	found, err := generations(dir)
	if err != nil {
		return nil, fmt.Errorf("host: disk: %w", err)
	}
	known, number, err := readMarks(dir)
	lost := errors.Is(err, errMarks)
	if err != nil && !lost {
		return nil, fmt.Errorf("host: disk: %w", err)
	}
	for stem := range known {
		if _, there := found[stem]; !there {
			found[stem] = nil
		}
	}
	d.synced = marks{}
	for _, stem := range slices.Sorted(maps.Keys(found)) {
		m, marked := known[stem]
		if !marked {
			m = mark{bad: -1}
		}
		l, err := d.open(stem, found[stem], m)
		if err != nil {
			return nil, fmt.Errorf("host: disk: %w", err)
		}
		if lost && l.bad < 0 { // nobody knows how much there should be
			l.bad = l.size
		}
		d.logs[stem] = l
		if marked || l.bad >= 0 {
			if m.gen == l.gen {
				m.bad = l.bad
			}
			d.synced[stem] = m
		}
		if lost {
			d.synced[stem] = mark{l.gen, l.size, l.bad}
		}
		if l.fresh || l.size > d.synced[stem].size {
			l.soil()
		}
	}
	if d.marker, err = openMarker(dir, d.synced, number); err != nil {
		return nil, fmt.Errorf("host: disk: %w", err)
	}
	return d, nil
}

// open finds the generation of a log that counts: the highest, or if that was not synced and is not whole, the one that
// was. All others are deleted, lower ones once the higher is durable.
func (d *disk) open(stem string, gens []uint64, m mark) (*log, error) {
	l := &log{d: d, stem: stem, salt: salt(stem), first: 1, bad: -1}
	for _, gen := range slices.Backward(gens) {
		if gen < m.gen || l.file != nil {
			name := logName(d.dir, stem, gen)
			if l.gen == m.gen && gen < m.gen {
				if err := os.Remove(name); err != nil {
					return nil, err
				}
				continue
			}
			l.old = append(l.old, generation{nil, name})
			continue
		}
		if err := l.load(gen, m, len(gens) > 1 && gen > max(m.gen, gens[0])); err != nil {
			return nil, err
		}
	}
	if l.file == nil { // what was synced is gone
		if err := l.create(max(m.gen, 1)); err != nil {
			return nil, err
		}
		l.bad = 0
		if m.gen == 0 {
			l.bad = -1
		}
	}
	return l, nil
}

// load reads a generation. One that may be a snapshot under way is deleted if it does not begin with one.
func (l *log) load(gen uint64, m mark, pending bool) error {
	name := logName(l.d.dir, l.stem, gen)
	content, err := os.ReadFile(name)
	if err != nil {
		return err
	}
	size, bad := int64(0), int64(-1)
	if gen == m.gen {
		size, bad = m.size, m.bad
	}
	if bad >= 0 {
		content = content[:min(bad, int64(len(content)))]
	}
	c := scan(content, l.salt)
	if pending && c.snapshot == nil {
		return os.Remove(name)
	}
	if l.file, err = os.OpenFile(name, os.O_RDWR, 0); err != nil {
		return err
	}
	l.gen, l.first, l.frames, l.bad, l.fresh = gen, c.first, c.frames, bad, gen != m.gen
	info, err := l.file.Stat()
	if err != nil {
		return err
	}
	l.size = info.Size()
	if bad < 0 && c.end < size {
		l.bad = c.end
	}
	if l.bad < 0 && c.end < l.size {
		l.size = c.end
		return l.file.Truncate(c.end)
	}
	return nil
}

func (l *log) create(gen uint64) error {
	file, err := os.OpenFile(logName(l.d.dir, l.stem, gen), os.O_RDWR|os.O_CREATE|os.O_TRUNC, 0o666)
	if err != nil {
		return err
	}
	l.gen, l.file, l.fresh = gen, file, true
	return nil
}

// Log implements nodes.Disk.
func (d *disk) Log(name string) nodes.Log {
	stem := stemOf(name)
	l := d.logs[stem]
	if l == nil {
		d.limit()
		l = &log{d: d, stem: stem, salt: salt(stem), first: 1, bad: -1}
		d.logs[stem] = l
		if d.err == nil {
			d.fail("create a log", l.create(1))
		}
	}
	return l
}

// Sync implements nodes.Disk.
func (d *disk) Sync() {
	d.limit()
	d.sync()
}

func (d *disk) sync() {
	if len(d.dirty) == 0 {
		d.barrier = d.begun
		return
	}
	d.wanted = true
	d.barrier = d.begun + 1
}

// fail notes that something could not be done; a nil error is none.
func (d *disk) fail(doing string, err error) {
	if err != nil && d.err == nil {
		d.err = fmt.Errorf("host: disk: %s: %w", doing, err)
	}
}

// settle ends a call of the node: what it gathered is written, and an fsync begins if one is wanted and none runs.
func (d *disk) settle() {
	d.flush()
	if d.wanted && !d.running && d.err == nil {
		d.begin()
	}
}

func (d *disk) flush() {
	for _, l := range d.dirty {
		l.flush()
	}
}

func (l *log) flush() {
	d := l.d
	if len(l.buf) == 0 || d.err != nil {
		return
	}
	switch {
	case d.faults.IOError:
		d.fail("write "+l.file.Name(), syscall.EIO)
		return
	case d.faults.Full:
		d.fail("write "+l.file.Name(), syscall.ENOSPC)
		return
	}
	_, err := l.file.WriteAt(l.buf, l.size-int64(len(l.buf)))
	d.fail("write", err)
	if cap(l.buf) > 1<<20 {
		l.buf = nil
	}
	l.buf = l.buf[:0]
}

// A job is one fsync.
type job struct {
	dir    string
	names  bool // the names of files are to be made durable too
	files  []*os.File
	mark   func() error
	remove []generation
	fail   bool
	slow   time.Duration
}

func (d *disk) begin() {
	d.wanted, d.running = false, true
	d.begun++
	d.next = maps.Clone(d.synced)
	j := job{dir: d.dir, fail: d.faults.FailSync, slow: time.Duration(d.faults.Slow)}
	for _, l := range d.dirty {
		l.dirty = false
		j.files = append(j.files, l.file)
		j.names = j.names || l.fresh
		j.remove = append(j.remove, l.old...)
		l.fresh, l.old = false, nil
		d.next[l.stem] = mark{l.gen, l.size, l.bad}
	}
	d.dirty = d.dirty[:0]
	next := d.next
	j.mark = func() error { return d.marker.write(next) }
	go func() { d.results <- j.do() }()
}

func (j job) do() error {
	if j.slow > 0 {
		time.Sleep(j.slow)
	}
	if j.fail {
		return syscall.EIO
	}
	errs := make([]error, len(j.files))
	var all sync.WaitGroup
	for i, f := range j.files[1:] {
		all.Go(func() { errs[i+1] = f.Sync() })
	}
	errs[0] = j.files[0].Sync()
	all.Wait()
	if err := errors.Join(errs...); err != nil {
		return err
	}
	if j.names {
		if err := syncDir(j.dir); err != nil {
			return err
		}
	}
	if err := j.mark(); err != nil {
		return err
	}
	for _, g := range j.remove {
		if g.file != nil {
			g.file.Close()
		}
		if err := os.Remove(g.name); err != nil {
			return err
		}
	}
	return nil
}

// complete ends the fsync that ran.
func (d *disk) complete(err error) {
	d.running = false
	d.fail("fsync", err)
	if d.err == nil {
		d.done, d.synced = d.begun, d.next
	}
}

// close ends the use of the folder. An fsync that runs is awaited.
func (d *disk) close() {
	if d.running {
		d.complete(<-d.results)
	}
	for _, l := range d.logs {
		l.file.Close()
		for _, g := range l.old {
			if g.file != nil {
				g.file.Close()
			}
		}
	}
	d.marker.file.Close()
}

// Append implements nodes.Log.
func (l *log) Append(rec []byte) uint64 {
	l.d.limit()
	l.soil()
	number := l.first + uint64(len(l.frames))
	l.frames = append(l.frames, l.size)
	if len(rec) > dataSizeMax {
		l.d.fail("append", fmt.Errorf("a record of %d bytes", len(rec)))
		return number
	}
	before := len(l.buf)
	l.buf = appendFrame(l.buf, l.salt, 'r', number, rec)
	l.size += int64(len(l.buf) - before)
	return number
}

// Snapshot implements nodes.Log. It is a new generation, which has its name once it is whole.
func (l *log) Snapshot(upTo uint64, data []byte) {
	d := l.d
	d.limit()
	if upTo+1 < l.first {
		panic(fmt.Sprintf("snapshot of %s up to %d, and there is one up to %d", l.stem, upTo, l.first-1))
	}
	l.soil()
	d.flush() // of all logs, so that a kill keeps what came before
	if d.err != nil {
		return
	}
	d.fail("snapshot", l.replace(upTo, data))
}

func (l *log) replace(upTo uint64, data []byte) error {
	if len(data) > dataSizeMax {
		return fmt.Errorf("one of %d bytes", len(data))
	}
	if l.d.faults.Full {
		return syscall.ENOSPC
	}
	gone := int(min(upTo+1-l.first, uint64(len(l.frames))))
	head := appendFrame(nil, l.salt, 's', upTo, data)
	rest, err := l.tail(gone)
	if err != nil {
		return err
	}
	name := logName(l.d.dir, l.stem, l.gen+1)
	file, err := os.OpenFile(name+tmpSuffix, os.O_RDWR|os.O_CREATE|os.O_TRUNC, 0o666)
	if err != nil {
		return err
	}
	_, err = file.Write(append(head, rest...))
	if err == nil {
		err = os.Rename(name+tmpSuffix, name)
	}
	if err != nil {
		file.Close()
		return err
	}
	l.old = append(l.old, generation{l.file, logName(l.d.dir, l.stem, l.gen)})
	at := int64(frameSize + len(data))
	frames := make([]int64, 0, len(l.frames)-gone)
	for len(rest) > 0 {
		frames = append(frames, at)
		n := frameSize + int(binary.LittleEndian.Uint32(rest))
		at, rest = at+int64(n), rest[n:]
	}
	l.gen, l.file, l.size, l.first, l.frames, l.bad, l.fresh = l.gen+1, file, at, upTo+1, frames, -1, true
	return nil
}

// tail reads the frames of all records but the first so many, as they stand in the file. Of a damaged log some may lie
// before the damage, and others may have been appended behind it.
func (l *log) tail(gone int) ([]byte, error) {
	rest := l.frames[gone:]
	behind := 0
	for behind < len(rest) && rest[behind] < l.bad {
		behind++
	}
	var frames []byte
	if behind > 0 {
		before, err := l.read(rest[0], l.bad)
		if err != nil {
			return nil, err
		}
		frames, rest = before, rest[behind:]
	}
	if len(rest) == 0 {
		return frames, nil
	}
	after, err := l.read(rest[0], l.size)
	return append(frames, after...), err
}

func (l *log) read(from, to int64) ([]byte, error) {
	if l.d.faults.IOError {
		return nil, syscall.EIO
	}
	b := make([]byte, to-from)
	n, err := l.file.ReadAt(b, from)
	if n == len(b) || errors.Is(err, io.EOF) {
		return b[:n], nil
	}
	return nil, err
}

// Read implements nodes.Log.
func (l *log) Read() (snapshot []byte, first uint64, records [][]byte, err error) {
	d := l.d
	d.limit()
	l.flush()
	to := l.size
	if l.bad >= 0 {
		to = min(to, l.bad)
	}
	var file []byte
	if d.err == nil {
		file, err = l.read(0, to)
		d.fail("read "+l.file.Name(), err)
	}
	if d.err != nil {
		return nil, l.first, nil, d.err
	}
	c := scan(file, l.salt)
	if l.bad >= 0 || c.end < to {
		err = fmt.Errorf("host: disk: log %s at byte %d: %w", l.stem, c.end, ErrDamaged)
	}
	return c.snapshot, c.first, c.records, err
}

func (l *log) soil() {
	if !l.dirty {
		l.dirty = true
		l.d.dirty = append(l.d.dirty, l)
	}
}
