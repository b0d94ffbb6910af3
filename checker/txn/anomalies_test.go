package txn

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"faultlab/checker/history"
)

// parse reads a history in shorthand, one transaction a line: client, call, return (? unknown, ! failed), operations. In
// lists x+1 appends and x:1,2 reads; in registers x=1 writes, x:1 reads and x:- reads nothing.
func parse(t *testing.T, text string, lists bool) []Txn {
	t.Helper()
	var txns []Txn
	for _, line := range strings.Split(strings.TrimSpace(text), "\n") {
		words := strings.Fields(line)
		x := Txn{Index: len(txns), Client: words[0], Call: at(t, words[1]), Return: at(t, strings.TrimRight(words[2], "?!")), Outcome: history.OK}
		switch {
		case strings.HasSuffix(words[2], "?"):
			x.Outcome = history.Unknown
		case strings.HasSuffix(words[2], "!"):
			x.Outcome = history.Failed
		}
		for _, w := range words[3:] {
			i := strings.IndexAny(w, "+:=")
			op := Op{Key: w[:i]}
			switch {
			case w[i] == '+':
				op.Kind, op.Value = Append, int64(at(t, w[i+1:]))
			case w[i] == '=':
				op.Kind, op.Value = Write, int64(at(t, w[i+1:]))
			case lists:
				op.Kind = Read
				for _, v := range strings.FieldsFunc(w[i+1:], func(r rune) bool { return r == ',' }) {
					op.List = append(op.List, int64(at(t, v)))
				}
			case w[i+1:] == "-":
				op.Kind, op.Nil = Read, true
			default:
				op.Kind, op.Value = Read, int64(at(t, w[i+1:]))
			}
			x.Ops = append(x.Ops, op)
		}
		txns = append(txns, x)
	}
	return txns
}

func at(t *testing.T, s string) time.Duration {
	t.Helper()
	n, err := strconv.Atoi(s)
	if err != nil {
		t.Fatal(err)
	}
	return time.Duration(n)
}

