package cmd

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"faultlab/checker"
	"faultlab/checker/history"
	"faultlab/checker/txn"
	"faultlab/labs"
)

// A question is what lab check --model asks, as it was typed.
type question struct {
	model, initial, nullRead, failedCAS string
	consistency, anomalies              []string
	linearizable, sequential, wfr       bool
	budget                              int
	pictures                            string
	limits                              limits
}

// questionFlags are the flags that mean nothing without --model.
var questionFlags = []string{"initial", "null-read", "failed-cas", "consistency", "anomalies", "linearizable-keys", "sequential-keys", "wfr-keys", "budget", "pictures", "time-limit", "memory-limit"}

func (q *question) flags(c *cobra.Command) {
	f := c.Flags()
	f.StringVar(&q.model, "model", "", "judge history files by this `model` (lab list checkers)")
	f.StringVar(&q.initial, "initial", "", "the first `value` of a register, counter or bank; {\"x\":0,\"y\":0} of several registers")
	f.StringVar(&q.nullRead, "null-read", "", "what a read of nothing says, `initial|unobserved`: that it saw the first value, or nothing (of transactions the first is the default, else the second)")
	f.StringVar(&q.failedCAS, "failed-cas", "nothing", "what a failed compare-and-set says, `nothing|mismatch`: mismatch is that it was refused")
	f.StringSliceVar(&q.consistency, "consistency", nil, "the consistency `models` that transactions must keep; strict-serializable if neither this nor --anomalies is given")
	f.StringSliceVar(&q.anomalies, "anomalies", nil, "look for these `anomalies` alone, and what implies them")
	f.BoolVar(&q.linearizable, "linearizable-keys", false, "the versions of each register follow real time")
	f.BoolVar(&q.sequential, "sequential-keys", false, "the versions of each register follow each process")
	f.BoolVar(&q.wfr, "wfr-keys", false, "a transaction that reads a register and writes it read the version before")
	f.IntVar(&q.budget, "budget", 0, "search `steps`, of each object or history; 0: 20 million")
	f.StringVar(&q.pictures, "pictures", "", "write into this `folder` a .dot and an .svg for each example that is a cycle, and a page for each failure that has one")
	q.limits.flags(c)
	words := func(list []string) func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
		return cobra.FixedCompletions(list, cobra.ShellCompDirectiveNoFileComp)
	}
	c.RegisterFlagCompletionFunc("model", words(modelNames()))
	c.RegisterFlagCompletionFunc("consistency", words(txn.Models()))
	c.RegisterFlagCompletionFunc("null-read", words([]string{"initial", "unobserved"}))
	c.RegisterFlagCompletionFunc("failed-cas", words([]string{"nothing", "mismatch"}))
}

func modelNames() []string {
	var names []string
	for _, m := range checker.Models {
		names = append(names, m.Name)
	}
	return names
}

// ask checks what was typed.
func (q *question) ask() (m checker.Model, asked checker.Question, err error) {
	m, ok := checker.ModelNamed(q.model)
	if !ok {
		return m, asked, badly("%s", unknown("model", q.model, modelNames()))
	}
	if q.initial != "" {
		v, err := history.Parse(q.initial)
		if err != nil {
			return m, asked, badly("--initial %s: a number, a word, null, or {\"x\":0,\"y\":0}, is wanted", q.initial)
		}
		asked.Initial = &v
	}
	if q.nullRead != "" && q.nullRead != "initial" && q.nullRead != "unobserved" {
		return m, asked, badly("%s", unknown("--null-read", q.nullRead, []string{"initial", "unobserved"}))
	}
	if q.failedCAS != "nothing" && q.failedCAS != "mismatch" {
		return m, asked, badly("%s", unknown("--failed-cas", q.failedCAS, []string{"nothing", "mismatch"}))
	}
	if (len(q.consistency) > 0 || q.linearizable || q.sequential || q.wfr) && !m.Transactions {
		return m, asked, badly("--consistency, --linearizable-keys, --sequential-keys and --wfr-keys are for transactions: list-append or rw-register, not %s", m.Name)
	}
	if len(q.anomalies) > 0 && m.Anomalies == nil {
		return m, asked, badly("--anomalies: %s has none by name; list-append, rw-register and log have", m.Name)
	}
	for _, name := range q.consistency {
		if !txn.KnownModel(name) {
			return m, asked, badly("%s", unknown("consistency model", name, txn.Models()))
		}
	}
	for _, name := range q.anomalies {
		if !slices.Contains(m.Anomalies, name) {
			return m, asked, badly("%s", unknown("anomaly of "+m.Name, name, m.Anomalies))
		}
	}
	if q.budget < 0 {
		return m, asked, badly("--budget %d: it must be at least 0", q.budget)
	}
	if err := q.limits.check(); err != nil {
		return m, asked, err
	}
	asked.Race = true
	asked.NullRead, asked.Mismatch, asked.Steps = q.nullRead, q.failedCAS == "mismatch", q.budget
	asked.Txn = txn.Options{Models: q.consistency, Anomalies: q.anomalies, LinearizableKeys: q.linearizable, SequentialKeys: q.sequential, WFRKeys: q.wfr}
	return m, asked, nil
}

