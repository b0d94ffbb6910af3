package sim

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"faultlab/nodes"
)

// What a ledger is asked, and what it answers.
type (
	enter struct{ N int } // so many entries, one after another, and a sync
	fold  struct{}        // all entries in a snapshot
	show  struct{}
	shown struct {
		Boot     string
		Snapshot bool
		First    uint64
		Entries  int
		Damaged  bool
	}
)

// A ledger keeps entries in two logs, and begins a new one if it finds one damaged.
type ledger struct{ at shown }

func (l *ledger) Start(env nodes.Env) {
	l.at.Boot = env.Boot().String()
	for _, name := range []string{"one", "two"} {
		snapshot, first, records, err := env.Disk().Log(name).Read()
		l.at.Snapshot = l.at.Snapshot || snapshot != nil
		l.at.First = max(l.at.First, first)
		l.at.Entries += len(records)
		if err != nil {
			l.at.Damaged = errors.Is(err, ErrDamaged)
		}
	}
}

func (l *ledger) Receive(env nodes.Env, m nodes.Message) {
	one, two := env.Disk().Log("one"), env.Disk().Log("two")
	switch b := m.Body.(type) {
	case enter:
		for range b.N {
			one.Append(make([]byte, 10))
			two.Append(make([]byte, 10))
		}
		env.Disk().Sync()
	case fold:
		for _, log := range []nodes.Log{one, two} {
			log.Snapshot(log.Append([]byte("last")), []byte("all"))
		}
		env.Disk().Sync()
	case show:
		env.Send(m.From, l.at)
		return
	}
	env.Send(m.From, show{})
}

func (*ledger) Wake(nodes.Env, string) {}

type books struct {
	*Cluster
	t *testing.T
}

func open(t *testing.T, seed uint64) books {
	c, err := Start(nodes.Spec{
		System:   nodes.System{Name: "ledger", New: func(string) nodes.Node { return &ledger{} }, Bodies: []any{enter{}, fold{}, show{}, shown{}}},
		Topology: nodes.Topology{Members: []nodes.Member{{ID: "n1", Region: "A", Zone: "a"}}},
		Seed:     seed, Recode: true,
	})
	if err != nil {
		t.Fatal(err)
	}
	return books{c, t}
}

// ask returns the reply to a request, nil if there is none within a second, when a second has passed.
func (c books) ask(body any) (answer any) {
	c.Call(nodes.Member{ID: "c", Region: "A", Zone: "a"}, "n1", body, time.Second, func(reply any, ok bool) { answer = reply })
	if err := c.Run(c.Now() + time.Second); err != nil {
		c.t.Fatal(err)
	}
	return answer
}

func (c books) must(err error) {
	c.t.Helper()
	if err != nil {
		c.t.Fatal(err)
	}
}

// again boots the node and returns what it read.
func (c books) again() shown {
	c.t.Helper()
	c.must(c.Boot(c.t.Context(), "n1"))
	s, ok := c.ask(show{}).(shown)
	if !ok {
		c.t.Fatal("no answer")
	}
	return s
}

func (c books) damage(d nodes.Damage) shown {
	c.t.Helper()
	c.must(c.Kill(c.t.Context(), "n1"))
	_, err := c.Damage(c.t.Context(), "n1", d)
	c.must(err)
	return c.again()
}

func TestWhatWasSyncedAndIsHarmedIsToldAndWhatLiesBeforeItIsThere(t *testing.T) {
	for _, form := range []nodes.DamageForm{nodes.BitFlip, nodes.Torn, nodes.Truncate, nodes.Misdirect, nodes.Rollback} {
		seen := map[int]bool{}
		for seed := range uint64(20) {
			c := open(t, 1)
			for range 4 {
				c.ask(enter{5})
			}
			got := c.damage(nodes.Damage{Form: form, Seed: seed})
			if !got.Damaged || got.Boot != "restart" || got.Entries >= 40 || form == nodes.Torn && got.Entries != 39 {
				t.Fatalf("%s: %+v", form, got)
			}
			seen[got.Entries] = true
			// It stays so until something has taken the place of the whole log.
			c.must(c.Kill(t.Context(), "n1"))
			if again := c.again(); again.Damaged != true || again.Entries != got.Entries {
				t.Fatalf("%s, read again: %+v", form, again)
			}
			c.ask(fold{})
			c.must(c.PowerLoss(t.Context(), []nodes.ID{"n1"}))
			if after := c.again(); after.Damaged || !after.Snapshot || after.Entries != 0 {
				t.Fatalf("%s, with a snapshot in its place: %+v", form, after)
			}
		}
		if len(seen) < 5 && form != nodes.Torn && form != nodes.Rollback {
			t.Errorf("%s leaves but %v entries", form, seen)
		}
	}
}

func TestASnapshotCanBeHarmedToo(t *testing.T) {
	gone := 0
	for seed := range uint64(40) {
		c := open(t, 1)
		c.ask(enter{3})
		c.ask(fold{})
		if got := c.damage(nodes.Damage{Form: nodes.BitFlip, Seed: seed}); !got.Damaged {
			t.Fatalf("%+v", got)
		}
		if l := c.members[0].disk.logs; l[0].written.snapshot == nil || l[1].written.snapshot == nil {
			gone++
		}
	}
	if gone == 0 {
		t.Error("it never was")
	}
}

