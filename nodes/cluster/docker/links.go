package docker

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"time"

	"faultlab/nodes"
	"faultlab/nodes/cluster/docker/holder"
	"faultlab/nodes/host"
)

// A harm is one Degrade that has not been healed.
type harm struct {
	links   []nodes.Link
	quality nodes.Quality
}

const (
	proofPatience = 5 * time.Second // for a probe to come over a healed link
	thousand      = 1000
)

// Degrade harms links until heal is called, which may be called twice. Harms to one link add up. Cuts, loss and delay
// between nodes are done to packets, so TCP feels them: a link that loses its acknowledgements carries little in the
// other direction too. Duplicates, reordering and corruption are done to frames by the node that sends, since TCP would
// hide them; what is done to links with clients, in the lab. Heal returns when traffic has passed.
func (c *Cluster) Degrade(_ context.Context, links []nodes.Link, q nodes.Quality) (heal func(context.Context) error, err error) {
	for _, perMille := range []int{q.LossPerMille, q.DuplicatePerMille, q.ReorderPerMille, q.CorruptPerMille} {
		if perMille < 0 || perMille > thousand {
			return nil, fmt.Errorf("docker: degrade: %d of a thousand", perMille)
		}
	}
	if q.Delay < 0 || q.Jitter < 0 {
		return nil, fmt.Errorf("docker: degrade: a negative delay (%s, jitter %s)", q.Delay, q.Jitter)
	}
	for _, l := range links {
		if c.index[l.From] == nil && c.index[l.To] == nil {
			return nil, fmt.Errorf("docker: degrade: no member is at either end of %s to %s", l.From, l.To)
		}
	}
	if why := c.Refuses(links, q); why != "" {
		return nil, fmt.Errorf("docker: degrade: %s", why)
	}
	h := &harm{slices.Clone(links), q}
	c.harms = append(c.harms, h)
	if err := c.harm("degrade links", nil); err != nil {
		return nil, errors.Join(err, c.mend(h))
	}
	return func(context.Context) error { return c.mend(h) }, nil
}

// Refuses says why the engine's kernel cannot do this to these links; "" if it can.
func (c *Cluster) Refuses(links []nodes.Link, q nodes.Quality) string {
	if q.Spread != nodes.Constant {
		return "containers are slowed by a constant and by jitter alone: spreads of a delay are for the simulator and for processes"
	}
	if c == nil || !slices.ContainsFunc(links, c.between) {
		return ""
	}
	if no := refuses(c.can, q); no != nil {
		return no.Error()
	}
	return ""
}

// between says whether both ends of a link are nodes.
func (c *Cluster) between(l nodes.Link) bool { return c.index[l.From] != nil && c.index[l.To] != nil }

// mend takes a harm away, and proves that traffic passes again.
func (c *Cluster) mend(h *harm) error {
	i := slices.Index(c.harms, h)
	if i >= 0 {
		c.harms = slices.Delete(c.harms, i, i+1)
	}
	return c.harm("heal links", h.links)
}

// A state is all that links are to suffer from.
type state struct {
	in     map[*member][]holder.Link
	out    map[*member][]holder.Out
	frames map[*member][]host.Harm
}

