// Package cmd is the command line: what is typed, what is printed, and what the exit status says. It is the only place
// that knows every runtime. It decides nothing about a run: labs, nemesis and checkers do that.
//
// A module with labs of its own has a main of one line around Main.
package cmd

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"runtime/debug"
	"slices"
	"strings"
	"syscall"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"faultlab/checker/history"
	"faultlab/labs"
)

// Exit statuses. In a set of runs the worst wins, in the order Internal, Usage, Cannot, Failed, Unknown, Held.
const (
	Held     = 0   // every judged guarantee held
	Failed   = 1   // a guarantee failed, or a node under test broke
	Unknown  = 2   // something could not be decided, or nothing was judged
	Cannot   = 253 // this machine, or this runtime, cannot do it
	Usage    = 254 // bad arguments or input
	Internal = 255 // an error of the lab itself
)

// Main runs the command line of this process with these labs, and returns its exit status.
func Main(labs ...labs.Lab) int {
	// A run allocates much and keeps little of it, so collecting seldom is worth the memory. There is no limit: a long
	// run keeps all that happened, and past a limit the collector would take most of the time.
	debug.SetGCPercent(400)
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop) // a second signal ends the process at once
	a := &app{
		labs: labs, name: os.Args[0], out: os.Stdout, err: os.Stderr, screen: newScreen(os.Stdout), debug: os.Getenv("LAB_DEBUG") != "",
		progress: isTerminal(os.Stderr),
	}
	return a.run(ctx, os.Args[1:])
}

// An app is one call of the command line.
type app struct {
	labs     []labs.Lab
	name     string // as it was typed: "./lab"
	out, err io.Writer
	screen   screen
	progress bool // err is a terminal
	debug    bool // show where an error of the lab itself came from
}

// A fault of the user's, of the machine's or ours, with its exit status.
type failure struct {
	status int
	err    error
}

func (f *failure) Error() string { return f.err.Error() }
func (f *failure) Unwrap() error { return f.err }

// badly is an error in arguments or input.
func badly(format string, args ...any) error { return &failure{Usage, fmt.Errorf(format, args...)} }

// verdict ends a command that printed all there is to say.
type verdict struct{ status int }

func (verdict) Error() string { return "" }

// status is the exit status of a verdict.
func status(v history.Verdict) error {
	switch v {
	case history.Pass:
		return nil
	case history.Fail:
		return verdict{Failed}
	}
	return verdict{Unknown}
}

// run does what the arguments say, and returns the exit status.
func (a *app) run(ctx context.Context, args []string) int {
	err := a.guarded(ctx, args)
	if err == nil {
		return Held
	}
	if v := (verdict{}); errors.As(err, &v) {
		return v.status
	}
	code := Internal
	if f := (*failure)(nil); errors.As(err, &f) {
		code = f.status
	}
	text := strings.TrimSpace(err.Error())
	if crash := (*labs.Crash)(nil); errors.As(err, &crash) {
		text = "internal error: " + text
		if a.debug {
			text += "\n" + string(crash.Stack)
		} else {
			text += " (LAB_DEBUG=1 shows where)"
		}
	}
	fmt.Fprintf(a.err, "lab: %s\n", text)
	return code
}

// guarded turns a panic, which is an error of ours, into an error.
func (a *app) guarded(ctx context.Context, args []string) (err error) {
	defer labs.Recover(&err)
	for i, name := range a.labNames() {
		if slices.Contains(a.labNames()[:i], name) {
			return fmt.Errorf("two labs are named %s, and a lab, and a node of its, is found by its name", name)
		}
	}
	root := a.root()
	root.SetArgs(args)
	root.SetOut(a.out)
	root.SetErr(a.err)
	return root.ExecuteContext(ctx)
}

