package multimaster

import (
	"slices"

	"faultlab/nodes"
)

// Two-phase commit, as the leader of the coordinating group drives it. What must not be lost is in the log: the record
// before any Prepare, the decision before any Resolve. So a new leader finds every transaction that may be locked
// somewhere, and either asks for the votes again or tells the decision again; both may be done any number of times.

// A drive is how far a record has come, as one leader knows.
type drive struct {
	r       *record
	parts   []string // names of the participants, as of this attempt
	done    []bool   // by participant: it voted yes in this attempt or, once decided, it has been told
	read    []bool   // by participant: its results are in
	results []Result
	age     int  // in ticks, since this leader took it on
	ticks   int  // since this attempt was first sent
	quiet   int  // since messages were last sent
	decided bool // proposed, or in the log
	backoff int  // ticks until the next attempt is sent
	silent  bool // nothing was heard since messages were last sent again
	hops    int  // redirections followed since the last tick

	mark uint64 // the highest of its votes

	late *command // by mistake: a decision that was told and is yet to be put in the log
}

// drive takes on a record: it asks for votes, or tells the outcome if there is one.
func (l *leader) drive(env nodes.Env, r *record) {
	if l == nil {
		return
	}
	d := &drive{r: r, results: make([]Result, len(r.Ops))}
	d.with(r.Parts)
	d.decided = r.State != pending
	l.drives = append(l.drives, d)
	l.send(env, d)
}

// with begins an attempt with these participants.
func (d *drive) with(parts []string) {
	d.parts, d.done, d.read = parts, make([]bool, len(parts)), make([]bool, len(parts))
}

// keys counts the keys of a participant.
func (d *drive) keys(i int) uint64 {
	return uint64(len(keys(d.r.Ops, func(key string) bool { return partOf(d.parts, key) == i })))
}

// send sends each participant that has not answered what it should answer.
func (l *leader) send(env nodes.Env, d *drive) {
	d.quiet = 0
	for i := range d.parts {
		l.sendTo(env, d, i)
	}
}

func (l *leader) sendTo(env nodes.Env, d *drive, i int) {
	switch p := d.parts[i]; {
	case d.done[i]:
	case d.r.State == pending:
		env.Send(l.n().leaderOf(p), Prepare{
			Range: p, Coordinator: l.name, ID: d.r.ID, Attempt: d.r.Attempt, Priority: d.r.Priority, Keys: d.keys(i), Ops: d.r.Ops,
		})
	default:
		l.sendResolve(env, p, d.r.ID, d.r.Attempt, d.r)
	}
}

// redirected sends again, at once but not in circles, what went to a node that does not lead a range.
func (l *leader) redirected(env nodes.Env, name string) {
	for _, d := range l.drives {
		if d.hops >= 2 || d.backoff > 0 || d.decided && d.r.State == pending {
			continue
		}
		for i, p := range d.parts {
			if p == name && !d.done[i] {
				d.hops++
				l.sendTo(env, d, i)
			}
		}
	}
}

// sendResolve tells a participant that an attempt committed, as r says; or that it is over, without r.
func (l *leader) sendResolve(env nodes.Env, to string, id ID, attempt uint64, r *record) {
	o := Resolve{Range: to, Coordinator: l.name, ID: id, Attempt: attempt}
	if r != nil && r.State == committed {
		o.Commit, o.Mark = true, r.Mark
	}
	env.Send(l.n().leaderOf(to), o)
}

func (l *leader) find(id ID) *drive {
	for _, d := range l.drives {
		if d.r.ID == id {
			return d
		}
	}
	return nil
}

// askPrepare and askResolve put a coordinator's wish in the participant's log.
func (l *leader) askPrepare(env nodes.Env, p Prepare) {
	c := &command{Kind: prepare, ID: p.ID, Attempt: p.Attempt, Ops: p.Ops, Priority: p.Priority, Coordinator: p.Coordinator, Keys: p.Keys}
	if l.draining > 0 {
		l.vote(env, c, Vote{Conflict: true, Reason: "the range is to be split"})
		return
	}
	if l.bug == voteNotPersisted {
		if results, abort := l.store.run(p.Ops, true); abort == "" && !l.blocked(p.Ops) {
			l.vote(env, c, Vote{Yes: true, Results: results})
		}
	}
	l.propose(env, c)
}

func (l *leader) askResolve(env nodes.Env, r Resolve) {
	l.propose(env, &command{Kind: resolve, ID: r.ID, Attempt: r.Attempt, Commit: r.Commit, Coordinator: r.Coordinator, Mark: r.Mark})
}

// vote and resolved answer the coordinator; called as the machine applies, l is nil on a follower.
func (l *leader) vote(env nodes.Env, c *command, v Vote) {
	if l == nil {
		return
	}
	v.Range, v.Participant, v.ID, v.Attempt = c.Coordinator, l.name, c.ID, c.Attempt
	env.Send(l.n().leaderOf(c.Coordinator), v)
}

func (l *leader) resolved(env nodes.Env, c *command) {
	if l != nil {
		env.Send(l.n().leaderOf(c.Coordinator), Resolved{Range: c.Coordinator, Participant: l.name, ID: c.ID, Attempt: c.Attempt})
	}
}

// divided tells a coordinator that it asks for keys that were split off.
func (l *leader) divided(env nodes.Env, c *command) {
	if l == nil {
		return
	}
	if len(l.children) > 0 {
		env.Send(l.n().leaderOf(c.Coordinator), Moved{Places: l.children})
	}
	l.vote(env, c, Vote{Conflict: true, Reason: "the range has been split"})
}