// harm makes the links what the harms come to, where that is not what they are, and then proves that traffic passes over
// the healed ones, but for those that another harm cuts.
func (c *Cluster) harm(what string, healed []nodes.Link) error {
	sum := map[nodes.Link]nodes.Quality{}
	c.clients = map[nodes.Link][]nodes.Quality{}
	var order []nodes.Link // of links between nodes, so that the same harms give the same requests
	for _, h := range c.harms {
		for _, l := range h.links {
			if !c.between(l) {
				c.clients[l] = append(c.clients[l], h.quality)
				continue
			}
			q, known := sum[l]
			if !known {
				order = append(order, l)
			}
			sum[l] = add(q, h.quality)
		}
	}
	c.letGo()
	slices.SortFunc(order, func(a, b nodes.Link) int { return compare(string(a.To+" "+a.From), string(b.To+" "+b.From)) })
	s := state{map[*member][]holder.Link{}, map[*member][]holder.Out{}, map[*member][]host.Harm{}}
	for _, l := range order {
		q, from, to := sum[l], c.index[l.From], c.index[l.To]
		// What TCP sends into a cut it sends again afterwards, all at once: a link that holds what it carries.
		in := holder.Link{From: from.pair.ip, Cut: q.Cut || q.Hold, LossPerMille: q.LossPerMille}
		if q.Delay > 0 || q.Jitter > 0 {
			if c.can.Delay == "netem" {
				s.out[from] = append(s.out[from], holder.Out{To: to.pair.ip, Delay: q.Delay, Jitter: q.Jitter})
			} else {
				in.Delay, in.Jitter = q.Delay, q.Jitter
			}
		}
		if in != (holder.Link{From: in.From}) {
			s.in[to] = append(s.in[to], in)
		}
		if q.DuplicatePerMille > 0 || q.ReorderPerMille > 0 || q.CorruptPerMille > 0 {
			s.frames[from] = append(s.frames[from], host.Harm{To: l.To, Quality: frames(q)})
		}
	}
	type task struct {
		m      *member
		ask    *holder.Request
		ctl    *host.Ctl
		line   *line
		paused bool
	}
	var tasks []task
	for _, m := range c.members {
		t := task{m: m, line: m.line, paused: m.paused}
		r := holder.Request{Links: ptr(nonNil(s.in[m])), Out: ptr(nonNil(s.out[m]))}
		if text, _ := json.Marshal(r); string(text) != m.told.links {
			m.told.links = "" // until it is done
			t.ask = &r
		}
		if f := nonNil(s.frames[m]); !slices.Equal(f, m.frames) || m.told.unsure {
			m.frames, m.told.unsure = f, true // until it is done
			t.ctl = &host.Ctl{Frames: f}
		}
		if t.ask != nil || t.ctl != nil {
			tasks = append(tasks, t)
		}
	}
	healed = slices.DeleteFunc(slices.Clone(healed), func(l nodes.Link) bool { return !c.between(l) || sum[l].Cut || sum[l].Hold })
	if len(tasks) == 0 && len(healed) == 0 {
		return nil
	}
	c.probes++
	number := c.probes
	done := make([]bool, len(tasks))
	err := c.slowly(what, func(ctx context.Context) error {
		indices := make([]int, len(tasks))
		for i := range indices {
			indices[i] = i
		}
		err := together(indices, func(i int) error {
			t := tasks[i]
			if t.ask != nil {
				if _, err := t.m.holder.Do(ctx, *t.ask); err != nil {
					return fmt.Errorf("the holder of %s: %w", t.m.id, err)
				}
			}
			if t.ctl != nil {
				if err := t.m.apply(ctx, t.line, t.paused, *t.ctl); err != nil {
					return err
				}
			}
			done[i] = true
			return nil
		})
		if err != nil {
			return err
		}
		return c.prove(ctx, healed, number, sum)
	})
	for i, t := range tasks {
		if done[i] && t.ask != nil {
			text, _ := json.Marshal(*t.ask)
			t.m.told.links = string(text)
		}
		if done[i] && t.ctl != nil {
			t.m.told.unsure = false
		}
	}
	return err
}

// prove sends probes over links and returns an error if one does not come.
func (c *Cluster) prove(ctx context.Context, links []nodes.Link, number uint64, sum map[nodes.Link]nodes.Quality) error {
	if len(links) == 0 {
		return nil
	}
	send, hear := map[*member][]netip.Addr{}, map[*member][]netip.Addr{}
	var senders, hearers []*member
	patience := proofPatience
	for _, l := range links {
		from, to := c.index[l.From], c.index[l.To]
		if send[from] == nil {
			senders = append(senders, from)
		}
		if hear[to] == nil {
			hearers = append(hearers, to)
		}
		send[from] = append(send[from], to.pair.ip)
		hear[to] = append(hear[to], from.pair.ip)
		patience = max(patience, proofPatience+sum[l].Delay+sum[l].Jitter)
	}
	err := together(senders, func(m *member) error {
		_, err := m.holder.Do(ctx, holder.Request{Probe: &holder.Probe{To: send[m], Number: number, For: patience}})
		return err
	})
	if err == nil {
		err = together(hearers, func(m *member) error {
			a, err := m.holder.Do(ctx, holder.Request{Heard: &holder.Expect{From: hear[m], Number: number, Wait: patience}})
			if err != nil {
				return err
			}
			for _, from := range a.Missing {
				return fmt.Errorf("nothing passes from %s to %s, though the link is healed", c.byAddr[from].id, m.id)
			}
			return nil
		})
	}
	return errors.Join(err, together(senders, func(m *member) error {
		_, err := m.holder.Do(ctx, holder.Request{Probe: &holder.Probe{}})
		return err
	}))
}

