package multimaster

import (
	"fmt"
	"testing"
	"time"
)

// load asks for writes of range A1, so many a second for so long, of sessions in turn.
func (w *world) load(perSecond int, long time.Duration, keys ...string) {
	gap := time.Second / time.Duration(perSecond)
	for i := range int(long / gap) {
		w.c.After(time.Duration(i)*gap, func() {
			txn := Txn{Session: fmt.Sprint("load", i%40), Number: uint64(1 + i/40), Ops: []Op{{F: Write, Key: keys[i%len(keys)], Value: int64(i)}}}
			w.c.Call(home, "a1", txn, time.Second, func(any, bool) {})
		})
	}
	w.run(long + time.Second)
}

func TestAHotRangeIsSplitWhereItsLoadPartsAndAHotKeyIsNot(t *testing.T) {
	four := []string{"A1/a", "A1/b", "A1/c", "A1/d"}
	for _, tc := range []struct {
		name  string
		rate  int
		long  time.Duration
		keys  []string
		split bool
	}{
		{"hot for long", 1200, 5 * time.Second, four, true},
		{"a burst", 1200, 2500 * time.Millisecond, four, false},
		{"not hot", 800, 5 * time.Second, four, false},
		{"one hot key", 1200, 5 * time.Second, []string{"A1/a", "A1/a", "A1/a", "A1/a", "A1/b"}, false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			w := newWorld(t, "")
			w.load(tc.rate, tc.long, tc.keys...)
			w.run(3 * time.Second)
			split, moved := w.reached["multi-master: a range was split"] > 0, w.reached["multi-master: a range was moved"] > 0
			if split != tc.split || moved != tc.split {
				t.Errorf("split: %v, moved: %v", split, moved)
			}
			if !split {
				return
			}
			last, _ := w.ask("b1", time.Second, Op{F: Read, Key: "A1/a"}, Op{F: Read, Key: "A1/d"})
			w.run(time.Second)
			ok, is := (*last).(TxnOK)
			if !is || ok.Results[0].Int == 0 || ok.Results[1].Int == 0 || ok.Results[0].Epoch == ok.Results[1].Epoch {
				t.Errorf("what was split reads %+v: want a value of each part, and the epochs of two ranges", *last)
			}
		})
	}
}
