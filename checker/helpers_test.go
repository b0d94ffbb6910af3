package checker_test

import (
	"strings"
	"testing"
	"time"

	"faultlab/checker"
	"faultlab/checker/history"
)

const ms = time.Millisecond

// expect holds a result against a verdict, the operations named, and a piece of the reason.
func expect(t *testing.T, r history.Result, v history.Verdict, reason string, ops ...int) {
	t.Helper()
	if r.Verdict != v || !strings.Contains(r.Reason, reason) {
		t.Errorf("%s: %s\nwant %s: ...%s...", r.Verdict, r.Reason, v, reason)
	}
	if v == history.Fail && ops != nil && !equal(r.Ops, ops) {
		t.Errorf("shown by operations %v, want %v (%s)", r.Ops, ops, r.Reason)
	}
}

func equal(a, b []int) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if a[i] != b[i] {
			return false
		}
	}
	return true
}

// number gives operations their indices.
func number(ops []history.Op) []history.Op {
	for i := range ops {
		ops[i].Index = i
		if ops[i].Phase == "" {
			ops[i].Phase = history.Safety
		}
	}
	return ops
}

// A case is a history and what a checker says of it.
type verdictCase struct {
	name    string
	history *history.History
	want    history.Verdict
	reason  string
	ops     []int
}

func run(t *testing.T, c checker.Checker, cases []verdictCase) {
	t.Helper()
	for _, k := range cases {
		t.Run(k.name, func(t *testing.T) {
			t.Helper()
			expect(t, c.Check(k.history), k.want, k.reason, k.ops...)
		})
	}
}
