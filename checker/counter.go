package checker

import (
	"fmt"
	"math"
	"sort"
	"time"

	"faultlab/checker/history"
)

// A CounterOp changes a counter by Add, or reads Value.
type CounterOp struct {
	Read  bool
	Add   int64 // may be negative
	Value int64
}

// Counter judges that every read lies between the least and the most that the counter can have held while it ran: all
// that was acknowledged before it, with or without whatever else had been asked by its end. It does not ask whether
// one order explains all reads together, which checker/linear does.
type Counter struct {
	View    func(op *history.Op) (c CounterOp, ok bool)
	Initial int64
	Bounds  *[2]int64 // least and most that the counter may hold; nil: none
	AtLeast int       // reads that a pass needs; 0: 1
}

// Check judges every read that is OK.
func (c Counter) Check(h *history.History) history.Result {
	var called, done sums // of changes that did not fail, by call; of those that are OK, by return
	var reads []*history.Op
	for i := range h.Ops {
		op := &h.Ops[i]
		x, ok := c.View(op)
		switch {
		case !ok || op.Outcome == history.Failed:
		case x.Read:
			if op.Outcome == history.OK {
				reads = append(reads, op)
			}
		default:
			called.add(op.Call, x.Add)
			if op.Outcome == history.OK {
				done.add(op.Return, x.Add)
			}
		}
	}
	called.sum()
	done.sum()
	for _, op := range reads {
		x, _ := c.View(op)
		surely := done.before(op.Call)                        // happened before the read
		perhaps := called.before(op.Return + 1)               // or by its end
		least := add(add(c.Initial, surely.up), perhaps.down) // what goes down may have, what goes up beyond surely has not
		most := add(add(c.Initial, surely.down), perhaps.up)
		wrong := ""
		if x.Value < least || x.Value > most {
			wrong = fmt.Sprintf("by what was added then it was from %d to %d", least, most)
		}
		if b := c.Bounds; b != nil && (x.Value < b[0] || x.Value > b[1]) {
			wrong = fmt.Sprintf("it may hold from %d to %d", b[0], b[1])
		}
		if wrong != "" {
			return history.Refuted([]int{op.Index}, "%s read %d, but %s", name(op), x.Value, wrong)
		}
	}
	r := history.Passed("all of %s are possible", plural(len(reads), "read"))
	if least := or(c.AtLeast, 1); len(reads) < least {
		r = history.Doubted("only %s; %d are needed", plural(len(reads), "read"), least)
	}
	r.Evidence = map[string]any{"reads": len(reads), "changes": len(called.list)}
	return r
}

// add is a sum that ends at what 64 bits can hold.
func add(a, b int64) int64 {
	switch {
	case b > 0 && a > math.MaxInt64-b:
		return math.MaxInt64
	case b < 0 && a < math.MinInt64-b:
		return math.MinInt64
	}
	return a + b
}

// sums adds up changes over time, those up and those down apart.
type sums struct{ list []change }

type change struct {
	at       time.Duration
	up, down int64
}

func (s *sums) add(at time.Duration, by int64) {
	s.list = append(s.list, change{at, max(by, 0), min(by, 0)})
}

func (s *sums) sum() {
	sortBy(s.list, func(c change) time.Duration { return c.at })
	for i := 1; i < len(s.list); i++ {
		s.list[i].up = add(s.list[i].up, s.list[i-1].up)
		s.list[i].down = add(s.list[i].down, s.list[i-1].down)
	}
}

// before returns the sums of all changes before at.
func (s *sums) before(at time.Duration) change {
	if i := sort.Search(len(s.list), func(i int) bool { return s.list[i].at >= at }); i > 0 {
		return s.list[i-1]
	}
	return change{}
}
