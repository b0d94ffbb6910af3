package labstest

import (
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"faultlab/labs"
	"faultlab/nemesis"
	"faultlab/nodes"
)

// A view is what a client sees of a fault from before it strikes until it is healed.
type view func(w *world, k nemesis.Kind, f nemesis.Fault)

// views are those of all kinds but what Misuse tries.
var views = map[string]view{
	"partition":   cut,
	"clog":        cut,
	"loss":        cut,
	"lost-reply":  cut,
	"corrupt":     cut,
	"slow":        late,
	"reorder":     shuffled,
	"duplicate":   shuffled,
	"kill":        silent,
	"power-loss":  silent,
	"pause":       silent,
	"wipe":        silent,
	"restart-all": reborn,
	"upgrade":     reborn,
	"clock":       wrong,
	"disk":        spoiled,
}

// Faults tries every form of every kind of fault that a runtime can do, on one cluster, and fails if there is one that
// nobody looks at. cannot names the kinds that the runtime is known not to do.
func Faults(t *testing.T, start func(nodes.Spec) (labs.Cluster, error), kinds []nemesis.Kind, cannot ...string) {
	w := newWorld(t, start)
	for _, k := range kinds {
		if _, elsewhere := misuses[k.Name]; elsewhere {
			continue
		}
		see := views[k.Name]
		if see == nil {
			t.Errorf("nobody looks at what a client sees of %s", k.Name)
			continue
		}
		for i, form := range k.Forms {
			t.Run(k.Name+":"+form, func(t *testing.T) {
				w.t = t
				f := k.Draw(rand.New(rand.NewPCG(uint64(i), 1)), w.ground, form)
				if f.Kind == "" {
					t.Fatal("these five members have no place for it")
				}
				if why := f.Refused(w.c, w.ground); why != "" {
					if !slices.Contains(cannot, k.Name) {
						t.Fatal(why)
					}
					t.Skip(why)
				}
				f.For = 2 * time.Second
				if !w.answered(w.ways()) {
					t.Fatal("nothing is wrong, and not all is answered")
				}
				see(w, k, f)
			})
		}
		w.t = t
		if k.Name == "power-loss" && w.losses > 0 && w.taken == 0 && !t.Failed() {
			t.Error("no power loss took anything of what was not synced")
		}
	}
}

// hit is whom f will be aimed at.
func (w *world) hit(f nemesis.Fault) []nodes.ID {
	if len(f.Nodes) == 0 {
		return w.resolve(f.Role)
	}
	return f.Nodes
}

// cut is of links that carry nothing: the ways over them are silent, and no others.
func cut(w *world, k nemesis.Kind, f nemesis.Fault) {
	switch k.Name {
	case "loss":
		f.Quality = &nodes.Quality{LossPerMille: 1000}
	case "corrupt":
		f.Quality = &nodes.Quality{CorruptPerMille: 1000}
	case "lost-reply":
		f.Quality = &nodes.Quality{Cut: true}
	}
	if f.Every > 0 {
		f.Every = 4 * time.Second
	}
	mute, before := nodes.ID(""), 0 // whose replies are lost, and what it had noted
	if i := slices.IndexFunc(f.Links, func(l nodes.Link) bool { return l.To == nodes.Clients }); k.Name == "lost-reply" && i >= 0 {
		mute = f.Links[i].From
		before = w.state(mute).Notes
	}
	s, heal := w.strike(k, f)
	dead := append(slices.Clone(s.Cuts), s.Hurts...)
	open := func(y way) bool {
		return !slices.ContainsFunc(y.links(), func(l nodes.Link) bool { return slices.Contains(dead, l) })
	}
	if !slices.ContainsFunc(w.ways(), func(y way) bool { return !open(y) }) {
		w.t.Errorf("%v is on no way", dead)
	}
	w.passes(open)
	if f.Every > 0 && !w.answered(w.ways()) {
		w.t.Error("a link that flaps never carries anything")
	}
	held := false
	if k.Name == "clog" {
		y := w.ways()[slices.IndexFunc(w.ways(), func(y way) bool { return !open(y) })]
		w.c.Call(client, y.to, ask{y.via}, patience, func(_ any, ok bool) { held = ok })
		w.run(silence)
	}
	if mute != "" {
		if r := w.hears(mute, note{}, silence); r != nil {
			w.t.Errorf("%v came from %s", r, mute)
		}
	}
	heal()
	if k.Name == "clog" && !w.until(func() bool { return held }) {
		w.t.Error("what was held back never came")
	}
	if mute != "" && w.state(mute).Notes != before+1 {
		w.t.Errorf("%s had %d notes, was asked for one more, and has %d", mute, before, w.state(mute).Notes)
	}
}

