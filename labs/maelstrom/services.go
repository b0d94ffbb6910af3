package maelstrom

import (
	"fmt"
	"maps"
	"time"

	"faultlab/nodes"
	"faultlab/nodes/wire"
)

// The services that a program may ask by name, as weak as they are said to be and no weaker.
//
//   - lin-kv is linearizable.
//   - seq-kv is sequentially consistent: what does not change it may be answered from an old state, of the last 32 and the
//     last 2 s, but to one client never from an older one than it saw before.
//   - lww-kv is five stores with clocks that differ by up to 80 ms, which tell each other all they know now and then, and
//     of two values keep the one with the later time: so it forgets writes that it acknowledged.
//   - lin-tso gives whole numbers, each higher than all before.

// services returns a new node for each.
func services() map[string]func() nodes.Node {
	return map[string]func() nodes.Node{
		"lin-kv":  func() nodes.Node { return &linKV{at: state{}} },
		"seq-kv":  func() nodes.Node { return &seqKV{past: []moment{{state: state{}}}, seen: map[nodes.ID]int{}} },
		"lww-kv":  func() nodes.Node { return newLWWKV() },
		"lin-tso": func() nodes.Node { return &oracle{} },
	}
}

// A state is a value for each key that is there. It is never changed in place once it was told.
type state map[JSON]JSON

// do does a request to a store, which is asked by get. It returns the reply, and what to set if set is true.
func do(body any, get func(key JSON) (JSON, bool)) (reply any, key, value JSON, set bool) {
	switch b := body.(type) {
	case Read:
		if b.Key == "" {
			return wire.Error{Code: wire.Malformed, Text: "this read has no key"}, "", "", false
		}
		if v, there := get(b.Key); there {
			return ReadOK{Value: v}, "", "", false
		}
		return missing(b.Key), "", "", false
	case Write:
		if b.Key == "" {
			return wire.Error{Code: wire.Malformed, Text: "this write has no key"}, "", "", false
		}
		return WriteOK{}, b.Key, some(b.Value), true
	case Cas:
		v, there := get(b.Key)
		switch {
		case b.Key == "":
			return wire.Error{Code: wire.Malformed, Text: "this cas has no key"}, "", "", false
		case !there && !b.Create:
			return missing(b.Key), "", "", false
		case there && v != some(b.From):
			return wire.Error{Code: wire.Precondition, Text: fmt.Sprintf("key %s is %s, not %s", b.Key.short(), v.short(), some(b.From).short())}, "", "", false
		}
		return CasOK{}, b.Key, some(b.To), true
	}
	return wire.Error{Code: wire.NotSupported, Text: "this service knows read, write and cas, not " + nameOf(body)}, "", "", false
}

// some is a value, null if it was left out.
func some(v JSON) JSON {
	if v == "" {
		return null
	}
	return v
}

func missing(key JSON) wire.Error {
	return wire.Error{Code: wire.KeyNotFound, Text: "there is no key " + key.short()}
}

// asker is who asked: a node, whichever of its requests it is.
func asker(from nodes.ID) nodes.ID {
	who, _, _ := from.Request()
	return who
}

// linKV is one store.
type linKV struct{ at state }

func (s *linKV) Start(nodes.Env)        {}
func (s *linKV) Wake(nodes.Env, string) {}

func (s *linKV) Receive(env nodes.Env, m nodes.Message) {
	reply, key, value, set := do(m.Body, func(k JSON) (JSON, bool) { v, ok := s.at[k]; return v, ok })
	if set {
		s.at[key] = value
	}
	env.Send(m.From, reply)
}

// seqKV is a store and what it was. Requests that would change an old state are done to the present one; all others may
// be answered from any that is not older than what the client saw.
type seqKV struct {
	past  []moment         // the last is the present
	first int              // number of past[0]
	seen  map[nodes.ID]int // number of the state that each client saw last
}

// A moment is a state, and when another took its place.
type moment struct {
	state
	ended time.Time
}

const (
	pastMost = 32
	pastLast = 2 * time.Second
)