// fixtures hold, for each anomaly, a smallest history that shows it, the weakest model that it breaks, and a history
// that differs little and does not show it.
var fixtures = []struct {
	anomaly, model string
	lists          bool
	shows, near    string
}{
	{"G0", "read-uncommitted", true, "a 0 9 x+1 y+1\nb 0 9 x+2 y+2\nc 0 9 x:1,2 y:2,1", "a 0 9 x+1 y+1\nb 0 9 x+2 y+2\nc 0 9 x:1,2 y:1,2"},
	{"G1a", "read-committed", true, "a 0 1! x+1\nb 2 3 x:1", "a 0 1? x+1\nb 2 3 x:1"},
	{"G1b", "read-committed", true, "a 0 1 x+1 x+2\nb 2 3 x:1", "a 0 1 x+1 x+2\nb 2 3 x:1,2"},
	{"G1c", "read-committed", true, "a 0 9 x+1 y:1\nb 0 9 y+1 x:1", "a 0 9 x+1 y:1\nb 0 9 y+1 x:"},
	{"G-single-item", "consistent-view", true, "a 0 9 x+1 y+1\nb 0 9 x:1 y:\nc 0 9 y:1", "a 0 9 x+1 y+1\nb 0 9 x: y:\nc 0 9 y:1"},
	{"G-nonadjacent-item", "snapshot-isolation", true, "a 0 9 x+1\nb 0 9 y+1\nc 0 9 x:1 y:\nd 0 9 x: y:1", "a 0 9 x+1\nb 0 9 y+1\nc 0 9 x:1 y:\nd 0 9 x:1 y:1"},
	{"long-fork", "snapshot-isolation", true, "a 0 9 x+1\nb 0 9 y+1\nc 0 9 x:1 y:\nd 0 9 x: y:1", "a 0 9 x+1\nb 0 9 y+1\nc 0 9 x:1 y:\nd 0 9 x:1 y:1"},
	{"G2-item", "repeatable-read", true, "a 0 9 x: y+1\nb 0 9 y: x+1", "a 0 9 x: y+1\nb 0 9 y:1 x+1"},
	{"lost-update", "cursor-stability", true, "a 0 9 x: x+1\nb 0 9 x: x+2", "a 0 9 x: x+1\nb 0 9 x:1 x+2"},
	{"G-single-item-realtime", "strong-snapshot-isolation", true, "a 0 1 x+1\nb 2 3 x:", "a 0 2 x+1\nb 2 3 x:"},
	{"G-single-item-process", "strong-session-snapshot-isolation", true, "a 0 1 x+1\na 1 2 x:", "a 0 1 x+1\nb 1 2 x:"},
	{"G2-item-realtime", "strict-serializable", true, "c 0 1 y+1\na 2 3 x:\nb 0 9 x+1 y:", "c 0 2 y+1\na 2 3 x:\nb 0 9 x+1 y:"},
	{"internal", "read-atomic", true, "a 0 1 x+1 x:", "a 0 1 x+1 x:1"},
	{"future-read", "read-committed", true, "a 0 1 x:1 x+1", "a 0 1 x: x+1 x:1"},
	{"garbage-read", "read-uncommitted", true, "a 0 1 x:7", "b 0 9? x+7\na 0 1 x:7"},
	{"duplicate-elements", "read-uncommitted", true, "a 0 1 x+1\nb 2 3 x:1,1", "a 0 1 x+1\nb 2 3 x:1"},
	{"incompatible-order", "read-committed", true, "a 0 9 x+1\nb 0 9 x+2\nc 0 9 x:1,2\nd 0 9 x:2", "a 0 9 x+1\nb 0 9 x+2\nc 0 9 x:1,2\nd 0 9 x:1"},
	{"dirty-update", "read-committed", true, "a 0 1! x+1\nb 2 3 x+2\nc 4 5 x:1,2", "a 0 1? x+1\nb 2 3 x+2\nc 4 5 x:1,2"},
	{"atomicity", "read-uncommitted", true, "a 0 9? x+1 x+2\nb 2 3 x:2", "a 0 9? x+1 x+2\nb 2 3 x:1,2"},
	{"fractured-read", "read-atomic", true, "a 0 9? x+1 y+1\nb 2 3 y: x:1", "a 0 9? x+1 y+1\nb 2 3 y: x:"},
	{"receding-read", "monotonic-atomic-view", true, "a 0 9 x+1 y+1\nb 2 3 x:1 y:", "a 0 9 x+1 y+1\nb 2 3 y: x:1"},
	{"causal-violation", "causal", true, "a 0 9 x+1\nb 0 9 x:1 y+1\nc 0 9 y:1\nc 9 10 x:", "a 0 9 x+1\nb 0 9 x:1 y+1\nc 0 9 y:\nc 9 10 x:"},
	{"prefix-violation", "prefix", true, "a 0 9 x+1\nb 0 9 y+1\nc 0 9 x:1 y:\nd 0 9 x: y:1", "a 0 9 x: y+1\nb 0 9 y: x+1"},
	{"read-your-writes-violation", "read-your-writes", true, "a 0 1 x+1\na 1 2 x:", "a 0 1 x+1\na 1 2 x:1"},
	{"monotonic-reads-violation", "monotonic-reads", true, "a 0 9 x+1\nb 0 1 x:1\nb 1 2 x:", "a 0 9 x+1\nb 0 1 x:\nb 1 2 x:1"},
	{"monotonic-writes-violation", "monotonic-writes", true, "a 0 1 x+1\na 1 2 y+1\nb 0 9 x: y:1", "a 0 1 x+1\na 1 2 y+1\nb 0 9 x:1 y:"},
	{"writes-follow-reads-violation", "writes-follow-reads", true, "a 0 9 x+1\nb 0 1 x:1\nb 1 2 y+1\nc 0 9 x: y:1", "a 0 9 x+1\nb 0 1 x:1\nb 1 2 y+1\nc 0 9 x:1 y:1"},
	{"per-key-linearizable-violation", "per-key-linearizable", true, "a 0 1 x+1\nb 2 3 x:", "c 0 9 x:\na 0 9 x: y:1\nb 1 2 x+1\nb 3 4 y+1"},
	{"per-key-sequential-violation", "per-key-sequential", true, "a 0 1 x+1\na 1 2 x:", "a 0 1 x+1\nb 2 3 x:"},
	{"receding-read", "monotonic-atomic-view", true, "a 0 9 x+1 y+1\nb 0 9 x+2 x:1,2 y:", "a 0 9 x+1 y+1\nb 0 9 y: x+2 x:1,2"},
	{"fractured-read", "read-atomic", true, "a 0 9 x+1 y+1\nb 0 9 y: x+2 x:1,2", "a 0 9 x+1\nb 0 9 y: x+2 x:1,2\nc 0 9 y+1"},
	{"G1b", "read-committed", true, "a 0 9 x+1 x+3\nb 0 9 x+2 x:1,2\nc 0 9 x:1,2,3", "a 0 9 x+1 x+3\nb 0 9 x+2 x:1,3,2"},
	{"monotonic-reads-violation", "monotonic-reads", true, "a 0 1 x+1\na 1 2 x:1\na 2 3 x:", "a 0 1 x+1\na 1 2 x:\na 2 3 x:1"},
	{"per-key-linearizable-violation", "per-key-linearizable", true, "a 0 1 x+1\nb 2 3 x+2 x:2\nc 4 5 x:2,1", "a 0 9 x+1\nb 2 3 x+2 x:2\nc 4 5 x:2,1"},
	{"incompatible-order", "per-key-sequential", true, "a 0 9 x+1 x:2,1\nb 0 9 x+2 x:1,2", "a 0 9 x+1 x:2,1\nb 0 9 x+2 x:2"},
	{"per-key-sequential-violation", "per-key-sequential", true, "a 0 9 x+1 x+2\nb 0 9 x+3\nc 0 9 x:1,3,2", "a 0 9 x+1 x+2\nb 0 9 x+3\nc 0 9 x:3,1,2"},

	{"update-atomic-violation", "update-atomic", true, "a 0 9 x+1 y+1\nb 0 9 x+2 y:\nc 0 9 x:1,2", "a 0 9 x+1 y+1\nb 0 9 x+2 y:\nc 0 9 x:2,1"},
	{"update-atomic-violation", "update-atomic", true, "a 0 9 x+1\nb 0 9 x: x+2\nc 0 9 x:1", "a 0 9 x+1\nb 0 9 x: x+2\nc 0 9 x:2"},

	{"G1a", "read-committed", false, "a 0 1! x=1\nb 2 3 x:1", "a 0 1? x=1\nb 2 3 x:1"},
	{"G1b", "read-committed", false, "a 0 1 x=1 x=2\nb 2 3 x:1", "a 0 1 x=1 x=2\nb 2 3 x:2"},
	{"G1c", "read-committed", false, "a 0 9 x=1 y:1\nb 0 9 y=1 x:1", "a 0 9 x=1 y:1\nb 0 9 y=1 x:-"},
	{"internal", "read-atomic", false, "a 0 1 x=1 x:-", "a 0 1 x=1 x:1\nb 2 3 x:1"},
	{"future-read", "read-committed", false, "a 0 1 x:1 x=1", "a 0 1 x:- x=1"},
	{"garbage-read", "read-uncommitted", false, "a 0 1 x=1\nb 2 3 x:7", "a 0 1 x=1\nc 0 9? x=7\nb 2 3 x:7"},
	{"lost-update", "cursor-stability", false, "a 0 9 x:- x=1\nb 0 9 x:- x=2", "a 0 9 x:- x=1\nb 0 9 x:1 x=2"},
	{"G-single-item", "consistent-view", false, "a 0 9 x=1 y=1\nb 0 9 x:1 y:-", "a 0 9 x=1 y=1\nb 0 9 x:- y:-"},
	{"G2-item", "repeatable-read", false, "a 0 9 x:- y=1\nb 0 9 y:- x=1", "a 0 9 x:- y=1\nb 0 9 y:1 x=1"},
	{"G-nonadjacent-item", "snapshot-isolation", false, "a 0 9 x=1\nb 0 9 y=1\nc 0 9 x:1 y:-\nd 0 9 x:- y:1", "a 0 9 x=1\nb 0 9 y=1\nc 0 9 x:1 y:-\nd 0 9 x:1 y:1"},
	{"G-single-item-realtime", "strong-snapshot-isolation", false, "a 0 1 x=1\nb 2 3 x:-", "a 0 2 x=1\nb 2 3 x:-"},
	{"G2-item-realtime", "strict-serializable", false, "a 0 1 x=1\nb 2 3 x=2\nc 4 5 x:1", "a 0 1 x=1\nb 1 3 x=2\nc 4 5 x:1"},
	{"fractured-read", "read-atomic", false, "a 0 9 x=1 y=1\nb 0 9 y:- x:1", "a 0 9 x=1 y=1\nb 0 9 y:1 x:1"},
	{"causal-violation", "causal", false, "a 0 9 x=1\nb 0 9 x:1 y=1\nc 0 9 y:1\nc 9 10 x:-", "a 0 9 x=1\nb 0 9 x:1 y=1\nc 0 9 y:1\nc 9 10 x:1"},
	{"monotonic-reads-violation", "monotonic-reads", false, "a 0 1 x=1\na 1 2 x:1\na 2 3 x:-", "a 0 1 x=1\na 1 2 x:-\na 2 3 x:1"},
	{"writes-follow-reads-violation", "writes-follow-reads", false, "a 0 1 x=1\na 1 2 x:1\na 2 3 y=1\nb 0 9 y:1 x:-", "a 0 1 x=1\na 2 3 y=1\nb 0 9 y:1 x:-"},
	{"pram-violation", "pram", false, "a 0 1 x=1\nb 0 1 x=2\na 2 3 x:2\nc 0 1 x:2\nc 2 3 x:1", "a 0 1 x=1\nb 0 1 x=2\na 2 3 x:2\nc 0 1 x:1\nc 2 3 x:2"},
	{"per-key-linearizable-violation", "per-key-linearizable", false, "a 0 1 x=1\nb 2 3 x=2\nc 4 5 x:1", "a 0 1 x=1\nb 2 3 x=2\nc 4 5 x:2"},
}

