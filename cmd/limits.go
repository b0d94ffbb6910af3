package cmd

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"runtime/metrics"
	"time"

	"github.com/docker/go-units"
	"github.com/spf13/cobra"
)

// limits bound what judging a file may take: by the clock and by memory, so that on another machine the verdict may be
// unknown, and here it is not. A run is never judged with them.
type limits struct {
	time   time.Duration
	memory size
}

func (l *limits) flags(c *cobra.Command) {
	c.Flags().DurationVar(&l.time, "time-limit", 0, "the longest `time` for a file, as 30s; what is not decided by then is unknown; 0: no limit")
	c.Flags().Var(&l.memory, "memory-limit", "the most memory (`size`), as 2GiB; what needs more is unknown; 0: no limit")
}

// check says what is wrong with what was typed.
func (l *limits) check() error {
	if l.time < 0 {
		return badly("--time-limit %s: it must be at least 0", l.time)
	}
	return nil
}

// size is a number of bytes.
type size int64

func (s *size) String() string { return units.BytesSize(float64(*s)) }
func (s *size) Type() string   { return "size" }

func (s *size) Set(text string) error {
	n, err := units.RAMInBytes(text)
	if err == nil && n < 0 {
		err = errors.New("it is below 0")
	}
	*s = size(n)
	return err
}

// grace is how long work that was told to end may go on before nobody waits for it any more.
const grace = time.Second

// patience is how often the memory in use is looked at.
const patience = 20 * time.Millisecond

// within calls do with a context that ends where a limit is reached, with a cause that names it, or with parent. It
// returns that cause where do has not returned a moment later.
func (l *limits) within(parent context.Context, do func(ctx context.Context)) error {
	ctx, stop := context.WithCancelCause(context.WithoutCancel(parent))
	defer stop(nil)
	defer context.AfterFunc(parent, func() { stop(errors.New("interrupted before it was decided")) })()
	if l.time > 0 {
		timer := time.AfterFunc(l.time, func() { stop(fmt.Errorf("not decided within the time limit of %s", l.time)) })
		defer timer.Stop()
	}
	if l.memory > 0 {
		// The collector works harder near its own limit, so that what lies above ours is in use.
		defer debug.SetMemoryLimit(debug.SetMemoryLimit(int64(l.memory) * 9 / 10))
		ticker := time.NewTicker(patience)
		defer ticker.Stop()
		go func() {
			for {
				select {
				case <-ctx.Done():
					return
				case <-ticker.C:
					if inUse() > uint64(l.memory) {
						stop(fmt.Errorf("not decided within the memory limit of %s", l.memory.String()))
					}
				}
			}
		}()
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		do(ctx)
	}()
	select {
	case <-done:
		return nil
	case <-ctx.Done():
	}
	select {
	case <-done:
		return nil
	case <-time.After(grace):
		return context.Cause(ctx)
	}
}

// inUse is the memory that this process has from the system, in bytes.
func inUse() uint64 {
	s := []metrics.Sample{{Name: "/memory/classes/total:bytes"}, {Name: "/memory/classes/heap/released:bytes"}}
	metrics.Read(s)
	return s[0].Value.Uint64() - s[1].Value.Uint64()
}
