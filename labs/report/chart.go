package report

import (
	"fmt"
	"strconv"
	"time"

	"faultlab/checker/history"
)

// This file draws what is plotted over the whole run. All panels share one axis of time. A drawing is 1000 units wide and
// is stretched to whatever width the page has, with strokes that do not stretch; all text is HTML, placed by
// percentage, so that it is as large on a phone as on a wall. Coordinates are integers, in tenths of a unit.

// A figure is all panels, with what they share.
type figure struct {
	Ticks      []mark // of the axis of time
	Phases     []span
	Edges      string // path: where phases begin
	Shade      string // path: while a fault was active
	Lanes      int
	Bars       []span // one fault each
	Many       bool   // too many for their names
	Crowded    string // said instead of bars, if there are too many even for numbers
	Throughput throughput
	Latency    latency
	Regions    []strip
	Column     string // how long a column is
	Parts      string // the phases by name
	FinalClip  bool   // the final reads do not fit the scale of throughput
}

// A mark is a label at a place along one axis, in percent.
type mark struct{ At, Label string }

// A span is a stretch of time with its name, in percent.
type span struct {
	Left, Width   string
	Lane          int
	Number        int // of a fault, as in the table of faults
	Name          string
	Title         string
	Fit           string // of a phase: "slim" if it is too narrow for its name on a phone, "none" if anywhere
	End           bool   // its name ends where it ends
	Struck, Quiet bool   // Quiet: it never took effect
}

type throughput struct {
	Zero              string // where the line of zero is, from the top, in percent
	ZeroY             string // the same in units
	OK, Line          string // paths
	Unknown, Failed   string
	Marks             []mark
	Grid              string
	HasLost, HasFails bool
}

type latency struct {
	P50, P99, GaveUp string
	Marks            []mark
	Grid             string
}

type strip struct {
	Name, Share, Worst      string
	Ground, Unknown, Failed string // paths: where anything was asked, and what share of it came to that
}

const (
	throughputHeight = 1100 // tenths
	latencyHeight    = 1200
	stripHeight      = 220
	maxBars          = 150
)

// A path is the d of an SVG path.
type path []byte

func (p *path) num(tenths int) {
	if tenths < 0 {
		*p = append(*p, '-')
		tenths = -tenths
	}
	*p = strconv.AppendInt(*p, int64(tenths/10), 10)
	if tenths%10 != 0 {
		*p = append(*p, '.', byte('0'+tenths%10))
	}
}

func (p *path) op(c byte, tenths ...int) {
	*p = append(*p, c)
	for i, t := range tenths {
		if i > 0 {
			*p = append(*p, ' ')
		}
		p.num(t)
	}
}

func (p *path) box(x, y, w, h int) {
	p.op('M', x, y)
	p.op('h', w)
	p.op('v', h)
	p.op('h', -w)
	*p = append(*p, 'z')
}

// x is where a time lies, in tenths of a unit.
func (s *series) x(t time.Duration) int { return int(t * 10000 / s.end) }

// percentOf writes parts of 10,000 as percent, for CSS.
func percentOf(parts int) string {
	return fmt.Sprintf("%d.%02d", parts/100, parts%100)
}

func newFigure(s *series, h *history.History) figure {
	f := figure{Column: round(s.width), Throughput: s.drawThroughput(), Latency: s.drawLatency()}
	for _, t := range timeTicks(s.end) {
		f.Ticks = append(f.Ticks, mark{percentOf(s.x(t)), clock(t, timeTicks(s.end)[1])})
	}
	var edges, shade path
	var parts []string
	for i, p := range s.phases {
		if i > 0 {
			edges.op('M', s.x(p.start), 0)
			edges.op('v', 20000)
		}
		width, fit := s.x(p.end)-s.x(p.start), ""
		switch {
		case width < 100*len(p.name):
			fit = "none"
		case width < 220*len(p.name):
			fit = "slim"
		}
		parts = append(parts, string(p.name))
		f.Phases = append(f.Phases, span{Left: percentOf(s.x(p.start)), Width: percentOf(width), Name: string(p.name), Fit: fit})
	}
	for _, w := range h.Windows {
		if w.Took {
			shade.box(s.x(w.Start), 0, max(s.x(min(w.End, s.end))-s.x(w.Start), 15), 20000)
		}
	}
	f.Edges, f.Shade = string(edges), string(shade)
	f.Parts = enumerate(parts)
	f.bars(s, h.Windows)
	for r, name := range s.regions {
		st := s.strip(name, s.byRegion[r])
		st.Share, st.Worst = s.region(r)
		f.Regions = append(f.Regions, st)
	}
	top := 0
	for c := range s.columns {
		if time.Duration(c)*s.width < s.final {
			top = max(top, s.columns[c].ok)
		}
	}
	for c := range s.columns {
		f.FinalClip = f.FinalClip || time.Duration(c)*s.width >= s.final && s.columns[c].ok > top
	}
	return f
}