func TestEachAnomalyHasASmallestHistoryThatShowsItAndANearMiss(t *testing.T) {
	for _, x := range fixtures {
		kind := map[bool]string{true: "lists", false: "registers"}[x.lists]
		t.Run(kind+"/"+x.anomaly, func(t *testing.T) {
			r := Check(parse(t, x.shows, x.lists), Options{Models: []string{x.model}})
			if r.Counts[x.anomaly] == 0 || r.Verdict != history.Fail {
				t.Errorf("not found in\n%s\n%v: %s %v, not %v", x.shows, r.Verdict, r.Reason, r.Counts, r.Not)
			}
			for _, a := range r.Anomalies[x.anomaly] {
				if a.Reason == "" || len(a.Ops) == 0 {
					t.Errorf("%+v is not explained", a)
				}
			}
			n := Check(parse(t, x.near, x.lists), Options{Models: []string{x.model}})
			if n.Counts[x.anomaly] > 0 || n.Verdict != history.Pass {
				t.Errorf("found in\n%s\n%v: %s %v", x.near, n.Verdict, n.Reason, n.Counts)
			}
		})
	}
}

func TestWhoReadsARegisterAndWritesItNeedNotHaveWrittenTheNextVersion(t *testing.T) {
	txns := parse(t, "a 0 9 x:2 x=1\nb 0 9 x:1 x=2", false)
	if r := Check(txns, Options{Models: []string{"read-uncommitted"}}); r.Verdict != history.Pass || r.Counts["G0"] > 0 || r.Counts["G1c"] == 0 {
		t.Errorf("%v %s", r.Verdict, r.Reason)
	}
}

