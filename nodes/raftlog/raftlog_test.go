package raftlog_test

import (
	"context"
	"fmt"
	"reflect"
	"slices"
	"testing"
	"time"

	"faultlab/nodes"
	"faultlab/nodes/raftlog"
)

func TestTheFirstVoterLeadsANewGroupAtOnce(t *testing.T) {
	c := start(t, 1, 3, 3, nil, false)
	c.run(100 * time.Millisecond)
	if !c.hosts["n1"].group.Leading() || c.hosts["n2"].group.Leader() != "n1" {
		t.Fatalf("n1 does not lead; n2 thinks that %q does", c.hosts["n2"].group.Leader())
	}
}

func TestAnotherIsElectedWhenTheLeaderDies(t *testing.T) {
	var gaps time.Duration
	const seeds = 40
	for seed := range uint64(seeds) {
		c := start(t, seed, 3, 3, nil, false)
		first := c.leader()
		c.fill(first, "a", 5)
		c.kill(first)
		died := c.Now()
		second := c.leader()
		gap := c.Now() - died
		if gap < election || gap > 3*election {
			t.Errorf("seed %d: %v passed without a leader", seed, gap)
		}
		gaps += gap
		c.fill(second, "b", 5)
		c.boot(first)
		c.run(time.Second)
		if c.leader() != second {
			t.Errorf("seed %d: a member that came back deposed the leader", seed)
		}
		if got := len(c.hosts[first].list.values); got != 10 {
			t.Errorf("seed %d: the old leader has %d of 10 values", seed, got)
		}
	}
	// The first of two to time out must find the other ready to vote: it campaigns after a third of the random time,
	// where the second would after two thirds.
	if mean := gaps / seeds; mean > election*8/5 {
		t.Errorf("%v passed without a leader on average", mean)
	}
}

func TestALeaderCutOffStepsDownAndItsReadsFail(t *testing.T) {
	c := start(t, 3, 3, 3, nil, false)
	old := c.leader()
	c.fill(old, "a", 3)
	heal := c.cut([]nodes.ID{old}, others(old))
	var late any
	c.Call(client, old, Show{}, 10*time.Second, func(reply any, _ bool) { late = reply })
	next := c.leader(others(old)...)
	c.fill(next, "b", 3)
	c.run(20 * tick)
	if c.hosts[old].group.Leading() {
		t.Error("a leader without a quorum still leads after twenty ticks")
	}
	if _, refused := late.(Refused); !refused {
		t.Errorf("a read that no quorum could confirm was answered %v", late)
	}
	heal()
	c.run(time.Second)
	if now := c.leader(); now != next {
		t.Errorf("%s was deposed by %s when the partition healed", next, now)
	}
}

func TestALeaderKnowsWhoHoldsAnEntry(t *testing.T) {
	c := start(t, 3, 3, 3, nil, false)
	leader := c.leader()
	c.fill(leader, "a", 3)
	c.run(time.Second)
	g := c.hosts[leader].group
	if got := g.Holders(g.Applied()); !slices.Equal(got, []nodes.ID{"n1", "n2", "n3"}) {
		t.Errorf("in calm %v hold the last entry", got)
	}
	heal := c.cut([]nodes.ID{"n3"}, others("n3"))
	c.fill(leader, "b", 3)
	if got := g.Holders(g.Applied()); !slices.Equal(got, []nodes.ID{"n1", "n2"}) {
		t.Errorf("while n3 is cut off %v hold the last entry", got)
	}
	if got := g.Holders(g.Applied() + 1); len(got) > 0 {
		t.Errorf("%v hold an entry that does not exist", got)
	}
	heal()
	if got := c.hosts["n2"].group.Holders(1); got != nil {
		t.Errorf("a follower says that %v hold an entry", got)
	}
}

