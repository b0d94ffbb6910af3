package linear

import (
	"fmt"
	"strings"
	"time"

	"faultlab/checker/history"
)

func (m *Model[S]) say(in, out any) string {
	if m.Say != nil {
		return m.Say(in, out)
	}
	if out == nil {
		return fmt.Sprint(in)
	}
	return fmt.Sprintf("%v = %v", in, out)
}

func (m *Model[S]) show(s S) string {
	if m.Show != nil {
		return m.Show(s)
	}
	return fmt.Sprint(s)
}

// clock is a time since the start as a person reads it: "1.20 s".
func clock(d time.Duration) string {
	switch {
	case d >= time.Second:
		return fmt.Sprintf("%d.%02d s", d/time.Second, d%time.Second/(10*time.Millisecond))
	case d >= time.Millisecond:
		return fmt.Sprintf("%d.%03d ms", d/time.Millisecond, d%time.Millisecond/time.Microsecond)
	default:
		return fmt.Sprintf("%d ns", d)
	}
}

// client names who called an operation: "client 4", "c4".
func client(o *Op) string {
	if o.Client == "" {
		return fmt.Sprintf("operation %d", o.Index)
	}
	if c := o.Client[0]; c >= '0' && c <= '9' {
		return "client " + o.Client
	}
	return o.Client
}

// who tells whose operation it is and when it was known to be over: "client 4, 1.20 s".
func who(o *Op) string {
	if o.Outcome == history.Unknown {
		return fmt.Sprintf("%s, from %s, outcome unknown", client(o), clock(o.Call))
	}
	return client(o) + ", " + clock(end(o))
}

// spent is the reason of a search that was not finished.
func spent(what string, budget, stage, stages int) string {
	return fmt.Sprintf("the search gave up after %d %s, with %d of %d returned operations in order: nothing is known", budget, what, stage, stages)
}

// words explains why a set of operations, already as small as it can be, has no order.
func (m *Model[S]) words(ops []Op, f found[S]) string {
	o := &ops[f.stuck]
	said := m.say(o.In, o.Out) + " (" + who(o) + ")"
	var ways []string
	for _, w := range f.ways {
		var err error
		if m.Branch != nil {
			_, err = m.Branch(w.state, o.In, o.Out)
		} else {
			_, err = m.Step(w.state, o.In, o.Out)
		}
		if err == nil {
			continue
		}
		way := err.Error()
		if w.last >= 0 {
			l := &ops[w.last]
			way += " after " + m.say(l.In, l.Out) + " (" + who(l) + ")"
		}
		ways = append(ways, way)
	}
	if len(ways) == 0 {
		return said + " cannot happen in any order of these operations that respects real time"
	}
	last := ""
	if len(ops) > 2 {
		last = fmt.Sprintf(", in whatever order these %d operations happened", len(ops))
	}
	return said + " cannot happen: " + strings.Join(ways, ", or ") + last
}