func TestARegisterWhoseVersionsFollowRealTimeInACircleIsReported(t *testing.T) {
	txns := parse(t, "a 0 1 x=1\nb 2 3 x=2\nc 4 5 x:1", false)
	if r := Check(txns, Options{LinearizableKeys: true}); r.Counts["cyclic-versions"] == 0 {
		t.Errorf("%v", r.Counts)
	}
	if r := Check(txns, Options{Models: []string{"serializable"}, SequentialKeys: true}); r.Verdict != history.Pass {
		t.Errorf("%v %s", r.Verdict, r.Reason)
	}
}

func TestWhatIsAskedForByNameIsFoundBesideWhatBreaksTheSameModels(t *testing.T) {
	for _, x := range []struct{ anomaly, shows, near string }{
		{"long-fork", "a 0 9 x+1 w+1\nb 0 9 y+1\nc 0 9 x:1 y: w:\nd 0 9 x: y:1", "a 0 9 x+1 w+1\nb 0 9 y+1\nc 0 9 x:1 y: w:\nd 0 9 x:1 y:1"},
		{"fractured-read", "a 0 9 x+1 y+1\nb 2 3 x:1 y:", "a 0 9 x+1 y+1\nb 2 3 x:1 y:1"},
		{"causal-violation", "a 0 9 x+1 y+1\nb 2 3 x:1 y:", "a 0 9 x+1 y+1\nb 2 3 x:1 y:1"},
		{"causal-violation", "e 0 1! z+1\nf 2 3 z:1\na 0 9 x+1\nb 0 9 x:1 y+1\nc 0 9 y:1\nc 9 10 x:", "e 0 1! z+1\nf 2 3 z:1\na 0 9 x+1\nb 0 9 x:1 y+1\nc 0 9 y:\nc 9 10 x:"},
		{"prefix-violation", "e 0 1! z+1\nf 2 3 z:1\na 0 9 x+1\nb 0 9 y+1\nc 0 9 x:1 y:\nd 0 9 x: y:1", "e 0 1! z+1\nf 2 3 z:1\na 0 9 x+1\nb 0 9 y+1\nc 0 9 x:1 y:\nd 0 9 x: y:"},
		{"pram-violation", "a 0 1 x+1\na 1 2 x:", "a 0 1 x+1\na 1 2 x:1"},
		{"per-key-linearizable-violation", "e 0 1! z+1\nf 2 3 z:1\na 0 1 x+1\nb 2 3 x:", "e 0 1! z+1\nf 2 3 z:1\na 0 2 x+1\nb 2 3 x:"},
		{"write-skew", "a 0 9 x: y+1\nb 0 9 y: x+1", "a 0 9 x: y+1\nb 0 9 y:1 x+1"},
		{"GSIb", "a 0 9 x+1 y+1\nb 0 9 x:1 y:", "a 0 9 x: y+1\nb 0 9 y: x+1"},
		{"G2-item", "e 0 1! z=1\nf 2 3 z:1\na 0 9 x=1\nb 0 9 x=2\nc 0 9 x:1 y=1\nd 0 9 x:2 y=2\ng 0 9 y:1 x:2\nh 0 9 y:2 x:1", "e 0 1! z=1\nf 2 3 z:1\na 0 9 x=1\nb 0 9 x=2\nc 0 9 x:1 y=1\nd 0 9 x:2 y=2\ng 0 9 y:1 x:2\nh 0 9 y:2 x:2"},
	} {
		lists := !strings.Contains(x.shows, "=")
		if r := Check(parse(t, x.shows, lists), Options{Anomalies: []string{x.anomaly}}); r.Verdict != history.Fail {
			t.Errorf("%s is not found in\n%s\n%v: %s %v", x.anomaly, x.shows, r.Verdict, r.Reason, r.Counts)
		}
		if r := Check(parse(t, x.near, lists), Options{Anomalies: []string{x.anomaly}}); r.Verdict != history.Pass {
			t.Errorf("%s is found in\n%s\n%v: %s %v", x.anomaly, x.near, r.Verdict, r.Reason, r.Counts)
		}
		if !slices.Contains(Anomalies(), x.anomaly) {
			t.Errorf("%s is not known", x.anomaly)
		}
	}
}

