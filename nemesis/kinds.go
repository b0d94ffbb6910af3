package nemesis

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"

	"faultlab/nodes"
)

// Kinds are all sorts of faults there are. To add one, write its file and name it here, at the end: then the faults that
// a seed draws of the others stay what they were.
var Kinds = []Kind{
	partition, kill, powerLoss, pause, slow, reorder, loss, lostReply, clock,
	duplicate, corrupt, clog, restartAll, wipe, disk, ops, membership, upgrade, clientCrash, duplicateSubmit,
}

// Find returns the kind of that name.
func Find(name string) (Kind, bool) {
	for _, k := range Kinds {
		if k.Name == name {
			return k, true
		}
	}
	return Kind{}, false
}

// Parse reads a kind, perhaps with a form and with options, as on the command line: "partition", "power-loss:minority",
// "slow:region:delay=200ms:for=4s". The form is "" if none is named; what the kind then draws has the options. The error
// is one sentence that names what would be accepted.
func Parse(spec string) (Kind, string, error) {
	name, rest, more := strings.Cut(spec, ":")
	k, ok := Find(name)
	if !ok {
		return Kind{}, "", fmt.Errorf("%q is no fault: use one of %s", name, strings.Join(names(), ", "))
	}
	form := ""
	if more {
		words := strings.Split(rest, ":")
		if !strings.Contains(words[0], "=") {
			form, words = words[0], words[1:]
			if !slices.Contains(k.Forms, form) && (!k.Open || form == "") {
				return Kind{}, "", fmt.Errorf("%s has no form %q: use one of %s", name, form, strings.Join(k.accepted(), ", "))
			}
		}
		var err error
		if k, err = k.optioned(words); err != nil {
			return Kind{}, "", err
		}
	}
	return k, form, nil
}

// accepted is the forms of a kind, for a message.
func (k Kind) accepted() []string {
	if k.Open {
		return []string{"the lab's operations"}
	}
	return k.Forms
}

// refuses says why a cluster cannot do a fault, "" if it can.
func (k Kind) refuses(cluster any, f Fault) string {
	switch {
	case !k.Works(cluster) && has[Opaque](cluster):
		return "it cannot be done to nodes of somebody else's image"
	case !k.Works(cluster):
		return "this runtime cannot do it"
	case k.Refuses != nil:
		return k.Refuses(cluster, f)
	}
	return ""
}

// Refused says why a fault cannot be done on this cluster and this ground, as the end of a sentence; "" if it can.
func (f Fault) Refused(cluster any, g Ground) string {
	k, ok := Find(f.Kind)
	switch {
	case !ok:
		return "there is no such fault"
	case k.refuses(cluster, f) != "":
		return k.refuses(cluster, f)
	case k.Lacks != nil:
		return k.Lacks(g)
	}
	return ""
}

func names() []string {
	var all []string
	for _, k := range Kinds {
		all = append(all, k.Name)
	}
	return all
}

// Is says whether f is of that kind, or of that kind and form: "kill", "kill:all".
func (f Fault) Is(spec string) bool { return spec == f.Kind || spec == f.Kind+":"+f.Form }

// A form is one extent of a kind. Its draw leaves a fault without aim where the ground has no place for it.
type form struct {
	name string
	draw func(r *rand.Rand, g Ground) Fault
}

// with gives a kind its forms, and the Draw that chooses among them.
func (k Kind) with(forms ...form) Kind {
	for _, f := range forms {
		k.Forms = append(k.Forms, f.name)
	}
	name := k.Name
	k.Draw = func(r *rand.Rand, g Ground, want string) Fault {
		for _, i := range r.Perm(len(forms)) {
			if want != "" && want != forms[i].name {
				continue
			}
			f := forms[i].draw(r, g)
			if len(f.Nodes) > 0 || len(f.Links) > 0 || f.Role != "" {
				f.Kind, f.Form = name, forms[i].name
				return f
			}
		}
		return Fault{}
	}
	return k
}

// named gives a kind further forms, which are drawn where they are asked for by name and not else: so what a seed draws of
// the kind without a form stays what it was.
func (k Kind) named(forms ...form) Kind {
	usual, others := k.Draw, Kind{Name: k.Name}.with(forms...)
	k.Forms = append(k.Forms, others.Forms...)
	k.Draw = func(r *rand.Rand, g Ground, want string) Fault {
		if slices.Contains(others.Forms, want) {
			return others.Draw(r, g, want)
		}
		return usual(r, g, want)
	}
	return k
}

// has says whether a cluster has a capability.
func has[T any](cluster any) bool {
	_, ok := cluster.(T)
	return ok
}

// messages is the Works of kinds that harm single messages between members.
func messages(cluster any) bool { return has[Links](cluster) && !has[Opaque](cluster) }

// groups are the consensus groups; where there are none, all members are one.
func (g Ground) groups() [][]nodes.ID {
	if len(g.Groups) == 0 {
		return [][]nodes.ID{g.Topology.IDs()}
	}
	return g.Groups
}

// tolerated is how many members a group of n may lose: 1 of 3, 2 of 6.
func tolerated(n int) int { return (n - 1) / 2 }
