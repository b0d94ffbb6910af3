package linear_test

import (
	"fmt"
	"time"

	"faultlab/checker/history"
	"faultlab/checker/linear"
)

// A register that answers a read with a value that had been replaced.
func ExampleCheck() {
	s := time.Second
	r := linear.Check(linear.Register("0"), []linear.Op{
		{Index: 0, Client: "1", In: linear.Write{Key: "x", Value: "3"}, Call: 0, Return: s, Outcome: history.OK},
		{Index: 1, Client: "2", In: linear.Write{Key: "x", Value: "5"}, Call: 2 * s, Return: 3 * s, Outcome: history.OK},
		{Index: 2, Client: "4", In: linear.Read{Key: "x"}, Out: "3", Call: 4 * s, Return: 5 * s, Outcome: history.OK},
	}, linear.Budget{})
	fmt.Println(r.Verdict, r.Ops)
	fmt.Println(r.Reason)
	// Output:
	// fail [0 1 2]
	// read x=3 (client 4, 5.00 s) cannot happen: x was 5 from 3.00 s, when client 2's write returned, and nobody wrote 3 after it
}

// An object of one's own: a light that is switched on and off, and says what it is.
func ExampleModel() {
	light := linear.Model[bool]{
		Name: "light",
		Step: func(on bool, in, out any) (bool, error) {
			if in == "switch" {
				return !on, nil
			}
			if is, ok := out.(bool); ok && is != on {
				return on, fmt.Errorf("on is %t", on)
			}
			return on, nil
		},
	}
	ms := time.Millisecond
	r := linear.Check(light, []linear.Op{
		{Index: 0, Client: "ann", In: "switch", Call: 0, Return: ms, Outcome: history.OK},
		{Index: 1, Client: "bob", In: "look", Out: false, Call: 2 * ms, Return: 3 * ms, Outcome: history.OK},
	}, linear.Budget{})
	fmt.Println(r.Reason)
	// Output:
	// look = false (bob, 3.000 ms) cannot happen: on is true after switch (ann, 1.000 ms)
}
