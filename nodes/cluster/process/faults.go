package process

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"faultlab/nodes"
)

func (c *Cluster) member(doing string, id nodes.ID) (*member, error) {
	if m := c.index[id]; m != nil {
		return m, nil
	}
	return nil, fmt.Errorf("process: %s %s: no such node", doing, id)
}

// Kill ends the process of a node and all that it started, with SIGKILL. What it wrote to its folder is there when it
// boots.
func (c *Cluster) Kill(_ context.Context, id nodes.ID) error {
	m, err := c.member("kill", id)
	if err == nil && m.up {
		m.fall()
	}
	return err
}

// Boot starts a node that is down. It is a no-op if the node runs. It does not wait for the node, which is broken if it
// does not answer init in time.
func (c *Cluster) Boot(_ context.Context, id nodes.ID) error {
	m, err := c.member("boot", id)
	if err == nil && !m.up {
		m.start()
	}
	return err
}

// Pause stops a node that runs, and all that it started, with SIGSTOP: until Resume it handles nothing, and nothing
// leaves it. A crash ends the pause.
func (c *Cluster) Pause(_ context.Context, id nodes.ID) error {
	m, err := c.member("pause", id)
	if err != nil || m.child == nil || m.paused {
		return err
	}
	m.paused = true
	m.child.signal(stop)
	return nil
}

// Resume lets a paused node go on.
func (c *Cluster) Resume(_ context.Context, id nodes.ID) error {
	m, err := c.member("resume", id)
	if err != nil || !m.paused {
		return err
	}
	m.paused = false
	m.child.signal(goOn)
	return nil
}

// signal reaches the process, its group, and what it started that has left the group.
func (k *child) signal(s signal) {
	pid := k.cmd.Process.Pid
	signalGroup(pid, s)
	signalStrays(k.mark+"\x00", pid, s)
}

// Wipe empties a node's folder, and the node dies with it.
func (c *Cluster) Wipe(_ context.Context, id nodes.ID) error {
	m, err := c.member("wipe", id)
	if err != nil {
		return err
	}
	m.fall()
	m.own.wiped()
	last, busy := m.last, m.busy
	err = c.Slowly(callPatience, func(ctx context.Context) error {
		if err := await(ctx, last, busy); err != nil {
			return err
		}
		return empty(m.dir)
	})
	if err != nil {
		return fmt.Errorf("process: wipe %s: %w", id, err)
	}
	return nil
}

// await waits until a process is no more, and its folder is at rest.
func await(ctx context.Context, k *child, busy <-chan struct{}) error {
	if k != nil {
		select {
		case <-k.dead:
		case <-ctx.Done():
			return fmt.Errorf("it does not die")
		}
	}
	if busy != nil {
		<-busy
	}
	return nil
}

// empty removes all that a folder holds.
func empty(dir string) error {
	entries, err := os.ReadDir(dir)
	for _, e := range entries {
		if err == nil {
			err = os.RemoveAll(filepath.Join(dir, e.Name()))
		}
	}
	return err
}

// Use makes a node run the program at that path from its next boot on, with the arguments that it had, or the one that it
// ran at first if the path is empty.
func (c *Cluster) Use(_ context.Context, id nodes.ID, path string) error {
	m, err := c.member("use another build for", id)
	if err != nil {
		return err
	}
	if path == "" {
		m.program[0] = c.program[0]
		return nil
	}
	if path, err = filepath.Abs(path); err == nil {
		err = Runnable(path)
	}
	if err != nil {
		return fmt.Errorf("process: upgrade %s: %w", id, err)
	}
	m.program = append([]string{path}, m.program[1:]...)
	return nil
}

// Runnable says why the file of that path is no program that could be run, with an *Unrunnable.
func Runnable(path string) error {
	info, err := os.Stat(path)
	switch {
	case err != nil:
		return &Unrunnable{path, cause(err)}
	case info.IsDir():
		return &Unrunnable{path, fmt.Errorf("it is a folder; a program is wanted")}
	case info.Mode()&0o111 == 0:
		return &Unrunnable{path, fmt.Errorf("it is not executable (chmod +x %s)", path)}
	}
	return nil
}
