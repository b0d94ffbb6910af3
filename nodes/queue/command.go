package queue

import (
	"faultlab/nodes"
	"faultlab/nodes/pack"
)

// A command is one entry of a group's log: a byte for its kind, and its fields. Each kind is a type of its own, beside
// what it does to the machine; a new one is a constant and a line in kinds.
//
// A command that somebody waits for has a mark: the leader that proposed it answers whoever stands under that mark once
// the command is applied, see leader.wait. On other members, and at later leaders, a mark means nothing.
type command interface {
	kind() kind
	pack(*pack.Pack)
	apply(env nodes.Env, m *machine)
}

type kind byte

const (
	putKind       kind = iota + 1 // sends
	claimKind                     // a group reads a shard under a generation
	commitKind                    // a group has dealt with a shard up to a place
	openKind                      // a group has dealt with all parents of a shard
	sealKind                      // a shard ends, with children
	adoptKind                     // a shard whose parents are elsewhere begins
	handedKind                    // another group has adopted
	engageKind                    // a shard is to be the left part of a merge
	disengageKind                 // and is not after all
	ageKind                       // time passes, and what is old is dropped
	snapshotKind                  // every member is to take a snapshot
	takeoverKind                  // a region is to serve a keyspace; of the group D
	learntKind                    // a promotion comes into force
	copiedKind                    // what was pulled from another region
	freezeKind                    // where shards end
	putBackKind                   // records of a tail
	repairKind                    // copies are cut back to where they are right
	enlistKind                    // members of a consumer group, and what they may read
	deliverKind                   // names that are to take effect
)

var kinds = [...]func() command{
	putKind:       func() command { return new(put) },
	claimKind:     func() command { return new(claim) },
	commitKind:    func() command { return new(commit) },
	openKind:      func() command { return new(open) },
	sealKind:      func() command { return new(seal) },
	adoptKind:     func() command { return new(adopt) },
	handedKind:    func() command { return new(handed) },
	engageKind:    func() command { return new(engage) },
	disengageKind: func() command { return new(disengage) },
	ageKind:       func() command { return new(age) },
	snapshotKind:  func() command { return new(snapshot) },
	takeoverKind:  func() command { return new(takeover) },
	learntKind:    func() command { return new(learnt) },
	copiedKind:    func() command { return new(copied) },
	freezeKind:    func() command { return new(freeze) },
	putBackKind:   func() command { return new(putBack) },
	repairKind:    func() command { return new(repair) },
	enlistKind:    func() command { return new(enlist) },
	deliverKind:   func() command { return new(deliver) },
}

func encode(c command, size int) []byte {
	return pack.Write(size, func(p *pack.Pack) {
		k := byte(c.kind())
		p.Octet(&k)
		c.pack(p)
	})
}

func decode(data []byte) (c command) {
	pack.Read(data, func(p *pack.Pack) {
		var k byte
		p.Octet(&k)
		c = kinds[k]()
		c.pack(p)
	})
	return c
}
