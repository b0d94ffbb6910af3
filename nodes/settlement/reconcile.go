package settlement

import (
	"maps"
	"slices"
	"strings"

	"faultlab/nodes"
)

// What two shards owe each other lies on two accounts, @due of the one with the other and the reverse; a payment that
// is posted everywhere has put an item on both, of opposite amounts. An item whose payment has ended everywhere, and
// which the other shard has not, is a break. It is taken back by a compensating entry against @suspense.

// plant books an item on one side only.
func (m *machine) plant(env nodes.Env, c *command) {
	if !m.planted[c.Item] {
		m.planted[c.Item] = true
		m.write(env, Entry{Kind: KindPlanted, Item: c.Item, Legs: m.against(c.From, c.Amount)})
	}
	m.lead.plantDone(env, c.Item)
}

// correct takes an item back.
func (m *machine) correct(env nodes.Env, c *command) {
	if _, open := m.items[c.Item]; open {
		delete(m.items, c.Item)
		if m.bug != reconcileRewrites {
			m.write(env, Entry{Kind: KindCorrected, Item: c.Item, Legs: m.against(c.From, -c.Amount)})
		}
		env.Reached("settlement: a break was corrected")
	}
	m.lead.plantDone(env, c.Item)
}

func (m *machine) against(account string, amount int64) []Leg {
	return []Leg{{account, amount}, {m.Name + "/@suspense/" + CurrencyOf(account), -amount}}
}

func (l *leader) plantAsked(env nodes.Env, a asker, c *command) {
	l.planting[c.Item] = append(l.planting[c.Item], a)
	l.propose(env, c)
}

func (l *leader) plantDone(env nodes.Env, item string) {
	if l == nil {
		return
	}
	for _, a := range l.planting[item] {
		l.answer(env, a, Answer{Done: &Done{}})
	}
	delete(l.planting, item)
}

// match notes that items are on both sides.
func (m *machine) match(items []string) {
	for _, name := range items {
		if b, there := m.items[name]; there && !b.Matched {
			b.Matched = true
			m.items[name] = b
			m.later(m.now+int64(Retention), 'i', name)
		}
	}
}

func (m *machine) allItems() *Items {
	items := &Items{}
	for _, name := range slices.Sorted(maps.Keys(m.items)) {
		items.All = append(items.All, m.items[name])
	}
	for _, p := range m.unfinished() {
		items.Live = append(items.Live, p.ID)
	}
	return items
}

// A reconciler is one node's run of a reconciliation, for a client. All its steps can be done again. Shards are asked
// three times, each time all of them after the last answer of the time before: an item of the first look whose payment
// is not live at the second has been posted everywhere before the third, so the other side shows it there.
type reconciler struct {
	client nodes.ID
	looks  []map[string]*Items // by shard
	breaks []Break
	left   int // corrections that are not yet confirmed
	ticks  int
}

// reconcile begins one.
func (n *node) reconcile(env nodes.Env, client nodes.ID) {
	r := &reconciler{client: client}
	n.reconcilers = append(n.reconcilers, r)
	n.look(env, r)
}

// look asks every shard what is on its accounts with others.
func (n *node) look(env nodes.Env, r *reconciler) {
	look := map[string]*Items{}
	r.looks = append(r.looks, look)
	for _, s := range n.layout.Shards {
		n.pass(env, &request{forward: Forward{Shard: s.Name, Items: &AskItems{}}, then: func(env nodes.Env, a Answer) {
			if look[s.Name] = a.Items; len(look) < len(n.layout.Shards) {
				return
			}
			if len(r.looks) < 3 {
				n.look(env, r)
			} else {
				n.compare(env, r)
			}
		}})
	}
}

// compare finds the breaks, and corrects them.
func (n *node) compare(env nodes.Env, r *reconciler) {
	live := map[string]bool{}
	there := map[string]bool{} // what is on the accounts at last
	name := func(shard, with, item string) string { return shard + " " + with + " " + item }
	for _, s := range n.layout.Shards {
		for _, id := range r.looks[1][s.Name].Live {
			live[id] = true
		}
		for _, b := range r.looks[2][s.Name].All {
			there[name(s.Name, b.with(), b.Item)] = true
		}
	}
	for _, s := range n.layout.Shards {
		var matched []string
		for _, b := range r.looks[0][s.Name].All {
			switch {
			case there[name(b.with(), s.Name, b.Item)]:
				if !b.Matched {
					matched = append(matched, b.Item)
				}
			case !live[b.Item] && !b.Matched && there[name(s.Name, b.with(), b.Item)]: // else another run has dealt with it
				r.breaks = append(r.breaks, b)
			}
		}
		if matched != nil {
			n.pass(env, &request{forward: Forward{Shard: s.Name, Match: &Matched{matched}}})
		}
	}
	slices.SortFunc(r.breaks, func(a, b Break) int { return strings.Compare(a.Item, b.Item) })
	r.left = len(r.breaks)
	for _, b := range r.breaks {
		env.Reached("settlement: a break was found")
		n.pass(env, &request{forward: Forward{Shard: b.Shard, Correct: &CorrectBreak{b}}, then: func(env nodes.Env, _ Answer) {
			if r.left--; r.left == 0 {
				n.reconciled(env, r)
			}
		}})
	}
	if r.left == 0 {
		n.reconciled(env, r)
	}
}

// with returns the shard that a break is with.
func (b *Break) with() string { return strings.TrimPrefix(HolderOf(b.Account), "@due.") }

func (n *node) reconciled(env nodes.Env, r *reconciler) {
	n.endReconcile(r)
	env.Send(r.client, Reconciled{r.breaks})
}

func (n *node) endReconcile(r *reconciler) {
	n.reconcilers = slices.DeleteFunc(n.reconcilers, func(o *reconciler) bool { return o == r })
}

// reconcileTick gives up on what takes too long.
func (n *node) reconcileTick(env nodes.Env) {
	for _, r := range slices.Clone(n.reconcilers) {
		if r.ticks++; r.ticks > giveUpTicks {
			n.endReconcile(r)
			env.Send(r.client, NotYet{"a shard did not answer in time"})
		}
	}
}
