package linear

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"faultlab/checker/history"
)

// A CellDo is what one step of a cell's program does.
type CellDo uint8

const (
	ReadList   CellDo = iota // its result is List
	ReadInt                  // its result is Int
	ReadBoth                 // its result is List and Int
	AppendList               // of Value
	WriteInt                 // of Value
	CompareInt               // compare-and-set from Old to Value; its result is OK
	AddInt                   // of Value; its result is Int, the new number
)

// A CellStep is one step of a program.
type CellStep struct {
	Do         CellDo
	Value, Old int64

	// Guard: the whole program does not happen if CompareInt finds another number, or AddInt would leave one below zero.
	Guard bool
}

func (step CellStep) readsList() bool { return step.Do == ReadList || step.Do == ReadBoth }

// A CellResult is what a step returned. Nothing is known of it unless it is Known.
type CellResult struct {
	Known bool
	List  []int64 // kept unchanged by the caller
	Int   int64
	OK    bool
}

// A CellIn is an operation on the cell at Key: a program that runs at one instant, such as the steps of a transaction
// that fall on one key. Its Out is a []CellResult with a result for each step, or empty if nothing is known but that
// it happened.
type CellIn struct {
	Key   string
	Steps []CellStep
}

// A CellState is what a cell holds.
type CellState struct {
	List string // the values in order, with a space after each
	Int  int64
}

// Cell is a cell for each key: a list to which values are appended, each value at most once in a history, and an
// integer; empty and 0 at first. In is a CellIn.
//
// Lists are judged by what reads say about order, as in Elle (Kingsbury and Alvaro, VLDB 2020): every read is a prefix
// of the longest one, so that one is the order of all that was ever seen, and the state of a list is its length in that
// order. What no read saw comes after it, in an order that does not matter. The search that remains is over the length
// and the integer.
func Cell() Model[CellState] {
	return Model[CellState]{
		Name:  "a list and an integer",
		Key:   func(in any) string { return in.(CellIn).Key },
		Step:  cellStep,
		Say:   cellSay,
		Show:  func(s CellState) string { return fmt.Sprintf("[%s] and %d", strings.TrimSpace(s.List), s.Int) },
		Binds: cellBinds,
		Exact: []Exact{{"list order", checkCell}},
	}
}

func listText(list []int64) string {
	var b []byte
	for _, v := range list {
		b = append(strconv.AppendInt(b, v, 10), ' ')
	}
	return string(b)
}

func cellStep(s CellState, in, out any) (CellState, error) {
	results, _ := out.([]CellResult)
	for i, step := range in.(CellIn).Steps {
		var r CellResult
		if i < len(results) {
			r = results[i]
		}
		if step.readsList() {
			if r.Known && listText(r.List) != s.List {
				return s, fmt.Errorf("the list is [%s]", strings.TrimSpace(s.List))
			}
		}
		if step.Do == AppendList {
			s.List += strconv.FormatInt(step.Value, 10) + " "
		}
		n, err := intStep(s.Int, step, r)
		if err != nil {
			return s, err
		}
		s.Int = n
	}
	return s, nil
}

// wrongInt is why a step on the integer is not possible.
type wrongInt struct{ holds int64 }

func (w wrongInt) Error() string { return fmt.Sprintf("the integer is %d", w.holds) }

// intStep is the part of a step that is about the integer.
func intStep(n int64, step CellStep, r CellResult) (int64, error) {
	switch step.Do {
	case ReadInt, ReadBoth:
		if r.Known && r.Int != n {
			return n, wrongInt{n}
		}
	case WriteInt:
		return step.Value, nil
	case CompareInt:
		same := n == step.Old
		if (r.Known && r.OK != same) || (step.Guard && !same) {
			return n, wrongInt{n}
		}
		if same {
			return step.Value, nil
		}
	case AddInt:
		sum := n + step.Value
		if (r.Known && r.Int != sum) || (step.Guard && sum < 0) {
			return n, wrongInt{n}
		}
		return sum, nil
	}
	return n, nil
}

