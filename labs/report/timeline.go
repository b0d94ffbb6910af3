package report

import (
	"cmp"
	"fmt"
	"math/bits"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"faultlab/checker/history"
	"faultlab/labs"
)

// A failure is one broken guarantee, with the operations around it drawn. Time in the drawing is in order and not to
// scale: the operations that show a failure may be a millisecond apart or a minute, and what matters is which of them
// was over before which began.
type failure struct {
	ID, Name, Statement, Reason, Picture string

	Width, Height int
	Names         []laneName
	Bars          []bar
	Ticks         []tick
	Breaks        []tick
	Shades        []shade
	Axis          int // y
	Ops           []opRow
	More          int  // operations that show it too and are not drawn
	Around        int  // operations drawn that only stand around
	Told          bool // some word of Ops is a telling one
}

type laneName struct {
	Client, Region string
	Top            int
}

// A bar is one operation.
type bar struct {
	X, Y, W, H int
	Tail       int // where the dotted line of an operation without an end leads to; 0 if it has one
	Named      bool
	Outcome    string
	Tag        string // "#12"
	Title      string
	In, Out    string
	InX, InY   int
	OutY       int
	TagY, MidY int
}

type tick struct {
	X     int
	Label string
	End   bool // the label ends there
}

type shade struct {
	X, W int
	Name string
}

// An opRow is an operation in words.
type opRow struct {
	Index                 int
	Client, Node, Region  string
	Call, Return, Outcome string
	In, Out               []piece
	FullIn, FullOut       string
}

const (
	maxNamed  = 12
	maxAround = 10 // operations that only stand around
	nearby    = 80 // where they are looked for: so many before and after
	laneTall  = 50
	barTall   = 20
	letter    = 7 // width of a letter, rounded up
)

func newFailure(h *history.History, j labs.Judged) (failure, bool) {
	named := slices.Clone(j.Ops)
	named = slices.DeleteFunc(named, func(i int) bool { return i < 0 || i >= len(h.Ops) })
	slices.Sort(named)
	named = slices.Compact(named)
	if len(named) == 0 {
		return failure{}, false
	}
	tell := newTelling(j.Reason)
	f := failure{ID: j.ID, Name: j.Name, Statement: j.Statement, Reason: j.Reason}
	if len(named) > maxNamed {
		f.More = len(named) - maxNamed
		named = slices.Delete(named, maxNamed/2, len(named)-maxNamed/2) // how it began, and who noticed
	}
	shown := append(slices.Clone(named), around(h, named)...)
	slices.Sort(shown)
	f.Around = len(shown) - len(named)
	for _, i := range named {
		r := row(&h.Ops[i], tell)
		f.Ops = append(f.Ops, r)
		f.Told = f.Told || slices.ContainsFunc(append(slices.Clone(r.In), r.Out...), func(p piece) bool { return p.Tell })
	}
	f.draw(h, shown, named, tell)
	return f, true
}

func row(op *history.Op, tell telling) opRow {
	r := opRow{
		Index: op.Index, Client: op.Client, Node: op.Node, Region: op.Region, Call: at(op.Call), Outcome: string(op.Outcome),
		Return: at(op.Return), In: tell.mark(cut(words(op.In, tell), 600)), Out: tell.mark(cut(words(op.Out, tell), 800)),
		FullIn: cut(full(op.In), 3000), FullOut: cut(full(op.Out), 3000),
	}
	if op.Outcome == history.Unknown {
		r.Return = "no answer by " + r.Return
	}
	return r
}

// around chooses operations near the named ones, the same number for each of them: those that speak of the same things
// first (of the same key, by the words in their bodies), then those that overlap with it.
func around(h *history.History, named []int) []int {
	taken := map[int]bool{}
	for _, i := range named {
		taken[i] = true
	}
	said := map[int][]string{}
	speaks := func(i int) []string {
		ws, ok := said[i]
		if !ok {
			ws = tokens(h.Ops[i].In)
			said[i] = ws
		}
		return ws
	}
	near := make([][]int, len(named))
	for k, n := range named {
		near[k] = neighbours(h, n, speaks)
	}
	var out []int
	for left := true; left; {
		left = false
		for k := range near {
			for len(near[k]) > 0 && taken[near[k][0]] {
				near[k] = near[k][1:]
			}
			if len(near[k]) > 0 && len(out) < maxAround {
				taken[near[k][0]], left = true, true
				out = append(out, near[k][0])
			}
		}
	}
	return out
}

