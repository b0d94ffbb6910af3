// Package report shows one run as one HTML page: the verdict, what each guarantee rests on, and what happened when. The
// page needs no script and no other file, and the same run gives the same bytes. It judges nothing; the few figures that
// it works out for itself (latency, shares of success) are for the eye and decide no verdict.
package report

import (
	_ "embed"
	"errors"
	"fmt"
	"html/template"
	"io"
	"sync"

	"faultlab/checker/history"
	"faultlab/labs"
)

// Options hold what a labs.Run does not say of itself. All of it may be empty, and is then left out of the page.
type Options struct {
	Command  string            // repeats the run, as typed: "./lab run multi-master --seed 7"
	Build    string            // the executable, by version or hash
	Pictures map[string]string // a checker's own picture of a failure, by guarantee id: a path relative to the page
	Files    []string          // the run's other files that a reader may want, relative to the page
}

//go:embed page.css
var css string

//go:embed page.html
var html string

var parsed = sync.OnceValue(func() *template.Template {
	return template.Must(template.New("page").Parse(html))
})

// Write writes the page of r. The error is w's, or says that the run has no history to show.
func Write(w io.Writer, r *labs.Run, o Options) error {
	if r.History == nil {
		return errors.New("report: the run has no history")
	}
	if err := parsed().Execute(w, newPage(r, o)); err != nil {
		return fmt.Errorf("report: %w", err)
	}
	return nil
}

// A page is what the template shows, in the order it shows it.
type page struct {
	CSS        template.CSS
	Lab        string
	Kicker     []string
	Verdict    verdict
	Summary    string
	Causes     []cause
	Command    string
	Facts      []fact
	Guarantees []guarantee
	Failures   []failure
	Broken     []broken
	Figure     figure
	Shares     shares
	Faults     []fault
	Skipped    []string
	Stalled    string
	Probes     []probed
	Parameters []fact
	Members    []fact
	Files      []string
}

// A verdict is one with a word and a mark, so that its colour is never needed.
type verdict struct{ Word, Mark, Class string }

func newVerdict(v history.Verdict) verdict {
	switch v {
	case history.Pass:
		return verdict{"pass", "✓", "pass"}
	case history.Fail:
		return verdict{"fail", "✗", "fail"}
	case history.Undetermined:
		return verdict{"unknown", "?", "unknown"}
	}
	return verdict{"not judged", "–", "not"}
}

// A cause is one reason for the run's verdict.
type cause struct{ Link, Name, Reason string }

// A fact is a name with its value, and perhaps a word on it.
type fact struct{ Name, Value, Note string }

// A guarantee is one row of the table of guarantees.
type guarantee struct {
	ID, Name, Statement, Reason string
	Verdict                     verdict
	Ops                         string // "#12 #40"
	Timeline                    bool   // its failure is drawn below
	Picture                     string
	Under                       string
	Evidence                    []fact
}

// A broken is a node that did what no node may.
type broken struct {
	Node, At, What string
	Log            []string // the last lines that it wrote
}

const (
	maxTimelines = 8  // failures that are drawn; each is some 10 kB
	maxBroken    = 12 // node crashes that are listed
	lastLines    = 15 // of the log of a node that broke
)

