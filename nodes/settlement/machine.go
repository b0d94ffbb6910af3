package settlement

import (
	"maps"
	"slices"
	"strings"

	"faultlab/nodes"
	"faultlab/nodes/pack"
)

// A machine is the replicated state of one shard. apply is its only way to change, and what it does depends on the log
// alone: same log, same state, same entries.
type machine struct {
	*Shard
	bug    string
	layout *Layout
	ledger

	now      int64 // ledger time
	accounts map[string]*account
	payments map[string]*payment // whose home this is, by name
	keys     map[string]*payment // the same, and those refused, by client and key
	parts    map[string]*part    // prepared here, by payment
	ended    map[string]bool     // payments that were resolved here, so that a late Prepare finds them over
	used     map[string]bool     // quotes
	retiring []retiring          // what is forgotten when its time has come, in order of time

	window  uint64 // the open one
	opened  int64
	nets    []Net              // of the open one
	closed  map[uint64][]Net   // of closed ones
	settled map[uint64]settled // of the region, in its first shard
	orders  map[string]bool    // by mistake: settlements by the name that a scheduler gave them

	items   map[string]Break // on accounts with other shards
	planted map[string]bool

	marks []mark // balances at the ends of the last segments

	at   uint64 // index of the command that is being applied
	lead *leader
}

type account struct{ posted, pending int64 }

// A payment is one that this shard is home to. One that was refused has no name.
type payment struct {
	ID       string
	Client   string
	Key      string
	Body     Hash
	Order    Order
	Memo     string
	Reverses string
	Allowed  []string // regions
	Ready    bool     // all that was needed is there, and it is being prepared
	Accepted uint64   // index of the entry
	Decided  uint64
	State    State
	Why      string
	Live     bool   // other shards may have parts of it
	Reversal string // the payment that pays it back

	at         uint64 // index of the last command about it
	everywhere bool   // this leader has heard that it is resolved in all shards
}

const refused State = "refused" // never left the home shard

// A part is what this shard has prepared of a payment.
type part struct {
	Order Order
	ticks int // for which this leader has held it
}

// A retiring is something to be forgotten.
type retiring struct {
	Time int64
	What byte // 'k' a payment by client and key, 'e' one that ended here, 'q' a quote, 'i' an item
	Name string
}

type settled struct {
	Nets  []Net
	Order uint64
}

// A mark is the balances after a full segment.
type mark struct {
	Size     uint64
	Balances []SavedBalance
}

// keptMarks bounds how much is retained at least when a log is compacted: the last two full segments.
const keptMarks = 3

func newMachine(bug string, layout *Layout, s *Shard) *machine {
	m := &machine{Shard: s, bug: bug, layout: layout}
	m.clear()
	return m
}

func (m *machine) clear() {
	m.ledger = ledger{shard: m.Name, bug: m.bug}
	m.accounts = map[string]*account{}
	m.payments, m.keys = map[string]*payment{}, map[string]*payment{}
	m.parts, m.ended, m.used = map[string]*part{}, map[string]bool{}, map[string]bool{}
	m.closed, m.settled, m.orders = map[uint64][]Net{}, map[uint64]settled{}, map[string]bool{}
	m.items, m.planted = map[string]Break{}, map[string]bool{}
	m.window = 1
}

// apply does one command.
func (m *machine) apply(env nodes.Env, index uint64, c *command) {
	m.at = index
	m.now = max(m.now, c.Now)
	if m.opened == 0 {
		m.opened = m.now
	}
	m.retire()
	switch c.Do {
	case accept:
		m.accept(env, c)
	case screen:
		m.screen(env, c)
	case quote:
		m.quote(env, c)
	case decide:
		m.decide(env, c)
	case forget:
		for _, id := range c.IDs {
			if p := m.payments[id]; p != nil {
				p.Live = false
			}
		}
	case prepare:
		m.prepare(env, &c.Order)
	case resolve:
		m.resolve(env, c)
	case closing:
		m.close(env, c)
	case settle:
		m.settle(env, c)
	case plant:
		m.plant(env, c)
	case match:
		m.match(c.IDs)
	case correct:
		m.correct(env, c)
	case compact:
		m.compactTo(env)
	}
}

