package settlement

import (
	"fmt"
	"time"

	"faultlab/checker/history"
	"faultlab/checker/ledger"
	"faultlab/checker/linear"
	s "faultlab/nodes/settlement"
)

// This file judges each account as a linearizable object (L9), by what clients read on it and by nothing that nodes say of
// sizes. What an entry made of an account is a write that took effect after its payment was first asked for and, once a
// client was told that the payment is posted, no later than that; the log says in which order.

// A version is an account as an entry left it: its number, from 1.
type version struct {
	account string
	number  int
}

// linearizable judges all accounts of clients that were read.
func (j *judge) linearizable(f *facts) history.Result {
	for _, shard := range f.book.Shards {
		if f.book.Logs[shard].First > 0 {
			return history.Skipped("the beginning of the log of %s was compacted before it was read", shard)
		}
	}
	read := map[string]bool{}
	var ops []linear.Op
	for i := range f.h.Ops {
		op := &f.h.Ops[i]
		out, ok := op.Out.(s.Balance)
		if l := f.book.Logs[s.ShardOf(out.Account)]; !ok || ledger.Own(out.Account) || l == nil || out.Size > l.End() {
			continue
		}
		read[out.Account] = true
		ops = append(ops, linear.From(op, version{account: out.Account}, [2]int64{out.Posted, out.Pending}))
	}
	reads := len(ops)
	for _, account := range sortedKeys(read) {
		log := f.book.Logs[s.ShardOf(account)]
		for k, v := range f.book.Accounts[account] {
			p := f.book.Payments[log.At(v.Index).Payment]
			if p == nil {
				return history.Doubted("the log of the home of %s was not read so far", log.At(v.Index).Payment)
			}
			call, told, by := f.span(p)
			ops = append(ops, linear.Op{
				Index: by, Client: "the ledger", In: version{account, k + 1}, Out: struct{}{}, Call: call, Return: told, Outcome: history.OK,
			})
		}
	}
	r := linear.Check(linear.Model[int]{
		Name: "account",
		Step: func(at int, in, out any) (int, error) {
			v := in.(version)
			if v.number > 0 {
				if v.number != at+1 {
					return at, fmt.Errorf("it is at its change %d", at)
				}
				return v.number, nil
			}
			var now [2]int64
			if list := f.book.Accounts[v.account]; at > 0 {
				now = [2]int64{list[at-1].Posted, list[at-1].Pending}
			}
			if out != nil && out.([2]int64) != now {
				return at, fmt.Errorf("it holds %d with %d reserved", now[0], now[1])
			}
			return at, nil
		},
		Key: func(in any) string { return in.(version).account },
		Binds: func(in, _ any) (gives, needs []string) { // a change rests on all before it
			if v := in.(version); v.number > 0 {
				return []string{fmt.Sprint(v.number)}, []string{fmt.Sprint(v.number - 1)}
			}
			return nil, []string{linear.Everything}
		},
		Say: func(in, out any) string {
			if v := in.(version); v.number > 0 {
				return fmt.Sprintf("change %d", v.number)
			}
			return fmt.Sprintf("read %v", out)
		},
	}, ops, linear.Budget{}).Result()
	if r.Verdict == history.Pass {
		r.Reason = fmt.Sprintf("%d accounts, read %d times, are linearizable", len(read), reads)
	}
	r.Evidence = map[string]any{"accounts": len(read), "account_reads": reads}
	return r
}

// span is when a payment was first asked for, and when a client was first told that it is posted, at the end of the run if
// none was.
func (f *facts) span(p *ledger.Payment) (call, told time.Duration, by int) {
	told = f.h.End
	w := f.asked[name{p.Accepted.Client, p.Accepted.Key}]
	if w == nil {
		return 0, told, 0
	}
	for _, i := range w.ops {
		op := &f.h.Ops[i]
		if paid, ok := op.Out.(s.Paid); ok && paid.State == s.Posted {
			told = min(told, op.Return)
		}
	}
	return f.h.Ops[w.ops[0]].Call, told, w.ops[0]
}
