package txn

import (
	"fmt"
	"runtime"
	"testing"

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
