package cmd

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"faultlab/checker/history"
	"faultlab/labs"
)

var textFormat = format{name: "text", run: textRun, set: textSet}

// narrow is the width below which a table stands in two lines for each row.
const narrow = 72

func textRun(w io.Writer, s screen, r shown) error {
	run := r.run
	results := run.Results()
	if r.quiet {
		_, err := fmt.Fprintf(w, "%s  %s seed %d  %s\n", s.paint(run.Verdict, run.Verdict.String()), run.Lab, run.Options.Seed, r.folder)
		return err
	}
	p := &printer{w: w, s: s}
	p.text(fmt.Sprintf("%s, seed %d, nemesis %s%s: %d nodes, %s of load with %s; %d operations: %d ok, %d failed, %d unknown",
		run.Lab, run.Options.Seed, results.Nemesis, bugNote(results.Bug), results.Nodes, short(run.Options.Time), count(len(run.Schedule), "fault"),
		results.Operations.Asked, results.Operations.OK, results.Operations.Failed, results.Operations.Unknown))
	p.line("")
	var rows []row
	for _, g := range results.Guarantees {
		rows = append(rows, row{g.ID, g.Name, g.Verdict, g.Verdict.String(), g.Reason})
	}
	p.table(rows)
	if len(results.Availability) > 0 {
		p.line("")
		p.availability(results.Availability)
	}
	p.line("")
	for _, why := range run.Skipped {
		p.text("skipped: " + why)
	}
	if why := run.Stalled(); why != "" {
		p.text("note: " + why)
	}
	for _, note := range r.notes {
		p.text(note)
	}
	p.verdict(run.Verdict, run.Reason)
	if r.folder != "" {
		p.line("run folder: " + r.folder)
	}
	if run.Verdict == history.Fail && r.command != "" {
		p.line("repeat it:  " + r.command)
	}
	return p.err
}

func bugNote(bug string) string {
	if bug == "" {
		return ""
	}
	return ", bug " + bug
}

// because gives a reason, if there is one.
func because(reason string) string {
	if reason == "" {
		return ""
	}
	return "  (" + reason + ")"
}

func textSet(w io.Writer, s screen, r shownSet) error {
	set := r.set
	failed, unknown := set.With(history.Fail), set.With(history.Undetermined)
	passed := len(set.Runs) - len(failed) - len(unknown)
	if r.quiet {
		_, err := fmt.Fprintf(w, "%s  %s seeds %d to %d: %d passed, %d failed, %d unknown  %s%s\n", s.paint(set.Verdict, set.Verdict.String()),
			set.Lab, set.Seed, set.Seed+uint64(set.Seeds)-1, passed, len(failed), len(unknown), r.folder, because(set.Reason))
		return err
	}
	p := &printer{w: w, s: s}
	p.text(fmt.Sprintf("%s, seeds %d to %d, nemesis %s%s: %s, %d passed, %d failed, %d unknown", set.Lab, set.Seed, set.Seed+uint64(set.Seeds)-1,
		set.Nemesis, bugNote(set.Bug), count(len(set.Runs), "run"), passed, len(failed), len(unknown)))
	p.line("")
	var rows []row
	for _, c := range set.Guarantees {
		v := history.NotJudged
		switch {
		case c.Fail > 0:
			v = history.Fail
		case c.Unknown > 0:
			v = history.Undetermined
		case c.Pass > 0:
			v = history.Pass
		}
		rows = append(rows, row{c.ID, c.Name, v, v.String(), fmt.Sprintf("%d pass, %d fail, %d unknown, %d not judged", c.Pass, c.Fail, c.Unknown, c.NotJudged)})
	}
	p.table(rows)
	p.line("")
	const most = 20 // runs that are told of one by one; summary.json has all
	told := 0
	for _, l := range set.Runs {
		if l.Verdict == history.Pass {
			continue
		}
		if told++; told > most {
			continue
		}
		p.text(fmt.Sprintf("seed %d: %s: %s", l.Seed, l.Verdict, l.Why()))
		if l.Folder != "" {
			p.line("  " + l.Folder)
		}
	}
	if told > most {
		p.text(fmt.Sprintf("and %d more, see %s", told-most, summaryFile))
	}
	for _, list := range []struct {
		what  string
		seeds []uint64
	}{{"failing seeds: ", failed}, {"unknown seeds: ", unknown}} {
		if len(list.seeds) > 0 {
			p.text(list.what + strings.Trim(fmt.Sprint(list.seeds), "[]"))
		}
	}
	p.verdict(set.Verdict, set.Reason)
	p.line("summary:    " + r.folder)
	if len(failed) > 0 {
		p.line("repeat it:  " + r.command(failed[0]))
	}
	return p.err
}

// A printer prints lines, and keeps the first error.
type printer struct {
	w   io.Writer
	s   screen
	err error
}

func (p *printer) line(text string) {
	if p.err == nil {
		_, p.err = fmt.Fprintln(p.w, text)
	}
}

// text prints a paragraph, its further lines indented.
func (p *printer) text(text string) {
	for i, l := range wrap(text, p.s.width-2) {
		if i > 0 {
			l = "  " + l
		}
		p.line(l)
	}
}

