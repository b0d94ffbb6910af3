package cmd

import (
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/spf13/cobra"

	"faultlab/checker"
	"faultlab/labs"
	"faultlab/nemesis"
)

// checkers are the checkers that guarantees are decided by, as lab list names them.
var checkers = []entry{
	{"linearizable", "objects by a sequential model: some order of the operations explains every reply and respects real time"},
	{"isolation", "transactions by dependency cycles: G0, G1, G-single, G2, with and without real time"},
	{"atomic", "all appends of a transaction are visible, or none"},
	{"durable", "what was acknowledged is still there in the final reads"},
	{"outcomes", "a failed transaction is never visible, and an unknown one has one outcome for good"},
	{"duplicates", "a transaction is applied at most once"},
	{"bank", "money moves and is neither made nor lost; no account below its limit"},
	{"invariant", "a predicate over several registers holds whenever they are read together"},
	{"digests", "replicas that applied the same log index are in the same state"},
	{"locks", "a prepared transaction blocks others no longer than its bound"},
	{"availability", "the share of operations served, and the longest gap, while tolerated faults are active"},
	{"recovery", "progress everywhere within a bound after the last fault is healed"},
}

// An entry is a name and what it stands for.
type entry struct{ name, about string }

// lists are what lab list can list.
var lists = []struct {
	name string
	show func(a *app, p *printer)
}{
	{"labs", func(a *app, p *printer) {
		for _, l := range a.labs {
			p.entries([]entry{{l.Name, l.About}})
			t, err := l.Topology(0)
			if err != nil {
				p.line("  " + err.Error())
				continue
			}
			var rows []entry
			for _, g := range l.Promises(t, labs.Demands{}) {
				rows = append(rows, entry{"  " + g.ID + " " + g.Name, g.Statement})
			}
			for _, audit := range l.Audits {
				rows = append(rows, entry{"  " + audit.ID + " " + audit.Name, audit.Statement + " (By lab check RUN, from the disks.)"})
			}
			p.entries(rows)
			for _, x := range l.Messages {
				for _, text := range wrap(x.About+":", p.s.width-2) {
					p.line("  " + text)
				}
				p.line("    " + x.Ask) // in one piece, to be copied
				p.line("    " + x.Answer)
			}
		}
	}},
	{"faults", func(a *app, p *printer) {
		var rows []entry
		for _, k := range nemesis.Kinds {
			about := k.About
			if len(k.Forms) > 0 {
				about += "; as " + k.Name + ":FORM with " + strings.Join(k.Forms, ", ")
			}
			var options []string
			for _, o := range k.Options {
				options = append(options, o.Name+"=")
			}
			if len(options) > 0 {
				about += "; options " + strings.Join(options, ", ")
			}
			rows = append(rows, entry{k.Name, about})
		}
		p.entries(rows)
		p.line("")
		rows = nil
		for _, o := range a.operations() {
			rows = append(rows, entry{o.Kind + ":" + o.Name, o.About})
		}
		p.entries(rows)
		for _, l := range wrap("all take for=, how long a fault lasts, and hard=, how hard it strikes, in hundredths of what is drawn: pause:one:for=4s", p.s.width) {
			p.line(l)
		}
	}},
	{"checkers", func(_ *app, p *printer) {
		p.entries(checkers)
		p.line("")
		for _, l := range wrap("for lab check --model, with the operations that each knows:", p.s.width) {
			p.line(l)
		}
		var rows []entry
		for _, m := range checker.Models {
			rows = append(rows, entry{m.Name, m.About + ": " + m.Words})
		}
		p.entries(rows)
	}},
	{"bugs", func(a *app, p *printer) {
		for _, l := range a.labs {
			var rows []entry
			for _, b := range l.System.Bugs {
				how := "lab run " + l.Name + " --bug " + b.Name
				if b.Nemesis != "" {
					how += " --nemesis " + b.Nemesis
				}
				if b.Seeds > 1 {
					how += fmt.Sprintf(" --seeds %d", b.Seeds)
				}
				rows = append(rows, entry{b.Name, fmt.Sprintf("%s; breaks %s (%s)", strings.TrimSuffix(b.About, "."), strings.Join(b.Refutes, ", "), how)})
			}
			p.entries(rows)
		}
	}},
}

// operations are the admin actions of all labs, which stand for forms of the kinds ops and membership.
func (a *app) operations() (all []labs.Operation) {
	for _, l := range a.labs {
		all = append(all, l.Operations...)
	}
	return all
}

func (a *app) listCommand() *cobra.Command {
	var names []string
	for _, l := range lists {
		names = append(names, l.name)
	}
	return &cobra.Command{
		Use:   "list [" + strings.Join(names, "|") + "]",
		Short: "List the labs with what they promise, the faults, the checkers, the known bugs",
		Example: `  lab list
  lab list bugs`,
		Args:      atMost(1, "one word"),
		ValidArgs: names,
		RunE: func(_ *cobra.Command, args []string) error {
			p := &printer{w: a.out, s: a.screen}
			for i, l := range lists {
				switch {
				case len(args) == 0:
					if i > 0 {
						p.line("")
					}
					p.line(strings.ToUpper(l.name))
				case args[0] != l.name:
					continue
				}
				l.show(a, p)
				if len(args) > 0 {
					return p.err
				}
			}
			if len(args) > 0 {
				return badly("%s", unknown("list", args[0], names))
			}
			return p.err
		},
	}
}

// entries prints names and what they stand for, in two columns where there is room.
func (p *printer) entries(rows []entry) {
	name := 0
	for _, r := range rows {
		name = max(name, utf8.RuneCountInString(r.name))
	}
	for _, r := range rows {
		if p.s.width < narrow {
			p.line(r.name)
			for _, l := range wrap(r.about, p.s.width-4) {
				p.line("    " + l)
			}
			continue
		}
		for i, l := range wrap(r.about, p.s.width-name-2) {
			head := ""
			if i == 0 {
				head = r.name
			}
			p.line(pad(head, name+2) + l)
		}
	}
}
