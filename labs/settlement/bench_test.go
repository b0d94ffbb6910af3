//go:build unix

package settlement_test

import (
	"context"
	"io"
	"path/filepath"
	"runtime/debug"
	"syscall"
	"testing"
	"time"

	"faultlab/labs"
	"faultlab/labs/report"
	"faultlab/labs/settlement"
	s "faultlab/nodes/settlement"
)

// BenchmarkRun is all that lab run settlement --nemesis partition does: the default run, judged, with its report and its
// run folder.
func BenchmarkRun(b *testing.B) { benchmarkRun(b, "partition", time.Minute) }

// BenchmarkLength shows what a second costs in runs of other lengths: it may not grow much.
func BenchmarkLength(b *testing.B) {
	for _, length := range []time.Duration{time.Minute, 5 * time.Minute} {
		b.Run(length.String(), func(b *testing.B) { benchmarkRun(b, "partition", length) })
	}
}

// BenchmarkCalm counts, without faults, what members send each other for a payment: heartbeats, retries, screening,
// quotes and what shards tell each other are all in it.
func BenchmarkCalm(b *testing.B) { benchmarkRun(b, "none", time.Minute) }

func benchmarkRun(b *testing.B, nemesis string, length time.Duration) {
	defer debug.SetGCPercent(debug.SetGCPercent(400)) // as cmd has it
	lab := settlement.Lab()
	dir := filepath.Join(b.TempDir(), "run")
	var virtual time.Duration
	payments, messages := map[string]bool{}, uint64(0)
	began := processorTime(b)
	for b.Loop() {
		run, err := labs.Do(context.Background(), lab, labs.Options{Seed: 1, Nemesis: []string{nemesis}, Time: length, Start: simulated})
		if err != nil {
			b.Fatal(err)
		}
		page := func(w io.Writer) error { return report.Write(w, run, report.Options{Files: labs.Files()}) }
		if _, err := run.Save(dir, labs.Origin{}, lab.System, page); err != nil {
			b.Fatal(err)
		}
		virtual += run.History.End
		clear(payments)
		for i := range run.History.Ops {
			if paid, ok := run.History.Ops[i].Out.(s.Paid); ok {
				payments[paid.Payment] = true
			}
		}
		messages = run.Cluster.(labs.Carrier).Carried()
	}
	spent := processorTime(b) - began
	b.ReportMetric(virtual.Seconds()/spent.Seconds(), "virtual-s/cpu-s")
	b.ReportMetric(float64(len(payments)), "payments")
	b.ReportMetric(float64(messages)/float64(len(payments)), "messages/payment")
}

// processorTime is what this process has used so far, on all processors.
func processorTime(b *testing.B) time.Duration {
	b.Helper()
	var used syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &used); err != nil {
		b.Fatal(err)
	}
	return time.Duration(used.Utime.Nano() + used.Stime.Nano())
}
