package checker

import (
	"faultlab/checker/history"
	"faultlab/checker/linear"
)

// A turn makes a linear model's request and answer of an operation; ok is false if its function, or its value, is none
// that the model knows. Answers count for nothing unless the operation is OK.
type turn func(c call, q Question) (in, out any, ok bool)

// nothing stands for the answer to a read that came back without a value.
type nothing struct{}

// objects gathers what a linear model judges.
type objects struct {
	name, words string
	turn        turn
	check       func(q Question, o *objects) linear.Report
	q           Question

	ops    []linear.Op // but for those that failed
	failed int
}

func object(name, about, words string, t turn, check func(q Question, o *objects) linear.Report) Model {
	return Model{Name: name, About: about, Words: words, whole: true, open: func(q Question) piece {
		return &objects{name: name, words: words, turn: t, check: check, q: q}
	}}
}

func (o *objects) add(c call) error {
	in, out, ok := o.turn(c, o.q)
	if !ok {
		return c.wrong("an operation of a %s (%s), not %s %s", o.name, o.words, c.f, c.asked)
	}
	op := linear.From(c.Op, in, out)
	if c.Outcome == history.Failed {
		if !o.q.Mismatch || !refusable(in) {
			o.failed++
			return nil
		}
		op.Outcome, op.Out = history.OK, false
	}
	o.ops = append(o.ops, op)
	return nil
}

// refusable says that an operation has a condition that a failure of it may be the refusal of.
func refusable(in any) bool {
	switch in.(type) {
	case linear.CAS, linear.Use:
		return true
	}
	return false
}

func (o *objects) answer() Judgement {
	if len(o.ops) == 0 {
		return Judgement{Result: history.Passed("all of %s failed, so that nothing happened", plural(o.failed, "operation"))}
	}
	report := o.check(o.q, o)
	a := Judgement{Result: report.Result()}
	if a.Verdict == history.Fail {
		a.Picture = report.Picture
	}
	return a
}

// initial is what a register with these operations holds at first, as the question has it.
func initial(ops []linear.Op, q Question) string {
	if q.Initial != nil {
		return shown(*q.Initial)
	}
	const zero = "0"
	read := false
	for _, op := range ops {
		switch in := op.In.(type) {
		case linear.Write:
			if in.Value == zero {
				return shown(history.Value{})
			}
		case linear.CAS:
			if in.New == zero {
				return shown(history.Value{})
			}
			read = read || in.Old == zero && op.Out == true
		case linear.Read:
			read = read || op.Out == zero
		case linear.RegisterSteps:
			reads, _ := op.Out.([]linear.RegisterRead)
			for i, step := range in {
				if step.Set && step.Value == zero {
					return shown(history.Value{})
				}
				read = read || i < len(reads) && reads[i].Known && reads[i].Value == zero
			}
		}
	}
	if read {
		return zero
	}
	return shown(history.Value{})
}

// keyValue is register with the key in the value: [key v], or the key alone where there is no v.
func keyValue(c call, q Question) (in, out any, ok bool) {
	list := c.asked.List()
	switch {
	case c.asked.Kind == history.List && len(list) == 2:
		c.key, c.asked = shown(list[0]), list[1]
		if l := c.answered.List(); len(l) == 2 {
			c.answered = l[1]
		}
	case c.f == "write" || c.f == "cas":
		return nil, nil, false
	default:
		c.key, c.asked = shown(c.asked), history.Value{}
		if l := c.answered.List(); len(l) == 2 {
			c.answered = l[1]
		}
	}
	return register(c, q)
}

func register(c call, _ Question) (in, out any, ok bool) {
	key, asked, answered := c.key, c.asked, c.answered
	switch c.f {
	case "read", "r":
		if answered.Kind == history.Nil {
			return linear.Read{Key: key}, nothing{}, true
		}
		return linear.Read{Key: key}, shown(answered), true
	case "write", "w":
		return linear.Write{Key: key, Value: shown(asked)}, nil, true
	case "cas":
		pair := asked.List()
		if asked.Kind != history.List || len(pair) != 2 {
			return nil, nil, false
		}
		return linear.CAS{Key: key, Old: shown(pair[0]), New: shown(pair[1])}, true, true
	case "delete":
		return linear.Delete{Key: key}, nil, true
	}
	return nil, nil, false
}

