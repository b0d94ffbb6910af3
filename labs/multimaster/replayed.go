package multimaster

import (
	"faultlab/checker/history"
	"faultlab/labs"
	mm "faultlab/nodes/multimaster"
)

// replays is the proof that execution is deterministic: what a replica left on its disk, snapshot and log, makes of a
// fresh node what the replicas said in the run that it made of them.
func replays() labs.Audit {
	return labs.Audit{
		ID: "F1", Name: "replays-offline",
		Statement: "The snapshot and log that any replica left on its disk are undamaged and, executed again by a node alone, come to the states that replicas reported in the run.",
		Check: func(run *labs.Run, disks []labs.Disk) history.Result {
			type place struct {
				group string
				index uint64
			}
			said := map[place]history.Event{}
			for _, e := range run.History.Events {
				if d, ok := e.Event.(mm.Digest); ok {
					if _, known := said[place{d.Group, d.Index}]; !known {
						said[place{d.Group, d.Index}] = e
					}
				}
			}
			compared, logs := 0, 0
			for _, disk := range disks {
				for _, l := range disk.Logs {
					logs++
					if l.Damage != nil {
						return history.Refuted(nil, "the log of %s that %s left, in nodes/%s/disk/%s, is not as it was written: %v", l.Name, disk.Node, disk.Node, l.File, l.Damage)
					}
				}
				events, err := labs.Replayed(mm.System(), run.Options.Bug, run.Topology, disk)
				if err != nil {
					return history.Refuted(nil, "the disk of %s: %v", disk.Node, err)
				}
				for _, e := range events {
					d, ok := e.(mm.Digest)
					if !ok {
						continue
					}
					if then, known := said[place{d.Group, d.Index}]; known {
						compared++
						if was := then.Event.(mm.Digest); was.Sum != d.Sum {
							return history.Refuted(nil, "executed again, the log of %s that %s left comes at entry %d to a state with the sum %x, and %s reported %x there at %.3f s",
								d.Group, disk.Node, d.Index, d.Sum, then.Node, was.Sum, then.At.Seconds())
						}
					}
				}
			}
			r := history.Passed("%d logs of %d nodes, executed again, came to the same state at all of %d entries that were reported in the run", logs, len(disks), compared)
			if compared < 20 {
				r = history.Doubted("only %d states of %d logs could be compared with what was reported in the run; 20 are needed", compared, logs)
			}
			r.Evidence = map[string]any{"nodes": len(disks), "logs": logs, "compared": compared}
			return r
		},
	}
}
