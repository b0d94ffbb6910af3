package process

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"faultlab/nodes"
	"faultlab/nodes/host"
	"faultlab/nodes/wire"
)

// A member is the place of a node, through all its processes. All of it belongs to the loop.
type member struct {
	c       *Cluster
	id      nodes.ID
	at      nodes.Member
	dir     string   // it works there
	program []string // of the next boot

	up     bool   // it runs, or is about to
	life   uint64 // boots so far
	paused bool
	ready  bool          // it has answered init, and is greeted
	early  [][]byte      // lines that came before
	child  *child        // nil when it is down, or not yet started
	last   *child        // the latest, dead or alive
	busy   chan struct{} // closed when its folder is no longer at work on; nil if it never was
	booted time.Duration
	failed error  // why it could not be started
	slow   int    // seconds for which it has read nothing, though lines wait
	taken  uint64 // writes to it that had ended a second ago

	kept []stored // of its folder, when the cluster is closed

	settled func() // told when the first boot has ended, well or not

	own own
}

// Whom the lab speaks as: to our own node, and to a program of anybody's.
const (
	labName          = host.Lab
	greeter nodes.ID = "c0"
)

const (
	earlyMost  = 1024 // lines kept for a node that boots
	watchEvery = time.Second
	slowMost   = 5 // seconds without reading
	quoteMost  = 200
)

// start boots the node: its process begins beside the loop, and is then told who it is.
func (m *member) start() {
	c := m.c
	m.up, m.ready, m.booted, m.life, m.slow = true, false, c.Now(), m.life+1, 0
	life, old, busy, wipe, program, mark := m.life, m.last, m.busy, m.own.gone, m.program, fmt.Sprintf("%s/%s/%d", c.run, m.id, m.life)
	c.booting.Add(1)
	go func() {
		defer c.booting.Done()
		if old != nil {
			<-old.dead // and all that it started: the folder is free
		}
		if busy != nil {
			<-busy
		}
		if wipe {
			if err := empty(m.dir); err != nil {
				c.Arrive(func() { m.unborn(life, err) })
				return
			}
		}
		k, err := c.spawn(m, program, mark)
		if err != nil {
			c.Arrive(func() { m.unborn(life, &Unrunnable{program[0], err}) })
			return
		}
		c.Arrive(func() {
			m.last = k
			if m.life != life || !m.up {
				k.kill()
				return
			}
			m.child = k
			m.introduce(k)
		})
	}()
	c.Post(c.Now()+bootPatience, func() {
		if m.life == life && m.up && !m.ready && !m.paused {
			m.broke(fmt.Sprintf("did not answer init within %s; expected is %s%s", bootPatience, m.wantInit(), m.lastWords()))
		}
	})
}

// unborn is told that a process could not be started.
func (m *member) unborn(life uint64, err error) {
	if m.life == life && m.up {
		m.failed = err
		m.broke("could not be started: " + err.Error())
	}
}

// introduce says init, and before it to our own node what it suffers from.
func (m *member) introduce(k *child) {
	topology := m.c.spec.Topology
	if m.c.own {
		k.say(labName, 1, host.Ctl{Skew: &m.own.skew, Disk: &m.own.disk})
		k.say(labName, 2, host.Init{
			NodeID: m.id, NodeIDs: topology.IDs(), Topology: &topology, Seed: m.c.spec.Seed, Bug: m.c.spec.Bug, Boot: m.own.word(),
		})
		return
	}
	k.say(greeter, 1, host.Init{NodeID: m.id, NodeIDs: topology.IDs()})
}

func (m *member) wantInit() string {
	if m.c.own {
		return "init_ok"
	}
	return fmt.Sprintf(`{"src":"%s","dest":"%s","body":{"type":"init_ok","in_reply_to":1}}`, m.id, greeter)
}

// inited is told that the node knows who it is.
func (m *member) inited() {
	if greet := m.c.spec.System.Greet; greet != nil && !m.c.own {
		if body := greet(m.c.spec.Topology, m.id); body != nil {
			text, err := m.c.codec.Encode(body)
			if err != nil {
				panic(err)
			}
			m.child.sayText(greeter, 2, text)
			return
		}
	}
	m.greeted()
}

