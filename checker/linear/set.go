package linear

import (
	"fmt"
	"slices"
	"strings"

	"faultlab/checker/history"
)

// Add puts a value into the set at Key; it may be there. Its answer tells nothing.
type Add struct{ Key, Value string }

// Remove takes a value from the set at Key; it need not be there. Its answer tells nothing.
type Remove struct{ Key, Value string }

// Contains asks whether a value is in the set at Key. Its answer is a bool.
type Contains struct{ Key, Value string }

// Members asks for all values in the set at Key. Its answer is a []string in any order.
type Members struct{ Key string }

// Set is a set for each key, empty at first.
//
// A set that only grows, with each value added once, is judged in a time that is linear in what was read; one that is
// only asked about single values, value by value.
func Set() Model[string] {
	return Model[string]{
		Name: "set",
		Key: func(in any) string {
			switch in := in.(type) {
			case Add:
				return in.Key
			case Remove:
				return in.Key
			case Contains:
				return in.Key
			case Members:
				return in.Key
			}
			panic(foreign(in))
		},
		Step: func(s string, in, out any) (string, error) {
			switch in := in.(type) {
			case Add:
				if _, _, there := find(s, in.Value); there {
					return s, nil
				}
				return put(s, in.Value, ""), nil
			case Remove:
				from, to, there := find(s, in.Value)
				if !there {
					return s, nil
				}
				return strings.Trim(s[:from]+strings.TrimPrefix(s[to:], "\x01"), "\x01"), nil
			case Contains:
				_, _, there := find(s, in.Value)
				if is, ok := out.(bool); ok && is != there {
					if there {
						return s, fmt.Errorf("%s is in it", in.Value)
					}
					return s, fmt.Errorf("%s is not in it", in.Value)
				}
				return s, nil
			case Members:
				if got, ok := out.([]string); ok {
					text := ""
					for _, v := range got {
						text = put(text, v, "")
					}
					if text != s {
						return s, fmt.Errorf("it holds %s", showSet(s))
					}
				}
				return s, nil
			}
			return s, foreign(in)
		},
		Say:  saySimple,
		Show: showSet,
		Binds: func(in, out any) (gives, needs []string) {
			const removal = "-"
			switch in := in.(type) {
			case Add:
				gives = []string{"+" + in.Value}
			case Remove:
				gives = []string{removal + in.Value, removal}
			case Contains:
				switch is, ok := out.(bool); {
				case ok && is:
					needs = []string{"+" + in.Value}
				case ok:
					needs = []string{removal + in.Value}
				}
			case Members:
				if got, ok := out.([]string); ok {
					needs = []string{removal}
					for _, v := range got {
						needs = append(needs, "+"+v)
					}
				}
			}
			return gives, needs
		},
		Exact: []Exact{{"set order", checkSet}, {"membership", checkMembership}},
	}
}

func showSet(s string) string {
	return "[" + strings.NewReplacer("\x00", "", "\x01", " ").Replace(s) + "]"
}

// checkSet judges a set that only grows, and is read as a whole. Its reads must be a chain by inclusion; between a read and the next larger
// one lie exactly the additions of what the second has more, and after the last those that nobody read. That is the
// only order of operations up to exchanges that change no answer, so the history is linearizable if and only if real
// time agrees with it. An unknown addition that a read saw has no end; one that nobody saw is left out.
//
// (Kingsbury and Alvaro, VLDB 2020, find transactions' orders in the same way: reads of grow-only sets are a chain.)
//
// It declines if a value is removed or added twice, or asked for by itself.
func checkSet(ops []Op, _ Budget) (Finding, bool) {
	adds := map[string]int{}
	var reads []int
	for i := range ops {
		switch in := ops[i].In.(type) {
		case Add:
			if _, again := adds[in.Value]; again {
				return Finding{}, false
			}
			adds[in.Value] = i
		case Members:
			if _, ok := ops[i].known().([]string); ok {
				reads = append(reads, i)
			}
		default:
			return Finding{}, false
		}
	}
	list := func(i int) []string { return ops[i].Out.([]string) }
	slices.SortStableFunc(reads, func(a, b int) int { return len(list(a)) - len(list(b)) })
	var o order
	rank := make([]int, len(ops)) // one more than the group in which a value is added
	group, last := 0, -1
	for _, i := range reads {
		if last < 0 || len(list(i)) > len(list(last)) {
			group += 2
		}
		fresh := 0
		seen := map[string]bool{}
		for _, v := range list(i) {
			a, ok := adds[v]
			if !ok {
				return bad([]int{i}, "%s (%s) has %s, which nobody added", saySimple(ops[i].In, ops[i].Out), who(&ops[i]), v), true
			}
			if seen[v] {
				return Finding{}, false
			}
			seen[v] = true
			if rank[a] == 0 {
				rank[a] = group
				fresh++
			}
		}
		before := 0
		if last >= 0 {
			before = len(list(last))
		}
		if len(list(i))-fresh != before {
			for _, v := range list(last) {
				if !seen[v] {
					return bad([]int{last, i}, "two reads disagree: %s (%s) has %s, which the larger one (%s) has not, and nothing is ever removed",
						saySimple(ops[last].In, ops[last].Out), who(&ops[last]), v, who(&ops[i])), true
				}
			}
		}
		o.put(i, group)
		last = i
	}
	for _, a := range adds {
		switch {
		case rank[a] > 0:
			o.put(a, rank[a]-1)
		case ops[a].Outcome != history.Unknown:
			o.put(a, group+1)
		}
	}
	return o.judge(ops, func(early, late int) string {
		return fmt.Sprintf("%s (%s) was over before %s (%s) began, and has to come after it",
			saySimple(ops[late].In, ops[late].Out), who(&ops[late]), saySimple(ops[early].In, ops[early].Out), who(&ops[early]))
	}), true
}

// checkMembership judges a set that nobody reads as a whole. Such a set is one object for each value, in it or not, and
// linearizability is local (Herlihy and Wing 1990, theorem 1): so each value is judged by itself, by a search that has
// two states of the object. It declines if the set was read as a whole.
func checkMembership(ops []Op, b Budget) (Finding, bool) {
	parts := map[string][]int{}
	var values []string
	for i := range ops {
		var v string
		switch in := ops[i].In.(type) {
		case Add:
			v = in.Value
		case Remove:
			v = in.Value
		case Contains:
			v = in.Value
		case Members:
			if ops[i].known() != nil {
				return Finding{}, false
			}
			continue
		default:
			return Finding{}, false
		}
		if parts[v] == nil {
			values = append(values, v)
		}
		parts[v] = append(parts[v], i)
	}
	m := Set()
	all := Finding{Verdict: history.Pass}
	for _, v := range values {
		part := make([]Op, len(parts[v]))
		for i, x := range parts[v] {
			part[i] = ops[x]
		}
		f := m.search(part, b)
		all.Steps += f.Steps
		switch {
		case f.Verdict == history.Fail:
			return Finding{Verdict: history.Fail, Ops: parts[v], Steps: all.Steps}, true
		case f.Verdict == history.Undetermined && all.Verdict == history.Pass:
			all.Verdict, all.Reason = f.Verdict, "of "+v+": "+f.Reason
		}
	}
	return all, true
}
