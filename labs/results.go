package labs

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"faultlab/checker/history"
)

// Format is the version of run.json, results.json and summary.json.
const Format = 1

// Results are what a run came to, in the shape of results.json. They hold nothing that differs between two runs of one
// seed, and no wall-clock time.
type Results struct {
	Format       int               `json:"format"`
	Lab          string            `json:"lab"`
	On           string            `json:"on"`
	Nemesis      string            `json:"nemesis"`
	Nodes        int               `json:"nodes"`
	Seed         uint64            `json:"seed"`
	Bug          string            `json:"bug,omitempty"`
	Image        string            `json:"image,omitempty"`
	Verdict      history.Verdict   `json:"verdict"`
	Reason       string            `json:"reason,omitempty"` // what holds for the whole run, see Run.Reason
	Guarantees   []GuaranteeResult `json:"guarantees"`
	Availability []Availability    `json:"availability"`
	Reached      map[string]int    `json:"reached"`
	Operations   Operations        `json:"operations"`
	Broken       []Break           `json:"broken,omitempty"`
	Stalls       []history.Stall   `json:"stalls,omitempty"` // times in which the lab itself stood still
}

// A GuaranteeResult is one guarantee with its verdict.
type GuaranteeResult struct {
	ID        string `json:"id"`
	Name      string `json:"name"`
	Statement string `json:"statement"`
	history.Result
}

// Operations counts operations by what became of them, in all phases.
type Operations struct {
	Asked   int `json:"asked"`
	OK      int `json:"ok"`
	Failed  int `json:"failed"`
	Unknown int `json:"unknown"`
}

// A Break is a nodes.Broken.
type Break struct {
	Node string        `json:"node"`
	At   time.Duration `json:"at_ns"`
	What string        `json:"what"`
}

// Results returns the results of a run that was judged.
func (run *Run) Results() Results {
	r := Results{
		Format: Format, Lab: run.Lab, On: run.Options.On, Nemesis: strings.Join(run.Options.Nemesis, ","),
		Nodes: len(run.Topology.Members), Seed: run.Options.Seed, Bug: run.Options.Bug, Image: run.Options.Image,
		Verdict: run.Verdict, Reason: run.Reason, Guarantees: []GuaranteeResult{},
		Availability: Available(run.History), Reached: run.Reached, Broken: run.breaks(), Stalls: run.History.Stalls, Operations: run.operations(),
	}
	for _, j := range run.Judged {
		r.Guarantees = append(r.Guarantees, GuaranteeResult{j.ID, j.Name, j.Statement, j.Result})
	}
	return r
}

func (run *Run) operations() (o Operations) {
	o.Asked = len(run.History.Ops)
	for i := range run.History.Ops {
		switch run.History.Ops[i].Outcome {
		case history.OK:
			o.OK++
		case history.Failed:
			o.Failed++
		default:
			o.Unknown++
		}
	}
	return o
}

// Stalled says in a sentence how the lab itself stood still, "" if it did not.
func (run *Run) Stalled() string {
	stalls := run.History.Stalls
	if len(stalls) == 0 {
		return ""
	}
	var sum time.Duration
	var when []string
	for i, s := range stalls {
		sum += s.End - s.Start
		if i < 3 {
			when = append(when, fmt.Sprintf("%.1f s", s.Start.Seconds()))
		}
	}
	if n := len(stalls) - len(when); n > 0 {
		when = append(when, fmt.Sprintf("%d times more", n))
	}
	return fmt.Sprintf("the lab itself stood still for %.1f s in all (at %s): what was late then proves nothing against the nodes", sum.Seconds(), strings.Join(when, ", "))
}

func (run *Run) breaks() []Break {
	var out []Break
	for _, b := range run.Broken {
		out = append(out, Break{string(b.Node), b.At, b.What})
	}
	return out
}

// JSON returns a value of results.json, summary.json or run.json as the bytes of its file.
func JSON(v any) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	err := e.Encode(v)
	return b.Bytes(), err
}