// way draws what becomes of one message on a link with clients, which both names stand for: how many copies arrive, and
// how late.
func (c *Cluster) way(all, one nodes.Link) (copies int, delay time.Duration) {
	if len(c.clients) == 0 {
		return 1, 0
	}
	copies = 1
	for _, l := range []nodes.Link{all, one} {
		for _, q := range c.clients[l] {
			if q.Cut || c.chance(q.LossPerMille) || c.chance(q.CorruptPerMille) {
				return 0, 0
			}
			if c.chance(q.DuplicatePerMille) {
				copies++
			}
			delay += q.Delay
			if q.Jitter > 0 {
				delay += time.Duration(c.draw.Int64N(int64(q.Jitter)))
			}
			if c.chance(q.ReorderPerMille) {
				delay += time.Duration(c.draw.Int64N(int64(reorderMax)))
			}
		}
	}
	return copies, delay
}

// reorderMax is how long a reordered message of a client is held back: ten times the latency inside a region.
const reorderMax = 5 * time.Millisecond

// A stuck message waits on a link with clients that holds what it carries.
type stuck struct {
	links [2]nodes.Link
	do    func()
}

func (c *Cluster) holds(links [2]nodes.Link) bool {
	for _, l := range links {
		if slices.ContainsFunc(c.clients[l], func(q nodes.Quality) bool { return q.Hold }) {
			return true
		}
	}
	return false
}

// carry does what a message on a link with clients comes to, as often and as late as the harms to it say.
func (c *Cluster) carry(all, one nodes.Link, do func()) {
	links := [2]nodes.Link{all, one}
	copies, delay := c.way(all, one)
	for range copies {
		switch {
		case len(c.clients) > 0 && c.holds(links):
			c.stuck = append(c.stuck, stuck{links, do})
		case delay > 0:
			c.Post(c.Now()+delay, do)
		default:
			do()
		}
	}
}

// letGo lets messages go on whose links hold nothing any more.
func (c *Cluster) letGo() {
	var still []stuck
	for _, s := range c.stuck {
		if c.holds(s.links) {
			still = append(still, s)
		} else {
			c.Post(c.Now(), s.do)
		}
	}
	c.stuck = still
}

func (c *Cluster) chance(perMille int) bool { return perMille > 0 && c.draw.IntN(thousand) < perMille }

// add is what two harms to one link come to: chances are taken one after another, delays are summed.
func add(a, b nodes.Quality) nodes.Quality {
	return nodes.Quality{
		Cut:               a.Cut || b.Cut,
		Hold:              a.Hold || b.Hold,
		LossPerMille:      either(a.LossPerMille, b.LossPerMille),
		DuplicatePerMille: either(a.DuplicatePerMille, b.DuplicatePerMille),
		ReorderPerMille:   either(a.ReorderPerMille, b.ReorderPerMille),
		CorruptPerMille:   either(a.CorruptPerMille, b.CorruptPerMille),
		Delay:             a.Delay + b.Delay,
		Jitter:            a.Jitter + b.Jitter,
	}
}

// either is the chance that one of two befalls, per mille and rounded.
func either(a, b int) int { return a + b - (a*b+thousand/2)/thousand }

// frames is the part of a quality that the node which sends does to its frames.
func frames(q nodes.Quality) host.Quality {
	return host.Quality{
		Quality:         nodes.Quality{DuplicatePerMille: q.DuplicatePerMille, ReorderPerMille: q.ReorderPerMille},
		CorruptPerMille: q.CorruptPerMille,
	}
}

func compare(a, b string) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return 0
}

func ptr[T any](v T) *T { return &v }

func nonNil[T any](s []T) []T {
	if s == nil {
		return []T{}
	}
	return s
}
