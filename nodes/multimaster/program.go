package multimaster

import (
	"slices"

	"faultlab/nodes/pack"
)

// A cell is what a key holds. Cells are values: a list is never changed in place, so results may share it.
type cell struct {
	list  []int64
	value int64
	chain uint64 // hash of the list, element by element
	mark  uint64 // of what was written last: see feed.go
	n     uint64 // how often it was written
}

func (c *cell) written(mark uint64) { c.mark, c.n = mark, c.n+1 }

func (c *cell) append(v int64) {
	list := make([]int64, len(c.list)+1)
	copy(list, c.list)
	list[len(c.list)] = v
	c.list = list
	c.chain = pack.Mix(c.chain ^ uint64(v))
}

// sum is what a cell adds to the digest of its range. An empty cell adds nothing, whether it is there or not.
func (c *cell) sum(key string) uint64 {
	if len(c.list) == 0 && c.value == 0 {
		return 0
	}
	return pack.Mix(pack.Mix(pack.Hash(key)^c.chain)^uint64(c.value)) + pack.Mix(pack.Mix(c.mark)^c.n^pack.Hash(key))
}

// A store is the keys of one range. Its sum is a digest of all it holds that does not depend on how it came to.
type store struct {
	cells   map[string]*cell
	holds   func(key string) bool // whether a key is of this range
	epoch   uint64                // of the range
	mark    uint64                // of what is written next
	sum     uint64
	touched []touched // scratch
}

type touched struct {
	key  string
	cell cell
}

// run does those steps of a program that lie in this range, and returns a result for each step of the whole program. If
// a condition fails it changes nothing and says which. With dry it changes nothing in any case.
func (s *store) run(ops []Op, dry bool) (results []Result, abort string) {
	s.touched = s.touched[:0]
	for i := range ops {
		op := &ops[i]
		if op.F == Transfer {
			if abort = s.transfer(op); abort != "" {
				return nil, abort
			}
			if s.epoch > 0 && s.holds(op.Key) {
				if results == nil {
					results = make([]Result, len(ops))
				}
				results[i].Epoch = s.epoch
			}
			continue
		}
		if !s.holds(op.Key) {
			continue
		}
		c := s.touch(op.Key)
		if results == nil && (op.F == Read || s.epoch > 0) {
			results = make([]Result, len(ops))
		}
		if s.epoch > 0 {
			results[i].Epoch = s.epoch
		}
		switch op.F {
		case Read:
			results[i].List, results[i].Int = c.list, c.value
		case Append:
			c.append(op.Value)
			c.written(s.mark)
		case Write:
			c.value = op.Value
			c.written(s.mark)
		case CAS:
			if c.value != op.Old {
				return nil, "cas: " + op.Key + " holds another value"
			}
			c.value = op.Value
			c.written(s.mark)
		default:
			return nil, "unknown step " + string(op.F)
		}
	}
	if !dry {
		for i := range s.touched {
			s.put(s.touched[i].key, s.touched[i].cell)
		}
	}
	return results, ""
}

func (s *store) transfer(op *Op) (abort string) {
	if op.Value < 0 {
		return "transfer: less than nothing"
	}
	if s.holds(op.Key) {
		c := s.touch(op.Key)
		if c.value < op.Value {
			return "transfer: " + op.Key + " holds too little"
		}
		c.value -= op.Value
		c.written(s.mark)
	}
	if s.holds(op.To) {
		c := s.touch(op.To)
		c.value += op.Value
		c.written(s.mark)
	}
	return ""
}

// touch returns the program's own copy of a cell; it is good until the next touch.
func (s *store) touch(key string) *cell {
	for i := range s.touched {
		if s.touched[i].key == key {
			return &s.touched[i].cell
		}
	}
	t := touched{key: key}
	if c := s.cells[key]; c != nil {
		t.cell = *c
	}
	s.touched = append(s.touched, t)
	return &s.touched[len(s.touched)-1].cell
}

func (s *store) put(key string, now cell) {
	c := s.cells[key]
	if c == nil {
		c = &cell{}
		s.cells[key] = c
	}
	s.sum += now.sum(key) - c.sum(key)
	*c = now
}

// keys returns the keys of a program that a range holds, each once, in the order of the program.
func keys(ops []Op, holds func(string) bool) []string {
	list := make([]string, 0, len(ops))
	add := func(key string) {
		if holds(key) && !slices.Contains(list, key) {
			list = append(list, key)
		}
	}
	for i := range ops {
		add(ops[i].Key)
		if ops[i].F == Transfer {
			add(ops[i].To)
		}
	}
	return list
}

func readOnly(ops []Op) bool {
	for i := range ops {
		if ops[i].F != Read {
			return false
		}
	}
	return true
}