func TestUncommittedEntriesOfADeposedLeaderAreOverwritten(t *testing.T) {
	c := start(t, 4, 3, 3, nil, false)
	old := c.leader()
	c.fill(old, "a", 3)
	heal := c.cut([]nodes.ID{old}, others(old))
	for i := range 5 {
		c.Call(client, old, Append{fmt.Sprintf("lost%d", i)}, time.Second, func(reply any, ok bool) {
			if ok {
				t.Errorf("a leader without a quorum answered %v", reply)
			}
		})
	}
	c.fill(c.leader(others(old)...), "b", 3)
	heal()
	c.run(2 * time.Second)
	if c.probes["raft: conflicting suffix overwritten"] == 0 {
		t.Error("nothing was overwritten")
	}
	if got := c.hosts[old].list.values; !slices.Equal(got, []string{"a0", "a1", "a2", "b0", "b1", "b2"}) {
		t.Errorf("the deposed leader has %v", got)
	}
}

func TestPowerLossOfAllLosesNothingAcknowledged(t *testing.T) {
	for seed := range uint64(30) {
		c := start(t, seed, 3, 3, nil, false)
		acked := map[string]bool{}
		leader := c.leader()
		for i := range 100 {
			value := fmt.Sprint("v", i)
			c.After(time.Duration(i)*300*time.Microsecond, func() {
				c.Call(client, leader, Append{value}, time.Second, func(reply any, ok bool) { acked[value] = reply == OK{} })
			})
		}
		c.run(time.Duration(5+seed) * time.Millisecond)
		known := granted(acked)
		c.powerLoss("n1", "n2", "n3")
		c.run(time.Second)
		c.boot("n1", "n2", "n3")
		values := c.ask(c.leader(), Show{}).(Values).Values
		for _, v := range known {
			if !slices.Contains(values, v) {
				t.Errorf("seed %d: %s was acknowledged and is lost", seed, v)
			}
		}
		if seed > 10 && len(known) == 0 {
			t.Errorf("seed %d: nothing was acknowledged", seed)
		}
	}
}

func granted(acked map[string]bool) (keys []string) {
	for k, ok := range acked {
		if ok {
			keys = append(keys, k)
		}
	}
	slices.Sort(keys)
	return keys
}

func TestAMemberRestartsFromItsSnapshot(t *testing.T) {
	c := start(t, 5, 3, 3, nil, false)
	leader := c.leader()
	c.fill(leader, "a", 95)
	if c.probes["raft: snapshot taken"] == 0 {
		t.Fatal("no snapshot was taken")
	}
	c.powerLoss("n1", "n2", "n3")
	c.boot("n1", "n2", "n3")
	for _, id := range c.ids() {
		// A restart replays nothing before a leader says how much is committed.
		if got := len(c.hosts[id].list.values); got < 60 || got > 95 {
			t.Errorf("%s starts with %d values", id, got)
		}
	}
	if got := len(c.ask(c.leader(), Show{}).(Values).Values); got != 95 {
		t.Errorf("there are %d values of 95", got)
	}
}

func TestAMemberTakesASnapshotWhenItIsAskedTo(t *testing.T) {
	c := start(t, 5, 3, 3, func(cfg *raftlog.Config) { cfg.SnapshotEvery = 1000 }, false)
	c.fill(c.leader(), "a", 20)
	c.run(time.Second)
	for range 2 { // the second has nothing to add
		c.ask("n2", Cut{})
	}
	if got := c.probes["raft: snapshot taken"]; got != 1 {
		t.Errorf("%d snapshots were taken, not 1", got)
	}
	c.run(time.Second)
	c.powerLoss("n1", "n2", "n3")
	c.boot("n1", "n2", "n3")
	for id, want := range map[nodes.ID]int{"n1": 19, "n2": 20} { // of the last one the others do not know yet that it is committed
		if got := len(c.hosts[id].list.values); got != want {
			t.Errorf("%s starts with %d values, not %d", id, got, want)
		}
	}
	if got := len(c.ask(c.leader(), Show{}).(Values).Values); got != 20 {
		t.Errorf("there are %d values of 20", got)
	}
}