func TestUpdateAtomicityIsOpenWhereTheOrderOfWritesIs(t *testing.T) {
	for text, want := range map[string]history.Verdict{
		"a 0 9 x=1\nb 0 9 x=2\nc 0 9 u=1\nd 0 9 u:1 v=1\ne 0 9 v:1 u:- x=3": history.Undetermined,
		"a 0 9 x+1 z+1 y:\nb 0 9 x+2 z: y+1":                                history.Undetermined,
		"c 0 9 u+1\nd 0 9 u:1 v+1\ne 0 9 v:1 u: x+3":                        history.Pass,
	} {
		if r := Check(parse(t, text, !strings.Contains(text, "=")), Options{Models: []string{"update-atomic"}}); r.Verdict != want {
			t.Errorf("%v: %s of\n%s", r.Verdict, r.Reason, text)
		}
	}
}

func TestSessionGuaranteesAreOpenWhereReadsOfOneListDisagree(t *testing.T) {
	for _, x := range []struct {
		text, model string
		want        history.Verdict
	}{
		{"a 0 9 x+1\nb 0 9 x+2\nc 0 1 x:1,2\nc 2 3 x:2,1", "monotonic-reads", history.Fail},
		{"a 0 9 x+1\nb 0 9 x+2\nc 0 1 x:1,2\nd 2 3 x:2,1", "monotonic-reads", history.Undetermined},
		{"a 0 1 x+1\nb 0 9 x+2\nc 0 9 x:1,2\na 2 3 x:2", "read-your-writes", history.Fail},
		{"a 0 1 x+1\nb 0 9 x+2\nc 0 9 x:1,2\na 2 3 x:2,1", "read-your-writes", history.Undetermined},
		{"a 0 9 x+1\nb 0 9 x+2\nc 0 9 x:1,2\nd 0 9 x:2,1", "pram", history.Undetermined},
		{"a 0 9 x+1\nb 0 9 x+2\nc 0 9 x:1,2\nd 0 9 x:2,1", "writes-follow-reads", history.Undetermined},
	} {
		if r := Check(parse(t, x.text, true), Options{Models: []string{x.model}}); r.Verdict != x.want {
			t.Errorf("%s: %v of\n%s\n%s", x.model, r.Verdict, x.text, r.Reason)
		}
	}
}

