package checker

import "faultlab/checker/history"

// logReader reads Jepsen's Kafka workload. Values are unique in a log, so that a value is told with its log.
type logReader struct{ only []string }

func (logReader) read(c call) (any, bool) {
	switch c.f {
	case "assign", "subscribe":
		l := LogOp[string]{Moved: true}
		if begins, _ := c.more("seek-to-beginning?").Bool(); begins {
			return l, true
		}
		for _, log := range c.asked.List() {
			l.Keeps = append(l.Keeps, named(log))
		}
		return l, true
	case "commit":
		l := LogOp[string]{Group: "all"}
		v := c.asked
		for i, list := 0, v.List(); i+1 < len(list); i += 2 {
			offset, whole := list[i+1].Int()
			if !whole {
				return nil, false
			}
			l.Commits = append(l.Commits, Record[string]{Log: named(list[i]), Offset: offset})
		}
		return l, v.Kind == history.Map || v.Kind == history.Nil
	case "send", "poll", "txn":
		return logSteps(c)
	}
	return nil, true // crash, debug-topic-partitions and the like say nothing of a log
}

func logSteps(c call) (any, bool) {
	l := LogOp[string]{Group: "all"}
	for _, change := range c.more("rebalance-log").List() {
		for _, log := range change.Get("keys").List() {
			l.Rebalanced = append(l.Rebalanced, named(log))
		}
	}
	steps := c.asked
	if c.answered.Kind == history.List {
		steps = c.answered
	}
	for _, m := range steps.List() {
		parts := m.List()
		if len(parts) == 0 {
			return nil, false
		}
		switch f := parts[0].Text(); {
		case f == "send" && len(parts) == 3:
			r := Record[string]{Log: named(parts[1]), Offset: -1, Value: named(parts[1]) + ":" + shown(parts[2])}
			if pair := parts[2].List(); parts[2].Kind == history.List && len(pair) == 2 {
				r.Value = r.Log + ":" + shown(pair[1])
				if offset, whole := pair[0].Int(); whole {
					r.Offset = offset
				}
			}
			l.Sends = append(l.Sends, r)
		case f == "poll" && len(parts) == 1:
		case f == "poll" && len(parts) == 2:
			for i, logs := 0, parts[1].List(); i+1 < len(logs); i += 2 {
				for _, record := range logs[i+1].List() {
					pair := record.List()
					if len(pair) != 2 {
						return nil, false
					}
					offset, whole := pair[0].Int()
					if !whole {
						return nil, false
					}
					l.Polls = append(l.Polls, Record[string]{Log: named(logs[i]), Offset: offset, Value: named(logs[i]) + ":" + shown(pair[1])})
				}
			}
		default:
			return nil, false
		}
	}
	return l, steps.Kind == history.List
}

func (r logReader) checker(*history.History) Checker {
	l := Log[string]{View: viewed[LogOp[string]], Forbid: r.only}
	for _, kind := range logAnomalies {
		asked := len(r.only) == 0
		for _, name := range r.only {
			asked = asked || name == kind
		}
		if !asked {
			l.Allow = append(l.Allow, kind)
		}
	}
	return l
}
