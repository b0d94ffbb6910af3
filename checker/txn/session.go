package txn

// sessionRows are what each session wrote and knew of each key: what the session guarantees speak of (Terry et al.,
// "Session Guarantees for Weakly Consistent Replicated Data", PDIS 1994). A session knows of a version from when it
// has read from the transaction that wrote it.
type sessionRows struct {
	*facts
	place          []int32 // by transaction: its number in its run
	written, known rows
}

// rows are kept in the order in which they began.
type rows struct {
	at  map[[2]int32]*row // by run and key
	all []*row
}

func (rs *rows) of(run, key int32) *row { return rs.at[[2]int32{run, key}] }

// add adds a write to what a run knows of its key, unless it knows of that already.
func (rs *rows) add(run, key, write, writer, at int32) *row {
	r := rs.of(run, key)
	if r == nil {
		r = &row{of: map[int32]int32{}}
		rs.at[[2]int32{run, key}] = r
		rs.all = append(rs.all, r)
	}
	if _, ok := r.of[writer]; ok {
		return nil
	}
	r.of[writer] = int32(len(r.writes))
	r.writes, r.at = append(r.writes, write), append(r.at, at)
	return r
}

func (x *facts) sessionRows() *sessionRows {
	s := &sessionRows{facts: x, place: make([]int32, len(x.txns)), written: rows{at: map[[2]int32]*row{}}, known: rows{at: map[[2]int32]*row{}}}
	next := make([]int32, x.runs())
	for _, t := range x.byCall() {
		r := x.run[t]
		if r < 0 || !x.in[t] {
			continue
		}
		s.place[t] = next[r]
		next[r]++
		for _, w := range x.lastWrites(t) {
			s.written.add(r, x.vs.key[w], w, t, s.place[t])
		}
		x.reads(t, func(_, _, from int32) {
			if from < 0 {
				return
			}
			for _, w := range x.lastWrites(x.writer[from]) {
				if row := s.known.add(r, x.vs.key[w], w, x.writer[from], s.place[t]); row != nil {
					row.via = append(row.via, t)
				}
			}
		})
	}
	return s
}

// lastWrites returns the last write of each key that a transaction wrote.
func (x *facts) lastWrites(t int32) []int32 { return x.writes[x.writeFirst[t]:x.writeFirst[t+1]] }

// author returns the transaction that wrote a version, -1 if none did.
func (x *facts) author(from int32) int32 {
	if from < 0 {
		return -1
	}
	return x.writer[from]
}

// ownWrites demands that a transaction sees what its session wrote before.
func (s *sessionRows) ownWrites() []demand {
	var demands []demand
	s.eachRead(func(t, k, from int32) {
		if r := s.written.of(s.run[t], k); r != nil {
			demands = r.all(demands, r.upTo(s.place[t]-1), wants(-1, from, t), s.author(from))
		}
	})
	return demands
}

// monotonicReads demands that a transaction sees what transactions of its session have read from.
func (s *sessionRows) monotonicReads() []demand {
	var demands []demand
	s.eachRead(func(t, k, from int32) {
		if r := s.known.of(s.run[t], k); r != nil {
			demands = r.all(demands, r.upTo(s.place[t]-1), wants(-1, from, t), s.author(from), t)
		}
	})
	return demands
}

// monotonicWrites demands that the writes of one session to a key are in its order, and that who reads from a session
// sees what it wrote before.
func (s *sessionRows) monotonicWrites() []demand {
	var demands []demand
	for _, r := range s.written.all {
		for i := 1; i < len(r.writes); i++ {
			demands = append(demands, wants(r.writes[i-1], r.writes[i], s.writer[r.writes[i]]))
		}
	}
	s.eachPair(func(t, by, k, from int32) {
		r := s.written.of(s.run[by], k)
		if r == nil {
			return
		}
		i := r.upTo(s.place[by]-1) - 1
		if i >= 0 && s.writer[r.writes[i]] == t { // it read what its own session was yet to write
			i--
		}
		if i >= 0 && s.writer[r.writes[i]] != s.author(from) {
			d := wants(r.writes[i], from, t)
			d.by = by
			demands = append(demands, d)
		}
	})
	return demands
}

// writesFollowReads demands that what a session wrote comes after what it had read, in the order of each key and for
// all who read from it.
func (s *sessionRows) writesFollowReads() []demand {
	var demands []demand
	for t := range int32(len(s.txns)) {
		if !s.in[t] {
			continue
		}
		for _, v := range s.lastWrites(t) {
			if r := s.known.of(s.run[t], s.vs.key[v]); r != nil {
				demands = r.all(demands, r.upTo(s.place[t]), wants(-1, v, t), t)
			}
		}
	}
	s.eachPair(func(t, by, k, from int32) {
		if r := s.known.of(s.run[by], k); r != nil {
			d := wants(-1, from, t)
			d.by = by
			demands = r.all(demands, r.upTo(s.place[by]), d, s.author(from), t, by)
		}
	})
	return demands
}

// eachPair calls do for each transaction by that transaction t read from, with each read of t.
func (s *sessionRows) eachPair(do func(t, by, k, from int32)) {
	for t := range int32(len(s.txns)) {
		if !s.in[t] {
			continue
		}
		s.reads(t, func(_, _, seen int32) {
			if by := s.author(seen); by >= 0 && by != t && s.in[by] {
				s.reads(t, func(_, k, from int32) { do(t, by, k, from) })
			}
		})
	}
}
