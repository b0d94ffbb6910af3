package cmd

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"faultlab/labs"
	"faultlab/labs/report"
)

const latest = "latest" // in a store: a link to the last run

// A store is a folder of run folders, as store/LAB/TIME-SEED.
type store struct {
	dir     string
	command func(seed uint64) string // what is typed to repeat a run, for its report
	build   string
	started time.Time
}

// open makes the folder if need be, and finds out whether it can be written.
func (s store) open(lab string) error {
	if s.dir == "" {
		return badly("--store is empty: name a folder")
	}
	dir := filepath.Join(s.dir, lab)
	err := os.MkdirAll(dir, 0o777)
	if err == nil {
		var probe *os.File
		if probe, err = os.CreateTemp(dir, ".unfinished-"); err == nil {
			err = errors.Join(probe.Close(), os.Remove(probe.Name()))
		}
	}
	if err != nil {
		return badly("cannot write to the store %s: %w (--store names another folder)", s.dir, cause(err))
	}
	return nil
}

// cause strips the path from an error of a file, where the sentence around it names one.
func cause(err error) error {
	if p := (*fs.PathError)(nil); errors.As(err, &p) {
		return p.Err
	}
	return err
}

// path is where something of this start and seed is kept.
func (s store) path(lab, seed string) string {
	return filepath.Join(s.dir, lab, s.started.UTC().Format("20060102T150405Z")+"-"+seed)
}

// save keeps a run, and returns its folder.
func (s store) save(run *labs.Run, lab labs.Lab) (string, error) {
	dir, err := run.Save(s.path(run.Lab, fmt.Sprint(run.Options.Seed)), labs.Origin{Started: s.started, Build: s.build}, lab.System, s.page(run))
	if errors.As(err, new(*fs.PathError)) || errors.As(err, new(*os.LinkError)) {
		return "", badly("cannot write to the store %s: %w", s.dir, err)
	}
	return dir, err
}

// page writes the run's report.html.
func (s store) page(run *labs.Run) func(io.Writer) error {
	return func(w io.Writer) error {
		o := report.Options{Command: s.command(run.Options.Seed), Build: s.build, Files: labs.Files(), Pictures: run.Pictures()}
		return report.Write(w, run, o)
	}
}

// point makes dir the last run.
func (s store) point(dir string) error {
	to, err := filepath.Rel(s.dir, dir)
	if err != nil {
		return err
	}
	link, tmp := filepath.Join(s.dir, latest), filepath.Join(s.dir, fmt.Sprintf(".unfinished-latest-%d", os.Getpid()))
	if err := os.Symlink(to, tmp); err != nil {
		if err := os.WriteFile(tmp, []byte(to+"\n"), 0o666); err != nil { // where there are no links, a file that says so
			return badly("cannot write to the store %s: %w", s.dir, cause(err))
		}
	}
	if err := os.Rename(tmp, link); err != nil {
		os.Remove(tmp)
		return badly("cannot write to the store %s: %w", s.dir, cause(err))
	}
	return nil
}

// find returns the folder that RUN names: the last run of the store if it is empty.
func (s store) find(args []string) (string, error) {
	if len(args) > 0 {
		dir := args[0]
		info, err := os.Stat(dir)
		switch {
		case err != nil:
			return "", badly("there is no run folder %s: %w", dir, cause(err))
		case !info.IsDir():
			return "", badly("%s is a file; a run folder is wanted, as store/LAB/TIME-SEED; to judge a history give its --model", dir)
		}
		return dir, nil
	}
	link := filepath.Join(s.dir, latest)
	dir, err := filepath.EvalSymlinks(link)
	if err != nil {
		return "", badly("there is no last run in %s: name a run folder, or do a run first", s.dir)
	}
	if text, err := os.ReadFile(dir); err == nil {
		dir = filepath.Join(s.dir, strings.TrimSpace(string(text)))
	}
	return dir, nil
}

// load reads a run folder and judges it.
func (a *app) load(dir string) (*labs.Run, labs.Lab, labs.Origin, error) {
	if _, err := os.Stat(filepath.Join(dir, summaryFile)); err == nil {
		return nil, labs.Lab{}, labs.Origin{}, badly("%s is a set of runs: name the folder of one of them (%s says which were kept)", dir, summaryFile)
	}
	run, lab, origin, err := labs.Load(dir, a.labs)
	if err != nil && !errors.As(err, new(*labs.Crash)) {
		err = &failure{Usage, err}
	}
	return run, lab, origin, err
}

func hashFile(path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		return "", err
	}
	return "sha256:" + hex.EncodeToString(h.Sum(nil)), nil
}
