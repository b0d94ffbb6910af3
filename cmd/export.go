package cmd

import (
	"bufio"

	"github.com/spf13/cobra"

	"faultlab/checker/history"
)

// dialects are what a history can be exported as, by the name that is typed.
var dialects = []struct {
	name string
	history.Dialect
}{{"edn", history.EDN}, {"jsonl", history.JepsenLine}}

func (a *app) exportCommand() *cobra.Command {
	st := store{}
	var names []string
	for _, d := range dialects {
		names = append(names, d.name)
	}
	var format string
	c := &cobra.Command{
		Use:   "export [RUN]",
		Short: "Print a run's history as Jepsen's tools read it",
		Long: `export prints the history of a run as events for Jepsen's tools: an invocation and a
completion for each operation. RUN is a run folder, or a history file in any format that
lab check reads; without it, the last run. Transactions are told as [f key value]; where they
append to lists, only lists are told of.`,
		Example: `  lab export --format edn > history.edn
  lab export store/multi-master/20260102T150405Z-7 --format jsonl`,
		Args:              atMost(1, "one run folder"),
		ValidArgsFunction: completeFolders,
		RunE: func(_ *cobra.Command, args []string) error {
			dialect := history.Dialect("")
			for _, d := range dialects {
				if d.name == format {
					dialect = d.Dialect
				}
			}
			if dialect == "" {
				return badly("%s", unknown("format", format, names))
			}
			if len(args) == 0 {
				dir, err := st.find(nil)
				if err != nil {
					return err
				}
				args = []string{dir}
			}
			return a.export(args[0], dialect)
		},
	}
	c.Flags().StringVar(&st.dir, "store", defaultStore, "the `folder` whose last run is meant where none is named")
	c.Flags().StringVar(&format, "format", "edn", "edn or jsonl")
	c.RegisterFlagCompletionFunc("format", cobra.FixedCompletions(names, cobra.ShellCompDirectiveNoFileComp))
	return c
}

func (a *app) export(name string, d history.Dialect) error {
	file, err := openHistory(name)
	if err != nil {
		return err
	}
	defer file.Close()
	h, err := history.Collect(history.ReadAny(file))
	if err != nil {
		return misread(name, err)
	}
	out := bufio.NewWriterSize(a.out, 1<<16)
	err = history.WriteJepsen(out, h.Ops, d, func(op *history.Op) (f string, in, answer history.Value, ok bool) {
		asked := op.In.(history.Jepsen)
		answered, _ := op.Out.(history.Jepsen)
		return asked.F, asked.Value, answered.Value, true
	})
	if err == nil {
		err = out.Flush()
	}
	if err != nil {
		return badly("cannot write to standard output: %w", cause(err))
	}
	return nil
}