// greeted lets the node have what the others and the clients have to say.
func (m *member) greeted() {
	m.ready = true
	early := m.early
	m.early = nil
	for _, line := range early {
		m.child.send(line)
	}
	if m.settled != nil {
		m.settled()
	}
}

// take gives the node a line. It is lost if the node is down, and waits if the node boots.
func (m *member) take(line []byte) {
	switch {
	case !m.up:
	case !m.ready:
		if len(m.early) < earlyMost {
			m.early = append(m.early, line)
		}
	default:
		m.child.send(line)
	}
}

// fall ends the node's process, and all that it started. What it had said before is still heard.
func (m *member) fall() {
	m.own.fall(m)
	m.up, m.ready, m.paused, m.early = false, false, false, nil
	if m.child != nil {
		m.child.kill()
		m.child = nil
	}
}

// broke notes that the node did what no node may, and ends it.
func (m *member) broke(what string) {
	m.c.broken = append(m.c.broken, &nodes.Broken{Node: m.id, At: m.c.Now(), What: what})
	m.fall()
	if m.settled != nil {
		m.settled()
	}
}

// ended is told that a process is no more though nobody killed it.
func (m *member) ended(k *child) {
	if m.child != k {
		return
	}
	if m.c.own && m.stoppedByItsDisk(k) {
		return
	}
	what := fmt.Sprintf("ended by itself with %s", k.exit)
	if crash, _ := host.LastWords(k.stderrText()); m.c.own && crash != "" {
		m.broke(crash)
		return
	}
	if !m.ready {
		what += " before it had answered init"
	}
	m.broke(what + "; a node is expected to run until it is killed" + m.lastWords())
}

// lastWords is what the node's process wrote to standard error at last, as the end of a sentence.
func (m *member) lastWords() string {
	if m.last == nil {
		return ""
	}
	text := m.last.stderrText()
	if text == "" {
		return "; it wrote nothing to standard error"
	}
	return "; the last it wrote to standard error: " + strings.Join(strings.Split(text, "\n"), " | ")
}

// watch looks, once a second, whether each node still reads. One that a fault has stopped need not.
func (c *Cluster) watch() {
	c.After(watchEvery, c.watch)
	for _, m := range c.members {
		if m.child == nil || m.paused || m.child.behind.Load() {
			m.slow = 0
			continue
		}
		waiting, taken := m.child.backlog()
		if waiting == 0 || taken != m.taken {
			m.slow, m.taken = 0, taken
			continue
		}
		if m.slow++; m.slow >= slowMost {
			m.broke(fmt.Sprintf("stopped reading: for %d s it has taken none of the %d lines that wait for it on standard input; expected is that it reads each line soon%s", slowMost, waiting, m.lastWords()))
		}
	}
}

// An odd is something that a node wrote and that no node may.
type odd struct{ what, want string }

func (o *odd) Error() string { return o.what + "; expected " + o.want }

const wantLine = `one JSON object on each line of standard output, {"src":"n1","dest":"c1","body":{"type":"..."}}, and all else on standard error`

// hear reads one line from the node, on the goroutine that reads from it, and returns what is to be done about it in the
// loop.
func (k *child) hear(text []byte) (func(), error) {
	c, m := k.c, k.m
	text = bytes.TrimSpace(text)
	if len(text) == 0 {
		return nil, nil
	}
	e, err := wire.ReadEnvelope(text)
	if err != nil || e.Body[0] != '{' || e.Dest == "" {
		return nil, &odd{"wrote a line that is no message", wantLine}
	}
	if to := c.index[e.Dest]; to != nil {
		src := e.Src
		if src == "" {
			src = m.id
		}
		line := append(slices.Grow(bytes.Clone(text), 1), '\n')
		if e.Src == "" {
			if line, err = (wire.Message{Src: src, Dest: e.Dest, Body: e.Body}).Append(nil); err != nil {
				return nil, &odd{"wrote a message that is none", wantLine}
			}
		}
		return func() {
			if to != m {
				c.carried++
			}
			c.network.carry(m.at, to.at, len(line), func() { to.take(line) }, nodes.Link{From: m.id, To: e.Dest})
		}, nil
	}
	if s := c.services[e.Dest]; s != nil {
		return s.hear(k, e)
	}
	msg, err := e.Message()
	if err != nil {
		return nil, &odd{"wrote a message whose body is none", `a body with a "type", and "msg_id" and "in_reply_to" that are whole numbers where it has them`}
	}
	switch {
	case c.own && e.Dest == labName:
		return k.hearOwn(msg)
	case !c.own && e.Dest == greeter:
		return k.hearGreeted(msg)
	}
	if len(text) > longReply {
		if k.long += len(text); k.long > longMost {
			return nil, &odd{fmt.Sprintf("flooded: its replies of more than %d MiB come to more than %d MiB in all", longReply>>20, longMost>>20), "shorter ones"}
		}
	}
	reply, err := c.decode(msg)
	a := answer{msg.Dest, msg.InReplyTo, reply, err, len(text), short(text)}
	return func() { m.replied(k, a) }, nil
}

