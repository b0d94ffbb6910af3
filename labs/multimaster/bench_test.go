//go:build unix

package multimaster_test

import (
	"context"
	"flag"
	"io"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"slices"
	"syscall"
	"testing"
	"time"

	"faultlab/checker/history"
	"faultlab/labs"
	"faultlab/labs/multimaster"
	"faultlab/labs/report"
	mm "faultlab/nodes/multimaster"
)

var hour = flag.Bool("hour", false, "let BenchmarkLength do a run of an hour too, which takes minutes and gigabytes")

// BenchmarkRun is all that lab run multi-master --nemesis partition does: the default run, judged, with its report and
// its run folder.
func BenchmarkRun(b *testing.B) { benchmarkRun(b, time.Minute) }

// BenchmarkLength shows what a second costs in runs of other lengths: it may not grow. The peak is that of the whole
// process so far, so it is that of the run where lengths rise.
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
	defer debug.SetGCPercent(debug.SetGCPercent(400)) // as cmd has it
	lab := multimaster.Lab()
	dir := filepath.Join(b.TempDir(), "run")
	var virtual time.Duration
	var events, operations int
	var median time.Duration
	began := processorTime(b)
	for b.Loop() {
		run, err := labs.Do(context.Background(), lab, labs.Options{Seed: 1, Nemesis: []string{"partition"}, Time: length, Start: simulated})
		if err != nil {
			b.Fatal(err)
		}
		page := func(w io.Writer) error { return report.Write(w, run, report.Options{Files: labs.Files()}) }
		if _, err := run.Save(dir, labs.Origin{}, lab.System, page); err != nil {
			b.Fatal(err)
		}
		virtual += run.History.End
		median = commitMedian(run)
		events, operations = len(run.History.Events), len(run.History.Ops)
	}
	spent := processorTime(b) - began
	b.ReportMetric(virtual.Seconds()/spent.Seconds(), "virtual-s/cpu-s")
	b.ReportMetric(virtual.Seconds()/b.Elapsed().Seconds(), "virtual-s/s")
	b.ReportMetric(float64(spent.Milliseconds())/virtual.Seconds(), "cpu-ms/virtual-s")
	b.ReportMetric(peak(b), "MB-peak")
	b.ReportMetric(float64(events)/float64(operations), "events/op")
	b.ReportMetric(float64(median.Microseconds())/1000, "commit-p50-virtual-ms")
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

// processorTime is what this process has used, in user and in system mode.
func processorTime(b *testing.B) time.Duration {
	u := usage(b)
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// peak is the most memory that this process has held, in MB.
func peak(b *testing.B) float64 {
	unit := 1024.0
	if runtime.GOOS == "darwin" {
		unit = 1
	}
	return float64(usage(b).Maxrss) * unit / 1e6
}

func usage(b *testing.B) (u syscall.Rusage) {
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return u
}
