package report

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	"faultlab/checker/history"
	"faultlab/labs"
)

func TestABodyIsSaidInFewWords(t *testing.T) {
	long := make([]int, 20)
	for i := range long {
		long[i] = 10 + i
	}
	tell := newTelling("the append of 16 to k7 is missing, says operation 13 (#14)")
	for _, c := range []struct {
		name        string
		body        any
		words, gist string
	}{
		{"none", nil, "", ""},
		{"a word", "get", "get", "get"},
		{"numbers keep their names, words need none", Txn{7, []step{{Do: "append", Key: "k7", Value: 5}}}, "txn number=7 [append k7 value=5]", "append k7 5"},
		{"several parts", &Txn{7, []step{{Do: "read", Key: "a"}, {Do: "read", Key: "b"}}}, "txn number=7 [read a, read b]", "read a, read b"},
		{"nothing but numbers", Txn{Number: 7}, "txn number=7", "7"},
		{"of a long list its ends and what is telling", Done{[]step{{Do: "read", Key: "a", List: long}}},
			"done [read a [10, 11, 12, …, 15, 16, 17, …, 27, 28, 29]]", "read a [10 … 16 … 29]"},
		{"a list that is not long", Done{[]step{{Do: "read", Key: "a", List: long[:5]}}}, "done [read a [10, 11, 12, 13, 14]]", "read a [10 11 12 13 14]"},
		{"the client itself", []string{"c3", "c4", "c3.1"}, "c3, c4, c3.1", "[c4]"},
		{"JSON of a type that nobody knows", json.RawMessage(`{"type":"cas","key":"x","from":1,"to":2,"dry":false,"wait":true}`), "cas x from=1 to=2 wait", "cas x 1 2 wait"},
		{"what JSON cannot say", func() {}, "\"\"", "\"\""},
		{"a list alone", long[:3], "10, 11, 12", "[10 11 12]"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := words(c.body, tell); got != c.words {
				t.Errorf("words: %q, want %q", got, c.words)
			}
			if got := gist(c.body, "c3.1", tell); got != c.gist {
				t.Errorf("gist: %q, want %q", got, c.gist)
			}
		})
	}
}

