package linear

import (
	"fmt"
	"slices"
	"strings"
)

// Read asks for the value at Key. Its answer is the value, a string.
type Read struct{ Key string }

// Write sets the value at Key. Its answer tells nothing.
type Write struct{ Key, Value string }

// CAS sets the value at Key to New if it is Old. Its answer is a bool: whether it was.
type CAS struct{ Key, Old, New string }

// Delete sets the value at Key back to the initial one. Its answer tells nothing.
type Delete struct{ Key string }

// Register is a register for each key, which holds initial at first. Its operations are [Read] and [Write].
//
// Where the written values are unique it is judged by zones, in O(n log n).
func Register(initial string) Model[string] {
	m := CASRegister(initial)
	m.Name = "register"
	return m
}

// KeyValue is a store: [Read], [Write], [CAS] and [Delete]. A key that is not there reads as absent.
func KeyValue(absent string) Model[string] {
	m := CASRegister(absent)
	m.Name = "key-value"
	return m
}

// CASRegister is [Register] with [CAS].
func CASRegister(initial string) Model[string] {
	return Model[string]{
		Name: "cas-register",
		Init: initial,
		Key:  registerKey,
		Step: func(s string, in, out any) (string, error) {
			switch in := in.(type) {
			case Read:
				if v, ok := out.(string); ok && v != s {
					return s, holds{in.Key, s}
				}
				return s, nil
			case Write:
				return in.Value, nil
			case Delete:
				return initial, nil
			case CAS:
				same := s == in.Old
				if was, ok := out.(bool); ok && was != same {
					return s, holds{in.Key, s}
				}
				if same {
					return in.New, nil
				}
				return s, nil
			}
			return s, foreign(in)
		},
		Say: saySimple,
		Binds: func(in, out any) (gives, needs []string) {
			switch in := in.(type) {
			case Read:
				if v, ok := out.(string); ok {
					needs = []string{v}
				}
			case Write:
				gives = []string{in.Value}
			case Delete:
				gives = []string{initial}
			case CAS:
				was, ok := out.(bool)
				if ok && !was {
					return nil, []string{Everything}
				}
				return []string{in.New}, []string{in.Old}
			}
			return gives, needs
		},
		Overwrites: true,
		Exact:      []Exact{{"zones", zones(initial)}},
		named:      true,
	}
}

func registerKey(in any) string {
	switch in := in.(type) {
	case Read:
		return in.Key
	case Write:
		return in.Key
	case CAS:
		return in.Key
	case Delete:
		return in.Key
	}
	panic(foreign(in))
}

// holds is why a read is refused: what the object holds.
type holds struct{ key, value string }

func (h holds) Error() string { return thing(h.key) + " is " + h.value }

// thing is the name of a register.
func thing(key string) string {
	if key == "" {
		return "the value"
	}
	return key
}

// valued is "x=3", or "3" of a register without a name.
func valued(key, value string) string {
	if key == "" {
		return value
	}
	return key + "=" + value
}

// foreign is the error for an operation that a model does not know.
func foreign(in any) error { return fmt.Errorf("linear: the model has no operation %T", in) }

// saySimple puts the operations of the small models in words.
func saySimple(in, out any) string {
	var word string
	switch in := in.(type) {
	case Read:
		if v, ok := out.(string); ok {
			return "read " + valued(in.Key, v)
		}
		return strings.TrimSpace("read " + in.Key)
	case Write:
		return "write " + valued(in.Key, in.Value)
	case Delete:
		return strings.TrimSpace("delete " + in.Key)
	case CAS:
		word = "compare-and-set " + valued(in.Key, in.Old) + " to " + in.New
	case Enqueue:
		return "enqueue " + in.Value
	case Dequeue:
		word = "dequeue"
	case Push:
		return "push " + in.Value
	case Pop:
		word = "pop"
	case Add:
		return "add " + in.Value
	case Remove:
		return "remove " + in.Value
	case Contains:
		word = "contains " + in.Value
	case Append:
		word = "append " + in.Value
	case Acquire:
		word = strings.TrimSpace("acquire " + in.Owner)
	case Release:
		return strings.TrimSpace("release " + in.Owner)
	case Take:
		word = "take"
	case Use:
		word = fmt.Sprintf("use %d", in.Token)
	case Increment:
		word = fmt.Sprintf("add %d", in.By)
	default:
		word = fmt.Sprintf("%T", in)
		word = strings.ToLower(word[strings.LastIndexByte(word, '.')+1:])
	}
	switch out := out.(type) {
	case nil:
		return word
	case bool:
		if _, refusal := in.(Increment); refusal || !out {
			return word + " (refused)"
		}
		return word
	case Empty:
		return word + " (empty)"
	case string:
		return word + " " + out
	case []string:
		return word + " [" + strings.Join(out, " ") + "]"
	}
	return fmt.Sprintf("%s = %v", word, out)
}

