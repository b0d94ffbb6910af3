package multimaster

import "testing"

func TestAResolveThatIsLateDoesNotTouchALaterAttempt(t *testing.T) {
	env := newPaper()
	m := newReplica(env)
	key := []Op{{F: Append, Key: "A1/k", Value: 1}}
	old := ID{"old", 1}
	apply(env, m, 2, &command{Kind: prepare, ID: ID{"young", 1}, Attempt: 1, Ops: key, Priority: 9, Coordinator: "S1"})
	apply(env, m, 3, &command{Kind: prepare, ID: old, Attempt: 2, Ops: key, Priority: 1, Coordinator: "S1"})
	apply(env, m, 4, &command{Kind: resolve, ID: old, Attempt: 1, Coordinator: "S1"})
	if !m.waits(old) {
		t.Error("attempt 2 waited, and is gone without a vote after the end of attempt 1")
	}
}

func TestAResolveEndsEarlierAttemptsToo(t *testing.T) {
	env := newPaper()
	m := newReplica(env)
	key := []Op{{F: Append, Key: "A1/k", Value: 1}}
	apply(env, m, 2, &command{Kind: prepare, ID: ID{"s", 1}, Attempt: 1, Ops: key, Coordinator: "S1"})
	apply(env, m, 3, &command{Kind: resolve, ID: ID{"s", 1}, Attempt: 2, Coordinator: "S1"})
	if len(m.locks) > 0 {
		t.Errorf("the transaction is over (%v), and its first attempt holds a lock", env.answers)
	}
}

func TestAListAndAValueDoNotCancelOutInADigest(t *testing.T) {
	sums := map[uint64]int64{}
	for v := range int64(5) {
		s := newStore()
		s.run([]Op{{F: Append, Key: "A1/a", Value: v}, {F: Write, Key: "A1/a", Value: v}}, false)
		if other, ok := sums[s.sum]; ok {
			t.Errorf("[%d] and %d has the digest of [%d] and %d", v, v, other, other)
		}
		sums[s.sum] = v
	}
}

func TestAReadIsNotStarvedByTransactionsThatComeLater(t *testing.T) {
	env := newPaper()
	m := newReplica(env)
	key := []Op{{F: Append, Key: "A1/k", Value: 1}}
	part := func(n int64) ID { return ID{"s" + string(rune('a'+n)), 1} }
	apply(env, m, 2, &command{Kind: prepare, ID: part(0), Attempt: 1, Ops: key, Priority: 99, Coordinator: "S1"})
	m.lead.reads = append(m.lead.reads, read{asker{"c1", 1}, []Op{{F: Read, Key: "A1/k"}}})
	for n := range int64(9) { // each is older than the one before, so it waits in the queue
		apply(env, m, uint64(3+2*n), &command{Kind: prepare, ID: part(n + 1), Attempt: 1, Ops: key, Priority: 98 - n, Coordinator: "S1"})
		apply(env, m, uint64(4+2*n), &command{Kind: resolve, ID: part(n), Attempt: 1, Commit: true, Coordinator: "S1"})
	}
	if len(m.lead.reads) > 0 {
		t.Error("nine transactions that came after the read are done, and it still waits")
	}
}
