package nemesis

import (
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"slices"
	"strings"
	"time"
)

const (
	lead        = 2 * time.Second         // calm before the first fault
	usualSpan   = 9500 * time.Millisecond // from one fault to the next, calm included
	longestHarm = 12 * time.Second
)

// Draw draws a schedule for a safety phase of that length. Faults come one after another with some seconds of calm in
// between, so that recovery is seen under load too, and now and then two kinds overlap; the first strikes after two
// seconds, the last is healed before the phase ends, and each spec (see Parse) has its turn before any has another;
// where there are more than the phase has room for, the seed says which come to it. What overlapping faults take from a
// consensus group together is never more than it tolerates, and a member whose promises were taken counts until it has
// been replaced; unless the ground says Beyond. The same generator state gives the same schedule.
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
	asked := d.asked(seed)
	at, spans := rhythm(seed.stream("rhythm"), asked, over)
	paired := pairs(seed.stream("pairs"), len(spans), len(specs))
	shape := seed.stream("shape")
	for i, span := range spans {
		harm := min(max(longestHarm, asked), span*time.Duration(within(shape, 55, 75))/100)
		for _, f := range d.episode(shape, at, harm, paired[i]) {
			d.debts.note(f)
			s = append(s, f)
		}
		at += span
	}
	slices.SortStableFunc(s, func(a, b Fault) int { return int(a.At - b.At) })
	return s, skipped
}

// Swarm returns a random subset of specs that is not empty (if they are not), each with how hard it is to strike: in a
// run under few kinds, each shows what others would have hidden. A further spec changes the choice of no other.
func Swarm(r *rand.Rand, specs []string) []string {
	seed := seedOf(r)
	chosen := only(specs, func(spec string) bool { return seed.stream(spec).IntN(2) == 0 })
	if len(chosen) == 0 && len(specs) > 0 {
		chosen = []string{specs[seed.stream("").IntN(len(specs))]}
	}
	for i, spec := range chosen {
		chosen[i] = fmt.Sprintf("%s:hard=%d", spec, within(seed.stream("how hard "+spec), 25, 250))
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
		default:
			f := k.Draw(seed.stream("trial"), g, form)
			switch {
			case k.refuses(cluster, f) != "":
				cannot = append(cannot, spec+": "+k.refuses(cluster, f))
			case k.Lacks != nil && k.Lacks(g) != "":
				cannot = append(cannot, spec+": "+k.Lacks(g))
			case k.Open && f.Kind == "":
				cannot = append(cannot, fmt.Sprintf("%s: there is no such operation: use one of [%s]", spec, strings.Join(g.operations(k.Name), ", ")))
			case f.Kind == "":
				cannot = append(cannot, spec+": this topology has no place for it")
			case form != "" && !g.within(f):
				cannot = append(cannot, spec+": it takes more from a consensus group than that tolerates, which is allowed by --beyond alone")
			default:
				can = append(can, spec)
			}
		}
	}
	return can, cannot
}

// rhythm cuts the phase in spans, of which each begins with a fault and ends in calm, with room for one that is asked to
// last so long.
func rhythm(r *rand.Rand, asked, over time.Duration) (first time.Duration, spans []time.Duration) {
	first = min(lead, over/5)
	room := over - first
	n := max(1, int(room/max(usualSpan, asked*2)))
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

// pairs says in which spans two faults overlap: in a third, and in as many more, up to two thirds, as it takes for each
// spec to have a turn.
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
		if faults < specs && !paired[i] && 3*(faults-spans) < 2*spans {
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
	debts   debts
}

// asked is the longest that a spec asks its faults to last; 0 if none does.
func (d *deck) asked(seed seed) (longest time.Duration) {
	for _, s := range d.sources {
		longest = max(longest, s.kind.Draw(seed.stream("trial"), d.g, s.form).For)
	}
	return longest
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

// tries is how often a fault is drawn anew that may not strike together with what else does.
const tries = 8

// episode draws the faults of one span that starts at that time, over a time of harm.
func (d *deck) episode(r *rand.Rand, at, harm time.Duration, two bool) []Fault {
	late, early := within(r, 20, 45), within(r, 55, 85) // in hundredths of harm: when the second begins, and the first ends
	part := func(hundredths int) time.Duration {
		return (harm * time.Duration(hundredths) / 100).Truncate(time.Microsecond)
	}
	// done is a fault in its time; one that was asked to last so long does, if the span has room for it.
	done := func(f Fault, from, to int) Fault {
		if f.For == 0 || f.For > part(100)-part(from) {
			f.For = part(to) - part(from)
		}
		f.At = at + part(from)
		return d.brief(r, f)
	}
	first, ok := d.deal(at, Fault{})
	switch {
	case !ok:
		return nil
	case !two:
		return []Fault{done(first, 0, 100)}
	}
	second, ok := d.deal(at, first)
	if ok {
		for late > 0 && part(100)-part(late) < d.g.takes(second) {
			late--
		}
		for early < 100 && part(early) < d.g.takes(first) {
			early++
		}
		return []Fault{done(first, 0, early), done(second, late, 100)}
	}
	if second.Kind == "" {
		return []Fault{done(first, 0, 100)}
	}
	return []Fault{done(first, 0, 45), done(second, 55, 100)} // they must not meet
}

// deal draws the next fault, which may meet other, if that has a Kind, and all that is still owed. If it may but not meet
// other, ok is false. A source that has nothing for this moment is passed over, and if none has the Kind is "".
func (d *deck) deal(at time.Duration, other Fault) (f Fault, ok bool) {
	other.At = at
	owing := d.debts
	if other.takes() == Promises {
		owing = append(owing[:len(owing):len(owing)], debt{other, at + time.Hour})
	}
	for range d.sources {
		from := d.next()
		apart := Fault{}
		for range tries {
			f = from.fault(d.g)
			f.At = at
			if !d.g.within(f) || !owing.allow(d.g, f) {
				continue
			}
			// What f itself takes must be bearable together with what is owed and with other.
			if f.takes() == Promises && other.Kind != "" && !(debts{{f, at + time.Hour}}).allow(d.g, other) {
				continue
			}
			if other.Kind == "" || fits(d.g, other, f) {
				return f, true
			}
			apart = f
		}
		if apart.Kind != "" {
			return apart, false
		}
	}
	return Fault{}, false
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
