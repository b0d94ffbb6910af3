package txn

import (
	"testing"
	"time"

	"faultlab/checker/history"
)

// A list may end with an element that it had before; what the read depends on is the last one that is new.
func TestAReadThatEndsWithARepeatedElementIsExplained(t *testing.T) {
	s := time.Second
	r := Check([]Txn{
		{Index: 0, Client: "a", Ops: []Op{{Kind: Append, Key: "x", Value: 1}}, Call: 0, Return: 1 * s, Outcome: history.OK},
		{Index: 1, Client: "b", Ops: []Op{{Kind: Read, Key: "x", List: []int64{1, 2, 1}}}, Call: 2 * s, Return: 3 * s, Outcome: history.OK},
		{Index: 2, Client: "c", Ops: []Op{{Kind: Append, Key: "x", Value: 2}}, Call: 4 * s, Return: 5 * s, Outcome: history.OK},
	}, Options{})
	if r.Verdict != history.Fail || r.Counts["duplicate-elements"] == 0 {
		t.Errorf("%v: %s, %v", r.Verdict, r.Reason, r.Counts)
	}
}
