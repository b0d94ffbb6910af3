// Package labstest tries every fault on a runtime, by what a client sees of it: before the fault, under it and when it
// is healed. The test of a runtime calls Faults, Misuse and Meet with what starts its clusters; then it cannot forget a kind of
// fault, nor a form of one, since the first two go through nemesis.Kinds. It asserts nothing of how fast a runtime is, and judges
// no system: its nodes only tell what befell them.
//
// It also holds what the tests of all labs have in common: a Trial does a lab's runs, catches its known bugs, and asserts
// that it holds, that it repeats itself, and that its guide is true.
package labstest

import (
	"time"

	"faultlab/nodes"
)

// What a witness is asked, and what it answers.
type (
	ask  struct{ Via nodes.ID } // answered with yes, by way of another member if one is named
	yes  struct{}
	note struct{ Sync bool } // noted on the disk, and answered with yes when it is there
	mark struct {            // so many are sent to another member, one every markEvery; answered with yes at once
		To    nodes.ID
		Batch uint64
		Marks int
	}
	seat struct{ Name string } // remembered, as an operation of an administrator; answered with yes
	tick struct{}              // counted, and answered with yes
	die  struct{}              // it panics
	read struct{}              // answered with told
	told struct {
		Notes   int
		Damaged bool   // what was read at boot was
		Boot    string // how it booted
		Born    int64  // and when, by its clock
		Clock   int64
		Life    int // messages since then
		Batch   uint64
		Marks   int // that came of the last batch, each counted once
		Twice   int // that came again
		Swapped int // that came after one that was sent later
		Seat    string
		Ticks   int
		Edition string
	}

	relay  struct{ For nodes.ID }
	back   struct{ For nodes.ID }
	passed struct {
		Batch uint64
		N     int
	}
)

// markEvery is more than messages between two members overtake each other by themselves, and far less than when they are
// reordered from region to region.
const markEvery = 10 * time.Millisecond

// edition is the build of this program. A test links another with -ldflags "-X faultlab/labs/labstest.edition=NAME".
var edition = "first"

// System is one whose nodes tell what befell them.
func System() nodes.System {
	return nodes.System{
		Name:   "witness",
		New:    func(string) nodes.Node { return &witness{marks: map[int]bool{}} },
		Bodies: []any{ask{}, yes{}, note{}, mark{}, seat{}, tick{}, die{}, read{}, told{}, relay{}, back{}, passed{}},
	}
}

type witness struct {
	now   told
	marks map[int]bool
	last  int // the highest of them
	out   mark
	sent  int // of those
}

func (n *witness) Start(env nodes.Env) {
	_, _, records, err := env.Disk().Log("notes").Read()
	n.now = told{Notes: len(records), Damaged: err != nil, Boot: env.Boot().String(), Born: env.Now().UnixNano(), Edition: edition}
}

func (n *witness) Receive(env nodes.Env, m nodes.Message) {
	n.now.Life++
	switch b := m.Body.(type) {
	case ask:
		if b.Via == "" {
			env.Send(m.From, yes{})
		} else {
			env.Send(b.Via, relay{m.From})
		}
	case relay:
		env.Send(m.From, back(b))
	case back:
		env.Send(b.For, yes{})
	case note:
		env.Disk().Log("notes").Append(make([]byte, 500))
		if n.now.Notes++; b.Sync {
			env.Disk().Sync()
		}
		env.Send(m.From, yes{})
	case mark:
		n.out, n.sent = b, 0
		n.Wake(env, "mark")
		env.Send(m.From, yes{})
	case passed:
		n.pass(b)
	case seat:
		n.now.Seat = b.Name
		env.Send(m.From, yes{})
	case tick:
		n.now.Ticks++
		env.Send(m.From, yes{})
	case die:
		panic("as it was told")
	case read:
		now := n.now
		now.Clock = env.Now().UnixNano()
		env.Send(m.From, now)
	}
}

// pass notes a mark.
func (n *witness) pass(b passed) {
	if b.Batch < n.now.Batch {
		return
	}
	if b.Batch > n.now.Batch {
		n.last, n.marks = 0, map[int]bool{}
		n.now.Batch, n.now.Marks, n.now.Twice, n.now.Swapped = b.Batch, 0, 0, 0
	}
	switch {
	case n.marks[b.N]:
		n.now.Twice++
		return
	case b.N < n.last:
		n.now.Swapped++
	}
	n.marks[b.N] = true
	n.last = max(n.last, b.N)
	n.now.Marks++
}

// Wake sends the next mark.
func (n *witness) Wake(env nodes.Env, _ string) {
	if n.sent < n.out.Marks {
		n.sent++
		env.Send(n.out.To, passed{n.out.Batch, n.sent})
		env.After(markEvery, "mark")
	}
}

// topology is five members in three regions, each in a zone of its own: the fewest on which every form of every fault
// has its place.
func topology() nodes.Topology {
	return nodes.Topology{Members: []nodes.Member{
		{ID: "a1", Region: "A", Zone: "A1"}, {ID: "a2", Region: "A", Zone: "A2"},
		{ID: "b1", Region: "B", Zone: "B1"}, {ID: "b2", Region: "B", Zone: "B2"},
		{ID: "d1", Region: "D", Zone: "D1"},
	}}
}

type deaf struct{}

func (deaf) Event(time.Duration, nodes.ID, any)  {}
func (deaf) Reached(nodes.ID, string)            {}
func (deaf) Log(time.Duration, nodes.ID, string) {}