// A RegisterStep is a read (Set false) or a write of one of several registers.
type RegisterStep struct {
	Key   string
	Set   bool
	Value string // written
}

// RegisterSteps is done at one instant. Its answer is a []RegisterRead with an element for each step.
type RegisterSteps []RegisterStep

// A RegisterRead is what a step of RegisterSteps read. Nothing is known of it unless it is Known.
type RegisterRead struct {
	Known bool
	Value string
}

// MultiRegister is several registers that are read and written together, in [RegisterSteps]. initial is their values
// at first; a register that is not in it holds absent.
func MultiRegister(initial map[string]string, absent string) Model[string] {
	var pairs []string
	for k, v := range initial {
		pairs = append(pairs, k+"\x00"+v)
	}
	slices.Sort(pairs)
	start := strings.Join(pairs, "\x01")
	return Model[string]{
		Name: "multi-register",
		Init: start,
		Step: func(s string, in, out any) (string, error) {
			steps, ok := in.(RegisterSteps)
			if !ok {
				return s, foreign(in)
			}
			reads, _ := out.([]RegisterRead)
			for i, step := range steps {
				if step.Set {
					s = put(s, step.Key, step.Value)
					continue
				}
				v, there := get(s, step.Key)
				if !there {
					v = absent
				}
				if i < len(reads) && reads[i].Known && reads[i].Value != v {
					return s, fmt.Errorf("%s is %s", step.Key, v)
				}
			}
			return s, nil
		},
		Say: func(in, out any) string {
			reads, _ := out.([]RegisterRead)
			var words []string
			for i, step := range in.(RegisterSteps) {
				switch {
				case step.Set:
					words = append(words, "write "+step.Key+"="+step.Value)
				case i < len(reads) && reads[i].Known:
					words = append(words, "read "+step.Key+"="+reads[i].Value)
				default:
					words = append(words, "read "+step.Key)
				}
			}
			return strings.Join(words, ", ")
		},
		Show: func(s string) string { return strings.NewReplacer("\x00", "=", "\x01", " ").Replace(s) },
		Binds: func(in, out any) (gives, needs []string) {
			reads, _ := out.([]RegisterRead)
			for i, step := range in.(RegisterSteps) {
				switch {
				case step.Set:
					gives = append(gives, step.Key+"\x00"+step.Value)
				case i < len(reads) && reads[i].Known:
					needs = append(needs, step.Key+"\x00"+reads[i].Value)
				}
			}
			return gives, needs
		},
	}
}

// find is the bounds of a key's pair in a sorted text of pairs, or where it would be put.
func find(s, key string) (from, to int, there bool) {
	for from < len(s) {
		pair := s[from:]
		if end := strings.IndexByte(pair, 1); end >= 0 {
			pair = pair[:end]
		}
		name, _, _ := strings.Cut(pair, "\x00")
		if name == key {
			return from, from + len(pair), true
		}
		if name > key {
			break
		}
		from += len(pair) + 1
	}
	return min(from, len(s)), min(from, len(s)), false
}

func get(s, key string) (string, bool) {
	from, to, ok := find(s, key)
	if !ok {
		return "", false
	}
	return s[from+len(key)+1 : to], true
}

func put(s, key, value string) string {
	from, to, there := find(s, key)
	pair := key + "\x00" + value
	switch {
	case there:
		return s[:from] + pair + s[to:]
	case s == "":
		return pair
	case from == len(s):
		return s + "\x01" + pair
	}
	return s[:from] + pair + "\x01" + s[from:]
}
