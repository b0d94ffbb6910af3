package queue

import "faultlab/nodes"

// A load is what a leader has seen of how much is sent to its shards. It is not replicated: a new leader counts anew.
type load map[Shard]*rate

// A rate is the sends to a shard, counted in windows. How many hot or cold ones in a row it takes to split or merge is the
// hysteresis: after a change of either kind the other takes at least that long, and the rates at which they begin are far
// apart, so that halves of a hot shard are not cold.
type rate struct {
	sends     int // in this window
	hot, cold int // windows in a row
}

func (l load) of(s Shard) *rate {
	r := l[s]
	if r == nil {
		r = &rate{}
		l[s] = r
	}
	return r
}

// splitTick repeats what other groups have not yet answered, and at the end of a window splits what is hot and merges what
// is cold.
func (l *leader) splitTick(env nodes.Env) {
	l.handOver(env)
	for _, s := range l.m.lives {
		if s.Engaged != nil {
			l.woo(env, s)
		}
	}
	if l.ticks%windowTicks > 0 {
		return
	}
	window := l.load
	l.load = load{}
	for _, s := range l.m.lives {
		r := window.of(s.Shard)
		now := l.load.of(s.Shard)
		if r.sends > hotSends {
			now.hot = r.hot + 1
		}
		if r.sends < coldSends {
			now.cold = r.cold + 1
		}
		switch {
		case s.Engaged != nil:
		case now.hot >= hotWindows && s.size() > 1 && l.liveIn(s.home) < maxLive:
			if l.offer(env, l.halves(s, s.middle())) {
				env.Reached("queue: a hot shard was split")
			}
		case now.cold >= coldWindows && s.size() < firstSize && s.to < 1<<16-1:
			l.court(env, s, true)
		}
	}
}

// liveIn returns how many live shards a keyspace has in this region, as far as this node knows.
func (l *leader) liveIn(home string) int {
	n := 0
	for _, g := range l.n.groups {
		for _, s := range g.m.lives {
			if s.home == home {
				n++
			}
		}
	}
	return n
}