func TestVersionsReadAndWrittenInACircleAreReported(t *testing.T) {
	opts := Options{Anomalies: []string{"cyclic-versions"}, WFRKeys: true}
	if r := Check(parse(t, "a 0 9 x:2 x=1\nb 0 9 x:1 x=2", false), opts); r.Verdict != history.Fail {
		t.Errorf("%v %s", r.Verdict, r.Reason)
	}
	if r := Check(parse(t, "a 0 9 x:2 x=1\nb 0 9 x:- x=2", false), opts); r.Verdict != history.Pass {
		t.Errorf("%v %s", r.Verdict, r.Reason)
	}
}

func TestNamesThatElleGivesToAModelAreKnown(t *testing.T) {
	for _, name := range strings.Fields("PL-1 PL-2 PL-CS PL-2+ PL-2.99 PL-3 PL-SI PL-SS PL-FCV forward-consistent-view view-serializable ROLA PRAM strong-session-PL-2") {
		if !KnownModel(name) || below(canonical(name)) == nil {
			t.Errorf("%s is not known", name)
		}
	}
	for name, model := range aliases {
		if below(model) == nil {
			t.Errorf("%s stands for %s, which is no model", name, model)
		}
	}
}

func TestAHistoryWithNothingToJudgeIsUnknown(t *testing.T) {
	for _, text := range []string{"a 0 1! x+1", "a 0 1? x+1", "a 0 1 x=1"} {
		if r := Check(parse(t, text, true), Options{}); r.Verdict != history.Undetermined {
			t.Errorf("%s: %v %s", text, r.Verdict, r.Reason)
		}
	}
	if r := Check(nil, Options{}); r.Verdict != history.Undetermined {
		t.Errorf("%v %s", r.Verdict, r.Reason)
	}
}

