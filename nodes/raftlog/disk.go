package raftlog

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"

	"go.etcd.io/raft/v3/raftpb"

	"faultlab/nodes"
)

// On disk a group is one log.
//
//	a record is    term, vote, commit; then entries, each as its length and its protocol buffer
//	a snapshot is  a base: id, term, vote, commit, index, term at index, tail, term at tail; the length of the members'
//	               protocol buffer and that buffer; the rest is the machine's
//
// with every number an unsigned varint. A later entry supersedes an earlier one of its index and all that followed it.
// The last record's term and vote count, the snapshot's if no record follows, and the highest commit of all, since no
// record is written for a commit alone. The records behind a snapshot hold at least the entries after tail, which lies
// below index: they are kept for followers that are a little behind.

// A base is what a snapshot on disk says besides the machine's state.
type base struct {
	id       uint64
	hard     raftpb.HardState
	index    uint64
	term     uint64
	tail     uint64
	tailTerm uint64
	conf     raftpb.ConfState
}

// A disk writes a group's log.
type disk struct {
	log   nodes.Log
	last  uint64 // number of the last record
	marks []mark // of records that hold entries, in order
}

// A mark says that a record holds entries up to that index.
type mark struct{ record, index uint64 }

// append writes one record and returns its size.
func (d *disk) append(g *Group, entries []raftpb.Entry) int {
	size := 16
	for i := range entries {
		size += 4 + entries[i].Size()
	}
	rec := appendHard(make([]byte, 0, size), g.durable())
	for i := range entries {
		n := entries[i].Size()
		rec = binary.AppendUvarint(rec, uint64(n))
		rec = slices.Grow(rec, n)[:len(rec)+n]
		if _, err := entries[i].MarshalToSizedBuffer(rec[len(rec)-n:]); err != nil {
			panic(fmt.Sprintf("raftlog: group %s: entry %d: %v", g.cfg.Name, entries[i].Index, err))
		}
	}
	d.last = d.log.Append(rec)
	if len(entries) > 0 {
		d.marks = append(d.marks, mark{d.last, entries[len(entries)-1].Index})
	}
	return len(rec)
}

// snapshot replaces all records that hold nothing beyond b.tail.
func (d *disk) snapshot(b base, machine []byte) {
	upTo := d.last
	for len(d.marks) > 0 && d.marks[0].index <= b.tail {
		d.marks = d.marks[1:]
	}
	if len(d.marks) > 0 {
		upTo = d.marks[0].record - 1
	}
	conf, err := b.conf.Marshal()
	if err != nil {
		panic(fmt.Sprintf("raftlog: members: %v", err))
	}
	data := make([]byte, 0, 9*binary.MaxVarintLen64+len(conf)+len(machine))
	data = binary.AppendUvarint(data, b.id)
	data = appendHard(data, b.hard)
	for _, n := range [...]uint64{b.index, b.term, b.tail, b.tailTerm, uint64(len(conf))} {
		data = binary.AppendUvarint(data, n)
	}
	data = append(data, conf...)
	d.log.Snapshot(upTo, append(data, machine...))
}

// create begins a log, or gives up one that is damaged. It is durable after the next Sync. The record gives the snapshot
// a number that lies behind all else; it says nothing, for a crash may come before the snapshot.
func (d *disk) create(b base, machine []byte) {
	d.last = d.log.Append(appendHard(nil, raftpb.HardState{}))
	d.replace(b, machine)
}

// replace gives up all records for a snapshot.
func (d *disk) replace(b base, machine []byte) {
	d.marks = nil
	d.snapshot(b, machine)
}

func appendHard(rec []byte, h raftpb.HardState) []byte {
	rec = binary.AppendUvarint(rec, h.Term)
	rec = binary.AppendUvarint(rec, h.Vote)
	return binary.AppendUvarint(rec, h.Commit)
}

var (
	errFresh   = errors.New("nothing was ever written")
	errDamaged = errors.New("what was written is damaged")
)

// recover reads the log back. It returns errFresh if it holds no promise to anyone, and errDamaged if it may have lost
// one; if it trusts what is damaged, it returns what can be read of it.
func (d *disk) recover(trusting bool) (b base, entries []raftpb.Entry, machine []byte, err error) {
	snapshot, first, records, err := d.log.Read()
	d.last, d.marks = first+uint64(len(records))-1, nil
	if err != nil && !trusting {
		return b, nil, nil, errDamaged
	}
	cut := err != nil
	if snapshot == nil && cut {
		return b, nil, nil, errFresh
	}
	if snapshot == nil {
		for _, rec := range records {
			if !bytes.Equal(rec, appendHard(nil, raftpb.HardState{})) {
				return b, nil, nil, errDamaged
			}
		}
		return b, nil, nil, errFresh
	}
	r := reader{rest: snapshot}
	b.id = r.number()
	b.hard = r.hard()
	b.index, b.term, b.tail, b.tailTerm = r.number(), r.number(), r.number(), r.number()
	if conf := r.bytes(); r.bad || b.conf.Unmarshal(conf) != nil {
		return b, nil, nil, errDamaged
	}
	machine = r.rest
	for i, rec := range records {
		r := reader{rest: rec}
		hard := r.hard()
		hard.Commit = max(hard.Commit, b.hard.Commit)
		b.hard = hard
		var e raftpb.Entry
		for !r.bad && len(r.rest) > 0 {
			e = raftpb.Entry{}
			if data := r.bytes(); r.bad || e.Unmarshal(data) != nil {
				return b, nil, nil, errDamaged
			}
			switch next := b.tail + 1 + uint64(len(entries)); {
			case e.Index <= b.tail:
			case e.Index <= next:
				entries = append(entries[:e.Index-b.tail-1], e)
			default:
				return b, nil, nil, errDamaged
			}
		}
		if r.bad {
			return b, nil, nil, errDamaged
		}
		if e.Index > 0 {
			d.marks = append(d.marks, mark{first + uint64(i), e.Index})
		}
	}
	if cut {
		b.hard.Commit = min(b.hard.Commit, b.tail+uint64(len(entries)))
	}
	if b.tail+uint64(len(entries)) < max(b.index, b.hard.Commit) {
		return b, nil, nil, errDamaged
	}
	return b, entries, machine, nil
}

// A reader takes numbers and byte strings off a record; bad is set when there are none.
type reader struct {
	rest []byte
	bad  bool
}

func (r *reader) number() uint64 {
	v, n := binary.Uvarint(r.rest)
	if n <= 0 {
		r.bad, r.rest = true, nil
		return 0
	}
	r.rest = r.rest[n:]
	return v
}

func (r *reader) bytes() []byte {
	n := r.number()
	if n > uint64(len(r.rest)) {
		r.bad, r.rest = true, nil
		return nil
	}
	b := r.rest[:n:n]
	r.rest = r.rest[n:]
	return b
}

func (r *reader) hard() raftpb.HardState {
	return raftpb.HardState{Term: r.number(), Vote: r.number(), Commit: r.number()}
}
