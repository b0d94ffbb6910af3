package queue

import (
	"slices"

	"faultlab/nodes"
	"faultlab/nodes/pack"
)

// tellTicks is how often the directory is told to all anew.
const tellTicks = 20

// Regimes says which region serves each keyspace. The group D, with a voter in each region, keeps it; its leader
// tells every node of each change, and the whole again every second. Version counts the changes.
type Regimes struct {
	Version   uint64     `json:"version"`
	Keyspaces []Keyspace `json:"keyspaces"`
}

// A Keyspace is who serves it, how often it was promoted, and the canonical lineage as the last promotion declared it:
// parents before children, none before the first promotion.
type Keyspace struct {
	Home       string    `json:"home"`
	Generation uint64    `json:"generation"`
	Region     string    `json:"region"`
	Lineage    []Stretch `json:"lineage,omitempty"`
}

// A Stretch is a shard as far as it is on the canonical lineage: up to End.
type Stretch struct {
	At      Location   `json:"at"`
	Parents []Location `json:"parents,omitempty"`
	End     uint64     `json:"end"`
}

// Takeover asks the directory that a region serve a keyspace, as it stands if nobody was promoted since Generation.
type Takeover struct {
	Home       string    `json:"home"`
	Generation uint64    `json:"generation"`
	Region     string    `json:"region"`
	Lineage    []Stretch `json:"lineage"`
}

// newRegimes returns the directory in which every region serves its own keyspace.
func newRegimes(regions []string) *Regimes {
	d := &Regimes{}
	for _, r := range regions {
		d.Keyspaces = append(d.Keyspaces, Keyspace{Home: r, Region: r})
	}
	return d
}

// keyspace returns the one of that name, or nil.
func (d *Regimes) keyspace(home string) *Keyspace {
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
		all = append(all, Cursor{Shard: s.At.Shard, Seq: s.End})
	}
	return all
}

// stretch returns what the last promotion declared of a shard, or nil.
func (k *Keyspace) stretch(s Shard) *Stretch {
	for i := range k.Lineage {
		if k.Lineage[i].At.Shard == s {
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

// A takeover is a Takeover in the log of D.
type takeover struct {
	Mark uint64
	Takeover
}

func (*takeover) kind() kind       { return takeoverKind }
func (c *takeover) marks() *uint64 { return &c.Mark }

func (c *takeover) pack(p *pack.Pack) {
	p.Number(&c.Mark)
	k := Keyspace{c.Home, c.Generation, c.Region, c.Lineage}
	k.pack(p)
	c.Home, c.Generation, c.Region, c.Lineage = k.Home, k.Generation, k.Region, k.Lineage
}

// apply changes the directory. Of several promotions from one generation the first in the log is the one that is: each was
// declared of what its region had copied, and there can be only one lineage.
func (c *takeover) apply(env nodes.Env, m *machine) {
	k := m.directory.keyspace(c.Home)
	if k.Generation != c.Generation {
		env.Reached("queue: a promotion came too late")
		m.lead.reply(env, c.Mark, Refused{"the keyspace was promoted meanwhile"})
		return
	}
	d := Regimes{Version: m.directory.Version + 1, Keyspaces: slices.Clone(m.directory.Keyspaces)} // others hold the old one
	*d.keyspace(c.Home) = Keyspace{c.Home, k.Generation + 1, c.Region, c.Lineage}
	m.directory = &d
	m.lead.reply(env, c.Mark, Done{})
	m.lead.publish(env)
}

// publish tells every node who serves what, if this member leads D.
func (l *leader) publish(env nodes.Env) {
	if l == nil {
		return
	}
	for _, id := range env.Topology().IDs() {
		env.Send(id, *l.m.directory)
	}
}

func (r *Regimes) pack(p *pack.Pack) {
	p.Number(&r.Version)
	pack.List(p, &r.Keyspaces, (*Keyspace).pack)
}
