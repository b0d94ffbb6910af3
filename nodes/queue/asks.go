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
	Join        *Join        `json:"join,omitempty"`
	Leave       *Leave       `json:"leave,omitempty"`
	Deliver     *Deliver     `json:"deliver,omitempty"`
	Effects     *Effects     `json:"effects,omitempty"`
	Takeover    *Takeover    `json:"takeover,omitempty"`
	Freeze      *Freeze      `json:"freeze,omitempty"`
	Survey      *Survey      `json:"survey,omitempty"`
	TailOf      *TailOf      `json:"tail_of,omitempty"`
	Stand       *Stand       `json:"stand,omitempty"`
	PutBack     *PutBack     `json:"put_back,omitempty"`
	Compare     *Compare     `json:"compare,omitempty"`
	SumsAt      *SumsAt      `json:"sums_at,omitempty"`
	Progress    *Progress    `json:"progress,omitempty"`
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
	case Join:
		a.Join = &b
	case Leave:
		a.Leave = &b
	case Deliver:
		a.Deliver = &b
	case Effects:
		a.Effects = &b
	case Takeover:
		a.Takeover = &b
	case Freeze:
		a.Freeze = &b
	case Survey:
		a.Survey = &b
	case TailOf:
		a.TailOf = &b
	case Stand:
		a.Stand = &b
	case PutBack:
		a.PutBack = &b
	case Compare:
		a.Compare = &b
	case SumsAt:
		a.SumsAt = &b
	case Progress:
		a.Progress = &b
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
	case a.Join != nil:
		return *a.Join
	case a.Leave != nil:
		return *a.Leave
	case a.Deliver != nil:
		return *a.Deliver
	case a.Effects != nil:
		return *a.Effects
	case a.Takeover != nil:
		return *a.Takeover
	case a.Freeze != nil:
		return *a.Freeze
	case a.Survey != nil:
		return *a.Survey
	case a.TailOf != nil:
		return *a.TailOf
	case a.Stand != nil:
		return *a.Stand
	case a.PutBack != nil:
		return *a.PutBack
	case a.Compare != nil:
		return *a.Compare
	case a.SumsAt != nil:
		return *a.SumsAt
	case a.Progress != nil:
		return *a.Progress
	}
	return nil
}

// An Answer is a leader's answer to an Ask: one of the others is set.
type Answer struct {
	Group   string `json:"group"`
	Request uint64 `json:"request"`
	Try     uint64 `json:"try"`
	// Generation is that of the keyspace under which a send was acknowledged.
	Generation uint64 `json:"generation,omitempty"`

	SendOK     *SendOK     `json:"send_ok,omitempty"`
	Refused    *Refused    `json:"refused,omitempty"`
	NotNow     *NotNow     `json:"not_now,omitempty"`
	Records    *Records    `json:"records,omitempty"`
	Gone       *Gone       `json:"gone,omitempty"`
	Committed  *Committed  `json:"committed,omitempty"`
	Described  *Described  `json:"described,omitempty"`
	Done       *Done       `json:"done,omitempty"`
	NotYet     *NotYet     `json:"not_yet,omitempty"`
	NotLeader  *NotLeader  `json:"not_leader,omitempty"`
	Elsewhere  *Elsewhere  `json:"elsewhere,omitempty"`
	Located    *Located    `json:"located,omitempty"`
	Assigned   *Assigned   `json:"assigned,omitempty"`
	Delivered  *Delivered  `json:"delivered,omitempty"`
	Effected   *Effected   `json:"effected,omitempty"`
	Frozen     *Frozen     `json:"frozen,omitempty"`
	Surveyed   *Surveyed   `json:"surveyed,omitempty"`
	TailHeld   *TailHeld   `json:"tail_held,omitempty"`
	Stands     *Stands     `json:"stands,omitempty"`
	Agreed     *Agreed     `json:"agreed,omitempty"`
	Sums       *Sums       `json:"sums,omitempty"`
	Progressed *Progressed `json:"progressed,omitempty"`
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
	case Assigned:
		a.Assigned = &b
	case Delivered:
		a.Delivered = &b
	case Effected:
		a.Effected = &b
	case Frozen:
		a.Frozen = &b
	case Surveyed:
		a.Surveyed = &b
	case TailHeld:
		a.TailHeld = &b
	case Stands:
		a.Stands = &b
	case Agreed:
		a.Agreed = &b
	case Sums:
		a.Sums = &b
	case Progressed:
		a.Progressed = &b
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
	case a.Assigned != nil:
		return *a.Assigned
	case a.Delivered != nil:
		return *a.Delivered
	case a.Effected != nil:
		return *a.Effected
	case a.Frozen != nil:
		return *a.Frozen
	case a.Surveyed != nil:
		return *a.Surveyed
	case a.TailHeld != nil:
		return *a.TailHeld
	case a.Stands != nil:
		return *a.Stands
	case a.Agreed != nil:
		return *a.Agreed
	case a.Sums != nil:
		return *a.Sums
	case a.Progressed != nil:
		return *a.Progressed
	}
	return nil
}

// NotLeader answers what only the leader of a group can do. With Perhaps the request may be in the group's log, and may
// be done yet.
type NotLeader struct {
	Group   string   `json:"group,omitempty"`  // where it does not follow from what is answered
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
