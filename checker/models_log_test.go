package checker_test

import (
	"fmt"
	"strings"
	"testing"

	"faultlab/checker"
	"faultlab/checker/history"
	"faultlab/checker/txn"
)

// events writes events of Jepsen's Kafka workload: "1 ok poll [[:poll {0 [[0 1]]}]]" is one, by process 1, and its
// invocation comes straight before it if it is not there. More members may follow its value.
func events(lines ...string) string {
	var b strings.Builder
	invoked := map[string]bool{}
	for _, l := range lines {
		part := strings.SplitN(l, " ", 4)
		process, kind, f, value := part[0], part[1], part[2], part[3]
		if kind != "invoke" && !invoked[process] {
			fmt.Fprintf(&b, "{:process %s, :type :invoke, :f :%s, :value nil}\n", process, f)
		}
		invoked[process] = kind == "invoke"
		fmt.Fprintf(&b, "{:process %s, :type :%s, :f :%s, :value %s}\n", process, kind, f, value)
	}
	return b.String()
}

func TestALogIsJudgedAsJepsenHasIt(t *testing.T) {
	const (
		sent123  = "0 ok send [[:send 0 [0 1]] [:send 0 [1 2]] [:send 0 [2 3]]]"
		polled   = "9 ok poll [[:poll {0 [[0 1] [1 2] [2 3]]}]]"
		first    = "1 ok poll [[:poll {0 [[0 1]]}]]"
		second   = "1 ok poll [[:poll {0 [[1 2]]}]]"
		third    = "1 ok poll [[:poll {0 [[2 3]]}]]"
		assigned = "1 ok assign [0]"
	)
	for _, c := range []struct {
		name   string
		lines  []string
		want   history.Verdict
		reason string
	}{
		{"a log that stays assigned keeps its place", []string{sent123, polled, assigned, first, "1 ok assign [0 1]", third}, history.Fail, "skipped place 1"},
		{"one that was given up in between does not", []string{sent123, polled, assigned, first, "1 ok assign [1]", "1 ok assign [0 1]", third}, history.Pass, ""},
		{"an assignment that may have been taken gives up too", []string{sent123, polled, assigned, first, "1 info assign [1]", third}, history.Pass, ""},
		{"one that failed does not", []string{sent123, polled, assigned, first, "1 fail assign [1]", third}, history.Fail, "skipped place 1"},
		{"a subscription is the same", []string{sent123, polled, "1 ok subscribe [0]", third, "1 ok subscribe [0]", first}, history.Fail, "place 0 of 0, after place 2"},
		{"who seeks the beginning goes back", []string{sent123, polled, assigned, first, "1 invoke assign [0] :seek-to-beginning? true", assigned, first}, history.Pass, ""},
		{"who does not may not", []string{sent123, polled, assigned, first, "1 invoke assign [0]", assigned, first}, history.Fail, "place 0 of 0, after place 0"},

		{"a poll goes back after a rebalance", []string{sent123, polled, first, first + " :rebalance-log [{:type :assigned :keys [0]}]"}, history.Pass, ""},
		{"and in one", []string{sent123, polled, "1 ok poll [[:poll {0 [[0 1]]}] [:poll {0 [[0 1]]}]] :rebalance-log [{:keys [1]} {:keys [0]}]"}, history.Pass, ""},
		{"the rebalance was of another log", []string{sent123, polled, first, first + " :rebalance-log [{:type :assigned :keys [1]}]"}, history.Fail, "place 0 of 0, after place 0"},

		{"an unknown transaction polls another value", []string{sent123, polled, "1 info txn [[:poll {0 [[0 2]]}] [:send 1 7]]"}, history.Fail, "at place 0 of 0"},
		{"a failed transaction polls another value", []string{sent123, polled, "1 fail txn [[:poll {0 [[0 2]]}] [:send 1 7]]"}, history.Fail, "at place 0 of 0"},
		{"both poll what is there", []string{sent123, polled, "1 info txn [[:poll {0 [[0 1]]}] [:send 1 7]]", "2 fail txn [[:poll {0 [[0 1]]}] [:send 1 8]]"}, history.Pass, ""},
		{"a failed transaction polls at a second place", []string{sent123, polled, "1 fail poll [[:poll {0 [[11 1]]}]]"}, history.Fail, "1 is at two places"},
		{"a failed send was told a place that counts for nothing", []string{sent123, polled, "1 fail send [[:send 0 [0 9]]]"}, history.Pass, ""},
		{"who failed goes back to where it was", []string{sent123, polled, first, "1 fail poll [[:poll {0 [[1 2] [2 3]]}]]", second}, history.Pass, ""},
		{"and skips nothing", []string{sent123, polled, first, "1 fail poll [[:poll {0 [[1 2]]}]]", third}, history.Fail, "skipped place 1"},
		{"nor does it while it fails", []string{sent123, polled, first, "1 fail poll [[:poll {0 [[2 3]]}]]"}, history.Fail, "skipped place 1"},
		{"nor with an unknown outcome", []string{sent123, polled, first, "1 info poll [[:poll {0 [[2 3]]}]]"}, history.Fail, "skipped place 1"},
		{"where it goes on after that is not known", []string{sent123, polled, first, "1 info poll [[:poll {0 [[1 2]]}]]", third}, history.Pass, ""},

		{"an unknown transaction took effect, and half of it is lost", []string{"0 info txn [[:send 0 [0 1]] [:send 0 [1 2]]]", "2 ok poll [[:poll {0 [[1 2]]}]]"}, history.Fail, "took effect, since operation 3"},
		{"also if the other half is in another log", []string{"0 info send [[:send 0 1] [:send 1 [0 2]]]", "1 ok send [[:send 1 [1 3]]]", first, "2 ok poll [[:poll {1 [[1 3]]}]]"}, history.Fail, "took effect, since operation 5"},
		{"an unknown transaction may not have taken effect", []string{"0 info send [[:send 0 1] [:send 1 [0 2]]]", "1 ok send [[:send 1 [1 3]]]", "2 ok poll [[:poll {1 [[1 3]]}]]"}, history.Pass, ""},
		{"what it was told then counts for nothing", []string{"0 info send [[:send 0 [0 9]] [:send 1 1]]", sent123, polled}, history.Pass, ""},
		{"but counts once it is known to have", []string{"0 info send [[:send 0 [0 9]] [:send 1 1]]", sent123, polled, "3 ok poll [[:poll {1 [[5 1]]}]]"}, history.Fail, "at place 0 of 0"},

		{"a transaction polls what it sends", []string{"0 ok txn [[:send 0 [0 1]] [:poll {0 [[0 1]]}]]"}, history.Fail, "polled it itself"},
		{"it polls what another sent", []string{sent123, "1 ok txn [[:send 0 [3 4]] [:poll {0 [[0 1] [1 2] [2 3]]}]]", "2 ok poll [[:poll {0 [[3 4]]}]]"}, history.Pass, ""},

		{"a poll returns before the send is called", []string{"2 ok poll [[:poll {0 [[0 1]]}]]", "0 invoke send [[:send 0 1]]", "0 ok send [[:send 0 [0 1]]]"}, history.Fail, "before anyone sent it"},
		{"a poll returns while the send is under way", []string{"0 invoke send [[:send 0 1]]", "2 ok poll [[:poll {0 [[0 1]]}]]", "0 ok send [[:send 0 [0 1]]]"}, history.Pass, ""},

		{"the place of a send is known from a poll", []string{"0 ok send [[:send 0 2] [:send 0 1]]", "1 ok poll [[:poll {0 [[0 1] [1 2]]}]]"}, history.Fail, "before what the same client sent earlier"},
		{"sends of one transaction have another's between them", []string{"0 invoke send [[:send 0 1] [:send 0 3]]", "1 ok send [[:send 0 [1 2]]]", "0 ok send [[:send 0 [0 1]] [:send 0 3]]", polled}, history.Pass, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			text := events(c.lines...)
			j, err := judge(t, "log", text, checker.Question{})
			if err != nil {
				t.Fatal(err)
			}
			expect(t, j.Result, c.want, c.reason)
		})
	}
	between := events("0 invoke send [[:send 0 1] [:send 0 3]]", "1 ok send [[:send 0 [1 2]]]", "0 ok send [[:send 0 [0 1]] [:send 0 3]]", polled)
	j, err := judge(t, "log", between, checker.Question{Txn: txn.Options{Anomalies: []string{checker.SendSkipIn}}})
	if err != nil {
		t.Fatal(err)
	}
	expect(t, j.Result, history.Fail, "sent to place 2 of 0 straight after place 0, and not to place 1", 3)
	j, err = judge(t, "log", events(sent123, polled), checker.Question{Txn: txn.Options{Anomalies: []string{checker.SendSkipIn}}})
	if err != nil {
		t.Fatal(err)
	}
	expect(t, j.Result, history.Pass, "")
}

func TestARebalanceIsReadFromJSONToo(t *testing.T) {
	const text = `{"type":"ok","f":"send","value":[["send",0,[0,1]]],"process":0}
		{"type":"ok","f":"poll","value":[["poll",{"0":[[0,1]]}]],"process":1}
		{"type":"ok","f":"poll","value":[["poll",{"0":[[0,1]]}]],"process":1,"rebalance-log":[{"type":"assigned","keys":[0]}]}`
	j, err := judge(t, "log", text, checker.Question{})
	if err != nil {
		t.Fatal(err)
	}
	expect(t, j.Result, history.Pass, "")
}
