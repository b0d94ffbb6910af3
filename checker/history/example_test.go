package history_test

import (
	"fmt"
	"strings"

	"faultlab/checker/history"
	"faultlab/checker/linear"
)

// A test of somebody else's system: record what it is asked and answers, give that to a checker.
func ExampleRecorder() {
	var rec history.Recorder // safe for concurrent use
	rec.Call("ann", linear.Write{Value: "1"}).OK(nil)
	rec.Call("bob", linear.Read{}).OK("0") // a stale answer

	var ops []linear.Op
	for _, op := range rec.History().Ops {
		ops = append(ops, linear.From(&op, op.In, op.Out))
	}
	fmt.Println(linear.Check(linear.Register("0"), ops, linear.Budget{}).Verdict)
	// Output: fail
}

// A history of Jepsen's, as EDN or JSON, packed or not, is a stream of operations.
func ExampleReadAny() {
	file := strings.NewReader(`{:type :invoke, :process 3, :f :cas, :value [1 2]}
		{:type :fail, :process 3, :f :cas, :value [1 2]}`)
	for op, err := range history.ReadAny(file) {
		in, _ := op.In.(history.Jepsen)
		fmt.Println(op.Client, in.F, in.Value, op.Outcome, err)
	}
	// Output: 3 cas [1 2] failed <nil>
}
