package cmd

import (
	"bytes"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"faultlab/labs"
)

func (a *app) checkCommand() *cobra.Command {
	var out output
	st := store{}
	c := &cobra.Command{
		Use:   "check [RUN]",
		Short: "Judge a saved run again, from its files alone",
		Long: `check reads a run folder, judges it again and prints the verdicts, with the exit status
of lab run. RUN is a run folder; without it, the last one. It changes no file.`,
		Example: `  lab check
  lab check store/multi-master/20260102T150405Z-7 --format json`,
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
			run, _, _, err := a.load(dir)
			if err != nil {
				return err
			}
			note, err := sameResults(run, dir)
			if err != nil {
				return err
			}
			out.say("judged from the files of " + dir)
			if err := out.print(shown{run: run, folder: dir, command: a.name + " replay " + quoted(dir), notes: []string{note}}); err != nil {
				return err
			}
			return status(run.Verdict)
		},
	}
	c.Flags().StringVar(&st.dir, "store", defaultStore, "the `folder` whose last run is meant where none is named")
	out.flags(c)
	return c
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

func completeFolders(_ *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
	if len(args) > 0 {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	return nil, cobra.ShellCompDirectiveFilterDirs
}