func newPage(r *labs.Run, o Options) page {
	s := newSeries(r.History)
	p := page{
		CSS: template.CSS(css), Lab: r.Lab, Verdict: newVerdict(r.Verdict), Command: o.Command,
		Faults: faults(r.Schedule, r.History), Figure: newFigure(s, r.History), Shares: newShares(labs.Available(r.History)), Skipped: r.Skipped, Stalled: r.Stalled(),
	}
	p.Kicker = []string{r.Lab, fmt.Sprintf("seed %d", r.Options.Seed)}
	if r.Options.On != "" {
		p.Kicker = append(p.Kicker, "on "+r.Options.On)
	}
	if r.Options.Bug != "" {
		p.Kicker = append(p.Kicker, "bug "+r.Options.Bug+" switched on")
	}
	if r.Stopped {
		p.Kicker = append(p.Kicker, "interrupted")
	}
	p.Summary, p.Causes = headline(r, len(r.History.Ops), len(r.History.Windows))
	p.Facts = s.facts()
	for _, j := range r.Judged {
		g := guarantee{
			ID: j.ID, Name: j.Name, Statement: j.Statement, Reason: j.Reason, Verdict: newVerdict(j.Verdict),
			Ops: indices(j.Ops, 12), Picture: o.Pictures[j.ID], Under: list(j.Under), Evidence: evidence(j.Evidence),
		}
		if j.Verdict == history.Fail && len(p.Failures) < maxTimelines {
			if f, ok := newFailure(r.History, j); ok {
				f.Picture = g.Picture
				p.Failures, g.Timeline = append(p.Failures, f), true
			}
		}
		p.Guarantees = append(p.Guarantees, g)
	}
	for i, b := range r.Broken {
		if i == maxBroken {
			break
		}
		lines := r.Logs[b.Node]
		p.Broken = append(p.Broken, broken{string(b.Node), at(b.At), b.What, lines[max(0, len(lines)-lastLines):]})
	}
	p.Probes = probes(r.Reached)
	for _, f := range o.Files {
		if f != "report.html" { // this page itself
			p.Files = append(p.Files, f)
		}
	}
	p.Parameters, p.Members = parameters(r, o), members(r.Topology)
	return p
}

// headline says in one sentence what became of the run, and gives the causes if it is not a pass.
func headline(r *labs.Run, ops, windows int) (string, []cause) {
	count := map[history.Verdict]int{}
	for _, j := range r.Judged {
		count[j.Verdict]++
	}
	judged := len(r.Judged) - count[history.NotJudged]
	with := func(v history.Verdict) (cs []cause) {
		for _, j := range r.Judged {
			if j.Verdict == v {
				cs = append(cs, cause{"g-" + j.ID, j.ID + " " + j.Name, j.Reason})
			}
		}
		return cs
	}
	switch {
	case r.Verdict == history.Fail:
		var said []string
		if n := count[history.Fail]; n > 0 {
			said = append(said, fmt.Sprintf("%d of %s broken", n, plural(judged, "judged guarantee")))
		}
		if n := len(r.Broken); n > 0 {
			said = append(said, plural(n, "node failure")+" that no fault explains")
		}
		causes := with(history.Fail)
		for i, b := range r.Broken {
			if i == 3 {
				break
			}
			causes = append(causes, cause{"broken", "node " + string(b.Node), "broke at " + at(b.At) + ": " + b.What})
		}
		if said == nil {
			return sentence(r.Reason), causes
		}
		return sentence(enumerate(said)), causes
	case r.Verdict == history.Undetermined && count[history.Undetermined] > 0:
		return fmt.Sprintf("Nothing was broken, but %d of %s could not be decided.", count[history.Undetermined],
			plural(judged, "guarantee")), append(with(history.Undetermined), whole(r)...)
	case r.Verdict == history.Undetermined:
		return "Nothing was broken, and this run does not show that anything holds.", whole(r)
	case judged == 0:
		return "No guarantee was judged.", whole(r)
	}
	s := fmt.Sprintf("All %s held", plural(judged, "judged guarantee"))
	if judged == 1 {
		s = "The one judged guarantee held"
	}
	s += fmt.Sprintf(" through %s and %s.", plural(ops, "operation"), plural(windows, "fault"))
	if n := count[history.NotJudged]; n > 0 {
		s += fmt.Sprintf(" %d %s not judged.", n, was(n))
	}
	return s, nil
}

// whole is what is to be said of the run and of no guarantee alone.
func whole(r *labs.Run) []cause {
	if r.Reason == "" {
		return nil
	}
	return []cause{{Reason: sentence(r.Reason)}}
}
