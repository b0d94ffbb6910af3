package queue

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"time"

	"faultlab/checker/history"
	"faultlab/labs"
	"faultlab/nodes"
	q "faultlab/nodes/queue"
)

const (
	keys      = 24  // of a keyspace
	batchMax  = 12  // values in one send
	burst     = 60  // sends in a row that a burst puts on one key
	pollMax   = 100 // records
	readMax   = 256
	effectMax = 500
	finishMax = 3000 // requests of a reader in the end: some ten seconds, if it goes on asking whether a copy is whole
)

// The two groups of consumers that every keyspace has.
const (
	plainGroup = "plain"
	sinkGroup  = "sink" // its members hand what they read to the idempotent sink before they commit
)

// A workload is what the clients ask for. In each region the clients take turns at being producers, who also read
// mirrors, and consumers, who are members of both groups of their region's keyspace.
type workload struct {
	topology nodes.Topology
	resends  bool // in this run a tail is sent again

	producers map[nodes.ID]*producer
	readers   map[nodes.ID]*reader
	consumers map[nodes.ID]*consumer
	gateways  map[nodes.ID]nodes.ID // the member that answered a client last

	shards map[view][]q.State   // as last described
	busy   map[string]int       // consumers of a region that are not done with draining
	agreed map[string][]q.State // by keyspace, in the final phase: what the region that serves it has
	said   map[view][]q.State   // and what each region says of it
}

// A view is a keyspace as a region has it.
type view struct{ region, home string }

type progress struct {
	group string
	shard q.Shard
}

func newWorkload(t nodes.Topology, r *rand.Rand) labs.Workload {
	return &workload{
		topology: t, resends: r.IntN(2) == 0,
		producers: map[nodes.ID]*producer{}, readers: map[nodes.ID]*reader{}, consumers: map[nodes.ID]*consumer{}, gateways: map[nodes.ID]nodes.ID{},
		shards: map[view][]q.State{}, busy: map[string]int{}, agreed: map[string][]q.State{}, said: map[view][]q.State{},
	}
}

// rank is the place of a client among those of its region, from 0; they are dealt to the regions in turn.
func (w *workload) rank(c *labs.Client) int {
	n, _ := strconv.Atoi(string(c.ID[1:])) // clients are c1, c2 and so on
	return (n - 1) / len(w.topology.Regions())
}

// Next draws the next request of a client.
func (w *workload) Next(c *labs.Client, phase history.Phase) (labs.Request, bool) {
	var body any
	switch rank := w.rank(c); {
	case rank%2 == 1 && phase == history.Final:
		body = w.consumer(c).drain(w, c)
	case rank%2 == 1:
		body = w.consumer(c).next(w, c)
	case phase == history.Final:
		body = w.reader(c).finish(w, c, rank)
	case c.Rand.IntN(1000) < 160:
		body = w.reader(c).next(w, c, rank)
	default:
		body = w.producer(c).next(w, c)
	}
	if body == nil {
		return labs.Request{}, false
	}
	return w.request(c, body), true
}

// request addresses a request to the gateways of the client's region: the one that answered last, at first the nearest,
// then the others.
func (w *workload) request(c *labs.Client, body any) labs.Request {
	members := w.topology.In(c.Region)
	first := slices.IndexFunc(members, func(id nodes.ID) bool {
		if last := w.gateways[c.ID]; last != "" {
			return id == last
		}
		m, _ := w.topology.Member(id)
		return m.Zone == c.Zone
	})
	return labs.Request{
		Body: body, To: slices.Concat(members[max(first, 0):], members[:max(first, 0)]),
		Wait: 450 * time.Millisecond, Deadline: time.Second,
	}
}

// Done learns what became of a request.
func (w *workload) Done(c *labs.Client, op *history.Op) {
	if op.Out != nil {
		w.gateways[c.ID] = nodes.ID(op.Node)
	}
	if d, ok := op.Out.(q.Described); ok {
		w.described(d, op)
	}
	switch in := op.In.(type) {
	case q.Send:
		w.producer(c).done(c, in, op)
	case q.Join, q.Leave, q.Poll, q.Commit, q.Deliver:
		w.consumer(c).done(w, c, op)
	case q.Read, q.Describe, q.Report, q.Resend, q.Reconcile, q.Effects:
		if w.rank(c)%2 == 0 {
			w.reader(c).done(w, c, op)
		} else {
			w.consumer(c).done(w, c, op)
		}
	}
}

