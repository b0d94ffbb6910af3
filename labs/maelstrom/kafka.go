package maelstrom

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"

	"faultlab/checker"
	"faultlab/checker/history"
	"faultlab/labs"
	"faultlab/nodes"
)

// Kafka is the workload kafka: logs to which clients send, which they poll, and in which they commit how far they are.
func Kafka() labs.Lab {
	return plan{
		name:  "kafka",
		about: "append-only logs with offsets, polled from where a client is, and committed offsets (Maelstrom's kafka)",
		messages: []labs.Exchange{
			{About: "append a message to a log; the reply says at which offset. Each message is another whole number", Ask: `{"type":"send","key":"k1","msg":123}`, Answer: `{"type":"send_ok","offset":1000}`},
			{About: "messages of logs, each from that offset on, as many as the node likes but with none left out: pairs of an offset and a message", Ask: `{"type":"poll","offsets":{"k1":1000,"k2":2000}}`, Answer: `{"type":"poll_ok","msgs":{"k1":[[1000,9],[1001,5]],"k2":[[2000,7]]}}`},
			{About: "all up to and including these offsets has been dealt with", Ask: `{"type":"commit_offsets","offsets":{"k1":1001,"k2":2000}}`, Answer: `{"type":"commit_offsets_ok"}`},
			{About: "what has been committed; logs of which nothing has been may be left out", Ask: `{"type":"list_committed_offsets","keys":["k1","k2"]}`, Answer: `{"type":"list_committed_offsets_ok","offsets":{"k1":1001,"k2":2000}}`},
		},
		fits: fitsKafka,
		work: newLogWork,
		promises: func(nodes.Topology) []labs.Guarantee {
			return []labs.Guarantee{
				{
					ID: "K1", Name: "log",
					Statement: "What is sent to a log and acknowledged is polled, at one offset that never holds anything else; polls and sends of a client go forward and leave nothing out.",
					Checker:   checker.Log[int64]{View: logView, Allow: []string{checker.RealTimeSend}, AtLeast: 10},
					Under:     under,
				}, {
					ID: "K2", Name: "committed",
					Statement: "No offset is told to be committed that is higher than all that were asked to be.",
					Checker:   checker.Func(committed),
					Under:     under,
				},
			}
		},
	}.lab()
}

func fitsKafka(in, out any) string {
	switch in := in.(type) {
	case Send:
		if ok, is := out.(SendOK); is {
			if n, whole := ok.Offset.whole(); !whole || n < 0 {
				return "its offset is no whole number from 0 on"
			}
		}
		return is[SendOK](out)
	case Poll:
		ok, is1 := out.(PollOK)
		if !is1 {
			return is[PollOK](out)
		}
		for _, log := range slices.Sorted(maps.Keys(ok.Msgs)) {
			for i, e := range ok.Msgs[log] {
				n, whole := e[0].whole()
				if _, number := e[1].whole(); !whole || !number || n < 0 {
					return fmt.Sprintf("an entry of %s is not a pair of an offset and a message", log)
				}
				from, asked := in.Offsets[log]
				if !asked {
					return "it has messages of " + log + ", which was not asked for"
				}
				if i == 0 && n < from {
					return fmt.Sprintf("the messages of %s begin at %d, before the offset that was asked for", log, n)
				}
			}
		}
	case CommitOffsets:
		return is[CommitOffsetsOK](out)
	case ListCommittedOffsets:
		if ok, is := out.(ListCommittedOffsetsOK); is {
			for _, log := range slices.Sorted(maps.Keys(ok.Offsets)) {
				if _, whole := ok.Offsets[log].whole(); !whole && ok.Offsets[log] != null {
					return "the offset of " + log + " is no whole number"
				}
			}
		}
		return is[ListCommittedOffsetsOK](out)
	}
	return ""
}

const (
	logsLive  = 4   // logs in use at one time
	logLife   = 150 // messages sent to a log before another takes its place
	emptyMost = 5   // polls in a row that find nothing, before a final reader takes a log for read
)

// A logWork is what the clients know of the logs.
type logWork struct {
	*driver
	logs    []int64 // in use: 7 is k7
	sent    []int
	all     int64 // logs so far
	message int64
	high    map[string]int64 // the highest offset of each log that was acknowledged
	readers map[nodes.ID]*reader
	finals  *queue[int64]
}

// A reader is where a client reads.
type reader struct {
	at     map[string]int64 // what it asks for next, of the logs that are assigned to it
	polled map[string]int64 // what it has polled and not yet committed

	log    string // in the final reads: the log that it reads to its end, "" before the first
	logs   int    // logs that it has read
	empty  int    // polls in a row that found nothing
	placed bool
}

func newLogWork(t nodes.Topology, _ *rand.Rand) *driver {
	w := &logWork{driver: newDriver(t), high: map[string]int64{}, readers: map[nodes.ID]*reader{}}
	for range logsLive {
		w.all++
		w.logs, w.sent = append(w.logs, w.all), append(w.sent, 0)
	}
	w.draw, w.learn, w.last = w.request, w.hear, w.final
	return w.driver
}

func logName(n int64) string { return fmt.Sprint("k", n) }

func (w *logWork) reader(c *labs.Client) *reader {
	r := w.readers[c.ID]
	if r == nil {
		r = &reader{}
		w.readers[c.ID] = r
	}
	return r
}

