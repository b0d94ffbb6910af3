package checker

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"faultlab/checker/history"
)

// Bank judges reads of all accounts at once: in each of them the balances of a currency come to the sum that was there
// from the start, and no account is below its limit. Where transfers were acknowledged and yet every read is the same,
// the snapshot is frozen and says nothing: undetermined.
type Bank struct {
	// View returns the balances that an operation read, all at one moment; ok is false if it read none.
	View func(op *history.Op) (balances []Balance, ok bool)
	// Totals are the sums, by currency.
	Totals map[string]int64
	// Partial says that a read may hold some currencies whole and others not at all: then those are not judged.
	Partial bool
	// Accounts are those that a read must have, each once; nil: any.
	Accounts []string
	// Limit is the least that an account may hold; nil: math.MinInt64.
	Limit func(account string) int64
	// Moves says that an operation moved money; nil: nobody looks whether the snapshot is frozen.
	Moves   func(op *history.Op) bool
	AtLeast int // reads that a pass needs; 0: 20
}

// A Balance is what an account holds, in the smallest unit of its currency.
type Balance struct {
	Account, Currency string
	Amount            int64
}

// Check judges every read that is OK.
func (c Bank) Check(h *history.History) history.Result {
	reads, moves := 0, 0
	var first []Balance
	changed := false
	currencies := make([]string, 0, len(c.Totals))
	for currency := range c.Totals {
		currencies = append(currencies, currency)
	}
	slices.Sort(currencies)
	for i := range h.Ops {
		op := &h.Ops[i]
		if op.Outcome != history.OK {
			continue
		}
		if c.Moves != nil && c.Moves(op) {
			moves++
		}
		balances, ok := c.View(op)
		if !ok {
			continue
		}
		if wrong := c.wrong(balances, currencies); wrong != "" {
			return history.Refuted([]int{op.Index}, "%s read %s", name(op), wrong)
		}
		if reads == 0 {
			first = slices.Clone(balances)
		}
		changed = changed || !slices.Equal(first, balances)
		reads++
	}
	var r history.Result
	switch least := or(c.AtLeast, 20); {
	case reads < least:
		r = history.Doubted("only %s of all accounts; %d are needed", plural(reads, "read"), least)
	case moves > 0 && !changed:
		r = history.Doubted("all of %s are the same, though %s acknowledged: the snapshot is frozen", plural(reads, "read"), plural(moves, "transfer"))
	default:
		r = history.Passed("in all of %s the totals are right and no account is below its limit", plural(reads, "read"))
	}
	r.Evidence = map[string]any{"reads": reads, "transfers": moves}
	return r
}

// wrong says what a read shows that cannot be, "" if nothing.
func (c Bank) wrong(balances []Balance, currencies []string) string {
	sums := map[string]int64{}
	seen := map[string]bool{}
	for _, b := range balances {
		if c.Limit != nil && b.Amount < c.Limit(b.Account) {
			return fmt.Sprintf("%d in %s, below its limit of %d", b.Amount, b.Account, c.Limit(b.Account))
		}
		if _, known := c.Totals[b.Currency]; !known {
			return fmt.Sprintf("%s with the currency %q, which nobody put in", b.Account, b.Currency)
		}
		sum := sums[b.Currency]
		if b.Amount > 0 && sum > math.MaxInt64-b.Amount || b.Amount < 0 && sum < math.MinInt64-b.Amount {
			return "balances whose sum is beyond 64 bits"
		}
		sums[b.Currency] = sum + b.Amount
		if seen[b.Account] && c.Accounts != nil {
			return "account " + b.Account + " twice"
		}
		seen[b.Account] = true
	}
	for _, account := range c.Accounts {
		if !seen[account] {
			return "no account " + account
		}
	}
	if c.Accounts != nil && len(seen) > len(c.Accounts) {
		for _, b := range balances {
			if !slices.Contains(c.Accounts, b.Account) {
				return "account " + b.Account + ", which nobody opened"
			}
		}
	}
	for _, currency := range currencies {
		if _, held := sums[currency]; c.Partial && !held {
			continue
		}
		if got, want := sums[currency], c.Totals[currency]; got != want {
			var parts []string
			for _, b := range balances {
				if b.Currency == currency {
					parts = append(parts, fmt.Sprintf("%s=%d", b.Account, b.Amount))
				}
			}
			unit := ""
			if currency != "" {
				unit = " " + currency
			}
			return fmt.Sprintf("a total of %d%s where there are %d (%s)", got, unit, want, strings.Join(parts, " "))
		}
	}
	return ""
}
