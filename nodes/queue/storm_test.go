package queue

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"faultlab/nodes"
	"faultlab/nodes/cluster/sim"
)

// A world is a cluster of nine nodes with clients in every region, and what its nodes said.
type world struct {
	t        *testing.T
	c        *sim.Cluster
	top      nodes.Topology
	reached  map[string]int
	promoted map[string]Promoted // by home and generation
	learnt   map[string]uint64   // by node and home
	sums     map[Cursor]uint64   // of what any region had up to a place
}

func (w *world) Event(_ time.Duration, node nodes.ID, event any) {
	switch e := event.(type) {
	case Promoted:
		key := fmt.Sprint(e.Home, e.Generation)
		if old, known := w.promoted[key]; known && fmt.Sprint(old) != fmt.Sprint(e) {
			w.t.Errorf("two promotions of %s to generation %d: %v and %v", e.Home, e.Generation, old, e)
		}
		w.promoted[key] = e
	case Learnt:
		w.learnt[string(node)+e.Home] = e.Generation
	case Prefix:
		at := Cursor{Shard: e.Shard, Seq: e.Seq}
		if sum, known := w.sums[at]; known && sum != e.Sum {
			w.t.Errorf("%s at %s has not what another region had up to %v %d", node, e.Region, e.Shard, e.Seq)
		}
		w.sums[at] = e.Sum
	}
}
func (w *world) Reached(_ nodes.ID, probe string)          { w.reached[probe]++ }
func (w *world) Log(_ time.Duration, _ nodes.ID, _ string) {}

func newWorld(t *testing.T, bug string, seed uint64) *world {
	t.Helper()
	w := &world{t: t, reached: map[string]int{}, promoted: map[string]Promoted{}, learnt: map[string]uint64{}, sums: map[Cursor]uint64{}}
	for _, region := range []string{"A", "B", "C"} {
		for i := range 3 {
			w.top.Members = append(w.top.Members, nodes.Member{
				ID: nodes.ID(fmt.Sprint(strings.ToLower(region), i+1)), Region: region, Zone: fmt.Sprint(region, i+1),
			})
		}
	}
	c, err := sim.Start(nodes.Spec{System: System(), Bug: bug, Topology: w.top, Seed: seed, Observer: w})
	must(t, err)
	w.c = c
	w.run(3 * time.Second)
	return w
}

