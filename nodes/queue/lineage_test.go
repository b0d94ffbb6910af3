package queue

import (
	"fmt"
	"strings"
	"testing"
)

// shard reads "0@1" as epoch 1 of the range A/0.
func shardOf(t *testing.T, s string) Shard {
	t.Helper()
	var r string
	var e uint64
	name, epoch, ok := strings.Cut(s, "@")
	if _, err := fmt.Sscan(epoch, &e); err != nil || !ok {
		t.Fatalf("%q is no shard", s)
	}
	r = "A/" + name
	return Shard{r, e}
}

// held reads "0@2 <0@1 =5! >00@3 >01@3": a shard, its parents, its end (with "!" if it is sealed), and its children, of a
// merge with the other parent behind "<".
func held(t *testing.T, text string) (all []Held) {
	t.Helper()
	for line := range strings.Lines(text) {
		words := strings.Fields(line)
		if len(words) == 0 {
			continue
		}
		h := Held{At: Location{shardOf(t, words[0]), 1}}
		for _, w := range words[1:] {
			switch w[0] {
			case '<':
				h.Parents = append(h.Parents, Location{shardOf(t, w[1:]), 1})
			case '=':
				h.Sealed = strings.HasSuffix(w, "!")
				if _, err := fmt.Sscan(strings.Trim(w, "=!"), &h.End); err != nil {
					t.Fatal(err)
				}
			case '>':
				name, parents, _ := strings.Cut(w[1:], "<")
				b := birth{Location{shardOf(t, name), 2}, []Location{h.At}}
				if parents != "" {
					b.Parents = append(b.Parents, Location{shardOf(t, parents), 1})
				}
				h.Births = append(h.Births, b)
			}
		}
		all = append(all, h)
	}
	return all
}

func TestALineageIsWhatARegionHasWithoutAHole(t *testing.T) {
	for _, c := range []struct{ name, held, want string }{
		{"nothing has happened", "0@1 =7\n1@1 =0", "0@1:7 1@1:0"},
		{"the child of a complete parent is on it, though nothing came of it", "0@1 =7! >00@2 >01@2\n00@2 <0@1 =3", "0@1:7 00@2:3 01@2:0"},
		{"a split that is not wholly copied is not", "0@1 =6", "0@1:6"},
		{"a merged child waits for both", "0@1 =7! >m@2<1@1\n1@1 =3", "0@1:7 1@1:3"},
		{"and is there once both are", "0@1 =7! >m@2<1@1\n1@1 =4! >m@2<0@1", "0@1:7 1@1:4 m@2:0"},
		{"one that was asked early had not all of a parent of which a later one has a child", "0@1 =5\n01@2 <0@1 =2", "not ok 0@1:5"},
		{"of a grandchild nothing is known before its parent is complete", "0@1 =7! >00@2 >01@2\n00@2 <0@1 =3! >000@3 >001@3\n000@3 <00@2 =1", "0@1:7 00@2:3 01@2:0 000@3:1 001@3:0"},
	} {
		all, ok := lineage(held(t, c.held))
		var got []string
		if !ok {
			got = []string{"not ok"}
		}
		for _, s := range all {
			got = append(got, fmt.Sprintf("%s@%d:%d", strings.TrimPrefix(s.At.Shard.Range, "A/"), s.At.Shard.Epoch, s.End))
		}
		if strings.Join(got, " ") != c.want {
			t.Errorf("%s: the lineage is %v, not %s", c.name, got, c.want)
		}
	}
}

func TestTheLastOfARangeHasASuccessorInTheNextThousand(t *testing.T) {
	all, _ := lineage(held(t, "0@1 =7! >00@2 >01@2\n00@2 <0@1 =3"))
	k := Keyspace{Home: "A", Generation: 1, Region: "B", Lineage: all}
	for i, want := range []string{"A/00@2 A/01@2", "A/00@1001", "A/01@1001"} {
		var got []string
		for _, b := range k.births(&all[i]) {
			got = append(got, b.Child.Shard.String())
		}
		if strings.Join(got, " ") != want {
			t.Errorf("%v is followed by %v, not by %s", all[i].At.Shard, got, want)
		}
	}
}