func TestTheWordsThatTheReasonNamesAreMarked(t *testing.T) {
	tell := newTelling("B1/l7: 2903 comes before 4207 in #12 (c4.3, 23.17 s) and not in operation 873, which shows 5.")
	var got string
	for _, p := range tell.mark("r B1/l7 [3, 5, 12, 873, 2903, 42070] B1/l70") {
		if p.Tell {
			got += "<" + p.Text + ">"
		} else {
			got += p.Text
		}
	}
	if want := "r <B1/l7> [3, <5>, 12, 873, <2903>, 42070] B1/l70"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestFiguresAreRoundedDown(t *testing.T) {
	for _, c := range []struct{ got, want string }{
		{percent(999_999, 1_000_000), "99.9 %"}, {percent(5, 5), "100 %"}, {percent(0, 5), "0.0 %"}, {percent(0, 0), "–"},
		{number(0), "0"}, {number(999), "999"}, {number(1000), "1,000"}, {number(1234567), "1,234,567"}, {number(-123456), "-123,456"},
		{short(640 * time.Microsecond), "640 µs"}, {short(3290 * time.Microsecond), "3.2 ms"}, {short(41 * time.Millisecond), "41 ms"},
		{short(1249 * time.Millisecond), "1.24 s"}, {short(75 * time.Second), "75.0 s"}, {short(3 * time.Minute), "3 min 00 s"}, {short(-1), "–"},
		{at(12345678 * time.Microsecond), "12.345 s"}, {clock(90*time.Second, time.Second), "90 s"}, {clock(150*time.Second, time.Second), "2:30"},
		{cut("abcdef", 6), "abcdef"}, {cut("abcdef", 5), "abcd…"}, {cut("ab, cd", 5), "ab…"}, {indices([]int{1, 2, 3}, 2), "#1 #2 and 1 more"},
	} {
		if c.got != c.want {
			t.Errorf("got %q, want %q", c.got, c.want)
		}
	}
}

func TestLinksAreSaidByRegionWhereTheyCan(t *testing.T) {
	p := newPlaces([]history.Member{{ID: "a1", Region: "A"}, {ID: "a2", Region: "A"}, {ID: "b1", Region: "B"}, {ID: "b2", Region: "B"}})
	links := func(text string) (ls []history.Link) {
		for _, l := range strings.Fields(text) {
			from, to, _ := strings.Cut(l, ">")
			ls = append(ls, history.Link{From: from, To: to})
		}
		return ls
	}
	for _, c := range []struct{ name, links, want string }{
		{"both ways", "a1>b1 b1>a1", "a1 ⇄ b1"},
		{"one way", "a1>b1 a1>b2", "a1 → region B"},
		{"two regions", "a1>b1 a1>b2 a2>b1 a2>b2 b1>a1 b1>a2 b2>a1 b2>a2", "region A ⇄ region B"},
		{"a node and its clients", "a2>clients clients>a2 a2>a1", "a2 → a1 clients; clients → a2"},
		{"more than anybody reads", "a1>a2 a2>b1 b1>b2 b2>a1 c1>b2 c1>a1", "a1 → a2; a2 → b1; b1 → b2; … 6 links in all"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := p.links(links(c.links)); got != c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}

func TestATimelineKeepsTheOrderOfTime(t *testing.T) {
	r := fake(40)
	f, ok := newFailure(r.History, r.Judged[3])
	if !ok {
		t.Fatal("nothing was drawn")
	}
	named := 0
	ops := map[string]*history.Op{}
	for i := range r.History.Ops {
		ops[indices([]int{i}, 1)] = &r.History.Ops[i]
	}
	for _, a := range f.Bars {
		if a.Named {
			named++
			if a.In == "" || a.X+a.W < a.InX+letter*runes(a.In) {
				t.Errorf("%s has no room for its words %q", a.Tag, a.In)
			}
		}
		if a.X < 0 || a.X+a.W > f.Width || a.Y+a.H > f.Axis {
			t.Errorf("%s lies outside", a.Tag)
		}
		for _, b := range f.Bars {
			if ops[a.Tag].Return < ops[b.Tag].Call && a.X+a.W > b.X {
				t.Errorf("%s was over before %s began, and is drawn as if it was not", a.Tag, b.Tag)
			}
			if ops[b.Tag].Call < ops[a.Tag].Return && ops[a.Tag].Call < ops[b.Tag].Return && (b.X >= a.X+a.W || a.X >= b.X+b.W) {
				t.Errorf("%s and %s met, and are drawn as if they had not", a.Tag, b.Tag)
			}
		}
	}
	if named != 3 || f.Around != maxAround {
		t.Errorf("%d operations that show it and %d around", named, f.Around)
	}
	if !slices.ContainsFunc(f.Breaks, func(b tick) bool { return b.Label == "58.7 s" }) {
		t.Errorf("the long silence is not named: %v", f.Breaks)
	}
}

func TestFaultsInOneLaneDoNotMeet(t *testing.T) {
	s := &series{end: 100 * time.Second}
	var ws []history.Window
	for i := range 30 {
		start := time.Duration(i*3) * time.Second
		ws = append(ws, history.Window{Kind: "partition", Form: "one-way", Start: start, End: start + time.Duration(1+i%7)*time.Second, Took: true})
	}
	var f figure
	f.bars(s, ws)
	for i, a := range f.Bars {
		for j := range i {
			if b := f.Bars[j]; a.Lane == b.Lane && ws[j].End > ws[i].Start {
				t.Errorf("faults %d and %d meet in lane %d", b.Number, a.Number, a.Lane)
			}
		}
	}
	if f.Lanes < 2 || f.Lanes > 8 {
		t.Errorf("%d lanes", f.Lanes)
	}
}

func TestColumnsCountEveryOperationOnce(t *testing.T) {
	r := fake(40)
	s := newSeries(r.History)
	sum, byRegion := 0, 0
	for _, c := range s.columns {
		sum += c.n()
	}
	for _, cols := range s.byRegion {
		for _, c := range cols {
			byRegion += c.n()
		}
	}
	if n := len(r.History.Ops); sum != n || byRegion != n || s.total.n() != n {
		t.Errorf("%d operations, %d in columns, %d by region, %d in all", n, sum, byRegion, s.total.n())
	}
	var names []string
	for _, p := range s.phases {
		names = append(names, string(p.name))
	}
	if got := enumerate(names); got != "warm-up, safety, recovery and final" {
		t.Error(got)
	}
	for _, end := range []time.Duration{1, time.Second, 75 * time.Second, time.Hour, 1000 * time.Hour} {
		if n := end/columnWidth(end) + 1; n > maxColumns || end > 2*time.Second && n < maxColumns/3 {
			t.Errorf("%d columns for %s", n, end)
		}
	}
}

func TestSharesKeepTheOrderOfFaults(t *testing.T) {
	cells := []labs.Availability{
		{Region: "A", Fault: "kill", Asked: 10, OK: 4}, {Region: "A", Fault: labs.Healed, Asked: 10, OK: 10},
		{Region: "B", Fault: labs.Calm, Asked: 1000, OK: 999}, {Region: "B", Fault: "kill", Asked: 10, OK: 9},
	}
	var got []string
	for _, row := range newShares(cells).Rows {
		text := row.Kind
		for _, c := range row.Cells {
			text += " " + c.Percent
		}
		got = append(got, text)
	}
	want := []string{"no fault – 99.9 % 99.9 %", "kill 40.0 % 90.0 % 65.0 %", "after heal 100 % – 100 %"}
	if !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}
