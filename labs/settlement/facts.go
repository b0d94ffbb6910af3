package settlement

import (
	"fmt"
	"slices"
	"sync"

	"faultlab/checker/history"
	"faultlab/checker/ledger"
	"faultlab/checker/merkle"
	"faultlab/nodes"
	s "faultlab/nodes/settlement"
)

// A judge judges one history at a time; what several guarantees need of it is worked out once.
type judge struct {
	topology nodes.Topology
	layout   *s.Layout

	mu   sync.Mutex
	of   *history.History
	held *facts
}

// facts are what a history shows of the logs.
type facts struct {
	h    *history.History
	book *ledger.Book

	entries map[string]map[uint64]shown // by shard and index
	clash   *history.Result             // two entries at one place
	garbled *history.Result             // an entry that is none
	heads   []told                      // each once, in the order in which they were first told
	roots   map[string]map[uint64]merkle.Hash
	chains  map[string][]ledger.Hash // by block
	asked   map[name]*wish
	order   []name
	named   map[name]*ledger.Payment
}

// A shown is an entry's bytes, and where they were first seen.
type shown struct {
	leaf ledger.Hash
	data []byte
	op   int
}

// A told is a head that a node signed; op is -1 if it was told as evidence, which nobody signs.
type told struct {
	ledger.Head
	op int
}

// A name is that of a payment, as its client knows it.
type name struct{ client, key string }

// A wish is all that clients asked under a name.
type wish struct {
	ops    []int // Pay and Reverse
	bodies []ledger.Hash
}

func (j *judge) facts(h *history.History) *facts {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.of == h {
		return j.held
	}
	f := &facts{h: h, entries: map[string]map[uint64]shown{}, asked: map[name]*wish{}, roots: map[string]map[uint64]merkle.Hash{}, chains: map[string][]ledger.Hash{}}
	f.collect()
	f.add(j.layout)
	j.of, j.held = h, f
	return f
}

// bodyOf is the hash of what a client asked; ok is false if it asked for no payment.
func bodyOf(in any) (n name, body ledger.Hash, ok bool) {
	switch b := in.(type) {
	case s.Pay:
		quote := ""
		if b.Quote != nil {
			quote = b.Quote.ID
		}
		return name{b.Client, b.Key}, ledger.PayBody(b.Client, b.Key, b.From, b.To, b.Amount, b.Memo, b.Within, quote), true
	case s.Reverse:
		return name{b.Client, b.Key}, ledger.ReverseBody(b.Client, b.Key, b.Payment), true
	}
	return name{}, ledger.Hash{}, false
}

// entryOf is an entry as the checkers know it.
func entryOf(e *s.Entry) *ledger.Entry {
	q := &e.Quote
	out := &ledger.Entry{
		Shard: e.Shard, Index: e.Index, Time: e.Time, Kind: string(e.Kind), Payment: e.Payment, Body: ledger.Hash(e.Body), Client: e.Client, Key: e.Key,
		From: e.From, To: e.To, Amount: e.Amount, Memo: e.Memo, Expires: e.Expires, Reverses: e.Reverses,
		Quote:  ledger.Quote{ID: q.ID, Client: q.Client, From: q.From, To: q.To, Rate: q.Rate, Issued: q.Issued, Until: q.Until, Sig: string(q.Sig)},
		Region: e.Region, Verdict: string(e.Verdict), State: string(e.State), Why: e.Why, Item: e.Item, Size: e.Size,
	}
	for _, w := range e.Windows {
		out.Windows = append(out.Windows, ledger.Place(w))
	}
	for _, l := range e.Legs {
		out.Legs = append(out.Legs, ledger.Leg(l))
	}
	out.Nets = netsOf(e.Nets)
	return out
}

func netsOf(nets []s.Net) (out []ledger.Net) {
	for _, n := range nets {
		out = append(out, ledger.Net{Currency: n.Currency, Count: n.Count, Out: n.Out, In: n.In})
	}
	return out
}

func headOf(h s.Head) ledger.Head {
	return ledger.Head{Shard: h.Shard, Size: h.Size, Root: ledger.Hash(h.Root), Chain: ledger.Hash(h.Chain), Time: h.Time, Node: string(h.Node), Sig: h.Sig}
}

// collect gathers what clients asked and were shown.
func (f *facts) collect() {
	seen := map[string]bool{}
	head := func(h s.Head, op int) {
		key := fmt.Sprint(h.Shard, h.Size, h.Node, h.Root, h.Chain, h.Time, h.Sig)
		if !seen[key] && h.Node != "" {
			seen[key] = true
			f.heads = append(f.heads, told{headOf(h), op})
		}
	}
	for i := range f.h.Ops {
		op := &f.h.Ops[i]
		if n, body, ok := bodyOf(op.In); ok {
			w := f.asked[n]
			if w == nil {
				w = &wish{}
				f.asked[n] = w
				f.order = append(f.order, n)
			}
			w.ops = append(w.ops, i)
			w.bodies = append(w.bodies, body)
		}
		switch out := op.Out.(type) {
		case s.Statement:
			head(out.Head, i)
		case s.Head:
			head(out, i)
		case s.Consistency:
			head(out.Old, i)
			head(out.New, i)
		case s.Receipt:
			head(out.Head, i)
			data := entryOf(&out.Entry).Canonical()
			f.show(out.Entry.Shard, out.Entry.Index, data, i)
		case s.Entries:
			head(out.Head, i)
			for k, data := range out.Entries {
				f.show(out.Shard, out.First+uint64(k), data, i)
			}
		}
	}
	for i := range f.h.Events {
		if e, ok := f.h.Events[i].Event.(s.Sealed); ok {
			key := fmt.Sprint(e, f.h.Events[i].Node)
			if !seen[key] {
				seen[key] = true
				f.heads = append(f.heads, told{ledger.Head{Shard: e.Shard, Size: e.Size, Root: ledger.Hash(e.Root), Chain: ledger.Hash(e.Chain), Node: f.h.Events[i].Node}, -1})
			}
		}
	}
}