// late is of slow links: all is answered, and as much later as the links on its way are slower.
func late(w *world, k nemesis.Kind, f nemesis.Fault) {
	const delay = 300 * time.Millisecond
	f.Quality = &nodes.Quality{Delay: delay}
	s, heal := w.strike(k, f)
	got := w.ask(w.ways(), patience)
	slowest := time.Duration(0)
	for _, y := range w.ways() {
		least := time.Duration(0)
		for _, l := range y.links() {
			if slices.Contains(s.Hurts, l) {
				least += delay
			}
		}
		slowest = max(slowest, least)
		if took, ok := got[y]; !ok || took < least {
			w.t.Errorf("on %v it took %s (%v), not at least %s", y, took, ok, least)
		}
	}
	if slowest == 0 {
		w.t.Error("no way was slow")
	}
	heal()
	if f.Form == "link" {
		spread(w, k, f, delay)
	}
}

// spread is of a delay that is a mean: none is under half of it, and of several some are under it.
func spread(w *world, k nemesis.Kind, f nemesis.Fault, mean time.Duration) {
	f.Quality = &nodes.Quality{Delay: mean, Spread: nodes.Pareto}
	if c, refuses := w.c.(interface {
		Refuses([]nodes.Link, nodes.Quality) string
	}); refuses && c.Refuses(f.Links, *f.Quality) != "" {
		return
	}
	s, heal := w.strike(k, f)
	harmed := func(y way) (n time.Duration) {
		for _, l := range y.links() {
			if slices.Contains(s.Hurts, l) {
				n++
			}
		}
		return n
	}
	slow := slices.DeleteFunc(w.ways(), func(y way) bool { return harmed(y) == 0 })
	under := 0
	for range 10 {
		for y, took := range w.ask(slow, patience) {
			if least := harmed(y) * mean / 2; took < least {
				w.t.Errorf("on %v it took %s, not at least %s", y, took, least)
			}
			if took < harmed(y)*mean {
				under++
			}
		}
	}
	if under == 0 {
		w.t.Errorf("a delay of %s on an average never took less", mean)
	}
	heal()
}

// shuffled is of links on which messages come twice or in another order: all of them come.
func shuffled(w *world, k nemesis.Kind, f nemesis.Fault) {
	f.Quality = &nodes.Quality{DuplicatePerMille: 1000}
	if k.Name == "reorder" {
		f.Quality = &nodes.Quality{ReorderPerMille: 500}
	}
	s, heal := w.strike(k, f)
	bad := s.Hurts[slices.IndexFunc(s.Hurts, func(l nodes.Link) bool { return l.From[0] != l.To[0] })] // to another region
	got := w.send(bad)
	if k.Name == "reorder" && got.Swapped <= byThemselves || k.Name == "duplicate" && got.Twice == 0 {
		w.t.Errorf("from %s to %s: %+v", bad.From, bad.To, got)
	}
	for _, y := range w.ways() {
		l := nodes.Link{From: y.to, To: y.via}
		if y.via != "" && !slices.Contains(s.Hurts, l) {
			w.orderly(l, "not harmed")
			break
		}
	}
	heal()
	w.orderly(bad, "healed")
}

// orderly looks whether a link is one of those that bring all once and in order. On real time a machine that is busy may
// bring what was sent apart so close together that some overtakes, but not always.
func (w *world) orderly(l nodes.Link, how string) {
	w.t.Helper()
	for range 6 {
		got := w.send(l)
		if got.Twice > 0 {
			w.t.Errorf("%s, from %s to %s: %+v", how, l.From, l.To, got)
		}
		if got.Swapped <= byThemselves {
			return
		}
	}
	w.t.Errorf("%s, from %s to %s messages overtake each other time and again", how, l.From, l.To)
}

const (
	marks        = 30
	byThemselves = 3 // marks that may overtake others where nobody harms them
)

