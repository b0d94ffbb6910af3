package cmd

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"faultlab/checker/history"
	"faultlab/labs"
	"faultlab/nemesis"
	"faultlab/nodes"
	"faultlab/nodes/cluster/docker"
	"faultlab/nodes/cluster/process"
)

const (
	summaryFile  = "summary.json"
	defaultStore = "store"
)

// runFlags are the flags of lab run.
type runFlags struct {
	nemesis []string
	plan    string
	print   bool // the plan, and run nothing
	beyond  bool
	on      string
	seed    uint64
	seeds   int
	time    time.Duration
	calm    time.Duration
	rate    int
	clients int
	nodes   int
	bug     string
	image   string
	store   string
	keep    string
	output  output

	bin  string
	args []string // of bin, after --

	consistency, availability string // as they were typed
}

func (a *app) runCommand() *cobra.Command {
	var f runFlags
	c := &cobra.Command{
		Use:   "run LAB",
		Short: "Run a lab, break it, and judge what it promised",
		Long: `run starts the nodes of a lab, lets clients use them while the nemesis breaks them, heals
everything, and judges each guarantee of the lab by what the clients saw.

The same seed gives the same run, to the byte. What a run leaves is in its run folder,
STORE/LAB/TIME-SEED; STORE/latest is the last.`,
		Example: `  lab run multi-master --nemesis partition
  lab run multi-master --nemesis kill,power-loss:all --seed 7 --time 2m
  lab run multi-master --nemesis slow:region:delay=200ms,pause:for=4s
  lab run multi-master --nemesis swarm --print-plan > plan.yaml
  lab run multi-master --nemesis all --seeds 200
  lab run multi-master --bug decide-before-log
  lab run multi-master --image my-store:1 --nemesis partition,kill
  lab run multi-master --on process --time 20s
  lab run lin-kv --bin ./mynode --nemesis partition,kill --nodes 5 -- --verbose
  lab run multi-master --format junit=lab.xml`,
		Args: func(c *cobra.Command, args []string) error {
			if len(args) == 0 {
				return badly("which lab? there is %s", strings.Join(a.labNames(), ", "))
			}
			if dash := c.ArgsLenAtDash(); dash >= 0 {
				args = args[:max(1, dash)]
			}
			return atMost(1, "one lab")(c, args)
		},
		ValidArgsFunction: func(_ *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
			if len(args) > 0 {
				return nil, cobra.ShellCompDirectiveNoFileComp
			}
			return a.labNames(), cobra.ShellCompDirectiveNoFileComp
		},
		RunE: func(c *cobra.Command, args []string) error {
			if c.Flags().Changed("image") && !c.Flags().Changed("on") {
				f.on = "docker"
			}
			if c.ArgsLenAtDash() == 0 {
				return badly("lab run -- %s: the lab stands before --, and what follows are arguments of the program that --bin names", strings.Join(args, " "))
			}
			f.args = args[1:]
			if f.bin != "" && !c.Flags().Changed("on") && !c.Flags().Changed("image") {
				f.on = "process"
			}
			return a.doRun(c, args[0], f)
		},
	}
	flags := c.Flags()
	flags.StringSliceVar(&f.nemesis, "nemesis", []string{"all"}, "faults to draw, as `kill,partition:region,slow:delay=200ms`; or all, swarm (some of all, each as hard as the seed says), none")
	flags.StringVar(&f.plan, "plan", "", "do the faults of this `file` (YAML or JSON) and draw none")
	flags.BoolVar(&f.print, "print-plan", false, "print the faults as a plan in YAML, and run nothing")
	flags.BoolVar(&f.beyond, "beyond", false, "faults may take more from a consensus group than it tolerates; then nothing that depends on it is judged")
	flags.StringVar(&f.on, "on", places[0].name, "where the nodes run: "+strings.Join(placeNames(), ", "))
	flags.StringVar(&f.bin, "bin", "", "the `path` of a program that is each node, in any language, as a process; its arguments follow --")
	flags.Uint64Var(&f.seed, "seed", 1, "what all chance is drawn from")
	flags.IntVar(&f.seeds, "seeds", 1, "do so many runs, of this seed and those after it")
	flags.DurationVar(&f.time, "time", time.Minute, "length of the phase with faults; of a workload for nodes of others, of the run, which ends 5s later at most")
	flags.DurationVar(&f.calm, "calm", 0, "length of the recovery phase at most, however long the run then is (default: the lab's)")
	flags.IntVar(&f.rate, "rate", 0, "requests a second, over all clients (default: the lab's)")
	flags.IntVar(&f.clients, "clients", 0, "clients, over all regions (default: the lab's)")
	flags.IntVar(&f.nodes, "nodes", 0, "nodes, over all regions (default: the lab's)")
	flags.StringVar(&f.bug, "bug", "", "switch a known mistake on, by its `name` (lab list bugs)")
	flags.StringVar(&f.image, "image", "", "run nodes of this `image` and not the lab's own (--on docker is implied; it must be on the engine)")
	flags.StringVar(&f.store, "store", defaultStore, "the `folder` that run folders are kept in")
	flags.StringVar(&f.keep, "keep", "failed", "with --seeds, which runs leave a folder: failed, all")
	flags.StringVar(&f.consistency, "consistency", "", "the `model` that a lab of transactions is judged by, as read-committed or strict-serializable (default: the lab's)")
	flags.StringVar(&f.availability, "availability", "", "the `share` of operations that must succeed: total, or a fraction as 0.95")
	f.output.flags(c)
	c.RegisterFlagCompletionFunc("nemesis", completeFaults)
	c.RegisterFlagCompletionFunc("on", cobra.FixedCompletions(placeNames(), cobra.ShellCompDirectiveNoFileComp))
	c.RegisterFlagCompletionFunc("keep", cobra.FixedCompletions([]string{"failed", "all"}, cobra.ShellCompDirectiveNoFileComp))
	c.RegisterFlagCompletionFunc("bug", func(_ *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
		var bugs []string
		for _, l := range a.labs {
			if len(args) == 0 || args[0] == l.Name {
				bugs = append(bugs, bugNames(l)...)
			}
		}
		return bugs, cobra.ShellCompDirectiveNoFileComp
	})
	return c
}