// write adds an entry, and does to balances what it says.
func (m *machine) write(env nodes.Env, e Entry) uint64 {
	e.Shard, e.Index, e.Time = m.Name, m.tree.size, m.now
	if posts(e.Kind) {
		for _, leg := range e.Legs {
			m.account(leg.Account).posted += leg.Amount
			if _, with, due := strings.Cut(HolderOf(leg.Account), "@due."); due && e.Kind != KindCorrected && with != "" {
				item := e.Payment + e.Item
				m.items[item] = Break{Shard: m.Name, Account: leg.Account, Item: item, Amount: leg.Amount}
			}
		}
	}
	m.append(env, &e)
	if m.tree.size%SegmentSize == 0 {
		m.marks = append(m.marks, mark{m.tree.size, m.balances()})
		m.marks = m.marks[max(0, len(m.marks)-keptMarks):]
	}
	return e.Index
}

func (m *machine) account(name string) *account {
	a := m.accounts[name]
	if a == nil {
		a = &account{}
		m.accounts[name] = a
	}
	return a
}

// balances are those of all accounts that have any, in order.
func (m *machine) balances() (all []SavedBalance) {
	for _, name := range slices.Sorted(maps.Keys(m.accounts)) {
		if posted := m.accounts[name].posted; posted != 0 {
			all = append(all, SavedBalance{name, posted})
		}
	}
	return all
}

// later has something forgotten at that ledger time.
func (m *machine) later(at int64, what byte, name string) {
	i, _ := slices.BinarySearchFunc(m.retiring, at+1, func(r retiring, at int64) int {
		if r.Time < at {
			return -1
		}
		return 1
	})
	m.retiring = slices.Insert(m.retiring, i, retiring{at, what, name})
}

func (m *machine) retire() {
	for len(m.retiring) > 0 && m.retiring[0].Time < m.now {
		r := m.retiring[0]
		m.retiring = m.retiring[1:]
		switch r.What {
		case 'e':
			delete(m.ended, r.Name)
		case 'q':
			delete(m.used, r.Name)
		case 'i':
			delete(m.items, r.Name)
		case 'k':
			switch p := m.keys[r.Name]; {
			case p == nil:
			case p.Live: // somebody may still ask
				m.later(m.now+int64(Retention), 'k', r.Name)
			default:
				delete(m.keys, r.Name)
				delete(m.payments, p.ID)
			}
		}
	}
}

// compactTo drops entries before the oldest mark.
func (m *machine) compactTo(env nodes.Env) {
	if len(m.marks) < keptMarks || m.marks[0].Size <= m.base {
		m.lead.compacted(env)
		return
	}
	first := m.marks[0]
	m.write(env, Entry{Kind: KindCompacted, Size: first.Size})
	m.compact(env, first.Size, first.Balances)
	env.Reached("settlement: a log was compacted")
	m.lead.compacted(env)
}

// sum adds up what the state comes to, in no order.
func (m *machine) sum() uint64 {
	sum := pack.Mix(m.tree.size) + pack.Mix(uint64(m.now)) + pack.Mix(m.window<<32|uint64(len(m.payments)))
	sum += pack.Mix(uint64(len(m.parts))<<32 | uint64(len(m.items)))
	for name, a := range m.accounts {
		sum += pack.Mix(pack.Hash(name) ^ pack.Mix(uint64(a.posted)^pack.Mix(uint64(a.pending))))
	}
	for name, p := range m.parts {
		sum += pack.Mix(pack.Hash(name) ^ uint64(p.Order.Out))
	}
	return sum
}