func (a *app) root() *cobra.Command {
	root := &cobra.Command{
		Use:   "lab",
		Short: "Break distributed-system designs, and judge what they promised",
		Long: `lab runs a design as real nodes, breaks them while clients use them, and judges each
promise of the design by what the clients saw.

Exit status: 0 every judged guarantee held; 1 one failed; 2 unknown; 253 this machine
cannot do it; 254 bad arguments or input; 255 an error of the lab itself.`,
		Example: `  lab run multi-master --nemesis partition
  lab run multi-master --nemesis all --seeds 200
  lab list faults
  lab report`,
		SilenceErrors: true,
		SilenceUsage:  true,
		Args:          cobra.ArbitraryArgs,
		RunE: func(c *cobra.Command, args []string) error {
			if len(args) == 0 {
				return c.Help()
			}
			var names []string
			for _, sub := range c.Commands() {
				if sub.IsAvailableCommand() {
					names = append(names, sub.Name())
				}
			}
			return badly("%s", unknown("command", args[0], names))
		},
	}
	root.SetFlagErrorFunc(func(c *cobra.Command, err error) error {
		if wrong := (*pflag.InvalidValueError)(nil); errors.As(err, &wrong) {
			return badly("--%s %s: %s is wanted", wrong.GetFlag().Name, wrong.GetValue(), wantedOf(wrong.GetFlag().Value.Type()))
		}
		if unset := (*pflag.NotExistError)(nil); errors.As(err, &unset) {
			var names []string
			c.Flags().VisitAll(func(f *pflag.Flag) { names = append(names, f.Name) })
			return badly("lab %s: %s", c.Name(), unknown("flag", unset.GetSpecifiedName(), names))
		}
		return badly("%s (lab %s --help lists the flags)", err, c.Name())
	})
	root.CompletionOptions.HiddenDefaultCmd = false
	root.AddCommand(a.runCommand(), a.listCommand(), a.checkCommand(), a.exportCommand(), a.replayCommand(), a.reportCommand(), a.doctorCommand(), a.nodeCommand(), a.nodeNetCommand(), a.nodeInitCommand())
	return root
}

// wantedOf says what a flag of a type takes.
func wantedOf(kind string) string {
	switch kind {
	case "uint64":
		return "a whole number, 0 or more,"
	case "int":
		return "a whole number"
	case "duration":
		return "a duration, as 90s or 2m,"
	case "bool":
		return "true or false"
	case "size":
		return "a size, as 512MiB or 2GiB,"
	}
	return "a " + kind
}

// atMost accepts at most n arguments, with an error of one sentence.
func atMost(n int, what string) cobra.PositionalArgs {
	return func(c *cobra.Command, args []string) error {
		if len(args) > n {
			return badly("lab %s takes %s, and %q is one argument too many", c.Name(), what, args[n])
		}
		return nil
	}
}

// lab finds a lab by its name.
func (a *app) lab(name string) (labs.Lab, error) {
	for _, l := range a.labs {
		if l.Name == name {
			return l, nil
		}
	}
	return labs.Lab{}, badly("%s", unknown("lab", name, a.labNames()))
}

func (a *app) labNames() []string {
	var names []string
	for _, l := range a.labs {
		names = append(names, l.Name)
	}
	return names
}

// unknown is the sentence for a name that is none of those there are: what was meant, or else all of them.
func unknown(what, name string, names []string) string {
	near := nearest(name, names)
	if near != "" && len(names) == 1 {
		return fmt.Sprintf("unknown %s %q: did you mean %s?", what, name, near)
	}
	if near != "" {
		return fmt.Sprintf("unknown %s %q: did you mean %s? (there are %s)", what, name, near, strings.Join(names, ", "))
	}
	if len(names) == 0 {
		return fmt.Sprintf("unknown %s %q: there is none", what, name)
	}
	is := "are"
	if len(names) == 1 {
		is = "is"
	}
	return fmt.Sprintf("unknown %s %q: there %s %s", what, name, is, strings.Join(names, ", "))
}

// nearest returns the name that is few typing errors away; "" if none is.
func nearest(name string, names []string) string {
	best, least := "", 1+len(name)/3
	for _, n := range names {
		if d := distance(strings.ToLower(name), n); d <= least {
			best, least = n, d-1
		}
	}
	return best
}

// distance is how many insertions, deletions, replacements and swaps of neighbours turn a into b.
func distance(a, b string) int {
	rows := [3][]int{make([]int, len(b)+1), make([]int, len(b)+1), make([]int, len(b)+1)}
	for j := range rows[1] {
		rows[1][j] = j
	}
	for i := range len(a) {
		before, last, row := rows[i%3], rows[(i+1)%3], rows[(i+2)%3]
		row[0] = i + 1
		for j := range len(b) {
			cost := 1
			if a[i] == b[j] {
				cost = 0
			}
			row[j+1] = min(last[j]+cost, last[j+1]+1, row[j]+1)
			if i > 0 && j > 0 && a[i] == b[j-1] && a[i-1] == b[j] {
				row[j+1] = min(row[j+1], before[j-1]+1)
			}
		}
	}
	return rows[(len(a)+1)%3][len(b)]
}

// build returns the hash of this executable.
func build() (string, error) {
	path, err := os.Executable()
	if err != nil {
		return "", fmt.Errorf("find this executable: %w", err)
	}
	return hashFile(filepath.Clean(path))
}
