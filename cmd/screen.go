package cmd

import (
	"os"
	"strings"
	"unicode/utf8"

	"golang.org/x/term"

	"faultlab/checker/history"
)

// A screen is what text is laid out for.
type screen struct {
	width  int // in columns
	colour bool
}

// newScreen measures where text is printed: a terminal, or else 80 columns without colour.
func newScreen(f *os.File) screen {
	s := screen{width: 80}
	if w, _, err := term.GetSize(int(f.Fd())); err == nil && w > 0 {
		s.width = max(w, 24)
	}
	s.colour = isTerminal(f) && os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb"
	return s
}

func isTerminal(f *os.File) bool { return term.IsTerminal(int(f.Fd())) }

// paint colours text by a verdict.
func (s screen) paint(v history.Verdict, text string) string {
	if !s.colour {
		return text
	}
	code := map[history.Verdict]string{history.Pass: "32", history.Fail: "1;31", history.Undetermined: "33", history.NotJudged: "2"}[v]
	return "\x1b[" + code + "m" + text + "\x1b[0m"
}

// wrap breaks text into lines of at most width columns, at spaces where there are any.
func wrap(text string, width int) []string {
	var lines []string
	line, used := "", 0
	for _, word := range strings.Fields(text) {
		n := utf8.RuneCountInString(word)
		if used > 0 && used+1+n > width {
			lines, line, used = append(lines, line), "", 0
		}
		for n > width && used == 0 { // longer than a line
			cut := []rune(word)
			lines, word = append(lines, string(cut[:width])), string(cut[width:])
			n -= width
		}
		if used > 0 {
			line, used = line+" ", used+1
		}
		line, used = line+word, used+n
	}
	return append(lines, line)
}

// pad fills text up to width columns.
func pad(text string, width int) string {
	return text + strings.Repeat(" ", max(0, width-utf8.RuneCountInString(text)))
}