func placeNames() []string {
	var names []string
	for _, p := range places {
		names = append(names, p.name)
	}
	return names
}

func bugNames(l labs.Lab) []string {
	var names []string
	for _, b := range l.System.Bugs {
		names = append(names, b.Name)
	}
	return names
}

// whole are the words of --nemesis that stand for a list of faults.
var whole = []string{"all", "swarm", "none"}

// completeFaults completes the last of several faults.
func completeFaults(_ *cobra.Command, _ []string, typed string) ([]string, cobra.ShellCompDirective) {
	head := typed[:strings.LastIndex(typed, ",")+1]
	var out []string
	if head == "" {
		out = append(out, whole...)
	}
	for _, k := range nemesis.Kinds {
		out = append(out, head+k.Name)
		for _, form := range k.Forms {
			out = append(out, head+k.Name+":"+form)
		}
		for _, o := range k.Options {
			out = append(out, head+k.Name+":"+o.Name+"=")
		}
	}
	return out, cobra.ShellCompDirectiveNoFileComp | cobra.ShellCompDirectiveNoSpace
}

// options checks the flags and returns what they come to.
func (f runFlags) options(c *cobra.Command, lab labs.Lab) (labs.Options, error) {
	o := labs.Options{Seed: f.seed, Time: f.time, Calm: f.calm, Rate: f.rate, Clients: f.clients, Nodes: f.nodes, Bug: f.bug, Image: f.image, Beyond: f.beyond, On: f.on, Nemesis: f.nemesis}
	for _, n := range []struct {
		flag  string
		value int
	}{{"rate", f.rate}, {"clients", f.clients}, {"nodes", f.nodes}, {"seeds", f.seeds}} {
		if c.Flags().Changed(n.flag) && n.value < 1 {
			return o, badly("--%s %d: it must be at least 1", n.flag, n.value)
		}
	}
	if f.time < time.Second {
		return o, badly("--time %s: it must be at least 1s", f.time)
	}
	if f.time > 24*time.Hour {
		return o, badly("--time %s: at most 24h in one run; --seeds gives more of them", f.time)
	}
	if c.Flags().Changed("calm") && (f.calm < time.Second || f.calm > time.Hour) {
		return o, badly("--calm %s: it must be at least 1s, and at most 1h", f.calm)
	}
	if f.rate > 1e6 || f.clients > 1e5 {
		return o, badly("--rate %d --clients %d: at most 1000000 requests a second and 100000 clients", f.rate, f.clients)
	}
	if _, err := lab.Topology(f.nodes); err != nil {
		return o, badly("--nodes %d: %w", f.nodes, err)
	}
	if _, known := lab.System.Bug(f.bug); !known && f.bug != "" {
		return o, badly("lab %s: %s", lab.Name, unknown("bug", f.bug, bugNames(lab)))
	}
	if f.keep != "failed" && f.keep != "all" {
		return o, badly("%s", unknown("--keep", f.keep, []string{"failed", "all"}))
	}
	var err error
	if o.Demands, err = f.demands(lab); err != nil {
		return o, err
	}
	p, err := where(f.on, f.image)
	if err != nil {
		return o, err
	}
	if c.Flags().Changed("image") {
		if err := docker.CheckReference(f.image); err != nil {
			return o, badly("--image: %w", err)
		}
		if f.bug != "" {
			return o, badly("--bug %s --image %s: a bug is switched on in the lab's own nodes, so give one of the two", f.bug, f.image)
		}
	}
	if o.Program, err = f.command(lab, p); err != nil {
		return o, err
	}
	o.Start, o.Real = p.begin(o.Program), p.real
	if f.plan != "" {
		if c.Flags().Changed("nemesis") {
			return o, badly("--plan and --nemesis: a plan holds all faults, so give one of the two")
		}
		o.Nemesis = []string{"plan"}
		o.Plan, err = readPlan(f.plan)
		return o, err
	}
	if err := checkFaults(lab, f.nemesis); err != nil {
		return o, err
	}
	return o, nil
}

