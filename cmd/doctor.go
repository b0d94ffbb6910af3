package cmd

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"

	"github.com/spf13/cobra"

	"faultlab/nemesis"
	"faultlab/nodes"
	"faultlab/nodes/cluster/docker"
	"faultlab/nodes/cluster/process"
)

// A diagnosis is what lab doctor found.
type diagnosis struct {
	Format   int        `json:"format"`
	Runtimes []findings `json:"runtimes"`
	Removed  []string   `json:"removed,omitempty"` // by --clean
}

// A findings is what one runtime can do on this machine.
type findings struct {
	finding
	About  string    `json:"about,omitempty"`
	Faults []finding `json:"faults"`
}

// A finding is one thing that works here, or not.
type finding struct {
	Name string `json:"name"`
	Can  bool   `json:"can"`
	Why  string `json:"why,omitempty"` // why not
	Fix  string `json:"fix,omitempty"` // what would change that
}

func (a *app) doctorCommand() *cobra.Command {
	var format string
	var clean bool
	c := &cobra.Command{
		Use:   "doctor",
		Short: "Say what this machine can do: each runtime and each fault, and the fix for what is missing",
		Long: `doctor tries each runtime on this machine. It prints what can be done, why not, and the
command that would fix it. --clean ends the processes and removes the folders, containers,
networks, volumes and images that labs left behind, but for those of a lab that still runs.`,
		Args: atMost(0, "no argument"),
		RunE: func(c *cobra.Command, _ []string) error {
			if format != "text" && format != "json" {
				return badly("%s", unknown("format", format, []string{"text", "json"}))
			}
			d := diagnosis{Format: 1}
			if clean {
				d.Removed = process.Clean()
				contained, err := docker.Clean(c.Context())
				if cannot := (*docker.Cannot)(nil); err != nil && !errors.As(err, &cannot) { // of an engine that is not there all is said below
					return classed(err)
				}
				d.Removed = append(d.Removed, contained...)
			}
			for _, p := range places {
				d.Runtimes = append(d.Runtimes, a.examine(c.Context(), p))
			}
			if err := a.prescribe(d, format, clean); err != nil {
				return err
			}
			for _, r := range d.Runtimes {
				if !r.Can {
					return verdict{Cannot}
				}
			}
			return nil
		},
	}
	c.Flags().StringVar(&format, "format", "text", "how it is printed: text, json")
	c.Flags().BoolVar(&clean, "clean", false, "first remove what labs left behind")
	return c
}

// examine finds out what a runtime can do here.
func (a *app) examine(ctx context.Context, p place) findings {
	f := findings{finding: finding{Name: p.name, Can: true}, About: p.about}
	refuses := func(nodes.Quality) error { return nil }
	if p.check != nil {
		about, some, err := p.check(ctx)
		if about != "" {
			f.About = about
		}
		if some != nil {
			refuses = some
		}
		if err != nil {
			f.finding = no(p.name, err)
		}
	}
	for _, k := range nemesis.Kinds {
		one := finding{Name: k.Name, Can: f.Can}
		switch {
		case !k.Works(p.kind):
			one = finding{Name: k.Name, Why: "this runtime cannot do it"}
		case !f.Can:
			one.Why = "the runtime does not work here"
		default:
			if err := refuses(a.quality(k)); err != nil {
				one = no(k.Name, err)
			}
		}
		if one.Can && p.image != nil {
			if theirs := p.image("").kind; !k.Works(theirs) {
				one.Why = "not to nodes of an image (--image)"
			}
		}
		if one.Can && p.foreign != nil && !k.Works(p.foreign) {
			one.Why = "not to a program of others (--bin)"
		}
		f.Faults = append(f.Faults, one)
	}
	return f
}

// quality is what a kind does to links between members: that of its first form that does anything to one.
func (a *app) quality(k nemesis.Kind) (q nodes.Quality) {
	if len(a.labs) == 0 {
		return q
	}
	topology, err := a.labs[0].Topology(0)
	if err != nil {
		return q
	}
	member := func(id nodes.ID) bool { _, ok := topology.Member(id); return ok }
	for _, form := range k.Forms {
		f := k.Draw(rand.New(rand.NewPCG(1, 1)), nemesis.Ground{Topology: topology}, form)
		for _, l := range f.Links {
			switch {
			case !member(l.From) || !member(l.To):
			case f.Quality != nil:
				return *f.Quality
			default:
				return nodes.Quality{Cut: true}
			}
		}
	}
	return q
}

// no is a finding that something does not work.
func no(name string, err error) finding {
	f := finding{Name: name, Why: err.Error()}
	if cannot := (*docker.Cannot)(nil); errors.As(err, &cannot) {
		f.Why, f.Fix = cannot.Why, cannot.Fix
	}
	return f
}

// checkProcess says whether nodes can be processes.
func checkProcess(context.Context) (about string, refuses func(nodes.Quality) error, err error) {
	about = "a process for each node, ours or with --bin anybody's"
	if left := process.Left(); left > 0 {
		about += fmt.Sprintf("; %d folders that labs left behind (lab doctor --clean)", left)
	}
	return about, nil, process.Check()
}

// checkDocker tries a container.
func checkDocker(ctx context.Context) (about string, refuses func(nodes.Quality) error, err error) {
	m, err := docker.Check(ctx)
	if m.Engine != "" {
		about = "engine " + m.Engine
	}
	if err != nil {
		return about, nil, err
	}
	if m.Kernel.Delay != "" {
		about += "; delay by " + m.Kernel.Delay
	}
	about += fmt.Sprintf("; a container in %.1f s", m.Took.Seconds())
	if m.Left > 0 {
		about += fmt.Sprintf("; %d things that labs left behind (lab doctor --clean)", m.Left)
	}
	return about, func(q nodes.Quality) error {
		if no := m.Refuses(q); no != nil {
			return no
		}
		return nil
	}, nil
}

// prescribe prints what was found.
func (a *app) prescribe(d diagnosis, format string, clean bool) error {
	if format == "json" {
		text, err := json.MarshalIndent(d, "", "  ")
		if err == nil {
			_, err = fmt.Fprintf(a.out, "%s\n", text)
		}
		return err
	}
	p := &printer{w: a.out, s: a.screen}
	for _, thing := range d.Removed {
		p.line("removed " + thing)
	}
	if clean && len(d.Removed) == 0 {
		p.line("nothing was left behind")
	}
	for _, r := range d.Runtimes {
		p.line("")
		p.entries([]entry{{r.Name + ": " + yes(r.Can), r.About}})
		if !r.Can {
			p.entries([]entry{{"  why", r.Why}})
		}
		if r.Fix != "" {
			p.entries([]entry{{"  fix", r.Fix}})
		}
		var rows []entry
		for _, f := range r.Faults {
			text := f.Why
			if f.Fix != "" {
				text += "; fix: " + f.Fix
			}
			rows = append(rows, entry{"  " + f.Name + ": " + yes(f.Can), text})
		}
		if r.Can {
			p.entries(rows)
		}
	}
	return p.err
}

func yes(can bool) string {
	if can {
		return "yes"
	}
	return "no"
}
