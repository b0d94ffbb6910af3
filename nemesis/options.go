package nemesis

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"time"

	"faultlab/nodes"
)

// An Option is something that can be said of a kind's faults, as in slow:delay=200ms.
type Option struct {
	Name  string
	Takes string // what it takes, as the end of a sentence: "a duration, as 200ms"
	// Set changes a fault that was drawn; ok is false if text is not what the option takes.
	Set func(f *Fault, text string) (ok bool)
}

const (
	takesDuration = "a duration, as 200ms or 4s"
	takesPerMille = "a share of a thousand, 1 to 1000"
	takesPercent  = "a percentage, 1 to 1000"
)

// common are the options of all kinds.
var common = []Option{
	{"for", takesDuration, durationOf(func(f *Fault) *time.Duration { return &f.For })},
	{"hard", takesPercent, func(f *Fault, text string) bool {
		n, ok := number(text, 1, 1000)
		if ok {
			f.harden(n)
		}
		return ok
	}},
}

var (
	optionDelay = Option{"delay", takesDuration, durationOf(func(f *Fault) *time.Duration { return &f.quality().Delay })}
	optionEvery = Option{"every", takesDuration, func(f *Fault, text string) bool {
		d, err := time.ParseDuration(text)
		f.Every = d
		return err == nil && d >= leastEvery
	}}
	// What was drawn of jitter goes: the spread is in its place.
	optionSpread = Option{"spread", "how the delay, then a mean, is spread: uniform, normal, exponential or pareto", func(f *Fault, text string) bool {
		q := f.quality()
		q.Spread, q.Jitter = nodes.Spread(text), 0
		return slices.Contains(nodes.Spreads, q.Spread)
	}}
	optionJitter = Option{"jitter", takesDuration, durationOf(func(f *Fault) *time.Duration { return &f.quality().Jitter })}
)

// perMille is an option of links: a share of the messages.
func perMille(name string, part func(q *nodes.Quality) *int) Option {
	return Option{name, takesPerMille, func(f *Fault, text string) bool {
		n, ok := number(text, 1, 1000)
		*part(f.quality()) = n
		return ok
	}}
}

func durationOf(part func(f *Fault) *time.Duration) func(*Fault, string) bool {
	return func(f *Fault, text string) bool {
		d, err := time.ParseDuration(text)
		*part(f) = d
		return err == nil && d > 0
	}
}

func number(text string, lo, hi int) (int, bool) {
	n, err := strconv.Atoi(text)
	return n, err == nil && lo <= n && n <= hi
}

// quality is the harm that f does to links, which is its own to change.
func (f *Fault) quality() *nodes.Quality {
	q := nodes.Quality{}
	if f.Quality != nil {
		q = *f.Quality
	}
	f.Quality = &q
	return f.Quality
}

// harden makes a fault so many hundredths as hard as it was drawn: shares, delays, and how far a clock goes wrong.
func (f *Fault) harden(percent int) {
	part := func(n, most int) int { return min(n*percent/100, most) }
	long := func(d time.Duration) time.Duration {
		return (d / 100 * time.Duration(percent)).Truncate(time.Microsecond)
	}
	if f.Quality != nil {
		q := f.quality()
		for _, share := range []*int{&q.LossPerMille, &q.DuplicatePerMille, &q.ReorderPerMille, &q.CorruptPerMille} {
			if *share > 0 {
				*share = max(1, part(*share, 1000))
			}
		}
		q.Delay, q.Jitter = long(q.Delay), long(q.Jitter)
	}
	if f.Damage != nil {
		d := *f.Damage
		d.Delay = long(d.Delay)
		f.Damage = &d
	}
	f.Offset = long(f.Offset)
	f.DriftPPM = max(part(f.DriftPPM, fastest/10), slowest/10)
}

// optioned is the kind with options, each "name=value", that change what it draws.
func (k Kind) optioned(words []string) (Kind, error) {
	type setting struct {
		o    Option
		text string
	}
	var set []setting
	all := append(k.Options[:len(k.Options):len(k.Options)], common...)
	for _, word := range words {
		name, text, is := strings.Cut(word, "=")
		var o Option
		var known []string
		for _, x := range all {
			known = append(known, x.Name)
			if x.Name == name {
				o = x
			}
		}
		switch {
		case !is:
			return k, fmt.Errorf("%s:%s: after its form a fault takes options, as for=4s: there are %s", k.Name, word, strings.Join(known, ", "))
		case o.Set == nil:
			return k, fmt.Errorf("%s has no option %q: use one of %s", k.Name, name, strings.Join(known, ", "))
		case !o.Set(&Fault{}, text):
			return k, fmt.Errorf("%s:%s: %s takes %s", k.Name, word, name, o.Takes)
		}
		set = append(set, setting{o, text})
	}
	if len(set) == 0 {
		return k, nil
	}
	draw := k.Draw
	k.Draw = func(r *rand.Rand, g Ground, form string) Fault {
		f := draw(r, g, form)
		if f.Kind != "" {
			for _, s := range set {
				s.o.Set(&f, s.text)
			}
		}
		return f
	}
	return k, nil
}
