package labs

import (
	"strings"
	"testing"
	"time"

	"faultlab/checker"
	"faultlab/checker/history"
	"faultlab/nemesis"
	"faultlab/nodes"
)

func guarantee(v history.Verdict, under ...string) Guarantee {
	return Guarantee{ID: "X1", Name: "x", Under: under, Checker: checker.Func(func(*history.History) history.Result {
		return history.Result{Verdict: v, Reason: "because"}
	})}
}

func TestTheVerdictOfARun(t *testing.T) {
	kill := nemesis.Schedule{{Kind: "kill", Form: "one"}}
	struck := history.Window{Kind: "kill", Form: "one", Nodes: []string{"a1"}, Down: []string{"a1"}, Took: true, Start: 1, End: 9}
	missed := history.Window{Kind: "kill", Form: "one", Why: "nobody led"}
	for _, test := range []struct {
		name       string
		guarantees []Guarantee
		schedule   nemesis.Schedule
		windows    []history.Window
		run        Run
		silent     bool
		want       history.Verdict
		reason     string
	}{
		{name: "a guarantee that held is a pass", guarantees: []Guarantee{guarantee(history.Pass)}, want: history.Pass},
		{name: "the worst verdict wins", guarantees: []Guarantee{guarantee(history.Pass), guarantee(history.Fail), guarantee(history.Undetermined)}, want: history.Fail},
		{name: "what is not judged has no effect", guarantees: []Guarantee{guarantee(history.Pass), guarantee(history.NotJudged)}, want: history.Pass},
		{name: "nothing judged is unknown", guarantees: []Guarantee{guarantee(history.NotJudged)}, want: history.Undetermined, reason: "exercises none"},
		{name: "a fault that is not among a guarantee's own leaves it out", guarantees: []Guarantee{guarantee(history.Fail, "pause"), guarantee(history.Pass, "kill")},
			schedule: kill, windows: []history.Window{struck}, want: history.Pass},
		{name: "a form is among a guarantee's own by its kind or by its name", guarantees: []Guarantee{guarantee(history.Fail, "kill:all"), guarantee(history.Pass, "kill:one")},
			schedule: kill, windows: []history.Window{struck}, want: history.Pass},
		{name: "a kind of fault that never struck makes a pass unknown", guarantees: []Guarantee{guarantee(history.Pass, "kill")},
			schedule: kill, windows: []history.Window{missed}, want: history.Undetermined, reason: "kill:one was scheduled and never took effect (nobody led)"},
		{name: "and a failure stays one", guarantees: []Guarantee{guarantee(history.Fail, "kill")}, schedule: kill, windows: []history.Window{missed}, want: history.Fail},
		{name: "one fault of many that found nobody does no harm", guarantees: []Guarantee{guarantee(history.Pass, "kill")},
			schedule: append(kill, kill...), windows: []history.Window{struck, missed}, want: history.Pass},
		{name: "another form of its kind does not stand for a form that never struck", guarantees: []Guarantee{guarantee(history.Pass, "kill")},
			schedule: append(kill, nemesis.Fault{Kind: "kill", Form: "all"}), windows: []history.Window{struck, {Kind: "kill", Form: "all", Why: "it failed"}},
			want: history.Undetermined, reason: "kill:all was scheduled and never took effect (it failed)"},
		{name: "unless it found nobody in its role", guarantees: []Guarantee{guarantee(history.Pass, "kill")},
			schedule: append(kill, nemesis.Fault{Kind: "kill", Form: "leader"}), windows: []history.Window{struck, {Kind: "kill", Form: "leader", Role: "leader", Why: "nobody led"}},
			want: history.Pass},
		{name: "each fault of a plan must take effect", guarantees: []Guarantee{guarantee(history.Pass, "kill")},
			schedule: append(kill, kill...), windows: []history.Window{struck, missed}, run: Run{Options: Options{Nemesis: []string{"plan"}}},
			want: history.Undetermined, reason: "kill:one at 0.0 s was planned and never took effect (nobody led)"},
		{name: "a fault that found its nodes down by another was there", guarantees: []Guarantee{guarantee(history.Pass, "kill", "pause")},
			schedule: append(kill, nemesis.Fault{Kind: "pause"}),
			windows:  []history.Window{struck, {Kind: "pause", Nodes: []string{"a1"}, Down: []string{"a1"}, Start: 3, End: 5}}, want: history.Pass},
		{name: "a node that broke fails the run", guarantees: []Guarantee{guarantee(history.Pass)},
			run: Run{Broken: []*nodes.Broken{{Node: "a1", At: 1500 * time.Millisecond, What: "panic"}}}, want: history.Fail, reason: "node a1 broke at 1.500 s: panic"},
		{name: "an interrupted run is unknown", guarantees: []Guarantee{guarantee(history.Pass)}, run: Run{Stopped: true}, want: history.Undetermined, reason: "interrupted"},
		{name: "a run in which nothing succeeded is unknown", guarantees: []Guarantee{guarantee(history.Pass)}, silent: true, want: history.Undetermined, reason: "not one of 1 operations"},
	} {
		t.Run(test.name, func(t *testing.T) {
			run := test.run
			op := history.Op{Outcome: history.OK}
			if test.silent {
				op.Outcome = history.Unknown
			}
			run.Schedule, run.History = test.schedule, &history.History{Ops: []history.Op{op}, Windows: test.windows}
			run.Judge(Lab{Guarantees: func(nodes.Topology) []Guarantee { return test.guarantees }})
			if reasoned := run.Reason != ""; reasoned != (run.Whole > history.Pass) || reasoned && len(run.Broken) == 0 && run.Whole != history.Undetermined {
				t.Errorf("the run as a whole is %s, for %q", run.Whole, run.Reason)
			}
			if run.Verdict != test.want || !strings.Contains(run.Reason, test.reason) || test.reason == "" && run.Reason != "" && test.want == history.Pass {
				t.Errorf("verdict %s (%q), want %s (%q)", run.Verdict, run.Reason, test.want, test.reason)
			}
		})
	}
}

