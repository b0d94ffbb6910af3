package multimaster

import (
	"fmt"
	"slices"
	"strings"

	"faultlab/checker/history"
	"faultlab/checker/linear"
	mm "faultlab/nodes/multimaster"
)

// A vault is one bank as one object: its balances, of which no bank has more than three. Sums alone would pass a bank
// that acknowledges transfers and forgets them, or refuses them all.
type vault [3]int64

// A vaultIn is a look at all balances, or a transfer that was done or refused.
type vaultIn struct {
	bank     string // its first account
	look     bool   // what was seen is the operation's Out, a vault
	from, to int    // places of accounts
	amount   int64
	refused  bool // for want of money
}

func vaultModel() linear.Model[vault] {
	return linear.Model[vault]{
		Name: "a bank",
		Init: vault{deposit, deposit, deposit},
		Key:  func(in any) string { return in.(vaultIn).bank },
		Say: func(in, out any) string {
			switch i := in.(vaultIn); {
			case i.look:
				return fmt.Sprintf("look at all accounts: %v", out)
			case i.refused:
				return fmt.Sprintf("transfer %d from account %d to %d, refused", i.amount, i.from+1, i.to+1)
			default:
				return fmt.Sprintf("transfer %d from account %d to %d", i.amount, i.from+1, i.to+1)
			}
		},
		Show: func(s vault) string { return fmt.Sprint([3]int64(s)) },
		Step: func(s vault, in, out any) (vault, error) {
			i := in.(vaultIn)
			seen, looked := out.(vault)
			switch {
			case i.look && looked && seen != s,
				!i.look && i.refused != (s[i.from] < i.amount):
				return s, fmt.Errorf("the balances are %v", [3]int64(s))
			case !i.look && !i.refused:
				s[i.from] -= i.amount
				s[i.to] += i.amount
			}
			return s, nil
		},
	}
}

// vaultView takes the transfers and looks of banks; the third account of a bank of two stays as it was.
func vaultView(banks [][]string) func(*history.Op) []linear.Op {
	bankOf := map[string][]string{}
	for _, accounts := range banks {
		for _, a := range accounts {
			bankOf[a] = accounts
		}
	}
	return func(op *history.Op) []linear.Op {
		steps := op.In.(mm.Txn).Ops
		accounts := bankOf[steps[0].Key]
		switch {
		case accounts == nil:
		case steps[0].F == mm.Transfer:
			in := vaultIn{
				bank: accounts[0], amount: steps[0].Value,
				from: slices.Index(accounts, steps[0].Key), to: slices.Index(accounts, steps[0].To),
			}
			o := linear.From(op, in, nil)
			if a, ok := op.Out.(mm.TxnAborted); ok && op.Outcome == history.Failed && strings.HasPrefix(a.Reason, "transfer: ") {
				in.refused = true
				o.In, o.Outcome = in, history.OK // it saw that there was too little
			}
			return []linear.Op{o}
		case steps[0].F == mm.Read && op.Outcome == history.OK && len(steps) == len(accounts):
			seen := vault{deposit, deposit, deposit}
			for i, r := range results(op) {
				seen[i] = r.Int
			}
			return []linear.Op{linear.From(op, vaultIn{bank: accounts[0], look: true}, seen)}
		}
		return nil
	}
}
