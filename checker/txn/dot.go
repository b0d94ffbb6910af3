package txn

import (
	"cmp"
	"fmt"
	"io"
	"math"
	"slices"
	"strings"
)

// Picture writes all examples as an HTML page that stands alone, the worst anomaly first: each in words and, where it is
// a cycle, drawn.
func (r Report) Picture(w io.Writer) error {
	var names []string
	for name := range r.Anomalies {
		names = append(names, name)
	}
	slices.SortFunc(names, func(a, b string) int { return cmp.Or(cmp.Compare(severity(a), severity(b)), cmp.Compare(a, b)) })
	var b strings.Builder
	b.WriteString("<!doctype html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n<title>Anomalies</title>\n" +
		"<style>body{font:15px/1.4 sans-serif;max-width:60em;margin:2em auto;padding:0 1em}svg{max-width:32em}</style>\n")
	fmt.Fprintf(&b, "<p>%s</p>\n", escape(r.Reason))
	for _, name := range names {
		fmt.Fprintf(&b, "<h2>%s</h2>\n", escape(name))
		for _, a := range r.Anomalies[name] {
			fmt.Fprintf(&b, "<p>%s</p>\n%s", escape(a.Reason), a.SVG())
		}
	}
	b.WriteString("</html>\n")
	_, err := io.WriteString(w, b.String())
	return err
}

// DOT draws a cycle in the language of Graphviz; "" if the anomaly is none.
func (a *Anomaly) DOT() string {
	if len(a.Cycle) == 0 {
		return ""
	}
	var b strings.Builder
	fmt.Fprintf(&b, "digraph %q {\n\tnode [shape=box];\n", a.Name)
	for _, s := range a.Cycle {
		fmt.Fprintf(&b, "\tT%d -> T%d [label=%q, color=%q, tooltip=%q];\n", s.From, s.To, s.label(), colors[s.Edge], s.Why)
	}
	b.WriteString("}\n")
	return b.String()
}

var colors = map[string]string{"ww": "#b0413e", "wr": "#2a6f97", "rw": "#8a5a00", "process": "#555555", "realtime": "#777777"}

func (s *Step) label() string { return strings.TrimSpace(s.Edge + " " + s.Key) }

// SVG draws a cycle as a picture that stands alone: transactions on a circle, dependencies as arrows, and what each
// rests on as its title; "" if the anomaly is no cycle. Of a long cycle it draws the first and last dependencies.
func (a *Anomaly) SVG() string {
	const most = 24
	steps := a.Cycle
	if len(steps) == 0 {
		return ""
	}
	gap := -1 // the step in whose place others were left out
	if len(steps) > most {
		steps = append(append([]Step{}, steps[:most/2]...), steps[len(steps)-most/2:]...)
		gap = most / 2
	}
	radius := max(110, 26*len(steps))
	size := 2*radius + 180
	// Places are whole numbers, so that the picture is the same on every machine.
	at := func(i int) (x, y int) {
		angle := 2 * math.Pi * float64(i%len(steps)) / float64(len(steps))
		return size/2 + int(math.Round(float64(radius)*math.Sin(angle))), size/2 - int(math.Round(float64(radius)*math.Cos(angle)))
	}
	var b strings.Builder
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" font-family="sans-serif" font-size="13">`+"\n", size, size)
	fmt.Fprintf(&b, "<title>%s</title>\n", escape(a.Name))
	b.WriteString(`<defs><marker id="tip" viewBox="0 0 10 10" refX="9" refY="5" markerWidth="8" markerHeight="8" orient="auto"><path d="M0 0L10 5L0 10z"/></marker></defs>` + "\n")
	for i, s := range steps {
		x1, y1 := at(i)
		x2, y2 := at(i + 1)
		// A step bends outwards, so that the two of a cycle of two lie apart; it ends before the boxes.
		bend := 40
		dx, dy := x2-x1, y2-y1
		length := max(1, int(math.Round(math.Hypot(float64(dx), float64(dy)))))
		cx, cy := (x1+x2)/2+bend*dy/length, (y1+y2)/2-bend*dx/length
		sx, sy := toward(x1, y1, cx, cy, 26)
		ex, ey := toward(x2, y2, cx, cy, 26)
		dash := ""
		if s.Key == "" {
			dash = ` stroke-dasharray="5 4"`
		}
		label := s.label()
		if i == gap-1 {
			label += " …"
		}
		fmt.Fprintf(&b, `<g><title>%s</title><path d="M%d %dQ%d %d %d %d" fill="none" stroke="%s" stroke-width="2"%s marker-end="url(#tip)"/>`,
			escape(s.Why), sx, sy, cx, cy, ex, ey, colors[s.Edge], dash)
		fmt.Fprintf(&b, `<text x="%d" y="%d" text-anchor="middle" fill="%s">%s</text></g>`+"\n", cx, cy, colors[s.Edge], escape(label))
	}
	for i, s := range steps {
		x, y := at(i)
		fmt.Fprintf(&b, `<rect x="%d" y="%d" width="48" height="26" rx="5" fill="white" stroke="black"/><text x="%d" y="%d" text-anchor="middle">T%d</text>`+"\n", x-24, y-13, x, y+5, s.From)
	}
	b.WriteString("</svg>\n")
	return b.String()
}

// toward returns the point that lies a number of units from one point on the way to another.
func toward(x, y, tx, ty, units int) (int, int) {
	length := max(1, int(math.Round(math.Hypot(float64(tx-x), float64(ty-y)))))
	return x + units*(tx-x)/length, y + units*(ty-y)/length
}

func escape(s string) string {
	return strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;", `"`, "&quot;").Replace(s)
}