func (w *world) run(d time.Duration) {
	w.t.Helper()
	must(w.t, w.c.Run(w.c.Now()+d))
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// client is the client of a region.
func client(region string) nodes.Member {
	return nodes.Member{ID: nodes.ID("c" + region), Region: region, Zone: region + "1"}
}

// ask asks nodes of a region in turn until one answers, for up to wait.
func (w *world) ask(region string, wait time.Duration, body any) (answer any) {
	w.t.Helper()
	members := w.top.In(region)
	for i, end := 0, w.c.Now()+wait; w.c.Now() < end && answer == nil; i++ {
		done := false
		w.c.Call(client(region), members[i%len(members)], body, time.Second, func(b any, _ bool) { answer, done = b, true })
		for !done {
			w.run(10 * time.Millisecond)
		}
	}
	return answer
}

// until asks until the answer is what is wanted.
func until[T any](w *world, region string, wait time.Duration, body any) (answer T) {
	w.t.Helper()
	var last any
	for end := w.c.Now() + wait; w.c.Now() < end; w.run(100 * time.Millisecond) {
		last = w.ask(region, time.Second, body)
		if a, ok := last.(T); ok {
			return a
		}
	}
	w.t.Fatalf("in region %s %T%+v is answered with %T%+v; reached %v", region, body, body, last, last, w.reached)
	return answer
}

// whole reads a shard to its end. What retention has dropped was shown to consumers.
func (w *world) whole(region string, s State, shown map[uint64]Record) (all []Record) {
	w.t.Helper()
	for uint64(len(all)) < s.End {
		switch r := w.ask(region, time.Second, Read{Shard: s.Shard, After: uint64(len(all))}).(type) {
		case Records:
			if len(r.Records) == 0 {
				w.t.Fatalf("%v has nothing behind %d, and not %d", s.Shard, len(all), s.End)
			}
			all = append(all, r.Records...)
		case Gone:
			for uint64(len(all))+1 < r.First {
				was, is := shown[uint64(len(all))+1]
				if !is {
					w.t.Fatalf("%v %d was dropped, and was shown to nobody", s.Shard, len(all)+1)
				}
				all = append(all, was)
			}
		}
	}
	return all
}

func TestAPlannedPromotionLeavesNothingBehind(t *testing.T) {
	w := newWorld(t, "", 1)
	for i := range 20 {
		until[SendOK](w, "A", 2*time.Second, Send{Home: "A", Key: fmt.Sprint("k", i), Producer: "p", Number: uint64(i + 1), Values: []string{"v"}})
	}
	until[Done](w, "B", 8*time.Second, Promote{"A", "B"})
	w.run(time.Second)
	if d := until[Described](w, "A", 2*time.Second, Describe{"A"}); d.Generation != 1 || d.Served != "B" {
		t.Errorf("A says %+v", d)
	}
	for i := range 20 {
		ok := until[SendOK](w, "A", 2*time.Second, Send{Home: "A", Key: fmt.Sprint("k", i), Producer: "p", Number: uint64(i + 1), Values: []string{"v"}})
		if ok.Shard.generation() > 0 {
			t.Errorf("what was sent before is sent again: %v", ok)
		}
	}
	ok := until[SendOK](w, "A", 2*time.Second, Send{Home: "A", Key: "new", Producer: "p", Number: 21, Values: []string{"v"}})
	if ok.Shard.generation() != 1 {
		t.Errorf("sent to %v", ok)
	}
	if r := until[Reported](w, "A", 5*time.Second, Report{"A"}); len(r.Tail) > 0 || r.Generation != 1 {
		t.Errorf("reported: %+v", r)
	}
	w.alike("A")
	if w.reached["queue: a promotion declares all there is"] == 0 {
		t.Errorf("it was not planned: %v", w.reached)
	}
}

// alike waits until all regions have the same of a keyspace, and returns that.
func (w *world) alike(home string) (all []State) {
	w.t.Helper()
	var says []string
	for range 50 {
		says = nil
		for _, region := range w.top.Regions() {
			d := until[Described](w, region, 10*time.Second, Describe{home})
			all = d.Shards
			text := fmt.Sprint(d.Generation, d.Served)
			for _, s := range d.Shards {
				text += fmt.Sprintf("\n  %v to %d sealed %v sum %x", s.Shard, s.End, s.Sealed, s.Sum)
			}
			says = append(says, text)
		}
		if len(slices.Compact(says)) == 1 {
			return all
		}
		w.run(300 * time.Millisecond)
	}
	w.t.Fatalf("regions do not come to have the same of %s:\n%s", home, strings.Join(says, "\n"))
	return nil
}

// A region that was cut off, and went on, has to account for what it acknowledged.
func TestWhatACutRegionAcknowledgedIsReportedAndCanBeSentAgain(t *testing.T) {
	ctx := context.Background()
	w := newWorld(t, "", 1)
	number := uint64(0)
	send := func(region, key string) SendOK {
		number++
		return until[SendOK](w, region, 3*time.Second, Send{Home: "A", Key: key, Producer: "p", Number: number, Values: []string{fmt.Sprint("v", number)}})
	}
	for i := range 10 {
		send("A", fmt.Sprint("k", i))
	}
	w.run(2 * time.Second)
	heal := w.cut("A")
	for i := range 10 {
		send("A", fmt.Sprint("k", i))
	}
	until[Done](w, "B", 10*time.Second, Promote{"A", "B"})
	w.run(time.Second)
	// The last of them is tried again where the keyspace is served now, as its producer does that heard nothing.
	retried := until[SendOK](w, "B", 3*time.Second, Send{Home: "A", Key: "k9", Producer: "p", Number: number, Values: []string{fmt.Sprint("v", number)}})
	if retried.Shard.generation() != 1 {
		t.Errorf("a retry stands at %v", retried)
	}
	must(t, heal(ctx))
	w.run(2 * time.Second)
	r := until[Reported](w, "A", 5*time.Second, Report{"A"})
	n, resent := 0, 0
	for _, tail := range r.Tail {
		n, resent = n+len(tail.Records), resent+len(tail.Resent)
	}
	if n != 10 || resent != 1 {
		t.Errorf("the tail is %+v", r)
	}
	until[Done](w, "A", 10*time.Second, Resend{"A"})
	until[Done](w, "A", 10*time.Second, Resend{"A"})
	names := map[uint64]int{}
	for _, s := range w.alike("A") {
		for _, r := range w.whole("C", s, nil) {
			names[r.Number]++
		}
	}
	for i := uint64(1); i <= number; i++ {
		if names[i] != 1 {
			t.Errorf("number %d stands %d times", i, names[i])
		}
	}
}

// cut cuts a region from the others.
func (w *world) cut(region string) (heal func(context.Context) error) {
	w.t.Helper()
	var links []nodes.Link
	for _, a := range w.top.Members {
		for _, b := range w.top.Members {
			if (a.Region == region) != (b.Region == region) {
				links = append(links, nodes.Link{From: a.ID, To: b.ID})
			}
		}
	}
	heal, err := w.c.Degrade(context.Background(), links, nodes.Quality{Cut: true})
	must(w.t, err)
	return heal
}

// A sent is a send, and what its producer heard of it.
type sent struct {
	Send
	at      SendOK
	ok      bool
	refused bool
	late    bool // it was acknowledged by a node that knew of a later generation, at a place that is on no lineage
}

// A reader is a consumer, and readings what all consumers of its group were shown.
type reader struct {
	w     *world
	name  string
	at    string // region
	group *readings
	end   func() bool
}

type readings struct {
	home  string
	shown map[Shard]map[uint64]Record
	done  map[Shard]uint64 // acknowledged commits
}

// work is a consumer's life: it joins, reads what it was assigned, delivers the effects, and commits.
func (r *reader) work() {
	w := r.w
	again := func() { w.c.After(100*time.Millisecond, r.work) }
	if r.end() {
		return
	}
	members := w.top.In(r.at)
	call := func(body any, then func(any)) {
		w.c.Call(client(r.at), members[int(w.c.Now()/time.Millisecond)%3], body, 2*time.Second, func(b any, _ bool) { w.c.After(0, func() { then(b) }) })
	}
	call(Join{r.group.home, "g", r.name}, func(b any) {
		a, ok := b.(Assigned)
		if !ok {
			again()
			return
		}
		left := len(a.Shards)
		if left == 0 {
			again()
		}
		over := func() {
			if left--; left == 0 {
				again()
			}
		}
		for _, at := range a.Shards {
			poll := Poll{Home: r.group.home, Group: "g", Member: r.name, Generation: a.Generation, Shard: at.Shard, After: at.Seq, Max: 50}
			call(poll, func(b any) {
				got, ok := b.(Records)
				if gone, is := b.(Gone); is { // all before that was dealt with
					got, ok = Records{Shard: gone.Shard, End: gone.First - 1}, true
					poll.After = gone.First - 1
				}
				if !ok {
					over()
					return
				}
				var names []string
				for i, rec := range got.Records {
					if rec.Seq != poll.After+uint64(i)+1 {
						w.t.Errorf("behind %d of %v comes %d", poll.After, at.Shard, rec.Seq)
					}
					names = append(names, fmt.Sprint(rec.Producer, "/", rec.Number))
					r.group.show(w.t, at.Shard, rec)
				}
				seq := poll.After + uint64(len(got.Records))
				commit := func() {
					call(Commit{Home: r.group.home, Group: "g", Member: r.name, Generation: a.Generation, Shard: at.Shard, Seq: seq}, func(b any) {
						if c, ok := b.(Committed); ok {
							r.group.commit(w.t, at.Shard, c.Seq)
						}
						over()
					})
				}
				if names == nil {
					commit()
					return
				}
				call(Deliver{r.group.home, names}, func(b any) {
					if _, ok := b.(Delivered); !ok {
						over()
						return
					}
					commit()
				})
			})
		}
	})
}

func (g *readings) show(t *testing.T, s Shard, r Record) {
	if g.shown[s] == nil {
		g.shown[s] = map[uint64]Record{}
	}
	if old, is := g.shown[s][r.Seq]; is && old != r {
		t.Errorf("at %v %d stood %v, and then %v", s, r.Seq, old, r)
	}
	g.shown[s][r.Seq] = r
}

func (g *readings) commit(t *testing.T, s Shard, seq uint64) {
	for i := uint64(1); i <= seq; i++ {
		if _, is := g.shown[s][i]; !is {
			t.Errorf("%v is committed to %d, and %d was shown to nobody", s, seq, i)
			return
		}
	}
}

// TestAStormLeavesEveryAcknowledgedRecordOnTheLineageOrInTheReport lets producers send and consumers read while regions are
// cut and promoted, shards split and merged, nodes die, and messages are lost, doubled and late.
func TestAStormLeavesEveryAcknowledgedRecordOnTheLineageOrInTheReport(t *testing.T) {
	for _, seed := range stormSeeds {
		t.Run(fmt.Sprint(seed), func(t *testing.T) { storm(t, "", seed, 30*time.Second) })
	}
}

var stormSeeds = []uint64{1, 2, 4}

func storm(t *testing.T, bug string, seed uint64, long time.Duration) {
	ctx := context.Background()
	chance := rand.New(rand.NewPCG(seed, 7))
	w := newWorld(t, bug, seed)
	regions := w.top.Regions()
	homes := []string{"A", "B"}
	end := w.c.Now() + long
	var all []*sent

	var produce func(producer, home, region string, number uint64)
	produce = func(producer, home, region string, number uint64) {
		if w.c.Now() > end {
			return
		}
		s := &sent{Send: Send{Home: home, Key: fmt.Sprint("k", chance.IntN(12)), Producer: producer, Number: number}}
		for i := range 1 + chance.IntN(3) {
			s.Values = append(s.Values, fmt.Sprint(producer, "/", number+uint64(i)))
		}
		all = append(all, s)
		next := number + uint64(len(s.Values))
		over := false
		var try func(left int)
		try = func(left int) {
			at := region
			if chance.IntN(4) == 0 {
				at = regions[chance.IntN(3)]
			}
			node := w.top.In(at)[chance.IntN(3)]
			w.c.Call(client(at), node, s.Send, 700*time.Millisecond, func(body any, _ bool) {
				switch b := body.(type) {
				case SendOK:
					if s.refused {
						t.Errorf("%s/%d was refused, and then acknowledged", producer, number)
					}
					k := w.promoted[fmt.Sprint(home, w.learnt[string(node)+home])]
					for _, c := range k.Declared {
						s.late = s.late || b.Shard.generation() < k.Generation && b.Shard == c.Shard && b.Seq+uint64(len(s.Values))-1 > c.Seq
					}
					if s.late {
						t.Errorf("%s acknowledged %s/%d at %v %d, though it knew of generation %d", node, producer, number, b.Shard, b.Seq, k.Generation)
					}
					if s.ok && s.at != b && s.at.Shard.generation() == b.Shard.generation() {
						t.Errorf("%s/%d stands at %v and at %v", producer, number, s.at, b)
					}
					s.ok, s.at = true, b
				case Refused:
					if s.ok {
						t.Errorf("%s/%d was acknowledged, and then refused", producer, number)
					}
					s.refused = true
				}
				switch {
				case over:
				case s.ok || s.refused:
					over = true
					if chance.IntN(8) == 0 { // once more, though it was heard
						w.c.After(0, func() { try(0) })
					}
					w.c.After(time.Duration(chance.IntN(300))*time.Millisecond, func() { produce(producer, home, region, next+uint64(chance.IntN(2))) })
				case left == 0:
					over = true
					w.c.After(0, func() { produce(producer+"'", home, region, 1) })
				default:
					w.c.After(0, func() { try(left - 1) })
				}
			})
		}
		try(3)
	}
	groups := map[string]*readings{}
	reading := true
	for i, home := range homes {
		groups[home] = &readings{home, map[Shard]map[uint64]Record{}, map[Shard]uint64{}}
		for k, region := range regions {
			produce(fmt.Sprint("p", home, k), home, region, 1)
			r := &reader{w: w, name: fmt.Sprint("m", k), at: regions[(i+k)%3], group: groups[home], end: func() bool { return !reading }}
			r.work()
		}
	}
	call := func(body any) {
		w.c.Call(client("A"), w.top.Members[chance.IntN(9)].ID, body, time.Second, func(any, bool) {})
	}
	for w.c.Now() < end {
		var heals []func(context.Context) error
		switch chance.IntN(4) {
		case 0:
			cut := regions[chance.IntN(3)]
			heals = append(heals, w.cut(cut))
			if chance.IntN(2) == 0 { // and is taken for lost
				w.run(time.Duration(chance.IntN(1000)) * time.Millisecond)
				home, to := homes[chance.IntN(2)], regions[chance.IntN(3)]
				for range 12 {
					w.c.Call(client(to), w.top.In(to)[chance.IntN(3)], Promote{home, to}, time.Second, func(any, bool) {})
					w.run(400 * time.Millisecond)
				}
			}
		case 1:
			var links []nodes.Link
			for _, a := range w.top.Members {
				for _, b := range w.top.Members {
					if a.ID != b.ID && chance.IntN(3) == 0 {
						links = append(links, nodes.Link{From: a.ID, To: b.ID})
					}
				}
			}
			heal, err := w.c.Degrade(ctx, links, nodes.Quality{
				LossPerMille: chance.IntN(300), DuplicatePerMille: chance.IntN(400), ReorderPerMille: chance.IntN(500),
				Delay: time.Duration(chance.IntN(60)) * time.Millisecond, Jitter: time.Duration(1+chance.IntN(300)) * time.Millisecond,
			})
			must(t, err)
			heals = append(heals, heal)
		}
		var down []nodes.ID
		if chance.IntN(2) == 0 {
			down = append(down, w.top.Members[chance.IntN(9)].ID)
			must(t, w.c.PowerLoss(ctx, down))
		}
		promotion := Promote{homes[chance.IntN(2)], regions[chance.IntN(3)]}
		for range 1 + chance.IntN(4) {
			switch chance.IntN(6) {
			case 0, 1:
				call(promotion)
			case 2:
				call(Promote{homes[chance.IntN(2)], regions[chance.IntN(3)]})
			case 3:
				from := chance.IntN(8) * 0x2000
				call(Split{span{homes[chance.IntN(2)], uint16(from), uint16(from + 0x1fff)}.String()})
				from = chance.IntN(4) * 0x4000
				call(Split{span{homes[chance.IntN(2)], uint16(from), uint16(from + 0x3fff)}.String()})
			case 4:
				from := chance.IntN(4) * 0x4000
				home := homes[chance.IntN(2)]
				call(Merge{span{home, uint16(from), uint16(from + 0x1fff)}.String(), span{home, uint16(from + 0x2000), uint16(from + 0x3fff)}.String()})
			case 5:
				group := w.groups()[chance.IntN(13)]
				call(SnapshotNow{group})
				w.c.Call(client("A"), w.top.Members[chance.IntN(9)].ID, Reload{group}, time.Second, func(any, bool) {})
			}
			w.run(time.Duration(chance.IntN(1200)) * time.Millisecond)
		}
		for _, heal := range heals {
			must(t, heal(ctx))
		}
		for _, id := range down {
			must(t, w.c.Boot(ctx, id))
		}
		w.run(time.Duration(chance.IntN(1500)) * time.Millisecond)
	}
	w.run(5 * time.Second)
	for _, home := range homes {
		w.account(home, all, groups[home].shown)
	}
	w.run(10 * time.Second)
	reading = false
	for _, home := range homes {
		g := groups[home]
		var effects []string
		for e := (Effected{More: true}); e.More; {
			e = until[Effected](w, "A", 5*time.Second, Effects{Home: home, After: last(effects), Max: 500})
			effects = append(effects, e.Names...)
			for i, n := range e.Counts {
				if n != 1 {
					t.Errorf("%s took effect %d times", e.Names[i], n)
				}
			}
		}
		for _, s := range w.alike(home) {
			for _, r := range w.whole("B", s, g.shown[s.Shard]) {
				if g.shown[s.Shard][r.Seq] != r {
					t.Errorf("%v %d was not shown to the consumers", s.Shard, r.Seq)
				}
				if _, is := slices.BinarySearch(effects, fmt.Sprint(r.Producer, "/", r.Number)); !is {
					t.Errorf("%s/%d took no effect", r.Producer, r.Number)
				}
			}
		}
	}
	t.Logf("%d sends; promoted %d times; %v", len(all), len(w.promoted), w.reached)
}

func last(names []string) string {
	if len(names) == 0 {
		return ""
	}
	return names[len(names)-1]
}

func (w *world) groups() (names []string) {
	for _, g := range NewLayout(w.top).Groups {
		names = append(names, g.Name)
	}
	return names
}

// account checks that every acknowledged record of a keyspace stands on the lineage or in a report, and not in both; that
// it stands where its producer was told; that producers are in order; and that what is sent again stands once.
func (w *world) account(home string, all []*sent, shown map[Shard]map[uint64]Record) {
	t := w.t
	lineage := w.alike(home)
	place := map[string]SendOK{}
	byKey := map[string][]Record{}
	for _, s := range lineage {
		for _, r := range w.whole("A", s, shown[s.Shard]) {
			name := fmt.Sprint(r.Producer, "/", r.Number)
			if other, twice := place[name]; twice {
				t.Errorf("%s stands at %v and at %v %d", name, other, s.Shard, r.Seq)
			}
			place[name] = SendOK{s.Shard, r.Seq}
			byKey[r.Key] = append(byKey[r.Key], r)
		}
	}
	for key, list := range byKey {
		numbers := map[string]uint64{}
		for _, r := range list {
			if r.Number <= numbers[r.Producer] {
				t.Errorf("on %s, %s/%d comes behind %d", key, r.Producer, r.Number, numbers[r.Producer])
			}
			numbers[r.Producer] = r.Number
		}
	}
	tail := map[string]SendOK{}
	both := map[string]bool{}
	for _, region := range w.top.Regions() {
		report := until[Reported](w, region, 10*time.Second, Report{home})
		if again := until[Reported](w, region, 10*time.Second, Report{home}); fmt.Sprint(again) != fmt.Sprint(report) {
			t.Errorf("%s reports %v and then %v", region, report, again)
		}
		for _, part := range report.Tail {
			for i, r := range part.Records {
				name := fmt.Sprint(r.Producer, "/", r.Number)
				_, stands := place[name]
				if stands != slices.Contains(part.Resent, i) {
					t.Errorf("%s at %v %d stands on the lineage: %v, which %s does not report", name, part.Shard, r.Seq, stands, region)
				}
				both[name] = stands
				tail[name] = SendOK{part.Shard, r.Seq}
			}
		}
	}
	acknowledged, left := 0, 0
	for _, s := range all {
		if s.Home != home {
			continue
		}
		for i := range s.Values {
			name := fmt.Sprint(s.Producer, "/", s.Number+uint64(i))
			at, stands := place[name]
			was, isTail := tail[name]
			told := SendOK{s.at.Shard, s.at.Seq + uint64(i)}
			switch {
			case s.refused && (stands || isTail):
				t.Errorf("%s was refused, and stands at %v or %v", name, at, was)
			case !s.ok:
			case !stands && !isTail:
				t.Errorf("%s was acknowledged at %v, and is nowhere", name, told)
			case told != at && told != was:
				t.Errorf("%s was acknowledged at %v, and stands at %v or %v", name, told, at, was)
			}
			if s.ok {
				acknowledged++
				if !stands {
					left++
				}
			}
		}
	}
	for _, region := range w.top.Regions() {
		until[Done](w, region, 20*time.Second, Resend{home})
	}
	now := map[string]int{}
	for _, s := range w.alike(home) {
		for _, r := range w.whole("C", s, shown[s.Shard]) {
			now[fmt.Sprint(r.Producer, "/", r.Number)]++
		}
	}
	for name, n := range now {
		_, stood := place[name]
		_, isTail := tail[name]
		if n != 1 || !stood && !isTail {
			t.Errorf("after all is sent again, %s stands %d times", name, n)
		}
	}
	for name := range tail {
		if now[name] != 1 {
			t.Errorf("%s was sent again, and stands %d times", name, now[name])
		}
	}
	t.Logf("%s: %d acknowledged, %d of them left behind, %d shards", home, acknowledged, left, len(lineage))
}
