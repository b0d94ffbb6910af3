package cmd

import (
	"fmt"

	"github.com/spf13/cobra"

	"faultlab/labs"
)

func (a *app) reportCommand() *cobra.Command {
	st := store{}
	c := &cobra.Command{
		Use:   "report [RUN]",
		Short: "Write the page of a saved run anew, and say where it is",
		Long: `report judges a saved run from its files, writes its report.html anew and prints the path
of that page. RUN is a run folder; without it, the last one.`,
		Example: `  lab report
  lab report store/multi-master/20260102T150405Z-7`,
		Args:              atMost(1, "one run folder"),
		ValidArgsFunction: completeFolders,
		RunE: func(c *cobra.Command, args []string) error {
			dir, err := st.find(args)
			if err != nil {
				return err
			}
			run, _, origin, err := a.load(dir)
			if err != nil {
				return err
			}
			st.build = origin.Build
			st.command = func(uint64) string { return a.name + " replay " + quoted(dir) }
			path, err := labs.Report(dir, st.page(run))
			if err != nil {
				return badly("cannot write the page of %s: %w", dir, cause(err))
			}
			_, err = fmt.Fprintln(a.out, path)
			return err
		},
	}
	c.Flags().StringVar(&st.dir, "store", defaultStore, "the `folder` whose last run is meant where none is named")
	return c
}
