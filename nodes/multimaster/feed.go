package multimaster

import (
	"slices"
	"sort"

	"faultlab/nodes"
)

// How analytics replicas learn what was committed, and where one cut goes through all logs.
//
// Every version of a key has a mark. A range has a mark too, which an entry of its log raises when a replica asks for it:
// a transaction in that range alone gets the next one. A part that is prepared votes with the mark of its range, and the
// transaction gets one above the highest of its votes; a range in which it commits does not stay further behind than
// that. So what depends on a transaction never has a lower mark (Lamport, CACM 1978), a transaction has one mark in all
// its ranges, and those up to any number are a committed prefix: whoever reads at that number sees the same, wherever it
// is. No clock and no region waits for another in this; marks only order.
//
// A range is closed at a number once nothing that it will ever do gets that mark or a lower one.

// keptChanges is how many changes a range can tell a replica that lags; one that lags further gets all there is.
const keptChanges = 1024

// A Change is a version of a key.
type Change struct {
	Key  string  `json:"key"`
	Mark uint64  `json:"mark"`
	N    uint64  `json:"n"` // how often the key was written, up to this version
	List []int64 `json:"list,omitempty"`
	Int  int64   `json:"int,omitempty"`
}

// Pull asks a member of the group of a range for what was committed since the entry After of the log of Group, and that
// the range raise its mark to Want.
type Pull struct {
	Range string `json:"range"`
	Group string `json:"group,omitempty"`
	After uint64 `json:"after,omitempty"`
	Want  uint64 `json:"want"`
}

// Pulled answers Pull: at the entry Index of the log of Group, the range was the keys From up to To, and closed at
// Closed. Changes are all those since After, or, if it is Whole, the last version of each key.
type Pulled struct {
	Range   string   `json:"range"`
	Epoch   uint64   `json:"epoch"`
	Group   string   `json:"group"`
	From    string   `json:"from"`
	To      string   `json:"to"`
	Index   uint64   `json:"index"`
	After   uint64   `json:"after"`
	Mark    uint64   `json:"mark"`
	Closed  uint64   `json:"closed"`
	Whole   bool     `json:"whole,omitempty"`
	Changes []Change `json:"changes,omitempty"`
	Places  []Place  `json:"places,omitempty"` // what was split off it
	Leader  nodes.ID `json:"leader,omitempty"`
}

// A feed is the last changes of a range, as this member applied them; those after the entry since are all there.
type feed struct {
	since   uint64
	changes []Change
	at      []uint64 // their entries
}

func (f *feed) add(index uint64, c Change) {
	if len(f.changes) == 2*keptChanges {
		f.since = f.at[keptChanges-1]
		f.changes = slices.Clone(f.changes[keptChanges:])
		f.at = slices.Clone(f.at[keptChanges:])
	}
	f.changes, f.at = append(f.changes, c), append(f.at, index)
}

// after returns the changes after an entry; ok is false if some of them are forgotten.
func (f *feed) after(index uint64) (list []Change, ok bool) {
	if index < f.since {
		return nil, false
	}
	return f.changes[sort.Search(len(f.at), func(i int) bool { return f.at[i] > index }):], true
}

// closed is the highest mark that nothing will get any more.
func (m *machine) closed() uint64 {
	closed := m.mark
	if m.bug == closesOverPrepared {
		return closed
	}
	for _, p := range m.prepared {
		closed = min(closed, p.Mark)
	}
	return closed
}

// raise raises the mark of the range.
func (m *machine) raise(mark uint64) { m.mark = max(m.mark, mark) }

// onPull answers a replica, with what was committed here, whoever leads; and has the mark raised if that is this node.
// What a deposed leader or a former owner says remains true: it speaks of a prefix of a log.
func (n *node) onPull(env nodes.Env, from nodes.ID, p Pull) {
	m := n.where[p.Range]
	if m == nil || m.stage == gone {
		if m != nil {
			env.Send(from, Moved{Places: m.elsewhere()})
		} else {
			n.member(env, from, p.Range, 0)
		}
		return
	}
	if m.lead != nil && m.mark < p.Want && m.lead.raising < p.Want {
		m.lead.raising = p.Want
		m.propose(env, &command{Kind: raise, Mark: p.Want})
	}
	a := Pulled{
		Range: m.name, Group: m.group.Name, From: m.from, To: m.to, Index: m.group.index, Mark: m.mark, Closed: m.closed(),
		Epoch: m.epoch, Places: m.children, Leader: m.group.log.Leader(),
	}
	if m.stage == sealed {
		a.Epoch-- // the next owner knows more under that one
	}
	changes, ok := m.feed.after(p.After)
	if p.Group == a.Group && ok {
		a.After, a.Changes = p.After, slices.Clone(changes)
	} else {
		a.Whole = true
		for _, c := range m.save().Cells {
			a.Changes = append(a.Changes, Change{c.Key, c.Mark, c.N, c.List, c.Value})
		}
	}
	env.Send(from, a)
}
