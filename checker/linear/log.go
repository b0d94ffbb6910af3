package linear

import (
	"fmt"
	"slices"
	"strings"

	"faultlab/checker/history"
)

// Append adds a value at the end of the log at Key. Its answer is the value's offset, an int64 from 0, or tells nothing.
type Append struct{ Key, Value string }

// Entries asks for the whole log at Key. Its answer is a []string.
type Entries struct{ Key string }

// AppendLog is an append-only log for each key, empty at first.
//
// Where the appended values are unique it is judged in the time it takes to read it.
func AppendLog() Model[string] {
	return Model[string]{
		Name: "append-log",
		Key: func(in any) string {
			switch in := in.(type) {
			case Append:
				return in.Key
			case Entries:
				return in.Key
			}
			panic(foreign(in))
		},
		Step: func(s string, in, out any) (string, error) {
			switch in := in.(type) {
			case Append:
				if offset, ok := out.(int64); ok && offset != int64(strings.Count(s, stop)) {
					return s, fmt.Errorf("it has %d entries", strings.Count(s, stop))
				}
				return s + in.Value + stop, nil
			case Entries:
				if got, ok := out.([]string); ok && logText(got) != s {
					return s, fmt.Errorf("it is %s", showValues(s))
				}
				return s, nil
			}
			return s, foreign(in)
		},
		Say:  saySimple,
		Show: showValues,
		Binds: func(in, out any) (gives, needs []string) {
			switch in := in.(type) {
			case Append:
				gives = []string{in.Value}
				if _, ok := out.(int64); ok {
					needs = []string{Everything}
				}
			case Entries:
				needs, _ = out.([]string)
			}
			return gives, needs
		},
		Exact: []Exact{{"log order", checkLog}},
	}
}

func logText(values []string) string {
	var b strings.Builder
	for _, v := range values {
		b.WriteString(v)
		b.WriteString(stop)
	}
	return b.String()
}

// checkLog judges a log of unique values. Every read must be a prefix of the longest one, which so is the order of all
// that was ever read (as in Elle: Kingsbury and Alvaro, VLDB 2020); what nobody read comes after it. Between two reads
// of different length lie exactly the appends of what the longer one has more. That is the only order of operations up
// to exchanges that change no answer, so the history is linearizable if and only if real time agrees with it. An
// unknown append that a read saw has no end; one that nobody saw is left out.
//
// It declines if a value is appended twice, or if the offset is known of a value that nobody read.
func checkLog(ops []Op, _ Budget) (Finding, bool) {
	appends := map[string]int{}
	longest := -1
	list := func(i int) []string { got, _ := ops[i].known().([]string); return got }
	for i := range ops {
		switch in := ops[i].In.(type) {
		case Append:
			if _, again := appends[in.Value]; again {
				return Finding{}, false
			}
			appends[in.Value] = i
		case Entries:
			if got, ok := ops[i].known().([]string); ok && (longest < 0 || len(got) > len(list(longest))) {
				longest = i
			}
		default:
			return Finding{}, false
		}
	}
	var all []string
	if longest >= 0 {
		all = list(longest)
	}
	say := func(i int) string { return saySimple(ops[i].In, ops[i].Out) + " (" + who(&ops[i]) + ")" }
	offset := make(map[string]int, len(all))
	for p, v := range all {
		if _, ok := appends[v]; !ok {
			return bad([]int{longest}, "%s has %s, which nobody appended", say(longest), v), true
		}
		if _, twice := offset[v]; twice {
			return bad([]int{longest}, "%s has %s twice, which was appended once", say(longest), v), true
		}
		offset[v] = p
	}
	var o order
	for i := range ops {
		switch in := ops[i].In.(type) {
		case Append:
			p, seen := offset[in.Value]
			at, told := ops[i].known().(int64)
			switch {
			case seen && told && at != int64(p):
				return bad([]int{i, longest}, "%s got an offset other than where %s has it", say(i), say(longest)), true
			case seen:
				o.put(i, 2*p+1)
			case told:
				return Finding{}, false
			case ops[i].Outcome != history.Unknown:
				o.put(i, 2*len(all)+1)
			}
		case Entries:
			got, ok := ops[i].known().([]string)
			if !ok {
				continue
			}
			if !slices.Equal(got, all[:len(got)]) {
				return bad([]int{i, longest}, "two reads disagree about order: neither %s nor %s begins as the other does", say(i), say(longest)), true
			}
			o.put(i, 2*len(got))
		}
	}
	return o.judge(ops, func(early, late int) string {
		return say(late) + " was over before " + say(early) + " began, and has to come after it by what was read"
	}), true
}
