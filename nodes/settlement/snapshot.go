package settlement

import "faultlab/nodes/pack"

// A saved is a machine as a snapshot holds it, in an order that depends on the content alone.
type saved struct {
	Now      int64
	Tree     savedTree
	Blocks   []sealed
	Base     uint64
	Accounts []savedAccount
	Payments []*payment // by client and key
	Parts    []*part
	Ended    []string
	Used     []string
	Retiring []retiring
	Window   uint64
	Opened   int64
	Nets     []Net
	Closed   []savedWindow
	Settled  []savedWindow
	Orders   []string
	Items    []Break
	Planted  []string
	Marks    []mark
	Opening  []SavedBalance
}

type savedAccount struct {
	name            string
	posted, pending int64
}

type savedWindow struct {
	window, order uint64
	nets          []Net
}

// Snapshot returns the whole state but the entries.
func (r *replica) Snapshot() []byte {
	m := r.machine
	s := saved{
		Now: m.now, Tree: m.tree.save(), Blocks: m.blocks, Base: m.base, Ended: sortedKeys(m.ended), Used: sortedKeys(m.used),
		Retiring: m.retiring, Window: m.window, Opened: m.opened, Nets: m.nets, Orders: sortedKeys(m.orders),
		Planted: sortedKeys(m.planted), Marks: m.marks, Opening: m.opening, Parts: m.sortedParts(),
	}
	for _, name := range sortedKeys(m.accounts) {
		a := m.accounts[name]
		s.Accounts = append(s.Accounts, savedAccount{name, a.posted, a.pending})
	}
	for _, name := range sortedKeys(m.keys) {
		s.Payments = append(s.Payments, m.keys[name])
	}
	for _, w := range sortedKeys(m.closed) {
		s.Closed = append(s.Closed, savedWindow{window: w, nets: m.closed[w]})
	}
	for _, w := range sortedKeys(m.settled) {
		s.Settled = append(s.Settled, savedWindow{w, m.settled[w].Order, m.settled[w].Nets})
	}
	for _, name := range sortedKeys(m.items) {
		s.Items = append(s.Items, m.items[name])
	}
	return pack.Write(1024+200*len(s.Payments), s.pack)
}

// Restore replaces the state by a snapshot's, and looks for the entries on disk.
func (r *replica) Restore(_ uint64, data []byte) {
	var s saved
	pack.Read(data, s.pack)
	m := r.machine
	m.clear()
	m.now, m.base, m.blocks, m.retiring = s.Now, s.Base, s.Blocks, s.Retiring
	m.window, m.opened, m.nets, m.marks, m.opening = s.Window, s.Opened, s.Nets, s.Marks, s.Opening
	m.tree.load(s.Tree)
	for _, a := range s.Accounts {
		m.accounts[a.name] = &account{a.posted, a.pending}
	}
	for _, p := range s.Payments {
		m.keys[keyName(p.Client, p.Key)] = p
		if p.ID != "" {
			m.payments[p.ID] = p
		}
	}
	for _, p := range s.Parts {
		m.parts[p.Order.Payment] = p
	}
	fill(m.ended, s.Ended)
	fill(m.used, s.Used)
	fill(m.orders, s.Orders)
	fill(m.planted, s.Planted)
	for _, w := range s.Closed {
		m.closed[w.window] = w.nets
	}
	for _, w := range s.Settled {
		m.settled[w.window] = settled{w.nets, w.order}
	}
	for _, b := range s.Items {
		m.items[b.Item] = b
	}
	if m.bug == syncBreaksChain && r.group != nil && r.group.Applied() > 0 && len(m.blocks) > 0 {
		m.blocks[len(m.blocks)-1].hash = Hash{}
	}
	m.recover(r.n.env)
}

func fill(set map[string]bool, names []string) {
	for _, name := range names {
		set[name] = true
	}
}

func (s *saved) pack(p *pack.Pack) {
	p.Signed(&s.Now)
	pack.List(p, &s.Tree.Full, (*Hash).pack)
	pack.List(p, &s.Tree.Tail, (*Hash).pack)
	pack.List(p, &s.Blocks, func(b *sealed, p *pack.Pack) {
		b.hash.pack(p)
		p.Signed(&b.time)
	})
	p.Number(&s.Base)
	pack.List(p, &s.Accounts, func(a *savedAccount, p *pack.Pack) {
		p.Text(&a.name)
		p.Signed(&a.posted)
		p.Signed(&a.pending)
	})
	pack.List(p, &s.Payments, pack.New((*payment).pack))
	pack.List(p, &s.Parts, pack.New(func(v *part, p *pack.Pack) { v.Order.pack(p) }))
	pack.List(p, &s.Ended, packText)
	pack.List(p, &s.Used, packText)
	pack.List(p, &s.Retiring, func(r *retiring, p *pack.Pack) {
		p.Signed(&r.Time)
		p.Octet(&r.What)
		p.Text(&r.Name)
	})
	p.Number(&s.Window)
	p.Signed(&s.Opened)
	pack.List(p, &s.Nets, (*Net).pack)
	pack.List(p, &s.Closed, (*savedWindow).pack)
	pack.List(p, &s.Settled, (*savedWindow).pack)
	pack.List(p, &s.Orders, packText)
	pack.List(p, &s.Items, func(b *Break, p *pack.Pack) {
		p.Text(&b.Shard)
		p.Text(&b.Account)
		p.Text(&b.Item)
		p.Signed(&b.Amount)
		p.Flag(&b.Matched)
	})
	pack.List(p, &s.Planted, packText)
	pack.List(p, &s.Marks, func(m *mark, p *pack.Pack) {
		p.Number(&m.Size)
		pack.List(p, &m.Balances, (*SavedBalance).pack)
	})
	pack.List(p, &s.Opening, (*SavedBalance).pack)
}

func (w *savedWindow) pack(p *pack.Pack) {
	p.Number(&w.window)
	p.Number(&w.order)
	pack.List(p, &w.nets, (*Net).pack)
}

func (b *SavedBalance) pack(p *pack.Pack) {
	p.Text(&b.Account)
	p.Signed(&b.Posted)
}

func (v *payment) pack(p *pack.Pack) {
	p.Text(&v.ID)
	p.Text(&v.Client)
	p.Text(&v.Key)
	v.Body.pack(p)
	v.Order.pack(p)
	p.Text(&v.Memo)
	p.Text(&v.Reverses)
	pack.List(p, &v.Allowed, packText)
	p.Flag(&v.Ready)
	p.Number(&v.Accepted)
	p.Number(&v.Decided)
	pack.Name(p, &v.State)
	p.Text(&v.Why)
	p.Flag(&v.Live)
	p.Text(&v.Reversal)
	p.Number(&v.at)
}
