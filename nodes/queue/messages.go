package queue

import "faultlab/nodes"

// A Shard is one epoch of a key range: its own log, with its own places. The range is named by the keyspace that it is
// part of and the first and last hash in it, "A/0000-3fff". Along a lineage epochs only rise: by one at a split or merge,
// and to the next thousand at a promotion, so that what a cut-off region goes on doing under the old rule never shares a
// name with what the new one does.
type Shard struct {
	Range string `json:"range" cbor:"1,keyasint"`
	Epoch uint64 `json:"epoch" cbor:"2,keyasint"`
}

// A Record is what was sent, at its place: places in a shard are 1, 2, 3 and so on. Producer and Number are its name.
type Record struct {
	Seq      uint64 `json:"seq"             cbor:"1,keyasint"`
	Producer string `json:"producer"        cbor:"2,keyasint"`
	Number   uint64 `json:"number"          cbor:"3,keyasint"`
	Key      string `json:"key"             cbor:"4,keyasint"`
	Value    string `json:"value,omitempty" cbor:"5,keyasint,omitempty"`
}

// Send puts values in the shard that holds Key, one after another with nothing between them, all or none. Home is the
// keyspace. A producer numbers its values from 1, rising (gaps are allowed); Number is that of the first one here, and
// the others follow. The same numbers again are the same values: they are answered with the place that they have.
type Send struct {
	Home     string   `json:"home"`
	Key      string   `json:"key"`
	Producer string   `json:"producer"`
	Number   uint64   `json:"number"`
	Values   []string `json:"values"`
}

// SendOK says that the values are durable on a majority of the shard's group, the first of them at Seq.
type SendOK struct {
	Shard Shard  `json:"shard"`
	Seq   uint64 `json:"seq"`
}

// Refused answers a request that was surely not done, and never will be under its name: a number that its producer has
// gone past, a commit under an old generation.
type Refused struct {
	Why string `json:"why"`
}

// NotNow answers a request that this try did not do: there is no leader, the shard is being split, the reader's turn has
// not come. It says nothing of other tries.
type NotNow struct {
	Why string `json:"why"`
}

// Join makes Member one of the consumers that share a group, or says that it still is; a member that is silent for three
// seconds is one no more. A group is of one keyspace.
type Join struct {
	Home   string `json:"home"`
	Group  string `json:"group"`
	Member string `json:"member"`
}

// Leave ends a membership at once.
type Leave struct {
	Home   string `json:"home"`
	Group  string `json:"group"`
	Member string `json:"member"`
}

// Assigned answers Join and Leave: the shards that Member is to read, under this generation. A commit under an older one
// is refused wherever a newer one has been seen.
type Assigned struct {
	Generation uint64   `json:"generation"`
	Shards     []Cursor `json:"shards,omitempty"`
}

// A Cursor is how far a group has dealt with a shard: up to Seq.
type Cursor struct {
	Shard Shard  `json:"shard" cbor:"1,keyasint"`
	Seq   uint64 `json:"seq"   cbor:"2,keyasint"`
}

// Poll reads a shard on behalf of a group, from the place after After on. If there is nothing it waits up to WaitMs. The
// child of a split is read by a group only once the group has committed all of the parent.
type Poll struct {
	Home       string `json:"home"`
	Group      string `json:"group"`
	Member     string `json:"member"`
	Generation uint64 `json:"generation"`
	Shard      Shard  `json:"shard"`
	After      uint64 `json:"after"`
	Max        int    `json:"max"`
	WaitMs     int    `json:"wait_ms,omitempty"`
}

// Commit says that the group has dealt with all of a shard up to Seq. It is answered with Committed.
type Commit struct {
	Home       string `json:"home"`
	Group      string `json:"group"`
	Member     string `json:"member"`
	Generation uint64 `json:"generation"`
	Shard      Shard  `json:"shard"`
	Seq        uint64 `json:"seq"`
}

// Committed shows the group's cursor after a Commit. It never goes back: an older place changes nothing.
type Committed struct {
	Seq uint64 `json:"seq"`
}

// Read reads a shard's log, or a copy of it in the region where it is asked, for nobody in particular.
type Read struct {
	Shard Shard  `json:"shard"`
	After uint64 `json:"after"`
	Max   int    `json:"max"`
}

// Records answers Poll and Read. End is the last place that there is; with Sealed it is the last that there will ever be.
type Records struct {
	Shard   Shard    `json:"shard"`
	Records []Record `json:"records,omitempty"`
	End     uint64   `json:"end"`
	Sealed  bool     `json:"sealed,omitempty"`
	// Of a mirror: Copy says that this is one, and LagMs how long ago the origin said that it had no more than this.
	Copy  bool  `json:"copy,omitempty"`
	LagMs int64 `json:"lag_ms,omitempty"`
}

// Gone answers a Poll or Read that begins before what retention has kept: the first place that is still there is First.
type Gone struct {
	Shard Shard  `json:"shard"`
	First uint64 `json:"first"`
}

// Describe asks a region what it knows of a keyspace: its own shards, or its copies of them.
type Describe struct {
	Home string `json:"home"`
}

// Described answers it: every shard on the canonical lineage, parents before children.
type Described struct {
	Region     string  `json:"region"`     // of who answers
	Generation uint64  `json:"generation"` // how often the keyspace was promoted
	Served     string  `json:"served"`     // the region that serves it
	Shards     []State `json:"shards"`
}

