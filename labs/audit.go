package labs

import (
	"fmt"
	"io/fs"
	"math/rand/v2"
	"time"

	"faultlab/checker/history"
	"faultlab/nodes"
)

// An Audit judges what nodes left on their disks, from the saved files: what a run's history cannot show, since nobody
// asked. lab check RUN has its verdict beside those of the guarantees.
type Audit struct {
	ID        string // "F1"
	Name      string // "replays-offline"
	Statement string // one precise sentence
	// Check is not asked about the nodes of others, whose files nobody knows. It must be prepared for files that anybody
	// has changed.
	Check func(run *Run, disks []Disk) history.Result
}

// A Disk is what was saved of one node's: its files, and the logs in them as its runtime reads them.
type Disk struct {
	Node  nodes.ID
	Files fs.FS
	Logs  []nodes.StoredLog
}

// Audit judges the disks, and adds what it finds to Judged and Verdict.
func (run *Run) Audit(lab Lab, disks []Disk) {
	for _, a := range lab.Audits {
		r := history.Skipped("the run has no files of its nodes' disks")
		if run.Options.foreign() {
			r = history.Skipped("its nodes were made by somebody else, who knows what their files hold")
		} else if len(disks) > 0 {
			r = a.Check(run, disks)
		}
		run.Verdict = max(run.Verdict, r.Verdict)
		run.Judged = append(run.Judged, Judged{Guarantee{ID: a.ID, Name: a.Name, Statement: a.Statement}, r})
	}
}

// Replayed boots a node of the system on what a node left on its disk, alone, and returns what it says of itself on the
// way up: what its logs make of it. Nothing that it sends arrives. The error is that of a node that panics.
func Replayed(system nodes.System, bug string, t nodes.Topology, d Disk) (events []any, err error) {
	env := &alone{id: d.Node, topology: t, logs: map[string]*still{}, rand: rand.New(nodes.Generator(0, "replay"))}
	for _, l := range d.Logs {
		env.logs[l.Name] = &still{l}
	}
	defer func() {
		if what := recover(); what != nil {
			err = fmt.Errorf("a node that boots from it panics: %s", nodes.Panicked(what))
		}
	}()
	system.New(bug).Start(env)
	return env.events, nil
}

// alone is the world of a node that is booted to be looked at.
type alone struct {
	id       nodes.ID
	topology nodes.Topology
	logs     map[string]*still
	rand     *rand.Rand
	events   []any
}

func (a *alone) ID() nodes.ID                { return a.id }
func (a *alone) Topology() nodes.Topology    { return a.topology }
func (a *alone) Now() time.Time              { return time.Unix(0, 0).UTC() }
func (a *alone) Rand() *rand.Rand            { return a.rand }
func (a *alone) Send(nodes.ID, any)          {}
func (a *alone) After(time.Duration, string) {}
func (a *alone) Disk() nodes.Disk            { return a }
func (a *alone) Boot() nodes.Boot            { return nodes.Restart }
func (a *alone) Emit(event any)              { a.events = append(a.events, event) }
func (a *alone) Reached(string)              {}
func (a *alone) Logf(string, ...any)         {}
func (a *alone) Sync()                       {}

func (a *alone) Log(name string) nodes.Log {
	l := a.logs[name]
	if l == nil {
		l = &still{nodes.StoredLog{Name: name, First: 1}}
		a.logs[name] = l
	}
	return l
}

// still is a log that outlives nothing: what is written to it is there until the node has been looked at.
type still struct{ nodes.StoredLog }

func (l *still) Append(rec []byte) uint64 {
	l.Records = append(l.Records, rec)
	return l.First + uint64(len(l.Records)) - 1
}

func (l *still) Snapshot(upTo uint64, data []byte) {
	gone := min(upTo+1-l.First, uint64(len(l.Records)))
	l.StoredLog.Snapshot, l.First, l.Records = data, upTo+1, l.Records[gone:]
}

func (l *still) Read() (snapshot []byte, first uint64, records [][]byte, err error) {
	return l.StoredLog.Snapshot, l.First, l.Records, l.Damage
}
