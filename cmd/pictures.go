package cmd

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"

	"faultlab/checker/history"
)

// pictures are the files that lab check --pictures writes into a folder: for each example of an anomaly that is a cycle
// FILE-ANOMALY-N.dot and FILE-ANOMALY-N.svg, and FILE.html where a model has a page of its own for a failure.
type pictures struct {
	dir   string
	taken map[string]bool // first parts of names that other files have
}

// openPictures makes the folder, so that one that cannot be written is known before anything is judged. Without a
// folder nothing is drawn.
func openPictures(dir string) (*pictures, error) {
	if dir == "" {
		return nil, nil
	}
	if err := os.MkdirAll(dir, 0o777); err != nil {
		return nil, badly("--pictures %s: cannot make the folder: %w", dir, cause(err))
	}
	return &pictures{dir: dir, taken: map[string]bool{}}, nil
}

// draw writes the pictures of one file.
func (p *pictures) draw(j judged) error {
	if p == nil {
		return nil
	}
	name := p.name(j.File)
	for _, anomaly := range slices.Sorted(maps.Keys(j.Anomalies)) {
		for i, e := range j.Anomalies[anomaly] {
			if len(e.Cycle) == 0 {
				continue
			}
			base := fmt.Sprintf("%s-%s-%d", name, anomaly, i+1)
			if err := errors.Join(p.file(base+".dot", text(e.DOT(anomaly))), p.file(base+".svg", text(e.SVG(anomaly)))); err != nil {
				return err
			}
		}
	}
	if j.picture != nil && j.Verdict == history.Fail {
		return p.file(name+".html", j.picture)
	}
	return nil
}

// name returns what the pictures of a history file begin with: its own name, numbered where another file of that name
// came before it.
func (p *pictures) name(file string) string {
	if whole, err := filepath.Abs(file); err == nil {
		file = whole
	}
	base := filepath.Base(file)
	name := base
	for n := 2; p.taken[name]; n++ {
		name = fmt.Sprintf("%s-%d", base, n)
	}
	p.taken[name] = true
	return name
}

// file writes one file, whole or not at all.
func (p *pictures) file(name string, write func(io.Writer) error) error {
	tmp, err := os.CreateTemp(p.dir, ".unfinished-")
	if err == nil {
		err = errors.Join(write(tmp), tmp.Chmod(0o644), tmp.Close())
		if err == nil {
			err = os.Rename(tmp.Name(), filepath.Join(p.dir, name))
		}
		if err != nil {
			os.Remove(tmp.Name())
		}
	}
	if err != nil {
		return badly("--pictures %s: cannot write %s: %w", p.dir, name, cause(err))
	}
	return nil
}

func text(s string) func(io.Writer) error {
	return func(w io.Writer) error {
		_, err := io.WriteString(w, s)
		return err
	}
}
