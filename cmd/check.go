package cmd

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"faultlab/labs"
)

func (a *app) checkCommand() *cobra.Command {
	var out output
	var ask question
	st := store{}
	c := &cobra.Command{
		Use:   "check [RUN] | check --model M FILE...",
		Short: "Judge a saved run again, or anybody's history",
		Long: `check reads a run folder, judges it again and prints the verdicts, with the exit status
of lab run. RUN is a run folder; without it, the last one. It changes no file. What nodes
left on their disks is audited too, where the lab knows how: F1 and so on are those verdicts.

With --model it judges histories by that model: files of Jepsen's tools, as EDN or JSON,
or of this one, plain or packed with gzip, or run folders. It prints a line for each file,
or with --format json an object, and the exit status is that of the worst. What operations
each model knows is in lab list checkers. A history with independent keys is one for each
key. Engines race where the first has not decided soon, and --time-limit and
--memory-limit bound them; the verdict stays the same, unless a limit makes it unknown.
--pictures writes the cycles among transactions into a folder, each as FILE-ANOMALY-N.dot
and .svg, and for a failed object FILE.html, which is Porcupine's view of it.
Of a register the first value is nothing, unless --initial says what it is, or 0 is
read and nobody writes it.`,
		Example: `  lab check
  lab check store/multi-master/20260102T150405Z-7 --format json
  lab check --model cas-register --initial 0 history.edn
  lab check --model list-append --consistency snapshot-isolation *.jsonl.gz
  lab check --model list-append --pictures pictures history.jsonl`,
		ValidArgsFunction: completeFolders,
		RunE: func(c *cobra.Command, args []string) error {
			if c.Flags().Changed("model") {
				return a.judgeFiles(c.Context(), &ask, out.wanted, out.quiet, args)
			}
			for _, name := range questionFlags {
				if c.Flags().Changed(name) {
					return badly("--%s says how to judge a history, by a --model; a run is judged by its lab", name)
				}
			}
			if err := atMost(1, "one run folder")(c, args); err != nil {
				return err
			}
			dir, err := st.find(args)
			if err != nil {
				return err
			}
			if err := out.open(a); err != nil {
				return err
			}
			defer out.discard()
			run, lab, _, err := a.load(dir)
			if err != nil {
				return err
			}
			note, err := sameResults(run, dir)
			if err != nil {
				return err
			}
			disks, err := disksOf(run, dir)
			if err != nil {
				return err
			}
			run.Audit(lab, disks)
			out.say("judged from the files of " + dir)
			if err := out.print(shown{run: run, folder: dir, command: a.name + " replay " + quoted(dir), notes: []string{note}}); err != nil {
				return err
			}
			return status(run.Verdict)
		},
	}
	c.Flags().StringVar(&st.dir, "store", defaultStore, "the `folder` whose last run is meant where none is named")
	out.flags(c)
	ask.flags(c)
	return c
}

// disksOf reads what the nodes of a run left on their disks, in the order of the topology; none if that was not saved.
func disksOf(run *labs.Run, dir string) ([]labs.Disk, error) {
	p, err := placeNamed(run.Options.On)
	if err != nil || p.disk == nil || run.Options.Image != "" || len(run.Options.Program) > 0 {
		return nil, err
	}
	var all []labs.Disk
	for _, id := range run.Topology.IDs() {
		folder := labs.DiskFolder(dir, id)
		logs, err := p.disk(folder)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, badly("%s: %w", dir, err)
		}
		all = append(all, labs.Disk{Node: id, Files: os.DirFS(folder), Logs: logs})
	}
	return all, nil
}

// sameResults says whether a run that was judged again came to what its folder says.
func sameResults(run *labs.Run, dir string) (string, error) {
	now, err := labs.JSON(run.Results())
	if err != nil {
		return "", err
	}
	then, err := os.ReadFile(filepath.Join(dir, labs.ResultsFile))
	switch {
	case err != nil:
		return "there is no " + labs.ResultsFile + " to compare with", nil
	case bytes.Equal(now, then):
		return "the same results as when it was made", nil
	}
	return labs.ResultsFile + " in the folder differs: it was judged by another build, or changed since", nil
}

func completeFolders(c *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
	if f := c.Flags().Lookup("model"); f != nil && f.Changed {
		return nil, cobra.ShellCompDirectiveDefault
	}
	if len(args) > 0 {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	return nil, cobra.ShellCompDirectiveFilterDirs
}