func TestASlowFollowerCatchesUpByASnapshot(t *testing.T) {
	c := start(t, 6, 3, 3, nil, true)
	leader := c.leader()
	slow := others(leader)[0]
	heal := c.cut([]nodes.ID{slow}, others(slow))
	c.fill(leader, "a", 100)
	heal()
	c.run(2 * time.Second)
	if c.probes["raft: snapshot sent"] == 0 || c.probes["raft: snapshot installed"] == 0 {
		t.Errorf("probes: %v", c.probes)
	}
	c.fill(c.leader(), "b", 5)
	c.run(tick * 2)
	if got := c.hosts[slow].list.values; len(got) != 105 {
		t.Errorf("the follower has %d values of 105", len(got))
	}
	c.powerLoss(slow)
	c.boot(slow)
	c.run(2 * time.Second)
	if got := c.hosts[slow].list.values; len(got) != 105 {
		t.Errorf("restarted, the follower has %d values of 105", len(got))
	}
}

func TestASnapshotThatIsLostIsSentAgain(t *testing.T) {
	c := start(t, 6, 3, 3, nil, false)
	leader := c.leader()
	slow := others(leader)[0]
	heal := c.cut([]nodes.ID{slow}, others(slow))
	c.fill(leader, "a", 100)
	link := []nodes.Link{{From: leader, To: slow}}
	lossy, _ := c.Degrade(context.Background(), link, nodes.Quality{LossPerMille: 700})
	heal()
	for c.probes["raft: snapshot sent"] == 0 {
		c.run(time.Millisecond)
	}
	c.run(400 * time.Millisecond)
	if c.probes["raft: snapshot installed"] > 0 {
		t.Fatal("the snapshot arrived")
	}
	lossy(context.Background())
	c.run(time.Second)
	if got := c.hosts[slow].list.values; len(got) != 100 {
		t.Errorf("the follower has %d values of 100", len(got))
	}
}

func TestLeadershipIsHandedOver(t *testing.T) {
	c := start(t, 7, 3, 3, nil, false)
	from := c.leader()
	to := others(from)[1]
	c.fill(from, "a", 3)
	c.ask(from, Move{to})
	c.run(50 * time.Millisecond)
	if got := c.leader(); got != to {
		t.Fatalf("%s leads, not %s", got, to)
	}
	if answer := c.ask(from, Append{"b"}); answer == (OK{}) {
		t.Error("the old leader accepts a proposal")
	}
}

func TestMembersAreAddedAndRemoved(t *testing.T) {
	c := start(t, 8, 4, 3, nil, true)
	leader := c.leader()
	c.fill(leader, "a", 60)
	if answer := c.ask(leader, Change{"add learner", "n4"}); answer != (OK{}) {
		t.Fatal(answer)
	}
	c.run(time.Second)
	if got := len(c.hosts["n4"].list.values); got != 60 {
		t.Fatalf("the learner has %d values of 60", got)
	}
	if got := c.hosts[leader].group.Learners(); !slices.Equal(got, []nodes.ID{"n4"}) {
		t.Fatalf("learners: %v", got)
	}
	c.ask(leader, Change{"promote", "n4"})
	c.run(time.Second)
	gone := others(leader)[0]
	c.ask(leader, Change{"remove", gone})
	c.run(time.Second)
	want := slices.DeleteFunc([]nodes.ID{"n1", "n2", "n3", "n4"}, func(id nodes.ID) bool { return id == gone })
	if got := c.hosts["n4"].group.Voters(); !slices.Equal(got, want) {
		t.Fatalf("n4 thinks that %v vote", got)
	}
	// With the removed one and one voter dead, two of three voters are a quorum.
	c.kill(gone)
	c.kill(leader)
	c.fill(c.leader(), "b", 3)
	// A leader that removes itself makes way.
	c.boot(leader)
	c.run(time.Second)
	last := c.leader()
	c.ask(last, Change{"remove", last})
	c.run(3 * time.Second)
	if next := c.leader(); next == last {
		t.Errorf("%s removed itself and still leads", last)
	}
}

func TestTwoRunsOfOneSeedAreTheSame(t *testing.T) {
	run := func(recode bool) []string {
		c := start(t, 11, 3, 3, nil, recode)
		faults(c, 11, 5*time.Second)
		return c.story
	}
	first := run(false)
	if len(first) < 20 {
		t.Fatalf("only %d things happened", len(first))
	}
	if second := run(false); !reflect.DeepEqual(first, second) {
		t.Error("a second run differs")
	}
	if coded := run(true); !reflect.DeepEqual(first, coded) {
		t.Error("a run through the wire format differs")
	}
}

