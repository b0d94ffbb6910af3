package linear

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"faultlab/checker/history"
)

// randomCell is a cell that clients run random programs on, and what it answers.
func randomCell(r *rand.Rand) func(bool) (any, any) {
	type cell struct {
		list []int64
		n    int64
	}
	cells := map[string]cell{}
	next := int64(0)
	return func(done bool) (any, any) {
		in := CellIn{Key: fmt.Sprint(r.IntN(1 + r.IntN(2)))}
		c := cells[in.Key]
		c.list = slices.Clone(c.list)
		var out []CellResult
		for range 1 + r.IntN(3) {
			s := CellStep{Do: CellDo(r.IntN(7)), Value: r.Int64N(3), Old: r.Int64N(3), Guard: r.IntN(2) == 0}
			if r.IntN(2) == 0 {
				s.Do = []CellDo{ReadList, AppendList}[r.IntN(2)]
			}
			res := CellResult{Known: r.IntN(8) > 0}
			switch s.Do {
			case ReadList, ReadBoth:
				res.List = slices.Clone(c.list)
			case AppendList:
				s.Value = next
				next++
				c.list = append(c.list, s.Value)
			case WriteInt:
				c.n = s.Value
			case CompareInt:
				if s.Guard {
					s.Old = c.n
				}
				if res.OK = c.n == s.Old; res.OK {
					c.n = s.Value
				}
			case AddInt:
				c.n += s.Value
			}
			res.Int = c.n
			in.Steps, out = append(in.Steps, s), append(out, res)
		}
		if done {
			cells[in.Key] = c
		}
		return in, out
	}
}

func TestCellsAgreeWithPorcupine(t *testing.T) {
	agree(t, subject[CellState]{Cell(), randomCell})
}

func at(i int, client string, call, ret int, in, out any) Op {
	o := Op{Index: i, Client: client, In: in, Out: out, Call: time.Duration(call) * time.Millisecond,
		Return: time.Duration(ret) * time.Millisecond, Outcome: history.OK}
	if ret < 0 {
		o.Outcome = history.Unknown
	}
	return o
}

func TestCells(t *testing.T) {
	do := func(s ...CellStep) CellIn { return CellIn{"k", s} }
	add := func(v int64) CellIn { return do(CellStep{Do: AppendList, Value: v}) }
	read := do(CellStep{Do: ReadList})
	list := func(v ...int64) []CellResult { return []CellResult{{Known: true, List: v}} }
	for _, c := range []struct {
		name string
		ops  []Op
		want string // in the reason; "" for a pass
		few  []int
	}{
		{"an unknown append may land late", []Op{
			at(0, "c1", 0, -1, add(1), nil), at(1, "c2", 10, 20, read, list()), at(2, "c2", 30, 40, read, list(1))}, "", nil},
		{"an unknown append may never land", []Op{
			at(0, "c1", 0, -1, add(1), nil), at(1, "c2", 10, 20, read, list())}, "", nil},
		{"what meets at one instant overlaps", []Op{
			at(0, "c1", 0, 10, add(1), list()), at(1, "c2", 10, 20, read, list())}, "", nil},
		{"a stale read is refused", []Op{
			at(0, "c1", 0, 10, add(1), list()), at(1, "c2", 11, 20, read, list()), at(2, "c3", 11, 20, add(2), nil)},
			"k: read the list [] (c2, 20.000 ms) cannot happen: ", []int{0, 1}},
		{"a value from nowhere is refused", []Op{
			at(0, "c1", 0, 10, add(1), list()), at(1, "c2", 0, 20, read, list(1, 2))}, "has 2, which nobody appended", []int{0, 1}},
		{"two orders are refused", []Op{
			at(0, "c1", 0, 90, add(1), list()), at(1, "c2", 0, 90, add(2), list()), at(2, "c3", 0, 90, read, list(2)), at(3, "c4", 0, 90, read, list(1, 2))},
			"disagree about order", []int{0, 1, 2, 3}},
		{"an integer is never below a guard", []Op{
			at(0, "c1", 0, 10, do(CellStep{Do: WriteInt, Value: 5}), []CellResult{{}}),
			at(1, "c2", 20, 30, do(CellStep{Do: AddInt, Value: -7, Guard: true}), []CellResult{{}})}, "the integer is 5 after write 5", []int{0, 1}},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := Check(Cell(), c.ops, Budget{})
			if (r.Verdict == history.Fail) != (c.want != "") || !strings.Contains(r.Reason, c.want) || !slices.Equal(r.Ops, c.few) {
				t.Errorf("%s: %s %v", r.Verdict, r.Reason, r.Ops)
			}
			if r.Verdict != history.Fail {
				return
			}
			var page bytes.Buffer
			if err := r.Picture(&page); err != nil || !strings.Contains(page.String(), "<html") {
				t.Errorf("picture: %v, %d bytes", err, page.Len())
			}
		})
	}
}

// labCells is what a run of the multi-master lab leaves: 200 keys, 64 appends and 200 reads on each, by 24 clients,
// some of unknown outcome.
func labCells(keys int) []Op {
	r := rand.New(rand.NewPCG(1, 1))
	var ops []Op
	for k := range keys {
		var list []int64
		n := int64(0)
		for i := range 320 {
			start := time.Duration(i*1000 + r.IntN(1000))
			o := Op{Index: len(ops), Client: fmt.Sprint("c", r.IntN(24)), Call: start - time.Duration(r.IntN(8000)), Return: start + time.Duration(r.IntN(8000)), Outcome: history.OK}
			in, out := CellIn{Key: fmt.Sprint(k), Steps: make([]CellStep, 1)}, []CellResult{{Known: true}}
			switch {
			case i%5 == 0:
				in.Steps[0] = CellStep{Do: AppendList, Value: int64(i)}
				list = append(slices.Clip(list), int64(i))
				if r.IntN(20) == 0 {
					o.Outcome, out = history.Unknown, nil
				}
			case i%5 == 1:
				in.Steps[0] = CellStep{Do: AddInt, Value: int64(r.IntN(10) - 3)}
				n += in.Steps[0].Value
				out[0] = CellResult{}
			default:
				in.Steps[0] = CellStep{Do: ReadBoth}
				out[0].List, out[0].Int = list, n
			}
			o.In = in
			if out != nil {
				o.Out = out
			}
			ops = append(ops, o)
		}
	}
	return ops
}

func BenchmarkCells(b *testing.B) {
	ops := labCells(200)
	b.ReportAllocs()
	for b.Loop() {
		if r := Check(Cell(), ops, Budget{}); r.Verdict != history.Pass {
			b.Fatal(r)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*len(ops)), "ns/op-checked")
}
