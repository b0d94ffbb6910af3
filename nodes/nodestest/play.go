package nodestest

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"time"

	"faultlab/nodes"
)

// play does one command. An error is a mistake in the script.
func (s *stage) play(c command) error {
	words := c.words()
	s.trace = slices.Contains(words, "trace")
	if s.actors == nil && c.Cmd != "cluster" {
		return fmt.Errorf("a script begins with the command cluster")
	}
	switch c.Cmd {
	case "cluster":
		return s.cluster(c)
	case "boot":
		return s.boot(words)
	case "request":
		return s.request(c, words)
	case "pending":
		for _, l := range s.letters {
			s.say("%d %s > %s %s", l.number, l.from, l.to, s.show(l.body))
		}
		return nil
	case "deliver", "drop", "duplicate":
		return s.chosen(c, words)
	case "settle":
		n, err := s.settle()
		s.say("quiet after %d messages", n)
		return err
	case "cut", "hold":
		if len(words) != 2 {
			return fmt.Errorf("%s: from where, and to where?", c.Cmd)
		}
		l := nodes.Link{From: nodes.ID(words[0]), To: nodes.ID(words[1])}
		if c.Cmd == "cut" {
			s.cuts = append(s.cuts, l)
		} else {
			s.holds = append(s.holds, l)
		}
		return nil
	case "heal":
		s.cuts, s.holds = nil, nil
		return nil
	case "timers":
		for _, a := range s.actors {
			if len(words) == 0 || nodes.ID(words[0]) == a.id {
				a.showTimers()
			}
		}
		return nil
	case "advance", "run":
		return s.pass(c, words)
	case "kill", "power-loss":
		return s.each(words, func(a *actor) error {
			a.crash()
			if c.Cmd == "power-loss" {
				a.disk.fail()
			}
			return nil
		})
	case "disk":
		return s.each(words, func(a *actor) error { a.disk.show(); return nil })
	case "slow", "fast", "fsync":
		return s.each(words, func(a *actor) error {
			a.disk.slow = c.Cmd == "slow" || c.Cmd == "fsync" && a.disk.slow
			if c.Cmd != "slow" {
				a.disk.complete()
			}
			return nil
		})
	case "wake", "clock", "member":
		return s.tell(c, words)
	}
	return fmt.Errorf("no such command")
}

func (s *stage) cluster(c command) (err error) {
	if s.seed, err = c.number("seed"); err != nil {
		return err
	}
	s.bug = c.value("bug", "")
	if _, known := s.system.Bug(s.bug); s.bug != "" && !known {
		return fmt.Errorf("no bug %q", s.bug)
	}
	s.actors, s.topology, s.requests = nil, nodes.Topology{}, map[nodes.ID]uint64{}
	s.letters, s.cuts, s.holds, s.now, s.sent, s.sets = nil, nil, nil, 0, 0, 0
	for line := range strings.Lines(c.Input) {
		words := strings.Fields(line)
		for _, id := range words[min(1, len(words)):] {
			s.topology.Members = append(s.topology.Members, nodes.Member{ID: nodes.ID(id), Region: words[0], Zone: id})
		}
	}
	for i, m := range s.topology.Members {
		a := &actor{s: s, id: m.ID, rand: rand.New(rand.NewPCG(s.seed, uint64(i)))}
		a.disk = disk{a: a}
		s.actors = append(s.actors, a)
	}
	if s.actors == nil {
		return fmt.Errorf("a cluster needs a line for each region: its name, then its nodes")
	}
	return nil
}

func (s *stage) boot(words []string) error {
	why := nodes.New
	if i := slices.Index(words, "replaced"); i >= 0 {
		why = nodes.Replaced
		words = slices.Delete(words, i, i+1)
	}
	if len(words) == 0 {
		for _, a := range s.actors {
			words = append(words, string(a.id))
		}
	}
	return s.each(words, func(a *actor) error {
		if a.node == nil {
			a.start(why)
		}
		return nil
	})
}