// show notes an entry that an operation was shown.
func (f *facts) show(shard string, index uint64, data []byte, op int) {
	at := f.entries[shard]
	if at == nil {
		at = map[uint64]shown{}
		f.entries[shard] = at
	}
	leaf := merkle.Leaf(data)
	first, known := at[index]
	switch {
	case !known:
		at[index] = shown{leaf, data, op}
	case first.leaf != leaf && f.clash == nil:
		r := history.Refuted([]int{first.op, op}, "entry %d of %s is one thing to operation %d, served by %s, and another to operation %d, served by %s",
			index, shard, first.op, f.h.Ops[first.op].Node, op, f.h.Ops[op].Node)
		f.clash = &r
	}
}

// add makes logs of the entries, as far as they are there without a gap to the end, and adds them up.
func (f *facts) add(l *s.Layout) {
	var logs []*ledger.Log
	for _, shard := range l.Shards {
		at := f.entries[shard.Name]
		var last uint64
		for index := range at {
			last = max(last, index)
		}
		log := &ledger.Log{Shard: shard.Name, First: last + 1, Opening: map[string]int64{}}
		for len(at) > 0 {
			if _, known := at[log.First-1]; !known {
				break
			}
			if log.First--; log.First == 0 {
				break
			}
		}
		if len(at) == 0 {
			log.First = 0
		}
		for index := log.First; index <= last && len(at) > 0; index++ {
			e, err := ledger.Decode(at[index].data)
			if err != nil && f.garbled == nil {
				r := history.Refuted([]int{at[index].op}, "entry %d of %s, as operation %d was shown it by %s, is no entry: %s", index, shard.Name, at[index].op, f.h.Ops[at[index].op].Node, err)
				f.garbled = &r
			}
			log.Entries = append(log.Entries, e)
		}
		logs = append(logs, log)
		f.grow(log)
	}
	for i := range f.h.Ops {
		out, ok := f.h.Ops[i].Out.(s.Entries)
		for _, log := range logs {
			if ok && out.Shard == log.Shard && out.Base == log.First && log.First > 0 {
				for _, b := range out.Balances {
					log.Opening[b.Account] = b.Posted
				}
			}
		}
	}
	f.book = ledger.NewBook(logs)
}

// grow works out the roots and the chain of a log that is there from its beginning.
func (f *facts) grow(log *ledger.Log) {
	if log.First > 0 {
		return
	}
	wanted := map[uint64]bool{}
	for _, h := range f.heads {
		if h.Shard == log.Shard {
			wanted[h.Size] = true
		}
	}
	roots := map[uint64]merkle.Hash{0: merkle.Empty()}
	var b merkle.Builder
	var prev ledger.Hash
	var chain []ledger.Hash
	for i, e := range log.Entries {
		b.Add(e.Leaf)
		size := uint64(i) + 1
		if wanted[size] {
			roots[size] = b.Root()
		}
		if size%s.BlockSize == 0 {
			block := ledger.Block{Shard: log.Shard, Number: size/s.BlockSize - 1, Size: size, Root: b.Root(), Prev: prev, Time: e.Time}
			prev = ledger.BlockHash(block.Canonical())
			chain = append(chain, prev)
		}
	}
	f.roots[log.Shard], f.chains[log.Shard] = roots, chain
}

// payment is what logs say of a client's payment: of all that were accepted under its name, the first.
func (f *facts) payment(n name) *ledger.Payment {
	if f.named == nil {
		f.named = map[name]*ledger.Payment{}
		for _, p := range f.book.Order {
			if at := (name{p.Accepted.Client, p.Accepted.Key}); f.named[at] == nil {
				f.named[at] = p
			}
		}
	}
	return f.named[n]
}

// breach is a result for what breaks some rules, with the operations that were shown it; Pass if nothing does.
func (f *facts) breach(b *ledger.Breach) history.Result {
	var ops []int
	if at, ok := f.entries[b.Shard][b.Index]; ok {
		ops = append(ops, at.op)
		if e, err := ledger.Decode(at.data); err == nil {
			if p := f.book.Payments[e.Payment]; p != nil {
				if w := f.asked[name{p.Accepted.Client, p.Accepted.Key}]; w != nil {
					ops = append(ops, w.ops[0])
				}
			}
		}
	}
	slices.Sort(ops)
	return history.Refuted(slices.Compact(ops), "%s", b.String())
}

// cloudsOf counts the clouds of nodes.
func (j *judge) cloudsOf(ids []nodes.ID) int { return len(j.layout.Clouds(ids)) }
