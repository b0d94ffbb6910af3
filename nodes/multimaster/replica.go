package multimaster

import (
	"slices"
	"strings"
	"time"

	"faultlab/nodes"
)

// An analytics replica has a copy of all ranges, which it asks them for now and then, so no transaction waits for it. Its
// watermark is the highest number at which all ranges are closed and all their versions are here: each query is answered
// as of one watermark, over all ranges. One node of each region is one.
type replica struct {
	mark    uint64          // the watermark: 0 until all is here
	keys    []string        // sorted
	has     map[string]*row // by key
	copies  map[string]*held
	order   []string // names of the ranges in copies, sorted
	waiting []query  // those that ask for more than the watermark
}

// A row is the versions of a key from the last one at or before the watermark on.
type row struct{ versions []Change }

// A held is how far a range has been copied.
type held struct {
	epoch    uint64
	group    string
	from, to string
	index    uint64
	mark     uint64
	closed   uint64
	whole    uint64 // below this mark versions are missing, since all was taken over at once
	quiet    int    // pulls in a row without an answer
}

type query struct {
	from nodes.ID
	body any
	left int // pulls until it is dropped
}

const (
	pullEvery  = 250 * time.Millisecond
	pulling    = "pull" // the timer
	queryPulls = 5      // a query waits so long; then its client has given up
)

// A Span is the keys from From up to To.
type Span struct {
	From string `json:"from"`
	To   string `json:"to"`
}

// Scan asks an analytics replica for the first Limit keys of a span that hold something, and of each of some more spans, all
// as of one watermark, which is not below After: what a session has seen, it does not go behind.
type Scan struct {
	Spans []Span `json:"spans"`
	Limit int    `json:"limit"`
	After uint64 `json:"after,omitempty"`
}

// Scanned answers Scan: for each span its rows, in the order of keys. There are more if Limit were returned.
type Scanned struct {
	Watermark uint64  `json:"watermark"`
	Pages     [][]Row `json:"pages"`
}

// A Row is what a key holds.
type Row struct {
	Key  string  `json:"key"`
	List []int64 `json:"list,omitempty"`
	Int  int64   `json:"int,omitempty"`
}

// Aggregate asks an analytics replica how many keys of some spans hold something, and what their integers come to.
type Aggregate struct {
	Spans []Span `json:"spans"`
	After uint64 `json:"after,omitempty"`
}

// Aggregated answers Aggregate.
type Aggregated struct {
	Watermark uint64 `json:"watermark"`
	Count     int    `json:"count"`
	Sum       int64  `json:"sum"`
}

// startReplica makes a replica of the last node of each region.
func (n *node) startReplica(env nodes.Env) {
	me, _ := env.Topology().Member(env.ID())
	members := env.Topology().In(me.Region)
	if members[len(members)-1] != env.ID() {
		return
	}
	n.replica = &replica{has: map[string]*row{}, copies: map[string]*held{}}
	env.After(pullEvery, pulling)
}

// pull asks every range that is known.
func (n *node) pull(env nodes.Env) {
	r := n.replica
	env.After(pullEvery, pulling)
	want := r.mark + 1
	for _, name := range r.order {
		want = max(want, r.copies[name].mark, r.copies[name].whole)
	}
	for _, rng := range n.layout.Ranges {
		c := r.copies[rng.Name]
		if c == nil {
			c = &held{}
			r.copies[rng.Name] = c
			i, _ := slices.BinarySearch(r.order, rng.Name)
			r.order = slices.Insert(r.order, i, rng.Name)
		}
		if c.quiet++; c.quiet > 2 {
			n.rotate(rng.Name)
		}
		p := Pull{Range: rng.Name, Group: c.group, After: c.index, Want: want}
		env.Send(n.leaderOf(rng.Name), p)
	}
	for i := range r.waiting {
		r.waiting[i].left--
	}
	r.waiting = slices.DeleteFunc(r.waiting, func(q query) bool { return q.left < 0 })
}