// A snapshot that replaces a damaged log and is lost with the power leaves the log damaged.
func TestAReplacementThatIsNotDurableReplacesNothing(t *testing.T) {
	c := open(t, 1)
	c.ask(enter{10})
	c.damage(nodes.Damage{Form: nodes.Torn})
	c.Call(nodes.Member{ID: "c", Region: "A", Zone: "a"}, "n1", fold{}, time.Second, func(any, bool) {})
	c.Run(c.Now() + 600*time.Microsecond) // it has been asked, and its fsync has not ended
	c.must(c.PowerLoss(t.Context(), []nodes.ID{"n1"}))
	if got := c.again(); !got.Damaged || got.Snapshot {
		t.Errorf("%+v", got)
	}
}

func TestADamageThatCannotBeDoneIsAnError(t *testing.T) {
	c := open(t, 1)
	for what, d := range map[string]nodes.Damage{
		"sim: damage the disk of n1: it is running, and would not notice":          {Form: nodes.BitFlip},
		`sim: damage the disk of n1: there is no damage "rust" with a delay of 0s`: {Form: "rust"},
		`sim: damage the disk of n1: there is no damage "slow" with a delay of 0s`: {Form: nodes.SlowFsync},
	} {
		c.ask(show{})
		if _, err := c.Damage(t.Context(), "n1", d); err == nil || err.Error() != what {
			t.Errorf("%v: %v", d, err)
		}
	}
	c.must(c.Kill(t.Context(), "n1"))
	if _, err := c.Damage(t.Context(), "n1", nodes.Damage{Form: nodes.BitFlip}); err == nil {
		t.Error("an empty disk was damaged")
	}
	if _, err := c.Damage(t.Context(), "n9", nodes.Damage{Form: nodes.Full}); err == nil {
		t.Error("a node that does not exist was damaged")
	}
	if err := c.Wipe(t.Context(), "n9"); err == nil {
		t.Error("a node that does not exist was wiped")
	}
}

// A node without its disk is a new member at every boot, until it has made a promise of its own.
func TestAWipedNodeIsReplacedUntilItHasSynced(t *testing.T) {
	c := open(t, 1)
	c.ask(enter{10})
	c.must(c.Wipe(t.Context(), "n1"))
	for range 3 {
		if got := c.again(); got != (shown{Boot: "replaced", First: 1}) {
			t.Fatalf("%+v", got)
		}
		c.must(c.Kill(t.Context(), "n1"))
	}
	c.again()
	c.ask(enter{2})
	c.must(c.Kill(t.Context(), "n1"))
	if got := c.again(); got.Boot != "restart" || got.Entries != 4 {
		t.Errorf("%+v", got)
	}
}

func TestANodeThatNeverRanIsNewThoughItWasWiped(t *testing.T) {
	c := open(t, 1)
	c.must(c.Wipe(t.Context(), "n1"))
	if got := c.again(); got.Boot != "new" {
		t.Errorf("%+v", got)
	}
}

func TestHarmsToOneDiskHealApart(t *testing.T) {
	c := open(t, 1)
	var heals []func()
	for _, d := range []nodes.Damage{{Form: nodes.Full}, {Form: nodes.FailedFsync}, {Form: nodes.SlowFsync, Delay: 5 * time.Second}, {Form: nodes.SlowFsync, Delay: time.Millisecond}} {
		heal, err := c.Damage(t.Context(), "n1", d)
		c.must(err)
		heals = append(heals, func() { c.must(heal(t.Context())); c.must(heal(t.Context())) })
	}
	acknowledged := func() bool {
		c.Boot(t.Context(), "n1")
		defer c.Run(c.Now() + 20*time.Second)
		return c.ask(enter{1}) != nil
	}
	for i, heal := range heals {
		if acknowledged() != (i > 2) {
			t.Errorf("with %d of 4 healed, that it was acknowledged is %v", i, i <= 2)
		}
		heal()
	}
	if !acknowledged() {
		t.Error("not acknowledged when all are healed")
	}
}

func TestADamagedDiskIsSavedAsOne(t *testing.T) {
	c := open(t, 1)
	c.ask(enter{10})
	c.damage(nodes.Damage{Form: nodes.Torn})
	damaged := 0
	for _, l := range c.members[0].disk.logs {
		var b bytes.Buffer
		c.must(WriteLog(&b, l.file()))
		back, err := ReadLog(b.Bytes())
		if err != nil {
			damaged++
			if !errors.Is(err, ErrDamaged) || len(back.Records) != 9 {
				t.Errorf("%d records, %v", len(back.Records), err)
			}
		}
	}
	if damaged != 1 {
		t.Errorf("%d logs of two are damaged", damaged)
	}
}

// Two runs with the same harm are the same.
func TestDisksAreHarmedTheSameTwice(t *testing.T) {
	run := func() (lines []string) {
		c := open(t, 5)
		for i, form := range []nodes.DamageForm{nodes.BitFlip, nodes.Misdirect, nodes.Truncate, nodes.Rollback, nodes.Torn} {
			for range 4 {
				c.ask(enter{7})
			}
			lines = append(lines, fmt.Sprint(c.damage(nodes.Damage{Form: form, Seed: uint64(i)}), c.Events()))
			c.ask(fold{})
			if i%2 == 0 {
				c.must(c.Wipe(t.Context(), "n1"))
				lines = append(lines, fmt.Sprint(c.again()))
			}
		}
		return lines
	}
	if a, b := run(), run(); !slices.Equal(a, b) {
		t.Errorf("%q\n%q", a, b)
	}
}
