package linear

import (
	"reflect"
	"slices"

	"faultlab/checker/history"
)

// idle marks the unknown operations that no answer rests on. Nil if there are none.
func idle[S comparable](m *Model[S], ops []Op) []bool {
	if m.Binds == nil {
		return nil
	}
	wanted := map[string]bool{}
	for i := range ops {
		if ops[i].Outcome == history.Unknown {
			gives, _ := m.Binds(ops[i].In, nil)
			for _, g := range gives {
				wanted[g] = false
			}
		}
	}
	if len(wanted) == 0 {
		return nil
	}
	// Unknown operations count as well: one may have to happen before another can.
	for i := range ops {
		_, needs := m.Binds(ops[i].In, ops[i].known())
		for _, t := range needs {
			if t == Everything {
				return nil
			}
			if _, ok := wanted[t]; ok {
				wanted[t] = true
			}
		}
	}
	skip := make([]bool, len(ops))
	for i := range ops {
		if ops[i].Outcome != history.Unknown {
			continue
		}
		gives, _ := m.Binds(ops[i].In, nil)
		skip[i] = !slices.ContainsFunc(gives, func(g string) bool { return wanted[g] })
	}
	return skip
}

// classify gives equal operations the same number. Those that cannot be compared are equal to none.
func (s *searcher[S]) classify() {
	type key struct {
		in, out any
		open    bool
	}
	s.class = make([]int32, len(s.ops))
	if s.m.distinct {
		s.sample, s.pure = make([]int32, len(s.ops)), make([]bool, len(s.ops))
		for i := range s.ops {
			s.class[i], s.sample[i], s.pure[i] = int32(i), int32(i), s.m.pure(&s.ops[i])
		}
		s.tried = make([]int32, len(s.sample))
		return
	}
	known := map[key]int32{}
	plain := comparables{}
	for i := range s.ops {
		o := &s.ops[i]
		c := int32(len(s.sample))
		k := key{o.In, o.known(), o.Outcome == history.Unknown}
		if plain.can(k.in) && plain.can(k.out) {
			if old, ok := known[k]; ok {
				s.class[i] = old
				continue
			}
			known[k] = c
		}
		s.class[i] = c
		s.sample = append(s.sample, int32(i))
		s.pure = append(s.pure, s.m.pure(o))
	}
	s.tried = make([]int32, len(s.sample))
}

// pure says that an operation never changes anything.
func (m *Model[S]) pure(o *Op) bool {
	if m.Binds == nil {
		return false
	}
	gives, _ := m.Binds(o.In, o.known())
	return len(gives) == 0
}

// known is what is known of an operation's answer.
func (o *Op) known() any {
	if o.Outcome == history.Unknown {
		return nil
	}
	return o.Out
}

// comparables remembers the types whose values can all be compared with ==.
type comparables map[reflect.Type]bool

func (c comparables) can(v any) bool {
	if v == nil {
		return true
	}
	t := reflect.TypeOf(v)
	all, ok := c[t]
	if !ok {
		all = alwaysComparable(t)
		c[t] = all
	}
	return all || reflect.ValueOf(v).Comparable()
}

func alwaysComparable(t reflect.Type) bool {
	switch t.Kind() {
	case reflect.Interface:
		return false // it depends on what is in it
	case reflect.Array:
		return alwaysComparable(t.Elem())
	case reflect.Struct:
		for f := range t.Fields() {
			if !alwaysComparable(f.Type) {
				return false
			}
		}
		return true
	}
	return t.Comparable()
}