func TestTheVerdictOfASet(t *testing.T) {
	line := func(v history.Verdict, could bool) Line {
		run := v
		if v == history.NotJudged {
			run = history.Pass
		}
		return Line{Verdict: run, verdicts: []history.Verdict{v}, could: []bool{could}}
	}
	times := func(n int, l Line) []Line {
		var ls []Line
		for range n {
			ls = append(ls, l)
		}
		return ls
	}
	everything := guarantee(history.Pass, "kill", "pause")
	for _, test := range []struct {
		name    string
		nemesis string
		under   Guarantee
		runs    []Line
		seeds   int
		want    history.Verdict
	}{
		{"one exercising seed of twenty is enough", "kill", everything, append(times(19, line(history.NotJudged, false)), line(history.Pass, true)), 20, history.Pass},
		{"one of twenty-one is not", "kill", everything, append(times(20, line(history.NotJudged, false)), line(history.Pass, true)), 21, history.Undetermined},
		{"what no schedule of named faults could exercise does no harm", "kill", everything, times(30, line(history.NotJudged, false)), 30, history.Pass},
		{"what all of the lab's faults could exercise should be", "all", everything, times(30, line(history.NotJudged, false)), 30, history.Undetermined},
		{"what is not promised under one of them need not be", "all", guarantee(history.Pass, "kill"), times(30, line(history.NotJudged, false)), 30, history.Pass},
		{"a checker that never judges what the schedule allows makes the set unknown", "none", everything, times(30, line(history.NotJudged, true)), 30, history.Undetermined},
		{"one failure fails the set", "kill", everything, append(times(30, line(history.Pass, true)), line(history.Fail, true), line(history.Undetermined, true)), 32, history.Fail},
		{"one unknown makes the set unknown", "kill", everything, append(times(30, line(history.Pass, true)), line(history.Undetermined, true)), 31, history.Undetermined},
		{"a set that was cut short is unknown", "kill", everything, times(10, line(history.Pass, true)), 20, history.Undetermined},
		{"and so is one of no runs", "kill", everything, nil, 20, history.Undetermined},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := &Set{Nemesis: test.nemesis, Seeds: test.seeds, Runs: test.runs, Guarantees: []Count{{ID: "X1", Name: "x"}}}
			s.judge([]Guarantee{test.under}, []string{"kill", "pause:one"})
			if s.Verdict != test.want {
				t.Errorf("verdict %s (%s), want %s", s.Verdict, s.Reason, test.want)
			}
		})
	}
}

func TestAvailabilityIsCountedByRegionAndFault(t *testing.T) {
	h := &history.History{
		Members: []history.Member{{ID: "a1", Region: "A"}, {ID: "b1", Region: "B"}},
		Windows: []history.Window{
			{Kind: "kill", Form: "one", Start: 10, End: 20, Took: true},
			{Kind: "pause", Start: 15, End: 30, Took: true},
			{Kind: "clock", Start: 15, End: 30},
		},
		Ops: []history.Op{
			{Region: "A", Call: 1, Return: 2, Outcome: history.OK, Phase: history.WarmUp},
			{Region: "A", Call: 5, Return: 8, Outcome: history.OK, Phase: history.Safety},
			{Region: "B", Call: 12, Return: 13, Outcome: history.Failed, Phase: history.Safety},
			{Region: "A", Call: 16, Return: 17, Outcome: history.Unknown, Phase: history.Safety},
			{Region: "A", Call: 25, Return: 27, Outcome: history.OK, Phase: history.Safety},
			{Region: "B", Call: 40, Return: 44, Outcome: history.OK, Phase: history.Recovery},
		},
	}
	want := []Availability{
		{Region: "A", Fault: Calm, Asked: 1, OK: 1, P50: 3, P99: 3},
		{Region: "A", Fault: "kill:one", Asked: 1, Unknown: 1},
		{Region: "A", Fault: "pause", Asked: 2, OK: 1, Unknown: 1, P50: 2, P99: 2},
		{Region: "B", Fault: "kill:one", Asked: 1, Failed: 1},
		{Region: "B", Fault: Healed, Asked: 1, OK: 1, P50: 4, P99: 4},
	}
	got := Available(h)
	if len(got) != len(want) {
		t.Fatalf("%d cells: %+v", len(got), got)
	}
	for i := range want {
		if got[i] != want[i] {
			t.Errorf("cell %d is %+v, want %+v", i, got[i], want[i])
		}
	}
}

func TestALogKeepsItsLastLines(t *testing.T) {
	l := &tail{}
	for i := range logsMax + 3 {
		l.add(logLine{time.Duration(i) * time.Millisecond, "line"})
	}
	lines := l.lines()
	if len(lines) != logsMax+1 || lines[0] != "... 3 earlier lines were not kept" || lines[1] != "0.003000 line" || lines[logsMax] != "4.002000 line" {
		t.Errorf("%d lines: %q, %q, ..., %q", len(lines), lines[0], lines[1], lines[len(lines)-1])
	}
}