func TestWithoutJitterCandidatesSplitTheVoteForEver(t *testing.T) {
	for _, jitter := range []bool{true, false} {
		c := start(t, 12, 3, 3, func(cfg *raftlog.Config) { cfg.NoJitter = !jitter }, false)
		c.fill(c.leader(), "a", 3)
		c.powerLoss("n1", "n2", "n3")
		c.boot("n1", "n2", "n3")
		c.run(30 * time.Second)
		led := false
		for _, id := range c.ids() {
			led = led || c.hosts[id].group.Leading()
		}
		if led != jitter {
			t.Errorf("with jitter %v, somebody leads: %v", jitter, led)
		}
	}
}

// A member that forgets its term and vote elects a second leader in a term that has one, and the entries of the two
// are taken for the same.
func TestAForgottenVoteMakesMembersDisagree(t *testing.T) {
	for _, unsynced := range []bool{false, true} {
		c := start(t, 13, 3, 3, func(cfg *raftlog.Config) { cfg.UnsyncedVote = unsynced }, false)
		mistakes := 0
		c.blame = func(string, ...any) { mistakes++ }
		c.fill(c.leader("n1"), "a", 3)
		heal := c.cut([]nodes.ID{"n1"}, others("n1"))
		c.ask("n1", Append{"lost"})
		c.powerLoss("n2", "n3")
		c.boot("n2", "n3")
		c.fill(c.leader("n2", "n3"), "b", 3)
		heal()
		c.run(5 * time.Second)
		if (mistakes > 0) != unsynced {
			t.Errorf("with votes forgotten %v, there were %d mistakes", unsynced, mistakes)
		}
	}
}

func TestAMemberThatLostItsDiskOrFindsItDamagedReturnsAsALearnerAndIsPromoted(t *testing.T) {
	for i, lost := range []nodes.ID{"n1", "n2", "n1", "n2"} {
		c := start(t, 14, 3, 3, nil, true)
		c.fill(c.leader(), "a", 50)
		c.powerLoss(lost)
		if i < 2 {
			c.lost[lost]++
		} else {
			c.damaged[lost] = true
		}
		c.boot(lost)
		c.run(5 * time.Second)
		if c.probes["raft: rejoining without a disk"] != 1 {
			t.Errorf("%s did not notice that its disk is new or damaged", lost)
		}
		for _, id := range c.ids() {
			if g := c.hosts[id].group; len(g.Voters()) != 3 || len(g.Learners()) != 0 {
				t.Errorf("%s thinks that %v vote and %v learn", id, g.Voters(), g.Learners())
			}
		}
		// Its vote counts again, and it keeps its new name through a restart.
		other := others(lost)[0]
		c.kill(other)
		c.powerLoss(lost)
		c.boot(lost)
		c.fill(c.leader(), "b", 50)
		c.run(time.Second)
		if got := len(c.hosts[lost].list.values); got != 100 {
			t.Errorf("%s has %d values of 100", lost, got)
		}
	}
}

func TestAMemberWithoutItsDiskDoesNotVoteUnderItsOldName(t *testing.T) {
	c := start(t, 15, 3, 3, nil, false)
	c.fill(c.leader(), "a", 5)
	c.kill("n1")
	c.powerLoss("n2")
	c.lost["n2"]++
	c.boot("n2")
	c.run(20 * time.Second)
	if c.hosts["n3"].group.Leading() {
		t.Error("n3 was elected by a member that has forgotten everything")
	}
	c.boot("n1")
	c.fill(c.leader(), "b", 5)
	c.run(2 * time.Second)
	if got := len(c.hosts["n2"].group.Voters()); got != 3 {
		t.Errorf("n2 knows %d voters", got)
	}
}