// send sends marks over a link, and returns what the member at its end tells when all have come.
func (w *world) send(l nodes.Link) (got told) {
	w.t.Helper()
	w.batch++
	if w.hears(l.From, mark{l.To, w.batch, marks}, patience) == nil {
		w.t.Errorf("%s does not answer", l.From)
	}
	if !w.until(func() bool { got = w.state(l.To); return got.Batch == w.batch && got.Marks == marks }) {
		w.t.Errorf("of %d marks from %s to %s %d came", marks, l.From, l.To, got.Marks)
	}
	w.run(100 * time.Millisecond) // for what comes twice
	return w.state(l.To)
}

// silent is of nodes that are dead or frozen, and then come back with what they should.
func silent(w *world, k nemesis.Kind, f nemesis.Fault) {
	if k.Name != "wipe" {
		w.age()
	}
	ids := w.hit(f)
	synced, written := map[nodes.ID]told{}, map[nodes.ID]told{}
	for _, id := range ids {
		w.notes(id, 1, note{Sync: true})
		synced[id] = w.state(id)
		w.notes(id, 5, note{})
		written[id] = w.state(id)
	}
	s, heal := w.strike(k, f)
	if !slices.Equal(s.Nodes, ids) {
		w.t.Errorf("it hit %v, not %v", s.Nodes, ids)
	}
	w.passes(func(y way) bool { return !slices.Contains(ids, y.to) && !slices.Contains(ids, y.via) })
	heard := false
	w.c.Call(client, ids[0], ask{}, patience, func(_ any, ok bool) { heard = ok })
	w.run(10 * time.Millisecond)
	heal()
	for _, id := range ids {
		now := w.state(id)
		right := false
		switch k.Name {
		case "kill":
			right = now.Boot == "restart" && now.Notes == written[id].Notes
		case "power-loss":
			right = now.Boot == "restart" && now.Notes >= synced[id].Notes && now.Notes <= written[id].Notes
			w.losses++
			w.taken += written[id].Notes - now.Notes
		case "wipe":
			right = now.Notes == 0 && (now.Boot == "replaced" || now.Boot == "new" && !w.told())
			w.renewed = w.c.Now()
		case "pause":
			right = now.Born == written[id].Born && now.Notes == written[id].Notes
			if !w.until(func() bool { return heard }) {
				w.t.Error("what was asked of a frozen node was never answered")
			}
		}
		if !right || now.Damaged || (now.Born == written[id].Born) != (k.Name == "pause") {
			w.t.Errorf("%s had %d notes, %d of them synced, and now is %+v", id, written[id].Notes, synced[id].Notes, now)
		}
	}
}

// reborn is of nodes that are restarted, and are there again before anything is healed, with all that they wrote.
func reborn(w *world, k nemesis.Kind, f nemesis.Fault) {
	w.age()
	before := map[nodes.ID]told{}
	for _, id := range f.Nodes {
		w.notes(id, 2, note{})
		before[id] = w.state(id)
	}
	_, heal := w.strike(k, f)
	for _, id := range f.Nodes {
		var now told
		if !w.until(func() bool { now = w.state(id); return now.Born != before[id].Born }) || now.Boot != "restart" || now.Notes != before[id].Notes {
			w.t.Errorf("%s had %d notes, and now is %+v", id, before[id].Notes, now)
		}
	}
	heal()
}

// A reading is what a clock showed at some time between two.
type reading struct{ clock, from, to time.Duration }

func (w *world) look(at nodes.ID) (r reading) {
	w.t.Helper()
	if !w.until(func() bool {
		r.from = w.c.Now()
		state, ok := w.hears(at, read{}, silence).(told)
		r.clock, r.to = time.Duration(state.Clock), w.c.Now()
		return ok
	}) {
		w.t.Fatalf("%s does not tell the time", at)
	}
	return r
}

// gained is how much further a clock went between two readings than it should: no less than this, and no more than that.
func gained(a, b reading) (least, most time.Duration) {
	return b.clock - a.clock - (b.to - a.from), b.clock - a.clock - (b.from - a.to)
}

