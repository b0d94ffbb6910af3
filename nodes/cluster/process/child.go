package process

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"faultlab/nodes"
	"faultlab/nodes/host"
	"faultlab/nodes/wire"
)

// What is kept for one process, or taken from it, at most.
const (
	lineMost   = 16 << 20         // bytes of one line
	lineTime   = 10 * time.Second // for the next MiB of a long line to come
	longLine   = 1 << 20          // from here on a line is long
	longReply  = 4 << 20          // bytes of a reply that is long
	longMost   = 24 << 20         // bytes of its long replies, which the history keeps
	queueLines = 1 << 13          // lines that wait for it to read them; what comes beyond is lost
	queueBytes = 8 << 20
	floodLines = 50_000 // that it writes in a second
	floodBytes = 48 << 20
	unhandled  = 1 << 12 // lines that were read and not handled: beyond, it is not read from

	readMost = 24 << 20 // bytes of long lines that are being read or handled, of all processes

	errLine = 2 << 10 // bytes of a line of standard error that are kept
	errRate = 500     // such lines in a second
	errLast = 8       // such lines that a verdict shows
)

// A child is one process of a node.
type child struct {
	c    *Cluster
	m    *member
	cmd  *exec.Cmd
	mark string // in the environment of all that it starts
	in   *os.File
	out  *os.File
	exit string        // "status 1", once dead
	code int           // the same
	dead chan struct{} // closed when it is no more, and neither is what it started

	mu     sync.Mutex
	queue  [][]byte
	bytes  int
	lost   int
	closed bool
	news   chan struct{}
	taken  atomic.Uint64 // writes that have ended

	behind atomic.Bool   // it may wait for the lab to read what it writes, and so not read itself
	slots  chan struct{} // one for each line that is read and not handled

	errMu sync.Mutex
	last  []string // of standard error

	// Of the goroutine that reads.
	long   int
	inited bool

	// Of the loop.
	mute bool // nothing from it counts
	n    uint64
}

// spawn starts a process of a node, and all that serves it.
func (c *Cluster) spawn(m *member, program []string, mark string) (*child, error) {
	k := &child{c: c, m: m, mark: mark, dead: make(chan struct{}), news: make(chan struct{}, 1), slots: make(chan struct{}, unhandled), n: 2}
	k.cmd = exec.Command(program[0], program[1:]...)
	k.cmd.Dir = m.dir
	k.cmd.Env = append(os.Environ(), markName+"="+mark)
	group(k.cmd)
	var theirs [3]*os.File
	var stderr *os.File
	fail := func(err error) (*child, error) {
		for _, f := range []*os.File{k.in, k.out, stderr, theirs[0], theirs[1], theirs[2]} {
			if f != nil {
				f.Close()
			}
		}
		return nil, err
	}
	var err error
	if theirs[0], k.in, err = os.Pipe(); err != nil {
		return fail(err)
	}
	if k.out, theirs[1], err = os.Pipe(); err != nil {
		return fail(err)
	}
	if stderr, theirs[2], err = os.Pipe(); err != nil {
		return fail(err)
	}
	narrow(k.in)
	k.cmd.Stdin, k.cmd.Stdout, k.cmd.Stderr = theirs[0], theirs[1], theirs[2]
	if err := k.cmd.Start(); err != nil {
		return fail(cause(err))
	}
	for _, f := range theirs {
		f.Close()
	}
	read, heard := make(chan struct{}), make(chan struct{})
	go k.write()
	go func() {
		defer close(read)
		k.read()
	}()
	go func() {
		defer close(heard)
		k.complain(stderr)
	}()
	go k.reap(stderr, read, heard)
	return k, nil
}

// cause is an error of the operating system without the path, which the sentence around it names.
func cause(err error) error {
	if p := (*os.PathError)(nil); errors.As(err, &p) {
		return p.Err
	}
	return err
}

// leftTime is for what a process wrote before it ended to be read.
const leftTime = time.Second

// reap waits for the process to end, and ends all that it started.
func (k *child) reap(stderr *os.File, read, heard <-chan struct{}) {
	state, err := k.cmd.Process.Wait()
	switch {
	case err != nil:
		k.exit, k.code = err.Error(), -1
	default:
		k.exit, k.code = strings.Replace(state.String(), "exit status", "status", 1), state.ExitCode()
	}
	signalGroup(k.cmd.Process.Pid, kill)
	sweep(k.mark + "\x00")
	limit := time.Now().Add(leftTime)
	k.out.SetReadDeadline(limit)
	stderr.SetReadDeadline(limit)
	k.stop()
	close(k.dead)
	<-read
	<-heard
	k.in.Close()
	k.out.Close()
	stderr.Close()
	k.c.Arrive(func() { k.m.ended(k) })
}

