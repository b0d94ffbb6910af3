package queue

import (
	"fmt"
	"strings"
	"testing"
)

// shard reads "0@1" as epoch 1 of the range A/0.
func shard(t *testing.T, s string) Shard {
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

// held reads "0@2 <0@1:9 =5 >00@3 >01@3": a shard, its parents with their ends, its own end (with "!" if it is complete),
// and its children.
func held(t *testing.T, text string) (all []Held) {
	t.Helper()
	for line := range strings.Lines(text) {
		words := strings.Fields(line)
		if len(words) == 0 {
			continue
		}
		h := Held{Shard: shard(t, words[0])}
		for _, w := range words[1:] {
			switch w[0] {
			case '<':
				name, end, _ := strings.Cut(w[1:], ":")
				c := Cursor{Shard: shard(t, name)}
				if _, err := fmt.Sscan(end, &c.Seq); err != nil {
					t.Fatal(err)
				}
				h.Parents = append(h.Parents, c)
			case '=':
				h.Complete = strings.HasSuffix(w, "!")
				if _, err := fmt.Sscan(strings.Trim(w, "=!"), &h.End); err != nil {
					t.Fatal(err)
				}
			case '>':
				name, parents, _ := strings.Cut(w[1:], "<")
				c := Stretch{Shard: shard(t, name), Parents: []Shard{h.Shard}}
				if parents != "" {
					c.Parents = append(c.Parents, shard(t, parents))
				}
				h.Children = append(h.Children, c)
			}
		}
		all = append(all, h)
	}
	return all
}

func TestALineageIsWhatARegionHasWithoutAHole(t *testing.T) {
	for _, c := range []struct{ name, held, want string }{
		{"nothing has happened", "0@1 =7\n1@1 =0", "0@1:7 1@1:0"},
		{"the child of a complete parent is on it, though nothing came of it", "0@1 =7! >00@2 >01@2\n00@2 <0@1:7 =3", "0@1:7 00@2:3 01@2:0"},
		{"a split that is not wholly copied is not", "0@1 =6", "0@1:6"},
		{"a merged child waits for both", "0@1 =7! >m@2<1@1\n1@1 =3", "0@1:7 1@1:3"},
		{"and is there once both are", "0@1 =7! >m@2<1@1\n1@1 =4! >m@2<0@1", "0@1:7 1@1:4 m@2:0"},
		{"one that was asked early had not all of a parent that a later one shows", "0@1 =5\n01@2 <0@1:7 =2", "0@1:7 01@2:2"},
		{"of a grandchild nothing is known before its parent is complete", "0@1 =7! >00@2 >01@2\n00@2 <0@1:7 =3! >000@3 >001@3\n000@3 <00@2:3 =1", "0@1:7 00@2:3 01@2:0 000@3:1 001@3:0"},
	} {
		all := lineage(held(t, c.held))
		var got []string
		for _, s := range all {
			got = append(got, fmt.Sprintf("%s@%d:%d", strings.TrimPrefix(s.Shard.Range, "A/"), s.Shard.Epoch, s.End))
		}
		if strings.Join(got, " ") != c.want {
			t.Errorf("%s: the lineage is %v, not %s", c.name, got, c.want)
		}
	}
}

func TestTheLastOfARangeHasASuccessorInTheNextThousand(t *testing.T) {
	all := lineage(held(t, "0@1 =7! >00@2 >01@2\n00@2 <0@1:7 =3"))
	if last(all, all[0].Shard) || !last(all, all[1].Shard) || !last(all, all[2].Shard) {
		t.Errorf("of %v the two children are the last", all)
	}
	if s := successor(all[1].Shard, 1); s.Epoch != 1001 || s.Range != "A/00" || s.generation() != 1 || all[1].Shard.generation() != 0 {
		t.Errorf("the successor of %v is %v", all[1].Shard, s)
	}
}