func cellSay(in, out any) string {
	results, _ := out.([]CellResult)
	var words []string
	for i, step := range in.(CellIn).Steps {
		var r CellResult
		if i < len(results) {
			r = results[i]
		}
		words = append(words, step.say(r))
	}
	return strings.Join(words, ", ")
}

func (step CellStep) say(r CellResult) string {
	word := [...]string{"read the list", "read the integer", "read", "append %d", "write %d", "compare-and-set", "add %d"}[step.Do]
	switch step.Do {
	case AppendList, WriteInt, AddInt:
		word = fmt.Sprintf(word, step.Value)
	case CompareInt:
		word = fmt.Sprintf("%s %d to %d", word, step.Old, step.Value)
	}
	if !r.Known {
		return word
	}
	switch step.Do {
	case ReadList:
		return fmt.Sprintf("%s %v", word, r.List)
	case ReadBoth:
		return fmt.Sprintf("%s %v and %d", word, r.List, r.Int)
	case ReadInt, AddInt:
		return fmt.Sprintf("%s = %d", word, r.Int)
	case CompareInt:
		return fmt.Sprintf("%s = %t", word, r.OK)
	}
	return word
}

func cellBinds(in, out any) (gives, needs []string) {
	const integer = "the integer"
	results, _ := out.([]CellResult)
	for i, step := range in.(CellIn).Steps {
		known := i < len(results) && results[i].Known
		switch step.Do {
		case AppendList:
			gives = append(gives, strconv.FormatInt(step.Value, 10))
		case WriteInt:
			gives = append(gives, integer)
		case CompareInt, AddInt:
			gives = append(gives, integer)
			known = known || step.Guard
		}
		if !known {
			continue
		}
		if step.readsList() {
			for _, v := range results[i].List {
				needs = append(needs, strconv.FormatInt(v, 10))
			}
		}
		if step.Do != ReadList && step.Do != AppendList && step.Do != WriteInt {
			needs = append(needs, integer)
		}
	}
	return gives, needs
}

// A shortCell is a cell whose list is known by its length.
type shortCell struct {
	length int // beyond the longest read: one more than it has
	n      int64
}

// shortStep is a step with the list in terms of lengths.
type shortStep struct {
	CellStep
	result CellResult // without List
	at     int        // AppendList: the value's place in the order; of one that no read saw, the length of the order
	length int        // a read: how long the list was, -1 if not known
}

// checkCell orders the lists and searches what remains. It declines a history in which a value is appended twice.
func checkCell(ops []Op, b Budget) (Finding, bool) {
	var longest []int64
	longestBy := -1
	by := map[int64]int{} // who appended a value
	n := 0                // steps
	for i := range ops {
		n += len(ops[i].In.(CellIn).Steps)
		results, _ := ops[i].Out.([]CellResult)
		for j, step := range ops[i].In.(CellIn).Steps {
			if step.Do == AppendList {
				if _, again := by[step.Value]; again {
					return Finding{}, false
				}
				by[step.Value] = i
			}
			if step.readsList() && j < len(results) && results[j].Known && len(results[j].List) > len(longest) {
				longest, longestBy = results[j].List, i
			}
		}
	}
	place := make(map[int64]int, len(longest))
	for p, v := range longest {
		o := &ops[max(longestBy, 0)]
		a, ok := by[v]
		switch {
		case !ok:
			return Finding{Verdict: history.Fail, Ops: []int{longestBy}, Reason: fmt.Sprintf("%s (%s) has %d, which nobody appended",
				cellSay(o.In, o.Out), who(o), v)}, true
		case place[v] > 0:
			return Finding{Verdict: history.Fail, Ops: []int{longestBy}, Reason: fmt.Sprintf("%s (%s) has %d twice, appended once (%s)",
				cellSay(o.In, o.Out), who(o), v, who(&ops[a]))}, true
		}
		place[v] = p + 1
	}

	short := make([]Op, len(ops))
	all := make([]shortStep, 0, n)
	programs := make([][]shortStep, len(ops))
	for i := range ops {
		results, _ := ops[i].Out.([]CellResult)
		in := ops[i].In.(CellIn)
		from := len(all)
		for j, step := range in.Steps {
			s := shortStep{CellStep: step, length: -1}
			known := j < len(results) && results[j].Known && ops[i].Outcome == history.OK
			if known {
				s.result = results[j]
				s.result.List = nil
			}
			switch {
			case step.Do == AppendList:
				s.at = len(longest)
				if p := place[step.Value]; p > 0 {
					s.at = p - 1
				}
			case known && step.readsList():
				s.length = len(results[j].List)
				if !slices.Equal(results[j].List, longest[:s.length]) {
					return disorder(ops, i, longestBy, results[j].List, longest), true
				}
			}
			all = append(all, s)
		}
		short[i] = ops[i]
		programs[i] = all[from:]
		short[i].In = &programs[i]
	}
	if f, all := listOrder(ops, short, len(longest)); all || f.Verdict == history.Fail {
		return f, true
	}
	m := Model[shortCell]{distinct: true, Binds: shortCellBinds, Step: func(s shortCell, in, _ any) (shortCell, error) {
		return shortCellStep(s, *in.(*[]shortStep), len(longest))
	}}
	return m.search(short, b).Finding, true
}

