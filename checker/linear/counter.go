package linear

import (
	"fmt"
	"math"
)

// Increment adds By to the counter at Key, and may take from it. Its answer is the new number, an int64, or false if
// that would have been out of bounds.
type Increment struct {
	Key string
	By  int64
}

// Value asks for the number of the counter at Key. Its answer is an int64.
type Value struct{ Key string }

// BoundedCounter is a counter for each key, 0 at first, which is never below least or above most.
func BoundedCounter(least, most int64) Model[int64] {
	return Model[int64]{
		Name: "bounded-counter",
		Key: func(in any) string {
			switch in := in.(type) {
			case Increment:
				return in.Key
			case Value:
				return in.Key
			}
			panic(foreign(in))
		},
		Step: func(s int64, in, out any) (int64, error) {
			switch in := in.(type) {
			case Value:
				if n, ok := out.(int64); ok && n != s {
					return s, number(s)
				}
				return s, nil
			case Increment:
				sum := s + in.By
				wrapped := (in.By > 0) != (sum > s) && in.By != 0
				fits := !wrapped && least <= sum && sum <= most
				switch out := out.(type) {
				case bool:
					if out != fits {
						return s, number(s)
					}
				case int64:
					if !fits || out != sum {
						return s, number(s)
					}
				}
				if fits {
					return sum, nil
				}
				return s, nil
			}
			return s, foreign(in)
		},
		Say: saySimple,
		Binds: func(in, out any) (gives, needs []string) {
			switch in.(type) {
			case Value:
				if out != nil {
					needs = []string{Everything}
				}
			case Increment:
				if did, ok := out.(bool); ok && !did {
					return nil, []string{Everything}
				}
				gives = []string{"sum"}
				if out != nil || least != math.MinInt64 || most != math.MaxInt64 {
					needs = []string{Everything}
				}
			}
			return gives, needs
		},
	}
}

// number is why an answer about a counter is refused.
type number int64

func (n number) Error() string { return fmt.Sprintf("it is %d", int64(n)) }