// wrong is of clocks.
func wrong(w *world, k nemesis.Kind, f nemesis.Fault) {
	const far, exact = time.Hour, 50 * time.Millisecond
	switch f.Form {
	case "jump":
		f.Offset = -far
	case "drift":
		f.DriftPPM = 1_000_000
	case "strobe":
		f.Offset, f.Every = far, 2*time.Second
	default:
		w.t.Fatalf("nobody looks at clock:%s", f.Form)
	}
	ids := w.hit(f)
	before := map[nodes.ID]reading{}
	for _, id := range ids {
		before[id] = w.look(id)
	}
	_, heal := w.strike(k, f)
	for _, id := range ids {
		off, on := false, false
		if !w.until(func() bool {
			least, most := gained(before[id], w.look(id))
			switch f.Form {
			case "jump":
				off, on = true, least <= -far+exact && most >= -far-exact
			case "drift":
				off, on = true, least > time.Second
			default:
				off, on = off || most < far/2, on || least > far/2
			}
			return off && on
		}) {
			w.t.Errorf("the clock of %s is not as %v makes it (%v, %v)", id, f, off, on)
		}
	}
	heal()
	for _, id := range ids {
		if least, most := gained(before[id], w.look(id)); least > exact || most < -exact {
			w.t.Errorf("the clock of %s is healed, and %s to %s ahead", id, least, most)
		}
	}
}

// spoiled is of disks.
func spoiled(w *world, k nemesis.Kind, f nemesis.Fault) {
	w.age()
	ids := w.hit(f)
	before := map[nodes.ID]told{}
	for _, id := range ids {
		w.notes(id, 2, note{Sync: true})
	}
	if f.Damage.Form == nodes.Rollback {
		w.run(6 * time.Second) // so that there is a while ago
	}
	for _, id := range ids {
		w.notes(id, 2, note{Sync: true})
		before[id] = w.state(id)
	}
	gone := func(y way) bool { return !slices.Contains(ids, y.to) && !slices.Contains(ids, y.via) }
	switch form := f.Damage.Form; form {
	case nodes.BitFlip, nodes.Torn, nodes.Truncate, nodes.Misdirect, nodes.Rollback:
		_, heal := w.strike(k, f)
		w.passes(gone)
		heal()
		for _, id := range ids {
			if now := w.state(id); !now.Damaged || now.Notes >= before[id].Notes || form == nodes.Torn && now.Notes != before[id].Notes-1 {
				w.t.Errorf("%s had %d synced notes, and now is %+v", id, before[id].Notes, now)
			}
		}
		w.renew(ids)
	case nodes.Full, nodes.FailedFsync:
		_, heal := w.strike(k, f)
		for _, id := range ids {
			if r := w.hears(id, note{Sync: true}, silence); r != nil {
				w.t.Errorf("%v came from %s, whose disk failed", r, id)
			}
		}
		w.passes(gone)
		heal()
		for _, id := range ids {
			if now := w.state(id); now.Damaged || now.Notes < before[id].Notes || now.Boot != "restart" {
				w.t.Errorf("%s had %d synced notes, and now is %+v", id, before[id].Notes, now)
			}
		}
	case nodes.SlowFsync:
		f.Damage.Delay = 300 * time.Millisecond
		_, heal := w.strike(k, f)
		for _, id := range ids {
			began := w.c.Now()
			if w.notes(id, 1, note{Sync: true}); w.c.Now()-began < f.Damage.Delay {
				w.t.Errorf("%s wrote in %s, on a disk that takes %s longer", id, w.c.Now()-began, f.Damage.Delay)
			}
		}
		w.passes(func(way) bool { return true })
		heal()
	default:
		w.t.Fatalf("nobody looks at disk:%s", form)
	}
}

// Upgrade has all nodes restart as another build, which is one of that edition, and looks whether they are.
func Upgrade(t *testing.T, start func(nodes.Spec) (labs.Cluster, error), bin, edition string) {
	w := newWorld(t, start)
	k, form, err := nemesis.Parse("upgrade:rolling:bin=" + bin)
	if err != nil {
		t.Fatal(err)
	}
	f := k.Draw(rand.New(rand.NewPCG(1, 1)), w.ground, form)
	if why := f.Refused(w.c, w.ground); why != "" {
		t.Fatal(why)
	}
	f.For = 2 * time.Second
	editions := func() (all []string) {
		for _, id := range f.Nodes {
			all = append(all, w.state(id).Edition)
		}
		return slices.Compact(all)
	}
	if got := editions(); slices.Contains(got, edition) {
		t.Fatalf("before it they are %v", got)
	}
	_, heal := w.strike(k, f)
	if !w.until(func() bool { return slices.Equal(editions(), []string{edition}) }) {
		t.Errorf("they never all become %s", edition)
	}
	heal()
	if got := editions(); !slices.Equal(got, []string{edition}) {
		t.Errorf("what was upgraded is %v in the end", got)
	}
}