// described notes what a region says of a keyspace.
func (w *workload) described(d q.Described, op *history.Op) {
	v := view{op.Region, op.In.(q.Describe).Home}
	w.shards[v] = d.Shards
	if op.Phase == history.Final {
		w.said[v] = d.Shards
		if d.Served == op.Region {
			w.agreed[v.home] = d.Shards
		}
	}
}

func (w *workload) producer(c *labs.Client) *producer {
	p := w.producers[c.ID]
	if p == nil {
		p = &producer{name: string(c.ID)}
		w.producers[c.ID] = p
	}
	return p
}

func (w *workload) reader(c *labs.Client) *reader {
	r := w.readers[c.ID]
	if r == nil {
		r = &reader{at: map[q.Shard]uint64{}}
		w.readers[c.ID] = r
	}
	return r
}

func (w *workload) consumer(c *labs.Client) *consumer {
	k := w.consumers[c.ID]
	if k == nil {
		k = &consumer{members: [2]*member{newMember(c, plainGroup, 0), newMember(c, sinkGroup, 0)}}
		w.consumers[c.ID] = k
		w.busy[c.Region]++
	}
	return k
}

// A producer sends values under its own name, numbered from 1. What it hears nothing of it asks again, under the same
// numbers, now or later.
type producer struct {
	name   string
	number uint64  // the last that it gave away
	crowd  int     // sends left of a burst
	hot    string  // on this key
	owed   *q.Send // unanswered, to be asked again at once
	tries  int
	late   *q.Send // unanswered, or a number left out: to be asked after a later number, when it is refused, unless it landed
}

func (p *producer) next(w *workload, c *labs.Client) any {
	r := c.Rand
	if p.owed != nil {
		p.tries++
		switch n := r.IntN(10); {
		case p.tries > 4 || n == 0: // what is left for later is asked once more then
			p.late, p.owed = p.owed, nil
		case n == 1: // it crashed, and who comes back for it has another name
			*p = producer{name: fmt.Sprintf("%s-%d", c.ID, c.Number)}
		default:
			return *p.owed
		}
	}
	if p.late != nil && p.late.Number < p.number && r.IntN(3) == 0 {
		s := *p.late
		p.late = nil
		return s
	}
	s := q.Send{Home: c.Region, Producer: p.name, Number: p.number + 1}
	away := r.IntN(7) == 0 // in a burst too
	if away {
		s.Home = w.other(c)
	}
	s.Key = key(s.Home, r.IntN(keys))
	n := 1
	switch k := r.IntN(10); {
	case p.crowd > 0 && !away:
		p.crowd--
		s.Home, s.Key = c.Region, p.hot
		n = batchMax/2 + r.IntN(batchMax/2)
	case s.Home == c.Region && r.IntN(1000) == 0:
		p.crowd, p.hot = burst, s.Key
	case r.IntN(4) == 0:
		s.Key = key(s.Home, 0)
	case k == 0:
		n = 2 + r.IntN(batchMax-2)
	case k < 3:
		n = 2 + r.IntN(3)
	}
	if p.late == nil && r.IntN(150) == 0 { // a number is left out, and sent when its time is over
		p.late = &q.Send{Home: s.Home, Key: s.Key, Producer: p.name, Number: s.Number, Values: []string{"late"}}
		s.Number++
	}
	for range n {
		s.Values = append(s.Values, payload(r))
	}
	p.number = s.Number + uint64(n) - 1
	return s
}

func (p *producer) done(c *labs.Client, s q.Send, op *history.Op) {
	switch {
	case s.Producer != p.name:
	case op.Outcome == history.Unknown && s.Number+uint64(len(s.Values)) > p.number: // the last one
		if p.owed == nil || p.owed.Number != s.Number {
			p.owed, p.tries = &s, 0
		}
	case p.owed != nil && p.owed.Number == s.Number:
		p.owed = nil
	}
}

func key(home string, n int) string { return fmt.Sprintf("%s/k%d", home, n) }

// payload draws a value: mostly short, some of them awkward.
func payload(r *rand.Rand) string {
	switch n := r.IntN(1000); {
	case n < 20:
		return ""
	case n < 40:
		return []string{"žluťoučký kůň", "日本語のテキスト", "\u0000\u0001\n\t\"\\", "a\u2028b", "🐎", " "}[r.IntN(6)]
	case n < 55:
		return strings.Repeat("x", 1024)
	case n < 60:
		return strings.Repeat("p", 4096)
	case n < 62:
		return strings.Repeat("pq", 4096)
	}
	return fmt.Sprintf("v%d", r.IntN(100000))
}

