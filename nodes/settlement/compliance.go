package settlement

import (
	"fmt"
	"strings"

	"faultlab/nodes"
)

// An office is a region's compliance service. What it says follows from the payment alone, so it needs no memory.
type office struct {
	region  string
	layout  *Layout
	be      string
	waiting []Screening
	to      []nodes.ID
	count   int
}

// verdict looks at the holders of the region.
func (o *office) verdict(b Screen) Verdict {
	said := Allow
	for _, account := range []string{b.From, b.To} {
		if s := o.layout.Shard(ShardOf(account)); s == nil || s.Region != o.region {
			continue
		}
		switch holder := HolderOf(account); {
		case strings.HasPrefix(holder, "sanctioned"):
			return Deny
		case strings.HasPrefix(holder, "review"):
			said = Review
		}
	}
	return said
}

func (o *office) screen(env nodes.Env, from nodes.ID, b Screen) {
	if o.be == "down" || b.Region != o.region {
		return
	}
	s := Screening{b.Shard, b.Payment, b.Region, o.verdict(b)}
	env.Emit(Screened{b.Payment, b.Region, s.Verdict})
	if o.be == "slow" {
		o.count++
		o.waiting, o.to = append(o.waiting, s), append(o.to, from)
		env.After(slowBy, fmt.Sprint("slow ", o.count))
		return
	}
	env.Send(from, s)
}