func (p *printer) verdict(v history.Verdict, reason string) {
	lines := wrap(v.String()+colon(reason), p.s.width-12)
	for i, l := range lines {
		if i == 0 {
			p.line("verdict:    " + p.s.paint(v, v.String()) + strings.TrimPrefix(l, v.String()))
			continue
		}
		p.line(strings.Repeat(" ", 12) + l)
	}
}

func colon(text string) string {
	if text == "" {
		return ""
	}
	return ": " + text
}

// A row is one guarantee.
type row struct {
	id, name string
	verdict  history.Verdict
	word     string
	reason   string
}

// table prints guarantees: in columns, or where there is no room for that, each in lines of its own.
func (p *printer) table(rows []row) {
	id, name, word := 0, 0, 0
	for _, r := range rows {
		id, name, word = max(id, utf8.RuneCountInString(r.id)), max(name, utf8.RuneCountInString(r.name)), max(word, len(r.word))
	}
	left := id + 2 + name + 2 + word + 2
	for _, r := range rows {
		if p.s.width < narrow || p.s.width-left < 24 {
			p.line(pad(r.id, id) + "  " + r.name + "  " + p.s.paint(r.verdict, r.word))
			for _, l := range wrap(r.reason, p.s.width-id-2) {
				p.line(strings.Repeat(" ", id+2) + l)
			}
			continue
		}
		for i, l := range wrap(r.reason, p.s.width-left) {
			head := strings.Repeat(" ", left)
			if i == 0 {
				head = pad(r.id, id) + "  " + pad(r.name, name) + "  " + p.s.paint(r.verdict, r.word) + strings.Repeat(" ", word-len(r.word)+2)
			}
			p.line(strings.TrimRight(head+l, " "))
		}
	}
}

// availability prints what was ok of what was asked: a row for each fault, a column for each region.
func (p *printer) availability(cells []labs.Availability) {
	cells = coarse(cells)
	var faults, regions []string
	for _, c := range cells {
		if !slices.Contains(faults, c.Fault) {
			faults = append(faults, c.Fault)
		}
		if !slices.Contains(regions, c.Region) {
			regions = append(regions, c.Region)
		}
	}
	// Faults stand in the order of time in each region, but a region may lack some.
	if i := slices.Index(faults, labs.Healed); i >= 0 {
		faults = append(slices.Delete(faults, i, i+1), labs.Healed)
	}
	at := map[[2]string]labs.Availability{}
	name, column := len("answered in"), len("100.0 %")
	for _, c := range cells {
		at[[2]string{c.Fault, c.Region}] = c
		name, column = max(name, len(c.Fault)), max(column, utf8.RuneCountInString(c.Region))
	}
	stacked := name+len(regions)*(column+2) > p.s.width
	print := func(first string, cell func(region string) string) {
		text := pad(first, name)
		if stacked {
			p.line(first)
			text = " "
		}
		for _, region := range regions {
			word := cell(region)
			text += "  " + strings.Repeat(" ", max(0, column-utf8.RuneCountInString(word))) + word
		}
		p.line(strings.TrimRight(text, " "))
	}
	print("answered in", func(region string) string { return region })
	for _, fault := range faults {
		print(fault, func(region string) string {
			c := at[[2]string{fault, region}]
			if c.Asked == 0 {
				return "-"
			}
			mille := c.Answered() * 1000 / c.Asked
			return fmt.Sprintf("%d.%d %%", mille/10, mille%10)
		})
	}
	var calm []time.Duration
	for _, c := range cells {
		if c.Fault == labs.Calm && c.OK > 0 {
			calm = append(calm, c.P50, c.P99)
		}
	}
	if len(calm) > 0 {
		var p50s, p99s []string
		for i := 0; i < len(calm); i += 2 {
			p50s, p99s = append(p50s, millis(calm[i])), append(p99s, millis(calm[i+1]))
		}
		p.text(fmt.Sprintf("latency with no fault, by region: median %s ms, 99th percentile %s ms", strings.Join(p50s, ", "), strings.Join(p99s, ", ")))
	}
}

// coarse puts the forms of each fault together where there are too many of them for a table.
func coarse(cells []labs.Availability) []labs.Availability {
	const most = 10 // rows
	var faults []string
	for _, c := range cells {
		if !slices.Contains(faults, c.Fault) {
			faults = append(faults, c.Fault)
		}
	}
	if len(faults) <= most {
		return cells
	}
	var out []labs.Availability
	for _, c := range cells {
		c.Fault, _, _ = strings.Cut(c.Fault, ":")
		i := slices.IndexFunc(out, func(o labs.Availability) bool { return o.Region == c.Region && o.Fault == c.Fault })
		if i < 0 {
			out = append(out, c)
			continue
		}
		out[i].Asked, out[i].OK, out[i].Failed = out[i].Asked+c.Asked, out[i].OK+c.OK, out[i].Failed+c.Failed
	}
	return out
}

func millis(d time.Duration) string {
	tenths := d / (100 * time.Microsecond)
	return fmt.Sprintf("%d.%d", tenths/10, tenths%10)
}

func count(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}
