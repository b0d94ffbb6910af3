package docker

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"
	"strings"

	"github.com/moby/moby/client"

	"faultlab/nodes/host"
)

// diskMost is how much of one node's disk is kept in memory from the end of a run to its being saved.
const diskMost = 256 << 20

// A stored is a file of a disk: its name below the node's data folder, and what is in it.
type stored struct {
	name string
	text []byte
}

// keepDisks ends all nodes and reads what is on their disks, side by side. Of a disk that cannot be read the node's log
// says why: that alone is no reason to lose a run.
func (c *Cluster) keepDisks() {
	if !c.served || c.theirs != nil { // of the files of somebody else's node nothing is known
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), closePatience)
	defer cancel()
	_ = together(c.members, func(m *member) error {
		if m.unkept = c.engine.kill(ctx, m.pair.node); m.unkept == nil {
			if m.busy != nil {
				<-m.busy
			}
			m.kept, m.unkept = c.engine.files(ctx, m.pair.holder)
		}
		return nil
	})
	for _, m := range c.members {
		if m.unkept != nil {
			c.spec.Observer.Log(c.Now(), m.id, fmt.Sprintf("not all of its disk could be saved: %v", m.unkept))
		}
	}
}

// files reads the data folder of a node, from its holder. The copy for rollbacks is left out.
func (e *engine) files(ctx context.Context, holder string) ([]stored, error) {
	r, err := e.api.CopyFromContainer(ctx, holder, client.CopyFromContainerOptions{SourcePath: "/data/."})
	if err != nil {
		return nil, err
	}
	defer r.Content.Close()
	var all []stored
	left := int64(diskMost)
	for t := tar.NewReader(r.Content); ; {
		h, err := t.Next()
		if err == io.EOF {
			return all, nil
		}
		if err != nil {
			return all, err
		}
		name := path.Clean(h.Name)
		if h.Typeflag != tar.TypeReg || !filepath.IsLocal(filepath.FromSlash(name)) || strings.HasPrefix(name, host.Saved+"/") {
			continue
		}
		if left -= h.Size; left < 0 {
			return all, fmt.Errorf("it holds more than %d MiB", diskMost>>20)
		}
		var text bytes.Buffer
		if _, err := io.Copy(&text, t); err != nil {
			return all, err
		}
		all = append(all, stored{name, text.Bytes()})
	}
}

// SaveDisks writes the files that each node had in its data folder when the cluster was closed to DIR/<node>/disk.
func (c *Cluster) SaveDisks(dir string) error {
	var errs []error
	for _, m := range c.members {
		for _, f := range m.kept {
			to := filepath.Join(dir, string(m.id), "disk", filepath.FromSlash(f.name))
			err := os.MkdirAll(filepath.Dir(to), 0o777)
			if err == nil {
				err = os.WriteFile(to, f.text, 0o666)
			}
			errs = append(errs, err)
		}
	}
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("docker: save disks: %w", err)
	}
	return nil
}
