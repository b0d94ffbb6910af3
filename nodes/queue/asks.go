package queue

import "faultlab/nodes"

// A Location is a shard and the number of the group that holds it, in whichever region.
type Location struct {
	Shard  Shard `json:"shard"`
	Number int   `json:"number"`
}

// An Ask brings a request to the leader of a group. Request is the asking node's own number for it. One of the others is
// set: what a client or an administrator asked, or one of the questions of groups below.
type Ask struct {
	Group   string `json:"group"`
	Request uint64 `json:"request"`
	Try     uint64 `json:"try"` // which of its tries this is

	Send        *Send        `json:"send,omitempty"`
	Poll        *Poll        `json:"poll,omitempty"`
	Commit      *Commit      `json:"commit,omitempty"`
	Read        *Read        `json:"read,omitempty"`
	Describe    *Describe    `json:"describe,omitempty"`
	Lead        *Lead        `json:"lead,omitempty"`
	Split       *Split       `json:"split,omitempty"`
	Merge       *Merge       `json:"merge,omitempty"`
	SnapshotNow *SnapshotNow `json:"snapshot_now,omitempty"`
	Locate      *Locate      `json:"locate,omitempty"`
	Finish      *Finish      `json:"finish,omitempty"`
	Wed         *Wed         `json:"wed,omitempty"`
	Adopt       *Adopt       `json:"adopt,omitempty"`
}

func askOf(group string, request, try uint64, body any) Ask {
	a := Ask{Group: group, Request: request, Try: try}
	switch b := body.(type) {
	case Send:
		a.Send = &b
	case Poll:
		a.Poll = &b
	case Commit:
		a.Commit = &b
	case Read:
		a.Read = &b
	case Describe:
		a.Describe = &b
	case Lead:
		a.Lead = &b
	case Split:
		a.Split = &b
	case Merge:
		a.Merge = &b
	case SnapshotNow:
		a.SnapshotNow = &b
	case Locate:
		a.Locate = &b
	case Finish:
		a.Finish = &b
	case Wed:
		a.Wed = &b
	case Adopt:
		a.Adopt = &b
	}
	return a
}

func (a *Ask) body() any {
	switch {
	case a.Send != nil:
		return *a.Send
	case a.Poll != nil:
		return *a.Poll
	case a.Commit != nil:
		return *a.Commit
	case a.Read != nil:
		return *a.Read
	case a.Describe != nil:
		return *a.Describe
	case a.Lead != nil:
		return *a.Lead
	case a.Split != nil:
		return *a.Split
	case a.Merge != nil:
		return *a.Merge
	case a.SnapshotNow != nil:
		return *a.SnapshotNow
	case a.Locate != nil:
		return *a.Locate
	case a.Finish != nil:
		return *a.Finish
	case a.Wed != nil:
		return *a.Wed
	case a.Adopt != nil:
		return *a.Adopt
	}
	return nil
}

// An Answer is a leader's answer to an Ask: one of the others is set.
type Answer struct {
	Group   string `json:"group"`
	Request uint64 `json:"request"`
	Try     uint64 `json:"try"`

	SendOK    *SendOK    `json:"send_ok,omitempty"`
	Refused   *Refused   `json:"refused,omitempty"`
	NotNow    *NotNow    `json:"not_now,omitempty"`
	Records   *Records   `json:"records,omitempty"`
	Gone      *Gone      `json:"gone,omitempty"`
	Committed *Committed `json:"committed,omitempty"`
	Described *Described `json:"described,omitempty"`
	Done      *Done      `json:"done,omitempty"`
	NotYet    *NotYet    `json:"not_yet,omitempty"`
	NotLeader *NotLeader `json:"not_leader,omitempty"`
	Elsewhere *Elsewhere `json:"elsewhere,omitempty"`
	Located   *Located   `json:"located,omitempty"`
}

func answerOf(group string, request, try uint64, body any) Answer {
	a := Answer{Group: group, Request: request, Try: try}
	switch b := body.(type) {
	case SendOK:
		a.SendOK = &b
	case Refused:
		a.Refused = &b
	case NotNow:
		a.NotNow = &b
	case Records:
		a.Records = &b
	case Gone:
		a.Gone = &b
	case Committed:
		a.Committed = &b
	case Described:
		a.Described = &b
	case Done:
		a.Done = &b
	case NotYet:
		a.NotYet = &b
	case NotLeader:
		a.NotLeader = &b
	case Elsewhere:
		a.Elsewhere = &b
	case Located:
		a.Located = &b
	}
	return a
}

func (a *Answer) body() any {
	switch {
	case a.SendOK != nil:
		return *a.SendOK
	case a.Refused != nil:
		return *a.Refused
	case a.NotNow != nil:
		return *a.NotNow
	case a.Records != nil:
		return *a.Records
	case a.Gone != nil:
		return *a.Gone
	case a.Committed != nil:
		return *a.Committed
	case a.Described != nil:
		return *a.Described
	case a.Done != nil:
		return *a.Done
	case a.NotYet != nil:
		return *a.NotYet
	case a.NotLeader != nil:
		return *a.NotLeader
	case a.Elsewhere != nil:
		return *a.Elsewhere
	case a.Located != nil:
		return *a.Located
	}
	return nil
}

// NotLeader answers what only the leader of a group can do. With Perhaps the request may be in the group's log, and may
// be done yet.
type NotLeader struct {
	Leader  nodes.ID `json:"leader,omitempty"` // as far as is known
	Perhaps bool     `json:"perhaps,omitempty"`
}

// Elsewhere answers what is about keys or a shard that the group does not hold: nothing was done. Known is what it knows
// of where they are, perhaps nothing.
type Elsewhere struct {
	Known []Location `json:"known,omitempty"`
}

// Locate asks for the live shard that takes the first hash of a range.
type Locate struct {
	Range string `json:"range"`
}

// Located answers it. Cold says that it has little to do.
type Located struct {
	At   Location `json:"at"`
	Cold bool     `json:"cold,omitempty"`
}

// Finish asks whether a consumer group has dealt with all of a shard that is sealed: Done, or NotYet.
type Finish struct {
	Shard    Shard  `json:"shard"`
	Consumer string `json:"consumer"`
}

// Wed asks the group that holds the right part of a merge to seal it, with a child that the left one's group will hold.
// It is answered with Done once that is so, with Refused if it never will be, and with NotYet.
type Wed struct {
	Left  Location `json:"left"`
	Right Shard    `json:"right"`
	Child Location `json:"child"`
}

// Adopt asks a group to hold a shard that a parent has been sealed for. It is answered with Done once that is so, however
// often it is asked. Entry is what the group is to put in its log, an adopt.
type Adopt struct {
	Child Shard  `json:"child"`
	Entry []byte `json:"entry"`
}