// command is the program that nodes are to be, with its arguments: both by absolute path, since each node works in a
// folder of its own. It is nil if they are to be the lab's own.
func (f runFlags) command(lab labs.Lab, p place) ([]string, error) {
	switch {
	case f.bin == "" && len(f.args) > 0:
		return nil, badly("arguments after -- are those of the program that --bin names")
	case f.bin == "" && lab.System.New == nil:
		return nil, badly("lab %s has no node of its own: give the program that is to be one, as --bin ./mynode", lab.Name)
	case f.bin == "":
		return nil, nil
	case p.program == nil:
		return nil, badly("--bin %s --on %s: a program is run as processes, so leave --on out", f.bin, p.name)
	case f.bug != "":
		return nil, badly("--bin %s --bug %s: known mistakes are those of the lab's own node", f.bin, f.bug)
	}
	path := f.bin
	if !strings.ContainsRune(path, filepath.Separator) {
		if _, err := os.Stat(path); err != nil { // a name without a folder may be one that a shell would find
			if found, err := exec.LookPath(path); err == nil {
				path = found
			}
		}
	}
	program := append([]string{path}, f.args...)
	for i, word := range program {
		if info, err := os.Stat(word); i > 0 && (err != nil || !info.Mode().IsRegular()) {
			continue
		}
		abs, err := filepath.Abs(word)
		if err != nil {
			return nil, badly("--bin %s: %w", f.bin, err)
		}
		program[i] = abs
	}
	if err := process.Runnable(program[0]); err != nil {
		return nil, badly("--bin %w", err)
	}
	return program, nil
}

// demands checks what is asked of the system beyond what its lab promises.
func (f runFlags) demands(lab labs.Lab) (d labs.Demands, err error) {
	if d.Consistency = f.consistency; f.consistency != "" {
		if len(lab.Models) == 0 {
			return d, badly("--consistency %s: lab %s is judged by no model that can be chosen", f.consistency, lab.Name)
		}
		if !slices.Contains(lab.Models, f.consistency) {
			return d, badly("--consistency: %s", unknown("model", f.consistency, lab.Models))
		}
	}
	if f.availability == "" {
		return d, nil
	}
	if lab.Demanded == nil {
		return d, badly("--availability %s: lab %s has its own promises of availability (lab list labs), and takes no other", f.availability, lab.Name)
	}
	if d.Availability = 1; f.availability != "total" {
		d.Availability, err = strconv.ParseFloat(f.availability, 64)
		if err != nil || !(d.Availability > 0 && d.Availability <= 1) {
			return d, badly("--availability %s: total is wanted, or a fraction above 0 and up to 1, as 0.95", f.availability)
		}
	}
	return d, nil
}