func (w *logWork) request(c *labs.Client, changing bool) any {
	r := w.reader(c)
	switch n := c.Rand.IntN(100); {
	case changing && n < 45:
		i := c.Rand.IntN(len(w.logs))
		log := logName(w.logs[i])
		if w.sent[i]++; w.sent[i] >= logLife {
			w.all++
			w.logs[i], w.sent[i] = w.all, 0
		}
		w.message++
		return Send{log, number(w.message)}
	case changing && n < 60 && len(r.polled) > 0:
		return CommitOffsets{maps.Clone(r.polled)}
	case n >= 90 || len(r.at) == 0:
		var some []string
		for _, i := range c.Rand.Perm(len(w.logs))[:1+c.Rand.IntN(len(w.logs)-1)] {
			some = append(some, logName(w.logs[i]))
		}
		if before := w.all - int64(c.Rand.IntN(logsLive)) - logsLive; before > 0 && c.Rand.IntN(2) == 0 {
			some = append(some, logName(before)) // one that is full by now
		}
		slices.Sort(some)
		return ListCommittedOffsets{slices.Compact(some)}
	}
	return Poll{maps.Clone(r.at)}
}

// hear moves a client on, and notes what was acknowledged.
func (w *logWork) hear(c *labs.Client, op *history.Op, phase history.Phase) {
	r := w.reader(c)
	if op.Outcome != history.OK {
		return
	}
	switch in := op.In.(type) {
	case Send:
		offset, _ := op.Out.(SendOK).Offset.whole()
		w.high[in.Key] = max(w.high[in.Key], offset)
	case CommitOffsets:
		r.polled = nil
	case ListCommittedOffsets:
		r.at, r.polled, r.placed, r.empty = map[string]int64{}, nil, true, 0
		told := op.Out.(ListCommittedOffsetsOK).Offsets
		for _, log := range in.Keys {
			r.at[log] = 0
			if n, whole := told[log].whole(); whole && phase != history.Final {
				r.at[log] = n + 1
			}
		}
	case Poll:
		found := false
		for log, entries := range op.Out.(PollOK).Msgs {
			for _, e := range entries {
				offset, _ := e[0].whole()
				found = true
				r.at[log] = max(r.at[log], offset+1)
				if r.polled == nil {
					r.polled = map[string]int64{}
				}
				r.polled[log] = max(r.polled[log], offset)
			}
		}
		r.empty++
		if found {
			r.empty = 0
		}
	}
}

// final reads each log twice, by different clients, from its begin to its end.
func (w *logWork) final(c *labs.Client, _ int) (any, nodes.ID, bool) {
	r := w.reader(c)
	if w.finals == nil {
		w.finals = newQueue(1, w.all)
		for _, r := range w.readers {
			r.placed = false
		}
	}
	for {
		if r.log != "" {
			high, any := w.high[r.log]
			switch {
			case !r.placed:
				return ListCommittedOffsets{[]string{r.log}}, "", true
			case any && r.at[r.log] <= high && r.empty < emptyMost, r.empty == 0:
				return Poll{map[string]int64{r.log: r.at[r.log]}}, "", true
			}
			r.logs++
		}
		n, more := w.finals.next(c.ID, r.logs)
		if !more {
			return nil, "", false
		}
		r.log, r.placed = logName(n), false
	}
}

// logView says what a request did to logs. An assignment, which is asked for by list_committed_offsets, gives a client
// other places to read at.
func logView(op *history.Op) (l checker.LogOp[int64], ok bool) {
	l.Group = "all"
	switch in := op.In.(type) {
	case Send:
		r := checker.Record[int64]{Log: in.Key, Offset: -1}
		r.Value, _ = in.Msg.whole()
		if ok, is := op.Out.(SendOK); is && op.Outcome == history.OK {
			r.Offset, _ = ok.Offset.whole()
		}
		l.Sends = []checker.Record[int64]{r}
	case Poll:
		if ok, is := op.Out.(PollOK); is && op.Outcome == history.OK {
			for _, log := range slices.Sorted(maps.Keys(ok.Msgs)) {
				for _, e := range ok.Msgs[log] {
					r := checker.Record[int64]{Log: log}
					r.Offset, _ = e[0].whole()
					r.Value, _ = e[1].whole()
					l.Polls = append(l.Polls, r)
				}
			}
		}
	case CommitOffsets:
		for _, log := range slices.Sorted(maps.Keys(in.Offsets)) {
			l.Commits = append(l.Commits, checker.Record[int64]{Log: log, Offset: in.Offsets[log]})
		}
	case ListCommittedOffsets:
		l.Moved = true
	}
	return l, true
}

// committed judges what nodes say of committed offsets.
func committed(h *history.History) history.Result {
	asked := map[string][]*history.Op{} // by log, in the order of call
	for i := range h.Ops {
		if in, is := h.Ops[i].In.(CommitOffsets); is && h.Ops[i].Outcome != history.Failed {
			for log := range in.Offsets {
				asked[log] = append(asked[log], &h.Ops[i])
			}
		}
	}
	told := 0
	for i := range h.Ops {
		op := &h.Ops[i]
		ok, is := op.Out.(ListCommittedOffsetsOK)
		if !is || op.Outcome != history.OK {
			continue
		}
		for _, log := range slices.Sorted(maps.Keys(ok.Offsets)) {
			n, whole := ok.Offsets[log].whole()
			if !whole {
				continue
			}
			told++
			most := int64(-1)
			for _, commit := range asked[log] {
				if commit.Call <= op.Return {
					most = max(most, commit.In.(CommitOffsets).Offsets[log])
				}
			}
			if n > most {
				return history.Refuted([]int{op.Index}, "%s told client %s (operation %d) that offset %d of %s is committed, and the highest that anybody had asked to commit was %d", op.Node, op.Client, op.Index, n, log, most)
			}
		}
	}
	if told == 0 {
		return history.Doubted("no node told of a committed offset")
	}
	return history.Passed("none of %d committed offsets that were told is higher than what had been asked for", told)
}
