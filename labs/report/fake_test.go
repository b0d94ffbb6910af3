package report

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"faultlab/checker/history"
	"faultlab/labs"
	"faultlab/nemesis"
	"faultlab/nodes"
)

// A step, a Txn and a Done are the vocabulary of a system that there is not.
type step struct {
	Do    string `json:"do"`
	Key   string `json:"key"`
	Value int    `json:"value,omitempty"`
	List  []int  `json:"list,omitempty"`
}

type Txn struct {
	Number int    `json:"number"`
	Steps  []step `json:"steps"`
}

type Done struct {
	Steps []step `json:"steps"`
}

// fake makes a run of that many operations a second: two partitions, a kill that never struck, and an append to k7 that
// was acknowledged in the first partition and that no final read shows.
func fake(rate int) *labs.Run {
	const (
		warm  = 3 * time.Second
		heal  = 63 * time.Second
		final = 73 * time.Second
		end   = 75 * time.Second
	)
	h := &history.History{Healed: heal, End: end}
	topo := nodes.Topology{RoundTrips: []nodes.RoundTrip{
		{A: "A", B: "B", Time: 40 * time.Millisecond}, {A: "A", B: "C", Time: 80 * time.Millisecond}, {A: "B", B: "C", Time: 120 * time.Millisecond}}}
	for _, region := range []string{"A", "B", "C"} {
		for n := 1; n <= 3; n++ {
			id := fmt.Sprintf("%c%d", region[0]+'a'-'A', n)
			h.Members = append(h.Members, history.Member{ID: id, Region: region, Zone: region + id})
			topo.Members = append(topo.Members, nodes.Member{ID: nodes.ID(id), Region: region, Zone: region + id})
		}
	}
	var cuts []history.Link
	for _, b := range []string{"b1", "b2", "b3"} {
		for _, o := range []string{"a1", "a2", "a3", "c1", "c2", "c3"} {
			cuts = append(cuts, history.Link{From: b, To: o}, history.Link{From: o, To: b})
		}
	}
	h.Windows = []history.Window{
		{Kind: "partition", Form: "region", Start: 12 * time.Second, End: 20300 * time.Millisecond, Nodes: []string{"b1", "b2", "b3"}, Cuts: cuts, Took: true},
		{Kind: "kill", Start: 30 * time.Second, End: 34 * time.Second, Role: "leader of C2", Why: "nobody led C2 when it was due"},
		{Kind: "partition", Form: "node", Start: 41 * time.Second, End: 55 * time.Second, Nodes: []string{"a2"}, Role: "leader of A1", Took: true,
			Cuts: []history.Link{{From: "a2", To: "a1"}, {From: "a2", To: "a3"}, {From: "a1", To: "a2"}, {From: "a3", To: "a2"}}},
	}
	r := rand.New(rand.NewPCG(1, 2))
	active := func(w int, t time.Duration) bool { return h.Windows[w].Start <= t && t < h.Windows[w].End }
	retired := map[int]int{}
	busy := map[int]time.Duration{}
	lists := map[string][]int{}
	for t := warm; t < end; t += time.Second / time.Duration(rate) {
		call := t + time.Duration(r.IntN(1000))*time.Microsecond
		c := r.IntN(9)
		if busy[c] >= call {
			continue
		}
		region := []string{"A", "B", "C"}[c/3]
		key := fmt.Sprintf("k%d", r.IntN(12))
		phase, far := history.Safety, r.IntN(4) == 0
		switch {
		case t >= final:
			phase, far = history.Final, false
		case t >= heal:
			phase = history.Recovery
		}
		took := 2*time.Millisecond + time.Duration(r.ExpFloat64()*float64(800*time.Microsecond))
		if far {
			took += time.Duration(40+40*r.IntN(3)) * time.Millisecond
		}
		outcome := history.OK
		switch {
		case active(0, t) && far && (region == "B" || r.IntN(2) == 0),
			active(2, t) && t < 43*time.Second && region == "A" && r.IntN(3) > 0,
			active(2, t) && region == "A" && r.IntN(30) == 0:
			outcome, took = history.Unknown, time.Second
		case r.IntN(150) == 0:
			outcome = history.Failed
		}
		identity := fmt.Sprintf("c%d", c+1)
		if retired[c] > 0 {
			identity += fmt.Sprintf(".%d", retired[c])
		}
		op := history.Op{Index: len(h.Ops), Client: identity, Node: fmt.Sprintf("%c%d", 'a'+c/3, 1+r.IntN(3)), Region: region,
			Call: call, Return: call + took, Outcome: outcome, Phase: phase}
		if r.IntN(2) == 0 || phase == history.Final {
			op.In = Txn{op.Index, []step{{Do: "read", Key: key}}}
			op.Out = Done{[]step{{Do: "read", Key: key, List: slices.Clone(lists[key])}}}
		} else {
			lists[key] = append(lists[key], op.Index)
			op.In = Txn{op.Index, []step{{Do: "append", Key: key, Value: op.Index}}}
			op.Out = Done{[]step{{Do: "append", Key: key}}}
		}
		if outcome != history.OK {
			op.Out = nil
		}
		if outcome == history.Unknown {
			retired[c]++
		}
		busy[c] = op.Return
		h.Ops = append(h.Ops, op)
	}
	lost, read, doubt := lostAppend(h)
	shown := []int{lost, read}
	if doubt >= 0 {
		shown = append(shown, doubt)
	}
	run := &labs.Run{
		Lab: "multi-master", Topology: topo, History: h, Verdict: history.Fail,
		Options: labs.Options{Seed: 7, On: "sim", Time: time.Minute, Rate: rate, Clients: 9, Nemesis: []string{"partition", "kill"}, Bug: "ack-before-sync"},
		Schedule: nemesis.Schedule{
			{Kind: "partition", Form: "region", At: 9 * time.Second, For: 8300 * time.Millisecond, Nodes: []nodes.ID{"b1", "b2", "b3"}},
			{Kind: "kill", At: 27 * time.Second, For: 4 * time.Second, Role: "leader of C2"},
			{Kind: "partition", Form: "node", At: 38 * time.Second, For: 14 * time.Second, Role: "leader of A1"},
			{Kind: "slow", At: 52 * time.Second, For: time.Second, Nodes: []nodes.ID{"c1"}},
		},
		Reached: map[string]int{"leader-changed": 14, "2pc-coordinator-lost": 3, "snapshot-installed": 2, "prepare-waited": 481, "session-reply-replayed": 37, "force-abort": 5},
		Logs:    map[nodes.ID][]string{"c2": {"58.101s raft A1: became follower at term 9", "58.113s applying 4117", "58.114s panic"}},
		Broken:  []*nodes.Broken{{Node: "c2", At: 58114 * time.Millisecond, What: "panic: index out of range [3] with length 3 (range.go:141)"}},
	}
	run.Judged = []labs.Judged{
		{Guarantee: labs.Guarantee{ID: "O1", Name: "linearizable-partition", Statement: "Operations on one key range are linearizable.", Under: []string{"partition", "kill"}},
			Result: history.Passed("12 keys, each linearizable; the longest part took 214 steps.")},
		{Guarantee: labs.Guarantee{ID: "O2", Name: "strict-serializable", Statement: "All committed transactions have one serial order that respects real time.", Under: []string{"partition", "kill"}},
			Result: history.Result{Verdict: history.Pass, Reason: "2,711 transactions, 9,020 dependencies, no cycle.", Evidence: map[string]any{"transactions": 2711, "edges": map[string]int{"ww": 2210, "wr": 4405, "rw": 2405}}}},
		{Guarantee: labs.Guarantee{ID: "O4", Name: "deterministic-apply", Statement: "The same log index gives the same digest on all replicas."},
			Result: history.Doubted("Only one replica of C2 reported a digest at any index: compare after a longer calm.")},
		{Guarantee: labs.Guarantee{ID: "O5", Name: "durable-ack", Statement: "An acknowledged write is there in the final reads, whatever was killed or lost power.", Under: []string{"partition", "kill", "power-loss"}},
			Result: history.Result{Verdict: history.Fail, Ops: shown, Reason: fmt.Sprintf("The append of %d to k7 was acknowledged and the final read #%d does not show it, though it shows later ones.", lost, read),
				Evidence: map[string]any{"lost": []int{lost}, "key": "k7", "acknowledged_appends": 402}}},
		{Guarantee: labs.Guarantee{ID: "O9", Name: "bounded-blocking", Statement: "A lock of a prepared transaction lasts at most 2 s where a majority of the status group can be reached.", Under: []string{"partition"}},
			Result: history.Skipped("kill:leader is outside of what it is promised under.")},
	}
	return run
}

// lostAppend hides one acknowledged append to k7 from every later read of it.
func lostAppend(h *history.History) (lost, read, doubt int) {
	lost, read, doubt = -1, -1, -1
	for i := range h.Ops {
		op := &h.Ops[i]
		s := op.In.(Txn).Steps[0]
		if s.Key != "k7" {
			continue
		}
		if lost < 0 && s.Do == "append" && op.Outcome == history.OK && op.Call > 13*time.Second {
			lost = i
		}
		if lost >= 0 && doubt < 0 && op.Outcome == history.Unknown {
			doubt = i
		}
		if lost < 0 || s.Do != "read" || op.Outcome != history.OK {
			continue
		}
		list := op.Out.(Done).Steps[0].List
		op.Out = Done{[]step{{Do: "read", Key: "k7", List: slices.DeleteFunc(slices.Clone(list), func(v int) bool { return v == lost })}}}
		if op.Phase == history.Final {
			read = i
		}
	}
	return lost, read, doubt
}
