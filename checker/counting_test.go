package checker_test

import (
	"fmt"
	"strings"
	"testing"

	"faultlab/checker"
	"faultlab/checker/history"
)

// told writes a history of lines like "0 invoke add 1" in Jepsen's words.
func told(lines ...string) string {
	var b strings.Builder
	for _, line := range lines {
		parts := strings.SplitN(line, " ", 4)
		fmt.Fprintf(&b, "{:process %s, :type :%s, :f :%s, :value %s}\n", parts[0], parts[1], parts[2], append(parts, "nil")[3])
	}
	return b.String()
}

func TestRetriesDrainsAndOverlapsAreCountedForWhatTheyAre(t *testing.T) {
	added := []string{"0 invoke add 1", "0 ok add 1"}
	queued := []string{"0 invoke enqueue 1", "0 ok enqueue 1", "0 invoke enqueue 2", "0 ok enqueue 2"}
	for _, c := range []struct {
		name, model string
		lines       []string
		want        history.Verdict
		reason      string
	}{
		{"what an unknown addition showed may be added again", "set-full", []string{"0 invoke add 1", "0 info add 1", "1 invoke read", "1 ok read #{1}",
			"2 invoke add 1", "2 ok add 1", "1 invoke read", "1 ok read #{1}"}, history.Pass, ""},
		{"what only a failed addition can have shown is nobody's", "set-full", []string{"0 invoke add 1", "0 fail add 1", "1 invoke read", "1 ok read #{1}",
			"2 invoke add 1", "2 ok add 1"}, history.Fail, "before anyone tried"},
		{"of two reads that overlap either may be the last", "set-full", append(added[:2:2], "1 invoke read", "2 invoke read", "2 ok read #{}", "1 ok read #{1}"), history.Pass, ""},
		{"of two that do not the second is", "set-full", append(added[:2:2], "1 invoke read", "1 ok read #{1}", "2 invoke read", "2 ok read #{}"), history.Fail, "no read has it"},
		{"a read from the future", "set", append(added[:2:2], "1 invoke read", "1 ok read #{1 2}", "0 invoke add 2", "0 ok add 2"), history.Fail, "before anyone tried"},
		{"a read of what is being added", "set", append(added[:2:2], "1 invoke read", "0 invoke add 2", "1 ok read #{1 2}", "0 ok add 2"), history.Pass, ""},
		{"one of two additions was over before the read", "set", []string{"0 invoke add 1", "1 invoke add 1", "1 ok add 1", "2 invoke read", "2 ok read #{}", "0 ok add 1"}, history.Fail, "does not have it"},
		{"a drain that never returned may have had it all", "total-queue", append(queued[:4:4], "0 invoke drain", "0 info drain"), history.Undetermined, "a drain"},
		{"or says how far it got", "total-queue", append(queued[:4:4], "0 invoke drain", "0 info drain [1 2]"), history.Pass, ""},
		{"a value enqueued twice that comes out once", "total-queue", append(queued[:2:2], "1 invoke enqueue 1", "1 ok enqueue 1", "0 invoke drain", "0 ok drain [1]"), history.Fail, "never came out"},
		{"twice is right", "total-queue", append(queued[:2:2], "1 invoke enqueue 1", "1 ok enqueue 1", "0 invoke drain", "0 ok drain [1 1]"), history.Pass, ""},
		{"once is enough where duplicates are allowed", "at-least-once-queue", append(queued[:2:2], "1 invoke enqueue 1", "1 ok enqueue 1", "0 invoke drain", "0 ok drain [1]"), history.Pass, ""},
		{"a drain in the wrong order", "ordered-queue", append(queued[:4:4], "0 invoke drain", "0 ok drain [2 1]"), history.Fail, "was acknowledged before"},
		{"a drain in order", "ordered-queue", append(queued[:4:4], "0 invoke drain", "0 ok drain [1 2]"), history.Pass, ""},
		{"a sum beyond 64 bits is as far as it goes", "counter", []string{"0 invoke add 9223372036854775807", "0 info add 9223372036854775807", "1 invoke add 1", "1 ok add 1",
			"1 invoke read", "1 ok read 1"}, history.Pass, ""},
		{"a snapshot is frozen in whatever order it is told", "bank", []string{"0 invoke read", "0 ok read {0 10 1 10}", "0 invoke transfer {:from 0 :to 1 :amount 5}",
			"0 ok transfer {:from 0 :to 1 :amount 5}", "0 invoke read", "0 ok read {1 10 0 10}"}, history.Undetermined, "frozen"},
		{"each key has a first value of its own", "register", []string{"0 invoke read [1 nil]", "0 ok read [1 0]", "0 invoke write [2 0]", "0 ok write [2 0]"}, history.Pass, ""},
		{"which is not 0 where 0 is written", "register", []string{"0 invoke read [1 nil]", "0 ok read [1 0]", "0 invoke write [1 0]", "0 ok write [1 0]"}, history.Fail, "0"},
	} {
		t.Run(c.name, func(t *testing.T) {
			j, err := judge(t, c.model, told(c.lines...), checker.Question{})
			if err != nil {
				t.Fatal(err)
			}
			expect(t, j.Result, c.want, c.reason)
		})
	}
}
