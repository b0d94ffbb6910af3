package report

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// This file turns values into words.

// number writes 12034 as "12,034".
func number(n int) string {
	s := strconv.Itoa(n)
	for i := len(s) - 3; i > 0 && s[i-1] != '-'; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

func plural(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return number(n) + " " + noun + "s"
}

func was(n int) string {
	if n == 1 {
		return "was"
	}
	return "were"
}

// percent writes a share, rounded down so that only all of them are "100 %".
func percent(part, of int) string {
	if of == 0 {
		return "–"
	}
	mille := part * 1000 / of
	if mille == 1000 {
		return "100 %"
	}
	return fmt.Sprintf("%d.%d %%", mille/10, mille%10)
}

// short writes a duration in three figures: "640 µs", "3.2 ms", "1.24 s".
func short(d time.Duration) string {
	switch {
	case d < 0:
		return "–"
	case d < time.Millisecond:
		return fmt.Sprintf("%d µs", d/time.Microsecond)
	case d < 10*time.Millisecond:
		return fmt.Sprintf("%d.%d ms", d/time.Millisecond, d/(100*time.Microsecond)%10)
	case d < time.Second:
		return fmt.Sprintf("%d ms", d/time.Millisecond)
	case d < 10*time.Second:
		return fmt.Sprintf("%d.%02d s", d/time.Second, d/(10*time.Millisecond)%100)
	case d < 2*time.Minute:
		return fmt.Sprintf("%d.%d s", d/time.Second, d/(100*time.Millisecond)%10)
	}
	return fmt.Sprintf("%d min %02d s", d/time.Minute, d/time.Second%60)
}

// at writes a time of the run to the millisecond: "12.345 s".
func at(d time.Duration) string {
	return fmt.Sprintf("%d.%03d s", d/time.Second, d/time.Millisecond%1000)
}

func list(words []string) string { return strings.Join(words, ", ") }

// enumerate is list with an and.
func enumerate(words []string) string {
	if n := len(words); n > 1 {
		return list(words[:n-1]) + " and " + words[n-1]
	}
	return list(words)
}

// round writes the width of a column.
func round(d time.Duration) string {
	if d%time.Second == 0 {
		return number(int(d/time.Second)) + " s"
	}
	return number(int(d/time.Millisecond)) + " ms"
}

// sentence makes one of a clause.
func sentence(s string) string {
	r, n := utf8.DecodeRuneInString(s)
	if n == 0 {
		return ""
	}
	return string(unicode.ToUpper(r)) + s[n:] + "."
}

// cut shortens s to at most n runes.
func cut(s string, n int) string {
	if utf8.RuneCountInString(s) <= n {
		return s
	}
	runes := []rune(s)
	return strings.TrimRight(string(runes[:max(n-1, 0)]), " ,=[(") + "…"
}

// indices names operations, at most n of them.
func indices(ops []int, n int) string {
	var b strings.Builder
	for i, op := range ops {
		if i == n {
			fmt.Fprintf(&b, " and %d more", len(ops)-n)
			break
		}
		if i > 0 {
			b.WriteByte(' ')
		}
		fmt.Fprintf(&b, "#%d", op)
	}
	return b.String()
}

// evidence lists figures by name.
func evidence(m map[string]any) []fact {
	var fs []fact
	for k, v := range m {
		text, err := json.Marshal(v)
		if err != nil {
			text = []byte(fmt.Sprintf("(%T)", v))
		}
		value := string(text)
		if s, ok := v.(string); ok {
			value = s
		}
		fs = append(fs, fact{Name: strings.ReplaceAll(k, "_", " "), Value: cut(value, 1200)})
	}
	slices.SortFunc(fs, byName)
	return fs
}

func byName(a, b fact) int { return strings.Compare(a.Name, b.Name) }
