package process

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"faultlab/nodes/host"
)

// How much of a node's folder is kept in memory from the end of a run to its being saved, at most.
const (
	ownMost    = 256 << 20 // bytes of one of our own nodes
	theirsMost = 2 << 20   // bytes of a program of anybody's, which may have written anything
	filesMost  = 1000
)

// A stored is a file: its name below the node's folder, and what is in it.
type stored struct {
	name string
	text []byte
}

// keepDisks reads what dead nodes left in their folders. Of one that cannot be read, or is too large, the node's log says
// so: that alone is no reason to lose a run.
func (c *Cluster) keepDisks() {
	for _, m := range c.members {
		if m.last == nil { // it never ran
			continue
		}
		var err error
		if m.kept, err = keep(m.dir, c.own); err != nil {
			c.spec.Observer.Log(c.Now(), m.id, fmt.Sprintf("not all of its folder could be saved: %v", err))
		}
	}
}

func keep(dir string, own bool) (all []stored, err error) {
	most := int64(theirsMost)
	if own {
		most = ownMost
	}
	left := most
	err = filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		name, _ := filepath.Rel(dir, path)
		switch {
		case err != nil:
			return err
		case own && d.IsDir() && name == host.Saved:
			return fs.SkipDir
		case !d.Type().IsRegular():
			return nil
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		if left -= info.Size(); left < 0 || len(all) == filesMost {
			return fmt.Errorf("it holds more than is kept, which is %d MiB in %d files", most>>20, filesMost)
		}
		text, err := os.ReadFile(path)
		if err == nil {
			all = append(all, stored{name, text})
		}
		return err
	})
	return all, err
}

// SaveDisks writes the files that each node had in its folder when the cluster was closed to DIR/<node>/disk.
func (c *Cluster) SaveDisks(dir string) error {
	var errs []error
	for _, m := range c.members {
		for _, f := range m.kept {
			to := filepath.Join(dir, string(m.id), "disk", f.name)
			err := os.MkdirAll(filepath.Dir(to), 0o777)
			if err == nil {
				err = os.WriteFile(to, f.text, 0o666)
			}
			errs = append(errs, err)
		}
	}
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("process: save disks: %w", err)
	}
	return nil
}