// bars puts faults in lanes, so that neither two bars nor two names meet.
func (f *figure) bars(s *series, ws []history.Window) {
	if len(ws) > maxBars {
		f.Crowded = fmt.Sprintf("%s, too many to draw one by one; the shaded times are theirs.", plural(len(ws), "fault"))
		return
	}
	f.Many = len(ws) > 16
	var free []int // where each lane is free from
	for i, w := range ws {
		name := faultName(w.Kind, w.Form)
		from, to := s.x(w.Start), s.x(min(w.End, s.end))
		b := span{Left: percentOf(from), Width: percentOf(max(to-from, 20)), Number: i + 1, Name: name, Quiet: !w.Took,
			Title: fmt.Sprintf("%s, %s to %s", name, at(w.Start), at(w.End))}
		label := 450 // room for a number on a phone, and for a name on a wide page
		if !f.Many {
			label = max(label, 75*len(name)+250)
		}
		left, right := from, max(to, from+label)+60
		if from+label > 10000 {
			b.End, left, right = true, min(from, to-label), 10000
		}
		lane := 0
		for lane < len(free) && free[lane] > left {
			lane++
		}
		if lane == len(free) {
			free = append(free, 0)
		}
		free[lane] = right
		b.Lane = lane
		f.Bars = append(f.Bars, b)
	}
	f.Lanes = len(free)
}

// timeTicks are at most nine round times.
func timeTicks(end time.Duration) []time.Duration {
	step := time.Millisecond
	for _, d := range []time.Duration{
		10 * time.Millisecond, 100 * time.Millisecond, 500 * time.Millisecond, time.Second, 2 * time.Second, 5 * time.Second,
		10 * time.Second, 20 * time.Second, 30 * time.Second, time.Minute, 2 * time.Minute, 5 * time.Minute,
		10 * time.Minute, 30 * time.Minute, time.Hour, 6 * time.Hour, 24 * time.Hour,
	} {
		if step = d; end/step < 9 {
			break
		}
	}
	ts := []time.Duration{0, step}
	for t := 2 * step; t <= end; t += step {
		ts = append(ts, t)
	}
	return ts
}

// clock writes a round time, as fine as the step between two of them.
func clock(t, step time.Duration) string {
	switch {
	case t == 0:
		return "0"
	case step < time.Second:
		return fmt.Sprintf("%d.%d s", t/time.Second, t/(100*time.Millisecond)%10)
	case t < 2*time.Minute:
		return fmt.Sprintf("%d s", t/time.Second)
	}
	return fmt.Sprintf("%d:%02d", t/time.Minute, t/time.Second%60)
}

// drawThroughput draws operations a second: what succeeded above the line, what did not below it, on one scale.
func (s *series) drawThroughput() throughput {
	up, down := 1, 0
	for c, col := range s.columns {
		if time.Duration(c)*s.width < s.final || s.final == 0 {
			up, down = max(up, col.ok), max(down, col.failed+col.unknown)
		}
	}
	down = max(down, up/12)
	height := func(n int) int { return n * (throughputHeight - 60) / (up + down) }
	zero := 60 + height(up)
	edge := func(c int) int { return min(s.x(time.Duration(c)*s.width), 10000) }
	var ok, line, unknown, failed, grid path
	ok.op('M', 0, zero)
	for c, col := range s.columns {
		y := max(zero-height(col.ok), -50)
		ok.op('L', edge(c), y)
		ok.op('H', edge(c+1))
		if c == 0 {
			line.op('M', edge(c), y)
		} else {
			line.op('V', y)
		}
		line.op('H', edge(c+1))
		if col.unknown > 0 {
			unknown.box(edge(c), zero, edge(c+1)-edge(c), height(col.unknown))
		}
		if col.failed > 0 {
			failed.box(edge(c), zero+height(col.unknown), edge(c+1)-edge(c), height(col.failed))
		}
	}
	ok.op('L', 10000, zero)
	ok = append(ok, 'z')
	t := throughput{
		OK: string(ok), Line: string(line), Unknown: string(unknown), Failed: string(failed),
		HasLost: s.total.unknown > 0, HasFails: s.total.failed > 0,
	}
	var y path
	y.num(zero)
	t.ZeroY, t.Zero = string(y), percentOf(zero*10000/throughputHeight)
	perSecond := int(int64(up) * int64(time.Second) / int64(s.width))
	for _, n := range countTicks(perSecond) {
		y := zero - int(int64(n)*int64(s.width/time.Microsecond)*int64(throughputHeight-60)/1e6/int64(up+down))
		grid.op('M', 0, y)
		grid.op('H', 10000)
		t.Marks = append(t.Marks, mark{percentOf(y * 10000 / throughputHeight), number(n)})
	}
	t.Grid = string(grid)
	return t
}