func checkFaults(lab labs.Lab, specs []string) error {
	if len(specs) == 0 {
		return badly("--nemesis names no fault; none is a word for that")
	}
	var known []string
	for _, k := range nemesis.Kinds {
		known = append(known, k.Name)
	}
	for _, spec := range specs {
		for _, word := range whole {
			if spec == word && len(specs) > 1 {
				return badly("--nemesis %s: %s stands alone", strings.Join(specs, ","), word)
			}
			if spec == word {
				return nil
			}
		}
		kind, form, _ := strings.Cut(spec, ":")
		form, _, _ = strings.Cut(form, ":")
		k, ok := nemesis.Find(kind)
		if !ok {
			return badly("%s", unknown("fault", kind, append(known, whole...)))
		}
		forms := k.Forms
		if k.Open {
			forms = operations(lab, kind)
		}
		if form != "" && !strings.Contains(form, "=") && !slices.Contains(forms, form) && !(k.Open && len(forms) == 0) {
			return badly("%s", unknown("form of "+kind, form, forms))
		}
		if _, _, err := nemesis.Parse(spec); err != nil {
			return badly("%w", err)
		}
	}
	return nil
}

// operations are the names of a lab's own operations of a kind.
func operations(lab labs.Lab, kind string) (names []string) {
	for _, o := range lab.Operations {
		if o.Kind == kind {
			names = append(names, o.Name)
		}
	}
	return names
}

func readPlan(path string) (nemesis.Schedule, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, badly("--plan %s: %w", path, cause(err))
	}
	defer file.Close()
	s, err := nemesis.ReadPlan(file)
	if err != nil {
		return nil, badly("%w", err)
	}
	if s == nil {
		s = nemesis.Schedule{} // a plan of no faults, not: draw some
	}
	return s, nil
}

func (a *app) doRun(c *cobra.Command, name string, f runFlags) error {
	lab, err := a.lab(name)
	if err != nil {
		return err
	}
	o, err := f.options(c, lab)
	if err != nil {
		return err
	}
	if f.print {
		if p, _ := where(f.on, f.image); p.real { // which would start nodes; what it can do shows without
			o.Start = func(nodes.Spec) (labs.Cluster, error) { return p.sort(o.Program), nil }
		}
		return a.printPlan(lab, o, f.seeds)
	}
	if err := f.output.open(a); err != nil {
		return err
	}
	defer f.output.discard()
	st := store{dir: f.store, started: time.Now(), command: func(seed uint64) string {
		f := f
		f.seed, f.seeds = seed, 1
		return a.commandOf(lab, f)
	}}
	if err := st.open(lab.Name); err != nil {
		return err
	}
	if st.build, err = build(); err != nil {
		return err
	}
	p, _ := where(f.on, f.image)
	f.output.say(p.about)
	if f.seeds > 1 {
		return a.doSet(c.Context(), lab, o, f, st)
	}
	return a.doOne(c.Context(), lab, o, &f.output, st)
}

// printPlan prints what a run would suffer.
func (a *app) printPlan(lab labs.Lab, o labs.Options, seeds int) error {
	if seeds > 1 {
		return badly("--print-plan --seeds %d: each seed has a plan of its own, so name one with --seed", seeds)
	}
	s, skipped, err := labs.Plan(lab, o)
	if err != nil {
		return classed(err)
	}
	for _, why := range skipped {
		fmt.Fprintf(a.err, "lab: not in the plan: %s\n", why)
	}
	return nemesis.WriteYAML(a.out, s)
}

// doOne does one run, keeps it and prints it.
func (a *app) doOne(ctx context.Context, lab labs.Lab, o labs.Options, out *output, st store) error {
	bar := a.bar(out.quiet)
	o.Tick = bar.tick
	run, err := labs.Do(ctx, lab, o)
	bar.clear()
	if err != nil {
		return classed(err)
	}
	dir, err := st.save(run, lab)
	if err != nil {
		return err
	}
	if err := st.point(dir); err != nil {
		return err
	}
	if err := out.print(shown{run: run, folder: dir, command: st.command(o.Seed)}); err != nil {
		return err
	}
	return status(run.Verdict)
}

