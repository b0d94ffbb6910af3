package txn

import (
	"fmt"
	"slices"
	"strings"

	"faultlab/checker/history"
)

// findings collects anomalies: all are counted, the first few of each name are explained.
type findings struct {
	opts      Options
	anomalies map[string][]Anomaly
	counts    map[string]int
	steps     int
	inner     bool // it judges one key of a history
	assumed   []string
	open      []string // models that could not be judged
	perhaps   []string // the anomalies that these models hang on
	rested    string   // why some models could not be judged
}

func newFindings(opts Options) *findings {
	if opts.Examples <= 0 {
		opts.Examples = 8
	}
	if opts.Steps <= 0 {
		opts.Steps = 20_000_000
	}
	f := &findings{opts: opts, steps: opts.Steps}
	f.reset()
	return f
}

func (f *findings) reset() { f.anomalies, f.counts = map[string][]Anomaly{}, map[string]int{} }

// add counts an anomaly, and keeps it if few of its name have been kept.
func (f *findings) add(name string, explain func() Anomaly) {
	f.counts[name]++
	if len(f.anomalies[name]) < f.opts.Examples {
		a := explain()
		a.Name = name
		f.anomalies[name] = append(f.anomalies[name], a)
	}
}

func (f *findings) names() []string {
	names := make([]string, 0, len(f.counts))
	for name := range f.counts {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// sum makes the report of what was found.
func (f *findings) sum(c *compiled) Report {
	r := Report{Anomalies: f.anomalies, Counts: f.counts, Assumed: f.assumed}
	names := f.names()
	r.Holds, r.Broken, r.Not, r.Open = judge(names, f.open)
	wanted := f.opts.wanted()
	var bad []string
	for _, name := range names {
		if wanted[name] {
			bad = append(bad, name)
		}
	}
	slices.SortFunc(bad, func(a, b string) int { return severity(a) - severity(b) })
	judged := 0
	for _, in := range c.in {
		if in {
			judged++
		}
	}
	switch asked := f.opts.asked(); {
	case len(bad) > 0:
		r.Verdict = history.Fail
		worst := f.anomalies[bad[0]][0]
		for _, a := range f.anomalies[bad[0]] {
			if len(a.Ops) < len(worst.Ops) {
				worst = a
			}
		}
		r.Ops = worst.Ops
		r.Reason = fmt.Sprintf("%s: %s", worst.Name, worst.Reason)
		if n := f.counts[bad[0]]; n > 1 {
			r.Reason += fmt.Sprintf(" (%d of its kind)", n)
		}
		if len(bad) > 1 {
			r.Reason += "; also " + strings.Join(bad[1:], ", ")
		}
	case judged == 0:
		r.Verdict, r.Reason = history.Undetermined, "no transaction is known to have committed: there is nothing to judge"
		r.Holds, r.Broken, r.Open = nil, nil, nil
	case f.rested != "" && (f.undecided(r.Open) || slices.ContainsFunc(f.perhaps, func(name string) bool { return wanted[name] })):
		r.Verdict, r.Reason = history.Undetermined, f.rested
	default:
		r.Verdict = history.Pass
		r.Reason = fmt.Sprintf("%d committed transactions; %s", judged, asked)
	}
	return r
}

// undecided says that one of the models asked for could not be judged.
func (f *findings) undecided(open []string) bool {
	for _, m := range f.opts.models() {
		if slices.Contains(open, canonical(m)) {
			return true
		}
	}
	return false
}

// ambiguous is the report of a history in which one version was written twice: single transactions can still be wrong
// in themselves, but nothing else can be told.
func (f *findings) ambiguous(c *compiled, verb string) Report {
	c.order()
	f.open = []string{"read-uncommitted", "per-key-sequential", "pram", "writes-follow-reads"}
	r := f.sum(c)
	if r.Verdict == history.Fail {
		return r
	}
	w := c.again[0]
	t, u := c.writer[w], c.writer[c.vs.find(c.vs.key[w], c.vs.value[w])]
	r.Verdict = history.Undetermined
	r.Reason = fmt.Sprintf("%s was %s to %s twice, by %s and by %s: values must be unique for each key, or their versions cannot be told apart",
		c.value(w), verb, c.keys.name[c.vs.key[w]], c.name(u), c.name(t))
	r.Ops = c.indices([]int32{t, u})
	return r
}
