package queue_test

import (
	"fmt"
	"testing"
	"time"

	"faultlab/checker/history"
	"faultlab/labs"
	"faultlab/labs/labstest"
	q "faultlab/nodes/queue"
)

// What the cut of region A does to sends: none to those inside, none to those of others at home; those across are
// refused until B takes over, and then taken. Counted from the history, beside what the promises say of it.
func TestACutIsFeltWhereItMustBe(t *testing.T) {
	for seed := uint64(1); seed <= 3; seed++ {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			run := trial.Do(t, labs.Options{Seed: seed, Plan: labstest.Plan(t, "cut"), Time: 40 * time.Second})
			judged := map[string]labs.Judged{}
			for _, j := range run.Judged {
				judged[j.ID] = j
				if j.Verdict > history.Pass {
					t.Errorf("%s %v: %s", j.ID, j.Verdict, j.Reason)
				}
			}
			for _, id := range []string{"Q10", "Q13", "Q14", "A2", "A3", "A4", "A5", "R1", "R2"} {
				if judged[id].Verdict != history.Pass {
					t.Errorf("%s %v: %s", id, judged[id].Verdict, judged[id].Reason)
				}
			}
			cut, promoted := cutOf(run.History), promotionOf(run.History, "A")
			if promoted == 0 {
				t.Fatal("nobody took over")
			}
			const settled = 3 * time.Second // T_rto
			inside, others := tally{}, tally{}
			before, after := tally{}, tally{}
			for i := range run.History.Ops {
				op := &run.History.Ops[i]
				in, ok := op.In.(q.Send)
				_, late := op.Out.(q.Refused) // a number that its producer had gone past, on purpose
				if !ok || late || op.Call < cut.Start || op.Return > cut.End {
					continue
				}
				switch {
				case in.Home == "A" && op.Region == "A":
					inside.add(op)
				case in.Home == op.Region:
					others.add(op)
				case in.Home == "A" && op.Return < promoted:
					before.add(op)
				case in.Home == "A" && op.Call > promoted+settled:
					after.add(op)
				}
			}
			for _, c := range []struct {
				what   string
				got    tally
				served bool
			}{
				{"sends to A's keyspace from inside A", inside, true},
				{"sends of the others to their own keyspaces", others, true},
				{"sends to A's keyspace from outside, before anybody took over", before, false},
				{"sends to A's keyspace from outside, once B has taken over", after, true},
			} {
				t.Logf("%s: %d of %d were acknowledged", c.what, c.got.ok, c.got.asked)
				if c.got.asked < 15 {
					t.Errorf("only %d %s", c.got.asked, c.what)
				}
				if c.served && c.got.ok*100 < c.got.asked*99 || !c.served && c.got.ok > 0 {
					t.Errorf("%s: %d of %d were acknowledged", c.what, c.got.ok, c.got.asked)
				}
			}
		})
	}
}

// A tally counts what was asked, and what was acknowledged.
type tally struct{ asked, ok int }

func (n *tally) add(op *history.Op) {
	n.asked++
	if op.Outcome == history.OK {
		n.ok++
	}
}

func cutOf(h *history.History) history.Window {
	for _, w := range h.Windows {
		if w.Kind == "partition" {
			return w
		}
	}
	return history.Window{}
}

// promotionOf returns when a keyspace was first promoted.
func promotionOf(h *history.History, home string) time.Duration {
	for _, e := range h.Events {
		if p, ok := e.Event.(q.Promoted); ok && p.Home == home {
			return e.At
		}
	}
	return 0
}
