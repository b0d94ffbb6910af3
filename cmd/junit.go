package cmd

import (
	"encoding/xml"
	"fmt"
	"io"

	"faultlab/checker/history"
	"faultlab/labs"
)

// junitFormat prints the XML that continuous integration reads: each guarantee is a test case. What is unknown is an
// error there, and what was not judged is skipped.
var junitFormat = format{name: "junit", alone: true, run: junitRun, set: junitSet}

type junitSuite struct {
	XMLName  xml.Name    `xml:"testsuite"`
	Name     string      `xml:"name,attr"`
	Tests    int         `xml:"tests,attr"`
	Failures int         `xml:"failures,attr"`
	Errors   int         `xml:"errors,attr"`
	Skipped  int         `xml:"skipped,attr"`
	Cases    []junitCase `xml:"testcase"`
}

type junitCase struct {
	Class   string    `xml:"classname,attr"`
	Name    string    `xml:"name,attr"`
	Failure *junitWhy `xml:"failure"`
	Error   *junitWhy `xml:"error"`
	Skipped *junitWhy `xml:"skipped"`
}

type junitWhy struct {
	Message string `xml:"message,attr"`
	Text    string `xml:",chardata"`
}

func (s *junitSuite) add(class, name string, v history.Verdict, reason, text string) {
	c, why := junitCase{Class: class, Name: name}, &junitWhy{reason, text}
	s.Tests++
	switch v {
	case history.Fail:
		c.Failure = why
		s.Failures++
	case history.Undetermined:
		c.Error = why
		s.Errors++
	case history.NotJudged:
		c.Skipped = why
		s.Skipped++
	}
	s.Cases = append(s.Cases, c)
}

func (s *junitSuite) write(w io.Writer) error {
	if _, err := io.WriteString(w, xml.Header); err != nil {
		return err
	}
	e := xml.NewEncoder(w)
	e.Indent("", "  ")
	if err := e.Encode(s); err != nil {
		return err
	}
	_, err := io.WriteString(w, "\n")
	return err
}

func junitRun(w io.Writer, _ screen, r shown) error {
	s := &junitSuite{Name: fmt.Sprintf("%s seed %d", r.run.Lab, r.run.Options.Seed)}
	for _, j := range r.run.Judged {
		s.add(r.run.Lab, j.ID+" "+j.Name, j.Verdict, j.Reason, j.Statement+"\nrepeat it: "+r.command)
	}
	if r.run.Reason != "" {
		s.add(r.run.Lab, "the run as a whole", r.run.Whole, r.run.Reason, "repeat it: "+r.command)
	}
	return s.write(w)
}

func junitSet(w io.Writer, _ screen, r shownSet) error {
	set := r.set
	s := &junitSuite{Name: fmt.Sprintf("%s seeds %d to %d", set.Lab, set.Seed, set.Seed+uint64(set.Seeds)-1)}
	for _, c := range set.Guarantees {
		v, reason, text := history.NotJudged, fmt.Sprintf("%d pass, %d fail, %d unknown, %d not judged", c.Pass, c.Fail, c.Unknown, c.NotJudged), c.Statement
		if c.Pass > 0 {
			v = history.Pass
		}
		for _, l := range set.Runs {
			for _, f := range l.Findings {
				if f.ID == c.ID {
					v = max(v, f.Verdict)
					text += fmt.Sprintf("\nseed %d: %s: %s\nrepeat it: %s", l.Seed, f.Verdict, f.Reason, r.command(l.Seed))
				}
			}
		}
		s.add(set.Lab, c.ID+" "+c.Name, v, reason, text)
	}
	for _, l := range set.Runs {
		if l.Reason != "" {
			s.add(set.Lab, fmt.Sprintf("seed %d as a whole", l.Seed), l.Whole, l.Reason, "repeat it: "+r.command(l.Seed))
		}
	}
	if set.Reason != "" {
		s.add(set.Lab, "the set as a whole", history.Undetermined, set.Reason, labs.SetRule)
	}
	return s.write(w)
}
