package host

import "time"

const million = 1_000_000

// fastest is the greatest drift of a clock, in parts per million: so many plans may ask for.
const fastest = 1000 * million

// A clock is a node's own: true time plus an offset plus what it gained since it began to drift. Times are Unix
// nanoseconds.
type clock struct {
	offset, since int64
	ppm           int64
}

// read returns what the clock shows at a true time. It has no monotonic part, or a jump could not be seen in it.
func (k clock) read(now int64) time.Time {
	return time.Unix(0, now+k.offset+scale(now-k.since, k.ppm, million)).UTC()
}

// wait returns the true time in which the clock goes on by d, and gone is its inverse.
func (k clock) wait(d int64) int64 { return scale(d, million, million+k.ppm) }
func (k clock) gone(d int64) int64 { return scale(d, million+k.ppm, million) }

// scale returns d*num/den without overflow where num and den are below a few billion.
func scale(d, num, den int64) int64 { return d/den*num + d%den*num/den }