func (s *seqKV) Start(nodes.Env)        {}
func (s *seqKV) Wake(nodes.Env, string) {}

func (s *seqKV) Receive(env nodes.Env, m nodes.Message) {
	who, now := asker(m.From), env.Now()
	drop := 0
	for drop < len(s.past)-1 && (len(s.past)-drop > pastMost || now.Sub(s.past[drop].ended) > pastLast) {
		drop++
	}
	s.past, s.first = s.past[drop:], s.first+drop
	oldest := max(s.seen[who]-s.first, 0)
	i := oldest + env.Rand().IntN(len(s.past)-oldest)
	reply, key, value, set := s.try(m.Body, i)
	if v, there := s.past[i].state[key]; set && !(there && v == value) { // it would change the past
		i = len(s.past) - 1
		reply, key, value, set = s.try(m.Body, i)
		if v, there := s.past[i].state[key]; set && !(there && v == value) {
			next := maps.Clone(s.past[i].state)
			next[key] = value
			s.past[i].ended = now
			s.past = append(s.past, moment{state: next})
			i++
		}
	}
	s.seen[who] = s.first + i
	if i < len(s.past)-1 {
		env.Reached("seq-kv answered from the past")
	}
	env.Send(m.From, reply)
}

func (s *seqKV) try(body any, i int) (reply any, key, value JSON, set bool) {
	return do(body, func(k JSON) (JSON, bool) { v, ok := s.past[i].state[k]; return v, ok })
}

// lwwKV is several stores that gossip.
type lwwKV struct {
	replicas []map[JSON]stamped
}

// A stamped value carries the time of its write, by the clock of who took it.
type stamped struct {
	at    time.Time
	value JSON
}

const (
	lwwReplicas = 5
	lwwSkew     = 20 * time.Millisecond // from one store's clock to the next one's
	lwwGossip   = 50 * time.Millisecond
)

func newLWWKV() *lwwKV {
	s := &lwwKV{}
	for range lwwReplicas {
		s.replicas = append(s.replicas, map[JSON]stamped{})
	}
	return s
}

func (s *lwwKV) Start(env nodes.Env) { env.After(lwwGossip, "gossip") }

// Wake lets one store tell another what it knows.
func (s *lwwKV) Wake(env nodes.Env, _ string) {
	env.After(lwwGossip, "gossip")
	from, to := env.Rand().IntN(lwwReplicas), env.Rand().IntN(lwwReplicas)
	for k, v := range s.replicas[from] {
		if mine, there := s.replicas[to][k]; !there || v.later(mine) {
			s.replicas[to][k] = v
		}
	}
}

// later says which of two values wins: the one with the later time, or if they have the same, the greater one.
func (v stamped) later(other stamped) bool {
	return v.at.After(other.at) || v.at.Equal(other.at) && v.value > other.value
}

func (s *lwwKV) Receive(env nodes.Env, m nodes.Message) {
	i := env.Rand().IntN(lwwReplicas)
	reply, key, value, set := do(m.Body, func(k JSON) (JSON, bool) { v, ok := s.replicas[i][k]; return v.value, ok })
	if set {
		v := stamped{env.Now().Add(time.Duration(i) * lwwSkew), value}
		if mine, there := s.replicas[i][key]; there && !v.later(mine) {
			env.Reached("lww-kv forgot a write at once")
		} else {
			s.replicas[i][key] = v
		}
	}
	env.Send(m.From, reply)
}

// An oracle gives numbers.
type oracle struct{ next int64 }

func (o *oracle) Start(nodes.Env)        {}
func (o *oracle) Wake(nodes.Env, string) {}

func (o *oracle) Receive(env nodes.Env, m nodes.Message) {
	if _, ok := m.Body.(Ts); !ok {
		env.Send(m.From, wire.Error{Code: wire.NotSupported, Text: "this service knows ts, not " + nameOf(m.Body)})
		return
	}
	env.Send(m.From, TsOK{o.next})
	o.next++
}
