package queue

import (
	"fmt"
	"slices"

	"faultlab/checker/history"
	"faultlab/labs"
	q "faultlab/nodes/queue"
)

const (
	joinEvery = 5   // requests of a member, from one Join to the next: under a second
	sleep     = 40  // requests not made by a consumer that hangs: some five seconds
	away      = 20  // by a member that left
	drainMax  = 300 // requests of a consumer in the end
)

// A consumer is a client that is a member of both groups of its region's keyspace.
type consumer struct {
	members [2]*member
	turn    int
	asleep  int
	asks    int // in the end
	drained bool
	after   string // how far the effects have been read, in the end
	counted bool
	last    bool
}

// A member reads the shards that it is assigned, hands on what it read, and commits it.
type member struct {
	group, name string
	joined      bool
	generation  uint64
	shards      []q.Shard
	at          map[q.Shard]uint64 // where it reads on
	turn, age   int
	away        int
	deliver     []string  // for the sink
	commit      *q.Commit // once that is done
}

func newMember(c *labs.Client, group string, n uint64) *member {
	return &member{group: group, name: fmt.Sprintf("%s-%d", c.ID, n), at: map[q.Shard]uint64{}}
}

// next draws the next request under load.
func (k *consumer) next(w *workload, c *labs.Client) any {
	if k.asleep > 0 { // then it goes on as if no time had passed
		k.asleep--
		return nil
	}
	if c.Rand.IntN(1500) == 0 {
		k.asleep = sleep
	}
	k.turn++
	m := k.members[k.turn%2]
	switch {
	case m.away > 0:
		m.away--
		return nil
	case m.joined && c.Rand.IntN(1000) == 0:
		m.away, m.joined = away, false
		return q.Leave{Home: c.Region, Group: m.group, Member: m.name}
	case m.joined && len(m.shards) > 0 && c.Rand.IntN(100) == 0: // seek
		s := m.shards[c.Rand.IntN(len(m.shards))]
		m.at[s] -= min(m.at[s], c.Rand.Uint64N(50))
	}
	if c.Rand.IntN(5) == 0 {
		return m.next(c, 200)
	}
	return m.next(c, 0)
}

// next goes on with what the member has in hand; a poll waits so long for records.
func (m *member) next(c *labs.Client, waitMs int) any {
	m.age++
	switch {
	case !m.joined || m.age > joinEvery:
		m.age = 0
		return q.Join{Home: c.Region, Group: m.group, Member: m.name}
	case len(m.deliver) > 0:
		return q.Deliver{Home: c.Region, Names: m.deliver}
	case m.commit != nil:
		return *m.commit
	case len(m.shards) == 0:
		m.age = joinEvery
		return nil
	}
	m.turn++
	s := m.shards[m.turn%len(m.shards)]
	return q.Poll{Home: c.Region, Group: m.group, Member: m.name, Generation: m.generation, Shard: s, After: m.at[s], Max: pollMax, WaitMs: waitMs}
}

// done learns what became of a request of one of the memberships.
func (k *consumer) done(w *workload, c *labs.Client, op *history.Op) {
	switch in := op.In.(type) {
	case q.Join:
		k.member(in.Group, in.Member).assigned(op)
	case q.Leave: // it was no member from when it asked
	case q.Poll:
		k.member(in.Group, in.Member).polled(in, op)
	case q.Deliver:
		for _, m := range k.members {
			if op.Outcome == history.OK && slices.Equal(m.deliver, in.Names) {
				m.deliver = nil
			}
		}
	case q.Commit:
		k.member(in.Group, in.Member).committed(op)
	case q.Effects:
		if out, ok := op.Out.(q.Effected); ok && op.Outcome == history.OK {
			if n := len(out.Names); n > 0 {
				k.after = out.Names[n-1]
			}
			k.counted = !out.More
		}
	}
	if op.Out == nil && op.Phase != history.Final && c.Rand.IntN(5) == 0 { // it crashed, and forgot all
		k.members = [2]*member{newMember(c, plainGroup, c.Number), newMember(c, sinkGroup, c.Number)}
	}
}

