package cmd

import (
	"fmt"
	"io"
	"strings"

	"faultlab/checker/history"
)

// githubFormat prints workflow commands, which GitHub shows as annotations: an error for what failed, a warning for
// what is unknown, nothing for the rest.
var githubFormat = format{name: "github", run: githubRun, set: githubSet}

func githubRun(w io.Writer, _ screen, r shown) error {
	where := fmt.Sprintf("%s seed %d", r.run.Lab, r.run.Options.Seed)
	p := &printer{w: w}
	for _, j := range r.run.Judged {
		p.annotate(j.Verdict, where+": "+j.ID+" "+j.Name, j.Reason+"\nrepeat it: "+r.command)
	}
	if r.run.Reason != "" {
		p.annotate(r.run.Whole, where, r.run.Reason+"\nrepeat it: "+r.command)
	}
	return p.err
}

func githubSet(w io.Writer, _ screen, r shownSet) error {
	p := &printer{w: w}
	for _, l := range r.set.Runs {
		where := fmt.Sprintf("%s seed %d", r.set.Lab, l.Seed)
		for _, f := range l.Findings {
			p.annotate(f.Verdict, where+": "+f.ID+" "+f.Name, f.Reason+"\nrepeat it: "+r.command(l.Seed))
		}
		if l.Reason != "" {
			p.annotate(l.Whole, where, l.Reason+"\nrepeat it: "+r.command(l.Seed))
		}
	}
	if r.set.Reason != "" {
		p.annotate(history.Undetermined, r.set.Lab+", all seeds", r.set.Reason)
	}
	return p.err
}

func (p *printer) annotate(v history.Verdict, title, text string) {
	command := map[history.Verdict]string{history.Fail: "error", history.Undetermined: "warning"}[v]
	if command == "" {
		return
	}
	data := strings.NewReplacer("%", "%25", "\r", "%0D", "\n", "%0A")
	property := strings.NewReplacer("%", "%25", "\r", "%0D", "\n", "%0A", ":", "%3A", ",", "%2C")
	p.line(fmt.Sprintf("::%s title=%s::%s", command, property.Replace(title), data.Replace(text)))
}