// onPulled takes in what a range says of itself.
func (n *node) onPulled(env nodes.Env, p Pulled) {
	r := n.replica
	if r == nil {
		return
	}
	c := r.copies[p.Range]
	if c == nil {
		return
	}
	c.quiet = 0
	n.learn(p.Places)
	if own := n.layout.Range(p.Range); p.Leader != "" && own != nil && own.Group == p.Group {
		n.hints[p.Range] = p.Leader
	}
	switch same := p.Group == c.group; {
	case p.Epoch < c.epoch, same && p.Index <= c.index, !p.Whole && (!same || p.After > c.index):
		return // an answer to an earlier question, or nothing new
	case p.Whole:
		for _, v := range p.Changes {
			c.whole = max(c.whole, v.Mark)
		}
	}
	c.epoch, c.group, c.from, c.to, c.index, c.mark, c.closed = p.Epoch, p.Group, p.From, p.To, p.Index, p.Mark, max(c.closed, p.Closed)
	for _, v := range p.Changes {
		r.put(v)
	}
	n.advance(env)
}

// put adds a version of a key, unless it is known; the last one of a mark is the one that counts.
func (r *replica) put(v Change) {
	at := r.has[v.Key]
	if at == nil {
		at = &row{}
		r.has[v.Key] = at
		i, _ := slices.BinarySearch(r.keys, v.Key)
		r.keys = slices.Insert(r.keys, i, v.Key)
	}
	if n := len(at.versions); n > 0 {
		switch last := at.versions[n-1]; {
		case v.N <= last.N:
			return
		case v.Mark == last.Mark:
			at.versions = at.versions[:n-1]
		}
	}
	at.versions = append(at.versions, v)
	for len(at.versions) > 1 && at.versions[1].Mark <= r.mark {
		at.versions = at.versions[1:]
	}
}

// advance raises the watermark as far as all ranges allow, if together they hold all keys, and answers who waited.
func (n *node) advance(env nodes.Env) {
	r := n.replica
	var spans []*held
	for _, name := range r.order {
		if c := r.copies[name]; c.group != "" {
			spans = append(spans, c)
		}
	}
	slices.SortFunc(spans, func(a, b *held) int { return strings.Compare(a.from, b.from) })
	end, closed, whole, all := "", ^uint64(0), uint64(0), false
	for _, c := range spans {
		if all || c.from != end {
			return // something was split off that is not here yet
		}
		end, closed, whole = c.to, min(closed, c.closed), max(whole, c.whole)
		all = c.to == ""
	}
	if !all || closed <= r.mark || closed < whole {
		return
	}
	r.mark = closed
	waiting := r.waiting
	r.waiting = nil
	for _, q := range waiting {
		n.ask(env, q)
	}
}

// ask answers a query now or when the watermark allows.
func (n *node) ask(env nodes.Env, q query) {
	r := n.replica
	after := uint64(1)
	switch b := q.body.(type) {
	case Scan:
		after = max(after, b.After)
	case Aggregate:
		after = max(after, b.After)
	}
	switch {
	case r == nil:
		return // silence: this node has no copy
	case r.mark == 0 || r.mark < after && n.bug != forgetsSession:
		env.Reached("multi-master: a query waited for the watermark")
		r.waiting = append(r.waiting, q)
		return
	}
	switch b := q.body.(type) {
	case Scan:
		a := Scanned{Watermark: r.mark}
		for _, s := range b.Spans {
			page := []Row{}
			n.each(s, func(v Change) bool {
				page = append(page, Row{v.Key, v.List, v.Int})
				return len(page) < b.Limit
			})
			a.Pages = append(a.Pages, page)
		}
		env.Send(q.from, a)
	case Aggregate:
		a := Aggregated{Watermark: r.mark}
		for _, s := range b.Spans {
			n.each(s, func(v Change) bool {
				a.Count++
				a.Sum += v.Int
				return true
			})
		}
		env.Send(q.from, a)
	}
}

// each calls f for what the keys of a span held at the watermark, until it says no.
func (n *node) each(s Span, f func(Change) bool) {
	r := n.replica
	i, _ := slices.BinarySearch(r.keys, s.From)
	for ; i < len(r.keys) && (s.To == "" || r.keys[i] < s.To); i++ {
		versions := r.has[r.keys[i]].versions
		at := len(versions) - 1
		for at >= 0 && versions[at].Mark > r.mark && n.bug != visibleOnArrival {
			at--
		}
		if at >= 0 && !f(versions[at]) {
			return
		}
	}
}