// member returns the membership that a request was made for; one that is forgotten learns in vain.
func (k *consumer) member(group, name string) *member {
	for _, m := range k.members {
		if m.group == group && m.name == name {
			return m
		}
	}
	return &member{at: map[q.Shard]uint64{}}
}

func (m *member) assigned(op *history.Op) {
	out, ok := op.Out.(q.Assigned)
	if !ok {
		return
	}
	same := m.joined && regime(out.Generation) == regime(m.generation)
	m.joined, m.generation, m.shards = true, out.Generation, nil
	at := map[q.Shard]uint64{}
	for _, cursor := range out.Shards {
		m.shards = append(m.shards, cursor.Shard)
		at[cursor.Shard] = cursor.Seq
		if mine, had := m.at[cursor.Shard]; had && same {
			at[cursor.Shard] = mine
		}
	}
	m.at = at
	if m.commit != nil {
		if _, mine := at[m.commit.Shard]; !mine || !same {
			m.commit, m.deliver = nil, nil
		} else {
			m.commit.Generation = m.generation
		}
	}
}

func (m *member) polled(in q.Poll, op *history.Op) {
	switch out := op.Out.(type) {
	case q.Records:
		if n := len(out.Records); n > 0 {
			m.at[in.Shard] = out.Records[n-1].Seq
			m.commit = &q.Commit{Home: in.Home, Group: m.group, Member: m.name, Generation: m.generation, Shard: in.Shard, Seq: m.at[in.Shard]}
			if m.group == sinkGroup {
				m.deliver = nil
				for _, r := range out.Records {
					m.deliver = append(m.deliver, name(r.Producer, r.Number))
				}
			}
		} else if out.Sealed && in.After >= out.End { // the shard is done with
			m.commit = &q.Commit{Home: in.Home, Group: m.group, Member: m.name, Generation: m.generation, Shard: in.Shard, Seq: out.End}
			m.age = joinEvery
		}
	case q.Gone:
		m.at[in.Shard] = out.First - min(out.First, 1)
	case q.Refused:
		m.joined = false
	}
}

func (m *member) committed(op *history.Op) {
	switch op.Out.(type) {
	case q.Committed:
		m.commit = nil
	case q.Refused:
		m.joined, m.commit, m.deliver = false, nil, nil
	}
}

// drain draws the next request in the end: each consumer goes on until all that its keyspace holds is committed in both
// groups, or it has asked for long enough. The last of a region then reads what the sink did.
func (k *consumer) drain(w *workload, c *labs.Client) any {
	k.asks++
	if !k.drained && (k.asks > drainMax || w.drained(c.Region)) {
		k.drained = true
		w.busy[c.Region]--
		k.last = w.busy[c.Region] == 0
	}
	if !k.drained && k.asks%10 == 1 {
		return q.Describe{Home: c.Region}
	}
	switch {
	case !k.drained:
		k.turn++
		for range k.members {
			if body := k.members[k.turn%2].next(c, 100); body != nil {
				return body
			}
			k.turn++
		}
		return q.Describe{Home: c.Region} // neither has anything to read yet
	case k.last && !k.counted:
		return q.Effects{Home: c.Region, After: k.after, Max: effectMax}
	}
	return nil
}

// drained says that all of a region's own keyspace is committed in both groups, as it was last described in the end.
func (w *workload) drained(region string) bool {
	shards, known := w.said[view{region, region}]
	if !known {
		return false
	}
	for _, s := range shards {
		for _, group := range []string{plainGroup, sinkGroup} {
			if cursorOf(s, group) < s.End {
				return false
			}
		}
	}
	return true
}

// cursorOf returns how far a group has dealt with a shard, as that is described.
func cursorOf(s q.State, group string) uint64 {
	for _, c := range s.Cursors {
		if c.Group == group {
			return c.Seq
		}
	}
	return 0
}