// doSet does many runs, keeps those that are worth it and prints what they came to.
func (a *app) doSet(ctx context.Context, lab labs.Lab, o labs.Options, f runFlags, st store) error {
	bar := a.bar(f.output.quiet)
	keep := func(run *labs.Run) (string, error) {
		if f.keep != "all" && run.Verdict == history.Pass {
			return "", nil
		}
		return st.save(run, lab)
	}
	counts := map[history.Verdict]int{}
	lines := 0
	set, err := labs.DoSet(ctx, lab, o, f.seeds, keep, func(l labs.Line) {
		lines++
		counts[l.Verdict]++
		bar.show(func() string {
			return fmt.Sprintf("%d of %d seeds, %d failed, %d unknown", lines, f.seeds, counts[history.Fail], counts[history.Undetermined])
		})
	})
	bar.clear()
	if err != nil {
		return classed(err)
	}
	dir, err := st.saveSet(set)
	if err != nil {
		return err
	}
	last := dir
	for _, v := range []history.Verdict{history.Pass, history.Undetermined, history.Fail} {
		for i := len(set.Runs) - 1; i >= 0; i-- {
			if l := set.Runs[i]; l.Verdict == v && l.Folder != "" {
				last = l.Folder // in the end the first of the worst that were kept
			}
		}
	}
	if err := st.point(last); err != nil {
		return err
	}
	if err := f.output.printSet(set, dir, st.command); err != nil {
		return err
	}
	return status(set.Verdict)
}

// classed gives an error of package labs its exit status.
func classed(err error) error {
	switch {
	case errors.As(err, new(*labs.Invalid)), errors.As(err, new(*docker.BadImage)), errors.As(err, new(*process.Unrunnable)):
		return &failure{Usage, err}
	case errors.As(err, new(*labs.Unsupported)), errors.As(err, new(*docker.Cannot)), errors.As(err, new(*process.Cannot)):
		return &failure{Cannot, err}
	}
	return err
}

// saveSet writes summary.json in a folder of its own, whole or not at all.
func (s store) saveSet(set *labs.Set) (string, error) {
	text, err := labs.JSON(set)
	if err != nil {
		return "", err
	}
	fail := func(err error) (string, error) {
		return "", badly("cannot write to the store %s: %w", s.dir, cause(err))
	}
	tmp, err := os.MkdirTemp(filepath.Join(s.dir, set.Lab), ".unfinished-")
	if err != nil {
		return fail(err)
	}
	defer os.RemoveAll(tmp)
	if err := os.WriteFile(filepath.Join(tmp, summaryFile), text, 0o666); err != nil {
		return fail(err)
	}
	if err := os.Chmod(tmp, 0o755); err != nil {
		return fail(err)
	}
	dir, err := labs.Place(tmp, s.path(set.Lab, fmt.Sprintf("%d-to-%d", set.Seed, set.Seed+uint64(set.Seeds)-1)))
	if err != nil {
		return fail(err)
	}
	return dir, nil
}

// commandOf is what is typed to get a run with these flags.
func (a *app) commandOf(lab labs.Lab, f runFlags) string {
	words := []string{a.name, "run", lab.Name}
	add := func(flag, value string, given bool) {
		switch {
		case given && value == "":
			words = append(words, "--"+flag)
		case given:
			words = append(words, "--"+flag, quoted(value))
		}
	}
	add("plan", f.plan, f.plan != "")
	add("nemesis", strings.Join(f.nemesis, ","), f.plan == "")
	add("beyond", "", f.beyond)
	add("on", f.on, f.on != places[0].name && f.bin == "")
	add("bin", f.bin, f.bin != "")
	add("seed", strconv.FormatUint(f.seed, 10), true)
	add("seeds", strconv.Itoa(f.seeds), f.seeds > 1)
	add("time", short(f.time), f.time != time.Minute)
	add("rate", strconv.Itoa(f.rate), f.rate > 0)
	add("clients", strconv.Itoa(f.clients), f.clients > 0)
	add("nodes", strconv.Itoa(f.nodes), f.nodes > 0)
	add("bug", f.bug, f.bug != "")
	add("image", f.image, f.image != "")
	add("consistency", f.consistency, f.consistency != "")
	add("availability", f.availability, f.availability != "")
	if len(f.args) > 0 {
		words = append(words, "--")
		for _, arg := range f.args {
			words = append(words, quoted(arg))
		}
	}
	return strings.Join(words, " ")
}

// short prints a duration without zeros at its end: 2m, not 2m0s.
func short(d time.Duration) string {
	text := d.String()
	if strings.HasSuffix(text, "m0s") {
		text = strings.TrimSuffix(text, "0s")
	}
	if strings.HasSuffix(text, "h0m") {
		text = strings.TrimSuffix(text, "0m")
	}
	return text
}

// quoted makes one word of a shell's of text.
func quoted(text string) string {
	plain := func(r rune) bool {
		return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("-_./:,+@=", r)
	}
	if text != "" && strings.IndexFunc(text, func(r rune) bool { return !plain(r) }) < 0 {
		return text
	}
	return "'" + strings.ReplaceAll(text, "'", `'\''`) + "'"
}
