package nemesis

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"faultlab/nodes"
)

// The drifts between which a clock is one, in parts per million: above slowest, which stands, and up to fastest.
const (
	slowest = -1_000_000
	fastest = 1_000_000_000
)

var clock = Kind{
	Name:  "clock",
	Code:  "C1",
	About: "clocks jump, drift or leap to and fro",
	Works: has[Clocks],
	Check: func(f Fault) error {
		switch {
		case f.Offset == 0 && f.DriftPPM == 0:
			return errors.New(`leaves the clock as it is: give it an "offset_ns" or a "drift_ppm"`)
		case f.DriftPPM <= slowest:
			return errors.New(`stops the clock or turns it back: give it a "drift_ppm" above -1000000`)
		case f.DriftPPM > fastest:
			return errors.New(`is too fast for a clock: give it a "drift_ppm" of at most 1000000000`)
		case f.Form == "strobe" && f.Every <= 0:
			return errors.New(`has no rhythm: give it "every_ns", the time from one leap to the next`)
		}
		return needNodes(f)
	},
	Options: []Option{
		{"offset", "a duration, as 200ms or -4s", func(f *Fault, text string) bool {
			d, err := time.ParseDuration(text)
			f.Offset = d
			return err == nil && d != 0
		}},
		{"drift", "parts per million, as 5000 or -5000", func(f *Fault, text string) bool {
			n, ok := number(text, slowest+1, fastest)
			f.DriftPPM = n
			return ok && n != 0
		}},
		optionEvery,
	},
	Inject: skewed,
}.with(form{"jump", jump}, form{"drift", drift}, form{"strobe", strobe})

// drifts says whether f, which strikes last, may add its drift to those that overlap it. Each may end first, or be a
// strobe that is off: so those that are fast make up for none that are slow.
func (s Schedule) drifts(f Fault) error {
	slow, fast := 0, 0
	for _, other := range append(s[:len(s):len(s)], f) {
		met := other.Role != "" || f.Role != "" || // who has a role may be the one who is hit
			slices.ContainsFunc(other.Nodes, func(id nodes.ID) bool { return slices.Contains(f.Nodes, id) })
		if met && other.At+other.For >= f.At {
			slow += min(other.DriftPPM, 0)
			fast += max(other.DriftPPM, 0)
		}
	}
	if slow <= slowest || fast > fastest {
		return fmt.Errorf("with the drifts that overlap it no clock is left: let all that slow one add up to more than %d ppm, and all that speed it up to at most %d", slowest, fastest)
	}
	return nil
}

// jump sets some clocks ahead or back, by 50 milliseconds to a minute and as likely by much as by little.
func jump(r *rand.Rand, g Ground) Fault {
	f := some(r, g)
	f.Offset = uniform(r, 50*time.Millisecond, 100*time.Millisecond) << r.IntN(10)
	if r.IntN(2) == 0 {
		f.Offset = -f.Offset
	}
	return f
}

// drift makes some clocks fast or slow, by 0.01 % to 10 %.
func drift(r *rand.Rand, g Ground) Fault {
	f := some(r, g)
	f.DriftPPM = within(r, 100, 200) << r.IntN(10)
	if r.IntN(2) == 0 {
		f.DriftPPM = -f.DriftPPM
	}
	return f
}

// strobe is a jump, done and undone several times a second.
func strobe(r *rand.Rand, g Ground) Fault {
	f := jump(r, g)
	f.Every = uniform(r, 100*time.Millisecond, time.Second)
	return f
}

// some is one member, a minority or all.
func some(r *rand.Rand, g Ground) Fault {
	ways := []func(*rand.Rand, Ground) Fault{one, minority, everyone}
	for _, i := range r.Perm(len(ways)) {
		if f := ways[i](r, g); len(f.Nodes) > 0 {
			return f
		}
	}
	return Fault{}
}
