package multimaster

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"faultlab/nodes"
)

// topology has n regions, A and on, of size members each.
func topology(n, size int) nodes.Topology {
	var t nodes.Topology
	for r := range n {
		region := string(rune('A' + r))
		for i := range size {
			t.Members = append(t.Members, nodes.Member{ID: nodes.ID(fmt.Sprint(strings.ToLower(region), i+1)), Region: region})
		}
	}
	return t
}

func TestEveryKeyHasOneRange(t *testing.T) {
	l := NewLayout(topology(3, 3))
	for _, tc := range [][2]string{
		{"A1/x", "A1"}, {"A1", "A1"}, {"A1zzz", "A1"}, {"A2/x", "A2"}, {"B1/x", "B1"}, {"B2/x", "B2"}, {"C2/x", "C2"},
		{"", "A1"}, {"0", "A1"}, {"A", "A1"}, {"AZ", "A2"}, {"z", "W1"}, {"W1/x", "W1"}, {"W", "C2"},
	} {
		if r := l.Find(tc[0]); r.Name != tc[1] {
			t.Errorf("%q is in %s, want %s", tc[0], r.Name, tc[1])
		}
	}
	chance := rand.New(rand.NewPCG(1, 1))
	for range 1000 {
		key := fmt.Sprintf("%c%d/%d", 'A'+chance.IntN(4), chance.IntN(4), chance.IntN(100))
		holders := 0
		for i, r := range l.Ranges {
			last := i == len(l.Ranges)-1
			if (r.From <= key || i == 0) && (last || key < l.Ranges[i+1].From) {
				holders++
				if l.Find(key).Name != r.Name {
					t.Errorf("%q lies in %s, and %s is found", key, r.Name, l.Find(key).Name)
				}
			}
		}
		if holders != 1 {
			t.Errorf("%q has %d ranges", key, holders)
		}
	}
}

func TestARangeLivesInItsRegionAndAStatusGroupInAll(t *testing.T) {
	for _, tc := range []struct{ regions, size, statuses int }{{1, 1, 1}, {1, 3, 3}, {2, 2, 2}, {3, 3, 3}, {3, 5, 3}, {5, 1, 1}} {
		top := topology(tc.regions, tc.size)
		l := NewLayout(top)
		if len(l.Ranges) != 2*tc.regions+1 || len(l.Status) != tc.statuses {
			t.Errorf("%+v: %d ranges, %d status groups", tc, len(l.Ranges), len(l.Status))
		}
		for _, r := range l.Ranges {
			if r.Name == "W1" {
				if r.Region != "" || r.Group != "S1" || l.Range("W1") != r || l.Group("W1") != nil {
					t.Errorf("%+v: %+v", tc, r)
				}
				continue
			}
			if len(r.Voters) != min(3, tc.size) || l.Group(r.Name) != r || l.Range(r.Name) != r {
				t.Errorf("%+v: %+v", tc, r)
			}
			for _, v := range r.Voters {
				if m, _ := top.Member(v); m.Region != r.Region {
					t.Errorf("%+v: %s of %s is in %s", tc, v, r.Name, m.Region)
				}
			}
		}
		for _, s := range l.Status {
			var regions []string
			for _, v := range s.Voters {
				m, _ := top.Member(v)
				regions = append(regions, m.Region)
			}
			if !slices.Equal(regions, top.Regions()) {
				t.Errorf("%+v: %s has members in %v", tc, s.Name, regions)
			}
		}
		for _, list := range [][]*Range{l.Ranges, l.Status} {
			for _, r := range list {
				if sorted := slices.Sorted(slices.Values(r.Voters)); len(slices.Compact(sorted)) != len(r.Voters) {
					t.Errorf("%+v: %s has a member twice: %v", tc, r.Name, r.Voters)
				}
			}
		}
	}
}

func TestATransactionIsCoordinatedWhereItAloneSays(t *testing.T) {
	l := NewLayout(topology(3, 3))
	names := func(ranges []*Range) (s string) {
		for _, r := range ranges {
			s += r.Name + " "
		}
		return strings.TrimSpace(s)
	}
	for _, tc := range []struct {
		ops  []Op
		want string // participants
		home string // "S" for a status group
	}{
		{[]Op{{F: Read, Key: "B1/x"}}, "B1", "B1"},
		{[]Op{{F: Read, Key: "B2/x"}, {F: Append, Key: "B2/y"}}, "B2", "B2"},
		{[]Op{{F: Read, Key: "B2/x"}, {F: Append, Key: "B1/y"}}, "B1 B2", "B1"},
		{[]Op{{F: Transfer, Key: "C2/x", To: "C1/x"}}, "C1 C2", "C1"},
		{[]Op{{F: Transfer, Key: "C2/x", To: "C2/y"}}, "C2", "C2"},
		{[]Op{{F: Read, Key: "C1/x", To: "A1/ignored"}}, "C1", "C1"},
		{[]Op{{F: Transfer, Key: "C1/x", To: "A2/x"}}, "A2 C1", "S"},
		{[]Op{{F: Read, Key: "W1/x"}}, "W1", "W1"},
		{[]Op{{F: Read, Key: "W1/x"}, {F: Read, Key: "A1/x"}}, "A1 W1", "S"},
		{[]Op{{F: Read, Key: "C1/x"}, {F: Read, Key: "A1/x"}, {F: Read, Key: "B1/x"}, {F: Read, Key: "C1/y"}}, "A1 B1 C1", "S"},
	} {
		if got := names(l.Participants(tc.ops)); got != tc.want {
			t.Errorf("%v: participants %s, want %s", tc.ops, got, tc.want)
		}
		statuses := map[string]bool{}
		for n := range uint64(50) {
			txn := Txn{Session: "s", Number: n, Ops: tc.ops}
			home := l.Home(&txn).Name
			if again := NewLayout(topology(3, 3)).Home(&txn).Name; again != home {
				t.Errorf("%v: home %s, then %s", txn, home, again)
			}
			if tc.home == "S" {
				statuses[home] = true
			} else if home != tc.home {
				t.Errorf("%v: home %s, want %s", txn, home, tc.home)
			}
		}
		if tc.home == "S" && len(statuses) != 3 {
			t.Errorf("%v: all are coordinated by %v", tc.ops, statuses)
		}
	}
}
