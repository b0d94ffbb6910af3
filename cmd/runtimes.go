package cmd

import (
	"context"

	"faultlab/labs"
	"faultlab/nodes"
	"faultlab/nodes/cluster/docker"
	"faultlab/nodes/cluster/process"
	"faultlab/nodes/cluster/sim"
	"faultlab/nodes/host"
)

// A place is a runtime: where nodes can run.
type place struct {
	name  string
	about string // the first line of a run's output
	start func(nodes.Spec) (labs.Cluster, error)
	// program starts nodes that are a program of others, and foreign is the kind of such a cluster; nil where there are none.
	program func(nodes.Spec) (labs.Cluster, error)
	foreign labs.Cluster
	real    bool         // it takes real time, and so no two runs are the same
	kind    labs.Cluster // of its clusters: a nil one, to ask what faults it can do
	// check says why it cannot work on this machine, and of harm to links why that alone cannot; nil if it works anywhere.
	check func(context.Context) (about string, refuses func(nodes.Quality) error, err error)
	// disk reads the folder that its clusters save of one node's disk.
	disk func(folder string) ([]nodes.StoredLog, error)
	// image is the same place with nodes of an image that somebody else made; nil if it knows no images.
	image func(ref string) place
}

// places are all runtimes; the first is the default.
var places = []place{
	{
		name: "sim", about: "simulated (--on docker for real containers)",
		start: func(s nodes.Spec) (labs.Cluster, error) { return sim.Start(s) },
		kind:  (*sim.Cluster)(nil),
		disk:  sim.ReadDisk,
	},
	{
		name: "process", about: "real processes (one for each node, on real time; the lab carries their messages)",
		start: func(s nodes.Spec) (labs.Cluster, error) {
			c, err := process.StartOwn(s)
			if err != nil {
				return nil, err
			}
			return c, nil
		},
		program: func(s nodes.Spec) (labs.Cluster, error) {
			c, err := process.Start(s)
			if err != nil {
				return nil, err
			}
			return c, nil
		},
		real:    true,
		kind:    (*process.Own)(nil),
		foreign: (*process.Cluster)(nil),
		check:   checkProcess,
		disk:    host.ReadDisk,
	},
	{
		name: "docker", about: "real containers (a process for each node, on real time, with a real network and disk)",
		start: func(s nodes.Spec) (labs.Cluster, error) {
			c, err := docker.Start(s)
			if err != nil {
				return nil, err
			}
			return c, nil
		},
		real:  true,
		kind:  (*docker.Cluster)(nil),
		check: checkDocker,
		disk:  host.ReadDisk,
		image: imageOnDocker,
	},
}

// imageOnDocker is the runtime of containers with nodes of an image.
func imageOnDocker(ref string) place {
	return place{
		name: "docker", about: "real containers of the image " + ref + " (on real time, with a real network and disk)",
		start: func(s nodes.Spec) (labs.Cluster, error) {
			c, err := docker.StartImage(s, ref)
			if err != nil {
				return nil, err
			}
			return c, nil
		},
		real: true,
		kind: (*docker.Foreign)(nil),
	}
}

// where is the runtime of that name, with nodes of an image if one is named.
func where(name, image string) (place, error) {
	p, err := placeNamed(name)
	if err != nil || image == "" {
		return p, err
	}
	if p.image == nil {
		return p, badly("--image %s --on %s: an image runs in containers alone, so give --on docker or leave it out", image, name)
	}
	return p.image(image), nil
}

// begin is how the place starts what a run asks for.
func (p place) begin(program []string) func(nodes.Spec) (labs.Cluster, error) {
	if len(program) > 0 {
		return p.program
	}
	return p.start
}

// sort is the kind of the place's clusters, for what a run asks for.
func (p place) sort(program []string) labs.Cluster {
	if len(program) > 0 {
		return p.foreign
	}
	return p.kind
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