// onVote counts a vote; the last yes, or the first no, decides.
func (l *leader) onVote(env nodes.Env, v Vote) {
	d := l.find(v.ID)
	if d == nil || d.decided || v.Attempt != d.r.Attempt {
		return
	}
	i := slices.Index(d.parts, v.Participant)
	switch {
	case i < 0:
	case v.Yes:
		d.done[i] = true
		l.take(d, i, v.Results)
		d.mark = max(d.mark, v.Mark)
		if !slices.Contains(d.done, false) {
			l.decideNow(env, d, command{Commit: true, Reply: Reply{Results: d.results}})
		}
	case v.Conflict && d.age < retryTicks:
		l.decideNow(env, d, command{Again: true, Parts: l.parties(d.r.Ops)})
	default:
		l.decideNow(env, d, command{Reply: Reply{Abort: v.Reason}})
	}
}

// take copies a participant's share of the results.
func (l *leader) take(d *drive, i int, results []Result) {
	if d.read[i] && l.bug == blindRetry {
		return
	}
	d.read[i] = true
	for k := range results {
		if partOf(d.parts, d.r.Ops[k].Key) == i {
			d.results[k] = results[k]
		}
	}
}

func (l *leader) decideNow(env nodes.Env, d *drive, c command) {
	d.decided = true
	c.Kind, c.ID, c.Attempt = decide, d.r.ID, d.r.Attempt
	if c.Commit {
		c.Mark = d.mark + 1
	}
	if l.bug == decideBeforeLog && c.Commit {
		l.reply(env, c.ID, c.Reply)
		for _, p := range d.parts {
			l.sendResolve(env, p, c.ID, c.Attempt, &record{State: committed, Mark: c.Mark})
		}
		d.late = &c
		return
	}
	l.propose(env, &c)
}

// again gives an attempt up and makes ready for the next, a little later.
func (l *leader) again(env nodes.Env, r *record) {
	if l == nil {
		return
	}
	d := l.find(r.ID)
	for _, p := range d.parts {
		l.sendResolve(env, p, r.ID, r.Attempt-1, nil)
	}
	if !slices.Equal(d.parts, r.Parts) {
		d.with(r.Parts)
	}
	clear(d.done)
	d.decided, d.silent = false, false
	d.backoff = 1 + env.Rand().IntN(int(min(r.Attempt, 5)))
}

// decided tells the participants.
func (l *leader) decided(env nodes.Env, r *record) {
	if l == nil {
		return
	}
	d := l.find(r.ID)
	clear(d.done)
	d.decided, d.silent = true, false
	l.send(env, d)
}

func (l *leader) onResolved(v Resolved) {
	d := l.find(v.ID)
	if d == nil || d.r.State == pending || v.Attempt != d.r.Attempt {
		return
	}
	for i, p := range d.parts {
		d.done[i] = d.done[i] || p == v.Participant
	}
	if !slices.Contains(d.done, false) {
		l.drives = slices.DeleteFunc(l.drives, func(o *drive) bool { return o == d })
		l.forget = append(l.forget, v.ID)
	}
}

// onQuery answers a participant that has waited too long, and aborts what it waits for unless that is decided.
func (l *leader) onQuery(env nodes.Env, from nodes.ID, q Query) {
	l.n().heard(q.Participant, from)
	r := l.records[q.ID]
	switch {
	case r == nil:
		// Nobody prepares before there is a record, so it is over and was forgotten, or this is no longer the leader.
		l.group.log.Read(env, func(env nodes.Env, ok bool) {
			if lead := l.lead; ok && lead != nil && lead.records[q.ID] == nil {
				lead.sendResolve(env, q.Participant, q.ID, q.Attempt, nil)
			}
		})
	case q.Attempt < r.Attempt:
		l.sendResolve(env, q.Participant, q.ID, q.Attempt, nil)
	case r.State != pending:
		l.sendResolve(env, q.Participant, q.ID, q.Attempt, r)
	default:
		if d := l.find(q.ID); !d.decided {
			env.Reached("multi-master: a participant forced an abort")
			l.decideNow(env, d, command{Reply: Reply{Abort: "a participant waited too long"}})
		}
	}
}

// driveTick sends again what was not answered, and gives up on votes after ResolveAfter.
func (l *leader) driveTick(env nodes.Env) {
	for _, d := range l.drives {
		d.age++
		d.ticks++
		d.quiet++
		d.hops = 0
		if d.late != nil {
			l.propose(env, d.late)
			d.late = nil
		}
		switch {
		case d.backoff > 0:
			d.backoff--
			if d.backoff == 0 {
				d.ticks = 0
				l.send(env, d)
			}
		case d.r.State == pending && d.decided && d.ticks < 3*resolveTicks: // on its way into the log
		case d.r.State == pending && d.ticks >= resolveTicks:
			d.ticks = resolveTicks // the first decision in the log counts, so another one does no harm
			env.Reached("multi-master: a coordinator gave up on votes")
			l.decideNow(env, d, command{Reply: Reply{Abort: "not all participants voted in time"}})
		case d.quiet >= resendTicks:
			for i, p := range d.parts {
				if !d.done[i] && d.silent {
					l.n().rotate(p)
				}
			}
			d.silent = true
			l.send(env, d)
		}
	}
}
