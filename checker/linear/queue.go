package linear

import (
	"fmt"
	"slices"
	"strings"
)

// Enqueue puts a value into the queue at Key. Its answer tells nothing.
type Enqueue struct{ Key, Value string }

// Dequeue takes a value from the queue at Key. Its answer is the value, a string, or Empty.
type Dequeue struct{ Key string }

// Push puts a value onto the stack at Key. Its answer tells nothing.
type Push struct{ Key, Value string }

// Pop takes the value last pushed. Its answer is the value, a string, or Empty.
type Pop struct{ Key string }

// Empty is the answer of a queue or stack that had nothing to give.
type Empty struct{}

// A state of these models is its values, each with a terminator; values hold no such byte.
const stop = "\x00"

// FIFOQueue is a first-in first-out queue for each key.
//
// Where the enqueued values are unique it is judged by bad patterns, near O(n log n).
func FIFOQueue() Model[string] {
	return Model[string]{
		Name: "fifo-queue",
		Key:  queueKey,
		Step: func(s string, in, out any) (string, error) {
			switch in := in.(type) {
			case Enqueue:
				return s + in.Value + stop, nil
			case Dequeue:
				front, rest, some := strings.Cut(s, stop)
				return taken(s, front, rest, some, out, "next in the queue")
			}
			return s, foreign(in)
		},
		Say:   saySimple,
		Show:  showValues,
		Binds: queueBinds,
		Exact: []Exact{{"queue patterns", checkFIFO}},
	}
}

// taken is the state after the value at hand was asked for.
func taken(s, value, rest string, some bool, out any, where string) (string, error) {
	switch want := out.(type) {
	case Empty:
		if some {
			return s, fmt.Errorf("%s is %s", value, where)
		}
		return s, nil
	case string:
		if !some {
			return s, errEmpty
		}
		if want != value {
			return s, fmt.Errorf("%s is %s", value, where)
		}
	}
	return rest, nil
}

var errEmpty = fmt.Errorf("there is nothing in it")

// UnorderedQueue is a queue that may give its values in any order.
//
// Where the enqueued values are unique it is judged in O(n log n).
func UnorderedQueue() Model[string] {
	return Model[string]{
		Name: "unordered-queue",
		Key:  queueKey,
		Branch: func(s string, in, out any) ([]string, error) {
			values := strings.SplitAfter(s, stop)
			values = values[:len(values)-1]
			switch in := in.(type) {
			case Enqueue:
				at, _ := slices.BinarySearch(values, in.Value+stop)
				return []string{strings.Join(slices.Insert(values, at, in.Value+stop), "")}, nil
			case Dequeue:
				switch want := out.(type) {
				case Empty:
					if len(values) > 0 {
						return nil, fmt.Errorf("there is %s in it", strings.TrimSuffix(values[0], stop))
					}
					return []string{s}, nil
				case string:
					at, ok := slices.BinarySearch(values, want+stop)
					if !ok {
						return nil, fmt.Errorf("%s is not in it", want)
					}
					return []string{strings.Join(slices.Delete(values, at, at+1), "")}, nil
				}
				if len(values) == 0 {
					return []string{s}, nil
				}
				var all []string
				for i := range values {
					all = append(all, strings.Join(values[:i], "")+strings.Join(values[i+1:], ""))
				}
				return all, nil
			}
			return nil, foreign(in)
		},
		Say:   saySimple,
		Show:  showValues,
		Binds: queueBinds,
		Exact: []Exact{{"bag", checkBag}},
	}
}

// Stack is a last-in first-out stack for each key.
//
// Where the pushed values are unique it is judged in a time that grows with the operations and the stack's height.
func Stack() Model[string] {
	return Model[string]{
		Name: "stack",
		Key: func(in any) string {
			switch in := in.(type) {
			case Push:
				return in.Key
			case Pop:
				return in.Key
			}
			panic(foreign(in))
		},
		Step: func(s string, in, out any) (string, error) {
			switch in := in.(type) {
			case Push:
				return in.Value + stop + s, nil
			case Pop:
				top, rest, some := strings.Cut(s, stop)
				return taken(s, top, rest, some, out, "on top")
			}
			return s, foreign(in)
		},
		Say:   saySimple,
		Show:  showValues,
		Binds: queueBinds,
		Exact: []Exact{{"stack", checkStack}},
	}
}

func queueKey(in any) string {
	switch in := in.(type) {
	case Enqueue:
		return in.Key
	case Dequeue:
		return in.Key
	}
	panic(foreign(in))
}

func showValues(s string) string {
	return "[" + strings.ReplaceAll(strings.TrimSuffix(s, stop), stop, " ") + "]"
}

// queueBinds ties putting a value and taking it to each other: either without the other would be another history. A
// taking of nobody knows what may be of any value.
func queueBinds(in, out any) (gives, needs []string) {
	switch in := in.(type) {
	case Enqueue:
		return []string{in.Value}, []string{stop + in.Value, stop}
	case Push:
		return []string{in.Value}, []string{stop + in.Value, stop}
	case Dequeue, Pop:
		switch v := out.(type) {
		case string:
			return []string{stop + v}, []string{v}
		case Empty:
			return nil, nil
		}
		return []string{stop}, nil
	}
	return nil, nil
}