// listOrder holds lists against real time: reads of each length between the appends before and after. It is all that
// there is to judge where no operation does more than read or append once.
func listOrder(ops, short []Op, longest int) (f Finding, all bool) {
	var o order
	all = true
	for i := range short {
		const mixed = -2
		group, appends := -1, false
		for _, s := range *short[i].In.(*[]shortStep) {
			switch {
			case s.Do == AppendList && group < 0:
				group, appends = 2*s.at+1, true
			case s.length >= 0 && (group < 0 || group == 2*s.length):
				group = 2 * s.length
			case s.Do == AppendList, s.length >= 0:
				group, all = mixed, false
			}
			all = all && (s.Do == ReadList || s.Do == AppendList)
			if group == mixed {
				break
			}
		}
		if group >= 0 && !(appends && group == 2*longest+1 && ops[i].Outcome == history.Unknown) {
			o.put(i, group)
		}
	}
	say := func(i int) string { return cellSay(ops[i].In, ops[i].Out) + " (" + who(&ops[i]) + ")" }
	return o.judge(ops, func(early, late int) string {
		if steps := *short[early].In.(*[]shortStep); steps[0].length >= 0 {
			return say(early) + " cannot happen: " + say(late) + " was over before it began, and it shows nothing of that"
		}
		return say(late) + " was over before " + say(early) + " began, and has to come after it by what was read"
	}), all
}

// errNot says no in a search where nobody asks why.
var errNot = errors.New("not possible")

func shortCellStep(s shortCell, steps []shortStep, longest int) (shortCell, error) {
	for k := range steps {
		step := &steps[k]
		switch {
		case step.Do == AppendList && step.at == longest:
			s.length = longest + 1
		case step.Do == AppendList && step.at == s.length:
			s.length++
		case step.Do == AppendList, step.length >= 0 && step.length != s.length:
			return s, errNot
		}
		n, err := intStep(s.n, step.CellStep, step.result)
		if err != nil {
			return s, errNot
		}
		s.n = n
	}
	return s, nil
}

var shortCellGives = []string{""}

// shortCellBinds tells the search what only reads.
func shortCellBinds(in, out any) (gives, needs []string) {
	for _, s := range *in.(*[]shortStep) {
		if s.Do > ReadBoth {
			return shortCellGives, shortCellGives
		}
	}
	return nil, shortCellGives
}

// disorder is two reads of which neither is a prefix of the other.
func disorder(ops []Op, one, other int, a, b []int64) Finding {
	p := 0
	for p < len(a) && p < len(b) && a[p] == b[p] {
		p++
	}
	return Finding{Verdict: history.Fail, Ops: []int{one, other}, Reason: fmt.Sprintf(
		"two reads disagree about order: value %d of the list is %d in one (%s) and %d in the other (%s)",
		p+1, a[p], who(&ops[one]), b[p], who(&ops[other]))}
}
