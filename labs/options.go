package labs

import (
	"time"

	"faultlab/checker/history"
	"faultlab/nemesis"
	"faultlab/nodes"
)

// Options are one run's arguments. Zero values mean the lab's defaults.
type Options struct {
	Seed     uint64
	Time     time.Duration // length of the safety phase; of the run, where Defaults.Over bounds it
	Calm     time.Duration // length of the recovery phase, however long the run then is; 0: the lab's
	Rate     int
	Clients  int
	Nodes    int
	Bug      string
	Image    string           // if not "", the nodes are containers of this image, which somebody else made: see Guarantee.Inside
	Nemesis  []string         // kinds, "all", "swarm" or "none"
	Beyond   bool             // faults may take more from a consensus group than it tolerates; what is promised within that alone is not judged
	Plan     nemesis.Schedule // if not nil, used as it is and nothing is drawn
	Requests []history.Op     // if not nil, clients ask what these asked, when they did, and the workload is not asked
	Demands
	Program []string // see nodes.Spec
	On      string   // the runtime's name, as it is reported: "sim"
	Start   func(nodes.Spec) (Cluster, error)
	Real    bool                                  // it takes real time, in which no two runs are the same, and the runs of a set do not disturb each other: one after another
	Recode  bool                                  // see nodes.Spec
	Tick    func(now, end time.Duration, ops int) // called now and then, for a progress line; may be nil
}

// foreign says that somebody else made the nodes: what they say of themselves, and who leads them, is not known.
func (o Options) foreign() bool { return o.Image != "" || len(o.Program) > 0 }

// A Run is what one run left: everything in its folder but the files' shapes.
type Run struct {
	Lab      string
	Options  Options
	Topology nodes.Topology
	Schedule nemesis.Schedule // with roles as they were drawn; Windows hold what they resolved to
	Skipped  []string         // what of the lab's faults this runtime cannot do, a sentence each
	Struck   [][]nodes.ID     // by place in Schedule: whom it hit, its role if it has one
	History  *history.History
	Reached  map[string]int
	Logs     map[nodes.ID][]string
	Broken   []*nodes.Broken
	Stopped  bool            // it was interrupted: neither recovery nor final reads took place
	Judged   []Judged        // in the order of the lab's guarantees
	Verdict  history.Verdict // the worst of Judged and of what Reason says
	Whole    history.Verdict // that of Reason alone: NotJudged if it is empty
	Reason   string          // what holds for the whole run and for no guarantee alone: a node broke, a fault never took effect
	Cluster  Cluster         // closed; a runtime may still be able to save its disks; nil in a run that was loaded
}

// A Judged is one guarantee's result.
type Judged struct {
	Guarantee
	history.Result
}
