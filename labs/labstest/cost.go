//go:build unix

package labstest

import (
	"io"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"syscall"
	"testing"
	"time"

	"faultlab/labs"
)

// Cost measures all that lab run does with these options: a run, judged, with its report and its run folder. It returns
// the last run. A peak is that of the whole process so far, so it is that of the run where lengths rise.
func (x Trial) Cost(b *testing.B, o labs.Options, report func(io.Writer, *labs.Run) error) (run *labs.Run) {
	defer debug.SetGCPercent(debug.SetGCPercent(400)) // as cmd has it
	dir := filepath.Join(b.TempDir(), "run")
	var virtual time.Duration
	began := processorTime(b)
	for b.Loop() {
		run = x.Do(b, o)
		page := func(w io.Writer) error { return report(w, run) }
		if _, err := run.Save(dir, labs.Origin{}, x.Lab.System, page); err != nil {
			b.Fatal(err)
		}
		virtual += run.History.End
	}
	spent := processorTime(b) - began
	b.ReportMetric(virtual.Seconds()/spent.Seconds(), "virtual-s/cpu-s")
	b.ReportMetric(virtual.Seconds()/b.Elapsed().Seconds(), "virtual-s/s")
	b.ReportMetric(float64(spent.Milliseconds())/virtual.Seconds(), "cpu-ms/virtual-s")
	b.ReportMetric(peak(b), "MB-peak")
	b.ReportMetric(float64(len(run.History.Events))/float64(len(run.History.Ops)), "events/op")
	return run
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
