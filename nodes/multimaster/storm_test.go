package multimaster

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"faultlab/nodes"
	"faultlab/nodes/cluster/sim"
)

// A deed is a transaction that reads its keys, most of them after it has appended its own number to each, and what its
// client heard.
type deed struct {
	keys         []string
	reads        bool          // only
	call, answer time.Duration // answer is 0 while none has come
	ok, aborted  bool
	heard        map[string][]int64 // what it read
}

// TestAStormLeavesEveryTransactionWholeOnceAndInOneOrder lets clients append to few keys while messages are lost,
// doubled and late and nodes die. In the end every transaction must be on all of its keys or on none, once, as its client
// was told; two transactions must stand in one order on all keys they share, and in the order of time if one was over
// before the other began; and nothing may be locked.
func TestAStormLeavesEveryTransactionWholeOnceAndInOneOrder(t *testing.T) {
	for _, seed := range stormSeeds {
		t.Run(fmt.Sprint(seed), func(t *testing.T) { storm(t, "", seed, 20*time.Second, false) })
	}
}

// The same while ranges are moved, split and fenced.
func TestAStormOverRangesThatMoveLeavesEveryTransactionWholeOnceAndInOneOrder(t *testing.T) {
	for _, seed := range stormSeeds {
		t.Run(fmt.Sprint(seed), func(t *testing.T) { storm(t, "", seed, 20*time.Second, true) })
	}
}

var stormSeeds = []uint64{1, 2, 3}

// stormWorld is newWorld with a seed.
func stormWorld(t *testing.T, bug string, seed uint64) *world {
	w := &world{t: t, leaders: map[string]nodes.ID{}, held: map[string]int{}, reached: map[string]int{}}
	for _, region := range []string{"A", "B", "C"} {
		for i := range 3 {
			w.top.Members = append(w.top.Members, nodes.Member{
				ID: nodes.ID(fmt.Sprint(strings.ToLower(region), i+1)), Region: region, Zone: fmt.Sprint(region, i+1),
			})
		}
	}
	var err error
	w.c, err = sim.Start(nodes.Spec{System: System(), Bug: bug, Topology: w.top, Seed: seed, Observer: w})
	must(t, err)
	w.run(5 * time.Second)
	return w
}

func storm(t *testing.T, bug string, seed uint64, long time.Duration, moving bool) {
	ctx := context.Background()
	chance := rand.New(rand.NewPCG(seed, 7))
	w := stormWorld(t, bug, seed)
	keys := []string{"A1/k", "A1/l", "A2/k", "B1/k", "B1/l", "C2/k", "C2/l"}
	var deeds []*deed
	end := w.c.Now() + long

	var client func(session string, number uint64)
	client = func(session string, number uint64) {
		if w.c.Now() > end {
			return
		}
		d := &deed{call: w.c.Now(), reads: chance.IntN(3) == 0, heard: map[string][]int64{}}
		deeds = append(deeds, d)
		var ops []Op
		for _, i := range chance.Perm(len(keys))[:1+chance.IntN(3)] {
			d.keys = append(d.keys, keys[i])
			if !d.reads {
				ops = append(ops, Op{F: Append, Key: keys[i], Value: int64(len(deeds))})
			}
			ops = append(ops, Op{F: Read, Key: keys[i]})
		}
		txn := Txn{Session: session, Number: number, Ops: ops}
		var ask func(left int)
		over := false
		ask = func(left int) {
			at := w.top.Members[chance.IntN(len(w.top.Members))].ID
			w.c.Call(home, at, txn, 700*time.Millisecond, func(body any, answered bool) {
				switch b := body.(type) {
				case TxnOK:
					if d.aborted {
						t.Errorf("transaction %s/%d was aborted, then committed", session, number)
					}
					if d.ok && d.reads {
						return // it may be done again, and see more
					}
					d.ok = true
					for i := range ops {
						if ops[i].F == Read {
							d.heard[ops[i].Key] = b.Results[i].List
						}
					}
				case TxnAborted:
					if d.ok {
						t.Errorf("transaction %s/%d was committed, then aborted", session, number)
					}
					d.aborted = true
				}
				switch {
				case over:
				case body != nil:
					over = true
					d.answer = w.c.Now()
					if chance.IntN(8) > 0 { // a straggler: the same once more, unasked for
						w.c.After(time.Duration(chance.IntN(1000))*time.Millisecond, func() { client(session, number+1) })
					} else {
						w.c.After(0, func() { ask(0); client(session, number+1) })
					}
				case left == 0:
					over = true
					w.c.After(0, func() { client(session+"'", 1) })
				default:
					w.c.After(0, func() { ask(left - 1) })
				}
			})
		}
		ask(3)
	}
	for i := range 8 {
		client(fmt.Sprint("s", i), 1)
	}
	var orders func()
	orders = func() {
		if w.c.Now() > end {
			return
		}
		key := keys[chance.IntN(len(keys))]
		all := NewLayout(w.top).Groups()[:6]
		body := []any{MoveRange{key, all[chance.IntN(len(all))].Name}, MoveRange{key, key[:2]}, Split{key[:3] + "l"}, Fence{key}}[chance.IntN(4)]
		w.c.Call(home, w.top.Members[chance.IntN(len(w.top.Members))].ID, body, time.Second, func(any, bool) {})
		w.c.After(time.Duration(chance.IntN(1000))*time.Millisecond, orders)
	}
	if moving {
		orders()
	}
	for w.c.Now() < end {
		var links []nodes.Link
		for _, a := range w.top.Members {
			for _, b := range w.top.Members {
				if a.ID != b.ID && chance.IntN(3) == 0 {
					links = append(links, nodes.Link{From: a.ID, To: b.ID})
				}
			}
		}
		q := nodes.Quality{
			LossPerMille: chance.IntN(300), DuplicatePerMille: chance.IntN(400), ReorderPerMille: chance.IntN(500),
			Delay: time.Duration(chance.IntN(60)) * time.Millisecond, Jitter: time.Duration(1+chance.IntN(300)) * time.Millisecond,
		}
		if chance.IntN(4) == 0 {
			q = nodes.Quality{Cut: true}
		}
		heal, err := w.c.Degrade(ctx, links, q)
		must(t, err)
		victim := w.top.Members[chance.IntN(len(w.top.Members))].ID
		if chance.IntN(2) == 0 {
			must(t, w.c.PowerLoss(ctx, []nodes.ID{victim}))
		} else if chance.IntN(2) == 0 {
			must(t, w.c.Pause(ctx, victim))
		}
		w.run(time.Duration(500+chance.IntN(2500)) * time.Millisecond)
		must(t, w.c.Resume(ctx, victim))
		must(t, w.c.Boot(ctx, victim))
		must(t, heal(ctx))
		w.run(time.Duration(chance.IntN(1000)) * time.Millisecond)
	}
	w.run(10 * time.Second)
	if len(w.held) > 0 && !moving { // a member that lags behind reports locks of a range that has left
		t.Errorf("still locked: %v", w.held)
	}
	if moved := w.reached["multi-master: a range was moved"]; moving && (moved < 3 || w.reached["multi-master: a range was split"] == 0) {
		t.Errorf("%d members took over a range: nothing was tested", moved)
	}
	final := map[string][]int64{}
	for _, key := range keys {
		final[key] = w.read(key)[0].List
	}
	judge(t, deeds, final)
}

