package host

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync/atomic"

	"faultlab/nodes"
	"faultlab/nodes/wire"
)

// ErrNoInput is what ends a host on stdio whose input has ended.
var ErrNoInput = errors.New("host: the input has ended")

// stdio is a transport of lines alone: whoever holds its ends carries them between nodes, as Maelstrom does.
type stdio struct {
	in   io.Reader
	out  *writer
	self atomic.Value // nodes.ID
}

// NewStdio returns a transport that reads lines from in and writes lines to out.
func NewStdio(in io.Reader, out io.WriteCloser) Transport { return &stdio{in: in, out: newWriter(out)} }

func (t *stdio) Open(in Inbox, fail func(error)) {
	go func() {
		_, err := readLines(t.in, in, t.out)
		if err == nil {
			err = ErrNoInput
		} else {
			err = fmt.Errorf("host: read: %w", err)
		}
		fail(err)
	}()
}

func (t *stdio) Join(g Group) error {
	t.self.Store(g.Self)
	return nil
}

func (t *stdio) Send(to nodes.ID, body []byte) {
	self, _ := t.self.Load().(nodes.ID)
	line, err := wire.To(self, to, body).Append(nil)
	if err != nil {
		panic(err) // our codec made the body
	}
	t.out.Write(line)
}

func (t *stdio) Harm(list []Harm) error {
	if len(list) > 0 {
		return errors.New("host: on stdio there are no frames: whoever carries the lines can harm them")
	}
	return nil
}

func (t *stdio) Close(ctx context.Context) { t.out.close(ctx) }
