package checker_test

import (
	"os"
	"path/filepath"
	"testing"

	"faultlab/checker"
	"faultlab/checker/history"
)

// public reads one of the public histories, which are not part of the repository.
func public(t *testing.T, name string) *history.History {
	t.Helper()
	f, err := os.Open(filepath.Join("../../shared/histories/jepsen", name))
	if err != nil {
		t.Skipf("SKIPPED: the public histories are not here: %v", err)
	}
	defer f.Close()
	h, err := history.Collect(history.JepsenJSON(f))
	if err != nil {
		t.Fatal(err)
	}
	return h
}

func TestPublicHistoriesGetTheirVerdicts(t *testing.T) {
	t.Run("bank", func(t *testing.T) {
		bank := checker.Bank{Totals: map[string]int64{"": 100}, View: func(op *history.Op) (balances []checker.Balance, ok bool) {
			out, _ := op.Out.(history.Jepsen)
			list := out.Value.List()
			for i := 0; i+1 < len(list) && out.F == "read"; i += 2 {
				amount, _ := list[i+1].Int()
				balances = append(balances, checker.Balance{Account: list[i].String(), Amount: amount})
			}
			return balances, len(balances) > 0
		}}
		expect(t, bank.Check(public(t, "jepsen-bank.jsonl")), history.Pass, "totals are right")
	})
	elements := func(op *history.Op) (s checker.SetOp[string], ok bool) {
		in := op.In.(history.Jepsen)
		s.Element, s.Read = in.Value.String(), in.F == "read"
		if out, answered := op.Out.(history.Jepsen); answered {
			for _, e := range out.Value.List() {
				s.All = append(s.All, e.String())
			}
		}
		return s, s.Read || in.F == "add"
	}
	t.Run("set", func(t *testing.T) {
		expect(t, checker.Set[string]{View: elements}.Check(public(t, "jepsen-set.jsonl")), history.Pass, "last read")
	})
	t.Run("set-full, where what is added is [0 n] and what is read is n", func(t *testing.T) {
		expect(t, checker.SetFull[string]{View: elements}.Check(public(t, "jepsen-set_full.jsonl")), history.Fail, "which nobody tried to add")
	})
}