// kill ends the process and its group at once, and what left the group soon after.
func (k *child) kill() { signalGroup(k.cmd.Process.Pid, kill) }

// stop lets nothing more be written to it.
func (k *child) stop() {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.closed = true
	k.queue, k.bytes = nil, 0
	k.in.SetWriteDeadline(time.Now())
	k.poke()
}

func (k *child) poke() {
	select {
	case k.news <- struct{}{}:
	default:
	}
}

// send puts a line on its way. It is lost if too many wait.
func (k *child) send(line []byte) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.closed {
		return
	}
	if len(k.queue) >= queueLines || k.bytes+len(line) > queueBytes && len(k.queue) > 0 {
		if k.lost++; k.lost == 1 {
			k.c.spec.Observer.Log(k.c.Now(), k.m.id, fmt.Sprintf("the lab drops lines for it, since %d wait for it to read them", len(k.queue)))
		}
		return
	}
	k.queue = append(k.queue, line)
	k.bytes += len(line)
	k.poke()
}

// say sends a word of the host's protocol.
func (k *child) say(src nodes.ID, n uint64, word any) {
	body, err := host.Protocol().Encode(word)
	if err != nil {
		panic(err)
	}
	k.sayText(src, n, body)
}

func (k *child) sayText(src nodes.ID, n uint64, body []byte) {
	line, err := wire.Message{Src: src, Dest: k.m.id, ID: n, Body: body}.Append(nil)
	if err != nil {
		panic(err)
	}
	k.send(line)
}

// backlog is how many lines wait, and how many writes have ended.
func (k *child) backlog() (waiting int, taken uint64) {
	k.mu.Lock()
	defer k.mu.Unlock()
	return len(k.queue), k.taken.Load()
}

func (k *child) write() {
	var batch []byte
	for range k.news {
		for {
			k.mu.Lock()
			n := 0
			batch = batch[:0]
			for n < len(k.queue) && len(batch)+len(k.queue[n]) <= 1<<16 {
				batch = append(batch, k.queue[n]...)
				n++
			}
			if n == 0 && len(k.queue) > 0 {
				batch, n = append(batch, k.queue[0]...), 1
			}
			closed := k.closed
			k.mu.Unlock()
			if closed {
				return
			}
			if n == 0 {
				break
			}
			if _, err := k.in.Write(batch); err != nil {
				return // it ended, or closed its input: who waits for an answer finds out
			}
			k.taken.Add(1)
			k.mu.Lock()
			if !k.closed {
				for _, line := range k.queue[:n] {
					k.bytes -= len(line)
				}
				clear(k.queue[:n])
				if k.queue = k.queue[n:]; len(k.queue) == 0 {
					k.queue = nil
				}
			}
			k.mu.Unlock()
			if cap(batch) > 1<<20 {
				batch = nil
			}
		}
	}
}

// read hands over each line that the process writes, until it ends or writes what no node may.
func (k *child) read() {
	in := bufio.NewReaderSize(k.out, 1<<16)
	lines, bytes, second := 0, 0, time.Now()
	for {
		text, weight, err := k.line(in)
		if err == nil {
			if now := time.Now(); now.Sub(second) > time.Second {
				lines, bytes, second = 0, 0, now
			}
			lines, bytes = lines+1, bytes+len(text)
			if lines > floodLines || bytes > floodBytes {
				err = &odd{fmt.Sprintf("flooded: it wrote %d lines, %d KiB, within a second", lines, bytes>>10), fmt.Sprintf("at most %d lines and %d MiB", floodLines, floodBytes>>20)}
			}
		}
		var f func()
		if err == nil {
			f, err = k.hear(text)
		}
		k.behind.Store(false)
		if why := (*odd)(nil); errors.As(err, &why) {
			quote := short(text)
			k.c.Arrive(func() { k.m.oddly(k, quote, why) })
		}
		if f == nil {
			k.c.budget.give(weight)
		} else {
			select {
			case k.slots <- struct{}{}:
			default:
				k.behind.Store(true)
				select {
				case k.slots <- struct{}{}:
				case <-k.c.gone:
					return
				}
			}
			k.c.Arrive(func() {
				<-k.slots
				k.c.budget.give(weight)
				if !k.mute {
					f()
				}
			})
		}
		if err != nil {
			return
		}
	}
}

