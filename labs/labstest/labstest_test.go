package labstest_test

import (
	"testing"

	"faultlab/labs"
	"faultlab/labs/labstest"
	"faultlab/nemesis"
	"faultlab/nodes"
	"faultlab/nodes/cluster/sim"
)

func start(s nodes.Spec) (labs.Cluster, error) { return sim.Start(s) }

func TestWhatAClientSeesOfEachFaultOnTheSimulator(t *testing.T) {
	labstest.Faults(t, start, nemesis.Kinds)
}

func TestWhatClientsSeeWhenTheyOrAdministratorsMisbehaveOnTheSimulator(t *testing.T) {
	labstest.Misuse(t, start)
}

func TestWhatAClientSeesOfHarmsThatMeetOnTheSimulator(t *testing.T) {
	labstest.Meet(t, start)
}
