package multimaster_test

import (
	"context"
	"testing"
	"time"

	"faultlab/labs"
	"faultlab/labs/multimaster"
	"faultlab/nodes"
	"faultlab/nodes/cluster/sim"
)

func simulated(spec nodes.Spec) (labs.Cluster, error) { return sim.Start(spec) }

// One default run of a minute under partitions, judged. The figure is virtual seconds a second.
func BenchmarkRun(b *testing.B) {
	for b.Loop() {
		run, err := labs.Do(context.Background(), multimaster.Lab(), labs.Options{Seed: 1, Nemesis: []string{"partition"}, Time: time.Minute, Start: simulated})
		if err != nil {
			b.Fatal(err)
		}
		b.ReportMetric(float64(run.History.End)/1e9*float64(b.N)/b.Elapsed().Seconds(), "virtual-s/s")
	}
}
