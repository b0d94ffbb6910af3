package cmd

import (
	"faultlab/labs"
	"faultlab/nodes"
	"faultlab/nodes/cluster/sim"
)

// A place is a runtime: where nodes can run.
type place struct {
	name  string
	about string // the first line of a run's output
	start func(nodes.Spec) (labs.Cluster, error)
}

// places are all runtimes; the first is the default.
var places = []place{
	{"sim", "simulated (all nodes in this process, on a made-up clock)", func(s nodes.Spec) (labs.Cluster, error) { return sim.Start(s) }},
}

// placeNamed finds a runtime by its name.
func placeNamed(name string) (place, error) {
	var names []string
	for _, p := range places {
		if p.name == name {
			return p, nil
		}
		names = append(names, p.name)
	}
	return place{}, badly("%s", unknown("runtime", name, names))
}
