package report

import (
	"math"
	"time"
)

// A logScale maps durations to tenths of a unit, the longest at the top.
type logScale struct {
	low, span float64 // in decades
	height    int
}

func newLogScale(from int, high time.Duration, height int) logScale {
	low := math.Log10(float64(powerOf(from)))
	return logScale{low, math.Log10(float64(high)) - low, height}
}

// y leaves a little room at both ends.
func (s logScale) y(d time.Duration) int {
	const room = 60
	if d <= 0 {
		return s.height
	}
	at := (math.Log10(float64(d)) - s.low) / s.span
	return min(s.height-room-int(at*float64(s.height-2*room)), s.height)
}

// decade is the power of ten of nanoseconds that d reaches: 6 for 3 ms.
func decade(d time.Duration) int {
	n := 0
	for ; d >= 10; d /= 10 {
		n++
	}
	return n
}

func powerOf(decade int) time.Duration {
	d := time.Duration(1)
	for range decade {
		d *= 10
	}
	return d
}

func decadeName(d int) string {
	switch {
	case d >= 9:
		return number(int(powerOf(d)/time.Second)) + " s"
	case d >= 6:
		return number(int(powerOf(d)/time.Millisecond)) + " ms"
	case d >= 3:
		return number(int(powerOf(d)/time.Microsecond)) + " µs"
	}
	return number(int(powerOf(d))) + " ns"
}
