package nodes

import (
	"math/rand/v2"
	"slices"
	"testing"
	"time"
)

// Of many draws: the mean is what was asked for, and so many of a thousand are no larger than a share of it.
func TestDelaysAreSpreadAsTheySay(t *testing.T) {
	const mean, draws = 100 * time.Millisecond, 100_000
	for s, shares := range map[Spread]map[float64]int{ // share of the mean: per mille that are below
		Uniform:     {0.5: 250, 1: 500, 2.001: 1000},
		Normal:      {0.75: 159, 1: 500, 1.25: 841, 1.5: 977},
		Exponential: {0.1: 95, 1: 632, 4.605: 990},
		Pareto:      {0.499: 0, 0.7071: 500, 1: 750, 5: 990, 50.001: 1000},
	} {
		g, all, sum := rand.NewPCG(1, 2), make([]time.Duration, draws), time.Duration(0)
		for i := range all {
			all[i] = Quality{Delay: mean, Spread: s}.Late(g)
			sum += all[i]
		}
		slices.Sort(all)
		if got := sum / draws; (got - mean).Abs() > mean/20 {
			t.Errorf("%s: the mean is %s", s, got)
		}
		for share, want := range shares {
			at, _ := slices.BinarySearch(all, time.Duration(share*float64(mean)))
			if got := at * 1000 / draws; got < want-8 || got > want+8 {
				t.Errorf("%s: %d per mille are below %.3f of the mean, not %d", s, got, share, want)
			}
		}
		if all[0] < 0 {
			t.Errorf("%s: one is %s", s, all[0])
		}
	}
}

func TestADelayThatIsNotSpreadDrawsForItsJitterAlone(t *testing.T) {
	g, same := rand.NewPCG(1, 2), rand.NewPCG(1, 2)
	if got := (Quality{Delay: time.Second}).Late(g); got != time.Second || g.Uint64() != same.Uint64() {
		t.Errorf("%s, or something was drawn", got)
	}
	for range 100 {
		if got := (Quality{Delay: time.Second, Jitter: time.Second}).Late(g); got < time.Second || got >= 2*time.Second {
			t.Errorf("it took %s", got)
		}
	}
}

func TestTheLongestDelaysDoNotOverflow(t *testing.T) {
	for _, s := range Spreads {
		g := rand.NewPCG(3, 4)
		for range 1000 {
			if d := (Quality{Delay: 24 * time.Hour, Spread: s}).Late(g); d < 0 || d > 24*50*time.Hour {
				t.Fatalf("%s: %s", s, d)
			}
		}
	}
}