// decode reads a reply.
func (c *Cluster) decode(msg wire.Message) (any, error) {
	reply, err := c.codec.Decode(msg.Body)
	if msg.Type == "error" && errors.Is(err, wire.ErrUnknown) {
		return host.Protocol().Decode(msg.Body)
	}
	return reply, err
}

// hearGreeted reads what a program answers to init and to a greeting.
func (k *child) hearGreeted(msg wire.Message) (func(), error) {
	switch {
	case msg.InReplyTo == 2:
		return func() {
			if m := k.m; m.child == k && !m.ready {
				m.greeted()
			}
		}, nil
	case msg.InReplyTo != 1 || msg.Type != "init_ok":
		return nil, &odd{"did not answer init as it should", k.m.wantInit()}
	}
	heard := k.inited
	k.inited = true
	return func() {
		if m := k.m; m.child == k && !heard {
			m.inited()
		}
	}, nil
}

// An answer is what a node wrote to a client.
type answer struct {
	to    nodes.ID
	n     uint64 // of the request
	reply any
	err   error // it is no reply that is known
	size  int   // of its line
	quote string
}

// replied is told what a node wrote to a client. What answers nothing that was ever asked is a mistake of the node; what
// comes late, or twice, is not.
func (m *member) replied(k *child, a answer) {
	c := m.c
	asked, known := c.numbers[a.to]
	call := c.calls[nodes.Request(a.to, a.n)]
	var why *odd
	switch {
	case !known:
		why = &odd{fmt.Sprintf("wrote to %q, whom nobody knows", a.to), "a node, a service" + c.serviceNames() + " or a client that asked something"}
	case a.n == 0:
		why = &odd{"wrote to a client what answers nothing", `an "in_reply_to" that is the "msg_id" of a request of its`}
	case a.n > asked:
		why = &odd{fmt.Sprintf("answered request %d of %s, which has made %d", a.n, a.to, asked), `an "in_reply_to" that is the "msg_id" of the request`}
	case a.err != nil && call != nil:
		why = &odd{fmt.Sprintf("answered with what is no reply (%v)", a.err), fmt.Sprintf("a reply to %s, as %s_ok, or an error", call.asked, call.asked)}
	case a.err != nil:
		why = &odd{fmt.Sprintf("answered with what is no reply (%v)", a.err), "a reply to what it was asked, or an error"}
	case call == nil:
		return
	default:
		c.network.carry(m.at, call.from, a.size, func() { c.answer(nodes.Request(a.to, a.n), a.reply, true) },
			nodes.Link{From: m.id, To: nodes.Clients}, nodes.Link{From: m.id, To: call.from.ID})
		return
	}
	m.oddly(k, a.quote, why)
}

// oddly ends a node for what it wrote.
func (m *member) oddly(k *child, quote string, why *odd) {
	if m.child == k {
		m.broke(fmt.Sprintf("broke the protocol: it %s; it wrote %q; expected: %s", why.what, quote, why.want))
	}
}

func short(text []byte) string {
	text = bytes.TrimSpace(text)
	if len(text) > quoteMost {
		return fmt.Sprintf("%s... (%d bytes)", text[:quoteMost], len(text))
	}
	return string(text)
}
