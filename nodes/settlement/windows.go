package settlement

import (
	"slices"
	"strings"

	"faultlab/nodes"
)

// close ends this shard's part of a window, and opens the next. What is prepared and not yet posted rolls over.
func (m *machine) close(env nodes.Env, c *command) {
	if c.Window == m.window {
		m.write(env, Entry{Kind: KindClosed, Region: m.Region, Size: m.window, Nets: m.nets})
		m.closed[m.window] = m.nets
		m.nets = nil
		m.window++
		m.opened = m.now
		env.Reached("settlement: a shard closed a window")
		if len(m.parts) > 0 {
			env.Reached("settlement: payments rolled over to the next window")
		}
	}
	if c.Window < m.window {
		m.lead.shardClosed(env, c.Window)
	}
}

// settle ends a window of the region, in its first shard: what it came to is moved from @settle to @net. It is done once.
func (m *machine) settle(env nodes.Env, c *command) {
	if _, done := m.settled[c.Window]; done && (m.bug != batchRerun || m.orders[c.Item]) {
		m.lead.windowSettled(env, c.Window)
		return
	}
	e := Entry{Kind: KindSettled, Region: c.Region, Size: c.Window, Nets: c.Nets}
	for _, n := range c.Nets {
		if net := n.In - n.Out; net != 0 {
			e.Legs = append(e.Legs, Leg{m.Name + "/@settle/" + n.Currency, -net}, Leg{m.Name + "/@net/" + n.Currency, net})
		}
	}
	m.settled[c.Window] = settled{c.Nets, m.write(env, e)}
	if m.bug == batchRerun {
		m.orders[c.Item] = true
	}
	m.lead.windowSettled(env, c.Window)
}

// add puts nets of several shards together.
func add(a, b []Net) []Net {
	sum := slices.Clone(a)
	for _, n := range b {
		i, found := slices.BinarySearchFunc(sum, n.Currency, func(n Net, c string) int { return strings.Compare(n.Currency, c) })
		if !found {
			sum = slices.Insert(sum, i, n)
			continue
		}
		sum[i].Count += n.Count
		sum[i].Out += n.Out
		sum[i].In += n.In
	}
	return sum
}

// A closer is a window that a region's scheduler is closing. It lives with the leader of the region's first shard; the
// next one begins again with what the shards then say.
type closer struct {
	window  uint64
	nets    map[string][]Net // by shard that has closed
	ticks   int
	settled bool // proposed
	asked   []asker
}

// closeWindow begins to close a window, or joins who waits for it.
func (l *leader) closeWindow(env nodes.Env, a asker, c CloseWindow) {
	if c.Window == 0 {
		c.Window = l.window
	}
	switch s, done := l.settled[c.Window]; {
	case l.layout.Of(l.Region)[0].Name != l.Name || c.Region != l.Region:
		l.answer(env, a, Answer{Refused: &Refused{Why: "no window of that region"}})
	case done:
		l.answer(env, a, Answer{Closed: &WindowClosed{l.Region, c.Window, s.Nets, s.Order}})
	case c.Window > l.window:
		l.answer(env, a, Answer{NotYet: &NotYet{"the window is not open yet"}})
	default:
		closing := l.beginClose(env, c.Window)
		closing.asked = append(closing.asked, a)
		if l.bug == windowCloseAsync {
			l.answer(env, a, Answer{Closed: &WindowClosed{Region: l.Region, Window: c.Window}})
		}
	}
}

func (l *leader) beginClose(env nodes.Env, window uint64) *closer {
	for _, c := range l.closers {
		if c.window == window {
			return c
		}
	}
	c := &closer{window: window, nets: map[string][]Net{}}
	l.closers = append(l.closers, c)
	l.askShards(env, c)
	return c
}

// askShards asks each shard of the region that has not closed its part.
func (l *leader) askShards(env nodes.Env, c *closer) {
	c.ticks = 0
	for _, s := range l.layout.Of(l.Region) {
		switch _, has := c.nets[s.Name]; {
		case has:
		case s.Name != l.Name:
			env.Send(l.n.leaderOf(s.Name), CloseShard{Shard: s.Name, From: l.Name, Region: l.Region, Window: c.window})
		default:
			l.askClose(env, c.window)
		}
	}
}

// askClose puts the wish of the scheduler in the log.
func (l *leader) askClose(env nodes.Env, window uint64) {
	l.propose(env, &command{Do: closing, Region: l.Region, Window: window})
}

// shardClosed tells the scheduler that this shard posts into a window no more.
func (l *leader) shardClosed(env nodes.Env, window uint64) {
	if l == nil {
		return
	}
	first := l.layout.Of(l.Region)[0].Name
	s := ShardClosed{Shard: first, Part: l.Name, Region: l.Region, Window: window, Nets: l.closed[window]}
	if first == l.Name {
		l.partClosed(env, s)
		return
	}
	env.Send(l.n.leaderOf(first), s)
}

// partClosed counts the shards that have closed; the last one lets the window be settled.
func (l *leader) partClosed(env nodes.Env, s ShardClosed) {
	for _, c := range l.closers {
		if c.window != s.Window {
			continue
		}
		c.nets[s.Part] = s.Nets
		if shards := l.layout.Of(l.Region); len(c.nets) == len(shards) && !c.settled {
			c.settled = true
			l.settleNow(env, c)
		}
	}
}

func (l *leader) settleNow(env nodes.Env, c *closer) {
	var sum []Net
	for _, s := range l.layout.Of(l.Region) {
		sum = add(sum, c.nets[s.Name])
	}
	order := &command{Do: settle, Region: l.Region, Window: c.window, Nets: sum}
	if l.bug == batchRerun {
		order.Item = string(env.ID()) + env.Now().String()
	}
	l.propose(env, order)
}

// windowSettled answers those who wait for a window.
func (l *leader) windowSettled(env nodes.Env, window uint64) {
	if l == nil {
		return
	}
	l.closers = slices.DeleteFunc(l.closers, func(c *closer) bool {
		if c.window != window {
			return false
		}
		s := l.settled[window]
		for _, a := range c.asked {
			l.answer(env, a, Answer{Closed: &WindowClosed{l.Region, window, s.Nets, s.Order}})
		}
		return true
	})
}

// windowsTick asks again, and closes windows that have been open for long enough.
func (l *leader) windowsTick(env nodes.Env) {
	for _, c := range l.closers {
		if c.ticks++; c.ticks >= resendTicks {
			env.Reached("settlement: a scheduler asked a shard again")
			l.askShards(env, c)
			if c.settled {
				l.settleNow(env, c)
			}
		}
	}
}

// resumeWindows takes over what a former scheduler has left unfinished.
func (l *leader) resumeWindows(env nodes.Env) {
	if l.layout.Of(l.Region)[0].Name != l.Name {
		return
	}
	for w := uint64(1); w < l.window; w++ {
		if _, done := l.settled[w]; !done || l.bug == batchRerun {
			env.Reached("settlement: a scheduler took over a window")
			l.beginClose(env, w)
		}
	}
}

// windowDue begins to close the open window if it has been open for long enough.
func (l *leader) windowDue(env nodes.Env) {
	if l != nil && l.now-l.opened > int64(WindowLength) && l.layout.Of(l.Region)[0].Name == l.Name {
		l.beginClose(env, l.window)
	}
}