// neighbours are the operations near n that have to do with it, the nearest in meaning first.
func neighbours(h *history.History, n int, speaks func(int) []string) []int {
	from, to := max(0, n-nearby), min(len(h.Ops), n+nearby+1)
	common := map[string]int{}
	for i := from; i < to; i++ {
		for _, w := range speaks(i) {
			common[w]++
		}
	}
	type candidate struct{ index, rank, distance int }
	var cs []candidate
	for i := from; i < to; i++ {
		related := slices.ContainsFunc(speaks(n), func(w string) bool {
			return 3*common[w] <= to-from && slices.Contains(speaks(i), w) // what all of them say means nothing
		})
		overlaps := !h.Ops[i].Before(&h.Ops[n]) && !h.Ops[n].Before(&h.Ops[i])
		rank := 0
		switch {
		case related && overlaps:
		case related:
			rank = 1
		case overlaps:
			rank = 2
		default:
			continue
		}
		cs = append(cs, candidate{i, rank, max(i-n, n-i)})
	}
	slices.SortFunc(cs, func(a, b candidate) int {
		return cmp.Or(cmp.Compare(a.rank, b.rank), cmp.Compare(a.distance, b.distance), cmp.Compare(a.index, b.index))
	})
	var out []int
	for _, c := range cs {
		out = append(out, c.index)
	}
	return out
}

// A warp maps times to places: every time at which something begins or ends gets room by the logarithm of how long it
// has been since the one before.
type warp struct {
	times []time.Duration
	x     []int
}

func newWarp(times []time.Duration) warp {
	slices.Sort(times)
	w := warp{times: slices.Compact(times)}
	x := 16
	for i, t := range w.times {
		if i > 0 {
			x += 8 + 2*bits.Len64(uint64((t-w.times[i-1])/(50*time.Microsecond)))
		}
		w.x = append(w.x, x)
	}
	return w
}

// widen makes room between two of its times.
func (w *warp) widen(from, to time.Duration, room int) {
	i, _ := slices.BinarySearch(w.times, from)
	j, _ := slices.BinarySearch(w.times, to)
	lack := room - (w.x[j] - w.x[i])
	if lack <= 0 || i == j {
		return
	}
	for k := i + 1; k < len(w.x); k++ {
		w.x[k] += lack * (min(k, j) - i) / (j - i)
	}
}

// at is the place of any time.
func (w *warp) at(t time.Duration) int {
	i, found := slices.BinarySearch(w.times, t)
	switch {
	case found:
		return w.x[i]
	case i == 0:
		return w.x[0] - 12
	case i == len(w.times):
		return w.x[i-1] + 12
	}
	span := w.times[i] - w.times[i-1]
	return w.x[i-1] + int((t-w.times[i-1])*time.Duration(w.x[i]-w.x[i-1])/span)
}

func (w *warp) end() int { return w.x[len(w.x)-1] }

