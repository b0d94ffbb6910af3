package queue

import (
	"fmt"
	"slices"

	"faultlab/nodes"
	"faultlab/nodes/raftlog"

	"github.com/fxamacker/cbor/v2"
)

// A Directory says which region serves each keyspace. The group D, with a voter in each region, keeps it; its leader
// tells every node of each change, and the whole again every second. Version counts the changes.
type Directory struct {
	Version   uint64     `json:"version"   cbor:"1,keyasint"`
	Keyspaces []Keyspace `json:"keyspaces" cbor:"2,keyasint"`
}

// A Keyspace is who serves it, how often it was promoted, and the canonical lineage as the last promotion declared it:
// parents before children, none before the first promotion.
type Keyspace struct {
	Home       string    `json:"home"              cbor:"1,keyasint"`
	Generation uint64    `json:"generation"        cbor:"2,keyasint"`
	Region     string    `json:"region"            cbor:"3,keyasint"`
	Lineage    []Stretch `json:"lineage,omitempty" cbor:"4,keyasint,omitempty"`
}

// A Stretch is a shard as far as it is on the canonical lineage: up to End.
type Stretch struct {
	Shard   Shard   `json:"shard"             cbor:"1,keyasint"`
	Number  int     `json:"number"            cbor:"2,keyasint"` // of the group that holds it, in every region
	Parents []Shard `json:"parents,omitempty" cbor:"3,keyasint,omitempty"`
	End     uint64  `json:"end"               cbor:"4,keyasint"`
}

// Takeover asks the directory that a region serve a keyspace, as it stands if nobody was promoted since Generation.
type Takeover struct {
	Home       string    `json:"home"       cbor:"1,keyasint"`
	Generation uint64    `json:"generation" cbor:"2,keyasint"`
	Region     string    `json:"region"     cbor:"3,keyasint"`
	Lineage    []Stretch `json:"lineage"    cbor:"4,keyasint"`
}

// newDirectory returns the directory in which every region serves its own keyspace.
func newDirectory(regions []string) Directory {
	var d Directory
	for _, r := range regions {
		d.Keyspaces = append(d.Keyspaces, Keyspace{Home: r, Region: r})
	}
	return d
}

// keyspace returns the one of that name, or nil.
func (d *Directory) keyspace(home string) *Keyspace {
	for i := range d.Keyspaces {
		if d.Keyspaces[i].Home == home {
			return &d.Keyspaces[i]
		}
	}
	return nil
}

// cursors returns the lineage as events show it.
func (k *Keyspace) cursors() []Cursor {
	var all []Cursor
	for _, s := range k.Lineage {
		all = append(all, Cursor{s.Shard, s.End})
	}
	return all
}

// stretch returns what the last promotion declared of a shard, or nil.
func (k *Keyspace) stretch(s Shard) *Stretch {
	for i := range k.Lineage {
		if k.Lineage[i].Shard == s {
			return &k.Lineage[i]
		}
	}
	return nil
}

// successor returns the shard that follows the last one of a range on the lineage that a promotion declared: its epoch
// is in the thousand of the new generation.
func successor(s Shard, generation uint64) Shard { return Shard{s.Range, generation*1000 + 1} }

// generation returns the generation of its keyspace in which a shard came to be.
func (s Shard) generation() uint64 { return s.Epoch / 1000 }

// A directoryMachine is the replicated state of the group D. Apply is its only way to change.
type directoryMachine struct {
	bug   string
	log   *raftlog.Group
	state Directory
	quiet int // ticks since the leader last told everybody
}

func newDirectoryMachine(bug string, regions []string) *directoryMachine {
	return &directoryMachine{bug: bug, state: newDirectory(regions)}
}

// takeover proposes a promotion, if this member leads.
func (m *directoryMachine) takeover(env nodes.Env, t Takeover) {
	k := m.state.keyspace(t.Home)
	if k == nil || k.Generation != t.Generation && m.bug != acceptsLatePromotion {
		return
	}
	if err := m.log.Propose(env, encoded(t)); err != nil {
		env.Logf("D: not proposed: %v", err)
	}
}

// Apply does one entry of the log. Of several promotions from one generation the first in the log is the one that is:
// each was declared of what its region had copied, and there can be only one lineage.
func (m *directoryMachine) Apply(env nodes.Env, _ uint64, data []byte) {
	var t Takeover
	decoded(data, &t)
	k := m.state.keyspace(t.Home)
	if k == nil || k.Generation != t.Generation && m.bug != acceptsLatePromotion {
		env.Reached("queue: a promotion came too late")
		return
	}
	d := Directory{Version: m.state.Version + 1, Keyspaces: slices.Clone(m.state.Keyspaces)}
	k = d.keyspace(t.Home)
	*k = Keyspace{t.Home, k.Generation + 1, t.Region, t.Lineage}
	m.state = d
	env.Emit(Promoted{Home: k.Home, Generation: k.Generation, Region: k.Region, Declared: k.cursors()})
	m.tell(env)
}

// tell sends the directory to every node, if this member leads.
func (m *directoryMachine) tell(env nodes.Env) {
	if !m.log.Leading() {
		return
	}
	m.quiet = 0
	for _, id := range env.Topology().IDs() {
		env.Send(id, m.state)
	}
}

// tick tells it again every second, for those who did not hear.
func (m *directoryMachine) tick(env nodes.Env) {
	if m.quiet++; m.quiet >= tellTicks {
		m.tell(env)
	}
}

// Snapshot returns the whole state.
func (m *directoryMachine) Snapshot() []byte { return encoded(m.state) }

// Restore replaces the state by a snapshot's.
func (m *directoryMachine) Restore(_ uint64, data []byte) {
	var d Directory
	decoded(data, &d)
	m.state = d
}

// Leading is called when this member becomes the leader of D, or ceases to be.
func (m *directoryMachine) Leading(env nodes.Env, leading bool, _ uint64) {
	if leading {
		m.tell(env)
	}
}

// encoded returns a value of plain fields in CBOR; the same value gives the same bytes.
func encoded(v any) []byte {
	data, err := cbor.Marshal(v)
	if err != nil {
		panic(fmt.Sprintf("queue: %T: %v", v, err))
	}
	return data
}

// decoded is its inverse. Whatever it is given is checksummed below us, so nobody else wrote it.
func decoded(data []byte, v any) {
	if err := cbor.Unmarshal(data, v); err != nil {
		panic(fmt.Sprintf("queue: the log holds a %T that nobody wrote: %v", v, err))
	}
}
