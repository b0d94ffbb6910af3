package checker

import (
	"time"

	"faultlab/checker/history"
)

// A Reading is a number that an operation showed, of one of several things.
type Reading struct {
	Of     string // a cursor, a watermark, the epoch of a shard; with the client in it, the rule is one of its session
	Number int64
}

// Monotonic judges that numbers never go back: an operation called after another had ended shows no smaller one, and,
// with Strict, none that is the same.
type Monotonic struct {
	View    func(op *history.Op) (r Reading, ok bool)
	Strict  bool
	AtLeast int // readings that a pass needs; 0: 1
}

// Check judges every operation that is OK.
func (c Monotonic) Check(h *history.History) history.Result {
	readings := 0
	w := newWatermarks(h)
	for i := range h.Ops {
		op := &h.Ops[i]
		if op.Outcome != history.OK {
			continue
		}
		r, ok := c.View(op)
		if !ok {
			continue
		}
		readings++
		if high, known := w.before(r.Of, op.Call); known && (r.Number < high.number || c.Strict && r.Number == high.number) {
			verb := "went back"
			if r.Number == high.number {
				verb = "stood still"
			}
			return history.Refuted(indices(h, high.op, i), "%s %s: %s showed %d, and %s, called after, shows %d",
				r.Of, verb, name(&h.Ops[high.op]), high.number, name(op), r.Number)
		}
		w.add(r.Of, mark{r.Number, i})
	}
	r := history.Passed("none of %s went back", plural(readings, "reading"))
	if least := or(c.AtLeast, 1); readings < least {
		r = history.Doubted("only %s; %d are needed", plural(readings, "reading"), least)
	}
	r.Evidence = map[string]any{"readings": readings}
	return r
}

// watermarks keep the highest number that had been shown, of each thing, before a time that only moves on.
type watermarks struct {
	h      *history.History
	things map[string]*watermark
}

type watermark struct {
	high  mark
	known bool
	open  heap // those whose operations had not ended when last asked
}

type mark struct {
	number int64
	op     int // position
}

func newWatermarks(h *history.History) *watermarks {
	return &watermarks{h: h, things: map[string]*watermark{}}
}

func (w *watermarks) before(of string, at time.Duration) (mark, bool) {
	t := w.things[of]
	if t == nil {
		return mark{}, false
	}
	for len(t.open) > 0 && t.open[0].at < at {
		if m := t.open.pop(); !t.known || m.number > t.high.number {
			t.high, t.known = m, true
		}
	}
	return t.high, t.known
}

func (w *watermarks) add(of string, m mark) {
	t := w.things[of]
	if t == nil {
		t = &watermark{}
		w.things[of] = t
	}
	t.open.push(ending{w.h.Ops[m.op].Return, m})
}

// A heap has what ends first at its root.
type heap []ending

type ending struct {
	at time.Duration
	mark
}

func (h *heap) push(e ending) {
	*h = append(*h, e)
	list := *h
	for i := len(list) - 1; i > 0 && list[i].at < list[(i-1)/2].at; i = (i - 1) / 2 {
		list[i], list[(i-1)/2] = list[(i-1)/2], list[i]
	}
}

func (h *heap) pop() mark {
	list := *h
	root := list[0].mark
	last := len(list) - 1
	list[0] = list[last]
	list = list[:last]
	for i := 0; ; {
		child := 2*i + 1
		if child >= last {
			break
		}
		if child+1 < last && list[child+1].at < list[child].at {
			child++
		}
		if list[i].at <= list[child].at {
			break
		}
		list[i], list[child] = list[child], list[i]
		i = child
	}
	*h = list
	return root
}