func (f *failure) draw(h *history.History, shown, named []int, tell telling) {
	var times []time.Duration
	for _, i := range shown {
		times = append(times, h.Ops[i].Call, max(h.Ops[i].Return, h.Ops[i].Call+1))
	}
	w := newWarp(times)
	isNamed := func(i int) bool { _, ok := slices.BinarySearch(named, i); return ok }
	for _, i := range shown {
		if op := &h.Ops[i]; isNamed(i) {
			room := max(runes(cut(gist(op.In, op.Client, tell), 24)), runes(cut(reply(op, tell), 24))+2)
			w.widen(op.Call, max(op.Return, op.Call+1), 10+letter*room)
		}
	}

	const top = 22
	lanes := map[string]int{}
	var last []int // the last bar of each lane
	for _, i := range shown {
		op := &h.Ops[i]
		client, _, _ := strings.Cut(op.Client, ".")
		lane, ok := lanes[client]
		if !ok {
			lane = len(lanes)
			lanes[client] = lane
			last = append(last, -1)
			f.Names = append(f.Names, laneName{client, op.Region, top + lane*laneTall})
		}
		x, y := w.at(op.Call), top+lane*laneTall+14
		b := bar{
			X: x, Y: y, W: max(w.at(max(op.Return, op.Call+1))-x, 3), H: barTall, Named: isNamed(i), Outcome: string(op.Outcome), Tag: indices([]int{i}, 1),
			InX: x + 5, InY: y + 14, OutY: y + barTall + 12, TagY: y - 4, MidY: y + barTall/2, In: gist(op.In, op.Client, tell),
		}
		b.Title = fmt.Sprintf("%s %s %s, %s: %s → %s", b.Tag, op.Client, at(op.Call), op.Outcome, cut(words(op.In, tell), 160), cut(reply(op, tell), 200))
		if b.Named {
			b.In, b.Out = fit(b.In, b.W-8), fit("→ "+reply(op, tell), b.W+letter)
		} else {
			b.Y, b.H, b.InX, b.InY = y+6, barTall-12, x, b.OutY-4
		}
		if op.Outcome == history.Unknown {
			b.Tail = x + b.W + 16
		}
		if l := last[lane]; l >= 0 && !f.Bars[l].Named { // what it says ends where the next one begins
			f.Bars[l].In = fit(f.Bars[l].In, x-f.Bars[l].X-4)
		}
		last[lane] = len(f.Bars)
		f.Bars = append(f.Bars, b)
	}
	for _, l := range last {
		if b := &f.Bars[l]; !b.Named {
			b.In = fit(b.In, 24*letter)
		}
	}
	f.Axis = top + len(lanes)*laneTall + 4
	f.Height = f.Axis + 20
	f.Width = max(w.end()+16, 320)
	for _, b := range f.Bars {
		f.Width = max(f.Width, b.InX+letter*runes(b.In)+4, b.Tail+12)
	}
	f.mark(h, &w, named)
}

// reply says what a client heard.
func reply(op *history.Op, tell telling) string {
	switch {
	case op.Outcome == history.Unknown && op.Out == nil:
		return "no answer"
	case op.Outcome == history.Failed:
		return strings.TrimSpace("failed " + gist(op.Out, op.Client, tell))
	}
	return gist(op.Out, op.Client, tell)
}

func runes(s string) int { return utf8.RuneCountInString(s) }

// fit cuts text to a width; nothing at all is better than a few letters.
func fit(text string, width int) string {
	n := width / letter
	if n < 4 {
		return ""
	}
	return cut(text, n)
}

// mark labels the axis: when named operations began and ended, where much time was left out, and the faults.
func (f *failure) mark(h *history.History, w *warp, named []int) {
	var times []time.Duration
	for _, i := range named {
		times = append(times, h.Ops[i].Call, max(h.Ops[i].Return, h.Ops[i].Call+1))
	}
	slices.Sort(times)
	free := 0
	for _, t := range times {
		x, wide := w.at(t), letter*len(at(t))+8
		k := tick{x, at(t), x+wide > f.Width}
		if k.End {
			x -= wide
		}
		if x >= free {
			f.Ticks = append(f.Ticks, k)
			free = x + wide
		}
	}
	for i := 1; i < len(w.times); i++ {
		if d := w.times[i] - w.times[i-1]; d >= time.Second {
			f.Breaks = append(f.Breaks, tick{X: (w.x[i] + w.x[i-1]) / 2, Label: short(d)})
		}
	}
	for i, win := range h.Windows {
		first, last := w.times[0], w.times[len(w.times)-1]
		if !win.Took || win.End < first || win.Start > last {
			continue
		}
		from, to := 0, f.Width
		if win.Start > first {
			from = w.at(win.Start)
		}
		if win.End < last {
			to = w.at(win.End)
		}
		s := shade{from, max(to-from, 2), ""}
		if n := len(f.Shades); n == 0 || from >= f.Shades[n-1].X+90 {
			s.Name = number(i+1) + " " + faultName(win.Kind, win.Form)
		} else {
			s.Name = number(i + 1)
		}
		f.Shades = append(f.Shades, s)
	}
}