// A State is what a region has of a shard.
type State struct {
	Shard   Shard     `json:"shard"`
	Group   string    `json:"group"` // the consensus group that holds it
	End     uint64    `json:"end"`
	First   uint64    `json:"first"` // what is before was dropped by retention
	Sealed  bool      `json:"sealed,omitempty"`
	Parents []Shard   `json:"parents,omitempty"`
	Sum     uint64    `json:"sum,string"` // of all records 1 to End, in order
	Cursors []Reading `json:"cursors,omitempty"`
}

// A Reading is how far a consumer group has dealt with a shard: up to Seq.
type Reading struct {
	Group string `json:"group"`
	Seq   uint64 `json:"seq"`
}

// Deliver hands the effects of records to the idempotent sink of a keyspace: each name takes effect once.
type Deliver struct {
	Home  string   `json:"home"`
	Names []string `json:"names"`
}

// Delivered answers it: how many of them had not been delivered before.
type Delivered struct {
	Fresh int `json:"fresh"`
}

// Effects asks for what took effect, in the order of names, from the one after After on.
type Effects struct {
	Home  string `json:"home"`
	After string `json:"after,omitempty"`
	Max   int    `json:"max"`
}

// Effected answers Effects: names, and how often each took effect (1, unless the sink is wrong).
type Effected struct {
	Names  []string `json:"names,omitempty"`
	Counts []uint64 `json:"counts,omitempty"`
	More   bool     `json:"more,omitempty"`
}

// What an administrator may ask, of any node. A request says what is to be, so that it can be asked again until it is: it
// is answered with Done, or with NotYet once something has been done towards it.

// Lead asks that a group be led by a member.
type Lead struct {
	Group string   `json:"group"`
	Node  nodes.ID `json:"node"`
}

// Split asks that no live shard have both sides of the middle of this range: one that has is split there.
type Split struct {
	Range string `json:"range"`
}

// Merge asks that one live shard have both sides of where two neighbouring ranges meet: two that end there become one.
type Merge struct {
	Left  string `json:"left"`
	Right string `json:"right"`
}

// Promote asks that a region serve a keyspace. If the region that serves it cannot be reached, what was not copied is
// declared (Promoted); if it can, it first seals its shards and all is copied.
type Promote struct {
	Home string `json:"home"`
	To   string `json:"to"`
}

// SnapshotNow asks that all members of a group snapshot their state.
type SnapshotNow struct {
	Group string `json:"group"`
}

// Reload asks that the node that is asked make its state of a group anew from what a snapshot would hold.
type Reload struct {
	Group string `json:"group"`
}

// Report asks a region for what it acknowledged and is not on the canonical lineage of a keyspace. To ask again changes
// nothing.
type Report struct {
	Home string `json:"home"`
}

// Reported answers it, once the region knows of the promotion and its tail is settled.
type Reported struct {
	Generation uint64 `json:"generation"`
	Tail       []Tail `json:"tail,omitempty"`
}

// A Tail is records of one shard, as they were acknowledged. Resent are the numbers (indices into Records) that stand on
// the canonical lineage after all, since their producer or Resend sent them again.
type Tail struct {
	Shard   Shard    `json:"shard"   cbor:"1,keyasint"`
	Records []Record `json:"records" cbor:"2,keyasint"`
	Resent  []int    `json:"resent,omitempty" cbor:"3,keyasint,omitempty"`
}

// Resend asks a region to send its tail of a keyspace again, under the names that the records had.
type Resend struct {
	Home string `json:"home"`
}

// Reconcile asks a region to compare its copies of a keyspace with the region that serves it, by sums over ranges of
// places, and to repair from there what differs.
type Reconcile struct {
	Home string `json:"home"`
}

// Reconciled answers it.
type Reconciled struct {
	Compared int      `json:"compared"`           // shards
	Repaired []Cursor `json:"repaired,omitempty"` // shards, each with the first place that differed
}

// Done answers what an administrator asked: it is so.
type Done struct{}

// NotYet answers it: it is not so, but may be soon.
type NotYet struct {
	Why string `json:"why"`
}

// Evidence.

// Prefix is evidence: the sum over the records 1 to Seq of a shard, as this node's region has them.
type Prefix struct {
	Region string `json:"region"`
	Shard  Shard  `json:"shard"`
	Seq    uint64 `json:"seq"`
	Sum    uint64 `json:"sum,string"`
}

// Serves is evidence: from here on the leader of this group acknowledges sends to a shard.
type Serves struct {
	Group string `json:"group"`
	Shard Shard  `json:"shard"`
}

// Sealed is evidence: a shard ends at Seq, and its children follow it.
type Sealed struct {
	Group    string  `json:"group"`
	Shard    Shard   `json:"shard"`
	Seq      uint64  `json:"seq"`
	Children []Shard `json:"children,omitempty"`
}

// Promoted is evidence: a region now serves a keyspace, and the canonical lineage has the old one's shards as declared.
type Promoted struct {
	Home       string   `json:"home"`
	Generation uint64   `json:"generation"`
	Region     string   `json:"region"`
	Declared   []Cursor `json:"declared"` // every shard on the lineage, with its last place
}

// Learnt is evidence: from here on this node acknowledges nothing of a keyspace under an older generation.
type Learnt struct {
	Home       string `json:"home"`
	Generation uint64 `json:"generation"`
}