func TestEveryStepOfACycleBeginsWhereTheLastEndedAndIsDrawn(t *testing.T) {
	r := Check(parse(t, "a 0 9 x+1\nb 0 9 y+1\nc 0 9 x:1 y:\nd 0 9 x: y:1", true), Options{})
	a := r.Anomalies["G-nonadjacent-item"][0]
	for i, s := range a.Cycle {
		if next := a.Cycle[(i+1)%len(a.Cycle)]; s.To != next.From || s.Why == "" {
			t.Errorf("%+v, then %+v", s, next)
		}
	}
	for _, text := range []string{"a 0 9 x=1\nb 0 9 x:1 y=1\nc 0 9 y:1\nc 9 10 z=1\nd 0 9 z:1\nd 9 10 x:-", "a 0 1 x=1\na 2 3 x:-", "a 0 1 x=1\nb 0 1 x=2\na 2 3 x:2\nc 0 1 x:2\nc 2 3 x:1",
		"a 0 1 x+1\na 1 2 y+1\nb 0 9 x: y:1", "a 0 9 x+1\nb 0 1 x:1\nb 1 2 y+1\nc 0 9 x: y:1"} {
		for name, found := range Check(parse(t, text, !strings.Contains(text, "=")), Options{}).Anomalies {
			for _, a := range found {
				if len(a.Cycle) == 0 {
					t.Errorf("%s of\n%s\nis drawn without a cycle: %s", name, text, a.Reason)
				}
				for i, s := range a.Cycle {
					if next := a.Cycle[(i+1)%len(a.Cycle)]; s.To != next.From || s.Why == "" {
						t.Errorf("%s of\n%s\n%+v, then %+v", name, text, s, next)
					}
				}
			}
		}
	}
	if dot := a.DOT(); strings.Count(dot, "->") != 4 {
		t.Error(dot)
	}
	if svg := a.SVG(); strings.Count(svg, "<path d=\"M") != 5 || strings.Count(svg, "<rect") != 4 {
		t.Error(svg)
	}
}

func TestAPageShowsEveryExample(t *testing.T) {
	r := Check(parse(t, "a 0 9 x+1\nb 0 9 y+1\nc 0 9 x:1 y:\nd 0 9 x: y:1", true), Options{})
	var page strings.Builder
	if err := r.Picture(&page); err != nil || strings.Count(page.String(), "<svg") != 3 || !strings.Contains(page.String(), "<h2>long-fork</h2>") {
		t.Errorf("%v\n%s", err, page.String())
	}
}

func TestTheSameHistoryGetsTheSameReport(t *testing.T) {
	for _, kind := range []Kind{Append, Write} {
		txns := lab{seed: 3, txns: 2000, clients: 20, keys: 10, perKey: 200, maxOps: 4, unknown: 2}.make(kind)
		for i := 100; i < len(txns); i += 300 { // a few reads of long ago
			for j := range txns[i].Ops {
				if op := &txns[i].Ops[j]; op.Kind == Read && len(op.List) > 1 {
					op.List = op.List[:1]
				}
			}
		}
		first := fmt.Sprintf("%+v", Check(txns, Options{}))
		for range 2 {
			if again := fmt.Sprintf("%+v", Check(txns, Options{})); again != first {
				t.Fatalf("%.400s\nand then\n%.400s", first, again)
			}
		}
	}
}
