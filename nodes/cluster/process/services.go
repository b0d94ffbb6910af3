package process

import (
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"time"

	"faultlab/nodes"
	"faultlab/nodes/host"
	"faultlab/nodes/wire"
)

// serviceLatency is the way to a service, one way.
const serviceLatency = 500 * time.Microsecond

// A service is a node of the system's that the lab runs itself, in the loop, for the others to ask. No fault hits it. It
// is also that node's Env.
type service struct {
	c    *Cluster
	id   nodes.ID
	node nodes.Node
	rand *rand.Rand
	asks map[nodes.ID]uint64 // which life of the node asked
	set  map[string]uint64   // timers, by name: the latest setting
	n    uint64
}

func (c *Cluster) serve(id nodes.ID, node nodes.Node) {
	c.services[id] = &service{
		c: c, id: id, node: node, rand: rand.New(nodes.Generator(c.spec.Seed, "service "+string(id))), asks: map[nodes.ID]uint64{}, set: map[string]uint64{},
	}
}

// serviceNames is what services there are, for the middle of a sentence.
func (c *Cluster) serviceNames() string {
	if len(c.services) == 0 {
		return ""
	}
	var names []string
	for _, id := range slices.Sorted(maps.Keys(c.services)) {
		names = append(names, string(id))
	}
	return " (" + strings.Join(names, ", ") + ")"
}

// hear reads a line from a node to the service. What the service does not know is refused as its protocol says.
func (s *service) hear(k *child, e wire.Envelope) (func(), error) {
	msg, err := e.Message()
	if err != nil {
		return nil, &odd{fmt.Sprintf("asked %s something that is no request", s.id), `a body with a "type" and, as a whole number, a "msg_id"`}
	}
	body, err := s.c.codec.Decode(e.Body)
	from, n := e.Src, msg.ID
	if s.c.index[from] == nil {
		from = k.m.id
	}
	return func() {
		m := s.c.index[from]
		id, life := nodes.Request(from, n), m.life
		s.c.Post(s.c.Now()+serviceLatency, func() {
			s.asks[id] = life
			switch {
			case errors.Is(err, wire.ErrUnknown):
				s.Send(id, wire.Error{Code: wire.NotSupported, Text: fmt.Sprintf("%s knows no request of type %q", s.id, msg.Type)})
			case err != nil:
				s.Send(id, wire.Error{Code: wire.Malformed, Text: err.Error()})
			default:
				s.node.Receive(s, nodes.Message{From: id, To: s.id, Body: body})
			}
		})
	}, nil
}

// Send answers a node, if it still is the process that asked.
func (s *service) Send(to nodes.ID, body any) {
	client, n, ok := to.Request()
	m := s.c.index[client]
	life, asked := s.asks[to]
	if !ok || m == nil || !asked {
		return
	}
	delete(s.asks, to)
	text, err := s.c.codec.Encode(body)
	if e, refused := body.(wire.Error); refused && err != nil {
		text, err = host.Protocol().Encode(e)
	}
	if err != nil {
		panic(err) // the service says what its system does not know
	}
	text = append(text[:len(text)-1], `,"in_reply_to":`...)
	text = append(strconv.AppendUint(text, n, 10), '}') // which may be 0
	line, err := wire.Message{Src: s.id, Dest: client, Body: text}.Append(nil)
	if err != nil {
		panic(err)
	}
	s.c.Post(s.c.Now()+serviceLatency, func() {
		if m.life == life && m.child != nil {
			m.child.send(line) // also to one that has not answered init yet: it may need this for it
		}
	})
}

// ID is the service's name.
func (s *service) ID() nodes.ID { return s.id }

// Topology is the members, among whom the service is not.
func (s *service) Topology() nodes.Topology { return s.c.spec.Topology }

// Now is true time.
func (s *service) Now() time.Time { return time.Now() }

// Rand is the service's own generator.
func (s *service) Rand() *rand.Rand { return s.rand }

// After wakes the service.
func (s *service) After(d time.Duration, name string) {
	s.n++
	n := s.n
	s.set[name] = n
	if d >= 0 {
		s.c.Post(s.c.Now()+d, func() {
			if s.set[name] == n {
				delete(s.set, name)
				s.node.Wake(s, name)
			}
		})
	}
}

// Disk panics: a service is never down.
func (s *service) Disk() nodes.Disk { panic(fmt.Sprintf("process: service %s has no disk", s.id)) }

// Boot says that the service is new.
func (s *service) Boot() nodes.Boot { return nodes.New }

// Emit tells the observer.
func (s *service) Emit(event any) { s.c.spec.Observer.Event(s.c.Now(), s.id, event) }

// Reached tells the observer.
func (s *service) Reached(probe string) { s.c.spec.Observer.Reached(s.id, probe) }

// Logf tells the observer.
func (s *service) Logf(format string, args ...any) {
	s.c.spec.Observer.Log(s.c.Now(), s.id, fmt.Sprintf(format, args...))
}
