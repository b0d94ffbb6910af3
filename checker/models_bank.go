package checker

import (
	"cmp"
	"slices"
	"time"

	"faultlab/checker/history"
)

// bankReader reads Jepsen's bank: transfers of one currency, and reads of all accounts.
type bankReader struct{ total *history.Value }

// A moved is a transfer of some money.
type moved struct{}

// A torn is a read with a balance that is no number.
type torn struct{ account, balance string }

func (*bankReader) read(c call) (any, bool) {
	switch c.f {
	case "transfer":
		amount, _ := c.asked.Get("amount").Int()
		if amount == 0 || named(c.asked.Get("from")) == named(c.asked.Get("to")) {
			return nil, true
		}
		return moved{}, true
	case "read":
		if c.answered.Kind == history.Nil {
			return nil, true
		}
		list := c.answered.List()
		balances := make([]Balance, 0, len(list)/2)
		for i := 0; i+1 < len(list); i += 2 {
			n, whole := list[i+1].Int()
			if !whole {
				return torn{named(list[i]), shown(list[i+1])}, true
			}
			balances = append(balances, Balance{Account: named(list[i]), Amount: n})
		}
		slices.SortFunc(balances, func(a, b Balance) int { return cmp.Compare(a.Account, b.Account) })
		return balances, c.answered.Kind == history.Map
	}
	return nil, false
}

func (r *bankReader) checker(h *history.History) Checker {
	sums := map[int64]int{}
	var total int64
	var accounts []string
	first, last := time.Duration(-1), time.Duration(-1) // the first return of a read, and the last call of one
	for i := range h.Ops {
		op := &h.Ops[i]
		if t, is := op.In.(torn); is && op.Outcome == history.OK {
			return Func(func(*history.History) history.Result {
				return history.Refuted([]int{op.Index}, "%s read %s in account %s, which is no balance", name(op), t.balance, t.account)
			})
		}
		balances, is := op.In.([]Balance)
		if !is || op.Outcome != history.OK {
			continue
		}
		var sum int64
		for _, b := range balances {
			sum += b.Amount
		}
		if sums[sum]++; sums[sum] > sums[total] || len(sums) == 1 {
			total = sum
		}
		if accounts == nil {
			for _, b := range balances {
				accounts = append(accounts, b.Account)
			}
		}
		if first < 0 || op.Return < first {
			first = op.Return
		}
		last = max(last, op.Call)
	}
	if r.total != nil {
		total = number(r.total)
	}
	return Bank{
		View:     viewed[[]Balance],
		Totals:   map[string]int64{"": total},
		Accounts: accounts,
		Limit:    func(string) int64 { return 0 },
		// A snapshot can only be seen to be frozen by reads before and after.
		Moves: func(op *history.Op) bool {
			_, is := op.In.(moved)
			return is && op.Call > first && op.Return < last
		},
		AtLeast: 1,
	}
}
