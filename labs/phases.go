package labs

import "time"

const (
	lastPart  = 9 * time.Second        // of the time of a run that has a bound, for warm-up and recovery
	lastReads = 2 * time.Second        // of it, for replies that are still to come, and to read everything
	lastRest  = 400 * time.Millisecond // of it, to end the nodes and to judge
)

// phases are the times of the cluster at which the phases of a run end at the latest.
type phases struct{ warm, safety, calm, end time.Duration }

// bounded says that the run must be over so long after the time that was asked for, see Defaults.Over. Who asks for a
// certain recovery phase has all of it.
func (lab Lab) bounded(o Options) bool { return lab.Defaults.Over > 0 && o.Real && o.Calm == 0 }

// faulty is the length of the safety phase.
func (lab Lab) faulty(o Options) time.Duration {
	if lab.bounded(o) {
		return max(o.Time-lastPart, o.Time*3/5)
	}
	return o.Time
}

// phases plans a run whose cluster took so long to start.
func (lab Lab) phases(o Options, spent time.Duration) (p phases) {
	or := func(all ...time.Duration) time.Duration {
		for _, d := range all {
			if d > 0 {
				return d
			}
		}
		return 0
	}
	p.warm = or(lab.Defaults.WarmUp, 5*time.Second)
	p.safety = p.warm + lab.faulty(o)
	p.calm = p.safety + or(o.Calm, lab.Defaults.Calm, 20*time.Second)
	p.end = p.calm + finalMax
	if lab.bounded(o) {
		p.end = o.Time + lab.Defaults.Over - spent - lastRest
		p.calm = min(p.calm, p.end-lastReads)
		p.safety = min(p.safety, p.calm)
	}
	return p
}