// A judged is one file and what became of it, as --format json prints it.
type judged struct {
	File      string                       `json:"file"`
	Model     string                       `json:"model"`
	Verdict   history.Verdict              `json:"verdict"`
	Reason    string                       `json:"reason"`
	Anomalies map[string][]checker.Example `json:"anomalies"`
	Holds     []string                     `json:"holds"`
	Broken    []string                     `json:"broken"`
	Ops       []int                        `json:"ops"`

	picture func(io.Writer) error // a page of the model's own; nil if there is none
}

// judgeFiles judges each file, and prints a line, or an object, for it as soon as it is judged. A file that cannot be
// read is named on standard error, and does not keep the others from being judged.
func (a *app) judgeFiles(ctx context.Context, q *question, formats []string, quiet bool, files []string) error {
	m, asked, err := q.ask()
	if err != nil {
		return err
	}
	if len(formats) > 1 || len(formats) == 1 && formats[0] != "text" && formats[0] != "json" {
		return badly("--format %s: histories are judged in text or json", strings.Join(formats, " --format "))
	}
	if len(files) == 0 {
		return badly("which history? name one file or more")
	}
	drawn, err := openPictures(q.pictures)
	if err != nil {
		return err
	}
	asJSON := len(formats) == 1 && formats[0] == "json"
	count := map[history.Verdict]int{}
	unreadable := 0
	for _, file := range files {
		found, err := q.judgeFile(ctx, m, asked, file)
		var bad *failure
		switch {
		case errors.As(err, &bad):
			unreadable++
			fmt.Fprintf(a.err, "lab: %s\n", bad)
			continue
		case err != nil:
			return err
		}
		count[found.Verdict]++
		if err := a.printJudged(found, asJSON); err != nil {
			return badly("cannot write to standard output: %w", cause(err))
		}
		if err := drawn.draw(found); err != nil {
			return err
		}
	}
	if len(files) > 1 && !asJSON && !quiet {
		line := fmt.Sprintf("%d files: %d pass, %d fail, %d unknown", len(files), count[history.Pass], count[history.Fail], count[history.Undetermined])
		if unreadable > 0 {
			line += fmt.Sprintf(", %d could not be read", unreadable)
		}
		fmt.Fprintln(a.out, line)
	}
	switch {
	case unreadable > 0:
		return verdict{Usage}
	case count[history.Fail] > 0:
		return verdict{Failed}
	case count[history.Undetermined] > 0:
		return verdict{Unknown}
	}
	return nil
}

// judgeFile judges one file, or the history of a run folder, within the limits. What is wrong with the file is a
// failure.
func (q *question) judgeFile(ctx context.Context, m checker.Model, asked checker.Question, name string) (judged, error) {
	file, err := openHistory(name)
	if err != nil {
		return judged{}, err
	}
	defer file.Close()
	found := make(chan judged, 1)
	failed := make(chan error, 1)
	late := q.limits.within(ctx, func(ctx context.Context) {
		asked.Context = ctx
		r, err := judge(m, asked, file)
		if err != nil {
			failed <- err
			return
		}
		found <- judged{
			File: name, Model: m.Name, Verdict: r.Verdict, Reason: r.Reason, Anomalies: r.Anomalies,
			Holds: filled(r.Holds), Broken: filled(r.Broken), Ops: filled(r.Ops), picture: r.Picture,
		}
	})
	if late != nil {
		return judged{File: name, Model: m.Name, Verdict: history.Undetermined, Reason: late.Error(), Holds: []string{}, Broken: []string{}, Ops: []int{}}, nil
	}
	select {
	case err := <-failed:
		if crash := (*labs.Crash)(nil); errors.As(err, &crash) {
			return judged{}, err
		}
		return judged{}, misread(name, err)
	case j := <-found:
		return j, nil
	}
}

func judge(m checker.Model, q checker.Question, file io.Reader) (r checker.Judgement, err error) {
	defer labs.Recover(&err)
	return m.Judge(history.ReadAny(file), q)
}

const historyFile = "history.jsonl" // in a run folder

// openHistory opens a history file, or that of a run folder.
func openHistory(name string) (io.ReadCloser, error) {
	path := name
	if info, err := os.Stat(name); err == nil && info.IsDir() {
		path = filepath.Join(name, historyFile)
	}
	file, err := os.Open(path)
	if err != nil {
		return nil, badly("cannot read %s: %w", path, cause(err))
	}
	return file, nil
}

// misread is the failure of a file whose text is wrong: file, line, column, and what was expected there.
func misread(name string, err error) error {
	if at := (*history.SyntaxError)(nil); errors.As(err, &at) {
		return badly("%s:%d:%d: want %s", name, at.Line, at.Column, at.Want)
	}
	return badly("cannot read %s: %w", name, cause(err))
}

func filled[T any](list []T) []T {
	if list == nil {
		return []T{}
	}
	return list
}

func (a *app) printJudged(j judged, asJSON bool) error {
	if asJSON {
		enc := json.NewEncoder(a.out)
		enc.SetEscapeHTML(false)
		return enc.Encode(j)
	}
	line := fmt.Sprintf("%-7s %s: %s", j.Verdict, j.File, strings.ReplaceAll(j.Reason, "\n", " "))
	if len(j.Broken) > 0 {
		line += "; broken: " + strings.Join(j.Broken, ", ")
		if len(j.Holds) > 0 {
			line += "; still holds: " + strings.Join(j.Holds, ", ")
		}
	}
	_, err := fmt.Fprintln(a.out, line)
	return err
}
