//go:build unix

package queue_test

import (
	"io"
	"slices"
	"testing"
	"time"

	"faultlab/checker/history"
	"faultlab/labs"
	"faultlab/labs/report"
	q "faultlab/nodes/queue"
)

// BenchmarkRun is all that lab run queue --nemesis partition does: the default run, judged, with its report and its run
// folder.
func BenchmarkRun(b *testing.B) { benchmarkRun(b, time.Minute) }

// BenchmarkLength shows what a second costs in runs of other lengths: it may not grow.
func BenchmarkLength(b *testing.B) {
	for _, length := range []time.Duration{time.Minute, 10 * time.Minute} {
		b.Run(length.String(), func(b *testing.B) { benchmarkRun(b, length) })
	}
}

func benchmarkRun(b *testing.B, length time.Duration) {
	run := trial.Cost(b, labs.Options{Seed: 1, Nemesis: []string{"partition"}, Time: length}, func(w io.Writer, run *labs.Run) error {
		return report.Write(w, run, report.Options{Files: labs.Files()})
	})
	median, records := sends(run)
	b.ReportMetric(float64(records), "records")
	b.ReportMetric(float64(median.Microseconds())/1000, "send-p50-virtual-ms")
}

// sends returns the median time, while nothing is broken, in which a send at home is acknowledged, and how many records
// were in the whole run.
func sends(run *labs.Run) (median time.Duration, records int) {
	var took []time.Duration
	for _, op := range run.History.Ops {
		in, ok := op.In.(q.Send)
		if !ok || op.Outcome != history.OK {
			continue
		}
		records += len(in.Values)
		if op.Phase == history.Recovery && in.Home == op.Region {
			took = append(took, op.Return-op.Call)
		}
	}
	slices.Sort(took)
	return took[len(took)/2], records
}
