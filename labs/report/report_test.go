package report

import (
	"bytes"
	"encoding/xml"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"faultlab/checker/history"
	"faultlab/labs"
	"faultlab/nemesis"
	"faultlab/nodes"
)

var save = flag.String("save", "", "write the page of the made-up run to this file, to be looked at")

var given = Options{
	Command: "./lab run multi-master --seed 7 --nemesis partition,kill --bug ack-before-sync", Build: "sha256:9f2c11",
	Pictures: map[string]string{"O5": "O5.html"}, Files: []string{"run.json", "history.jsonl", "events.jsonl", "results.json"},
}

func write(t testing.TB, r *labs.Run, o Options) string {
	t.Helper()
	var b bytes.Buffer
	if err := Write(&b, r, o); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// wellFormed fails the test unless all of the page, its drawings too, is well-formed.
func wellFormed(t *testing.T, page string) {
	t.Helper()
	d := xml.NewDecoder(strings.NewReader(page))
	for {
		_, err := d.Token()
		if err == io.EOF {
			return
		}
		if err != nil {
			before := page[:d.InputOffset()]
			t.Fatalf("%v, after %q", err, before[max(0, len(before)-200):])
		}
	}
}

func TestAPageSaysWhatHappened(t *testing.T) {
	run := fake(40)
	run.History.Stalls = []history.Stall{{Start: 3 * time.Second, End: 3500 * time.Millisecond}}
	page := write(t, run, given)
	if *save != "" {
		if err := os.WriteFile(*save, []byte(page), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	tags := regexp.MustCompile(`<[^>]*>`)
	text := strings.Join(strings.Fields(tags.ReplaceAllString(page, " ")), " ")
	for what, want := range map[string]string{
		"the verdict with its mark":               "✗ fail 1 of 4 judged guarantees broken",
		"a pass":                                  "✓ pass O1 linearizable-partition Operations on one key range are linearizable. 12 keys",
		"an unknown":                              "? unknown O4 deterministic-apply",
		"what was not judged":                     "– not judged O9 bounded-blocking",
		"the reason of the failure":               "The append of 360 to k7 was acknowledged",
		"its evidence":                            "acknowledged appends 402",
		"its operations":                          "operations #360 #2512 #389",
		"the request and the reply":               "txn number= 360 [append k7 value= 360 ] → done [append k7 ]",
		"that nobody answered":                    "no answer by 15.400 s",
		"the command":                             given.Command,
		"who a role was":                          "leader of A1, who was a2",
		"what had no effect, and why":             "leader of C2, who was nobody no effect : nobody led C2 when it was due",
		"what the schedule has and the run lacks": "the run has no record of it",
		"that the lab stood still":                "Note: the lab itself stood still for 0.5 s in all (at 3.0 s)",
		"the cut":                                 "region B ⇄ region A, region C",
		"the node that broke":                     "panic: index out of range [3] with length 3 (range.go:141)",
		"its log":                                 "58.113s applying 4117",
		"what was reached":                        "session-reply-replayed 37",
		"the seed":                                "seed 7",
		"the bug":                                 "bug ack-before-sync switched on",
		"the build":                               "build sha256:9f2c11",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("it does not say %s: %q", what, want)
		}
	}
	for _, link := range regexp.MustCompile(`href="([^"]*)"`).FindAllStringSubmatch(page, -1) {
		id, inside := strings.CutPrefix(link[1], "#")
		if inside && !strings.Contains(page, `id="`+id+`"`) {
			t.Errorf("a link leads nowhere: %s", link[0])
		}
	}
	if !strings.Contains(page, `href="O5.html"`) || !strings.Contains(page, `href="history.jsonl"`) {
		t.Error("no link to the checker's picture or to the files")
	}
	wellFormed(t, page)
}

func TestTheSameRunGivesTheSameBytes(t *testing.T) {
	first, second := write(t, fake(40), given), write(t, fake(40), given)
	if first != second {
		t.Error("two pages of one run differ")
	}
}

func TestAPageNeedsNothingElseAndRunsNothing(t *testing.T) {
	r := fake(20)
	evil := `"><script src=http://x.example/></script><b onload='x'>`
	r.Lab, r.Judged[3].Reason, r.Broken[0].What, r.Schedule[3].Kind = evil, evil, evil, evil
	r.History.Windows[1].Why, r.Reached[evil] = evil, 1
	r.History.Ops[r.Judged[3].Ops[0]].In = Txn{1, []step{{Do: evil, Key: evil}}}
	page := write(t, r, Options{Command: evil, Build: evil, Pictures: map[string]string{"O5": "javascript:alert(1)"}, Files: []string{evil}})
	wellFormed(t, page)
	for _, bad := range []string{"<script", "<b onload", "href=\"javascript:", "src=\"", "url(", "@import", "<link", "<iframe"} {
		if strings.Contains(page, bad) {
			t.Errorf("the page has %q", bad)
		}
	}
}

func TestRunsInWhichLittleHappenedHavePagesToo(t *testing.T) {
	op := func(o history.Outcome) history.Op {
		return history.Op{Client: "c1", Region: "A", In: "get", Call: time.Millisecond, Return: 2 * time.Millisecond, Outcome: o, Phase: history.Safety}
	}
	failed := labs.Judged{Guarantee: labs.Guarantee{ID: "O1"}, Result: history.Refuted([]int{0, 7, -1}, "broken")}
	for name, r := range map[string]*labs.Run{
		"nothing at all":         {History: &history.History{}},
		"one operation":          {History: &history.History{Ops: []history.Op{op(history.OK)}}, Judged: []labs.Judged{failed}, Verdict: history.Fail},
		"one without an answer":  {History: &history.History{Ops: []history.Op{op(history.Unknown)}}, Judged: []labs.Judged{failed}, Verdict: history.Fail},
		"one that took no time":  {History: &history.History{Ops: []history.Op{{Client: "c1", Outcome: history.OK, Phase: history.Final}}}, Judged: []labs.Judged{failed}},
		"a fault and no request": {History: &history.History{Windows: []history.Window{{Kind: "kill", Took: true}}, End: time.Second}},
		"a very long silence": {History: &history.History{Ops: []history.Op{op(history.OK), {Index: 1, Client: "c1", Call: 90 * time.Hour, Return: 90*time.Hour + 1}}},
			Judged: []labs.Judged{{Guarantee: labs.Guarantee{ID: "O1"}, Result: history.Refuted([]int{0, 1}, "broken")}}},
	} {
		t.Run(name, func(t *testing.T) { wellFormed(t, write(t, r, Options{})) })
	}
	if err := Write(io.Discard, &labs.Run{}, Options{}); err == nil {
		t.Error("a run without a history has a page")
	}
	if err := Write(fullDisk{}, fake(20), Options{}); !errors.Is(err, errFull) {
		t.Errorf("the writer's error is lost: %v", err)
	}
}

type fullDisk struct{}

var errFull = errors.New("no space")

func (fullDisk) Write([]byte) (int, error) { return 0, errFull }

func TestTheHeadlineSaysWhy(t *testing.T) {
	judged := func(vs ...history.Verdict) (js []labs.Judged) {
		for i, v := range vs {
			js = append(js, labs.Judged{Guarantee: labs.Guarantee{ID: fmt.Sprint("O", i+1), Name: "name"}, Result: history.Result{Verdict: v, Reason: "because"}})
		}
		return js
	}
	broke := []*nodes.Broken{{Node: "a1", At: time.Second, What: "panic: no"}}
	for _, c := range []struct {
		name   string
		run    labs.Run
		want   string
		causes []string
	}{
		{"all held", labs.Run{Verdict: history.Pass, Judged: judged(history.Pass, history.Pass)},
			"All 2 judged guarantees held through 5 operations and 1 fault.", nil},
		{"one held, two were not judged", labs.Run{Verdict: history.Pass, Judged: judged(history.Pass, history.NotJudged, history.NotJudged)},
			"The one judged guarantee held through 5 operations and 1 fault. 2 were not judged.", nil},
		{"a failure outranks what is unknown", labs.Run{Verdict: history.Fail, Judged: judged(history.Undetermined, history.Fail, history.Pass)},
			"1 of 3 judged guarantees broken.", []string{"O2 name"}},
		{"a node broke", labs.Run{Verdict: history.Fail, Judged: judged(history.Pass), Broken: broke},
			"1 node failure that no fault explains.", []string{"node a1"}},
		{"unknown", labs.Run{Verdict: history.Undetermined, Judged: judged(history.Undetermined, history.Pass)},
			"Nothing was broken, but 1 of 2 guarantees could not be decided.", []string{"O1 name"}},
		{"unknown for the whole run", labs.Run{Verdict: history.Undetermined, Judged: judged(history.Pass), Reason: "kill never took effect"},
			"Nothing was broken, and this run does not show that anything holds.", []string{"Kill never took effect."}},
		{"nothing judged", labs.Run{Judged: judged(history.NotJudged)}, "No guarantee was judged.", nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, causes := headline(&c.run, 5, 1)
			var names []string
			for _, cause := range causes {
				if cause.Name == "" {
					cause.Name = cause.Reason
				}
				names = append(names, cause.Name)
			}
			if got != c.want || !slices.Equal(names, c.causes) {
				t.Errorf("got %q %q, want %q %q", got, names, c.want, c.causes)
			}
		})
	}
}

func TestThePageOfALongRunWithManyFaultsStaysSmall(t *testing.T) {
	r := fake(60)
	r.History.Windows, r.Schedule = nil, nil
	for i := range 400 {
		start := time.Duration(i) * 150 * time.Millisecond
		r.History.Windows = append(r.History.Windows, history.Window{Kind: "kill", Start: start, End: start + 100*time.Millisecond, Nodes: []string{"a1"}, Down: []string{"a1"}, Took: true})
		r.Schedule = append(r.Schedule, nemesis.Fault{Kind: "kill", At: start, For: 100 * time.Millisecond, Nodes: []nodes.ID{"a1"}})
	}
	page := write(t, r, given)
	wellFormed(t, page)
	if len(page) > 300_000 {
		t.Errorf("%d bytes", len(page))
	}
	if !strings.Contains(page, "too many to draw one by one") {
		t.Error("400 faults are drawn one by one")
	}
}

func BenchmarkWrite(b *testing.B) {
	r := fake(260)
	var n int
	for b.Loop() {
		n = len(write(b, r, given))
	}
	b.ReportMetric(float64(n), "bytes")
	b.ReportMetric(float64(len(r.History.Ops)), "operations")
}
