package host

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"io"
	"sync"

	"faultlab/nodes/wire"
)

const (
	lineMax   = 64 << 20 // bytes of one line
	unreadMax = 64 << 20 // bytes that a reader may be behind, before it is given up
)

// A writer is a Line onto a stream. What is given to it leaves on a goroutine, so that one that does not read stalls
// nobody.
type writer struct {
	to    io.WriteCloser
	mu    sync.Mutex
	wait  []byte
	over  bool
	poke  chan struct{}
	ended chan struct{} // all that leaves has left
}

func newWriter(to io.WriteCloser) *writer {
	w := &writer{to: to, poke: make(chan struct{}, 1), ended: make(chan struct{})}
	go w.run()
	return w
}

// Write implements Line.
func (w *writer) Write(line []byte) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.over {
		return false
	}
	if len(w.wait)+len(line) > unreadMax {
		w.over = true
		w.to.Close()
		w.nudge()
		return false
	}
	w.wait = append(w.wait, line...)
	w.nudge()
	return true
}

func (w *writer) nudge() {
	select {
	case w.poke <- struct{}{}:
	default:
	}
}

func (w *writer) run() {
	defer close(w.ended)
	var spare []byte
	for range w.poke {
		w.mu.Lock()
		out, over := w.wait, w.over
		w.wait = spare[:0]
		w.mu.Unlock()
		if len(out) > 0 {
			if _, err := w.to.Write(out); err != nil {
				w.end()
				return
			}
		}
		if over {
			return
		}
		if spare = out; cap(spare) > 1<<20 {
			spare = nil
		}
	}
}

// end takes no more lines; those it has still leave.
func (w *writer) end() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.over = true
	w.nudge()
}

// close ends it, and waits for what it has to leave unless ctx ends first.
func (w *writer) close(ctx context.Context) {
	w.end()
	select {
	case <-w.ended:
	case <-ctx.Done():
	}
	w.to.Close()
}

// readLines hands over each line that is a message, and answers one that is none. It returns when there are no more, and
// says whether any was from the lab.
func readLines(from io.Reader, in Inbox, back Line) (lab bool, err error) {
	s := bufio.NewScanner(from)
	s.Buffer(make([]byte, 1<<16), lineMax)
	for s.Scan() {
		line := bytes.TrimSpace(s.Bytes())
		if len(line) == 0 {
			continue
		}
		m, err := wire.ReadMessage(line)
		if err != nil {
			text, _ := json.Marshal(err.Error())
			back.Write([]byte(`{"src":"","dest":"","body":{"type":"error","code":12,"text":` + string(text) + "}}\n"))
			continue
		}
		lab = lab || m.Src == Lab
		in.Message(m, back)
	}
	return lab, s.Err()
}
