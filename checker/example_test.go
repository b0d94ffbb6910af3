package checker_test

import (
	"fmt"
	"strings"

	"faultlab/checker"
	"faultlab/checker/history"
)

// A test of somebody else's system records what it asks and hears, and gives that to a checker.
func Example() {
	next := 0 // the system: it gives out numbers, and starts again at 3
	ticket := func() int { next++; return (next-1)%3 + 1 }

	var rec history.Recorder
	for range 4 {
		call := rec.Call("client 1", "ticket")
		call.OK(ticket())
	}
	unique := checker.Unique[int]{View: func(op *history.Op) (int, bool) { n, ok := op.Out.(int); return n, ok }}
	fmt.Println(unique.Check(rec.History()).Verdict)
	// Output: fail
}

// A promise holds under some faults only: here clients outside a region that is cut off must be served all the same.
func ExampleAvailability() {
	outside := checker.Availability{
		Class: "reads by clients outside the cut",
		When: func(f checker.Faults) bool { // region A is cut off, or was a short while ago, and nothing else is wrong
			for _, w := range f.All() {
				if w.Kind != "partition" || w.Form != "region" {
					return false
				}
			}
			return !f.None()
		},
		Of: func(op *history.Op, f checker.Faults) bool { return op.Region != "A" },
	}
	fmt.Println(outside.Check(&history.History{}).Reason)
	// Output: for 0.000 s of this run its faults were those that this speaks of, and no others; it takes 5.000 s
}

// A model judges somebody else's history as it stands in a file.
func ExampleModel_Judge() {
	file := strings.NewReader(`
		{"type":"invoke","process":0,"f":"enqueue","value":7}
		{"type":"ok","process":0,"f":"enqueue","value":7}
		{"type":"invoke","process":1,"f":"dequeue","value":null}
		{"type":"ok","process":1,"f":"dequeue","value":null}`)
	queue, _ := checker.ModelNamed("fifo-queue")
	found, err := queue.Judge(history.ReadAny(file), checker.Question{})
	fmt.Println(found.Verdict, found.Ops, err)
	// Output: fail [1 3] <nil>
}
