package cmd

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"faultlab/labs"
	"faultlab/nodes/cluster/process"
)

func (a *app) replayCommand() *cobra.Command {
	var out output
	exact := false
	st := store{}
	c := &cobra.Command{
		Use:   "replay [RUN]",
		Short: "Do a saved run again",
		Long: `replay does a saved run again and judges it. On the build that made the run it gives the same
bytes, and says so. Another build may draw differently: there the saved faults hit whom they
hit, clients ask what they asked, and the verdicts may differ, as in a regression test.
RUN is a run folder; without it, the last one. The replay leaves a run folder of its own.

The exit status is that of lab run; with --exact it is 1 unless the bytes are the same.`,
		Example: `  lab replay
  lab replay store/multi-master/20260102T150405Z-7 --exact`,
		Args:              atMost(1, "one run folder"),
		ValidArgsFunction: completeFolders,
		RunE: func(c *cobra.Command, args []string) error {
			dir, err := st.find(args)
			if err != nil {
				return err
			}
			if err := out.open(a); err != nil {
				return err
			}
			defer out.discard()
			st.started = time.Now()
			st.command = func(uint64) string { return a.name + " replay " + quoted(dir) }
			return a.doReplay(c.Context(), dir, &out, st, exact)
		},
	}
	c.Flags().BoolVar(&exact, "exact", false, "demand the same bytes")
	c.Flags().StringVar(&st.dir, "store", defaultStore, "the `folder` that run folders are kept in, and whose last run is meant where none is named")
	out.flags(c)
	return c
}

func (a *app) doReplay(ctx context.Context, dir string, out *output, st store, exact bool) error {
	saved, lab, origin, err := a.load(dir)
	if err != nil {
		return err
	}
	if err := st.open(lab.Name); err != nil {
		return err
	}
	if st.build, err = build(); err != nil {
		return err
	}
	where, err := where(saved.Options.On, saved.Options.Image)
	if err != nil {
		return err
	}
	o, same := saved.Again(), origin.Build == st.build
	if !same && !exact {
		o = saved.Anew()
	}
	if len(o.Program) > 0 {
		if where.program == nil {
			return badly("%s: it is a run of a program of others on %s, which knows none", dir, where.name)
		}
		if err := process.Runnable(o.Program[0]); err != nil {
			return badly("%s: its program can no longer be run: %w", dir, err)
		}
	}
	o.Start, o.Real = where.begin(o.Program), where.real
	out.say(where.about + "; a replay of " + dir)
	bar := a.bar(out.quiet)
	o.Tick = bar.tick
	run, err := labs.Do(ctx, lab, o)
	bar.clear()
	if err != nil {
		return classed(err)
	}
	folder, err := st.save(run, lab)
	if err != nil {
		return err
	}
	if err := st.point(folder); err != nil {
		return err
	}
	differ, err := compare(dir, folder)
	if err != nil {
		return err
	}
	var note string
	switch {
	case saved.Stopped:
		note = "the saved run was interrupted, and this one was not: they cannot be compared"
	case run.Stopped:
		note = "interrupted: it cannot be compared with the saved run"
	case where.real:
		note = "the same faults, and on real time no two runs are the same"
	case len(differ) == 0 && same:
		note = "the same bytes as the saved run"
	case len(differ) == 0:
		note = "another build than the one that made the run, and yet the same bytes"
	case same:
		note = "NOT the same bytes as the saved run, though the build is the same: " + strings.Join(differ, ", ") + "; something in this run depends on more than the seed"
	default:
		note = "another build than the one that made the run: other bytes in " + strings.Join(differ, ", ")
	}
	if err := out.print(shown{run: run, folder: folder, command: st.command(o.Seed), notes: []string{note}}); err != nil {
		return err
	}
	if exact && (len(differ) > 0 || run.Stopped) {
		fmt.Fprintf(a.err, "lab: --exact: %s\n", note)
		return verdict{Failed}
	}
	return status(run.Verdict)
}

// compare returns which of the files of two runs differ that should not.
func compare(dir, with string) (differ []string, err error) {
	for _, name := range labs.Repeated() {
		x, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil && !os.IsNotExist(err) {
			return nil, err
		}
		y, err := os.ReadFile(filepath.Join(with, name))
		if err != nil {
			return nil, err
		}
		if !bytes.Equal(x, y) {
			differ = append(differ, name)
		}
	}
	return differ, nil
}
