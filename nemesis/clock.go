package nemesis

import (
	"errors"
	"math/rand/v2"
	"time"
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
		case f.DriftPPM <= -1_000_000:
			return errors.New(`stops the clock or turns it back: give it a "drift_ppm" above -1000000`)
		case f.Form == "strobe" && f.Every <= 0:
			return errors.New(`has no rhythm: give it "every_ns", the time from one leap to the next`)
		}
		return needNodes(f)
	},
	Inject: skewed,
}.with(form{"jump", jump}, form{"drift", drift}, form{"strobe", strobe})

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
