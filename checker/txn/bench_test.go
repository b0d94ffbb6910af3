package txn

import (
	"fmt"
	"runtime"
	"testing"
	"time"

	"faultlab/checker/history"
)

// BenchmarkListAppend judges good histories at strict serializability, and the same with a thousand anomalies.
func BenchmarkListAppend(b *testing.B) {
	for _, n := range []int{10_000, 100_000, 1_000_000} {
		for _, anomalies := range []int{0, 1000} {
			b.Run(fmt.Sprintf("txns=%d/anomalies=%d", n, anomalies), func(b *testing.B) {
				txns := lab{seed: 1, txns: n, clients: 50, keys: 100, perKey: 32, maxOps: 4}.lists()
				spoil(txns, anomalies)
				want := history.Pass
				if anomalies > 0 {
					want = history.Fail
				}
				runtime.GC()
				b.ReportAllocs()
				for b.Loop() {
					if r := Check(txns, Options{}); r.Verdict != want {
						b.Fatal(r.Verdict, r.Reason)
					}
				}
				b.ReportMetric(float64(n)*float64(b.N)/b.Elapsed().Seconds(), "txns/s")
			})
		}
	}
}

// BenchmarkRWRegister judges good register histories at three models. At all of them the whole report is made.
func BenchmarkRWRegister(b *testing.B) {
	for _, n := range []int{10_000, 100_000, 1_000_000} {
		txns := lab{seed: 1, txns: n, clients: 50, keys: 100, perKey: 1000, maxOps: 4}.registers()
		for _, model := range []string{"read-committed", "causal", "serializable", "strict-serializable"} {
			b.Run(fmt.Sprintf("txns=%d/%s", n, model), func(b *testing.B) {
				runtime.GC()
				b.ReportAllocs()
				for b.Loop() {
					if r := Check(txns, Options{Models: []string{model}}); r.Verdict != history.Pass {
						b.Fatal(r.Verdict, r.Reason)
					}
				}
				b.ReportMetric(float64(n)*float64(b.N)/b.Elapsed().Seconds(), "txns/s")
			})
		}
	}
}

// BenchmarkSession judges the session guarantees where one client wrote and read one register all the time and saw an old
// value at the end.
func BenchmarkSession(b *testing.B) {
	for _, n := range []int{10_000, 100_000} {
		txns := make([]Txn, n)
		for i := range txns {
			op := Op{Kind: Write, Key: "x", Value: int64(i)}
			if i%2 == 1 {
				op = Op{Kind: Read, Key: "x", Value: int64(i - 1)}
			}
			txns[i] = Txn{Index: i, Client: "a", Ops: []Op{op}, Call: time.Duration(2 * i), Return: time.Duration(2*i + 1), Outcome: history.OK}
		}
		txns[n-1].Ops[0].Value = 0
		b.Run(fmt.Sprintf("txns=%d", n), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if r := Check(txns, Options{Models: []string{"read-your-writes"}}); r.Verdict != history.Fail {
					b.Fatal(r.Verdict, r.Reason)
				}
			}
		})
	}
}

// spoil makes reads stale: evenly spread over the history, reads forget the last element that they saw.
func spoil(txns []Txn, n int) {
	if n == 0 {
		return
	}
	step := max(1, len(txns)/n)
	for i := 0; i < len(txns); i += step {
		for j := range txns[i].Ops {
			if op := &txns[i].Ops[j]; op.Kind == Read && len(op.List) > 0 {
				op.List = op.List[:len(op.List)-1]
				break
			}
		}
	}
}