func judge(t *testing.T, deeds []*deed, final map[string][]int64) {
	place := func(key string, i int) int { return slices.Index(final[key], int64(i+1)) }
	done, unknown := 0, 0
	next := make([][]int, len(deeds)) // who comes after whom: on a key, or because it began when the other was over
	for i, d := range deeds {
		there := 0
		for key, list := range final {
			n := 0
			for _, v := range list {
				if v == int64(i+1) {
					n++
				}
			}
			if n > 1 || n == 1 && !slices.Contains(d.keys, key) {
				t.Errorf("transaction %d on %v is %d times in %s", i+1, d.keys, n, key)
			}
			there += min(n, 1)
		}
		if there != 0 && there != len(d.keys) || d.ok && !d.reads && there == 0 || (d.aborted || d.reads) && there > 0 {
			t.Errorf("transaction %d on %v (committed %v, aborted %v) is on %d keys", i+1, d.keys, d.ok, d.aborted, there)
		}
		if there > 0 {
			done++
		}
		if !d.ok && !d.aborted {
			unknown++
		}
		for _, key := range d.keys {
			list, read := d.heard[key]
			n := place(key, i) + 1
			if d.reads {
				n = min(len(list), len(final[key]))
			}
			if read && !slices.Equal(list, final[key][:n]) {
				t.Errorf("transaction %d read %v in %s, and the list became %v", i+1, list, key, final[key])
			}
			if read && d.reads && n > 0 {
				next[list[n-1]-1] = append(next[list[n-1]-1], i)
			}
			if read && d.reads && n < len(final[key]) {
				next[i] = append(next[i], int(final[key][n]-1))
			}
		}
	}
	for _, list := range final {
		for k := 1; k < len(list); k++ {
			next[list[k-1]-1] = append(next[list[k-1]-1], int(list[k]-1))
		}
	}
	for i, a := range deeds {
		for j, b := range deeds {
			if a.answer > 0 && a.ok && b.call > a.answer && (b.ok || place(b.keys[0], j) >= 0) {
				next[i] = append(next[i], j)
			}
		}
	}
	// They must not come after each other in a circle.
	state := make([]int, len(deeds)) // 1 on the way, 2 done
	var visit func(i int)
	visit = func(i int) {
		state[i] = 1
		for _, j := range next[i] {
			switch state[j] {
			case 0:
				visit(j)
			case 1:
				t.Errorf("transactions %d and %d are each before the other", i+1, j+1)
			}
		}
		state[i] = 2
	}
	for i := range deeds {
		if state[i] == 0 {
			visit(i)
		}
	}
	t.Logf("%d transactions, %d done, %d unknown", len(deeds), done, unknown)
	if done < len(deeds)/8 {
		t.Errorf("only %d of %d transactions were done: nothing was tested", done, len(deeds))
	}
}