func TestWhatAMemberKeepsStaysBounded(t *testing.T) {
	for _, state := range []int{0, 1 << 20} {
		l, machines := newLoop()
		for _, m := range machines {
			m.state = make([]byte, state)
			m.snapshots = 0
		}
		leader := l.members[0]
		const entries, size = 50_000, 100
		for range entries {
			leader.group.Propose(leader, make([]byte, size))
			leader.logs.Flush(leader)
			l.settle()
		}
		for i, m := range l.members {
			if got, most := len(m.memory["g"].records), 1600+state/size; got > most {
				t.Errorf("with a state of %d bytes, %s has %d records on disk, more than %d", state, m.id, got, most)
			}
			// A snapshot for each 1000 entries, but no more bytes of snapshots than of entries.
			want := entries / 1000
			if state > 0 {
				want = entries * size / state
			}
			if got := machines[i].snapshots; got < want || got > want*3/2 {
				t.Errorf("with a state of %d bytes, %s took %d snapshots, not about %d", state, m.id, got, want)
			}
		}
	}
}

func TestProposalsToManyGroupsShareOneSync(t *testing.T) {
	l, _ := newLoop("h", "i")
	leader := l.members[0]
	before := leader.syncs
	for _, name := range []string{"g", "h", "i"} {
		for range 10 {
			if err := leader.logs.Group(name).Propose(leader, []byte("x")); err != nil {
				t.Fatal(err)
			}
		}
	}
	leader.logs.Flush(leader)
	if got := leader.syncs - before; got != 1 {
		t.Errorf("30 proposals took %d syncs", got)
	}
}

// One member after another loses its disk, or finds it damaged, under load: each is replaced before the next, and nothing
// that was acknowledged is lost though in the end no disk is what it was.
func TestMembersThatLoseTheirDisksOneAfterAnotherLoseNothing(t *testing.T) {
	for seed := range uint64(5) {
		c := start(t, seed, 3, 3, nil, seed == 0)
		c.fill(c.leader(), "a", 50)
		want := 50
		harms := []nodes.DamageForm{"", nodes.BitFlip, nodes.Torn, nodes.Truncate, nodes.Misdirect, nodes.Rollback, "", nodes.Truncate, ""}
		for i, form := range harms {
			victim := c.ids()[(i+int(seed))%3]
			c.kill(victim)
			if form == "" {
				if err := c.Wipe(t.Context(), victim); err != nil {
					t.Fatal(err)
				}
			} else if _, err := c.Damage(t.Context(), victim, nodes.Damage{Form: form, Seed: seed}); err != nil {
				t.Fatal(err)
			}
			c.fill(c.leader(others(victim)...), fmt.Sprint("down", i, "-"), 10)
			c.boot(victim)
			c.fill(c.leader(), fmt.Sprint("back", i, "-"), 30)
			want += 40
			c.run(3 * time.Second)
			for _, id := range c.ids() {
				if g := c.hosts[id].group; len(g.Voters()) != 3 || len(g.Learners()) != 0 || len(c.hosts[id].list.values) != want {
					t.Fatalf("seed %d, after %q of %s, %s: %v vote, %v learn, %d values of %d", seed, form, victim, id, g.Voters(), g.Learners(), len(c.hosts[id].list.values), want)
				}
			}
		}
		if n := c.probes["raft: rejoining without a disk"]; n != len(harms) {
			t.Errorf("seed %d: %d times a member noticed that its disk is not what it was, of %d", seed, n, len(harms))
		}
	}
}

// A wiped member that dies again before anything of it is durable has still no right to its old name.
func TestAWipedMemberThatDiesAtOnceDoesNotReturnUnderItsOldName(t *testing.T) {
	c := start(t, 3, 3, 3, nil, false)
	c.fill(c.leader(), "a", 5)
	c.kill("n1")
	if err := c.Wipe(t.Context(), "n2"); err != nil {
		t.Fatal(err)
	}
	for range 5 {
		c.boot("n2")
		c.run(100 * time.Microsecond) // less than an fsync takes
		c.powerLoss("n2")
	}
	c.boot("n2")
	c.run(20 * time.Second)
	if c.hosts["n3"].group.Leading() || c.hosts["n2"].group.Leading() {
		t.Error("a leader was elected by a member that has forgotten everything")
	}
}
