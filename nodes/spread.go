package nodes

import (
	"math/bits"
	"math/rand/v2"
	"time"
)

// A Spread is how a delay that is a mean is spread over messages. It is drawn with whole numbers alone, so that the same
// generator gives the same delays on every processor.
type Spread string

const (
	Constant    Spread = ""            // each takes the mean
	Uniform     Spread = "uniform"     // from nothing to twice the mean
	Normal      Spread = "normal"      // a bell around the mean: two of three within a quarter of it
	Exponential Spread = "exponential" // memoryless: one of three over the mean, one of a hundred over 4.6 times the mean
	Pareto      Spread = "pareto"      // heavy: none under half of the mean, one of a hundred over five times, up to fifty times
)

// Spreads are all but Constant.
var Spreads = []Spread{Uniform, Normal, Exponential, Pareto}

// Known says that there is such a spread.
func (s Spread) Known() bool {
	switch s {
	case Constant, Uniform, Normal, Exponential, Pareto:
		return true
	}
	return false
}

// one is the 1 of the fractions below.
const one = 1 << 16

// Late draws how much later than it would a message arrives over a link of that quality: its Delay, spread, and Jitter.
func (q Quality) Late(g *rand.PCG) time.Duration {
	return q.Spread.draw(g, q.Delay) + time.Duration(below(g, int64(q.Jitter)))
}

func (s Spread) draw(g *rand.PCG, mean time.Duration) time.Duration {
	if mean <= 0 || s == Constant {
		return mean
	}
	switch m := int64(mean); s {
	case Uniform:
		return time.Duration(below(g, 2*m+1))
	case Normal: // twelve uniform numbers add up to 6, with a deviation of 1
		sum := int64(-6 * one)
		for range 12 {
			sum += below(g, one)
		}
		return time.Duration(max(0, m+scaled(m/4, sum)))
	case Exponential: // -ln of a number between 0 and 1
		return time.Duration(scaled(m, minusLn(g.Uint64())))
	case Pareto: // one by the root of such a number, half as large
		u := max(g.Uint64()>>32, 1)
		return time.Duration(min(scaled(m/2, one*one/root(u)), 50*m))
	}
	panic("nodes: there is no spread " + string(s))
}

// scaled is m times a fraction.
func scaled(m, fraction int64) int64 { return m/one*fraction + m%one*fraction/one }

// minusLn is -ln(x/2^64), as a fraction, for an x that is not 0 (for 0, as for 1).
func minusLn(x uint64) int64 {
	const ln2 = 45426 // as a fraction
	zeros := bits.LeadingZeros64(x | 1)
	// The logarithm to the base 2 of x/2^63 after its zeros, from 0 to 1, bit by bit: squaring doubles it.
	y, log := (x|1)<<zeros>>32, int64(0) // y/2^31 is from 1 to 2
	for bit := int64(one / 2); bit > 0; bit /= 2 {
		if y = y * y >> 31; y >= 1<<32 {
			y >>= 1
			log += bit
		}
	}
	return (int64(zeros+1)*one - log) * ln2 / one
}

// root is the whole part of a square root.
func root(x uint64) int64 {
	r := uint64(1) << ((bits.Len64(x) + 1) / 2)
	for {
		next := (r + x/r) / 2
		if next >= r {
			return int64(r)
		}
		r = next
	}
}

// below draws uniformly from [0, n), or returns 0 for n < 1. (The bias of the multiplication is below n in 2^64.)
func below(g *rand.PCG, n int64) int64 {
	if n < 1 {
		return 0
	}
	hi, _ := bits.Mul64(g.Uint64(), uint64(n))
	return int64(hi)
}
