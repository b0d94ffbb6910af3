//go:build unix

package queue_test

import (
	"context"
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
	"faultlab/labs/queue"
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
	defer debug.SetGCPercent(debug.SetGCPercent(400)) // as cmd has it
	lab := queue.Lab()
	dir := filepath.Join(b.TempDir(), "run")
	var virtual, median time.Duration
	var events, operations, records int
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
		median, records = sends(run)
		events, operations = len(run.History.Events), len(run.History.Ops)
	}
	spent := processorTime(b) - began
	b.ReportMetric(virtual.Seconds()/spent.Seconds(), "virtual-s/cpu-s")
	b.ReportMetric(float64(spent.Milliseconds())/virtual.Seconds(), "cpu-ms/virtual-s")
	b.ReportMetric(peak(b), "MB-peak")
	b.ReportMetric(float64(events)/float64(operations), "events/op")
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