// A reader reads copies of the keyspaces of other regions, and asks what administrators ask.
type reader struct {
	at   map[q.Shard]uint64 // how far it has read
	turn int
	todo []any // what is left to be asked in the end
	last any   // what it asked last of that
	asks int
}

func (r *reader) next(w *workload, c *labs.Client, rank int) any {
	home := w.other(c)
	switch n := c.Rand.IntN(100); {
	case n < 10:
		return q.Describe{Home: home}
	case n < 20 && rank == 0:
		return q.Report{Home: c.Region}
	case n < 50 && rank == 0 && w.resends:
		return q.Resend{Home: c.Region}
	case n < 13 && rank == 2:
		return q.Reconcile{Home: home}
	}
	if body := r.read(w, view{c.Region, home}); body != nil {
		return body
	}
	return q.Describe{Home: home}
}

// other is a keyspace of another region.
func (w *workload) other(c *labs.Client) string {
	regions := w.topology.Regions()
	return regions[(slices.Index(regions, c.Region)+1+c.Rand.IntN(len(regions)-1))%len(regions)]
}

// read reads on in one of the shards that are known to hold more; nil if none does. While there is load those that are
// open may always hold more.
func (r *reader) read(w *workload, v view) any {
	shards := w.shards[v]
	for range shards {
		r.turn++
		s := shards[r.turn%len(shards)]
		if at := max(r.at[s.Shard], s.First-min(s.First, 1)); at < s.End || !s.Sealed {
			return q.Read{Shard: s.Shard, After: at, Max: readMax}
		}
	}
	return nil
}

// finish asks what is asked in the end: the first client of a region for reports, twice, and for descriptions until all
// regions say the same; the second producer reads mirrors to their ends.
func (r *reader) finish(w *workload, c *labs.Client, rank int) any {
	if r.asks++; r.asks > finishMax {
		return nil
	}
	if r.last != nil { // it did not succeed
		return r.last
	}
	regions := w.topology.Regions()
	if r.asks == 1 {
		for _, home := range regions {
			if rank == 0 || rank == 2 && home != c.Region {
				r.todo = append(r.todo, q.Describe{Home: home})
			}
		}
		if rank == 0 {
			for _, home := range regions {
				r.todo = append(r.todo, q.Report{Home: home}, q.Report{Home: home})
			}
		}
	}
	if len(r.todo) > 0 {
		r.last, r.todo = r.todo[0], r.todo[1:]
		return r.last
	}
	switch rank {
	case 0:
		for range regions { // in turn, since one may take its time
			r.turn++
			if home := regions[r.turn%len(regions)]; !w.alike(home, c.Region) {
				r.last = q.Describe{Home: home}
				return r.last
			}
		}
	case 2:
		for _, home := range regions {
			if v := (view{c.Region, home}); home != c.Region {
				if s := r.unread(w.shards[v]); s != nil {
					return *s
				}
			}
		}
	}
	return nil
}

// unread reads on in a shard that is not read to the end that it was last said to have.
func (r *reader) unread(shards []q.State) *q.Read {
	for _, s := range shards {
		if at := max(r.at[s.Shard], s.First-min(s.First, 1)); at < s.End {
			return &q.Read{Shard: s.Shard, After: at, Max: readMax}
		}
	}
	return nil
}

// alike says that a region has the same of a keyspace as the region that serves it, or that this is not known yet and
// is for others to find out.
func (w *workload) alike(home, region string) bool {
	want, known := w.agreed[home]
	if !known {
		return false
	}
	have := w.said[view{region, home}]
	return slices.EqualFunc(have, want, func(a, b q.State) bool { return a.Shard == b.Shard && a.End == b.End && a.Sum == b.Sum })
}

func (r *reader) done(w *workload, c *labs.Client, op *history.Op) {
	if op.Outcome == history.OK {
		r.last = nil
	}
	in, ok := op.In.(q.Read)
	if !ok {
		return
	}
	switch out := op.Out.(type) {
	case q.Records:
		if n := len(out.Records); n > 0 {
			r.at[in.Shard] = out.Records[n-1].Seq
		} else if op.Phase == history.Final && in.After >= out.End { // it has less than it said, which is for checkers to see
			r.at[in.Shard] = max(r.at[in.Shard], in.After)
		}
	case q.Gone:
		r.at[in.Shard] = out.First - min(out.First, 1)
	}
}