func (s *stage) request(c command, words []string) error {
	client := nodes.ID(c.value("from", "c1"))
	n, err := c.number("n")
	if err != nil {
		return err
	}
	if n == 0 {
		s.requests[client]++
		n = s.requests[client]
	}
	return s.each(words, func(a *actor) error {
		body, err := s.codec.Decode([]byte(c.Input))
		if err == nil && !on(s.cuts, nodes.Clients, a.id) {
			s.deliver(letter{from: nodes.Request(client, n), to: a.id, body: body})
		}
		return err
	})
}

// chosen delivers, drops or duplicates the messages that a command chooses of those that lie now.
func (s *stage) chosen(c command, words []string) error {
	var chosen []letter
	from, to := c.value("from", ""), c.value("to", "")
	for _, l := range s.letters {
		named := (from == "" || string(l.from) == from) && (to == "" || string(l.to) == to)
		if named && (from+to != "" || !on(s.holds, l.from, l.to)) {
			chosen = append(chosen, l)
		}
	}
	if words = slices.DeleteFunc(words, func(w string) bool { return w == "trace" }); len(words) > 0 {
		chosen = nil
		for _, word := range words {
			i := slices.IndexFunc(s.letters, func(l letter) bool { return strconv.Itoa(l.number) == word })
			if i < 0 {
				return fmt.Errorf("no message %s lies", word)
			}
			chosen = append(chosen, s.letters[i])
		}
	}
	if c.Cmd == "duplicate" {
		for _, l := range chosen {
			s.sent++
			l.number = s.sent
			s.letters = append(s.letters, l)
		}
		return nil
	}
	s.letters = slices.DeleteFunc(s.letters, func(l letter) bool {
		return slices.ContainsFunc(chosen, func(x letter) bool { return x.number == l.number })
	})
	if c.Cmd == "deliver" {
		s.trace = true
		for _, l := range chosen {
			s.deliver(l)
		}
	}
	return nil
}

// pass moves time.
func (s *stage) pass(c command, words []string) error {
	if len(words) == 0 {
		return fmt.Errorf("%s: how long?", c.Cmd)
	}
	d, err := time.ParseDuration(words[0])
	if err != nil {
		return err
	}
	if c.Cmd == "advance" {
		return s.advance(d, func() error { return nil })
	}
	messages := 0
	err = s.advance(d, func() error {
		n, err := s.settle()
		messages += n
		return err
	})
	s.say("%s, after %d messages", s.now, messages)
	return err
}

// tell does what concerns one node and has an argument.
func (s *stage) tell(c command, words []string) error {
	if len(words) < 2 {
		return fmt.Errorf("%s: which node, and what?", c.Cmd)
	}
	a, err := s.actor(nodes.ID(words[0]))
	if err != nil {
		return err
	}
	switch c.Cmd {
	case "clock":
		a.ahead, err = time.ParseDuration(words[1])
		return err
	case "wake":
		if a.node != nil {
			a.wake(words[1])
		}
		return nil
	}
	w, ok := a.node.(nodes.Watcher)
	if !ok {
		return fmt.Errorf("%s is down, or does not watch members", a.id)
	}
	state := slices.Index([]string{"alive", "suspect", "gone"}, words[len(words)-1])
	if state < 0 || len(words) != 3 {
		return fmt.Errorf("a member is alive, suspect or gone")
	}
	w.Member(a, nodes.ID(words[1]), nodes.MemberState(state))
	return nil
}

// each does something to every node named.
func (s *stage) each(ids []string, do func(*actor) error) error {
	if len(ids) == 0 {
		return fmt.Errorf("which node?")
	}
	for _, id := range ids {
		a, err := s.actor(nodes.ID(id))
		if err == nil {
			err = do(a)
		}
		if err != nil {
			return err
		}
	}
	return nil
}