// countTicks are two or three round numbers up to top.
func countTicks(top int) []int {
	step := 1
	for unit := 1; ; unit *= 10 {
		for _, n := range []int{1, 2, 5} {
			if step = n * unit; top/step <= 3 {
				var ts []int
				for t := step; t <= top; t += step {
					ts = append(ts, t)
				}
				return ts
			}
		}
	}
}

// drawLatency draws the median and the 99th percentile of what succeeded, and how long was waited for what never answered, on a
// logarithmic scale.
func (s *series) drawLatency() latency {
	low, high := time.Duration(1<<62), time.Duration(0)
	for c := range s.columns {
		if p := quantile(s.latency[c], 500); p >= 0 {
			low, high = min(low, p), max(high, quantile(s.latency[c], 990))
		}
		if g := s.gaveUp[c]; g > 0 {
			high, low = max(high, g), min(low, g)
		}
	}
	if high == 0 {
		return latency{}
	}
	from, to := decade(max(low, time.Microsecond)), decade(max(high, time.Microsecond))+1
	if 3*powerOf(to-1) > high && to-1 > from { // the last third of a decade is all the room it needs
		to--
	}
	scale := newLogScale(from, max(high, powerOf(to)), latencyHeight)
	var l latency
	var grid path
	for d := from; d <= to; d++ {
		if y := scale.y(powerOf(d)); y >= 0 {
			grid.op('M', 0, y)
			grid.op('H', 10000)
			l.Marks = append(l.Marks, mark{percentOf(y * 10000 / latencyHeight), decadeName(d)})
		}
	}
	l.Grid = string(grid)
	draw := func(mille int) string {
		var p path
		pen := byte('M')
		for c := range s.columns {
			v := quantile(s.latency[c], mille)
			if v < 0 {
				pen = 'M'
				continue
			}
			p.op(pen, min(s.x(time.Duration(c)*s.width), 10000), scale.y(v))
			p.op('H', min(s.x(time.Duration(c+1)*s.width), 10000))
			pen = 'L'
		}
		return string(p)
	}
	l.P50, l.P99 = draw(500), draw(990)
	var gave path
	for c, g := range s.gaveUp {
		if g > 0 {
			gave.op('M', min(s.x(time.Duration(c)*s.width+s.width/2), 10000), scale.y(g)-30)
			gave.op('v', 60)
		}
	}
	l.GaveUp = string(gave)
	return l
}

// strip draws the share of one region's operations that did not succeed, from the top down: the unknown ones, then the
// failed ones.
func (s *series) strip(name string, cols []tally) strip {
	var ground, unknown, failed path
	begin := -1
	for c := 0; c <= len(cols); c++ {
		x := min(s.x(time.Duration(c)*s.width), 10000)
		asked := c < len(cols) && cols[c].n() > 0
		if asked && begin < 0 {
			begin = x
		}
		if !asked && begin >= 0 {
			ground.box(begin, 0, x-begin, stripHeight)
			begin = -1
		}
		if !asked {
			continue
		}
		w, y := min(s.x(time.Duration(c+1)*s.width), 10000)-x, 0
		hang := func(p *path, n int) {
			if n > 0 {
				h := max(n*stripHeight/cols[c].n(), 10)
				p.box(x, y, w, h)
				y += h
			}
		}
		hang(&unknown, cols[c].unknown)
		hang(&failed, cols[c].failed)
	}
	return strip{Name: name, Ground: string(ground), Unknown: string(unknown), Failed: string(failed)}
}
