// Package nodestest plays plain-text scripts to the nodes of a system and shows what they do. Nothing happens by
// itself: messages lie until the script delivers them and time stands until the script moves it, so that a script can
// show one order of events among all that could be. It has no latency and no chance of its own (package sim has), and
// it does not judge: a person reads the difference before keeping it.
//
// A script is a file of commands, each with its output below four dashes (github.com/cockroachdb/datadriven); the flag
// -rewrite writes the output anew. Every file is a cluster of its own and begins with the command cluster.
//
//	cluster [seed=N] [bug=NAME]       one line a region below: its name, then its nodes, each in a zone of its own
//	boot [ID...]                      the nodes named, or all that are down; "replaced" among them gives new disks
//	request ID [from=c1] [n=N]        the body as JSON below; it reaches the node at once (n sends an old request again)
//	pending                           the messages that lie, by number
//	deliver [N...] [from=ID] [to=ID]  those numbers in that order, or all on that way, or all; not what they cause
//	drop, duplicate                   the same choice, but thrown away, or laid down once more
//	settle [trace]                    deliver, with what is caused, until no message lies that is not held
//	cut FROM TO, hold FROM TO         from now on what is sent that way is lost, or lies through settle and deliver; an
//	                                  end may be * (any node), and for cut "clients"
//	heal                              end all cuts and holds
//	timers [ID]                       those that wait, by node, and when they are due
//	advance D                         move time, waking those that become due in order; deliver nothing
//	run D [trace]                     the same, with a settle before and after each
//	wake ID NAME                      wake the node as by a timer; one of that name is used up
//	kill ID..., power-loss ID...      the second loses what was not synced, all of it
//	disk ID                           its logs, with a bar where what is durable ends
//	slow ID, fsync ID, fast ID        Sync of a slow disk is done when the script says fsync; what follows it waits
//	clock ID D                        the node's clock is ahead by D
//	member ID OF alive|suspect|gone   tell a node that is a Watcher
//
// A body that is a fmt.Stringer is shown as its name and its String, anything else in wire format.
package nodestest

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/datadriven"

	"faultlab/nodes"
	"faultlab/nodes/wire"
)

// settleMax is how many messages may be delivered before a system that never gets quiet fails its test.
const settleMax = 100_000

// Run plays every script of a folder, each as a subtest.
func Run(t *testing.T, system nodes.System, dir string) {
	codec, err := wire.New(system.Bodies...)
	if err != nil {
		t.Fatal(err)
	}
	datadriven.Walk(t, dir, func(t *testing.T, path string) {
		s := &stage{system: system, codec: codec}
		datadriven.RunTest(t, path, func(t *testing.T, d *datadriven.TestData) string {
			s.out.Reset()
			if err := s.play(command{d}); err != nil {
				d.Fatalf(t, "%v", err)
			}
			if s.out.Len() == 0 {
				return "ok\n"
			}
			return s.out.String()
		})
	})
}

// A stage is the nodes of one script and everything between them.
type stage struct {
	system   nodes.System
	codec    *wire.Codec
	topology nodes.Topology
	seed     uint64
	bug      string
	actors   []*actor
	now      time.Duration
	sets     int                 // timers set so far
	letters  []letter            // that lie, in the order they were sent
	sent     int                 // letters so far
	requests map[nodes.ID]uint64 // by client
	cuts     []nodes.Link
	holds    []nodes.Link
	trace    bool // show every delivery
	out      strings.Builder
}

// A letter is a message that lies until it is delivered.
type letter struct {
	number   int
	from, to nodes.ID
	body     any
}

func (s *stage) say(format string, args ...any) {
	fmt.Fprintf(&s.out, format, args...)
	s.out.WriteByte('\n')
}

// show returns a body as a script prints it.
func (s *stage) show(body any) string {
	name, ok := s.codec.Name(body)
	if text, is := body.(fmt.Stringer); ok && is {
		return name + " " + text.String()
	}
	text, err := s.codec.Encode(body)
	if err != nil {
		panic(err) // a body that is not among the system's
	}
	return string(text)
}

func (s *stage) actor(id nodes.ID) (*actor, error) {
	for _, a := range s.actors {
		if a.id == id {
			return a, nil
		}
	}
	return nil, fmt.Errorf("no node %q", id)
}

// send lays a message down, or gives it to the client that waits for it.
func (s *stage) send(from, to nodes.ID, body any) {
	text := s.show(body)
	if _, _, reply := to.Request(); reply {
		if on(s.cuts, from, nodes.Clients) {
			text = "nothing, for the reply is lost: " + text
		}
		s.say("%s hears from %s %s", to, from, text)
		return
	}
	if !on(s.cuts, from, to) {
		s.sent++
		s.letters = append(s.letters, letter{s.sent, from, to, body})
	}
}

// on says whether one of the links is the way from one node to another. Nothing comes between a node and itself.
func on(links []nodes.Link, from, to nodes.ID) bool {
	return from != to && slices.ContainsFunc(links, func(l nodes.Link) bool {
		return (l.From == from || l.From == "*") && (l.To == to || l.To == "*" && to != nodes.Clients)
	})
}

// deliver gives a message to its node, which may be down.
func (s *stage) deliver(l letter) {
	if s.trace {
		s.say("%d %s > %s %s", l.number, l.from, l.to, s.show(l.body))
	}
	if a, err := s.actor(l.to); err == nil && a.node != nil {
		a.node.Receive(a, nodes.Message{From: l.from, To: l.to, Body: l.body})
	}
}

// settle delivers until nothing lies that is not held, and returns how many messages that were.
func (s *stage) settle() (int, error) {
	for n := 0; ; n++ {
		i := slices.IndexFunc(s.letters, func(l letter) bool { return !on(s.holds, l.from, l.to) })
		if i < 0 {
			return n, nil
		}
		if n == settleMax {
			return n, fmt.Errorf("the system is not quiet after %d messages", n)
		}
		l := s.letters[i]
		s.letters = slices.Delete(s.letters, i, i+1)
		s.deliver(l)
	}
}

// advance moves time, waking nodes on the way, and calls between before the first and after each of them.
func (s *stage) advance(d time.Duration, between func() error) error {
	for until := s.now + d; ; {
		if err := between(); err != nil {
			return err
		}
		var next *actor
		at := alarm{due: until + 1}
		for _, a := range s.actors {
			if x, ok := a.next(); ok && x.before(at) {
				next, at = a, x
			}
		}
		if next == nil {
			s.now = until
			return nil
		}
		s.now = max(s.now, at.due)
		next.wake(at.name)
	}
}

// A command is one of a script.
type command struct{ *datadriven.TestData }

// words returns the arguments without a value.
func (c command) words() (words []string) {
	for _, arg := range c.CmdArgs {
		if len(arg.Vals) == 0 {
			words = append(words, arg.Key)
		}
	}
	return words
}

// value returns the value of an argument, or what stands for it if it is not given.
func (c command) value(key, without string) string {
	if arg, ok := c.Arg(key); ok && len(arg.Vals) == 1 {
		return arg.Vals[0]
	}
	return without
}

func (c command) number(key string) (uint64, error) {
	return strconv.ParseUint(c.value(key, "0"), 10, 64)
}
