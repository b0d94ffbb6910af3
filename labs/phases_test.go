package labs

import (
	"testing"
	"time"
)

func TestPhasesFitInTheTimeThatThereIs(t *testing.T) {
	const s = time.Second
	lab := Lab{Defaults: Defaults{WarmUp: s, Calm: 10 * s, Over: 5 * s}}
	for _, c := range []struct {
		name                  string
		o                     Options
		spent, faulty, safety time.Duration
		calm                  time.Duration
	}{
		{"what has no bound has all of its time", Options{Time: 20 * s}, 2 * s, 20 * s, 21 * s, 31 * s},
		{"so has one that asks for its recovery phase", Options{Time: 20 * s, Real: true, Calm: 30 * s}, 2 * s, 20 * s, 21 * s, 51 * s},
		{"a bound is kept by the phase with faults", Options{Time: 20 * s, Real: true}, 0, 12 * s, 13 * s, 25*s - lastReads - lastRest},
		{"a slow start takes from recovery", Options{Time: 20 * s, Real: true}, 3 * s, 12 * s, 13 * s, 22*s - lastReads - lastRest},
		{"and then from the phase with faults", Options{Time: 20 * s, Real: true}, 12 * s, 12 * s, 13*s - lastReads - lastRest, 13*s - lastReads - lastRest},
		{"a long run gives up little of it", Options{Time: 60 * s, Real: true}, 0, 51 * s, 52 * s, 62 * s},
		{"a short run has most of its time for faults", Options{Time: 5 * s, Real: true}, 0, 3 * s, 4 * s, 10*s - lastReads - lastRest},
	} {
		p := lab.phases(c.o, c.spent)
		if got := lab.faulty(c.o); got != c.faulty {
			t.Errorf("%s: faults for %s", c.name, got)
		}
		if p.warm != s || p.safety != c.safety || p.calm != c.calm {
			t.Errorf("%s: %+v", c.name, p)
		}
		if lab.bounded(c.o) && c.spent+p.end+lastRest > c.o.Time+lab.Defaults.Over {
			t.Errorf("%s: it may end at %s", c.name, p.end)
		}
	}
}
