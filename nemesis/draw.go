package nemesis

import (
	"hash/fnv"
	"math/rand/v2"
	"slices"
	"time"
)

const (
	lead        = 2 * time.Second         // calm before the first fault
	usualSpan   = 9500 * time.Millisecond // from one fault to the next, calm included
	leastSpan   = 3500 * time.Millisecond // the same, where many kinds must find room
	longestHarm = 12 * time.Second
)

// Draw draws a schedule for a safety phase of that length. Faults come one after another with some seconds of calm in
// between, so that recovery is seen under load too, and now and then two kinds overlap; the first strikes after two
// seconds, the last is healed before the phase ends, and each spec (see Parse) has its turn before any has another,
// if the phase is long enough for all. What two overlapping faults take from a consensus group together is never more
// than it tolerates. The same generator state gives the same schedule.
//
// A spec that this cluster cannot suffer, or this ground has no place for, is not drawn but skipped: a sentence for each
// says which and why. A caller for whom it was named explicitly makes that an error.
func Draw(r *rand.Rand, g Ground, specs []string, over time.Duration, cluster any) (s Schedule, skipped []string) {
	seed := seedOf(r)
	specs, skipped = able(g, specs, cluster, seed)
	if len(specs) == 0 || over <= 0 {
		return nil, skipped
	}
	d := deck{g: g}
	for _, spec := range specs {
		k, form, _ := Parse(spec)
		d.sources = append(d.sources, &source{kind: k, form: form, faults: seed.stream("faults of " + spec), turns: seed.stream("turns of " + spec)})
	}
	at, spans := rhythm(seed.stream("rhythm"), len(specs), over)
	paired := pairs(seed.stream("pairs"), len(spans), len(specs))
	shape := seed.stream("shape")
	for i, span := range spans {
		harm := min(longestHarm, span*time.Duration(within(shape, 55, 75))/100)
		for _, f := range d.episode(shape, harm, paired[i]) {
			f.At += at
			s = append(s, f)
		}
		at += span
	}
	slices.SortStableFunc(s, func(a, b Fault) int { return int(a.At - b.At) })
	return s, skipped
}

// Swarm returns a random subset of specs that is not empty (if they are not): in a run under few kinds, each shows what
// others would have hidden. A further spec changes the choice of no other.
func Swarm(r *rand.Rand, specs []string) []string {
	seed := seedOf(r)
	chosen := only(specs, func(spec string) bool { return seed.stream(spec).IntN(2) == 0 })
	if len(chosen) == 0 && len(specs) > 0 {
		chosen = []string{specs[seed.stream("").IntN(len(specs))]}
	}
	return chosen
}

// able parts the specs, each but once, in those that can be drawn and, in sentences, those that cannot.
func able(g Ground, specs []string, cluster any, seed seed) (can, cannot []string) {
	for i, spec := range specs {
		k, form, err := Parse(spec)
		switch {
		case slices.Contains(specs[:i], spec):
		case err != nil:
			cannot = append(cannot, err.Error())
		case !k.Works(cluster):
			cannot = append(cannot, spec+": this runtime cannot do it")
		case k.Draw(seed.stream("trial"), g, form).Kind == "":
			cannot = append(cannot, spec+": this topology has no place for it")
		default:
			can = append(can, spec)
		}
	}
	return can, cannot
}

// rhythm cuts the phase in spans, of which each begins with a fault and ends in calm.
func rhythm(r *rand.Rand, specs int, over time.Duration) (first time.Duration, spans []time.Duration) {
	first = min(lead, over/5)
	room := over - first
	n := max(1, int(room/usualSpan))
	if two := (specs + 1) / 2; n < two { // even with two to a span not all have their turn
		n = max(n, min(two, int(room/leastSpan)))
	}
	weights, sum := make([]int, n), 0
	for i := range weights {
		weights[i] = within(r, 70, 130)
		sum += weights[i]
	}
	for _, w := range weights {
		spans = append(spans, room*time.Duration(w)/time.Duration(sum))
	}
	return first, spans
}

// pairs says in which spans two faults overlap: in a third, and in as many more as it takes for each spec to have a turn.
func pairs(r *rand.Rand, spans, specs int) []bool {
	paired := make([]bool, spans)
	if specs < 2 {
		return paired
	}
	faults := spans
	for i := range paired {
		if r.IntN(3) == 0 {
			paired[i] = true
			faults++
		}
	}
	for _, i := range r.Perm(spans) {
		if faults < specs && !paired[i] {
			paired[i] = true
			faults++
		}
	}
	return paired
}

// A deck deals faults: each source once in every round, in an order drawn for each round.
type deck struct {
	g       Ground
	sources []*source
	round   []*source
	last    *source
}

// A source is one spec with the generators that are its own.
type source struct {
	kind   Kind
	form   string
	faults *rand.Rand
	turns  *rand.Rand
	turn   uint64
}

func (s *source) fault(g Ground) Fault { return s.kind.Draw(s.faults, g, s.form) }

// next returns whose turn it is; the same twice in a row only if there is no other.
func (d *deck) next() *source {
	if len(d.round) == 0 {
		for _, s := range d.sources {
			s.turn = s.turns.Uint64()
		}
		d.round = slices.SortedFunc(slices.Values(d.sources), func(a, b *source) int {
			if a.turn < b.turn {
				return -1
			}
			return 1
		})
		if len(d.round) > 1 && d.round[0] == d.last {
			d.round[0], d.round[1] = d.round[1], d.round[0]
		}
	}
	d.last, d.round = d.round[0], d.round[1:]
	return d.last
}

// episode draws the faults of one span, At counting from its start, over a time of harm.
func (d *deck) episode(r *rand.Rand, harm time.Duration, two bool) []Fault {
	late, early := within(r, 20, 45), within(r, 55, 85) // in hundredths of harm: when the second begins, and the first ends
	part := func(hundredths int) time.Duration {
		return (harm * time.Duration(hundredths) / 100).Truncate(time.Microsecond)
	}
	first := d.next().fault(d.g)
	if !two {
		first.For = part(100)
		return []Fault{d.brief(r, first)}
	}
	from := d.next()
	second := from.fault(d.g)
	for range 8 {
		if fits(d.g, first, second) {
			first.For = part(early)
			second.At, second.For = part(late), part(100)-part(late)
			return []Fault{d.brief(r, first), d.brief(r, second)}
		}
		second = from.fault(d.g)
	}
	first.For = part(45) // they must not meet
	second.At, second.For = part(55), part(100)-part(55)
	return []Fault{d.brief(r, first), d.brief(r, second)}
}

// brief keeps a fault short that leaves no group a majority: nothing is learnt while nothing works.
func (d *deck) brief(r *rand.Rand, f Fault) Fault {
	if short := uniform(r, 500*time.Millisecond, 3*time.Second); dark(d.g, f) {
		f.For = min(f.For, short)
	}
	return f
}

// A seed makes a generator for each concern, so that one more draw for one of them changes nothing for another.
type seed [2]uint64

func seedOf(r *rand.Rand) seed { return seed{r.Uint64(), r.Uint64()} }

func (s seed) stream(concern string) *rand.Rand {
	h := fnv.New64a()
	h.Write([]byte(concern))
	return rand.New(rand.NewPCG(s[0]^h.Sum64(), s[1]))
}
