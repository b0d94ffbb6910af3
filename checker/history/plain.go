package history

import "fmt"

// Plain is the Codec of a vocabulary that nobody here knows: bodies are Values. Its zero value is ready; it is for one
// goroutine.
type Plain struct{ values values }

// Append appends a Value as JSON.
func (*Plain) Append(dst []byte, body any) ([]byte, error) {
	v, ok := body.(Value)
	if !ok {
		return dst, fmt.Errorf("history: %T is no Value", body)
	}
	return v.append(dst, false), nil
}

// Decode returns a Value.
func (p *Plain) Decode(data []byte) (any, error) {
	s := scanner{b: data, line: 1}
	value, ok := p.values.json(&s, depthMax)
	if !ok || !s.end() {
		return nil, s.err
	}
	return value, nil
}

// InJepsen puts operations that were read with Plain into Jepsen's words, so that whoever judges or exports those need
// know no lab. A request is an object: its "f", or else its "type", is the function, and the value is the first of
// "value", "txn" (micro-operations as they are), "ops" (objects with "f", "key", "value" and "old", beside which
// "results" in the reply has an object with "list" or "int" for each), "from" and "to" (beside an "amount" the object
// itself), "old" and "new" that is there, be it null, in a pair with "key" if that is there. A reply is the value itself, or an object that has one in the same
// places. An object that has none answers a request that has none if it has no "type" either: it is itself the value.
//
// Where transactions append to lists, only lists are told of: what else they did is in no vocabulary of Jepsen's.
func InJepsen(ops []Op) []Op { return inJepsen(ops, nil) }

// inJepsen is InJepsen of operations whose lines are known.
func inJepsen(ops []Op, lines []int) []Op {
	lists := map[string]bool{}
	for i := range ops {
		in, _ := ops[i].In.(Value)
		for _, step := range in.Get("ops").list {
			if step.Get("f").text == "append" {
				lists[step.Get("key").String()] = true
			}
		}
	}
	told := make([]Op, 0, len(ops))
	for i, op := range ops {
		in, _ := op.In.(Value)
		out, answered := op.Out.(Value)
		j := Jepsen{F: in.Get("f").text, Event: op.Index}
		if j.F == "" {
			j.F = in.Get("type").text
		}
		if lines != nil {
			j.Line, j.Col = int32(lines[i]), 1
		}
		a := j
		if steps := in.Get("ops"); steps.Kind == List {
			j.Value = microOps(steps, Value{}, lists)
			a.Value = microOps(steps, out.Get("results"), lists)
			if len(j.Value.list) == 0 && len(steps.list) > 0 {
				continue
			}
			answered = answered && (len(out.Get("results").list) == len(steps.list) || op.Outcome != OK)
		} else {
			asked, _ := argument(in)
			j.Value = keyed(in, asked)
			a.Value = j.Value
			answer, told := argument(out)
			_, message := out.lookup("type")
			switch key := out.Get("key"); {
			case !answered:
			case told && key.Kind != Nil:
				a.Value = Vector(key, answer)
			case told:
				a.Value = keyed(in, answer)
			case out.Kind != Map || !message && asked.Kind == Nil && len(out.list) > 0:
				a.Value = keyed(in, out)
			}
		}
		op.In, op.Out = j, nil
		if answered || op.Outcome == OK {
			op.Out = a
		}
		told = append(told, op)
	}
	return told
}

func keyed(in, v Value) Value {
	if key := in.Get("key"); key.Kind != Nil {
		return Vector(key, v)
	}
	return v
}

// argument is the value that a body has, but for its key.
func argument(body Value) (v Value, there bool) {
	for _, name := range [...]string{"value", "txn"} {
		if v, there := body.lookup(name); there {
			return v, true
		}
	}
	if body.Get("amount").Kind != Nil && body.Get("from").Kind != Nil {
		return body, true // a transfer of a bank
	}
	for _, pair := range [...][2]string{{"from", "to"}, {"old", "new"}} {
		if v, there := body.lookup(pair[0]); there {
			return Vector(v, body.Get(pair[1])), true
		}
	}
	return Value{}, false
}

// microOps are the steps of a transaction as [f key value].
func microOps(steps, results Value, lists map[string]bool) Value {
	var list []Value
	for i, step := range steps.list {
		f, key, v := step.Get("f"), step.Get("key"), step.Get("value")
		isList := lists[key.String()]
		if len(lists) > 0 && (!isList || f.text != "append" && f.text != "r") {
			continue
		}
		var seen Value
		if i < len(results.list) {
			seen = results.list[i]
		}
		switch {
		case f.text == "r" && seen.Kind == Map && isList:
			if v = seen.Get("list"); v.Kind == Nil {
				v = Vector()
			}
		case f.text == "r" && seen.Kind == Map:
			v = seen.Get("int")
		case step.Get("old").Kind != Nil:
			v = Vector(step.Get("old"), v)
		}
		list = append(list, Vector(f, key, v))
	}
	return Vector(list...)
}