// multiRegister takes micro-operations, whatever the function is called. Unknown operations have no answers.
func multiRegister(c call, _ Question) (in, out any, ok bool) {
	var steps linear.RegisterSteps
	reads := []linear.RegisterRead{}
	list := c.asked.List()
	answers := c.answered.List()
	for i, m := range list {
		parts := m.List()
		if m.Kind != history.List || len(parts) < 2 {
			return nil, nil, false
		}
		step := linear.RegisterStep{Key: shown(parts[1])}
		if c.key != "" {
			step.Key = c.key + "/" + step.Key
		}
		var read linear.RegisterRead
		switch f := parts[0].Text(); {
		case f == "write" || f == "w":
			if len(parts) < 3 {
				return nil, nil, false
			}
			step.Set, step.Value = true, shown(parts[2])
		case f != "read" && f != "r":
			return nil, nil, false
		case i < len(answers) && len(answers[i].List()) > 2 && answers[i].List()[2].Kind != history.Nil:
			read = linear.RegisterRead{Known: true, Value: shown(answers[i].List()[2])}
		}
		steps, reads = append(steps, step), append(reads, read)
	}
	return steps, reads, c.asked.Kind == history.List
}

func queue(c call, _ Question) (in, out any, ok bool) {
	switch c.f {
	case "enqueue":
		return linear.Enqueue{Key: c.key, Value: shown(c.asked)}, nil, true
	case "dequeue":
		return linear.Dequeue{Key: c.key}, taken(c.answered), true
	}
	return nil, nil, false
}

func stack(c call, _ Question) (in, out any, ok bool) {
	switch c.f {
	case "push":
		return linear.Push{Key: c.key, Value: shown(c.asked)}, nil, true
	case "pop":
		return linear.Pop{Key: c.key}, taken(c.answered), true
	}
	return nil, nil, false
}

func taken(v history.Value) any {
	if v.Kind == history.Nil {
		return linear.Empty{}
	}
	return shown(v)
}

func set(c call, _ Question) (in, out any, ok bool) {
	switch c.f {
	case "add":
		return linear.Add{Key: c.key, Value: shown(c.asked)}, nil, true
	case "remove":
		return linear.Remove{Key: c.key, Value: shown(c.asked)}, nil, true
	case "contains":
		if is, known := c.answered.Bool(); known {
			return linear.Contains{Key: c.key, Value: shown(c.asked)}, is, true
		}
		return linear.Contains{Key: c.key, Value: shown(c.asked)}, nil, c.Outcome != history.OK
	case "read":
		if c.answered.Kind == history.Nil {
			return linear.Members{Key: c.key}, nil, true
		}
		return linear.Members{Key: c.key}, texts(c.answered), c.answered.Kind == history.List
	}
	return nil, nil, false
}

func texts(v history.Value) []string {
	list := make([]string, len(v.List()))
	for i, e := range v.List() {
		list[i] = shown(e)
	}
	return list
}

func mutex(c call, _ Question) (in, out any, ok bool) {
	switch c.f {
	case "acquire":
		return linear.Acquire{Key: c.key}, true, true
	case "release":
		return linear.Release{Key: c.key}, true, true
	}
	return nil, nil, false
}

func ownedMutex(c call, q Question) (in, out any, ok bool) {
	in, out, ok = mutex(c, q)
	switch lock := in.(type) {
	case linear.Acquire:
		lock.Owner = c.Client
		in = lock
	case linear.Release:
		lock.Owner = c.Client
		in = lock
	}
	return in, out, ok
}

func lease(c call, _ Question) (in, out any, ok bool) {
	switch c.f {
	case "acquire", "take":
		token, whole := c.answered.Int()
		if !whole {
			return linear.Take{Key: c.key}, nil, c.Outcome != history.OK
		}
		return linear.Take{Key: c.key}, token, true
	case "use", "write":
		token, whole := c.asked.Int()
		return linear.Use{Key: c.key, Token: token}, true, whole
	}
	return nil, nil, false
}

func counter(c call, _ Question) (in, out any, ok bool) {
	switch c.f {
	case "add", "increment":
		by, whole := c.asked.Int()
		return linear.Increment{Key: c.key, By: by}, nil, whole
	case "read":
		n, whole := c.answered.Int()
		if !whole {
			return linear.Value{Key: c.key}, nil, c.answered.Kind == history.Nil
		}
		return linear.Value{Key: c.key}, n, true
	}
	return nil, nil, false
}

func appendLog(c call, _ Question) (in, out any, ok bool) {
	switch c.f {
	case "append":
		in := linear.Append{Key: c.key, Value: shown(c.asked)}
		if pair := c.answered.List(); len(pair) == 2 { // [offset value], as a send to a log is answered
			if offset, whole := pair[0].Int(); whole {
				return in, offset, true
			}
		}
		return in, nil, true
	case "read":
		if c.answered.Kind == history.Nil {
			return linear.Entries{Key: c.key}, nil, true
		}
		return linear.Entries{Key: c.key}, texts(c.answered), c.answered.Kind == history.List
	}
	return nil, nil, false
}
