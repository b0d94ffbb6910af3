package linear

import (
	"fmt"
)

// Acquire takes the lock at Key. Its answer is a bool: false if somebody held it. An Owner, if given, is who alone may
// release it.
type Acquire struct{ Key, Owner string }

// Release gives the lock at Key back, which fails if nobody, or another Owner, holds it. Its answer is a bool.
type Release struct{ Key, Owner string }

// A Holder is the state of a lock.
type Holder struct {
	Held bool
	By   string
}

// Mutex is a lock for each key, free at first.
//
// It needs no check of its own: without owners all acquisitions are equal and so are all releases, of which the search
// tries one each, so that its states are no more than stages times the unknown operations of either kind used so far.
func Mutex() Model[Holder] {
	return Model[Holder]{
		Name: "mutex",
		Key: func(in any) string {
			switch in := in.(type) {
			case Acquire:
				return in.Key
			case Release:
				return in.Key
			}
			panic(foreign(in))
		},
		Step: func(s Holder, in, out any) (Holder, error) {
			done := true
			switch in := in.(type) {
			case Acquire:
				if done = !s.Held; done {
					s = after(s, out, Holder{true, in.Owner})
				}
			case Release:
				if done = s.Held && s.By == in.Owner; done {
					s = after(s, out, Holder{})
				}
			default:
				return s, foreign(in)
			}
			if did, ok := out.(bool); ok && did != done {
				return s, fmt.Errorf("%s", s)
			}
			return s, nil
		},
		Say:  saySimple,
		Show: Holder.String,
		Binds: func(in, out any) (gives, needs []string) {
			if did, ok := out.(bool); ok && !did {
				return nil, []string{Everything}
			}
			switch in := in.(type) {
			case Acquire:
				return []string{"held by " + in.Owner}, []string{"free"}
			case Release:
				return []string{"free"}, []string{"held by " + in.Owner}
			}
			return nil, nil
		},
		Overwrites: true,
	}
}

// after is next, unless the operation answered that it had not been done.
func after(s Holder, out any, next Holder) Holder {
	if did, ok := out.(bool); ok && !did {
		return s
	}
	return next
}

func (h Holder) String() string {
	switch {
	case !h.Held:
		return "nobody holds it"
	case h.By == "":
		return "it is held"
	}
	return h.By + " holds it"
}

// Take asks for a lease. Its answer is a fencing token, an int64 greater than any before. A lease runs out, so that
// one can be given while another is thought to be held; it is the tokens that keep their holders apart.
type Take struct{ Key string }

// Use acts under a lease, with its token. Its answer is a bool: false if a greater token has been used.
type Use struct {
	Key   string
	Token int64
}

// A Lease is the state of a fenced lease: the greatest token given, and used.
type Lease struct{ Given, Used int64 }

// FencedLease is a lease with fencing tokens for each key (Kleppmann, "How to do distributed locking", 2016). No token
// is as small as 0.
//
// It needs no check of its own: tokens put all takings in one order and all accepted uses in another, so that the
// search has two ways to go at most, and its states are no more than the pairs of places in the two.
func FencedLease() Model[Lease] {
	return Model[Lease]{
		Name: "fenced-lease",
		Key: func(in any) string {
			switch in := in.(type) {
			case Take:
				return in.Key
			case Use:
				return in.Key
			}
			panic(foreign(in))
		},
		Step: func(s Lease, in, out any) (Lease, error) {
			switch in := in.(type) {
			case Take:
				token, ok := out.(int64)
				if ok && token <= s.Given {
					return s, fmt.Errorf("token %d has been given", s.Given)
				}
				if ok {
					s.Given = token
				}
				return s, nil
			case Use:
				accept := in.Token >= s.Used
				if in.Token > s.Given {
					return s, fmt.Errorf("no token above %d has been given", s.Given)
				}
				if did, ok := out.(bool); ok && did != accept {
					return s, fmt.Errorf("token %d has been used", s.Used)
				}
				if accept {
					s.Used = in.Token
				}
				return s, nil
			}
			return s, foreign(in)
		},
		Say: saySimple,
		Binds: func(in, out any) (gives, needs []string) {
			switch in := in.(type) {
			case Take:
				if token, ok := out.(int64); ok {
					return []string{fmt.Sprint(token)}, nil
				}
				return nil, nil
			case Use:
				if did, ok := out.(bool); ok && !did {
					return nil, []string{Everything}
				}
				return []string{"use"}, []string{fmt.Sprint(in.Token)}
			}
			return nil, nil
		},
	}
}