// line reads one line, and what of it weighs on the budget.
func (k *child) line(in *bufio.Reader) (text []byte, weight int, err error) {
	var all []byte
	for {
		before := len(all) / longLine
		text, err = in.ReadSlice('\n')
		if err == nil && all == nil {
			return text, 0, nil
		}
		all = append(all, text...)
		switch {
		case err == nil:
			k.out.SetReadDeadline(time.Time{})
			return all, weight, nil
		case weight > 0 && errors.Is(err, os.ErrDeadlineExceeded):
			select {
			case <-k.dead:
				return nil, weight, err
			default:
			}
			return all, weight, &odd{fmt.Sprintf("began a line of more than %d MiB and did not go on with it for %s", longLine>>20, lineTime), "a line that ends"}
		case !errors.Is(err, bufio.ErrBufferFull):
			return nil, weight, err
		case len(all) > lineMost:
			return all, weight, &odd{fmt.Sprintf("flooded: it wrote a line of more than %d MiB", lineMost>>20), "a shorter one"}
		case len(all)/longLine > before && weight > 0:
			k.out.SetReadDeadline(time.Now().Add(lineTime))
		case len(all) > longLine && weight == 0:
			k.behind.Store(true)
			weight = lineMost
			if !k.c.budget.take(weight) {
				return nil, 0, io.EOF
			}
			all = append(make([]byte, 0, len(all)*2), all...)
			k.out.SetReadDeadline(time.Now().Add(lineTime))
		}
	}
}

// complain keeps what the process writes to standard error, as far as anybody could read it.
func (k *child) complain(from io.Reader) {
	in := bufio.NewReaderSize(from, errLine)
	n, left, second, inside := 0, 0, time.Now(), false
	for {
		text, err := in.ReadSlice('\n')
		line := strings.TrimRight(string(text), "\r\n")
		if line != "" && !inside {
			if now := time.Now(); now.Sub(second) > time.Second {
				if left > 0 {
					k.log(fmt.Sprintf("... %d lines were not kept", left))
				}
				n, left, second = 0, 0, now
			}
			k.errMu.Lock()
			if k.last = append(k.last, line); len(k.last) > keptErr {
				k.last = append(k.last[:0:0], k.last[len(k.last)-keptErr:]...)
			}
			k.errMu.Unlock()
			if n++; n <= errRate {
				k.log(line)
			} else {
				left++
			}
		}
		inside = errors.Is(err, bufio.ErrBufferFull)
		if err != nil && !inside {
			return
		}
	}
}

const keptErr = 64 // lines of standard error, to be searched for what a crash says

func (k *child) log(line string) {
	k.c.Arrive(func() { k.c.spec.Observer.Log(k.c.Now(), k.m.id, line) })
}

// stderrText is the end of what it wrote to standard error.
func (k *child) stderrText() string {
	k.errMu.Lock()
	defer k.errMu.Unlock()
	lines := k.last
	if !k.c.own {
		lines = lines[max(0, len(lines)-errLast):]
		// What Go says of a crash stands before a stack that may be long.
		for _, l := range k.last[:len(k.last)-len(lines)] {
			if strings.HasPrefix(l, "panic: ") || strings.HasPrefix(l, "fatal error: ") {
				lines = append([]string{l}, lines[1:]...)
			}
		}
	}
	out := make([]string, len(lines))
	for i, l := range lines {
		if out[i] = l; len(l) > 2*quoteMost {
			out[i] = l[:2*quoteMost] + "..."
		}
	}
	return strings.Join(out, "\n")
}

// A budget is bytes that several may hold together.
type budget struct {
	mu   sync.Mutex
	free int
	over bool
	more *sync.Cond
}

func (b *budget) init(n int) {
	b.free, b.more = n, sync.NewCond(&b.mu)
}

// take waits for so many bytes; false if there will be none any more.
func (b *budget) take(n int) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	for b.free < n && !b.over {
		b.more.Wait()
	}
	b.free -= n
	return !b.over
}

func (b *budget) give(n int) {
	if n == 0 {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.free += n
	b.more.Broadcast()
}

func (b *budget) close() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.over = true
	b.more.Broadcast()
}
