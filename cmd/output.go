package cmd

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"faultlab/labs"
)

// A format is a way to print what a run, or a set of runs, came to. One file holds one format.
type format struct {
	name string
	run  func(w io.Writer, s screen, r shown) error
	set  func(w io.Writer, s screen, r shownSet) error
	// alone says that nothing else may stand in the same file: it is for programs.
	alone bool
}

// formats are all there are; the first is the default.
var formats = []format{textFormat, jsonFormat, junitFormat, githubFormat}

// A shown is one run and what is said about it.
type shown struct {
	run     *labs.Run
	folder  string
	command string   // what is typed to repeat it
	notes   []string // what else there is to say
	quiet   bool
}

// A shownSet is a set of runs and what is said about it.
type shownSet struct {
	set     *labs.Set
	folder  string
	command func(seed uint64) string
	quiet   bool
}

// An output is where results are printed: the flags that every command has which prints any.
type output struct {
	wanted []string // FORMAT or FORMAT=FILE
	quiet  bool

	sinks  []sink
	stdout io.Writer
	screen screen
	chatty bool // standard output is for people
}

// A sink is one format and where it goes.
type sink struct {
	format
	path string   // "" for standard output
	file *os.File // under another name until it is whole
}

func (o *output) flags(c *cobra.Command) {
	var names []string
	for _, f := range formats {
		names = append(names, f.name)
	}
	c.Flags().StringArrayVar(&o.wanted, "format", nil, "how results are printed: "+strings.Join(names, ", ")+"; `FORMAT=FILE` writes a file; may be given more than once")
	c.Flags().BoolVar(&o.quiet, "quiet", false, "no progress, and one line of text")
	c.RegisterFlagCompletionFunc("format", cobra.FixedCompletions(names, cobra.ShellCompDirectiveNoFileComp|cobra.ShellCompDirectiveNoSpace))
}

// open checks what is wanted, and that every file can be written.
func (o *output) open(a *app) error {
	o.stdout, o.screen = a.out, a.screen
	var names []string
	for _, f := range formats {
		names = append(names, f.name)
	}
	var toOut []format
	for _, want := range o.wanted {
		name, path, toFile := strings.Cut(want, "=")
		var f format
		for _, have := range formats {
			if have.name == name {
				f = have
			}
		}
		switch {
		case f.name == "":
			return badly("%s", unknown("format", name, names))
		case toFile && path == "":
			return badly("--format %s: the name of a file is missing", want)
		case toFile:
			file, err := os.CreateTemp(filepath.Dir(path), ".unfinished-")
			if err == nil {
				if info, e := os.Stat(path); e == nil && info.IsDir() {
					err = errors.Join(errors.New("it is a folder"), file.Close(), os.Remove(file.Name()))
				}
			}
			if err != nil {
				o.discard()
				return badly("--format %s: cannot write %s: %w", want, path, cause(err))
			}
			o.sinks = append(o.sinks, sink{f, path, file})
		default:
			toOut = append(toOut, f)
			o.sinks = append(o.sinks, sink{format: f})
		}
	}
	if len(toOut) == 0 {
		toOut = formats[:1]
		o.sinks = append(o.sinks, sink{format: formats[0]})
	}
	o.chatty = true
	for _, f := range toOut {
		o.chatty = o.chatty && !f.alone
		if f.alone && len(toOut) > 1 {
			o.discard()
			return badly("--format %s: nothing else can be on standard output with it; write one of them to a file, as %s=FILE", f.name, f.name)
		}
	}
	return nil
}

// discard removes the files of sinks that were not printed to.
func (o *output) discard() {
	for i := range o.sinks {
		if f := o.sinks[i].file; f != nil {
			f.Close()
			os.Remove(f.Name())
			o.sinks[i].file = nil
		}
	}
}

// say prints a line for people.
func (o *output) say(line string) {
	if o.chatty && !o.quiet {
		for _, l := range wrap(line, o.screen.width) {
			fmt.Fprintln(o.stdout, l)
		}
	}
}

func (o *output) print(r shown) error {
	r.quiet = o.quiet
	return o.each(func(f format, w io.Writer, s screen) error { return f.run(w, s, r) })
}

func (o *output) printSet(set *labs.Set, folder string, command func(uint64) string) error {
	r := shownSet{set, folder, command, o.quiet}
	return o.each(func(f format, w io.Writer, s screen) error { return f.set(w, s, r) })
}

func (o *output) each(print func(format, io.Writer, screen) error) error {
	for i := range o.sinks {
		s := &o.sinks[i]
		var text bytes.Buffer
		on := o.screen
		if s.file != nil {
			on = screen{width: 80}
		}
		if err := print(s.format, &text, on); err != nil {
			return err
		}
		if s.file == nil {
			if _, err := o.stdout.Write(text.Bytes()); err != nil {
				return badly("cannot write to standard output: %w", cause(err))
			}
			continue
		}
		_, err := s.file.Write(text.Bytes())
		err = errors.Join(err, s.file.Chmod(0o644), s.file.Close())
		if err == nil {
			err = os.Rename(s.file.Name(), s.path)
		}
		if err != nil {
			return badly("cannot write %s: %w", s.path, cause(err))
		}
		s.file = nil
	}
	return nil
}

// A bar is the line of progress; a nil one shows nothing.
type bar struct {
	w    io.Writer
	wide int
	next time.Time
	on   bool
}

// bar returns the progress line of a command: only on a terminal.
func (a *app) bar(quiet bool) *bar {
	if quiet || !a.progress {
		return nil
	}
	return &bar{w: a.err, wide: a.screen.width - 1}
}

// show replaces the line, ten times a second at most.
func (b *bar) show(line func() string) {
	if b == nil || time.Now().Before(b.next) {
		return
	}
	b.next, b.on = time.Now().Add(100*time.Millisecond), true
	text := []rune(line())
	fmt.Fprintf(b.w, "\r%s\x1b[K", string(text[:min(len(text), b.wide)]))
}

// tick shows how far one run has got.
func (b *bar) tick(now, end time.Duration, ops int) {
	b.show(func() string {
		return fmt.Sprintf("%3d %%  %s of %s, %d operations", now*100/end, now.Truncate(time.Second), end.Truncate(time.Second), ops)
	})
}

func (b *bar) clear() {
	if b != nil && b.on {
		fmt.Fprint(b.w, "\r\x1b[K")
	}
}
