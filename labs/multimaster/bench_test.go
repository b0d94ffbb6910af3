//go:build unix

package multimaster_test

import (
	"flag"
	"io"
	"slices"
	"testing"
	"time"

	"faultlab/checker/history"
	"faultlab/labs"
	"faultlab/labs/report"
	mm "faultlab/nodes/multimaster"
)

var hour = flag.Bool("hour", false, "let BenchmarkLength do a run of an hour too, which takes minutes and gigabytes")

// BenchmarkRun is all that lab run multi-master --nemesis partition does: the default run, judged, with its report and
// its run folder.
func BenchmarkRun(b *testing.B) { benchmarkRun(b, time.Minute) }

// BenchmarkLength shows what a second costs in runs of other lengths: it may not grow.
func BenchmarkLength(b *testing.B) {
	lengths := []time.Duration{time.Minute, 10 * time.Minute}
	if *hour {
		lengths = append(lengths, time.Hour)
	}
	for _, length := range lengths {
		b.Run(length.String(), func(b *testing.B) { benchmarkRun(b, length) })
	}
}

func benchmarkRun(b *testing.B, length time.Duration) {
	run := trial.Cost(b, labs.Options{Seed: 1, Nemesis: []string{"partition"}, Time: length}, func(w io.Writer, run *labs.Run) error {
		return report.Write(w, run, report.Options{Files: labs.Files()})
	})
	b.ReportMetric(float64(commitMedian(run).Microseconds())/1000, "commit-p50-virtual-ms")
}

// commitMedian is the median time, while nothing is broken, in which a transaction that writes to one range of its
// client's own region is acknowledged.
func commitMedian(run *labs.Run) time.Duration {
	layout := mm.NewLayout(run.Topology)
	var took []time.Duration
	for _, op := range run.History.Ops {
		t, ok := op.In.(mm.Txn)
		if !ok {
			continue
		}
		ops := t.Ops
		ranges := layout.Participants(ops)
		writes := slices.ContainsFunc(ops, func(o mm.Op) bool { return o.F != mm.Read })
		if op.Phase == history.Recovery && op.Outcome == history.OK && writes && len(ranges) == 1 && ranges[0].Region == op.Region {
			took = append(took, op.Return-op.Call)
		}
	}
	slices.Sort(took)
	return took[len(took)/2]
}
